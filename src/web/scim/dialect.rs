//! What a client's profile says of its way of speaking SCIM: how it is read, and how a PATCH is answered. Nobody is
//! known by its name: a client without a profile is read as all others are.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use serde_json::Value;

use super::refusal::Refusal;
use super::session::{Session, Writes};
use crate::access::{Dialect, PatchAnswer};
use crate::scim::{self, Incoming, Manner, Projection, ResourceType, Shape, patch};

impl<S> Session<S> {
    /// How the client is read.
    pub fn manner(&self) -> Manner {
        match self.caller.profile.dialect() {
            Dialect::Standard => Manner::Tolerant,
            Dialect::Entra => Manner::Entra,
            Dialect::Strict => Manner::Strict,
        }
    }

    /// Counts what was read although the RFC does not have it.
    pub fn note(&self, shapes: &[Shape]) {
        let dialect = match self.caller.profile.dialect() {
            Dialect::Standard => "standard",
            Dialect::Entra => "entra",
            Dialect::Strict => "strict",
        };
        for shape in shapes {
            self.state.metrics.tolerated(*shape, dialect);
        }
    }

    /// Refuses the shapes that a strict client may not send, and counts the others.
    pub fn admit(&self, shapes: &[Shape]) -> Result<(), Refusal> {
        self.manner().admit(shapes)?;
        self.note(shapes);
        Ok(())
    }

    /// Counts what is no SCIM in the headers.
    pub fn note_headers(&self, request: &HttpRequest) {
        let scheme = request.headers().get(AUTHORIZATION);
        if scheme.is_some_and(|value| !value.as_bytes().trim_ascii().contains(&b' ')) {
            self.note(&[Shape::BareToken]);
        }
    }
}

/// Reads the body of a POST or PUT as the client is to be read.
pub fn incoming(
    session: &Session<Writes>,
    kind: &ResourceType,
    body: &Value,
) -> Result<Incoming, scim::Error> {
    let mut incoming = scim::read(kind, body)?;
    session.manner().admit(&incoming.tolerated)?;
    session
        .manner()
        .name_members(incoming.members.as_deref_mut().unwrap_or_default());
    Ok(incoming)
}

/// Reads the body of a PATCH as the client is to be read.
pub fn change(session: &Session<Writes>, body: &Value) -> Result<patch::Request, scim::Error> {
    Ok(patch::Request {
        manner: session.manner(),
        ..patch::parse(body)?
    })
}

/// How a PATCH is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shows {
    /// With the resource.
    pub resource: bool,
    /// Which preference of the client's decided it (RFC 7240 §3, `Preference-Applied`).
    pub applied: Option<&'static str>,
}

/// Whether a PATCH is answered with the resource: `attributes` asks for it, `Prefer` says (RFC 7240 §4.2), else it is
/// the client's profile, or the type: a user is shown, a group is not; Entra ID is shown nothing.
pub fn shows_result(
    session: &Session<Writes>,
    kind: &ResourceType,
    request: &HttpRequest,
    projection: &Projection,
) -> Shows {
    let given = request.headers().get_all("prefer");
    let preferred = preferred_return(given.filter_map(|header| header.to_str().ok()));
    if let Some(resource) = preferred.filter(|resource| *resource || projection.is_default()) {
        let applied = if resource {
            "return=representation"
        } else {
            "return=minimal"
        };
        return Shows {
            resource,
            applied: Some(applied),
        };
    }
    let applied = None;
    if !projection.is_default() {
        let resource = true;
        return Shows { resource, applied };
    }
    let usual = match session.caller.profile.patch_answer {
        Some(answer) => answer == PatchAnswer::Resource,
        None => kind.membership().is_none() && session.manner() != Manner::Entra,
    };
    Shows {
        resource: usual,
        applied,
    }
}

/// Whether the client prefers the representation (`true`) or a minimal answer: the first `return` of its `Prefer`
/// headers counts, and what is not known is passed over (RFC 7240 §2).
fn preferred_return<'a>(headers: impl Iterator<Item = &'a str>) -> Option<bool> {
    let preferences = headers.flat_map(|header| header.split(','));
    let values = preferences.filter_map(|preference| {
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("return").then_some(value)
    });
    match values.map(str::to_ascii_lowercase).next()?.as_str() {
        "representation" => Some(true),
        "minimal" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::preferred_return;

    /// Covers: rfc 5.4; item 4
    #[test]
    fn the_first_preference_for_an_answer_counts() {
        for (headers, expected) in [
            (&["return=minimal"][..], Some(false)),
            (&["return=representation"], Some(true)),
            (&["RETURN = \"Minimal\""], Some(false)),
            (&["respond-async, return=minimal; foo=bar"], Some(false)),
            (&["wait=10", "return=representation, return=minimal"], Some(true)),
            (&["wait=10; return=minimal"], None),
            (&["handling=lenient", "minimal"], None),
            (&["return=everything"], None),
            (&["return", ""], None),
            (&[], None),
        ] {
            assert_eq!(preferred_return(headers.iter().copied()), expected, "{headers:?}");
        }
    }
}
