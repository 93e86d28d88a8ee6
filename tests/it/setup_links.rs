//! Setup links: what somebody without an account sees and does.

use chrono::TimeDelta;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::consent;
use crate::kit::{Answer, AuthServer, Bridge, Browser, Stub, good, http_client, left_out, with_json};
use crate::push::command_line::run;

/// BambooHR as far as a first page: the right key opens it.
async fn bamboo() -> Stub {
    let stub = Stub::start().await;
    stub.rule(|request| {
        let good = request.header("authorization") == Some("Basic cmlnaHQta2V5Ong=");
        (request.path == "/api/v2/datasets/employee/data").then(|| {
            if !good {
                return Answer::status(401);
            }
            let path = format!(
                "{}/tests/fixtures/hr/bamboohr/page-2.json",
                env!("CARGO_MANIFEST_DIR")
            );
            Answer::text(200, "application/json", std::fs::read(path).unwrap())
        })
    });
    stub
}

/// A connection `hr` whose key is still to be asked for.
async fn open_connection(bridge: &Bridge, stub: &Stub) {
    let file = json!({"name": "hr", "connector": "bamboohr", "settings": {"base_url": stub.base_url}});
    let incomplete = bridge.request(Method::PUT, "/api/v1/connections/hr?incomplete=true");
    good(with_json(incomplete, &file)).await;
}

async fn link(bridge: &Bridge) -> String {
    let made = bridge.post("/api/v1/connections/hr/setup-link", &json!({})).await;
    made["link"].as_str().unwrap().to_owned()
}

async fn see(link: &str) -> (u16, String) {
    read(http_client().get(link).send().await.unwrap()).await
}

async fn read(answer: Response) -> (u16, String) {
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn send(link: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let request = http_client()
        .post(link)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    read(request.send().await.unwrap()).await
}

/// From the command line too a connection may be told without its key; without the word it is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_applied_incomplete_from_the_command_line() {
    let (stub, bridge) = (bamboo().await, Bridge::spawn().await);
    let path = std::env::temp_dir().join(format!("scim-bridge-hr-{}.toml", uuid::Uuid::now_v7()));
    let text = format!(
        "name = \"hr\"\nconnector = \"bamboohr\"\n[settings]\nbase_url = \"{}\"\n",
        stub.base_url
    );
    std::fs::write(&path, text).unwrap();
    let file = path.to_str().unwrap();
    let whole = run(&bridge, &["connection", "apply", file]).await;
    assert_eq!(whole.status.code(), Some(1));
    let part = run(&bridge, &["connection", "apply", file, "--incomplete"]).await;
    let said = String::from_utf8_lossy(&part.stderr).into_owned();
    assert!(part.status.success(), "{said}");
    assert!(link(&bridge).await.contains("/setup/"));
    std::fs::remove_file(&path).unwrap();
}

/// Covers: item 4
#[tokio::test]
async fn keys_are_entered_by_a_link_checked_and_never_shown() {
    let (stub, bridge) = (bamboo().await, Bridge::spawn().await);
    open_connection(&bridge, &stub).await;
    let link = link(&bridge).await;
    assert!(link.starts_with(&format!("{}/setup/", bridge.base_url)));
    let answer = http_client().get(&link).send().await.unwrap();
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    let policy = header("content-security-policy");
    for part in [
        "default-src 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert_eq!(
        (header("cache-control"), header("referrer-policy")),
        ("no-store".into(), "no-referrer".into())
    );
    let (status, text) = read(answer).await;
    assert_eq!(status, 200);
    for part in [
        "Connect BambooHR",
        "add a key and copy it",
        "API key",
        "type=\"password\"",
        "given name",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("base_url") && !text.contains("<script"));

    let (status, text) = send(
        &link,
        &[("company_domain", "ac me\"><b>"), ("api_key", "right-key")],
    )
    .await;
    assert_eq!(status, 422);
    assert!(
        text.contains("first part of the host name") && !text.contains("right-key") && !text.contains("<b>")
    );
    let (status, text) = send(&link, &[("company_domain", "acme"), ("api_key", "wrong-key")]).await;
    assert_eq!(
        (status, text.contains("Something is not right yet")),
        (200, true),
        "{text}"
    );
    assert!(
        text.contains("does not accept the credentials") && !text.contains("wrong-key"),
        "{text}"
    );
    let (_, text) = see(&link).await;
    assert!(text.contains("value=\"acme\"") && !text.contains("wrong-key"));
    let (status, text) = send(&link, &[("company_domain", "acme"), ("api_key", " right-key ")]).await;
    assert_eq!((status, text.contains("It works")), (200, true), "{text}");

    for (status, text) in [
        see(&link).await,
        send(&link, &[("company_domain", "x"), ("api_key", "y")]).await,
    ] {
        assert_eq!((status, text.contains("used already")), (410, true), "{text}");
    }
    let shown = bridge.get("/api/v1/connections/hr").await;
    assert_eq!(
        (&shown["state"], &shown["file"]["settings"]["api_key"]),
        (&json!("draft"), &json!("sealed"))
    );
    assert_eq!(shown["file"]["settings"]["base_url"], stub.base_url);
    bridge.post("/api/v1/connections/hr/publish", &json!({})).await;
    let rows = bridge.rows().await;
    let text: String = rows
        .query_one(
            "SELECT coalesce(string_agg(action || actor || detail::text, ' '), '') FROM audit_entry",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert!(
        text.contains("setup_link.make") && text.contains("setup_link.use"),
        "{text}"
    );
    assert!(!text.contains("right-key") && !text.contains("wrong-key"));
}

/// Covers: item 4
#[tokio::test]
async fn links_that_are_wrong_old_replaced_or_worn_out_say_so() {
    let (stub, bridge) = (bamboo().await, Bridge::spawn().await);
    open_connection(&bridge, &stub).await;
    let (status, text) = see(&format!("{}/setup/nothing", bridge.base_url)).await;
    assert_eq!((status, text.contains("There is no such link")), (404, true));
    let first = link(&bridge).await;
    let second = link(&bridge).await;
    assert_eq!(see(&first).await.0, 410, "a newer link takes its place");
    bridge.clock.advance(TimeDelta::days(7));
    let (status, text) = see(&second).await;
    assert_eq!((status, text.contains("too old")), (410, true));
    let worn = link(&bridge).await;
    let rows = bridge.rows().await;
    rows.execute("UPDATE setup_link SET tries = 50 WHERE ended_at IS NULL", &[])
        .await
        .unwrap();
    let (status, text) = see(&worn).await;
    assert_eq!((status, text.contains("tried too often")), (429, true));
    for hours in ["0", "2592001"] {
        let order = json!({"expires_in": hours.parse::<u32>().unwrap()});
        let request = with_json(
            bridge.request(Method::POST, "/api/v1/connections/hr/setup-link"),
            &order,
        );
        assert_eq!(crate::kit::answer(request).await.0, 422, "{hours}");
    }
}

#[tokio::test]
async fn other_pages_cannot_send_and_nobody_asks_without_end() {
    let (stub, bridge) = (bamboo().await, Bridge::spawn().await);
    open_connection(&bridge, &stub).await;
    let link = link(&bridge).await;
    let from_elsewhere = http_client()
        .post(&link)
        .header("sec-fetch-site", "cross-site")
        .body("company_domain=a&api_key=b");
    assert_eq!(from_elsewhere.send().await.unwrap().status(), 403);
    let long = "x".repeat(70_000);
    assert_eq!(send(&link, &[("api_key", &long)]).await.0, 403);
    assert!(stub.received().is_empty());
    let mut refused = false;
    for _ in 0..150 {
        refused |= see(&link).await.0 == 429;
    }
    assert!(refused);
    bridge.clock.advance(TimeDelta::minutes(1));
    assert_eq!(see(&link).await.0, 200);
}

/// A kept secret must not go to a host that whoever has the link chose.
#[tokio::test]
async fn a_kept_secret_is_asked_for_anew() {
    let (stub, bridge) = (bamboo().await, Bridge::spawn().await);
    let settings = json!({"base_url": stub.base_url, "company_domain": "acme", "api_key": "right-key"});
    let file = json!({"name": "hr", "connector": "bamboohr", "settings": settings});
    good(with_json(
        bridge.request(Method::PUT, "/api/v1/connections/hr"),
        &file,
    ))
    .await;
    let link = link(&bridge).await;
    let (status, text) = send(
        &link,
        &[("company_domain", "evil"), ("base_url", "http://evil.example")],
    )
    .await;
    assert_eq!(
        (status, text.contains("is missing: API key")),
        (422, true),
        "{text}"
    );
    assert!(stub.received().is_empty());
    let shown = bridge.get("/api/v1/connections/hr").await;
    assert_eq!(shown["file"]["settings"]["company_domain"], "acme");
}

/// Covers: item 4
#[tokio::test]
async fn somebody_with_a_browser_enters_keys() {
    let Some(browser) = Browser::start().await else {
        return left_out("chromedriver or chromium is not installed: `make tools`");
    };
    let (stub, bridge) = (bamboo().await, Bridge::spawn().await);
    open_connection(&bridge, &stub).await;
    let link = link(&bridge).await;
    browser.open(&link).await;
    browser.sees("h1", "Connect BambooHR").await;
    assert!(
        browser.width("main").await < 700.0,
        "the page is laid out by its style"
    );
    // The browser itself asks for what is required.
    browser.click("button").await;
    assert_eq!(
        (browser.address().await, stub.received().len()),
        (link.clone(), 0)
    );
    browser.fill("#company_domain", "acme").await;
    browser.fill("#api_key", "wrong-key").await;
    browser.click("button").await;
    browser.sees("h1", "Something is not right yet").await;
    browser.click("a.button").await;
    assert_eq!(browser.value("#company_domain").await, "acme");
    assert_eq!(browser.value("#api_key").await, "", "a secret is not shown back");
    browser.fill("#api_key", "right-key").await;
    browser.click("button").await;
    browser.sees("h1", "It works").await;
    browser.open(&link).await;
    browser.sees("h1", "This link was used already").await;
    let complaints: Vec<String> = browser.complaints().await;
    let policy = complaints
        .iter()
        .filter(|line| line.contains("Content Security Policy"));
    assert_eq!(policy.count(), 0, "{complaints:?}");
}

/// Covers: item 4
#[tokio::test]
async fn somebody_with_a_browser_consents() {
    let Some(browser) = Browser::start().await else {
        return left_out("chromedriver or chromium is not installed: `make tools`");
    };
    let vendor = AuthServer::start().await;
    let bridge = consent::bridge().await;
    let put = bridge.request(Method::PUT, "/api/v1/connections/hr");
    good(with_json(put, &vendor.connection("hr"))).await;
    let first = link(&bridge).await;
    browser.open(&first).await;
    browser.sees("h1", "Connect Consented & Co").await;
    browser
        .sees(".guide", "1. Open the settings of <Consented>.\n2. Agree.")
        .await;
    for (answer, title) in [("#no", "You did not agree"), ("#yes", "It works")] {
        browser.open(&first).await;
        browser.click("button").await;
        browser.sees("h1", "One more step").await;
        browser.click("#consent").await;
        browser.sees("#yes", "Agree").await;
        assert!(browser.address().await.starts_with(&vendor.stub.base_url));
        browser.click(answer).await;
        browser.sees("h1", title).await;
        assert!(browser.address().await.starts_with(&bridge.base_url));
    }
    // The vendor is not told from which page somebody came: that page's address is a secret.
    let asked = vendor.stub.received();
    assert!(asked.iter().all(|request| {
        request
            .header("referer")
            .is_none_or(|from| !from.starts_with(&bridge.base_url))
    }));
    assert_eq!(see(&first).await.0, 410);
    let shown: Value = bridge.get("/api/v1/connections/hr").await;
    assert_eq!(shown["consent"]["state"], "given");
    assert!(
        shown["consent"]["given_by"]
            .as_str()
            .unwrap()
            .starts_with("setup link of ")
    );
}
