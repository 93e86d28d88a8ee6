//! Plans as objects: listed, read item by item, exported, approved in part.

use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Bridge, answer, with_json};
use crate::sync_kit::{Company, active_users, connected, connection_file, done, person, run, show};

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

/// What a client writes over SCIM.
async fn client(bridge: &Bridge, n: usize, method: Method, change: Option<(&str, &str)>) {
    let user = person(bridge, n).await;
    let body = change.map(|(path, value)| {
        json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "replace", "path": path, "value": value }],
        })
    });
    let path = format!("/Users/{}", user["id"].as_str().unwrap());
    let (status, answer) = bridge.scim_as(&bridge.token, method, &path, body.as_ref()).await;
    assert!((200..300).contains(&status), "{answer}");
}

#[tokio::test]
async fn an_item_whose_base_moved_is_computed_again_or_refused_and_a_disable_never_depends_on_a_version() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(24);
    company.row("11").last_day = "2026-12-31".to_owned();
    done(&bridge, &company).await;
    for n in (2..=24).step_by(2) {
        company.row(&n.to_string()).status = String::new();
        company.row(&n.to_string()).last_day = "2026-11-20".to_owned();
    }
    for n in [5, 7, 9, 11] {
        company.row(&n.to_string()).title = "Architect".to_owned();
    }
    company.row("11").last_day = "2027-12-31".to_owned();
    let waiting = run(&bridge, &company).await;
    assert_eq!(waiting["state"], "awaiting_approval", "{waiting}");
    let plan = plan_of(&bridge, &waiting).await;
    // Meanwhile others write, and the last day passes that HR has told us before.
    client(&bridge, 2, Method::PATCH, Some(("nickName", "Two"))).await;
    client(&bridge, 5, Method::PATCH, Some(("nickName", "Five"))).await;
    client(&bridge, 7, Method::DELETE, None).await;
    client(&bridge, 9, Method::PATCH, Some(("title", "Mine"))).await;
    bridge.clock.advance(chrono::TimeDelta::days(50));
    bridge.drain().await;
    assert_eq!(
        person(&bridge, 11).await["active"],
        false,
        "its last day has passed"
    );
    assert_eq!(show(&bridge, &waiting).await["state"], "awaiting_approval");

    assert_eq!(
        approve(&bridge, &plan, &json!({ "plan": plan["hash"] })).await.0,
        202
    );
    bridge.drain().await;
    let two = person(&bridge, 2).await;
    assert_eq!((&two["active"], &two["nickName"]), (&json!(false), &json!("Two")));
    let five = person(&bridge, 5).await;
    assert_eq!(
        (&five["title"], &five["nickName"]),
        (&json!("Architect"), &json!("Five"))
    );
    let refused = items(&bridge, &plan, "state=refused").await;
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(
        refused[0]["note"]
            .as_str()
            .unwrap()
            .contains("deleted after the plan"),
        "{refused:?}"
    );
    assert_eq!(
        person(&bridge, 9).await["title"],
        "Architect",
        "the attribute that the plan names is HR's"
    );
    // A change of the title lifts no hold that the plan did not speak of: another plan does, by what HR says now.
    let eleven = person(&bridge, 11).await;
    assert_eq!(
        (&eleven["title"], &eleven["active"]),
        (&json!("Architect"), &json!(true))
    );
    let by_run = "SELECT count(*) FROM change WHERE resource_id = '{}' AND delta::text LIKE '%disabledBy%'
                  AND origin ->> 'run' = '{}'";
    let by_run = by_run.replacen("{}", eleven["id"].as_str().unwrap(), 1).replacen(
        "{}",
        waiting["id"].as_str().unwrap(),
        1,
    );
    assert_eq!(bridge.count(&by_run).await, 0);
    let due = bridge.get("/api/v1/plans?cause=due&state=applied&limit=1").await;
    let lifted = items(&bridge, &due["items"][0], "action=update").await;
    let active = json!({ "path": "active", "old": false, "new": true });
    assert!(
        lifted[0]["changes"].as_array().unwrap().contains(&active),
        "{lifted:?}"
    );
}

/// What a run made ends with the run, and nobody approves it by mistake weeks later.
#[tokio::test]
async fn a_plan_ends_with_the_run_that_made_it() {
    let (bridge, _, run) = waiting().await;
    let plan = plan_of(&bridge, &run).await;
    let path = format!("/api/v1/runs/{}", run["id"].as_str().unwrap());
    bridge.post(&format!("{path}/cancel"), &json!({})).await;
    assert_eq!(found(&bridge, "state=awaiting_approval").await, 0);
    let ended = bridge
        .get(&format!("/api/v1/plans/{}", plan["id"].as_str().unwrap()))
        .await;
    assert_eq!(ended["state"], "superseded");
    assert!(
        ended["reason"]
            .as_str()
            .unwrap()
            .starts_with("its run was stopped"),
        "{ended}"
    );
    bridge.post(&format!("{path}/resume"), &json!({})).await;
    let (status, body) = approve(&bridge, &plan, &json!({})).await;
    assert_eq!(status, 409, "{body}");
    assert!(
        body["detail"].as_str().unwrap().contains("its run was stopped"),
        "{body}"
    );
    let left = "SELECT count(*) FROM plan WHERE state IN ('approved', 'open')";
    assert_eq!(bridge.count(left).await, 0);
}

/// A connection that is cut leaves nothing that could still be approved.
#[tokio::test]
async fn a_cut_connection_leaves_no_plan_that_waits() {
    let (bridge, _, run) = waiting().await;
    let plan = plan_of(&bridge, &run).await;
    bridge
        .post(
            "/api/v1/connections/people/disconnect",
            &json!({"accounts": "keep"}),
        )
        .await;
    assert_eq!(show(&bridge, &run).await["state"], "cancelled");
    let (status, body) = approve(&bridge, &plan, &json!({})).await;
    assert_eq!(status, 409, "{body}");
    assert_eq!(active_users(&bridge).await, 20);
}
