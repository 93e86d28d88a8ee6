//! What real clients send, against a whole server. Each flow is a recording with invented data in the shapes of one
//! vendor (`tests/fixtures/clients/<vendor>/<flow>.toml`; the README there tells the format).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use reqwest::Method;
use scim_bridge::access::Scope;
use scim_bridge::scim::TOLERANCES;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::kit::{Bridge, good, with_json};

/// One recorded flow.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recording {
    /// As in a test's `Covers:` line.
    covers: String,
    /// The client's profile; none is none.
    #[serde(default)]
    profile: Option<Value>,
    /// The tolerated shapes that the flow has: these are counted, and no others.
    shapes: BTreeSet<String>,
    step: Vec<Step>,
}

/// A request and what is expected of its answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// What it is about.
    say: String,
    /// Method and path below the base address.
    send: String,
    /// Headers beside those that the runner sets; an empty one is not sent.
    #[serde(default)]
    header: BTreeMap<String, String>,
    body: Option<String>,
    status: u16,
    /// What the JSON of the answer must have; see [`agrees`].
    answer: Option<String>,
    /// Headers that the answer must have.
    #[serde(default)]
    answer_header: BTreeMap<String, String>,
    /// Values of the answer to keep under a name, by JSON pointer; `{{name}}` stands for them from then on.
    #[serde(default)]
    keep: BTreeMap<String, String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/clients")
}

fn read(name: &str) -> Recording {
    let text = std::fs::read_to_string(folder().join(format!("{name}.toml"))).unwrap();
    toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Text with `{{name}}` replaced; what is not known stays.
fn filled(text: &str, kept: &BTreeMap<String, String>) -> String {
    let mut text = text.to_owned();
    for (name, value) in kept {
        text = text.replace(&format!("{{{{{name}}}}}"), value);
    }
    text
}

/// Whether an answer has what is expected: of an object every member that is named, of a list all elements in order,
/// anything else just so. `"{{any}}"` is any value, `"{{none}}"` that the member is not there.
fn agrees(answer: Option<&Value>, expected: &Value) -> bool {
    match (answer, expected) {
        (None, Value::String(text)) => text == "{{none}}",
        (Some(answer), Value::String(text)) if text == "{{any}}" => !answer.is_null(),
        (Some(Value::Object(answer)), Value::Object(expected)) => expected
            .iter()
            .all(|(name, value)| agrees(answer.get(name), value)),
        (Some(Value::Array(answer)), Value::Array(expected)) => {
            answer.len() == expected.len()
                && answer
                    .iter()
                    .zip(expected)
                    .all(|(one, value)| agrees(Some(one), value))
        }
        (answer, expected) => answer == Some(expected),
    }
}

async fn take(bridge: &Bridge, step: &Step, kept: &mut BTreeMap<String, String>, what: &str) {
    let send = filled(&step.send, kept);
    let (method, path) = send.split_once(' ').unwrap();
    let url = format!("{}/scim/v2{path}", bridge.base_url);
    let mut headers = BTreeMap::from([("authorization".to_owned(), "Bearer {{token}}".to_owned())]);
    if step.body.is_some() {
        headers.insert("content-type".to_owned(), "application/scim+json".to_owned());
    }
    headers.extend(step.header.clone());
    let mut request = bridge.http.request(method.parse::<Method>().unwrap(), url);
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        request = request.header(name, filled(value, kept));
    }
    if let Some(body) = &step.body {
        request = request.body(filled(body, kept));
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    assert_eq!(status, step.status, "{what}: {send}\n{text}");
    if status == 204 {
        assert!(
            text.is_empty() && !headers.contains_key("content-type"),
            "{what}: a body with 204"
        );
    }
    let answer: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    if let Some(expected) = &step.answer {
        let expected: Value = serde_json::from_str(&filled(expected, kept))
            .unwrap_or_else(|error| panic!("{what}: expectation: {error}"));
        assert!(
            agrees(Some(&answer), &expected),
            "{what}: {send}\nanswered {answer:#}\nexpected {expected:#}"
        );
    }
    for (name, expected) in &step.answer_header {
        let value = headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(value, Some(filled(expected, kept).as_str()), "{what}: {name}");
    }
    for (name, pointer) in &step.keep {
        let value = answer
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{what}: no {pointer} in {answer:#}"));
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        kept.insert(name.clone(), value);
    }
}

/// The shapes that `/metrics` has counted.
async fn counted(bridge: &Bridge) -> BTreeSet<String> {
    let metrics = bridge
        .http
        .get(format!("{}/metrics", bridge.base_url))
        .send()
        .await
        .unwrap();
    let text = metrics.text().await.unwrap();
    let lines = text
        .lines()
        .filter(|line| line.starts_with("bridge_scim_tolerated_shapes_total{"));
    lines
        .map(|line| {
            let (_, rest) = line.split_once("shape=\"").unwrap();
            rest.split_once('"').unwrap().0.to_owned()
        })
        .collect()
}

async fn replay(name: &str) {
    let recording = read(name);
    let bridge = Bridge::spawn().await;
    let scopes = [Scope::ScimRead, Scope::ScimWrite];
    let token = bridge.make_token(bridge.tenant, "recorded", &scopes).await;
    if let Some(profile) = &recording.profile {
        let change = json!({ "profile": profile });
        good(with_json(
            bridge.request(Method::PATCH, "/api/v1/clients/recorded"),
            &change,
        ))
        .await;
    }
    let mut kept = BTreeMap::from([
        ("token".to_owned(), token),
        ("base".to_owned(), format!("{}/scim/v2", bridge.base_url)),
    ]);
    for (at, step) in recording.step.iter().enumerate() {
        let what = format!("{name}, step {}, {}", at + 1, step.say);
        take(&bridge, step, &mut kept, &what).await;
    }
    assert_eq!(
        counted(&bridge).await,
        recording.shapes,
        "{name}: counted shapes, and those it says it has"
    );
}

macro_rules! recordings {
    ($($test:ident: $name:literal,)+) => {
        $(
            #[tokio::test]
            async fn $test() {
                replay($name).await;
            }
        )+
        /// Every recording that has a test.
        const REPLAYED: &[&str] = &[$($name,)+];
    };
}

recordings! {
    authentik_old_versions: "authentik/old_versions",
    authentik_sync: "authentik/sync",
    entra_flag_users_and_groups: "entra-flag/users_and_groups",
    entra_groups: "entra/groups",
    entra_manager: "entra/manager",
    entra_profile: "entra/profile",
    entra_users: "entra/users",
    entra_validator: "entra/validator",
    google_users: "google/users",
    jumpcloud_activation: "jumpcloud/activation",
    keycloak_users_and_groups: "keycloak/users_and_groups",
    okta_groups: "okta/groups",
    okta_import: "okta/import",
    okta_users_patch: "okta/users_patch",
    okta_users_put: "okta/users_put",
    onelogin_lifecycle: "onelogin/lifecycle",
    others_mappings_written_by_hand: "others/mappings_written_by_hand",
    others_strict: "others/strict",
    ping_pingdatasync: "ping/pingdatasync",
    ping_pingfederate: "ping/pingfederate",
    sailpoint_aggregation: "sailpoint/aggregation",
    scim2_cli_strict_models: "scim2-cli/strict_models",
}

/// The names of all recordings.
pub fn names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for vendor in std::fs::read_dir(folder()).unwrap() {
        let vendor = vendor.unwrap();
        if !vendor.path().is_dir() {
            continue;
        }
        for flow in std::fs::read_dir(vendor.path()).unwrap() {
            let flow = flow.unwrap().path();
            let (vendor, flow) = (vendor.file_name(), flow.file_stem().unwrap().to_owned());
            names.insert(format!("{}/{}", vendor.to_str().unwrap(), flow.to_str().unwrap()));
        }
    }
    names
}

/// What a recording covers.
pub fn covers(name: &str) -> String {
    read(name).covers
}

#[test]
fn every_recording_is_replayed() {
    let replayed: BTreeSet<String> = REPLAYED.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(names(), replayed);
}

/// Covers: C11, C17
#[test]
fn every_tolerated_shape_is_in_a_recording() {
    let recorded: BTreeSet<String> = names().iter().flat_map(|name| read(name).shapes).collect();
    let known: BTreeSet<String> = TOLERANCES.iter().map(|line| line.key.to_owned()).collect();
    assert_eq!(recorded, known);
}

#[test]
fn answers_are_compared_by_what_is_named() {
    let answer = json!({ "a": 1, "list": [{ "x": 1, "y": 2 }], "gone": null });
    for (expected, same) in [
        (json!({ "a": 1, "b": "{{none}}" }), true),
        (json!({ "a": "{{any}}", "list": [{ "y": 2 }] }), true),
        (json!({ "a": "{{none}}" }), false),
        (json!({ "a": 2 }), false),
        (json!({ "b": 1 }), false),
        (json!({ "list": [] }), false),
        (json!({ "list": [{ "x": 1 }, { "x": 1 }] }), false),
        (json!({ "gone": "{{any}}" }), false),
    ] {
        assert_eq!(agrees(Some(&answer), &expected), same, "{expected}");
    }
    assert!(!agrees(Some(&Value::Object(Map::new())), &json!({ "a": {} })));
}
