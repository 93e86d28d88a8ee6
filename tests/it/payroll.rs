//! Our own extensions: facts of the employment, and payroll, whose values are given out to few.

use reqwest::Method;
use scim_bridge::access::Scope;
use serde_json::{Value, json};

use crate::kit::{Bridge, answer, with_json};
use crate::scim_resource::{query, text};
use crate::sync_kit::{self, Company, connected, connection_file, done, person, run_text};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const HR: &str = "urn:scim-bridge:params:scim:schemas:extension:hr:2.0:User";
const PAYROLL: &str = "urn:scim-bridge:params:scim:schemas:extension:payroll:2.0:User";
const IBAN: &str = "DE75512108001245126199";
const NATIONAL: &str = "65-170839-J-003";

/// One person with an account at a bank.
fn paid() -> (Value, String) {
    let mut file = connection_file();
    for (name, rule) in [
        ("national_id", json!("National")),
        ("birth_date", json!({ "at": "Born", "date": "%Y-%m-%d" })),
        ("bank_accounts", json!({ "iban": "Iban", "holder": "Holder" })),
    ] {
        file["fields"][name] = rule;
    }
    file["read"] = json!({ "optional": ["national_id", "birth_date", "bank_accounts", "work_email", "given_name", "family_name"] });
    let csv = format!(
        "Id,Number,Given,Family,Email,Title,Department,Manager,Status,From,To,National,Born,Iban,Holder\n\
         1,E1,Ann,Brook,ann@acme.example,Engineer,Ops,,Current,2020-01-01,,{NATIONAL},1990-05-04,{IBAN},Ann Brook\n"
    );
    (file, csv)
}

async fn with_payroll(bridge: &Bridge) {
    let document = json!({ "name": "User", "schemaExtensions": [{ "schema": PAYROLL, "required": false }] });
    bridge.post("/api/v1/schemas", &document).await;
}

/// Covers: rfc 6.60, 6.62; item 2
#[tokio::test]
async fn bank_details_are_given_out_on_request_and_to_the_scope_only() {
    let (file, csv) = paid();
    let bridge = connected(&file).await;
    let run = run_text(&bridge, &csv).await;
    assert_eq!(run["state"], "done", "{run}");
    let user = sync_kit::user(&bridge, "ann@acme.example").await;
    let one = format!("/scim/v2/Users/{}", text(&user, "/id"));
    let asked = format!("{one}?attributes=userName,{PAYROLL}");

    // A tenant that did not ask for it has no such attribute.
    assert_eq!(bridge.get(&asked).await[PAYROLL], Value::Null);
    with_payroll(&bridge).await;
    let user = bridge.get(&asked).await;
    assert_eq!(
        user[PAYROLL],
        json!({
            "nationalId": NATIONAL, "birthDate": "1990-05-04",
            "bankAccounts": [{ "iban": IBAN, "holder": "Ann Brook" }],
        })
    );
    assert_eq!(user["schemas"], json!([USER, ENTERPRISE, HR, PAYROLL]));
    let part = bridge
        .get(&format!("{one}?attributes={PAYROLL}:bankAccounts.iban"))
        .await;
    assert_eq!(part[PAYROLL], json!({ "bankAccounts": [{ "iban": IBAN }] }));
    let list = bridge
        .get(&format!("/scim/v2/Users?attributes={PAYROLL}:nationalId"))
        .await;
    assert_eq!(list["Resources"][0][PAYROLL], json!({ "nationalId": NATIONAL }));

    for path in [
        one.clone(),
        "/scim/v2/Users".to_owned(),
        format!("{one}?excludedAttributes=title"),
    ] {
        let whole = bridge.get(&path).await.to_string();
        assert!(
            !whole.contains(IBAN) && !whole.contains(NATIONAL),
            "{path}: {whole}"
        );
    }
    let scopes = [
        Scope::ScimRead,
        Scope::ScimWrite,
        Scope::Admin,
        Scope::ProvisioningRead,
    ];
    let other = bridge.make_token(bridge.tenant, "no secrets", &scopes).await;
    let (status, user) = answer(bridge.request_as(&other, Method::GET, &asked)).await;
    assert_eq!(
        (status, &user["userName"], &user[PAYROLL]),
        (200, &json!("ann@acme.example"), &Value::Null)
    );

    bridge.drain().await;
    for table in [
        "resource",
        "resource_key",
        "change",
        "audit_entry",
        "source_record",
        "account",
        "operation",
    ] {
        let found = bridge
            .count(&format!(
                "SELECT count(*) FROM {table} t WHERE t::text LIKE '%{IBAN}%' OR t::text LIKE '%{NATIONAL}%'"
            ))
            .await;
        assert_eq!(found, 0, "{table} holds what is sealed");
    }
    bridge.stop().await;
}

/// Covers: rfc 3.9, 6.25; item 2
#[tokio::test]
async fn what_is_sensitive_is_neither_filtered_nor_sorted_by_nor_written() {
    let bridge = Bridge::spawn().await;
    with_payroll(&bridge).await;
    let iban = format!("{PAYROLL}:bankAccounts[iban eq \"{IBAN}\"]");
    let national = format!("{PAYROLL}:nationalId");
    for query in [
        query("/scim/v2/Users", &[("filter", &iban)]),
        query("/scim/v2/Users", &[("filter", &format!("not ({national} pr)"))]),
        query(
            "/scim/v2/Users",
            &[("filter", &format!("userName pr or {national} sw \"6\""))],
        ),
        query("/scim/v2", &[("filter", &format!("{national} eq \"6\""))]),
        query("/scim/v2/Users", &[("sortBy", &national)]),
    ] {
        let (status, refused) = answer(bridge.request(Method::GET, &query)).await;
        assert_eq!(
            (status, text(&refused, "/scimType")),
            (403, "sensitive"),
            "{query}"
        );
        assert!(!text(&refused, "/detail").contains(IBAN));
    }
    let body = json!({ "schemas": [USER, PAYROLL], "userName": "ann", PAYROLL: { "nationalId": NATIONAL } });
    let ann = bridge.post("/scim/v2/Users", &body).await;
    assert_eq!(ann["schemas"], json!([USER]));
    let one = format!("/scim/v2/Users/{}", text(&ann, "/id"));
    for operation in [
        json!({ "op": "add", "path": national, "value": NATIONAL }),
        json!({ "op": "remove", "path": PAYROLL }),
    ] {
        let patch = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation],
        });
        let (status, refused) = answer(with_json(bridge.request(Method::PATCH, &one), &patch)).await;
        assert_eq!(
            (status, text(&refused, "/scimType")),
            (400, "mutability"),
            "{patch}"
        );
    }
    let kept = bridge
        .count(&format!(
            "SELECT count(*) FROM resource r, change c WHERE r::text || c::text LIKE '%{NATIONAL}%'"
        ))
        .await;
    assert_eq!(kept, 0);
    bridge.stop().await;
}

/// Covers: rfc 4.7; item 2
#[tokio::test]
async fn a_client_says_the_kind_of_employment_only_of_people_unknown_to_hr() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(2);
    done(&bridge, &company).await;
    let contractor = json!({
        "schemas": [USER, HR], "userName": "con", HR: { "employmentType": "contractor", "state": "left", "firstDay": "2020-01-01" },
    });
    let made = bridge.post("/scim/v2/Users", &contractor).await;
    assert_eq!(made[HR], json!({ "employmentType": "contractor" }));
    // Not to know of it is not to clear it.
    let one = format!("/scim/v2/Users/{}", text(&made, "/id"));
    let whole = json!({ "schemas": [USER], "userName": "con", "title": "x" });
    let (status, put) = answer(with_json(bridge.request(Method::PUT, &one), &whole)).await;
    assert_eq!((status, &put[HR]["employmentType"]), (200, &json!("contractor")));

    let employee = person(&bridge, 1).await;
    let facts = employee[HR].clone();
    let patch = |path: &str| {
        json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "replace", "path": format!("{HR}:{path}"), "value": "intern" }],
        })
    };
    let one = format!("/scim/v2/Users/{}", text(&employee, "/id"));
    let ask = |path: &str| with_json(bridge.request(Method::PATCH, &one), &patch(path));
    assert_eq!(answer(ask("employmentType")).await.0, 200);
    let (status, refused) = answer(ask("lastDay")).await;
    assert_eq!((status, text(&refused, "/scimType")), (400, "mutability"));
    company.row("2").title = "Lead".to_owned();
    done(&bridge, &company).await;
    assert_eq!(person(&bridge, 1).await[HR], facts);
    bridge.stop().await;
}
