//! What if: a draft over everybody, beside the live settings, and nothing written.

use scim_bridge::app::Background;
use serde_json::{Value, json};

use crate::kit::{Bridge, Settings, answer, with_json};
use crate::push::command_line::{json_of, run as command};
use crate::push::{StubApp, file as app_file, publish as publish_app};
use crate::sync_kit::{
    Company, active_users, apply, connected, connection_file, done, person, run_again, show, upload,
};

/// Everything that a preview must leave alone, as one text.
async fn everything(bridge: &Bridge) -> String {
    let tables = [
        "resource",
        "membership",
        "person",
        "source_record",
        "change",
        "hold",
        "review",
        "account",
        "operation",
        "org_group",
        "external_id",
    ];
    let parts: Vec<String> = tables
        .iter()
        .map(|table| {
            format!("(SELECT md5(coalesce(string_agg(t::text, '' ORDER BY t::text), '')) FROM {table} t)")
        })
        .collect();
    let sql = format!("SELECT concat_ws(' ', {})", parts.join(", "));
    bridge.rows().await.query_one(&sql, &[]).await.unwrap().get(0)
}

/// Asks for a preview and lets it end.
async fn preview(bridge: &Bridge, order: &Value) -> Value {
    let started = bridge.post("/api/v1/connections/people/preview", order).await;
    bridge.drain().await;
    let run = show(bridge, &started).await;
    assert_eq!(
        (&run["state"], &run["dry_run"]),
        (&json!("done"), &json!(true)),
        "{run}"
    );
    run
}

async fn plan(bridge: &Bridge, run: &Value) -> Value {
    bridge
        .get(&format!("/api/v1/plans/{}", run["plan"].as_str().unwrap()))
        .await
}

/// What the items of a run's plan do, by the words and values alone, sorted.
async fn effects(bridge: &Bridge, run: &Value) -> Vec<String> {
    let id = run["plan"].as_str().unwrap();
    let list = bridge.get(&format!("/api/v1/plans/{id}/items?limit=1000")).await;
    let mut effects: Vec<String> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["action"] != "skip")
        .map(|item| {
            format!(
                "{} {} {} {}",
                item["action"], item["user"], item["reason"], item["changes"]
            )
        })
        .collect();
    effects.sort();
    effects
}

async fn publish(bridge: &Bridge) {
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
}

#[tokio::test]
async fn rg_16_a_review_before_the_first_publication_counts_what_would_be_done_and_writes_nothing() {
    let bridge = Bridge::spawn().await;
    apply(&bridge, &connection_file()).await;
    let mut company = Company::of(12);
    company.row("7").email = String::new();
    upload(&bridge, &company.csv()).await;
    let before = everything(&bridge).await;
    let foreseen = preview(&bridge, &json!({})).await;
    assert_eq!(
        foreseen["cause"], "preview_read",
        "nothing is stored yet: {foreseen}"
    );
    let counts = &foreseen["counts"];
    assert_eq!(
        (&counts["create"], &counts["update"], &counts["skipped"]),
        (&json!(11), &json!(0), &json!(1)),
        "{foreseen}"
    );
    assert_eq!(everything(&bridge).await, before);
    let kept = bridge.get("/api/v1/connections/people").await;
    assert_eq!(
        (&kept["state"], &kept["live_revision"]),
        (&json!("draft"), &Value::Null)
    );

    publish(&bridge).await;
    let real = run_again(&bridge, false).await;
    assert_eq!(real["state"], "done", "{real}");
    assert_eq!(
        plan(&bridge, &real).await["effects"],
        plan(&bridge, &foreseen).await["effects"]
    );
    assert_eq!(active_users(&bridge).await, 11);
}

/// Covers: RG-16
#[tokio::test]
async fn a_changed_mapping_is_foreseen_by_the_stored_records_and_the_plan_applied_is_the_one_foreseen() {
    let bridge = connected(&connection_file()).await;
    let app = StubApp::start().await;
    publish_app(&bridge, &app_file("expenses", &app.stub.base_url, &json!({}))).await;
    let mut company = Company::of(30);
    company.row("9").status = String::new();
    company.row("9").last_day = "2020-12-31".to_owned();
    done(&bridge, &company).await;
    assert_eq!(app.all("Users").len(), 29);
    app.mutations();

    let mut file = connection_file();
    file["mapping"] = json!({ "title": { "from": "employee.title | upper" } });
    apply(&bridge, &file).await;
    let before = everything(&bridge).await;
    let foreseen = preview(&bridge, &json!({})).await;
    assert_eq!(foreseen["cause"], "preview", "nothing is read: {foreseen}");
    assert_eq!(foreseen["counts"]["update"], 29, "{foreseen}");
    let id = foreseen["plan"].as_str().unwrap();
    let apps = bridge.get(&format!("/api/v1/plans/{id}/apps")).await;
    assert_eq!(
        apps["items"],
        json!([{ "app": "expenses", "mode": "live", "counts": { "update": 29 } }])
    );
    let page = bridge
        .get(&format!(
            "/api/v1/plans/{id}/items?calls=true&limit=1&action=update"
        ))
        .await;
    let item = &page["items"][0];
    assert_eq!(
        item["changes"],
        json!([{ "path": "title", "old": "Engineer", "new": "ENGINEER" }])
    );
    assert_eq!(item["calls"][0]["method"], "PATCH", "{item}");
    assert_eq!(
        item["calls"][0]["body"]["Operations"],
        json!([{ "op": "replace", "path": "title", "value": "ENGINEER" }])
    );
    assert_eq!(everything(&bridge).await, before);
    assert_eq!(app.mutations(), Vec::<String>::new());
    assert_eq!(
        person(&bridge, 3).await["title"],
        "Engineer",
        "the live settings stand"
    );

    // A fresh read sees the same.
    let read = preview(&bridge, &json!({ "read": true })).await;
    assert_eq!(read["cause"], "preview_read");
    assert_eq!(
        plan(&bridge, &read).await["effects"],
        plan(&bridge, &foreseen).await["effects"]
    );
    assert_eq!(everything(&bridge).await, before);

    publish(&bridge).await;
    let real = run_again(&bridge, false).await;
    assert_eq!(real["state"], "done", "{real}");
    assert_eq!(effects(&bridge, &real).await, effects(&bridge, &foreseen).await);
    assert_eq!(
        plan(&bridge, &real).await["effects"],
        plan(&bridge, &foreseen).await["effects"]
    );
    let sent = app.mutations();
    assert_eq!(sent.len(), 29);
    assert!(sent.iter().all(|call| call.contains("ENGINEER")), "{sent:?}");
    let (status, body) = answer(with_json(
        bridge.request(reqwest::Method::POST, "/api/v1/connections/people/preview"),
        &json!({}),
    ))
    .await;
    assert_eq!(status, 409, "there is no draft any more: {body}");
}

#[tokio::test]
async fn a_changed_filter_is_foreseen_by_a_fresh_read_with_the_leavers_that_the_guard_would_stop() {
    let bridge = connected(&connection_file()).await;
    done(&bridge, &Company::of(30)).await;
    let mut file = connection_file();
    file["filter"] = json!({ "include": "employee.department.name != \"Dept 1\"" });
    apply(&bridge, &file).await;
    let before = everything(&bridge).await;
    let foreseen = preview(&bridge, &json!({})).await;
    assert_eq!(foreseen["cause"], "preview_read");
    assert_eq!(foreseen["counts"]["disable"], 10, "{foreseen}");
    assert_eq!(foreseen["guard"]["ok"], false, "{foreseen}");
    assert_eq!(everything(&bridge).await, before);
    publish(&bridge).await;
    let real = run_again(&bridge, false).await;
    assert_eq!(
        real["state"], "awaiting_approval",
        "a publication is judged as any run: {real}"
    );
    assert_eq!(effects(&bridge, &real).await, effects(&bridge, &foreseen).await);
    assert_eq!(active_users(&bridge).await, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_and_previews_are_shown_exported_and_decided_by_commands() {
    let settings = Settings {
        background: Background::Running,
        ..Settings::default()
    };
    let bridge = Bridge::spawn_with(settings).await;
    let folder = std::env::temp_dir().join(format!("scim-bridge-plan-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir_all(&folder).unwrap();
    let csv = folder.join("people.csv");
    let mut company = Company::of(20);
    std::fs::write(&csv, company.csv()).unwrap();
    let mut file = connection_file();
    file["settings"]["path"] = csv.to_str().unwrap().into();
    apply(&bridge, &file).await;
    let foreseen = json_of(&bridge, &["connection", "preview", "people", "--json"]).await;
    assert_eq!(foreseen["run"]["counts"]["create"], 20, "{foreseen}");
    let said = command(&bridge, &["connection", "publish", "people"]).await;
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("create 20"), "{said}");
    json_of(&bridge, &["sync", "people", "--json"]).await;

    for n in 11..=20 {
        company.row(&n.to_string()).status = String::new();
        company.row(&n.to_string()).last_day = "2020-11-20".to_owned();
    }
    std::fs::write(&csv, company.csv()).unwrap();
    assert_eq!(command(&bridge, &["sync", "people"]).await.status.code(), Some(3));
    let list = json_of(
        &bridge,
        &["plan", "list", "--state", "awaiting_approval", "--json"],
    )
    .await;
    let id = list["items"][0]["id"].as_str().unwrap().to_owned();
    let plan = json_of(&bridge, &["plan", "show", &id, "--json"]).await["plan"].clone();
    let items = json_of(&bridge, &["plan", "items", &id, "--action", "disable", "--json"]).await;
    let first = items["items"][0]["ordinal"].to_string();
    let csv = command(&bridge, &["plan", "export", &id, "--format", "csv"]).await;
    let csv = String::from_utf8_lossy(&csv.stdout).into_owned();
    assert!(csv.starts_with("ordinal,action,"), "{csv}");
    assert_eq!(
        csv.lines()
            .filter(|line| line.ends_with(",active,true,false"))
            .count(),
        10,
        "{csv}"
    );
    let wrong = command(&bridge, &["plan", "approve", &id, "--plan", "00000000"]).await;
    assert_eq!(wrong.status.code(), Some(1));
    let hash = plan["hash"].as_str().unwrap();
    let approved = command(
        &bridge,
        &["plan", "approve", &id, "--plan", hash, "--except", &first],
    )
    .await;
    assert_eq!(
        approved.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&approved.stderr)
    );
    assert_eq!(active_users(&bridge).await, 11);
    let shown = command(&bridge, &["plan", "show", &id]).await;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("disable: 9 applied, 1 declined"), "{shown}");
    let revisions = json_of(&bridge, &["connection", "revisions", "people", "--json"]).await;
    assert_eq!(revisions["items"].as_array().unwrap().len(), 1);
    std::fs::remove_dir_all(&folder).unwrap();
}
