//! How long things are kept, and that the log verifies and the past is told after that.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::json;

use crate::kit::{Bridge, answer, dump, found_in, good, with_json};
use crate::push::{StubApp, command_line, file, patch, publish};
use crate::sync_kit::{Company, connected, connection_file, done, person, run_again, user};

/// Covers: item 9
#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_goes_tenant_by_tenant_and_the_log_still_verifies() {
    let (bridge, app) = (connected(&connection_file()).await, StubApp::start().await);
    let mut company = Company::of(4);
    bridge.clock.set("2026-01-01T08:00:00Z");
    done(&bridge, &company).await;
    publish(&bridge, &file("expenses", &app.stub.base_url, &json!({}))).await;
    bridge.drain().await;
    let user_2 = person(&bridge, 2).await;
    let path = format!("/scim/v2/Users/{}", user_2["id"].as_str().unwrap());
    for title in ["a", "b", "c"] {
        bridge.clock.advance(TimeDelta::days(1));
        patch(
            &bridge,
            &path,
            &json!([{ "op": "replace", "path": "title", "value": title }]),
        )
        .await;
        bridge.drain().await;
    }
    company.row("4").status = String::new();
    company.row("4").last_day = "2026-01-04".to_owned();
    done(&bridge, &company).await;
    let count = async |table: &str| bridge.count(&format!("SELECT count(*) FROM {table}")).await;

    // As the program says, nothing is too old.
    bridge.clock.advance(TimeDelta::days(60));
    bridge.drain().await;
    assert_eq!(count("change WHERE delta IS NULL").await, 0);
    let (changes, operations, plans, states) = (
        count("change").await,
        count("operation").await,
        count("plan").await,
        count("account_state").await,
    );

    for wrong in [
        json!({ "histori": 9 }),
        json!({ "history": 3 }),
        json!({ "history": "x" }),
    ] {
        let request = with_json(bridge.request(Method::PUT, "/api/v1/retention"), &wrong);
        let (status, body) = answer(request).await;
        assert_eq!(status, 422, "{body}");
    }
    let arguments = [
        "retention",
        "set",
        "history=30d",
        "operations=30d",
        "plans=30d",
        "outcomes=30d",
        "notices=30d",
        "left_people=30d",
        "--json",
    ];
    let set = command_line::json_of(&bridge, &arguments).await;
    assert!(
        set["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["days"] == 30),
        "{set}"
    );
    patch(
        &bridge,
        &path,
        &json!([{ "op": "replace", "path": "title", "value": "new" }]),
    )
    .await;
    bridge.drain().await;

    assert!(count("change").await < changes, "{changes}");
    assert!(count("operation").await < operations);
    assert!(count("plan").await < plans, "{plans}");
    assert!(count("account_state").await < states, "{states}");
    let verified = bridge.get("/api/v1/log/verify").await;
    assert_eq!(verified["whole"], true, "{verified}");
    assert!(verified["from"].as_i64().unwrap() > 0);

    // The past is told as far as it is kept, and beyond that it is said so.
    let at = |text: &str| format!("/api/v1/users/{}?at={text}", user_2["id"].as_str().unwrap());
    let body = bridge.get(&at("2026-02-20T00:00:00Z")).await;
    assert_eq!(body["attributes"]["title"], "Engineer", "{body}");
    let now = bridge.get(&path).await["meta"]["version"]
        .as_str()
        .unwrap()
        .to_owned();
    let before_last = body["version"].as_i64().unwrap();
    assert_eq!(now, format!("W/\"{}\"", before_last + 1), "{body}");
    let (status, body) = answer(bridge.request(Method::GET, &at("2026-01-02T09:00:00Z"))).await;
    assert_eq!(
        (status, &body["type"]),
        (410, &json!("urn:scim-bridge:problem:forgotten")),
        "{body}"
    );
    let page = bridge
        .get("/scim/v2/Users?filter=meta.lastModified%20lt%20%222026-02-01T00:00:00Z%22")
        .await;
    assert_eq!(page["totalResults"], 2, "what filters read stays: {page}");

    // Who left is let go of, and taken in again only when employed again.
    assert!(user(&bridge, "person4@acme.example").await.is_null());
    assert_eq!(
        bridge
            .count("SELECT count(*) FROM source_record WHERE source_id = '4'")
            .await,
        0
    );
    done(&bridge, &company).await;
    assert!(user(&bridge, "person4@acme.example").await.is_null());
    company.row("4").status = "Current".to_owned();
    company.row("4").last_day = String::new();
    done(&bridge, &company).await;
    assert_eq!(user(&bridge, "person4@acme.example").await["active"], true);
    run_again(&bridge, false).await;
    assert_eq!(bridge.get("/api/v1/log/verify").await["whole"], true);
}

/// Covers: item 9
#[tokio::test]
async fn busy_logs_and_those_of_clients_that_write_into_a_connection_are_let_go_of_in_one_day() {
    let bridge = Bridge::spawn().await;
    let file = json!({ "name": "push", "connector": "scim" });
    let put = bridge.request(Method::PUT, "/api/v1/connections/push?publish=true");
    good(with_json(put, &file)).await;
    let order = json!({ "name": "workday", "scopes": ["scim:read", "scim:write"], "connection": "push" });
    let token = bridge.post("/api/v1/tokens", &order).await["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let body = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "hr1", "title": "Canary Keeper",
                       "name": { "givenName": "Given", "familyName": "Family" },
                       "emails": [{ "value": "hr1@acme.example", "type": "work" }] });
    let (status, made) = bridge.scim_as(&token, Method::POST, "/Users", Some(&body)).await;
    assert_eq!(status, 201, "{made}");
    bridge.drain().await;
    let replace = |title: &str| {
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{ "op": "replace", "path": "title", "value": title }] })
    };
    let pushed = format!("/Users/{}", made["id"].as_str().unwrap());
    for title in ["Canary Teacher", "Other"] {
        bridge
            .scim_as(&token, Method::PATCH, &pushed, Some(&replace(title)))
            .await;
        bridge.drain().await;
    }
    let loner = crate::push::user(&bridge, "loner@acme.example", &json!({})).await;
    for n in 0..120 {
        let change = json!([{ "op": "replace", "path": "title", "value": format!("Title {n}") }]);
        patch(&bridge, &format!("/scim/v2/Users/{loner}"), &change).await;
        bridge.drain().await;
    }
    let moments = |log: &str| {
        format!(
            "SELECT count(*) FROM change_number WHERE tenant_id {log} '{}'",
            bridge.tenant
        )
    };
    assert!(bridge.count(&moments("=")).await > 110);
    assert!(bridge.count(&moments("<>")).await >= 3, "the connection's own");
    bridge.clock.advance(TimeDelta::days(800));
    bridge.drain().await;
    // The last moment stays: from it the chain goes on.
    assert!(bridge.count(&moments("=")).await <= 2);
    assert!(bridge.count(&moments("<>")).await <= 1);
    let held = dump(bridge.database_url()).await;
    assert_eq!(
        found_in(&held, &["Canary Keeper", "Title 7\"", "Title 117"]),
        [""; 0]
    );
    assert_eq!(bridge.get("/api/v1/log/verify").await["whole"], true);
}
