//! Reads for the lineage of a user.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Array, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::base::{PersonId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::insight::Error;
use crate::statement;

/// A record that a user comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordOf {
    /// The connection.
    pub connection: String,
    /// The connector.
    pub connector: String,
    /// The record.
    pub source_id: String,
    /// What became of it: linked, held, filtered, skipped …
    pub outcome: String,
    /// When it was last read with another content.
    pub changed_at: DateTime<Utc>,
    /// From how many complete reads in a row it was missing.
    pub missing_reads: i32,
}

statement!(
    RecordsOf: (SqlUuid, SqlUuid) -> (Text, Text, Text, Text, Timestamptz, Integer) =
    "SELECT c.name, c.connector, s.source_id, s.outcome, s.changed_at, s.missing_reads FROM source_record s
     JOIN connection c ON c.tenant_id = s.tenant_id AND c.id = s.connection_id
     WHERE s.tenant_id = $1 AND s.person_id = $2 ORDER BY c.name, s.source_id LIMIT 100"
);

pub(super) async fn records(
    conn: &mut Conn,
    tenant: TenantId,
    person: PersonId,
) -> Result<Vec<RecordOf>, Error> {
    type Row = (String, String, String, String, DateTime<Utc>, i32);
    let rows: Vec<Row> = RecordsOf::with((tenant.uuid(), person.uuid())).load(conn).await?;
    let record = |(connection, connector, source_id, outcome, changed_at, missing_reads): Row| RecordOf {
        connection,
        connector,
        source_id,
        outcome,
        changed_at,
        missing_reads,
    };
    Ok(rows.into_iter().map(record).collect())
}

statement!(
    LifecycleOf: (SqlUuid, SqlUuid) -> (Nullable<Jsonb>,) =
    "SELECT lifecycle FROM person WHERE tenant_id = $1 AND id = $2"
);

pub(super) async fn lifecycle(conn: &mut Conn, tenant: TenantId, person: PersonId) -> Result<Value, Error> {
    let row: Option<(Option<Value>,)> = LifecycleOf::with((tenant.uuid(), person.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.and_then(|(lifecycle,)| lifecycle).unwrap_or_default())
}

/// An account with its app, the app's settings in force, and the last operation with the app's answer.
pub(super) struct AppRow {
    pub app: Uuid,
    pub name: String,
    pub mode: String,
    pub settings: Option<Value>,
    pub account: AccountRow,
    pub last: Option<StepRow>,
}

pub(super) struct AccountRow {
    pub state: String,
    pub reason: String,
    pub since: DateTime<Utc>,
    pub acknowledged_at: Option<DateTime<Utc>>,
    pub verified_at: Option<DateTime<Utc>>,
    pub remote_id: Option<String>,
    pub adopted: bool,
    pub known: Option<Value>,
}

pub(super) struct StepRow {
    pub id: Uuid,
    pub action: String,
    pub method: String,
    pub state: String,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub status: Option<i32>,
    pub words: Option<String>,
}

statement!(
    AppsOf: (SqlUuid, SqlUuid) -> (
        SqlUuid, Text, Text, Nullable<Jsonb>,
        Text, Text, Timestamptz, Nullable<Timestamptz>, Nullable<Timestamptz>, Nullable<Text>, Bool, Nullable<Jsonb>,
    ) =
    "SELECT a.id, a.name, a.mode, s.body, x.state, x.reason, x.since, x.acknowledged_at, x.verified_at, x.remote_id,
            x.adopted, x.known
     FROM account x JOIN app a ON a.tenant_id = x.tenant_id AND a.id = x.app_id
     LEFT JOIN setting_revision s ON s.tenant_id = a.tenant_id AND s.owner_id = a.id AND s.revision = a.live_revision
     WHERE x.tenant_id = $1 AND x.resource_id = $2 AND x.state <> 'unmatched' ORDER BY a.name"
);
statement!(
    LastSteps: (SqlUuid, SqlUuid) -> (
        SqlUuid, SqlUuid, Text, Text, Text, Timestamptz, Nullable<Timestamptz>, Nullable<Integer>, Nullable<Text>,
    ) =
    "SELECT x.app_id, o.id, o.action, o.method, o.state, o.created_at, o.finished_at, t.status, t.detail
     FROM account x
     CROSS JOIN LATERAL (SELECT * FROM operation o WHERE o.tenant_id = x.tenant_id AND o.app_id = x.app_id
                         AND o.resource_id = x.resource_id ORDER BY o.id DESC LIMIT 1) o
     LEFT JOIN LATERAL (SELECT status, detail FROM attempt t WHERE t.tenant_id = o.tenant_id AND t.app_id = o.app_id
                        AND t.operation_id = o.id ORDER BY number DESC LIMIT 1) t ON true
     WHERE x.tenant_id = $1 AND x.resource_id = $2 AND x.state <> 'unmatched'"
);

pub(super) async fn apps(
    conn: &mut Conn,
    tenant: TenantId,
    resource: ResourceId,
) -> Result<Vec<AppRow>, Error> {
    type Row = (
        Uuid,
        String,
        String,
        Option<Value>,
        String,
        String,
        DateTime<Utc>,
        Option<DateTime<Utc>>,
        Option<DateTime<Utc>>,
        Option<String>,
        bool,
        Option<Value>,
    );
    type Last = (
        Uuid,
        Uuid,
        String,
        String,
        String,
        DateTime<Utc>,
        Option<DateTime<Utc>>,
        Option<i32>,
        Option<String>,
    );
    let key = (tenant.uuid(), resource.uuid());
    let mut steps: Vec<Last> = LastSteps::with(key).load(conn).await?;
    let rows: Vec<Row> = AppsOf::with(key).load(conn).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let (app, name, mode, settings, state, reason, since, acknowledged_at, verified_at, ..) = row;
            let (remote_id, adopted, known) = (row.9, row.10, row.11);
            let last = steps
                .iter()
                .position(|step| step.0 == app)
                .map(|at| steps.swap_remove(at));
            AppRow {
                app,
                name,
                mode,
                settings,
                account: AccountRow {
                    state,
                    reason,
                    since,
                    acknowledged_at,
                    verified_at,
                    remote_id,
                    adopted,
                    known,
                },
                last: last.map(
                    |(_, id, action, method, state, created_at, finished_at, status, words)| StepRow {
                        id,
                        action,
                        method,
                        state,
                        created_at,
                        finished_at,
                        status,
                        words,
                    },
                ),
            }
        })
        .collect())
}

statement!(
    RemoteIds: (SqlUuid, SqlUuid) -> (SqlUuid, Text) =
    "SELECT app_id, remote_id FROM account
     WHERE tenant_id = $1 AND resource_id = $2 AND remote_id IS NOT NULL AND state <> 'removed'"
);

/// What each app calls a user.
pub(super) async fn remote_ids(
    conn: &mut Conn,
    tenant: TenantId,
    resource: ResourceId,
) -> Result<Vec<(Uuid, String)>, Error> {
    Ok(RemoteIds::with((tenant.uuid(), resource.uuid()))
        .load(conn)
        .await?)
}

/// An open decision.
pub(super) struct HoldRow {
    pub app: Option<Uuid>,
    pub id: Uuid,
    pub field: String,
    pub old: Option<Value>,
    pub new: Option<Value>,
    pub detail: String,
    pub since: DateTime<Utc>,
}

statement!(
    OpenHolds: (SqlUuid, Array<SqlUuid>) ->
        (Nullable<SqlUuid>, SqlUuid, Text, Nullable<Jsonb>, Nullable<Jsonb>, Text, Timestamptz) =
    "SELECT app_id, id, field, old, new, detail, created_at FROM hold
     WHERE tenant_id = $1 AND resource_id = ANY($2) AND state = 'open' ORDER BY id LIMIT 1000"
);

pub(super) async fn holds(
    conn: &mut Conn,
    tenant: TenantId,
    resource: ResourceId,
) -> Result<Vec<HoldRow>, Error> {
    type Row = (
        Option<Uuid>,
        Uuid,
        String,
        Option<Value>,
        Option<Value>,
        String,
        DateTime<Utc>,
    );
    let rows: Vec<Row> = OpenHolds::with((tenant.uuid(), vec![resource.uuid()]))
        .load(conn)
        .await?;
    let hold = |(app, id, field, old, new, detail, since): Row| HoldRow {
        app,
        id,
        field,
        old,
        new,
        detail,
        since,
    };
    Ok(rows.into_iter().map(hold).collect())
}
