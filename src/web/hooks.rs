//! Where HR systems deliver their webhooks: an address with a random last part, answered at once.

use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, Bytes, Data, Path, PayloadConfig, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use super::{Problem, State};
use crate::connector::Delivery;
use crate::sync::Answered;

/// The largest delivery, in bytes: they carry ids and little else.
const LARGEST: usize = 256 * 1024;

pub(super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/hooks/{key}")
            .app_data(PayloadConfig::new(LARGEST))
            .route(web::get().to(hear))
            .route(web::post().to(hear))
            .default_service(web::to(|| async { only_post() })),
    );
}

fn only_post() -> HttpResponse {
    let mut answer = HttpResponse::MethodNotAllowed();
    answer.insert_header((ALLOW, "POST")).finish()
}

/// Hears a delivery, or gives back a challenge. What is wrong with a delivery is told to the connection's owner, not to
/// whoever sent it.
async fn hear(
    state: Data<State>,
    key: Path<String>,
    request: HttpRequest,
    body: Bytes,
) -> Result<HttpResponse, Problem> {
    let header = |name: &str| {
        let value = request.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let delivery = Delivery {
        query: request.query_string(),
        header: &header,
        body: &body,
        is_post: request.method() == Method::POST,
    };
    let (answer, outcome) = match state.sync.hear(&key, &delivery).await? {
        Answered::Unknown => return Err(Problem::not_found("there is nothing here")),
        Answered::Echo(echo) => {
            let mut answer = HttpResponse::Ok();
            answer
                .insert_header((CONTENT_TYPE, echo.content_type))
                .insert_header((X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")));
            (answer.body(echo.body), "challenge")
        }
        Answered::OnlyPost => return Ok(only_post()),
        Answered::Thanks { status, outcome } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            (HttpResponse::build(status).finish(), outcome)
        }
        Answered::Refused => (HttpResponse::Unauthorized().finish(), "refused"),
    };
    state.metrics.heard(outcome);
    Ok(answer)
}
