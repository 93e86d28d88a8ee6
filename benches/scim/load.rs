//! What is there before anything is measured: 10,000 users, the same ones for both servers.

use std::path::Path;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use scim_bridge::base::{TenantId, TokenId};
use scim_bridge::db::{Db, Statement, Transactional as _};
use scim_bridge::directory::{Cause, Directory, Put};
use scim_bridge::scim::{ENTERPRISE, USER};
use scim_bridge::statement;
use serde_json::json;
use uuid::Uuid;

use super::Failure;

/// How many users there are.
pub const USERS: usize = 10_000;
const BATCH: usize = 500;

statement!(
    /// The tenant of this name.
    TenantOf: (Text) -> (SqlUuid,) = "SELECT id FROM tenant WHERE name = $1"
);

statement!(
    /// Everybody.
    Everybody: (SqlUuid) -> (SqlUuid, Text) =
    "SELECT id, user_name FROM resource WHERE tenant_id = $1 AND kind = 'User' ORDER BY md5(id::text)"
);

/// Stores the users and writes "id userName" lines to `file`, in an order that has nothing to do with theirs.
pub async fn people(db: &Db, tenant: &str, now: DateTime<Utc>, file: &Path) -> Result<(), Failure> {
    let mut conn = db.conn().await?;
    let (tenant,): (Uuid,) = TenantOf::with((tenant,)).get_result(&mut conn).await?;
    let tenant = TenantId::from(tenant);
    let directory = Directory::default();
    let cause = Cause::admin(TokenId::new(), now);
    for first in (0..USERS).step_by(BATCH) {
        let puts: Vec<Put> = (first..first + BATCH).map(put).collect();
        let written = conn
            .transaction(async |conn| directory.put_many(conn, tenant, puts, &cause).await)
            .await?;
        for one in written {
            one?;
        }
    }
    let rows: Vec<(Uuid, String)> = Everybody::with((tenant.uuid(),)).load(&mut conn).await?;
    let lines: String = rows.iter().map(|(id, name)| format!("{id} {name}\n")).collect();
    std::fs::write(file, lines)?;
    Ok(())
}

fn put(number: usize) -> Put {
    let name = format!("person-{number:05}@bench.test");
    let object = json!({
        "schemas": [USER, ENTERPRISE],
        "userName": name,
        "name": {"givenName": "Given", "familyName": format!("Family {number}")},
        "displayName": format!("Given Family {number}"),
        "title": "Engineer",
        "active": true,
        "emails": [{"type": "work", "value": name, "primary": true}],
        "phoneNumbers": [{"type": "work", "value": format!("+49 30 {number:05}")}],
        ENTERPRISE: {"employeeNumber": format!("E-{number}"), "department": format!("Department {}", number % 50)},
    });
    Put {
        id: None,
        kind: "User".to_owned(),
        object: object.as_object().cloned().unwrap_or_default(),
        external_id: None,
        person: None,
        expected: None,
        disabled_by: Vec::new(),
    }
}
