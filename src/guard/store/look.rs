//! Looking at plans: lists, pages of items, numbers.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Binary, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::{ItemRow, read_item, read_plan};
use crate::base::{PersonId, PlanId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::guard::{Action, Cause, Error, ItemFilter, ItemState, Plan, PlanFilter, PlanState, StoredItem};
use crate::statement;

type ListedPlan = (
    Uuid,
    String,
    Uuid,
    String,
    Vec<u8>,
    Value,
    Value,
    DateTime<Utc>,
    Option<DateTime<Utc>>,
    Option<String>,
    Option<Vec<u8>>,
    Option<String>,
);

statement!(
    ListPlans: (SqlUuid, Nullable<Text>, Nullable<Text>, Nullable<SqlUuid>, BigInt) -> (SqlUuid, Text, SqlUuid, Text, Binary, Jsonb, Jsonb, Timestamptz, Nullable<Timestamptz>, Nullable<Text>, Nullable<Binary>, Nullable<Text>) =
    "SELECT id, cause, owner_id, state, hash, counts, verdict, created_at, decided_at, decided_by, effects, reason
     FROM plan WHERE tenant_id = $1 AND ($2 IS NULL OR state = $2) AND ($3 IS NULL OR cause = $3)
       AND ($4 IS NULL OR id < $4)
     ORDER BY id DESC LIMIT $5"
);
statement!(
    ListPlansOfOwner: (SqlUuid, Nullable<Text>, Nullable<Text>, Nullable<SqlUuid>, BigInt, SqlUuid) -> (SqlUuid, Text, SqlUuid, Text, Binary, Jsonb, Jsonb, Timestamptz, Nullable<Timestamptz>, Nullable<Text>, Nullable<Binary>, Nullable<Text>) =
    "SELECT id, cause, owner_id, state, hash, counts, verdict, created_at, decided_at, decided_by, effects, reason
     FROM plan WHERE tenant_id = $1 AND owner_id = $6 AND ($2 IS NULL OR state = $2) AND ($3 IS NULL OR cause = $3)
       AND ($4 IS NULL OR id < $4)
     ORDER BY id DESC LIMIT $5"
);

/// Up to `limit` plans, newest first.
///
/// # Errors
/// When the store refuses.
pub async fn plans(
    conn: &mut Conn,
    tenant: TenantId,
    filter: &PlanFilter,
    limit: i64,
) -> Result<Vec<Plan>, Error> {
    let state = filter.state.map(PlanState::as_str);
    let cause = filter.cause.map(Cause::as_str);
    let before = filter.before.map(PlanId::uuid);
    let rows: Vec<ListedPlan> = match filter.owner {
        None => {
            ListPlans::with((tenant.uuid(), state, cause, before, limit))
                .get_results(conn)
                .await?
        }
        Some(owner) => {
            ListPlansOfOwner::with((tenant.uuid(), state, cause, before, limit, owner))
                .get_results(conn)
                .await?
        }
    };
    rows.into_iter()
        .map(|(id, a, b, c, d, e, f, g, h, i, j, k)| read_plan(id.into(), (a, b, c, d, e, f, g, h, i, j, k)))
        .collect()
}

statement!(
    FindItems: (SqlUuid, SqlUuid, Integer, BigInt, Nullable<Text>, Nullable<SqlUuid>) -> (Integer, Text, Nullable<SqlUuid>, Nullable<SqlUuid>, Nullable<BigInt>, Jsonb, Text, Text, Nullable<Text>) =
    "SELECT ordinal, action, person_id, resource_id, base_version, diff, reason, state, note
     FROM plan_item WHERE tenant_id = $1 AND plan_id = $2 AND ordinal > $3
       AND ($5 IS NULL OR state = $5) AND ($6 IS NULL OR person_id = $6)
     ORDER BY ordinal LIMIT $4"
);
statement!(
    FindItemsOfAction: (SqlUuid, SqlUuid, Integer, BigInt, Nullable<Text>, Nullable<SqlUuid>, Text) -> (Integer, Text, Nullable<SqlUuid>, Nullable<SqlUuid>, Nullable<BigInt>, Jsonb, Text, Text, Nullable<Text>) =
    "SELECT ordinal, action, person_id, resource_id, base_version, diff, reason, state, note
     FROM plan_item WHERE tenant_id = $1 AND plan_id = $2 AND action = $7 AND ordinal > $3
       AND ($5 IS NULL OR state = $5) AND ($6 IS NULL OR person_id = $6)
     ORDER BY ordinal LIMIT $4"
);

/// Up to `limit` items of a plan after `after`, in order, of those that the filter lets through.
///
/// # Errors
/// When the store refuses.
pub async fn found_items(
    conn: &mut Conn,
    tenant: TenantId,
    plan: PlanId,
    filter: &ItemFilter,
    after: i32,
    limit: i64,
) -> Result<Vec<StoredItem>, Error> {
    let state = filter.state.map(ItemState::as_str);
    let person = filter.person.map(PersonId::uuid);
    let (tenant, plan) = (tenant.uuid(), plan.uuid());
    let rows: Vec<ItemRow> = match filter.action {
        None => {
            FindItems::with((tenant, plan, after, limit, state, person))
                .get_results(conn)
                .await?
        }
        Some(action) => {
            FindItemsOfAction::with((tenant, plan, after, limit, state, person, action.as_str()))
                .get_results(conn)
                .await?
        }
    };
    rows.into_iter().map(read_item).collect()
}

statement!(
    CountItems: (SqlUuid, SqlUuid) -> (Text, Text, BigInt) =
    "SELECT action, state, count(*) FROM plan_item WHERE tenant_id = $1 AND plan_id = $2 GROUP BY 1, 2 ORDER BY 1, 2"
);

/// How many items of a plan there are of each action, by how far they are.
///
/// # Errors
/// When the store refuses.
pub async fn item_counts(
    conn: &mut Conn,
    tenant: TenantId,
    plan: PlanId,
) -> Result<Vec<(Action, ItemState, i64)>, Error> {
    let rows: Vec<(String, String, i64)> = CountItems::with((tenant.uuid(), plan.uuid()))
        .get_results(conn)
        .await?;
    rows.into_iter()
        .map(|(action, state, count)| Ok((Action::read(&action)?, ItemState::read(&state)?, count)))
        .collect()
}
