//! The one list of routes.

use actix_web::web::{JsonConfig, PathConfig, QueryConfig, ServiceConfig};

use super::{Problem, api, health, hooks, metrics, oauth, pages, scim};

/// Where SCIM is served: by the token's tenant, and by a tenant that the path names and the token must belong to.
pub const SCIM_PREFIXES: [&str; 2] = ["/scim/v2", "/t/{tenant}/scim/v2"];

/// The largest JSON body of the management API, in bytes.
const LARGEST_JSON: usize = 2 * 1024 * 1024;

/// Every route.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.app_data(
        JsonConfig::default()
            .limit(LARGEST_JSON)
            .error_handler(|error, _| Problem::bad_request("invalid-json", error.to_string()).into()),
    )
    .app_data(PathConfig::default().error_handler(|_, _| Problem::not_found("there is nothing here").into()))
    .app_data(
        QueryConfig::default()
            .error_handler(|error, _| Problem::bad_request("invalid-query", error.to_string()).into()),
    )
    // Routes are tried in this order, and SCIM is what most requests are.
    .configure(scim::routes)
    .service(health::healthz)
    .service(health::readyz)
    .service(metrics::metrics)
    .configure(hooks::routes)
    .configure(oauth::routes)
    .configure(pages::routes)
    .configure(api::clients::routes)
    .configure(api::connections::routes)
    .configure(api::consents::routes)
    .configure(api::connectors::routes)
    .configure(api::disconnect::routes)
    .configure(api::document::routes)
    .configure(api::keys::routes)
    .configure(api::freezes::routes)
    .configure(api::holds::routes)
    .configure(api::links::routes)
    .configure(api::kept::routes)
    .configure(api::invitations::routes)
    .configure(api::notices::routes)
    .configure(api::subscriptions::routes)
    .configure(api::plans::routes)
    .configure(api::previews::routes)
    .configure(api::pushes::routes)
    .configure(api::rekey::routes)
    .configure(api::reviews::routes)
    .configure(api::runs::routes)
    .configure(api::run_events::routes)
    .configure(api::apps::routes)
    .configure(api::app_drift::routes)
    .configure(api::app_preview::routes)
    .configure(api::app_settings::routes)
    .configure(api::bulk::routes)
    .configure(api::operations::routes)
    .configure(api::past::routes)
    .configure(api::people::routes)
    .configure(api::schemas::routes)
    .configure(api::setup::routes)
    .configure(api::status::routes)
    .configure(api::support::routes)
    .configure(api::counterparts::routes)
    .configure(api::tenants::routes)
    .configure(api::tokens::routes)
    .configure(api::users::routes)
    .configure(api::user::routes)
    .configure(api::endings::routes)
    .configure(api::calendar::routes)
    .configure(api::webhooks::routes);
}
