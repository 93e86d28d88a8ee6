//! The employees that webhooks named, read one by one.

use crate::connector;
use crate::hr::{Page, Problem};
use crate::sync::Error;
use crate::sync::connection::Compiled;
use crate::sync::engine::{Engine, Job};
use crate::sync::run::Run;
use crate::sync::webhook;

/// The employees of one run that are still to be looked at.
pub(super) struct Looks {
    ids: std::vec::IntoIter<String>,
}

impl Looks {
    /// Takes what is due, or what this run had taken before it was interrupted.
    pub async fn take(job: &Job<'_>) -> Result<Self, Error> {
        let mut conn = job.conn().await?;
        let ids = webhook::store::take(&mut conn, &job.run, job.engine.clock.now(), webhook::STORM).await?;
        Ok(Self { ids: ids.into_iter() })
    }

    /// The next one, as a page; `None` when all were looked at. One that is not found, and a failure, ask for a read of
    /// all: nobody leaves because a single read finds nothing.
    pub async fn next(&mut self, engine: &Engine, run: &Run, live: &Compiled) -> Result<Option<Page>, Error> {
        for id in self.ids.by_ref() {
            let mut conn = engine.conn().await?;
            let tokens = live.tokens(engine);
            let source = live.source(engine, &mut conn, &tokens).await?;
            drop(conn);
            match source.one(&id).await {
                Ok(Some(employee)) => {
                    return Ok(Some(Page {
                        employees: vec![employee],
                        ..Page::default()
                    }));
                }
                Ok(None) => webhook::ask_for_all(engine, run, live).await?,
                Err(connector::Error::Record { field, message }) => {
                    let problem = Problem {
                        source_id: Some(id),
                        field,
                        message,
                    };
                    return Ok(Some(Page {
                        problems: vec![problem],
                        ..Page::default()
                    }));
                }
                Err(error) => {
                    webhook::ask_for_all(engine, run, live).await?;
                    return Err(error.into());
                }
            }
        }
        Ok(None)
    }
}
