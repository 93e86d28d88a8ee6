//! What SCIM clients wrote into a connection, read like an HR system: page by page, and proven complete.
//!
//! A user that is there is a record. One that was deleted stays a record that says "left": a DELETE is an explicit
//! leaver, not somebody missing from a read.

use std::collections::HashSet;

use crate::base::ResourceId;
use crate::directory::realm_of;
use crate::hr::{Employee, Page, Status};
use crate::identity::store as people;
use crate::sync::Error;
use crate::sync::connection::Compiled;
use crate::sync::engine::Job;
use crate::translate;

/// How many are read together.
const PAGE: i64 = 500;

/// A read that is under way.
pub(super) struct Realm {
    at: Place,
}

enum Place {
    Users(Option<ResourceId>),
    Records(String),
    End,
}

impl Realm {
    pub const fn new() -> Self {
        Self {
            at: Place::Users(None),
        }
    }

    /// The next page; `None` when the last one was given.
    pub async fn next(&mut self, job: &Job<'_>, live: &Compiled) -> Result<Option<Page>, Error> {
        if let Place::Users(after) = &self.at {
            let users = Self::users(job, live, *after).await?;
            match users {
                Some((page, last)) => {
                    self.at = Place::Users(Some(last));
                    return Ok(Some(page));
                }
                None => self.at = Place::Records(String::new()),
            }
        }
        while let Place::Records(after) = &self.at {
            let Some((page, last)) = Self::deleted(job, after).await? else {
                self.at = Place::End;
                break;
            };
            self.at = Place::Records(last);
            if !page.employees.is_empty() {
                return Ok(Some(page));
            }
        }
        Ok(None)
    }

    async fn users(
        job: &Job<'_>,
        live: &Compiled,
        after: Option<ResourceId>,
    ) -> Result<Option<(Page, ResourceId)>, Error> {
        let mut conn = job.conn().await?;
        let directory = &job.engine.directory;
        let users = directory
            .realm_users(&mut conn, realm_of(job.run.connection), after, PAGE)
            .await?;
        let Some(last) = users.last().map(|user| user.id) else {
            return Ok(None);
        };
        let mut page = Page::default();
        for user in users {
            let id = user.id.to_string();
            let (employee, problems) = translate::employee(
                (&id, user.active),
                &user.object,
                user.external_id.as_deref(),
                &user.groups,
                live.optional(),
            );
            page.employees.push(employee);
            page.problems.extend(problems);
        }
        Ok(Some((page, last)))
    }

    /// Records whose user is gone, as people who have left; and where the next records begin.
    async fn deleted(job: &Job<'_>, after: &str) -> Result<Option<(Page, String)>, Error> {
        let (tenant, connection) = (job.run.tenant, job.run.connection);
        let mut conn = job.conn().await?;
        let records = people::source_ids(&mut conn, tenant, connection, after, PAGE).await?;
        let Some(last) = records.last().map(|record| record.source_id.clone()) else {
            return Ok(None);
        };
        let ids: Vec<ResourceId> = records
            .iter()
            .filter_map(|record| record.source_id.parse().ok())
            .collect();
        let directory = &job.engine.directory;
        let there: HashSet<ResourceId> = directory
            .existing(&mut conn, realm_of(connection), &ids)
            .await?
            .into_iter()
            .collect();
        let gone: Vec<String> = ids
            .iter()
            .filter(|id| !there.contains(id))
            .map(ToString::to_string)
            .collect();
        let mut page = Page::default();
        if !gone.is_empty() {
            let stored = people::stored(&mut conn, tenant, connection, &gone, &job.engine.sealer).await?;
            let left = |employee: Employee| Employee {
                status: Status::Left,
                ..employee
            };
            page.employees = stored
                .into_iter()
                .filter(|record| record.outcome != "gone")
                .filter_map(|record| record.employee.map(left))
                .collect();
        }
        Ok(Some((page, last)))
    }
}
