//! The table `rekey`, and what moves in the tables of records and groups.

use diesel::sql_types::{Array, BigInt, Bool, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{RekeyBy, RekeyOrder};
use crate::base::{ConnectionId, RunId, TenantId};
use crate::db::{Conn, QueryError, Statement as _};
use crate::statement;
use crate::sync::run::Run;

statement!(
    KeepOrder: (SqlUuid, SqlUuid, SqlUuid, Array<Text>, Array<Text>, Array<Text>) -> () =
    "INSERT INTO rekey (tenant_id, run_id, from_id, by, old_ids, new_ids) VALUES ($1, $2, $3, $4, $5, $6)"
);
statement!(
    ReadOrder: (SqlUuid, SqlUuid) -> (SqlUuid, Array<Text>, Array<Text>, Array<Text>) =
    "SELECT from_id, by, old_ids, new_ids FROM rekey WHERE tenant_id = $1 AND run_id = $2"
);

/// Keeps what a run is to move.
pub(super) async fn keep(
    conn: &mut Conn,
    tenant: TenantId,
    run: RunId,
    from: ConnectionId,
    order: &RekeyOrder,
) -> Result<(), QueryError> {
    let by: Vec<&str> = order.by.iter().map(|by| by.as_str()).collect();
    let (old, new): (Vec<&str>, Vec<&str>) = order
        .pairs
        .iter()
        .map(|(old, new)| (old.as_str(), new.as_str()))
        .unzip();
    KeepOrder::with((tenant.uuid(), run.uuid(), from.uuid(), by, old, new))
        .execute(conn)
        .await?;
    Ok(())
}

/// What a run is to move, and from where.
pub(super) async fn order(conn: &mut Conn, run: &Run) -> Result<(ConnectionId, RekeyOrder), QueryError> {
    let (from, by, old, new): (Uuid, Vec<String>, Vec<String>, Vec<String>) =
        ReadOrder::with((run.tenant.uuid(), run.id.uuid()))
            .get_result(conn)
            .await?;
    let order = RekeyOrder {
        to: String::new(),
        by: by.iter().filter_map(|word| RekeyBy::read(word)).collect(),
        pairs: old.into_iter().zip(new).collect(),
    };
    Ok((from.into(), order))
}

statement!(
    IsUnderWay: (SqlUuid, SqlUuid) -> (Bool,) =
    "SELECT EXISTS (SELECT FROM run WHERE tenant_id = $1 AND connection_id = $2
       AND state IN ('reading', 'planning', 'applying'))"
);

/// Whether a run of the connection is under way.
pub(super) async fn is_under_way(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
) -> Result<bool, QueryError> {
    let (is,): (bool,) = IsUnderWay::with((tenant.uuid(), connection.uuid()))
        .get_result(conn)
        .await?;
    Ok(is)
}

statement!(
    LetGo: (SqlUuid, SqlUuid, Array<Text>) -> () =
    "UPDATE source_record SET person_id = NULL, digest = ''::bytea, outcome = 'moved', outcome_detail = NULL,
       missing_reads = 0, missing_since = NULL
     WHERE tenant_id = $1 AND connection_id = $2 AND source_id = ANY($3)"
);

/// Lets records go that speak for nobody any more. They count as changed, should they ever be read again.
pub(super) async fn let_go(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    source_ids: &[String],
) -> Result<(), QueryError> {
    LetGo::with((tenant.uuid(), connection.uuid(), source_ids))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    /// A unit that both have stays with each; the old one's group is then nobody's, and empty once its people moved on.
    MoveGroups: (SqlUuid, SqlUuid, SqlUuid) -> () =
    "UPDATE org_group SET connection_id = $3 WHERE tenant_id = $1 AND connection_id = $2
       AND NOT EXISTS (SELECT FROM org_group other
         WHERE other.tenant_id = $1 AND other.connection_id = $3 AND other.key = org_group.key)"
);

/// Lets groups of units stand for those of another connection.
pub(super) async fn move_groups(
    conn: &mut Conn,
    tenant: TenantId,
    from: ConnectionId,
    to: ConnectionId,
) -> Result<(), QueryError> {
    MoveGroups::with((tenant.uuid(), from.uuid(), to.uuid()))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    Linked: (SqlUuid, SqlUuid, Text, BigInt) -> (Text,) =
    "SELECT source_id FROM source_record
     WHERE tenant_id = $1 AND connection_id = $2 AND source_id > $3 AND person_id IS NOT NULL AND outcome <> 'gone'
     ORDER BY source_id LIMIT $4"
);

/// Ids of records that speak for somebody, in order.
pub(super) async fn linked(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, QueryError> {
    let rows: Vec<(String,)> = Linked::with((tenant.uuid(), connection.uuid(), after, limit))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
