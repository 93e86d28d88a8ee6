//! Answers of an HR system that are not what they seem.

use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::people::{One, company, fields, record, stranger};
use super::{Expected, limits, run_of, standing, verdict};
use crate::kit::{Answer, Bridge, Stub};
use crate::sync_kit::{active_users, apply};

const SIZE: usize = 120;
const PAGE: usize = 50;

/// What the HR system answers for a page, by its number.
type Reply = Box<dyn Fn(usize) -> Answer + Send>;

struct Hr {
    bridge: Bridge,
    reply: Arc<Mutex<Reply>>,
    _stub: Stub,
}

/// Pages of people, with or without their number.
fn pages(people: Vec<One>, total: usize) -> Reply {
    Box::new(move |page| {
        let from = (page - 1) * PAGE;
        let data: Vec<Value> = people.iter().skip(from).take(PAGE).map(record).collect();
        Answer::json(200, &json!({ "data": data, "total": total }))
    })
}

fn whole(people: Vec<One>) -> Reply {
    let total = people.len();
    pages(people, total)
}

/// The whole company, but for one page.
fn but(number: usize, answer: Answer) -> Reply {
    let good = whole(company(SIZE));
    Box::new(move |page| {
        if page == number {
            answer.clone()
        } else {
            good(page)
        }
    })
}

impl Hr {
    async fn connected(size: usize) -> Self {
        let bridge = Bridge::spawn().await;
        let stub = Stub::start().await;
        let reply = Arc::new(Mutex::new(whole(company(size))));
        let told = Arc::clone(&reply);
        stub.rule(move |request| {
            let page = request
                .param("page")
                .and_then(|page| page.parse().ok())
                .unwrap_or(1);
            Some(told.lock().unwrap()(page))
        });
        let file = json!({
            "name": "api", "connector": "rest",
            "settings": {
                "base": stub.base_url, "path": "/people", "records": "/data", "count": "/total",
                "paging": "page", "paging_send": "page", "sign_in": "none",
            },
            "fields": fields(|column| format!("/{}", column.to_lowercase())),
        });
        apply(&bridge, &file).await;
        bridge.post("/api/v1/connections/api/publish", &json!({})).await;
        Self {
            bridge,
            reply,
            _stub: stub,
        }
    }

    async fn run(&self, reply: Reply) -> Value {
        *self.reply.lock().unwrap() = reply;
        run_of(&self.bridge, "api").await
    }
}

/// Covers: PAYH-18
#[tokio::test]
async fn payh_18_answers_that_hide_people_stop_or_stay_partial_and_nobody_leaves() {
    use Expected::{Fails, Partial, Stops};
    let hr = Hr::connected(SIZE).await;
    let first = hr.run(whole(company(SIZE))).await;
    assert_eq!(
        (&first["state"], &first["counts"]["create"]),
        (&json!("done"), &json!(SIZE)),
        "{first}"
    );
    let before = standing(&hr.bridge).await;
    let html = Answer::text(200, "text/html", "<html>Please sign in</html>");
    let only = |entity: &'static str| {
        company(SIZE)
            .into_iter()
            .filter(|one| one.entity == entity)
            .collect::<Vec<_>>()
    };
    let cases: Vec<(&str, Expected, Reply)> = vec![
        ("200 with an empty list", Stops("empty"), whole(Vec::new())),
        ("200 with an empty list of 120", Fails, pages(Vec::new(), SIZE)),
        (
            "one page, and the number says so",
            Stops("shrink"),
            whole(company(PAGE)),
        ),
        (
            "one page, and the number says otherwise",
            Partial,
            pages(company(PAGE), SIZE),
        ),
        ("the second page fails", Partial, but(2, Answer::status(403))),
        ("the second page asks to sign in", Partial, but(2, html.clone())),
        ("the first page asks to sign in", Fails, but(1, html)),
        ("no right any more", Fails, but(1, Answer::status(403))),
        (
            "an error with status 200",
            Fails,
            but(1, Answer::json(200, &json!({ "error": "quota" }))),
        ),
        (
            "half of an answer",
            Partial,
            but(2, Answer::text(200, "application/json", "{\"data\": [{\"id\":")),
        ),
        (
            "the credential sees one entity",
            Stops("unit_lost"),
            whole(only("Acme SAS")),
        ),
        (
            "the credential is another account's",
            Stops("wrong_tenant"),
            whole((0..SIZE).map(stranger).collect()),
        ),
    ];
    let mut wrong = Vec::new();
    for (name, expected, reply) in cases {
        let run = hr.run(reply).await;
        let after = standing(&hr.bridge).await;
        wrong.extend(verdict(&run, expected, &before, &after).map(|why| format!("{name}: {why}")));
    }
    let first_page = company(PAGE);
    let again: Reply = Box::new(move |page| {
        let data: Vec<Value> = first_page.iter().map(record).collect();
        let data = if page <= 3 { data } else { Vec::new() };
        Answer::json(200, &json!({ "data": data, "total": 3 * PAGE }))
    });
    let run = hr.run(again).await;
    let after = standing(&hr.bridge).await;
    wrong.extend(verdict(&run, Partial, &before, &after).map(|why| format!("the same page again: {why}")));
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn payh_17_payh_18_whom_the_credential_cannot_see_is_never_seen_and_one_that_sees_less_later_takes_nobody_away()
 {
    let hr = Hr::connected(SIZE).await;
    let all = company(SIZE);
    let seen: Vec<One> = all
        .iter()
        .filter(|one| one.entity != "Acme BV")
        .cloned()
        .collect();
    let run = hr.run(whole(seen.clone())).await;
    assert_eq!(
        (&run["state"], &run["counts"]["create"]),
        (&json!("done"), &json!(seen.len())),
        "{run}"
    );
    let errors = hr
        .bridge
        .get(&format!("/api/v1/runs/{}/errors", run["id"].as_str().unwrap()))
        .await;
    assert_eq!(errors["items"], json!([]), "of the rest nobody knows");
    let known = hr.bridge.count("SELECT count(*) FROM source_record").await;
    assert_eq!(known, i64::try_from(seen.len()).unwrap());

    let less: Vec<One> = seen
        .iter()
        .filter(|one| one.entity == "Acme GmbH")
        .cloned()
        .collect();
    for _ in 0..3 {
        hr.bridge.clock.advance(TimeDelta::days(1));
        let run = hr.run(whole(less.clone())).await;
        assert_eq!(run["state"], "awaiting_approval", "{run}");
        assert!(limits(&run).contains(&"unit_lost".to_owned()), "{run}");
        let text = run["guard"]["reasons"].to_string();
        assert!(
            text.contains("entity Acme SAS") && text.contains("not the same as left"),
            "{text}"
        );
        assert!(text.contains("credential"), "it says what to do: {text}");
    }
    assert_eq!(active_users(&hr.bridge).await, known, "however often it is read");
    let missing = "SELECT count(*) FROM source_record WHERE missing_reads > 0";
    assert_eq!(
        hr.bridge.count(missing).await,
        0,
        "and it counts for nothing later"
    );
    let run = hr.run(whole(seen)).await;
    assert_eq!(
        (&run["state"], &run["counts"]["update"]),
        (&json!("done"), &json!(0)),
        "{run}"
    );
}

/// A status that changes brings its dates along; a deleted record is missing twice, and said so.
#[tokio::test]
async fn payh_27_a_terminated_record_leaves_by_its_date_and_a_deleted_one_is_flagged_and_leaves_after_two_reads()
 {
    let hr = Hr::connected(40).await;
    let mut people = company(40);
    hr.run(whole(people.clone())).await;
    people[20].status = "Gone".to_owned();
    people[20].to = "2026-12-03".to_owned();
    let deleted = people.remove(30);
    let run = hr.run(whole(people.clone())).await;
    assert_eq!(run["counts"]["disable"], 0, "the last day has not passed: {run}");
    let warnings = hr
        .bridge
        .get(&format!("/api/v1/runs/{}/warnings", run["id"].as_str().unwrap()))
        .await;
    let flagged: Vec<&Value> = warnings["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["outcome"] == "missing")
        .map(|one| &one["source_id"])
        .collect();
    assert_eq!(flagged, [&json!(deleted.id)], "{warnings}");
    assert_eq!(active_users(&hr.bridge).await, 40);
    hr.bridge.clock.set("2026-12-04T08:00:00Z");
    hr.bridge.drain().await;
    assert_eq!(active_users(&hr.bridge).await, 39, "by its date, without a read");
    let run = hr.run(whole(people)).await;
    assert_eq!(run["counts"]["disable"], 1, "{run}");
    let items = hr
        .bridge
        .get(&format!("/api/v1/runs/{}/items", run["id"].as_str().unwrap()))
        .await;
    let reason = items["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["action"] == "disable")
        .unwrap();
    assert!(reason["reason"].as_str().unwrap().contains("missing"), "{reason}");
    assert_eq!(active_users(&hr.bridge).await, 38);
}
