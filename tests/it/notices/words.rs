//! Templates in four languages and a tenant's own words; recipients by kind and entity.

use reqwest::Method;
use serde_json::{Value, json};

use super::{bridge_with, published, told};
use crate::kit::{Bridge, MailServer, answer, good, with_json};
use crate::sync_kit::{Company, run};

async fn put(bridge: &Bridge, path: &str, body: &Value) -> (u16, Value) {
    answer(with_json(bridge.request(Method::PUT, path), body)).await
}

#[tokio::test]
async fn payh_32_admins_are_told_in_their_language_or_in_words_of_their_own() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    let settings = json!({ "language": "fr", "digest_above": 20 });
    assert_eq!(put(&bridge, "/api/v1/notice-settings", &settings).await.0, 200);
    for language in ["de", "en", "fr", "nl"] {
        let body = json!({ "address": format!("{language}@acme.example"), "language": language });
        assert_eq!(put(&bridge, "/api/v1/recipients", &body).await.0, 200);
    }
    let usual = json!({ "address": "usual@acme.example" });
    assert_eq!(put(&bridge, "/api/v1/recipients", &usual).await.0, 200);
    published(&bridge, &told(&json!({}))).await;
    let mut company = Company::of(3);
    run(&bridge, &company).await;
    for (address, subject) in [
        ("de", "people: 3 Änderungen"),
        ("en", "people: 3 changes"),
        ("fr", "people : 3 changements"),
        ("nl", "people: 3 wijzigingen"),
        ("usual", "people : 3 changements"),
    ] {
        let mails = server.mails_to(&format!("{address}@acme.example"));
        assert_eq!(mails.len(), 1, "{address}");
        assert_eq!(mails[0].subject(), subject);
    }

    // Own words are checked when they are saved.
    let path = "/api/v1/templates/run_done/de";
    let wrong = json!({ "subject": "{{ connection }}", "body": "Hallo\n  {{ cuonts.create }}" });
    let (status, body) = put(&bridge, path, &wrong).await;
    assert_eq!(status, 422, "{body}");
    let problem = &body["problems"][0];
    assert_eq!(
        (&problem["at"], &problem["line"], &problem["column"]),
        (&json!("body"), &json!(2), &json!(6))
    );
    assert!(
        problem["message"]
            .as_str()
            .unwrap()
            .contains("did you mean `counts`")
    );
    let own = json!({
        "subject": "{{ tenant }}: {{ changes }}", "body": "Neu: {{ counts.create }}", "html": "<i>{{ connection }}</i>",
    });
    let (status, body) = put(&bridge, path, &own).await;
    assert_eq!((status, &body["own"]), (200, &json!(true)));
    company.row("2").title = "Lead".to_owned();
    run(&bridge, &company).await;
    let mails = server.mails_to("de@acme.example");
    assert_eq!(mails[1].subject(), "acme: 1");
    assert_eq!(
        (mails[1].text().trim(), mails[1].html().trim()),
        ("Neu: 0", "<i>people</i>")
    );
    good(bridge.request(Method::DELETE, path)).await;
    assert_eq!(bridge.get(path).await["own"], false);
    assert_eq!(put(&bridge, "/api/v1/templates/lunch/de", &own).await.0, 404);
}

#[tokio::test]
async fn payh_31_who_is_bound_to_entities_or_kinds_hears_only_of_these() {
    let Some(server) = MailServer::start() else { return };
    let bridge = bridge_with(&server).await;
    for body in [
        json!({ "address": "all@acme.example" }),
        json!({ "address": "one@acme.example", "entities": ["Dept 1"] }),
        json!({ "address": "failed@acme.example", "events": ["run_failed"] }),
    ] {
        assert_eq!(put(&bridge, "/api/v1/recipients", &body).await.0, 200);
    }
    for wrong in [
        json!({ "address": "nobody" }),
        json!({ "address": "a@acme.example\r\nBcc: b@acme.example" }),
    ] {
        assert_eq!(put(&bridge, "/api/v1/recipients", &wrong).await.0, 422);
    }
    let to = json!([{ "address": "dept0@acme.example", "entities": ["Dept 0"], "events": ["person_deactivated"] }]);
    let mut file = told(&json!({ "summary": "never", "to": to }));
    file["fields"]["entity"] = json!({ "id": "Department" });
    published(&bridge, &file).await;
    let mut company = Company::of(20);
    run(&bridge, &company).await;
    company.row("5").status = String::new();
    company.row("15").status = String::new();
    run(&bridge, &company).await;
    let subjects = |address: &str| {
        let mut all: Vec<String> = server
            .mails_to(&format!("{address}@acme.example"))
            .iter()
            .map(|mail| mail.subject().to_owned())
            .collect();
        all.sort();
        all
    };
    let (five, fifteen) = (
        "Given5 Family5 was deactivated",
        "Given15 Family15 was deactivated",
    );
    assert_eq!(subjects("all"), [fifteen, five]);
    assert_eq!(subjects("one"), [fifteen]);
    assert_eq!(subjects("dept0"), [five]);
    assert_eq!(subjects("failed"), Vec::<String>::new());
}
