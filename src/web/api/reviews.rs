//! Reviews: records of which nobody but a human can say whose they are.

use actix_web::web::{Data, Json, Path, Query, ServiceConfig};
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use super::super::{Problem, State};
use super::{Admin, ApiCaller, List, PageQuery, ProvisioningRead};
use crate::base::{PersonId, ReviewId};
use crate::identity::Decision;
use crate::identity::store::ReviewRow;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(list, decide))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list).service(decide);
}

/// A review.
#[derive(Debug, Serialize, ToSchema)]
struct ReviewBody {
    #[schema(value_type = String, format = Uuid)]
    id: ReviewId,
    /// The connection's id.
    #[schema(value_type = String, format = Uuid)]
    connection: crate::base::ConnectionId,
    /// The records.
    source_ids: Vec<String>,
    /// The people they may be.
    #[schema(value_type = Vec<String>)]
    candidates: Vec<PersonId>,
    reason: String,
    /// open, decided or gone.
    state: String,
    #[schema(value_type = Option<Object>)]
    decision: Option<Value>,
    created_at: DateTime<Utc>,
    decided_at: Option<DateTime<Utc>>,
    decided_by: Option<String>,
}

impl From<ReviewRow> for ReviewBody {
    fn from(row: ReviewRow) -> Self {
        Self {
            id: row.id,
            connection: row.connection,
            source_ids: row.source_ids,
            candidates: row.candidates,
            reason: row.reason,
            state: row.state,
            decision: row.decision,
            created_at: row.created_at,
            decided_at: row.decided_at,
            decided_by: row.decided_by,
        }
    }
}

/// Which reviews to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ReviewQuery {
    /// open (the default), decided, gone or all.
    state: Option<String>,
    /// Of one connection, by name.
    connection: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// How many at most.
    limit: Option<i64>,
}

/// Lists reviews, newest first.
#[utoipa::path(
    get, path = "/api/v1/reviews", tag = "reviews", params(ReviewQuery),
    responses((status = 200, body = List<ReviewBody>)),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/reviews")]
async fn list(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    query: Query<ReviewQuery>,
) -> Result<Json<List<ReviewBody>>, Problem> {
    let page = PageQuery {
        after: query.after.clone(),
        limit: query.limit,
    };
    let limit = page.limit()?;
    let connection = match &query.connection {
        Some(name) => Some(state.sync.connection(caller.tenant, name).await?.id),
        None => None,
    };
    let wanted = match query.state.as_deref() {
        None => Some("open"),
        Some("all") => None,
        Some(state) => Some(state),
    };
    let found = state
        .sync
        .reviews(
            caller.tenant,
            connection,
            wanted,
            page.after()?,
            limit.saturating_add(1),
        )
        .await?;
    let items = found.into_iter().map(ReviewBody::from).collect();
    Ok(Json(List::page(items, limit, |one: &ReviewBody| {
        one.id.to_string()
    })))
}

/// A decision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DecisionOrder {
    /// person (all records are the person named), one_person (all are one human nobody knew) or separate (each is a
    /// human of its own).
    decision: Word,
    /// One of the candidates, with the decision person.
    #[schema(value_type = Option<String>)]
    person: Option<PersonId>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Word {
    Person,
    OnePerson,
    Separate,
}

/// Decides a review and queues a run that acts on it.
#[utoipa::path(
    post, path = "/api/v1/reviews/{id}/decide", tag = "reviews", params(("id" = String, Path)),
    request_body = DecisionOrder,
    responses(
        (status = 202, description = "decided; a run acts on it"),
        (status = 404, description = "no such open review"),
        (status = 422, description = "the person is no candidate"),
    ),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/reviews/{id}/decide")]
async fn decide(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
    order: Json<DecisionOrder>,
) -> Result<actix_web::HttpResponse, Problem> {
    let review: ReviewId = id
        .parse()
        .map_err(|_| Problem::not_found(format!("there is no open review {id}")))?;
    let decision = match (order.decision, order.person) {
        (Word::Person, Some(person)) => Decision::Person(person),
        (Word::OnePerson, None) => Decision::OnePerson,
        (Word::Separate, None) => Decision::Separate,
        _ => {
            return Err(Problem::unprocessable(
                "invalid-decision",
                "decision is person with a person, or one_person or separate without",
            ));
        }
    };
    state
        .sync
        .decide_review(caller.tenant, review, decision, &caller.actor())
        .await?;
    Ok(actix_web::HttpResponse::Accepted().json(serde_json::json!({ "id": review, "state": "decided" })))
}
