use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::scim::diff::diff;
use crate::scim::{ENTERPRISE, Registry};

fn object(value: Value) -> Object {
    value.as_object().unwrap().clone()
}

fn compile(default: Rule, own: &[(&str, Rule)]) -> Result<Authority, Vec<(String, String)>> {
    let registry = Registry::builtin();
    let mapped = ["title", "name.givenName", "name.familyName", "emails"].map(str::to_owned);
    let department = format!("{ENTERPRISE}:department");
    let own = own
        .iter()
        .map(|(path, rule)| ((*path).to_owned(), *rule))
        .collect();
    Authority::compile(
        registry.kind("User").unwrap(),
        mapped.into_iter().chain([department]),
        default,
        &own,
    )
}

/// Covers: item 9
#[test]
fn what_is_mapped_has_the_default_what_is_named_its_own_and_the_rest_is_the_clients() {
    let rules = compile(
        Rule::Hr,
        &[
            ("name", Rule::Refuse),
            ("name.givenName", Rule::Client),
            ("department", Rule::Client),
            ("nickName", Rule::Refuse),
        ],
    )
    .unwrap();
    assert_eq!(rules.rule("title"), Some(Rule::Hr));
    assert_eq!(rules.rule("name.familyName"), Some(Rule::Refuse));
    assert_eq!(rules.rule("name.givenName"), Some(Rule::Client));
    assert_eq!(
        rules.rule(&format!("{ENTERPRISE}:department")),
        Some(Rule::Client)
    );
    assert_eq!(rules.rule("nickName"), Some(Rule::Refuse));
    assert_eq!(rules.rule("locale"), None);
    let again: Authority = serde_json::from_value(json!(rules)).unwrap();
    assert_eq!(again, rules);
}

/// Covers: item 9
#[test]
fn a_rule_for_what_is_no_attribute_is_refused_by_name() {
    for (path, part) in [
        ("nickname2", "is no attribute of User"),
        ("active", "not decided attribute by attribute"),
        ("groups", "not decided attribute by attribute"),
        ("emails.value", "name the list"),
        ("", "is no attribute of User"),
    ] {
        let wrong = compile(Rule::Hr, &[(path, Rule::Refuse)]).unwrap_err();
        assert_eq!(wrong[0].0, path);
        assert!(wrong[0].1.contains(part), "{wrong:?}");
    }
    let wrong = compile(Rule::Hr, &[("locale", Rule::Hr)]).unwrap_err();
    assert!(wrong[0].1.contains("HR does not write `locale`"), "{wrong:?}");
}

#[test]
fn a_value_is_carried_over_with_its_extension_and_so_is_its_absence() {
    let registry = Registry::builtin();
    let kind = registry.kind("User").unwrap();
    let from = object(json!({
        "name": {"givenName": "A"}, ENTERPRISE: {"department": "D"}, "emails": [{"value": "a@x"}],
    }));
    let mut to = object(json!({"name": {"familyName": "B"}, "title": "T"}));
    let department = format!("{ENTERPRISE}:department");
    transfer(
        kind,
        ["name.givenName", &department, "emails", "title"],
        &from,
        &mut to,
    );
    assert_eq!(
        Value::Object(to.clone()),
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
            "name": {"familyName": "B", "givenName": "A"}, ENTERPRISE: {"department": "D"}, "emails": [{"value": "a@x"}],
        })
    );
    transfer(
        kind,
        ["name.givenName", "name.familyName", &department],
        &Object::new(),
        &mut to,
    );
    assert_eq!(
        Value::Object(to),
        json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "emails": [{"value": "a@x"}]})
    );
}

const PATHS: [&str; 4] = ["title", "nickName", "locale", "name.givenName"];

#[derive(Debug, Clone)]
enum Step {
    /// A client writes or clears an attribute.
    Client(usize, Option<u8>),
    /// HR has another value, and a run is done.
    Run(usize, Option<u8>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let value = proptest::option::of(0_u8..4);
    let step = prop_oneof![
        (0..PATHS.len(), value.clone()).prop_map(|(path, value)| Step::Client(path, value)),
        (0..PATHS.len(), value).prop_map(|(path, value)| Step::Run(path, value)),
    ];
    proptest::collection::vec(step, 0..24)
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let rule = prop_oneof![Just(Rule::Hr), Just(Rule::Client), Just(Rule::Refuse)];
    proptest::collection::vec(rule, PATHS.len())
}

fn of(values: &[Option<u8>]) -> Object {
    let mut object = object(json!({"userName": "u"}));
    for (path, value) in PATHS.iter().zip(values) {
        let Some(value) = value else { continue };
        match path.split_once('.') {
            None => {
                object.insert((*path).to_owned(), json!(value.to_string()));
            }
            Some((whole, part)) => {
                object.insert(whole.to_owned(), json!({part: value.to_string()}));
            }
        }
    }
    object
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Covers: item 9
    ///
    /// The merge against the naive model: a cell per attribute, holding who wrote last.
    #[test]
    fn runs_and_clients_end_where_the_naive_model_ends(rules in rules(), steps in steps()) {
        let registry = Registry::builtin();
        let kind = registry.kind("User").unwrap();
        let own: BTreeMap<String, Rule> = PATHS.iter().map(|path| (*path).to_owned()).zip(rules.iter().copied()).collect();
        let authority = Authority::compile(kind, PATHS.map(str::to_owned), Rule::Hr, &own).unwrap();

        let mut hr = [None; PATHS.len()];
        let mut model = [None; PATHS.len()];
        let mut by_client = [false; PATHS.len()];
        let mut user = of(&model);
        let mut writers: BTreeMap<String, String> = BTreeMap::new();

        for step in steps {
            match step {
                Step::Client(at, value) => {
                    if rules[at] == Rule::Refuse && model[at] != value {
                        // The door refuses; nothing moves.
                        let mut wish = model;
                        wish[at] = value;
                        let lines = diff(kind, &user, &of(&wish));
                        prop_assert!(lines.iter().any(|line| authority.rule(&line.path) == Some(Rule::Refuse)));
                        continue;
                    }
                    if model[at] != value {
                        model[at] = value;
                        by_client[at] = value.is_some();
                        let wish = of(&model);
                        for line in diff(kind, &user, &wish) {
                            if line.after.is_some() {
                                writers.insert(line.path, "client:1".to_owned());
                            } else {
                                writers.remove(&line.path);
                            }
                        }
                        user = wish;
                    }
                }
                Step::Run(at, value) => {
                    hr[at] = value;
                    for at in 0..PATHS.len() {
                        if !(rules[at] == Rule::Client && by_client[at]) {
                            model[at] = hr[at];
                            by_client[at] = false;
                        }
                    }
                    let mut planned = of(&hr);
                    let kept: Vec<&str> = authority
                        .having(Rule::Client)
                        .filter(|path| writers.contains_key(*path))
                        .collect();
                    transfer(kind, kept, &user, &mut planned);
                    for line in diff(kind, &user, &planned) {
                        writers.remove(&line.path);
                    }
                    user = planned;
                }
            }
            prop_assert!(diff(kind, &user, &of(&model)).is_empty(), "{user:?} {model:?}");
        }
    }
}
