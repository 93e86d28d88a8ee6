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
    let found = bridge.get("/api/v1/connectors?q=KOMBO%20sandbox").await;
    let found = found["items"].as_array().unwrap();
    assert!(
        !found.is_empty()
            && found
                .iter()
                .all(|one| one.to_string().to_lowercase().contains("sandbox"))
    );
    let found = bridge.get("/api/v1/connectors?q=bamboo%20hr").await;
    assert_eq!(found["items"][0]["key"], "bamboohr");
    let personio = bridge.get("/api/v1/connectors/personio").await;
    let fact = |name: &str| {
        let facts = personio["facts"].as_array().unwrap().iter();
        facts
            .clone()
            .find(|fact| fact["fact"] == name)
            .unwrap_or_else(|| panic!("{name}"))
            .clone()
    };
    assert_eq!(fact("auth")["sure"], "confirmed");
    assert!(
        fact("auth")["because"]
            .as_str()
            .unwrap()
            .contains("developer.personio.de")
    );
    assert_eq!(fact("children")["sure"], "assumed");
    let statuses = personio["statuses"].as_array().unwrap();
    assert!(
        statuses.contains(&serde_json::json!({"word": "inactive", "meaning": "left"})),
        "{statuses:?}"
    );
    assert_eq!(personio["other_statuses"], "hold");
    let id = &personio["settings"][0];
    assert_eq!(
        (&id["name"], &id["pattern"]),
        (&"client_id".into(), &"^[!-~]+$".into())
    );
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
    let (code, list) = command(&["connector", "list", "kombo"]);
    assert!(
        code == 0 && list.contains("Kombo") && !list.contains("Personio"),
        "{list}"
    );
    let (code, shown) = command(&["connector", "show", "personio"]);
    assert!(
        code == 0 && shown.contains("any other word") && shown.contains("held and reported"),
        "{shown}"
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
