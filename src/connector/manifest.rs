//! The closed vocabulary of a manifest.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::auth::{Auth, Entries};
use super::paging::Paging;
use super::rule::Rules;
use super::setting::Setting;
use super::webhook::Webhooks;

/// A manifest as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub connector: Head,
    #[serde(default)]
    pub settings: Ordered<Setting>,
    #[serde(default)]
    pub auth: Auth,
    /// Sent with every request but logins.
    #[serde(default)]
    pub headers: Entries,
    pub employees: Option<Employees>,
    #[serde(default)]
    pub lists: Ordered<List>,
    #[serde(default)]
    pub errors: ErrorWords,
    /// How the HR system tells of changes by itself.
    pub webhooks: Option<Webhooks>,
    /// Facts we could not confirm, each with the reason; everything else is confirmed by `docs`.
    #[serde(default)]
    pub assumed: BTreeMap<String, Spanned<String>>,
}

/// What the connector is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    /// Short name in connection files.
    pub key: String,
    /// Name of the HR system.
    pub name: String,
    /// Other names people search for.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Where the facts are from, with the date they were read.
    pub docs: String,
    /// Whether a read can prove that it saw everybody.
    pub provable: bool,
    /// Where to click in the HR system, step by step.
    pub guide: String,
    /// The least permissions that are enough, in the HR system's own words.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// The vendor's published description (OpenAPI, Swagger, OData metadata) that requests and fields were compared with.
    pub checked: Option<String>,
    /// Code that reads it, when the vocabulary is not enough.
    pub custom: Option<Custom>,
}

/// Readers in code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Custom {
    /// A table in a file.
    Csv,
    /// The same over SFTP.
    CsvSftp,
    /// Nothing is asked: SCIM clients write the records.
    Scim,
}

/// The list of employees.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Employees {
    pub get: Option<String>,
    pub post: Option<String>,
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    pub body: Option<serde_json::Value>,
    /// Where the list is in the answer.
    pub records: String,
    /// Where the answer says how many there are in all.
    pub count: Option<String>,
    #[serde(default)]
    pub page: Paging,
    pub pace: Option<Pace>,
    /// Fields that are always read; the others may be deselected.
    pub required: Vec<String>,
    /// Whether a record has the keys of all required fields, with null where there is nothing: then one that no record has
    /// was renamed. Else only those of the id and the status are insisted on. That an optional field becomes empty
    /// everywhere is for the guard to judge.
    #[serde(default)]
    pub every_key: bool,
    /// How the fields that are read are asked for.
    pub select: Option<Select>,
    /// How fields are read.
    pub map: Ordered<Spanned<Rules>>,
}

/// A second list, joined by a rule's `list` and `by`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    pub get: Option<String>,
    pub post: Option<String>,
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    pub body: Option<serde_json::Value>,
    pub records: String,
    #[serde(default)]
    pub page: Paging,
    pub count: Option<String>,
    /// Where its record holds the key that `by` names.
    pub key: String,
}

/// How the fields that are read are asked for: the first step of each path below `below`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Select {
    /// Name of a query parameter, given once per field; or a path in the body, which receives a list.
    pub send: String,
    #[serde(default, rename = "in")]
    pub place: Place,
    /// The part of the record that holds the fields.
    pub below: String,
}

/// Where something is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    /// As a query parameter.
    #[default]
    Query,
    /// In the JSON body, at a path.
    Body,
}

/// How fast requests may follow each other.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pace {
    pub requests: u32,
    pub per_seconds: u32,
}

/// How the HR system tells what went wrong.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorWords {
    /// A path that is `false` in an answer that only looks successful.
    pub ok: Option<String>,
    /// Where the code is.
    pub code: Option<String>,
    /// What the codes mean.
    #[serde(default)]
    pub words: BTreeMap<String, Meaning>,
}

/// What an error code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Meaning {
    Credentials,
    Forbidden,
    NotFound,
    NotReady,
    Busy,
    Refused,
}

/// A table whose order counts.
#[derive(Debug, Clone)]
pub(super) struct Ordered<T>(pub Vec<(String, T)>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Ordered<T> {
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OrderedVisitor(PhantomData))
    }
}

struct OrderedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OrderedVisitor<T> {
    type Value = Ordered<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Ordered<T>, M::Error> {
        let mut all = Vec::new();
        while let Some(entry) = map.next_entry()? {
            all.push(entry);
        }
        Ok(Ordered(all))
    }
}
