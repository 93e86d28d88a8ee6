//! Lists and searches (RFC 7644 §3.4.2 and §3.4.3), by startIndex and by cursor (RFC 9865).

use std::fmt::Write as _;

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};

use super::answer::Body;
use super::cursor::Cursors;
use super::refusal::Refusal;
use super::session::{Reads, Session};
use super::{PAGE_DEFAULT, PAGE_MAX, QUERY_MILLISECONDS, payroll, render};
use crate::db::Transactional as _;
use crate::directory::{Among, Error, From, Page, Reader, Search, Want};
use crate::scim::filter::Filter;
use crate::scim::message::{LIST_RESPONSE, SearchRequest};
use crate::scim::{self, Manner, Projection, ResourceType, ScimType, Shape, filter};

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

/// One page, over all types together.
async fn answer(
    session: &Session<Reads>,
    kinds: &[&ResourceType],
    wish: &SearchRequest,
) -> Result<HttpResponse, Refusal> {
    let limit = limit(wish)?;
    let views = kinds
        .iter()
        .map(|kind| Ok((*kind, projection(session, kind, wish)?)))
        .collect::<Result<Vec<View<'_>>, Refusal>>()?;
    let filter = filter(session, kinds, wish)?;
    let mut search = prepared(&views, wish, filter.as_ref())?;
    search.limit = limit;
    let now = session.state.clock.now();
    let cursors = Cursors {
        sealer: &session.state.sealer,
        about: about(session, &search),
        count: limit,
        now,
    };
    let cursor = match wish.cursor.as_deref() {
        None | Some("") => None,
        Some(text) => Some(cursors.read(text)?),
    };
    search.from = match (&wish.cursor, &cursor) {
        (None, _) => From::Index(wish.start_index.unwrap_or(1).max(1)),
        (Some(_), None) => From::First,
        (Some(_), Some(cursor)) => cursor.from(),
    };
    let mut page = read(session, &search, now).await?;
    for (kind, projection) in &views {
        payroll::add(session, (kind, projection), &mut page.items).await?;
    }
    let total = page.total.or(cursor.map(|cursor| cursor.total)).unwrap_or(0);
    let shown = page.items.len();
    let mut body = Body::default();
    let _ = write!(
        body,
        "{{\"schemas\":[\"{LIST_RESPONSE}\"],\"totalResults\":{total},\"itemsPerPage\":{shown}"
    );
    if let From::Index(start) = search.from {
        let _ = write!(body, ",\"startIndex\":{start}");
    }
    let ends = [
        (
            "nextCursor",
            page.after.clone().and_then(|place| cursors.after(place, total)),
        ),
        (
            "previousCursor",
            page.before.clone().and_then(|place| cursors.before(place, total)),
        ),
    ];
    for (name, cursor) in ends {
        if let (Some(cursor), true) = (cursor, wish.cursor.is_some()) {
            let _ = write!(body, ",\"{name}\":\"{cursor}\"");
        }
    }
    let _ = body.write_str(",\"Resources\":[");
    resources(&mut body, &session.base, &views, &page);
    let _ = body.write_str("]}");
    let mut answer = HttpResponse::Ok();
    answer.content_type(session.media);
    Ok(body.send(answer, session))
}

/// A resource type and what is shown of it.
type View<'a> = (&'a ResourceType, Projection);

/// How many resources at most. Above our own maximum, startIndex gets as many as that (RFC 7644 §3.4.2.4), a cursor
/// an error (RFC 9865 §2.1).
fn limit(wish: &SearchRequest) -> Result<u64, Refusal> {
    let count = wish.count.unwrap_or(PAGE_DEFAULT);
    if wish.cursor.is_some() && count > PAGE_MAX {
        let detail = format!("count must be between 0 and {PAGE_MAX}");
        return Err(scim::Error::of(400, ScimType::InvalidCount, detail).into());
    }
    Ok(count.min(PAGE_MAX))
}

/// What a cursor is bound to.
fn about(session: &Session<Reads>, search: &Search<'_>) -> String {
    let mut about = format!("cursor {} {}", session.caller.tenant, session.caller.token);
    for one in &search.among {
        let _ = write!(about, " {}", one.kind.name);
    }
    let _ = write!(about, " {}", search.text);
    about
}

/// Reads the page; what no index serves, within a time limit.
async fn read(session: &Session<Reads>, search: &Search<'_>, now: DateTime<Utc>) -> Result<Page, Refusal> {
    let reader = Reader {
        tenant: session.caller.tenant,
        client: Some(session.caller.client),
        token: session.caller.token,
        base: &session.base,
        now,
    };
    let directory = session.directory();
    let mut conn = session.conn().await?;
    if search.is_quick() {
        return Ok(directory.search(&mut conn, &reader, search).await?);
    }
    let page: Result<Page, Error> = conn
        .transaction(async |conn| {
            directory.limit_time(conn, QUERY_MILLISECONDS).await?;
            directory.search(conn, &reader, search).await
        })
        .await;
    Ok(page?)
}

fn resources(body: &mut Body, base: &str, views: &[View<'_>], page: &Page) {
    let mut first = true;
    for found in &page.items {
        if let Some((kind, projection)) = views.iter().find(|(kind, _)| kind.name == found.kind) {
            if !std::mem::take(&mut first) {
                let _ = body.write_str(",");
            }
            body.resource(base, kind, found, projection);
        }
    }
}

fn projection(
    session: &Session<Reads>,
    kind: &ResourceType,
    wish: &SearchRequest,
) -> Result<Projection, Refusal> {
    let projection = Projection::of(kind, &wish.attributes, &wish.excluded_attributes)?;
    session.note(projection.tolerated().as_slice());
    Ok(projection.naming_members(session.manner() == Manner::Entra))
}

/// The filter, as the client is to be read.
fn filter(
    session: &Session<Reads>,
    kinds: &[&ResourceType],
    wish: &SearchRequest,
) -> Result<Option<Filter>, Refusal> {
    let Some(text) = &wish.filter else {
        return Ok(None);
    };
    let filter = filter::parse(text)?;
    let mut shapes: Vec<Shape> = Vec::new();
    for kind in kinds {
        shapes.extend(filter::tolerated(&filter, kind));
    }
    session.admit(&shapes)?;
    Ok(Some(filter))
}

fn prepared<'a>(
    views: &[View<'a>],
    wish: &SearchRequest,
    filter: Option<&Filter>,
) -> Result<Search<'a>, Refusal> {
    let strict = views.len() == 1;
    let among = views
        .iter()
        .map(|(kind, _)| {
            let bound = match filter {
                None => None,
                Some(filter) if strict => Some(filter::bind(filter, kind)?),
                Some(filter) => Some(filter::bind_loosely(filter, kind)?),
            };
            Ok(Among { kind, filter: bound })
        })
        .collect::<Result<Vec<_>, Refusal>>()?;
    let sort = match (&wish.sort_by, views) {
        (Some(by), [(kind, _)]) => Some((scim::sort_place(kind, by)?, wish.descending)),
        _ => None,
    };
    let wants = views
        .iter()
        .map(|(kind, projection)| render::want(kind, projection));
    let want = wants.fold(Want::default(), |all, one| Want {
        groups: all.groups || one.groups,
        members: all.members || one.members,
    });
    Ok(Search {
        among,
        text: said(wish, filter),
        sort,
        from: From::Index(1),
        limit: 0,
        want,
    })
}

/// What tells this query from others, whatever the case of names (RFC 9865 §2 has an example where it changes).
fn said(wish: &SearchRequest, filter: Option<&Filter>) -> String {
    let lower = |name: &String| name.to_lowercase();
    let names = |names: &[String]| names.iter().map(lower).collect::<Vec<_>>();
    let filter = filter.map(|filter| in_lower_case(&filter.to_string()));
    let by = wish.sort_by.as_ref().map(|by| (lower(by), wish.descending));
    let projection = (names(&wish.attributes), names(&wish.excluded_attributes));
    format!("{filter:?} {by:?} {projection:?}")
}

/// A filter with all in lower case but what stands in quotes.
fn in_lower_case(filter: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    filter
        .chars()
        .map(|c| {
            if c == '"' && !escaped {
                quoted = !quoted;
            }
            escaped = c == '\\' && quoted && !escaped;
            if quoted { c } else { c.to_ascii_lowercase() }
        })
        .collect()
}
