//! A run's way to what was pushed.

use serde::Deserialize;

use super::session::{SessionKind, about};
use super::store;
use crate::base::PushSessionId;
use crate::hr::{Employee, Page, Problem};
use crate::identity::store as people;
use crate::sync::Error;
use crate::sync::engine::Job;

/// How many kept records are looked at together.
const PAGE: i64 = 500;

/// Said of a run whose pages were deleted.
pub(in crate::sync) const GONE: &str =
    "what was pushed for this run was deleted since it was stopped: push it again";

/// A read of what was pushed.
pub(in crate::sync) enum Pushed {
    /// The pages of a committed session.
    Session {
        id: PushSessionId,
        kind: SessionKind,
        after: i32,
        pages: i64,
    },
    /// What was pushed before, for a run that no session is behind.
    Kept { after: String },
}

#[derive(Deserialize)]
struct Content {
    employees: Vec<Employee>,
    problems: Vec<Problem>,
}

impl Pushed {
    /// What this run reads.
    pub async fn of(job: &Job<'_>) -> Result<Self, Error> {
        let mut conn = job.conn().await?;
        Ok(match store::of_run(&mut conn, &job.run).await? {
            Some((id, kind)) => Self::Session {
                id,
                kind,
                after: 0,
                pages: 0,
            },
            None => Self::Kept { after: String::new() },
        })
    }

    /// Whether it has everybody.
    pub const fn has_everybody(&self) -> bool {
        matches!(
            self,
            Self::Session {
                kind: SessionKind::Complete,
                ..
            }
        )
    }

    /// The next page; `None` when the last one was given.
    pub async fn next(&mut self, job: &Job<'_>) -> Result<Option<Page>, Error> {
        let (tenant, sealer) = (job.run.tenant, &job.engine.sealer);
        let mut conn = job.conn().await?;
        match self {
            Self::Session { id, after, pages, .. } => {
                let Some((number, sealed)) = store::next_page(&mut conn, tenant, *id, *after).await? else {
                    // Pages are deleted as a whole once no run needs them, and a run may be resumed after that.
                    let kept = store::pages(&mut conn, tenant, *id).await?;
                    return if *pages > 0 && *pages == kept {
                        Ok(None)
                    } else {
                        Err(Error::Push(GONE.to_owned()))
                    };
                };
                *after = number;
                *pages = pages.saturating_add(1);
                let content = sealer.open(&about(*id), &sealed)?;
                let content: Content = serde_json::from_slice(&content).map_err(Error::Record)?;
                Ok(Some(Page {
                    employees: content.employees,
                    problems: content.problems,
                }))
            }
            Self::Kept { after } => {
                let connection = job.run.connection;
                let records = people::source_ids(&mut conn, tenant, connection, after, PAGE).await?;
                let Some(last) = records.last() else {
                    return Ok(None);
                };
                after.clone_from(&last.source_id);
                let ids: Vec<String> = records
                    .into_iter()
                    .filter(|record| record.outcome != "gone" && record.outcome != "moved")
                    .map(|record| record.source_id)
                    .collect();
                let stored = people::stored(&mut conn, tenant, connection, &ids, sealer).await?;
                Ok(Some(Page {
                    employees: stored.into_iter().filter_map(|record| record.employee).collect(),
                    problems: Vec::new(),
                }))
            }
        }
    }
}
