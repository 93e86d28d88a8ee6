//! What a connector asks its owner, and whether the answers will do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::manifest::Ordered;
use crate::base::Secret;

/// The setting every connector accepts: scheme, host and port that replace those of every address.
pub(super) const BASE_URL: &str = "base_url";
/// The settings of every connector that asks for consent: the client that the vendor knows us as.
pub(super) const OAUTH_ID: &str = "oauth_client_id";
/// And its secret.
pub(super) const OAUTH_SECRET: &str = "oauth_client_secret";

/// One question.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Setting {
    /// What to ask, in words.
    pub ask: String,
    /// An answer that would do.
    pub example: Option<String>,
    /// Taken when nothing is said.
    pub default: Option<String>,
    /// Sealed at rest and never shown.
    pub secret: bool,
    /// Need not be said.
    pub optional: bool,
    /// What the answer must look like.
    pub form: Form,
    /// The answers there are, each with the text put in its place.
    pub choices: Option<BTreeMap<String, String>>,
}

/// What an answer must look like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Any text without control characters.
    #[default]
    Text,
    /// No blanks, printable ASCII: keys and ids.
    Word,
    /// The first part of a host name.
    Subdomain,
    /// An http or https address.
    Url,
    /// Scheme, host and port.
    Origin,
    /// One character, or `tab`.
    Character,
    /// A host name.
    Host,
    /// One segment of a path: ids, tenant names.
    Segment,
    /// A path: segments, each after a slash.
    Path,
    /// Digits.
    Number,
    /// A PEM block, in several lines.
    Pem,
}

/// Answers that were checked.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Answers that may be shown.
    pub plain: BTreeMap<String, Value>,
    /// Answers that may not.
    pub secrets: BTreeMap<String, Secret>,
}

/// An answer that will not do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingProblem {
    /// The setting.
    pub setting: String,
    /// What is wrong with it, and what would do.
    pub message: String,
}

impl Settings {
    /// A setting's text, secret or not.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.plain
            .get(name)
            .and_then(Value::as_str)
            .or_else(|| self.secrets.get(name).map(Secret::expose))
    }
}

impl Settings {
    /// Takes a client that somebody else gave, where the connection has none of its own.
    pub fn set_client(&mut self, id: String, secret: Option<Secret>) {
        self.plain.insert(OAUTH_ID.to_owned(), Value::String(id));
        if let Some(secret) = secret {
            self.secrets.insert(OAUTH_SECRET.to_owned(), secret);
        }
    }
}

impl Form {
    /// What answers look like, as a regular expression that browsers understand too; none where any text will do.
    pub(super) const fn pattern(self) -> Option<&'static str> {
        match self {
            Self::Text => None,
            Self::Word => Some("^[!-~]+$"),
            Self::Subdomain => Some("^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$"),
            Self::Url => Some("^https?://.+$"),
            Self::Origin => Some("^https?://[^/?#@]+/?$"),
            Self::Character => Some("^(.|tab)$"),
            Self::Host => {
                Some("^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?([.][A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+$")
            }
            Self::Segment => Some("^[A-Za-z0-9._~-]*[A-Za-z0-9_~-][A-Za-z0-9._~-]*$"),
            Self::Path => Some("^(/[A-Za-z0-9._~-]*[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$"),
            Self::Number => Some("^[0-9]{1,18}$"),
            Self::Pem => Some("^-----BEGIN [A-Z0-9 ]+-----"),
        }
    }

    /// What stands for an answer when an address is tried; none where an answer could break out of its place.
    pub(super) const fn in_address(self) -> Option<&'static str> {
        match self {
            Self::Subdomain | Self::Segment | Self::Number => Some("1"),
            Self::Host => Some("host.example"),
            Self::Path => Some("/path"),
            Self::Origin => Some("https://host.example"),
            Self::Text | Self::Word | Self::Url | Self::Character | Self::Pem => None,
        }
    }

    fn problem(self, text: &str) -> Option<&'static str> {
        let good = match self {
            Self::Text => !text.chars().any(char::is_control),
            Self::Word => text.chars().all(|c| c.is_ascii_graphic()),
            Self::Subdomain => is_label(text),
            Self::Host => text.contains('.') && text.len() <= 253 && text.split('.').all(is_label),
            Self::Segment => is_segment(text),
            Self::Path => text
                .strip_prefix('/')
                .is_some_and(|path| path.split('/').all(is_segment)),
            Self::Number => text.len() <= 18 && text.chars().all(|c| c.is_ascii_digit()),
            Self::Pem => {
                // Key files in JSON have \n in place of line ends.
                let text = text.replace("\\n", "\n");
                text.trim_start().starts_with("-----BEGIN ") && text.trim_end().ends_with("-----")
            }
            Self::Url => is_url(text),
            Self::Origin => is_url(text) && is_origin(text),
            Self::Character => text == "tab" || text.len() == 1,
        };
        (!good).then_some(match self {
            Self::Text => "has control characters",
            Self::Word => "must have no blanks and only plain characters",
            Self::Subdomain => {
                "must be only the first part of the host name, such as acme in acme.example.com"
            }
            Self::Url => "must be an address that starts with https:// or http://",
            Self::Origin => "must be scheme, host and port alone, such as http://127.0.0.1:9000",
            Self::Character => "must be one character, or tab",
            Self::Host => "must be a host name alone, without https:// and without a path",
            Self::Segment => "must be one part of a path: letters, digits, and . _ ~ - only",
            Self::Path => "must be a path such as /v1/people: letters, digits, and . _ ~ - between slashes",
            Self::Number => "must be a whole number",
            Self::Pem => "must be a PEM block, from -----BEGIN to -----END …-----",
        })
    }
}

/// One part of a host name.
fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// One part of a path that stays where it is put.
fn is_segment(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '~' | '-'))
        && text.chars().any(|c| c != '.')
}

fn is_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
}

fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    })
}

fn base_url() -> Setting {
    Setting {
        ask: "Scheme, host and port in place of the vendor's, for sandboxes, proxies and tests".into(),
        example: Some("http://127.0.0.1:9000".into()),
        optional: true,
        form: Form::Origin,
        ..Setting::default()
    }
}

/// The questions with those that connectors have by themselves: `base_url`, and the client's id and secret where consent
/// is asked for.
pub(super) fn with_own(mut asked: Ordered<Setting>, consent: bool) -> Ordered<Setting> {
    if consent && asked.get(OAUTH_ID).is_none() && asked.get(OAUTH_SECRET).is_none() {
        let client = |ask: &str, secret| Setting {
            ask: ask.into(),
            optional: true,
            secret,
            form: Form::Word,
            ..Setting::default()
        };
        let (id, secret) = (
            "Client id of your own OAuth app; left out, the operator's is taken",
            "Client secret of your own OAuth app; left out, the operator's is taken",
        );
        asked.0.push((OAUTH_ID.to_owned(), client(id, false)));
        asked.0.push((OAUTH_SECRET.to_owned(), client(secret, true)));
    }
    if asked.get(BASE_URL).is_none() {
        asked.0.push((BASE_URL.to_owned(), base_url()));
    }
    asked
}

/// Checks answers against the questions. All problems are told, not only the first.
pub(super) fn check(asked: &Ordered<Setting>, given: &Value) -> Result<Settings, Vec<SettingProblem>> {
    let empty = serde_json::Map::new();
    let given = match given {
        Value::Object(members) => members,
        Value::Null => &empty,
        _ => return Err(vec![problem("settings", "must be a table")]),
    };
    let mut problems: Vec<SettingProblem> = given
        .keys()
        .filter(|name| asked.get(name).is_none())
        .map(|name| {
            let known: Vec<&str> = asked.iter().map(|(known, _)| known).collect();
            problem(
                name,
                &format!("is not a setting of this connector; it has {}", known.join(", ")),
            )
        })
        .collect();
    let mut settings = Settings::default();
    for (name, setting) in asked.iter() {
        match answer(setting, given.get(name)) {
            Ok(None) => {}
            Ok(Some(text)) if setting.secret => {
                settings.secrets.insert(name.to_owned(), Secret::new(text));
            }
            Ok(Some(text)) => {
                settings.plain.insert(name.to_owned(), Value::String(text));
            }
            Err(message) => problems.push(problem(name, &message)),
        }
    }
    if problems.is_empty() {
        Ok(settings)
    } else {
        Err(problems)
    }
}

fn answer(setting: &Setting, given: Option<&Value>) -> Result<Option<String>, String> {
    let text = match given {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(yes)) => yes.to_string(),
        Some(Value::Null) | None => String::new(),
        Some(_) => return Err("must be a text".into()),
    };
    if text.is_empty() {
        return match &setting.default {
            Some(default) => Ok(Some(default.clone())),
            None if setting.optional => Ok(None),
            None => Err(format!("is missing: {}", setting.ask)),
        };
    }
    if text.starts_with("env:") || text.starts_with("file:") {
        return Err("env: and file: are put in by the command line, on the caller's machine".into());
    }
    if let Some(choices) = &setting.choices
        && !choices.contains_key(&text)
    {
        let known: Vec<&str> = choices.keys().map(String::as_str).collect();
        return Err(format!("must be one of {}", known.join(", ")));
    }
    match setting.form.problem(&text) {
        Some(message) => Err(match &setting.example {
            Some(example) => format!("{message} (example: {example})"),
            None => message.to_owned(),
        }),
        None => Ok(Some(text)),
    }
}

fn problem(setting: &str, message: &str) -> SettingProblem {
    SettingProblem {
        setting: setting.to_owned(),
        message: message.to_owned(),
    }
}
