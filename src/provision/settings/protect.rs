//! `[protect]`: accounts that are never written.

use serde::{Deserialize, Serialize};

/// `[protect]`: accounts that are never written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protect {
    /// User names or e-mail addresses.
    #[serde(default)]
    pub accounts: Vec<String>,
}
