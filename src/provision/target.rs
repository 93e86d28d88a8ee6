//! Where a mapping line points: an attribute of the app's user, perhaps a part or one type of it.

use serde_json::{Map, Value, json};

use crate::scim::{ENTERPRISE, ResourceType};

const ENTERPRISE_NAMES: &[&str] = &[
    "employeeNumber",
    "costCenter",
    "organization",
    "division",
    "department",
    "manager",
];
const TYPED: &[&str] = &["emails", "phoneNumbers", "addresses", "ims", "photos"];

/// A place in a SCIM object: extension, attribute, and a sub-attribute or, for `emails.work` and the like, a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    extension: Option<String>,
    attribute: String,
    part: Option<String>,
}

impl Target {
    /// Reads `userName`, `name.givenName`, `emails.work`, `department`, `urn:…:User:department`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (extension, rest) = match text.rfind(':') {
            Some(colon) if text.starts_with("urn:") => {
                let (urn, rest) = text.split_at_checked(colon)?;
                (Some(urn.to_owned()), rest.strip_prefix(':')?)
            }
            _ => (None, text),
        };
        let (attribute, part) = match rest.split_once('.') {
            Some((attribute, part)) => (attribute, Some(part.to_owned())),
            None => (rest, None),
        };
        let is_word = |word: &str| {
            !word.is_empty()
                && word
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        };
        if !is_word(attribute) || part.as_deref().is_some_and(|part| !is_word(part)) {
            return None;
        }
        let extension = extension
            .filter(|urn| urn != "urn:ietf:params:scim:schemas:core:2.0:User")
            .or_else(|| {
                (!text.starts_with("urn:") && ENTERPRISE_NAMES.contains(&attribute))
                    .then(|| ENTERPRISE.to_owned())
            });
        Some(Self {
            extension,
            attribute: attribute.to_owned(),
            part,
        })
    }

    /// The path in a filter (RFC 7644 §3.4.2.2): of one type of a list, its values.
    pub(crate) fn filter_path(&self) -> String {
        let part = match &self.part {
            Some(_) if TYPED.contains(&self.attribute.as_str()) => ".value".to_owned(),
            Some(part) => format!(".{part}"),
            None => String::new(),
        };
        match &self.extension {
            Some(urn) => format!("{urn}:{}{part}", self.attribute),
            None => format!("{}{part}", self.attribute),
        }
    }

    /// The attribute's name, without extension and part.
    pub(crate) fn attribute(&self) -> &str {
        &self.attribute
    }

    /// Whether it is userName or an e-mail address, which people sign in with.
    pub(crate) fn is_login(&self) -> bool {
        self.extension.is_none() && matches!(self.attribute.as_str(), "userName" | "emails")
    }

    /// Whether a resource type has the attribute.
    pub(crate) fn is_known(&self, kind: &ResourceType) -> bool {
        match &self.extension {
            None => kind.core(&self.attribute).is_some(),
            Some(urn) => kind.extensions.iter().any(|extension| {
                extension.schema.id.eq_ignore_ascii_case(urn)
                    && extension
                        .schema
                        .attributes
                        .iter()
                        .any(|attribute| attribute.name.eq_ignore_ascii_case(&self.attribute))
            }),
        }
    }

    fn home<'a>(&self, object: &'a Map<String, Value>) -> Option<&'a Map<String, Value>> {
        match &self.extension {
            None => Some(object),
            Some(urn) => object.get(urn)?.as_object(),
        }
    }

    /// What stands there.
    pub(crate) fn get<'a>(&self, object: &'a Map<String, Value>) -> Option<&'a Value> {
        let value = self.home(object)?.get(&self.attribute)?;
        match (&self.part, value) {
            (None, value) => Some(value),
            (Some(part), Value::Array(elements)) => of_type(elements, part)?.get("value"),
            (Some(part), value) => value.get(part),
        }
    }

    /// Puts `value` there, or takes away what is there.
    pub(crate) fn set(&self, object: &mut Map<String, Value>, value: Option<Value>) {
        let Some(home) = self.home_mut(object, value.is_some()) else {
            return;
        };
        match &self.part {
            None => put(home, &self.attribute, value),
            Some(part) if TYPED.contains(&self.attribute.as_str()) => {
                set_typed(home, &self.attribute, part, value)
            }
            Some(part) => {
                let inner = home
                    .entry(self.attribute.clone())
                    .or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(inner) = inner {
                    put(inner, part, value);
                    if inner.is_empty() {
                        home.remove(&self.attribute);
                    }
                }
            }
        }
        if let Some(urn) = &self.extension
            && object
                .get(urn)
                .and_then(Value::as_object)
                .is_some_and(Map::is_empty)
        {
            object.remove(urn);
        }
    }

    fn home_mut<'a>(
        &self,
        object: &'a mut Map<String, Value>,
        make: bool,
    ) -> Option<&'a mut Map<String, Value>> {
        match &self.extension {
            None => Some(object),
            Some(urn) => {
                if make && !object.contains_key(urn) {
                    object.insert(urn.clone(), Value::Object(Map::new()));
                }
                object.get_mut(urn)?.as_object_mut()
            }
        }
    }
}

fn put(map: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    match value {
        Some(value) => {
            map.insert(key.to_owned(), value);
        }
        None => {
            map.remove(key);
        }
    }
}

fn of_type<'a>(elements: &'a [Value], kind: &str) -> Option<&'a Value> {
    elements.iter().find(|element| {
        element
            .get("type")
            .and_then(Value::as_str)
            .is_some_and(|found| found.eq_ignore_ascii_case(kind))
    })
}

fn set_typed(home: &mut Map<String, Value>, attribute: &str, kind: &str, value: Option<Value>) {
    let entry = home
        .entry(attribute.to_owned())
        .or_insert_with(|| Value::Array(Vec::new()));
    let Value::Array(elements) = entry else { return };
    let is_it = |element: &Value| of_type(std::slice::from_ref(element), kind).is_some();
    let place = elements.iter().position(is_it).unwrap_or(elements.len());
    // What stands beside the value, such as `primary`, stays.
    let old = elements.iter().find(|element| is_it(element)).cloned();
    elements.retain(|element| !is_it(element));
    if let Some(value) = value {
        let mut element = old.unwrap_or_else(|| json!({ "type": kind }));
        if let Value::Object(element) = &mut element {
            element.insert("value".to_owned(), value);
        }
        elements.insert(place.min(elements.len()), element);
    }
    if elements.is_empty() {
        home.remove(attribute);
    }
}

/// What of `read` is ours to judge: attributes, sub-attributes and elements that `ours` or `before` names. What the app
/// keeps beside them stays the app's own.
#[must_use]
pub fn ours_of(
    read: &Map<String, Value>,
    ours: &Map<String, Value>,
    before: Option<&Map<String, Value>>,
) -> Map<String, Value> {
    let mut kept = Map::new();
    for (key, value) in read {
        let wanted = ours.get(key);
        let had = before.and_then(|before| before.get(key));
        let Some(guide) = wanted.or(had) else { continue };
        if let Some(value) = narrowed(value, guide, wanted.and(had)) {
            kept.insert(key.clone(), value);
        }
    }
    kept
}

fn narrowed(value: &Value, guide: &Value, second: Option<&Value>) -> Option<Value> {
    match (value, guide) {
        (Value::Object(value), Value::Object(guide)) => {
            let kept = ours_of(value, guide, second.and_then(Value::as_object));
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        (Value::Array(elements), Value::Array(guides)) => {
            let seconds = second
                .and_then(Value::as_array)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let kept: Vec<Value> = elements
                .iter()
                .filter_map(|element| {
                    let guide = guides
                        .iter()
                        .chain(seconds)
                        .find(|guide| same_place(element, guide))?;
                    narrowed(element, guide, None)
                })
                .collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        (value, _) => Some(value.clone()),
    }
}

/// Whether two elements of a multi-valued attribute stand for the same thing: the same type, or without one the same value.
fn same_place(a: &Value, b: &Value) -> bool {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_lowercase);
    match (text(a, "type"), text(b, "type")) {
        (Some(a), Some(b)) => a == b,
        _ => match (text(a, "value"), text(b, "value")) {
            (Some(a), Some(b)) => a == b,
            _ => a == b,
        },
    }
}

/// `theirs` with our attributes written over it: what PUT sends, so that the app keeps what is its own.
#[must_use]
pub fn merged(
    theirs: &Map<String, Value>,
    before: Option<&Map<String, Value>>,
    after: &Map<String, Value>,
) -> Map<String, Value> {
    let mut out = theirs.clone();
    for key in before
        .into_iter()
        .flat_map(Map::keys)
        .filter(|key| !after.contains_key(*key))
    {
        out.remove(key);
    }
    for (key, value) in after {
        let merged = match (out.get(key), value) {
            (Some(Value::Object(theirs)), Value::Object(ours)) => {
                let before = before
                    .and_then(|before| before.get(key))
                    .and_then(Value::as_object);
                Value::Object(merged(theirs, before, ours))
            }
            (Some(Value::Array(theirs)), Value::Array(ours)) => {
                let had = before
                    .and_then(|before| before.get(key))
                    .and_then(Value::as_array);
                let foreign = theirs.iter().filter(|element| {
                    !ours
                        .iter()
                        .chain(had.into_iter().flatten())
                        .any(|our| same_place(element, our))
                });
                Value::Array(foreign.chain(ours).cloned().collect())
            }
            _ => value.clone(),
        };
        out.insert(key.clone(), merged);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn targets_find_extension_part_and_type() {
        let object = map(json!({
            "userName": "a", "name": {"givenName": "A"}, "emails": [{"value": "a@x", "type": "work"}],
            ENTERPRISE: {"department": "D"}
        }));
        for (path, value) in [
            ("userName", json!("a")),
            ("name.givenName", json!("A")),
            ("emails.work", json!("a@x")),
            ("department", json!("D")),
            (
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
                json!("D"),
            ),
        ] {
            assert_eq!(Target::parse(path).unwrap().get(&object), Some(&value), "{path}");
        }
        assert!(Target::parse("a b").is_none());
        assert!(Target::parse("").is_none());
        assert!(Target::parse("name.").is_none());
    }

    #[test]
    fn setting_and_clearing_leaves_no_empty_shells() {
        let mut object = Map::new();
        for path in ["name.givenName", "emails.work", "department", "nickName"] {
            Target::parse(path).unwrap().set(&mut object, Some(json!("x")));
        }
        assert_eq!(
            Value::Object(object.clone()),
            json!({"name": {"givenName": "x"}, "emails": [{"value": "x", "type": "work"}], "nickName": "x",
                   ENTERPRISE: {"department": "x"}})
        );
        for path in ["name.givenName", "emails.work", "department", "nickName"] {
            Target::parse(path).unwrap().set(&mut object, None);
        }
        assert!(object.is_empty());
    }

    #[test]
    fn what_the_app_owns_is_neither_judged_nor_overwritten() {
        let theirs = map(json!({
            "userName": "A@x", "nickName": "Al", "name": {"givenName": "Al", "formatted": "Al B"},
            "emails": [{"value": "old@x", "type": "work", "display": "o"}, {"value": "h@x", "type": "home"}]
        }));
        let ours = map(json!({
            "userName": "a@x", "name": {"givenName": "Al"}, "emails": [{"value": "a@x", "type": "work"}]
        }));
        assert_eq!(
            Value::Object(ours_of(&theirs, &ours, None)),
            json!({"userName": "A@x", "name": {"givenName": "Al"}, "emails": [{"value": "old@x", "type": "work"}]})
        );
        assert_eq!(
            Value::Object(merged(&theirs, None, &ours)),
            json!({"userName": "a@x", "nickName": "Al", "name": {"givenName": "Al", "formatted": "Al B"},
                   "emails": [{"value": "h@x", "type": "home"}, {"value": "a@x", "type": "work"}]})
        );
        let had = map(json!({"userName": "a@x", "nickName": "Al"}));
        assert!(!merged(&theirs, Some(&had), &ours).contains_key("nickName"));
    }
}
