//! The OpenAPI document of the management API, put together from the files of the families.

use std::sync::LazyLock;

use actix_web::web::ServiceConfig;
use actix_web::{HttpResponse, get};
use serde_json::Value;
use utoipa::openapi::Response;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(whole);
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "scim-bridge management API",
        description = "Tenants and tokens, connections to HR systems, runs, apps and what was provisioned. \
                       Errors are problem details (RFC 9457). Lists are {\"items\": […], \"next\": cursor}.",
    ),
    modifiers(&Bearer),
)]
struct Frame;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "A token of a tenant with the scopes named, or of the operator (scope operator).",
            ))
            .build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// The whole document. One line for each family.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Frame::openapi();
    document.merge(super::calendar::Api::openapi());
    document.merge(super::clients::Api::openapi());
    document.merge(super::connections::Api::openapi());
    document.merge(super::consents::Api::openapi());
    document.merge(super::connectors::Api::openapi());
    document.merge(super::endings::Api::openapi());
    document.merge(super::freezes::Api::openapi());
    document.merge(super::holds::Api::openapi());
    document.merge(super::links::Api::openapi());
    document.merge(super::kept::Api::openapi());
    document.merge(super::invitations::Api::openapi());
    document.merge(super::notices::Api::openapi());
    document.merge(super::subscriptions::Api::openapi());
    document.merge(super::plans::Api::openapi());
    document.merge(super::previews::Api::openapi());
    document.merge(super::pushes::Api::openapi());
    document.merge(super::rekey::Api::openapi());
    document.merge(super::reviews::Api::openapi());
    document.merge(super::runs::Api::openapi());
    document.merge(super::run_events::Api::openapi());
    document.merge(super::apps::Api::openapi());
    document.merge(super::app_drift::Api::openapi());
    document.merge(super::app_preview::Api::openapi());
    document.merge(super::app_settings::Api::openapi());
    document.merge(super::bulk::Api::openapi());
    document.merge(super::operations::Api::openapi());
    document.merge(super::past::Api::openapi());
    document.merge(super::schemas::Api::openapi());
    document.merge(super::setup::Api::openapi());
    document.merge(super::status::Api::openapi());
    document.merge(super::support::Api::openapi());
    document.merge(super::counterparts::Api::openapi());
    document.merge(super::tenants::Api::openapi());
    document.merge(super::tokens::Api::openapi());
    document.merge(super::users::Api::openapi());
    document.merge(super::user::Api::openapi());
    document.merge(super::webhooks::Api::openapi());
    document.merge(super::people::Api::openapi());
    document.merge(super::disconnect::Api::openapi());
    document.merge(super::keys::Api::openapi());
    for item in document.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.post,
            &mut item.put,
            &mut item.patch,
            &mut item.delete,
        ];
        for operation in operations.into_iter().flatten() {
            let refused = Response::new("refused: problem details (RFC 9457)");
            let all = &mut operation.responses.responses;
            all.entry("default".to_owned()).or_insert_with(|| refused.into());
        }
    }
    document
}

/// The methods of a path, as they stand in `Allow`, by the document; `None` for a path that it does not have.
#[must_use]
pub fn allowed(path: &str) -> Option<String> {
    static TABLE: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
        let written = serde_json::to_value(document()).unwrap_or_default();
        let paths = written.get("paths").and_then(Value::as_object).cloned();
        let open = [("/api/v1/openapi.json".to_owned(), "GET, HEAD, OPTIONS".to_owned())];
        open.into_iter()
            .chain(paths.unwrap_or_default().into_iter().map(|(path, item)| {
                let methods: Vec<&str> = ["get", "post", "put", "patch", "delete"]
                    .into_iter()
                    .filter(|method| item.get(method).is_some())
                    .collect();
                let mut allowed = methods.join(", ").to_uppercase();
                if item.get("get").is_some() {
                    allowed.push_str(", HEAD");
                }
                (path, allowed + ", OPTIONS")
            }))
            .collect()
    });
    let fits = |template: &str| {
        let (mut wanted, mut given) = (template.split('/'), path.split('/'));
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return true,
                (Some(wanted), Some(given)) if wanted == given => {}
                (Some(wanted), Some(given)) if wanted.starts_with('{') && !given.is_empty() => {}
                _ => return false,
            }
        }
    };
    TABLE
        .iter()
        .find(|(template, _)| fits(template))
        .map(|(_, allowed)| allowed.clone())
}

/// The OpenAPI 3.1 document.
#[get("/api/v1/openapi.json")]
async fn whole() -> HttpResponse {
    HttpResponse::Ok().json(document())
}
