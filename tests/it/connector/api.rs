//! The catalogue over the API.

use reqwest::Method;
use scim_bridge::access::Scope;

use crate::kit::{Bridge, answer};

#[tokio::test]
async fn the_catalogue_is_shown_to_admins() {
    let bridge = Bridge::spawn().await;
    let list = bridge.get("/api/v1/connectors").await;
    let keys: Vec<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|connector| connector["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["bamboohr", "csv", "kombo", "personio"]);
    let kombo = bridge.get("/api/v1/connectors/kombo").await;
    let secret: Vec<&str> = kombo["settings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|setting| setting["secret"] == true)
        .map(|setting| setting["name"].as_str().unwrap())
        .collect();
    assert_eq!(secret, ["api_key"]);
    assert_eq!(kombo["complete_read_provable"], true);
    let (status, problem) = answer(bridge.request(Method::GET, "/api/v1/connectors/nope")).await;
    assert_eq!((status, problem["status"].as_u64()), (404, Some(404)));
    let weak = bridge.make_token(bridge.tenant, "weak", &[Scope::ScimRead]).await;
    assert_eq!(
        answer(bridge.request_as(&weak, Method::GET, "/api/v1/connectors"))
            .await
            .0,
        403
    );
}
