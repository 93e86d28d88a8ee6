//! Recordings of a vendor's answers, as `tests/fixtures/hr/KEY/contract.toml` describes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use scim_bridge::base::Clock;
use scim_bridge::connector::{Manifest, Settings};
use serde::Deserialize;
use serde_json::Value;

use crate::connector::harness::Reading;
use crate::kit::{Answer, Received, Stub, TestClock};

/// What a recording says beside its answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// The moment at which it is read.
    pub now: String,
    #[serde(default)]
    pub settings: BTreeMap<String, Value>,
    /// The code with which a vendor that asks for consent sends its administrator back.
    pub consent: Option<String>,
    /// What the vendor cannot show, each with the reason.
    #[serde(default)]
    pub lacks: BTreeMap<String, String>,
    pub unknown_status: Option<Replaced>,
    pub renamed: Option<Replaced>,
    /// A file: the first page when there is nobody.
    pub empty: Option<String>,
    #[serde(default)]
    pub exchange: Vec<Exchange>,
    pub one: Option<One>,
    pub changes: Option<Changes>,
}

/// A text that is replaced in an answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replaced {
    pub from: String,
    pub to: String,
    /// The path that the alarm names.
    pub path: Option<String>,
    /// The answer in which it is replaced; page 1 when nothing is said.
    pub answer: Option<String>,
}

/// A request and its answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    pub page: Option<u32>,
    pub get: Option<String>,
    pub post: Option<String>,
    #[serde(default)]
    pub query: BTreeMap<String, Value>,
    #[serde(default)]
    pub headers: BTreeMap<String, Value>,
    pub body: Option<Value>,
    #[serde(default)]
    pub text: Vec<String>,
    pub status: Option<u16>,
    pub answer: Option<String>,
    pub inline: Option<String>,
    #[serde(default)]
    pub answer_headers: BTreeMap<String, String>,
}

/// One employee by its id.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct One {
    pub id: String,
}

/// A read of what changed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    pub since: Option<String>,
    pub token: Option<String>,
    pub ids: Vec<String>,
}

/// One vendor: its manifest and its recordings.
#[derive(Clone)]
pub struct Vendor {
    pub key: String,
    pub folder: PathBuf,
    pub manifest: Manifest,
    /// The manifest as TOML, for what the harness breaks on purpose.
    pub written: toml::Value,
    pub contract: Contract,
}

/// The folder that holds manifests and recordings: this repository, or the one named by `SCIM_BRIDGE_CONTRACT_ROOT`.
pub fn root() -> PathBuf {
    std::env::var_os("SCIM_BRIDGE_CONTRACT_ROOT")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
}

/// All vendors that are asked over HTTP, or the one named by `SCIM_BRIDGE_CONTRACT`. What cannot be used is told.
pub fn vendors() -> (Vec<Vendor>, Vec<String>) {
    let only = std::env::var("SCIM_BRIDGE_CONTRACT").ok();
    let (mut vendors, mut problems) = (Vec::new(), Vec::new());
    let mut files: Vec<PathBuf> = std::fs::read_dir(root().join("src/connector/manifests"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        if only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        match vendor(&file) {
            Ok(vendor) => vendors.extend(vendor),
            Err(problem) => problems.push(format!("{name}: {problem}")),
        }
    }
    if let Some(only) = only.filter(|_| vendors.is_empty() && problems.is_empty()) {
        problems.push(format!("there is no manifest {only}"));
    }
    (vendors, problems)
}

/// A vendor by the file of its manifest; `None` when nothing is asked over HTTP by its words.
fn vendor(file: &Path) -> Result<Option<Vendor>, String> {
    let text = std::fs::read_to_string(file).unwrap();
    let manifest = Manifest::parse(&file.display().to_string(), &text).map_err(|error| error.to_string())?;
    let written: toml::Value = toml::from_str(&text).unwrap();
    if written["connector"].get("custom").is_some() {
        return Ok(None);
    }
    let key = manifest.key().to_owned();
    if file.file_stem().and_then(|stem| stem.to_str()) != Some(key.as_str()) {
        return Err(format!("the file is not named after the key {key}"));
    }
    let folder = root().join("tests/fixtures/hr").join(&key);
    let text = std::fs::read_to_string(folder.join("contract.toml"))
        .map_err(|error| format!("tests/fixtures/hr/{key}/contract.toml: {error}"))?;
    let contract: Contract = toml::from_str(&text).map_err(|error| format!("contract.toml: {error}"))?;
    Ok(Some(Vendor {
        key,
        folder,
        manifest,
        written,
        contract,
    }))
}

/// How the answers of the employees' pages are broken: the page, the answer, the request.
pub type Break = Arc<dyn Fn(u32, Answer, &Received) -> Answer + Send + Sync>;

impl Vendor {
    /// A connection that reads all fields from a server.
    pub async fn reading(&self, base_url: &str) -> Result<(Reading, TestClock), String> {
        let mut given: serde_json::Map<String, Value> = self.contract.settings.clone().into_iter().collect();
        given.insert("base_url".into(), Value::from(base_url));
        let settings: Settings = self
            .manifest
            .check_settings(&Value::Object(given.clone()))
            .map_err(|problems| format!("[settings]: {problems:?}"))?;
        drop(settings);
        let mut reading = Reading::by(self.manifest.clone(), &Value::Object(given));
        reading.chosen = self
            .manifest
            .fields()
            .into_iter()
            .map(|field| field.name)
            .collect();
        let clock = TestClock::new();
        clock.set(&self.contract.now);
        reading.clock = Clock::file(&clock.path).map_err(|error| format!("now: {error}"))?;
        if let Some(code) = &self.contract.consent {
            reading
                .consent(code)
                .await
                .map_err(|error| format!("consent: {error}"))?;
        }
        Ok((reading, clock))
    }

    /// The answer of an exchange.
    pub fn answer(&self, exchange: &Exchange) -> Answer {
        let (kind, body) = match (&exchange.answer, &exchange.inline) {
            (Some(file), _) => (content_type(file), self.file(file)),
            (None, Some(text)) => ("application/json", text.clone()),
            (None, None) => ("text/plain", String::new()),
        };
        let mut answer = Answer::text(exchange.status.unwrap_or(200), kind, body);
        for (name, value) in &exchange.answer_headers {
            answer = answer.header(name, value);
        }
        answer
    }

    /// A file of the folder.
    pub fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name))
            .unwrap_or_else(|error| panic!("{}/{name}: {error}", self.key))
    }

    /// The exchange that fits a request.
    pub fn exchange(&self, request: &Received) -> Option<&Exchange> {
        self.contract
            .exchange
            .iter()
            .find(|exchange| exchange.fits(request))
    }

    /// The exchanges of the employees' pages.
    pub fn pages(&self) -> impl Iterator<Item = (u32, &Exchange)> {
        self.contract
            .exchange
            .iter()
            .filter_map(|exchange| Some((exchange.page?, exchange)))
    }

    /// Serves the recordings. What no exchange fits is answered with 404 and noted.
    pub fn serve(&self, stub: &Stub, broken: Break) -> Arc<Mutex<Vec<String>>> {
        let unknown = Arc::new(Mutex::new(Vec::new()));
        let (vendor, noted) = (self.clone(), Arc::clone(&unknown));
        stub.rule(move |request| {
            let Some(exchange) = vendor.exchange(request) else {
                let body = String::from_utf8_lossy(&request.body)
                    .chars()
                    .take(2000)
                    .collect::<String>();
                let shown = format!("{} {}?{} {body}", request.method, request.path, request.query);
                noted.lock().unwrap().push(shown);
                return None;
            };
            let answer = vendor.answer(exchange);
            Some(match exchange.page {
                Some(page) => broken(page, answer, request),
                None => answer,
            })
        });
        unknown
    }
}

fn content_type(file: &str) -> &'static str {
    match file.rsplit('.').next() {
        Some("xml") => "text/xml",
        Some("csv") => "text/csv",
        _ => "application/json",
    }
}

impl Exchange {
    fn fits(&self, request: &Received) -> bool {
        let (method, path) = match (&self.get, &self.post) {
            (Some(path), _) => ("GET", path),
            (None, Some(path)) => ("POST", path),
            (None, None) => return false,
        };
        let value = |wanted: &Value, found: Option<String>| match wanted {
            Value::Bool(false) => found.is_none(),
            Value::String(wanted) => found.as_ref() == Some(wanted),
            other => found == Some(other.to_string()),
        };
        request.method == method
            && request.path == *path
            && self
                .query
                .iter()
                .all(|(name, wanted)| value(wanted, request.param(name)))
            && self.headers.iter().all(|(name, wanted)| {
                value(
                    wanted,
                    request.header(&name.to_ascii_lowercase()).map(str::to_owned),
                )
            })
            && self
                .body
                .as_ref()
                .is_none_or(|wanted| holds(&request.json(), wanted))
            && self
                .text
                .iter()
                .all(|text| String::from_utf8_lossy(&request.body).contains(text.as_str()))
    }
}

/// Whether all members of `wanted` are in `found`.
fn holds(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, wanted)| found.get(name).is_some_and(|found| holds(found, wanted))),
        (found, wanted) => found == wanted,
    }
}
