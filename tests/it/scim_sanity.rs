//! Another published conformance tester (scim-sanity, `probe`, strict) against a whole bridge.

use std::path::PathBuf;
use std::process::Command;

use reqwest::Method;
use scim_bridge::access::Scope;
use serde_json::{Value, json};

use crate::kit::{Bridge, good, left_out, with_json};

fn probe() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/judges/python/bin/scim-sanity")
}

/// The probe wants two things of groups that the RFC leaves to the server: PATCH answered with the resource, and members
/// that nobody knows taken without a word. A client's profile may say both.
///
/// Covers: rfc 3.1, 3.3, 4.2, 4.10, 6.2, 6.41
#[tokio::test]
async fn the_published_probe_fails_nothing() {
    let program = probe();
    if !program.exists() {
        left_out("scim-sanity is not installed; `make tools` installs it where python3 and pip are");
        return;
    }
    let bridge = Bridge::spawn().await;
    let scopes = [Scope::ScimRead, Scope::ScimWrite];
    let token = bridge.make_token(bridge.tenant, "probe", &scopes).await;
    let profile = json!({ "profile": { "patch_answer": "resource", "unknown_members": "leave_out" } });
    good(with_json(
        bridge.request(Method::PATCH, "/api/v1/clients/probe"),
        &profile,
    ))
    .await;
    let base = format!("{}/scim/v2", bridge.base_url);
    let run = move || {
        Command::new(program)
            .args([
                "probe",
                &base,
                "--token",
                &token,
                "--strict",
                "--json-output",
                "--i-accept-side-effects",
            ])
            .output()
            .unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let report: Value = serde_json::from_str(&said).unwrap_or_else(|error| {
        panic!("{error}: {said} {}", String::from_utf8_lossy(&output.stderr));
    });
    let results = report["results"].as_array().unwrap();
    let bad: Vec<&Value> = results
        .iter()
        .filter(|one| !matches!(one["status"].as_str(), Some("PASS" | "pass" | "SKIP" | "skip")))
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    let passed = results
        .iter()
        .filter(|one| one["status"].as_str().unwrap().eq_ignore_ascii_case("pass"))
        .count();
    assert!(passed > 25, "only {passed} checks passed");
    bridge.stop().await;
}
