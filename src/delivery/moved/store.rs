//! Links of an app, counted and dropped.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::base::{AppId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::delivery::Error;
use crate::statement;

type At = (TenantId, AppId);

statement!(
    CountLinked: (SqlUuid, SqlUuid) -> (BigInt,) =
    "SELECT count(*) FROM account
     WHERE tenant_id = $1 AND app_id = $2 AND remote_id IS NOT NULL AND state <> 'unmatched'"
);

/// How many of ours have an account in the app.
pub(super) async fn linked(conn: &mut Conn, (tenant, app): At) -> Result<i64, Error> {
    let (count,): (i64,) = CountLinked::with((tenant.uuid(), app.uuid()))
        .get_result(conn)
        .await?;
    Ok(count)
}

statement!(
    EndCalls: (SqlUuid, SqlUuid, Timestamptz) -> () =
    "UPDATE operation SET state = 'refused', finished_at = $3
     WHERE tenant_id = $1 AND app_id = $2 AND state IN ('pending', 'unknown')"
);
statement!(
    ForgetMembers: (SqlUuid, SqlUuid) -> () =
    "DELETE FROM account_member WHERE tenant_id = $1 AND app_id = $2"
);
statement!(
    ForgetStrangers: (SqlUuid, SqlUuid) -> () =
    "DELETE FROM account WHERE tenant_id = $1 AND app_id = $2 AND state = 'unmatched'"
);
statement!(
    DropLinks: (SqlUuid, SqlUuid, Timestamptz) -> () =
    "UPDATE account SET remote_id = NULL, known = NULL, adopted = false, state = 'pending', reason = '', since = $3,
            acknowledged_at = NULL, verified_at = NULL, cause = NULL, cause_since = NULL, steps_done = 0, grouped = true,
            no_grants = false, doubtful = false, severed = false, candidates = NULL, answers = NULL, removing = NULL, told_removal = NULL,
            allowed = false, attempts = 0, depends = '{}', look = true, due_at = NULL
     WHERE tenant_id = $1 AND app_id = $2"
);
statement!(
    EndCompare: (SqlUuid, SqlUuid, Timestamptz) -> () =
    "UPDATE compare SET state = 'failed', ended_at = $3, words = 'the app was published with other accounts'
     WHERE tenant_id = $1 AND app_id = $2 AND state = 'reading'"
);
statement!(
    ForgetAbilities: (SqlUuid, SqlUuid) -> () =
    "UPDATE app SET capabilities = NULL WHERE tenant_id = $1 AND id = $2"
);

/// Drops every link of an app, and all that was learnt of its accounts.
pub(super) async fn forget(conn: &mut Conn, (tenant, app): At, now: DateTime<Utc>) -> Result<(), Error> {
    let (tenant, app) = (tenant.uuid(), app.uuid());
    ForgetAbilities::with((tenant, app)).execute(conn).await?;
    EndCalls::with((tenant, app, now)).execute(conn).await?;
    ForgetMembers::with((tenant, app)).execute(conn).await?;
    ForgetStrangers::with((tenant, app)).execute(conn).await?;
    DropLinks::with((tenant, app, now)).execute(conn).await?;
    EndCompare::with((tenant, app, now)).execute(conn).await?;
    Ok(())
}
