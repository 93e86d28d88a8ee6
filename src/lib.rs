//! scim-bridge pulls employees from HR systems, resolves them into people, keeps them as SCIM Users and Groups in
//! Postgres, serves them over SCIM 2.0 and pushes the differences to downstream apps.
//!
//! Modules stand on floors; a module imports only modules on lower floors (`tests/it/architecture.rs` holds the
//! table). The way of the data: `connector` → `identity` → `translate` → `directory` → `provision` → `delivery`.

pub mod access;
pub mod app;
pub mod audit;
pub mod base;
pub mod bench;
pub mod cli;
pub mod config;
pub mod connector;
pub mod db;
pub mod delivery;
pub mod demo;
pub mod directory;
pub mod expression;
pub mod guard;
pub mod hr;
pub mod identity;
pub mod insight;
pub mod lifecycle;
pub mod net;
pub mod notice;
pub mod privacy;
pub mod provision;
pub mod scim;
pub mod sync;
pub mod translate;
pub mod web;
pub mod worker;
