//! A connector as people see it: what it asks, what it reads, how sure each fact is.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::Manifest;
use super::rule::Rule;
use super::setting::Form;
use super::validate::FACTS;
use super::webhook::SecretMaker;
use crate::hr::{FIELDS, Field, field};

/// What is said where a manifest names no way.
const NO_LIMIT: &str =
    "no way to limit whom the credentials see is known: leave people out with [filter] include";

impl Manifest {
    /// The address at which people sign in to the HR system, with the answers of a connection in it; `None` when there is
    /// none, or an answer is missing.
    #[must_use]
    pub fn page(&self, settings: &serde_json::Map<String, serde_json::Value>) -> Option<String> {
        let page = self.written.connector.page.as_deref()?;
        let answer = |name: &str| Some(settings.get(name)?.as_str()?.to_owned());
        super::template::fill(page, &answer).ok()
    }

    /// What it asks its owner, in order.
    #[must_use]
    pub fn settings(&self) -> Vec<SettingView> {
        self.written
            .settings
            .iter()
            .map(|(name, setting)| SettingView {
                name: name.to_owned(),
                ask: setting.ask.clone(),
                form: setting.form,
                pattern: setting.form.pattern().map(str::to_owned),
                secret: setting.secret,
                required: !setting.optional && setting.default.is_none(),
                default: setting.default.clone(),
                example: setting.example.clone(),
                choices: setting
                    .choices
                    .as_ref()
                    .map(|choices| choices.keys().cloned().collect())
                    .unwrap_or_default(),
            })
            .collect()
    }

    /// The fields it can read. A file's fields are named by the connection: any may be there.
    #[must_use]
    pub fn fields(&self) -> Vec<FieldView> {
        let Some(employees) = &self.written.employees else {
            return FIELDS
                .iter()
                .map(|field| self.field_view(field.name, field.name == "source_id"))
                .collect();
        };
        employees
            .map
            .iter()
            .map(|(name, _)| self.field_view(name, employees.required.iter().any(|known| known == name)))
            .collect()
    }

    fn field_view(&self, name: &str, required: bool) -> FieldView {
        FieldView {
            name: name.to_owned(),
            area: field(name).map_or("custom", Field::area),
            places: self.places(name),
            required,
            sensitive: field(name).is_some_and(|field| field.sensitive),
            assumed: self.written.assumed.get(name).map(|why| why.get_ref().clone()),
        }
    }

    fn status_rules(&self) -> impl Iterator<Item = &Rule> {
        let rules = self
            .written
            .employees
            .as_ref()
            .and_then(|employees| employees.map.get("status"));
        rules.into_iter().flat_map(|rules| &rules.get_ref().0)
    }

    fn statuses(&self) -> Vec<StatusView> {
        self.status_rules()
            .filter_map(|rule| rule.words.as_ref())
            .flatten()
            .map(|(word, meaning)| StatusView {
                word: word.clone(),
                meaning: meaning.clone(),
            })
            .collect()
    }

    fn other_statuses(&self) -> Option<String> {
        let last = self.status_rules().last()?;
        let told = last.value.clone().or_else(|| last.otherwise.clone());
        let told = told.filter(|word| word != "next");
        Some(told.unwrap_or_else(|| "hold".to_owned()))
    }

    fn webhooks(&self) -> Option<WebhookView> {
        let hook = self.hook()?;
        Some(WebhookView {
            guide: hook.guide().to_owned(),
            secret: hook.secret(),
            names_employees: hook.names_employees(),
        })
    }

    /// Each fact with its source, or why it is assumed. What a manifest does not say is no fact of it.
    fn facts(&self) -> Vec<FactView> {
        let written = &self.written;
        let has = |fact: &str| match fact {
            "permissions" => !written.connector.permissions.is_empty(),
            "limit" => written.connector.limit.is_some(),
            "webhooks" => written.webhooks.is_some(),
            "guide" | "provable" => true,
            "pace" => !self.paces().is_empty(),
            _ => written.employees.is_some(),
        };
        let api = FACTS.iter().copied().filter(|fact| has(fact)).map(str::to_owned);
        let mapped = written
            .employees
            .iter()
            .flat_map(|employees| employees.map.iter());
        let fields = mapped.map(|(name, _)| name.to_owned());
        api.chain(fields)
            .map(|fact| match written.assumed.get(&fact) {
                Some(why) => FactView {
                    sure: Sureness::Assumed,
                    because: why.get_ref().clone(),
                    fact,
                },
                None => FactView {
                    sure: Sureness::Confirmed,
                    because: written.connector.docs.clone(),
                    fact,
                },
            })
            .collect()
    }

    /// Whether it answers to these words: each must be in its key, name, aliases.
    #[must_use]
    pub fn is_meant_by(&self, words: &str) -> bool {
        let head = &self.written.connector;
        let mut text = format!("{} {} {}", head.key, head.name, head.aliases.join(" ")).to_lowercase();
        text.push(' ');
        text.push_str(&text.replace([' ', '_', '-', '.'], ""));
        words
            .to_lowercase()
            .split_whitespace()
            .all(|word| text.contains(word))
    }

    /// Everything a person needs to know of it.
    #[must_use]
    pub fn view(&self) -> ManifestView {
        let head = &self.written.connector;
        ManifestView {
            key: head.key.clone(),
            name: head.name.clone(),
            aliases: head.aliases.clone(),
            docs: head.docs.clone(),
            guide: head.guide.trim().to_owned(),
            page: head.page.clone(),
            limit_access: head.limit.clone().unwrap_or_else(|| NO_LIMIT.to_owned()),
            permissions: head.permissions.clone(),
            checked: head.checked.clone(),
            complete_read_provable: head.provable,
            settings: self.settings(),
            fields: self.fields(),
            statuses: self.statuses(),
            other_statuses: self.other_statuses(),
            webhooks: self.webhooks(),
            schedule: (!self.is_written()).then(ProposedSchedule::default),
            facts: self.facts(),
            assumed: self
                .written
                .assumed
                .iter()
                .filter(|(name, _)| field(name).is_none())
                .map(|(name, why)| (name.clone(), why.get_ref().clone()))
                .collect(),
        }
    }
}

/// A connector as shown to people.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ManifestView {
    /// Short name in connection files.
    pub key: String,
    /// Name of the HR system.
    pub name: String,
    /// Other names people search for.
    pub aliases: Vec<String>,
    /// Where the facts are from; all that is not `assumed` is confirmed there.
    pub docs: String,
    /// Where to click in the HR system, step by step.
    pub guide: String,
    /// The address at which people sign in to the HR system, or make credentials there; `{{ name }}` stands for a setting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// How to limit, in the HR system, whom the credentials see; else that no way is known.
    pub limit_access: String,
    /// The least permissions that are enough, in the HR system's own words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<String>,
    /// The vendor's published description that requests and fields were compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked: Option<String>,
    /// Whether a read can prove that it saw everybody.
    pub complete_read_provable: bool,
    /// What it asks.
    pub settings: Vec<SettingView>,
    /// What it can read.
    pub fields: Vec<FieldView>,
    /// What each status word of the HR system means, in the order of the words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<StatusView>,
    /// What a status word means that is not among `statuses`; "hold": it is held and reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_statuses: Option<String>,
    /// How the HR system tells of changes by itself, where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhooks: Option<WebhookView>,
    /// The `[schedule]` to begin with; none where SCIM clients write and nothing is fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ProposedSchedule>,
    /// How sure each fact is: the API's facts first, then the fields.
    pub facts: Vec<FactView>,
    /// Facts about the API that could not be confirmed, with the reason.
    pub assumed: BTreeMap<String, String>,
}

/// The `[schedule]` that a new connection is proposed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProposedSchedule {
    /// Between two runs: six a day, also where webhooks tell of changes, since a delivery may be lost.
    pub every: String,
    /// So that connections made at the same time do not read at the same time.
    pub jitter: String,
}

impl Default for ProposedSchedule {
    fn default() -> Self {
        Self {
            every: "4h".to_owned(),
            jitter: "10m".to_owned(),
        }
    }
}

/// A question as shown to people.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SettingView {
    /// Name in `[settings]`.
    pub name: String,
    /// The question.
    pub ask: String,
    /// What the answer must look like.
    pub form: Form,
    /// The same as a regular expression, where not any text will do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Whether the answer is sealed and never shown.
    pub secret: bool,
    /// Whether it must be answered.
    pub required: bool,
    /// Taken when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// An answer that would do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// The answers there are, when there are only some.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

/// A field as shown to people.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldView {
    /// Canonical name.
    pub name: String,
    /// What it is about: `identity`, `name`, `contact`, `organisation`, `employment`, `personal`, `payroll`, `custom`.
    pub area: &'static str,
    /// Where it stands in the HR system's records: paths, or labels in quotes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
    /// Whether it is always read.
    pub required: bool,
    /// Whether it is read only by choice.
    pub sensitive: bool,
    /// Set when we could not confirm how it is read: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assumed: Option<String>,
}

/// A status word as shown to people.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StatusView {
    /// The HR system's word; empty when it says nothing.
    pub word: String,
    /// `active`, `on_leave`, `pre_hire`, `left`, `by_dates`, `not_started_or_left` or `hold`.
    pub meaning: String,
}

/// How webhooks are set up, as shown to people.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WebhookView {
    /// What to do in the HR system.
    pub guide: String,
    /// Who makes the secret: `given` by the HR system, `made` here, or `none`.
    pub secret: SecretMaker,
    /// Whether deliveries name the employee, so that one record is read; else all are.
    pub names_employees: bool,
}

/// A fact and how sure it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FactView {
    /// A field, or what of the API it is about.
    pub fact: String,
    /// Whether somebody saw it.
    pub sure: Sureness,
    /// The source of what is confirmed, the reason of what is assumed.
    pub because: String,
}

/// How sure a fact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sureness {
    /// The source says so.
    Confirmed,
    /// Nothing was found that says so.
    Assumed,
}
