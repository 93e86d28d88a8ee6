//! Whether the program lives, and whether it can serve.

use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use serde_json::json;

use super::State;
use crate::{base, db};

const PATIENCE: Duration = Duration::from_secs(3);

/// 200 as long as the program answers at all.
#[get("/healthz")]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// 200 when requests can be served: the database answers and has every migration; else 503.
#[get("/readyz")]
pub async fn readyz(state: Data<State>) -> HttpResponse {
    let looked = tokio::time::timeout(PATIENCE, async {
        let mut conn = state.db.conn().await?;
        db::pending(&mut conn).await
    })
    .await;
    let reason = match looked {
        Ok(Ok(pending)) if pending.is_empty() => {
            return HttpResponse::Ok().json(json!({ "status": "ready" }));
        }
        Ok(Ok(_)) => "migrations are missing",
        Ok(Err(error)) => {
            tracing::warn!(error = %base::Chain(&error), "not ready");
            "the database does not answer"
        }
        Err(_) => "the database does not answer in time",
    };
    HttpResponse::ServiceUnavailable().json(json!({ "status": "not ready", "reason": reason }))
}
