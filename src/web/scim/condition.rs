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
    let mut given = request.headers().get_all(name).peekable();
    given.peek()?;
    let texts = given.map(|header| header.to_str().unwrap_or_default());
    Some(read(texts))
}

fn read<'a>(texts: impl Iterator<Item = &'a str>) -> Tags {
    let mut versions = Vec::new();
    for tag in texts.flat_map(|text| text.split(',')).map(str::trim) {
        if tag == "*" {
            return Tags::Any;
        }
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        let number = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
        versions.extend(number.and_then(|number| number.parse::<i64>().ok()));
    }
    Tags::These(versions)
}

/// Whether `If-None-Match` names this opaque version.
pub fn names(request: &HttpRequest, version: &str) -> bool {
    let given = request.headers().get_all(IF_NONE_MATCH);
    let tags = given.flat_map(|header| header.to_str().unwrap_or_default().split(','));
    tags.map(str::trim).any(|tag| {
        let bare = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || bare.strip_prefix('"').and_then(|bare| bare.strip_suffix('"')) == Some(version)
    })
}

/// What `If-Match` expects of the stored version.
pub fn if_match(request: &HttpRequest) -> Expected {
    match tags(request, IF_MATCH) {
        None | Some(Tags::Any) => Expected::Any,
        Some(Tags::These(versions)) => Expected::OneOf(versions),
    }
}

/// What a write expects of the stored version: `If-Match` one of these, `If-None-Match` none of these.
pub fn expected(request: &HttpRequest) -> Expected {
    match (if_match(request), tags(request, IF_NONE_MATCH)) {
        (expected, None) => expected,
        (_, Some(Tags::Any)) => Expected::OneOf(Vec::new()),
        (Expected::OneOf(mut versions), Some(Tags::These(known))) => {
            versions.retain(|version| !known.contains(version));
            Expected::OneOf(versions)
        }
        (_, Some(Tags::These(known))) => Expected::NoneOf(known),
    }
}

/// What the `version` of a Bulk operation expects of the stored version, as `If-Match` would.
pub fn of_version(text: &str) -> Expected {
    match read(std::iter::once(text)) {
        Tags::Any => Expected::Any,
        Tags::These(versions) => Expected::OneOf(versions),
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
