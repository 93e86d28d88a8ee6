//! Several legal entities in one connection.

use serde_json::{Value, json};

use crate::kit::Bridge;
use crate::sync_kit::{Company, apply, connection_file, run_text, user};

/// 12 people: those with an even number are of entity B.
fn csv(company: &Company, entity: impl Fn(&str) -> &'static str) -> String {
    let mut text = String::new();
    for (n, line) in company.csv().lines().enumerate() {
        let id = line.split(',').next().unwrap();
        let entity = if n == 0 { "Entity" } else { entity(id) };
        text.push_str(&format!("{line},{entity}\n"));
    }
    text
}

fn even(id: &str) -> &'static str {
    if id.parse::<u32>().unwrap() % 2 == 0 {
        "B"
    } else {
        "A"
    }
}

fn file() -> Value {
    let mut file = connection_file();
    file["fields"]["entity"] = json!({ "code": "Entity" });
    file
}

async fn draft(file: &Value) -> Bridge {
    let bridge = Bridge::spawn().await;
    apply(&bridge, file).await;
    bridge
}

async fn publish(bridge: &Bridge) {
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
}

async fn is_active(bridge: &Bridge, n: usize) -> Value {
    user(bridge, &format!("person{n}@acme.example")).await["active"].clone()
}

/// Covers: PAYH-10, PAYH-11, PROB-19, PROB-35
#[tokio::test]
async fn payh_10_payh_11_all_entities_are_in_unless_the_settings_said_otherwise_before() {
    let all = draft(&file()).await;
    publish(&all).await;
    let company = Company::of(12);
    let run = run_text(&all, &csv(&company, even)).await;
    assert_eq!(
        (run["counts"]["read"].clone(), run["counts"]["create"].clone()),
        (json!(12), json!(12)),
        "{run}"
    );

    // The admin narrows the draft before anything is published: only those are ever made.
    let mut narrow = file();
    narrow["filter"] = json!({ "include": "employee.entity.code == \"B\"" });
    let some = draft(&file()).await;
    apply(&some, &narrow).await;
    publish(&some).await;
    // A dry run says how many would be in before the first write.
    let text = csv(&company, even);
    crate::sync_kit::upload(&some, &text).await;
    let dry = crate::sync_kit::run_again(&some, true).await;
    assert_eq!(
        (dry["counts"]["create"].clone(), dry["counts"]["filtered"].clone()),
        (json!(6), json!(6)),
        "{dry}"
    );
    assert_eq!(
        some.count("SELECT count(*) FROM resource WHERE kind = 'User'")
            .await,
        0
    );
    let run = crate::sync_kit::run_again(&some, false).await;
    assert_eq!(run["counts"]["create"], 6, "{run}");
    assert!(is_active(&some, 1).await.is_null());
    assert_eq!(is_active(&some, 2).await, true);
}

#[tokio::test]
async fn an_entity_has_its_own_filter_lines_and_days() {
    let mut file = file();
    file["entity"] = json!([
        { "id": "A", "include": "employee.title != \"Intern\"" },
        { "id": "B", "mapping": { "title": { "from": "employee.title | upper" } },
          "lifecycle": { "zone": "Pacific/Auckland" } },
    ]);
    let bridge = draft(&file).await;
    publish(&bridge).await;
    bridge.clock.set("2026-11-20T12:00:00Z");
    let mut company = Company::of(12);
    for id in ["3", "4"] {
        company.row(id).title = "Intern".to_owned();
    }
    for id in ["5", "6"] {
        company.row(id).last_day = "2026-11-30".to_owned();
    }
    let run = run_text(&bridge, &csv(&company, even)).await;
    assert_eq!(
        (run["counts"]["create"].clone(), run["counts"]["filtered"].clone()),
        (json!(11), json!(1)),
        "{run}"
    );
    assert!(is_active(&bridge, 3).await.is_null());
    assert_eq!(user(&bridge, "person4@acme.example").await["title"], "INTERN");
    assert_eq!(user(&bridge, "person7@acme.example").await["title"], "Engineer");
    // Whoever asks where the title comes from is told the line of the person's entity.
    for (n, from, set_in) in [
        (4, "employee.title | upper", "entity"),
        (7, "employee.title", "default"),
    ] {
        let id = user(&bridge, &format!("person{n}@acme.example")).await["id"].clone();
        let told = bridge
            .get(&format!("/api/v1/users/{}/explain", id.as_str().unwrap()))
            .await;
        let all = told["attributes"].as_array().unwrap();
        let title = all.iter().find(|one| one["path"] == "title").unwrap();
        assert_eq!(
            (&title["mapping"][0]["from"], &title["mapping"][0]["set_in"]),
            (&json!(from), &json!(set_in)),
            "{title}"
        );
    }
    // In Auckland the last of November ends eleven hours earlier than here.
    bridge.clock.set("2026-11-30T11:00:30Z");
    bridge.drain().await;
    assert_eq!(
        (is_active(&bridge, 5).await, is_active(&bridge, 6).await),
        (json!(true), json!(false))
    );
    bridge.clock.set("2026-12-01T00:00:30Z");
    bridge.drain().await;
    assert_eq!(is_active(&bridge, 5).await, false);
}

#[tokio::test]
async fn managers_are_linked_by_the_lines_of_the_entity() {
    let mut file = file();
    file["mapping"] = json!({ "manager": { "policy": "ignore" } });
    file["entity"] = json!([{ "id": "B", "mapping": { "manager": { "policy": "overwrite" } } }]);
    let bridge = draft(&file).await;
    publish(&bridge).await;
    // Person 9 manages 3 and 4 and is made after them, in the same run.
    let mut company = Company::of(12);
    for id in ["3", "4"] {
        company.row(id).manager = "9".to_owned();
    }
    run_text(&bridge, &csv(&company, even)).await;
    let boss = user(&bridge, "person9@acme.example").await;
    let of = async |n: usize| {
        let user = user(&bridge, &format!("person{n}@acme.example")).await;
        user["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]["manager"]["value"].clone()
    };
    assert_eq!((of(3).await, of(4).await), (Value::Null, boss["id"].clone()));
}

#[tokio::test]
async fn what_is_wrong_with_an_entity_is_said_with_its_place() {
    let bridge = Bridge::spawn().await;
    let mut file = file();
    file["entity"] = json!([
        { "id": "A", "include": "employee.titel == 1" },
        { "id": "B", "mapping": { "titel": { "from": "employee.title" } } },
        { "id": "B", "mapping": { "userName": { "policy": "ignore" } } },
    ]);
    let request = bridge.request(reqwest::Method::PUT, "/api/v1/connections/people");
    let (status, problem) = crate::kit::answer(crate::kit::with_json(request, &file)).await;
    assert_eq!(status, 422);
    let said = problem["errors"].to_string();
    for place in [
        "entity.0.include",
        "entity.1.mapping.titel",
        "entity.2.id",
        "entity.2.mapping.userName",
    ] {
        assert!(said.contains(place), "{place}: {said}");
    }
}

/// Covers: PAYH-24, PAYH-25
#[tokio::test]
async fn payh_25_who_ends_in_one_entity_loses_nothing_of_the_other() {
    let bridge = draft(&file()).await;
    publish(&bridge).await;
    bridge.clock.set("2026-11-20T12:00:00Z");
    // Person 3 is employed by A, and by B under another record with the same name and address.
    let mut company = Company::of(12);
    let mut second = company.0["3"].clone();
    (second.id, second.number) = ("30".to_owned(), "B0030".to_owned());
    company.add(second);
    let entity = |id: &str| if id == "30" { "B" } else { "A" };
    let run = run_text(&bridge, &csv(&company, entity)).await;
    assert_eq!(run["counts"]["create"], 12, "one human, one user: {run}");
    assert_eq!(bridge.count("SELECT count(*) FROM person").await, 12);

    // The one employment is deleted in HR: after two complete reads it is gone, and the person works on for the other.
    company.0.remove("3");
    for day in ["2026-11-21T12:00:00Z", "2026-11-22T12:00:30Z"] {
        bridge.clock.set(day);
        let run = run_text(&bridge, &csv(&company, entity)).await;
        assert_eq!(
            (run["state"].clone(), run["counts"]["disable"].clone()),
            (json!("done"), json!(0)),
            "{run}"
        );
    }
    assert_eq!(
        bridge
            .count("SELECT count(*) FROM source_record WHERE outcome = 'gone'")
            .await,
        1
    );
    assert_eq!(is_active(&bridge, 3).await, true);
    // With the other gone too, so is the access.
    company.0.remove("30");
    for day in ["2026-11-23T12:01:00Z", "2026-11-24T12:02:00Z"] {
        bridge.clock.set(day);
        run_text(&bridge, &csv(&company, entity)).await;
    }
    assert_eq!(is_active(&bridge, 3).await, false);
    assert_eq!(is_active(&bridge, 4).await, true);
}
