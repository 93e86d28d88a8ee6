//! What admins are told of apps: values that wait, accounts that belong to nobody, apps that fail, leavers who are still in.

mod store;

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::Error;
use super::record::Health;
use super::store::Leased;
use crate::base::{AppId, ResourceId, TenantId, digest};
use crate::db::{Conn, Db, Transactional as _};
use crate::directory::Stored;
use crate::guard::NewHold;
use crate::notice::{self, EventKind, NewEvent};
use crate::scim::{HR, Object};

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

/// Tells of values that wait for a decision, each once: the same value asked for again is no news.
pub(super) async fn held(
    conn: &mut Conn,
    leased: &Leased,
    holds: &[NewHold],
    users: &HashMap<ResourceId, Stored>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let events: Vec<NewEvent> = holds
        .iter()
        .filter_map(|hold| {
            let resource = hold.resource?;
            let user = users.get(&resource)?;
            let new = digest(hold.new.clone().unwrap_or_default().to_string().as_bytes());
            let mark: String = new.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            let entity = user.object.get(HR).and_then(|facts| facts.pointer("/entity/id"));
            let detail = json!({
                "user": resource, "name": name_of(&user.object), "field": hold.field, "old": notice::shown(hold.old.as_ref()),
                "new": notice::shown(hold.new.as_ref()),
            });
            Some(NewEvent {
                entity: entity.and_then(Value::as_str).map(str::to_owned),
                person: user.person,
                ..event(
                    EventKind::ValueHeld,
                    format!("{}/{resource}/{}/{mark}", hold.owner, hold.field),
                    leased.app,
                    detail,
                )
            })
        })
        .collect();
    Ok(notice::raise_all(conn, leased.tenant, &events, now).await?)
}

/// Tells that an app began to fail, or refuses our token: once a day.
pub(super) async fn trouble(
    conn: &mut Conn,
    leased: &Leased,
    (before, after): (&Health, &Health),
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let (None, Some(words)) = (&before.trouble, &after.trouble) else {
        return Ok(());
    };
    let key = format!("{}/{}", leased.app, now.date_naive());
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

/// Tells of leavers whose accounts are still open an hour after they left, each once.
///
/// # Errors
/// When the store refuses.
pub async fn tell_late_leavers(db: &Db, now: DateTime<Utc>) -> Result<(), Error> {
    let mut conn = db.conn().await?;
    let late = store::late_leavers(&mut conn, now - TOO_LONG, BATCH).await?;
    for (tenant, app, user, since, state, reason) in late {
        let detail = json!({
            "user": user, "since": since.format("%Y-%m-%d %H:%M UTC").to_string(), "state": state, "reason": reason,
        });
        let key = format!("{app}/{user}/{}", since.timestamp());
        let event = event(EventKind::LeaverNotDisabled, key, app, detail);
        conn.transaction(async |conn| notice::raise(conn, tenant, &event, now).await)
            .await?;
    }
    Ok(())
}
