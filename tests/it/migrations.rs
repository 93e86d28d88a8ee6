//! Migrations: up, down, up; and what stands beside them.

use scim_bridge::db::{self, Db, Error, MIGRATIONS};

use crate::kit::{TestDatabase, client};

/// Every table, column, index and comment of the schema, as text.
async fn schema(url: &str) -> Vec<String> {
    let rows = client(url)
        .await
        .query(
            "SELECT format('%s.%s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                           col_description(c.oid, a.attnum))
             FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
             WHERE c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'schema_migration%' ORDER BY 1",
            &[],
        )
        .await
        .unwrap();
    rows.into_iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn every_migration_goes_up_down_and_up_again() {
    let database = TestDatabase::create_empty().await;
    let db = Db::connect(&database.url, 2).unwrap();
    let mut conn = db.direct().await.unwrap();
    assert_eq!(db::pending(&mut conn).await.unwrap().len(), MIGRATIONS.len());
    assert_eq!(db::migrate(&db).await.unwrap().len(), MIGRATIONS.len());
    let first = schema(&database.url).await;
    assert!(
        first.iter().any(|line| line.starts_with("resource.body json ")),
        "{first:?}"
    );
    assert!(db::migrate(&db).await.unwrap().is_empty());
    db::revert_all(&db).await.unwrap();
    assert_eq!(schema(&database.url).await, Vec::<String>::new());
    db::migrate(&db).await.unwrap();
    assert_eq!(schema(&database.url).await, first);
    assert!(db::pending(&mut conn).await.unwrap().is_empty());
}

#[tokio::test]
async fn processes_that_migrate_at_once_do_it_once() {
    let database = TestDatabase::create_empty().await;
    let (one, other) = (
        Db::connect(&database.url, 2).unwrap(),
        Db::connect(&database.url, 2).unwrap(),
    );
    let (one, other) = tokio::join!(db::migrate(&one), db::migrate(&other));
    assert_eq!(one.unwrap().len() + other.unwrap().len(), MIGRATIONS.len());
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_left_alone() {
    let database = TestDatabase::create().await;
    client(&database.url)
        .await
        .batch_execute("INSERT INTO schema_migration VALUES ('2999-01-01-000000_tomorrow', now())")
        .await
        .unwrap();
    let db = Db::connect(&database.url, 2).unwrap();
    assert!(matches!(db::migrate(&db).await, Err(Error::Newer { name }) if name.contains("tomorrow")));
}

#[test]
fn every_folder_of_migrations_is_in_the_program() {
    let mut folders: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let listed: Vec<&str> = MIGRATIONS.iter().map(|migration| migration.name).collect();
    assert_eq!(folders, listed);
}
