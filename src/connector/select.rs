//! Asks only for the fields that are read, where the API allows it.

use serde_json::Value;

use super::feed::Extra;
use super::path::Path;
use super::request::{Place, Select};

/// What is sent to ask for the paths that are needed. A rule that searches among all fields needs them all: then nothing.
pub(super) fn asked_fields(select: Option<&Select>, needed: &[Path]) -> Extra {
    let mut extra = Extra::default();
    let Some(select) = select else { return extra };
    let Some(below) = Path::parse(&select.below) else {
        return extra;
    };
    let mut names: Vec<&str> = select.always.iter().map(String::as_str).collect();
    for path in needed {
        let rest = path.steps().strip_prefix(below.steps());
        match rest.map(<[String]>::first) {
            Some(Some(name)) => {
                let unwanted = name.starts_with('@') || select.never.contains(name);
                if !unwanted && !names.contains(&name.as_str()) {
                    names.push(name);
                }
            }
            Some(None) => return extra,
            None => {}
        }
    }
    match (select.place, &select.between) {
        (Place::Body, _) => {
            extra.body = Path::parse(&select.send).map(|path| (path, Value::from(names)));
        }
        (_, Some(between)) => extra.query.push((select.send.clone(), names.join(between))),
        _ => extra
            .query
            .extend(names.iter().map(|name| (select.send.clone(), (*name).to_owned()))),
    }
    extra
}
