//! Which apps are to be asked. Reads `account` and `app`.

use diesel::sql_types::{Integer, Jsonb, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::base::{AppId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::delivery::Error;
use crate::statement;

/// An account of somebody in an app that is live.
pub(super) struct There {
    pub app: AppId,
    pub name: String,
    pub revision: i32,
    pub remote_id: String,
    pub known: Option<Value>,
}

statement!(
    LiveAccounts: (SqlUuid, SqlUuid) -> (SqlUuid, Text, Integer, Text, Nullable<Jsonb>) =
    "SELECT a.id, a.name, a.live_revision, x.remote_id, x.known
     FROM account x JOIN app a ON a.tenant_id = x.tenant_id AND a.id = x.app_id
     WHERE x.tenant_id = $1 AND x.resource_id = $2 AND x.kind = 'User' AND x.state NOT IN ('unmatched', 'removed')
       AND x.remote_id IS NOT NULL AND a.mode = 'live' AND a.live_revision IS NOT NULL
     ORDER BY a.name"
);

/// The accounts of a user in apps that are live, in order of the apps' names.
pub(super) async fn live_accounts(
    conn: &mut Conn,
    tenant: TenantId,
    user: ResourceId,
) -> Result<Vec<There>, Error> {
    let rows: Vec<(Uuid, String, i32, String, Option<Value>)> =
        LiveAccounts::with((tenant.uuid(), user.uuid()))
            .get_results(conn)
            .await?;
    let read = |(app, name, revision, remote_id, known): (Uuid, String, i32, String, Option<Value>)| There {
        app: app.into(),
        name,
        revision,
        remote_id,
        known,
    };
    Ok(rows.into_iter().map(read).collect())
}
