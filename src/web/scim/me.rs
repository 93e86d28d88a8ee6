//! `/Me`: the resource that a client is itself, as its profile says (RFC 7644 §3.11). It is answered as the resource
//! would be; `Location` and `meta.location` say where that is.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};

use super::refusal::Refusal;
use super::resource as one;
use super::session::{Reads, Session, Writes};
use crate::base::ResourceId;
use crate::scim::ResourceType;

/// What `/Me` takes.
pub const ALLOWED: &str = "GET, HEAD, PUT, PATCH, DELETE, OPTIONS";

/// Reads oneself.
pub async fn get(session: Session<Reads>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let (kind, id) = oneself(&session).await?;
    one::read(&session, &request, (&kind, id)).await
}

/// Replaces oneself.
pub async fn put(
    session: Session<Writes>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let (kind, id) = oneself(&session).await?;
    one::replace(&session, &request, (&kind, id), payload).await
}

/// Changes oneself.
pub async fn patch(
    session: Session<Writes>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let (kind, id) = oneself(&session).await?;
    one::change(&session, &request, (&kind, id), payload).await
}

/// Deletes oneself.
pub async fn delete(session: Session<Writes>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let (kind, id) = oneself(&session).await?;
    one::remove(&session, &request, (&kind, id)).await
}

/// Nobody makes oneself here: who is somebody exists already, and which user a client is, an administrator says.
pub async fn post(session: Session<Writes>) -> Result<HttpResponse, Refusal> {
    oneself(&session).await?;
    Err(Refusal::method(ALLOWED))
}

/// What the client is, 501 when it is nobody.
async fn oneself<S>(session: &Session<S>) -> Result<(Arc<ResourceType>, ResourceId), Refusal> {
    let id = session.caller.profile.user.ok_or_else(|| {
        let detail = "this client is no user: an administrator can set `user` in the client's profile";
        Refusal::new(StatusCode::NOT_IMPLEMENTED, detail)
    })?;
    let mut conn = session.conn().await?;
    let mut found = session
        .directory()
        .load(&mut conn, session.caller.tenant, &[id])
        .await?;
    let stored = found.remove(&id).ok_or_else(Refusal::not_found)?;
    let kind = session.kind_named(&stored.kind).ok_or_else(Refusal::not_found)?;
    Ok((kind, id))
}
