//! Welcomes that wait for a first day: in `event` with the instant in `detail.waits`, and not told while it stands there.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use super::super::{Error, NewEvent};
use crate::base::{AppId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::statement;

/// Lets an event wait.
pub(super) fn waits(event: &mut NewEvent, at: DateTime<Utc>) {
    if let Some(detail) = event.detail.as_object_mut() {
        detail.insert("waits".to_owned(), at.to_rfc3339().into());
    }
}

/// A welcome that waits for somebody's first day.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The tenant.
    pub tenant: TenantId,
    /// The event.
    pub event: Uuid,
    /// The app in which the account is.
    pub app: AppId,
    /// The user.
    pub user: ResourceId,
    /// When the account was created.
    pub since: DateTime<Utc>,
}

/// What becomes of a welcome that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Welcome {
    /// It is sent.
    Now,
    /// It is looked at again then.
    Later(DateTime<Utc>),
    /// For the reason it is not sent as things are; it is looked at again then.
    NotNow(DateTime<Utc>, String),
    /// For the reason it is never sent by itself.
    Never(String),
}

statement!(
    WaitingWelcomes: (Timestamptz, BigInt) -> (SqlUuid, SqlUuid, Nullable<SqlUuid>, Text, Timestamptz) =
    "SELECT tenant_id, id, app_id, coalesce(detail ->> 'user', ''), at FROM event
     WHERE routed_at IS NULL AND ready_at <= $1 AND kind = 'welcome' AND detail -> 'waits' IS NOT NULL
     ORDER BY ready_at LIMIT $2"
);

/// Up to `limit` welcomes that wait and are to be looked at, of all tenants.
///
/// # Errors
/// When the store refuses.
pub async fn waiting_welcomes(
    conn: &mut Conn,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Waiting>, Error> {
    type Row = (Uuid, Uuid, Option<Uuid>, String, DateTime<Utc>);
    let rows: Vec<Row> = WaitingWelcomes::with((now, limit)).load(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(tenant, event, app, user, since)| Waiting {
            tenant: tenant.into(),
            event,
            app: app.unwrap_or_default().into(),
            user: Uuid::try_parse(&user).unwrap_or_default().into(),
            since,
        })
        .collect())
}

statement!(
    MoveWelcomes: (Array<SqlUuid>, Array<SqlUuid>, Array<Nullable<Timestamptz>>, Timestamptz) -> () =
    "UPDATE event e SET ready_at = coalesce(w.later, $4),
            detail = CASE WHEN w.later IS NULL THEN e.detail - 'waits' ELSE e.detail END
     FROM UNNEST($1::uuid[], $2::uuid[], $3::timestamptz[]) AS w(tenant_id, id, later)
     WHERE e.tenant_id = w.tenant_id AND e.id = w.id AND e.routed_at IS NULL"
);
statement!(
    MarkInvitations: (Array<SqlUuid>, Array<SqlUuid>, Array<Nullable<Text>>) -> () =
    "UPDATE invitation i SET state = CASE WHEN w.withheld IS NULL THEN 'invited' ELSE 'pending' END,
            reason = coalesce(w.withheld, 'the first day has come')
     FROM UNNEST($1::uuid[], $2::uuid[], $3::text[]) AS w(tenant_id, event_id, withheld)
     WHERE i.tenant_id = w.tenant_id AND i.event_id = w.event_id AND (i.state = 'pending') = (w.withheld IS NULL)"
);
statement!(
    DropWelcomes: (Array<SqlUuid>, Array<SqlUuid>) -> () =
    "DELETE FROM event e USING UNNEST($1::uuid[], $2::uuid[]) AS w(tenant_id, id)
     WHERE e.tenant_id = w.tenant_id AND e.id = w.id AND e.routed_at IS NULL"
);

statement!(
    WithdrawWelcomes: (SqlUuid, SqlUuid, Array<SqlUuid>, Timestamptz) -> () =
    "WITH gone AS (
       UPDATE message m SET state = 'withdrawn', detail = 'the account was closed', finished_at = $4
       FROM invitation i
       WHERE i.tenant_id = $1 AND i.app_id = $2 AND i.resource_id = ANY($3)
         AND m.tenant_id = $1 AND m.event_id = i.event_id AND m.state IN ('waiting', 'unsent')
       RETURNING i.resource_id)
     UPDATE invitation i SET state = 'pending', reason = 'withdrawn: the account was closed before the mail could be sent'
     FROM gone WHERE i.tenant_id = $1 AND i.app_id = $2 AND i.resource_id = gone.resource_id"
);

/// Takes back, in the caller's transaction, the welcomes of these users into an app that wait to be sent.
///
/// # Errors
/// When the store refuses.
pub async fn withdraw_welcomes(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    users: &[ResourceId],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if users.is_empty() {
        return Ok(());
    }
    let users: Vec<Uuid> = users.iter().map(|user| user.uuid()).collect();
    WithdrawWelcomes::with((tenant.uuid(), app.uuid(), users, now))
        .execute(conn)
        .await?;
    Ok(())
}

/// Does with welcomes that waited what was said, in the caller's transaction.
///
/// # Errors
/// When the store refuses.
pub async fn settle_welcomes(
    conn: &mut Conn,
    settled: &[(Waiting, Welcome)],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let (mut moved, mut marked, mut dropped) = (Vec::new(), Vec::new(), Vec::new());
    for (one, welcome) in settled {
        let id = (one.tenant.uuid(), one.event);
        match welcome {
            Welcome::Now => {
                moved.push((id, None));
                marked.push((id, None));
            }
            Welcome::Later(at) => moved.push((id, Some(*at))),
            Welcome::NotNow(at, why) => {
                moved.push((id, Some(*at)));
                marked.push((id, Some(why.as_str())));
            }
            Welcome::Never(why) => {
                marked.push((id, Some(why.as_str())));
                dropped.push(id);
            }
        }
    }
    if !marked.is_empty() {
        let (ids, reasons): (Vec<(Uuid, Uuid)>, Vec<Option<&str>>) = marked.into_iter().unzip();
        let (tenants, events): (Vec<Uuid>, Vec<Uuid>) = ids.into_iter().unzip();
        MarkInvitations::with((tenants, events, reasons))
            .execute(conn)
            .await?;
    }
    if !moved.is_empty() {
        let (ids, later): (Vec<(Uuid, Uuid)>, Vec<_>) = moved.into_iter().unzip();
        let (tenants, events): (Vec<Uuid>, Vec<Uuid>) = ids.into_iter().unzip();
        MoveWelcomes::with((tenants, events, later, now))
            .execute(conn)
            .await?;
    }
    if !dropped.is_empty() {
        let (tenants, events): (Vec<Uuid>, Vec<Uuid>) = dropped.into_iter().unzip();
        DropWelcomes::with((tenants, events)).execute(conn).await?;
    }
    Ok(())
}
