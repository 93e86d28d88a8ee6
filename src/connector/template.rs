//! `{{ name }}` in manifests: the value of a setting, nothing else.

use serde_json::Value;

/// A template that cannot be filled.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadTemplate {
    /// `{{` without `}}`.
    Open,
    /// A name that is no setting, or a setting without a value.
    Unknown(String),
}

/// Puts values in place of `{{ name }}`.
pub(super) fn fill(text: &str, value: &dyn Fn(&str) -> Option<String>) -> Result<String, BadTemplate> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, behind) = after.split_once("}}").ok_or(BadTemplate::Open)?;
        let name = name.trim();
        filled.push_str(before);
        filled.push_str(&value(name).ok_or_else(|| BadTemplate::Unknown(name.to_owned()))?);
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Fills every text inside a JSON value.
pub(super) fn fill_json(body: &Value, value: &dyn Fn(&str) -> Option<String>) -> Result<Value, BadTemplate> {
    Ok(match body {
        Value::String(text) => Value::String(fill(text, value)?),
        Value::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| fill_json(item, value))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(key, item)| Ok((key.clone(), fill_json(item, value)?)))
                .collect::<Result<_, _>>()?,
        ),
        other => other.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_settings_are_put_in() {
        let value = |name: &str| (name == "host").then(|| "acme".to_owned());
        assert_eq!(
            fill("https://{{ host }}.x/{{host}}", &value),
            Ok("https://acme.x/acme".into())
        );
        assert_eq!(fill("{{ hst }}", &value), Err(BadTemplate::Unknown("hst".into())));
        assert_eq!(fill("{{ host", &value), Err(BadTemplate::Open));
        assert_eq!(
            fill_json(&serde_json::json!({"a": ["{{ host }}", 1]}), &value),
            Ok(serde_json::json!({"a": ["acme", 1]}))
        );
    }
}
