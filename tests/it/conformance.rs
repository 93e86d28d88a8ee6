//! `docs/conformance.md` is made of the list of rules (`tests/conformance/rules.toml`) and of the marks on the tests,
//! `docs/requirements.md` of `tests/conformance/requirements.toml` and the same marks (see `requirements`).
//!
//! A test says what it covers in its name (`rule_5_34_…`, `rules_5_20_to_5_24_…`, `c41_c42_…`, `leap_10_payh_3_…`) or in
//! a line above it, `/// Covers: rfc 6.12, 6.17; C13; client entra; LEAP-10, PAYH-3`; a recording of a client in its
//! `covers`.

mod requirements;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::clients;

const PAGE: &str = "docs/conformance.md";
/// Set to write the page instead of comparing it (`make conformance`).
const WRITE: &str = "SCIM_BRIDGE_WRITE_CONFORMANCE";

/// The list of rules.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    section: Vec<Section>,
    lessons: BTreeMap<String, String>,
    clients: BTreeMap<String, String>,
    judge: Vec<Judge>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    title: String,
    /// Number, where it stands, what it says.
    rules: Vec<[String; 3]>,
}

/// Software of others that judged the server.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Judge {
    name: String,
    how: String,
    said: String,
}

/// What tests cover: `rfc 5.34`, `C13`, `client entra`, each with the names of its tests.
#[derive(Default)]
struct Marks(BTreeMap<String, BTreeSet<String>>);

impl Marks {
    fn add(&mut self, mark: String, test: &str) {
        self.0.entry(mark).or_default().insert(test.to_owned());
    }

    fn tests(&self, mark: &str) -> String {
        let tests = self.0.get(mark).into_iter().flatten();
        tests
            .map(|test| format!("`{test}`"))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|end| end == extension) {
            found.push(path);
        }
    }
}

/// The groups of a `Covers:` line; what is not understood comes back as the error.
fn groups(line: &str) -> Result<Vec<String>, String> {
    let mut marks = Vec::new();
    for group in line.split(';').map(str::trim) {
        let (word, rest) = group.split_once(' ').unwrap_or((group, ""));
        let list = rest.split(',').map(str::trim);
        match word {
            "rfc" => marks.extend(list.map(|rule| format!("rfc {rule}"))),
            "client" => marks.extend(list.map(|name| format!("client {name}"))),
            "item" => {}
            _ if requirements::is_id(word.trim_end_matches(',')) => {
                marks.extend(group.split(',').map(|one| one.trim().to_owned()));
            }
            _ if group.starts_with('C') => marks.extend(group.split(',').map(|one| one.trim().to_owned())),
            _ => return Err(format!("`{group}` is neither rfc, client, item, C nor a promise")),
        }
    }
    Ok(marks)
}

/// The marks in a test's name. `all` are the numbers of all rules, in order, for ranges.
fn named(name: &str, all: &[String]) -> Vec<String> {
    let number = |token: Option<&&str>| token.is_some_and(|token| token.parse::<u16>().is_ok());
    let lesson = |token: &str| {
        token
            .strip_prefix('c')
            .is_some_and(|rest| rest.parse::<u16>().is_ok())
    };
    let tokens: Vec<&str> = name.split('_').collect();
    let rules = ["rfc", "rule", "rules", "lesson"].contains(&tokens[0]);
    let mut marks: Vec<String> = Vec::new();
    let (mut at, mut range) = (usize::from(rules), false);
    while let Some(token) = tokens.get(at) {
        let promise = format!("{}-{}", token.to_uppercase(), tokens.get(at + 1).unwrap_or(&""));
        if requirements::is_id(&promise) {
            marks.push(promise);
            at += 2;
            continue;
        }
        if lesson(token) {
            marks.push(token.to_uppercase());
            at += 1;
        } else if rules && number(Some(token)) && number(tokens.get(at + 1)) {
            let rule = format!("{token}.{}", tokens[at + 1]);
            let place = |wanted: &str| all.iter().position(|rule| rule == wanted);
            let first = marks.last().and_then(|mark| place(mark.strip_prefix("rfc ")?));
            match (range, first, place(&rule)) {
                (true, Some(first), Some(last)) if first < last => {
                    marks.extend(all[first + 1..=last].iter().map(|rule| format!("rfc {rule}")));
                }
                _ => marks.push(format!("rfc {rule}")),
            }
            range = false;
            at += 2;
        } else if !marks.is_empty() && ["and", "to"].contains(token) {
            range = *token == "to";
            at += 1;
        } else {
            break;
        }
    }
    marks
}

/// Reads the marks of all tests in a file of ours.
fn read_source(text: &str, module: &str, all: &[String], marks: &mut Marks) -> Result<(), String> {
    let (mut covers, mut is_test) = (Vec::new(), false);
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("/// Covers: ") {
            covers.extend(groups(rest).map_err(|error| format!("{module}: {error}"))?);
        }
        is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        let rest = line.strip_prefix("pub ").unwrap_or(line);
        let rest = rest.strip_prefix("async ").unwrap_or(rest);
        if let Some(rest) = rest.strip_prefix("fn ") {
            let name: String = rest
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            if is_test {
                covers.extend(named(&name, all));
            } else if !covers.is_empty() {
                return Err(format!("{module}: {name} says what it covers and is no test"));
            }
            for mark in covers.drain(..) {
                marks.add(mark, &format!("{module}::{name}"));
            }
            is_test = false;
        }
    }
    Ok(())
}

fn all_marks(all: &[String]) -> Result<Marks, String> {
    let mut marks = Marks::default();
    for folder in ["src", "tests/it"] {
        let mut found = Vec::new();
        files(&root().join(folder), "rs", &mut found);
        for path in found {
            let inner = path.strip_prefix(root().join(folder)).unwrap().with_extension("");
            let module = inner.to_str().unwrap().replace('/', "::");
            let module = module.strip_suffix("::mod").unwrap_or(&module);
            read_source(&std::fs::read_to_string(&path).unwrap(), module, all, &mut marks)?;
        }
    }
    for name in clients::names() {
        for mark in groups(&clients::covers(&name)).map_err(|error| format!("{name}: {error}"))? {
            marks.add(mark, &format!("recording {name}"));
        }
    }
    Ok(marks)
}

fn list() -> List {
    toml::from_str(&std::fs::read_to_string(root().join("tests/conformance/rules.toml")).unwrap()).unwrap()
}

/// The row of a table; gives whether it has a test.
fn row(page: &mut String, cells: &[&str], tests: &str) -> bool {
    let state = if tests.is_empty() { "**missing**" } else { tests };
    let _ = writeln!(page, "| {} | {state} |", cells.join(" | "));
    !tests.is_empty()
}

/// The page, and what it lacks.
fn page(list: &List, marks: &Marks) -> (String, Vec<String>) {
    let (mut body, mut missing, mut counts) = (String::new(), Vec::new(), [0_usize; 3]);
    for (at, section) in list.section.iter().enumerate() {
        let _ = writeln!(
            body,
            "\n## {}. {}\n\n| rule | where | what it says | held by |\n| --- | --- | --- | --- |",
            at + 1,
            section.title
        );
        for [number, place, text] in &section.rules {
            let mark = format!("rfc {number}");
            if row(&mut body, &[number, place, text], &marks.tests(&mark)) {
                counts[0] += 1;
            } else {
                missing.push(mark);
            }
        }
    }
    body.push_str("\n## Lessons\n\nWhat users of comparable systems asked for or ran into.\n\n| lesson | ours | held by |\n| --- | --- | --- |\n");
    let mut lessons: Vec<_> = list.lessons.iter().collect();
    lessons.sort_by_key(|(name, _)| name[1..].parse::<u16>().unwrap());
    for (name, text) in lessons {
        if row(&mut body, &[name, text], &marks.tests(name)) {
            counts[1] += 1;
        } else {
            missing.push(name.clone());
        }
    }
    body.push_str("\n## Clients\n\n| client | held by |\n| --- | --- |\n");
    for (key, name) in &list.clients {
        let mark = format!("client {key}");
        if row(&mut body, &[name], &marks.tests(&mark)) {
            counts[2] += 1;
        } else {
            missing.push(mark);
        }
    }
    body.push_str("\n## Judged by others\n\n| judge | how | it said |\n| --- | --- | --- |\n");
    for judge in &list.judge {
        let _ = writeln!(body, "| {} | {} | {} |", judge.name, judge.how, judge.said);
    }
    let rules: usize = list.section.iter().map(|section| section.rules.len()).sum();
    let head = format!(
        "# Conformance\n\nWhat SCIM servers most often get wrong, what users of comparable systems ran into, and the clients that are\n\
         pointed at a server: each with the tests that hold it here. `S` is RFC 7643, `P` is RFC 7644, `C` is RFC 9865; `own` is\n\
         our choice where the texts are silent. `make conformance` writes this page from `tests/conformance/rules.toml` and the\n\
         tests; a test fails when it is out of date.\n\n\
         | | held | of |\n| --- | --- | --- |\n| rules | {} | {rules} |\n| lessons | {} | {} |\n| clients | {} | {} |\n",
        counts[0],
        counts[1],
        list.lessons.len(),
        counts[2],
        list.clients.len(),
    );
    (head + &body, missing)
}

#[test]
fn the_page_says_what_the_tests_say() {
    let list = list();
    let all: Vec<String> = list
        .section
        .iter()
        .flat_map(|section| section.rules.iter().map(|[number, ..]| number.clone()))
        .collect();
    let marks = all_marks(&all).unwrap();
    let unknown: Vec<_> = marks
        .0
        .iter()
        .filter(|(mark, _)| {
            if let Some(rule) = mark.strip_prefix("rfc ") {
                return !all.iter().any(|known| known == rule);
            }
            if let Some(client) = mark.strip_prefix("client ") {
                return !list.clients.contains_key(client);
            }
            // Lessons beyond those of SCIM belong to other parts of the program.
            !requirements::is_id(mark) && mark[1..].parse::<u16>().is_err()
        })
        .collect();
    assert!(
        unknown.is_empty(),
        "marks that stand in no list: {unknown:?}; see tests/conformance/rules.toml"
    );
    let (page, missing) = page(&list, &marks);
    println!("{} without a test: {}", missing.len(), missing.join(", "));
    is_committed(PAGE, &page);
}

/// Compares a page with the one that is there, or writes it.
fn is_committed(name: &str, page: &str) {
    let path = root().join(name);
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "{name} is not what the tests say: run 'make conformance'"
    );
}

#[test]
fn marks_are_read_from_names_and_lines() {
    let all: Vec<String> = ["5.20", "5.21", "5.22", "5.30", "6.1"]
        .map(str::to_owned)
        .to_vec();
    for (name, expected) in [
        (
            "rules_5_20_to_5_22_add",
            &["rfc 5.20", "rfc 5.21", "rfc 5.22"][..],
        ),
        ("rules_5_20_and_6_1_x", &["rfc 5.20", "rfc 6.1"]),
        ("rfc_5_30_a_5_2", &["rfc 5.30"]),
        ("rules_5_20_and_c8_members", &["rfc 5.20", "C8"]),
        ("c41_c42_members", &["C41", "C42"]),
        ("lesson_c29_external_id", &["C29"]),
        ("leap_10_payh_3_and_c8_names", &["LEAP-10", "PAYH-3", "C8"]),
        ("leap_x_frogs", &[]),
        ("a_5_20_b", &[]),
        ("rule_of_thumb", &[]),
    ] {
        assert_eq!(named(name, &all), expected, "{name}");
    }
    let mut marks = Marks::default();
    let source = "/// Covers: rfc 5.20, 5.30; C13; client entra\n#[tokio::test]\nasync fn one() {}\n#[test]\nfn two() {}\nfn rule_5_21_no_test() {}";
    read_source(source, "m", &all, &mut marks).unwrap();
    assert_eq!(
        marks.0.keys().collect::<Vec<_>>(),
        ["C13", "client entra", "rfc 5.20", "rfc 5.30"]
    );
    assert_eq!(marks.tests("C13"), "`m::one`");
    assert!(read_source("/// Covers: sometimes\n", "m", &all, &mut marks).is_err());
    assert!(read_source("/// Covers: C1\nfn no_test() {}", "m", &all, &mut marks).is_err());
}
