//! `[scope]`: who belongs into the app.

use serde::{Deserialize, Serialize};

/// `[scope]`: who belongs into the app.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// An expression over `user`; nobody is left out without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include: Option<String>,
}
