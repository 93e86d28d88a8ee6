//! A connector for one JSON API that a connection describes itself: its settings say what is asked, its `[fields]` how
//! fields are read. Of both a manifest is made, which is then checked and read like any other.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::connector::auth::Auth;
use crate::connector::request::Employees;
use crate::connector::setting::{SettingProblem, Settings};
use crate::connector::{Manifest, validate};

/// What is made of a connection.
#[derive(Deserialize)]
struct Made {
    employees: Employees,
}

impl Manifest {
    /// The manifest of a connection to a generic connector: what its settings and its `[fields]` say.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn fit(&self, settings: &Settings, fields: &Value) -> Result<Self, Vec<SettingProblem>> {
        let problem = |setting: &str, message: String| {
            vec![SettingProblem {
                setting: setting.to_owned(),
                message,
            }]
        };
        let Value::Object(fields) = fields else {
            return Err(problem("fields", "must be a table".into()));
        };
        let mut map = fields.clone();
        map.retain(|_, rule| !rule.is_null());
        let made = json!({ "employees": employees(settings, map) });
        let text = toml::to_string(&made).map_err(|error| problem("fields", error.to_string()))?;
        let read: Made =
            toml::from_str(&text).map_err(|error| problem("fields", error.message().to_owned()))?;
        let mut written = self.written.clone();
        written.connector.custom = None;
        written.employees = Some(read.employees);
        name_the_key(&mut written.auth, settings);
        let problems = validate::problems(&written, &text);
        if problems.is_empty() {
            return Ok(Self { written });
        }
        let told = problems.into_iter().map(|found| SettingProblem {
            setting: "fields".to_owned(),
            message: found.message,
        });
        Err(told.collect())
    }
}

/// `[employees]` as the settings say.
fn employees(settings: &Settings, map: Map<String, Value>) -> Value {
    let query = settings.text("query").unwrap_or_default();
    let query: Map<String, Value> = url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
        .collect();
    let mut made = Map::new();
    made.insert("get".into(), "{{ base }}{{ path }}".into());
    made.insert("query".into(), query.into());
    made.insert(
        "records".into(),
        settings.text("records").unwrap_or_default().into(),
    );
    made.insert("required".into(), json!(["source_id", "status"]));
    made.insert("page".into(), page(settings).into());
    if let Some(count) = settings.text("count") {
        made.insert("count".into(), count.into());
    }
    made.insert("map".into(), map.into());
    made.into()
}

/// How the list is cut into pages: of the settings those that the kind knows.
fn page(settings: &Settings) -> Map<String, Value> {
    let kind = settings.text("paging").unwrap_or("none");
    let mut page = Map::new();
    page.insert("kind".into(), kind.into());
    let known: &[(&str, &str)] = match kind {
        "page" | "offset" => &[("send", "paging_send")],
        "cursor" => &[("send", "paging_send"), ("read", "paging_read")],
        "link" => &[("read", "paging_read")],
        _ => &[],
    };
    for (word, setting) in known {
        if let Some(text) = settings.text(setting) {
            page.insert((*word).into(), text.into());
        }
    }
    if kind == "page" {
        let first = settings
            .text("paging_first")
            .and_then(|first| first.parse::<u32>().ok());
        page.insert("first".into(), first.unwrap_or(1).into());
    }
    page
}

/// Where the key stands is a name that the connection gives.
fn name_the_key(auth: &mut Auth, settings: &Settings) {
    let (Auth::Choice { ways, .. }, Some(given)) = (auth, settings.text("key_name")) else {
        return;
    };
    for way in ways.values_mut() {
        if let Auth::Header { name, .. } | Auth::Query { name, .. } = way {
            given.clone_into(name);
        }
    }
}
