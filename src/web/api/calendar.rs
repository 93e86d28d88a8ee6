//! What the days to come bring.

use actix_web::get;
use actix_web::web::{Data, Json, Query, ServiceConfig};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::{ApiCaller, List, PageQuery, ProvisioningRead};
use crate::base::{PersonId, ResourceId};
use crate::insight::{self, Ahead, CalendarEntry, Window};

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(calendar))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(calendar);
}

/// The days looked at when nothing is said.
const DAYS: TimeDelta = TimeDelta::days(30);
/// The longest time that is looked ahead.
const LONGEST: TimeDelta = TimeDelta::days(366);

/// Which days.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct CalendarQuery {
    /// From this instant (RFC 3339); now when absent, and never earlier.
    from: Option<DateTime<Utc>>,
    /// To this one, at most 366 days later; 30 days when absent.
    to: Option<DateTime<Utc>>,
    /// So many days from `from` on, instead of `to`: 1 to 366.
    days: Option<i64>,
    /// Only what this app will be sent.
    app: Option<String>,
    /// Only people of this connection.
    connection: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// How many items at most: 1 to 1000, 100 when absent.
    limit: Option<i64>,
}

/// Something that will happen, if nothing else does.
#[derive(Debug, Serialize, ToSchema)]
struct EntryBody {
    at: DateTime<Utc>,
    /// create, link, update, disable or remove.
    action: &'static str,
    #[schema(value_type = Option<String>, format = Uuid)]
    person: Option<PersonId>,
    /// Null while it is still to be made.
    #[schema(value_type = Option<String>, format = Uuid)]
    user: Option<ResourceId>,
    user_name: Option<String>,
    /// The app that will be sent it; null for what happens in the directory.
    app: Option<String>,
    /// The connection whose policy decides; null for apps.
    connection: Option<String>,
    /// By which rule.
    rule: String,
    #[serde(skip)]
    place: String,
}

impl From<CalendarEntry> for EntryBody {
    fn from(entry: CalendarEntry) -> Self {
        Self {
            at: entry.at,
            action: entry.action.as_str(),
            person: entry.person,
            user: entry.user,
            user_name: entry.user_name,
            app: entry.app,
            connection: entry.connection,
            rule: entry.rule,
            place: entry.place,
        }
    }
}

/// Where a page goes on: the instant and the place of its last entry.
fn place_of(text: &str) -> Result<(DateTime<Utc>, String), Problem> {
    text.split_once(' ')
        .and_then(|(at, place)| Some((at.parse().ok()?, place.to_owned())))
        .ok_or_else(|| Problem::bad_request("invalid-query", "after is the next of the page before"))
}

/// Who will be created, changed, disabled and removed, when, and by which rule: in the directory and in each live app, if
/// HR says nothing new and nobody steps in. Ordered by instant.
#[utoipa::path(
    get, path = "/api/v1/calendar", tag = "users", params(CalendarQuery),
    responses(
        (status = 200, body = List<EntryBody>), (status = 400, description = "not such days"),
        (status = 404, description = "no such app or connection"),
    ),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/calendar")]
async fn calendar(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    query: Query<CalendarQuery>,
) -> Result<Json<List<EntryBody>>, Problem> {
    let query = query.into_inner();
    let page = PageQuery {
        after: None,
        limit: query.limit,
    };
    let limit = page.limit()?;
    let now = state.clock.now();
    let from = query.from.unwrap_or(now).max(now);
    let days = query
        .days
        .map_or(Some(DAYS), TimeDelta::try_days)
        .unwrap_or(LONGEST + DAYS)
        .min(LONGEST + DAYS);
    let to = query.to.unwrap_or_else(|| from + days);
    if to < from || to - from > LONGEST {
        return Err(Problem::bad_request(
            "invalid-query",
            "to is after from, and at most 366 days later",
        ));
    }
    let window = Window {
        from,
        to,
        app: query.app,
        connection: query.connection,
        after: query.after.as_deref().map(place_of).transpose()?,
        limit: usize::try_from(limit.saturating_add(1)).unwrap_or(usize::MAX),
    };
    let ahead = Ahead {
        directory: &state.directory,
        sync: &state.sync,
        db: &state.db,
    };
    let found = insight::calendar(ahead, caller.tenant, window, now).await?;
    let items = found.into_iter().map(EntryBody::from).collect();
    Ok(Json(List::page(items, limit, |entry: &EntryBody| {
        format!("{} {}", entry.at.to_rfc3339(), entry.place)
    })))
}
