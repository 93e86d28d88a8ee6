//! Tests from outside: HTTP in, HTTP out, rows in Postgres. The only integration-test binary.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "these are tests"
)]

mod access;
mod architecture;
mod kit;
mod migrations;
mod sandbox;
mod sequencer;
mod stub;
