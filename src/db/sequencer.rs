//! Numbers the committed changes of each tenant.
//!
//! A change row commits with its state, without a number: a counter that every writer had to touch, or a NOTIFY in
//! each commit, would make all writers wait for each other. Afterwards one sequencer at a time gives the numbers, chains
//! the digests, keeps the totals and sends one NOTIFY for the batch. Readers of the log follow the numbers, so none of
//! them skips a change that was still under way when its neighbour committed.
//!
//! Which sequencer it is does not matter: each batch is one transaction that holds the row `sequencer` of `lease`, so
//! two never mix, and one that is killed leaves nothing behind.

use std::collections::BTreeMap;

use diesel::sql_types::{Array, BigInt, Binary, Bool, Text, Uuid as SqlUuid};
use diesel_async::{AsyncConnection as _, RunQueryDsl as _};
use uuid::Uuid;

use super::{Conn, Db, Error, Statement as _};
use crate::base;

/// The channel on which processes learn that changes were numbered.
pub const CHANGE_CHANNEL: &str = "bridge_change";
/// The most changes that are numbered in one transaction.
pub const NUMBERED_AT_ONCE: u16 = 2_000;

crate::statement!(
    /// Whether there is anything to number; costs one look into a partial index that is nearly always empty.
    AnyUnnumbered: () -> (Bool,) = "SELECT EXISTS (SELECT FROM change WHERE seq IS NULL)"
);
crate::statement!(
    /// Waits for the sequencer before us, and shuts out the one after us until this transaction ends.
    Lead: (SqlUuid,) -> (BigInt,) =
    "INSERT INTO lease (name, owner, epoch, until) VALUES ('sequencer', $1, 1, now())
     ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, epoch = lease.epoch + 1, until = excluded.until
     RETURNING epoch"
);
crate::statement!(
    /// Committed changes without a number, oldest first.
    Unnumbered: (BigInt,) -> (BigInt, SqlUuid, Text, Text, Binary) =
    "SELECT id, tenant_id, kind, action, digest FROM change WHERE seq IS NULL ORDER BY id LIMIT $1"
);
crate::statement!(
    /// The last number and digest of some tenants.
    Chains: (Array<SqlUuid>,) -> (SqlUuid, BigInt, Binary) =
    "SELECT tenant_id, last_seq, digest FROM change_chain WHERE tenant_id = ANY ($1)"
);
crate::statement!(
    SetNumbers: (Array<BigInt>, Array<BigInt>) -> () =
    "UPDATE change SET seq = given.seq FROM UNNEST($1, $2) AS given (id, seq) WHERE change.id = given.id"
);
crate::statement!(
    SetChains: (Array<SqlUuid>, Array<BigInt>, Array<Binary>) -> () =
    "INSERT INTO change_chain (tenant_id, last_seq, digest) SELECT * FROM UNNEST($1, $2, $3)
     ON CONFLICT (tenant_id) DO UPDATE SET last_seq = excluded.last_seq, digest = excluded.digest"
);
crate::statement!(
    AddTotals: (Array<SqlUuid>, Array<Text>, Array<BigInt>) -> () =
    "INSERT INTO resource_total (tenant_id, kind, total) SELECT * FROM UNNEST($1, $2, $3)
     ON CONFLICT (tenant_id, kind) DO UPDATE SET total = resource_total.total + excluded.total"
);
crate::statement!(
    Tell: (Text,) -> (Text,) = "SELECT pg_notify($1, '')::text"
);
crate::statement!(
    /// A stretch of the numbered changes of one tenant.
    Numbered: (SqlUuid, BigInt, BigInt) -> (BigInt, Binary) =
    "SELECT seq, digest FROM change WHERE tenant_id = $1 AND seq > $2 ORDER BY seq LIMIT $3"
);

type Row = (i64, Uuid, String, String, Vec<u8>);

/// Numbers up to one batch of changes; returns how many. Call again until it is none.
///
/// # Errors
/// When the database fails; nothing is numbered then.
#[tracing::instrument(name = "db.change.number", skip_all)]
pub async fn number_changes(db: &Db, owner: Uuid) -> Result<usize, Error> {
    let mut conn = db.conn().await?;
    let (any,): (bool,) = AnyUnnumbered::with(()).get_result(&mut conn).await?;
    if !any {
        return Ok(0);
    }
    let numbered = conn
        .transaction(async |conn| {
            let _epoch: (i64,) = Lead::with((owner,)).get_result(conn).await?;
            let rows: Vec<Row> = Unnumbered::with((i64::from(NUMBERED_AT_ONCE),))
                .load(conn)
                .await?;
            number(conn, &rows).await?;
            diesel::QueryResult::Ok(rows.len())
        })
        .await?;
    if numbered > 0 {
        db.signals().numbered();
    }
    Ok(numbered)
}

async fn number(conn: &mut Conn, rows: &[Row]) -> diesel::QueryResult<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut tenants: Vec<Uuid> = rows.iter().map(|(_, tenant, ..)| *tenant).collect();
    tenants.sort_unstable();
    tenants.dedup();
    let known: Vec<(Uuid, i64, Vec<u8>)> = Chains::with((tenants.clone(),)).load(conn).await?;
    let mut chains: BTreeMap<Uuid, (i64, Vec<u8>)> = tenants
        .into_iter()
        .map(|tenant| (tenant, (0, beginning(tenant))))
        .collect();
    chains.extend(
        known
            .into_iter()
            .map(|(tenant, seq, digest)| (tenant, (seq, digest))),
    );
    let mut totals: BTreeMap<(Uuid, &str), i64> = BTreeMap::new();
    let (mut ids, mut numbers) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    for (id, tenant, kind, action, digest) in rows {
        let Some((seq, chain)) = chains.get_mut(tenant) else {
            continue;
        };
        *seq = seq.saturating_add(1);
        *chain = link(chain, *seq, digest);
        ids.push(*id);
        numbers.push(*seq);
        let more = match action.as_str() {
            "create" => 1,
            "delete" => -1,
            _ => 0,
        };
        if more != 0 {
            let total = totals.entry((*tenant, kind)).or_default();
            *total = total.saturating_add(more);
        }
    }
    SetNumbers::with((ids, numbers)).execute(conn).await?;
    let (mut owners, mut seqs, mut digests) = (Vec::new(), Vec::new(), Vec::new());
    for (tenant, (seq, digest)) in chains {
        owners.push(tenant);
        seqs.push(seq);
        digests.push(digest);
    }
    SetChains::with((owners, seqs, digests)).execute(conn).await?;
    if !totals.is_empty() {
        let (mut owners, mut kinds, mut sums) = (Vec::new(), Vec::new(), Vec::new());
        for ((tenant, kind), total) in totals {
            owners.push(tenant);
            kinds.push(kind);
            sums.push(total);
        }
        AddTotals::with((owners, kinds, sums)).execute(conn).await?;
    }
    let _told: (String,) = Tell::with((CHANGE_CHANNEL,)).get_result(conn).await?;
    Ok(())
}

/// The digest of a chain without changes.
#[must_use]
pub fn beginning(tenant: Uuid) -> Vec<u8> {
    base::digest(tenant.as_bytes())
}

/// A chain's digest with one more change: over the digest before, the number, and the change's own salted digest.
fn link(before: &[u8], seq: i64, digest: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(before.len().saturating_add(digest.len()).saturating_add(8));
    bytes.extend_from_slice(before);
    bytes.extend_from_slice(&seq.to_be_bytes());
    bytes.extend_from_slice(digest);
    base::digest(&bytes)
}

/// What came out of checking a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// Every number is there once, and the digests fit, up to this number.
    Whole(i64),
    /// The first number that is missing, or after which the digest does not fit.
    Broken(i64),
}

/// Checks the chain of a tenant's numbered changes against the digest that was kept.
///
/// # Errors
/// When the database fails.
pub async fn check_chain(conn: &mut Conn, tenant: Uuid) -> diesel::QueryResult<Chain> {
    let kept: Vec<(Uuid, i64, Vec<u8>)> = Chains::with((vec![tenant],)).load(conn).await?;
    let (last, kept) = kept
        .into_iter()
        .next()
        .map_or_else(|| (0, beginning(tenant)), |(_, seq, digest)| (seq, digest));
    let (mut seq, mut chain) = (0_i64, beginning(tenant));
    while seq < last {
        let page: Vec<(i64, Vec<u8>)> = Numbered::with((tenant, seq, i64::from(NUMBERED_AT_ONCE)))
            .load(conn)
            .await?;
        if page.is_empty() {
            return Ok(Chain::Broken(seq.saturating_add(1)));
        }
        for (number, digest) in page.into_iter().take_while(|(number, _)| *number <= last) {
            seq = seq.saturating_add(1);
            if number != seq {
                return Ok(Chain::Broken(seq));
            }
            chain = link(&chain, number, &digest);
        }
    }
    Ok(if chain == kept {
        Chain::Whole(last)
    } else {
        Chain::Broken(last)
    })
}
