//! The words of `[auth]`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::base::Algorithm;
use crate::connector::setting::Settings;

/// Texts by name. One whose only setting is optional and unanswered is left out.
pub(in crate::connector) type Entries = BTreeMap<String, String>;

/// How requests are signed in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::connector) enum Auth {
    /// Not at all.
    #[default]
    None,
    /// A key in a header.
    Header {
        name: String,
        #[serde(default)]
        prefix: String,
        value: String,
        encode: Option<Encode>,
    },
    /// A key in the query.
    Query { name: String, value: String },
    /// A key in the JSON body of each request, at a path.
    Body { at: String, value: String },
    /// User and password (RFC 7617).
    Basic { user: String, password: String },
    /// A fixed bearer token (RFC 6750).
    Bearer { token: String },
    /// User and password in the SOAP header (OASIS WS-Security UsernameToken Profile 1.0, PasswordText).
    Wsse { user: String, password: String },
    /// A token that we sign anew for each request (RFC 7519).
    Jwt {
        #[serde(default)]
        show: Show,
        key: Key,
        claims: Entries,
        /// The claim that holds the time; then `iat`, `exp` and `jti` are not sent.
        time_claim: Option<String>,
    },
    /// A login whose answer holds a token.
    Session(Box<Session>),
    /// A token of an authorization server (RFC 6749).
    Oauth2(Box<OAuth>),
    /// One of several ways, by the answer to a setting.
    Choice {
        by: String,
        ways: BTreeMap<String, Auth>,
    },
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::connector) enum Encode {
    /// Base64 with padding (RFC 4648 §4).
    Base64,
}

/// How requests carry a token; nothing said: `Authorization: Bearer …`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::connector) struct Show {
    pub header: Option<String>,
    pub query: Option<String>,
    /// What stands there; `{{ token }}` is the token. Nothing said: the token alone.
    pub value: Option<String>,
}

/// A key that signs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::connector) struct Key {
    pub algorithm: Algorithm,
    /// For HS256.
    pub secret: Option<String>,
    /// A private key in PEM, for the others.
    pub private: Option<String>,
    /// `kid` (RFC 7515 §4.1.4).
    pub id: Option<String>,
    /// A certificate in PEM, whose digest is sent as `x5t#S256` (RFC 7515 §4.1.8).
    pub certificate: Option<String>,
}

/// A login.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::connector) struct Session {
    pub get: Option<String>,
    pub post: Option<String>,
    #[serde(default)]
    pub headers: Entries,
    #[serde(default)]
    pub query: Entries,
    /// A JSON body.
    pub body: Option<Value>,
    /// A form.
    pub form: Option<Entries>,
    /// Where the token is in the answer.
    pub read: Option<String>,
    /// Or the header that holds it.
    pub read_header: Option<String>,
    /// Where the answer says how many seconds it lives.
    #[serde(default = "expires_in")]
    pub expires_in: String,
    /// Where it says when it ends: an ISO date-time, or Unix seconds.
    pub expires_at: Option<String>,
    /// How long it lives when nothing else is said.
    pub lives_seconds: Option<u32>,
    #[serde(default)]
    pub show: Show,
    /// Whether answers may bring the next token in their `Authorization` header.
    #[serde(default)]
    pub rotates: bool,
}

fn expires_in() -> String {
    "/expires_in".to_owned()
}

/// What an authorization server is asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::connector) struct OAuth {
    pub grant: Grant,
    /// Where consent is given (RFC 6749 §3.1).
    pub authorize: Option<String>,
    /// Further parameters there.
    #[serde(default)]
    pub authorize_extra: Entries,
    /// Whether PKCE is used (RFC 7636, S256).
    #[serde(default = "yes")]
    pub pkce: bool,
    /// The token endpoint (RFC 6749 §3.2).
    pub token: String,
    pub id: Option<String>,
    pub secret: Option<String>,
    pub scope: Option<String>,
    #[serde(default)]
    pub client: ClientBy,
    #[serde(default)]
    pub params: ParamsBy,
    /// Further parameters.
    #[serde(default)]
    pub extra: Entries,
    /// A refresh token that the owner pasted.
    pub refresh: Option<String>,
    pub key: Option<Key>,
    #[serde(default)]
    pub claims: Entries,
    #[serde(default)]
    pub show: Show,
    /// How long a token lives when nothing else is said.
    pub lives_seconds: Option<u32>,
}

const fn yes() -> bool {
    true
}

/// What a token is given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::connector) enum Grant {
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// RFC 6749 §4.1: somebody's consent, and the refresh token that came of it.
    AuthorizationCode,
    /// RFC 6749 §6: a refresh token that the owner pasted.
    RefreshToken,
    /// RFC 7523 §2.1.
    JwtBearer,
    /// RFC 7522 §2.1.
    Saml2Bearer,
    /// RFC 8693.
    TokenExchange,
}

impl Grant {
    /// The value of `grant_type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
            Self::Saml2Bearer => "urn:ietf:params:oauth:grant-type:saml2-bearer",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
        }
    }
}

/// How client id and secret are sent (RFC 6749 §2.3.1, RFC 7523 §2.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::connector) enum ClientBy {
    /// Among the parameters.
    #[default]
    Params,
    /// In the `Authorization` header.
    Basic,
    /// As a token signed with the client's key.
    Assertion,
}

/// How parameters are sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::connector) enum ParamsBy {
    /// As a form.
    #[default]
    Form,
    /// As a JSON object.
    Json,
    /// In the query of a GET.
    Query,
}

impl Auth {
    /// The way that the settings choose. `None`: the choice is open.
    pub fn chosen(&self, settings: &Settings) -> Option<&Self> {
        match self {
            Self::Choice { by, ways } => ways.get(settings.text(by)?),
            other => Some(other),
        }
    }

    /// Whether somebody's consent is needed, in this or in one of its ways.
    pub fn asks_consent(&self) -> bool {
        match self {
            Self::Oauth2(oauth) => oauth.grant == Grant::AuthorizationCode,
            Self::Choice { ways, .. } => ways.values().any(Self::asks_consent),
            _ => false,
        }
    }
}

impl Key {
    fn texts(&self) -> impl Iterator<Item = &str> {
        [&self.secret, &self.private, &self.certificate]
            .into_iter()
            .flatten()
            .map(String::as_str)
    }
}

impl Auth {
    /// Texts whose settings must all be answered.
    pub fn demands(&self) -> Vec<&str> {
        match self {
            Self::None | Self::Choice { .. } => Vec::new(),
            Self::Header { prefix, value, .. } => vec![prefix, value],
            Self::Query { value, .. } | Self::Body { value, .. } => vec![value],
            Self::Basic { user, password } | Self::Wsse { user, password } => vec![user, password],
            Self::Bearer { token } => vec![token],
            Self::Jwt { key, .. } => key.texts().collect(),
            Self::Session(session) => {
                let addresses = session.get.iter().chain(&session.post).map(String::as_str);
                let body = session.body.iter().flat_map(texts_of);
                addresses.chain(body).collect()
            }
            Self::Oauth2(oauth) => {
                let own = [&oauth.authorize, &oauth.refresh].into_iter().flatten();
                let id = oauth.id.iter().filter(|_| oauth.grant != Grant::JwtBearer);
                std::iter::once(&oauth.token)
                    .chain(own)
                    .chain(id)
                    .map(String::as_str)
                    .chain(oauth.key.iter().flat_map(Key::texts))
                    .collect()
            }
        }
    }

    /// Texts that are left out when their settings are not answered.
    pub fn wishes(&self) -> Vec<&str> {
        fn all(entries: &Entries) -> Vec<&str> {
            entries.values().map(String::as_str).collect()
        }
        match self {
            Self::Jwt { claims, key, .. } => {
                [all(claims), key.id.iter().map(String::as_str).collect()].concat()
            }
            Self::Session(session) => {
                let form = session.form.as_ref().map(all).unwrap_or_default();
                [all(&session.headers), all(&session.query), form].concat()
            }
            Self::Oauth2(oauth) => {
                let kid = oauth.key.iter().filter_map(|key| key.id.as_ref());
                let own = [&oauth.id, &oauth.secret, &oauth.scope].into_iter().flatten();
                let own = own.chain(kid).map(String::as_str).collect();
                [
                    own,
                    all(&oauth.extra),
                    all(&oauth.claims),
                    all(&oauth.authorize_extra),
                ]
                .concat()
            }
            _ => Vec::new(),
        }
    }

    /// Texts that say whose token it is: with others, another token is needed.
    pub fn credentials(&self) -> Vec<&str> {
        match self {
            // Consent belongs to the client, whatever its secret is now.
            Self::Oauth2(oauth) if oauth.grant == Grant::AuthorizationCode => {
                let id = oauth.id.as_deref().unwrap_or("{{ oauth_client_id }}");
                vec![&oauth.token, id]
            }
            _ => [self.demands(), self.wishes()].concat(),
        }
    }
}

/// Every text inside a JSON value.
fn texts_of(body: &Value) -> Vec<&str> {
    match body {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts_of).collect(),
        Value::Object(members) => members.values().flat_map(texts_of).collect(),
        _ => Vec::new(),
    }
}
