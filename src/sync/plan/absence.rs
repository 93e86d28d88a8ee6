//! Who is missing from a complete read.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::base::PersonId;
use crate::identity::store as people;
use crate::lifecycle::{Missing, MissingAction};
use crate::sync::Error;
use crate::sync::connection::Compiled;
use crate::sync::engine::Job;
use crate::sync::run::{Outcome, Severity};

/// Records that a complete read did not have.
#[derive(Debug, Default)]
pub(super) struct Absence {
    /// All of them that are not gone yet: counted one read more when the plan is applied.
    pub missing: Vec<String>,
    /// Those that have been missing for long enough.
    pub gone: HashSet<String>,
    /// The same by person.
    pub gone_of: HashMap<PersonId, Vec<String>>,
    /// What to say of them.
    pub said: Vec<Outcome>,
}

/// Finds who is missing. Only meaningful after a complete read.
pub(super) async fn absence(job: &Job<'_>, live: &Compiled) -> Result<Absence, Error> {
    let mut conn = job.conn().await?;
    let absent = people::absent(&mut conn, job.run.tenant, job.run.connection, job.run.id).await?;
    let now = job.engine.clock.now();
    let policy = &live.file.lifecycle.missing;
    let mut found = Absence::default();
    for record in absent
        .into_iter()
        .filter(|record| record.outcome != "gone" && record.outcome != "moved")
    {
        let first_time = record.missing_reads == 0;
        let acts = live.provable && policy.action != MissingAction::Report;
        let is_gone = acts && long_enough(policy, record.missing_reads, record.missing_since, now);
        if is_gone {
            found.gone.insert(record.source_id.clone());
            if let Some(person) = record.person {
                found
                    .gone_of
                    .entry(person)
                    .or_default()
                    .push(record.source_id.clone());
            }
        }
        if first_time {
            found.said.push(Outcome {
                severity: Severity::Warning,
                source_id: Some(record.source_id.clone()),
                employee_number: None,
                person: record.person,
                outcome: "missing".to_owned(),
                field: None,
                message: message(policy, acts),
            });
        }
        found.missing.push(record.source_id);
    }
    Ok(found)
}

/// Whether this read is the one that decides: enough complete reads, far enough apart.
fn long_enough(
    policy: &Missing,
    reads_before: i32,
    since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> bool {
    let reads = u32::try_from(reads_before).unwrap_or_default().saturating_add(1);
    let apart = since.map_or(chrono::Duration::zero(), |since| now - since);
    reads >= policy.reads && (policy.reads <= 1 || apart >= policy.apart.0)
}

fn message(policy: &Missing, acts: bool) -> String {
    if acts {
        let what = match policy.action {
            MissingAction::Remove => "removed",
            _ => "disabled",
        };
        format!(
            "the record is missing from a complete read; it counts as gone, and the account is {what}, after {} such \
             reads that lie {} apart",
            policy.reads,
            String::from(policy.apart)
        )
    } else {
        "the record is missing from the read: nothing is done, it is only reported".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Duration;

    #[test]
    fn two_reads_a_day_apart_decide_by_default() {
        let policy = Missing::default();
        let now: DateTime<Utc> = "2026-11-21T04:00:00Z".parse().unwrap();
        assert!(!long_enough(&policy, 0, None, now));
        assert!(!long_enough(&policy, 1, Some(now - Duration::hours(23)), now));
        assert!(!long_enough(&policy, 5, Some(now - Duration::hours(5)), now));
        assert!(long_enough(&policy, 1, Some(now - Duration::hours(24)), now));
        let at_once = Missing {
            reads: 1,
            ..Missing::default()
        };
        assert!(long_enough(&at_once, 0, None, now));
    }
}
