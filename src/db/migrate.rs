//! Migrations: in the binary, run once by whoever comes first.

use std::time::Duration;

use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel_async::{AsyncConnection as _, RunQueryDsl as _, SimpleAsyncConnection as _};

use super::{Conn, Db, Error, Statement as _};
use crate::base;

/// One step of the schema.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Its folder under `migrations/`; they run in the order of these names.
    pub name: &'static str,
    /// What it does.
    pub up: &'static str,
    /// What takes it back.
    pub down: &'static str,
}

macro_rules! migrations {
    ($($name:literal),+ $(,)?) => {
        &[$(Migration {
            name: $name,
            up: include_str!(concat!("../../migrations/", $name, "/up.sql")),
            down: include_str!(concat!("../../migrations/", $name, "/down.sql")),
        }),+]
    };
}

/// Every migration, oldest first: one line each.
pub const MIGRATIONS: &[Migration] = migrations![
    "2026-11-21-210000_create_the_bridge",
    "2026-11-22-010000_add_definition",
    "2026-11-22-020000_count_who_follows_a_walk",
    "2026-11-22-020100_key_the_beginnings_of_emails",
    "2026-11-22-020200_find_who_has_no_name",
    "2026-11-22-040000_number_changes_in_batches",
    "2026-11-22-050000_name_members",
    "2026-11-22-060000_remember_whose_word_counts",
    "2026-11-22-070000_fold_capital_sharp_s",
    "2026-11-22-100000_find_by_every_value",
    "2026-11-22-110000_share_sign_ins",
    "2026-11-22-111000_ask_for_consent",
    "2026-11-22-120000_keep_how_far_a_read_came",
    "2026-11-22-130000_hear_webhooks",
    "2026-11-22-140000_keep_bodies_as_text",
    "2026-11-22-150000_decline_plan_items",
    "2026-11-22-151000_keep_decisions_of_plans",
    "2026-11-22-160000_guard_every_cause_of_an_app",
    "2026-11-22-170000_decide_many_holds",
    "2026-11-22-171000_run_hooks_and_cut_links",
    "2026-11-22-180000_remember_earlier_reads",
    "2026-11-22-190000_move_links_and_give_names",
    "2026-11-22-191000_take_pushed_records",
    "2026-11-22-200000_keep_employments",
    "2026-11-22-201000_plan_removals",
    "2026-11-22-210000_keep_events",
    "2026-11-22-211000_tell_people",
    "2026-11-22-212000_find_late_leavers",
    "2026-11-22-213000_tell_before_a_removal",
    "2026-11-22-214000_escalate_for_a_tenant",
    "2026-11-22-215000_find_doubtful_accounts",
    "2026-11-22-220000_remember_states_of_accounts",
    "2026-11-22-221000_let_people_go",
    "2026-11-22-230000_remember_checks",
    "2026-11-23-100000_compare_members",
    "2026-11-23-110000_find_due_accounts",
    "2026-11-23-120000_erase_in_the_background",
    "2026-11-23-140000_end_plans_with_a_reason",
    "2026-11-23-160000_tell_each_its_own",
];

/// The session lock under which migrations run: "scimbrdg" as a number.
const LOCK: i64 = 0x7363_696d_6272_6467;
const LONGEST_WAIT: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(100);

crate::statement!(
    /// Asks for the migration lock without waiting in the server: a waiting session would hold a snapshot, and a
    /// concurrent index build waits for snapshots.
    TryLock: (BigInt,) -> (Bool,) = "SELECT pg_try_advisory_lock($1)"
);
crate::statement!(
    /// Gives the migration lock back.
    Unlock: (BigInt,) -> (Bool,) = "SELECT pg_advisory_unlock($1)"
);
crate::statement!(
    /// What has been applied.
    Applied: () -> (Text,) = "SELECT name FROM schema_migration ORDER BY name"
);
crate::statement!(
    /// Whether any migration has ever run here.
    Known: () -> (Bool,) = "SELECT to_regclass('schema_migration') IS NOT NULL"
);
crate::statement!(
    /// Notes a migration as applied.
    Note: (Text,) -> () = "INSERT INTO schema_migration (name, applied_at) VALUES ($1, now())"
);
crate::statement!(
    /// Notes a migration as taken back.
    Forget: (Text,) -> () = "DELETE FROM schema_migration WHERE name = $1"
);
crate::statement!(
    /// The server's version, as text and as a number such as 150014.
    Version: () -> (Text, BigInt) =
    "SELECT current_setting('server_version'), current_setting('server_version_num')::bigint"
);

/// Runs the migrations that are missing, each in a transaction of its own, and returns their names.
///
/// # Errors
/// When the server is too old or was migrated by a newer program, or a migration fails.
pub async fn migrate(db: &Db) -> Result<Vec<&'static str>, Error> {
    let mut conn = db.direct().await?;
    let (found, number): (String, i64) = Version::with(()).get_result(&mut conn).await?;
    if number < 150_000 {
        return Err(Error::TooOld { found });
    }
    lock(&mut conn).await?;
    let done = run_missing(&mut conn).await;
    Unlock::with((LOCK,)).get_result::<(bool,)>(&mut conn).await?;
    done
}

async fn lock(conn: &mut Conn) -> Result<(), Error> {
    let mut waited = Duration::ZERO;
    loop {
        let (locked,): (bool,) = TryLock::with((LOCK,)).get_result(conn).await?;
        if locked {
            return Ok(());
        }
        if waited >= LONGEST_WAIT {
            return Err(Error::MigrationBusy {
                seconds: waited.as_secs(),
            });
        }
        tokio::time::sleep(POLL).await;
        waited = waited.saturating_add(POLL);
    }
}

async fn run_missing(conn: &mut Conn) -> Result<Vec<&'static str>, Error> {
    conn.batch_execute(
        "SET lock_timeout = '10s';
         CREATE TABLE IF NOT EXISTS schema_migration (name text COLLATE \"C\" PRIMARY KEY, applied_at timestamptz NOT NULL)",
    )
    .await?;
    let mut done = Vec::new();
    for migration in missing(conn).await? {
        conn.transaction(async |conn| {
            conn.batch_execute(migration.up).await?;
            Note::with((migration.name,)).execute(conn).await
        })
        .await
        .map_err(|source| Error::Migration {
            name: migration.name,
            source,
        })?;
        tracing::info!(migration = migration.name, "migrated");
        done.push(migration.name);
    }
    Ok(done)
}

async fn missing(conn: &mut Conn) -> Result<Vec<&'static Migration>, Error> {
    let applied: Vec<(String,)> = Applied::with(()).load(conn).await?;
    let applied: Vec<String> = applied.into_iter().map(|(name,)| name).collect();
    if let Some(name) = applied
        .iter()
        .find(|name| !MIGRATIONS.iter().any(|migration| migration.name == name.as_str()))
    {
        return Err(Error::Newer { name: name.clone() });
    }
    Ok(MIGRATIONS
        .iter()
        .filter(|migration| !applied.iter().any(|name| name == migration.name))
        .collect())
}

/// The migrations that have not run yet; empty when the schema is as this program wants it.
///
/// # Errors
/// When the database does not answer or was migrated by a newer program.
pub async fn pending(conn: &mut Conn) -> Result<Vec<&'static str>, Error> {
    let (known,): (bool,) = Known::with(()).get_result(conn).await?;
    if !known {
        return Ok(MIGRATIONS.iter().map(|migration| migration.name).collect());
    }
    Ok(missing(conn)
        .await?
        .into_iter()
        .map(|migration| migration.name)
        .collect())
}

/// Takes every migration back, newest first. Deletes everything: for tests of `down.sql`.
///
/// # Errors
/// When a migration cannot be taken back.
pub async fn revert_all(db: &Db) -> Result<(), Error> {
    let mut conn = db.direct().await?;
    for migration in MIGRATIONS.iter().rev() {
        let reverted: QueryResult<usize> = conn
            .transaction(async |conn| {
                conn.batch_execute(migration.down).await?;
                Forget::with((migration.name,)).execute(conn).await
            })
            .await;
        reverted.map_err(|source| Error::Migration {
            name: migration.name,
            source,
        })?;
    }
    Ok(())
}

/// Tells one set of migrations from another.
#[must_use]
pub fn migrations_digest() -> Vec<u8> {
    let all: Vec<u8> = MIGRATIONS
        .iter()
        .flat_map(|migration| [migration.name, migration.up, migration.down])
        .flat_map(|text| text.bytes().chain([0]))
        .collect();
    base::digest(&all)
}
