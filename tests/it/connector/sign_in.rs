//! Every way to sign in, by invented manifests against an invented vendor that looks at what it is shown.

mod signed;

use std::collections::BTreeMap;
use std::process::Command;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use scim_bridge::connector::{Error, Manifest};
use serde_json::{Value, json};

use super::harness::{Reading, clock};
use crate::kit::{Answer, Received, Stub, left_out};

const SETTINGS: &str = r#"
id = { ask = "Id", optional = true }
secret = { ask = "Secret", secret = true, optional = true }
other = { ask = "Other", optional = true }
key = { ask = "Key", secret = true, optional = true }
"#;

fn parse(auth: &str) -> Result<Manifest, Error> {
    parse_with(SETTINGS, auth)
}

fn parse_with(settings: &str, auth: &str) -> Result<Manifest, Error> {
    // A key has line breaks, which the form of an ordinary text does not allow: they may be written out.
    let text = format!(
        r#"[connector]
key = "acme"
name = "Acme"
docs = "Acme API, read 2026-11-22"
provable = true
guide = "Click."
[settings]
{settings}
{auth}
[employees]
get = "https://api.acme.example/people"
records = "/items"
required = ["source_id", "status"]
[employees.map]
source_id = "/id"
status = {{ at = "/state", words = {{ on = "active" }} }}
"#
    );
    Manifest::parse("acme.toml", &text)
}

fn reading(auth: &str, stub: &Stub, mut given: Value) -> Reading {
    given["base_url"] = json!(stub.base_url);
    Reading::by(parse(auth).unwrap_or_else(|error| panic!("{error}")), &given)
}

fn people() -> Answer {
    Answer::json(200, &json!({"items": [{"id": 1, "state": "on"}]}))
}

fn params(request: &Received) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(&request.body).into_owned().collect()
}

/// A PEM in one line, as a form field passes it on.
fn pem(kind: &str, der: &[u8]) -> String {
    format!(
        "-----BEGIN {kind}-----\\n{}\\n-----END {kind}-----\\n",
        STANDARD.encode(der)
    )
}

fn claims(token: &str, algorithm: Algorithm, key: &DecodingKey) -> BTreeMap<String, Value> {
    let mut rules = Validation::new(algorithm);
    (rules.validate_exp, rules.validate_aud) = (false, false);
    rules.required_spec_claims.clear();
    jsonwebtoken::decode(token, key, &rules).unwrap().claims
}

#[tokio::test]
async fn fixed_keys_stand_where_the_vendor_wants_them() {
    type Look = fn(&Received) -> Option<String>;
    let authorization: Look = |r| r.header("authorization").map(str::to_owned);
    let cases: [(&str, Look, &str); 3] = [
        (
            "kind = \"header\"\nname = \"Authorization\"\nvalue = \"Token token={{ id }}:{{ secret }}\"",
            authorization,
            "Token token=me:s&=+",
        ),
        (
            "kind = \"header\"\nname = \"Authorization\"\nprefix = \"AfasToken \"\nencode = \"base64\"\n\
             value = \"<token><version>1</version><data>{{ id }}</data></token>\"",
            authorization,
            "AfasToken PHRva2VuPjx2ZXJzaW9uPjE8L3ZlcnNpb24+PGRhdGE+bWU8L2RhdGE+PC90b2tlbj4=",
        ),
        (
            "kind = \"body\"\nat = \"/APIKey\"\nvalue = \"{{ secret }}\"",
            |r| r.json()["APIKey"].as_str().map(str::to_owned),
            "s&=+",
        ),
    ];
    for (auth, look, expected) in cases {
        let stub = Stub::start().await;
        stub.on("GET", "/people", people());
        let given = json!({"id": "me", "secret": "s&=+"});
        assert!(
            reading(&format!("[auth]\n{auth}"), &stub, given)
                .read()
                .await
                .is_complete()
        );
        let asked = stub.received();
        assert_eq!(look(&asked[0]).as_deref(), Some(expected), "{auth}");
    }
}

#[tokio::test]
async fn further_headers_go_with_every_call_and_not_with_the_login() {
    let stub = Stub::start().await;
    stub.on("POST", "/login", Answer::json(200, &json!({"token": "t"})));
    stub.on("GET", "/people", people());
    let auth = "[headers]\nX-Subscription-Key = \"{{ key }}\"\nX-Left-Out = \"{{ other }}\"\n[auth]\nkind = \"session\"\n\
                post = \"https://api.acme.example/login\"\nform = { k = \"{{ key }}\" }\nread = \"/token\"";
    assert!(
        reading(auth, &stub, json!({"key": "sub"}))
            .read()
            .await
            .is_complete()
    );
    let asked = stub.received();
    assert_eq!(params(&asked[0]), [("k".to_owned(), "sub".to_owned())].into());
    let header = |n: usize, name: &str| asked[n].header(name).map(str::to_owned);
    assert_eq!(header(0, "x-subscription-key"), None);
    assert_eq!(header(1, "x-subscription-key").as_deref(), Some("sub"));
    assert_eq!(header(1, "x-left-out"), None);
    assert_eq!(header(1, "authorization").as_deref(), Some("Bearer t"));
}

#[tokio::test]
async fn sessions_are_read_from_bodies_and_headers_and_shown_as_the_vendor_wants() {
    let exp = |seconds: i64| {
        let claims = URL_SAFE_NO_PAD.encode(json!({ "exp": seconds }).to_string());
        format!("e30.{claims}.c2ln")
    };
    let (_file, clock) = clock();
    let later = clock.now().timestamp() + 900;
    let temporary = json!({"eureciaResponse": {"temporaryToken": {"token": {"$": "tmp"}}}});
    let cases = [
        (
            "get = \"https://api.acme.example/login\"\nheaders = { authToken = \"{{ key }}\" }\n\
             read = \"/eureciaResponse/temporaryToken/token/$\"\nshow = { header = \"token\" }",
            Answer::json(200, &temporary),
            ("token", "tmp".to_owned()),
        ),
        (
            "post = \"https://api.acme.example/login\"\nbody = { apiKey = \"{{ key }}\" }\nread = \"/token\"",
            Answer::json(200, &json!({"token": format!("Bearer {}", exp(later))})),
            ("authorization", format!("Bearer {}", exp(later))),
        ),
        (
            "post = \"https://api.acme.example/login\"\nquery = { k = \"{{ key }}\" }\nread_header = \"X-Token\"\n\
             show = { header = \"Authorization\", value = \"acme t={{ token }}\" }",
            Answer::status(200).header("x-token", "h"),
            ("authorization", "acme t=h".to_owned()),
        ),
    ];
    for (session, answer, (name, value)) in cases {
        let stub = Stub::start().await;
        stub.rule(move |request| (request.path == "/login").then(|| answer.clone()));
        stub.on("GET", "/people", people());
        let mut reading = reading(
            &format!("[auth]\nkind = \"session\"\n{session}"),
            &stub,
            json!({"key": "k"}),
        );
        reading.clock = clock.clone();
        assert!(reading.read().await.is_complete(), "{session}");
        let asked = stub.received();
        let first = &asked[0];
        let shown = [
            first.header("authtoken").map(str::to_owned),
            first.json()["apiKey"].as_str().map(str::to_owned),
            first.param("k"),
        ];
        assert!(shown.contains(&Some("k".to_owned())), "{first:?}");
        assert_eq!(asked[1].header(name), Some(value.as_str()), "{session}");
    }
}

#[tokio::test]
async fn a_login_that_brings_no_token_is_wrong_credentials() {
    for body in [json!({"token": {}}), json!({"token": ""}), json!({})] {
        let stub = Stub::start().await;
        stub.on("POST", "/login", Answer::json(200, &body));
        let auth = "[auth]\nkind = \"session\"\npost = \"https://api.acme.example/login\"\nread = \"/token\"";
        let read = reading(auth, &stub, json!({})).read().await;
        assert!(
            matches!(read.error, Some(Error::Credentials { status: 200, .. })),
            "{:?}",
            read.error
        );
    }
}

#[tokio::test]
async fn the_end_of_a_token_is_seen_before_it_comes() {
    let ends = [
        json!({"token": "t", "expires_in": "3600"}),
        json!({"token": "t", "X-Expires-After": "2026-11-30T09:00:00.000Z"}),
        json!({"token": "t"}),
    ];
    for answer in ends {
        let stub = Stub::start().await;
        stub.rule(move |r| (r.path == "/login").then(|| Answer::json(200, &answer)));
        stub.rule(|r| (r.path == "/people").then(people));
        let auth = "[auth]\nkind = \"session\"\npost = \"https://api.acme.example/login\"\nread = \"/token\"\n\
                    expires_at = \"/X-Expires-After\"\nlives_seconds = 3600";
        let mut reading = reading(auth, &stub, json!({}));
        let (file, clock) = clock();
        reading.clock = clock;
        let mut logins = Vec::new();
        for minutes in [0, 54, 2] {
            file.advance(TimeDelta::minutes(minutes));
            assert!(reading.read().await.is_complete());
            logins.push(stub.take_received().iter().filter(|r| r.path == "/login").count());
        }
        assert_eq!(logins, [1, 0, 1]);
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_then_said() {
    let stub = Stub::start().await;
    stub.rule(|r| {
        (r.path == "/token").then(|| Answer::json(200, &json!({"access_token": "t", "expires_in": 60})))
    });
    stub.rule(|r| (r.path == "/people").then(|| Answer::status(401)));
    let auth = "[auth]\nkind = \"oauth2\"\ngrant = \"client_credentials\"\ntoken = \"https://login.acme.example/token\"\n\
                id = \"{{ id }}\"\nsecret = \"{{ secret }}\"";
    let read = reading(auth, &stub, json!({"id": "i", "secret": "s"}))
        .read()
        .await;
    assert!(
        matches!(read.error, Some(Error::Credentials { status: 401, .. })),
        "{:?}",
        read.error
    );
    let paths: Vec<String> = stub.received().iter().map(|r| r.path.clone()).collect();
    assert_eq!(paths, ["/token", "/people", "/token", "/people"]);
}

#[tokio::test]
async fn a_token_belongs_to_the_credentials_it_was_given_for() {
    let stub = Stub::start().await;
    stub.rule(|r| {
        let id = params(r).get("client_id").cloned();
        (r.path == "/token")
            .then(|| Answer::json(200, &json!({"access_token": format!("of-{}", id.unwrap())})))
    });
    stub.rule(|r| (r.path == "/people").then(people));
    let auth = "[auth]\nkind = \"oauth2\"\ngrant = \"client_credentials\"\ntoken = \"https://login.acme.example/token\"\n\
                id = \"{{ id }}\"\nsecret = \"{{ secret }}\"";
    let mut connection = reading(auth, &stub, json!({"id": "a", "secret": "s"}));
    connection.read().await;
    connection.settings = reading(auth, &stub, json!({"id": "b", "secret": "s"})).settings;
    connection.read().await;
    let shown: Vec<_> = stub
        .received()
        .iter()
        .filter_map(|r| r.header("authorization").map(str::to_owned))
        .collect();
    assert_eq!(shown, ["Bearer of-a", "Bearer of-b"]);
}

#[tokio::test]
async fn parameters_go_as_form_as_json_and_as_query() {
    for (word, method) in [("form", "POST"), ("json", "POST"), ("query", "GET")] {
        let stub = Stub::start().await;
        stub.on(
            method,
            "/token",
            Answer::json(200, &json!({"access_token": "t", "expires_in": "3599"})),
        );
        stub.on("GET", "/people", people());
        let auth = format!(
            "[auth]\nkind = \"oauth2\"\ngrant = \"client_credentials\"\ntoken = \"https://login.acme.example/token?v=1\"\n\
             id = \"{{{{ id }}}}\"\nsecret = \"{{{{ secret }}}}\"\nscope = \"a b\"\nparams = \"{word}\"\n\
             extra = {{ audience = \"https://api\", tenant_id = \"{{{{ other }}}}\" }}"
        );
        let read = reading(&auth, &stub, json!({"id": "i", "secret": "s"}))
            .read()
            .await;
        assert!(read.is_complete(), "{word}");
        let asked = &stub.received()[0];
        let said: BTreeMap<String, String> = match word {
            "form" => params(asked),
            "json" => serde_json::from_slice(&asked.body).unwrap(),
            _ => url::form_urlencoded::parse(asked.query.as_bytes())
                .into_owned()
                .collect(),
        };
        let expected = [
            ("grant_type", "client_credentials"),
            ("scope", "a b"),
            ("audience", "https://api"),
            ("client_id", "i"),
            ("client_secret", "s"),
        ];
        for (name, value) in expected {
            assert_eq!(said.get(name).map(String::as_str), Some(value), "{word} {name}");
        }
        assert!(
            !said.contains_key("tenant_id"),
            "an unanswered optional setting is left out"
        );
        assert_eq!(asked.param("v").as_deref(), Some("1"));
    }
}

#[tokio::test]
async fn a_jwt_is_made_for_each_request() {
    let stub = Stub::start().await;
    stub.on("GET", "/people", people());
    let auth = "[auth]\nkind = \"jwt\"\nshow = { header = \"X-Jwt-Client\" }\n\
                key = { algorithm = \"HS256\", secret = \"{{ key }}\" }\n\
                claims = { userToken = \"{{ id }}\", mode = \"normal\" }\ntime_claim = \"time\"";
    let mut connection = reading(auth, &stub, json!({"id": "u", "key": "client key"}));
    let (_file, clock) = clock();
    let now = clock.now().timestamp();
    connection.clock = clock;
    assert!(connection.read().await.is_complete());
    let token = stub.received()[0].header("x-jwt-client").unwrap().to_owned();
    let said = claims(&token, Algorithm::HS256, &DecodingKey::from_secret(b"client key"));
    let expected = json!({"userToken": "u", "mode": "normal", "time": now});
    assert_eq!(json!(said), expected);
}

/// Reads once with a token endpoint, and gives the parameters it was asked with.
async fn granted(auth: &str, given: Value) -> (BTreeMap<String, String>, i64) {
    let stub = Stub::start().await;
    stub.rule(|r| {
        Some(Answer::json(200, &json!({"access_token": "t"}))).filter(|_| r.path.ends_with("/token"))
    });
    stub.on("GET", "/people", people());
    let mut connection = reading(auth, &stub, given);
    let (_file, clock) = clock();
    let now = clock.now().timestamp();
    connection.clock = clock;
    let read = connection.read().await;
    assert!(read.is_complete(), "{:?}", read.error);
    (params(&stub.received()[0]), now)
}

#[tokio::test]
async fn a_client_proves_itself_with_rsa_and_ec_keys() {
    let rsa = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let rsa_pem = {
        use aws_lc_rs::encoding::Pkcs8V1Der;
        let der: Pkcs8V1Der<'static> = rsa.as_der().unwrap();
        pem("PRIVATE KEY", der.as_ref())
    };
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let ec_pem = pem("PRIVATE KEY", ec.to_pkcs8v1().unwrap().as_ref());
    let rsa_public = DecodingKey::from_rsa_der(rsa.public_key().as_ref());
    let ec_public = DecodingKey::from_ec_der(ec.public_key().as_ref());
    let cases = [
        ("RS256", Algorithm::RS256, &rsa_pem, &rsa_public),
        ("PS256", Algorithm::PS256, &rsa_pem, &rsa_public),
        ("ES256", Algorithm::ES256, &ec_pem, &ec_public),
    ];
    for (name, algorithm, private, public) in cases {
        let auth = format!(
            "[auth]\nkind = \"oauth2\"\ngrant = \"client_credentials\"\ntoken = \"https://login.acme.example/token\"\n\
             id = \"{{{{ id }}}}\"\nclient = \"assertion\"\n\
             key = {{ algorithm = \"{name}\", private = \"{{{{ key }}}}\", id = \"{{{{ other }}}}\" }}"
        );
        let (asked, now) = granted(&auth, json!({"id": "client", "key": private, "other": "key-1"})).await;
        assert_eq!(
            asked["client_assertion_type"],
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        );
        let token = &asked["client_assertion"];
        assert_eq!(
            jsonwebtoken::decode_header(token).unwrap().kid.as_deref(),
            Some("key-1")
        );
        let said = claims(token, algorithm, public);
        assert_eq!((&said["iss"], &said["sub"]), (&json!("client"), &json!("client")));
        // The vendor's own address, whatever stands in its place on the way.
        assert_eq!(said["aud"], "https://login.acme.example/token");
        assert_eq!((&said["iat"], &said["exp"]), (&json!(now), &json!(now + 300)));
        assert!(said["jti"].as_str().unwrap().len() >= 32);
    }
}

#[tokio::test]
async fn a_bearer_token_is_changed_for_an_assertion() {
    let rsa = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'static> = rsa.as_der().unwrap();
    let auth = "[auth]\nkind = \"oauth2\"\ngrant = \"jwt_bearer\"\ntoken = \"https://oauth2.acme.example/token\"\n\
                key = { algorithm = \"RS256\", private = \"{{ key }}\" }\n\
                claims = { iss = \"{{ id }}\", sub = \"admin@acme.example\", scope = \"people.readonly\" }";
    let given = json!({"id": "robot@acme.example", "key": pem("PRIVATE KEY", der.as_ref())});
    let (asked, _) = granted(auth, given).await;
    assert_eq!(asked["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    assert!(!asked.contains_key("client_id"));
    let public = DecodingKey::from_rsa_der(rsa.public_key().as_ref());
    let said = claims(&asked["assertion"], Algorithm::RS256, &public);
    assert_eq!(said["iss"], "robot@acme.example");
    assert_eq!(said["aud"], "https://oauth2.acme.example/token");
    assert_eq!(said["scope"], "people.readonly");
}

#[tokio::test]
async fn a_pasted_refresh_token_is_used_once_and_its_successor_kept() {
    let stub = Stub::start().await;
    stub.rule(|r| {
        let shown = params(r).get("refresh_token").cloned();
        (r.path == "/token").then(|| match shown.as_deref() {
            Some("pasted") => Answer::json(
                200,
                &json!({"access_token": "a1", "expires_in": 600, "refresh_token": "next"}),
            ),
            Some("next") => Answer::json(200, &json!({"access_token": "a2", "expires_in": 600})),
            _ => Answer::json(400, &json!({"error": "invalid_grant"})),
        })
    });
    stub.rule(|r| (r.path == "/people").then(people));
    let auth = "[auth]\nkind = \"oauth2\"\ngrant = \"refresh_token\"\ntoken = \"https://id.acme.example/token\"\n\
                id = \"{{ id }}\"\nrefresh = \"{{ secret }}\"";
    let mut connection = reading(auth, &stub, json!({"id": "app", "secret": "pasted"}));
    let (file, clock) = clock();
    connection.clock = clock;
    let mut shown = Vec::new();
    for _ in 0..3 {
        assert!(connection.read().await.is_complete());
        shown.extend(connection.token().await);
        file.advance(TimeDelta::minutes(15));
    }
    assert_eq!(shown, ["a1", "a2", "a2"]);
    let asked: Vec<_> = stub
        .received()
        .iter()
        .filter(|r| r.path == "/token")
        .map(params)
        .collect();
    let used: Vec<_> = asked.iter().map(|form| form["refresh_token"].as_str()).collect();
    assert_eq!(used, ["pasted", "next", "next"]);
    assert_eq!(
        (
            asked[0]["grant_type"].as_str(),
            asked[0].contains_key("client_secret")
        ),
        ("refresh_token", false)
    );
    // Another one pasted: the old successor is not its own.
    connection.settings = reading(auth, &stub, json!({"id": "app", "secret": "other"})).settings;
    let read = connection.read().await;
    assert!(
        matches!(&read.error, Some(Error::Credentials { status: 400, code, .. }) if code == ", invalid_grant")
    );
}

#[tokio::test]
async fn a_token_endpoint_that_fails_for_a_while_is_asked_again() {
    let stub = Stub::start().await;
    stub.queue("POST", "/token", Answer::status(500));
    stub.queue("POST", "/token", Answer::status(429).header("retry-after", "7"));
    stub.queue("POST", "/token", Answer::json(200, &json!({"access_token": "t"})));
    stub.on("GET", "/people", people());
    let auth = "[auth]\nkind = \"oauth2\"\ngrant = \"token_exchange\"\ntoken = \"https://login.acme.example/token\"\n\
                extra = { subject_token = \"{{ key }}\", subject_token_type = \"urn:ietf:params:oauth:token-type:access_token\" }";
    let read = reading(auth, &stub, json!({"key": "k"})).read().await;
    assert!(read.is_complete());
    assert_eq!(read.waits.len(), 2);
    assert!(read.waits[1].as_secs() >= 7);
    let asked = params(&stub.received()[2]);
    assert_eq!(
        asked["grant_type"],
        "urn:ietf:params:oauth:grant-type:token-exchange"
    );
    assert_eq!(asked["subject_token"], "k");
}

#[tokio::test]
async fn a_setting_chooses_how_to_sign_in() {
    let settings = "sign_in = { ask = \"How\", choices = { key = \"Key\", login = \"Login\" }, default = \"key\" }\n\
                    key = { ask = \"Key\", optional = true, secret = true }\n\
                    id = { ask = \"Id\", optional = true }";
    let auth = "[auth]\nkind = \"choice\"\nby = \"sign_in\"\n[auth.ways.key]\nkind = \"header\"\nname = \"Authorization\"\n\
                value = \"SSWS {{ key }}\"\n[auth.ways.login]\nkind = \"oauth2\"\ngrant = \"client_credentials\"\n\
                token = \"https://login.acme.example/token\"\nid = \"{{ id }}\"";
    let manifest = parse_with(settings, auth).unwrap_or_else(|error| panic!("{error}"));
    let stub = Stub::start().await;
    stub.on("POST", "/token", Answer::json(200, &json!({"access_token": "t"})));
    stub.rule(|r| (r.path == "/people").then(people));
    for given in [json!({"key": "k"}), json!({"sign_in": "login", "id": "i"})] {
        let mut given = given;
        given["base_url"] = json!(stub.base_url);
        assert!(Reading::by(manifest.clone(), &given).read().await.is_complete());
    }
    let shown: Vec<_> = stub
        .received()
        .iter()
        .filter_map(|r| r.header("authorization").map(str::to_owned))
        .collect();
    assert_eq!(shown, ["SSWS k", "Bearer t"]);
    let problems = manifest.check_settings(&json!({"sign_in": "login"})).unwrap_err();
    assert_eq!(
        (problems[0].setting.as_str(), problems[0].message.as_str()),
        ("id", "is missing: Id")
    );
}

#[test]
fn wrong_words_are_said() {
    let cases = [
        (
            "kind = \"oauth2\"\ngrant = \"client_credentials\"\ntoken = \"https://x.example/t\"",
            "id is missing",
        ),
        (
            "kind = \"oauth2\"\ngrant = \"jwt_bearer\"\ntoken = \"https://x.example/t\"",
            "key belongs to",
        ),
        (
            "kind = \"oauth2\"\ngrant = \"authorization_code\"\ntoken = \"https://x.example/t\"",
            "authorize belongs to",
        ),
        (
            "kind = \"oauth2\"\ngrant = \"refresh_token\"\ntoken = \"https://x.example/t\"\nid = \"i\"",
            "refresh belongs to",
        ),
        (
            "kind = \"oauth2\"\ngrant = \"client_credentials\"\ntoken = \"http://x.example/t\"\nid = \"i\"",
            "no https address",
        ),
        (
            "kind = \"session\"\npost = \"https://x.example/t\"",
            "either read or read_header",
        ),
        ("kind = \"session\"\nread = \"/t\"", "either get or post"),
        (
            "kind = \"jwt\"\nkey = { algorithm = \"RS256\", secret = \"s\" }\nclaims = {}",
            "a key has secret for HS256",
        ),
        (
            "kind = \"header\"\nname = \"a\"\nvalue = \"{{ nobody }}\"",
            "nobody is not among [settings]",
        ),
        (
            "kind = \"choice\"\nby = \"id\"\n[auth.ways.a]\nkind = \"none\"",
            "they must be the same",
        ),
    ];
    for (auth, expected) in cases {
        let error = parse(&format!("[auth]\n{auth}")).unwrap_err().to_string();
        assert!(error.contains(expected), "{auth}\n{error}");
    }
}

#[tokio::test]
async fn a_key_that_cannot_sign_is_named_and_not_shown() {
    let stub = Stub::start().await;
    let auth = "[auth]\nkind = \"oauth2\"\ngrant = \"jwt_bearer\"\ntoken = \"https://x.example/t\"\n\
                key = { algorithm = \"ES256\", private = \"{{ key }}\" }\nclaims = { iss = \"i\" }";
    let rsa = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'static> = rsa.as_der().unwrap();
    for (key, expected) in [
        ("very secret".to_owned(), "no private key in PEM"),
        (pem("PRIVATE KEY", der.as_ref()), "no ES256 key"),
    ] {
        let read = reading(auth, &stub, json!({ "key": key })).read().await;
        let said = read.error.unwrap().to_string();
        assert!(said.contains("setting key:") && said.contains(expected), "{said}");
        assert!(!said.contains("very secret"));
    }
    assert!(stub.received().is_empty());
}

#[tokio::test]
async fn a_refusal_that_looks_like_success_is_one_too() {
    let stub = Stub::start().await;
    stub.queue("POST", "/login", Answer::json(200, &json!({"token": "old"})));
    stub.queue("POST", "/login", Answer::json(200, &json!({"token": "new"})));
    stub.rule(|r| {
        let good = r.header("authorization") == Some("Bearer new");
        (r.path == "/people").then(|| match good {
            true => people(),
            false => Answer::json(200, &json!({"ok": false, "code": "bad_token"})),
        })
    });
    let auth = "[auth]\nkind = \"session\"\npost = \"https://api.acme.example/login\"\nread = \"/token\"\n\
                [errors]\nfailed = { at = \"/ok\", is = [\"false\"] }\ncode = \"/code\"\nwords = { bad_token = \"credentials\" }";
    let read = reading(auth, &stub, json!({})).read().await;
    assert!(read.is_complete(), "{:?}", read.error);
    let paths: Vec<String> = stub.received().iter().map(|r| r.path.clone()).collect();
    assert_eq!(paths, ["/login", "/people", "/login", "/people"]);
}
