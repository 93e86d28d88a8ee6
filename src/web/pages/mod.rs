//! Pages for people without an account: setup links, and where the vendor's answer to consent comes in.
//!
//! Plain HTML from the templates beside this file, made on the server; no script runs in them and nothing is loaded. A
//! page is never stored, never framed, and never tells another site where it was (its address is a secret). Addresses are
//! not logged (see `span`).

mod callback;
mod setup;
mod throttle;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::web::ServiceConfig;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::Serde;
use minijinja::{Environment, Value};
use serde_json::{Value as Json, json};

use throttle::Throttle;

use crate::base::{Chain, digest};
use crate::connector::CheckStep;

const STYLE: &str = include_str!("templates/style.css");
const TEMPLATES: [(&str, &str); 5] = [
    ("base.html", include_str!("templates/base.html")),
    ("message.html", include_str!("templates/message.html")),
    ("setup.html", include_str!("templates/setup.html")),
    ("checked.html", include_str!("templates/checked.html")),
    ("consent.html", include_str!("templates/consent.html")),
];

pub(super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(callback::callback)
        .service(setup::show)
        .service(setup::send);
}

/// What pages are made with; one per server.
#[derive(Debug)]
pub struct Pages {
    templates: Environment<'static>,
    policy: String,
    throttle: Throttle,
}

impl Default for Pages {
    fn default() -> Self {
        let mut templates = Environment::new();
        for (name, text) in TEMPLATES {
            // A template that is wrong is missing later; a test renders each of them.
            if let Err(error) = templates.add_template(name, text) {
                tracing::error!(template = name, error = %Chain(&error), "a template is wrong");
            }
        }
        let style = STANDARD.encode(digest(STYLE.as_bytes()));
        Self {
            templates,
            policy: format!(
                "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; \
                 frame-ancestors 'none'"
            ),
            throttle: Throttle::default(),
        }
    }
}

impl Pages {
    fn page(&self, status: StatusCode, name: &str, more: &Json) -> HttpResponse {
        let made = self.templates.get_template(name).and_then(|template| {
            template.render(Value::from(Serde(json!({ "style": STYLE, "page": more }))))
        });
        let mut answer = HttpResponse::build(status);
        answer
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header((CONTENT_SECURITY_POLICY, self.policy.as_str()))
            .insert_header((REFERRER_POLICY, "no-referrer"))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((X_FRAME_OPTIONS, "DENY"));
        match made {
            Ok(html) => answer.content_type("text/html; charset=utf-8").body(html),
            Err(error) => {
                tracing::error!(template = name, error = %Chain(&error), "a page cannot be made");
                answer.status(StatusCode::INTERNAL_SERVER_ERROR);
                answer
                    .content_type("text/plain; charset=utf-8")
                    .body("Something failed here.")
            }
        }
    }

    fn message(&self, status: StatusCode, title: &str, text: &str) -> HttpResponse {
        self.page(status, "message.html", &json!({ "title": title, "text": text }))
    }

    /// What a check found.
    fn checked(&self, text: &str, steps: &[CheckStep], again: bool) -> HttpResponse {
        let good = steps.iter().all(|step| step.ok);
        let title = if good {
            "It works"
        } else {
            "Something is not right yet"
        };
        let done =
            "You are done, and this link is used up. Whoever sent it to you switches the connection on.";
        self.page(
            StatusCode::OK,
            "checked.html",
            &json!({ "title": title, "text": text, "steps": steps, "good": good, "again": again, "done": done }),
        )
    }

    fn failed(&self, error: &(dyn std::error::Error + 'static)) -> HttpResponse {
        tracing::error!(error = %Chain(error), "a page failed");
        self.message(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something failed here",
            "It is not your fault, and nothing was changed that you need to undo. Please try again later.",
        )
    }

    fn too_often(&self) -> HttpResponse {
        self.message(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many requests",
            "Please wait a minute and open the link again.",
        )
    }
}
