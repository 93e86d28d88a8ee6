//! `[protect]`: accounts that are never written.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::scim::Object;

/// `[protect]`: accounts that are never written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protect {
    /// User names or e-mail addresses.
    #[serde(default)]
    pub accounts: Vec<String>,
}

impl Protect {
    /// Whether it names this account, by its user name or an e-mail address, without regard to case.
    #[must_use]
    pub fn names(&self, account: &Object) -> bool {
        if self.accounts.is_empty() {
            return false;
        }
        let folded: Vec<String> = self.accounts.iter().map(|name| name.to_lowercase()).collect();
        let is_named = |text: &str| folded.contains(&text.to_lowercase());
        account
            .get("userName")
            .and_then(Value::as_str)
            .is_some_and(is_named)
            || account
                .get("emails")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|email| email.get("value").and_then(Value::as_str))
                .any(is_named)
    }
}
