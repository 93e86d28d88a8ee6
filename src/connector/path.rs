//! Paths into an answer: JSON Pointers (RFC 6901), split once, with three words more: `-1` is the last element of a list (and
//! `-2` the one before), `*` any element, `#text` the text of an element of XML. A single thing may stand for a list of it.

use serde_json::Value;

/// A JSON Pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    text: String,
    steps: Vec<String>,
}

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Found<'a> {
    /// An object on the way lacks the key: the answer has another shape than we know.
    Missing,
    /// Nothing is there, and that is said: null, an empty list, or null on the way.
    Null,
    /// A value.
    Here(&'a Value),
}

impl<'a> Found<'a> {
    /// The value, if there is one.
    pub(super) fn value(self) -> Option<&'a Value> {
        match self {
            Self::Here(value) => Some(value),
            Self::Missing | Self::Null => None,
        }
    }
}

impl Path {
    /// Reads a pointer: empty for the whole, else starting with `/`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let steps = match text.strip_prefix('/') {
            Some(rest) => rest
                .split('/')
                .map(|step| step.replace("~1", "/").replace("~0", "~"))
                .collect(),
            None if text.is_empty() => Vec::new(),
            None => return None,
        };
        Some(Self {
            text: text.to_owned(),
            steps,
        })
    }

    /// The path to one key of an object.
    pub(super) fn key(name: &str) -> Self {
        Self {
            text: name.to_owned(),
            steps: vec![name.to_owned()],
        }
    }

    /// As written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Its steps.
    pub(super) fn steps(&self) -> &[String] {
        &self.steps
    }

    /// What is there in `root`; behind a `*` the first that is there.
    pub(super) fn find<'a>(&self, root: &'a Value) -> Found<'a> {
        let mut here = root;
        for (index, step) in self.steps.iter().enumerate() {
            if step == "*" && !is_object_with(here, step) {
                let rest = self.steps.get(index.saturating_add(1)..).unwrap_or_default();
                let mut found = Vec::new();
                for element in elements(here) {
                    gather(rest, element, &mut found);
                }
                return found.first().map_or(Found::Null, |value| Found::Here(value));
            }
            here = match one_step(step, here) {
                Found::Here(value) => value,
                other => return other,
            };
        }
        if here.is_null() || is_deferred(here) {
            Found::Null
        } else {
            Found::Here(here)
        }
    }

    /// Everything that is there in `root`, with every element where the path says `*`.
    pub(super) fn all<'a>(&self, root: &'a Value) -> Vec<&'a Value> {
        let mut found = Vec::new();
        gather(&self.steps, root, &mut found);
        found
    }
}

fn is_object_with(value: &Value, key: &str) -> bool {
    value.as_object().is_some_and(|members| members.contains_key(key))
}

/// A link that OData v2 did not expand stands for something that is not there (OData v2, JSON format, section 10).
fn is_deferred(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|members| members.len() == 1 && members.contains_key("__deferred"))
}

/// The elements of a list; a single thing is its own only element.
fn elements(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}

fn one_step<'a>(step: &str, here: &'a Value) -> Found<'a> {
    match here {
        Value::Null => Found::Null,
        Value::Object(members) => match members.get(step) {
            Some(Value::Null) => Found::Null,
            Some(value) => Found::Here(value),
            None if step == "-1" => Found::Here(here),
            None if is_deferred(here) => Found::Null,
            None => Found::Missing,
        },
        Value::Array(items) => match index(step, items.len()) {
            Some(Some(at)) => items.get(at).map_or(Found::Null, Found::Here),
            Some(None) => Found::Null,
            None => Found::Missing,
        },
        Value::String(_) if matches!(step, "#text" | "-1") => Found::Here(here),
        _ => Found::Missing,
    }
}

/// The place in a list of `length` that a step names: from the beginning, or with `-` from the end.
fn index(step: &str, length: usize) -> Option<Option<usize>> {
    match step.strip_prefix('-') {
        Some(back) => back.parse::<usize>().ok().map(|back| length.checked_sub(back)),
        None => step.parse::<usize>().ok().map(Some),
    }
}

fn gather<'a>(steps: &[String], here: &'a Value, found: &mut Vec<&'a Value>) {
    match steps.split_first() {
        None if here.is_null() || is_deferred(here) => {}
        None => found.push(here),
        Some((step, rest)) if step == "*" && !is_object_with(here, step) => {
            for element in elements(here) {
                gather(rest, element, found);
            }
        }
        Some((step, rest)) => {
            if let Found::Here(value) = one_step(step, here) {
                gather(rest, value, found);
            }
        }
    }
}

/// Puts `value` at `path` inside an object, making the objects on the way.
pub(super) fn put(root: &mut Value, path: &Path, value: Value) {
    let mut here = root;
    for step in path.steps() {
        if !here.is_object() {
            *here = Value::Object(serde_json::Map::new());
        }
        let Value::Object(members) = here else { return };
        here = members.entry(step.clone()).or_insert(Value::Null);
    }
    *here = value;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn missing_and_null_are_told_apart() {
        let root = json!({"a": {"b": "x", "n": null, "e~/": 1}, "l": [], "s": "t"});
        let find = |text: &str| Path::parse(text).unwrap().find(&root);
        assert_eq!(find("/a/b"), Found::Here(&json!("x")));
        assert_eq!(find("/a/e~0~1"), Found::Here(&json!(1)));
        assert_eq!(find("/a/n"), Found::Null);
        assert_eq!(find("/a/n/deeper"), Found::Null);
        assert_eq!(find("/l/0/name"), Found::Null);
        assert_eq!(find("/a/c"), Found::Missing);
        assert_eq!(find("/s/c"), Found::Missing);
        assert_eq!(Path::parse("a"), None);
    }

    #[test]
    fn lists_are_reached_from_the_end_and_by_any_element() {
        let root = json!({"l": [{"id": 1}, {"id": 2, "t": ["x", "y"]}], "one": {"id": 3}, "t": "plain",
            "later": {"__deferred": {"uri": "u"}}, "none": []});
        let find = |text: &str| Path::parse(text).unwrap().find(&root);
        assert_eq!(find("/l/-1/id"), Found::Here(&json!(2)));
        assert_eq!(find("/l/-2/id"), Found::Here(&json!(1)));
        assert_eq!(find("/l/-3/id"), Found::Null);
        assert_eq!(find("/one/-1/id"), Found::Here(&json!(3)));
        assert_eq!(find("/none/-1/id"), Found::Null);
        assert_eq!(find("/t/#text"), Found::Here(&json!("plain")));
        assert_eq!(find("/later"), Found::Null);
        assert_eq!(find("/later/name"), Found::Null);
        assert_eq!(find("/l/*/t/*"), Found::Here(&json!("x")));
        let all = |text: &str| Path::parse(text).unwrap().all(&root);
        assert_eq!(all("/l/*/id"), [&json!(1), &json!(2)]);
        assert_eq!(all("/l/*/t/*"), [&json!("x"), &json!("y")]);
        assert_eq!(all("/one/*/id"), [&json!(3)]);
        assert!(all("/none/*").is_empty() && all("/nothing/*").is_empty());
    }
}
