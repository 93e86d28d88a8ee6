//! References: `bulkId:x` stands for the id of the resource that the operation named `x` makes (RFC 7644 §3.7.2).
//!
//! A reference is a whole text, the last part of a `$ref`, or a compared value in the filter of a PATCH path.

use serde_json::Value;

/// What a reference begins with.
const MARK: &str = "bulkId:";

/// The names that a value refers to, as often as they stand there.
pub fn names(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    each(value, "", &mut |key, text| found.extend(of_text(key, text)));
    found
}

/// The name that the id of a path refers to.
pub fn of_id(id: &str) -> Option<&str> {
    id.strip_prefix(MARK)
}

/// Puts ids in place of the references that `id_of` knows.
pub fn resolve(value: &mut Value, id_of: &dyn Fn(&str) -> Option<String>) {
    resolve_in("", value, id_of);
}

fn resolve_in(key: &str, value: &mut Value, id_of: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            for name in of_text(key, text) {
                if let Some(id) = id_of(&name) {
                    *text = replaced(key, text, &name, &id);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|one| resolve_in(key, one, id_of)),
        Value::Object(parts) => {
            for (key, part) in parts.iter_mut() {
                resolve_in(key, part, id_of);
            }
        }
        _ => {}
    }
}

/// Takes away what refers to something that `is_open` says is not there yet: a reference with the object that
/// consists of it. Tells whether nothing of the value is left.
pub fn strip(value: &mut Value, is_open: &dyn Fn(&str) -> bool) -> bool {
    strip_in("", value, is_open)
}

fn strip_in(key: &str, value: &mut Value, is_open: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => of_text(key, text).iter().any(|name| is_open(name)),
        Value::Array(list) => {
            list.retain_mut(|one| !strip_in(key, one, is_open));
            false
        }
        Value::Object(parts) => {
            let mut gone = false;
            parts.retain(|key, part| {
                let open = strip_in(key, part, is_open);
                gone |= open && (key.eq_ignore_ascii_case("value") || key.eq_ignore_ascii_case("$ref"));
                !open
            });
            gone
        }
        _ => false,
    }
}

fn each(value: &Value, key: &str, visit: &mut impl FnMut(&str, &str)) {
    match value {
        Value::String(text) => visit(key, text),
        Value::Array(list) => list.iter().for_each(|one| each(one, key, visit)),
        Value::Object(parts) => parts.iter().for_each(|(key, part)| each(part, key, visit)),
        _ => {}
    }
}

fn of_text(key: &str, text: &str) -> Vec<String> {
    if !text.contains(MARK) {
        return Vec::new();
    }
    if let Some(name) = text.strip_prefix(MARK) {
        return vec![name.to_owned()];
    }
    if key.eq_ignore_ascii_case("$ref") {
        let last = text.rsplit('/').next().and_then(|part| part.strip_prefix(MARK));
        return last.map(str::to_owned).into_iter().collect();
    }
    if key.eq_ignore_ascii_case("path") {
        let quoted = text.split("\"bulkId:").skip(1);
        return quoted
            .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
            .collect();
    }
    Vec::new()
}

fn replaced(key: &str, text: &str, name: &str, id: &str) -> String {
    let mark = format!("{MARK}{name}");
    if text == mark {
        id.to_owned()
    } else if key.eq_ignore_ascii_case("$ref") {
        format!("{}{id}", text.strip_suffix(&mark).unwrap_or(text))
    } else {
        text.replace(&format!("\"{mark}\""), &format!("\"{id}\""))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Covers: rfc 7.3; item 6
    #[test]
    fn rfc_7_3_references_are_found_wherever_they_stand() {
        let mut body = json!({
            "members": [{ "value": "bulkId:a", "$ref": "../Users/bulkId:a" }, { "value": "b" }],
            "urn:x": { "manager": { "value": "bulkId:c" } },
            "Operations": [{ "op": "remove", "path": "members[value eq \"bulkId:d\" or value eq \"bulkId:a\"]" }],
            "displayName": "see bulkId:z",
        });
        let mut found = names(&body);
        found.sort();
        assert_eq!(found, ["a", "a", "a", "c", "d"]);
        resolve(&mut body, &|name| (name != "c").then(|| format!("id-{name}")));
        assert_eq!(
            body,
            json!({
                "members": [{ "value": "id-a", "$ref": "../Users/id-a" }, { "value": "b" }],
                "urn:x": { "manager": { "value": "bulkId:c" } },
                "Operations": [{ "op": "remove", "path": "members[value eq \"id-d\" or value eq \"id-a\"]" }],
                "displayName": "see bulkId:z",
            })
        );
    }

    #[test]
    fn what_refers_to_nothing_yet_is_left_out_with_its_object() {
        let mut body = json!({
            "members": [{ "value": "bulkId:a", "type": "User" }, { "value": "bulkId:b" }, "bulkId:a"],
            "urn:x": { "manager": { "value": "bulkId:a" }, "department": "d" },
            "title": "t",
        });
        assert!(!strip(&mut body, &|name| name == "a"));
        assert_eq!(
            body,
            json!({ "members": [{ "value": "bulkId:b" }], "urn:x": { "department": "d" }, "title": "t" })
        );
    }
}
