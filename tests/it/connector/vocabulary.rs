//! Words of the vocabulary that no manifest of the program uses yet, by invented manifests against an invented API.

use std::time::Duration;

use scim_bridge::connector::{Error, Manifest};
use scim_bridge::hr::Coverage;
use serde_json::{Value, json};

use super::harness::Reading;
use crate::kit::{Answer, Received, Stub};

/// An invented manifest: `top` replaces `[auth]`, `employees` its page, pace and further words.
fn manifest(auth: &str, employees: &str, rest: &str) -> Manifest {
    let text = format!(
        r#"[connector]
key = "acme"
name = "Acme"
docs = "Acme API, read 2026-11-20"
provable = true
guide = "Click."
[settings]
host = {{ ask = "Host", form = "subdomain" }}
id = {{ ask = "Id" }}
secret = {{ ask = "Secret", secret = true }}
[auth]
{auth}
[employees]
get = "https://{{{{ host }}}}.acme.example/people"
records = "/items"
required = ["source_id", "status"]
{employees}
[employees.map]
source_id = "/id"
status = {{ at = "/state", words = {{ on = "active" }} }}
{rest}"#
    );
    Manifest::parse("acme.toml", &text).unwrap_or_else(|error| panic!("{error}"))
}

fn reading(manifest: Manifest, stub: &Stub) -> Reading {
    Reading::by(
        manifest,
        &json!({"host": "h", "id": "me", "secret": "s&=ü", "base_url": stub.base_url}),
    )
}

fn people(ids: &[u32]) -> Value {
    let items: Vec<Value> = ids.iter().map(|id| json!({"id": id, "state": "on"})).collect();
    json!({ "items": items })
}

const NO_AUTH: &str = "kind = \"none\"";

#[tokio::test]
async fn keys_go_into_headers_queries_and_basic_credentials() {
    type Look = fn(&Received) -> Option<String>;
    let cases: [(&str, Look, &str); 4] = [
        (
            "kind = \"header\"\nname = \"X-Key\"\nvalue = \"k {{ id }}\"",
            |r| r.header("x-key").map(str::to_owned),
            "k me",
        ),
        (
            "kind = \"query\"\nname = \"key\"\nvalue = \"{{ secret }}\"",
            |r| r.param("key"),
            "s&=ü",
        ),
        (
            "kind = \"basic\"\nuser = \"{{ id }}\"\npassword = \"p\"",
            |r| r.header("authorization").map(str::to_owned),
            "Basic bWU6cA==",
        ),
        (
            "kind = \"bearer\"\ntoken = \"{{ id }}\"",
            |r| r.header("authorization").map(str::to_owned),
            "Bearer me",
        ),
    ];
    for (auth, look, expected) in cases {
        let stub = Stub::start().await;
        stub.on("GET", "/people", Answer::json(200, &people(&[1, 2])));
        let read = reading(manifest(auth, "", ""), &stub).read().await;
        assert_eq!((read.ids(), read.is_complete()), (vec!["1", "2"], true));
        assert_eq!(look(&stub.received()[0]).as_deref(), Some(expected), "{auth}");
    }
}

#[tokio::test]
async fn client_credentials_are_changed_into_a_token_that_is_kept() {
    for client in ["params", "basic"] {
        let stub = Stub::start().await;
        let token = json!({"access_token": "t1", "token_type": "Bearer", "expires_in": 3600});
        stub.on("POST", "/oauth/token", Answer::json(200, &token));
        stub.on("GET", "/people", Answer::json(200, &people(&[1])));
        let auth = format!(
            "kind = \"oauth2\"\ngrant = \"client_credentials\"\ntoken = \"https://login.acme.example/oauth/token\"\n\
             id = \"{{{{ id }}}}\"\nsecret = \"{{{{ secret }}}}\"\nscope = \"people\"\nclient = \"{client}\""
        );
        let reading = reading(manifest(&auth, "", ""), &stub);
        assert!(reading.read().await.is_complete() && reading.read().await.is_complete());
        let asked = stub.received();
        let lines: Vec<String> = asked.iter().map(|r| format!("{} {}", r.method, r.path)).collect();
        assert_eq!(lines, ["POST /oauth/token", "GET /people", "GET /people"]);
        let form: Vec<(String, String)> = url::form_urlencoded::parse(&asked[0].body).into_owned().collect();
        let has = |name: &str, value: &str| form.contains(&(name.to_owned(), value.to_owned()));
        assert!(has("grant_type", "client_credentials") && has("scope", "people"));
        assert_eq!(has("client_secret", "s&=ü"), client == "params");
        assert_eq!(asked[0].header("authorization").is_some(), client == "basic");
        assert_eq!(asked[1].header("authorization"), Some("Bearer t1"));
    }
}

#[tokio::test]
async fn client_credentials_that_are_refused_are_wrong_credentials() {
    let stub = Stub::start().await;
    stub.on(
        "POST",
        "/oauth/token",
        Answer::json(400, &json!({"error": "invalid_client"})),
    );
    let auth = "kind = \"oauth2\"\ngrant = \"client_credentials\"\ntoken = \"https://login.acme.example/oauth/token\"\n\
                id = \"{{ id }}\"\nsecret = \"{{ secret }}\"";
    let read = reading(manifest(auth, "", ""), &stub).read().await;
    assert!(
        matches!(read.error, Some(Error::Credentials { status: 400, .. })),
        "{:?}",
        read.error
    );
}

#[tokio::test]
async fn links_are_followed_in_the_body_and_in_the_header_and_only_at_home() {
    let body = "page = { kind = \"link\", read = \"/next\" }";
    let stub = Stub::start().await;
    stub.rule(|request| {
        let mut page = people(if request.query.is_empty() { &[1, 2] } else { &[3] });
        if request.query.is_empty() {
            page["next"] = json!("https://h.acme.example/people?cursor=x%2By");
        }
        Some(Answer::json(200, &page))
    });
    let read = reading(manifest(NO_AUTH, body, ""), &stub).read().await;
    assert_eq!((read.ids(), read.is_complete()), (vec!["1", "2", "3"], true));
    assert_eq!(stub.received()[1].param("cursor").as_deref(), Some("x+y"));

    let stub = Stub::start().await;
    stub.rule(|request| {
        let answer = Answer::json(200, &people(if request.query.is_empty() { &[1] } else { &[2] }));
        Some(match request.query.is_empty() {
            true => answer.header(
                "link",
                "</people?page=0>; rel=\"first\", </people?page=2>; rel=\"next last\"",
            ),
            false => answer,
        })
    });
    let read = reading(manifest(NO_AUTH, "page = { kind = \"link\" }", ""), &stub)
        .read()
        .await;
    assert_eq!((read.ids(), read.is_complete()), (vec!["1", "2"], true));

    let stub = Stub::start().await;
    let mut page = people(&[1]);
    page["next"] = json!("/people");
    stub.on("GET", "/people", Answer::json(200, &page));
    let read = reading(manifest(NO_AUTH, body, ""), &stub).read().await;
    assert!(
        matches!(read.error, Some(Error::Looping { .. })),
        "{:?}",
        read.error
    );
}

#[tokio::test]
async fn without_a_count_only_an_empty_page_is_the_end() {
    for page in [
        "page = { kind = \"page\", send = \"p\", first = 0 }",
        "page = { kind = \"offset\", send = \"p\" }",
    ] {
        let stub = Stub::start().await;
        stub.rule(|request| {
            let ids: &[u32] = match request.param("p").as_deref() {
                Some("0") => &[1, 2],
                Some("1" | "2") if request.param("p").as_deref() == Some("1") => &[3],
                _ => &[],
            };
            Some(Answer::json(200, &people(ids)))
        });
        let read = reading(manifest(NO_AUTH, page, ""), &stub).read().await;
        assert!(read.is_complete());
        let expected: &[&str] = if page.contains("offset") {
            &["1", "2"]
        } else {
            &["1", "2", "3"]
        };
        assert_eq!(read.ids(), expected);
    }
}

#[tokio::test]
async fn a_second_list_is_joined_and_only_read_when_it_is_needed() {
    let rest = r#"department = { list = "departments", by = "/dept", name = "/title", code = "/short" }
[lists.departments]
get = "https://{{ host }}.acme.example/departments"
records = "/departments"
key = "/id"
page = { kind = "cursor", send = "after", read = "/next", may_lack = true }
"#;
    let stub = Stub::start().await;
    let mut with_departments = people(&[1, 2, 3]);
    for (index, dept) in [json!(7), json!("8"), Value::Null].into_iter().enumerate() {
        with_departments["items"][index]["dept"] = dept;
    }
    stub.on("GET", "/people", Answer::json(200, &with_departments));
    stub.rule(|request| {
        (request.path == "/departments").then(|| match request.param("after") {
            None => Answer::json(
                200,
                &json!({"departments": [{"id": 7, "title": "Finance", "short": "F"}], "next": "n"}),
            ),
            Some(_) => Answer::json(
                200,
                &json!({"departments": [{"id": "8", "title": "Sales", "short": ""}]}),
            ),
        })
    });
    let read = reading(manifest(NO_AUTH, "", rest), &stub).read().await;
    assert!(read.is_complete());
    let department = |id: &str| read.employee(id).department.clone().unwrap();
    assert_eq!(
        (department("1").name.as_deref(), department("1").code.as_deref()),
        (Some("Finance"), Some("F"))
    );
    assert_eq!(
        (department("2").name.as_deref(), department("2").code),
        (Some("Sales"), None)
    );
    assert_eq!(read.employee("3").department, None);
    stub.take_received();
    reading(manifest(NO_AUTH, "", rest), &stub).with(&[]).read().await;
    assert_eq!(
        stub.received().len(),
        1,
        "the list is not asked for when nothing needs it"
    );
}

#[tokio::test]
async fn a_second_list_that_fails_fails_the_read() {
    let rest = "department = { list = \"departments\", by = \"/dept\", name = \"/title\" }\n[lists.departments]\n\
                get = \"https://{{ host }}.acme.example/departments\"\nrecords = \"/departments\"\nkey = \"/id\"\n";
    let stub = Stub::start().await;
    stub.on("GET", "/people", Answer::json(200, &people(&[1])));
    stub.on("GET", "/departments", Answer::status(403));
    let read = reading(manifest(NO_AUTH, "", rest), &stub).read().await;
    assert!(read.error.unwrap().to_string().contains("the list departments"));
    assert!(read.employees.is_empty() && matches!(read.coverage, Coverage::Partial { .. }));
}

#[tokio::test]
async fn a_second_list_that_is_shorter_than_its_count_fails_the_read() {
    let rest = "department = { list = \"departments\", by = \"/dept\", name = \"/title\" }\n[lists.departments]\n\
                get = \"https://{{ host }}.acme.example/departments\"\nrecords = \"/departments\"\nkey = \"/id\"\ncount = \"/all\"\n";
    let stub = Stub::start().await;
    stub.on("GET", "/people", Answer::json(200, &people(&[1])));
    let departments = |all: u32| json!({"departments": [{"id": 1}, {"id": 2}], "all": all});
    stub.on("GET", "/departments", Answer::json(200, &departments(3)));
    let read = reading(manifest(NO_AUTH, "", rest), &stub).read().await;
    assert!(
        matches!(
            read.error,
            Some(Error::Short {
                total: 3,
                came: 2,
                ..
            })
        ),
        "{:?}",
        read.error
    );
    stub.on("GET", "/departments", Answer::json(200, &departments(2)));
    assert!(
        reading(manifest(NO_AUTH, "", rest), &stub)
            .read()
            .await
            .is_complete()
    );
}

/// A manifest whose list is a report that must be made first; the API is asked for its state every 10 s for a minute.
fn report() -> Manifest {
    let text = r#"[connector]
key = "acme"
name = "Acme"
docs = "Acme API, read 2026-11-20"
provable = true
guide = "Click."
[settings]
host = { ask = "Host", form = "subdomain" }
[auth]
kind = "none"
[employees]
get = "https://{{ host }}.acme.example/reports/{{ /id }}/rows"
records = "/items"
required = ["source_id", "status"]
[employees.report]
post = "https://{{ host }}.acme.example/reports"
body = { of = "people" }
poll = "https://{{ host }}.acme.example/reports/{{ /id }}"
ready = { at = "/state", is = ["ready"] }
failed = { at = "/state", is = ["broken"] }
every_seconds = 10
within_seconds = 60
[employees.map]
source_id = "/id"
status = { at = "/state", words = { on = "active" } }"#;
    Manifest::parse("acme.toml", text).unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn a_report_is_started_waited_for_and_fetched() {
    let cases: [(&[&str], usize); 3] = [
        (&["making", "ready"], 2),
        (&["making", "broken"], 2),
        (&["making"], 7),
    ];
    for (states, waits) in cases {
        let stub = Stub::start().await;
        stub.on(
            "POST",
            "/reports",
            Answer::json(201, &json!({"id": 7, "state": "new"})),
        );
        stub.on("GET", "/reports/7/rows", Answer::json(200, &people(&[1, 2])));
        let state = |state: &str| Answer::json(200, &json!({ "state": state }));
        let (last, others) = states.split_last().unwrap();
        stub.on("GET", "/reports/7", state(last));
        for other in others {
            stub.queue("GET", "/reports/7", state(other));
        }
        let settings = json!({"host": "h", "base_url": stub.base_url});
        let read = Reading::by(report(), &settings).read().await;
        let asked = stub.received();
        let first = (asked[0].method.as_str(), asked[0].path.as_str());
        assert_eq!(first, ("POST", "/reports"), "{states:?}");
        assert_eq!(asked[0].json(), json!({"of": "people"}));
        assert_eq!(read.waits, vec![Duration::from_secs(10); waits], "{states:?}");
        if states.contains(&"ready") {
            assert_eq!((read.ids(), read.is_complete()), (vec!["1", "2"], true));
        } else {
            assert!(
                matches!(read.error, Some(Error::NotReady { .. })),
                "{:?}",
                read.error
            );
            assert!(
                asked.iter().all(|one| one.path != "/reports/7/rows"),
                "{states:?}"
            );
        }
    }
}

#[tokio::test]
async fn requests_keep_the_pace() {
    let stub = Stub::start().await;
    stub.rule(|request| {
        let number: u32 = request.param("p").unwrap().parse().unwrap();
        let ids = [number];
        Some(Answer::json(200, &people(if number < 5 { &ids } else { &[] })))
    });
    let employees = "page = { kind = \"page\", send = \"p\" }\npace = { requests = 2, per_seconds = 60 }";
    let read = reading(manifest(NO_AUTH, employees, ""), &stub).read().await;
    assert_eq!(read.ids().len(), 4);
    // Five requests, two a minute: the third to the fifth wait; that nobody really waits here makes the waits longer.
    assert_eq!(read.waits.len(), 3);
    assert!(
        read.waits
            .iter()
            .all(|wait| *wait > Duration::from_secs(50) && *wait <= Duration::from_secs(60))
    );
}
