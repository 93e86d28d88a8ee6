//! Plans as objects: listed, read item by item, exported, approved in part.

use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Bridge, answer, with_json};
use crate::sync_kit::{Company, active_users, connected, connection_file, done, run, show};

/// Half of twenty people leave, and one gets another title: the plan waits.
async fn waiting() -> (Bridge, Company, Value) {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(20);
    done(&bridge, &company).await;
    for n in (2..=20).step_by(2) {
        company.row(&n.to_string()).status = String::new();
        company.row(&n.to_string()).last_day = "2026-11-20".to_owned();
    }
    company.row("5").title = "Architect".to_owned();
    let waiting = run(&bridge, &company).await;
    assert_eq!(waiting["state"], "awaiting_approval", "{waiting}");
    (bridge, company, waiting)
}

async fn plan_of(bridge: &Bridge, run: &Value) -> Value {
    let list = bridge
        .get(&format!("/api/v1/plans?owner={}", run["id"].as_str().unwrap()))
        .await;
    let id = list["items"][0]["id"].as_str().unwrap();
    bridge.get(&format!("/api/v1/plans/{id}")).await
}

async fn items(bridge: &Bridge, plan: &Value, query: &str) -> Vec<Value> {
    let id = plan["id"].as_str().unwrap();
    let list = bridge.get(&format!("/api/v1/plans/{id}/items?{query}")).await;
    list["items"].as_array().unwrap().clone()
}

async fn found(bridge: &Bridge, query: &str) -> usize {
    let list = bridge.get(&format!("/api/v1/plans?{query}")).await;
    list["items"].as_array().unwrap().len()
}

async fn approve(bridge: &Bridge, plan: &Value, body: &Value) -> (u16, Value) {
    let path = format!("/api/v1/plans/{}/approve", plan["id"].as_str().unwrap());
    answer(with_json(bridge.request(Method::POST, &path), body)).await
}

async fn text(bridge: &Bridge, path: &str) -> String {
    let response = bridge.request(Method::GET, path).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response.text().await.unwrap()
}

#[tokio::test]
async fn a_plan_is_listed_read_paged_and_exported() {
    let (bridge, _, run) = waiting().await;
    let plan = plan_of(&bridge, &run).await;
    assert_eq!(plan["cause"], "run");
    assert_eq!(plan["run"], run["id"]);
    assert_eq!(plan["hash"], run["plan_hash"]);
    assert_eq!(plan["guard"]["ok"], false);
    assert_eq!(plan["items"]["disable"]["planned"], 10, "{plan}");

    assert_eq!(found(&bridge, "state=awaiting_approval&cause=run").await, 1);
    assert_eq!(found(&bridge, "state=applied").await, 1);
    assert_eq!(found(&bridge, "cause=app").await, 0);
    let first = bridge.get("/api/v1/plans?limit=1").await;
    assert_eq!(first["items"][0]["id"], plan["id"], "the newest comes first");
    let second = bridge
        .get(&format!(
            "/api/v1/plans?limit=1&after={}",
            first["next"].as_str().unwrap()
        ))
        .await;
    assert_eq!(second["items"][0]["state"], "applied");
    assert!(second["next"].is_null());

    let leaving = items(&bridge, &plan, "action=disable&limit=1000").await;
    assert_eq!(leaving.len(), 10);
    let active = json!({ "path": "active", "old": true, "new": false });
    assert!(
        leaving[0]["changes"].as_array().unwrap().contains(&active),
        "{}",
        leaving[0]
    );
    let changed = items(&bridge, &plan, "action=update").await;
    assert_eq!(
        changed[0]["changes"],
        json!([{ "path": "title", "old": "Engineer", "new": "Architect" }])
    );
    let of_one = format!("person={}", changed[0]["person"].as_str().unwrap());
    assert_eq!(items(&bridge, &plan, &of_one).await, changed);

    let path = format!("/api/v1/plans/{}/export", plan["id"].as_str().unwrap());
    let whole: Value = serde_json::from_str(&text(&bridge, &path).await).unwrap();
    assert_eq!(whole["plan"]["hash"], plan["hash"]);
    assert_eq!(
        whole["items"].as_array().unwrap(),
        &items(&bridge, &plan, "limit=1000").await
    );
    let csv = text(&bridge, &format!("{path}?format=csv")).await;
    assert!(
        csv.starts_with("ordinal,action,person,user,state,reason,note,path,old,new\n"),
        "{csv}"
    );
    assert!(
        csv.lines()
            .any(|line| line.contains(",update,") && line.ends_with(",title,Engineer,Architect"))
    );
    let (status, _) = answer(bridge.request(Method::GET, &format!("{path}?format=xml"))).await;
    assert_eq!(status, 400);

    let other = bridge.make_tenant("other").await;
    let stranger = bridge
        .make_token(other, "admin", &scim_bridge::access::Scope::ALL)
        .await;
    for path in ["", "/items", "/export"] {
        let path = format!("/api/v1/plans/{}{path}", plan["id"].as_str().unwrap());
        let (status, _) = answer(bridge.request_as(&stranger, Method::GET, &path)).await;
        assert_eq!(status, 404, "{path}");
    }
    assert_eq!(active_users(&bridge).await, 20, "nothing was done meanwhile");
}

#[tokio::test]
async fn a_plan_is_approved_in_part_by_its_hash_and_what_was_declined_stays_visible() {
    let (bridge, _, run) = waiting().await;
    let plan = plan_of(&bridge, &run).await;
    let leaving = items(&bridge, &plan, "action=disable").await;
    let (stays, title) = (
        leaving[0].clone(),
        items(&bridge, &plan, "action=update").await[0].clone(),
    );

    let (status, body) = approve(&bridge, &plan, &json!({ "plan": "0123456789abcdef" })).await;
    assert_eq!(
        (status, body["plan_hash"].clone()),
        (409, plan["hash"].clone()),
        "{body}"
    );
    let nobody = json!({ "only": { "items": [4000] } });
    let nothing = json!({ "except": { "actions": ["update", "disable"] } });
    let both = json!({ "only": { "items": [1] }, "except": { "items": [2] } });
    for body in [nobody, nothing, both, json!({ "only": {} })] {
        let (status, answer) = approve(&bridge, &plan, &body).await;
        assert_eq!(status, 422, "{body}: {answer}");
    }
    assert_eq!(
        plan_of(&bridge, &run).await["state"],
        "awaiting_approval",
        "nothing was decided by these"
    );

    let choice = json!({
        "plan": plan["hash"],
        "except": { "people": [stays["person"]], "items": [title["ordinal"]] },
    });
    let (status, body) = approve(&bridge, &plan, &choice).await;
    assert_eq!(status, 202, "{body}");
    bridge.drain().await;
    assert_eq!(show(&bridge, &run).await["state"], "done");
    assert_eq!(
        active_users(&bridge).await,
        11,
        "nine left, the tenth was declined"
    );
    let decided = plan_of(&bridge, &run).await;
    assert_eq!(decided["state"], "applied");
    assert_eq!(
        decided["items"]["disable"],
        json!({ "applied": 9, "declined": 1 }),
        "{decided}"
    );
    let declined = items(&bridge, &plan, "state=declined").await;
    assert_eq!(declined.len(), 2);
    assert!(
        declined[0]["note"].as_str().unwrap().starts_with("declined by "),
        "{declined:?}"
    );
    let audited = bridge
        .count("SELECT (detail ->> 'declined')::bigint FROM audit_entry WHERE action = 'run.approve'")
        .await;
    assert_eq!(audited, 2);
    let (status, _) = approve(&bridge, &plan, &json!({})).await;
    assert_eq!(status, 409, "a plan is decided once");
}
