//! A webhook as people see it.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::base::Secret;
use crate::connector::SecretMaker;

/// What came so far.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Counts {
    /// Deliveries that asked us to look at somebody.
    pub looked: i64,
    /// Genuine deliveries that mean nothing to us.
    pub ignored: i64,
    /// Genuine deliveries that had come before.
    pub repeated: i64,
    /// Genuine deliveries whose body is no JSON.
    pub unreadable: i64,
    /// Deliveries that did not prove themselves.
    pub refused: i64,
    /// When the last genuine delivery came.
    pub last_at: Option<DateTime<Utc>>,
    /// When the last one came that was refused or unreadable.
    pub last_failed_at: Option<DateTime<Utc>>,
    /// Why it was.
    pub last_failure: Option<String>,
}

/// A connection's webhook.
#[derive(Debug, Clone)]
pub struct WebhookSheet {
    /// The random last part of its address.
    pub key: Secret,
    /// Who makes the secret.
    pub secret_maker: SecretMaker,
    /// Whether there is a secret.
    pub has_secret: bool,
    /// The secret, at the one time that it is shown.
    pub secret: Option<Secret>,
    /// The user's name, where deliveries prove themselves by basic auth.
    pub user: Option<String>,
    /// What to do in the HR system.
    pub guide: String,
    /// Whether the employee that a delivery names is read alone; else all are.
    pub reads_one: bool,
    /// When the address was made.
    pub made_at: DateTime<Utc>,
    /// Until when the address before it is heard too.
    pub earlier_until: Option<DateTime<Utc>>,
    /// What came so far at this address.
    pub counts: Counts,
}
