//! The command line: one file for each family of commands.
//!
//! *Comes in:* arguments. *Goes out:* text for people, JSON with `--json`, exit codes; messages go to stderr.
//! *Owns:* no table. *Must not know:* SQL. `serve`, `demo`, `migrate`, `tenant` and `token` work on the database; the
//! others are clients of the management API.

mod account;
mod app;
mod app_look;
mod bench;
mod bulk;
mod calendar;
mod client;
mod clients;
mod command;
mod connection;
mod connector;
mod connector_client;
mod connector_page;
mod counterparts;
mod demo;
mod error;
mod freeze;
mod healthcheck;
mod hold;
mod invite;
mod key;
mod migrate;
mod notice;
mod operation;
mod output;
mod past;
mod person;
mod plan;
mod preview;
mod push;
mod recipient;
mod rekey;
mod review;
mod run;
mod schema;
mod serve;
mod setup;
mod status;
mod subscription;
mod support;
mod sync;
mod template;
mod tenant;
mod token;
mod user;
mod webhook;

pub use client::Client;
pub use command::{Arguments, run};
pub use error::{Error, Exit};
pub use output::Output;
