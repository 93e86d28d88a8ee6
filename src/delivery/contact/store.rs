//! Keeps what an app has and links it to ours. Reads the directory's `resource`.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Json, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::base::{AppId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::delivery::Error;
use crate::delivery::propose::Waits;
use crate::delivery::store::uuids;
use crate::provision::Candidate;
use crate::statement;

/// One of ours, as matching reads it: id and body.
pub(super) type Own = (ResourceId, Value);

statement!(
    OwnPage: (SqlUuid, Text, SqlUuid, BigInt) -> (SqlUuid, Json) =
    "SELECT id, body FROM resource
     WHERE tenant_id = $1 AND kind = $2 AND id > $3 ORDER BY id LIMIT $4"
);

/// A page of ours, in order of ids.
pub(super) async fn own_page(
    conn: &mut Conn,
    tenant: TenantId,
    kind: &str,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Own>, Error> {
    let rows: Vec<(Uuid, Value)> = OwnPage::with((tenant.uuid(), kind, after, limit))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(|(id, body)| (id.into(), body)).collect())
}

statement!(
    PutUnmatched: (SqlUuid, SqlUuid, Timestamptz, Text, Array<SqlUuid>, Array<Text>, Array<Jsonb>) -> () =
    "INSERT INTO account (tenant_id, app_id, resource_id, kind, remote_id, state, reason, since, verified_at, known, look)
     SELECT $1, $2, u.id, $4, u.remote_id, 'unmatched', 'the app has it and nobody of ours does', $3, $3, u.known, false
     FROM UNNEST($5::uuid[], $6::text[], $7::jsonb[]) AS u(id, remote_id, known)
     ON CONFLICT (tenant_id, app_id, kind, remote_id) WHERE remote_id IS NOT NULL DO UPDATE
     SET verified_at = $3,
         known = CASE WHEN account.state = 'unmatched' THEN excluded.known ELSE account.known END"
);

/// Keeps a page of the app's accounts; those that are linked already are only noted as seen.
pub(in crate::delivery) async fn put_unmatched(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    kind: &str,
    rows: &[(String, Value)],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let ids: Vec<Uuid> = rows.iter().map(|_| ResourceId::new().uuid()).collect();
    let remotes: Vec<&str> = rows.iter().map(|(remote, _)| remote.as_str()).collect();
    let known: Vec<&Value> = rows.iter().map(|(_, known)| known).collect();
    PutUnmatched::with((tenant.uuid(), app.uuid(), now, kind, ids, remotes, known))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    KnownAs: (SqlUuid, SqlUuid, Text, Array<Text>) -> (Text, Nullable<Text>) =
    "SELECT remote_id, known ->> 'externalId' FROM account
     WHERE tenant_id = $1 AND app_id = $2 AND kind = $3 AND remote_id = ANY($4) AND state <> 'unmatched'"
);

/// Which of these ids of the app are linked, each with the externalId that we know of it.
pub(super) async fn known_as(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    kind: &str,
    remotes: &[&str],
) -> Result<Vec<(String, Option<String>)>, Error> {
    Ok(KnownAs::with((tenant.uuid(), app.uuid(), kind, remotes))
        .get_results(conn)
        .await?)
}

statement!(
    SomeLinked: (SqlUuid, SqlUuid, BigInt) -> (Text,) =
    "SELECT remote_id FROM account
     WHERE tenant_id = $1 AND app_id = $2 AND kind = 'User' AND remote_id IS NOT NULL AND state <> 'unmatched' LIMIT $3"
);

/// The app's ids of some users that are linked.
pub(super) async fn some_linked(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    limit: i64,
) -> Result<Vec<String>, Error> {
    let rows: Vec<(String,)> = SomeLinked::with((tenant.uuid(), app.uuid(), limit))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(|(remote,)| remote).collect())
}

statement!(
    ClearDoubt: (SqlUuid, SqlUuid) -> () =
    "UPDATE account SET doubtful = false, candidates = NULL, look = true, due_at = NULL WHERE tenant_id = $1 AND app_id = $2 AND doubtful AND NOT severed"
);

/// Doubts of an earlier contact are looked at anew.
pub(super) async fn clear_doubt(conn: &mut Conn, (tenant, app): (TenantId, AppId)) -> Result<(), Error> {
    ClearDoubt::with((tenant.uuid(), app.uuid()))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    NotLinked: (SqlUuid, SqlUuid, Array<SqlUuid>) -> (SqlUuid,) =
    "SELECT p.id FROM UNNEST($3::uuid[]) AS p(id)
     WHERE NOT EXISTS (SELECT 1 FROM account x WHERE x.tenant_id = $1 AND x.app_id = $2 AND x.resource_id = p.id
                       AND (x.remote_id IS NOT NULL OR x.severed))"
);
statement!(
    TakeUnmatched: (SqlUuid, SqlUuid, Text, Array<Text>) -> (Text, Nullable<Jsonb>) =
    "DELETE FROM account WHERE tenant_id = $1 AND app_id = $2 AND kind = $3 AND remote_id = ANY($4) AND state = 'unmatched'
     RETURNING remote_id, known"
);
statement!(
    Link: (SqlUuid, SqlUuid, Timestamptz, Text, Array<SqlUuid>, Array<Text>, Array<Nullable<Jsonb>>, Array<Bool>, Nullable<Jsonb>) -> () =
    "INSERT INTO account (tenant_id, app_id, resource_id, kind, remote_id, state, reason, since, verified_at, known, adopted, look, priority, waits)
     SELECT $1, $2, l.id, $4, l.remote_id, 'pending', '', $3, $3, l.known, l.adopted, true,
            CASE WHEN $4 = 'Group' THEN 7 ELSE 5 END, $9
     FROM UNNEST($5::uuid[], $6::text[], $7::jsonb[], $8::bool[]) AS l(id, remote_id, known, adopted)
     ON CONFLICT (tenant_id, app_id, resource_id) DO UPDATE
     SET remote_id = excluded.remote_id, known = excluded.known, adopted = excluded.adopted, verified_at = $3,
         look = true, due_at = NULL, doubtful = false, waits = coalesce(excluded.waits, account.waits)
     WHERE account.remote_id IS NULL"
);

/// Links ours to accounts of the app: id, the app's id, whether the account bears our id. Who is linked already stays so;
/// with `waits`, nothing is done about the new ones before it is judged.
pub(super) async fn link(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    kind: &str,
    pairs: &[(ResourceId, String, bool)],
    waits: Option<&Waits>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let waits = waits.and_then(|waits| serde_json::to_value(waits).ok());
    let ids: Vec<ResourceId> = pairs.iter().map(|(id, ..)| *id).collect();
    let free: Vec<(Uuid,)> = NotLinked::with((tenant.uuid(), app.uuid(), uuids(&ids)))
        .get_results(conn)
        .await?;
    let free: std::collections::HashSet<Uuid> = free.into_iter().map(|(id,)| id).collect();
    let pairs: std::collections::HashMap<&str, (Uuid, bool)> = pairs
        .iter()
        .filter(|(id, ..)| free.contains(&id.uuid()))
        .map(|(id, remote, by_our_id)| (remote.as_str(), (id.uuid(), *by_our_id)))
        .collect();
    let remotes: Vec<&str> = pairs.keys().copied().collect();
    let taken: Vec<(String, Option<Value>)> = TakeUnmatched::with((tenant.uuid(), app.uuid(), kind, remotes))
        .get_results(conn)
        .await?;
    let mut ids = Vec::new();
    let mut remotes = Vec::new();
    let mut known = Vec::new();
    let mut adopted = Vec::new();
    for (remote, value) in taken {
        if let Some((id, by_our_id)) = pairs.get(remote.as_str()) {
            ids.push(*id);
            remotes.push(remote);
            known.push(value);
            adopted.push(!by_our_id);
        }
    }
    Link::with((
        tenant.uuid(),
        app.uuid(),
        now,
        kind,
        ids,
        remotes,
        known,
        adopted,
        waits,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

statement!(
    Doubt: (SqlUuid, SqlUuid, Timestamptz, Text, Array<SqlUuid>, Array<Text>, Array<Jsonb>) -> () =
    "INSERT INTO account (tenant_id, app_id, resource_id, kind, state, reason, since, look, doubtful, candidates)
     SELECT $1, $2, d.id, $4, 'held', d.reason, $3, false, true, d.candidates
     FROM UNNEST($5::uuid[], $6::text[], $7::jsonb[]) AS d(id, reason, candidates)
     ON CONFLICT (tenant_id, app_id, resource_id) DO UPDATE
     SET doubtful = true, state = 'held', reason = excluded.reason, candidates = excluded.candidates, since = $3, look = false
     WHERE account.remote_id IS NULL AND NOT account.severed"
);

/// Marks those of ours of which it is doubtful which account is theirs: why, and all that it may be or collides with.
pub(super) async fn doubt(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    kind: &str,
    doubtful: &[(ResourceId, String, Vec<Candidate>)],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if doubtful.is_empty() {
        return Ok(());
    }
    let ids: Vec<ResourceId> = doubtful.iter().map(|(id, ..)| *id).collect();
    let reasons: Vec<&str> = doubtful.iter().map(|(_, reason, _)| reason.as_str()).collect();
    let candidates: Vec<Value> = doubtful
        .iter()
        .map(|(.., found)| serde_json::json!(found))
        .collect();
    Doubt::with((
        tenant.uuid(),
        app.uuid(),
        now,
        kind,
        uuids(&ids),
        reasons,
        candidates,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

statement!(
    ForgetUnseen: (SqlUuid, SqlUuid, Timestamptz) -> () =
    "DELETE FROM account WHERE tenant_id = $1 AND app_id = $2 AND state = 'unmatched' AND verified_at < $3"
);
statement!(
    SetMatched: (SqlUuid, SqlUuid, Timestamptz, Jsonb) -> () =
    "UPDATE app SET matched_at = $3, capabilities = $4 WHERE tenant_id = $1 AND id = $2"
);

/// Forgets accounts that nobody of ours had and that the app no longer has.
pub(in crate::delivery) async fn forget_unseen(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    began: DateTime<Utc>,
) -> Result<(), Error> {
    ForgetUnseen::with((tenant.uuid(), app.uuid(), began))
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends a contact: accounts that the app no longer has are forgotten, and what it can do is noted.
pub(super) async fn set_matched(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    began: DateTime<Utc>,
    now: DateTime<Utc>,
    capabilities: &Value,
) -> Result<(), Error> {
    forget_unseen(conn, (tenant, app), began).await?;
    SetMatched::with((tenant.uuid(), app.uuid(), now, capabilities))
        .execute(conn)
        .await?;
    Ok(())
}
