//! What becomes of items that the directory refused: nobody keeps access for that, and the record is read again.

use super::batch::{Batch, Work};
use crate::base::{PersonId, ResourceId};
use crate::db::Conn;
use crate::directory::Put;
use crate::guard::Action;
use crate::identity::store as people;
use crate::sync::Error;
use crate::sync::plan::store;

impl Batch<'_> {
    /// Who leaves and was refused for another change, a userName that is taken, is disabled without it.
    pub(super) async fn disable_alone(&self, conn: &mut Conn, work: &mut [Work]) -> Result<(), Error> {
        let is_leaver = |one: &Work| one.refused.is_some() && one.item.item.action == Action::Disable;
        let users: Vec<ResourceId> = work
            .iter()
            .filter(|one| is_leaver(one))
            .filter_map(|one| one.item.item.resource)
            .collect();
        if users.is_empty() {
            return Ok(());
        }
        let tenant = self.job.run.tenant;
        let directory = &self.job.engine.directory;
        let now = directory.load(conn, tenant, &users).await?;
        let (mut puts, mut places) = (Vec::new(), Vec::new());
        for (place, one) in work.iter().enumerate().filter(|(_, one)| is_leaver(one)) {
            let current = one.item.item.resource.and_then(|user| now.get(&user));
            let Some(current) = current.filter(|user| user.person == one.item.item.person) else {
                continue;
            };
            puts.push(Put {
                id: Some(current.id),
                kind: current.kind.clone(),
                object: current.object.clone(),
                external_id: None,
                person: one.item.item.person,
                expected: None,
                disabled_by: vec!["hr".to_owned()],
            });
            places.push(place);
        }
        let written = directory.put_many(conn, tenant, puts, &self.cause).await?;
        for (place, written) in places.into_iter().zip(written) {
            let Some(one) = work.get_mut(place).filter(|_| written.is_ok()) else {
                continue;
            };
            one.noted = one
                .refused
                .take()
                .map(|why| format!("only disabled, and nothing else changed: {why}"));
        }
        Ok(())
    }

    /// What was refused, in whole or in part, is read again by the next read, and looked at again in a day by itself.
    pub(super) async fn look_again(&self, conn: &mut Conn, work: &[Work]) -> Result<(), Error> {
        let over = || {
            work.iter()
                .filter(|one| one.refused.is_some() || one.noted.is_some())
        };
        let records: Vec<&str> = over()
            .flat_map(|one| &one.effect.records)
            .map(|record| record.source_id.as_str())
            .collect();
        let run = &self.job.run;
        if !records.is_empty() {
            people::read_again(conn, run.tenant, run.connection, &records).await?;
        }
        let people: Vec<PersonId> = over().filter_map(|one| one.item.item.person).collect();
        store::look_tomorrow(conn, run.tenant, &people, self.cause.now).await?;
        Ok(())
    }
}
