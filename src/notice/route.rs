//! Who is told of an event: the one place where events become messages.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use serde_json::{Value, json};

use super::store::event::{self, Event, Group};
use super::store::outbox::{self, NewMessage};
use super::store::recipient::{Audience, audiences};
use super::store::subscription;
use super::{Error, EventKind, Language, NewEvent, Notify, Summary};
use crate::base::TenantId;
use crate::db::Conn;

/// Events of which it is decided at once.
const BATCH: i64 = 200;
/// For so long a deactivation waits for the end of its run.
const PATIENCE: TimeDelta = TimeDelta::hours(1);
/// So many people or values a digest names.
const NAMED: i64 = 100;

/// Decides who is told of the events that nobody was told of. The caller's transaction. Returns how many there were.
pub(super) async fn route(
    conn: &mut Conn,
    has_mail_server: bool,
    now: DateTime<Utc>,
) -> Result<usize, Error> {
    let events = event::to_route(conn, now, PATIENCE, BATCH).await?;
    if events.is_empty() {
        return Ok(0);
    }
    let mut tenants: Vec<_> = events.iter().map(|event| event.tenant.uuid()).collect();
    tenants.sort_unstable();
    tenants.dedup();
    let audiences = audiences(conn, &tenants).await?;
    let listeners = subscription::listeners(conn, &tenants).await?;
    let digested = digests(conn, &events, &audiences, now).await?;
    let mut messages = Vec::new();
    for event in &events {
        let Some(audience) = audiences.get(&event.tenant) else {
            continue;
        };
        if group_of(event, now).is_none_or(|group| !digested.contains(&group)) {
            mails(event, audience, has_mail_server, now, &mut messages);
        }
        let calls = listeners.iter().filter(|listener| {
            listener.tenant == event.tenant && listener.hears(event.kind, entity_of(event, audience))
        });
        messages.extend(calls.map(|listener| NewMessage {
            tenant: event.tenant,
            event: event.id,
            address: None,
            subscription: Some(listener.id),
            language: listener.language.unwrap_or(audience.wishes.language),
            escalated: false,
            state: "waiting",
            at_most_once: false,
            due_at: now,
        }));
    }
    outbox::add(conn, &messages, now).await?;
    event::mark_routed(conn, &events, now).await?;
    Ok(events.len())
}

/// With which others an event may be told together: people of one run, what happens in one connection or app in an hour.
fn group_of(event: &Event, now: DateTime<Utc>) -> Option<Group> {
    event.kind.digest()?;
    let (name, _) = event.key.split_once('/')?;
    let of_a_run = event.detail.get("run").and_then(Value::as_str) == Some(name);
    Some(Group {
        tenant: event.tenant,
        kind: event.kind,
        name: name.to_owned(),
        since: if of_a_run {
            DateTime::UNIX_EPOCH
        } else {
            now.duration_trunc(TimeDelta::hours(1)).unwrap_or(now)
        },
    })
}

/// Raises one event in the place of many: for the groups of which there are more than are told of one by one.
async fn digests(
    conn: &mut Conn,
    events: &[Event],
    audiences: &HashMap<TenantId, Audience>,
    now: DateTime<Utc>,
) -> Result<BTreeSet<Group>, Error> {
    let mut groups: BTreeMap<Group, &Event> = BTreeMap::new();
    for event in events {
        if let Some(group) = group_of(event, now) {
            groups.entry(group).or_insert(event);
        }
    }
    let mut digested = BTreeSet::new();
    for (group, event) in groups {
        let cap = audiences
            .get(&group.tenant)
            .map_or(0, |audience| i64::from(audience.wishes.digest_above));
        let (count, some) = group.members(conn, NAMED).await?;
        if count <= cap {
            continue;
        }
        if let Some(kind) = group.kind.digest() {
            let digest = digest_of(kind, &group, event, (count, &some));
            event::raise(conn, group.tenant, &digest, now).await?;
        }
        digested.insert(group);
    }
    Ok(digested)
}

fn digest_of(kind: EventKind, group: &Group, event: &Event, (count, some): (i64, &[Value])) -> NewEvent {
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
    let detail = if group.kind == EventKind::ValueHeld {
        let values = parts(&["user", "name", "field", "old", "new"]);
        json!({ "count": count, "values": values, "more": more })
    } else {
        let people = parts(&["user", "name", "user_name"]);
        json!({ "run": event.detail.get("run"), "count": count, "people": people, "more": more })
    };
    NewEvent {
        kind,
        key: format!("{}/{}", group.name, group.since.timestamp()),
        connection: event.connection,
        app: event.app,
        entity: None,
        person: None,
        detail,
    }
}

/// Whether a list of kinds and one of entities, each empty for all, take an event.
pub(super) fn takes(
    events: &[EventKind],
    entities: &[String],
    kind: EventKind,
    entity: Option<&str>,
) -> bool {
    (events.is_empty() || events.contains(&kind))
        && (entities.is_empty() || entity.is_some_and(|entity| entities.iter().any(|one| one == entity)))
}

fn mails(
    event: &Event,
    audience: &Audience,
    has_mail_server: bool,
    now: DateTime<Utc>,
    messages: &mut Vec<NewMessage>,
) {
    let mut to = |address: &str, language: Language, escalated: bool, due_at: DateTime<Utc>| {
        messages.push(NewMessage {
            tenant: event.tenant,
            event: event.id,
            address: Some(address.to_owned()),
            subscription: None,
            language,
            escalated,
            state: if has_mail_server { "waiting" } else { "unsent" },
            at_most_once: !event.kind.is_alarm(),
            due_at,
        });
    };
    if event.kind.is_for_the_person() {
        let text = |name: &str| event.detail.get(name).and_then(Value::as_str);
        let language = text("language").and_then(Language::of);
        if let Some(address) = text("to") {
            to(address, language.unwrap_or(audience.wishes.language), false, now);
        }
        return;
    }
    let notify = event.connection.and_then(|id| audience.connections.get(&id));
    if event.kind == EventKind::RunDone && !is_summed_up(event, notify) {
        return;
    }
    let told = told(event, audience);
    for (address, language) in &told {
        to(address, *language, false, now);
    }
    let waits = matches!(
        event.kind,
        EventKind::RunAwaitingApproval | EventKind::AppAwaitingApproval
    );
    let Some((after, further)) = escalation(event, audience).filter(|_| waits) else {
        return;
    };
    if further.is_empty() {
        for (address, language) in &told {
            to(address, *language, true, now + after);
        }
    }
    for address in further {
        to(address, audience.wishes.language, true, now + after);
    }
}

/// After how long a plan that still waits is told again, and to whom: as the connection or the app says, else the tenant.
fn escalation<'a>(event: &Event, audience: &'a Audience) -> Option<(TimeDelta, &'a [String])> {
    let app = event.app.and_then(|id| audience.apps.get(&id)?.notify.as_ref());
    let own = event
        .connection
        .and_then(|id| audience.connections.get(&id))
        .or(app)
        .and_then(|notify| Some((notify.escalation()?, notify.escalate_to.as_slice())));
    own.or_else(|| {
        Some((
            audience.wishes.escalation()?,
            audience.wishes.escalate_to.as_slice(),
        ))
    })
}

/// The legal entity that an event belongs to: its own, else that to which its app is bound.
fn entity_of<'a>(event: &'a Event, audience: &'a Audience) -> Option<&'a str> {
    let of_app = || audience.apps.get(&event.app?)?.entity.as_deref();
    event.entity.as_deref().or_else(of_app)
}

/// Whether a run is summed up by mail.
fn is_summed_up(event: &Event, notify: Option<&Notify>) -> bool {
    let changes = event
        .detail
        .get("changes")
        .and_then(Value::as_i64)
        .unwrap_or_default();
    let partial = event.detail.get("state").and_then(Value::as_str) == Some("partial");
    match notify.and_then(|notify| notify.summary).unwrap_or_default() {
        Summary::Always => true,
        Summary::Changes => changes > 0 || partial,
        Summary::Never => false,
    }
}

/// The admins who are told, each once: those of the tenant; of what a connection does, the connection's; of what happens in
/// an app, the app's, or, where it names nobody, the owners of all connections and those bound to its entity.
fn told(event: &Event, audience: &Audience) -> BTreeMap<String, Language> {
    let entity = entity_of(event, audience);
    let usual = audience.wishes.language;
    let mut found: BTreeMap<String, (String, Language)> = BTreeMap::new();
    let mut add = |address: &str, language: Option<Language>| {
        found
            .entry(address.to_lowercase())
            .or_insert_with(|| (address.to_owned(), language.unwrap_or(usual)));
    };
    for one in &audience.recipients {
        if takes(&one.events, &one.entities, event.kind, entity) {
            add(&one.address, one.language);
        }
    }
    let of_app = event.app.and_then(|id| audience.apps.get(&id)?.notify.as_ref());
    let of_app = of_app.filter(|notify| notify.names_somebody());
    if let Some(notify) = of_app {
        add_all(notify, event.kind, entity, false, &mut add);
    }
    for (connection, notify) in &audience.connections {
        match event.connection {
            Some(of) if of == *connection => add_all(notify, event.kind, entity, false, &mut add),
            None if of_app.is_none() => add_all(notify, event.kind, entity, true, &mut add),
            _ => {}
        }
    }
    found.into_values().collect()
}

/// Those whom `[notify]` names; of what is none of its doing, beside the owner only those who are bound to the entity.
fn add_all(
    notify: &Notify,
    kind: EventKind,
    entity: Option<&str>,
    only_bound: bool,
    add: &mut impl FnMut(&str, Option<Language>),
) {
    if let Some(owner) = &notify.owner {
        add(owner, notify.language);
    }
    for one in &notify.to {
        if takes(&one.events, &one.entities, kind, entity) && !(only_bound && one.entities.is_empty()) {
            add(&one.address, one.language);
        }
    }
}
