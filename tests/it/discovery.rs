//! What the server says of itself, held against the RFC's own schemas and against what it does.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Bridge, answer, good, with_json};
use crate::scim_resource::{group, query, text, user};

const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:";
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// The facts of RFC 7643 §8.7, one attribute a line.
const FACTS: &str = include_str!("../fixtures/rfc/7643-8.7-characteristics.tsv");

const REFERENCE: &str = "references are caseExact (§2.3.7), whatever the sample says";
const ON_REQUEST: &str = "looked up elsewhere, so given out when asked for";
const NINE: &str = "RFC 9865 §4 adds it";
/// Where we differ from the samples, attribute and characteristic, and why.
const DEVIATIONS: &[(&str, &str, &str)] = &[
    ("User profileUrl", "caseExact", REFERENCE),
    ("User groups.$ref", "caseExact", REFERENCE),
    ("User groups.$ref", "referenceTypes", "only groups have members"),
    ("Group displayName", "required", "§4.2 says REQUIRED"),
    ("Group members.$ref", "caseExact", REFERENCE),
    ("Group members.display", "returned", ON_REQUEST),
    ("enterprise manager.value", "required", "§4.3 says RECOMMENDED"),
    (
        "enterprise manager.$ref",
        "required",
        "§4.3 says RECOMMENDED, and the server writes it",
    ),
    ("enterprise manager.$ref", "caseExact", REFERENCE),
    ("enterprise manager.displayName", "returned", ON_REQUEST),
    ("ResourceType endpoint", "caseExact", REFERENCE),
    ("ResourceType schemaExtensions", "required", "§6 says OPTIONAL"),
    ("ServiceProviderConfig documentationUri", "caseExact", REFERENCE),
    (
        "ServiceProviderConfig authenticationSchemes.specUri",
        "caseExact",
        REFERENCE,
    ),
    (
        "ServiceProviderConfig authenticationSchemes.documentationUri",
        "caseExact",
        REFERENCE,
    ),
    (
        "ServiceProviderConfig authenticationSchemes.type",
        "",
        "§5 has it, the sample not",
    ),
    (
        "ServiceProviderConfig authenticationSchemes.primary",
        "",
        "the sample of §8.5 has it",
    ),
    ("ServiceProviderConfig pagination", "", NINE),
    ("ServiceProviderConfig pagination.cursor", "", NINE),
    ("ServiceProviderConfig pagination.index", "", NINE),
    (
        "ServiceProviderConfig pagination.defaultPaginationMethod",
        "",
        NINE,
    ),
    ("ServiceProviderConfig pagination.defaultPageSize", "", NINE),
    ("ServiceProviderConfig pagination.maxPageSize", "", NINE),
    ("ServiceProviderConfig pagination.cursorTimeout", "", NINE),
];

const CHARACTERISTICS: [&str; 9] = [
    "type",
    "multiValued",
    "required",
    "caseExact",
    "mutability",
    "returned",
    "uniqueness",
    "canonicalValues",
    "referenceTypes",
];

type Facts = BTreeMap<String, Vec<String>>;

fn short(urn: &str) -> &str {
    if urn == ENTERPRISE {
        "enterprise"
    } else {
        urn.trim_start_matches(CORE)
    }
}

/// The characteristics of a served schema, with what it leaves out as RFC 7643 §2.2 says.
fn served(urn: &str, attributes: &Value, above: &str, facts: &mut Facts) {
    for attribute in attributes.as_array().unwrap() {
        let path = format!("{above}{}", text(attribute, "/name"));
        let word = |key: &str, default: &str| attribute[key].as_str().unwrap_or(default).to_owned();
        let truth = |key: &str| attribute[key].as_bool().unwrap_or(false).to_string();
        let list = |key: &str| {
            let list = attribute[key].as_array().cloned().unwrap_or_default();
            list.iter()
                .map(|one| one.as_str().unwrap())
                .collect::<Vec<_>>()
                .join(",")
        };
        let characteristics = vec![
            word("type", "string"),
            truth("multiValued"),
            truth("required"),
            truth("caseExact"),
            word("mutability", "readWrite"),
            word("returned", "default"),
            word("uniqueness", "none"),
            list("canonicalValues"),
            list("referenceTypes"),
        ];
        facts.insert(format!("{} {path}", short(urn)), characteristics);
        if let Some(subs) = attribute.get("subAttributes") {
            served(urn, subs, &format!("{path}."), facts);
        }
    }
}

async fn open(bridge: &Bridge, path: &str) -> (u16, Value) {
    answer(bridge.http.get(format!("{}/scim/v2{path}", bridge.base_url))).await
}

/// Covers: rfc 1.6, 1.12, 10.5, 10.7, 10.9; item 1
#[tokio::test]
async fn every_characteristic_of_every_attribute_is_the_rfcs() {
    let bridge = Bridge::spawn().await;
    let mut rfc = Facts::new();
    for line in FACTS.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('\t').collect();
        let name = format!("{} {}", short(cells[0]), cells[1]);
        rfc.insert(name, cells[2..].iter().map(|cell| (*cell).to_owned()).collect());
    }
    assert!(rfc.len() > 130, "the fixture is whole");
    let mut ours = Facts::new();
    let (_, schemas) = open(&bridge, "/Schemas").await;
    assert!(!schemas.to_string().contains("null"), "nothing is null");
    for schema in schemas["Resources"].as_array().unwrap() {
        let urn = text(schema, "/id");
        if urn.starts_with("urn:ietf:") {
            served(urn, &schema["attributes"], "", &mut ours);
        }
    }
    let mut different = Vec::new();
    for (name, mine) in &ours {
        match rfc.get(name) {
            None => different.push((name.clone(), String::new())),
            Some(theirs) => {
                for (at, characteristic) in CHARACTERISTICS.iter().enumerate() {
                    if mine[at] != theirs[at] {
                        different.push((name.clone(), (*characteristic).to_owned()));
                    }
                }
            }
        }
    }
    for name in rfc.keys().filter(|name| !ours.contains_key(*name)) {
        different.push((name.clone(), "missing".to_owned()));
    }
    let mut known: Vec<(String, String)> = DEVIATIONS
        .iter()
        .map(|(name, what, _)| ((*name).to_owned(), (*what).to_owned()))
        .collect();
    different.sort();
    known.sort();
    assert_eq!(different, known);
    bridge.stop().await;
}

/// Covers: rfc 10.1, 10.2, 10.3, 10.6, 10.8; item 1
#[tokio::test]
async fn discovery_is_lists_and_single_resources_that_say_what_they_are() {
    let bridge = Bridge::spawn().await;
    let (status, config) = open(&bridge, "/ServiceProviderConfig").await;
    assert_eq!(
        (status, text(&config, "/meta/resourceType")),
        (200, "ServiceProviderConfig")
    );
    assert_eq!(config["schemas"], json!([format!("{CORE}ServiceProviderConfig")]));
    for (path, kind) in [("/ResourceTypes", "ResourceType"), ("/Schemas", "Schema")] {
        let (_, plain) = open(&bridge, path).await;
        assert_eq!(
            plain["schemas"],
            json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"])
        );
        let listed = plain["Resources"].as_array().unwrap();
        assert_eq!(plain["totalResults"], json!(listed.len()));
        let ignored =
            "?sortBy=name&sortOrder=descending&startIndex=2&count=1&attributes=id&excludedAttributes=name";
        assert_eq!(
            open(&bridge, &format!("{path}{ignored}")).await.1,
            plain,
            "{path}"
        );
        let (status, refused) = open(&bridge, &format!("{path}?filter=name%20eq%20%22User%22")).await;
        assert_eq!((status, &refused["status"]), (403, &json!("403")));
        for one in listed {
            assert_eq!(one["schemas"], json!([format!("{CORE}{kind}")]), "{one}");
            assert_eq!(text(one, "/meta/resourceType"), kind);
            let location = text(one, "/meta/location");
            assert!(
                location.ends_with(&format!("{path}/{}", text(one, "/id"))),
                "{location}"
            );
            assert_eq!(&good(bridge.http.get(location)).await, one);
        }
    }
    let urn = format!("{CORE}schema").to_uppercase();
    assert_eq!(open(&bridge, &format!("/Schemas/{urn}")).await.0, 200);
    let (_, kinds) = open(&bridge, "/ResourceTypes").await;
    for kind in kinds["Resources"].as_array().unwrap() {
        assert!(text(kind, "/endpoint").starts_with('/'));
        for extension in kind["schemaExtensions"].as_array().unwrap() {
            assert!(extension["required"].is_boolean());
        }
    }
    for (token, status) in [("sb_nobody", 401), (&*bridge.token, 200)] {
        let asked = bridge.request_as(token, Method::GET, "/scim/v2/Schemas");
        assert_eq!(answer(asked).await.0, status);
    }
    bridge.stop().await;
}

/// Covers: rfc 10.4; item 1
#[tokio::test]
async fn the_configuration_says_what_is_done() {
    let bridge = Bridge::spawn().await;
    let (_, config) = open(&bridge, "/ServiceProviderConfig").await;
    let says = |pointer: &str| config.pointer(pointer).and_then(Value::as_bool).unwrap();
    let ann = user(&bridge, "ann").await;
    user(&bridge, "bo").await;
    let one = format!("/scim/v2/Users/{}", text(&ann, "/id"));

    let bulk = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [] });
    let (status, _) = answer(with_json(bridge.request(Method::POST, "/scim/v2/Bulk"), &bulk)).await;
    assert_eq!(says("/bulk/supported"), status != 501);
    let patch = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": "title", "value": "x" }],
    });
    let (status, _) = answer(with_json(bridge.request(Method::PATCH, &one), &patch)).await;
    assert_eq!((says("/patch/supported"), status), (true, 200));
    assert!(says("/filter/supported"));
    let most = config["filter"]["maxResults"].as_u64().unwrap();
    let list = bridge.get(&format!("/scim/v2/Users?count={}", most + 1)).await;
    assert!(list["itemsPerPage"].as_u64().unwrap() <= most);
    let sorted = bridge
        .get("/scim/v2/Users?sortBy=userName&sortOrder=descending")
        .await;
    assert_eq!(
        (says("/sort/supported"), text(&sorted, "/Resources/0/userName")),
        (true, "bo")
    );
    let stale = with_json(bridge.request(Method::PATCH, &one), &patch).header("if-match", "W/\"99\"");
    assert_eq!((says("/etag/supported"), answer(stale).await.0), (true, 412));
    let (status, walk) = answer(bridge.request(Method::GET, "/scim/v2/Users?cursor&count=1")).await;
    assert_eq!(
        says("/pagination/cursor"),
        status == 200 && walk["nextCursor"].is_string(),
        "{walk}"
    );
    let paged = bridge.get("/scim/v2/Users?startIndex=2&count=1").await;
    assert_eq!(
        (says("/pagination/index"), &paged["itemsPerPage"]),
        (true, &json!(1))
    );
    assert!(!says("/changePassword/supported"));
    assert_eq!(text(&config, "/authenticationSchemes/0/type"), "oauthbearertoken");
    let anonymous = bridge.http.get(format!("{}/scim/v2/Users", bridge.base_url));
    assert_eq!(answer(anonymous).await.0, 401);
    bridge.stop().await;
}

/// Covers: rfc 2.11, 2.13, 10.5
#[tokio::test]
async fn every_attribute_of_an_answer_is_in_its_schema() {
    let bridge = Bridge::spawn().await;
    let boss = user(&bridge, "boss").await;
    let body = json!({
        "schemas": [USER, ENTERPRISE], "userName": "ann", "externalId": "x", "name": { "familyName": "Ö" }, "title": "t",
        "phoneNumbers": [{ "value": "+1 (201) 555-0123", "type": "work", "primary": true, "display": "d" }],
        "locale": "de-CH", "timezone": "Europe/Zurich", "preferredLanguage": "de-CH,de;q=0.9",
        "emails": [{ "value": "Ann@ACME.test", "type": "Work" }], "addresses": [{ "locality": "Zürich", "type": "home" }],
        ENTERPRISE: { "department": "Ops", "manager": { "value": boss["id"], "displayName": "mine" } },
    });
    let ann = bridge.post("/scim/v2/Users", &body).await;
    for kept in [
        "locale",
        "timezone",
        "preferredLanguage",
        "phoneNumbers",
        "emails",
        "addresses",
    ] {
        assert_eq!(ann[kept], body[kept], "{kept} comes back as it was sent");
    }
    let id = text(&ann, "/id");
    let team = group(&bridge, "Ops", &[id]).await;
    let names =
        format!("{ENTERPRISE}:manager.displayName,{ENTERPRISE}:manager.$ref,{ENTERPRISE}:manager.value");
    let named = bridge
        .get(&query(&format!("/scim/v2/Users/{id}"), &[("attributes", &names)]))
        .await;
    let manager = &named[ENTERPRISE]["manager"];
    assert_eq!(manager["value"], boss["id"]);
    assert!(text(manager, "/$ref").ends_with(&format!("/Users/{}", text(&boss, "/id"))));
    assert_ne!(manager["displayName"], json!("mine"));

    let whole = bridge.get(&format!("/scim/v2/Users/{id}")).await;
    let team = bridge
        .get(&format!("/scim/v2/Groups/{}", text(&team, "/id")))
        .await;
    for (resource, urn) in [
        (&whole, USER.to_owned()),
        (&named, USER.to_owned()),
        (&team, format!("{CORE}Group")),
    ] {
        let schema = bridge.get(&format!("/scim/v2/Schemas/{urn}")).await;
        for (key, value) in resource.as_object().unwrap() {
            match key.as_str() {
                "schemas" | "id" | "externalId" | "meta" => {}
                extension if extension.starts_with("urn:") => {
                    let schema = bridge.get(&format!("/scim/v2/Schemas/{extension}")).await;
                    for (key, value) in value.as_object().unwrap() {
                        described(&schema["attributes"], key, value);
                    }
                }
                key => described(&schema["attributes"], key, value),
            }
        }
    }
    bridge.stop().await;
}

fn described(attributes: &Value, key: &str, value: &Value) {
    let attribute = attributes
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == *key)
        .unwrap_or_else(|| panic!("{key} is in no schema"));
    let elements = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    for part in elements.iter().filter_map(Value::as_object).flatten() {
        described(&attribute["subAttributes"], part.0, part.1);
    }
}

/// Covers: rfc 2.5, 2.7, 1.5, 1.16
#[tokio::test]
async fn what_changes_nothing_moves_nothing_and_a_password_is_never_seen() {
    let bridge = Bridge::spawn().await;
    let body = json!({ "schemas": [USER], "userName": "ann", "password": "s3cret-word", "title": null, "roles": [] });
    let ann = bridge.post("/scim/v2/Users", &body).await;
    assert!(ann.get("title").is_none() && ann.get("roles").is_none());
    let one = format!("/scim/v2/Users/{}", text(&ann, "/id"));
    bridge.clock.set("2031-01-01T00:00:00Z");
    let put = json!({ "schemas": [USER], "userName": "ann", "active": true });
    for (method, body) in [
        (Method::PUT, put),
        (
            Method::PATCH,
            json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{ "op": "add", "path": "userName", "value": "ann" }, { "op": "remove", "path": "title" }],
            }),
        ),
    ] {
        let (status, same) = answer(with_json(bridge.request(method.clone(), &one), &body)).await;
        assert_eq!((status, &same["meta"]), (200, &ann["meta"]), "{method}");
    }
    for path in [
        one.clone(),
        format!("{one}?attributes=password"),
        "/scim/v2/Users".to_owned(),
    ] {
        let seen = bridge.get(&path).await;
        assert!(!seen.to_string().contains("s3cret-word"), "{path}");
    }
    let kept = bridge
        .count("SELECT (SELECT count(*) FROM resource r WHERE r::text LIKE '%s3cret%') + (SELECT count(*) FROM change c WHERE c::text LIKE '%s3cret%')")
        .await;
    assert_eq!(kept, 0);
    let (status, refused) = answer(with_json(
        bridge.request(Method::POST, "/scim/v2/Users"),
        &json!({ "userName": "x" }),
    ))
    .await;
    assert_eq!((status, text(&refused, "/scimType")), (400, "invalidSyntax"));
    bridge.stop().await;
}
