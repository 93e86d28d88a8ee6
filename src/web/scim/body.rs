//! Bodies of requests.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::Payload;
use futures_util::StreamExt as _;
use serde_json::Value;

use super::BODY_BYTES;
use super::media;
use super::refusal::Refusal;
use crate::scim;

/// Reads a JSON body, within the limit.
pub async fn read(request: &HttpRequest, mut payload: Payload) -> Result<Value, Refusal> {
    media::check_sent(request)?;
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| scim::Error::syntax("the body did not arrive whole"))?;
        if body.len().saturating_add(chunk.len()) > BODY_BYTES {
            let detail = format!("the body is larger than {BODY_BYTES} bytes");
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(|error| {
        let detail = format!(
            "the body is not JSON: line {}, column {}",
            error.line(),
            error.column()
        );
        scim::Error::syntax(detail).into()
    })
}
