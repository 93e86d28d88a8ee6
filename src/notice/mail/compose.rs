//! A mail as bytes.

use chrono::{DateTime, Utc};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};
use uuid::Uuid;

use super::MailServer;
use crate::notice::Said;

/// Puts a mail together: plain text and HTML beside each other, marked as sent by a program (RFC 3834), so that nobody's
/// out-of-office answers it. The Message-ID is that of the row, so it stays the same however often the mail is tried.
/// `None` when the address can be no address.
pub(in crate::notice) fn compose(
    server: &MailServer,
    id: Uuid,
    to: &Address,
    said: &Said,
    now: DateTime<Utc>,
) -> Option<Vec<u8>> {
    let automatic = HeaderValue::new(
        HeaderName::new_from_ascii_str("Auto-Submitted"),
        "auto-generated".to_owned(),
    );
    Message::builder()
        .from(server.from().clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(said.subject.clone())
        .date(now.into())
        .message_id(Some(format!("<{id}@{}>", server.domain())))
        .raw_header(automatic)
        .multipart(MultiPart::alternative_plain_html(
            said.text.clone(),
            said.html.clone(),
        ))
        .ok()
        .map(|message| message.formatted())
}
