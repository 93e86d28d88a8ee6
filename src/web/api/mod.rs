//! The management API under `/api/v1`: JSON in, JSON out, problem details when not.
//!
//! One file for each family of paths: its bodies, its handlers, its part of the OpenAPI document, its `routes`.

pub mod app_drift;
pub mod app_preview;
pub mod app_settings;
pub mod apps;
pub mod bulk;
pub mod calendar;
mod caller;
pub mod clients;
pub mod connections;
pub mod connectors;
pub mod consents;
pub mod counterparts;
pub mod disconnect;
pub mod document;
pub mod endings;
pub mod freezes;
pub mod holds;
pub mod invitations;
pub mod kept;
pub mod keys;
pub mod links;
mod list;
pub mod notices;
pub mod operations;
pub mod past;
pub mod people;
pub mod plans;
pub mod previews;
pub mod pushes;
pub mod rekey;
pub mod reviews;
pub mod run_events;
pub mod runs;
pub mod schemas;
pub mod setup;
pub mod status;
pub mod subscriptions;
pub mod support;
pub mod tenants;
pub mod tokens;
pub mod user;
pub mod users;
pub mod webhooks;

pub use caller::{Admin, ApiCaller, ApiOperator, ProvisioningRead, ScimRead, ScopeKind};
pub use list::{List, PageQuery};
