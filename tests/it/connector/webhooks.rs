//! Recorded deliveries of the vendors' webhooks, each with a signature that another tool made.

use std::collections::BTreeMap;
use std::path::Path;

use scim_bridge::base::Secret;
use scim_bridge::connector::{Catalogue, Delivery, Whom};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    say: String,
    #[serde(default = "then")]
    now: String,
    secret: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    query: String,
    #[serde(default)]
    body: String,
    /// A list of ids, `all`, `nothing`, `refused`, or `{"echo": body}`.
    means: Value,
}

fn then() -> String {
    "2026-11-22T10:00:00Z".to_owned()
}

fn meaning(key: &str, one: &Recorded) -> Value {
    let catalogue = Catalogue::load(None).unwrap();
    let manifest = catalogue
        .get(key)
        .unwrap_or_else(|| panic!("there is no connector {key}"));
    let hook = manifest
        .hook()
        .unwrap_or_else(|| panic!("{key} has no [webhooks]"));
    let header = |name: &str| {
        let mut headers = one.headers.iter();
        headers
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.clone())
    };
    let delivery = Delivery {
        query: &one.query,
        header: &header,
        body: one.body.as_bytes(),
        is_post: true,
    };
    if let Some(echo) = hook.challenge(&delivery) {
        return json!({ "echo": echo.body });
    }
    let secrets: Vec<Secret> = one.secret.iter().cloned().map(Secret::new).collect();
    match hook.hear(&delivery, &secrets, one.now.parse().unwrap()) {
        Err(_) => json!("refused"),
        Ok(heard) => match heard.whom {
            Whom::Nobody => json!("nothing"),
            Whom::All => json!("all"),
            Whom::These(ids) => json!(ids),
        },
    }
}

#[test]
fn recorded_deliveries_mean_what_they_should() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/hr");
    let mut wrong = Vec::new();
    for folder in std::fs::read_dir(fixtures).unwrap() {
        let folder = folder.unwrap();
        let key = folder.file_name().into_string().unwrap();
        let Ok(text) = std::fs::read_to_string(folder.path().join("webhooks.json")) else {
            continue;
        };
        let recorded: Vec<Recorded> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{key}: {error}"));
        assert!(!recorded.is_empty(), "{key}");
        for one in &recorded {
            let found = meaning(&key, one);
            if found != one.means {
                wrong.push(format!("{key}: {}: {found} in place of {}", one.say, one.means));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
