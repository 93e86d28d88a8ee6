//! One resource: create, read, replace, change, delete (RFC 7644 §3.3 to §3.6).

use actix_web::http::StatusCode;
use actix_web::http::header::{ETAG, HeaderName, HeaderValue, LINK, LOCATION};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};

use super::answer::Body;
use super::members::MembersPage;
use super::refusal::Refusal;
use super::session::{Reads, Session, Writes, id};
use super::write::{self, Target};
use super::{body, condition, dialect, payroll, render};
use crate::directory::{Error, Found};
use crate::scim::{Manner, Projection, ResourceType};

/// Reads a resource.
pub async fn get(session: Session<Reads>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let kind = session.kind(&request)?;
    read(&session, &request, (&kind, id(&request)?)).await
}

/// Creates a resource.
pub async fn post(
    session: Session<Writes>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let kind = session.kind(&request)?;
    let projection = projection(&kind, &request)?;
    let incoming = dialect::incoming(&session, &kind, &body::read(&request, payload).await?)?;
    let answer = write::create(&session, &kind, &incoming).await?;
    Ok(shown(
        StatusCode::CREATED,
        &session,
        &kind,
        &answer.found,
        &projection,
    ))
}

/// Replaces a resource.
pub async fn put(
    session: Session<Writes>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let kind = session.kind(&request)?;
    replace(&session, &request, (&kind, id(&request)?), payload).await
}

/// Changes some attributes of a resource.
pub async fn patch(
    session: Session<Writes>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let kind = session.kind(&request)?;
    change(&session, &request, (&kind, id(&request)?), payload).await
}

/// Deletes a resource.
pub async fn delete(session: Session<Writes>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let kind = session.kind(&request)?;
    remove(&session, &request, (&kind, id(&request)?)).await
}

/// Answers GET of a resource.
pub async fn read(
    session: &Session<Reads>,
    request: &HttpRequest,
    (kind, id): Target<'_>,
) -> Result<HttpResponse, Refusal> {
    let projection = projection(kind, request)?;
    let mut want = render::want(kind, &projection);
    let page = MembersPage::asked(kind, request)?.filter(|_| want.members);
    want.members &= page.is_none();
    let target = (session.caller.tenant, id, kind.name.as_str());
    let mut conn = session.conn().await?;
    let found = session
        .directory()
        .get(&mut conn, target, Some(session.caller.client), want)
        .await?;
    let mut found = found.ok_or_else(Refusal::not_found)?;
    if !condition::if_match(request).admits(found.version) {
        return Err(Error::VersionMismatch.into());
    }
    let mut next = None;
    if let Some(page) = page {
        let (after, limit) = page.reach();
        let group = (target.0, target.1);
        let rows = session
            .directory()
            .members_of(&mut conn, group, after, limit)
            .await?;
        next = page.show(rows, (&session.base, kind, &mut found), request);
    }
    drop(conn);
    // The version is that of what the SCIM store holds.
    let has_more = payroll::add(session, (kind, &projection), std::slice::from_mut(&mut found)).await?;
    if !has_more && condition::is_known(request, found.version) {
        let mut answer = HttpResponse::NotModified();
        return Ok(answer
            .insert_header((ETAG, condition::etag(found.version)))
            .finish());
    }
    let mut answer = shown(StatusCode::OK, session, kind, &found, &projection);
    if let Some(next) = next {
        answer.headers_mut().insert(LINK, next);
    }
    Ok(answer)
}

/// Answers PUT of a resource.
pub async fn replace(
    session: &Session<Writes>,
    request: &HttpRequest,
    target: Target<'_>,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let (kind, _) = target;
    let projection = projection(kind, request)?;
    let incoming = dialect::incoming(session, kind, &body::read(request, payload).await?)?;
    let expected = condition::expected(request);
    let wish = (&expected, render::want(kind, &projection));
    let answer = write::replace(session, target, &incoming, wish).await?;
    Ok(shown(StatusCode::OK, session, kind, &answer.found, &projection))
}

/// Answers PATCH of a resource. A user is answered with 200 and the resource, a group with 204 unless the client asks
/// to see it (RFC 7644 §3.5.2 leaves the choice).
pub async fn change(
    session: &Session<Writes>,
    request: &HttpRequest,
    target: Target<'_>,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let (kind, _) = target;
    let projection = projection(kind, request)?;
    let change = dialect::change(session, &body::read(request, payload).await?)?;
    let expected = condition::expected(request);
    let shows = dialect::shows_result(session, kind, request, &projection);
    let want = if shows.resource {
        render::want(kind, &projection)
    } else {
        Default::default()
    };
    let answer = write::patch(session, target, &change, (&expected, want)).await?;
    let applied = shows.applied.map(HeaderValue::from_static);
    let applied = applied.map(|applied| (HeaderName::from_static("preference-applied"), applied));
    if shows.resource {
        let mut whole = shown(StatusCode::OK, session, kind, &answer.found, &projection);
        if let Some((name, value)) = applied {
            whole.headers_mut().insert(name, value);
        }
        return Ok(whole);
    }
    let mut silent = HttpResponse::NoContent();
    if let Some(applied) = applied {
        silent.insert_header(applied);
    }
    silent.insert_header((ETAG, condition::etag(answer.found.version)));
    Ok(silent
        .insert_header((LOCATION, render::location(&session.base, kind, &answer.found)))
        .finish())
}

/// Answers DELETE of a resource.
pub async fn remove(
    session: &Session<Writes>,
    request: &HttpRequest,
    target: Target<'_>,
) -> Result<HttpResponse, Refusal> {
    write::delete(session, target, &condition::expected(request)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What the query asks to see.
fn projection(kind: &ResourceType, request: &HttpRequest) -> Result<Projection, Refusal> {
    if request.query_string().is_empty() {
        return Ok(Projection::default());
    }
    let query: Vec<(String, String)> = url::form_urlencoded::parse(request.query_string().as_bytes())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned()))
        .collect();
    let named = |wanted: &str| {
        query
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.as_str())
    };
    Ok(Projection::parse(
        kind,
        named("attributes"),
        named("excludedattributes"),
    )?)
}

fn shown<S>(
    status: StatusCode,
    session: &Session<S>,
    kind: &ResourceType,
    found: &Found,
    projection: &Projection,
) -> HttpResponse {
    session.note(projection.tolerated().as_slice());
    let projection = &projection
        .clone()
        .naming_members(session.manner() == Manner::Entra);
    let mut answer = HttpResponse::build(status);
    answer
        .content_type(session.media)
        .insert_header((ETAG, condition::etag(found.version)))
        .insert_header((LOCATION, render::location(&session.base, kind, found)));
    let mut body = Body::default();
    body.resource(&session.base, kind, found, projection);
    body.send(answer, session)
}
