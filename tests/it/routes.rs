//! Every route of the management API is in its document, and opens to the right token only.

use std::collections::BTreeSet;

use reqwest::Method;
use scim_bridge::access::Scope;
use serde_json::Value;

use crate::kit::{Bridge, answer, good, with_json};

/// Method, path with its braces, and the scopes that the document says it needs.
fn routes(document: &Value) -> Vec<(Method, String, Vec<String>)> {
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let scopes = operation["security"]
                .as_array()
                .unwrap_or_else(|| panic!("{method} {path} does not say what it needs"))
                .iter()
                .flat_map(|need| need["token"].as_array().unwrap())
                .map(|scope| scope.as_str().unwrap().to_owned())
                .collect();
            routes.push((method.to_uppercase().parse().unwrap(), path.clone(), scopes));
        }
    }
    routes
}

/// The path with something in each pair of braces.
fn filled(path: &str) -> String {
    let id = uuid::Uuid::now_v7().to_string();
    path.split('/')
        .map(|part| if part.starts_with('{') { id.as_str() } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

#[tokio::test]
async fn every_route_opens_to_the_right_token_only() {
    let bridge = Bridge::spawn().await;
    let document = good(
        bridge
            .http
            .get(format!("{}/api/v1/openapi.json", bridge.base_url)),
    )
    .await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let operator = bridge.make_operator_token().await;
    let mut tokens = Vec::new();
    for scope in Scope::ALL {
        tokens.push((
            scope.name(),
            bridge.make_token(bridge.tenant, scope.name(), &[scope]).await,
        ));
    }
    tokens.push(("operator", operator));
    let routes = routes(&document);
    assert!(routes.len() >= 10);
    for (method, path, scopes) in routes {
        let what = format!("{method} {path}");
        assert_eq!(scopes.len(), 1, "{what} needs one scope");
        let url = format!("{}{}", bridge.base_url, filled(&path));
        let ask = |token: Option<&str>| {
            let request = with_json(bridge.http.request(method.clone(), &url), &Value::Null);
            match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            }
        };
        for wrong in [None, Some("sb_nobody"), Some("eyJhbGciOiJIUzI1NiJ9.e30.x")] {
            let response = ask(wrong).send().await.unwrap();
            assert_eq!(response.status(), 401, "{what} with {wrong:?}");
            assert!(
                response.headers()["www-authenticate"]
                    .to_str()
                    .unwrap()
                    .starts_with("Bearer "),
                "{what}"
            );
            assert_eq!(
                response.headers()["content-type"],
                "application/problem+json",
                "{what}"
            );
        }
        for (name, token) in &tokens {
            let (status, body) = answer(ask(Some(token))).await;
            let opens = scopes[0] == *name
                || (*name == "admin" && scopes[0] != "operator" && scopes[0] != "sensitive:read");
            if opens {
                assert!(
                    status != 401 && status != 403,
                    "{what} with {name}: {status} {body}"
                );
            } else {
                assert_eq!(status, 403, "{what} with {name}: {body}");
                assert_eq!(body["type"], "urn:scim-bridge:problem:forbidden", "{what}");
            }
        }
    }
}

/// The paths that handlers are bound to, read from their attributes.
fn bound() -> BTreeSet<String> {
    let mut folders = vec![std::path::PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/web/api"
    ))];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for method in ["get", "post", "put", "patch", "delete"] {
                for (at, start) in text.match_indices(&format!("#[{method}(\"")) {
                    let rest = &text[at + start.len()..];
                    found.insert(format!(
                        "{} {}",
                        method.to_uppercase(),
                        rest.split('"').next().unwrap()
                    ));
                }
            }
            assert!(
                !text.contains("web::resource("),
                "{}: bind handlers by attributes",
                path.display()
            );
        }
    }
    found
}

#[tokio::test]
async fn the_document_names_every_route_and_no_other() {
    let bridge = Bridge::spawn().await;
    let document = good(
        bridge
            .http
            .get(format!("{}/api/v1/openapi.json", bridge.base_url)),
    )
    .await;
    let mut bound = bound();
    assert!(bound.remove("GET /api/v1/openapi.json"));
    let documented: BTreeSet<String> = routes(&document)
        .into_iter()
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    assert_eq!(documented, bound);
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_json_are_problems() {
    let bridge = Bridge::spawn().await;
    let (status, body) = answer(bridge.request(Method::GET, "/nothing/here")).await;
    assert_eq!((status, &body["status"]), (404, &Value::from(404)));
    let broken = bridge
        .request(Method::POST, "/api/v1/tokens")
        .header("content-type", "application/json")
        .body("{");
    let (status, body) = answer(broken).await;
    assert_eq!(
        (status, body["type"].as_str()),
        (400, Some("urn:scim-bridge:problem:invalid-json"))
    );
    let unknown = serde_json::json!({"name": "x", "scopes": ["admin"], "colour": "red"});
    let (status, body) = answer(with_json(
        bridge.request(Method::POST, "/api/v1/tokens"),
        &unknown,
    ))
    .await;
    assert_eq!(status, 400);
    assert!(body["detail"].as_str().unwrap().contains("colour"), "{body}");
    let large = Value::from("x".repeat(3 * 1024 * 1024));
    let (status, _) = answer(with_json(bridge.request(Method::POST, "/api/v1/tokens"), &large)).await;
    assert_eq!(status, 400);
    assert_eq!(
        answer(bridge.request(Method::GET, "/api/v1/tokens?limit=0"))
            .await
            .0,
        400
    );
    assert_eq!(
        answer(bridge.request(Method::GET, "/api/v1/tokens?after=x"))
            .await
            .0,
        400
    );
}
