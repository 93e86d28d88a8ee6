//! Conditional requests by ETag (RFC 7644 §3.14).

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};

use crate::directory::Expected;

/// The ETag of a version.
pub fn etag(version: i64) -> String {
    format!("W/\"{version}\"")
}

enum Tags {
    Any,
    These(Vec<i64>),
}

/// The tags in a header; what is no tag of ours matches nothing.
fn tags(request: &HttpRequest, name: HeaderName) -> Option<Tags> {
    let mut versions = Vec::new();
    let mut given = false;
    for header in request.headers().get_all(name) {
        given = true;
        for tag in header.to_str().unwrap_or_default().split(',').map(str::trim) {
            if tag == "*" {
                return Some(Tags::Any);
            }
            let tag = tag.strip_prefix("W/").unwrap_or(tag);
            let number = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            versions.extend(number.and_then(|number| number.parse::<i64>().ok()));
        }
    }
    given.then_some(Tags::These(versions))
}

/// What `If-Match` expects of the stored version.
pub fn expected(request: &HttpRequest) -> Expected {
    match tags(request, IF_MATCH) {
        None | Some(Tags::Any) => Expected::Any,
        Some(Tags::These(versions)) => Expected::OneOf(versions),
    }
}

/// Whether the client has this version already, by `If-None-Match`.
pub fn is_known(request: &HttpRequest, version: i64) -> bool {
    match tags(request, IF_NONE_MATCH) {
        None => false,
        Some(Tags::Any) => true,
        Some(Tags::These(versions)) => versions.contains(&version),
    }
}
