//! How apps fare as a whole.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::Leased;
use crate::base::{AppId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::delivery::Error;
use crate::statement;

statement!(
    LeaveAlone: (SqlUuid, SqlUuid, BigInt, Timestamptz) -> () =
    "UPDATE app SET resume_at = greatest(resume_at, $4) WHERE tenant_id = $1 AND id = $2 AND lease_epoch = $3"
);

/// Leaves an app alone until then, without a word on how it fares.
pub(in crate::delivery) async fn leave_alone(
    conn: &mut Conn,
    leased: &Leased,
    until: DateTime<Utc>,
) -> Result<(), Error> {
    LeaveAlone::with((leased.tenant.uuid(), leased.app.uuid(), leased.epoch, until))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    NoteTrouble: (SqlUuid, SqlUuid, Text) -> () =
    "UPDATE app SET trouble = $3 WHERE tenant_id = $1 AND id = $2 AND trouble IS DISTINCT FROM $3"
);

/// Notes what is wrong with an app as a whole. Returns whether that is news.
pub(in crate::delivery) async fn note_trouble(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    trouble: &str,
) -> Result<bool, Error> {
    let noted = NoteTrouble::with((tenant.uuid(), app.uuid(), trouble))
        .execute(conn)
        .await?;
    Ok(noted > 0)
}

statement!(
    SetAppHealth: (SqlUuid, SqlUuid, Integer, Nullable<Text>, Nullable<Timestamptz>) -> () =
    "UPDATE app SET failures = $3, trouble = $4, resume_at = $5 WHERE tenant_id = $1 AND id = $2"
);
statement!(
    Quarantine: (SqlUuid, SqlUuid, Text, Timestamptz) -> () =
    "UPDATE account SET state = 'quarantined', reason = $3, since = $4
     WHERE tenant_id = $1 AND app_id = $2 AND look AND state NOT IN ('quarantined', 'unmatched')
       AND (state = 'pending' OR due_at IS NULL OR due_at <= $4)"
);
statement!(
    EndQuarantine: (SqlUuid, SqlUuid, Timestamptz) -> () =
    "UPDATE account SET state = 'pending', reason = '', since = $3, look = true, due_at = NULL
     WHERE tenant_id = $1 AND app_id = $2 AND state = 'quarantined'"
);

/// Notes how the app fares as a whole: failures in a row, what is wrong, until when it is left alone.
pub(in crate::delivery) async fn set_health(
    conn: &mut Conn,
    leased: &Leased,
    failures: i32,
    trouble: Option<&str>,
    resume_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let (tenant, app) = (leased.tenant.uuid(), leased.app.uuid());
    SetAppHealth::with((tenant, app, failures, trouble, resume_at))
        .execute(conn)
        .await?;
    match trouble {
        Some(trouble) => {
            Quarantine::with((tenant, app, trouble, now))
                .execute(conn)
                .await?
        }
        None if leased.trouble.is_some() => EndQuarantine::with((tenant, app, now)).execute(conn).await?,
        None => 0,
    };
    Ok(())
}
