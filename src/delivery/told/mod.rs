//! What admins are told of apps: values that wait, accounts that belong to nobody, apps that fail, leavers who are still in.

mod store;

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use self::store::Account;
use super::Error;
use super::prepare::Read;
use super::record::Health;
use super::store::{Leased, Row};
use crate::base::{AppId, HoldId, OperationId, ResourceId, TenantId, digest};
use crate::db::{Conn, Db, Transactional as _};
use crate::directory::{Directory, Stored};
use crate::guard::NewHold;
use crate::notice::{self, Entity, EventKind, NewEvent};
use crate::provision::WITHHELD;
use crate::scim::{Object, entity_names};

/// A leaver's account is open for too long after this.
const TOO_LONG: TimeDelta = TimeDelta::hours(1);
/// Leavers told of at once.
const BATCH: i64 = 500;

fn event(kind: EventKind, key: String, app: AppId, detail: Value) -> NewEvent {
    NewEvent {
        kind,
        key,
        connection: None,
        app: Some(app),
        entity: None,
        person: None,
        detail,
    }
}

/// Somebody's name for people.
pub(super) fn name_of(user: &Object) -> Option<&str> {
    user.get("displayName")
        .or_else(|| user.get("name")?.get("formatted"))
        .or_else(|| user.get("userName"))
        .and_then(Value::as_str)
}

/// Tells of values that wait for a decision since now, or wait with other values.
pub(super) async fn held(
    conn: &mut Conn,
    leased: &Leased,
    holds: &[(HoldId, NewHold)],
    users: &HashMap<ResourceId, Stored>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let events: Vec<NewEvent> = holds
        .iter()
        .filter_map(|(id, hold)| {
            let resource = hold.resource?;
            let user = users.get(&resource)?;
            let new = digest(hold.new.clone().unwrap_or_default().to_string().as_bytes());
            let mark: String = new.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            let detail = json!({
                "hold": id, "user": resource, "name": name_of(&user.object), "field": hold.field,
                "old": notice::shown(hold.old.as_ref()), "new": notice::shown(hold.new.as_ref()),
            });
            let key = format!("{}/{id}/{mark}", hold.owner);
            Some(about(user, event(EventKind::ValueHeld, key, leased.app, detail)))
        })
        .collect();
    Ok(notice::raise_all(conn, leased.tenant, &events, now).await?)
}

/// Says, once, that somebody is back and stays disabled in an app, by its policy.
pub(super) fn withheld(app: AppId, row: &Row, read: &Read, reason: &str) -> Option<NewEvent> {
    let is_new = reason == WITHHELD && row.reason != reason;
    let user = read.stored.get(&row.resource).filter(|_| is_new)?;
    let (_, since) = row.cause?;
    let key = format!("{app}/{}/{}", user.id, since.timestamp());
    let detail = json!({ "user": user.id, "name": name_of(&user.object), "reason": reason });
    Some(about(
        user,
        event(EventKind::ReactivationWithheld, key, app, detail),
    ))
}

/// Says that an app is told of a number that its user has yet to verify.
pub(super) fn unverified(app: AppId, row: &Row, read: &Read, fields: &[String]) -> Option<NewEvent> {
    let user = read.stored.get(&row.resource)?;
    let detail = json!({ "user": user.id, "name": name_of(&user.object), "fields": fields });
    let key = format!("{app}/{}", OperationId::new());
    Some(about(user, event(EventKind::PhoneUnverified, key, app, detail)))
}

/// An event about a user.
fn about(user: &Stored, event: NewEvent) -> NewEvent {
    NewEvent {
        entity: Entity::of(&entity_names(&user.object)),
        person: user.person,
        ..event
    }
}

/// Tells that an app began to fail, or refuses our token: once until it works again, and once an hour at most.
pub(super) async fn trouble(
    conn: &mut Conn,
    leased: &Leased,
    (before, after): (&Health, &Health),
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let Some(words) = &after.trouble else {
        return Ok(());
    };
    if before.trouble.is_some() && before.refuses_us() == after.refuses_us() {
        return Ok(());
    }
    let key = format!("{}/{}", leased.app, now.format("%Y-%m-%dT%H"));
    let event = if after.refuses_us() {
        event(
            EventKind::CredentialFailed,
            key,
            leased.app,
            json!({ "message": words }),
        )
    } else {
        event(
            EventKind::AppQuarantined,
            key,
            leased.app,
            json!({ "reason": words }),
        )
    };
    Ok(notice::raise(conn, leased.tenant, &event, now).await?)
}

/// Tells that an app's own settings cannot be used any more: once a day.
pub(super) async fn unusable(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    words: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let key = format!("{app}/{}", now.date_naive());
    let event = event(EventKind::AppQuarantined, key, app, json!({ "reason": words }));
    Ok(notice::raise(conn, tenant, &event, now).await?)
}

/// Tells how many accounts of an app belong to nobody of ours, when the number is another than it was this month.
pub(super) async fn unmatched(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let count = store::count_unmatched(conn, (tenant, app)).await?;
    if count == 0 {
        return Ok(());
    }
    let key = format!("{app}/{count}/{}", now.format("%Y-%m"));
    let event = event(EventKind::AccountsUnmatched, key, app, json!({ "count": count }));
    Ok(notice::raise(conn, tenant, &event, now).await?)
}

/// Tells of leavers whose accounts are still open an hour after they left, and of accounts that cannot be made since others
/// are in the way; each once.
///
/// # Errors
/// When the store refuses.
pub async fn tell_of_accounts(db: &Db, directory: &Directory, now: DateTime<Utc>) -> Result<(), Error> {
    let mut conn = db.conn().await?;
    let late = store::late_leavers(&mut conn, now - TOO_LONG, BATCH).await?;
    let stuck = store::doubtful(&mut conn, BATCH).await?;
    let both = late.into_iter().map(|one| (EventKind::LeaverNotDisabled, one));
    let both = both.chain(stuck.into_iter().map(|one| (EventKind::UserNameTaken, one)));
    let mut tenants: HashMap<TenantId, Vec<(EventKind, Account)>> = HashMap::new();
    for (kind, one) in both {
        tenants.entry(one.tenant).or_default().push((kind, one));
    }
    for (tenant, accounts) in tenants {
        let users: Vec<ResourceId> = accounts.iter().map(|(_, one)| one.user).collect();
        let users = directory.load(&mut conn, tenant, &users).await?;
        let events: Vec<NewEvent> = accounts
            .into_iter()
            .map(|(kind, one)| of_account(kind, &one, users.get(&one.user)))
            .collect();
        conn.transaction(async |conn| notice::raise_all(conn, tenant, &events, now).await)
            .await?;
    }
    Ok(())
}

fn of_account(kind: EventKind, one: &Account, user: Option<&Stored>) -> NewEvent {
    let detail = json!({
        "user": one.user, "since": one.since.format("%Y-%m-%d %H:%M UTC").to_string(), "state": one.state,
        "reason": one.reason, "name": user.and_then(|user| name_of(&user.object)),
        "user_name": user.and_then(|user| user.object.get("userName")),
    });
    let key = format!("{}/{}/{}", one.app, one.user, one.since.timestamp());
    let event = event(kind, key, one.app, detail);
    match user {
        Some(user) => about(user, event),
        None => event,
    }
}
