//! The HTTP client that everything outward goes through.

use std::time::Duration;

use scim_bridge::base::{Clock, Secret};
use scim_bridge::net::{Error, Method, Net};
use serde_json::json;
use url::Url;

use crate::kit::{Answer, Stub};

fn net(allow_private: bool) -> Net {
    Net::new(allow_private, Clock::system()).unwrap()
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[tokio::test]
async fn private_targets_are_refused_by_address_and_by_name() {
    let stub = Stub::start().await;
    let by_name = stub.base_url.replace("127.0.0.1", "localhost");
    for target in [
        stub.base_url.as_str(),
        by_name.as_str(),
        "http://[::1]:1/",
        "http://0x7f000001:1/",
        "http://127.1:1/",
    ] {
        let error = net(false)
            .request(Method::GET, url(target))
            .send()
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Private { .. }), "{target}: {error:?}");
        assert!(!error.may_have_arrived() && !error.is_transient());
    }
    assert!(stub.received().is_empty());
    stub.on("GET", "/", Answer::status(204));
    assert_eq!(
        net(true)
            .request(Method::GET, url(&by_name))
            .send()
            .await
            .unwrap()
            .status,
        204
    );
    let error = net(true)
        .request(Method::GET, url("ftp://example.com/"))
        .send()
        .await
        .unwrap_err();
    assert!(matches!(error, Error::BadAddress));
}

#[tokio::test]
async fn redirects_stay_at_home() {
    let (stub, other) = (Stub::start().await, Stub::start().await);
    stub.on("GET", "/a", Answer::status(302).header("location", "/b"));
    stub.on("GET", "/b", Answer::json(200, &json!(1)));
    stub.on(
        "GET",
        "/away",
        Answer::status(302).header("location", &format!("{}/b", other.base_url)),
    );
    stub.on("GET", "/loop", Answer::status(302).header("location", "/loop"));
    let get = async |path: &str| {
        net(true)
            .request(Method::GET, url(&format!("{}{path}", stub.base_url)))
            .send()
            .await
    };
    assert_eq!(get("/a").await.unwrap().status, 200);
    assert!(matches!(get("/away").await, Err(Error::Redirected { .. })));
    assert!(matches!(get("/loop").await, Err(Error::Redirected { .. })));
    assert!(other.received().is_empty());
}

#[tokio::test]
async fn answers_have_a_cap_and_a_time() {
    let stub = Stub::start().await;
    stub.on("GET", "/", Answer::text(200, "text/plain", vec![b'x'; 1001]));
    let client = net(true);
    let capped = client
        .request(Method::GET, url(&stub.base_url))
        .cap(1000)
        .send()
        .await;
    assert!(matches!(capped, Err(Error::TooLarge { cap: 1000, .. })));
    let mut slow = Answer::status(204);
    slow.after = Duration::from_secs(60);
    stub.on("GET", "/slow", slow);
    let slow = client.request(Method::GET, url(&format!("{}/slow", stub.base_url)));
    let error = slow.time_out(Duration::from_millis(50)).send().await.unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }));
    assert!(error.may_have_arrived() && error.is_transient());
    stub.stop().await;
    let error = client
        .request(Method::GET, url(&stub.base_url))
        .send()
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Connect { .. } | Error::Broken { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn secrets_are_not_shown_by_requests_and_errors() {
    let client = net(true);
    let request = client
        .request(Method::GET, url("http://127.0.0.1:1/?key=hidden"))
        .bearer(&Secret::new("hidden".into()));
    let request = request.secret_header("x-key", &Secret::new("hidden".into()));
    let error = request.send().await.unwrap_err();
    assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
    let request = client
        .request(Method::GET, url("http://127.0.0.1:1/"))
        .header("x", "a\nb");
    assert!(matches!(request.send().await, Err(Error::BadHeader { .. })));
}
