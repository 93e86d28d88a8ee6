//! Second lists, by the keys that rules and joins name.

use std::collections::HashMap;

use serde_json::Value;

use super::map::plain;
use super::path::Path;

/// Stands between the parts of a composed key.
const BETWEEN: &str = "\u{1f}";

/// The second lists of a read. Several records may lie under one key, in the order they came.
#[derive(Debug, Default)]
pub(super) struct Lists(HashMap<String, HashMap<String, Vec<Value>>>);

impl Lists {
    /// The records of a list under a key.
    pub fn get(&self, list: &str, key: &str) -> &[Value] {
        self.0
            .get(list)
            .and_then(|list| list.get(key))
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// All records of a list that have a key, with it.
    pub fn all(&self, list: &str) -> impl Iterator<Item = (&str, &Value)> {
        let records = self.0.get(list).into_iter().flatten();
        records.flat_map(|(key, records)| records.iter().map(move |record| (key.as_str(), record)))
    }

    /// Puts a record in under its keys; one that has none is left out.
    pub fn add(&mut self, list: &str, keys: &[Path], record: Value) {
        let mut keys = keys_of(keys, &record);
        let list = self.0.entry(list.to_owned()).or_default();
        let last = keys.pop();
        for key in keys {
            list.entry(key).or_default().push(record.clone());
        }
        if let Some(key) = last {
            list.entry(key).or_default().push(record);
        }
    }
}

/// The key that a record names, of one part or several; `None` when a part is not there.
pub(super) fn key_of(paths: &[Path], record: &Value) -> Option<String> {
    let part = |path: &Path| {
        plain(path.find(record).value()?)
            .ok()
            .filter(|text| !text.trim().is_empty())
    };
    let parts: Vec<String> = paths.iter().map(part).collect::<Option<_>>()?;
    Some(parts.join(BETWEEN))
}

/// The keys under which a record lies: several where its one path names several.
fn keys_of(paths: &[Path], record: &Value) -> Vec<String> {
    match paths {
        [path] => path
            .all(record)
            .into_iter()
            .filter_map(|value| plain(value).ok())
            .filter(|text| !text.trim().is_empty())
            .collect(),
        paths => key_of(paths, record).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_record_may_lie_under_several_keys_and_a_key_may_have_parts() {
        let paths = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| Path::parse(text).unwrap())
                .collect::<Vec<_>>()
        };
        let mut lists = Lists::default();
        lists.add("teams", &paths(&["/people/*"]), json!({"n": 1, "people": [7, 8]}));
        lists.add("teams", &paths(&["/people/*"]), json!({"n": 2, "people": [7]}));
        lists.add("jobs", &paths(&["/p", "/e"]), json!({"p": "1", "e": 2}));
        lists.add("jobs", &paths(&["/p", "/e"]), json!({"p": "1"}));
        assert_eq!(lists.get("teams", "7").len(), 2);
        assert_eq!(lists.get("teams", "8")[0]["n"], 1);
        assert_eq!(lists.all("jobs").count(), 1);
        let key = key_of(&paths(&["/a", "/b"]), &json!({"a": 1, "b": "2"})).unwrap();
        assert_eq!(lists.get("jobs", &key).len(), 1);
        assert!(lists.get("none", "7").is_empty());
    }
}
