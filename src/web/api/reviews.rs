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
use crate::identity::store::{KnownBy, Names, ReviewRow};
use crate::sync::BulkDecision;

/// The most reviews of one bulk decision.
const MOST: usize = 500;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(list, decide, decide_many, reopen))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list)
        .service(decide_many)
        .service(decide)
        .service(reopen);
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
    /// What humans know the records by, in their order.
    records: Vec<NameBody>,
    /// What humans know the candidates by, in their order.
    people: Vec<NameBody>,
    reason: String,
    /// open, decided or gone.
    state: String,
    #[schema(value_type = Option<Object>)]
    decision: Option<Value>,
    created_at: DateTime<Utc>,
    decided_at: Option<DateTime<Utc>>,
    decided_by: Option<String>,
}

/// What humans know somebody by.
#[derive(Debug, Serialize, ToSchema)]
struct NameBody {
    /// The record's source id, or the person's id.
    id: String,
    name: Option<String>,
    employee_number: Option<String>,
    work_email: Option<String>,
    /// Name of the legal entity.
    entity: Option<String>,
}

impl NameBody {
    fn of(id: String, known: KnownBy) -> Self {
        Self {
            id,
            name: known.name,
            employee_number: known.employee_number,
            work_email: known.work_email,
            entity: known.entity,
        }
    }
}

impl ReviewBody {
    fn of(row: ReviewRow, names: &Names) -> Self {
        let record = |id: &String| NameBody::of(id.clone(), names.record(&row, id));
        let person = |id: &PersonId| NameBody::of(id.to_string(), names.person(*id));
        Self {
            records: row.source_ids.iter().map(record).collect(),
            people: row.candidates.iter().map(person).collect(),
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
    let names = state.sync.review_names(caller.tenant, &found).await?;
    let items = found.into_iter().map(|row| ReviewBody::of(row, &names)).collect();
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

/// One answer for many reviews.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BulkOrder {
    /// candidate (of each review the records are its only candidate), one_person or separate.
    decision: BulkWord,
    /// Which reviews, at most 500; without them all open ones of `connection`.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    ids: Vec<ReviewId>,
    /// All open reviews of this connection, by name.
    #[serde(default)]
    connection: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum BulkWord {
    Candidate,
    OnePerson,
    Separate,
}

/// Decides many open reviews alike, at most 500 at once; a run for each connection acts on them.
#[utoipa::path(
    post, path = "/api/v1/reviews/decide", tag = "reviews", request_body = BulkOrder,
    responses(
        (status = 202, description = "decided and left: ids; more: whether the same order again finds more"),
        (status = 422, description = "neither ids nor a connection"),
    ),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/reviews/decide")]
async fn decide_many(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    order: Json<BulkOrder>,
) -> Result<actix_web::HttpResponse, Problem> {
    if order.ids.len() > MOST || (order.ids.is_empty() && order.connection.is_none()) {
        return Err(Problem::unprocessable(
            "invalid-decision",
            format!("name 1 to {MOST} ids, or the connection whose open reviews are decided"),
        ));
    }
    let connection = match &order.connection {
        Some(name) => Some(state.sync.connection(caller.tenant, name).await?.id),
        None => None,
    };
    let decision = match order.decision {
        BulkWord::Candidate => BulkDecision::Candidate,
        BulkWord::OnePerson => BulkDecision::OnePerson,
        BulkWord::Separate => BulkDecision::Separate,
    };
    let done = state
        .sync
        .decide_reviews(caller.tenant, connection, &order.ids, decision, &caller.actor())
        .await?;
    Ok(actix_web::HttpResponse::Accepted().json(serde_json::json!({
        "decided": done.decided, "left": done.left, "more": done.more,
    })))
}

/// Takes a decision back: the review is open again, its records belong to whom they belonged before, and a run acts on
/// that.
#[utoipa::path(
    post, path = "/api/v1/reviews/{id}/reopen", tag = "reviews", params(("id" = String, Path)),
    responses(
        (status = 202, description = "open again; a run acts on it"),
        (status = 404, description = "no such decided review, or its question is open again already"),
    ),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/reviews/{id}/reopen")]
async fn reopen(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<String>,
) -> Result<actix_web::HttpResponse, Problem> {
    let review: ReviewId = id
        .parse()
        .map_err(|_| Problem::not_found(format!("there is no decided review {id}")))?;
    state
        .sync
        .reopen_review(caller.tenant, review, &caller.actor())
        .await?;
    Ok(actix_web::HttpResponse::Accepted().json(serde_json::json!({ "id": review, "state": "open" })))
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
