//! userNames for people to whom IT gives the address.

use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Bridge, answer, with_json};
use crate::push::file as app_file;
use crate::sync_kit::{Company, apply, connected, connection_file, done, user};

/// People without an address in HR: their names decide.
fn company(names: &[(&str, &str)]) -> Company {
    let mut company = Company::of(names.len());
    for (n, (given, family)) in names.iter().enumerate() {
        let row = company.row(&(n + 1).to_string());
        (row.given, row.family) = ((*given).to_owned(), (*family).to_owned());
        row.email = String::new();
    }
    company
}

fn file() -> Value {
    let mut file = connection_file();
    file["fields"].as_object_mut().unwrap().remove("work_email");
    file["user_name"] = json!({ "pattern": "{given:1}.{family}", "reserved": ["a.dmin"] });
    file["authority"] = json!({ "emails": "client" });
    file
}

async fn names(bridge: &Bridge) -> Vec<String> {
    let rows = bridge.rows().await;
    let sql = "SELECT user_name FROM resource WHERE kind = 'User' AND tenant_id = $1 ORDER BY user_name";
    let rows = rows.query(sql, &[&bridge.tenant.uuid()]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn scim(bridge: &Bridge, method: Method, path: &str, body: &Value) -> (u16, Value) {
    answer(with_json(bridge.request(method, path), body)).await
}

fn at(user: &Value) -> String {
    format!("/scim/v2/Users/{}", user["id"].as_str().unwrap())
}

fn with_address(address: &str) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [
        { "op": "add", "path": "emails", "value": [{ "value": address, "type": "work", "primary": true }] } ] })
}

#[tokio::test]
async fn names_are_given_once_are_unique_for_ever_and_the_address_of_it_flows_to_apps() {
    let bridge = connected(&file()).await;
    let app = bridge.make_tenant("app").await;
    let token = bridge
        .make_token(app, "push", &scim_bridge::access::Scope::ALL)
        .await;
    let mut people = company(&[
        ("Jürgen", "Müller"),
        ("Julia", "Mueller"),
        ("Jan", "Müller"),
        ("Ada", "Dmin"),
        ("Łukasz", "Żółć"),
    ]);
    let first = done(&bridge, &people).await;
    assert_eq!(
        (
            first["counts"]["create"].clone(),
            first["counts"]["skipped"].clone()
        ),
        (json!(5), json!(0)),
        "{first}"
    );
    let given = ["a.dmin2", "j.mueller", "j.mueller2", "j.mueller3", "l.zolc"];
    assert_eq!(names(&bridge).await, given);
    // An unchanged run writes nothing.
    let changes = bridge.count("SELECT count(*) FROM change").await;
    done(&bridge, &people).await;
    assert_eq!(bridge.count("SELECT count(*) FROM change").await, changes);

    // IT gives the address, runs leave it alone, and it arrives in the app.
    let zolc = user(&bridge, "l.zolc").await;
    assert!(zolc["emails"].is_null(), "{zolc}");
    let told = bridge
        .get(&format!("/api/v1/users/{}/explain", zolc["id"].as_str().unwrap()))
        .await;
    let all = told["attributes"].as_array().unwrap();
    let name = all.iter().find(|one| one["path"] == "userName").unwrap();
    let line = &name["mapping"][0];
    assert_eq!(
        (&line["from"], &line["set_in"], &line["fields"][1]["at"]),
        (
            &json!("{given:1}.{family}"),
            &json!("user_name"),
            &json!(["Family"])
        ),
        "{name}"
    );
    assert_eq!(
        scim(
            &bridge,
            Method::PATCH,
            &at(&zolc),
            &with_address("l.zolc@acme.example")
        )
        .await
        .0,
        200
    );
    people.row("5").title = "Lead".to_owned();
    done(&bridge, &people).await;
    let zolc = user(&bridge, "l.zolc").await;
    assert_eq!(
        (zolc["emails"][0]["value"].as_str(), zolc["title"].as_str()),
        (Some("l.zolc@acme.example"), Some("Lead"))
    );
    let app = app_file(
        "app",
        &format!("{}/scim/v2", bridge.base_url),
        &json!({ "token": token }),
    );
    for (method, path, body) in [
        (Method::PUT, "/api/v1/apps/app", &app),
        (Method::POST, "/api/v1/apps/app/publish", &json!({})),
    ] {
        let (status, body) = scim(&bridge, method, path, body).await;
        assert_eq!(status, 200, "{body}");
    }
    bridge.drain().await;
    let theirs = bridge.request_as(
        &token,
        Method::GET,
        "/scim/v2/Users?filter=userName%20eq%20%22l.zolc%22",
    );
    let (_, theirs) = answer(theirs).await;
    assert_eq!(
        theirs["Resources"][0]["emails"][0]["value"], "l.zolc@acme.example",
        "{theirs}"
    );

    // A new name changes nothing of the userName. A deleted user's name is nobody else's, and theirs again when released.
    people.row("5").family = "Kowalski".to_owned();
    done(&bridge, &people).await;
    assert_eq!(user(&bridge, "l.zolc").await["name"]["familyName"], "Kowalski");
    let jan = user(&bridge, "j.mueller3").await;
    assert_eq!(scim(&bridge, Method::DELETE, &at(&jan), &json!({})).await.0, 204);
    let mut row = people.0["3"].clone();
    (row.id, row.number, row.given) = ("6".to_owned(), "E0006".to_owned(), "Jo".to_owned());
    people.add(row);
    done(&bridge, &people).await;
    assert_eq!(user(&bridge, "j.mueller4").await["name"]["givenName"], "Jo");
    assert!(user(&bridge, "j.mueller3").await.is_null());
    let released = format!("/api/v1/users/{}/release", jan["id"].as_str().unwrap());
    assert_eq!(scim(&bridge, Method::POST, &released, &json!({})).await.0, 200);
    done(&bridge, &people).await;
    assert_eq!(user(&bridge, "j.mueller3").await["name"]["givenName"], "Jan");

    // Told so, a new name gives a new userName; the old one stays reserved.
    let mut file = file();
    file["user_name"]["on_rename"] = json!("new");
    apply(&bridge, &file).await;
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
    let run = done(&bridge, &people).await;
    assert_eq!(run["counts"]["update"], 1, "the one who was renamed: {run}");
    assert_eq!(user(&bridge, "l.kowalski").await["title"], "Lead");
    let mut row = people.0["5"].clone();
    (row.id, row.number, row.family) = ("7".to_owned(), "E0007".to_owned(), "Zolc".to_owned());
    people.add(row);
    done(&bridge, &people).await;
    assert_eq!(user(&bridge, "l.zolc2").await["name"]["familyName"], "Zolc");
    assert!(user(&bridge, "l.zolc").await.is_null());
}

/// Covers: RG-14
#[tokio::test]
async fn rg_14_a_file_without_an_address_is_refused_unless_it_gives_it() {
    let bridge = Bridge::spawn().await;
    let refused = async |file: &Value| {
        let (status, problem) = scim(&bridge, Method::PUT, "/api/v1/connections/people", file).await;
        assert_eq!(status, 422, "{problem}");
        problem["errors"].to_string()
    };
    let mut lacking = connection_file();
    lacking["fields"].as_object_mut().unwrap().remove("work_email");
    let said = refused(&lacking).await;
    assert!(
        said.contains("work_email is missing") && said.contains("[user_name]"),
        "{said}"
    );
    let mut ignored = connection_file();
    ignored["mapping"] = json!({ "userName": { "policy": "ignore" } });
    assert!(refused(&ignored).await.contains("without a userName"));
    let mut both = file();
    both["mapping"] = json!({ "userName": { "from": "employee.employee_number" } });
    assert!(refused(&both).await.contains("leave the line out"));
    let mut wrong = file();
    wrong["user_name"]["pattern"] = json!("{surname}");
    let said = refused(&wrong).await;
    assert!(
        said.contains("user_name.pattern") && said.contains("{family}"),
        "{said}"
    );
    apply(&bridge, &file()).await;
    apply(&bridge, &connection_file()).await;

    // Where it is mapped and a person has none, no account is made, and that is said.
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
    let mut people = Company::of(3);
    people.row("2").email = String::new();
    let run = done(&bridge, &people).await;
    assert_eq!(
        (run["counts"]["create"].clone(), run["counts"]["skipped"].clone()),
        (json!(2), json!(1)),
        "{run}"
    );
    let errors = crate::sync_kit::said(&bridge, &run, "errors").await;
    assert_eq!(
        (errors[0]["source_id"].as_str(), errors[0]["field"].as_str()),
        (Some("2"), Some("work_email"))
    );
}
