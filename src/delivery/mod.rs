//! Brings apps up to date: looks at accounts, makes the calls, keeps what they taught.
//!
//! *Comes in:* numbered changes of the directory, published settings, time. *Goes out:* HTTP to apps, accounts with
//! their states. *Owns:* `account`, `account_member`, `operation`, `attempt`, `compare`, `drift`, `drift_member`; leases rows of `app`; reads `resource`,
//! `membership`, `change`, `hold` and `frozen`, and marks decided holds as heeded. *Must not know:* HR, connections.
//!
//! [`Engine::tick`] does four things, each safe to repeat and to kill at any instruction, and each so that what goes wrong
//! with one app or plan stops no other:
//! 1. *apply*: plans that a human approved put settings in force, and let accounts go or wait.
//! 2. *dispatch*: a numbered change becomes `account.look`, in the transaction that moves the app's `dispatched_seq`.
//! 3. *prepare*: under the lease of the app, accounts to look at are compared with what they should be, and what has to
//!    be called is written as intents. Then, and with no transaction open, the calls are made.
//! 4. *record*: answers become states, in the transaction that checks that the lease is still ours.
//!
//! A call whose end was never recorded is found by its intent: its outcome is unknown, so the app is asked what it
//! holds before anything is repeated. That one rule covers time-outs, broken connections, kills and lost leases.

mod admin;
mod bulk;
mod caps;
mod client;
mod compare;
mod contact;
mod dispatch;
mod engine;
mod error;
mod farewell;
mod first_day;
mod fresh;
mod hook;
mod invite;
mod links;
mod members;
mod moved;
mod patch;
mod precondition;
mod predict;
mod prepare;
mod preview;
mod propose;
mod publish;
mod record;
mod send;
mod store;
mod told;
mod waiting;
mod wipe;

use std::time::Duration;

pub use admin::{
    AccountView, Attempt, Check, Counterparts, OperationView, accounts, accounts_of, check, counterparts,
    is_there, operations, retry, skip,
};
pub use bulk::{BulkAction, Order, Ordered, Push, Selection, bulk, push, remove as remove_account};
pub use caps::allow_waiting;
pub use compare::{Asked, CompareId, Comparison, Drift, ask, comparison, drift, last_comparison};
pub use engine::{Engine, Worked};
pub use error::Error;
pub use first_day::welcomes;
pub use invite::invite_by_hand;
pub use links::{link, unlink};
pub use moved::Accounts;
pub use precondition::{Objection, objections};
pub use predict::{
    AppInForce, Call, CallToCome, DueAccount, DueCursor, Predicted, Timeline, UserAfter, accounts_to_come,
    calls_to_come, predict,
};
pub use preview::{Difference, Preview, PreviewPage};
pub use propose::{Proposed, Waits, Why, leave_out};
pub use publish::{PublishOrder, Published, pause, publish};
pub use told::tell_of_accounts;

pub use wipe::{Fate, forget_fate, set_fate};

/// How long an app is ours before the lease has to be renewed; renewed with every batch.
const LEASE_TIME: Duration = Duration::from_secs(120);
