//! A tenant's own schemas and resource types, through the whole protocol.

use reqwest::Method;
use scim_bridge::access::Scope;
use serde_json::{Value, json};

use crate::kit::{Bridge, answer, with_json};
use crate::push::command_line;
use crate::scim_resource::{query, text};
use crate::sync_kit::{self, Company, connection_file};

pub const DEVICE: &str = "urn:example:params:scim:schemas:acme:1.0:Device";
const ASSET: &str = "urn:example:params:scim:schemas:extension:acme:1.0:Asset";
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const BADGE: &str = "urn:example:params:scim:schemas:extension:acme:1.0:User";

pub const DEVICES_FILE: &str = "tests/fixtures/schemas/devices.json";
pub const BADGE_FILE: &str = "tests/fixtures/schemas/badge.toml";

/// A file of the fixtures as the API takes it.
pub fn document(file: &str) -> Value {
    let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    if file.ends_with(".toml") {
        toml::from_str(&text).unwrap()
    } else {
        serde_json::from_str(&text).unwrap()
    }
}

/// Gives users a badge.
pub async fn with_badge(bridge: &Bridge) {
    bridge.post("/api/v1/schemas", &document(BADGE_FILE)).await;
}

pub async fn found(bridge: &Bridge, path: &str, filter: &str) -> Vec<String> {
    let list = bridge.get(&query(path, &[("filter", filter)])).await;
    list["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| text(one, "/id").to_owned())
        .collect()
}

pub async fn errors(bridge: &Bridge, document: &Value) -> (u16, Vec<String>) {
    let request = with_json(bridge.request(Method::POST, "/api/v1/schemas"), document);
    let (status, body) = answer(request).await;
    let errors = body["errors"].as_array().cloned().unwrap_or_default();
    let lines = errors
        .iter()
        .map(|error| format!("{}: {}", text(error, "/at"), text(error, "/message")))
        .collect();
    (status, lines)
}

/// Covers: rfc 10.1, 10.5, 10.6, 11.2; item 2
#[tokio::test(flavor = "multi_thread")]
async fn a_made_up_resource_type_goes_through_the_whole_protocol() {
    let bridge = Bridge::spawn().await;
    let other = bridge.make_tenant("other").await;
    let other = bridge.make_token(other, "tests", &Scope::ALL).await;
    let before = answer(bridge.request(Method::GET, "/scim/v2/Devices")).await;
    assert_eq!(before.0, 404);
    let applied = command_line::json_of(&bridge, &["schema", "apply", DEVICES_FILE, "--json"]).await;
    let outcomes: Vec<&str> = applied["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| text(one, "/outcome"))
        .collect();
    assert_eq!(outcomes, ["created"; 3]);
    let again = command_line::json_of(&bridge, &["schema", "apply", DEVICES_FILE, "--json"]).await;
    assert!(
        again["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["outcome"] == "unchanged")
    );

    let kind = bridge.get("/scim/v2/ResourceTypes/Device").await;
    assert_eq!(kind["endpoint"], "/Devices");
    assert_eq!(
        kind["schemaExtensions"],
        json!([{ "schema": ASSET, "required": false }])
    );
    let schema = bridge.get(&format!("/scim/v2/Schemas/{DEVICE}")).await;
    assert_eq!(schema["attributes"][1]["mutability"], "readWrite");
    assert_eq!(schema["meta"]["resourceType"], "Schema");

    let id = create_and_change(&bridge).await;
    look_for(&bridge, &id).await;

    for path in [
        "/scim/v2/Devices".to_owned(),
        format!("/scim/v2/Devices/{id}"),
        "/scim/v2/ResourceTypes/Device".to_owned(),
        format!("/scim/v2/Schemas/{DEVICE}"),
    ] {
        let (status, _) = answer(bridge.request_as(&other, Method::GET, &path)).await;
        assert_eq!(status, 404, "{path}");
    }
    let list = bridge.request_as(&other, Method::GET, "/scim/v2/ResourceTypes");
    assert_eq!(answer(list).await.1["totalResults"], 2);
    let open = bridge
        .http
        .get(format!("{}/scim/v2/ResourceTypes", bridge.base_url));
    assert_eq!(answer(open).await.1["totalResults"], 2);

    let one = format!("/scim/v2/Devices/{id}");
    assert_eq!(answer(bridge.request(Method::DELETE, &one)).await.0, 204);
    assert_eq!(answer(bridge.request(Method::GET, &one)).await.0, 404);
    bridge.stop().await;
}

async fn create_and_change(bridge: &Bridge) -> String {
    let body = json!({
        "schemas": [DEVICE, ASSET], "serialNumber": "S-1a", "displayName": "Loan 1", "externalId": "d1",
        "bought": "2026-01-31T12:00:00+02:00", "price": 12.5, "slots": 4, "retired": false, "tags": ["red", "Blue"],
        "batch": "7", "pin": "4711", "notes": "dented", "sensors": [{ "value": "h1", "type": "heat" }],
        ASSET: { "costCode": "K9", "room": "B-2" },
    });
    let made = bridge.post("/scim/v2/Devices", &body).await;
    let id = text(&made, "/id").to_owned();
    assert_eq!(made["meta"]["resourceType"], "Device");
    assert!(text(&made, "/meta/location").ends_with(&format!("/scim/v2/Devices/{id}")));
    assert_eq!((&made["pin"], &made["notes"]), (&Value::Null, &Value::Null));
    assert_eq!(made[ASSET]["costCode"], "K9");
    let one = format!("/scim/v2/Devices/{id}");
    let noted = bridge.get(&format!("{one}?attributes=notes")).await;
    assert_eq!(
        (&noted["notes"], &noted["slots"]),
        (&json!("dented"), &Value::Null)
    );

    for (what, body, scim_type) in [
        ("no serialNumber", json!({ "schemas": [DEVICE] }), "invalidValue"),
        (
            "a fraction",
            json!({ "schemas": [DEVICE], "serialNumber": "x", "slots": 1.5 }),
            "invalidValue",
        ),
        (
            "no time",
            json!({ "schemas": [DEVICE], "serialNumber": "x", "bought": "2026-01-31" }),
            "invalidValue",
        ),
    ] {
        let (status, refused) =
            answer(with_json(bridge.request(Method::POST, "/scim/v2/Devices"), &body)).await;
        assert_eq!((status, text(&refused, "/scimType")), (400, scim_type), "{what}");
    }

    let patch = |operations: Value| {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations,
        });
        with_json(bridge.request(Method::PATCH, &one), &body)
    };
    let (status, changed) = answer(patch(json!([
        { "op": "add", "path": "sensors", "value": [{ "value": "l1", "type": "light", "primary": true }] },
        { "op": "replace", "path": format!("{ASSET}:room"), "value": "C-3" },
        { "op": "remove", "path": "tags" },
        { "op": "replace", "path": "sensors[type eq \"heat\"].value", "value": "h2" },
    ])))
    .await;
    assert_eq!(status, 200, "{changed}");
    assert_eq!(
        (&changed["tags"], &changed[ASSET]["room"]),
        (&Value::Null, &json!("C-3"))
    );
    assert_eq!(changed["sensors"][0]["value"], "h2");
    let (status, refused) = answer(patch(json!([{ "op": "replace", "path": "batch", "value": "8" }]))).await;
    assert_eq!((status, text(&refused, "/scimType")), (400, "mutability"));

    let mut whole = body.clone();
    whole["tags"] = json!(["green"]);
    let (status, put) = answer(with_json(bridge.request(Method::PUT, &one), &whole)).await;
    assert_eq!((status, &put["tags"]), (200, &json!(["green"])));
    id
}

async fn look_for(bridge: &Bridge, id: &str) {
    for filter in [
        "serialNumber eq \"S-1a\"",
        "displayName sw \"loan\"",
        "bought eq \"2026-01-31T10:00:00Z\"",
        "price gt 12",
        "slots eq 4 and retired eq false",
        "tags eq \"GREEN\"",
        "sensors[type eq \"heat\" and value eq \"h1\"]",
        &format!("{ASSET}:costCode eq \"k9\""),
        &format!("{DEVICE}:slots pr"),
        "costCode eq \"K9\"",
        "externalId eq \"d1\"",
    ] {
        assert_eq!(found(bridge, "/scim/v2/Devices", filter).await, [id], "{filter}");
    }
    for filter in ["serialNumber eq \"s-1A\"", "tags eq \"red\""] {
        assert!(
            found(bridge, "/scim/v2/Devices", filter).await.is_empty(),
            "{filter}"
        );
    }
    for filter in ["pin eq \"4711\"", "userName eq \"x\"", "retired gt true"] {
        let path = query("/scim/v2/Devices", &[("filter", filter)]);
        let (status, refused) = answer(bridge.request(Method::GET, &path)).await;
        assert_eq!(
            (status, text(&refused, "/scimType")),
            (400, "invalidFilter"),
            "{filter}"
        );
    }
    let second = json!({ "schemas": [DEVICE], "serialNumber": "S-2", "slots": 1 });
    let second = bridge.post("/scim/v2/Devices", &second).await;
    let sorted = bridge
        .get(&query(
            "/scim/v2/Devices",
            &[("sortBy", "slots"), ("attributes", "slots")],
        ))
        .await;
    let slots: Vec<&Value> = sorted["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["slots"])
        .collect();
    assert_eq!(slots, [&json!(1), &json!(4)]);
    let search = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": "slots ge 1", "count": 1,
    });
    for path in ["/scim/v2/Devices/.search", "/scim/v2/.search"] {
        let list = bridge.post(path, &search).await;
        assert_eq!(
            (&list["totalResults"], &list["itemsPerPage"]),
            (&json!(2), &json!(1)),
            "{path}"
        );
    }
    assert_eq!(
        found(bridge, "/scim/v2", "meta.resourceType eq \"Device\"")
            .await
            .len(),
        2
    );
    let gone = format!("/scim/v2/Devices/{}", text(&second, "/id"));
    assert_eq!(answer(bridge.request(Method::DELETE, &gone)).await.0, 204);
}

/// Covers: rfc 1.2, 1.3, 1.17, 2.6, 6.23, 6.62; item 2
#[tokio::test]
async fn an_attribute_that_a_tenant_adds_is_used_at_once() {
    let bridge = Bridge::spawn().await;
    let early = json!({ "schemas": [USER], "userName": "early", BADGE: { "badge": "lost" } });
    let early = bridge.post("/scim/v2/Users", &early).await;
    assert_eq!(early[BADGE], Value::Null);
    with_badge(&bridge).await;
    // What was unknown when it was written was not kept, so there is nothing to be found of it.
    let filter = format!("{BADGE}:badge pr");
    assert!(found(&bridge, "/scim/v2/Users", &filter).await.is_empty());
    let body = json!({
        "schemas": [USER], "userName": "ann", BADGE.to_uppercase(): { "BADGE": "b7", "parking": { "lot": "P1", "level": 2 } },
    });
    let ann = bridge.post("/scim/v2/Users", &body).await;
    assert_eq!(ann["schemas"], json!([USER, BADGE]));
    assert_eq!(
        ann[BADGE],
        json!({ "badge": "b7", "parking": { "lot": "P1", "level": 2 } })
    );
    let id = text(&ann, "/id");
    for filter in [
        format!("{BADGE}:badge eq \"B7\""),
        "badge eq \"B7\"".to_owned(),
        format!("{BADGE}:parking.level gt 1 and userName sw \"a\""),
        format!("{BADGE}:parking[lot eq \"p1\"]"),
    ] {
        assert_eq!(found(&bridge, "/scim/v2/Users", &filter).await, [id], "{filter}");
    }
    let early = format!("/scim/v2/Users/{}", text(&early, "/id"));
    let patch = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "add", "path": format!("{BADGE}:badge"), "value": "B8" }],
    });
    let (status, patched) = answer(with_json(bridge.request(Method::PATCH, &early), &patch)).await;
    assert_eq!((status, &patched[BADGE]["badge"]), (200, &json!("B8")));
    let cut = bridge.get(&format!("{early}?attributes={BADGE}:badge")).await;
    assert_eq!(
        (&cut[BADGE]["badge"], &cut["userName"]),
        (&json!("B8"), &Value::Null)
    );
    let sorted = query(
        "/scim/v2/Users",
        &[("sortBy", &format!("{BADGE}:badge")), ("sortOrder", "descending")],
    );
    assert_eq!(bridge.get(&sorted).await["Resources"][0]["userName"], "early");
    bridge.stop().await;
}

/// Covers: rfc 1.6, 1.11; item 2
#[tokio::test(flavor = "multi_thread")]
async fn definitions_that_cannot_work_are_refused_with_their_place() {
    let bridge = Bridge::spawn().await;
    let schema = |attributes: Value| json!({ "id": BADGE, "attributes": attributes });
    let complex = json!([{ "name": "a", "type": "complex", "subAttributes": [
        { "name": "b", "type": "complex", "subAttributes": [{ "name": "c" }] },
    ] }]);
    for (document, said) in [
        (json!({}), ": is neither"),
        (json!([]), ": there is no definition"),
        (
            json!({ "id": "badge", "attributes": [{ "name": "a" }] }),
            "id: is no URN",
        ),
        (
            json!({ "id": "urn:x y:z", "attributes": [{ "name": "a" }] }),
            "id: is no URN",
        ),
        (
            json!({ "id": USER, "attributes": [{ "name": "a" }] }),
            "belongs to the protocol",
        ),
        (
            json!({ "id": "urn:ietf:params:scim:api:messages:2.0:X", "attributes": [{ "name": "a" }] }),
            "belongs to the protocol",
        ),
        (schema(json!([])), "attributes: is empty"),
        (
            schema(json!([{ "name": "1a" }])),
            "attributes[0].name: is no attribute name",
        ),
        (
            schema(json!([{ "name": "a" }, { "name": "A" }])),
            "attributes[1].name: stands there twice",
        ),
        (
            schema(json!([{ "name": "a", "type": "text" }])),
            "attributes[0].type: is one of string, boolean",
        ),
        (
            schema(json!([{ "name": "a", "multivalued": true }])),
            "attributes[0].multivalued: is not known",
        ),
        (
            schema(json!([{ "name": "a", "multiValued": 1 }])),
            "attributes[0].multiValued: takes true or false",
        ),
        (
            schema(json!([{ "name": "a", "returned": "sometimes" }])),
            "attributes[0].returned: is one of",
        ),
        (
            schema(json!([{ "name": "a", "mutability": "once" }])),
            "attributes[0].mutability: is one of",
        ),
        (
            schema(json!([{ "name": "a", "mutability": "writeOnly", "returned": "always" }])),
            "attributes[0].returned: of a writeOnly",
        ),
        (
            schema(json!([{ "name": "a", "uniqueness": "server" }])),
            "attributes[0].uniqueness: is none",
        ),
        (
            schema(json!([{ "name": "a", "sensitive": true }])),
            "attributes[0].sensitive: is for what comes sealed",
        ),
        (
            schema(json!([{ "name": "a", "type": "reference" }])),
            "attributes[0].referenceTypes: is missing",
        ),
        (
            schema(json!([{ "name": "a", "type": "reference", "referenceTypes": ["Car"] }])),
            "\"Car\" is neither",
        ),
        (
            schema(json!([{ "name": "a", "canonicalValues": "x" }])),
            "attributes[0].canonicalValues: takes a list",
        ),
        (
            schema(json!([{ "name": "a", "type": "complex" }])),
            "attributes[0].subAttributes: is missing",
        ),
        (
            schema(complex),
            "attributes[0].subAttributes[0].type: cannot be complex",
        ),
        (
            schema(json!([{ "name": "manager" }])),
            "attributes[0].name: manager is taken",
        ),
        (
            json!({ "name": "User", "endpoint": "/People", "schemaExtensions": [] }),
            "endpoint is /Users",
        ),
        (
            json!({ "name": "User", "schemaExtensions": [{ "schema": "urn:x1:y" }] }),
            "urn:x1:y is not registered",
        ),
        (
            json!({ "name": "Thing", "endpoint": "/Bulk", "schema": "urn:x1:y" }),
            "one of the protocol's",
        ),
        (
            json!({ "name": "Thing", "endpoint": "things", "schema": "urn:x1:y" }),
            "endpoint: is a slash and one word",
        ),
        (
            json!({ "name": "Thing", "endpoint": "/Users", "schema": "urn:x1:y" }),
            "not registered",
        ),
        (
            json!([schema(json!([{ "name": "a" }])), schema(json!([{ "name": "b" }]))]),
            "stands in the document twice",
        ),
    ] {
        let (status, lines) = errors(&bridge, &document).await;
        assert_eq!(status, 422, "{document}");
        assert!(lines.iter().any(|line| line.contains(said)), "{said}: {lines:?}");
    }
    let many: Vec<Value> = (0..201).map(|n| json!({ "name": format!("a{n}") })).collect();
    assert_eq!(errors(&bridge, &schema(json!(many))).await.0, 422);
    assert_eq!(bridge.count("SELECT count(*) FROM definition").await, 0);

    let folder = std::env::temp_dir().join(format!("scim-bridge-schema-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("wrong.json");
    std::fs::write(&file, schema(json!([{ "name": "1a" }])).to_string()).unwrap();
    let refused = command_line::run(&bridge, &["schema", "apply", file.to_str().unwrap()]).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said.contains("wrong.json: attributes[0].name: is no attribute name"),
        "{said}"
    );
    bridge.stop().await;
}

/// Covers: item 2
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_resources_stand_against_is_refused_and_nothing_is_half_done() {
    let bridge = Bridge::spawn().await;
    with_badge(&bridge).await;
    let body = json!({ "schemas": [USER], "userName": "ann", BADGE: { "badge": "b7" } });
    let ann = bridge.post("/scim/v2/Users", &body).await;
    bridge
        .post("/scim/v2/Users", &json!({ "schemas": [USER], "userName": "bo" }))
        .await;
    let kept = bridge.get(&format!("/api/v1/schemas/{BADGE}")).await;
    let with = |attributes: Value| json!([{ "id": BADGE, "attributes": attributes }]);
    for (document, said) in [
        (
            with(json!([{ "name": "badge", "type": "integer" }])),
            ":badge changes its type, but 1 resources of type User",
        ),
        (
            with(json!([{ "name": "badge", "multiValued": true }])),
            "changes between one value and many, but 1",
        ),
        (
            with(json!([{ "name": "badge", "mutability": "writeOnly" }])),
            "changes between shown and never shown, but 1",
        ),
        (with(json!([{ "name": "parking" }])), ":badge goes, but 1"),
        (with(json!([{ "name": "Badge" }])), ":badge goes, but 1"),
        (
            with(json!([{ "name": "badge" }, { "name": "lane", "required": true }])),
            ":lane becomes required, but 1",
        ),
        (
            json!({ "name": "User", "schemaExtensions": [{ "schema": BADGE, "required": true }] }),
            "becomes required, but 1",
        ),
        (
            json!({ "name": "User", "schemaExtensions": [] }),
            "goes from User, but 1",
        ),
    ] {
        let (status, lines) = errors(&bridge, &document).await;
        assert_eq!(status, 409, "{said}: {lines:?}");
        assert!(lines.iter().any(|line| line.contains(said)), "{said}: {lines:?}");
    }
    assert_eq!(bridge.get(&format!("/api/v1/schemas/{BADGE}")).await, kept);
    let refused = command_line::run(&bridge, &["schema", "remove", BADGE]).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said.contains("but 1 resources of type User have a value there"),
        "{said}"
    );

    // What only adds or widens, and what nobody has a value of, may change.
    let wider = with(
        json!([{ "name": "badge", "caseExact": true, "required": true, "description": "d" }, { "name": "lane" }]),
    );
    assert_eq!(errors(&bridge, &wider).await, (200, vec![]));
    let one = format!("/scim/v2/Users/{}", text(&ann, "/id"));
    assert_eq!(answer(bridge.request(Method::DELETE, &one)).await.0, 204);
    let gone = command_line::json_of(&bridge, &["schema", "remove", BADGE, "--json"]).await;
    assert_eq!(gone["items"].as_array().unwrap().len(), 2, "{gone}");
    assert_eq!(bridge.count("SELECT count(*) FROM definition").await, 0);
    let path = query("/scim/v2/Users", &[("filter", &format!("{BADGE}:badge pr"))]);
    assert_eq!(answer(bridge.request(Method::GET, &path)).await.0, 400);
    assert_eq!(
        bridge
            .count("SELECT count(*) FROM audit_entry WHERE action = 'schema.change'")
            .await,
        3
    );
    bridge.stop().await;
}

/// Covers: item 2
#[tokio::test]
async fn a_type_in_use_stays_and_its_schema_with_it() {
    let bridge = Bridge::spawn().await;
    bridge.post("/api/v1/schemas", &document(DEVICES_FILE)).await;
    let device = json!({ "schemas": [DEVICE], "serialNumber": "S-1" });
    let device = bridge.post("/scim/v2/Devices", &device).await;
    let remove = |path: String| bridge.request(Method::DELETE, &path);
    assert_eq!(answer(remove(format!("/api/v1/schemas/{DEVICE}"))).await.0, 409);
    let (status, refused) = answer(remove("/api/v1/resource-types/Device".to_owned())).await;
    assert_eq!(status, 409);
    assert!(
        text(&refused, "/errors/0/message").contains("1 resources of type Device"),
        "{refused}"
    );
    let one = format!("/scim/v2/Devices/{}", text(&device, "/id"));
    assert_eq!(answer(bridge.request(Method::DELETE, &one)).await.0, 204);
    for path in [
        "/api/v1/resource-types/Device".to_owned(),
        format!("/api/v1/schemas/{DEVICE}"),
    ] {
        assert_eq!(answer(remove(path.clone())).await.0, 200, "{path}");
        assert_eq!(answer(remove(path.clone())).await.0, 404, "{path}");
    }
    assert_eq!(
        answer(bridge.request(Method::GET, "/scim/v2/Devices")).await.0,
        404
    );
    for path in [
        "/api/v1/resource-types/User".to_owned(),
        format!("/api/v1/schemas/{USER}"),
    ] {
        assert_eq!(answer(remove(path.clone())).await.0, 404, "{path}");
    }
    bridge.stop().await;
}

/// Covers: item 2
#[tokio::test]
async fn hr_fills_an_attribute_that_the_tenant_added() {
    let bridge = Bridge::spawn().await;
    let mut file = connection_file();
    file["mapping"] = json!({
        format!("{BADGE}:badge"): { "from": "'B' ~ employee.employee_number" },
        "parking.lot": { "from": "employee.department.name" },
    });
    let path = "/api/v1/connections/people";
    let (status, refused) = answer(with_json(bridge.request(Method::PUT, path), &file)).await;
    assert_eq!(status, 422, "{refused}");
    with_badge(&bridge).await;
    sync_kit::apply(&bridge, &file).await;
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
    let company = Company::of(2);
    sync_kit::done(&bridge, &company).await;
    let person = sync_kit::person(&bridge, 1).await;
    let badge = text(&person, &format!("/{}/badge", BADGE.replace('/', "~1")));
    assert!(badge.starts_with('B') && badge.len() > 1, "{person}");
    assert!(person[BADGE]["parking"]["lot"].is_string(), "{person}");
    let filter = format!("{BADGE}:badge eq \"{badge}\"");
    assert_eq!(found(&bridge, "/scim/v2/Users", &filter).await.len(), 1);
    bridge.stop().await;
}
