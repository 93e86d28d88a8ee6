//! The catalogue over the API.

use reqwest::Method;
use scim_bridge::access::Scope;

use crate::kit::{Bridge, answer};

#[tokio::test]
async fn the_catalogue_is_shown_to_admins() {
    let bridge = Bridge::spawn().await;
    let list = bridge.get("/api/v1/connectors").await;
    let keys: Vec<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|connector| connector["key"].as_str().unwrap())
        .collect();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    assert_eq!(keys, sorted);
    for known in ["bamboohr", "csv", "kombo", "personio", "scim"] {
        assert!(keys.contains(&known), "{keys:?}");
    }
    let kombo = bridge.get("/api/v1/connectors/kombo").await;
    let secret: Vec<&str> = kombo["settings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|setting| setting["secret"] == true)
        .map(|setting| setting["name"].as_str().unwrap())
        .collect();
    assert_eq!(secret, ["api_key"]);
    assert_eq!(kombo["complete_read_provable"], true);
    let (status, problem) = answer(bridge.request(Method::GET, "/api/v1/connectors/nope")).await;
    assert_eq!((status, problem["status"].as_u64()), (404, Some(404)));
    let weak = bridge.make_token(bridge.tenant, "weak", &[Scope::ScimRead]).await;
    assert_eq!(
        answer(bridge.request_as(&weak, Method::GET, "/api/v1/connectors"))
            .await
            .0,
        403
    );
}

fn command(arguments: &[&str]) -> (i32, String) {
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_scim-bridge"))
        .args(arguments)
        .env_remove("SCIM_BRIDGE_TOKEN")
        .env_remove("SCIM_BRIDGE_CONNECTORS_DIR")
        .output()
        .unwrap();
    (
        done.status.code().unwrap(),
        String::from_utf8(done.stdout).unwrap(),
    )
}

#[test]
fn the_command_line_shows_and_checks_manifests_without_a_server() {
    let (code, list) = command(&["connector", "list"]);
    assert!(
        code == 0 && list.contains("Personio") && list.contains("Kombo Sandbox"),
        "{list}"
    );
    let (code, shown) = command(&["connector", "show", "kombo", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        (code, &shown["settings"][1]["name"]),
        (0, &serde_json::json!("api_key"))
    );
    assert_eq!(command(&["connector", "show", "nope"]).0, 1);
    assert_eq!(command(&["connector", "check"]).0, 0);
    let file = std::env::temp_dir().join(format!("scim-bridge-manifest-{}.toml", uuid::Uuid::now_v7()));
    std::fs::write(&file, "[connector]\nkey = \"x\"\n  colour = 1\n").unwrap();
    let (code, told) = command(&["connector", "check", &file.display().to_string()]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(code, 1);
    assert!(told.contains(".toml:3:3: unknown field `colour`"), "{told}");
}
