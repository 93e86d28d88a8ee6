//! From the choice of an HR system to the first run, as a page that leads through it would go.

use std::sync::{Arc, Mutex};

use reqwest::Method;
use serde_json::{Value, json};

use crate::consent;
use crate::kit::{Answer, AuthServer, Bridge, Stub, answer, good, http_client, with_json};

const SECRET: &str = "right-secret";

/// One employee as Personio gives them, with an attribute of the account's own.
fn employee(id: u32, kids: Value) -> Value {
    let attribute = |label: &str, value: Value| json!({ "label": label, "value": value });
    json!({ "type": "Employee", "attributes": {
        "id": attribute("ID", json!(id)),
        "first_name": attribute("First name", json!(format!("Given{id}"))),
        "last_name": attribute("Last name", json!("Miller")),
        "email": attribute("Email", json!(format!("p{id}@acme.example"))),
        "status": attribute("Status", json!("active")),
        "gender": attribute("Gender", json!("diverse")),
        "supervisor": attribute("Supervisor", Value::Null),
        "hire_date": attribute("Hire date", json!("2020-01-01T00:00:00+01:00")),
        "termination_date": attribute("Termination date", Value::Null),
        "dynamic_7": attribute("Kids at school", kids),
    }})
}

/// Personio, with these people.
async fn personio(people: Arc<Mutex<Vec<Value>>>) -> Stub {
    let stub = Stub::start().await;
    stub.rule(move |request| match request.path.as_str() {
        "/v1/auth" if request.json()["client_secret"] == SECRET => Some(Answer::json(
            200,
            &json!({ "success": true, "data": { "token": "t" } }),
        )),
        "/v1/auth" => Some(Answer::json(
            401,
            &json!({ "success": false, "error": { "code": 0, "message": "Wrong credentials" } }),
        )),
        "/v1/company/employees" => {
            let people = people.lock().unwrap().clone();
            let first = request.param("offset").is_none_or(|offset| offset == "0");
            let data = if first { people.clone() } else { Vec::new() };
            let body = json!({
                "success": true, "data": data,
                "metadata": { "total_elements": people.len(), "current_page": 0, "total_pages": 1 },
            });
            Some(Answer::json(200, &body))
        }
        _ => None,
    });
    stub
}

async fn put(bridge: &Bridge, file: &Value, query: &str) -> (u16, Value) {
    let path = format!("/api/v1/connections/{}{query}", file["name"].as_str().unwrap());
    answer(with_json(bridge.request(Method::PUT, &path), file)).await
}

async fn setup(bridge: &Bridge) -> Value {
    bridge.get("/api/v1/connections/hr/setup").await
}

fn step<'v>(setup: &'v Value, name: &str) -> &'v Value {
    let steps = setup["steps"].as_array().unwrap();
    steps.iter().find(|step| step["step"] == name).unwrap()
}

async fn written(bridge: &Bridge) -> i64 {
    bridge.count("SELECT count(*) FROM resource").await
}

/// Covers: LEAP-2, LEAP-3, RG-2, RG-7, RG-9, RG-10, RG-12, RG-15, RG-17, EXP-21, PROB-8, PROB-9, PROB-10, PROB-14, PROB-15, PROB-16
#[tokio::test]
async fn each_step_is_kept_and_the_next_one_comes_when_it_is_proven() {
    let people = Arc::new(Mutex::new(vec![employee(1, json!(2)), employee(2, Value::Null)]));
    let (stub, bridge) = (personio(people).await, Bridge::spawn().await);
    // The HR system is picked first; nothing else is known yet, and leaving loses nothing.
    let mut file = json!({
        "name": "hr", "connector": "personio", "settings": { "base_url": stub.base_url },
        "schedule": { "every": "4h" },
    });
    put(&bridge, &file, "?incomplete=true").await;
    let begun = setup(&bridge).await;
    assert_eq!(begun["next"], "settings", "{begun}");
    assert_eq!(step(&begun, "connector")["done"], true);
    assert!(
        step(&begun, "settings")["said"]
            .as_str()
            .unwrap()
            .contains("client_secret")
    );
    assert_eq!(setup(&bridge).await, begun, "who comes back is where they were");
    let (status, refused) = answer(bridge.request(Method::POST, "/api/v1/connections/hr/publish")).await;
    assert!((400..500).contains(&status), "{refused}");

    // A wrong key is refused in words, a right one is confirmed; only then the next step comes.
    file["settings"]["client_id"] = json!("papi-1");
    file["settings"]["client_secret"] = json!("wrong-secret");
    assert_eq!(put(&bridge, &file, "").await.0, 200);
    assert_eq!(setup(&bridge).await["next"], "authorise");
    assert_eq!(
        bridge.post("/api/v1/connections/hr/check", &json!({})).await["ok"],
        false
    );
    let unproven = setup(&bridge).await;
    assert_eq!(unproven["next"], "authorise");
    assert!(
        step(&unproven, "authorise")["said"]
            .as_str()
            .unwrap()
            .starts_with("credentials")
    );
    file["settings"]["client_secret"] = json!(SECRET);
    put(&bridge, &file, "").await;
    assert_eq!(
        setup(&bridge).await["next"],
        "authorise",
        "other settings are to be proven anew"
    );
    assert_eq!(
        bridge.post("/api/v1/connections/hr/check", &json!({})).await["ok"],
        true
    );
    let proven = setup(&bridge).await;
    assert_eq!(proven["next"], "publish");
    assert!(
        step(&proven, "authorise")["said"]
            .as_str()
            .unwrap()
            .contains("answered at")
    );
    assert!(!proven.to_string().contains(SECRET));

    // By area: what would be read, what must be, and what to tick in the HR system.
    let field = |name: &str| {
        let fields = proven["fields"].as_array().unwrap();
        fields.iter().find(|field| field["name"] == name).unwrap().clone()
    };
    assert_eq!(field("work_email")["area"], "contact");
    assert_eq!(
        (&field("status")["required"], &field("status")["area"]),
        (&json!(true), &json!("employment"))
    );
    assert_eq!(
        (&field("gender")["chosen"], &field("gender")["sensitive"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(field("given_name")["filled"], 2);
    let tick = proven["tick"].to_string();
    assert!(
        tick.contains("/attributes/first_name/value") && !tick.contains("gender"),
        "{tick}"
    );

    // A mapping that cannot work stops the way; further attributes may be added; leaving steps out is said to be all right.
    file["mapping"] = json!({ "title": { "from": "employee.tittle" } });
    let (status, refused) = put(&bridge, &file, "").await;
    assert_eq!(
        (status, refused["errors"][0]["at"].as_str()),
        (422, Some("mapping.title.from")),
        "{refused}"
    );
    file["mapping"] = json!({ "nickName": { "from": "employee.given_name | upper" } });
    put(&bridge, &file, "").await;
    bridge.post("/api/v1/connections/hr/check", &json!({})).await;
    let mapped = setup(&bridge).await;
    let lines = mapped["mapping"].as_array().unwrap();
    assert!(
        lines
            .iter()
            .any(|line| line["attribute"] == "nickName" && line["policy"] == "overwrite")
    );
    for name in ["scope", "schedule", "preview"] {
        assert_eq!(step(&mapped, name)["optional"], true, "{name}");
    }
    assert_eq!(
        written(&bridge).await,
        0,
        "nothing is written before it is published"
    );

    // A look at what would be done, then it goes live and the first run starts by itself.
    bridge.post("/api/v1/connections/hr/publish", &json!({})).await;
    bridge.drain().await;
    let there = setup(&bridge).await;
    assert_eq!(
        (&there["next"], &there["last_run"]["counts"]["create"]),
        (&Value::Null, &json!(2)),
        "{there}"
    );
    assert_eq!(step(&there, "first_run")["done"], true);
    let users = bridge
        .get("/scim/v2/Users?filter=userName%20eq%20%22p1@acme.example%22")
        .await;
    assert_eq!(users["Resources"][0]["nickName"], "GIVEN1");
}

/// Covers: PROB-17, PROB-18, PROB-23
#[tokio::test]
async fn attributes_of_the_accounts_own_are_found_mapped_and_found_again_when_there_are_more() {
    let people = Arc::new(Mutex::new(vec![employee(1, json!(2)), employee(2, Value::Null)]));
    let (stub, bridge) = (personio(Arc::clone(&people)).await, Bridge::spawn().await);
    let mut file = json!({
        "name": "hr", "connector": "personio", "schedule": { "every": "4h" },
        "settings": { "base_url": stub.base_url, "client_id": "papi-1", "client_secret": SECRET },
    });
    assert_eq!(put(&bridge, &file, "").await.0, 200);
    let found = bridge.get("/api/v1/connections/hr/attributes").await;
    let named = |found: &Value, label: &str| {
        let items = found["items"].as_array().unwrap();
        items.iter().find(|item| item["label"] == label).cloned()
    };
    let kids = named(&found, "Kids at school").unwrap();
    assert_eq!(
        (&found["records"], &kids["filled"], &kids["field"], &kids["path"]),
        (
            &json!(2),
            &json!(1),
            &Value::Null,
            &json!("/attributes/dynamic_7/value")
        ),
    );
    assert_eq!(named(&found, "First name").unwrap()["field"], "given_name");
    assert!(!found.to_string().contains("Given1"), "no value is given out");

    file["custom"] =
        json!({ "kids": kids["path"], "pet": { "at": "/attributes/dynamic_8/value", "sensitive": true } });
    file["mapping"] = json!({ "nickName": { "from": "employee.custom.kids" } });
    assert_eq!(put(&bridge, &file, "?publish=true").await.0, 200);
    bridge.post("/api/v1/connections/hr/publish", &json!({})).await;
    bridge.drain().await;
    let nick = async || {
        let users = bridge
            .get("/scim/v2/Users?filter=userName%20eq%20%22p1@acme.example%22")
            .await;
        users["Resources"][0]["nickName"].clone()
    };
    assert_eq!(nick().await, "2");

    // Somebody adds an attribute in the HR system: it is there to be chosen, and the set-up is not begun anew.
    {
        let mut people = people.lock().unwrap();
        people[0]["attributes"]["dynamic_8"] = json!({ "label": "Pet", "value": "a-secret-dog" });
    }
    let again = bridge.get("/api/v1/connections/hr/attributes").await;
    assert_eq!(
        named(&again, "Pet").unwrap()["path"],
        "/attributes/dynamic_8/value"
    );
    file["mapping"] = json!({ "nickName": { "from": "employee.custom.pet" } });
    assert_eq!(put(&bridge, &file, "").await.0, 200);
    bridge.post("/api/v1/connections/hr/publish", &json!({})).await;
    bridge.drain().await;
    assert_eq!(nick().await, "a-secret-dog");
    let plain = bridge
        .count("SELECT count(*) FROM source_record WHERE employee::text LIKE '%a-secret-dog%'")
        .await;
    assert_eq!(plain, 0, "what is declared sensitive is sealed with the record");

    for (own, said) in [
        (json!({ "kids": "dynamic_7" }), "is no path"),
        (json!({ "9lives": "/a" }), "is no name"),
        (
            json!({ "kids": { "at": "/a", "colour": "red" } }),
            "data did not match",
        ),
    ] {
        file["custom"] = own;
        let (status, problem) = put(&bridge, &file, "").await;
        assert!(
            (400..500).contains(&status) && problem.to_string().contains(said),
            "{problem}"
        );
    }
}

/// Covers: LEAP-3, LEAP-4, LEAP-5
#[tokio::test]
async fn one_link_leads_to_the_sign_in_back_again_and_into_the_first_run() {
    let (vendor, bridge) = (AuthServer::start().await, consent::bridge().await);
    let mut file = vendor.connection("hr");
    file["schedule"] = json!({ "every": "4h" });
    file["read"] = json!({ "required": [] });
    assert_eq!(put(&bridge, &file, "").await.0, 200);
    assert_eq!(setup(&bridge).await["next"], "authorise");
    let link = async || {
        let order = json!({ "publish": true });
        let made = bridge.post("/api/v1/connections/hr/authorize", &order).await;
        made["link"].as_str().unwrap().to_owned()
    };
    let state = async || bridge.get("/api/v1/connections/hr").await["state"].clone();
    let visit = async |address: String| {
        http_client()
            .get(address)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    };

    // Somebody says no: a clear word, and nothing goes live.
    let asked = url::Url::parse(&link().await).unwrap();
    let token = asked
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    let denied = format!(
        "{}/oauth/callback?error=access_denied&state={token}",
        bridge.base_url
    );
    assert!(visit(denied).await.contains("did not agree"));
    assert_eq!(state().await, "draft");

    // Somebody says yes: the settings that were asked with are live, and the run is there without another click.
    let page = visit(vendor.agree(&link().await)).await;
    assert!(page.contains("you agreed"), "{page}");
    assert_eq!(state().await, "published");
    let runs = bridge.get("/api/v1/runs").await;
    assert_eq!(
        (
            &runs["items"][0]["cause"],
            runs["items"].as_array().unwrap().len()
        ),
        (&json!("publish"), 1)
    );

    // A draft that was changed after the link was made does not go live by it.
    file["schedule"] = json!({ "every": "6h" });
    put(&bridge, &file, "").await;
    let old = link().await;
    file["schedule"] = json!({ "every": "8h" });
    put(&bridge, &file, "").await;
    visit(vendor.agree(&old)).await;
    let shown = bridge.get("/api/v1/connections/hr").await;
    assert_ne!(shown["draft_revision"], Value::Null, "{shown}");
}

/// Covers: RG-4
#[tokio::test]
async fn dates_are_read_as_the_chosen_format_says_and_never_guessed() {
    let bridge = Bridge::spawn().await;
    let file = |format: &str| {
        json!({
            "name": "hr", "connector": "csv", "settings": { "path": "p.csv" }, "read": { "required": ["given_name"] },
            "fields": {
                "source_id": "Id", "given_name": "Name", "status": { "at": "Status", "words": { "in": "active" } },
                "work_email": "Mail", "first_day": { "at": "From", "date": format },
            },
        })
    };
    let run = async |format: &str, rows: &str| {
        put(&bridge, &file(format), "").await;
        bridge.post("/api/v1/connections/hr/publish", &json!({})).await;
        let upload = bridge.request(Method::PUT, "/api/v1/connections/hr/upload");
        good(
            upload
                .header("content-type", "text/csv")
                .body(format!("Id,Name,Mail,Status,From\n{rows}")),
        )
        .await;
        let run = bridge.post("/api/v1/connections/hr/runs", &json!({})).await;
        bridge.drain().await;
        run["id"].as_str().unwrap().to_owned()
    };
    let first_day = async || {
        let list = bridge
            .get("/scim/v2/Users?filter=userName%20eq%20%22a@acme.example%22")
            .await;
        list["Resources"][0]["urn:scim-bridge:params:scim:schemas:extension:hr:2.0:User"]["firstDay"].clone()
    };
    run("%d/%m/%Y", "1,Ann,a@acme.example,in,03/04/2026\n").await;
    assert_eq!(first_day().await, "2026-04-03");
    run("%m/%d/%Y", "1,Ann,a@acme.example,in,03/04/2026\n").await;
    assert_eq!(first_day().await, "2026-03-04");
    let id = run(
        "%m/%d/%Y",
        "1,Ann,a@acme.example,in,25/12/2026\n2,Bob,b@acme.example,in,04.05.2026\n",
    )
    .await;
    let told = bridge.get(&format!("/api/v1/runs/{id}/errors")).await;
    for (item, (id, line)) in told["items"].as_array().unwrap().iter().zip([("1", 2), ("2", 3)]) {
        assert_eq!(
            (&item["source_id"], &item["field"]),
            (&json!(id), &json!("first_day"))
        );
        assert_eq!(
            item["message"],
            format!("line {line}: is no date of the form %m/%d/%Y")
        );
    }
    assert_eq!(told["items"].as_array().unwrap().len(), 2, "{told}");
    assert_eq!(
        first_day().await,
        "2026-03-04",
        "what cannot be read changes nothing"
    );
    let bob = bridge
        .get("/scim/v2/Users?filter=userName%20eq%20%22b@acme.example%22")
        .await;
    assert_eq!(bob["totalResults"], 0, "who cannot be placed is not created");
}

/// Covers: LEAP-1, PAYH-19, RG-1, RG-8, PROB-6, PROB-7, PROB-13
#[tokio::test]
async fn every_hr_system_is_found_and_says_how_it_is_connected() {
    let bridge = Bridge::spawn().await;
    let found = bridge.get("/api/v1/connectors?q=people").await;
    assert!(
        found["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["key"] == "peoplehr"),
        "{found}"
    );
    let all = bridge.get("/api/v1/connectors").await;
    let all = all["items"].as_array().unwrap();
    assert!(all.len() >= 38);
    for name in [
        "PayFit",
        "PeopleHR",
        "Staffology",
        "Personio",
        "Workday",
        "SuccessFactors",
        "BambooHR",
        "AFAS",
        "HiBob",
        "Nmbrs",
        "Lucca",
        "Sage HR",
        "Rippling",
        "Deel",
        "Entra",
        "Google",
        "Okta",
        "Kombo",
        "Sandbox",
    ] {
        let query = name.replace(' ', "%20");
        let found = bridge.get(&format!("/api/v1/connectors?q={query}")).await;
        assert!(!found["items"].as_array().unwrap().is_empty(), "{name}");
    }
    for one in all {
        let key = one["key"].as_str().unwrap();
        assert!(one["guide"].as_str().unwrap().len() > 40, "{key} has no guide");
        assert!(
            one["limit_access"].as_str().unwrap().len() > 20,
            "{key} says nothing of limits"
        );
        if let Some(page) = one["page"].as_str() {
            let page = page.replace("{{ ", "").replace(" }}", "");
            assert_eq!(url::Url::parse(&page).unwrap().scheme(), "https", "{key}");
        }
        assert!(!one["facts"].as_array().unwrap().is_empty(), "{key}");
        if ["csv", "csv-sftp", "rest", "scim"].contains(&key) {
            continue;
        }
        let permissions = one["permissions"].as_array().map_or(0, Vec::len);
        assert!(
            permissions > 0 || one["settings"].as_array().unwrap().is_empty(),
            "{key} names no permissions"
        );
    }
    let people = bridge.get("/api/v1/connectors/peoplehr").await;
    let permissions = people["permissions"].to_string().to_lowercase();
    assert!(
        permissions.contains("employee") && !permissions.contains("salary"),
        "{permissions}"
    );
}
