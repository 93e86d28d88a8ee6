//! How plans end.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::base::{PlanId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::guard::{Cause, Error};
use crate::statement;

statement!(
    EndPlan: (SqlUuid, SqlUuid) -> () =
    "WITH applied AS (
         UPDATE plan_item SET state = 'applied' WHERE tenant_id = $1 AND plan_id = $2 AND state = 'planned')
     UPDATE plan SET state = 'applied' WHERE tenant_id = $1 AND id = $2"
);
statement!(
    CountStates: (SqlUuid, SqlUuid) -> (BigInt, BigInt) =
    "SELECT count(*) FILTER (WHERE state = 'applied' AND action NOT IN ('skip', 'hold', 'conflict')),
       count(*) FILTER (WHERE state = 'refused')
     FROM plan_item WHERE tenant_id = $1 AND plan_id = $2"
);

/// Ends a plan that was applied; those of its items of which nothing else was said are applied. Returns how many are
/// applied and refused; items without an effect do not count.
///
/// # Errors
/// When the store refuses.
pub async fn end(conn: &mut Conn, tenant: TenantId, plan: PlanId) -> Result<(i64, i64), Error> {
    EndPlan::with((tenant.uuid(), plan.uuid())).execute(conn).await?;
    Ok(CountStates::with((tenant.uuid(), plan.uuid()))
        .get_result(conn)
        .await?)
}

statement!(
    FailPlan: (SqlUuid, SqlUuid, Text) -> () =
    "WITH refused AS (
         UPDATE plan_item SET state = 'refused', note = 'the plan could not be applied'
         WHERE tenant_id = $1 AND plan_id = $2 AND state = 'planned')
     UPDATE plan SET state = 'failed', reason = $3 WHERE tenant_id = $1 AND id = $2"
);

/// Ends a plan that cannot be applied: nothing of it is done, and `why` is shown.
///
/// # Errors
/// When the store refuses.
pub async fn fail(conn: &mut Conn, tenant: TenantId, plan: PlanId, why: &str) -> Result<(), Error> {
    FailPlan::with((tenant.uuid(), plan.uuid(), why))
        .execute(conn)
        .await?;
    Ok(())
}

/// Why plans are not wanted any more.
#[derive(Debug, Clone, Copy)]
pub enum Instead<'a> {
    /// This newer plan takes their place.
    Plan(PlanId),
    /// Somebody did something that leaves nothing of them: who, and what, in words for people.
    Deed(&'a str, &'a str),
}

statement!(
    SupersedePlans: (SqlUuid, Array<SqlUuid>, Nullable<Array<Text>>, Nullable<SqlUuid>, Text, Text, Timestamptz) -> () =
    "UPDATE plan SET state = 'superseded', decided_by = $5, reason = $6, decided_at = $7
     WHERE tenant_id = $1 AND owner_id = ANY($2) AND ($3 IS NULL OR cause = ANY($3)) AND ($4 IS NULL OR id <> $4)
       AND state IN ('open', 'awaiting_approval', 'approved')"
);

/// Ends every plan of these owners, perhaps only those of some causes, that waits, is being made or is not applied yet.
/// Returns how many.
///
/// # Errors
/// When the store refuses.
pub async fn supersede(
    conn: &mut Conn,
    tenant: TenantId,
    (owners, causes): (&[Uuid], Option<&[Cause]>),
    instead: Instead<'_>,
    now: DateTime<Utc>,
) -> Result<usize, Error> {
    let (newer, by, why) = match instead {
        Instead::Plan(newer) => (
            Some(newer.uuid()),
            format!("plan:{newer}"),
            format!("the newer plan {newer} takes its place"),
        ),
        Instead::Deed(by, why) => (None, by.to_owned(), why.to_owned()),
    };
    let causes: Option<Vec<&str>> = causes.map(|causes| causes.iter().map(|cause| cause.as_str()).collect());
    Ok(
        SupersedePlans::with((tenant.uuid(), owners, causes, newer, by, why, now))
            .execute(conn)
            .await?,
    )
}

/// Ends the plans of runs that were stopped, or that plan anew: nobody applies them any more.
///
/// # Errors
/// When the store refuses.
pub async fn withdraw(
    conn: &mut Conn,
    tenant: TenantId,
    runs: &[Uuid],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if !runs.is_empty() {
        let instead = Instead::Deed("run", "its run was stopped, or plans anew");
        supersede(conn, tenant, (runs, None), instead, now).await?;
    }
    Ok(())
}
