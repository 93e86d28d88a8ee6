//! The tables of the guard.

mod choose;
mod ending;
mod kept;
mod look;

pub use choose::decline;
pub use ending::{Instead, end, fail, supersede, withdraw};
pub use kept::{end_kept, keep_back, kept_back, kept_of, release_kept};
pub use look::{found_items, item_counts, plans};

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{
    Array, BigInt, Binary, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::plan::hex;
use super::{
    Action, Cause, Decision, Error, Hold, Item, ItemState, Mark, NewHold, Plan, PlanState, StoredItem,
    Verdict,
};
use crate::base::{AppId, HoldId, PersonId, PlanId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::statement;

statement!(
    OpenPlan: (SqlUuid, SqlUuid, Text, SqlUuid, Timestamptz) -> () =
    "INSERT INTO plan (tenant_id, id, cause, owner_id, state, hash, counts, verdict, created_at)
     VALUES ($1, $2, $3, $4, 'open', ''::bytea, '{}', '{}', $5)"
);

/// Opens an empty plan.
pub(super) async fn open(
    conn: &mut Conn,
    tenant: TenantId,
    plan: PlanId,
    cause: Cause,
    owner: Uuid,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    OpenPlan::with((tenant.uuid(), plan.uuid(), cause.as_str(), owner, now))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    AddItems: (SqlUuid, SqlUuid, Array<Integer>, Array<Text>, Array<Nullable<SqlUuid>>, Array<Nullable<SqlUuid>>, Array<Nullable<BigInt>>, Array<Jsonb>, Array<Text>) -> () =
    "INSERT INTO plan_item (tenant_id, plan_id, ordinal, action, person_id, resource_id, base_version, diff, reason)
     SELECT $1, $2, item.*
     FROM UNNEST($3::int[], $4::text[], $5::uuid[], $6::uuid[], $7::bigint[], $8::jsonb[], $9::text[]) AS item"
);

/// Adds a batch of items, numbered from `first`.
pub(super) async fn add(
    conn: &mut Conn,
    tenant: TenantId,
    plan: PlanId,
    first: i32,
    items: &[Item],
) -> Result<(), Error> {
    let ordinals: Vec<i32> = (first..).take(items.len()).collect();
    let actions: Vec<&str> = items.iter().map(|item| item.action.as_str()).collect();
    let people: Vec<Option<Uuid>> = items.iter().map(|item| item.person.map(PersonId::uuid)).collect();
    let resources: Vec<Option<Uuid>> = items
        .iter()
        .map(|item| item.resource.map(ResourceId::uuid))
        .collect();
    let versions: Vec<Option<i64>> = items.iter().map(|item| item.base_version).collect();
    let diffs: Vec<&Value> = items.iter().map(|item| &item.diff).collect();
    let reasons: Vec<&str> = items.iter().map(|item| item.reason.as_str()).collect();
    AddItems::with((
        tenant.uuid(),
        plan.uuid(),
        ordinals,
        actions,
        people,
        resources,
        versions,
        diffs,
        reasons,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

statement!(
    SealPlan: (SqlUuid, SqlUuid, Binary, Jsonb, Jsonb, Text, Nullable<Binary>) -> () =
    "UPDATE plan SET hash = $3, counts = $4, verdict = $5, state = $6, effects = $7 WHERE tenant_id = $1 AND id = $2"
);

/// Ends a plan.
pub(super) async fn seal(
    conn: &mut Conn,
    tenant: TenantId,
    plan: PlanId,
    (hash, effects): (&[u8], Option<&[u8]>),
    counts: &Value,
    verdict: &Verdict,
    state: PlanState,
) -> Result<(), Error> {
    let verdict = serde_json::json!({"ok": verdict.ok, "reasons": verdict.reasons});
    SealPlan::with((
        tenant.uuid(),
        plan.uuid(),
        hash,
        counts,
        verdict,
        state.as_str(),
        effects,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) type PlanRow = (
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
    ReadPlan: (SqlUuid, SqlUuid) -> (Text, SqlUuid, Text, Binary, Jsonb, Jsonb, Timestamptz, Nullable<Timestamptz>, Nullable<Text>, Nullable<Binary>, Nullable<Text>) =
    "SELECT cause, owner_id, state, hash, counts, verdict, created_at, decided_at, decided_by, effects, reason
     FROM plan WHERE tenant_id = $1 AND id = $2"
);

/// A plan without its items.
///
/// # Errors
/// When the store refuses.
pub async fn plan(conn: &mut Conn, tenant: TenantId, id: PlanId) -> Result<Option<Plan>, Error> {
    let row: Option<PlanRow> = ReadPlan::with((tenant.uuid(), id.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    row.map(|row| read_plan(id, row)).transpose()
}

pub(super) fn read_plan(id: PlanId, row: PlanRow) -> Result<Plan, Error> {
    let (cause, owner, state, hash, counts, verdict, created_at, decided_at, decided_by, effects, reason) =
        row;
    Ok(Plan {
        id,
        cause: Cause::read(&cause)?,
        owner,
        state: PlanState::read(&state)?,
        hash,
        effects,
        counts,
        verdict: serde_json::from_value(verdict).unwrap_or_default(),
        created_at,
        decided_at,
        decided_by,
        reason,
    })
}

pub(super) type ItemRow = (
    i32,
    String,
    Option<Uuid>,
    Option<Uuid>,
    Option<i64>,
    Value,
    String,
    String,
    Option<String>,
);

statement!(
    ReadItems: (SqlUuid, SqlUuid, Integer, BigInt) -> (Integer, Text, Nullable<SqlUuid>, Nullable<SqlUuid>, Nullable<BigInt>, Jsonb, Text, Text, Nullable<Text>) =
    "SELECT ordinal, action, person_id, resource_id, base_version, diff, reason, state, note
     FROM plan_item WHERE tenant_id = $1 AND plan_id = $2 AND ordinal > $3 ORDER BY ordinal LIMIT $4"
);
statement!(
    ReadPlannedItems: (SqlUuid, SqlUuid, Integer, BigInt) -> (Integer, Text, Nullable<SqlUuid>, Nullable<SqlUuid>, Nullable<BigInt>, Jsonb, Text, Text, Nullable<Text>) =
    "SELECT ordinal, action, person_id, resource_id, base_version, diff, reason, state, note
     FROM plan_item WHERE tenant_id = $1 AND plan_id = $2 AND ordinal > $3 AND state = 'planned'
     ORDER BY ordinal LIMIT $4"
);

/// Up to `limit` items of a plan after `after`, in order.
///
/// # Errors
/// When the store refuses.
pub async fn items(
    conn: &mut Conn,
    tenant: TenantId,
    plan: PlanId,
    after: i32,
    limit: i64,
) -> Result<Vec<StoredItem>, Error> {
    let rows: Vec<ItemRow> = ReadItems::with((tenant.uuid(), plan.uuid(), after, limit))
        .get_results(conn)
        .await?;
    rows.into_iter().map(read_item).collect()
}

/// Up to `limit` items of a plan after `after` that are neither applied nor refused, in order.
///
/// # Errors
/// When the store refuses.
pub async fn planned_items(
    conn: &mut Conn,
    tenant: TenantId,
    plan: PlanId,
    after: i32,
    limit: i64,
) -> Result<Vec<StoredItem>, Error> {
    let rows: Vec<ItemRow> = ReadPlannedItems::with((tenant.uuid(), plan.uuid(), after, limit))
        .get_results(conn)
        .await?;
    rows.into_iter().map(read_item).collect()
}

pub(super) fn read_item(row: ItemRow) -> Result<StoredItem, Error> {
    let (ordinal, action, person, resource, base_version, diff, reason, state, note) = row;
    Ok(StoredItem {
        ordinal,
        item: Item {
            action: Action::read(&action)?,
            person: person.map(PersonId::from),
            resource: resource.map(ResourceId::from),
            base_version,
            diff,
            reason,
        },
        state: ItemState::read(&state)?,
        note,
    })
}

statement!(
    MarkItems: (SqlUuid, SqlUuid, Array<Integer>, Array<Text>, Array<Nullable<Text>>) -> () =
    "UPDATE plan_item SET state = mark.state, note = mark.note
     FROM UNNEST($3::int[], $4::text[], $5::text[]) AS mark (ordinal, state, note)
     WHERE plan_item.tenant_id = $1 AND plan_item.plan_id = $2 AND plan_item.ordinal = mark.ordinal"
);

/// Says what became of items, in the transaction that applied them.
///
/// # Errors
/// When the store refuses.
pub async fn mark(conn: &mut Conn, tenant: TenantId, plan: PlanId, marks: &[Mark]) -> Result<(), Error> {
    if marks.is_empty() {
        return Ok(());
    }
    let ordinals: Vec<i32> = marks.iter().map(|mark| mark.ordinal).collect();
    let states: Vec<&str> = marks.iter().map(|mark| mark.state.as_str()).collect();
    let notes: Vec<Option<&str>> = marks.iter().map(|mark| mark.note.as_deref()).collect();
    MarkItems::with((tenant.uuid(), plan.uuid(), ordinals, states, notes))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    ReadNotedItems: (SqlUuid, SqlUuid, Text, Integer, BigInt) -> (Integer, Text, Nullable<SqlUuid>, Nullable<SqlUuid>, Nullable<BigInt>, Jsonb, Text, Text, Nullable<Text>) =
    "SELECT ordinal, action, person_id, resource_id, base_version, diff, reason, state, note
     FROM plan_item WHERE tenant_id = $1 AND plan_id = $2 AND note = $3 AND ordinal > $4 AND state = 'applied'
     ORDER BY ordinal LIMIT $5"
);

/// Up to `limit` applied items of a plan that carry a note, after `after`, in order.
///
/// # Errors
/// When the store refuses.
pub async fn noted_items(
    conn: &mut Conn,
    tenant: TenantId,
    plan: PlanId,
    note: &str,
    after: i32,
    limit: i64,
) -> Result<Vec<StoredItem>, Error> {
    let rows: Vec<ItemRow> = ReadNotedItems::with((tenant.uuid(), plan.uuid(), note, after, limit))
        .get_results(conn)
        .await?;
    rows.into_iter().map(read_item).collect()
}

statement!(
    LockPlan: (SqlUuid, SqlUuid) -> (Text, Binary, Nullable<Text>) =
    "SELECT state, hash, reason FROM plan WHERE tenant_id = $1 AND id = $2 FOR UPDATE"
);
statement!(
    DecidePlan: (SqlUuid, SqlUuid, Text, Timestamptz, Text) -> () =
    "UPDATE plan SET state = $3, decided_at = $4, decided_by = $5 WHERE tenant_id = $1 AND id = $2"
);

/// Approves or rejects a plan that waits. With `hash` (hexadecimal, a beginning of it is enough from 8 digits on),
/// only if it is the plan's. Locks the plan's row.
///
/// # Errors
/// [`Error::Unknown`], [`Error::NotWaiting`], [`Error::OtherPlan`], or when the store refuses.
pub async fn decide(
    conn: &mut Conn,
    tenant: TenantId,
    plan: PlanId,
    decision: Decision,
    hash: Option<&str>,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let row: Option<(String, Vec<u8>, Option<String>)> = LockPlan::with((tenant.uuid(), plan.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    let (state, stored, reason) = row.ok_or(Error::Unknown)?;
    if state != PlanState::AwaitingApproval.as_str() {
        let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        return Err(Error::NotWaiting {
            state: format!("{state}{reason}"),
        });
    }
    let stored = hex(&stored);
    if hash.is_some_and(|hash| hash.len() < 8 || !stored.starts_with(&hash.to_ascii_lowercase())) {
        return Err(Error::OtherPlan { hash: stored });
    }
    let state = match decision {
        Decision::Approve => PlanState::Approved,
        Decision::Reject => PlanState::Rejected,
    };
    DecidePlan::with((tenant.uuid(), plan.uuid(), state.as_str(), now, by))
        .execute(conn)
        .await?;
    Ok(())
}

type HoldRow = (
    Uuid,
    Uuid,
    Option<Uuid>,
    Option<Uuid>,
    Option<Uuid>,
    String,
    Option<Value>,
    Option<Value>,
    String,
    String,
    DateTime<Utc>,
    Option<DateTime<Utc>>,
    Option<String>,
);

statement!(
    OpenHolds: (SqlUuid, Array<SqlUuid>, Array<SqlUuid>, Array<Nullable<SqlUuid>>, Array<Nullable<SqlUuid>>, Array<Nullable<SqlUuid>>, Array<Text>, Array<Nullable<Jsonb>>, Array<Nullable<Jsonb>>, Array<Text>, Timestamptz) -> (SqlUuid, SqlUuid, Nullable<SqlUuid>, Text) =
    "INSERT INTO hold (tenant_id, id, owner_id, app_id, person_id, resource_id, field, old, new, detail, state, created_at)
     SELECT $1, asked.*, 'open', $11
     FROM UNNEST($2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::jsonb[], $9::jsonb[], $10::text[]) AS asked
     ON CONFLICT (tenant_id, owner_id, resource_id, field) WHERE state = 'open'
     DO UPDATE SET old = excluded.old, new = excluded.new, detail = excluded.detail, heeded = false
     WHERE hold.new IS DISTINCT FROM excluded.new OR hold.old IS DISTINCT FROM excluded.old
     RETURNING id, owner_id, resource_id, field"
);

/// Asks for decisions. One that is open already for the same owner, resource and field takes the newer values. Returns
/// those that were not asked before, or not with these values, each with its id.
///
/// # Errors
/// When the store refuses.
pub async fn open_holds(
    conn: &mut Conn,
    tenant: TenantId,
    asked: &[NewHold],
    now: DateTime<Utc>,
) -> Result<Vec<(HoldId, NewHold)>, Error> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = asked.iter().map(|_| HoldId::new().uuid()).collect();
    let owners: Vec<Uuid> = asked.iter().map(|hold| hold.owner).collect();
    let apps: Vec<Option<Uuid>> = asked.iter().map(|hold| hold.app.map(AppId::uuid)).collect();
    let people: Vec<Option<Uuid>> = asked.iter().map(|hold| hold.person.map(PersonId::uuid)).collect();
    let resources: Vec<Option<Uuid>> = asked
        .iter()
        .map(|hold| hold.resource.map(ResourceId::uuid))
        .collect();
    let fields: Vec<&str> = asked.iter().map(|hold| hold.field.as_str()).collect();
    let old: Vec<Option<&Value>> = asked.iter().map(|hold| hold.old.as_ref()).collect();
    let new: Vec<Option<&Value>> = asked.iter().map(|hold| hold.new.as_ref()).collect();
    let details: Vec<&str> = asked.iter().map(|hold| hold.detail.as_str()).collect();
    let written: Vec<(Uuid, Uuid, Option<Uuid>, String)> = OpenHolds::with((
        tenant.uuid(),
        ids,
        owners,
        apps,
        people,
        resources,
        fields,
        old,
        new,
        details,
        now,
    ))
    .get_results(conn)
    .await?;
    // What was open already keeps its id.
    let of: HashMap<(Uuid, Option<Uuid>, &str), &NewHold> = asked
        .iter()
        .map(|hold| {
            let resource = hold.resource.map(ResourceId::uuid);
            ((hold.owner, resource, hold.field.as_str()), hold)
        })
        .collect();
    Ok(written
        .into_iter()
        .filter_map(|(id, owner, resource, field)| {
            let hold = of.get(&(owner, resource, field.as_str()))?;
            Some((HoldId::from(id), (*hold).clone()))
        })
        .collect())
}

statement!(
    CloseHolds: (SqlUuid, SqlUuid, Array<SqlUuid>, Array<Nullable<SqlUuid>>, Array<Text>, Timestamptz) -> () =
    "UPDATE hold SET state = 'gone', decided_at = $6, heeded = false
     WHERE tenant_id = $1 AND owner_id = $2 AND state = 'open' AND resource_id = ANY($3)
       AND NOT EXISTS (SELECT 1 FROM UNNEST($4::uuid[], $5::text[]) AS still(resource_id, field)
                       WHERE still.resource_id = hold.resource_id AND still.field = hold.field)"
);

/// Takes back what was asked about these resources and is no question any more: all but `still`.
///
/// # Errors
/// When the store refuses.
pub async fn close_holds(
    conn: &mut Conn,
    tenant: TenantId,
    owner: Uuid,
    resources: &[ResourceId],
    still: &[NewHold],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let resources: Vec<Uuid> = resources.iter().map(|id| id.uuid()).collect();
    let asked: Vec<Option<Uuid>> = still
        .iter()
        .map(|hold| hold.resource.map(ResourceId::uuid))
        .collect();
    let fields: Vec<&str> = still.iter().map(|hold| hold.field.as_str()).collect();
    CloseHolds::with((tenant.uuid(), owner, resources, asked, fields, now))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    ListHolds: (SqlUuid, Nullable<Text>, Nullable<SqlUuid>, SqlUuid, BigInt) -> (SqlUuid, SqlUuid, Nullable<SqlUuid>, Nullable<SqlUuid>, Nullable<SqlUuid>, Text, Nullable<Jsonb>, Nullable<Jsonb>, Text, Text, Timestamptz, Nullable<Timestamptz>, Nullable<Text>) =
    "SELECT id, owner_id, app_id, person_id, resource_id, field, old, new, detail, state, created_at, decided_at, decided_by
     FROM hold WHERE tenant_id = $1 AND ($2 IS NULL OR state = $2) AND ($3 IS NULL OR owner_id = $3) AND id > $4
     ORDER BY id LIMIT $5"
);
statement!(
    ReadHold: (SqlUuid, SqlUuid) -> (SqlUuid, SqlUuid, Nullable<SqlUuid>, Nullable<SqlUuid>, Nullable<SqlUuid>, Text, Nullable<Jsonb>, Nullable<Jsonb>, Text, Text, Timestamptz, Nullable<Timestamptz>, Nullable<Text>) =
    "SELECT id, owner_id, app_id, person_id, resource_id, field, old, new, detail, state, created_at, decided_at, decided_by
     FROM hold WHERE tenant_id = $1 AND id = $2 FOR UPDATE"
);

/// Up to `limit` holds after `after`, oldest first, of one state and owner if given.
///
/// # Errors
/// When the store refuses.
pub async fn holds(
    conn: &mut Conn,
    tenant: TenantId,
    state: Option<&str>,
    owner: Option<Uuid>,
    after: Option<HoldId>,
    limit: i64,
) -> Result<Vec<Hold>, Error> {
    let after = after.map_or(Uuid::nil(), HoldId::uuid);
    let rows: Vec<HoldRow> = ListHolds::with((tenant.uuid(), state, owner, after, limit))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(read_hold).collect())
}

/// One hold; locks its row until the transaction ends.
///
/// # Errors
/// When the store refuses.
pub async fn hold(conn: &mut Conn, tenant: TenantId, id: HoldId) -> Result<Option<Hold>, Error> {
    let row: Option<HoldRow> = ReadHold::with((tenant.uuid(), id.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(read_hold))
}

fn read_hold(row: HoldRow) -> Hold {
    let (
        id,
        owner,
        app,
        person,
        resource,
        field,
        old,
        new,
        detail,
        state,
        created_at,
        decided_at,
        decided_by,
    ) = row;
    Hold {
        id: HoldId::from(id),
        asked: NewHold {
            owner,
            app: app.map(AppId::from),
            person: person.map(PersonId::from),
            resource: resource.map(ResourceId::from),
            field,
            old,
            new,
            detail,
        },
        state,
        created_at,
        decided_at,
        decided_by,
    }
}

statement!(
    DecideHold: (SqlUuid, SqlUuid, Text, Timestamptz, Text) -> () =
    "UPDATE hold SET state = $3, decided_at = $4, decided_by = $5, heeded = false
     WHERE tenant_id = $1 AND id = $2 AND state = 'open'"
);

/// Writes a decision down; the caller makes it so in the same transaction. Returns the hold as it was asked.
///
/// # Errors
/// [`Error::Unknown`], [`Error::NotWaiting`], or when the store refuses.
pub async fn decide_hold(
    conn: &mut Conn,
    tenant: TenantId,
    id: HoldId,
    decision: Decision,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Hold, Error> {
    let asked = hold(conn, tenant, id).await?.ok_or(Error::Unknown)?;
    if asked.state != "open" {
        return Err(Error::NotWaiting { state: asked.state });
    }
    let state = match decision {
        Decision::Approve => "approved",
        Decision::Reject => "rejected",
    };
    DecideHold::with((tenant.uuid(), id.uuid(), state, now, by))
        .execute(conn)
        .await?;
    Ok(asked)
}

statement!(
    RejectedValues: (SqlUuid, SqlUuid, Array<SqlUuid>) -> (SqlUuid, Text, Nullable<Jsonb>) =
    "SELECT DISTINCT ON (resource_id, field) resource_id, field, new FROM hold
     WHERE tenant_id = $1 AND owner_id = $2 AND resource_id = ANY($3) AND state = 'rejected'
     ORDER BY resource_id, field, decided_at DESC"
);

/// The value that was last rejected, per resource and field: it is not asked for again.
///
/// # Errors
/// When the store refuses.
pub async fn rejected_values(
    conn: &mut Conn,
    tenant: TenantId,
    owner: Uuid,
    resources: &[ResourceId],
) -> Result<Vec<(ResourceId, String, Option<Value>)>, Error> {
    let resources: Vec<Uuid> = resources.iter().map(|id| id.uuid()).collect();
    let rows: Vec<(Uuid, String, Option<Value>)> = RejectedValues::with((tenant.uuid(), owner, resources))
        .get_results(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(id, field, value)| (ResourceId::from(id), field, value))
        .collect())
}
