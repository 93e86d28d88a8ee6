//! Policies per field and per app, from HR to the apps.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::command_line::{json_of, run};
use super::{ENTERPRISE, StubApp, account, file, patch, publish, state, user};
use crate::kit::{Bridge, answer, with_json};
use crate::sync_kit::{self, Company, connected, connection_file};

async fn holds(bridge: &Bridge) -> Vec<Value> {
    bridge.get("/api/v1/holds").await["items"]
        .as_array()
        .unwrap()
        .clone()
}

async fn events(bridge: &Bridge, kind: &str) -> i64 {
    bridge
        .count(&format!("SELECT count(*) FROM event WHERE kind = '{kind}'"))
        .await
}

/// The company's people in their apps, nothing under way.
async fn synced(bridge: &Bridge, company: &Company) {
    sync_kit::done(bridge, company).await;
    bridge.drain().await;
}

fn mail(app: &StubApp, number: usize) -> Value {
    let family = format!("Family{number}");
    let found = app
        .all("Users")
        .into_iter()
        .find(|user| user["name"]["familyName"] == *family)
        .unwrap();
    found["emails"][0]["value"].clone()
}

/// One connection feeds an app that must not take a changed address by itself, and one that must; whichever of the two
/// the connection says by default, the app says otherwise.
///
/// Covers: PAYH-8, PAYH-9, PAYH-2, EXP-17
#[tokio::test(flavor = "multi_thread")]
async fn payh_7_exp_13_contradicting_promises_about_mail_are_both_kept_in_one_run() {
    for held_by_connection in [false, true] {
        let mut connection = connection_file();
        if held_by_connection {
            connection["mapping"] =
                json!({"emails.work": {"policy": "hold"}, "userName": {"policy": "hold"}});
        }
        let bridge = connected(&connection).await;
        let (careful, eager) = (StubApp::start().await, StubApp::start().await);
        let (own, other) = if held_by_connection {
            (json!({}), json!({"mapping": {"emails": {"policy": "overwrite"}}}))
        } else {
            (json!({"mapping": {"emails": {"policy": "hold"}}}), json!({}))
        };
        publish(&bridge, &file("careful", &careful.stub.base_url, &own)).await;
        publish(&bridge, &file("eager", &eager.stub.base_url, &other)).await;
        let mut company = Company::of(3);
        synced(&bridge, &company).await;
        careful.mutations();
        eager.mutations();

        let row = company.row("2");
        row.email = "renamed@acme.example".to_owned();
        row.given = "Gina".to_owned();
        row.department = "Elsewhere".to_owned();
        synced(&bridge, &company).await;
        assert_eq!(mail(&careful, 2), "person2@acme.example");
        assert_eq!(mail(&eager, 2), "renamed@acme.example");
        for app in [&careful, &eager] {
            let found = app.all("Users");
            let gina = found
                .iter()
                .find(|user| user["name"]["givenName"] == "Gina")
                .unwrap();
            assert_eq!(gina[ENTERPRISE]["department"], "Elsewhere");
            assert_eq!(app.mutations().len(), 1, "{held_by_connection}");
        }
        let sent = careful.all("Users");
        let logins: BTreeSet<&str> = sent.iter().filter_map(|user| user["userName"].as_str()).collect();
        assert!(
            logins.contains("person2@acme.example"),
            "the login waits with the address"
        );
        // Who is told sees both addresses and the person.
        let waiting = holds(&bridge).await;
        assert_eq!(waiting.len(), 1, "{waiting:?}");
        let said = waiting[0].to_string();
        assert!(said.contains("person2@acme.example") && said.contains("renamed@acme.example"));
        assert!(waiting[0]["person"].is_string() && waiting[0]["user"].is_string());

        let told =
            "SELECT count(*) FROM event WHERE kind = 'value_held' AND detail::text LIKE '%renamed@acme%'
                    AND person_id IS NOT NULL";
        assert_eq!(bridge.count(told).await, 1);

        // The same again brings nothing new; approved, it is pushed once.
        synced(&bridge, &company).await;
        assert!(careful.mutations().is_empty() && eager.mutations().is_empty());
        let path = format!("/api/v1/holds/{}/approve", waiting[0]["id"].as_str().unwrap());
        bridge.post(&path, &json!({})).await;
        bridge.drain().await;
        synced(&bridge, &company).await;
        assert_eq!(careful.mutations().len(), 1);
        assert!(eager.mutations().is_empty());
        assert_eq!(mail(&careful, 2), "renamed@acme.example");
        bridge.stop().await;
    }
}

/// What a connection holds back and HR takes back, or a human rejects, is taken back in the app that took it at once.
#[tokio::test(flavor = "multi_thread")]
async fn what_hr_takes_back_or_somebody_rejects_is_taken_back_everywhere() {
    let mut connection = connection_file();
    connection["mapping"] = json!({"title": {"policy": "hold"}});
    let bridge = connected(&connection).await;
    let eager = StubApp::start().await;
    let line = json!({"mapping": {"title": {"policy": "overwrite"}}});
    publish(&bridge, &file("eager", &eager.stub.base_url, &line)).await;
    let mut company = Company::of(2);
    synced(&bridge, &company).await;
    let title = || eager.named("person2@acme.example")["title"].clone();
    company.row("2").title = "Boss".to_owned();
    synced(&bridge, &company).await;
    assert_eq!((title(), holds(&bridge).await.len()), (json!("Boss"), 1));
    company.row("2").title = "Engineer".to_owned();
    synced(&bridge, &company).await;
    assert_eq!((title(), holds(&bridge).await.len()), (json!("Engineer"), 0));
    company.row("2").title = "Chief".to_owned();
    synced(&bridge, &company).await;
    assert_eq!(title(), "Chief");
    let hold = holds(&bridge).await.remove(0);
    bridge
        .post(
            &format!("/api/v1/holds/{}/reject", hold["id"].as_str().unwrap()),
            &json!({}),
        )
        .await;
    bridge.drain().await;
    assert_eq!(title(), "Engineer");
    bridge.stop().await;
}

/// Covers: PAYH-3, PAYH-4, PAYH-5, EXP-23
#[tokio::test(flavor = "multi_thread")]
async fn what_is_empty_in_hr_stays_a_new_number_goes_out_unverified_and_what_is_left_out_is_never_touched() {
    let mut connection = connection_file();
    connection["fields"]["mobile_phone"] = json!("Department");
    connection["fields"].as_object_mut().unwrap().remove("department");
    connection.as_object_mut().unwrap().remove("group");
    connection["mapping"] = json!({"title": {"policy": "ignore"}});
    let bridge = connected(&connection).await;
    let app = StubApp::start().await;
    let lines = json!({"mapping": {
        "phoneNumbers": {"unverify": "userType"}, "displayName": {"policy": "ignore"},
    }});
    publish(&bridge, &file("app", &app.stub.base_url, &lines)).await;
    let mut company = Company::of(1);
    company.row("1").department = "+49 30 1".to_owned();
    synced(&bridge, &company).await;
    let first = app.mutations().join("");
    assert!(
        first.contains("+49 30 1") && !first.contains("title") && !first.contains("displayName"),
        "{first}"
    );
    assert!(!first.contains("userType"), "nobody ever verified it: {first}");
    assert_eq!(events(&bridge, "phone_unverified").await, 0);

    // A new number: the number and the flag, in one call; the app alone takes the flag back.
    company.row("1").department = "+49 30 2".to_owned();
    company.row("1").title = "Boss".to_owned();
    for number in ["+49 30 2", "+49 30 3"] {
        company.row("1").department = number.to_owned();
        synced(&bridge, &company).await;
        let sent = app.mutations();
        assert_eq!(sent.len(), 1, "{sent:?}");
        assert!(
            sent[0].contains(number) && sent[0].contains("userType") && sent[0].contains("false"),
            "{sent:?}"
        );
        assert!(
            !sent[0].contains("title") && !sent[0].contains("displayName"),
            "{sent:?}"
        );
        app.held
            .lock()
            .unwrap()
            .resources
            .values_mut()
            .for_each(|user| user["userType"] = json!(true));
    }
    assert_eq!(events(&bridge, "phone_unverified").await, 2);
    company.row("1").given = "Gina".to_owned();
    synced(&bridge, &company).await;
    let sent = app.mutations().join("");
    assert!(sent.contains("Gina") && !sent.contains("userType"), "{sent}");

    // Blank in HR: kept in the app.
    company.row("1").department = String::new();
    synced(&bridge, &company).await;
    assert!(app.mutations().is_empty());
    assert_eq!(app.all("Users")[0]["phoneNumbers"][0]["value"], "+49 30 3");

    // Each field says how it is treated.
    let of = |body: &Value, field: &str| -> Value {
        let lines = body["policies"].as_array().unwrap();
        lines.iter().find(|line| line["field"] == *field).unwrap().clone()
    };
    let shown = bridge.get("/api/v1/apps/app").await;
    assert_eq!(of(&shown, "displayName")["policy"], "ignore");
    assert_eq!(of(&shown, "phoneNumbers")["unverify"], "userType");
    assert_eq!(of(&shown, "*")["policy"], "overwrite");
    let shown = bridge.get("/api/v1/connections/people").await;
    assert_eq!(of(&shown, "title")["policy"], "ignore");
    assert_eq!(of(&shown, "phoneNumbers.mobile")["when_empty"], "keeps");
    for order in [["app", "show", "app"], ["connection", "show", "people"]] {
        let page = String::from_utf8(run(&bridge, &order).await.stdout).unwrap();
        assert!(page.contains("fields:") && page.contains(": ignore"), "{page}");
    }
    bridge.stop().await;
}

/// A company changes its domain: five thousand addresses where every test must run (`SCIM_BRIDGE_TEST_ALL` is set), else a
/// thousand; one decision, each pushed once; what does not fit waits on.
#[tokio::test(flavor = "multi_thread")]
async fn a_move_of_thousands_of_addresses_to_a_new_domain_is_one_decision_and_each_is_pushed_once() {
    let is_whole = std::env::var_os("SCIM_BRIDGE_TEST_ALL").is_some();
    let many_people = if is_whole { 5_000 } else { 1_000 };
    let all = i64::try_from(many_people).unwrap();
    let bridge = connected(&connection_file()).await;
    let app = StubApp::start().await;
    let lines = json!({"mapping": {"emails": {"policy": "hold"}}});
    publish(&bridge, &file("app", &app.stub.base_url, &lines)).await;
    let mut company = Company::of(many_people);
    synced(&bridge, &company).await;
    app.mutations();
    for row in company.0.values_mut() {
        row.email = row.email.replace("acme.example", "neu.example");
    }
    company.row("7").email = "intruder@neu.example".to_owned();
    let run = sync_kit::run(&bridge, &company).await;
    if run["state"] == "awaiting_approval" {
        let path = format!("/api/v1/runs/{}/approve", run["id"].as_str().unwrap());
        bridge.post(&path, &json!({})).await;
    }
    bridge.drain().await;
    assert!(app.mutations().is_empty());
    assert_eq!(
        bridge
            .count("SELECT count(*) FROM hold WHERE state = 'open'")
            .await,
        all
    );

    let decide = |body: Value| {
        answer(with_json(
            bridge.request(Method::POST, "/api/v1/holds/decide"),
            &body,
        ))
    };
    let (status, said) = decide(json!({"decision": "approve", "app": "app"})).await;
    assert_eq!(status, 422, "{said}");
    let elsewhere = json!({"decision": "approve", "app": "app", "rule": {"rule": "same_local_part_new_domain", "to": "x.example"}});
    assert_eq!(decide(elsewhere).await, (200, json!({"decided": 0})));
    let done = json_of(
        &bridge,
        &[
            "hold",
            "approve",
            "--app",
            "app",
            "--field",
            "emails",
            "--rule",
            "same_local_part_new_domain",
            "--from",
            "acme.example",
            "--to",
            "neu.example",
            "--json",
        ],
    )
    .await;
    assert_eq!(done["decided"], all - 1);
    let status = bridge.get("/api/v1/status").await;
    assert_eq!(
        status["settled"], false,
        "who waits for it waits for what was decided: {status}"
    );
    bridge.drain().await;
    let sent = app.mutations();
    let targets: BTreeSet<&str> = sent.iter().filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(
        (sent.len(), targets.len()),
        (many_people - 1, many_people - 1),
        "each exactly once"
    );
    assert!(sent.iter().all(|line| line.contains("@neu.example")));
    assert!(
        app.all("Users")
            .iter()
            .all(|user| user["userName"] != "intruder@neu.example")
    );
    assert_eq!(holds(&bridge).await.len(), 1);
    let decided = bridge.get("/api/v1/holds?state=approved&limit=1").await;
    assert!(
        decided["items"][0]["decided_by"]
            .as_str()
            .unwrap()
            .contains("rule same_local_part_new_domain")
    );
    let many = "SELECT coalesce(sum((detail ->> 'decided')::bigint), 0)::bigint FROM audit_entry WHERE action = 'hold.decide_many'";
    assert_eq!(bridge.count(many).await, all - 1);
    // The rest, without a rule.
    let rest = json_of(
        &bridge,
        &["hold", "reject", "--app", "app", "--all-matching", "--json"],
    )
    .await;
    assert_eq!(rest["decided"], 1);
    bridge.drain().await;
    assert!(app.mutations().is_empty());
    bridge.stop().await;
}

/// A rule of the app's, or of the connection's, decides by itself and is named.
#[tokio::test(flavor = "multi_thread")]
async fn a_rule_in_the_file_decides_what_it_covers_and_is_named() {
    let mut connection = connection_file();
    connection["mapping"] = json!({"title": {"policy": "hold"}});
    connection["approve"] =
        json!([{"name": "seniority", "field": "title", "when": "'Senior ' ~ old == new"}]);
    let bridge = connected(&connection).await;
    let app = StubApp::start().await;
    let rules = json!({
        "mapping": {"emails": {"policy": "hold"}},
        "approve": [{"name": "renamed", "rule": "same_local_part_new_domain", "from": "acme.example", "to": "neu.example"}],
    });
    publish(&bridge, &file("app", &app.stub.base_url, &rules)).await;
    let mut company = Company::of(3);
    synced(&bridge, &company).await;
    app.mutations();
    company.row("2").email = "person2@neu.example".to_owned();
    company.row("2").title = "Senior Engineer".to_owned();
    company.row("3").email = "person3@evil.example".to_owned();
    company.row("3").title = "Boss".to_owned();
    synced(&bridge, &company).await;
    assert_eq!(app.mutations().len(), 1);
    assert_eq!(mail(&app, 2), "person2@neu.example");
    assert_eq!(app.named("person2@neu.example")["title"], "Senior Engineer");
    assert_eq!(mail(&app, 3), "person3@acme.example");
    let fields: BTreeSet<String> = holds(&bridge)
        .await
        .iter()
        .map(|hold| hold["field"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        fields,
        BTreeSet::from(["emails+userName".to_owned(), "title".to_owned()])
    );
    let approved = bridge.get("/api/v1/holds?state=approved").await;
    let by: BTreeSet<&str> = approved["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|hold| hold["decided_by"].as_str())
        .collect();
    assert_eq!(by, BTreeSet::from(["rule:renamed", "rule:seniority"]));

    let bad = json!({"approve": [{"rule": "same_local_part_new_domain"}], "mapping": {"emails": {"unverify": "nope"}}});
    let bad = file("app", &app.stub.base_url, &bad);
    let (status, body) = answer(with_json(bridge.request(Method::PUT, "/api/v1/apps/app"), &bad)).await;
    assert_eq!(status, 422);
    assert!(
        body.to_string().contains("needs `to`") && body.to_string().contains("unverify"),
        "{body}"
    );
    bridge.stop().await;
}

/// Who lacks what an app needs gets no account there, and the reason names the field; an account that is there stays.
#[tokio::test]
async fn an_app_gets_nobody_who_lacks_what_it_needs_and_the_reason_names_the_field() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let anna = user(&bridge, "anna@x", &json!({})).await;
    let bo = user(&bridge, "bo@x", &json!({"title": "T"})).await;
    let needs = json!({"required": ["title"]});
    publish(&bridge, &file("app", &app.stub.base_url, &needs)).await;
    bridge.drain().await;
    assert_eq!(app.all("Users").len(), 1);
    let (found, reason) = account(&bridge, &anna).await;
    assert_eq!(found, "skipped");
    assert_eq!(reason, "missing: title; no account is made until it is filled in");
    app.mutations();
    let clear = json!([{"op": "remove", "path": "title"}, {"op": "add", "path": "nickName", "value": "B"}]);
    patch(&bridge, &format!("/scim/v2/Users/{bo}"), &clear).await;
    let fill = json!([{"op": "add", "path": "title", "value": "U"}]);
    patch(&bridge, &format!("/scim/v2/Users/{anna}"), &fill).await;
    bridge.drain().await;
    assert_eq!(app.mutations().len(), 1);
    assert_eq!(state(&bridge, &anna).await, "in_sync");
    assert_eq!(
        account(&bridge, &bo).await.1,
        "missing: title; the account stays as it is until it is filled in"
    );
}

/// Covers: LEAP-15, LEAP-16
#[tokio::test]
async fn only_who_is_active_and_has_an_address_is_synchronised_and_the_others_are_listed_with_the_reason() {
    let bridge = connected(&connection_file()).await;
    let app = StubApp::start().await;
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    let mut company = Company::of(4);
    company.row("2").email = String::new();
    company.row("3").status = String::new();
    company.row("4").status = String::new();
    company.row("4").email = String::new();
    let run = sync_kit::run(&bridge, &company).await;
    bridge.drain().await;
    let sent = app.all("Users");
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0]["userName"], "person1@acme.example");
    let errors = sync_kit::said(&bridge, &run, "errors").await;
    let of = |id: &str| errors.iter().find(|line| line["source_id"] == *id);
    let skipped = of("2").unwrap();
    assert_eq!(
        (&skipped["field"], &skipped["employee_number"]),
        (&json!("work_email"), &json!("E0002"))
    );
    assert!(
        skipped["message"]
            .as_str()
            .unwrap()
            .contains("no account is made"),
        "{skipped}"
    );
    let path = format!("/api/v1/runs/{}/items", run["id"].as_str().unwrap());
    let items = bridge.get(&path).await;
    let reasons: Vec<&str> = items["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["action"] == "skip" && item["person"].is_string())
        .filter_map(|item| item["reason"].as_str())
        .collect();
    let left = "no account: HR says left, without a last day";
    assert_eq!(reasons, ["missing: work_email", left, left]);
    bridge.stop().await;
}

/// Covers: RG-22
#[tokio::test]
async fn somebody_who_is_there_already_is_brought_up_to_date_and_nobody_is_written_to() {
    let bridge = connected(&connection_file()).await;
    let app = StubApp::start().await;
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    let mut company = Company::of(2);
    synced(&bridge, &company).await;
    let told =
        "SELECT count(*) FROM event WHERE kind IN ('welcome', 'deletion_notice', 'person_deactivated')";
    let before = bridge.count(told).await;
    company.row("2").title = "Boss".to_owned();
    synced(&bridge, &company).await;
    assert_eq!(app.named("person2@acme.example")["title"], "Boss");
    assert_eq!(bridge.count(told).await, before);
    bridge.stop().await;
}

/// Who has reports bears the app's manager role: gaining the first and losing the last flips it, whether by a new
/// manager, a leaver or a return.
#[tokio::test(flavor = "multi_thread")]
async fn leap_8_who_has_reports_is_a_manager_in_the_app() {
    let mut connection = connection_file();
    connection["mapping"] = json!({"manager": {"clear_when_empty": true}});
    let bridge = connected(&connection).await;
    let app = StubApp::start().await;
    let rule =
        json!({"mapping": {"userType": {"from": "'manager' if user.hr.directReports > 0 else 'employee'"}}});
    publish(&bridge, &file("app", &app.stub.base_url, &rule)).await;
    let mut company = Company::of(4);
    let kinds = || -> Vec<String> {
        (1..=4)
            .map(|n| {
                app.named(&format!("person{n}@acme.example"))["userType"]
                    .as_str()
                    .unwrap()[..1]
                    .to_owned()
            })
            .collect()
    };
    synced(&bridge, &company).await;
    assert_eq!(kinds(), ["m", "e", "e", "e"]);
    company.row("4").manager = "2".to_owned();
    synced(&bridge, &company).await;
    assert_eq!(kinds(), ["m", "m", "e", "e"]);
    company.row("4").status = String::new();
    synced(&bridge, &company).await;
    assert_eq!(kinds(), ["m", "e", "e", "e"]);
    company.row("4").status = "Current".to_owned();
    synced(&bridge, &company).await;
    assert_eq!(kinds(), ["m", "m", "e", "e"]);
    for id in ["2", "3", "4"] {
        company.row(id).manager = "3".to_owned();
    }
    company.row("3").manager = String::new();
    app.mutations();
    synced(&bridge, &company).await;
    assert_eq!(kinds(), ["e", "e", "m", "e"]);
    synced(&bridge, &company).await;
    app.mutations();
    synced(&bridge, &company).await;
    assert!(app.mutations().is_empty());
    bridge.stop().await;
}
