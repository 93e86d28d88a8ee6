//! Many events of one kind are told by one mail: to each the part that it would have been told of one by one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::route::{PATIENCE, notifies, wants};
use super::store::event::{self, Event};
use super::store::group::Group;
use super::store::recipient::Audience;
use super::store::subscription::Listener;
use super::{Entity, Error, EventKind, NewEvent};
use crate::base::TenantId;
use crate::db::Conn;

/// So many people or values a digest names.
const NAMED: i64 = 100;

/// What was decided of events that may be told together.
#[derive(Debug, Default)]
pub(super) struct Digests {
    gathered: BTreeSet<Group>,
    put_off: BTreeMap<Group, DateTime<Utc>>,
}

impl Digests {
    /// Whether a digest tells of an event, in the place of mails of its own.
    pub fn tell_of(&self, event: &Event, now: DateTime<Utc>) -> bool {
        event.is_digested || group_of(event, now).is_some_and(|group| self.gathered.contains(&group))
    }

    /// Until when an event waits for more of its kind.
    pub fn put_off(&self, event: &Event, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let group = group_of(event, now).filter(|_| !event.is_digested)?;
        self.put_off.get(&group).copied()
    }
}

/// With which others an event may be told together: people of one run, what happens in one connection or app in an hour.
fn group_of(event: &Event, now: DateTime<Utc>) -> Option<Group> {
    event.kind.digest()?;
    let (name, _) = event.key.split_once('/')?;
    let of_a_run = event.detail.get("run").and_then(Value::as_str) == Some(name);
    let hour = event.at.duration_trunc(TimeDelta::hours(1)).unwrap_or(event.at);
    Some(Group {
        tenant: event.tenant,
        kind: event.kind,
        name: name.to_owned(),
        since: if of_a_run { DateTime::UNIX_EPOCH } else { hour },
        until: if of_a_run {
            now + PATIENCE
        } else {
            hour + TimeDelta::hours(1)
        },
    })
}

/// Raises digests in the place of many events: for the groups of which there are more than are told of one by one. What
/// comes after a digest waits once, to the end of the hour, and is told by another.
pub(super) async fn digests(
    conn: &mut Conn,
    events: &[Event],
    (audiences, listeners): (&HashMap<TenantId, Audience>, &[Listener]),
    now: DateTime<Utc>,
) -> Result<Digests, Error> {
    let mut groups: BTreeMap<Group, Vec<&Event>> = BTreeMap::new();
    for event in events.iter().filter(|event| !event.is_digested) {
        if let Some(group) = group_of(event, now) {
            groups.entry(group).or_default().push(event);
        }
    }
    let mut decided = Digests::default();
    for (group, members) in groups {
        let (Some(audience), Some(event)) = (audiences.get(&group.tenant), members.first()) else {
            continue;
        };
        let (count, told) = group.count(conn).await?;
        if count <= i64::from(audience.wishes.digest_above) {
            continue;
        }
        let waited = members.iter().any(|event| event.was_put_off);
        if told > 0 && !waited && group.until > now {
            decided.put_off.insert(group.clone(), group.until);
            continue;
        }
        let digest = group.gather(conn).await?;
        let sets = sets(event, audience, listeners);
        raise(conn, &group, (digest, event), (audience, sets), now).await?;
        decided.gathered.insert(group);
    }
    Ok(decided)
}

/// The entities to which those are bound who want to be told; of those who are bound to none, the empty list.
fn sets(event: &Event, audience: &Audience, listeners: &[Listener]) -> BTreeSet<Vec<String>> {
    let Some(kind) = event.kind.digest() else {
        return BTreeSet::new();
    };
    let recipients = audience.recipients.iter().map(|one| (&one.events, &one.entities));
    let also = notifies(event, audience)
        .flat_map(|(notify, _)| &notify.to)
        .map(|one| (&one.events, &one.entities));
    let heard = listeners
        .iter()
        .filter(|one| one.tenant == event.tenant && (one.events.is_empty() || one.events.contains(&kind)))
        .map(|one| set_of(&one.entities));
    recipients
        .chain(also)
        .filter(|(events, _)| wants(events, kind))
        .map(|(_, entities)| set_of(entities))
        .chain(heard)
        .chain([Vec::new()])
        .collect()
}

/// A list of entities in the form that is compared.
pub(super) fn set_of(entities: &[String]) -> Vec<String> {
    let set: BTreeSet<&String> = entities.iter().collect();
    set.into_iter().cloned().collect()
}

/// Raises the digests of one group, one for each list of entities of which there is anybody in it.
async fn raise(
    conn: &mut Conn,
    group: &Group,
    (digest, event): (Uuid, &Event),
    (audience, sets): (&Audience, BTreeSet<Vec<String>>),
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let Some(kind) = group.kind.digest() else {
        return Ok(());
    };
    let of_app = event.app.and_then(|id| audience.apps.get(&id)?.entity.as_ref());
    let mut events = Vec::new();
    for (place, set) in sets.iter().enumerate() {
        let bound = of_app.is_some_and(|entity| set.contains(entity));
        let (count, some) = group.gathered(conn, digest, (set, bound), NAMED).await?;
        if count == 0 {
            continue;
        }
        let words: Vec<&str> = set.iter().map(String::as_str).collect();
        events.push(NewEvent {
            kind,
            key: format!("{}/{digest}/{place}", group.name),
            connection: event.connection,
            app: event.app,
            entity: Entity::of(&words),
            person: None,
            detail: detail_of(group.kind, event, (count, &some)),
        });
    }
    event::raise_all(conn, group.tenant, &events, now).await
}

fn detail_of(kind: EventKind, event: &Event, (count, some): (i64, &[Value])) -> Value {
    let named = i64::try_from(some.len()).unwrap_or(NAMED);
    let more = (count > named).then_some(count - named);
    let parts = |names: &[&str]| -> Vec<Value> {
        some.iter()
            .map(|detail| {
                let part = |name: &&str| Some(((*name).to_owned(), detail.get(*name)?.clone()));
                Value::Object(names.iter().filter_map(part).collect())
            })
            .collect()
    };
    if kind == EventKind::ValueHeld {
        let values = parts(&["user", "name", "field", "old", "new"]);
        json!({ "count": count, "values": values, "more": more })
    } else {
        let people = parts(&["user", "name", "user_name"]);
        json!({ "run": event.detail.get("run"), "count": count, "people": people, "more": more })
    }
}
