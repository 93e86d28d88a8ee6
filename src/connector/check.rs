//! Does a connection work, and if not, what exactly is wrong? Credentials, permissions, one page, each field.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::pull::{Aim, ManifestReader};
use super::source::{Pull, Source};
use super::{Error, Manifest, Settings};
use crate::base::Chain;
use crate::hr::{Employee, Page};
use crate::net::{Refusals, Refused};

/// So much of what the HR system says is shown, in characters.
const LONGEST_WORDS: usize = 300;
/// How deep words are looked for in an answer.
const DEEPEST: usize = 4;
/// Members of an answer that hold words for people, best first.
const WORDS: &[&str] = &[
    "error_description",
    "detail",
    "message",
    "errorMessage",
    "faultstring",
    "description",
    "reason",
    "title",
    "error",
    "errors",
];

/// One step of a connection check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckStep {
    /// `credentials`, `employees` or `fields`.
    pub name: String,
    /// Whether it went well.
    pub ok: bool,
    /// What was seen, and what to do when it did not.
    pub message: String,
    /// Of `fields`: how many of the records on the page have each field that is read.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub coverage: BTreeMap<String, u64>,
}

impl CheckStep {
    fn good(name: &str, message: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ok: true,
            message: message.into(),
            coverage: BTreeMap::new(),
        }
    }

    fn failed(name: &str, message: String) -> Self {
        Self {
            ok: false,
            ..Self::good(name, message)
        }
    }

    /// A step that failed.
    #[must_use]
    pub fn bad(name: &str, error: &Error) -> Self {
        Self::failed(name, format!("{}: {}", Chain(error), error.advice()))
    }
}

impl Source<'_> {
    /// Tries the connection: credentials, one page, each field. It stops at the first step that fails.
    pub async fn check(self) -> Vec<CheckStep> {
        if self.manifest.is_written() {
            let message = "are written by SCIM clients: there is nothing to ask";
            return vec![CheckStep::good("employees", message)];
        }
        if self.manifest.is_pushed() {
            let message = "are uploaded by a caller: there is nothing to ask";
            return vec![CheckStep::good("employees", message)];
        }
        let (net, refusals) = self.net.noting();
        let source = Source { net: &net, ..self };
        let words = Explain {
            manifest: source.manifest,
            settings: source.settings,
            refusals,
        };
        let mut steps = Vec::new();
        if !source.manifest.reads_files() {
            if let Err(error) = ManifestReader::new(source.clone(), Aim::All).sign_in().await {
                return vec![CheckStep::failed("credentials", words.of(&error))];
            }
            steps.push(CheckStep::good("credentials", "are there"));
        }
        let wanted = wanted(&source);
        let mut pull = source.pull();
        match pull.next().await {
            Ok(page) => {
                let page = page.unwrap_or_default();
                let came = employees(&pull, &page);
                let somebody = came.ok;
                steps.push(came);
                if somebody {
                    steps.push(fields(&wanted, &pull.absent(), &page));
                }
            }
            Err(error) => {
                let name = match error {
                    Error::Credentials { .. } | Error::Consent { .. } => "credentials",
                    Error::Drift { .. } | Error::AllUnreadable { .. } | Error::NoColumn { .. } => "fields",
                    _ => "employees",
                };
                steps.retain(|step| step.name != name);
                steps.push(CheckStep::failed(name, words.of(&error)));
            }
        }
        steps
    }
}

/// The fields that are read, with whether they must be there.
fn wanted(source: &Source<'_>) -> Vec<(String, bool)> {
    if let Some(fields) = source.fields {
        let names = fields.names();
        return names.map(|name| (name.to_owned(), name == "source_id")).collect();
    }
    let read = |name: &str| source.chosen.iter().any(|chosen| chosen == name);
    let fields = source.manifest.fields().into_iter();
    fields
        .filter(|field| field.required || read(&field.name))
        .map(|field| (field.name, field.required))
        .collect()
}

fn employees(pull: &Pull<'_>, page: &Page) -> CheckStep {
    let read = page.employees.len().saturating_add(page.problems.len());
    let of = pull
        .expected()
        .map(|count| format!(" of {count}"))
        .unwrap_or_default();
    if read == 0 && pull.expected().unwrap_or_default() == 0 {
        let message =
            "nobody came: either the HR system has no employees, or the credentials may not see them";
        return CheckStep::failed("employees", message.into());
    }
    CheckStep::good("employees", format!("{read}{of} on the first page"))
}

/// Which fields the records of a page have. `absent`: those whose path not even one record has.
fn fields(wanted: &[(String, bool)], absent: &[&str], page: &Page) -> CheckStep {
    let mut coverage: BTreeMap<String, u64> = wanted.iter().map(|(name, _)| (name.clone(), 0)).collect();
    for employee in &page.employees {
        for name in filled(employee) {
            if let Some(count) = coverage.get_mut(&name) {
                *count = count.saturating_add(1);
            }
        }
    }
    let all = u64::try_from(page.employees.len()).unwrap_or(u64::MAX);
    let empty = |must: bool| -> Vec<&str> {
        let fields = wanted.iter().filter(|(name, required)| {
            *required == must
                && (all > 0 && coverage.get(name) == Some(&0) || absent.contains(&name.as_str()))
        });
        fields.map(|(name, _)| name.as_str()).collect()
    };
    let (missing, optional) = (empty(true), empty(false));
    let mut notes = Vec::new();
    if let Some(problem) = page.problems.first() {
        notes.push(format!(
            "{} records cannot be read, first: {} {}",
            page.problems.len(),
            problem.field,
            problem.message
        ));
    }
    if !missing.is_empty() {
        notes.push(format!(
            "required and empty everywhere: {}: the credentials may lack the right to see them",
            missing.join(", ")
        ));
    }
    if !optional.is_empty() {
        notes.push(format!("optional and empty everywhere: {}", optional.join(", ")));
    }
    let some: Vec<String> = coverage
        .iter()
        .filter(|(_, count)| **count > 0 && **count < all)
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    if !some.is_empty() {
        notes.push(format!("of {all} records some lack a field: {}", some.join(", ")));
    }
    let ok = page.problems.is_empty() && !missing.contains(&"source_id") && !missing.contains(&"status");
    let message = if notes.is_empty() {
        "all come".to_owned()
    } else {
        notes.join("; ")
    };
    CheckStep {
        name: "fields".into(),
        ok,
        message,
        coverage,
    }
}

/// Names of the fields that have a value.
fn filled(employee: &Employee) -> Vec<String> {
    let mut names = vec!["status".to_owned()];
    let there = |value: &Value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => members.values().any(|value| !value.is_null()),
        _ => true,
    };
    if let Ok(Value::Object(members)) = serde_json::to_value(employee) {
        let employment = members
            .get("employments")
            .and_then(|all| all.get(0))
            .and_then(Value::as_object);
        for (name, value) in members.iter().chain(employment.into_iter().flatten()) {
            let name = if name == "type" { "employment_type" } else { name };
            if there(value) && !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// Says what is wrong.
struct Explain<'a> {
    manifest: &'a Manifest,
    settings: &'a Settings,
    refusals: Refusals,
}

impl Explain<'_> {
    fn of(&self, error: &Error) -> String {
        let said = self.refusals.last().and_then(|refused| self.said(&refused));
        let mut text = format!("{}: {}", Chain(error), self.advice(error, said.as_deref()));
        if matches!(
            error,
            Error::Credentials { .. } | Error::NotFound { .. } | Error::Unreachable { .. }
        ) && let Some(place) = self.place()
        {
            text.push_str(&format!("; the address is made of {place}"));
        }
        if let Some(said) = said {
            text.push_str(&format!("; the HR system says: \"{said}\""));
        }
        text
    }

    fn advice(&self, error: &Error, said: Option<&str>) -> String {
        let said = said.unwrap_or_default().to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
        match error {
            Error::Unreachable { source, .. } if source.is_unresolved() => format!(
                "there is no host {}: check the subdomain or host in the settings",
                source.host().unwrap_or_default()
            ),
            Error::Credentials { .. } if says(&["expired", "abgelaufen", "expiré"]) => {
                "the key or token has expired: make a new one and enter it".into()
            }
            Error::Credentials { .. } | Error::Forbidden { .. }
                if says(&["ip address", "ip-address", "ip range", "whitelist", "allowlist", "allow list", "allow-list"]) =>
            {
                "the HR system seems to refuse this server's network address: allow it there".into()
            }
            Error::Forbidden { .. } if self.refusals.last().is_some_and(|refused| refused.is_page()) => {
                "a gateway before the HR system refuses: this server's network address may not be allowed there".into()
            }
            Error::Forbidden { .. } if !self.manifest.permissions().is_empty() => format!(
                "give the credentials these permissions: {}",
                self.manifest.permissions().join(", ")
            ),
            error => error.advice().to_owned(),
        }
    }

    /// The settings that stand in addresses, with their values: what to look at when the address is wrong.
    fn place(&self) -> Option<String> {
        let names = self.manifest.address_settings();
        let parts: Vec<String> = names
            .filter_map(|name| Some(format!("{name} = {}", self.settings.plain.get(name)?.as_str()?)))
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// The words for people in an answer, short, on one line, without secrets.
    fn said(&self, refused: &Refused) -> Option<String> {
        let header = refused
            .headers
            .iter()
            .find(|(name, _)| name.as_str().ends_with("error-message"))
            .and_then(|(_, value)| value.to_str().ok().map(str::to_owned));
        let text = header.or_else(|| {
            let body: Value = serde_json::from_slice(&refused.body).ok()?;
            words(&body, DEEPEST)
        })?;
        let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for secret in self.settings.secrets.values() {
            text = text.replace(secret.expose(), "…");
        }
        let short: String = text
            .chars()
            .filter(|c| !c.is_control())
            .take(LONGEST_WORDS)
            .collect();
        (!short.is_empty()).then_some(short)
    }
}

/// The first words for people.
fn words(body: &Value, depth: usize) -> Option<String> {
    let deeper = depth.checked_sub(1)?;
    match body {
        Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        Value::Array(items) => items.first().and_then(|item| words(item, deeper)),
        Value::Object(members) => WORDS
            .iter()
            .filter_map(|name| members.get(*name))
            .find_map(|value| words(value, deeper)),
        _ => None,
    }
}
