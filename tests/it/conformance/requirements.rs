//! `docs/requirements.md`: each promise, the tests that hold it, and its state.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use super::{Marks, all_marks, is_committed, root};

const PAGE: &str = "docs/requirements.md";
const SOURCES: [&str; 5] = ["LEAP", "PAYH", "RG", "EXP", "PROB"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    source: Vec<Source>,
    /// What only a page in a browser shows, by id.
    console: BTreeMap<String, String>,
    /// What is not done and why, by id.
    open: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    title: String,
    /// Id, and what is promised.
    promises: Vec<[String; 2]>,
}

/// Whether a word is shaped like the id of a promise, such as `LEAP-10`.
pub fn is_id(word: &str) -> bool {
    word.split_once('-')
        .is_some_and(|(source, number)| SOURCES.contains(&source) && number.parse::<u16>().is_ok())
}

fn state(list: &List, id: &str, tests: &str) -> String {
    match (tests.is_empty(), list.open.get(id), list.console.get(id)) {
        (_, Some(reason), _) => format!("**open**: {reason}"),
        (true, None, _) => "**no test**".to_owned(),
        (false, None, Some(page)) => format!("held; for a page in a browser: {page}"),
        (false, None, None) => "held".to_owned(),
    }
}

/// The page, and the ids that have neither a test nor a reason.
fn page(list: &List, marks: &Marks) -> (String, Vec<String>) {
    let (mut body, mut missing, mut held, mut all) = (String::new(), Vec::new(), 0, 0);
    for source in &list.source {
        let _ = writeln!(
            body,
            "\n## {}\n\n| id | promise | test | state |\n| --- | --- | --- | --- |",
            source.title
        );
        for [id, promise] in &source.promises {
            let tests = marks.tests(id);
            let open = list.open.contains_key(id);
            all += 1;
            held += usize::from(!open && !tests.is_empty());
            if tests.is_empty() && !open {
                missing.push(id.clone());
            }
            let state = state(list, id, &tests);
            let _ = writeln!(body, "| {id} | {promise} | {tests} | {state} |");
        }
    }
    let head = format!(
        "# What was promised\n\nWhat the help pages of five products promise of a sync of an HR system into an app, as their customers read them, \
         and the\ntests that hold each promise here: {held} of {all}. `make conformance` writes this page from \
         `tests/conformance/requirements.toml`\nand the tests; a test fails when it is out of date, or when a promise has neither a \
         test nor a reason.\n"
    );
    (head + &body, missing)
}

#[test]
fn each_promise_has_a_test_or_a_reason() {
    let text = std::fs::read_to_string(root().join("tests/conformance/requirements.toml")).unwrap();
    let list: List = toml::from_str(&text).unwrap();
    let ids: Vec<&String> = list
        .source
        .iter()
        .flat_map(|source| source.promises.iter().map(|[id, _]| id))
        .collect();
    let marks = all_marks(&[]).unwrap();
    let marked = marks.0.keys().filter(|mark| is_id(mark));
    let unknown: Vec<&String> = marked
        .chain(list.console.keys())
        .chain(list.open.keys())
        .filter(|id| !ids.contains(id))
        .collect();
    assert!(unknown.is_empty(), "no such promises: {unknown:?}");
    let (page, missing) = page(&list, &marks);
    assert!(
        missing.is_empty(),
        "neither a test nor a reason: {}",
        missing.join(", ")
    );
    is_committed(PAGE, &page);
}
