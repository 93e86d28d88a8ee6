//! Connectors against recordings of the vendors' shapes and against everything that goes wrong on the way.

mod api;
mod check;
mod contract;
mod failures;
mod file;
pub(crate) mod harness;
mod hr_systems;
mod recordings;
mod sign_in;
mod transport;
mod vocabulary;
mod webhooks;
mod worked_example;
