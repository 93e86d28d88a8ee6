//! Users and groups over HTTP: create, read, replace, delete, and every way to be refused. Numbers are those of the
//! project's list of RFC rules that servers most often get wrong.

use reqwest::{Method, RequestBuilder, Response};
use scim_bridge::access::Scope;
use serde_json::{Value, json};

use crate::kit::{Bridge, answer, with_json};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// A user by its name, made.
pub async fn user(bridge: &Bridge, name: &str) -> Value {
    bridge
        .post("/scim/v2/Users", &json!({ "schemas": [USER], "userName": name }))
        .await
}

/// A group with members, made.
pub async fn group(bridge: &Bridge, name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    bridge
        .post(
            "/scim/v2/Groups",
            &json!({ "schemas": [GROUP], "displayName": name, "members": members }),
        )
        .await
}

pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("{pointer} in {value}"))
}

/// A path with a query, encoded.
pub fn query(path: &str, pairs: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    format!("{path}?{query}")
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
        .unwrap_or_default()
}

async fn refused(request: RequestBuilder, status: u16, scim_type: Option<&str>) -> Value {
    let response = request.send().await.unwrap();
    assert_eq!(header(&response, "content-type"), "application/scim+json");
    assert_eq!(response.status().as_u16(), status);
    let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(body["schemas"], json!([ERROR]));
    assert_eq!(body["status"], json!(status.to_string()));
    assert_eq!(body.get("scimType").and_then(Value::as_str), scim_type, "{body}");
    assert!(!text(&body, "/detail").is_empty());
    body
}

#[tokio::test]
async fn rules_2_1_2_4_3_3_4_1_a_created_user_comes_back_whole_and_with_our_id() {
    let bridge = Bridge::spawn().await;
    let body = json!({
        "schemas": [USER], "id": "mine", "meta": { "version": "9" }, "groups": [{ "value": "x" }], "title": null,
        "roles": [], "USERNAME": "Ann@acme.test", "externalId": "e-1", "password": "secret",
        "name": { "givenName": "Ann", "familyName": "Brook" }, "emails": [{ "value": "ann@acme.test", "type": "work" }],
        ENTERPRISE: { "department": "Ops" },
    });
    let response = with_json(bridge.request(Method::POST, "/scim/v2/Users"), &body)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(header(&response, "content-type"), "application/scim+json");
    let (location, etag) = (
        header(&response, "location").to_owned(),
        header(&response, "etag").to_owned(),
    );
    let made: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(location, text(&made, "/meta/location"));
    assert_eq!(
        location,
        format!("{}/scim/v2/Users/{}", bridge.base_url, text(&made, "/id"))
    );
    assert_eq!(etag, text(&made, "/meta/version"));
    let mut expected = json!({
        "schemas": [USER, ENTERPRISE], "id": made["id"], "meta": made["meta"], "userName": "Ann@acme.test", "active": true,
        "externalId": "e-1", "name": { "givenName": "Ann", "familyName": "Brook" },
        "emails": [{ "value": "ann@acme.test", "type": "work" }], ENTERPRISE: { "department": "Ops" },
    });
    assert_eq!(made, expected);
    let read = bridge
        .get(&format!("/scim/v2/Users/{}", text(&made, "/id")))
        .await;
    assert_eq!(read, made, "a read shows what the create showed");

    // 4.7, 4.8, 2.5: PUT clears what is left out, but not active, id and meta; the same PUT again changes nothing.
    let path = format!("/scim/v2/Users/{}", text(&made, "/id"));
    let put = json!({ "schemas": [USER], "userName": "Ann@acme.test", "title": "Lead" });
    let (status, after) = answer(with_json(bridge.request(Method::PUT, &path), &put)).await;
    assert_eq!(status, 200);
    expected = json!({
        "schemas": [USER], "id": made["id"], "meta": after["meta"], "userName": "Ann@acme.test", "active": true,
        "title": "Lead",
    });
    assert_eq!(after, expected);
    assert_eq!(text(&after, "/meta/version"), "W/\"2\"");
    bridge.clock.advance(chrono::TimeDelta::hours(1));
    let (_, again) = answer(with_json(bridge.request(Method::PUT, &path), &put)).await;
    assert_eq!(again, after);
}

#[tokio::test]
async fn rules_2_6_4_2_4_3_4_10_what_is_refused_and_what_a_delete_leaves() {
    let bridge = Bridge::spawn().await;
    let ann = user(&bridge, "Ann@acme.test").await;
    let users = || bridge.request(Method::POST, "/scim/v2/Users");
    let same = json!({ "schemas": [USER], "userName": "aNN@ACME.test" });
    let body = refused(with_json(users(), &same), 409, Some("uniqueness")).await;
    assert!(text(&body, "/detail").contains("userName"));
    refused(
        with_json(users(), &json!({ "schemas": [USER] })),
        400,
        Some("invalidValue"),
    )
    .await;
    refused(
        with_json(users(), &json!({ "userName": "x" })),
        400,
        Some("invalidSyntax"),
    )
    .await;
    refused(with_json(users(), &json!([1])), 400, Some("invalidSyntax")).await;
    let wrong = json!({ "schemas": [USER], "userName": "x", "active": "perhaps" });
    refused(with_json(users(), &wrong), 400, Some("invalidValue")).await;
    let broken = users()
        .header("content-type", "application/scim+json")
        .body("{\"schemas\":");
    refused(broken, 400, Some("invalidSyntax")).await;
    refused(users().header("content-type", "text/plain").body("{}"), 415, None).await;
    let huge = format!("{{\"userName\":\"{}\"}}", "x".repeat(9 * 1024 * 1024));
    refused(
        users().header("content-type", "application/scim+json").body(huge),
        413,
        None,
    )
    .await;

    let path = format!("/scim/v2/Users/{}", text(&ann, "/id"));
    let (status, _) = answer(bridge.request(Method::DELETE, &path)).await;
    assert_eq!(status, 204);
    for method in [Method::GET, Method::DELETE] {
        refused(bridge.request(method, &path), 404, None).await;
    }
    for method in [Method::PUT, Method::PATCH] {
        let body = if method == Method::PUT {
            same.clone()
        } else {
            json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                    "Operations": [{ "op": "replace", "path": "title", "value": "x" }] })
        };
        refused(with_json(bridge.request(method, &path), &body), 404, None).await;
    }
    let (status, _) = answer(with_json(users(), &same)).await;
    assert_eq!(status, 201, "the name is free again");
}

/// Covers: rfc 8.3, 8.5; C27
#[tokio::test]
async fn rules_3_2_3_5_3_6_10_2_11_1_every_refusal_has_a_scim_body() {
    let bridge = Bridge::spawn().await;
    refused(bridge.request(Method::GET, "/scim/v2/Nothing"), 404, None).await;
    refused(bridge.request(Method::GET, "/scim/v2/Users/not-an-id"), 404, None).await;
    refused(bridge.request(Method::GET, "/scim/v2/a/b/c/d"), 404, None).await;
    refused(bridge.request(Method::GET, "/scim/v2/Me"), 501, None).await;
    refused(
        with_json(bridge.request(Method::POST, "/scim/v2/Bulk"), &json!({})),
        400,
        Some("invalidSyntax"),
    )
    .await;
    refused(
        bridge.request(Method::GET, "/scim/v2/Schemas?filter=id%20pr"),
        403,
        None,
    )
    .await;
    refused(
        bridge
            .request(Method::GET, "/scim/v2/Users")
            .header("accept", "text/html"),
        406,
        None,
    )
    .await;
    for (method, path, allowed) in [
        (Method::PUT, "/scim/v2/Schemas", "GET, HEAD, OPTIONS"),
        (
            Method::POST,
            "/scim/v2/ServiceProviderConfig",
            "GET, HEAD, OPTIONS",
        ),
        (
            Method::DELETE,
            "/scim/v2/ResourceTypes/User",
            "GET, HEAD, OPTIONS",
        ),
        (Method::PUT, "/scim/v2/Users", "GET, HEAD, POST, OPTIONS"),
        (
            Method::POST,
            "/scim/v2/Users/0192f0c1-2b3c-7def-8a01-23456789abcd",
            "GET, HEAD, PUT, PATCH, DELETE, OPTIONS",
        ),
        (Method::GET, "/scim/v2/Users/.search", "POST, OPTIONS"),
    ] {
        let response = bridge.request(method.clone(), path).send().await.unwrap();
        assert_eq!(header(&response, "allow"), allowed, "{method} {path}");
        refused(bridge.request(method, path), 405, None).await;
    }
    for token in ["", "wrong"] {
        let request = bridge.request_as(token, Method::GET, "/scim/v2/Users");
        let response = request.try_clone().unwrap().send().await.unwrap();
        assert!(header(&response, "www-authenticate").starts_with("Bearer"));
        refused(request, 401, None).await;
    }
    let reader = bridge
        .make_token(bridge.tenant, "reader", &[Scope::ScimRead])
        .await;
    let body = json!({ "schemas": [USER], "userName": "x" });
    refused(
        with_json(bridge.request_as(&reader, Method::POST, "/scim/v2/Users"), &body),
        403,
        None,
    )
    .await;
    let operator = bridge.make_operator_token().await;
    refused(
        bridge.request_as(&operator, Method::GET, "/scim/v2/Users"),
        403,
        None,
    )
    .await;
    // The token alone, as Okta's header mode sends it, and JSON for who asks for JSON.
    let plain = bridge.http.get(format!("{}/scim/v2/Users", bridge.base_url));
    let response = plain
        .header("authorization", &bridge.token)
        .header("accept", "application/json")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), header(&response, "content-type")),
        (200, "application/json")
    );
}

#[tokio::test]
async fn rules_10_1_10_3_10_5_discovery_is_open_and_complete() {
    let bridge = Bridge::spawn().await;
    let open = async |path: &str| answer(bridge.http.get(format!("{}/scim/v2{path}", bridge.base_url))).await;
    let (status, config) = open("/ServiceProviderConfig").await;
    assert_eq!(status, 200);
    assert_eq!(config["patch"]["supported"], json!(true));
    assert_eq!(config["bulk"]["supported"], json!(true));
    assert_eq!(config["etag"]["supported"], json!(true));
    let (_, kinds) = open("/ResourceTypes?sortBy=x&count=1").await;
    assert_eq!(kinds["totalResults"], json!(2));
    let (_, schemas) = open("/Schemas").await;
    let served: Vec<&str> = schemas["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| text(one, "/id"))
        .collect();
    for kind in kinds["Resources"].as_array().unwrap() {
        let (status, one) = open(&format!("/ResourceTypes/{}", text(kind, "/id"))).await;
        assert_eq!((status, &one), (200, kind));
        assert!(served.contains(&text(kind, "/schema")));
        for extension in kind["schemaExtensions"].as_array().unwrap() {
            assert!(served.contains(&text(extension, "/schema")));
        }
    }
    let (status, one) = open(&format!("/Schemas/{}", USER.to_uppercase())).await;
    assert_eq!((status, text(&one, "/id")), (200, USER));
    assert_eq!(open("/Schemas/urn:no:such").await.0, 404);
}

/// Covers: rfc 8.4
#[tokio::test]
async fn rules_9_1_to_9_5_etags_decide_races() {
    let bridge = Bridge::spawn().await;
    let ann = user(&bridge, "ann@acme.test").await;
    let path = format!("/scim/v2/Users/{}", text(&ann, "/id"));
    let read = |tag: &str| bridge.request(Method::GET, &path).header("if-none-match", tag);
    let response = read("W/\"1\"").send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), header(&response, "etag")),
        (304, "W/\"1\"")
    );
    assert_eq!(response.text().await.unwrap(), "");
    assert_eq!(answer(read("W/\"7\", \"8\"")).await.0, 200);

    let put = |tag: &str, title: &str| {
        let body = json!({ "schemas": [USER], "userName": "ann@acme.test", "title": title });
        with_json(bridge.request(Method::PUT, &path).header("if-match", tag), &body)
    };
    let (one, two) = tokio::join!(put("W/\"1\"", "one").send(), put("W/\"1\"", "two").send());
    let mut statuses = [one.unwrap().status().as_u16(), two.unwrap().status().as_u16()];
    statuses.sort_unstable();
    assert_eq!(
        statuses,
        [200, 412],
        "of two writers who saw the same version one wins"
    );
    assert_eq!(answer(put("*", "three")).await.0, 200);
    refused(put("W/\"1\"", "four"), 412, None).await;
    refused(
        bridge.request(Method::DELETE, &path).header("if-match", "\"1\""),
        412,
        None,
    )
    .await;
    assert_eq!(
        answer(
            bridge
                .request(Method::DELETE, &path)
                .header("if-match", "W/\"3\", W/\"9\"")
        )
        .await
        .0,
        204
    );

    // Without If-Match nobody's change is lost: each is computed on what is there.
    let bob = user(&bridge, "bob@acme.test").await;
    let path = format!("/scim/v2/Users/{}", text(&bob, "/id"));
    let patches = (0..8).map(|number| {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "add", "path": "emails", "value": [{ "value": format!("{number}@acme.test") }] }],
        });
        with_json(bridge.request(Method::PATCH, &path), &body).send()
    });
    for done in futures_util::future::join_all(patches).await {
        assert_eq!(done.unwrap().status(), 200);
    }
    assert_eq!(bridge.get(&path).await["emails"].as_array().unwrap().len(), 8);
}

#[tokio::test]
async fn rules_6_60_to_6_66_what_is_shown() {
    let bridge = Bridge::spawn().await;
    let boss = user(&bridge, "boss@acme.test").await;
    let body = json!({
        "schemas": [USER, ENTERPRISE], "userName": "ann@acme.test", "displayName": "Ann", "name": { "givenName": "Ann" },
        "emails": [{ "value": "a@acme.test", "type": "work" }],
        ENTERPRISE: { "manager": { "value": boss["id"] }, "department": "Ops" },
    });
    let ann = bridge.post("/scim/v2/Users", &body).await;
    let ops = group(&bridge, "Ops", &[text(&ann, "/id")]).await;
    let path = format!("/scim/v2/Users/{}", text(&ann, "/id"));
    let whole = bridge.get(&path).await;
    let reference = format!("{}/scim/v2/Groups/{}", bridge.base_url, text(&ops, "/id"));
    assert_eq!(
        whole["groups"],
        json!([{ "value": ops["id"], "$ref": reference, "display": "Ops", "type": "direct" }])
    );
    assert_eq!(
        whole[ENTERPRISE]["manager"],
        json!({ "value": boss["id"], "$ref": boss["meta"]["location"] })
    );

    let (id, schemas) = (&ann["id"], &ann["schemas"]);
    for (query, expected) in [
        (
            "attributes=userName",
            json!({ "id": id, "schemas": schemas, "userName": "ann@acme.test" }),
        ),
        (
            "attributes=EMAILS.value",
            json!({ "id": id, "schemas": schemas, "emails": [{ "value": "a@acme.test" }] }),
        ),
        (
            "attributes=password,nope",
            json!({ "id": id, "schemas": schemas }),
        ),
        (
            "attributes=urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.displayName",
            json!({ "id": id, "schemas": schemas, ENTERPRISE: { "manager": { "displayName": "boss@acme.test" } } }),
        ),
        (
            "excludedAttributes=id,schemas,meta,name,emails,active,groups,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
            json!({ "id": id, "schemas": schemas, "userName": "ann@acme.test", "displayName": "Ann" }),
        ),
    ] {
        assert_eq!(bridge.get(&format!("{path}?{query}")).await, expected, "{query}");
    }
    refused(
        bridge.request(Method::GET, &format!("{path}?attributes=a&excludedAttributes=b")),
        400,
        Some("invalidValue"),
    )
    .await;
    let group = bridge
        .get(&format!("/scim/v2/Groups/{}", text(&ops, "/id")))
        .await;
    assert_eq!(
        group["members"],
        json!([{ "value": id, "$ref": ann["meta"]["location"], "type": "User" }])
    );
    let without = bridge
        .get(&format!(
            "/scim/v2/Groups/{}?excludedAttributes=members",
            text(&ops, "/id")
        ))
        .await;
    assert_eq!(without.get("members"), None);
}

#[tokio::test]
async fn rules_2_10_4_11_and_c8_members_and_managers_are_ours_or_nobodys() {
    let bridge = Bridge::spawn().await;
    let other = bridge.make_tenant("other").await;
    let stranger = bridge.make_token(other, "x", &Scope::ALL).await;
    let body = json!({ "schemas": [USER], "userName": "eve@other.test" });
    let (_, eve) = answer(with_json(
        bridge.request_as(&stranger, Method::POST, "/scim/v2/Users"),
        &body,
    ))
    .await;
    let ann = user(&bridge, "ann@acme.test").await;
    let ops = group(&bridge, "Ops", &[text(&ann, "/id")]).await;
    let groups = format!("/scim/v2/Groups/{}", text(&ops, "/id"));

    for id in [
        text(&eve, "/id"),
        "0192f0c1-2b3c-7def-8a01-23456789abcd",
        "free text",
    ] {
        let replace = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [
                { "op": "replace", "path": "displayName", "value": "Renamed" },
                { "op": "replace", "path": "members", "value": [{ "value": id }] },
            ],
        });
        refused(
            with_json(bridge.request(Method::PATCH, &groups), &replace),
            400,
            Some("invalidValue"),
        )
        .await;
        let now = bridge.get(&groups).await;
        assert_eq!(
            (&now["members"][0]["value"], text(&now, "/displayName")),
            (&ann["id"], "Ops"),
            "nothing changed"
        );
    }
    for id in [text(&eve, "/id"), "0192f0c1-2b3c-7def-8a01-23456789abcd"] {
        let body = json!({ "schemas": [USER, ENTERPRISE], "userName": "bob", ENTERPRISE: { "manager": { "value": id } } });
        refused(
            with_json(bridge.request(Method::POST, "/scim/v2/Users"), &body),
            400,
            Some("invalidValue"),
        )
        .await;
    }
    // Okta maps free text to the manager; it is kept, and no name is made up for it.
    let body = json!({ "schemas": [USER, ENTERPRISE], "userName": "bob", ENTERPRISE: { "manager": { "value": "Bo" } } });
    let bob = bridge.post("/scim/v2/Users", &body).await;
    assert_eq!(bob[ENTERPRISE]["manager"], json!({ "value": "Bo" }));

    // A group in a group, but never in itself.
    let all = group(&bridge, "All", &[text(&ops, "/id")]).await;
    let put = json!({ "schemas": [GROUP], "displayName": "Ops", "members": [{ "value": all["id"] }] });
    refused(
        with_json(bridge.request(Method::PUT, &groups), &put),
        400,
        Some("invalidValue"),
    )
    .await;
    assert_eq!(
        bridge
            .get(&format!("/scim/v2/Groups/{}", text(&all, "/id")))
            .await["members"][0]["type"],
        json!("Group")
    );
}

/// Covers: rfc 8.6
#[tokio::test]
async fn rule_11_2_nothing_of_another_tenant_is_seen_counted_or_changed() {
    let bridge = Bridge::spawn().await;
    let other = bridge.make_tenant("other").await;
    let stranger = bridge.make_token(other, "x", &Scope::ALL).await;
    let body =
        json!({ "schemas": [USER], "userName": "ann@acme.test", "externalId": "e-1", "nickName": "Nan" });
    let ann = bridge.post("/scim/v2/Users", &body).await;
    let ops = group(&bridge, "Ops", &[text(&ann, "/id")]).await;
    let patch = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                        "Operations": [{ "op": "replace", "path": "displayName", "value": "x" }] });
    for (endpoint, one, put) in [
        ("Users", &ann, json!({ "schemas": [USER], "userName": "x" })),
        ("Groups", &ops, json!({ "schemas": [GROUP], "displayName": "x" })),
    ] {
        let path = format!("/scim/v2/{endpoint}/{}", text(one, "/id"));
        refused(bridge.request_as(&stranger, Method::GET, &path), 404, None).await;
        refused(
            with_json(bridge.request_as(&stranger, Method::PUT, &path), &put),
            404,
            None,
        )
        .await;
        refused(
            with_json(bridge.request_as(&stranger, Method::PATCH, &path), &patch),
            404,
            None,
        )
        .await;
        refused(bridge.request_as(&stranger, Method::DELETE, &path), 404, None).await;
        for query in ["", "?filter=id%20pr", "?sortBy=id", "?startIndex=2"] {
            let path = format!("/scim/v2/{endpoint}{query}");
            let (_, list) = answer(bridge.request_as(&stranger, Method::GET, &path)).await;
            assert_eq!(
                (&list["totalResults"], &list["Resources"]),
                (&json!(0), &json!([])),
                "{path}"
            );
        }
    }
    for filter in [
        "userName eq \"ann@acme.test\"".to_owned(),
        "externalId eq \"e-1\"".to_owned(),
        "nickName eq \"Nan\"".to_owned(),
        format!("id eq \"{}\"", text(&ann, "/id")),
        format!("groups.value eq \"{}\"", text(&ops, "/id")),
    ] {
        let path = query("/scim/v2/Users", &[("filter", &filter)]);
        let (_, mine) = answer(bridge.request(Method::GET, &path)).await;
        assert_eq!(mine["totalResults"], json!(1), "{filter}");
        let (_, list) = answer(bridge.request_as(&stranger, Method::GET, &path)).await;
        assert_eq!(list["totalResults"], json!(0), "{filter}");
    }
    // The tenant in the path must be the token's.
    let own = format!("/t/{}/scim/v2/Users", bridge.tenant);
    let list = bridge.get(&own).await;
    let location = format!("{}{own}/{}", bridge.base_url, text(&ann, "/id"));
    assert_eq!(text(&list, "/Resources/0/meta/location"), location);
    refused(bridge.request_as(&stranger, Method::GET, &own), 403, None).await;
}

#[tokio::test]
async fn rules_2_2_and_2_3_external_ids_belong_to_the_client() {
    let bridge = Bridge::spawn().await;
    let second = bridge
        .make_token(bridge.tenant, "second", &[Scope::ScimRead, Scope::ScimWrite])
        .await;
    let body = json!({ "schemas": [USER], "userName": "ann@acme.test", "externalId": "e-1" });
    let ann = bridge.post("/scim/v2/Users", &body).await;
    let path = format!("/scim/v2/Users/{}", text(&ann, "/id"));
    let (_, seen) = answer(bridge.request_as(&second, Method::GET, &path)).await;
    assert_eq!(seen.get("externalId"), None);
    let patch = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "add", "path": "externalId", "value": "second-1" }],
    });
    let (status, seen) = answer(with_json(
        bridge.request_as(&second, Method::PATCH, &path),
        &patch,
    ))
    .await;
    assert_eq!((status, &seen["externalId"]), (200, &json!("second-1")));
    assert_eq!(bridge.get(&path).await["externalId"], json!("e-1"));
    for (token, value, hits) in [
        (&bridge.token, "e-1", 1),
        (&bridge.token, "second-1", 0),
        (&second, "second-1", 1),
    ] {
        let filter = format!("externalId eq \"{value}\"");
        let (_, list) = answer(bridge.request_as(
            token,
            Method::GET,
            &query("/scim/v2/Users", &[("filter", &filter)]),
        ))
        .await;
        assert_eq!(list["totalResults"], json!(hits), "{value}");
    }
    let body = json!({ "schemas": [USER], "userName": "bob@acme.test", "externalId": "e-1" });
    bridge.post("/scim/v2/Users", &body).await;
    let both = query("/scim/v2/Users", &[("filter", "externalId eq \"e-1\"")]);
    assert_eq!(
        bridge.get(&both).await["totalResults"],
        json!(2),
        "2.3: it need not be unique"
    );
}

/// Who has a manager that there is not.
const DANGLING: &str = "SELECT count(*) FROM resource r WHERE body::jsonb #>> ARRAY['urn:ietf:params:scim:schemas:extension:enterprise:2.0:User', 'manager', 'value']
    <> ALL (SELECT id::text FROM resource)";

/// The deletion of a manager and a write that names him, however they meet: the write waits here with the manager
/// looked up already.
///
/// Covers: rfc 4.11; item 4; C49
#[tokio::test]
async fn whoever_names_a_manager_while_he_is_deleted_has_none_afterwards() {
    let bridge = Bridge::spawn().await;
    let (boss, ann) = (user(&bridge, "boss").await, user(&bridge, "ann").await);
    let path = |one: &Value| format!("/scim/v2/Users/{}", text(one, "/id"));
    let (locker, rows) = (bridge.rows().await, bridge.rows().await);
    let hold = format!(
        "BEGIN; SELECT FROM resource WHERE id = '{}' FOR UPDATE",
        text(&ann, "/id")
    );
    locker.batch_execute(&hold).await.unwrap();
    let name = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [
        { "op": "add", "path": format!("{ENTERPRISE}:manager"), "value": { "value": boss["id"] } }] });
    let named = with_json(bridge.request(Method::PATCH, &path(&ann)), &name);
    let named = tokio::spawn(answer(named));
    let waiting = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND wait_event_type = 'Lock'";
    let until = async |expected: i64| {
        while rows.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) < expected {
            tokio::task::yield_now().await;
        }
    };
    until(1).await;
    let deleted = tokio::spawn(answer(bridge.request(Method::DELETE, &path(&boss))));
    until(2).await;
    locker.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(named.await.unwrap().0, 200);
    assert_eq!(deleted.await.unwrap().0, 204);
    assert_eq!(bridge.count(DANGLING).await, 0);
    assert_eq!(bridge.get(&path(&ann)).await.get(ENTERPRISE), None);
}

/// Covers: rfc 4.11; item 4; C49
#[tokio::test]
async fn however_deletions_and_new_reports_meet_nobody_has_a_manager_who_is_gone() {
    let bridge = Bridge::spawn().await;
    let ann = user(&bridge, "ann").await;
    let path = |one: &Value| format!("/scim/v2/Users/{}", text(one, "/id"));
    let (mut kept, mut refused) = (0, 0);
    for round in 0..25 {
        let boss = user(&bridge, &format!("boss-{round}")).await;
        let facts = json!({ "manager": { "value": boss["id"] } });
        let name = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [
            { "op": "replace", "path": ENTERPRISE, "value": facts }] });
        let whole =
            json!({ "schemas": [USER, ENTERPRISE], "userName": format!("new-{round}"), ENTERPRISE: facts });
        let (patched, made, deleted) = tokio::join!(
            answer(with_json(bridge.request(Method::PATCH, &path(&ann)), &name)),
            answer(with_json(bridge.request(Method::POST, "/scim/v2/Users"), &whole)),
            answer(bridge.request(Method::DELETE, &path(&boss))),
        );
        assert_eq!(deleted.0, 204);
        for status in [patched.0, made.0] {
            match status {
                200 | 201 => kept += 1,
                400 => refused += 1,
                other => panic!("{other}: {} {}", patched.1, made.1),
            }
        }
        assert_eq!(bridge.count(DANGLING).await, 0, "round {round}");
    }
    assert_eq!(kept + refused, 50);
}
