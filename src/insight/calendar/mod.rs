//! What the days to come bring, if nothing else happens: who will be created, changed, disabled and removed, when, and
//! by which rule; in the directory by the connections' policies, in each app by its own and by its steps.
//!
//! One page is held in memory, whatever the population: people and accounts are walked through by their next instant,
//! a batch at a time, and the walk ends as soon as no later one can come before the end of the page.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::Error;
use crate::base::{PersonId, ResourceId, TenantId};
use crate::delivery::{AppInForce, Timeline, accounts_to_come, calls_to_come};
use crate::directory::{Directory, Stored};
use crate::guard::Action;
use crate::provision::{self, Mode};
use crate::sync::{Connection, ConnectionState, Engine, Foreseen};

/// How many people or accounts are looked at together.
const BATCH: i64 = 500;
/// How many connections are listed at a time.
const PAGE: i64 = 100;

/// Which days, and whose.
#[derive(Debug, Clone)]
pub struct Window {
    /// From this instant; the past is not foreseen.
    pub from: DateTime<Utc>,
    /// To this one.
    pub to: DateTime<Utc>,
    /// Only what this app will be sent.
    pub app: Option<String>,
    /// Only people of this connection.
    pub connection: Option<String>,
    /// The place of the last entry of the page before.
    pub after: Option<(DateTime<Utc>, String)>,
    /// How many entries.
    pub limit: usize,
}

/// Something that will happen.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub action: Action,
    /// To whom.
    pub person: Option<PersonId>,
    /// The user, when it is there now.
    pub user: Option<ResourceId>,
    /// Its userName.
    pub user_name: Option<String>,
    /// The app that is sent it; none: in the directory.
    pub app: Option<String>,
    /// The connection whose policy it is; none for apps.
    pub connection: Option<String>,
    /// By which rule.
    pub rule: String,
    /// Its place among those of the same instant.
    pub place: String,
}

/// The first entries after a place, in order, and no more of them than fit.
struct Kept {
    window: Window,
    entries: BTreeMap<(DateTime<Utc>, String), Entry>,
}

impl Kept {
    fn add(&mut self, entry: Entry) {
        let place = (entry.at, entry.place.clone());
        let is_before = self.window.after.as_ref().is_some_and(|after| place <= *after);
        if is_before || entry.at < self.window.from || entry.at > self.window.to {
            return;
        }
        self.entries.insert(place, entry);
        if self.entries.len() > self.window.limit {
            self.entries.pop_last();
        }
    }

    /// Whether nothing from this instant on can come into the page.
    fn is_full_before(&self, at: DateTime<Utc>) -> bool {
        self.entries.len() >= self.window.limit
            && self
                .entries
                .last_key_value()
                .is_some_and(|((last, _), _)| *last < at)
    }
}

/// What is needed to look ahead.
#[derive(Debug, Clone, Copy)]
pub struct Ahead<'a> {
    /// Users.
    pub directory: &'a Directory,
    /// Connections.
    pub sync: &'a Engine,
    /// The pool.
    pub db: &'a crate::db::Db,
}

/// A page of what the days to come bring, in order.
///
/// # Errors
/// When settings in force cannot be used, or the store refuses.
#[tracing::instrument(name = "insight.calendar.foresee", skip_all)]
pub async fn calendar(
    ahead: Ahead<'_>,
    tenant: TenantId,
    window: Window,
    now: DateTime<Utc>,
) -> Result<Vec<Entry>, Error> {
    let connections = connections(ahead, tenant, window.connection.as_deref()).await?;
    let apps = apps(ahead, tenant, window.app.as_deref()).await?;
    let (to, only_one) = (window.to, window.connection.is_some());
    let with_directory = window.app.is_none();
    let mut kept = Kept {
        window,
        entries: BTreeMap::new(),
    };
    for connection in &connections {
        let mut after = None;
        loop {
            let (people, last) = ahead
                .sync
                .foresee(tenant, connection.id, after, to, BATCH)
                .await?;
            let Some(last) = last else { break };
            after = Some(last);
            if with_directory {
                for entry in people.iter().flat_map(|one| in_directory(one, connection)) {
                    kept.add(entry);
                }
            }
            for app in &apps {
                calls(
                    ahead,
                    tenant,
                    app,
                    people.iter().map(timeline).collect(),
                    &people,
                    (now, to),
                    &mut kept,
                )
                .await?;
            }
            if kept.is_full_before(last.0) {
                break;
            }
        }
    }
    for app in &apps {
        steps(ahead, tenant, app, (&connections, only_one), (now, to), &mut kept).await?;
    }
    Ok(kept.entries.into_values().collect())
}

async fn connections(
    ahead: Ahead<'_>,
    tenant: TenantId,
    only: Option<&str>,
) -> Result<Vec<Connection>, Error> {
    if let Some(name) = only {
        return Ok(vec![ahead.sync.connection(tenant, name).await?]);
    }
    let (mut found, mut last) = (Vec::new(), String::new());
    loop {
        let page = ahead.sync.connections(tenant, &last, PAGE).await?;
        let Some(end) = page.last() else { break };
        last.clone_from(&end.name);
        found.extend(page);
    }
    found.retain(|connection| connection.state == ConnectionState::Published);
    Ok(found)
}

async fn apps(ahead: Ahead<'_>, tenant: TenantId, only: Option<&str>) -> Result<Vec<AppInForce>, Error> {
    let mut conn = ahead.db.conn().await?;
    let mut listed = Vec::new();
    match only {
        Some(name) => listed.push(provision::app(&mut conn, tenant, name).await?),
        None => {
            let mut last = String::new();
            loop {
                let page = provision::apps(&mut conn, tenant, &last, 100).await?;
                let Some(end) = page.last() else { break };
                last.clone_from(&end.name);
                listed.extend(page);
            }
        }
    }
    let mut found = Vec::new();
    for app in listed.into_iter().filter(|app| app.mode == Mode::Live) {
        found.extend(AppInForce::live(&mut conn, ahead.directory, tenant, &app).await?);
    }
    Ok(found)
}

fn name_of(user: Option<&Stored>) -> Option<String> {
    Some(user?.object.get("userName")?.as_str()?.to_owned())
}

fn in_directory<'p>(one: &'p Foreseen, connection: &'p Connection) -> impl Iterator<Item = Entry> + 'p {
    one.days.iter().map(move |day| Entry {
        at: day.at,
        action: day.action,
        person: Some(one.person),
        user: Some(one.user).filter(|_| one.is_there),
        user_name: name_of(day.after.as_ref().or(one.now.as_ref())),
        app: None,
        connection: Some(connection.name.clone()),
        rule: day.rule.clone(),
        place: format!("{}/{}", connection.name, one.person),
    })
}

fn timeline(one: &Foreseen) -> Timeline {
    Timeline {
        user: one.user,
        now: one.now.clone(),
        changes: one.days.iter().map(|day| (day.at, day.after.clone())).collect(),
    }
}

async fn calls(
    ahead: Ahead<'_>,
    tenant: TenantId,
    app: &AppInForce,
    timelines: Vec<Timeline>,
    people: &[Foreseen],
    (now, to): (DateTime<Utc>, DateTime<Utc>),
    kept: &mut Kept,
) -> Result<(), Error> {
    let names: BTreeMap<ResourceId, Option<String>> = timelines
        .iter()
        .map(|one| {
            let later = one.changes.iter().find_map(|(_, user)| user.as_ref());
            (one.user, name_of(one.now.as_ref().or(later)))
        })
        .collect();
    let mut conn = ahead.db.conn().await?;
    let found = calls_to_come(&mut conn, ahead.directory, tenant, app, timelines, (now, to)).await?;
    for (number, call) in found.into_iter().enumerate() {
        let of = people.iter().find(|one| one.user == call.user);
        let subject = of.map_or_else(|| call.user.to_string(), |one| one.person.to_string());
        kept.add(Entry {
            at: call.at,
            action: call.action,
            person: of.map(|one| one.person),
            user: Some(call.user).filter(|_| of.is_none_or(|one| one.is_there)),
            user_name: names.get(&call.user).cloned().flatten(),
            app: Some(app.name().to_owned()),
            connection: None,
            rule: call.rule,
            // Calls of one account at one instant stand in the order in which they are made.
            place: format!("~{}/{subject}/{number:06}", app.name()),
        });
    }
    Ok(())
}

/// What an app does by itself about people whom no connection will look at: steps whose waiting time passes.
async fn steps(
    ahead: Ahead<'_>,
    tenant: TenantId,
    app: &AppInForce,
    (connections, only_one): (&[Connection], bool),
    (now, to): (DateTime<Utc>, DateTime<Utc>),
    kept: &mut Kept,
) -> Result<(), Error> {
    let mut after = None;
    let only: Vec<_> = connections
        .iter()
        .map(|connection| connection.id)
        .filter(|_| only_one)
        .collect();
    loop {
        let mut conn = ahead.db.conn().await?;
        let due = accounts_to_come(&mut conn, tenant, app, after, to, BATCH).await?;
        let Some((user, at, ..)) = due.last() else {
            return Ok(());
        };
        after = Some((*at, *user));
        let (at, mut users) = (*at, Vec::new());
        let people: Vec<PersonId> = due.iter().filter_map(|(_, _, person, _)| *person).collect();
        let of_those = match only.first() {
            Some(connection) => super::store::those_of(&mut conn, tenant, *connection, &people).await?,
            None => people,
        };
        for (user, _, person, next) in due {
            let is_foreseen = next.is_some_and(|next| next <= to);
            let is_meant = !only_one || person.is_some_and(|person| of_those.contains(&person));
            if !is_foreseen && is_meant {
                users.push(user);
            }
        }
        let mut stored = ahead.directory.load(&mut conn, tenant, &users).await?;
        drop(conn);
        let timelines = users
            .into_iter()
            .map(|user| Timeline {
                user,
                now: stored.remove(&user),
                changes: Vec::new(),
            })
            .collect();
        calls(ahead, tenant, app, timelines, &[], (now, to), kept).await?;
        if kept.is_full_before(at) {
            return Ok(());
        }
    }
}
