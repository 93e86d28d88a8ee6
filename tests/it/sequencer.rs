//! The sequencer: what follows the log misses nothing.

use diesel_async::SimpleAsyncConnection as _;
use scim_bridge::base::{TenantId, digest};
use scim_bridge::db::{self, Db};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::kit::{Bridge, client};

const ADD: &str =
    "INSERT INTO change (tenant_id, at, resource_id, kind, action, version, origin, salt, digest)
                   VALUES ($1, now(), $2, $3, $4, 1, '{}', '', $5)";

async fn add(rows: &Client, tenant: TenantId, kind: &str, action: &str) {
    let what = digest(Uuid::now_v7().as_bytes());
    rows.execute(ADD, &[&tenant.uuid(), &Uuid::now_v7(), &kind, &action, &what])
        .await
        .unwrap();
}

async fn numbers(rows: &Client, tenant: TenantId) -> Vec<Option<i64>> {
    let rows = rows
        .query(
            "SELECT n.seq FROM change c LEFT JOIN numbered_change n ON n.id = c.id WHERE c.tenant_id = $1 ORDER BY c.id",
            &[&tenant.uuid()],
        )
        .await
        .unwrap();
    rows.into_iter().map(|row| row.get(0)).collect()
}

/// The last number of a chain that is whole, or the first that does not fit.
async fn whole_to(conn: &mut db::Conn, tenant: Uuid) -> Result<i64, i64> {
    let checked = db::check_chain(conn, tenant).await.unwrap();
    checked.broken.map_or(Ok(checked.to), |(at, _)| Err(at))
}

#[tokio::test]
async fn changes_are_numbered_per_tenant_after_commit_and_totals_kept() {
    let bridge = Bridge::spawn().await;
    let other = bridge.make_tenant("other").await;
    let rows = bridge.rows().await;
    for action in ["create", "create", "update", "delete"] {
        add(&rows, bridge.tenant, "User", action).await;
    }
    add(&rows, other, "Group", "create").await;
    bridge.drain().await;
    assert_eq!(
        numbers(&rows, bridge.tenant).await,
        [Some(1), Some(2), Some(3), Some(4)]
    );
    assert_eq!(numbers(&rows, other).await, [Some(1)]);
    let total = "SELECT total FROM resource_total WHERE tenant_id = $1 AND kind = $2";
    let users: i64 = rows
        .query_one(total, &[&bridge.tenant.uuid(), &"User"])
        .await
        .unwrap()
        .get(0);
    let groups: i64 = rows
        .query_one(total, &[&other.uuid(), &"Group"])
        .await
        .unwrap()
        .get(0);
    assert_eq!((users, groups), (1, 1));
}

#[tokio::test]
async fn a_change_that_commits_late_gets_a_later_number_and_none_is_skipped() {
    let bridge = Bridge::spawn().await;
    let rows = bridge.rows().await;
    let mut late = client(bridge.database_url()).await;
    let under_way = late.transaction().await.unwrap();
    let what = digest(b"late");
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&bridge.tenant.uuid(), &Uuid::now_v7(), &"User", &"create", &what];
    under_way.execute(ADD, &values).await.unwrap();
    add(&rows, bridge.tenant, "User", "create").await;
    bridge.drain().await;
    under_way.commit().await.unwrap();
    bridge.drain().await;
    assert_eq!(numbers(&rows, bridge.tenant).await, [Some(2), Some(1)]);
}

#[tokio::test]
async fn the_chain_tells_when_a_change_is_altered_or_gone() {
    let bridge = Bridge::spawn().await;
    let rows = bridge.rows().await;
    let tenant = bridge.tenant.uuid();
    for _ in 0..5 {
        add(&rows, bridge.tenant, "User", "create").await;
    }
    bridge.drain().await;
    let mut conn = bridge.conn().await;
    assert_eq!(whole_to(&mut conn, tenant).await, Ok(5));
    rows.execute("UPDATE change SET delta = NULL, salt = '' WHERE id IN (SELECT id FROM numbered_change WHERE seq = 2)", &[])
        .await
        .unwrap();
    assert_eq!(
        whole_to(&mut conn, tenant).await,
        Ok(5),
        "an erase keeps the chain"
    );
    rows.execute(
        "UPDATE change SET digest = '\\x00' WHERE id IN (SELECT id FROM numbered_change WHERE seq = 3)",
        &[],
    )
    .await
    .unwrap();
    assert_eq!(whole_to(&mut conn, tenant).await, Err(5));
    rows.execute(
        "DELETE FROM change WHERE id IN (SELECT id FROM numbered_change WHERE seq = 4)",
        &[],
    )
    .await
    .unwrap();
    assert_eq!(whole_to(&mut conn, tenant).await, Err(4));
}

#[tokio::test]
async fn sequencers_of_several_processes_never_give_a_number_twice() {
    let bridge = Bridge::spawn().await;
    let rows = bridge.rows().await;
    for _ in 0..40 {
        add(&rows, bridge.tenant, "User", "create").await;
    }
    let db = &bridge.app.state.db;
    let (a, b, c) = tokio::join!(
        db::number_changes(db, Uuid::now_v7()),
        db::number_changes(db, Uuid::now_v7()),
        db::number_changes(db, Uuid::now_v7()),
    );
    assert_eq!(a.unwrap().changes + b.unwrap().changes + c.unwrap().changes, 40);
    let mut seen: Vec<i64> = numbers(&rows, bridge.tenant)
        .await
        .into_iter()
        .flatten()
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, (1..=40).collect::<Vec<_>>());
}

/// Covers: item 7
#[tokio::test]
async fn gaps_are_looked_into_while_they_may_be_filled_and_forgotten_then() {
    let bridge = Bridge::spawn().await;
    let rows = bridge.rows().await;
    let what = digest(b"late");
    let (mut slow, mut vain) = (
        client(bridge.database_url()).await,
        client(bridge.database_url()).await,
    );
    let (slow, vain) = (
        slow.transaction().await.unwrap(),
        vain.transaction().await.unwrap(),
    );
    let resource = Uuid::now_v7();
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&bridge.tenant.uuid(), &resource, &"User", &"create", &what];
    for _ in 0..3 {
        slow.execute(ADD, &values).await.unwrap();
        vain.execute(ADD, &values).await.unwrap();
        add(&rows, bridge.tenant, "User", "create").await;
    }
    let gaps = "SELECT count(*) FROM change_gap";
    let waiting = "SELECT count(*) FROM unnumbered_change";
    bridge.drain().await;
    assert_eq!((bridge.count(gaps).await, bridge.count(waiting).await), (3, 0));
    bridge.drain().await;
    assert_eq!(bridge.count(gaps).await, 3, "they may still be filled");
    vain.rollback().await.unwrap();
    bridge.drain().await;
    assert_eq!(bridge.count(gaps).await, 3, "nobody can tell which were whose");
    slow.commit().await.unwrap();
    assert_eq!(bridge.count(waiting).await, 3);
    bridge.drain().await;
    assert_eq!(bridge.count(waiting).await, 0);
    // The server's own housekeeping may hold them open for a moment.
    let mut tries = 0;
    while bridge.count(gaps).await > 0 && tries < 1_000 {
        bridge.drain().await;
        tries += 1;
    }
    let mut conn = bridge.conn().await;
    assert_eq!(whole_to(&mut conn, bridge.tenant.uuid()).await, Ok(6));
    assert_eq!(bridge.count(gaps).await, 0, "nothing can come any more");
}

/// With a long log behind it, a batch once read the whole of it, since a join to the gaps was planned so.
/// Covers: item 7
#[tokio::test]
async fn numbering_reads_what_is_new_and_not_the_whole_log() {
    let bridge = Bridge::spawn().await;
    let rows = bridge.rows().await;
    let many = "INSERT INTO change (tenant_id, at, resource_id, kind, action, version, origin, salt, digest)
                SELECT $1, now(), gen_random_uuid(), 'User', 'update', 1, '{}', '', '' FROM generate_series(1, 20000)";
    rows.execute(many, &[&bridge.tenant.uuid()]).await.unwrap();
    bridge.drain().await;
    // As it looks once there have been gaps.
    let gaps = "INSERT INTO change_gap SELECT -g, -g, '{}' FROM generate_series(1, 3) AS g;
                ANALYZE change_gap; DELETE FROM change_gap; VACUUM ANALYZE change";
    for step in gaps.split(';') {
        rows.batch_execute(step).await.unwrap();
    }
    let db = Db::connect(bridge.database_url(), 1).unwrap();
    let read = async || {
        // The server counts when it gets to it, unless it is told to.
        let mut conn = db.conn().await.unwrap();
        conn.batch_execute("SELECT pg_stat_force_next_flush()")
            .await
            .unwrap();
        drop(conn);
        let read = "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'change_pkey'";
        bridge.count(read).await
    };
    let before = read().await;
    add(&rows, bridge.tenant, "User", "update").await;
    assert_eq!(db::number_changes(&db, Uuid::now_v7()).await.unwrap().changes, 1);
    let more = read().await - before;
    assert!(
        (1..1_000).contains(&more),
        "{more} entries of the log were read for one change"
    );
}

/// Covers: item 7
#[tokio::test]
async fn numbers_are_carried_over_both_ways() {
    let bridge = Bridge::spawn().await;
    let other = bridge.make_tenant("other").await;
    let rows = bridge.rows().await;
    let mut late = client(bridge.database_url()).await;
    let under_way = late.transaction().await.unwrap();
    let what = digest(b"late");
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&bridge.tenant.uuid(), &Uuid::now_v7(), &"User", &"create", &what];
    under_way.execute(ADD, &values).await.unwrap();
    for tenant in [bridge.tenant, other, bridge.tenant] {
        add(&rows, tenant, "User", "create").await;
    }
    bridge.drain().await;
    under_way.commit().await.unwrap();
    add(&rows, other, "User", "create").await;
    let unnumbered = "SELECT count(*) FROM unnumbered_change";
    assert_eq!(bridge.count(unnumbered).await, 2);
    let migration = db::MIGRATIONS
        .iter()
        .find(|one| one.name.ends_with("number_changes_in_batches"))
        .unwrap();
    rows.batch_execute(migration.down).await.unwrap();
    assert_eq!(
        bridge
            .count("SELECT count(*) FROM change WHERE seq IS NULL")
            .await,
        2
    );
    assert_eq!(
        bridge.count("SELECT sum(seq)::bigint FROM change").await,
        1 + 2 + 1
    );
    rows.batch_execute(migration.up).await.unwrap();
    assert_eq!(bridge.count(unnumbered).await, 2);
    bridge.drain().await;
    let mut conn = bridge.conn().await;
    for (tenant, last) in [(bridge.tenant, 3), (other, 2)] {
        assert_eq!(whole_to(&mut conn, tenant.uuid()).await, Ok(last));
    }
    assert_eq!(
        numbers(&rows, bridge.tenant).await,
        [Some(3), Some(1), Some(2)],
        "the late one is last"
    );
}
