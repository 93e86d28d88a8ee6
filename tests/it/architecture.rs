//! The floors: a module imports only what stands below it, and each foreign library has its door.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What each module may import. The order is that of the floors.
const FLOORS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("scim", &[]),
    ("hr", &["base"]),
    ("lifecycle", &["base", "hr"]),
    ("expression", &["base", "hr"]),
    ("net", &["base"]),
    ("db", &["base"]),
    ("audit", &["base", "db"]),
    ("guard", &["base", "db", "audit"]),
    ("connector", &["base", "hr", "net"]),
    ("identity", &["base", "hr", "db"]),
    ("directory", &["base", "scim", "db", "audit", "guard"]),
    ("notice", &["base", "expression", "net", "db"]),
    (
        "provision",
        &[
            "base",
            "hr",
            "lifecycle",
            "scim",
            "expression",
            "db",
            "audit",
            "guard",
            "notice",
        ],
    ),
    ("access", &["base", "net", "db", "audit"]),
    (
        "translate",
        &["base", "hr", "lifecycle", "scim", "expression", "identity"],
    ),
    (
        "delivery",
        &[
            "base",
            "scim",
            "net",
            "db",
            "audit",
            "guard",
            "directory",
            "provision",
            "notice",
        ],
    ),
    (
        "sync",
        &[
            "base",
            "scim",
            "hr",
            "lifecycle",
            "expression",
            "net",
            "db",
            "audit",
            "guard",
            "connector",
            "identity",
            "directory",
            "provision",
            "access",
            "notice",
            "translate",
        ],
    ),
    (
        "insight",
        &[
            "base",
            "scim",
            "hr",
            "lifecycle",
            "expression",
            "net",
            "db",
            "audit",
            "guard",
            "connector",
            "identity",
            "directory",
            "provision",
            "access",
            "notice",
            "translate",
            "delivery",
            "sync",
        ],
    ),
    (
        "privacy",
        &["base", "hr", "db", "audit", "identity", "directory", "delivery"],
    ),
];

/// The roof may import everything; but who answers and who works in the background do not know each other.
const ROOF: &[(&str, &[&str])] = &[
    ("worker", &["web", "cli", "app", "demo"]),
    ("web", &["worker", "cli", "app", "demo"]),
    ("config", &["worker", "web", "cli", "app", "demo"]),
    ("app", &["cli", "demo", "bench"]),
    ("bench", &["web", "worker", "cli", "demo"]),
    ("cli", &["web", "worker"]),
    ("demo", &[]),
    ("main", &[]),
    ("lib", &[]),
];

/// Libraries, and the only files that may name them.
type Door = fn(&str) -> bool;
const DOORS: &[(&str, Door)] = &[
    ("diesel", is_store),
    ("diesel_async", is_store),
    ("tokio_postgres", |file| file.starts_with("db/")),
    ("reqwest", |file| file.starts_with("net/")),
    ("actix_web", |file| {
        ["web/", "demo/", "app/", "bench/"]
            .iter()
            .any(|folder| file.starts_with(folder))
            || file == "main.rs"
    }),
    ("minijinja", |file| {
        file.starts_with("expression/") || file.starts_with("web/pages/")
    }),
    ("clap", |file| file.starts_with("cli/") || file == "main.rs"),
];

fn is_store(file: &str) -> bool {
    file.starts_with("db/")
        || file.ends_with("/store.rs")
        || file.contains("/store/")
        || file == "directory/filter_sql.rs"
        || file == "worker/lease.rs"
}

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// The text without comments.
fn code(text: &str) -> String {
    text.lines()
        .map(|line| line.split_once("//").map_or(line, |(code, _)| code))
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The modules of this package that a text names: `crate::x`, `use crate::{x, y::z}`, `crate::statement!`.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(is_word) {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        found.insert(std::mem::take(&mut word));
                    }
                    _ if depth == 0 => word.push(c),
                    _ => {}
                }
            }
            found.insert(word);
        } else {
            found.insert(rest.to_owned());
        }
    }
    found
        .into_iter()
        .map(|path| {
            path.trim_start()
                .chars()
                .take_while(|c| is_word(*c))
                .collect::<String>()
        })
        .filter(|name| !name.is_empty())
        .map(|name| {
            if name == "statement" {
                "db".to_owned()
            } else {
                name
            }
        })
        .collect()
}

/// Whether the code names a crate: `name::` or `use name;` as a word of its own.
fn names(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = &code[..at];
        let after = &code[at + name.len()..];
        !before.ends_with(is_word) && !before.ends_with("::") && after.starts_with("::")
    })
}

#[test]
fn a_module_imports_only_what_stands_below_it() {
    let modules: BTreeSet<&str> = FLOORS.iter().chain(ROOF).map(|(name, _)| *name).collect();
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let module = file.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        if !modules.contains(module.as_str()) {
            wrong.push(format!("{file}: the module {module} is in no list of floors"));
            continue;
        }
        for import in imports(&code(&text)) {
            let allowed = import == module
                || match FLOORS.iter().find(|(name, _)| *name == module) {
                    Some((_, below)) => below.contains(&import.as_str()),
                    None => !ROOF
                        .iter()
                        .any(|(name, not)| *name == module && not.contains(&import.as_str())),
                };
            if modules.contains(import.as_str()) && !allowed {
                wrong.push(format!("{file} imports {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "against the floors:\n{}", wrong.join("\n"));
}

#[test]
fn each_library_has_its_door() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let code = code(&text);
        for (library, door) in DOORS {
            if names(&code, library) && !door(&file) {
                wrong.push(format!("{file} names {library}"));
            }
        }
        let product = code.split("#[cfg(test)]").next().unwrap();
        if product.contains("std::env::") && !file.starts_with("config/") {
            wrong.push(format!("{file} reads the environment"));
        }
    }
    assert!(wrong.is_empty(), "not through the door:\n{}", wrong.join("\n"));
}

#[test]
fn files_stay_readable() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let lines = text.lines().count();
        let longest = if file.ends_with("tests.rs") { 1000 } else { 700 };
        if lines > longest {
            wrong.push(format!("{file} has {lines} lines"));
        }
        let stem = Path::new(&file).file_stem().unwrap().to_str().unwrap().to_owned();
        if ["utils", "util", "common", "helpers", "types", "prelude", "misc"].contains(&stem.as_str()) {
            wrong.push(format!("{file} is named for nothing"));
        }
        if file.ends_with("/mod.rs") && !text.starts_with("//!") {
            wrong.push(format!("{file} has no page"));
        }
        if text.contains("#[allow(") || text.contains("#![allow(") {
            wrong.push(format!("{file} allows instead of expecting"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where room is made for a number of things that is not the length of what is there already, and why that is bounded.
const ROOM: &[(&str, &str, &str)] = &[
    (
        "identity/correlate.rs",
        "self.candidates",
        "the records of one page, which are in memory",
    ),
    (
        "base/sign.rs",
        "pair.public_modulus_len()",
        "the size of a key that was read",
    ),
];

/// Nothing makes room by a number from outside: only by the length of what it holds already, or by a constant.
///
/// Covers: item 10
#[test]
fn nothing_makes_room_by_a_number_that_somebody_sent() {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for (file, text) in sources() {
        if file.contains("tests") || file.contains("/model") || file.ends_with("sample.rs") {
            continue;
        }
        let text = code(&text);
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for size in rooms(text) {
            if let Some(at) = ROOM.iter().position(|(of, what, _)| *of == file && *what == size) {
                used.insert(at);
            } else if !is_a_length(&size) {
                wrong.push(format!("{file} makes room for {size}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(used.len(), ROOM.len(), "an exception is no longer needed");
    // The rule can fail.
    let text =
        "Vec::with_capacity(asked.count); vec![0; n]; x.repeat(7); Vec::with_capacity(list.len() + 64)";
    let found: Vec<bool> = rooms(text).iter().map(|size| is_a_length(size)).collect();
    assert_eq!(found, [false, true, true, false], "{:?}", rooms(text));
}

/// The sizes that a text makes room for, those of `vec![…; size]` last.
fn rooms(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for way in [
        "with_capacity(",
        ".reserve(",
        ".reserve_exact(",
        ".repeat(",
        "repeat_n(",
        ".resize(",
    ] {
        for (at, _) in text.match_indices(way) {
            let inside = until_closed(&text[at + way.len()..]);
            let size = if way == "repeat_n(" {
                inside.rsplit(',').next()
            } else {
                inside.split(", ").next()
            };
            found.push(size.unwrap_or_default().trim().to_owned());
        }
    }
    for (at, _) in text.match_indices("vec![") {
        let inside = until_closed(&text[at + "vec![".len()..]);
        if let Some((_, size)) = inside.rsplit_once("; ").filter(|(_, size)| !size.contains('"')) {
            found.push(size.trim().to_owned());
        }
    }
    found
}

/// What stands before the bracket that closes the one before it.
fn until_closed(text: &str) -> &str {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => return &text[..at],
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
    }
    text
}

/// Whether a size is a sum of lengths and constants.
fn is_a_length(size: &str) -> bool {
    let plain = size
        .replace("len()", "len")
        .replace(".saturating_add(", "+")
        .replace(['(', ')'], "");
    plain.split('+').map(str::trim).all(|part| {
        let number = part.chars().all(|c| c.is_ascii_digit() || c == '_');
        let constant = part.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        part.ends_with(".len") || (!part.is_empty() && (number || constant))
    })
}

#[test]
fn the_scanner_sees_what_it_must() {
    let text = "use crate::{access, base::{Chain, x}, db}; // crate::web\nlet a = crate::sync::run(); crate::statement!(\n";
    let found: Vec<String> = imports(&code(text)).into_iter().collect();
    assert_eq!(found, ["access", "base", "db", "sync"]);
    assert!(names("use diesel::x;", "diesel") && !names("use my_diesel::x; a::diesel::b", "diesel"));
}

#[test]
fn every_file_of_tests_is_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let list = std::fs::read_to_string(folder.join("main.rs")).unwrap();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let listed = list
            .lines()
            .filter(|line| *line == format!("mod {name};"))
            .count();
        assert!(
            name == "main" || listed == 1,
            "{name} is {listed} times in main.rs"
        );
    }
}
