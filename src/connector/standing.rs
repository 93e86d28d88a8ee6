//! Where a field stands in the vendor's record, in words, for whoever asks where a value comes from.

use serde_json::Value;

use super::Manifest;
use super::request::Many;
use super::rule::{Pick, Rule, Rules};

impl Manifest {
    /// Where a canonical field stands in a record, best first: `/attributes/email/value`. `part` is the part of a field
    /// that has parts, or the key of a custom field. Empty: it is not read.
    #[must_use]
    pub fn stands(&self, field: &str, part: Option<&str>) -> Vec<String> {
        let rules = self
            .written
            .employees
            .as_ref()
            .and_then(|employees| employees.map.get(field));
        rules
            .map(|rules| places(rules.get_ref(), part))
            .unwrap_or_default()
    }
}

/// The same for one line of a connection's `[fields]`.
#[must_use]
pub fn stands_in(line: &Value, part: Option<&str>) -> Vec<String> {
    serde_json::from_value::<Rules>(line.clone())
        .map(|rules| places(&rules, part))
        .unwrap_or_default()
}

fn places(rules: &Rules, part: Option<&str>) -> Vec<String> {
    rules.0.iter().filter_map(|rule| place(rule, part)).collect()
}

fn place(rule: &Rule, part: Option<&str>) -> Option<String> {
    let path = match (&rule.value, part.and_then(|part| of_part(rule, part))) {
        (Some(word), _) => format!("always {word:?}"),
        (None, Some(path)) => path,
        (None, None) => whole(rule)?,
    };
    let mut around = Vec::new();
    if let Some(list) = &rule.list {
        around.push(format!("list {list} by {}", rule.by.0.join(" + ")));
    }
    if let Some(from) = &rule.from {
        around.push(from.clone());
    }
    around.extend(rule.pick.as_ref().and_then(picked));
    Some(if around.is_empty() {
        path
    } else {
        format!("{}: {path}", around.join(", "))
    })
}

fn picked(pick: &Pick) -> Option<String> {
    let (at, is) = (pick.at.as_ref()?, pick.is.as_ref()?);
    Some(format!("where {at} is {}", is.join(" or ")))
}

fn of_part(rule: &Rule, part: &str) -> Option<String> {
    if let Some(path) = rule.keys.as_ref().and_then(|keys| keys.get(part)) {
        return Some(path.clone());
    }
    let many = match part {
        "id" => &rule.id,
        "code" => &rule.code,
        "name" => &rule.name,
        "street" => &rule.street,
        "city" => &rule.city,
        "region" => &rule.region,
        "postal_code" => &rule.postal_code,
        "country" => &rule.country,
        "iban" => &rule.iban,
        "bic" => &rule.bic,
        "holder" => &rule.holder,
        _ => &None,
    };
    many.as_ref().map(joined)
}

/// The place of a field without parts, or all places of one that has some.
fn whole(rule: &Rule) -> Option<String> {
    if let Some(at) = &rule.at {
        return Some(joined(at));
    }
    let mut texts: Vec<&str> = rule.texts().map(String::as_str).collect();
    texts.retain(|text| rule.from.as_deref() != Some(text) && !rule.by.0.iter().any(|by| by == text));
    (!texts.is_empty()).then(|| texts.join(", "))
}

fn joined(many: &Many<String>) -> String {
    many.0.join(" + ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::connector::Catalogue;

    #[test]
    fn a_place_is_told_in_the_words_of_the_manifest() {
        let catalogue = Catalogue::load(None).unwrap();
        let personio = catalogue.get("personio").unwrap();
        assert_eq!(
            personio.stands("given_name", None),
            ["/attributes/first_name/value"]
        );
        assert_eq!(
            personio.stands("department", Some("name")),
            ["/attributes/department/value/attributes/name"]
        );
        assert_eq!(
            personio.stands("employee_number", None),
            ["/attributes, where /label is {{ employee_number_label }} or Personalnummer: /value"]
        );
        assert!(personio.stands("bank_accounts", None).is_empty());
        assert_eq!(stands_in(&json!("Email"), None), ["Email"]);
        assert_eq!(stands_in(&json!({ "name": "Dept" }), Some("name")), ["Dept"]);
        assert_eq!(
            stands_in(&json!({ "keys": { "badge": "Badge No" } }), Some("badge")),
            ["Badge No"]
        );
    }
}
