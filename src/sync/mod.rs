//! Connections and their runs: read → plan → guard → apply, each step stored.
//!
//! *Comes in:* connection files, schedules, due dates, pages of a connector. *Goes out:* users, groups and members in
//! the directory, and what stands of every record. *Owns:* `connection`, `setting_revision` (of connections),
//! `vendor_token`, `sign_in_turn`, `consent`, `consent_request`, `oauth_client`, `setup_link`, `upload`, `webhook`,
//! `webhook_delivery`, `look`, `connection_check`, `push_session`, `push_page`, `rekey`, `run`, `run_outcome`, the
//! staging tables, `org_group`, `planned_removal`. *Must not know:* HTTP, apps.
//!
//! - [`connection`](ConnectionFile): the file, its revisions, its schedule.
//! - `read`: pages into staging; an unchanged record costs one comparison and no write.
//! - `plan`: what would be done, person by person, with all that applying needs; the guard judges the whole.
//! - `apply`: exactly that plan, in batches of one transaction each.
//! - `schedule`, `due`, `inbound`, `webhook`: what starts runs by itself. `fresh`: whether they do.
//! - `undo`: a plan that takes back what a run did; `kept`: what was declined or undone, and no run does again.
//!
//! A run is one process's at a time, by lease. Every transaction of a step makes sure that the lease still holds; a
//! lapsed one is taken over by any process, which goes on with the step that is stored: reading and planning begin
//! again, applying goes on with the items that are not marked.
//!
//! An unchanged run writes the run, its empty plan, and a staging row per page; its cost does not grow with writes.

mod apply;
mod connection;
mod due;
mod ending;
mod engine;
mod error;
mod fresh;
mod hold;
mod inbound;
mod kept;
mod lineage;
mod onboarding;
mod plan;
mod push;
mod read;
mod rekey;
mod removal;
mod review;
mod run;
mod schedule;
mod sign_in;
mod tell;
mod undo;
mod user;
mod webhook;

pub use connection::{
    Applied, Connection, ConnectionFile, ConnectionState, CutAccounts, EntityFile, EntityLifecycle,
    FileProblem, FilterFile, Freshness, ReadFile, Revision, Schedule, ScheduleFile, SettingDifference,
    line_and_column, position_of,
};
pub use ending::{EndOrder, Ended};
pub use engine::Engine;
pub use error::Error;
pub use hold::ManyHolds;
pub use inbound::inbound_connection;
pub use lineage::{LineRead, SettingsRead, fact_of, word_of};
pub use onboarding::{FieldChoice, Onboarding, Step};
pub use plan::{DayCursor, DaysToCome, Foreseen, ForeseenDay, Planned};
pub use push::{Accepted, PushSession, RecordError, SessionKind, SessionState, Shape};
pub use rekey::{RekeyBy, RekeyOrder};
pub use review::{BulkDecision, Decided};
pub use run::{Approval, Outcome, Progress, Run, RunCause, RunFilter, RunState, Severity};
pub use sign_in::{
    Consent, ConsentAnswered, ConsentAsked, Knocked, OAuthClient, Sent, Setup, SetupLink, VendorAnswer,
    keep_oauth_client, oauth_client, remove_oauth_client,
};
pub use undo::{Made, UndoOrder};
pub use user::Released;
pub use webhook::{Answered, WebhookSheet};
