//! The OpenAPI document of the management API, put together from the files of the families.

use actix_web::web::ServiceConfig;
use actix_web::{HttpResponse, get};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{
    apps, clients, connections, connectors, holds, operations, reviews, runs, schemas, status, tenants,
    tokens, users,
};

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
    document.merge(clients::Api::openapi());
    document.merge(connections::Api::openapi());
    document.merge(connectors::Api::openapi());
    document.merge(holds::Api::openapi());
    document.merge(reviews::Api::openapi());
    document.merge(runs::Api::openapi());
    document.merge(apps::Api::openapi());
    document.merge(operations::Api::openapi());
    document.merge(schemas::Api::openapi());
    document.merge(status::Api::openapi());
    document.merge(tenants::Api::openapi());
    document.merge(tokens::Api::openapi());
    document.merge(users::Api::openapi());
    document
}

/// The OpenAPI 3.1 document.
#[get("/api/v1/openapi.json")]
async fn whole() -> HttpResponse {
    HttpResponse::Ok().json(document())
}
