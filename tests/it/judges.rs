//! Collections of requests that vendors publish, against a whole server. They are not ours to ship: each test reads its
//! file from a path (tests/judges/README.md), and is left out of the usual run.

use std::process::{Command, Output};

use reqwest::Method;
use scim_bridge::access::Scope;
use serde_json::json;

use crate::kit::{Bridge, good, with_json};

/// Runs a script of `tests/judges` with the file that a variable names, as a client with a profile.
async fn judged(bridge: &Bridge, script: &str, variable: &str, dialect: &str) -> String {
    let file = std::env::var(variable).unwrap_or_else(|_| panic!("{variable} must name the file"));
    let scopes = [Scope::ScimRead, Scope::ScimWrite];
    let token = bridge.make_token(bridge.tenant, "judge", &scopes).await;
    let change = json!({ "profile": { "dialect": dialect } });
    good(with_json(
        bridge.request(Method::PATCH, "/api/v1/clients/judge"),
        &change,
    ))
    .await;
    let script = format!("{}/tests/judges/{script}", env!("CARGO_MANIFEST_DIR"));
    let base = format!("{}/scim/v2", bridge.base_url);
    let run = move || -> Output {
        let runs = if script.ends_with(".py") { "python3" } else { "sh" };
        Command::new(runs)
            .args([&script, &file, &base, &token])
            .output()
            .unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{said}");
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

#[tokio::test]
#[ignore = "needs newman and a file: tests/judges/README.md"]
async fn microsofts_reference_collection() {
    let bridge = Bridge::spawn().await;
    judged(
        &bridge,
        "microsoft.sh",
        "SCIM_BRIDGE_MICROSOFT_COLLECTION",
        "entra",
    )
    .await;
}

#[tokio::test]
#[ignore = "needs a file: tests/judges/README.md"]
async fn oktas_spec_test() {
    let bridge = Bridge::spawn().await;
    let user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada@nimbus.test",
        "name": { "givenName": "Ada", "familyName": "Brook" }, "emails": [{ "value": "ada@nimbus.test", "primary": true }],
    });
    bridge.post("/scim/v2/Users", &user).await;
    judged(&bridge, "okta.py", "SCIM_BRIDGE_OKTA_SPEC_TEST", "standard").await;
}
