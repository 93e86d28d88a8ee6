//! What takes too long, what is known already, what is preferred: the headers and limits around SCIM's messages.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::header::{ETAG, IF_NONE_MATCH};
use reqwest::{Method, StatusCode};
use scim_bridge::access::Scope;
use serde_json::{Value, json};

use crate::kit::{Bridge, Settings, answer, with_json};
use crate::scim_protocol::{raw, refused};
use crate::scim_resource::{group, text, user};

const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// Covers: rfc 9.1, 9.3, 10.1; item 1, item 6
#[tokio::test]
async fn discovery_has_etags_and_tells_who_knows_it_nothing() {
    let bridge = Bridge::spawn().await;
    let schema = "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User";
    let mut tags = Vec::new();
    for path in [
        "/ServiceProviderConfig",
        "/Schemas",
        "/ResourceTypes",
        schema,
        "/ResourceTypes/User",
    ] {
        let ask = |tag: Option<String>| {
            let request = bridge.request(Method::GET, &format!("/scim/v2{path}"));
            match tag {
                Some(tag) => request.header(IF_NONE_MATCH, tag),
                None => request,
            }
        };
        let first = ask(None).send().await.unwrap();
        let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
        assert!(tag.starts_with("W/\"") && tag.len() > 20, "{path}: {tag}");
        assert!(!first.text().await.unwrap().is_empty());
        let strong = tag.trim_start_matches("W/").to_owned();
        for known in [tag.clone(), strong, format!("\"x\", {tag}"), "*".to_owned()] {
            let known = ask(Some(known)).send().await.unwrap();
            assert_eq!(
                (known.status(), known.headers()[ETAG].to_str().unwrap()),
                (StatusCode::NOT_MODIFIED, &*tag)
            );
            assert_eq!(known.text().await.unwrap(), "");
        }
        for other in ["W/\"1\"", "\"\"", "x"] {
            assert_eq!(
                ask(Some(other.to_owned())).send().await.unwrap().status(),
                200,
                "{path} {other}"
            );
        }
        let head = bridge
            .request(Method::HEAD, &format!("/scim/v2{path}"))
            .send()
            .await
            .unwrap();
        assert_eq!(head.headers()[ETAG].to_str().unwrap(), tag);
        tags.push(tag);
    }
    // What a tenant defines is told with another tag, and only where it shows.
    crate::schemas::with_badge(&bridge).await;
    for (path, tag) in [
        "/ServiceProviderConfig",
        "/Schemas",
        "/ResourceTypes",
        schema,
        "/ResourceTypes/User",
    ]
    .into_iter()
    .zip(&tags)
    {
        let request = bridge
            .request(Method::GET, &format!("/scim/v2{path}"))
            .header(IF_NONE_MATCH, tag);
        let changed = request.send().await.unwrap().status() == 200;
        assert_eq!(
            changed,
            !["/ServiceProviderConfig", schema].contains(&path),
            "{path}"
        );
    }
}

/// Covers: rfc 3.5; item 6, item 10
#[tokio::test]
async fn a_request_that_takes_too_long_is_503_and_leaves_nothing_half_done() {
    let environment = vec![("SCIM_BRIDGE_REQUEST_SECONDS", "1".to_owned())];
    let bridge = Bridge::spawn_with(Settings {
        environment,
        ..Settings::default()
    })
    .await;
    let (ann, bob) = (user(&bridge, "ann").await, user(&bridge, "bob").await);
    let crew = group(&bridge, "crew", &[]).await;
    let path = format!("/scim/v2/Groups/{}", text(&crew, "/id"));
    let locker = bridge.rows().await;
    let hold = format!(
        "BEGIN; SELECT FROM resource WHERE id = '{}' FOR UPDATE",
        text(&bob, "/id")
    );
    locker.batch_execute(&hold).await.unwrap();
    let members: Vec<Value> = [&ann, &bob]
        .iter()
        .map(|one| json!({ "value": text(one, "/id") }))
        .collect();
    let change = json!({ "schemas": [PATCH_OP], "Operations": [
        { "op": "replace", "path": "displayName", "value": "crew of two" },
        { "op": "add", "path": "members", "value": members },
    ]});
    let (body, headers) = refused(with_json(bridge.request(Method::PATCH, &path), &change), 503).await;
    assert!(
        text(&body, "/detail").contains("time") && headers.contains_key("retry-after"),
        "{body}"
    );
    locker.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(bridge.get(&path).await, crew, "nothing of it was done");
    // Sent again it is done; and no connection to the database is stuck.
    for _ in 0..30 {
        assert_eq!(
            answer(with_json(bridge.request(Method::PATCH, &path), &change))
                .await
                .0,
            204
        );
    }
    assert_eq!(bridge.get(&path).await["members"].as_array().unwrap().len(), 2);

    // A body that does not come is 408, in half of that time.
    let address = bridge.app.address;
    let head = format!(
        "POST /scim/v2/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 100\r\n\r\n{{",
        bridge.token
    );
    let told = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let (mut told, mut chunk) = (String::new(), [0; 4096]);
        while !told.ends_with('}') {
            let read = stream.read(&mut chunk).unwrap();
            assert!(read > 0, "{told}");
            told.push_str(std::str::from_utf8(&chunk[..read]).unwrap());
        }
        told
    });
    let told = told.await.unwrap();
    assert!(
        told.starts_with("HTTP/1.1 408") && told.contains("\"status\":\"408\""),
        "{told}"
    );
    // The management API has no such limit: what waits there says so itself.
    assert_eq!(
        answer(bridge.request(Method::GET, "/api/v1/clients")).await.0,
        200
    );
}

/// What is no HTTP never reaches us: the server below answers it, without a body.
///
/// Covers: item 6, item 10
#[tokio::test]
async fn what_is_no_http_is_refused_and_nothing_breaks() {
    let bridge = Bridge::spawn().await;
    let long = "x".repeat(300_000);
    for (sent, status) in [
        ("NONSENSE\r\n\r\n".to_owned(), "HTTP/1.1 400"),
        ("GET /scim/v2/Users HTTP/9.9\r\n\r\n".to_owned(), "HTTP/1.1 400"),
        (
            "GET /scim/v2/Users HTTP/1.1\r\nbad header\r\n\r\n".to_owned(),
            "HTTP/1.1 400",
        ),
        (
            "GET /scim/v2/Users HTTP/1.1\r\nHost: x\r\nContent-Length: no\r\n\r\n".to_owned(),
            "HTTP/1.1 400",
        ),
        (
            format!("GET /scim/v2/Users HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n"),
            "HTTP/1.1 431",
        ),
    ] {
        let told = raw(&bridge, &sent).await;
        assert!(
            told.starts_with(status),
            "{}: {told}",
            &sent[..30.min(sent.len())]
        );
    }
    assert_eq!(bridge.get("/scim/v2/Users").await["totalResults"], 0);
}

/// Covers: rfc 5.4; item 4
#[tokio::test]
async fn a_preference_for_the_answer_is_heeded_and_told() {
    let bridge = Bridge::spawn().await;
    let ann = user(&bridge, "ann").await;
    let crew = group(&bridge, "crew", &[]).await;
    let (one, many) = (
        format!("/scim/v2/Users/{}", text(&ann, "/id")),
        format!("/scim/v2/Groups/{}", text(&crew, "/id")),
    );
    let minimal = Some("return=minimal");
    let whole = Some("return=representation");
    for (path, query, prefer, status, applied) in [
        (&one, "", "", 200, None),
        (&many, "", "", 204, None),
        (&one, "", "return=minimal", 204, minimal),
        (&many, "", "return=representation", 200, whole),
        (&one, "", "wait=5, return=\"minimal\"; x=y", 204, minimal),
        (&many, "", "RETURN=Representation, return=minimal", 200, whole),
        (&one, "", "handling=strict, respond-async", 200, None),
        (&many, "", "return=nonsense", 204, None),
        // Who names attributes wants to see them.
        (&one, "?attributes=title", "return=minimal", 200, None),
    ] {
        let name = if path == &one { "nickName" } else { "displayName" };
        let change = json!({ "schemas": [PATCH_OP], "Operations": [{ "op": "replace", "path": name, "value": prefer }] });
        let change = if prefer.is_empty() {
            json!({ "schemas": [PATCH_OP], "Operations": [{ "op": "replace", "path": name, "value": "x" }] })
        } else {
            change
        };
        let request = with_json(bridge.request(Method::PATCH, &format!("{path}{query}")), &change);
        let request = if prefer.is_empty() {
            request
        } else {
            request.header("prefer", prefer)
        };
        let answered = request.send().await.unwrap();
        let told = answered
            .headers()
            .get("preference-applied")
            .map(|told| told.to_str().unwrap().to_owned());
        assert_eq!(
            (answered.status().as_u16(), told.as_deref()),
            (status, applied),
            "{path}{query} {prefer}"
        );
        assert!(answered.headers().contains_key(ETAG));
        assert_eq!(answered.text().await.unwrap().is_empty(), status == 204);
    }
}

/// Covers: rfc 11.1; item 6
#[tokio::test]
async fn a_client_is_made_a_user_only_that_there_is() {
    let bridge = Bridge::spawn().await;
    let other = bridge.make_tenant("other").await;
    let other = bridge.make_token(other, "tests", &Scope::ALL).await;
    let (ann, crew) = (user(&bridge, "ann").await, group(&bridge, "crew", &[]).await);
    let body = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "eve" });
    let (_, eve) = bridge.scim_as(&other, Method::POST, "/Users", Some(&body)).await;
    let set = async |user: Value| {
        let body = json!({ "profile": { "user": user } });
        answer(with_json(
            bridge.request(Method::PATCH, "/api/v1/clients/tests"),
            &body,
        ))
        .await
    };
    for nobody in [&eve, &crew] {
        let (status, refused) = set(nobody["id"].clone()).await;
        assert_eq!(
            (status, text(&refused, "/type")),
            (422, "urn:scim-bridge:problem:no-such-user"),
            "{refused}"
        );
        assert!(text(&refused, "/detail").contains(text(nobody, "/id")));
    }
    assert_eq!(set(json!("01936d0e-0000-7000-8000-000000000000")).await.0, 422);
    refused(bridge.request(Method::GET, "/scim/v2/Me"), 501).await;
    assert_eq!(set(ann["id"].clone()).await.0, 200);
    assert_eq!(bridge.get("/scim/v2/Me").await, ann);
    assert_eq!(set(Value::Null).await.0, 200);
    refused(bridge.request(Method::GET, "/scim/v2/Me"), 501).await;
}
