//! The page of a setup link: the guide, the questions, and what the check says.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use serde_json::{Value, json};

use super::super::State;
use crate::base::Secret;
use crate::connector::{FieldView, Form, SettingProblem, SettingView};
use crate::sync::{Knocked, Sent, Setup};

/// The longest form, in bytes.
const LONGEST_FORM: usize = 64 * 1024;

/// Shows the guide and the questions. Changes nothing: those who look at links in mails may open it.
#[get("/setup/{token}")]
pub(super) async fn show(state: Data<State>, request: HttpRequest, token: Path<String>) -> HttpResponse {
    match open(&state, &request, &token).await {
        Ok(setup) => form(&state, &setup, &BTreeMap::new(), &[]),
        Err(closed) => closed,
    }
}

/// Takes the answers.
#[post("/setup/{token}")]
pub(super) async fn send(
    state: Data<State>,
    request: HttpRequest,
    token: Path<String>,
    body: Bytes,
) -> HttpResponse {
    // Whoever does not know the link cannot send anything by it; a browser says so besides (Fetch Metadata).
    let from = request.headers().get("sec-fetch-site");
    let elsewhere = from.is_some_and(|from| from != "same-origin" && from != "none");
    if elsewhere || body.len() > LONGEST_FORM {
        return state.pages.message(
            StatusCode::FORBIDDEN,
            "This cannot be taken",
            "It was sent from another page, or it is too long. Please open the link that you were given.",
        );
    }
    let setup = match open(&state, &request, &token).await {
        Ok(setup) => setup,
        Err(closed) => return closed,
    };
    let given: BTreeMap<String, Secret> = url::form_urlencoded::parse(&body)
        .map(|(name, value)| (name.into_owned(), Secret::new(value.trim().to_owned())))
        .collect();
    let redirect = state.link("/oauth/callback");
    match state.sync.send_setup(&setup, &given, &redirect).await {
        Ok(Sent::Problems(problems)) => form(&state, &setup, &given, &problems),
        Ok(Sent::Checked(steps)) => state.pages.checked("", &steps, true),
        Ok(Sent::Consent(asked)) => state.pages.page(
            StatusCode::OK,
            "consent.html",
            &json!({ "name": setup.connector.name, "link": asked.link }),
        ),
        Err(error) => state.pages.failed(&error),
    }
}

async fn open(state: &State, request: &HttpRequest, token: &str) -> Result<Box<Setup>, HttpResponse> {
    let pages = &state.pages;
    if pages.throttle.refuses(request, state.clock.now()) {
        return Err(pages.too_often());
    }
    let ask = "Please ask whoever sent it to you for a new one.";
    match state.sync.open_setup(token).await {
        Ok(Knocked::Open(setup)) => Ok(setup),
        Ok(Knocked::Ended) => Err(pages.message(StatusCode::GONE, "This link was used already", ask)),
        Ok(Knocked::Expired) => Err(pages.message(StatusCode::GONE, "This link is too old", ask)),
        Ok(Knocked::TooOften) => Err(pages.message(
            StatusCode::TOO_MANY_REQUESTS,
            "This link was tried too often",
            ask,
        )),
        Ok(Knocked::Unknown) => Err(pages.message(
            StatusCode::NOT_FOUND,
            "There is no such link",
            "Perhaps a part of it is missing: please copy the whole link.",
        )),
        Err(error) => Err(pages.failed(&error)),
    }
}

/// The form, with what was entered unless it is secret, and what is wrong with it.
fn form(
    state: &State,
    setup: &Setup,
    given: &BTreeMap<String, Secret>,
    problems: &[SettingProblem],
) -> HttpResponse {
    let asked = |name: &str| setup.questions.iter().any(|asked| asked.name == name);
    let problem = |name: &str| problems.iter().find(|problem| problem.setting == name);
    let questions: Vec<Value> = setup
        .questions
        .iter()
        .map(|one| {
            let kept = setup.answers.get(&one.name).or(one.default.as_ref());
            let value = given
                .get(&one.name)
                .map(Secret::expose)
                .or(kept.map(String::as_str));
            question(one, value, problem(&one.name))
        })
        .collect();
    let general = problems
        .iter()
        .find(|problem| !asked(&problem.setting))
        .map(|problem| format!("{}: {}", problem.setting, problem.message));
    let names = |wanted: &dyn Fn(&FieldView) -> bool| {
        let fields = setup.connector.fields.iter().filter(|field| wanted(field));
        let names: Vec<String> = fields.map(|field| field.name.replace('_', " ")).collect();
        names.join(", ")
    };
    let status = if problems.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    state.pages.page(
        status,
        "setup.html",
        &json!({
            "connector": setup.connector,
            "questions": questions,
            "general": general,
            "always": names(&|field| field.required),
            "also": names(&|field| !field.required && !field.sensitive),
            "chosen": names(&|field| !field.required && field.sensitive),
        }),
    )
}

fn question(asked: &SettingView, value: Option<&str>, problem: Option<&SettingProblem>) -> Value {
    // A secret is never shown again.
    let value = value.filter(|_| !asked.secret);
    json!({
        "name": asked.name,
        "ask": asked.ask,
        "required": asked.required,
        "choices": asked.choices,
        "secret": asked.secret,
        "lines": asked.form == Form::Pem,
        "example": asked.example,
        "value": value.unwrap_or_default(),
        "problem": problem.map(|problem| &problem.message),
    })
}
