//! One resource: create, read, replace, change, delete (RFC 7644 §3.3 to §3.6).

use actix_web::http::StatusCode;
use actix_web::http::header::{ETAG, LINK, LOCATION};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};

use super::answer::Body;
use super::members::MembersPage;
use super::refusal::Refusal;
use super::session::{Reads, Session, Writes, id};
use super::{body, condition, render};
use crate::db::Transactional as _;
use crate::directory::{Answer, Error, Expected, Found};
use crate::scim::{self, Projection, ResourceType, patch};

/// Reads a resource.
pub async fn get(session: Session<Reads>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let kind = session.kind(&request)?;
    let projection = projection(&kind, &request)?;
    let mut want = render::want(&kind, &projection);
    let page = MembersPage::asked(&kind, &request)?.filter(|_| want.members);
    want.members &= page.is_none();
    let target = (session.caller.tenant, id(&request)?, kind.name.as_str());
    let mut conn = session.conn().await?;
    let found = session
        .directory()
        .get(&mut conn, target, Some(session.caller.client), want)
        .await?;
    let mut found = found.ok_or_else(Refusal::not_found)?;
    let mut next = None;
    if let Some(page) = page {
        let (after, limit) = page.reach();
        let group = (target.0, target.1);
        let rows = session
            .directory()
            .members_of(&mut conn, group, after, limit)
            .await?;
        next = page.show(rows, (&session.base, &kind, &mut found), &request);
    }
    drop(conn);
    if condition::is_known(&request, found.version) {
        let mut answer = HttpResponse::NotModified();
        return Ok(answer
            .insert_header((ETAG, condition::etag(found.version)))
            .finish());
    }
    let mut answer = shown(StatusCode::OK, &session, &kind, &found, &projection);
    if let Some(next) = next {
        answer.headers_mut().insert(LINK, next);
    }
    Ok(answer)
}

/// Creates a resource.
pub async fn post(
    session: Session<Writes>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let kind = session.kind(&request)?;
    let projection = projection(&kind, &request)?;
    let incoming = scim::read(&kind, &body::read(&request, payload).await?)?;
    let (directory, tenant, cause) = (session.directory(), session.caller.tenant, session.cause());
    let mut conn = session.conn().await?;
    let answer = if incoming
        .members
        .as_ref()
        .is_some_and(|members| !members.is_empty())
    {
        conn.transaction(async |conn| directory.create(conn, tenant, &kind, incoming, &cause).await)
            .await?
    } else {
        directory
            .create(&mut conn, tenant, &kind, incoming, &cause)
            .await?
    };
    drop(conn);
    note(&session, &answer);
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
    let projection = projection(&kind, &request)?;
    let target = (session.caller.tenant, id(&request)?, &*kind);
    let incoming = scim::read(&kind, &body::read(&request, payload).await?)?;
    let expected = condition::expected(&request);
    let wish = (&expected, render::want(&kind, &projection));
    let (directory, cause) = (session.directory(), session.cause());
    let mut conn = session.conn().await?;
    let answer = if kind.membership().is_some() {
        conn.transaction(async |conn| directory.replace(conn, target, &incoming, wish, &cause).await)
            .await?
    } else {
        directory
            .replace(&mut conn, target, &incoming, wish, &cause)
            .await?
    };
    drop(conn);
    note(&session, &answer);
    Ok(shown(StatusCode::OK, &session, &kind, &answer.found, &projection))
}

/// Changes some attributes of a resource. A user is answered with 200 and the resource, a group with 204 unless the
/// client asks to see it (RFC 7644 §3.5.2 leaves the choice).
pub async fn patch(
    session: Session<Writes>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let kind = session.kind(&request)?;
    let projection = projection(&kind, &request)?;
    let target = (session.caller.tenant, id(&request)?, &*kind);
    let change = patch::parse(&body::read(&request, payload).await?)?;
    let expected = condition::expected(&request);
    let show = shows_result(&kind, &request, &projection);
    let want = if show {
        render::want(&kind, &projection)
    } else {
        Default::default()
    };
    let wish = (&expected, want);
    let (directory, cause) = (session.directory(), session.cause());
    let mut conn = session.conn().await?;
    let alone = directory
        .patch_one_member(&mut conn, target, &change, wish, &cause)
        .await?;
    let answer = match alone {
        Some(answer) => answer,
        None if kind.membership().is_some() => {
            conn.transaction(async |conn| directory.patch(conn, target, &change, wish, &cause).await)
                .await?
        }
        None => directory.patch(&mut conn, target, &change, wish, &cause).await?,
    };
    drop(conn);
    note(&session, &answer);
    if show {
        return Ok(shown(StatusCode::OK, &session, &kind, &answer.found, &projection));
    }
    let mut silent = HttpResponse::NoContent();
    silent.insert_header((ETAG, condition::etag(answer.found.version)));
    Ok(silent
        .insert_header((LOCATION, render::location(&session.base, &kind, &answer.found)))
        .finish())
}

/// Deletes a resource.
pub async fn delete(session: Session<Writes>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let kind = session.kind(&request)?;
    let target = (session.caller.tenant, id(&request)?, kind.name.as_str());
    let expected: Expected = condition::expected(&request);
    let (directory, cause) = (session.directory(), session.cause());
    let mut conn = session.conn().await?;
    conn.transaction(async |conn| directory.delete(conn, target, &expected, &cause).await)
        .await
        .map_err(|error: Error| Refusal::from(error))?;
    session.state.db.signals().changed();
    Ok(HttpResponse::NoContent().finish())
}

/// Whether a PATCH is answered with the resource: `attributes` asks for it, `Prefer` says (RFC 7240 §4.2), else it is
/// the type that decides.
fn shows_result(kind: &ResourceType, request: &HttpRequest, projection: &Projection) -> bool {
    let prefers = |what: &str| {
        let values = request
            .headers()
            .get_all("prefer")
            .filter_map(|header| header.to_str().ok());
        values
            .flat_map(|value| value.split([',', ';']))
            .any(|one| one.trim().eq_ignore_ascii_case(what))
    };
    if !projection.is_default() || prefers("return=representation") {
        return true;
    }
    !prefers("return=minimal") && kind.membership().is_none()
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

/// Tells of a change, and counts what was read although the RFC does not have it.
fn note(session: &Session<Writes>, answer: &Answer) {
    if answer.changed {
        session.state.db.signals().changed();
    }
    for shape in &answer.tolerated {
        session.state.metrics.tolerated(shape.key());
    }
}

fn shown<S>(
    status: StatusCode,
    session: &Session<S>,
    kind: &ResourceType,
    found: &Found,
    projection: &Projection,
) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    answer
        .content_type(session.media)
        .insert_header((ETAG, condition::etag(found.version)))
        .insert_header((LOCATION, render::location(&session.base, kind, found)));
    let mut body = Body::default();
    body.resource(&session.base, kind, found, projection);
    body.send(answer, session)
}
