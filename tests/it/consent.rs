//! Consent from the link to the token, and what happens to it afterwards.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

use crate::kit::{AuthServer, Bridge, CLIENT, Settings, answer, good, http_client, with_json};
use crate::sync_process::Program;

/// A server that knows the connector of [`AuthServer::manifest`].
pub async fn bridge() -> Bridge {
    let folder = std::env::temp_dir().join(format!("scim-bridge-connectors-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("consented.toml"), AuthServer::manifest()).unwrap();
    let bridge = Bridge::spawn_with(Settings {
        environment: vec![("SCIM_BRIDGE_CONNECTORS_DIR", folder.display().to_string())],
        ..Settings::default()
    })
    .await;
    std::fs::remove_dir_all(&folder).unwrap();
    bridge
}

async fn apply(bridge: &Bridge, file: &Value) {
    let path = format!(
        "/api/v1/connections/{}?publish=true",
        file["name"].as_str().unwrap()
    );
    good(with_json(bridge.request(Method::PUT, &path), file)).await;
}

async fn authorize(bridge: &Bridge) -> String {
    let made = bridge.post("/api/v1/connections/hr/authorize", &json!({})).await;
    made["link"].as_str().unwrap().to_owned()
}

async fn page(address: &str) -> (u16, String) {
    let answer = http_client().get(address).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn check(bridge: &Bridge) -> Value {
    bridge.post("/api/v1/connections/hr/check", &json!({})).await
}

/// A bridge whose connection `hr` has consent.
async fn consented(vendor: &AuthServer) -> Bridge {
    let bridge = bridge().await;
    apply(&bridge, &vendor.connection("hr")).await;
    let (status, text) = page(&vendor.agree(&authorize(&bridge).await)).await;
    assert_eq!(status, 200, "{text}");
    bridge
}

async fn shown(bridge: &Bridge) -> Value {
    bridge.get("/api/v1/connections/hr").await
}

/// Covers: item 4
#[tokio::test]
async fn consent_is_given_by_a_link_and_kept_sealed() {
    let vendor = AuthServer::start().await;
    let bridge = bridge().await;
    apply(&bridge, &vendor.connection("hr")).await;
    let before = check(&bridge).await;
    assert_eq!(before["ok"], false);
    let said = before["steps"][0]["message"].as_str().unwrap();
    assert!(
        said.contains("needs somebody's consent") && said.contains("connection authorize"),
        "{said}"
    );
    let link = authorize(&bridge).await;
    assert!(
        link.starts_with(&format!("{}/authorize?tenant=1&", vendor.stub.base_url)),
        "{link}"
    );
    let back = vendor.agree(&link);
    assert!(back.starts_with(&format!("{}/oauth/callback?", bridge.base_url)));
    let answer = http_client().get(&back).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert!(header("content-security-policy").starts_with("default-src 'none'; style-src 'sha256-"));
    assert_eq!(
        (
            header("cache-control"),
            header("referrer-policy"),
            header("x-frame-options")
        ),
        ("no-store".into(), "no-referrer".into(), "DENY".into())
    );
    let text = answer.text().await.unwrap();
    assert!(
        text.contains("It works") && text.contains("1 on the first page"),
        "{text}"
    );
    let shown = shown(&bridge).await;
    assert_eq!(
        (&shown["needs_consent"], &shown["consent"]["state"]),
        (&json!(false), &json!("given"))
    );
    assert_eq!(check(&bridge).await["ok"], true);
    // Nothing of what is secret can be read in the database.
    let rows = bridge.rows().await;
    let row = rows
        .query_one(
            "SELECT encode(sealed, 'escape') || encode(refresh_sealed, 'escape') FROM vendor_token",
            &[],
        )
        .await
        .unwrap();
    let kept: String = row.get(0);
    assert!(!kept.contains("access-") && !kept.contains("refresh-"));
    // The same answer again.
    let (status, text) = page(&back).await;
    assert_eq!((status, text.contains("used already")), (410, true), "{text}");
    assert_eq!(check(&bridge).await["ok"], true);
}

/// Covers: item 4
#[tokio::test]
async fn a_no_a_wrong_state_and_a_late_answer_change_nothing() {
    let vendor = AuthServer::start().await;
    let bridge = bridge().await;
    apply(&bridge, &vendor.connection("hr")).await;
    let callback = format!("{}/oauth/callback", bridge.base_url);
    let state_of = |link: &str| {
        let url = url::Url::parse(link).unwrap();
        let state = url.query_pairs().find(|(name, _)| name == "state");
        state.unwrap().1.into_owned()
    };
    let state = state_of(&authorize(&bridge).await);
    let (status, text) = page(&format!(
        "{callback}?error=access_denied&error_description=%3Cb%3E&state={state}"
    ))
    .await;
    assert_eq!(
        (status, text.contains("You did not agree"), text.contains("<b>")),
        (200, true, false)
    );
    let (status, text) = page(&format!("{callback}?code=x&state={state}")).await;
    assert_eq!((status, text.contains("used already")), (410, true));

    let good = vendor.agree(&authorize(&bridge).await);
    let (status, text) = page(&good.replace("state=", "state=x")).await;
    assert_eq!((status, text.contains("did not ask for this")), (404, true));
    bridge.clock.advance(TimeDelta::hours(24));
    let (status, text) = page(&good).await;
    assert_eq!((status, text.contains("too old")), (410, true));
    for nothing in ["", "?state=x", "?code=x", "?code=x&error=y&state=z"] {
        let (status, text) = page(&format!("{callback}{nothing}")).await;
        assert_eq!(
            (status, text.contains("no answer to a question")),
            (400, true),
            "{nothing}"
        );
    }
    assert_eq!(bridge.count("SELECT count(*) FROM vendor_token").await, 0);
    assert!(shown(&bridge).await.get("consent").is_none());
    // A code that the vendor does not take.
    let state = state_of(&authorize(&bridge).await);
    let (status, text) = page(&format!("{callback}?code=made-up&state={state}")).await;
    assert_eq!((status, text.contains("invalid_grant")), (502, true), "{text}");
}

#[tokio::test]
async fn another_tenant_can_ask_for_nothing_here() {
    let vendor = AuthServer::start().await;
    let bridge = bridge().await;
    apply(&bridge, &vendor.connection("hr")).await;
    let other = bridge.make_tenant("other").await;
    let token = bridge
        .make_token(other, "t", &scim_bridge::access::Scope::ALL)
        .await;
    for what in ["authorize", "setup-link"] {
        let path = format!("/api/v1/connections/hr/{what}");
        let (status, _) = answer(with_json(
            bridge.request_as(&token, Method::POST, &path),
            &json!({}),
        ))
        .await;
        assert_eq!(status, 404, "{what}");
    }
}

/// Covers: item 4
#[tokio::test]
async fn the_operators_client_serves_tenants_without_one_and_only_at_its_host() {
    let vendor = AuthServer::start().await;
    let bridge = bridge().await;
    let mut file = vendor.connection("hr");
    let settings = file["settings"].as_object_mut().unwrap();
    settings.remove("oauth_client_id");
    settings.remove("oauth_client_secret");
    apply(&bridge, &file).await;
    let ask = || {
        with_json(
            bridge.request(Method::POST, "/api/v1/connections/hr/authorize"),
            &json!({}),
        )
    };
    let (status, body) = answer(ask()).await;
    assert_eq!(status, 422);
    assert!(
        body["detail"].as_str().unwrap().contains("no OAuth client"),
        "{body}"
    );
    let keep = async |base_url: Option<String>| {
        let client = scim_bridge::sync::OAuthClient {
            id: CLIENT.0.into(),
            secret: Some(scim_bridge::base::Secret::new(CLIENT.1.into())),
            base_url,
        };
        let (state, now) = (&bridge.app.state, bridge.clock.now());
        let mut conn = bridge.conn().await;
        scim_bridge::sync::keep_oauth_client(&mut conn, &state.sealer, "consented", &client, now)
            .await
            .unwrap();
    };
    // Whoever writes the connection's file chose its base_url: the operator's secret must not go there.
    keep(None).await;
    assert_eq!(answer(ask()).await.0, 422);
    keep(Some(vendor.stub.base_url.clone())).await;
    let (status, text) = page(&vendor.agree(&authorize(&bridge).await)).await;
    assert_eq!((status, text.contains("It works")), (200, true), "{text}");
    let file = bridge.get("/api/v1/connections/hr").await["file"].to_string();
    assert!(!file.contains(CLIENT.1) && !file.contains(CLIENT.0), "{file}");
}

/// Covers: item 4
#[tokio::test]
async fn lost_consent_is_announced_until_it_is_given_again() {
    let vendor = AuthServer::start().await;
    let bridge = consented(&vendor).await;
    vendor.fail(1);
    vendor.end_access();
    assert_eq!(
        check(&bridge).await["ok"],
        true,
        "a failure of a moment is not the end"
    );
    vendor.revoke();
    for _ in 0..2 {
        let found = check(&bridge).await;
        assert!(found.to_string().contains("needs somebody's consent"), "{found}");
    }
    let shown = shown(&bridge).await;
    assert_eq!(
        (&shown["needs_consent"], &shown["consent"]["state"]),
        (&json!(true), &json!("needed"))
    );
    assert_eq!(shown["consent"].get("renewal_broke_off"), None);
    let listed = bridge.get("/api/v1/connections").await;
    assert_eq!(listed["items"][0]["needs_consent"], true);
    let metrics = page(&format!("{}/metrics", bridge.base_url)).await.1;
    assert!(metrics.contains("bridge_consents_lost 1"), "{metrics}");
    let run = bridge.post("/api/v1/connections/hr/runs", &json!({})).await;
    bridge.drain().await;
    let run = bridge
        .get(&format!("/api/v1/runs/{}", run["id"].as_str().unwrap()))
        .await;
    assert!(run.to_string().contains("needs somebody's consent"), "{run}");

    let (status, _) = page(&vendor.agree(&authorize(&bridge).await)).await;
    assert_eq!(status, 200);
    assert_eq!(self::shown(&bridge).await["needs_consent"], false);
    let metrics = page(&format!("{}/metrics", bridge.base_url)).await.1;
    assert!(metrics.contains("bridge_consents_lost 0"));
}

/// Covers: item 4
#[tokio::test]
async fn a_token_that_nobody_uses_is_renewed_so_that_consent_does_not_run_out() {
    let vendor = AuthServer::start().await;
    let bridge = consented(&vendor).await;
    bridge.drain().await;
    assert_eq!(vendor.refreshes(), 0);
    bridge.clock.advance(TimeDelta::hours(13));
    bridge.drain().await;
    bridge.drain().await;
    assert_eq!(vendor.refreshes(), 1);
    vendor.revoke();
    bridge.clock.advance(TimeDelta::hours(13));
    bridge.drain().await;
    assert_eq!(shown(&bridge).await["needs_consent"], true);
}

/// The program with a connection that has consent, and where else a server may listen.
async fn program() -> (Program, u16) {
    let program = Program::new().await;
    program.write("connectors/consented.toml", AuthServer::manifest());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    (program, listener.local_addr().unwrap().port())
}

async fn consent_at(program: &Program, vendor: &AuthServer) {
    let base = format!("http://127.0.0.1:{}/api/v1/connections/hr", program.port);
    let http = http_client();
    let put = http
        .put(format!("{base}?publish=true"))
        .bearer_auth(&program.token);
    good(with_json(put, &vendor.connection("hr"))).await;
    let asked = program.run(&["connection", "authorize", "hr"]).await;
    assert_eq!(asked.code, 0, "{}", asked.err);
    let (status, text) = page(&vendor.agree(asked.out.trim())).await;
    assert_eq!(status, 200, "{text}");
}

fn check_at(program: &Program, port: u16) -> reqwest::RequestBuilder {
    let address = format!("http://127.0.0.1:{port}/api/v1/connections/hr/check");
    with_json(
        http_client().post(address).bearer_auth(&program.token),
        &json!({}),
    )
}

/// Covers: item 4
#[tokio::test]
async fn of_two_processes_one_renews_and_both_use_what_came() {
    let vendor = AuthServer::start().await;
    let (program, port) = program().await;
    let (_one, _other) = (program.serve().await, program.serve_at(port).await);
    consent_at(&program, &vendor).await;
    vendor.answer_after(Duration::from_millis(800));
    for round in 1..=3 {
        vendor.end_access();
        let asks = (0..8).map(|n| good(check_at(&program, if n % 2 == 0 { program.port } else { port })));
        let found = futures_util::future::join_all(asks).await;
        assert!(found.iter().all(|found| found["ok"] == true), "{found:?}");
        assert_eq!(vendor.refreshes(), round, "one renewal for all of them");
    }
}

/// Covers: item 4
#[tokio::test]
async fn a_renewal_that_is_killed_on_the_way_is_noticed_and_said() {
    let vendor = AuthServer::start().await;
    let (program, port) = program().await;
    let (_one, mut other) = (program.serve().await, program.serve_at(port).await);
    consent_at(&program, &vendor).await;
    vendor.end_access();
    vendor.answer_after(Duration::from_secs(30));
    let asking = tokio::spawn(check_at(&program, port).send());
    for _ in 0..400 {
        if vendor.refreshes() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(vendor.refreshes(), 1);
    // The vendor has changed the token; the answer never arrives.
    other.kill().await.unwrap();
    assert!(asking.await.unwrap().is_err());
    vendor.answer_after(Duration::ZERO);
    let rows = crate::kit::client(&program.database.url).await;
    let held: i64 = rows
        .query_one("SELECT count(*) FROM sign_in_turn", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(held, 1);
    rows.execute("UPDATE sign_in_turn SET until = now() - interval '1 second'", &[])
        .await
        .unwrap();
    let found = good(check_at(&program, program.port)).await;
    assert!(
        found.to_string().contains("an earlier renewal broke off"),
        "{found}"
    );
    let shown = program.run(&["connection", "show", "hr"]).await;
    assert!(shown.out.contains("consent: needed again since"), "{}", shown.out);
    let shown = program.run(&["--json", "connection", "show", "hr"]).await;
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(shown["consent"]["renewal_broke_off"], true);
}

/// Covers: item 4
#[tokio::test]
async fn nothing_secret_is_logged() {
    let vendor = AuthServer::start().await;
    let (program, _) = program().await;
    let _server = program.serve_logging(program.port, "trace").await;
    consent_at(&program, &vendor).await;
    vendor.end_access();
    good(check_at(&program, program.port)).await;
    vendor.revoke();
    good(check_at(&program, program.port)).await;
    let made = program.run(&["connection", "setup-link", "hr"]).await;
    let link = made.out.trim();
    let answer = http_client()
        .post(link)
        .body("oauth_client_secret=entered-here")
        .send()
        .await;
    let asked = answer.unwrap().text().await.unwrap();
    let from = asked.find("state=").unwrap() + 6;
    let state: String = asked[from..].chars().take_while(|c| *c != '&').collect();
    let (status, _) = page(&format!(
        "http://127.0.0.1:{}/oauth/callback?code=code-of-somebody&state={state}",
        program.port
    ))
    .await;
    assert_eq!(status, 502);
    let log = program.log();
    assert!(log.contains("web.request.serve") && log.contains("an HR system withdrew its consent"));
    let setup = link.rsplit('/').next().unwrap();
    assert!(state.len() >= 43 && setup.len() >= 43);
    for secret in [
        "access-",
        "refresh-",
        "code-",
        CLIENT.1,
        "entered-here",
        &state,
        setup,
        &program.token,
    ] {
        assert!(
            !log.contains(secret),
            "{secret} is in the log: {}",
            line_with(&log, secret)
        );
    }
}

fn line_with<'l>(log: &'l str, text: &str) -> &'l str {
    log.lines().find(|line| line.contains(text)).unwrap_or_default()
}

#[tokio::test]
async fn the_operator_sets_shows_and_removes_a_client() {
    let (program, _) = program().await;
    program.write("secret", "its-secret\n");
    let set = ["connector", "client", "consented", "--id", "bridge", "--secret"];
    let open = program.run(&[&set[..], &["its-secret"]].concat()).await;
    assert_eq!(
        (open.code, open.err.contains("can be seen by others")),
        (1, true),
        "{}",
        open.err
    );
    let kept = program
        .run(&[&set[..], &["file:secret", "--base-url", "http://x.example"]].concat())
        .await;
    assert_eq!(kept.code, 0, "{}", kept.err);
    let show = ["--json", "connector", "client", "consented"];
    let shown: Value = serde_json::from_str(&program.run(&show).await.out).unwrap();
    let expected = json!({
        "connector": "consented", "client_id": "bridge", "has_secret": true, "base_url": "http://x.example",
    });
    assert_eq!(shown, expected);
    assert_eq!(program.count("SELECT count(*) FROM oauth_client WHERE position('its-secret' IN encode(sealed, 'escape')) = 0").await, 1);
    assert_eq!(
        program
            .run(&["connector", "client", "consented", "--remove"])
            .await
            .code,
        0
    );
    let shown: Value = serde_json::from_str(&program.run(&show).await.out).unwrap();
    assert_eq!(shown["client_id"], Value::Null);
    let unknown = program.run(&["connector", "client", "nobody"]).await;
    assert!(unknown.err.contains("there is no connector nobody"));
}
