use std::path::Path;

use serde_json::json;

use super::*;

#[test]
fn every_manifest_of_the_folder_is_in_the_program_and_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/connector/manifests");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let built_in: Vec<&str> = BUILT_IN.iter().map(|(file, _)| *file).collect();
    assert_eq!(files, built_in);
    let catalogue = Catalogue::load(None).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(catalogue.iter().count(), BUILT_IN.len());
}

fn problems(text: &str) -> Vec<(usize, usize, String)> {
    match Manifest::parse("x.toml", text) {
        Err(Error::Manifest { problems, .. }) => problems
            .0
            .into_iter()
            .map(|problem| (problem.line, problem.column, problem.message))
            .collect(),
        other => panic!("{other:?}"),
    }
}

const GOOD: &str = r#"[connector]
key = "acme"
name = "Acme"
docs = "Acme API, read 2026-11-20"
provable = true
guide = "Click."
[settings]
host = { ask = "Host", form = "subdomain" }
label = { ask = "Label" }
[auth]
kind = "basic"
user = "{{ label }}"
password = "x"
[employees]
get = "https://{{ host }}.acme.example/people"
records = "/data"
required = ["source_id", "status"]
[employees.map]
source_id = "/id"
status = { at = "/state", words = { on = "active" } }
first_day = { at = "/from", date = "%d.%m.%Y" }
"#;

#[test]
fn a_wrong_word_is_named_with_line_and_column() {
    assert!(Manifest::parse("x.toml", GOOD).is_ok());
    let cases = [
        (
            "guide = \"Click.\"",
            "guide = \"Click.\"\ncolour = 1",
            7,
            "colour",
        ),
        ("records = ", "recrods = ", 16, "recrods"),
        ("ask = \"Label\"", "ask = \"Label\", hidden = true", 9, "hidden"),
        (
            "password = \"x\"",
            "password = \"x\"\nscheme = \"x\"",
            10,
            "scheme",
        ),
        ("date = \"%d.%m.%Y\"", "dates = \"%d.%m.%Y\"", 21, "dates"),
        ("on = \"active\"", "on = \"busy\"", 20, "busy"),
        (
            "source_id = \"/id\"",
            "source_id = \"id\"",
            19,
            "paths start with /",
        ),
        ("first_day = {", "frist_day = {", 21, "frist_day"),
        ("date = \"%d.%m.%Y\"", "kind = \"email\"", 21, "kind"),
        ("user = \"{{ label }}\"", "user = \"{{ lable }}\"", 12, "lable"),
        ("{{ host }}.acme", "{{ label }}.acme", 15, "form"),
        ("https://", "http://", 15, "https"),
        (
            "get = ",
            "post = \"https://x.example\"\nget = ",
            14,
            "either get or post",
        ),
        (
            "required = [\"source_id\", ",
            "required = [\"title\", \"source_id\", ",
            17,
            "title",
        ),
    ];
    for (before, after, line, word) in cases {
        let found = problems(&GOOD.replacen(before, after, 1));
        assert!(
            found
                .iter()
                .any(|(at, _, message)| *at == line && message.contains(word)),
            "{after}: {found:?}"
        );
    }
}

#[test]
fn settings_are_checked_all_at_once() {
    let catalogue = Catalogue::load(None).unwrap();
    let kombo = catalogue.get("kombo").unwrap();
    let good = json!({"api_key": "k", "integration_id": "sandbox:1", "base_url": "http://127.0.0.1:9000"});
    let settings = kombo.check_settings(&good).unwrap();
    assert_eq!(settings.text("region"), Some("eu"));
    assert_eq!(settings.secrets.len(), 1);
    assert!(!format!("{settings:?}").contains("\"k\""));
    let found = kombo
        .check_settings(
            &json!({"integration_id": "a b", "region": "mars", "base_url": "http://x/y", "hots": 1}),
        )
        .unwrap_err();
    let mut names: Vec<&str> = found.iter().map(|problem| problem.setting.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["api_key", "base_url", "hots", "integration_id", "region"]);
    assert!(
        kombo
            .check_settings(&json!({"api_key": "env:KEY", "integration_id": "x"}))
            .is_err()
    );
}

#[test]
fn sensitive_fields_are_read_only_by_choice() {
    let catalogue = Catalogue::load(None).unwrap();
    let chosen = catalogue.get("kombo").unwrap().default_optional();
    assert!(chosen.iter().any(|name| name == "work_email"));
    for name in ["gender", "birth_date", "bank_accounts", "source_id"] {
        assert!(!chosen.iter().any(|other| other == name), "{name}");
    }
}

const HOOKED: &str = r#"
[webhooks]
guide = "1. Click."
secret = "given"
verify = { kind = "hmac", header = "X-Acme-Signature", over = "{{ body }}{{ timestamp }}" }
timestamp = "X-Acme-Timestamp"
event = "/type"
events = ["person.*"]
employee = "/person/id"
"#;

#[test]
fn a_wrong_word_of_webhooks_is_named_with_line_and_column() {
    let good = format!("{GOOD}{HOOKED}");
    assert!(Manifest::parse("x.toml", &good).is_ok());
    let cases = [
        ("guide = \"1.", "answer = 500\nguide = \"1.", 24, "answer must be"),
        ("secret = \"given\"\n", "", 25, "verify needs a secret"),
        ("kind = \"hmac\"", "kind = \"hmack\"", 26, "hmack"),
        ("header = ", "haeder = ", 26, "haeder"),
        ("{{ body }}{{ timestamp }}", "{{ timestamp }}", 26, "over needs"),
        (
            "{{ body }}{{ timestamp }}",
            "{{ body }}{{ time }}",
            26,
            "over may only",
        ),
        (
            "timestamp = \"X-Acme-Timestamp\"\n",
            "",
            26,
            "over signs timestamp",
        ),
        (
            "event = \"/type\"",
            "event = \"type/name\"",
            28,
            "paths start with /",
        ),
        ("event = \"/type\"\n", "", 28, "events needs event"),
        (
            "employee = \"/person/id\"",
            "employee = \"person/id\"",
            30,
            "paths start with /",
        ),
        (
            "employee = \"/person/id\"",
            "employee = { at = \"/id\", date = \"%Y\" }",
            30,
            "cannot have date",
        ),
        (
            "event = \"/type\"",
            "challenge = { json = \"x\" }\nevent = \"/type\"",
            28,
            "either query or header",
        ),
    ];
    for (before, after, line, word) in cases {
        let found = problems(&good.replacen(before, after, 1));
        assert!(
            found
                .iter()
                .any(|(at, _, message)| *at == line && message.contains(word)),
            "{after}: {found:?}"
        );
    }
}

#[test]
fn answers_stay_in_their_place_in_an_address() {
    let text = GOOD
        .replacen(
            "{ ask = \"Host\", form = \"subdomain\" }",
            "{ ask = \"Host\", form = \"host\" }",
            1,
        )
        .replacen(
            "{ ask = \"Label\" }",
            "{ ask = \"Tenant\", form = \"segment\" }",
            1,
        )
        .replacen(
            "https://{{ host }}.acme.example/people",
            "https://{{ host }}/{{ label }}/people",
            1,
        );
    let manifest = Manifest::parse("x.toml", &text).unwrap_or_else(|error| panic!("{error}"));
    let good = |host: &str, label: &str| {
        manifest
            .check_settings(&json!({"host": host, "label": label}))
            .is_ok()
    };
    assert!(good("wd3-impl.acme.example", "acme_1.x~y-z"));
    for host in [
        "acme",
        "https://acme.example",
        "a.b/c",
        "a.b:80",
        "a..b",
        "u@a.b",
        "-a.b",
    ] {
        assert!(!good(host, "x"), "{host}");
    }
    for label in ["..", ".", "a/b", "a b", "a?b", "a%2fb", "a#b"] {
        assert!(!good("a.b", label), "{label}");
    }
    let path = GOOD
        .replacen(
            "{ ask = \"Host\", form = \"subdomain\" }",
            "{ ask = \"Base\", form = \"origin\" }",
            1,
        )
        .replacen("{ ask = \"Label\" }", "{ ask = \"Path\", form = \"path\" }", 1)
        .replacen(
            "https://{{ host }}.acme.example/people",
            "{{ host }}{{ label }}",
            1,
        );
    let manifest = Manifest::parse("x.toml", &path).unwrap_or_else(|error| panic!("{error}"));
    let good = |base: &str, path: &str| {
        manifest
            .check_settings(&json!({"host": base, "label": path}))
            .is_ok()
    };
    assert!(good("https://acme.example", "/v1/people.json"));
    for path in ["v1", "/v1/", "/../x", "/v1?x=1", "//x"] {
        assert!(!good("https://acme.example", path), "{path}");
    }
}
