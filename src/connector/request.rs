//! The words of a manifest that say what is asked and where the records are.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use toml::Spanned;

use super::manifest::Ordered;
use super::paging::Paging;
use super::rule::{Pick, Rules};

/// One thing or a list of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Many<T>(pub Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ManyVisitor(PhantomData))
    }
}

struct ManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ManyVisitor<T> {
    type Value = Many<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one of its kind, or a list of these")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Many<T>, E> {
        T::deserialize(serde::de::value::StrDeserializer::new(text)).map(|one| Many(vec![one]))
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Many<T>, M::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|one| Many(vec![one]))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Many<T>, S::Error> {
        let mut all = Vec::new();
        while let Some(one) = seq.next_element::<T>()? {
            all.push(one);
        }
        Ok(Many(all))
    }
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    /// JSON (RFC 8259).
    #[default]
    Json,
    /// XML, made into values: an element is a key without its prefix, an attribute `@name`, its text `#text`.
    Xml,
    /// CSV (RFC 4180): one object for each row, by the names in the first line.
    Csv,
}

impl Format {
    /// What is sent as `Accept`.
    pub const fn accept(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "text/xml, application/xml",
            Self::Csv => "text/csv",
        }
    }

    /// Its name, for errors.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Xml => "XML",
            Self::Csv => "CSV",
        }
    }
}

/// A test on a record: the text at `at` must be one of `is`, and none of `not`. What is absent is the empty text, an
/// object or a filled list is `{}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Condition {
    pub at: String,
    pub is: Option<Vec<String>>,
    pub not: Option<Vec<String>>,
}

/// For which parents a list is read: once for each.
#[derive(Debug, Clone)]
pub(super) enum Each {
    /// The records of a list of the manifest.
    List(String),
    /// Parents written down.
    Written(Vec<BTreeMap<String, String>>),
}

impl<'de> Deserialize<'de> for Each {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EachVisitor)
    }
}

struct EachVisitor;

impl<'de> Visitor<'de> for EachVisitor {
    type Value = Each;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a list, or a list of tables")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Each, E> {
        Ok(Each::List(text.to_owned()))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Each, S::Error> {
        let mut all = Vec::new();
        while let Some(one) = seq.next_element()? {
            all.push(one);
        }
        Ok(Each::Written(all))
    }
}

/// What is asked, and how the answer is read: the words that all requests share.
#[derive(Debug, Clone, Default)]
pub(super) struct Request {
    /// Address of a GET.
    pub get: Option<String>,
    /// Address of a POST.
    pub post: Option<String>,
    pub query: BTreeMap<String, String>,
    pub headers: BTreeMap<String, String>,
    /// JSON to be sent.
    pub body: Option<Value>,
    /// XML to be sent.
    pub xml: Option<String>,
    /// How the answer is written.
    pub format: Option<Format>,
    /// Where the records are in the answer.
    pub records: Option<String>,
    /// Whether the records may be absent when there are none.
    pub may_lack: bool,
    /// Statuses that mean: no records.
    pub empty_on: Vec<u16>,
    /// Where the answer says how many there are in all.
    pub count: Option<String>,
    pub page: Option<Paging>,
    /// For which parents it is asked.
    pub each: Option<Each>,
    /// Which records count.
    pub only: Many<Condition>,
    /// Whether a single object may stand for the list.
    pub one_will_do: bool,
}

impl Request {
    /// Whether some answer may mean that there are no records.
    pub fn empty_on_any(&self) -> bool {
        !self.empty_on.is_empty() || self.may_lack
    }

    /// This request with the words of `other` in place of its own; query and headers are added.
    pub fn changed_by(&self, other: &Self) -> Self {
        let mut query = self.query.clone();
        query.extend(other.query.clone());
        let mut headers = self.headers.clone();
        headers.extend(other.headers.clone());
        let addressed = other.get.is_some() || other.post.is_some();
        let (get, post) = if addressed {
            (&other.get, &other.post)
        } else {
            (&self.get, &self.post)
        };
        let same_body = other.body.is_none() && other.xml.is_none() && !addressed;
        let (body, xml) = if same_body {
            (&self.body, &self.xml)
        } else {
            (&other.body, &other.xml)
        };
        Self {
            get: get.clone(),
            post: post.clone(),
            query: if addressed { other.query.clone() } else { query },
            headers,
            body: body.clone(),
            xml: xml.clone(),
            format: other.format.or(self.format),
            records: other.records.clone().or_else(|| self.records.clone()),
            may_lack: other.may_lack || self.may_lack,
            empty_on: if other.empty_on.is_empty() {
                self.empty_on.clone()
            } else {
                other.empty_on.clone()
            },
            count: other
                .count
                .clone()
                .or_else(|| self.count.clone().filter(|_| !addressed)),
            page: other.page.clone().or_else(|| self.page.clone()),
            each: other.each.clone().or_else(|| self.each.clone()),
            only: if other.only.0.is_empty() {
                self.only.clone()
            } else {
                other.only.clone()
            },
            one_will_do: other.one_will_do,
        }
    }

    /// How the answer is written.
    pub fn answer_format(&self) -> Format {
        self.format.unwrap_or_default()
    }
}

/// A table with the words of a request, and words of its own.
macro_rules! with_request {
    ($(#[$about:meta])* $name:ident { $($(#[$member:meta])* $word:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            pub get: Option<String>,
            pub post: Option<String>,
            #[serde(default)]
            pub query: BTreeMap<String, String>,
            #[serde(default)]
            pub headers: BTreeMap<String, String>,
            pub body: Option<Value>,
            pub xml: Option<String>,
            pub format: Option<Format>,
            pub records: Option<String>,
            #[serde(default)]
            pub may_lack: bool,
            #[serde(default)]
            pub empty_on: Vec<u16>,
            pub count: Option<String>,
            pub page: Option<Paging>,
            pub each: Option<Each>,
            #[serde(default)]
            pub only: Many<Condition>,
            $($(#[$member])* pub $word: $type,)*
        }

        impl $name {
            /// The words that all requests share.
            pub fn request(&self) -> Request {
                Request {
                    get: self.get.clone(),
                    post: self.post.clone(),
                    query: self.query.clone(),
                    headers: self.headers.clone(),
                    body: self.body.clone(),
                    xml: self.xml.clone(),
                    format: self.format,
                    records: self.records.clone(),
                    may_lack: self.may_lack,
                    empty_on: self.empty_on.clone(),
                    count: self.count.clone(),
                    page: self.page.clone(),
                    each: self.each.clone(),
                    only: self.only.clone(),
                    one_will_do: true,
                }
            }
        }
    };
}

with_request! {
    /// The list of employees.
    Employees {
        /// Whether an id may come several times: the first record stands for all of them.
        #[serde(default)]
        repeats: bool,
        /// How fast requests may follow each other.
        #[serde(default)]
        pace: Many<Pace>,
        /// Fields that are always read; the others may be deselected.
        required: Vec<String>,
        /// Whether a record has the keys of all required fields, with null where there is nothing: then one that no
        /// record has was renamed. Else only those of the id and the status are insisted on. That an optional field
        /// becomes empty everywhere is for the guard to judge.
        #[serde(default)]
        every_key: bool,
        /// How the fields that are read are asked for.
        select: Option<Select>,
        /// What has changed since a moment.
        changes: Option<Changes>,
        /// One employee by its id.
        one: Option<One>,
        /// A report that is made before it can be fetched.
        report: Option<Report>,
        /// How fields are read.
        map: Ordered<Spanned<Rules>>,
    }
}

with_request! {
    /// A second list, joined by `list` and `by`.
    List {
        /// Where its record holds the key that `by` names.
        key: Many<String>,
    }
}

with_request! {
    /// Something put beside the record, at `/@name`.
    Join {
        /// A second list.
        list: Option<String>,
        /// A list inside the record.
        from: Option<String>,
        /// A place in the answer that brought the record: an object by key, or a list with `key`.
        answer: Option<String>,
        /// Where the record holds the key.
        #[serde(default)]
        by: Many<String>,
        /// Where the elements of `answer` hold their key.
        #[serde(default)]
        key: Many<String>,
        /// Which of several.
        pick: Option<Pick>,
    }
}

with_request! {
    /// What has changed since a moment: the words here replace those of the list.
    Changes {
        /// How much earlier than the last read it is asked from, in minutes.
        #[serde(default = "ten")]
        overlap_minutes: u32,
        /// Where the feed names people, when that is all it does: each is read singly.
        ids: Option<String>,
        /// Where the last page holds what is sent next time in place of a moment.
        token: Option<String>,
        /// Where the first such token is got.
        start: Option<String>,
    }
}

with_request! {
    /// One employee by its id.
    One {}
}

const fn ten() -> u32 {
    10
}

/// A report that the HR system makes on demand.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Report {
    pub get: Option<String>,
    pub post: Option<String>,
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    pub body: Option<Value>,
    pub xml: Option<String>,
    pub format: Option<Format>,
    /// Where to ask whether it is ready.
    pub poll: String,
    /// How the answer says that it is.
    pub ready: Condition,
    /// How the answer says that it never will be.
    pub failed: Option<Condition>,
    /// Seconds between two questions.
    pub every_seconds: u32,
    /// Seconds after which it is given up.
    pub within_seconds: u32,
}

impl Report {
    /// The words that all requests share.
    pub fn request(&self) -> Request {
        Request {
            get: self.get.clone(),
            post: self.post.clone(),
            query: self.query.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
            xml: self.xml.clone(),
            format: self.format,
            ..Request::default()
        }
    }
}

/// How the fields that are read are asked for: the first step of each path below `below`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Select {
    /// Name of a query parameter, given once per field, or once with the names joined by `between`; or a path in the body,
    /// which receives a list.
    pub send: String,
    #[serde(default, rename = "in")]
    pub place: Place,
    /// The part of the record that holds the fields.
    #[serde(default)]
    pub below: String,
    /// What joins the names in one parameter.
    pub between: Option<String>,
    /// Names that are asked for besides.
    #[serde(default)]
    pub always: Vec<String>,
    /// Names that are not asked for.
    #[serde(default)]
    pub never: Vec<String>,
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
    /// Where the request's texts say `{{ page }}`.
    Template,
}

/// How fast requests may follow each other.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pace {
    pub requests: Option<u32>,
    pub per_seconds: Option<u32>,
    /// Header that says how many requests are left.
    pub remaining: Option<String>,
    /// Header that says when there will be new ones.
    pub reset: Option<String>,
    /// What `reset` counts.
    #[serde(default)]
    pub unit: ResetUnit,
    /// How many calls for single records may be under way.
    pub at_once: Option<u32>,
}

/// What a header counts that says when requests are free again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ResetUnit {
    /// Seconds from now.
    #[default]
    Seconds,
    /// Milliseconds from now.
    Milliseconds,
    /// The moment, in seconds since 1970.
    Epoch,
}

/// Custom fields that the account has itself, by label.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Labels {
    /// The list that names them; its key is what the records use.
    pub list: String,
    /// Where its records hold the label.
    pub at: String,
}
