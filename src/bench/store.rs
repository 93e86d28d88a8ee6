//! Statements of the measurement itself: its scratch databases, and the tables of the limit server.

use diesel::sql_types::{Array, Bool, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{RunQueryDsl as _, SimpleAsyncConnection as _};
use uuid::Uuid;

use crate::base::{ResourceId, TenantId};
use crate::db::{Conn, QueryError, Statement as _};
use crate::statement;

statement!(
    /// The indexes that can be built after loading: all but those of constraints.
    Indexes: () -> (Text, Text) =
    "SELECT i.indexname, i.indexdef FROM pg_indexes i JOIN pg_class c ON c.relname = i.indexname
     JOIN pg_index x ON x.indexrelid = c.oid
     WHERE i.schemaname = 'public' AND NOT x.indisunique
       AND i.tablename IN ('resource', 'resource_key', 'external_id', 'change', 'membership')"
);

/// Drops the indexes that are quicker to build afterwards; gives what builds them.
pub(super) async fn drop_indexes(conn: &mut Conn) -> Result<Vec<String>, QueryError> {
    let rows: Vec<(String, String)> = Indexes::with(()).load(conn).await?;
    for (name, _) in &rows {
        conn.batch_execute(&format!("DROP INDEX \"{name}\"")).await?;
    }
    Ok(rows.into_iter().map(|(_, definition)| definition).collect())
}

/// Builds them, and lets the planner know what there is.
pub(super) async fn finish(conn: &mut Conn, indexes: &[String]) -> Result<(), QueryError> {
    conn.batch_execute("SET maintenance_work_mem = '1GB'").await?;
    for definition in indexes {
        conn.batch_execute(definition).await?;
    }
    conn.batch_execute("RESET maintenance_work_mem").await?;
    // Not the empty ones: of those the planner is to think what it thinks of new tables.
    let filled = "resource, resource_key, resource_total, external_id, membership, change, change_number, token, client";
    conn.batch_execute(&format!("VACUUM (ANALYZE) {filled}")).await?;
    conn.batch_execute("CHECKPOINT").await
}

/// Makes the tables of the limit server: the same users, each as the text that is given out.
pub(super) async fn make_limit(conn: &mut Conn) -> Result<(), QueryError> {
    conn.batch_execute(
        "CREATE TABLE limit_user WITH (fillfactor = 80) AS
            SELECT id, user_name, body #>> '{emails,0,value}' AS email, active, version, body::text AS body
            FROM resource WHERE kind = 'User';
         ALTER TABLE limit_user ADD PRIMARY KEY (id);
         CREATE UNIQUE INDEX limit_user_name ON limit_user (user_name);
         CREATE INDEX limit_user_email ON limit_user (email);
         CREATE TABLE limit_member (group_id uuid, member_id uuid, PRIMARY KEY (group_id, member_id));",
    )
    .await?;
    conn.batch_execute("VACUUM (ANALYZE) limit_user").await
}

statement!(
    One: (SqlUuid) -> (Text,) = "SELECT body FROM limit_user WHERE id = $1"
);
statement!(
    ByName: (Text) -> (Text,) = "SELECT body FROM limit_user WHERE user_name = $1"
);
statement!(
    ByEmail: (Text) -> (Text,) = "SELECT body FROM limit_user WHERE email = $1"
);
statement!(
    After: (SqlUuid) -> (Text,) = "SELECT body FROM limit_user WHERE id > $1 ORDER BY id LIMIT 100"
);
statement!(
    Toggle: (SqlUuid) -> (Text,) =
    "UPDATE limit_user SET active = NOT active, version = version + 1 WHERE id = $1 RETURNING body"
);
statement!(
    Make: (SqlUuid, Text, Nullable<Text>, Bool, Text) -> (Text,) =
    "INSERT INTO limit_user (id, user_name, email, active, version, body) VALUES ($1, $2, $3, $4, 1, $5) RETURNING body"
);
statement!(
    Enter: (SqlUuid, SqlUuid) -> (SqlUuid,) =
    "INSERT INTO limit_member (group_id, member_id) VALUES ($1, $2) RETURNING member_id"
);

pub(super) async fn one(conn: &mut Conn, id: Uuid) -> Result<String, QueryError> {
    Ok(One::with((id,)).get_result::<(String,)>(conn).await?.0)
}

pub(super) async fn by_name(conn: &mut Conn, name: &str) -> Result<String, QueryError> {
    Ok(ByName::with((name,)).get_result::<(String,)>(conn).await?.0)
}

pub(super) async fn by_email(conn: &mut Conn, email: &str) -> Result<String, QueryError> {
    Ok(ByEmail::with((email,)).get_result::<(String,)>(conn).await?.0)
}

pub(super) async fn after(conn: &mut Conn, id: Uuid) -> Result<Vec<(String,)>, QueryError> {
    After::with((id,)).load::<(String,)>(conn).await
}

pub(super) async fn toggle(conn: &mut Conn, id: Uuid) -> Result<String, QueryError> {
    Ok(Toggle::with((id,)).get_result::<(String,)>(conn).await?.0)
}

pub(super) async fn make(conn: &mut Conn, body: &str) -> Result<String, QueryError> {
    let id = Uuid::now_v7();
    let values = (id, id.to_string(), None::<String>, true, body);
    Ok(Make::with(values).get_result::<(String,)>(conn).await?.0)
}

pub(super) async fn enter(conn: &mut Conn, group: Uuid, member: Uuid) -> Result<(), QueryError> {
    Enter::with((group, member)).get_result::<(Uuid,)>(conn).await?;
    Ok(())
}

statement!(
    /// Fills a group as one who adds them all at once would have left it. (Adding is measured; loading is not.)
    Fill: (SqlUuid, SqlUuid, Array<SqlUuid>) -> () =
    "INSERT INTO membership (tenant_id, group_id, member_id, member_kind, origin, since)
     SELECT $1, $2, m.id, 'User', 'admin', now() FROM unnest($3) AS m(id)"
);

/// Puts users into a group.
pub(super) async fn fill(
    conn: &mut Conn,
    (tenant, group): (TenantId, ResourceId),
    members: &[Uuid],
) -> Result<(), QueryError> {
    Fill::with((tenant.uuid(), group.uuid(), members))
        .execute(conn)
        .await?;
    Ok(())
}
