//! What a human does not want stays undone: declined items, and runs that are taken back.

use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Bridge, answer, with_json};
use crate::push::{StubApp, file as app_file, publish as publish_app};
use crate::sync_kit::{
    Company, Row, active_users, connected, connection_file, done, person, run, said, show,
};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

async fn items(bridge: &Bridge, run: &Value, query: &str) -> Vec<Value> {
    let id = run["plan"].as_str().unwrap();
    let list = bridge
        .get(&format!("/api/v1/plans/{id}/items?limit=1000&{query}"))
        .await;
    list["items"].as_array().unwrap().clone()
}

async fn approve(bridge: &Bridge, run: &Value, body: &Value) -> (u16, Value) {
    let path = format!("/api/v1/runs/{}/approve", run["id"].as_str().unwrap());
    answer(with_json(bridge.request(Method::POST, &path), body)).await
}

async fn kept(bridge: &Bridge) -> Vec<Value> {
    let list = bridge.get("/api/v1/connections/people/kept").await;
    list["items"].as_array().unwrap().clone()
}

fn leave(company: &mut Company, n: usize) {
    company.row(&n.to_string()).status = String::new();
    company.row(&n.to_string()).last_day = "2020-11-20".to_owned();
}

#[tokio::test]
async fn what_was_declined_is_not_done_later_until_hr_says_something_else_or_it_is_released() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(20);
    done(&bridge, &company).await;
    for n in (2..=20).step_by(2) {
        leave(&mut company, n);
    }
    company.row("5").title = "Architect".to_owned();
    let waiting = run(&bridge, &company).await;
    assert_eq!(waiting["state"], "awaiting_approval", "{waiting}");
    let stays = items(&bridge, &waiting, "action=disable").await[0].clone();
    let title = items(&bridge, &waiting, "action=update").await[0].clone();
    let choice = json!({ "except": { "people": [stays["person"], title["person"]] } });
    assert_eq!(approve(&bridge, &waiting, &choice).await.0, 202);
    bridge.drain().await;
    assert_eq!(active_users(&bridge).await, 11);
    let listed = kept(&bridge).await;
    let mut paths: Vec<&str> = listed.iter().map(|one| one["path"].as_str().unwrap()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["disable", "title"], "{listed:?}");
    assert!(listed.iter().all(|one| one["why"] == "declined"));

    for _ in 0..2 {
        let again = done(&bridge, &company).await;
        assert_eq!(
            (&again["counts"]["disable"], &again["counts"]["declined"]),
            (&json!(0), &json!(2)),
            "{again}"
        );
        assert_eq!(
            items(&bridge, &again, "state=declined").await.len(),
            2,
            "it stays visible"
        );
        let warnings = said(&bridge, &again, "warnings").await;
        assert!(
            warnings.iter().any(|one| one["outcome"] == "kept_back"),
            "{warnings:?}"
        );
        assert_eq!(active_users(&bridge).await, 11);
        assert_eq!(person(&bridge, 5).await["title"], "Engineer");
    }
    company.row("5").title = "Lead".to_owned();
    done(&bridge, &company).await;
    assert_eq!(
        person(&bridge, 5).await["title"],
        "Lead",
        "HR says something else"
    );

    let order = json!({ "subjects": [stays["person"]] });
    let released = bridge
        .post("/api/v1/connections/people/kept/release", &order)
        .await;
    assert_eq!(released["released"], 1);
    bridge.drain().await;
    done(&bridge, &company).await;
    assert_eq!(active_users(&bridge).await, 10);
    assert!(
        kept(&bridge).await.is_empty(),
        "HR said something else of the title"
    );
    // What was declined once is not declined for ever: HR came back to it from something else.
    company.row("5").title = "Architect".to_owned();
    done(&bridge, &company).await;
    assert_eq!(person(&bridge, 5).await["title"], "Architect");
}

/// Runs over complete reads until who is missing counts as gone.
async fn days(bridge: &Bridge, company: &Company, days: &[&str]) {
    for day in days {
        bridge.clock.set(day);
        done(bridge, company).await;
    }
}

#[tokio::test]
async fn who_was_kept_and_came_back_leaves_when_hr_loses_them_again() {
    let bridge = connected(&connection_file()).await;
    let whole = Company::of(20);
    days(&bridge, &whole, &["2026-11-20T08:00:00Z"]).await;
    let mut short = Company::of(20);
    short.0.remove("5");
    days(&bridge, &short, &["2026-11-21T08:00:00Z"]).await;
    bridge.clock.set("2026-11-22T09:00:00Z");
    let run = done(&bridge, &short).await;
    assert_eq!(person(&bridge, 5).await["active"], false, "{run}");
    undo(&bridge, &run, &json!({ "yes": true })).await;
    assert_eq!(person(&bridge, 5).await["active"], true);

    // Still missing: it stays undone, however many reads say the same.
    days(&bridge, &short, &["2026-11-23T10:00:00Z", "2026-11-24T11:00:00Z"]).await;
    assert_eq!(person(&bridge, 5).await["active"], true);
    let is_leaving = |one: &Value| one["path"] == "disable";
    assert!(kept(&bridge).await.iter().any(is_leaving));
    days(&bridge, &whole, &["2026-11-25T12:00:00Z"]).await;
    assert!(kept(&bridge).await.is_empty());
    days(&bridge, &short, &["2027-11-26T08:00:00Z", "2027-11-27T09:00:00Z"]).await;
    assert_eq!(
        person(&bridge, 5).await["active"],
        false,
        "another leaving than the one that was undone"
    );
}

/// A company with an app, a run that changed it, and who changed something since. The run.
async fn changed(bridge: &Bridge, app: &StubApp) -> (Company, Value) {
    publish_app(bridge, &app_file("expenses", &app.stub.base_url, &json!({}))).await;
    let mut company = Company::of(20);
    done(bridge, &company).await;
    company.row("3").title = "Architect".to_owned();
    company.row("4").title = "Architect".to_owned();
    leave(&mut company, 5);
    company.row("6").department = "Research".to_owned();
    for n in [21, 22] {
        let row = Row {
            id: n.to_string(),
            number: format!("E{n:04}"),
            email: format!("person{n}@acme.example"),
            manager: "1".to_owned(),
            ..company.row("1").clone()
        };
        company.add(row);
    }
    let run = done(bridge, &company).await;
    assert_eq!(
        (&run["counts"]["create"], &run["counts"]["disable"]),
        (&json!(2), &json!(1)),
        "{run}"
    );
    for (n, path, value) in [(4, "title", "By a client"), (22, "nickName", "Nick")] {
        let user = person(bridge, n).await;
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "replace", "path": path, "value": value }],
        });
        let path = format!("/Users/{}", user["id"].as_str().unwrap());
        let (status, body) = bridge
            .scim_as(&bridge.token, Method::PATCH, &path, Some(&body))
            .await;
        assert_eq!(status, 200, "{body}");
    }
    bridge.drain().await;
    (company, run)
}

async fn undo(bridge: &Bridge, run: &Value, order: &Value) -> Value {
    let path = format!("/api/v1/runs/{}/undo", run["id"].as_str().unwrap());
    let started = bridge.post(&path, order).await;
    bridge.drain().await;
    show(bridge, &started).await
}

#[tokio::test]
async fn a_run_is_taken_back_where_nobody_changed_anything_since_and_the_next_run_does_not_redo_it() {
    let bridge = connected(&connection_file()).await;
    let app = StubApp::start().await;
    let (company, run) = changed(&bridge, &app).await;
    let groups = person(&bridge, 6).await["groups"].clone();
    assert_eq!(groups[0]["display"], "Research");
    app.mutations();

    let undoing = undo(&bridge, &run, &json!({})).await;
    assert_eq!(undoing["state"], "awaiting_approval", "{undoing}");
    assert_eq!(undoing["guard"]["reasons"][0]["limit"], "undo");
    let counts = &undoing["counts"];
    assert_eq!(
        (&counts["update"], &counts["disable"], &counts["conflict"]),
        (&json!(3), &json!(1), &json!(2)),
        "{undoing} {:?}",
        items(&bridge, &undoing, "").await
    );
    for conflict in items(&bridge, &undoing, "action=conflict").await {
        assert!(
            conflict["reason"].as_str().unwrap().contains("client "),
            "{conflict}"
        );
    }
    assert_eq!(app.mutations(), Vec::<String>::new());
    assert_eq!(
        person(&bridge, 3).await["title"],
        "Architect",
        "nothing before the approval"
    );
    assert_eq!(
        approve(&bridge, &undoing, &json!({ "plan": "00000000" })).await.0,
        409
    );
    assert_eq!(
        approve(&bridge, &undoing, &json!({ "plan": undoing["plan_hash"] }))
            .await
            .0,
        202
    );
    bridge.drain().await;
    let undone = show(&bridge, &undoing).await;
    assert_eq!(
        (&undone["state"], &undone["counts"]["refused"]),
        (&json!("done"), &json!(0)),
        "{undone}"
    );

    let as_it_was = async || {
        assert_eq!(person(&bridge, 3).await["title"], "Engineer");
        assert_eq!(person(&bridge, 5).await["active"], true);
        let six = person(&bridge, 6).await;
        assert_eq!(six[ENTERPRISE]["department"], "Dept 0");
        assert_eq!(six["groups"][0]["display"], "Dept 0", "{six}");
        assert_eq!(six["groups"].as_array().unwrap().len(), 1);
        assert_eq!(person(&bridge, 21).await["active"], false);
        assert_eq!(person(&bridge, 22).await["active"], true);
    };
    as_it_was().await;
    assert_eq!(person(&bridge, 4).await["title"], "By a client");
    assert_eq!(app.named("person3@acme.example")["title"], "Engineer");
    assert_eq!(app.named("person5@acme.example")["active"], true);
    assert_eq!(app.named("person21@acme.example")["active"], false);
    for action in ["run.undo", "run.approve", "run.undone"] {
        let noted = format!("SELECT count(*) FROM audit_entry WHERE action = '{action}'");
        assert_eq!(bridge.count(&noted).await, 1, "{action}");
    }

    let next = done(&bridge, &company).await;
    as_it_was().await;
    assert_eq!(
        next["counts"]["declined"], 3,
        "what HR still says stays visible: {next}"
    );
    assert_eq!(
        person(&bridge, 4).await["title"],
        "Architect",
        "that was not undone: HR wins as ever"
    );
    let after = done(&bridge, &company).await;
    assert_eq!(after["counts"]["update"], 0, "{after}");
    as_it_was().await;
    let warnings = said(&bridge, &after, "warnings").await;
    assert_eq!(
        warnings
            .iter()
            .filter(|one| one["outcome"] == "kept_back")
            .count(),
        3,
        "{warnings:?}"
    );

    let again = format!("/api/v1/runs/{}/undo", undone["id"].as_str().unwrap());
    let (status, body) = answer(with_json(bridge.request(Method::POST, &again), &json!({}))).await;
    assert_eq!(status, 409, "{body}");
    bridge
        .post("/api/v1/connections/people/kept/release", &json!({ "all": true }))
        .await;
    bridge.drain().await;
    assert_eq!(person(&bridge, 3).await["title"], "Architect");
    assert_eq!(person(&bridge, 5).await["active"], false);
}

#[tokio::test]
async fn an_undo_whose_batch_the_database_refuses_is_applied_exactly_once() {
    let bridge = connected(&connection_file()).await;
    let app = StubApp::start().await;
    let (_, run) = changed(&bridge, &app).await;
    let rows = bridge.rows().await;
    rows.batch_execute(
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF new.state = 'applied' THEN RAISE EXCEPTION 'killed' USING ERRCODE = '40001'; END IF;
           RETURN new; END $$;
         CREATE TRIGGER die BEFORE UPDATE ON plan_item FOR EACH ROW EXECUTE FUNCTION die();",
    )
    .await
    .unwrap();
    let undoing = undo(&bridge, &run, &json!({ "made": "remove", "yes": true })).await;
    assert_eq!(undoing["state"], "applying", "{undoing}");
    let written = "SELECT count(*) FROM change WHERE origin ->> 'by' = 'undo'";
    assert_eq!(bridge.count(written).await, 0, "what was not marked was not done");
    rows.batch_execute(
        "DROP TRIGGER die ON plan_item; UPDATE run SET lease_until = now() - interval '1 second'",
    )
    .await
    .unwrap();
    bridge.drain().await;
    let undone = show(&bridge, &undoing).await;
    assert_eq!(
        (&undone["state"], &undone["counts"]["refused"]),
        (&json!("done"), &json!(0)),
        "{undone}"
    );
    assert!(person(&bridge, 21).await.is_null(), "made by the run, so removed");
    let once = bridge.count(written).await;
    assert!(once > 0);
    // Once more from where it stands, as after a kill between the last batch and the end.
    rows.batch_execute(
        "UPDATE run SET state = 'applying', lease_until = NULL, lease_owner = NULL WHERE cause = 'undo'",
    )
    .await
    .unwrap();
    bridge.drain().await;
    assert_eq!(bridge.count(written).await, once);
    assert_eq!(
        app.named("person21@acme.example")["active"],
        false,
        "the app's own steps say what becomes of the account"
    );
}

#[tokio::test]
async fn an_undo_that_was_stopped_before_it_began_goes_on_where_it_was() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(20);
    done(&bridge, &company).await;
    leave(&mut company, 5);
    let run = done(&bridge, &company).await;
    let path = format!("/api/v1/runs/{}/undo", run["id"].as_str().unwrap());
    let undoing = bridge.post(&path, &json!({})).await;
    let id = undoing["id"].as_str().unwrap();
    bridge
        .post(&format!("/api/v1/runs/{id}/cancel"), &json!({}))
        .await;
    bridge
        .post(&format!("/api/v1/runs/{id}/resume"), &json!({}))
        .await;
    bridge.drain().await;
    let waits = show(&bridge, &undoing).await;
    assert_eq!(waits["state"], "awaiting_approval", "{waits}");
    assert_eq!(approve(&bridge, &waits, &json!({})).await.0, 202);
    bridge.drain().await;
    assert_eq!(person(&bridge, 5).await["active"], true);
}
