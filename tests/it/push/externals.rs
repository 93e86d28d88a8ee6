//! Accounts that an app has already: whose they are, what collides, what is nobody's of ours, and what is never written.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::command_line::{json_of, run};
use super::{ENTERPRISE, StubApp, account, file, patch, publish, state, user};
use crate::kit::{Bridge, answer, with_json};
use crate::sync_kit::{self, Company, connected, connection_file};

fn theirs(name: &str, mail: &str, number: &str) -> Value {
    json!({
        "userName": name, "active": true, "title": "theirs", "emails": [{"value": mail, "type": "work"}],
        ENTERPRISE: {"employeeNumber": number},
    })
}

async fn accounts(bridge: &Bridge, state: &str) -> Vec<Value> {
    let path = format!("/api/v1/apps/app/accounts?limit=1000&state={state}");
    bridge.get(&path).await["items"].as_array().unwrap().clone()
}

async fn approve_plans(bridge: &Bridge) {
    for _ in 0..3 {
        bridge.drain().await;
        let plans = bridge.get("/api/v1/plans?state=awaiting_approval").await;
        for plan in plans["items"].as_array().unwrap() {
            let path = format!("/api/v1/plans/{}/approve", plan["id"].as_str().unwrap());
            bridge.post(&path, &json!({"hash": plan["hash"]})).await;
        }
    }
    bridge.drain().await;
}

async fn synced(bridge: &Bridge, company: &Company) {
    let run = sync_kit::run(bridge, company).await;
    if run["state"] == "awaiting_approval" {
        let path = format!("/api/v1/runs/{}/approve", run["id"].as_str().unwrap());
        bridge.post(&path, &json!({})).await;
    }
    approve_plans(bridge).await;
}

/// A hundred accounts with equal addresses, written otherwise: no creates, a hundred links; somebody new is made; what
/// nobody of ours has is external, listed and told, and stays, whatever happens.
///
/// Covers: PAYH-13, PAYH-14, PAYH-15, PAYH-20, PAYH-21, PAYH-23
#[tokio::test(flavor = "multi_thread")]
async fn existing_accounts_are_found_by_their_address_and_the_rest_is_external_and_stays() {
    let bridge = connected(&connection_file()).await;
    let app = StubApp::start().await;
    for n in 1..=100 {
        app.has(
            "Users",
            &theirs(&format!("login{n}"), &format!(" Person{n}@ACME.example "), ""),
        );
    }
    for n in 1..=3 {
        app.has(
            "Users",
            &theirs(&format!("stranger{n}"), &format!("stranger{n}@else.example"), ""),
        );
    }
    let settings =
        json!({"match": {"by": ["externalId", "emails.work"]}, "invite": {"new_people": true, "by": "us"}});
    publish(&bridge, &file("app", &app.stub.base_url, &settings)).await;
    let mut company = Company::of(101);
    synced(&bridge, &company).await;
    let sent = app.mutations();
    let posts: Vec<&String> = sent.iter().filter(|line| line.starts_with("POST")).collect();
    assert_eq!(posts.len(), 1, "{posts:?}");
    assert!(posts[0].contains("person101@acme.example"));
    assert!(
        !sent
            .iter()
            .any(|line| line.starts_with("DELETE") || line.contains("\"value\":false"))
    );
    assert_eq!(app.all("Users").len(), 104);
    assert_eq!(accounts(&bridge, "in_sync").await.len(), 101);

    let names = |items: &[Value]| -> BTreeSet<String> {
        items
            .iter()
            .filter_map(|item| item["name"].as_str().map(str::to_owned))
            .collect()
    };
    let expected: BTreeSet<String> = (1..=3).map(|n| format!("stranger{n}")).collect();
    assert_eq!(names(&accounts(&bridge, "unmatched").await), expected);
    let listed = json_of(
        &bridge,
        &["app", "accounts", "app", "--state", "unmatched", "--json"],
    )
    .await;
    assert_eq!(names(listed["items"].as_array().unwrap()), expected);
    let told = "SELECT count(*) FROM event WHERE kind = 'accounts_unmatched' AND detail ->> 'count' = '3'";
    assert!(bridge.count(told).await >= 1);
    // Whoever was found is not invited; only the new one may be.
    let invited = "SELECT count(*) FROM event WHERE kind = 'welcome'";
    assert!(bridge.count(invited).await <= 1);

    // Nothing that happens later takes an external account away.
    company.row("100").status = String::new();
    synced(&bridge, &company).await;
    publish(&bridge, &file("app", &app.stub.base_url, &settings)).await;
    approve_plans(&bridge).await;
    for n in 101..=103 {
        assert_eq!(app.get(&format!("/Users/a{n}"))["title"], "theirs");
    }
    assert_eq!(names(&accounts(&bridge, "unmatched").await), expected);
    bridge.stop().await;
}

/// Only the people of one employer; mail and code free, the same account's, another's, or two others': four cases in the
/// first contact, and the same for those who start later. A leaver whose account is found leaves; one without is listed.
#[tokio::test(flavor = "multi_thread")]
async fn exp_11_exp_12_exp_19_exp_20_a_mail_or_code_that_is_taken_creates_nothing_and_both_candidates_are_named()
 {
    let mut connection = connection_file();
    connection["fields"]["entity"] = json!({"id": "Department"});
    connection["fields"].as_object_mut().unwrap().remove("department");
    connection.as_object_mut().unwrap().remove("group");
    let bridge = connected(&connection).await;
    let app = StubApp::start().await;
    app.has("Users", &theirs("two", "PERSON2@acme.example", "E0002"));
    app.has("Users", &theirs("three", "person3@acme.example", "X3"));
    app.has("Users", &theirs("four", "four@else.example", "E0004"));
    app.has("Users", &theirs("five-a", "person5@acme.example", "X5"));
    app.has("Users", &theirs("five-b", "five@else.example", "E0005"));
    app.has("Users", &theirs("six", "person6@acme.example", "E0006"));
    app.has("Users", &theirs("eight", "person8@acme.example", "E0008"));
    let settings = json!({
        "entity": "acme", "match": {"by": ["employeeNumber+emails.work"]},
        "mapping": {"userName": {"policy": "fill"}},
    });
    publish(&bridge, &file("app", &app.stub.base_url, &settings)).await;
    let mut company = Company::of(9);
    for row in company.0.values_mut() {
        row.department = "acme".to_owned();
        row.manager = String::new();
    }
    company.row("8").department = "other".to_owned();
    company.row("9").department = "other".to_owned();
    synced(&bridge, &company).await;
    let sent = app.mutations();
    let posts: Vec<&String> = sent.iter().filter(|line| line.starts_with("POST")).collect();
    assert_eq!(posts.len(), 2, "{posts:?}");
    assert!(
        posts
            .iter()
            .all(|line| line.contains("person1@") || line.contains("person7@")),
        "{posts:?}"
    );
    let patched: BTreeSet<&str> = sent
        .iter()
        .filter(|line| line.starts_with("PATCH"))
        .filter_map(|line| line.split(' ').nth(1))
        .collect();
    assert_eq!(
        patched,
        BTreeSet::from(["/Users/a1", "/Users/a6"]),
        "the others are left alone"
    );
    let held = accounts(&bridge, "held").await;
    let of = |name: &str| {
        let found = held.iter().find(|one| one["name"] == *name).unwrap();
        let ids: Vec<&str> = found["candidates"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|one| one["remote_id"].as_str())
            .collect();
        (found["reason"].as_str().unwrap().to_owned(), ids.join(","))
    };
    assert_eq!(held.len(), 3, "{held:#?}");
    assert_eq!(of("person3@acme.example").1, "a2");
    assert_eq!(of("person4@acme.example").1, "a3");
    let (reason, both) = of("person5@acme.example");
    assert_eq!(both, "a4,a5");
    assert!(reason.starts_with("collision: "), "{reason}");
    // Of another employer: neither made nor changed.
    assert_eq!(app.get("/Users/a7")["title"], "theirs");

    // Who starts later meets the same rule, against what the app has by then.
    app.has("Users", &theirs("ten", "person10@acme.example", "X10"));
    app.has("Users", &theirs("eleven", "person11@acme.example", "E0011"));
    let mut more = Company::of(12);
    for id in ["10", "11", "12"] {
        let row = more.row(id);
        row.department = "acme".to_owned();
        row.manager = String::new();
        company.add(row.clone());
    }
    // And a leaver with an account, and one without.
    company.row("6").status = String::new();
    company.row("3").status = String::new();
    synced(&bridge, &company).await;
    let sent = app.mutations();
    let posts: Vec<&String> = sent.iter().filter(|line| line.starts_with("POST")).collect();
    assert_eq!(posts.len(), 1, "{posts:?}");
    assert!(posts[0].contains("person12@"));
    assert_eq!(app.all("Users").len(), 12);
    let held = accounts(&bridge, "held").await;
    let ten = held
        .iter()
        .find(|one| one["name"] == "person10@acme.example")
        .unwrap();
    assert!(
        ten["reason"]
            .as_str()
            .unwrap()
            .contains("emails.work (account a10)"),
        "{ten}"
    );
    let eleven = sync_kit::person(&bridge, 11).await;
    assert_eq!(state(&bridge, eleven["id"].as_str().unwrap()).await, "in_sync");
    let disabled: Vec<&String> = sent
        .iter()
        .filter(|line| line.contains("\"value\":false"))
        .collect();
    assert_eq!(disabled.len(), 1, "{disabled:?}");
    assert!(disabled[0].starts_with("PATCH /Users/a6 "));
    let three = sync_kit::person(&bridge, 3).await;
    let (found, reason) = account(&bridge, three["id"].as_str().unwrap()).await;
    assert!(
        ["skipped", "held"].contains(&found.as_str()) && !reason.is_empty(),
        "{found}: {reason}"
    );
    bridge.stop().await;
}

/// Users who share a key are found before anything is written about them; keys compare as they are told to.
#[tokio::test]
async fn keys_that_are_there_twice_stop_the_write_and_a_key_is_exact_or_folded_as_it_says() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let mail = json!([{"value": "team@x", "type": "work"}]);
    let anna = user(&bridge, "anna@x", &json!({"emails": mail})).await;
    let bo = user(&bridge, "bo@x", &json!({"emails": mail})).await;
    let cy = user(&bridge, "cy@x", &json!({"nickName": "Cy"})).await;
    let di = user(&bridge, "di@x", &json!({"displayName": "Di"})).await;
    app.has("Users", &json!({"userName": "c", "nickName": " CY "}));
    app.has("Users", &json!({"userName": "d", "displayName": "DI"}));
    let keys = json!({"match": {"by": [
        "externalId", {"key": "nickName", "exact": false}, {"key": "displayName", "exact": true}, "emails.work",
    ]}});
    publish(&bridge, &file("app", &app.stub.base_url, &keys)).await;
    approve_plans(&bridge).await;
    for id in [&anna, &bo] {
        assert_eq!(
            account(&bridge, id).await,
            (
                "held".to_owned(),
                "another user has the same emails.work".to_owned()
            )
        );
    }
    assert_eq!(app.get("/Users/a1")["externalId"], json!(cy));
    assert_eq!(
        app.named("di@x")["externalId"],
        json!(di),
        "a name in other letters is another name"
    );
    assert_eq!(app.all("Users").len(), 3);
    let bad = file(
        "app",
        &app.stub.base_url,
        &json!({"match": {"by": [{"key": "a b", "exact": true}]}}),
    );
    let (status, body) = answer(with_json(bridge.request(Method::PUT, "/api/v1/apps/app"), &bad)).await;
    assert_eq!(status, 422, "{body}");
}

/// A protected account is written by no way: not by matching, a change, a leaver, a deletion, nor by hand.
#[tokio::test]
async fn a_protected_account_is_written_by_no_way() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    app.has("Users", &theirs("root@x", "root@x", ""));
    app.has("Users", &theirs("glass", "Break@X", ""));
    let root = user(&bridge, "root@x", &json!({"title": "ours"})).await;
    let settings = json!({
        "protect": {"accounts": ["ROOT@x", "break@x"]},
        "deprovision": {"leaver": [{"do": "delete"}], "missing": [{"do": "delete"}]},
    });
    publish(&bridge, &file("app", &app.stub.base_url, &settings)).await;
    approve_plans(&bridge).await;
    assert_eq!(
        account(&bridge, &root).await,
        ("skipped".to_owned(), "a protected account".to_owned())
    );
    let off = json!([{"op": "replace", "path": "active", "value": false}]);
    patch(&bridge, &format!("/scim/v2/Users/{root}"), &off).await;
    approve_plans(&bridge).await;
    let bo = user(&bridge, "bo@x", &json!({})).await;
    bridge.drain().await;
    let before: Vec<String> = app.mutations();
    assert_eq!(before.len(), 1, "{before:?}");
    let cut = format!("/api/v1/apps/app/accounts/{bo}/unlink");
    bridge.post(&cut, &json!({})).await;
    let tie = with_json(
        bridge.request(Method::POST, &format!("/api/v1/apps/app/accounts/{bo}/link")),
        &json!({"remote_id": "a2"}),
    );
    let (status, said) = answer(tie).await;
    assert_eq!(status, 409);
    assert!(said.to_string().contains("protected"), "{said}");
    let gone = bridge.request(Method::DELETE, &format!("/scim/v2/Users/{root}"));
    assert_eq!(gone.send().await.unwrap().status(), 204);
    approve_plans(&bridge).await;
    assert!(app.mutations().is_empty());
    assert_eq!(app.get("/Users/a1")["title"], "theirs");
    assert_eq!(app.get("/Users/a2")["title"], "theirs");
}

/// One link is cut and stays cut; another is tied; both are audited, and nothing in the app is changed by the cut.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_cut_and_tied_by_hand_and_both_are_audited() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    app.has("Users", &theirs("anna@x", "anna@x", ""));
    app.has("Users", &theirs("a.n.na", "old@x", ""));
    let anna = user(&bridge, "anna@x", &json!({"title": "ours"})).await;
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    approve_plans(&bridge).await;
    assert_eq!(app.get("/Users/a1")["title"], "ours");
    app.mutations();
    let said = run(&bridge, &["account", "unlink", &anna, "--app", "app"]).await;
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("no longer linked to account a1"), "{said}");
    let (found, reason) = account(&bridge, &anna).await;
    assert!(
        found == "held" && reason.contains("the link was cut by"),
        "{found}: {reason}"
    );
    let rename = json!([{"op": "replace", "path": "title", "value": "new"}]);
    patch(&bridge, &format!("/scim/v2/Users/{anna}"), &rename).await;
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    approve_plans(&bridge).await;
    assert!(app.mutations().is_empty());
    assert_eq!(accounts(&bridge, "unmatched").await.len(), 2);

    let tied = json_of(
        &bridge,
        &["account", "link", &anna, "a2", "--app", "app", "--json"],
    )
    .await;
    assert_eq!(tied["linked"], true);
    bridge.drain().await;
    assert_eq!(
        (
            &app.get("/Users/a2")["title"],
            &app.get("/Users/a2")["externalId"]
        ),
        (&json!("new"), &json!(anna))
    );
    assert_eq!(app.get("/Users/a1")["title"], "ours");
    assert_eq!(state(&bridge, &anna).await, "in_sync");
    let again = with_json(
        bridge.request(Method::POST, &format!("/api/v1/apps/app/accounts/{anna}/link")),
        &json!({"remote_id": "a1"}),
    );
    assert_eq!(answer(again).await.0, 409);
    let deeds = "SELECT count(*) FROM audit_entry WHERE action IN ('account.link', 'account.unlink')";
    assert_eq!(bridge.count(deeds).await, 2);
}
