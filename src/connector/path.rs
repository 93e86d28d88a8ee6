//! Paths into an answer: JSON Pointers (RFC 6901), split once.

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

    /// What is there in `root`.
    pub(super) fn find<'a>(&self, root: &'a Value) -> Found<'a> {
        let mut here = root;
        for step in &self.steps {
            here = match here {
                Value::Null => return Found::Null,
                Value::Object(members) => match members.get(step) {
                    Some(value) => value,
                    None => return Found::Missing,
                },
                Value::Array(items) => match step.parse::<usize>().ok().map(|index| items.get(index)) {
                    Some(Some(value)) => value,
                    Some(None) => return Found::Null,
                    None => return Found::Missing,
                },
                _ => return Found::Missing,
            };
        }
        if here.is_null() {
            Found::Null
        } else {
            Found::Here(here)
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
}
