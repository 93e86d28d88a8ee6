//! Tells people and other programs what happened: mail and webhooks out.
//!
//! *Comes in:* events, raised in the transaction of what happened. *Goes out:* mails and signed HTTP requests.
//! *Owns:* `event`, `message`, `recipient`, `notice_setting`, `template`, `subscription`, `invitation`; reads the names of
//! connections and apps, and `[notify]` in the settings of connections in force. *Must not know:* SCIM, HR, how runs and
//! apps work: an event carries what its text needs.
//!
//! ```text
//! raise ─► event ─► route ─► message ─┬─► mail
//!                                     └─► webhook
//! ```
//!
//! An event is raised exactly once per kind and key, however often the step that raises it is repeated. Who is told is
//! decided once, in one place (`route`); from then on each message goes its own way. The words are put together when a message is
//! sent, so a tenant's new words hold for what still waits. How often a mail may arrive: see `mail`; a call: `webhook`.

mod digest;
mod engine;
mod error;
mod event;
mod language;
mod mail;
mod notify;
mod place;
mod route;
mod store;
mod text;
mod webhook;

pub use engine::Engine;
pub use error::Error;
pub use event::{Entity, EventKind, NewEvent, impersonal, shown};
pub use language::Language;
pub use mail::{BadMailServer, MailServer};
pub use notify::{Also, Notify, Summary, is_address};
pub use place::place;
pub use store::event::{Unsettled, raise, raise_all, settle, unsettled, withdraw};
pub use store::invitation::{
    Invitation, InvitationFilter, InvitationView, Invitee, invitations, invite_by_hand, invite_new,
    invites_of_connections,
};
pub use store::outbox::{MessageView, messages, resend};
pub use store::recipient::{
    Recipient, Wishes, drop_recipient, recipients, set_recipient, set_wishes, wishes,
};
pub use store::subscription::{
    NewSubscription, Preset, Replay, Subscription, add_subscription, drop_subscription, replay, set_state,
    subscriptions,
};
pub use store::welcome::{Waiting, Welcome, settle_welcomes, waiting_welcomes, withdraw_welcomes};
pub use store::words::{list_own_words, own_words, reset_words, set_words};
pub use text::{Said, Words, WordsFault, built_in, sample};
