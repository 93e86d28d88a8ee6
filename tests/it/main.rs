//! Tests from outside: HTTP in, HTTP out, rows in Postgres. The only integration-test binary.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod access;
mod architecture;
mod authority;
mod bench;
mod brakes;
mod clients;
mod conformance;
mod connector;
mod consent;
mod data_protection;
mod database;
mod demo;
mod directory;
mod directory_filter;
mod directory_index;
mod disconnect;
mod discovery;
mod embedded;
mod entities;
mod erasure;
mod erasure_bounds;
mod erasure_columns;
mod fuzz_corpus;
mod groups;
mod identity;
mod inbound;
mod judges;
mod kit;
mod lifecycle;
mod lineage;
mod matching;
mod migrations;
mod notices;
mod past;
mod payroll;
mod plans;
mod previews;
mod push;
mod push_in;
mod real_input;
mod rekey;
mod rekey_killed;
mod retention;
mod routes;
mod run_history;
mod sandbox;
mod schedules;
mod schemas;
mod scim_bulk;
mod scim_bulk_faults;
mod scim_limits;
mod scim_list;
mod scim_paging;
mod scim_patch;
mod scim_protocol;
mod scim_resource;
mod scim_sanity;
mod scim_tester;
mod sequencer;
mod server;
mod setup_links;
mod setup_steps;
mod sftp;
mod source_health;
mod stub;
mod sync_changes;
mod sync_connections;
mod sync_guard;
mod sync_kit;
mod sync_people;
mod sync_process;
mod sync_runs;
mod undo;
mod undo_killed;
mod user_names;
mod webhooks;
mod whole_way;
