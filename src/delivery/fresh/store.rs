//! Reads `employment`, which is provision's, and notes that apps were told.

use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

use crate::db::{Conn, Statement as _};
use crate::delivery::Error;
use crate::statement;

statement!(
    LookAtFresh: (BigInt,) -> (BigInt,) =
    "WITH taken AS (SELECT tenant_id, person_id FROM employment WHERE fresh
                    ORDER BY tenant_id, person_id LIMIT $1 FOR UPDATE SKIP LOCKED),
     fresh AS (UPDATE employment e SET fresh = false FROM taken t
               WHERE e.tenant_id = t.tenant_id AND e.person_id = t.person_id RETURNING e.tenant_id, e.person_id),
     told AS (UPDATE account x SET look = true, due_at = NULL
              FROM fresh f
              JOIN person p ON p.tenant_id = f.tenant_id AND p.id = f.person_id
              JOIN app a ON a.tenant_id = f.tenant_id
              JOIN setting_revision r ON r.tenant_id = a.tenant_id AND r.owner_id = a.id
                                     AND r.revision = a.live_revision AND r.owner_kind = 'app'
              WHERE r.body ?| ARRAY['lifecycle', 'entity'] AND x.tenant_id = f.tenant_id AND x.app_id = a.id
                AND x.resource_id = p.user_id AND x.state <> 'unmatched')
     SELECT count(*) FROM fresh"
);

/// Has apps with a timing or an entity of their own look at the accounts of up to `limit` people whose employments
/// changed. Returns whether there were any. A change is told once; one that comes meanwhile is told again.
pub(in crate::delivery) async fn look_at_fresh(conn: &mut Conn, limit: i64) -> Result<bool, Error> {
    let (told,): (i64,) = LookAtFresh::with((limit,)).get_result(conn).await?;
    Ok(told > 0)
}
