//! Mail over SMTP (RFC 5321), put together as MIME (RFC 2045).
//!
//! **Exactly once, as far as SMTP allows.** A mail is a row before anything is sent. The dialogue has two parts: up to the
//! recipient the server has accepted nothing, so whatever breaks there, or a kill, costs only a repetition. Before the
//! text is handed over the row says `handing`; after the server's answer it says what came of it. A row found at `handing`
//! with a lapsed lease, or a connection that broke before the answer, means that nobody knows: the server may have the
//! mail. Invitations, notices of removal, summaries and notes of a deactivation are then not sent again but shown as
//! `unknown`, for a human to send again; alarms are sent again under the same Message-ID, which mail programs show once,
//! since an alarm told twice is better than one never told.

mod compose;
mod server;

pub(super) use compose::compose;
pub use server::{BadMailServer, MailServer};
pub(super) use server::{Failure, Session};
