//! What waits for a later day costs nothing until then, however many they are.

use serde_json::{Value, json};

use super::{StubApp, file, publish, user};
use crate::kit::Bridge;

/// Blocks that a statement touches.
async fn touched(bridge: &Bridge, statement: &str) -> u64 {
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}");
    let row = bridge.rows().await.query_one(&explain, &[]).await.unwrap();
    let plan: Value = row.get(0);
    let top = &plan[0]["Plan"];
    top["Shared Hit Blocks"].as_u64().unwrap() + top["Shared Read Blocks"].as_u64().unwrap()
}

#[tokio::test]
async fn accounts_that_are_due_later_are_not_walked_through_to_find_those_that_are_due() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    user(&bridge, "now@x", &json!({})).await;
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    // Everybody has a day on which the answer may change.
    let later = "INSERT INTO account (tenant_id, app_id, resource_id, kind, state, since, priority, due_at, remote_id)
         SELECT app.tenant_id, app.id, gen_random_uuid(), 'User', 'in_sync', now(), 5,
                '2027-01-01T00:00:00Z'::timestamptz + n * interval '1 minute', 'r' || n
         FROM app, generate_series(1, 50000) AS n";
    let rows = bridge.rows().await;
    rows.batch_execute(later).await.unwrap();
    rows.batch_execute("VACUUM ANALYZE account").await.unwrap();
    // As the statements that lease an app and take accounts ask for them.
    let row = rows
        .query_one("SELECT tenant_id::text, id::text FROM app", &[])
        .await;
    let row = row.unwrap();
    let (tenant, id): (String, String) = (row.get(0), row.get(1));
    let due = format!(
        "SELECT x.resource_id FROM account x
         WHERE x.tenant_id = '{tenant}' AND x.app_id = '{id}' AND x.look AND (x.state <> 'unmatched' OR x.removing IS NOT NULL)
           AND (x.due_at IS NULL OR x.due_at <= '2026-12-01T08:00:00Z')"
    );
    let take = format!("{due} AND x.priority <= 7 ORDER BY x.priority, x.due_at LIMIT 300 FOR UPDATE OF x");
    let lease = format!("SELECT EXISTS ({due})");
    let blocks = (touched(&bridge, &take).await, touched(&bridge, &lease).await);
    assert!(blocks.0 < 50 && blocks.1 < 50, "{blocks:?} blocks");
    // And the one who is due is found among them.
    user(&bridge, "new@x", &json!({})).await;
    bridge.drain().await;
    assert_eq!(app.all("Users").len(), 2);
}
