//! What HTTP itself asks of the SCIM end points: methods, addresses, conditions, limits, and that every "no" has the
//! body of RFC 7644 §3.12. Numbers are those of the conformance list.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use reqwest::{Method, RequestBuilder, Response};
use scim_bridge::access::Scope;
use serde_json::{Value, json};

use crate::kit::{Bridge, answer, good, with_json};
use crate::scim_resource::{group, text, user};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
        .unwrap_or_default()
}

/// Sends it; the answer must be this "no" with a SCIM body.
pub async fn refused(request: RequestBuilder, status: u16) -> (Value, reqwest::header::HeaderMap) {
    let response = request.send().await.unwrap();
    let what = response.url().to_string();
    assert_eq!(response.status().as_u16(), status, "{what}");
    assert_eq!(
        header(&response, "content-type"),
        "application/scim+json",
        "{what}"
    );
    let headers = response.headers().clone();
    let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(body["schemas"], json!([ERROR]), "{what}");
    assert_eq!(body["status"], json!(status.to_string()), "{what}");
    assert!(!text(&body, "/detail").is_empty(), "{what}");
    (body, headers)
}

/// Writes bytes to a new connection and reads one answer, head and body.
pub async fn raw(bridge: &Bridge, request: &str) -> String {
    let (address, request) = (bridge.app.address, request.to_owned());
    tokio::task::spawn_blocking(move || ask(address, request.as_bytes()))
        .await
        .unwrap()
}

fn ask(address: std::net::SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(std::time::Duration::from_secs(5)))
        .unwrap();
    stream.write_all(request).unwrap();
    let (mut answer, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut chunk).unwrap_or(0);
        answer.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse()
                    .ok()
            });
            length.is_some_and(|length: usize| body.len() >= length)
        });
        if whole || read == 0 {
            return text;
        }
    }
}

/// Covers: rfc 3.5, 9.1; item 6
#[tokio::test]
async fn head_is_get_without_a_body() {
    let bridge = Bridge::spawn().await;
    let ann = user(&bridge, "ann").await;
    let one = format!("/scim/v2/Users/{}", text(&ann, "/id"));
    for path in [
        one.as_str(),
        "/scim/v2/Users",
        "/scim/v2",
        "/scim/v2/ServiceProviderConfig",
        "/scim/v2/Schemas",
        "/scim/v2/ResourceTypes/User",
        "/api/v1/tokens",
        "/healthz",
    ] {
        let get = bridge.request(Method::GET, path).send().await.unwrap();
        let head = bridge.request(Method::HEAD, path).send().await.unwrap();
        assert_eq!(head.status(), 200, "{path}");
        for name in ["content-type", "content-length", "etag", "location"] {
            assert_eq!(header(&head, name), header(&get, name), "{name} of {path}");
        }
        assert_eq!(head.text().await.unwrap(), "");
    }
    let gone = bridge
        .request(Method::HEAD, "/scim/v2/Users/nobody")
        .send()
        .await
        .unwrap();
    assert_eq!(gone.status(), 404);
    // Nothing follows the head.
    let once = format!(
        "HEAD {one} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {0}\r\nConnection: close\r\n\r\n",
        bridge.token
    );
    let said = raw(&bridge, &once).await;
    assert!(said.ends_with("\r\n\r\n"), "{said}");
}

/// Covers: rfc 3.5; item 6
#[tokio::test]
async fn rfc_3_5_other_methods_are_405_with_allow_and_options_tells_it_to_everybody() {
    let bridge = Bridge::spawn().await;
    let one = "GET, HEAD, PUT, PATCH, DELETE, OPTIONS";
    let id = format!("/scim/v2/Users/{}", text(&user(&bridge, "ann").await, "/id"));
    for (path, allowed, wrong) in [
        (id.as_str(), one, "POST"),
        ("/scim/v2/Users", "GET, HEAD, POST, OPTIONS", "PUT"),
        ("/scim/v2/Groups/.search", "POST, OPTIONS", "GET"),
        ("/scim/v2/.search", "POST, OPTIONS", "DELETE"),
        ("/scim/v2/Bulk", "POST, OPTIONS", "GET"),
        ("/scim/v2", "GET, HEAD, OPTIONS", "POST"),
        ("/scim/v2/", "GET, HEAD, OPTIONS", "DELETE"),
        ("/scim/v2/ServiceProviderConfig", "GET, HEAD, OPTIONS", "PUT"),
        ("/scim/v2/Schemas", "GET, HEAD, OPTIONS", "POST"),
        ("/scim/v2/ResourceTypes/User", "GET, HEAD, OPTIONS", "PATCH"),
    ] {
        let told = bridge
            .http
            .request(Method::OPTIONS, format!("{}{path}", bridge.base_url))
            .send()
            .await
            .unwrap();
        assert_eq!(
            (told.status().as_u16(), header(&told, "allow")),
            (204, allowed),
            "{path}"
        );
        assert_eq!(told.text().await.unwrap(), "");
        for method in [wrong, "TRACE", "PROPFIND", "FOO"] {
            let method: Method = method.parse().unwrap();
            let (_, headers) = refused(bridge.request(method, path), 405).await;
            assert_eq!(headers["allow"], allowed, "{path}");
        }
    }
    let (status, body) = answer(bridge.request(Method::PUT, "/api/v1/tokens")).await;
    assert_eq!((status, body["status"].as_u64()), (405, Some(405)));
    let told = bridge
        .request(Method::OPTIONS, "/api/v1/clients/x")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (told.status().as_u16(), header(&told, "allow")),
        (204, "GET, PATCH, HEAD, OPTIONS")
    );
}

/// Covers: rfc 3.5; item 6, item 10
#[tokio::test]
async fn no_method_kills_the_connection() {
    let bridge = Bridge::spawn().await;
    for line in [
        "TRACE /scim/v2/Users HTTP/1.1",
        "CONNECT /scim/v2/Users HTTP/1.1",
        "CONNECT example.test:443 HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "PURGE /scim/v2/Users HTTP/1.1",
        "get /scim/v2/Users HTTP/1.1",
    ] {
        let said = raw(&bridge, &format!("{line}\r\nHost: x\r\n\r\n")).await;
        let status: u16 = said
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .unwrap_or(0);
        assert!([204, 400, 404, 405, 501].contains(&status), "{line}: {said:?}");
    }
}

/// Covers: rfc 3.5; item 6
#[tokio::test]
async fn rfc_3_5_what_is_nowhere_is_404_with_a_scim_body() {
    let bridge = Bridge::spawn().await;
    let tenant = format!("/t/{}/scim", bridge.tenant);
    for path in [
        "/scim",
        "/scim/v1/Users",
        "/scim/v2/Nothing",
        "/scim/v2/Users/x/y",
        "/scim/v2/Schemas/urn:nobody",
        "/scim/v2/Users/%30192f0c1",
        "/scim/v2/Users/%ff%fe",
        "/scim/v2/Users/%",
        "/scim/v2/%00",
        "/t/x/scim",
        "/t/x",
        &tenant,
        &format!("{tenant}/v3/Users"),
    ] {
        refused(bridge.request(Method::GET, path), 404).await;
    }
    refused(bridge.request(Method::GET, "/t/not-a-tenant/scim/v2/Users"), 403).await;
    refused(bridge.http.get(format!("{}/scim/v2/Users", bridge.base_url)), 401).await;
}

/// Covers: rfc 3.7, 3.8; item 6; client entra, okta
#[tokio::test]
async fn addresses_are_read_as_they_are_meant() {
    let bridge = Bridge::spawn().await;
    let ann = user(&bridge, "ann").await;
    let id = text(&ann, "/id");
    let encoded: String = id.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for path in [
        format!("/scim/v2/Users/{id}/"),
        format!("/scim/v2//Users/{id}"),
        format!("//scim/v2/Users//{id}//"),
        format!("/scim/v2/Users/{encoded}"),
        format!("/scim/v2/Users/{id}?aadOptscim062020"),
    ] {
        assert_eq!(bridge.get(&path).await, ann, "{path}");
    }
    for path in [
        "/scim/v2/Users/",
        "/scim/v2/?aadOptscim062020",
        "/scim/v2?aadOptscim062020",
        "/scim/v2/Users?aadOptscim062020&filter=userName%20eq%20%22ann%22",
    ] {
        assert_eq!(bridge.get(path).await["totalResults"], 1, "{path}");
    }
    // What is written to such an address is written, and not asked for again elsewhere by another method.
    let rename =
        json!({ "schemas": [PATCH_OP], "Operations": [{ "op": "replace", "path": "title", "value": "Dr" }] });
    let moved = bridge.request(Method::PATCH, &format!("//scim/v2/Users/{id}/"));
    let (status, ann) = answer(with_json(moved, &rename)).await;
    assert_eq!((status, &ann["title"]), (200, &json!("Dr")));
    // Okta's header mode sends the token alone.
    let bare = bridge
        .http
        .get(format!("{}/scim/v2/Users/{id}", bridge.base_url))
        .header("authorization", &bridge.token);
    assert_eq!(good(bare).await, ann);
}

/// Covers: rfc 3.9; item 10
#[tokio::test]
async fn too_long_an_address_is_414() {
    let bridge = Bridge::spawn().await;
    let path = format!("/scim/v2/Users?filter={}", "a".repeat(40_000));
    refused(bridge.request(Method::GET, &path), 414).await;
    let (status, _) = answer(bridge.request(Method::GET, &format!("/api/v1/{}", "a".repeat(40_000)))).await;
    assert_eq!(status, 414);
}

/// Covers: rfc 11.1; item 6
#[tokio::test]
async fn rfc_11_1_me_is_the_user_that_the_client_is_and_501_without_one() {
    let bridge = Bridge::spawn().await;
    for method in [
        Method::GET,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::POST,
    ] {
        refused(with_json(bridge.request(method, "/scim/v2/Me"), &json!({})), 501).await;
    }
    let (_, headers) = refused(bridge.request(Method::TRACE, "/scim/v2/Me"), 405).await;
    assert_eq!(headers["allow"], "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
    refused(bridge.http.get(format!("{}/scim/v2/Me", bridge.base_url)), 401).await;

    let ann = user(&bridge, "ann").await;
    let (id, location) = (text(&ann, "/id"), text(&ann, "/meta/location"));
    let secret = bridge
        .make_token(bridge.tenant, "ann's own", &[Scope::ScimRead, Scope::ScimWrite])
        .await;
    let me = |method: Method, path: &str| bridge.request_as(&secret, method, &format!("/scim/v2/Me{path}"));
    let profile = json!({ "profile": { "user": id } });
    good(with_json(
        bridge.request(Method::PATCH, "/api/v1/clients/ann's%20own"),
        &profile,
    ))
    .await;

    refused(with_json(me(Method::POST, ""), &json!({})), 405).await;
    let got = me(Method::GET, "").send().await.unwrap();
    assert_eq!((got.status().as_u16(), header(&got, "location")), (200, location));
    let etag = header(&got, "etag").to_owned();
    assert_eq!(
        serde_json::from_str::<Value>(&got.text().await.unwrap()).unwrap(),
        ann
    );
    let cut = good(me(Method::GET, "?attributes=userName")).await;
    assert!(cut.get("meta").is_none() && cut["userName"] == "ann");
    let known = me(Method::GET, "")
        .header("if-none-match", &etag)
        .send()
        .await
        .unwrap();
    assert_eq!(known.status(), 304);

    let change =
        json!({ "schemas": [PATCH_OP], "Operations": [{ "op": "add", "path": "title", "value": "Dr" }] });
    let patched = with_json(me(Method::PATCH, ""), &change).send().await.unwrap();
    assert_eq!(
        (patched.status().as_u16(), header(&patched, "location")),
        (200, location)
    );
    let stale = with_json(me(Method::PATCH, ""), &change).header("if-match", &etag);
    refused(stale, 412).await;
    let whole = json!({ "schemas": [USER], "userName": "ann", "nickName": "A" });
    let put = with_json(me(Method::PUT, ""), &whole).send().await.unwrap();
    assert_eq!((put.status().as_u16(), header(&put, "location")), (200, location));
    assert_eq!(bridge.get(&format!("/scim/v2/Users/{id}")).await["nickName"], "A");
    let gone = me(Method::DELETE, "").send().await.unwrap();
    assert_eq!(gone.status(), 204);
    refused(me(Method::GET, ""), 404).await;
    refused(bridge.request(Method::GET, &format!("/scim/v2/Users/{id}")), 404).await;
}

/// Covers: rfc 9.2, 9.3; item 6
#[tokio::test]
async fn conditions_hold_for_every_method() {
    let bridge = Bridge::spawn().await;
    let ann = user(&bridge, "ann").await;
    let path = format!("/scim/v2/Users/{}", text(&ann, "/id"));
    let etag = text(&ann, "/meta/version");
    let strong = etag.trim_start_matches("W/");
    let listed = bridge.get("/scim/v2/Users").await;
    assert_eq!(listed["Resources"][0]["meta"]["version"], etag);
    for (given, status) in [
        (etag, 304),
        (strong, 304),
        ("*", 304),
        (&*format!("\"x\", {etag}"), 304),
        ("W/\"99\"", 200),
        ("nonsense", 200),
    ] {
        let got = bridge
            .request(Method::GET, &path)
            .header("if-none-match", given)
            .send()
            .await
            .unwrap();
        assert_eq!(
            (got.status().as_u16(), header(&got, "etag")),
            (status, etag),
            "{given}"
        );
    }
    for (given, status) in [
        (etag, 200),
        ("*", 200),
        ("W/\"99\"", 412),
        ("\"x\", W/\"98\"", 412),
    ] {
        let got = bridge
            .request(Method::GET, &path)
            .header("if-match", given)
            .send()
            .await
            .unwrap();
        assert_eq!(got.status().as_u16(), status, "{given}");
    }
    let whole = json!({ "schemas": [USER], "userName": "ann" });
    let patch =
        json!({ "schemas": [PATCH_OP], "Operations": [{ "op": "add", "path": "title", "value": "Dr" }] });
    for (method, body) in [
        (Method::PUT, &whole),
        (Method::PATCH, &patch),
        (Method::DELETE, &json!({})),
    ] {
        for stale in ["W/\"99\"", "\"x\", \"y\"", "nonsense"] {
            let request = with_json(bridge.request(method.clone(), &path), body).header("if-match", stale);
            refused(request, 412).await;
        }
        // Whoever wants a thing only if it is not there does not want to write over it.
        for given in ["*", etag] {
            let request =
                with_json(bridge.request(method.clone(), &path), body).header("if-none-match", given);
            refused(request, 412).await;
        }
    }
    assert_eq!(bridge.get(&path).await, ann);
    let any = with_json(bridge.request(Method::PATCH, &path), &patch).header("if-match", "*");
    let now = good(any).await;
    let list = format!("\"x\", {}", text(&now, "/meta/version"));
    let gone = bridge
        .request(Method::DELETE, &path)
        .header("if-match", list)
        .send()
        .await
        .unwrap();
    assert_eq!(gone.status(), 204);
}

/// Covers: rfc 9.5; item 6
#[tokio::test]
async fn of_many_writers_with_one_version_one_wins() {
    let bridge = Bridge::spawn().await;
    let team = group(&bridge, "team", &[]).await;
    let ann = user(&bridge, "ann").await;
    for (path, etag) in [
        (
            format!("/scim/v2/Users/{}", text(&ann, "/id")),
            text(&ann, "/meta/version"),
        ),
        (
            format!("/scim/v2/Groups/{}", text(&team, "/id")),
            text(&team, "/meta/version"),
        ),
    ] {
        let writers = (0..12).map(|n| {
            let operation = json!({ "op": "replace", "path": "displayName", "value": format!("writer {n}") });
            let body = json!({ "schemas": [PATCH_OP], "Operations": [operation] });
            answer(with_json(bridge.request(Method::PATCH, &path), &body).header("if-match", etag))
        });
        let answers = futures_util::future::join_all(writers).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|(status, _)| *status < 300);
        assert_eq!((won.len(), lost.len()), (1, 11), "{answers:?}");
        assert!(lost.iter().all(|(status, _)| *status == 412), "{lost:?}");
    }
}

/// Covers: rfc 3.1, 3.2, 8.1; item 6
#[tokio::test]
async fn every_no_about_a_body_is_scim() {
    let bridge = Bridge::spawn().await;
    let post = |path: &str| bridge.request(Method::POST, path);
    let scim = "application/scim+json";
    for path in [
        "/scim/v2/Users",
        "/scim/v2/Groups",
        "/scim/v2/.search",
        "/scim/v2/Users/.search",
    ] {
        for (body, status) in [
            (&b"{"[..], 400),
            (b"", 400),
            (b"[]", 400),
            (b"\"x\"", 400),
            (b"\xff\xfe{}", 400),
            (b"{\"a\":\"\xff\"}", 400),
            (b"{} {}", 400),
        ] {
            let request = post(path).header("content-type", scim).body(body.to_vec());
            let (error, _) = refused(request, status).await;
            assert_eq!(error["scimType"], "invalidSyntax", "{path}: {error}");
        }
        let deep = "[".repeat(100_000);
        refused(post(path).header("content-type", scim).body(deep), 400).await;
        refused(post(path).header("content-type", "text/plain").body("{}"), 415).await;
        refused(post(path).header("accept", "text/html").body("{}"), 406).await;
        let large = format!("{{\"x\":\"{}\"}}", "x".repeat(9 * 1024 * 1024));
        refused(post(path).header("content-type", scim).body(large), 413).await;
    }
    let search = json!({ "schemas": [SEARCH], "filter": "userName eq" });
    let (error, _) = refused(with_json(post("/scim/v2/.search"), &search), 400).await;
    assert_eq!(error["scimType"], "invalidFilter");
}

/// Covers: rfc 8.1; item 10; client okta; rfc 8.7
#[tokio::test]
async fn who_asks_too_often_is_told_for_how_many_seconds_to_wait() {
    let bridge = Bridge::spawn().await;
    let secret = bridge
        .make_token(bridge.tenant, "eager", &[Scope::Admin, Scope::ScimRead])
        .await;
    let ask = |path: &str| bridge.request_as(&secret, Method::GET, path);
    for _ in 0..20 {
        good(ask("/scim/v2/Users")).await;
    }
    let rate = json!({ "profile": { "rate": { "per_second": 1, "burst": 3 } } });
    good(with_json(
        bridge.request(Method::PATCH, "/api/v1/clients/eager"),
        &rate,
    ))
    .await;
    for _ in 0..3 {
        good(ask("/scim/v2/Users")).await;
    }
    let (_, headers) = refused(ask("/scim/v2/Users"), 429).await;
    assert_eq!(headers["retry-after"], "1");
    let refusal = ask("/api/v1/tokens").send().await.unwrap();
    assert_eq!(
        (refusal.status().as_u16(), header(&refusal, "retry-after")),
        (429, "1")
    );
    good(bridge.request(Method::GET, "/scim/v2/Users")).await;
    bridge.clock.advance(chrono::TimeDelta::seconds(2));
    for _ in 0..2 {
        good(ask("/scim/v2/Users")).await;
    }
    refused(ask("/scim/v2/Users"), 429).await;
    let free = json!({ "profile": { "rate": null } });
    good(with_json(
        bridge.request(Method::PATCH, "/api/v1/clients/eager"),
        &free,
    ))
    .await;
    good(ask("/scim/v2/Users")).await;
}

/// Covers: rfc 9.5; item 6, item 10
#[tokio::test]
async fn writes_that_meet_each_other_are_settled_among_themselves() {
    let bridge = Bridge::spawn().await;
    let same = (0..16).map(|_| {
        let body = json!({ "schemas": [USER], "userName": "ann", "externalId": "e-1" });
        answer(with_json(bridge.request(Method::POST, "/scim/v2/Users"), &body))
    });
    let answers = futures_util::future::join_all(same).await;
    let statuses: Vec<u16> = answers.iter().map(|(status, _)| *status).collect();
    assert_eq!(
        statuses.iter().filter(|status| **status == 201).count(),
        1,
        "{statuses:?}"
    );
    assert!(
        statuses.iter().all(|status| [201, 409].contains(status)),
        "{statuses:?}"
    );

    // Two groups and one user, written in opposite orders at the same time.
    let ann = text(
        &answers.iter().find(|(status, _)| *status == 201).unwrap().1,
        "/id",
    )
    .to_owned();
    let mut writes = Vec::new();
    let (one, two) = (group(&bridge, "one", &[]).await, group(&bridge, "two", &[]).await);
    for n in 0..40 {
        let team = if n % 2 == 0 { &one } else { &two };
        let op = if n % 4 < 2 { "add" } else { "remove" };
        let operation = match op {
            "add" => json!({ "op": op, "path": "members", "value": [{ "value": ann }] }),
            _ => json!({ "op": op, "path": format!("members[value eq \"{ann}\"]") }),
        };
        let body = json!({ "schemas": [PATCH_OP], "Operations": [operation] });
        let path = format!("/scim/v2/Groups/{}", text(team, "/id"));
        writes.push(answer(with_json(bridge.request(Method::PATCH, &path), &body)));
    }
    let path = format!("/scim/v2/Users/{ann}");
    writes.push(answer(bridge.request(Method::DELETE, &path)));
    let answers = futures_util::future::join_all(writes).await;
    for (status, body) in answers {
        assert!(status < 300 || status == 400, "{status}: {body}");
    }
}

#[tokio::test]
async fn the_description_for_tools_is_open() {
    let bridge = Bridge::spawn().await;
    let (status, document) = answer(
        bridge
            .http
            .get(format!("{}/scim/v2/openapi.json", bridge.base_url)),
    )
    .await;
    assert_eq!((status, document["openapi"].as_str()), (200, Some("3.1.0")));
    assert_eq!(
        document["servers"][0]["url"],
        format!("{}/scim/v2", bridge.base_url)
    );
    assert!(document["paths"]["/Users/{id}"]["patch"].is_object());
}

/// Covers: item 10
#[tokio::test]
async fn a_nul_is_refused_wherever_it_stands() {
    let bridge = Bridge::spawn().await;
    for body in [
        json!({ "name": "x", "scopes": ["admin"], "connection": "\0" }),
        json!({ "name": "\0", "scopes": ["admin"] }),
    ] {
        let (status, body) = answer(with_json(bridge.request(Method::POST, "/api/v1/tokens"), &body)).await;
        assert!((400..500).contains(&status), "{status} {body}");
    }
    for path in [
        "/api/v1/apps/%00",
        "/api/v1/apps/%00/accounts",
        "/api/v1/connections/%00",
        "/api/v1/connectors/%00",
        "/api/v1/clients/%00",
        "/api/v1/users?email=%00",
        "/api/v1/users/%00/provisioning",
        "/api/v1/runs/%00",
        "/api/v1/runs?connection=%00",
        "/api/v1/holds?state=%00",
        "/scim/v2/Users/%00",
        "/scim/v2/%00/x",
        "/scim/v2/Users?filter=userName%20eq%20%22%00%22",
        "/scim/v2/Users?filter=userName%20eq%20%22%5Cu0000%22",
        "/scim/v2/Users?sortBy=%00",
        "/scim/v2/Users?attributes=%00",
        "/scim/v2/Users?cursor=%00",
    ] {
        let (status, body) = answer(bridge.request(Method::GET, path)).await;
        assert!(status < 500, "{path}: {status} {body}");
    }
    let user = json!({ "schemas": [USER], "userName": "a\0b" });
    refused(
        with_json(bridge.request(Method::POST, "/scim/v2/Users"), &user),
        400,
    )
    .await;
    let user = json!({ "schemas": [USER], "userName": "a", "externalId": "\0" });
    refused(
        with_json(bridge.request(Method::POST, "/scim/v2/Users"), &user),
        400,
    )
    .await;
}
