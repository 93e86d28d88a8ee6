//! An authorization server with an API behind it, as RFC 6749, RFC 7636 and RFC 9700 §4.14 have it: codes for one use,
//! PKCE, refresh tokens for one use whose second use ends all that came of the same consent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use scim_bridge::base::digest;
use serde_json::json;

use super::{Answer, Received, Stub};

/// The client that the server knows.
pub const CLIENT: (&str, &str) = ("bridge", "its-secret");

#[derive(Default)]
struct Inner {
    next: u32,
    /// Code → redirect address and challenge.
    codes: BTreeMap<String, (String, String)>,
    refresh: BTreeSet<String>,
    used: BTreeSet<String>,
    access: BTreeSet<String>,
    failing: u32,
    after: Duration,
    refreshes: u32,
}

/// The server; its API is `GET /people`.
pub struct AuthServer {
    pub stub: Stub,
    inner: Arc<Mutex<Inner>>,
}

impl AuthServer {
    pub async fn start() -> Self {
        let stub = Stub::start().await;
        let inner = Arc::new(Mutex::new(Inner::default()));
        let shared = Arc::clone(&inner);
        stub.rule(move |request| {
            let mut inner = shared.lock().unwrap();
            match (request.method.as_str(), request.path.as_str()) {
                ("GET", "/authorize") => Some(inner.authorize(request)),
                ("POST", "/token") => Some(inner.token(request)),
                ("GET", "/people") => Some(inner.people(request)),
                _ => None,
            }
        });
        Self { stub, inner }
    }

    /// A manifest whose vendor this is, and a connection file for it.
    pub fn manifest() -> &'static str {
        r#"[connector]
key = "consented"
name = "Consented & Co"
docs = "Invented, 2026-11-22"
provable = true
guide = """
1. Open the settings of <Consented>.
2. Agree."""
permissions = ["people.read"]
[auth]
kind = "oauth2"
grant = "authorization_code"
authorize = "https://vendor.example/authorize?tenant=1"
token = "https://vendor.example/token"
scope = "people.read offline_access"
client = "basic"
[employees]
get = "https://vendor.example/people"
records = "/items"
required = ["source_id", "status"]
[employees.map]
source_id = "/id"
status = { at = "/state", words = { on = "active" } }
"#
    }

    pub fn connection(&self, name: &str) -> serde_json::Value {
        json!({
            "name": name, "connector": "consented", "settings": {
                "base_url": self.stub.base_url, "oauth_client_id": CLIENT.0, "oauth_client_secret": CLIENT.1,
            },
        })
    }

    /// The token endpoint fails so often.
    pub fn fail(&self, times: u32) {
        self.inner.lock().unwrap().failing = times;
    }

    /// The token endpoint answers only after so long.
    pub fn answer_after(&self, wait: Duration) {
        self.inner.lock().unwrap().after = wait;
    }

    /// Consent is taken back.
    pub fn revoke(&self) {
        let mut inner = self.inner.lock().unwrap();
        inner.refresh.clear();
        inner.access.clear();
    }

    /// Access tokens end at once; refresh tokens stay.
    pub fn end_access(&self) {
        self.inner.lock().unwrap().access.clear();
    }

    /// How often a token was asked for with a refresh token.
    pub fn refreshes(&self) -> u32 {
        self.inner.lock().unwrap().refreshes
    }

    /// What somebody's browser does with the link: agrees, and gives where it is sent.
    pub fn agree(&self, link: &str) -> String {
        let request = url::Url::parse(link).unwrap();
        let sent: BTreeMap<String, String> = request.query_pairs().into_owned().collect();
        self.inner.lock().unwrap().agreed(&sent)
    }
}

impl Inner {
    fn fresh(&mut self, what: &str) -> String {
        self.next += 1;
        format!("{what}-{}", self.next)
    }

    fn agreed(&mut self, sent: &BTreeMap<String, String>) -> String {
        assert_eq!(sent["response_type"], "code");
        assert_eq!(sent["client_id"], CLIENT.0);
        assert_eq!(sent["scope"], "people.read offline_access");
        assert_eq!(sent["code_challenge_method"], "S256");
        assert_eq!(sent["tenant"], "1");
        let code = self.fresh("code");
        let redirect = sent["redirect_uri"].clone();
        self.codes
            .insert(code.clone(), (redirect.clone(), sent["code_challenge"].clone()));
        let mut back = url::Url::parse(&redirect).unwrap();
        back.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("state", &sent["state"]);
        back.into()
    }

    fn authorize(&mut self, request: &Received) -> Answer {
        let sent: BTreeMap<String, String> = url::form_urlencoded::parse(request.query.as_bytes())
            .into_owned()
            .collect();
        let yes = self.agreed(&sent);
        let mut no = url::Url::parse(&sent["redirect_uri"]).unwrap();
        no.query_pairs_mut()
            .append_pair("error", "access_denied")
            .append_pair("state", &sent["state"]);
        let escaped = |text: &str| text.replace('&', "&amp;");
        Answer::text(
            200,
            "text/html",
            format!(
                "<!doctype html><title>Vendor</title><a id=\"yes\" href=\"{}\">Agree</a> <a id=\"no\" href=\"{}\">No</a>",
                escaped(&yes),
                escaped(no.as_str())
            ),
        )
    }

    fn token(&mut self, request: &Received) -> Answer {
        let form: BTreeMap<String, String> =
            url::form_urlencoded::parse(&request.body).into_owned().collect();
        let refused = |error: &str| Answer::json(400, &json!({ "error": error }));
        let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", CLIENT.0, CLIENT.1)));
        if request.header("authorization") != Some(&basic) {
            return Answer::json(401, &json!({"error": "invalid_client"}));
        }
        if form["grant_type"] == "refresh_token" {
            self.refreshes += 1;
        }
        if self.failing > 0 {
            self.failing -= 1;
            return Answer::status(500);
        }
        match form["grant_type"].as_str() {
            "authorization_code" => {
                let Some((redirect, challenge)) = self.codes.remove(&form["code"]) else {
                    return refused("invalid_grant");
                };
                let shown = URL_SAFE_NO_PAD.encode(digest(form["code_verifier"].as_bytes()));
                if redirect != form["redirect_uri"] || challenge != shown {
                    return refused("invalid_grant");
                }
            }
            "refresh_token" => {
                let shown = &form["refresh_token"];
                if self.used.contains(shown) {
                    // Somebody has a copy: nobody keeps anything (RFC 9700 §4.14.2).
                    self.refresh.clear();
                    self.access.clear();
                    return refused("invalid_grant");
                }
                if !self.refresh.remove(shown) {
                    return refused("invalid_grant");
                }
                self.used.insert(shown.clone());
            }
            _ => return refused("unsupported_grant_type"),
        }
        let (access, refresh) = (self.fresh("access"), self.fresh("refresh"));
        self.access.clear();
        self.access.insert(access.clone());
        self.refresh.insert(refresh.clone());
        let body = json!({
            "access_token": access, "token_type": "Bearer", "expires_in": 3600, "refresh_token": refresh,
        });
        let mut answer = Answer::json(200, &body);
        answer.after = self.after;
        answer
    }

    fn people(&self, request: &Received) -> Answer {
        let shown = request
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "));
        if !shown.is_some_and(|token| self.access.contains(token)) {
            return Answer::json(401, &json!({"error": "invalid_token"}));
        }
        Answer::json(200, &json!({"items": [{"id": "7", "state": "on"}]}))
    }
}
