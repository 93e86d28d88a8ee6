//! Who is told of an event: the one place where events become messages.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::digest::{digests, set_of};
use super::store::event::{self, Event};
use super::store::outbox::{self, NewMessage};
use super::store::recipient::{Audience, audiences};
use super::store::subscription;
use super::{Error, EventKind, Language, Notify, Summary};
use crate::db::Conn;

/// Events of which it is decided at once.
const BATCH: i64 = 200;
/// For so long a deactivation waits for the end of its run.
pub(super) const PATIENCE: TimeDelta = TimeDelta::hours(1);

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
    let digests = digests(conn, &events, (&audiences, &listeners), now).await?;
    let (mut messages, mut routed, mut put_off) = (Vec::new(), Vec::new(), Vec::new());
    for event in &events {
        if let Some(until) = digests.put_off(event, now) {
            put_off.push((event, until));
            continue;
        }
        routed.push(event);
        let Some(audience) = audiences.get(&event.tenant) else {
            continue;
        };
        if !digests.tell_of(event, now) {
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
    event::put_off(conn, &put_off).await?;
    event::mark_routed(conn, &routed, now).await?;
    Ok(events.len())
}

/// Whether a list of kinds, empty for all, wants mails of a kind: whoever is told of each is told of many.
pub(super) fn wants(events: &[EventKind], kind: EventKind) -> bool {
    events.is_empty()
        || events
            .iter()
            .any(|one| *one == kind || one.digest() == Some(kind))
}

/// Whether a list of entities, empty for all, takes an event of an entity that has these words. Of digests each takes the
/// one that is made for it.
pub(super) fn is_of(entities: &[String], kind: EventKind, words: &[String]) -> bool {
    if kind.is_digest() {
        return set_of(entities) == set_of(words);
    }
    entities.is_empty() || entities.iter().any(|one| words.contains(one))
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
fn entity_of<'a>(event: &'a Event, audience: &'a Audience) -> &'a [String] {
    let of_app = || audience.apps.get(&event.app?)?.entity.as_ref();
    match of_app().filter(|_| event.entity.is_empty() && !event.kind.is_digest()) {
        Some(entity) => std::slice::from_ref(entity),
        None => &event.entity,
    }
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
        if wants(&one.events, event.kind) && is_of(&one.entities, event.kind, entity) {
            add(&one.address, one.language);
        }
    }
    for (notify, only_bound) in notifies(event, audience) {
        add_all(notify, event.kind, entity, only_bound, &mut add);
    }
    found.into_values().collect()
}

/// What connections and apps say of who is told of an event; whether, beside the owner, only those who are bound to its
/// entity.
pub(super) fn notifies<'a>(
    event: &Event,
    audience: &'a Audience,
) -> impl Iterator<Item = (&'a Notify, bool)> + use<'a> {
    let of_app = event.app.and_then(|id| audience.apps.get(&id)?.notify.as_ref());
    let of_app = of_app.filter(|notify| notify.names_somebody());
    let (of, is_of_app) = (event.connection, of_app.is_some());
    let connections = audience
        .connections
        .iter()
        .filter_map(move |(id, notify)| match of {
            Some(of) => (of == *id).then_some((notify, false)),
            None => (!is_of_app).then_some((notify, true)),
        });
    of_app
        .map(|notify| (notify, false))
        .into_iter()
        .chain(connections)
}

/// Those whom `[notify]` names; of what is none of its doing, beside the owner only those who are bound to the entity.
fn add_all(
    notify: &Notify,
    kind: EventKind,
    entity: &[String],
    only_bound: bool,
    add: &mut impl FnMut(&str, Option<Language>),
) {
    if let Some(owner) = notify.owner.as_ref().filter(|_| is_of(&[], kind, entity)) {
        add(owner, notify.language);
    }
    for one in &notify.to {
        let takes = wants(&one.events, kind) && is_of(&one.entities, kind, entity);
        if takes && !(only_bound && one.entities.is_empty()) {
            add(&one.address, one.language);
        }
    }
}
