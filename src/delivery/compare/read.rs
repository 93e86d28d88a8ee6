//! Reads the app and notes what differs, page by page; goes on where an earlier one stopped.

use std::collections::HashMap;
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::members::{self, Differing};
use super::order::schedule;
use super::store::{self, Found, Kind, UnderWay};
use super::{CompareId, repair};
use crate::base::{AppId, Clock, PersonId, ResourceId, TenantId};
use crate::db::{Conn, Db, Transactional as _};
use crate::delivery::client::{Client, endpoint, read};
use crate::delivery::contact::{Pages, forget_unseen, put_unmatched};
use crate::delivery::prepare::Plan;
use crate::delivery::store::{Leased, Row, renew};
use crate::delivery::{Error, LEASE_TIME};
use crate::directory::Stored;
use crate::net::Method;
use crate::provision::{
    Deed, Desired, Employments, Remote, Sense, Standing, UserView, employments, ours_of, sense,
};
use crate::scim::Object;
use crate::scim::diff::diff;

/// Accounts asked for one by one, between two writes.
const ASKED: i64 = 50;

/// How a compare ended.
#[derive(Debug)]
pub(in crate::delivery) enum Compared {
    /// To the end, or for good.
    Done,
    /// The app answered so that the rest has to wait.
    Stopped(Sense, String),
}

/// What a compare needs.
#[derive(Debug, Clone, Copy)]
struct Desk<'a> {
    db: &'a Db,
    clock: &'a Clock,
    leased: &'a Leased,
    client: &'a Client,
    plan: Plan<'a>,
    compare: CompareId,
    began: DateTime<Utc>,
}

/// Compares an app that is leased. Reads only; what is to be repaired becomes a plan.
#[tracing::instrument(name = "delivery.app.compare", skip_all, fields(app.id = %leased.app))]
pub(in crate::delivery) async fn compare(
    db: &Db,
    clock: &Clock,
    leased: &Leased,
    client: &Client,
    plan: Plan<'_>,
) -> Result<Compared, Error> {
    let at = (leased.tenant, leased.app);
    let under_way: UnderWay = {
        let mut conn = db.conn().await?;
        let now = clock.now();
        conn.transaction::<_, Error, _>(async |conn| {
            renew(conn, leased, LEASE_TIME).await?;
            store::begin(conn, at, "schedule", now).await
        })
        .await?
    };
    let desk = Desk {
        db,
        clock,
        leased,
        client,
        plan,
        compare: under_way.id,
        began: under_way.began_at,
    };
    match desk.run(&under_way.progress).await {
        Ok(()) => desk.finish().await.map(|()| Compared::Done),
        Err(Stop::Store(error)) => Err(error),
        Err(Stop::App(sense @ (Sense::Refused | Sense::Gone | Sense::Taken), words)) => {
            desk.fail(&words).await?;
            tracing::warn!(app.id = %leased.app, ?sense, "an app cannot be compared");
            Ok(Compared::Done)
        }
        Err(Stop::App(sense, words)) => Ok(Compared::Stopped(sense, words)),
    }
}

/// A resource as it was read, and the members it showed.
struct Seen {
    remote: String,
    object: Object,
    members: Option<Vec<String>>,
}

impl Found {
    fn with_members(mut self, apart: Differing) -> Self {
        if let Some(differences) = self.differences.as_array_mut() {
            differences.push(apart.difference);
        }
        self.is_never_repaired &= apart.is_never_repaired;
        self
    }
}

/// Why reading stopped.
enum Stop {
    Store(Error),
    App(Sense, String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<crate::db::Error> for Stop {
    fn from(error: crate::db::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Desk<'_> {
    const fn at(&self) -> (TenantId, AppId) {
        (self.leased.tenant, self.leased.app)
    }

    async fn run(&self, progress: &Value) -> Result<(), Stop> {
        let kinds: &[&str] = if self.plan.rules.settings().groups.push {
            &["User", "Group"]
        } else {
            &["User"]
        };
        let reached = progress.get("kind").and_then(Value::as_str);
        let skipped = reached.map_or(0, |reached| {
            kinds
                .iter()
                .position(|kind| *kind == reached)
                .unwrap_or(kinds.len())
        });
        for (place, kind) in kinds.iter().enumerate().skip(skipped) {
            let mut pages = match reached {
                Some(reached) if reached == *kind => Pages::resume(kind, progress),
                _ => Pages::new(kind),
            };
            loop {
                let mut page = match pages.next(self.client).await {
                    Ok(Some(page)) => page,
                    Ok(None) => break,
                    Err(None) => return Err(Stop::App(Sense::Later, String::new())),
                    Err(Some(ended)) => {
                        return Err(Stop::App(sense(Deed::Change, ended.ending), ended.words));
                    }
                };
                if *kind == "Group" {
                    self.ask_for_members(&mut page).await?;
                }
                self.keep(kind, page, &pages.progress()).await?;
            }
            let next = kinds.get(place.saturating_add(1)).copied().unwrap_or("none");
            self.note(&json!({ "kind": next })).await?;
        }
        self.look_for_vanished().await
    }

    /// Groups may be listed without their members.
    async fn ask_for_members(&self, page: &mut [Object]) -> Result<(), Stop> {
        let (expected, shows) = {
            let mut conn = self.db.conn().await?;
            members::expected(&mut conn, self.at(), page).await?
        };
        match members::ask(self.client, page, (&expected, shows)).await {
            Ok(()) => Ok(()),
            Err(None) => Err(Stop::App(Sense::Later, String::new())),
            Err(Some(ended)) => Err(Stop::App(sense(Deed::Change, ended.ending), ended.words)),
        }
    }

    async fn note(&self, progress: &Value) -> Result<(), Error> {
        let mut conn = self.db.conn().await?;
        store::set_progress(&mut conn, self.at(), self.compare, progress).await
    }

    /// Keeps a page: who was seen, who is unknown, what differs.
    async fn keep(&self, kind: &str, page: Vec<Object>, progress: &Value) -> Result<(), Error> {
        let mut rows: Vec<Seen> = Vec::with_capacity(page.len());
        for resource in page {
            let members = if kind == "Group" {
                members::shown(&resource)
            } else {
                None
            };
            if let Some(remote) = Remote::of(&resource)
                && let Some(object) = read(Value::Object(resource))
            {
                rows.push(Seen {
                    remote: remote.id,
                    object,
                    members,
                });
            }
        }
        let until = Instant::now() + LEASE_TIME;
        let now = self.clock.now();
        let mut conn = self.db.conn().await?;
        conn.transaction::<_, Error, _>(async |conn| {
            renew(conn, self.leased, LEASE_TIME).await?;
            let seen: Vec<(String, Value)> = rows
                .iter()
                .map(|seen| (seen.remote.clone(), Value::Object(seen.object.clone())))
                .collect();
            put_unmatched(conn, self.at(), kind, &seen, now).await?;
            self.differences(conn, kind, rows, now).await?;
            store::set_progress(conn, self.at(), self.compare, progress).await
        })
        .await?;
        self.client.lengthen(until);
        Ok(())
    }

    /// Writes down which of these accounts the app holds otherwise than it is known to.
    async fn differences(
        &self,
        conn: &mut Conn,
        kind: &str,
        read: Vec<Seen>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let remotes: Vec<&str> = read.iter().map(|seen| seen.remote.as_str()).collect();
        let accounts = store::linked(conn, self.at(), kind, &remotes).await?;
        let unread: Vec<ResourceId> = accounts
            .values()
            .filter(|row| row.is_read)
            .map(|row| row.resource)
            .collect();
        let stored = if unread.is_empty() {
            HashMap::new()
        } else {
            self.plan.directory.load(conn, self.at().0, &unread).await?
        };
        let people: Vec<PersonId> = stored.values().filter_map(|stored| stored.person).collect();
        let employments = employments(conn, self.at().0, &people).await?;
        let mut found = Vec::new();
        for seen in read {
            let Some(row) = accounts.get(&seen.remote) else {
                continue;
            };
            let guide = match stored.get(&row.resource) {
                Some(stored) if row.is_read => self.wanted(kind, stored, &employments),
                _ => row.known.clone(),
            };
            let mut one = self.difference(kind, row, guide.as_ref(), &seen.object, now);
            if let Some(shown) = &seen.members {
                let group = (row.resource, row.adopted);
                let apart = members::differing(conn, self.at(), self.compare, group, shown).await?;
                if let Some(apart) = apart {
                    let alike = || Self::alike(row, guide.as_ref(), &seen.object, now);
                    one = Some(one.unwrap_or_else(alike).with_members(apart));
                }
            }
            found.extend(one);
        }
        store::put(conn, self.at(), self.compare, &found).await
    }

    /// What we would write into an account that we only read so far: the measure of what of it is ours.
    fn wanted(&self, kind: &str, stored: &Stored, employments: &Employments) -> Option<Object> {
        let (id, object) = (stored.id, &stored.object);
        let desired = if kind == "Group" {
            self.plan.rules.group(id, object)
        } else {
            self.plan.rules.user(UserView {
                id,
                object,
                manager: None,
                manager_remote: None,
                reports: None,
                standing: Standing::of(employments, stored.person, &stored.disabled_by),
            })
        };
        match desired {
            Desired::Wanted(wanted) => Some(wanted),
            _ => None,
        }
    }

    /// An account of which nothing differs yet.
    fn alike(row: &Row, guide: Option<&Object>, read: &Object, now: DateTime<Utc>) -> Found {
        let guide = guide.or(row.known.as_ref()).filter(|_| !row.is_read);
        let holds = guide.map_or_else(|| read.clone(), |guide| ours_of(read, guide, None));
        Found {
            resource: row.resource,
            kind: Kind::Changed,
            remote: row.remote_id.clone().unwrap_or_default(),
            differences: json!([]),
            read: Some(Value::Object(holds)),
            is_never_repaired: true,
            at: now,
        }
    }

    fn difference(
        &self,
        kind: &str,
        row: &Row,
        guide: Option<&Object>,
        read: &Object,
        now: DateTime<Utc>,
    ) -> Option<Found> {
        let known = row.known.as_ref()?;
        let guide = guide.unwrap_or(known);
        let (expected, mut holds) = (ours_of(known, guide, None), ours_of(read, guide, None));
        let deltas = diff(self.plan.registry.kind(kind)?, &expected, &holds);
        let changed_id = expected.get("externalId") != holds.get("externalId");
        if deltas.is_empty() && !changed_id {
            return None;
        }
        let mut differences: Vec<Value> = deltas
            .iter()
            .map(|delta| json!({ "path": delta.path, "expected": delta.before, "found": delta.after }))
            .collect();
        if changed_id {
            differences.push(json!({
                "path": "externalId", "expected": expected.get("externalId"), "found": holds.get("externalId"),
            }));
        }
        // Whom somebody disabled by hand stays disabled: a compare never enables.
        let was_disabled = holds.get("active") == Some(&Value::Bool(false))
            && expected.get("active") != Some(&Value::Bool(false));
        let is_only_that = was_disabled && differences.len() == 1;
        if was_disabled {
            match expected.get("active") {
                Some(active) => holds.insert("active".to_owned(), active.clone()),
                None => holds.remove("active"),
            };
        }
        let holds = if row.is_read {
            let mut whole = read.clone();
            if let (true, Some(active)) = (was_disabled, holds.get("active")) {
                whole.insert("active".to_owned(), active.clone());
            }
            whole
        } else {
            holds
        };
        Some(Found {
            resource: row.resource,
            kind: Kind::Changed,
            remote: row.remote_id.clone().unwrap_or_default(),
            differences: Value::Array(differences),
            read: Some(Value::Object(holds)),
            is_never_repaired: is_only_that,
            at: now,
        })
    }

    /// Asks for each account that the lists did not show, by its id.
    async fn look_for_vanished(&self) -> Result<(), Stop> {
        let mut after = uuid::Uuid::nil();
        loop {
            let missing = {
                let mut conn = self.db.conn().await?;
                store::unseen(&mut conn, self.at(), self.began, after, ASKED).await?
            };
            let Some((last, ..)) = missing.last() else {
                return Ok(());
            };
            after = last.uuid();
            for (resource, kind, remote) in missing {
                let path = [endpoint(&kind), remote.as_str()];
                let Some(ended) = self.client.call(Method::GET, &path, &[], None).await else {
                    return Err(Stop::App(Sense::Later, String::new()));
                };
                match sense(Deed::Change, ended.ending) {
                    Sense::Done => {
                        if let Some(Value::Object(object)) = ended.json() {
                            self.keep(&kind, vec![object], &json!({ "kind": "none" })).await?;
                        }
                    }
                    Sense::Gone => self.vanished(resource, remote).await?,
                    other => return Err(Stop::App(other, ended.words)),
                }
            }
        }
    }

    async fn vanished(&self, resource: ResourceId, remote: String) -> Result<(), Error> {
        let now = self.clock.now();
        let until = Instant::now() + LEASE_TIME;
        let found = Found {
            resource,
            kind: Kind::Vanished,
            remote,
            differences: json!([]),
            read: None,
            is_never_repaired: false,
            at: now,
        };
        let mut conn = self.db.conn().await?;
        conn.transaction::<_, Error, _>(async |conn| {
            renew(conn, self.leased, LEASE_TIME).await?;
            store::put(conn, self.at(), self.compare, &[found]).await
        })
        .await?;
        self.client.lengthen(until);
        Ok(())
    }

    /// Ends the compare: unknown accounts are noted, and what is to be repaired becomes a plan.
    async fn finish(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let mut conn = self.db.conn().await?;
        conn.transaction::<_, Error, _>(async |conn| {
            renew(conn, self.leased, LEASE_TIME).await?;
            forget_unseen(conn, self.at(), self.began).await?;
            store::put_unknown(conn, self.at(), self.compare, self.began, now).await?;
            let counts = store::counts(conn, self.at(), self.compare).await?;
            let plan = repair::propose(conn, self.plan, self.compare, &counts, now).await?;
            store::end(
                conn,
                self.at(),
                self.compare,
                "done",
                &json!(counts),
                plan,
                "",
                now,
            )
            .await?;
            schedule(conn, self.at(), self.plan.rules.settings(), now).await?;
            repair::tell(conn, self.at(), self.compare, &counts, now).await
        })
        .await
    }

    async fn fail(&self, words: &str) -> Result<(), Error> {
        let now = self.clock.now();
        let mut conn = self.db.conn().await?;
        conn.transaction::<_, Error, _>(async |conn| {
            renew(conn, self.leased, LEASE_TIME).await?;
            store::end(
                conn,
                self.at(),
                self.compare,
                "failed",
                &json!({}),
                None,
                words,
                now,
            )
            .await?;
            schedule(conn, self.at(), self.plan.rules.settings(), now).await
        })
        .await
    }
}
