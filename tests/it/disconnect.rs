//! Cutting a connection, credentials that are never shown again, and the rotation of the master key.

use reqwest::Method;
use scim_bridge::base::Sealer;
use scim_bridge::privacy::{self, Asked};
use serde_json::{Value, json};

use crate::kit::{Answer, Bridge, Settings, Stub, answer, with_json};
use crate::push::command_line;
use crate::sync_kit::{Company, active_users, apply, connection_file, done, person, run_again, show};

/// An HR system that speaks as Personio does, with three people.
async fn personio() -> Stub {
    let stub = Stub::start().await;
    stub.rule(|request| {
        let text = |value: &str| json!({ "label": "x", "value": value });
        let one = |n: u32| {
            json!({ "type": "Employee", "attributes": {
                "id": { "label": "ID", "value": n }, "first_name": text("Given"), "last_name": text("Family"),
                "email": text(&format!("person{n}@acme.example")), "status": text("active"),
                "hire_date": text("2020-01-01T00:00:00+00:00"), "termination_date": { "label": "x", "value": null },
                "supervisor": { "label": "x", "value": null },
            } })
        };
        Some(match request.path.as_str() {
            "/v1/auth" => Answer::json(200, &json!({ "success": true, "data": { "token": "t" } })),
            "/v1/company/employees" => Answer::json(
                200,
                &json!({ "success": true, "metadata": { "total_elements": 3, "current_page": 0, "total_pages": 1 },
                         "data": [one(1), one(2), one(3)] }),
            ),
            _ => Answer::status(404),
        })
    });
    stub
}

fn of(stub: &Stub, secret: &str) -> Value {
    json!({
        "name": "people", "connector": "personio",
        "settings": { "client_id": "c", "client_secret": secret, "base_url": stub.base_url },
        "read": { "optional": ["given_name", "family_name", "work_email"] },
    })
}

async fn publish(bridge: &Bridge, file: &Value) {
    apply(bridge, file).await;
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prob_20_rg_9_rg_11_a_connection_is_cut_its_secret_destroyed_and_its_accounts_dealt_with_as_asked() {
    let (stub, bridge) = (personio().await, Bridge::spawn().await);
    publish(&bridge, &of(&stub, "hush-hush-4711")).await;
    let run = run_again(&bridge, false).await;
    assert_eq!(run["state"], "done", "{run}");
    assert_eq!(active_users(&bridge).await, 3);

    // The secret is shown as a fingerprint alone: the same for the same secret, another for another.
    let shown = bridge.get("/api/v1/connections/people").await;
    let print = shown["credentials"]["client_secret"].as_str().unwrap().to_owned();
    assert!(
        print.len() == 12 && !shown.to_string().contains("hush-hush"),
        "{shown}"
    );
    publish(&bridge, &of(&stub, "hush-hush-0815")).await;
    let other = bridge.get("/api/v1/connections/people").await;
    assert_ne!(other["credentials"]["client_secret"], print);
    for path in ["/export", "/revisions", ""] {
        let body = bridge.request(Method::GET, &format!("/api/v1/connections/people{path}"));
        let body = body.send().await.unwrap().text().await.unwrap();
        assert!(!body.contains("hush-hush"), "{path}: {body}");
    }

    // What becomes of the accounts must be said.
    let path = "/api/v1/connections/people/disconnect";
    let (status, _) = answer(with_json(bridge.request(Method::POST, path), &json!({}))).await;
    assert_eq!(status, 400);
    let asked = command_line::run(&bridge, &["connection", "disconnect", "people"]).await;
    assert!(String::from_utf8_lossy(&asked.stderr).contains("--accounts"));

    // A run that is waiting is cancelled, and the next is refused; nothing is left of the secret; users stay.
    let waiting = bridge.post("/api/v1/connections/people/runs", &json!({})).await;
    let cut = command_line::json_of(
        &bridge,
        &[
            "connection",
            "disconnect",
            "people",
            "--accounts",
            "keep",
            "--json",
        ],
    )
    .await;
    assert_eq!((&cut["state"], &cut["run"]), (&json!("paused"), &Value::Null));
    assert_eq!(show(&bridge, &waiting).await["state"], "cancelled");
    let sealed = "SELECT (SELECT count(*) FROM setting_revision WHERE sealed IS NOT NULL) + (SELECT count(*) FROM vendor_token)";
    assert_eq!(bridge.count(sealed).await, 0);
    let (status, body) = answer(with_json(
        bridge.request(Method::POST, "/api/v1/connections/people/runs"),
        &json!({}),
    ))
    .await;
    assert_eq!(status, 409, "{body}");
    let (status, body) = answer(with_json(
        bridge.request(Method::POST, "/api/v1/connections/people/publish"),
        &json!({}),
    ))
    .await;
    assert_eq!(status, 422, "without its secret it cannot work again: {body}");
    stub.take_received();
    bridge.drain().await;
    assert!(
        stub.take_received().is_empty(),
        "the HR system hears nothing any more"
    );
    assert_eq!(active_users(&bridge).await, 3);

    // Disabling everybody is a plan that waits for an approval, with no effect before.
    let cut = bridge.post(path, &json!({ "accounts": "disable" })).await;
    bridge.drain().await;
    let run = show(&bridge, &json!({ "id": cut["run"] })).await;
    assert_eq!(run["state"], "awaiting_approval", "{run}");
    assert_eq!(run["counts"]["disable"], 3, "{run}");
    assert_eq!(active_users(&bridge).await, 3);
    let approve = format!("/api/v1/runs/{}/approve", run["id"].as_str().unwrap());
    bridge.post(&approve, &json!({ "plan": run["plan_hash"] })).await;
    bridge.drain().await;
    assert_eq!(active_users(&bridge).await, 0);
    assert!(stub.take_received().is_empty());

    // Connecting again goes on where it stopped: the same people, the same users.
    let before = person(&bridge, 2).await["id"].clone();
    publish(&bridge, &of(&stub, "hush-hush-2")).await;
    let run = run_again(&bridge, false).await;
    assert_eq!(run["state"], "done", "{run}");
    assert_eq!(active_users(&bridge).await, 3);
    assert_eq!(person(&bridge, 2).await["id"], before);
    assert_eq!(bridge.count("SELECT count(*) FROM person").await, 3);

    // And removing takes the users away.
    let cut = bridge.post(path, &json!({ "accounts": "remove" })).await;
    bridge.drain().await;
    let run = show(&bridge, &json!({ "id": cut["run"] })).await;
    let approve = format!("/api/v1/runs/{}/approve", run["id"].as_str().unwrap());
    bridge.post(&approve, &json!({ "plan": run["plan_hash"] })).await;
    bridge.drain().await;
    assert!(person(&bridge, 2).await.is_null());
}

/// Covers: item 9
#[tokio::test]
async fn everything_is_sealed_anew_under_the_first_master_key_and_the_old_one_may_go() {
    let (old, new) = (Sealer::new_key(), Sealer::new_key());
    let settings = Settings {
        environment: vec![("SCIM_BRIDGE_MASTER_KEY", old.clone())],
        ..Settings::default()
    };
    let bridge = Bridge::spawn_with(settings).await;
    let mut file = connection_file();
    file["fields"]["gender"] = json!("Department");
    file["read"] =
        json!({ "optional": ["given_name", "family_name", "work_email", "title", "department", "gender"] });
    apply(&bridge, &file).await;
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
    done(&bridge, &Company::of(3)).await;
    let stub = personio().await;
    let mut second = of(&stub, "hush");
    second["name"] = json!("second");
    apply(&bridge, &second).await;

    // Over the API it is an operator's work; with one key there is nothing to do.
    let operator = bridge.make_operator_token().await;
    let rotate = |token: &str| {
        let request = bridge.request_as(token, Method::POST, "/api/v1/keys/rotate");
        answer(with_json(request, &json!({})))
    };
    assert_eq!(rotate(&bridge.token).await.0, 403);
    assert_eq!(rotate(&operator).await.1, json!({ "resealed": 0, "more": false }));

    let both = Sealer::from_list(&format!("{new},{old}")).unwrap();
    let mut conn = bridge.conn().await;
    let first = privacy::rotate(&mut conn, &both).await.unwrap();
    // Three records, the file that was handed in, a secret.
    assert_eq!((first.resealed, first.more), (5, false));
    assert_eq!(privacy::rotate(&mut conn, &both).await.unwrap().resealed, 0);

    // The new key alone opens everything now, and the old one nothing.
    let user = bridge.get("/api/v1/users?email=person2@acme.example").await;
    let asked = Asked {
        tenant: bridge.tenant,
        id: user["items"][0]["id"].as_str().unwrap().parse().unwrap(),
        shows_sensitive: true,
    };
    let alone = Sealer::from_list(&new).unwrap();
    let all = privacy::export(&mut conn, &alone, asked).await.unwrap();
    assert_eq!(all["held"]["records"][0]["employee"]["gender"], "Dept 0", "{all}");
    let gone = Sealer::from_list(&old).unwrap();
    assert!(privacy::export(&mut conn, &gone, asked).await.is_err());
}

/// Personio's list, as it was promised: every field by its place in Personio's own record.
#[test]
fn prob_22_the_personio_manifest_reads_every_attribute_that_was_promised() {
    let catalogue = scim_bridge::connector::Catalogue::load(None).unwrap();
    let personio = catalogue.get("personio").unwrap();
    let promised = [
        ("given_name", "/attributes/first_name/value"),
        ("family_name", "/attributes/last_name/value"),
        ("work_email", "/attributes/email/value"),
        ("status", "/attributes/status/value"),
        (
            "employee_number",
            "/attributes, where /label is {{ employee_number_label }} or Personalnummer: /value",
        ),
        ("employment_type", "/attributes/employment_type/value"),
        ("first_day", "/attributes/hire_date/value"),
        ("last_day", "/attributes/termination_date/value"),
        ("gender", "/attributes/gender/value"),
        (
            "marital_status",
            "/attributes, where /label is {{ marital_status_label }}: /value",
        ),
        (
            "children",
            "/attributes, where /label is {{ children_label }}: /value",
        ),
    ];
    for (field, place) in promised {
        assert_eq!(personio.stands(field, None), [place], "{field}");
    }
    assert_eq!(
        personio.stands("entity", Some("name")),
        ["/attributes/subcompany/value/attributes/name"],
        "company"
    );
    let fields = personio.fields();
    for sensitive in ["gender", "marital_status", "children"] {
        let field = fields.iter().find(|field| field.name == sensitive).unwrap();
        assert!(field.sensitive && !field.required, "{sensitive}");
        assert!(!personio.default_optional().contains(&sensitive.to_owned()));
    }
}

#[tokio::test]
async fn a_connection_that_is_paused_says_whose_days_pass_without_effect() {
    let bridge = crate::sync_kit::connected(&connection_file()).await;
    bridge.clock.set("2026-11-20T12:00:00Z");
    let mut company = Company::of(6);
    done(&bridge, &company).await;
    company.row("5").last_day = "2026-11-25".to_owned();
    done(&bridge, &company).await;
    let pause = "/api/v1/connections/people/pause";
    let said = bridge.post(pause, &json!({})).await["without_effect"].clone();
    assert_eq!(said["people"], 1, "{said}");
    assert!(
        said["first_at"].as_str().unwrap().starts_with("2026-11-26T"),
        "{said}"
    );
    let shown = bridge.get("/api/v1/connections/people").await;
    assert_eq!(shown["without_effect"], said);
    let cut = "/api/v1/connections/people/disconnect";
    let cut = bridge.post(cut, &json!({ "accounts": "keep" })).await;
    assert_eq!(cut["without_effect"], said, "{cut}");

    bridge.clock.set("2026-11-27T12:00:00Z");
    bridge.drain().await;
    assert_eq!(
        active_users(&bridge).await,
        6,
        "nothing happens while it is paused"
    );
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
    bridge.drain().await;
    assert_eq!(active_users(&bridge).await, 5, "what is overdue happens at once");
    let works = bridge.get("/api/v1/connections/people").await;
    assert!(works["without_effect"].is_null(), "{works}");
}
