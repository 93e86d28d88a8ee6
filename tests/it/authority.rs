//! Whose word counts where HR and a SCIM client write the same user.

use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Bridge, answer, good, with_json};
use crate::sync_kit::{Company, apply, connected, connection_file, done, person, run_again, said};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn file(authority: &Value) -> Value {
    let mut file = connection_file();
    file["authority"] = authority.clone();
    file
}

fn patch(path: &str, value: &Value) -> Value {
    let op = match value {
        Value::Null => json!({ "op": "remove", "path": path }),
        value => json!({ "op": "replace", "path": path, "value": value }),
    };
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [op] })
}

async fn change(bridge: &Bridge, user: &Value, path: &str, value: &Value) -> (u16, Value) {
    let at = format!("/scim/v2/Users/{}", user["id"].as_str().unwrap());
    answer(with_json(bridge.request(Method::PATCH, &at), &patch(path, value))).await
}

async fn put(bridge: &Bridge, user: &Value) -> (u16, Value) {
    let at = format!("/scim/v2/Users/{}", user["id"].as_str().unwrap());
    answer(with_json(bridge.request(Method::PUT, &at), user)).await
}

async fn remove(bridge: &Bridge, user: &Value) -> u16 {
    let at = format!("/scim/v2/Users/{}", user["id"].as_str().unwrap());
    answer(bridge.request(Method::DELETE, &at)).await.0
}

/// Covers: item 9
#[tokio::test]
async fn hr_wins_at_the_next_run_also_over_a_record_that_did_not_change() {
    let bridge = connected(&connection_file()).await;
    let company = Company::of(3);
    done(&bridge, &company).await;
    let user = person(&bridge, 2).await;
    let (status, changed) = change(&bridge, &user, "title", &json!("Poet")).await;
    assert_eq!((status, &changed["title"]), (200, &json!("Poet")));
    change(&bridge, &user, "nickName", &json!("Two")).await;

    let run = done(&bridge, &company).await;
    assert_eq!(run["counts"]["unchanged"], 3, "{run}");
    let user = person(&bridge, 2).await;
    assert_eq!(user["title"], "Engineer");
    assert_eq!(
        user["nickName"], "Two",
        "what HR does not write is the client's own"
    );
}

/// Covers: item 9
#[tokio::test]
async fn a_run_that_only_looks_at_due_dates_does_not_pass_over_what_a_client_wrote() {
    let mut company = Company::of(3);
    company.row("3").last_day = "2026-11-24".to_owned();
    let bridge = connected(&connection_file()).await;
    bridge.clock.set("2026-11-20T12:00:00Z");
    done(&bridge, &company).await;
    change(&bridge, &person(&bridge, 2).await, "title", &json!("Poet")).await;
    bridge.clock.set("2026-11-25T12:00:00Z");
    bridge.drain().await;
    assert_eq!(person(&bridge, 3).await["active"], false, "the due run was there");
    done(&bridge, &company).await;
    assert_eq!(person(&bridge, 2).await["title"], "Engineer");
}

/// Covers: item 9
#[tokio::test]
async fn what_a_client_wrote_stays_where_it_wins_until_it_clears_it() {
    let bridge = connected(&file(&json!({ "title": "client", "department": "client" }))).await;
    let mut company = Company::of(3);
    done(&bridge, &company).await;
    let user = person(&bridge, 2).await;
    change(&bridge, &user, "title", &json!("Poet")).await;
    change(&bridge, &user, "department", &json!("Verse")).await;
    change(&bridge, &user, "displayName", &json!("Mine")).await;
    done(&bridge, &company).await;
    company.row("2").title = "Director".to_owned();
    company.row("3").title = "Director".to_owned();
    company.row("2").family = "Changed".to_owned();
    done(&bridge, &company).await;
    let user = person(&bridge, 2).await;
    assert_eq!(user["title"], "Poet");
    assert_eq!(user[ENTERPRISE]["department"], "Verse");
    assert_eq!(user["displayName"], "Given2 Changed", "here HR wins");
    assert_eq!(
        person(&bridge, 3).await["title"],
        "Director",
        "no client wrote that"
    );

    let changes = bridge.count("SELECT count(*) FROM change").await;
    done(&bridge, &company).await;
    assert_eq!(
        bridge.count("SELECT count(*) FROM change").await,
        changes,
        "and it is quiet"
    );

    // What the client clears is HR's again.
    let (_, cleared) = change(&bridge, &user, "title", &Value::Null).await;
    assert_eq!(cleared["title"], Value::Null);
    done(&bridge, &company).await;
    let user = person(&bridge, 2).await;
    assert_eq!(user["title"], "Director");
    assert_eq!(user[ENTERPRISE]["department"], "Verse");

    // And what the settings give back to HR, too.
    apply(&bridge, &connection_file()).await;
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
    done(&bridge, &company).await;
    assert_eq!(person(&bridge, 2).await[ENTERPRISE]["department"], "Dept 0");
}

/// Covers: item 9
#[tokio::test]
async fn a_user_that_hr_takes_over_keeps_what_the_client_wrote_where_the_client_wins() {
    let bridge = connected(&file(&json!({ "title": "client" }))).await;
    let made = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "person2@acme.example",
        "title": "Poet", "displayName": "Mine", "nickName": "Two",
    });
    bridge.post("/scim/v2/Users", &made).await;
    let mut company = Company::of(3);
    let run = done(&bridge, &company).await;
    assert_eq!(run["counts"]["link"], 1, "{run}");
    for title in ["Engineer", "Director"] {
        company.row("2").title = title.to_owned();
        done(&bridge, &company).await;
        let user = person(&bridge, 2).await;
        assert_eq!(
            (&user["title"], &user["displayName"], &user["nickName"]),
            (&json!("Poet"), &json!("Given2 Family2"), &json!("Two"))
        );
    }
}

/// Covers: item 9; rfc 4.6, 4.7, 5.6; client okta
#[tokio::test]
async fn what_clients_may_not_change_is_refused_with_its_name_and_an_echo_passes() {
    let bridge = connected(&file(
        &json!({ "title": "refuse", "name.givenName": "refuse", "emails": "refuse" }),
    ))
    .await;
    let company = Company::of(3);
    done(&bridge, &company).await;
    let user = person(&bridge, 2).await;
    for (path, value) in [
        ("title", json!("Poet")),
        ("title", Value::Null),
        ("name.givenName", json!("Other")),
        ("emails[type eq \"work\"].value", json!("other@acme.example")),
    ] {
        let (status, body) = change(&bridge, &user, path, &value).await;
        assert_eq!(
            (status, &body["scimType"]),
            (400, &json!("mutability")),
            "{path} {body}"
        );
        let detail = body["detail"].as_str().unwrap();
        let attribute = path.split('[').next().unwrap();
        assert!(
            detail.contains(attribute) && detail.contains("connection people"),
            "{detail}"
        );
    }
    assert_eq!(person(&bridge, 2).await, user, "nothing moved");

    let mut whole = user.clone();
    assert_eq!(put(&bridge, &whole).await.0, 200, "an echo");
    whole["nickName"] = json!("Two");
    whole["name"]["familyName"] = json!("Mine");
    assert_eq!(
        put(&bridge, &whole).await.0,
        200,
        "an echo with something of its own"
    );
    whole["title"] = json!("Poet");
    let (status, body) = put(&bridge, &whole).await;
    assert_eq!((status, &body["scimType"]), (400, &json!("mutability")), "{body}");

    // A client that does not know an attribute leaves it out; that does not clear what HR writes.
    let thin = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": user["id"],
        "userName": "person2@acme.example", "nickName": "Three",
    });
    let (status, after) = put(&bridge, &thin).await;
    assert_eq!(status, 200, "{after}");
    assert_eq!(
        (&after["title"], &after["nickName"]),
        (&json!("Engineer"), &json!("Three"))
    );
    assert_eq!(after["emails"], user["emails"]);
    assert_eq!(after["name"], whole["name"]);

    // Users of nobody are the clients' own.
    let own =
        json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "own", "title": "A" });
    let own = bridge.post("/scim/v2/Users", &own).await;
    assert_eq!(change(&bridge, &own, "title", &json!("B")).await.0, 200);
}

/// Covers: item 9
#[tokio::test]
async fn rules_are_versioned_with_the_connection_and_unknown_attributes_are_refused_by_name() {
    let bridge = connected(&connection_file()).await;
    let company = Company::of(2);
    done(&bridge, &company).await;
    let user = person(&bridge, 2).await;
    for (authority, word) in [
        (json!({ "titel": "refuse" }), "titel"),
        (json!({ "title": "nobody" }), "nobody"),
        (json!({ "active": "client" }), "active"),
        (json!({ "locale": "hr" }), "locale"),
    ] {
        let put = with_json(
            bridge.request(Method::PUT, "/api/v1/connections/people"),
            &file(&authority),
        );
        let (status, body) = answer(put).await;
        assert!(
            status == 422 && body.to_string().contains(word),
            "{status} {body}"
        );
    }
    let title = async |value: &str| change(&bridge, &user, "title", &json!(value)).await.0;
    apply(&bridge, &file(&json!({ "default": "refuse" }))).await;
    assert_eq!(title("a").await, 200, "a draft is not in force");
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
    assert_eq!(title("b").await, 400);
    bridge
        .post("/api/v1/connections/people/rollback", &json!({}))
        .await;
    assert_eq!(title("c").await, 200);
}

/// Covers: item 9; rfc 4.10, 4.11, 4.12; C91
#[tokio::test]
async fn a_user_from_hr_that_a_client_deleted_stays_deleted_and_nothing_of_it_leaks() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(12);
    done(&bridge, &company).await;
    let user = person(&bridge, 11).await;
    let at = format!("/scim/v2/Users/{}", user["id"].as_str().unwrap());
    assert_eq!(remove(&bridge, &user).await, 204);
    assert_eq!(remove(&bridge, &user).await, 404);
    assert_eq!(answer(bridge.request(Method::GET, &at)).await.0, 404);
    assert_eq!(change(&bridge, &user, "title", &json!("x")).await.0, 404);

    let run = done(&bridge, &company).await;
    assert_eq!(run["counts"]["create"], 0, "{run}");
    let warnings = said(&bridge, &run, "warnings").await;
    assert!(
        warnings
            .iter()
            .any(|one| one["outcome"] == "deleted" && one["source_id"] == "11"),
        "{warnings:?}"
    );
    // Changed, gone and back: still deleted.
    company.row("11").title = "Director".to_owned();
    done(&bridge, &company).await;
    company.row("11").status = String::new();
    done(&bridge, &company).await;
    company.row("11").status = "Current".to_owned();
    done(&bridge, &company).await;
    assert_eq!(person(&bridge, 11).await, Value::Null);
    let report = person(&bridge, 12).await;
    assert_eq!(
        report[ENTERPRISE]["manager"],
        Value::Null,
        "nobody reports to who is not there"
    );
    let listed = bridge.get("/scim/v2/Users?count=0").await;
    assert_eq!(listed["totalResults"], 11);
}

/// Covers: item 9; rfc 4.10; C91
#[tokio::test]
async fn a_client_that_makes_the_deleted_user_anew_gets_the_person_back_and_never_a_second_one() {
    let bridge = connected(&connection_file()).await;
    let company = Company::of(3);
    done(&bridge, &company).await;
    let user = person(&bridge, 2).await;
    remove(&bridge, &user).await;
    done(&bridge, &company).await;
    let made = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "Person2@acme.example", "externalId": "two",
    });
    let made = bridge.post("/scim/v2/Users", &made).await;
    assert_ne!(made["id"], user["id"]);
    let run = done(&bridge, &company).await;
    assert_eq!(
        (&run["counts"]["link"], &run["counts"]["create"]),
        (&json!(1), &json!(0)),
        "{run}"
    );
    let now = person(&bridge, 2).await;
    assert_eq!((&now["id"], &now["title"]), (&made["id"], &json!("Engineer")));
    assert_eq!(now["externalId"], "two");
    assert_eq!(bridge.count("SELECT count(*) FROM tombstone").await, 0);
    assert_eq!(
        bridge
            .count("SELECT count(*) FROM resource WHERE kind = 'User'")
            .await,
        3
    );
}

/// Covers: item 9
#[tokio::test]
async fn a_user_whom_a_run_removed_is_made_again_when_the_record_is_back() {
    let mut settings = connection_file();
    settings["lifecycle"] = json!({ "missing": { "do": "remove", "reads": 1, "apart": "0d" } });
    let bridge = connected(&settings).await;
    let mut company = Company::of(12);
    done(&bridge, &company).await;
    let gone = company.0.remove("12").unwrap();
    bridge.clock.set("2027-01-01T05:00:30Z");
    done(&bridge, &company).await;
    assert_eq!(person(&bridge, 12).await, Value::Null);
    company.add(gone);
    let run = run_again_with(&bridge, &company).await;
    assert_eq!(run["counts"]["create"], 1, "{run}");
    assert_eq!(person(&bridge, 12).await["active"], true);
}

async fn run_again_with(bridge: &Bridge, company: &Company) -> Value {
    crate::sync_kit::upload(bridge, &company.csv()).await;
    run_again(bridge, false).await
}

/// Covers: item 9
#[tokio::test]
async fn only_who_disabled_lifts_it_and_the_answer_says_how_it_is() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(12);
    done(&bridge, &company).await;
    let user = person(&bridge, 2).await;

    company.row("2").status = String::new();
    done(&bridge, &company).await;
    let (status, body) = change(&bridge, &user, "active", &json!(true)).await;
    assert_eq!((status, &body["active"]), (200, &json!(false)), "HR holds it");
    let version = person(&bridge, 2).await["meta"]["version"].clone();
    assert_eq!(body["meta"]["version"], version);

    // Both hold it; HR lifts its own, and says who holds the other.
    let (_, body) = change(&bridge, &user, "active", &json!(false)).await;
    assert_eq!(body["active"], false);
    company.row("2").status = "Current".to_owned();
    let run = done(&bridge, &company).await;
    assert_eq!(person(&bridge, 2).await["active"], false);
    let warnings = said(&bridge, &run, "warnings").await;
    assert!(
        warnings.iter().any(|one| one["outcome"] == "disabled_by_others"),
        "{warnings:?}"
    );
    let (_, body) = change(&bridge, &user, "active", &json!(true)).await;
    assert_eq!(body["active"], true);

    // Another client lifts nothing.
    let other = bridge
        .make_token(bridge.tenant, "other", &scim_bridge::access::Scope::ALL)
        .await;
    change(&bridge, &user, "active", &json!(false)).await;
    let at = format!("/scim/v2/Users/{}", user["id"].as_str().unwrap());
    let body = good(with_json(
        bridge.request_as(&other, Method::PATCH, &at),
        &patch("active", &json!(true)),
    ))
    .await;
    assert_eq!(body["active"], false);
}
