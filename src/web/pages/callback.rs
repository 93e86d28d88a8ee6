//! Where the vendor sends people back after they were asked for consent (RFC 6749 §4.1.2).

use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse, get};
use serde::Deserialize;

use super::super::State;
use crate::base::{Chain, Secret};
use crate::sync::{ConsentAnswered, Error, VendorAnswer};

/// What the vendor sends; anything else there is not looked at.
#[derive(Deserialize)]
struct FromVendor {
    state: Option<String>,
    code: Option<Secret>,
    error: Option<String>,
}

/// Finishes consent.
#[get("/oauth/callback")]
pub(super) async fn callback(
    state: Data<State>,
    request: HttpRequest,
    sent: Query<FromVendor>,
) -> HttpResponse {
    let pages = &state.pages;
    if pages.throttle.refuses(&request, state.clock.now()) {
        return pages.too_often();
    }
    let sent = sent.into_inner();
    let answer = match (sent.code, sent.error) {
        (Some(code), None) => Some(VendorAnswer::Code(code)),
        (None, Some(error)) => Some(VendorAnswer::Error(plain(&error))),
        _ => None,
    };
    let (Some(token), Some(answer)) = (sent.state, answer) else {
        return pages.message(
            StatusCode::BAD_REQUEST,
            "This is no answer to a question of ours",
            "The address lacks what an HR system sends along. Please start again with the link that you were given.",
        );
    };
    match state.sync.answer_consent(&token, answer).await {
        Ok(answered) => said(&state, answered).await,
        Err(Error::Connector(error)) => {
            tracing::warn!(error = %Chain(&error), "an HR system did not change consent into a token");
            let text = format!(
                "You agreed, but the HR system then did not let us in: {}. Please ask for a new link; {}.",
                Chain(&error),
                error.advice()
            );
            pages.message(StatusCode::BAD_GATEWAY, "It did not work", &text)
        }
        Err(error) => pages.failed(&error),
    }
}

async fn said(state: &State, answered: ConsentAnswered) -> HttpResponse {
    let pages = &state.pages;
    let gone = |title: &str| {
        pages.message(
            StatusCode::GONE,
            title,
            "Nothing was changed now. Please ask whoever sent you the link for a new one.",
        )
    };
    match answered {
        ConsentAnswered::Given { connection, .. } => {
            let checked = state
                .sync
                .check_connection(connection.tenant, &connection.name)
                .await;
            match checked {
                Ok(steps) => pages.checked("Thank you: you agreed, and that is kept.", &steps, false),
                Err(error) => pages.failed(&error),
            }
        }
        ConsentAnswered::Denied { code } => pages.message(
            StatusCode::OK,
            "You did not agree",
            &format!(
                "The HR system says: {code}. Nothing was changed, and nothing is read. If that was a mistake, please ask \
                 for a new link."
            ),
        ),
        ConsentAnswered::Used => gone("This link was used already"),
        ConsentAnswered::Expired => gone("This link is too old"),
        ConsentAnswered::Unknown => pages.message(
            StatusCode::NOT_FOUND,
            "We did not ask for this",
            "No question of ours belongs to this answer. Please start again with the link that you were given.",
        ),
    }
}

/// An error code; anyone can write the address, so what does not look like one is not shown.
fn plain(code: &str) -> String {
    let good = code.len() <= 60 && code.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if good {
        code.to_owned()
    } else {
        "an error".to_owned()
    }
}
