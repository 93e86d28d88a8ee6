//! A customer changes the HR system: the links of people move from one connection to another.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Answer, Bridge, Stub, answer, with_json};
use crate::sync_kit::{active_users, apply, said, show};

/// People that both systems have.
const BOTH: usize = 5000;
/// People that only the old one has.
const OLD_ONLY: usize = 2;

fn above(n: usize) -> usize {
    (n / 10) * 10 + 1
}

/// As Kombo gives an employee; only what is read is there.
fn kombo(n: usize) -> Value {
    let manager = above(n);
    json!({
        "id": format!("k{n}"), "remote_id": (20_000 + n).to_string(), "employee_number": format!("E{n:05}"),
        "first_name": format!("Given{n}"), "last_name": format!("Family{n}"), "display_full_name": null,
        "job_title": "Engineer", "work_email": format!("person{n}@acme.example"), "personal_email": null,
        "mobile_phone_number": null, "ssn": null, "gender": null, "marital_status": null,
        "employment_status": "ACTIVE", "employment_type": "FULL_TIME", "avatar": null,
        "manager_id": if manager == n { Value::Null } else { json!(format!("k{manager}")) },
        "home_address": null, "bank_accounts": [], "date_of_birth": "1980-02-11T00:00:00.000Z",
        "start_date": "2015-04-01T00:00:00.000Z", "termination_date": null, "remote_deleted_at": null,
        "custom_fields": null, "groups": [{ "id": "x", "name": format!("Dept {}", n % 7), "type": "DEPARTMENT" }],
        "legal_entity": null, "work_location": null,
    })
}

/// As Personio gives the same employee.
fn personio(n: usize) -> Value {
    let manager = above(n);
    let value = |value: Value| json!({ "label": "", "value": value });
    let supervisor = json!({ "type": "Employee", "attributes": { "id": value(json!(20_000 + manager)) } });
    json!({ "type": "Employee", "attributes": {
        "id": value(json!(20_000 + n)), "first_name": value(json!(format!("Given{n}"))),
        "last_name": value(json!(format!("Family{n}"))), "preferred_name": value(json!("")),
        "email": value(json!(format!("person{n}@acme.example"))), "status": value(json!("active")),
        "position": value(json!("Engineer")),
        "supervisor": value(if manager == n { Value::Null } else { supervisor }),
        "employment_type": value(json!("internal")), "hire_date": value(json!("2015-04-01T00:00:00+02:00")),
        "termination_date": value(Value::Null), "last_working_day": value(Value::Null),
        "subcompany": value(Value::Null), "office": value(Value::Null), "team": value(Value::Null),
        "department": value(json!({ "type": "Department", "attributes": { "id": n % 7, "name": format!("Dept {}", n % 7) } })),
        "cost_centers": value(json!([])), "gender": value(Value::Null), "profile_picture": value(Value::Null),
        "dynamic_1": { "label": "Employee ID", "value": format!("E{n:05}"), "universal_id": null },
    } })
}

/// Both systems, behind one address. Counts what each was asked.
async fn systems() -> (Stub, Arc<AtomicUsize>) {
    let stub = Stub::start().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    stub.rule(move |request| match request.path.as_str() {
        "/v1/hris/employees" => {
            count.fetch_add(1, Ordering::Relaxed);
            let from: usize = request
                .param("cursor")
                .map_or(0, |cursor| cursor.parse().unwrap());
            let to = (from + 250).min(BOTH + OLD_ONLY);
            let people: Vec<Value> = (from + 1..=to).map(kombo).collect();
            let next = (to < BOTH + OLD_ONLY).then(|| to.to_string());
            Some(Answer::json(
                200,
                &json!({ "status": "success", "data": { "next": next, "results": people } }),
            ))
        }
        "/v1/auth" => Some(Answer::json(
            200,
            &json!({ "success": true, "data": { "token": "papi-1" } }),
        )),
        "/v1/company/employees" => {
            let from: usize = request
                .param("offset")
                .map_or(0, |offset| offset.parse().unwrap());
            let people: Vec<Value> = (from + 1..=(from + 100).min(BOTH)).map(personio).collect();
            let about =
                json!({ "total_elements": BOTH, "current_page": from / 100, "total_pages": BOTH / 100 });
            Some(
                Answer::json(
                    200,
                    &json!({ "success": true, "data": people, "metadata": about }),
                )
                .header("authorization", "Bearer papi-1"),
            )
        }
        _ => None,
    });
    (stub, asked)
}

async fn run(bridge: &Bridge, name: &str) -> Value {
    let started = bridge
        .post(&format!("/api/v1/connections/{name}/runs"), &json!({}))
        .await;
    bridge.drain().await;
    show(bridge, &started).await
}

async fn rekey(bridge: &Bridge, from: &str, order: &Value) -> Value {
    let started = bridge
        .post(&format!("/api/v1/connections/{from}/rekey"), order)
        .await;
    bridge.drain().await;
    show(bridge, &started).await
}

async fn approve(bridge: &Bridge, run: &Value) -> Value {
    let id = run["id"].as_str().unwrap();
    bridge
        .post(
            &format!("/api/v1/runs/{id}/approve"),
            &json!({ "plan": run["plan_hash"] }),
        )
        .await;
    bridge.drain().await;
    show(bridge, run).await
}

async fn state(bridge: &Bridge, name: &str) -> String {
    let connection = bridge.get(&format!("/api/v1/connections/{name}")).await;
    connection["state"].as_str().unwrap().to_owned()
}

/// What must be the same before and after: people, users, groups, members, managers.
async fn standing(bridge: &Bridge) -> Vec<i64> {
    let mut counts = Vec::new();
    for sql in [
        "SELECT count(*) FROM person",
        "SELECT count(*) FROM resource WHERE kind = 'User' AND active",
        "SELECT count(*) FROM resource WHERE kind = 'Group'",
        "SELECT count(*) FROM membership",
        "SELECT count(*) FROM change WHERE action IN ('create', 'delete')",
        "SELECT count(*) FROM source_record WHERE person_id IS NOT NULL",
    ] {
        counts.push(bridge.count(sql).await);
    }
    counts
}

#[tokio::test]
async fn five_thousand_people_move_from_kombo_to_personio_and_back_and_nobody_is_made_or_leaves() {
    let bridge = Bridge::spawn().await;
    let (stub, asked) = systems().await;
    let group = json!([{ "key": "employee.department.name", "name": "employee.department.name" }]);
    let old = json!({
        "name": "unified", "connector": "kombo", "group": group,
        "settings": { "api_key": "k", "integration_id": "personio:1", "base_url": stub.base_url },
    });
    let new = json!({
        "name": "direct", "connector": "personio", "group": group,
        "settings": { "client_id": "c", "client_secret": "s", "base_url": stub.base_url },
    });
    apply(&bridge, &old).await;
    bridge
        .post("/api/v1/connections/unified/publish", &json!({}))
        .await;
    let first = run(&bridge, "unified").await;
    assert_eq!(first["counts"]["create"], BOTH + OLD_ONLY, "{first}");
    let before = standing(&bridge).await;

    // The preview: who moves, who is not found. Nothing has moved, and the new connection is a draft still.
    apply(&bridge, &new).await;
    let plan = rekey(&bridge, "unified", &json!({ "to": "direct" })).await;
    assert_eq!(plan["state"], "awaiting_approval", "{plan}");
    let counts = &plan["counts"];
    assert_eq!(
        [
            &counts["link"],
            &counts["unmatched"],
            &counts["stranger"],
            &counts["contested"]
        ],
        [&json!(BOTH), &json!(OLD_ONLY), &json!(0), &json!(0)],
        "{plan}"
    );
    let unmatched = said(&bridge, &plan, "warnings").await;
    assert_eq!(unmatched[0]["source_id"], "k5001");
    assert_eq!(unmatched[0]["employee_number"], "E05001");
    assert_eq!(standing(&bridge).await, before);
    assert_eq!(
        (state(&bridge, "unified").await, state(&bridge, "direct").await),
        ("published".into(), "draft".into())
    );

    // It breaks in the middle: whole batches have moved, and asking again moves the rest.
    let rows = bridge.rows().await;
    rows.batch_execute(
        "CREATE FUNCTION break_off() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$; \
         CREATE TRIGGER break_off BEFORE INSERT ON source_record FOR EACH ROW \
           WHEN (NEW.source_id = '24999') EXECUTE FUNCTION break_off()",
    )
    .await
    .unwrap();
    let broken = approve(&bridge, &plan).await;
    assert_eq!(broken["state"], "failed", "{broken}");
    let moved = bridge
        .count("SELECT count(*) FROM source_record WHERE outcome = 'moved' AND person_id IS NULL")
        .await;
    assert!(moved > 0 && moved % 500 == 0, "{moved}");
    assert_eq!(standing(&bridge).await, before);
    assert_eq!(state(&bridge, "unified").await, "paused", "in the same act");
    rows.batch_execute("DROP TRIGGER break_off ON source_record")
        .await
        .unwrap();
    let calls = asked.load(Ordering::Relaxed);
    let plan = rekey(&bridge, "unified", &json!({ "to": "direct" })).await;
    assert_eq!(
        plan["counts"]["link"],
        json!(i64::try_from(BOTH).unwrap() - moved),
        "{plan}"
    );
    let done = approve(&bridge, &plan).await;
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(done["counts"]["refused"], 0);
    assert_eq!(
        (state(&bridge, "unified").await, state(&bridge, "direct").await),
        ("paused".into(), "published".into())
    );

    // The next runs of the new one make nobody and let nobody go, the two who were not found included.
    for _ in 0..2 {
        let next = run(&bridge, "direct").await;
        let counts = &next["counts"];
        assert_eq!(next["state"], "done", "{next}");
        for word in [
            "create", "disable", "remove", "review", "conflict", "skipped", "missing",
        ] {
            assert_eq!(counts[word], 0, "{word}: {next}");
        }
        bridge.clock.advance(chrono::TimeDelta::days(2));
    }
    assert_eq!(standing(&bridge).await, before);
    assert_eq!(
        asked.load(Ordering::Relaxed),
        calls,
        "the old system is asked nothing any more"
    );
    let managed = "SELECT count(*) FROM resource WHERE body::jsonb -> 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User' -> 'manager' ->> 'value' IS NOT NULL";
    assert!(bridge.count(managed).await > 4000);

    // Back again is the same, the other way round.
    let back = rekey(
        &bridge,
        "direct",
        &json!({ "to": "unified", "by": ["remote_id"] }),
    )
    .await;
    assert_eq!(back["counts"]["link"], BOTH, "{back}");
    assert_eq!(approve(&bridge, &back).await["state"], "done");
    let next = run(&bridge, "unified").await;
    assert_eq!(
        (
            next["state"].clone(),
            next["counts"]["create"].clone(),
            next["counts"]["disable"].clone()
        ),
        (json!("done"), json!(0), json!(0)),
        "{next}"
    );
    assert_eq!(standing(&bridge).await, before);
    assert_eq!(
        active_users(&bridge).await,
        i64::try_from(BOTH + OLD_ONLY).unwrap()
    );
    stub.stop().await;
}

#[tokio::test]
async fn a_rekey_says_what_it_cannot_do() {
    let bridge = Bridge::spawn().await;
    for name in ["one", "two"] {
        let mut file = crate::sync_kit::connection_file();
        file["name"] = json!(name);
        apply(&bridge, &file).await;
    }
    let order = |to: &str, pairs: Value| json!({ "to": to, "pairs": pairs });
    for (body, status, word) in [
        (order("one", json!([])), 422, "both"),
        (order("three", json!([])), 404, "three"),
        (order("two", json!([])), 409, "never published"),
        (order("two", json!([["a", "x"], ["b", "x"]])), 422, "twice"),
    ] {
        let request = bridge.request(Method::POST, "/api/v1/connections/one/rekey");
        let (got, problem) = answer(with_json(request, &body)).await;
        assert_eq!(got, status, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(word), "{problem}");
    }
}
