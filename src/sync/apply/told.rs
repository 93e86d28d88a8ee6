//! Who was deactivated, and what waits for a decision: told in the transaction in which it happens.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::batch::{Batch, Work};
use crate::base::{HoldId, ResourceId, digest};
use crate::db::Conn;
use crate::guard::{Action, NewHold};
use crate::notice::{self, Entity, EventKind, NewEvent};
use crate::scim::{Object, entity_names};
use crate::sync::Error;

impl Batch<'_> {
    /// Tells of those of a batch who were deactivated, and of values that wait since now: `held`.
    pub(super) async fn tell(
        &self,
        conn: &mut Conn,
        work: &[Work],
        held: &[(HoldId, NewHold)],
    ) -> Result<(), Error> {
        let (run, now) = (&self.job.run, self.cause.now);
        let mut events: Vec<NewEvent> = work.iter().filter_map(|one| self.deactivated(one)).collect();
        events.extend(self.held(work, held));
        events.extend(work.iter().filter_map(|one| self.clashed(one)));
        events.extend(self.withheld(conn, work).await?);
        Ok(notice::raise_all(conn, run.tenant, &events, now).await?)
    }

    fn event(&self, one: &Work, kind: EventKind, key: String, detail: Value) -> NewEvent {
        let object = one.effect.object.as_ref();
        let entity = object.and_then(|object| Entity::of(&entity_names(object)));
        NewEvent {
            kind,
            key,
            connection: Some(self.job.run.connection),
            app: None,
            entity,
            person: one.item.item.person,
            detail,
        }
    }

    fn deactivated(&self, one: &Work) -> Option<NewEvent> {
        let is_new = one.item.item.action == Action::Disable && one.refused.is_none();
        let user = one.user.filter(|_| is_new)?;
        let run = self.job.run.id;
        let object = one.effect.object.as_ref();
        let user_name = object
            .and_then(|object| object.get("userName"))
            .and_then(Value::as_str);
        let detail = json!({
            "run": run, "user": user, "name": object.and_then(name_of), "user_name": user_name,
            "reason": one.item.item.reason,
        });
        Some(self.event(one, EventKind::PersonDeactivated, format!("{run}/{user}"), detail))
    }

    /// Two people should have one userName.
    fn clashed(&self, one: &Work) -> Option<NewEvent> {
        let clash = one.effect.clash.as_ref()?;
        let person = one.item.item.person?;
        let key = format!(
            "{}/{person}/{}",
            self.job.run.connection,
            mark(clash.user_name.as_bytes())
        );
        let detail = json!({
            "run": self.job.run.id, "name": clash.name, "user_name": clash.user_name,
            "reason": "another user has this userName already",
        });
        Some(self.event(one, EventKind::UserNameTaken, key, detail))
    }

    /// Who is back in HR and stays disabled.
    async fn withheld(&self, conn: &mut Conn, work: &[Work]) -> Result<Vec<NewEvent>, Error> {
        let (run, directory) = (&self.job.run, &self.job.engine.directory);
        let is_withheld = |one: &&Work| one.effect.withheld && one.refused.is_none();
        let users: Vec<ResourceId> = work
            .iter()
            .filter(is_withheld)
            .filter_map(|one| one.user)
            .collect();
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let users = directory.load(conn, run.tenant, &users).await?;
        let told = work.iter().filter(is_withheld).filter_map(|one| {
            let user = users.get(&one.user?)?;
            let detail = json!({
                "user": user.id, "name": name_of(&user.object), "reason": "lifecycle.reactivate of the connection is off",
            });
            let key = format!("{}/{}", run.id, user.id);
            let event = self.event(one, EventKind::ReactivationWithheld, key, detail);
            Some(NewEvent {
                entity: Entity::of(&entity_names(&user.object)),
                ..event
            })
        });
        Ok(told.collect())
    }

    fn held(&self, work: &[Work], held: &[(HoldId, NewHold)]) -> Vec<NewEvent> {
        let of: HashMap<ResourceId, &Work> = work.iter().filter_map(|one| Some((one.user?, one))).collect();
        held.iter()
            .filter_map(|(id, hold)| {
                let user = hold.resource?;
                let one = of.get(&user)?;
                let mark = mark(hold.new.clone().unwrap_or_default().to_string().as_bytes());
                let key = format!("{}/{id}/{mark}", hold.owner);
                let detail = json!({
                    "hold": id, "user": user, "name": one.effect.object.as_ref().and_then(name_of), "field": hold.field,
                    "old": notice::shown(hold.old.as_ref()), "new": notice::shown(hold.new.as_ref()),
                });
                Some(self.event(one, EventKind::ValueHeld, key, detail))
            })
            .collect()
    }
}

/// A short mark of a value, for keys.
fn mark(value: &[u8]) -> String {
    digest(value)
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Somebody's name for people.
fn name_of(user: &Object) -> Option<&str> {
    user.get("displayName")
        .or_else(|| user.get("name")?.get("formatted"))
        .or_else(|| user.get("userName"))
        .and_then(Value::as_str)
}
