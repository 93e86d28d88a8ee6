//! The closed vocabulary of a manifest.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::auth::{Auth, Entries};
use super::request::{Condition, Employees, Join, Labels, List, Many};
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
    /// What is put beside each record, in this order.
    #[serde(default)]
    pub join: Ordered<Spanned<Join>>,
    /// The catalogue of the account's own fields.
    pub labels: Option<Labels>,
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
    /// Where people sign in to the HR system, or make credentials there; settings may stand in it.
    pub page: Option<String>,
    /// How to limit, in the HR system, whom the credentials see.
    pub limit: Option<String>,
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
    /// A JSON API that the connection describes.
    Rest,
    /// Nothing is asked: SCIM clients write the records.
    Scim,
    /// Nothing is asked: a caller uploads the records.
    Push,
}

/// How the HR system tells what went wrong.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorWords {
    /// How an answer that only looks successful shows that it is none.
    pub failed: Option<Condition>,
    /// Where the code is: the first of these that has a known word.
    #[serde(default)]
    pub code: Many<String>,
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
    /// There are no records.
    Empty,
    /// What was kept of the last read is too old to ask for changes.
    Expired,
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
