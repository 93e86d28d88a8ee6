//! Numbers the committed changes of each tenant.
//!
//! A change row commits with its state, without a number: a counter that every writer had to touch, or a NOTIFY in
//! each commit, would make all writers wait for each other. Afterwards one sequencer at a time gives the numbers, chains
//! the digests, keeps the totals and what clients did for their 24-hour caps, and sends one NOTIFY for the batch. Readers of the log follow the numbers, so none of
//! them skips a change that was still under way when its neighbour committed.
//!
//! The numbers stand beside the changes (`change_number`, a row a batch), so a change is written once. What has none
//! yet is found by its id, which the database gives in rising order, but before the commit: up to `change_seen` all
//! is numbered but the ids in `change_gap`. Those belong to transactions that were under way, or rolled back. A gap is
//! looked into each time, and forgotten when every transaction that was open when it was met has ended.
//!
//! Which sequencer it is does not matter: each batch is one transaction that holds the row `sequencer` of `lease`, so
//! two never mix, and one that is killed leaves nothing behind.

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use diesel::OptionalExtension as _;
use diesel::sql_types::{
    Array, BigInt, Binary, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::{AsyncConnection as _, RunQueryDsl as _};
use serde_json::Value;
use uuid::Uuid;

use super::{Conn, Db, Error, Statement as _};
use crate::base;

/// The channel on which processes learn that changes were numbered.
pub const CHANGE_CHANNEL: &str = "bridge_change";
/// The most changes that are numbered in one transaction.
pub const NUMBERED_AT_ONCE: u16 = 2_000;

crate::statement!(
    /// Whether there is anything to number; costs a look at the end of the primary key and one into each gap.
    AnyUnnumbered: () -> (Bool,) = "SELECT EXISTS (SELECT FROM unnumbered_change)"
);
crate::statement!(
    /// Waits for the sequencer before us, and shuts out the one after us until this transaction ends.
    Lead: (SqlUuid,) -> (BigInt,) =
    "INSERT INTO lease (name, owner, epoch, until) VALUES ('sequencer', $1, 1, now())
     ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, epoch = lease.epoch + 1, until = excluded.until
     RETURNING epoch"
);
crate::statement!(
    /// Up to which id all is numbered but the gaps.
    Seen: () -> (BigInt,) = "SELECT id FROM change_seen"
);
crate::statement!(
    /// The gaps, and whether all who could fill one have ended.
    Gaps: () -> (BigInt, BigInt, Array<Text>, Bool) =
    "SELECT first, last, waits_for, NOT waits_for && ARRAY(
        SELECT l.virtualtransaction FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'virtualxid' AND a.datname = current_database())
     FROM change_gap ORDER BY first"
);
crate::statement!(
    /// Committed changes without a number, oldest first: in the gaps, and behind what was seen. One statement, so that
    /// of two changes of one resource the later is never seen without the earlier. Of a client's change of a user also
    /// which client, when, whether it disabled, and how many values it cleared. (Each gap is looked into by itself: a
    /// plain join was planned as a walk through the whole log, which cost 0.4 s a batch with 200,000 changes.)
    Unnumbered: (BigInt, BigInt) ->
        (BigInt, SqlUuid, Text, Text, Binary, Nullable<SqlUuid>, Timestamptz, Bool, Integer) =
    "SELECT id, tenant_id, kind, action, digest,
            CASE WHEN kind = 'User' AND origin->>'by' = 'client' THEN (origin->>'client')::uuid END, at,
            CASE WHEN kind = 'User' AND action = 'update' AND origin->>'by' = 'client'
                 THEN coalesce(delta @> '[{\"path\": \"active\", \"after\": false}]', false) ELSE false END,
            CASE WHEN kind = 'User' AND action = 'update' AND origin->>'by' = 'client'
                 THEN coalesce(jsonb_array_length(jsonb_path_query_array(delta, '$[*] ? (!exists(@.after))')), 0)
                 ELSE 0 END
     FROM (SELECT * FROM (SELECT c.* FROM change_gap g CROSS JOIN LATERAL (
                              SELECT * FROM change WHERE id BETWEEN g.first AND g.last ORDER BY id LIMIT $2) c
                          ORDER BY c.id LIMIT $2) late
           UNION ALL
           SELECT * FROM (SELECT * FROM change WHERE id > $1 ORDER BY id LIMIT $2) later
           ORDER BY 1 LIMIT $2) fresh
     ORDER BY 1"
);
crate::statement!(
    /// Every transaction that is open in this database now, but ours.
    Open: () -> (Array<Text>,) =
    "SELECT ARRAY(SELECT l.virtualtransaction FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
                  WHERE l.locktype = 'virtualxid' AND a.datname = current_database() AND l.pid <> pg_backend_pid())"
);
crate::statement!(
    SetSeen: (BigInt,) -> () = "UPDATE change_seen SET id = $1"
);
crate::statement!(
    DropGap: (BigInt,) -> () = "DELETE FROM change_gap WHERE first = $1"
);
crate::statement!(
    /// Notes gaps that wait for the same transactions.
    AddGaps: (Array<BigInt>, Array<BigInt>, Array<Text>) -> () =
    "INSERT INTO change_gap (first, last, waits_for) SELECT first, last, $3 FROM UNNEST($1, $2) AS given (first, last)"
);
crate::statement!(
    /// The last number and digest of some tenants.
    Chains: (Array<SqlUuid>,) -> (SqlUuid, BigInt, Binary) =
    "SELECT tenant_id, last_seq, digest FROM change_chain WHERE tenant_id = ANY ($1)"
);
crate::statement!(
    /// Gives numbers: to each tenant's changes, as an array literal, those that end with its number.
    SetNumbers: (Array<SqlUuid>, Array<BigInt>, Array<Text>) -> () =
    "INSERT INTO change_number (tenant_id, last_seq, ids)
     SELECT tenant_id, last_seq, ids::bigint[] FROM UNNEST($1, $2, $3) AS given (tenant_id, last_seq, ids)"
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
    AddUses: (Array<SqlUuid>, Array<SqlUuid>, Array<Text>, Array<Timestamptz>, Array<BigInt>) -> () =
    "INSERT INTO cap_use (tenant_id, owner_id, action, hour, uses) SELECT * FROM UNNEST($1, $2, $3, $4, $5)
     ON CONFLICT (tenant_id, owner_id, action, hour) DO UPDATE SET uses = cap_use.uses + excluded.uses"
);
crate::statement!(
    Tell: (Text,) -> (Text,) = "SELECT pg_notify($1, '')::text"
);
crate::statement!(
    /// A stretch of the numbered changes of one tenant.
    Stretch: (SqlUuid, BigInt, BigInt) -> (BigInt, Binary, Binary, Nullable<Jsonb>) =
    "SELECT n.seq, c.digest, c.salt, c.delta FROM numbered_change n JOIN change c ON c.id = n.id
     WHERE n.tenant_id = $1 AND n.last_seq > $2 AND n.seq > $2 ORDER BY n.last_seq, n.seq LIMIT $3"
);
crate::statement!(
    /// Up to where a chain was let go of.
    Checkpoint: (SqlUuid,) -> (BigInt, Binary) =
    "SELECT last_seq, digest FROM change_checkpoint WHERE tenant_id = $1"
);

type Row = (
    i64,
    Uuid,
    String,
    String,
    Vec<u8>,
    Option<Uuid>,
    DateTime<Utc>,
    bool,
    i32,
);

/// What one batch did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbered {
    /// How many changes got a number.
    pub changes: usize,
    /// The clients that changed users, each with its tenant in front: what they did counts for their caps.
    pub clients: Vec<(Uuid, Uuid)>,
}

/// Numbers up to one batch of changes. Call again until it is none.
///
/// # Errors
/// When the database fails; nothing is numbered then.
#[tracing::instrument(name = "db.change.number", skip_all)]
pub async fn number_changes(db: &Db, owner: Uuid) -> Result<Numbered, Error> {
    let mut conn = db.conn().await?;
    let (any,): (bool,) = AnyUnnumbered::with(()).get_result(&mut conn).await?;
    if !any {
        return Ok(Numbered::default());
    }
    let numbered = conn
        .transaction(async |conn| {
            let _epoch: (i64,) = Lead::with((owner,)).get_result(conn).await?;
            let (seen,): (i64,) = Seen::with(()).get_result(conn).await?;
            // Read before the changes: whoever has ended by now is seen whole.
            let gaps: Vec<Gap> = Gaps::with(()).load(conn).await?;
            let limit = i64::from(NUMBERED_AT_ONCE);
            let rows: Vec<Row> = Unnumbered::with((seen, limit)).load(conn).await?;
            number(conn, &rows).await?;
            see(conn, seen, &gaps, &rows).await?;
            let clients = count_uses(conn, &rows).await?;
            diesel::QueryResult::Ok(Numbered {
                changes: rows.len(),
                clients,
            })
        })
        .await?;
    if numbered.changes > 0 {
        db.signals().numbered();
    }
    Ok(numbered)
}

/// First and last id, who may fill it, and whether they all have ended.
type Gap = (i64, i64, Vec<String>, bool);

/// Moves on to the last change that was numbered, and keeps the gaps as they are now.
async fn see(conn: &mut Conn, seen: i64, gaps: &[Gap], rows: &[Row]) -> diesel::QueryResult<()> {
    let ids: Vec<i64> = rows.iter().map(|(id, ..)| *id).collect();
    let full = rows.len() >= usize::from(NUMBERED_AT_ONCE);
    let reached = ids.last().copied().unwrap_or(seen);
    for (first, last, waits_for, ended) in gaps {
        // Where the batch was full, what lies behind its last change was not looked at.
        let ended = *ended && (!full || *last <= reached);
        let left = if ended {
            Vec::new()
        } else {
            without(*first, *last, &ids)
        };
        if left != [(*first, *last)] {
            DropGap::with((*first,)).execute(conn).await?;
            add_gaps(conn, left, waits_for).await?;
        }
    }
    if reached > seen {
        SetSeen::with((reached,)).execute(conn).await?;
        let new = without(seen.saturating_add(1), reached, &ids);
        if !new.is_empty() {
            let (open,): (Vec<String>,) = Open::with(()).get_result(conn).await?;
            add_gaps(conn, new, &open).await?;
        }
    }
    Ok(())
}

async fn add_gaps(conn: &mut Conn, gaps: Vec<(i64, i64)>, waits_for: &[String]) -> diesel::QueryResult<()> {
    if !gaps.is_empty() {
        let (first, last): (Vec<i64>, Vec<i64>) = gaps.into_iter().unzip();
        AddGaps::with((first, last, waits_for)).execute(conn).await?;
    }
    Ok(())
}

/// What is left of the numbers from `first` to `last` without `ids`, which rise.
fn without(first: i64, last: i64, ids: &[i64]) -> Vec<(i64, i64)> {
    let (mut left, mut next) = (Vec::new(), first);
    for id in ids.iter().copied().filter(|id| (first..=last).contains(id)) {
        if id > next {
            left.push((next, id.saturating_sub(1)));
        }
        next = id.saturating_add(1);
    }
    if next <= last {
        left.push((next, last));
    }
    left
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
    let mut ids: BTreeMap<Uuid, String> = BTreeMap::new();
    for (id, tenant, kind, action, digest, ..) in rows {
        let Some((seq, chain)) = chains.get_mut(tenant) else {
            continue;
        };
        *seq = seq.saturating_add(1);
        *chain = link(chain, *seq, digest);
        let list = ids.entry(*tenant).or_default();
        list.push(if list.is_empty() { '{' } else { ',' });
        list.push_str(&id.to_string());
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
    let (mut owners, mut seqs, mut digests) = (Vec::new(), Vec::new(), Vec::new());
    for (tenant, (seq, digest)) in chains {
        owners.push(tenant);
        seqs.push(seq);
        digests.push(digest);
    }
    // Both have the tenants in the same order.
    let lists: Vec<String> = ids.into_values().map(|list| list + "}").collect();
    SetNumbers::with((owners.clone(), seqs.clone(), lists))
        .execute(conn)
        .await?;
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

/// Counts for the 24-hour caps what clients did to users, by the hour. Returns who did anything.
async fn count_uses(conn: &mut Conn, rows: &[Row]) -> diesel::QueryResult<Vec<(Uuid, Uuid)>> {
    let mut uses: BTreeMap<(Uuid, Uuid, &str, DateTime<Utc>), i64> = BTreeMap::new();
    for (_, tenant, _, action, _, client, at, disabled, cleared) in rows {
        let Some(client) = *client else { continue };
        let hour = at.duration_trunc(TimeDelta::hours(1)).unwrap_or(*at);
        let mut note = |what, uses_now: i64| {
            if uses_now > 0 {
                let sum = uses.entry((*tenant, client, what, hour)).or_default();
                *sum = sum.saturating_add(uses_now);
            }
        };
        match action.as_str() {
            "create" => note("create", 1),
            "delete" => note("delete", 1),
            _ => {
                note("disable", i64::from(*disabled));
                note("clear", i64::from(*cleared));
            }
        }
    }
    if uses.is_empty() {
        return Ok(Vec::new());
    }
    let mut clients: Vec<(Uuid, Uuid)> = uses
        .keys()
        .map(|(tenant, client, ..)| (*tenant, *client))
        .collect();
    clients.dedup();
    let (mut tenants, mut owners, mut actions) = (Vec::new(), Vec::new(), Vec::new());
    let (mut hours, mut sums) = (Vec::new(), Vec::new());
    for ((tenant, client, action, hour), sum) in uses {
        tenants.push(tenant);
        owners.push(client);
        actions.push(action);
        hours.push(hour);
        sums.push(sum);
    }
    AddUses::with((tenants, owners, actions, hours, sums))
        .execute(conn)
        .await?;
    Ok(clients)
}

/// The digest of a chain without changes.
#[must_use]
pub fn beginning(tenant: Uuid) -> Vec<u8> {
    base::digest(tenant.as_bytes())
}

/// A chain's digest with one more change: over the digest before, the number, and the change's own salted digest.
#[must_use]
pub fn link(before: &[u8], seq: i64, digest: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(before.len().saturating_add(digest.len()).saturating_add(8));
    bytes.extend_from_slice(before);
    bytes.extend_from_slice(&seq.to_be_bytes());
    bytes.extend_from_slice(digest);
    base::digest(&bytes)
}

/// What came out of checking a chain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    /// Up to this number changes were let go of, and the chain's digest there was kept.
    pub from: i64,
    /// The last number.
    pub to: i64,
    /// Changes whose content was erased or let go of: of them the digest is checked alone.
    pub without_content: i64,
    /// Changes of others out of which an erase took values: the rest of their content is there, and the digest is checked alone.
    pub partly_erased: i64,
    /// The first number that does not fit, and why.
    pub broken: Option<(i64, &'static str)>,
}

/// Checks the chain of a tenant's numbered changes, page by page: every number is there once, every content fits its salted
/// digest (HMAC-SHA-256 of its JSON under the salt), and the digests fit the one that was kept.
///
/// # Errors
/// When the database fails.
#[tracing::instrument(name = "db.change.check", skip_all)]
pub async fn check_chain(conn: &mut Conn, tenant: Uuid) -> diesel::QueryResult<Checked> {
    // Of one moment: retention lets go of numbers meanwhile.
    conn.build_transaction()
        .repeatable_read()
        .read_only()
        .run(async |conn| check(conn, tenant).await)
        .await
}

async fn check(conn: &mut Conn, tenant: Uuid) -> diesel::QueryResult<Checked> {
    let kept: Vec<(Uuid, i64, Vec<u8>)> = Chains::with((vec![tenant],)).load(conn).await?;
    let (last, kept) = kept
        .into_iter()
        .next()
        .map_or_else(|| (0, beginning(tenant)), |(_, seq, digest)| (seq, digest));
    let from: Option<(i64, Vec<u8>)> = Checkpoint::with((tenant,)).get_result(conn).await.optional()?;
    let (mut seq, mut chain) = from.unwrap_or_else(|| (0, beginning(tenant)));
    let mut checked = Checked {
        from: seq,
        to: last,
        ..Checked::default()
    };
    type Link = (i64, Vec<u8>, Vec<u8>, Option<Value>);
    while seq < last {
        let page: Vec<Link> = Stretch::with((tenant, seq, i64::from(NUMBERED_AT_ONCE)))
            .load(conn)
            .await?;
        if page.is_empty() {
            checked.broken = Some((seq.saturating_add(1), "it is missing"));
            return Ok(checked);
        }
        for (number, digest, salt, delta) in page.into_iter().take_while(|(number, ..)| *number <= last) {
            seq = seq.saturating_add(1);
            if number != seq {
                checked.broken = Some((seq, "it is missing"));
                return Ok(checked);
            }
            match delta {
                None => checked.without_content = checked.without_content.saturating_add(1),
                // An erase of somebody else took a value out of it.
                Some(_) if salt.is_empty() => checked.partly_erased = checked.partly_erased.saturating_add(1),
                Some(delta) if base::keyed_digest(&salt, delta.to_string().as_bytes()) == digest => {}
                Some(_) => {
                    checked.broken = Some((seq, "its content does not fit its digest"));
                    return Ok(checked);
                }
            }
            chain = link(&chain, number, &digest);
        }
    }
    if chain != kept {
        checked.broken = Some((last, "the digests do not fit the one that was kept"));
    }
    Ok(checked)
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn what_is_left_of_a_gap() {
        assert_eq!(without(1, 0, &[]), []);
        assert_eq!(without(1, 5, &[]), [(1, 5)]);
        assert_eq!(without(1, 5, &[1, 2, 3, 4, 5]), []);
        assert_eq!(without(1, 5, &[0, 2, 5, 9]), [(1, 1), (3, 4)]);
        assert_eq!(without(3, 3, &[2, 4]), [(3, 3)]);
    }
}
