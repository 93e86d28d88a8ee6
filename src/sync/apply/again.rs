//! What becomes of items that are refused: a newer read stands; nobody keeps access for it; the record is read again.

use super::batch::{Batch, Work};
use crate::base::{PersonId, ResourceId};
use crate::db::Conn;
use crate::directory::Put;
use crate::guard::{Action, ItemState, Mark};
use crate::identity::store as people;
use crate::sync::Error;
use crate::sync::plan::store;

/// Said of an item that a newer read has overtaken.
const OVERTAKEN: &str = "a newer read of this record was applied while the plan waited: what it said stands";

impl Batch<'_> {
    /// Takes the items out whose records another run has read and stored since this run began: nothing of them is done.
    pub(super) async fn pass_over_overtaken(
        &self,
        conn: &mut Conn,
        work: &mut Vec<Work>,
    ) -> Result<(), Error> {
        let run = &self.job.run;
        let ids: Vec<&str> = work.iter().flat_map(records).collect();
        let Some(began) = run.started_at.filter(|_| !ids.is_empty()) else {
            return Ok(());
        };
        let newer = people::saved_since(conn, run.tenant, run.connection, &ids, began).await?;
        if newer.is_empty() {
            return Ok(());
        }
        let overtaken = work.extract_if(.., |one| records(one).any(|record| newer.contains(record)));
        let refused: Vec<Mark> = overtaken
            .map(|one| Mark {
                ordinal: one.item.ordinal,
                state: ItemState::Refused,
                note: Some(OVERTAKEN.to_owned()),
            })
            .collect();
        self.mark_all(conn, &refused).await
    }

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

/// The records of this connection that an item is made of.
fn records(one: &Work) -> impl Iterator<Item = &str> {
    let read = one.effect.records.iter().map(|record| record.source_id.as_str());
    read.chain(one.effect.gone.iter().map(String::as_str))
}
