//! The people of a connection by their stored records, as if all had been read anew: what a preview looks at when the
//! draft reads nothing else.

use super::assign::Assigned;
use super::store;
use crate::hr::Employee;
use crate::identity::Candidate;
use crate::lifecycle::{State, judge};
use crate::sync::Error;
use crate::sync::connection::Compiled;
use crate::sync::engine::Job;

/// How many records are looked at together.
const BATCH: i64 = 2000;

/// Everybody whose record is stored, with whom their managers are; of each record only keys are held in memory.
pub(super) async fn assign_stored(job: &mut Job<'_>, live: &Compiled) -> Result<Assigned, Error> {
    let mut assigned = Assigned {
        is_stored: true,
        ..Assigned::default()
    };
    let mut after = String::new();
    loop {
        let mut conn = job.conn().await?;
        let records = store::stored_records(&mut conn, &job.run, &after, BATCH).await?;
        let Some((last, _, _)) = records.last() else {
            return Ok(assigned);
        };
        after.clone_from(last);
        for (_, person, plain) in records {
            let employee: Employee = serde_json::from_value(plain).map_err(Error::Record)?;
            let verdict = judge(&employee, &live.file.lifecycle, None, job.engine.clock.now());
            let left = matches!(verdict.state, State::Left | State::Rescinded);
            let candidate = Candidate::of(&employee, left);
            assigned.add(&candidate, employee.manager, person);
        }
        drop(conn);
        let done = assigned.of.len();
        job.beat(serde_json::json!({ "step": "planning", "done": 0, "of": done }))
            .await?;
    }
}
