//! The tables `frozen` and `cap_use`.

use chrono::{DateTime, Duration, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{CapUse, Frozen};
use crate::base::TenantId;
use crate::db::{Conn, Statement as _};
use crate::guard::Error;
use crate::statement;

statement!(
    ReadFrozen: (SqlUuid, SqlUuid) -> (Text,) =
    "SELECT reason FROM frozen WHERE tenant_id = $1 AND owner_id IN ($1, $2) ORDER BY since LIMIT 1"
);
statement!(
    AllFrozen: (SqlUuid,) -> (SqlUuid, Timestamptz, Text, Text) =
    "SELECT owner_id, since, reason, by_whom FROM frozen WHERE tenant_id = $1 ORDER BY since, owner_id"
);
statement!(
    /// Tells every process: what a writing client may do is remembered with its tokens.
    Freeze: (SqlUuid, SqlUuid, Timestamptz, Text, Text) -> (Text,) =
    "INSERT INTO frozen (tenant_id, owner_id, since, reason, by_whom) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (tenant_id, owner_id) DO NOTHING RETURNING pg_notify('bridge_access', owner_id::text)::text"
);
statement!(
    /// Forgets the uses too: whoever lifts a freeze has seen them.
    Thaw: (SqlUuid, SqlUuid) -> (Text,) =
    "WITH uses AS (DELETE FROM cap_use WHERE tenant_id = $1 AND owner_id = $2)
     DELETE FROM frozen WHERE tenant_id = $1 AND owner_id = $2
     RETURNING pg_notify('bridge_access', owner_id::text)::text"
);
statement!(
    CapUses: (Array<SqlUuid>, Array<SqlUuid>, Timestamptz) -> (SqlUuid, SqlUuid, Text, BigInt, BigInt) =
    "SELECT c.tenant_id, c.owner_id, c.action, sum(c.uses)::bigint,
            coalesce((SELECT total FROM resource_total t WHERE t.tenant_id = c.tenant_id AND t.kind = 'User'), 0)
     FROM unnest($1, $2) AS who (tenant_id, owner_id)
     JOIN cap_use c ON c.tenant_id = who.tenant_id AND c.owner_id = who.owner_id AND c.hour > $3
     WHERE NOT EXISTS (SELECT FROM frozen f WHERE f.tenant_id = c.tenant_id AND f.owner_id = c.owner_id)
     GROUP BY c.tenant_id, c.owner_id, c.action"
);

statement!(
    ForgetUses: (Timestamptz,) -> () = "DELETE FROM cap_use WHERE hour < $1"
);

/// Forgets uses that no cap looks at any more.
///
/// # Errors
/// When the store refuses.
pub async fn forget_uses(conn: &mut Conn, now: DateTime<Utc>) -> Result<(), Error> {
    ForgetUses::with((now - Duration::hours(26),))
        .execute(conn)
        .await?;
    Ok(())
}

/// Why `owner` may have no effect now: it, or the whole tenant, is frozen.
///
/// # Errors
/// When the store refuses.
pub async fn frozen(conn: &mut Conn, tenant: TenantId, owner: Uuid) -> Result<Option<String>, Error> {
    let row: Option<(String,)> = ReadFrozen::with((tenant.uuid(), owner))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(|(reason,)| reason))
}

/// All that is frozen in a tenant, the longest first.
///
/// # Errors
/// When the store refuses.
pub async fn all_frozen(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Frozen>, Error> {
    let rows: Vec<(Uuid, DateTime<Utc>, String, String)> =
        AllFrozen::with((tenant.uuid(),)).load(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(owner, since, reason, by)| Frozen {
            owner,
            since,
            reason,
            by,
        })
        .collect())
}

/// Freezes `owner` (an app, a connection, a client, or the tenant by its own id). Returns whether it was not frozen
/// already.
///
/// # Errors
/// When the store refuses.
pub async fn freeze(
    conn: &mut Conn,
    tenant: TenantId,
    owner: Uuid,
    reason: &str,
    by: &str,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let done: Vec<(String,)> = Freeze::with((tenant.uuid(), owner, now, reason, by))
        .load(conn)
        .await?;
    Ok(!done.is_empty())
}

/// Lifts a freeze; the 24 hours of the caps begin anew. Returns whether there was one.
///
/// # Errors
/// When the store refuses.
pub async fn thaw(conn: &mut Conn, tenant: TenantId, owner: Uuid) -> Result<bool, Error> {
    let done: Vec<(String,)> = Thaw::with((tenant.uuid(), owner)).load(conn).await?;
    Ok(!done.is_empty())
}

/// What these clients, of those that are not frozen, did in the last 24 hours, by the hour.
///
/// # Errors
/// When the store refuses.
pub async fn cap_uses(
    conn: &mut Conn,
    clients: &[(Uuid, Uuid)],
    now: DateTime<Utc>,
) -> Result<Vec<((TenantId, Uuid), CapUse)>, Error> {
    let (tenants, owners): (Vec<Uuid>, Vec<Uuid>) = clients.iter().copied().unzip();
    let rows: Vec<(Uuid, Uuid, String, i64, i64)> =
        CapUses::with((tenants, owners, now - Duration::hours(24)))
            .load(conn)
            .await?;
    let mut found: Vec<((TenantId, Uuid), CapUse)> = Vec::new();
    let unsigned = |number: i64| u64::try_from(number).unwrap_or_default();
    for (tenant, owner, action, uses, users) in rows {
        let who = (TenantId::from(tenant), owner);
        let place = match found.iter().position(|(known, _)| *known == who) {
            Some(place) => place,
            None => {
                found.push((who, CapUse::default()));
                found.len().saturating_sub(1)
            }
        };
        let at = super::CapAction::ALL
            .iter()
            .position(|one| one.as_str() == action);
        if let (Some((_, used)), Some(at)) = (found.get_mut(place), at) {
            used.users = unsigned(users);
            if let Some(slot) = used.uses.get_mut(at) {
                *slot = unsigned(uses);
            }
        }
    }
    Ok(found)
}
