//! Whether what our users would bring has counterparts in an app, before anything is pushed; and the support bundle.

use serde_json::{Value, json};

use super::{StubApp, file, publish, user};
use crate::kit::Bridge;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Covers: EXP-18
#[tokio::test]
async fn departments_without_a_counterpart_are_listed_before_anything_is_sent() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    app.has(
        "Users",
        &json!({ "userName": "old@x", ENTERPRISE: { "department": "FIN" } }),
    );
    app.has("Groups", &json!({ "displayName": "LEGAL" }));
    app.has("Groups", &json!({ "displayName": "Sales" }));
    for (name, department) in [
        ("a@x", "FIN"),
        ("b@x", "fin"),
        ("c@x", "LEGAL"),
        ("d@x", "OPS"),
        ("e@x", "OPS"),
    ] {
        user(
            &bridge,
            name,
            &json!({ ENTERPRISE: { "department": department } }),
        )
        .await;
    }
    user(&bridge, "f@x", &json!({})).await;
    publish(
        &bridge,
        &file("app", &app.stub.base_url, &json!({ "mode": "observe" })),
    )
    .await;
    let found = bridge
        .get("/api/v1/apps/app/counterparts?attribute=department")
        .await;
    // Codes are compared letter by letter: "fin" is not "FIN".
    assert_eq!(found["without"], json!({ "OPS": 2, "fin": 1 }), "{found}");
    assert_eq!(found["with"], json!({ "FIN": 1, "LEGAL": 1 }));
    assert_eq!(found["unused"], json!(["Sales"]));
    assert!(app.mutations().is_empty());
}

/// Covers: EXP-22
#[tokio::test]
async fn the_support_bundle_tells_what_stands_and_nobody_s_name() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    user(
        &bridge,
        "canary@person.example",
        &json!({ "title": "canary-title", "displayName": "Canary Person" }),
    )
    .await;
    let more = json!({ "token": "canary-token", "protect": { "accounts": ["canary@break.example"] } });
    publish(&bridge, &file("app", &app.stub.base_url, &more)).await;
    let connection = json!({
        "name": "hr", "connector": "bamboohr", "filter": { "include": "employee.work_email != 'canary@filter.example'" },
        "settings": { "company_domain": "acme", "api_key": "canary-key" },
    });
    let put = bridge.request(reqwest::Method::PUT, "/api/v1/connections/hr");
    crate::kit::good(crate::kit::with_json(put, &connection)).await;
    bridge.drain().await;
    let bundle = bridge.get("/api/v1/support-bundle").await;
    assert!(!bundle.to_string().contains("anary"), "{bundle}");
    assert_eq!(
        bundle["connections"][0]["file"]["settings"]["company_domain"],
        "acme"
    );
    assert_eq!(bundle["accounts"][0]["counts"], json!({ "in_sync": 1 }));
    let steps = bundle["connections"][0]["steps"].as_array().unwrap();
    assert!(
        steps
            .iter()
            .any(|step| step["step"] == "authorise" && step["done"] == Value::Bool(false))
    );
    for part in ["runs", "said", "refused", "deeds", "frozen", "apps"] {
        assert!(bundle[part].is_array(), "{part}");
    }
}
