//! What an app's accounts had done to them in the last 24 hours, by the hour.

use chrono::{DateTime, Duration, Utc};
use diesel::sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::base::{AppId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::delivery::Error;
use crate::delivery::store::uuids;
use crate::guard::CapAction;
use crate::statement;

type At = (TenantId, AppId);

statement!(
    UsesOfApp: (SqlUuid, SqlUuid, Timestamptz) -> (Text, BigInt) =
    "SELECT action, sum(uses)::bigint FROM cap_use WHERE tenant_id = $1 AND owner_id = $2 AND hour > $3 GROUP BY action"
);

/// What was done in the last 24 hours.
pub(super) async fn uses(
    conn: &mut Conn,
    (tenant, app): At,
    now: DateTime<Utc>,
) -> Result<Vec<(CapAction, u64)>, Error> {
    let rows: Vec<(String, i64)> = UsesOfApp::with((tenant.uuid(), app.uuid(), now - Duration::hours(24)))
        .get_results(conn)
        .await?;
    Ok(CapAction::ALL
        .into_iter()
        .map(|action| {
            let uses = rows.iter().find(|(word, _)| word == action.as_str());
            (
                action,
                uses.map_or(0, |(_, uses)| u64::try_from(*uses).unwrap_or_default()),
            )
        })
        .collect())
}

statement!(
    AccountsThere: (SqlUuid, SqlUuid) -> (BigInt,) =
    "SELECT count(*) FROM account WHERE tenant_id = $1 AND app_id = $2 AND remote_id IS NOT NULL AND state <> 'unmatched'"
);

/// Accounts of ours that are in the app.
pub(super) async fn accounts(conn: &mut Conn, (tenant, app): At) -> Result<u64, Error> {
    let (count,): (i64,) = AccountsThere::with((tenant.uuid(), app.uuid()))
        .get_result(conn)
        .await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

statement!(
    CountUses: (SqlUuid, SqlUuid, Timestamptz, Array<Text>) -> () =
    "INSERT INTO cap_use (tenant_id, owner_id, action, hour, uses)
     SELECT $1, $2, a.action, date_trunc('hour', $3), count(*) FROM UNNEST($4::text[]) AS a(action) GROUP BY a.action
     ON CONFLICT (tenant_id, owner_id, action, hour) DO UPDATE SET uses = cap_use.uses + excluded.uses"
);
statement!(
    MarkCounted: (SqlUuid, SqlUuid, Array<SqlUuid>) -> () =
    "UPDATE account SET allowed = true WHERE tenant_id = $1 AND app_id = $2 AND resource_id = ANY($3)"
);

/// Counts effects, each once, however often its call is made.
pub(super) async fn count(
    conn: &mut Conn,
    (tenant, app): At,
    kept: &[(ResourceId, CapAction)],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if kept.is_empty() {
        return Ok(());
    }
    let actions: Vec<&str> = kept.iter().map(|(_, action)| action.as_str()).collect();
    let ids: Vec<ResourceId> = kept.iter().map(|(resource, _)| *resource).collect();
    CountUses::with((tenant.uuid(), app.uuid(), now, actions))
        .execute(conn)
        .await?;
    MarkCounted::with((tenant.uuid(), app.uuid(), uuids(&ids)))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    AllowWaiting: (SqlUuid, SqlUuid, Timestamptz) -> () =
    "UPDATE account SET allowed = true
     WHERE tenant_id = $1 AND app_id = $2 AND look AND NOT allowed AND (due_at IS NULL OR due_at <= $3)"
);

/// Whoever lifts an app's freeze has seen what waits: it is not counted again. What is due later is counted then, and
/// who is found to need nothing is counted from then on.
///
/// # Errors
/// When the store refuses.
pub async fn allow_waiting(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    now: DateTime<Utc>,
) -> Result<(), Error> {
    AllowWaiting::with((tenant.uuid(), app.uuid(), now))
        .execute(conn)
        .await?;
    Ok(())
}
