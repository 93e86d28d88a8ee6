//! Lists and searches (RFC 7644 §3.4.2 and §3.4.3).

use std::fmt::Write as _;

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};

use super::answer::Body;
use super::refusal::Refusal;
use super::session::{Reads, Session};
use super::{PAGE_DEFAULT, PAGE_MAX, render};
use crate::directory::{Reader, Search};
use crate::scim::message::{LIST_RESPONSE, SearchRequest};
use crate::scim::{self, Projection, ResourceType, filter};

/// Lists resources of one type.
pub async fn list(session: Session<Reads>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let kind = session.kind(&request)?;
    let wish = from_query(&request)?;
    answer(&session, &[&*kind], &wish).await
}

/// Searches resources of one type.
pub async fn search(
    session: Session<Reads>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let kind = session.kind(&request)?;
    let wish = SearchRequest::from_body(&super::body::read(&request, payload).await?)?;
    answer(&session, &[&*kind], &wish).await
}

/// Lists resources of all types.
pub async fn list_all(session: Session<Reads>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let wish = from_query(&request)?;
    every_type(&session, &wish).await
}

/// Searches resources of all types.
pub async fn search_all(
    session: Session<Reads>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let wish = SearchRequest::from_body(&super::body::read(&request, payload).await?)?;
    every_type(&session, &wish).await
}

async fn every_type(session: &Session<Reads>, wish: &SearchRequest) -> Result<HttpResponse, Refusal> {
    if wish.sort_by.is_some() {
        let detail = "resources of several types have no common order; sort on one end point";
        return Err(scim::Error::value(detail).into());
    }
    let kinds: Vec<_> = session.registry.kinds().map(|kind| &**kind).collect();
    answer(session, &kinds, wish).await
}

fn from_query(request: &HttpRequest) -> Result<SearchRequest, Refusal> {
    let pairs: Vec<_> = url::form_urlencoded::parse(request.query_string().as_bytes()).collect();
    Ok(SearchRequest::from_query(
        pairs.iter().map(|(name, value)| (&**name, &**value)),
    )?)
}

/// A page over the types one after the other.
async fn answer(
    session: &Session<Reads>,
    kinds: &[&ResourceType],
    wish: &SearchRequest,
) -> Result<HttpResponse, Refusal> {
    if wish.cursor.is_some() {
        let detail = "pages are asked for by startIndex, as ServiceProviderConfig says";
        return Err(scim::Error::of(400, scim::ScimType::InvalidCursor, detail).into());
    }
    let start = wish.start_index.unwrap_or(1).max(1);
    let limit = wish.count.unwrap_or(PAGE_DEFAULT).min(PAGE_MAX);
    let searches = kinds
        .iter()
        .map(|kind| Ok((prepared(kind, wish, kinds.len() == 1)?, projection(kind, wish)?)))
        .collect::<Result<Vec<_>, Refusal>>()?;
    let reader = Reader {
        tenant: session.caller.tenant,
        client: Some(session.caller.client),
        token: session.caller.token,
        base: &session.base,
        now: session.state.clock.now(),
    };
    let mut conn = session.conn().await?;
    let (mut total, mut shown, mut body) = (0_u64, 0_u64, Body::default());
    let _ = write!(body, "{{\"schemas\":[\"{LIST_RESPONSE}\"],\"Resources\":[");
    for (mut search, projection) in searches {
        search.start_index = start.saturating_sub(total).max(1);
        search.limit = limit.saturating_sub(shown);
        search.want = render::want(search.kind, &projection);
        let page = session.directory().search(&mut conn, &reader, &search).await?;
        total = total.saturating_add(page.total);
        for found in &page.items {
            if shown > 0 {
                let _ = body.write_str(",");
            }
            shown += 1;
            body.resource(&session.base, search.kind, found, &projection);
        }
    }
    drop(conn);
    let _ = write!(
        body,
        "],\"totalResults\":{total},\"startIndex\":{start},\"itemsPerPage\":{shown}}}"
    );
    let mut answer = HttpResponse::Ok();
    answer.content_type(session.media);
    Ok(body.send(answer, session))
}

fn projection(kind: &ResourceType, wish: &SearchRequest) -> Result<Projection, Refusal> {
    Ok(Projection::of(kind, &wish.attributes, &wish.excluded_attributes)?)
}

fn prepared<'a>(kind: &'a ResourceType, wish: &SearchRequest, strict: bool) -> Result<Search<'a>, Refusal> {
    let filter = match &wish.filter {
        None => None,
        Some(text) => {
            let parsed = filter::parse(text)?;
            let bound = if strict {
                filter::bind(&parsed, kind)?
            } else {
                filter::bind_loosely(&parsed, kind)?
            };
            Some(bound)
        }
    };
    let sort = match &wish.sort_by {
        None => None,
        Some(by) => Some((scim::sort_place(kind, by)?, wish.descending)),
    };
    Ok(Search {
        kind,
        text: format!("{:?} {:?} {}", wish.filter, wish.sort_by, wish.descending),
        filter,
        sort,
        start_index: 1,
        limit: 0,
        want: Default::default(),
    })
}
