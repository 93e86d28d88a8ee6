//! Which media types come in and go out (RFC 7644 §3.1 and §3.8).

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, CONTENT_TYPE};

use super::refusal::Refusal;
use crate::scim::message::MEDIA_TYPE;

const JSON: &str = "application/json";

/// The media type of the answer: what the client names first of the two we have, SCIM's own if it does not care.
pub fn wanted(request: &HttpRequest) -> Result<&'static str, Refusal> {
    let mut named = false;
    for header in request.headers().get_all(ACCEPT) {
        for range in header.to_str().unwrap_or_default().split(',') {
            named = true;
            match essence(range).as_str() {
                MEDIA_TYPE | "*/*" | "application/*" | "" => return Ok(MEDIA_TYPE),
                JSON => return Ok(JSON),
                _ => {}
            }
        }
    }
    if named {
        let detail = "answers are application/scim+json or application/json";
        return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, detail));
    }
    Ok(MEDIA_TYPE)
}

/// Refuses a body that says it is no JSON; one that says nothing is taken as JSON.
pub fn check_sent(request: &HttpRequest) -> Result<(), Refusal> {
    let Some(header) = request.headers().get(CONTENT_TYPE) else {
        return Ok(());
    };
    match essence(header.to_str().unwrap_or_default()).as_str() {
        MEDIA_TYPE | JSON => Ok(()),
        _ => {
            let detail = "bodies are application/scim+json or application/json";
            Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
        }
    }
}

/// The media type without its parameters.
fn essence(range: &str) -> String {
    range
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}
