//! `docs/hr-systems.md` is made of the manifests and of what their recordings say a vendor cannot show.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

const PAGE: &str = "docs/hr-systems.md";
/// Set to write the page instead of comparing it (`make hr-systems`).
const WRITE: &str = "SCIM_BRIDGE_WRITE_HR_SYSTEMS";

const ABOVE: &str = "\
# HR systems

Every connector of the catalogue, made from the manifests by `make hr-systems`. `scim-bridge connector show KEY` says what each
asks, which fields it reads and where to click; [connectors.md](connectors.md) tells how a system is added.

- *changes*: whether changes alone can be read; a complete read once a day proves who is no longer there.
- *webhook*: how a delivery proves itself; it only ever means that somebody is looked at again.
- *one*: whether one employee can be read by the id.
- *absence*: whether a complete read proves that somebody is gone; where it does not, missing people are only reported.
- *assumed*: how many facts could not be confirmed; `connector show` gives each with the reason. All else is confirmed by the
  vendor's documentation or by public clients, named there with the day they were read.
- *checked*: whether requests and recordings were held against a published OpenAPI or Swagger file, see
  `tests/judges/openapi.py`.
";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> Option<Table> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    )
}

/// All manifests of the program, by key.
fn manifests() -> Vec<(String, Table)> {
    let folder = root().join("src/connector/manifests");
    let mut all: Vec<(String, Table)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| read(&path).unwrap())
        .map(|manifest| {
            (
                text(&manifest, &["connector", "key"]).unwrap().to_owned(),
                manifest,
            )
        })
        .collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

fn at<'t>(table: &'t Table, path: &[&str]) -> Option<&'t Value> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(table.get(*first)?, |value, step| value.get(step))
}

fn text<'t>(table: &'t Table, path: &[&str]) -> Option<&'t str> {
    at(table, path)?.as_str()
}

/// The ways to sign in.
fn sign_in(manifest: &Table) -> String {
    let ways = at(manifest, &["auth", "ways"]).and_then(Value::as_table);
    let mut names: Vec<String> = match (ways, manifest.get("auth").and_then(Value::as_table)) {
        (Some(ways), _) => ways.values().filter_map(Value::as_table).map(way).collect(),
        (None, Some(auth)) => vec![way(auth)],
        (None, None) => Vec::new(),
    };
    names.retain(|name| !name.is_empty());
    or_dash(names.join(" or "))
}

fn way(auth: &Table) -> String {
    match (text(auth, &["kind"]).unwrap_or("none"), text(auth, &["grant"])) {
        ("oauth2", Some("authorization_code")) => "consent (OAuth 2)".to_owned(),
        ("oauth2", Some(grant)) => format!("OAuth 2 by {}", grant.replace('_', " ")),
        ("none", _) => String::new(),
        ("header", _) => "key in a header".to_owned(),
        ("query", _) => "key in the query".to_owned(),
        ("body", _) => "key in the body".to_owned(),
        ("bearer", _) => "bearer token".to_owned(),
        ("basic", _) => "basic".to_owned(),
        ("jwt", _) => "JWT for each request".to_owned(),
        ("session", _) => "login".to_owned(),
        ("wsse", _) => "WS-Security".to_owned(),
        (kind, _) => kind.replace('_', " "),
    }
}

/// How everybody is listed.
fn pages(manifest: &Table) -> String {
    match text(manifest, &["connector", "custom"]) {
        Some("csv" | "csv_sftp") => return "file".to_owned(),
        Some("scim" | "push") => return "pushed".to_owned(),
        Some(_) => return "as the connection says".to_owned(),
        None => {}
    }
    let kind = match text(manifest, &["employees", "page", "kind"]) {
        None | Some("none") => "one answer",
        Some(kind) => kind,
    };
    let report = at(manifest, &["employees", "report"]).map_or("", |_| "report, ");
    format!("{report}{kind}")
}

fn changes(manifest: &Table) -> &'static str {
    match at(manifest, &["employees", "changes"]) {
        None => "–",
        Some(changes) if changes.get("token").is_some() => "since a mark",
        Some(_) => "since a time",
    }
}

fn webhook(manifest: &Table) -> String {
    if manifest.get("webhooks").is_none() {
        return "–".to_owned();
    }
    match text(manifest, &["webhooks", "verify", "kind"]).unwrap_or("url") {
        "url" => "secret address".to_owned(),
        "hmac" => "keyed digest".to_owned(),
        "standard" => "Standard Webhooks".to_owned(),
        kind => kind.to_owned(),
    }
}

fn or_dash(text: String) -> String {
    if text.is_empty() { "–".to_owned() } else { text }
}

fn yes_or(is: bool, no: &'static str) -> &'static str {
    if is { "yes" } else { no }
}

fn page() -> String {
    let manifests = manifests();
    let mut page = ABOVE.to_owned();
    page.push_str(
        "\n| key | name | sign-in | pages | changes | webhook | one | absence | assumed | checked |\n",
    );
    page.push_str("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (key, manifest) in &manifests {
        let assumed = manifest
            .get("assumed")
            .and_then(Value::as_table)
            .map_or_else(|| "–".to_owned(), |all| all.len().to_string());
        writeln!(
            page,
            "| `{key}` | {} | {} | {} | {} | {} | {} | {} | {assumed} | {} |",
            text(manifest, &["connector", "name"]).unwrap_or_default(),
            sign_in(manifest),
            pages(manifest),
            changes(manifest),
            webhook(manifest),
            yes_or(at(manifest, &["employees", "one"]).is_some(), "–"),
            yes_or(
                at(manifest, &["connector", "provable"]).and_then(Value::as_bool) == Some(true),
                "no"
            ),
            yes_or(text(manifest, &["connector", "checked"]).is_some(), "–"),
        )
        .unwrap();
    }
    page.push_str("\n## What a system does not tell\n\n| key | what | why |\n| --- | --- | --- |\n");
    for (key, _) in &manifests {
        let recordings = root().join("tests/fixtures/hr").join(key).join("contract.toml");
        let lacks = read(&recordings).and_then(|contract| contract.get("lacks").cloned());
        for (what, why) in lacks.as_ref().and_then(Value::as_table).into_iter().flatten() {
            let why = why.as_str().unwrap_or_default();
            writeln!(page, "| `{key}` | {} | {why} |", what.replace('_', " ")).unwrap();
        }
    }
    page
}

#[test]
fn the_page_is_what_the_manifests_say() {
    let page = page();
    let path = root().join(PAGE);
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "{PAGE} is not what the manifests say: run 'make hr-systems'"
    );
}
