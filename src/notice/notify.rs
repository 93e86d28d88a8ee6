//! `[notify]` of a connection file or an app file: who is told of what it does.

use chrono::TimeDelta;
use lettre::Address;
use serde::{Deserialize, Serialize};

use super::{EventKind, Language};

/// Who is told of what a connection does, or what happens in an app, beside the tenant's own recipients.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notify {
    /// Who answers for it: told of everything it does. Another person takes over by another address here.
    pub owner: Option<String>,
    /// The owner's language.
    pub language: Option<Language>,
    /// Which runs of a connection are summed up by mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// After so long (`4h`, `2d`) a plan that still waits is told again.
    pub escalate_after: Option<String>,
    /// To whom; without anybody, to the same people.
    pub escalate_to: Vec<String>,
    /// Further people.
    pub to: Vec<Also>,
}

/// Which runs are summed up by mail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Summary {
    /// Every run, also one that changed nothing.
    Always,
    /// Runs that changed something, or read only a part.
    #[default]
    Changes,
    /// None.
    Never,
}

/// One more recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Also {
    /// The address.
    pub address: String,
    /// Told of these; empty: of everything.
    #[serde(default)]
    pub events: Vec<EventKind>,
    /// Told only of these legal entities; empty: of all, and of what belongs to none.
    #[serde(default)]
    pub entities: Vec<String>,
    /// In this language.
    #[serde(default)]
    pub language: Option<Language>,
}

/// Whether a text can be an address to send to.
#[must_use]
pub fn is_address(text: &str) -> bool {
    text.len() <= 254 && text.parse::<Address>().is_ok()
}

/// The longest of such waits: events are kept for longer.
const LONGEST_WAIT: TimeDelta = TimeDelta::days(30);

/// A wait such as `30m`, `4h`, `2d`.
pub(super) fn wait(text: &str) -> Option<TimeDelta> {
    let unit = text.chars().last()?;
    let number: i64 = text.strip_suffix(unit)?.parse().ok()?;
    let minutes = match unit {
        'm' => 1,
        'h' => 60,
        'd' => 24 * 60,
        _ => return None,
    };
    let minutes = number.checked_mul(minutes)?;
    (1..=LONGEST_WAIT.num_minutes())
        .contains(&minutes)
        .then(|| TimeDelta::minutes(minutes))
}

impl Notify {
    /// What cannot be used: a path below `notify`, and why.
    #[must_use]
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut address = |at: String, text: &str| {
            if !is_address(text) {
                found.push((at, "is no mail address".to_owned()));
            }
        };
        if let Some(owner) = &self.owner {
            address("notify.owner".to_owned(), owner);
        }
        for (place, to) in self.escalate_to.iter().enumerate() {
            address(format!("notify.escalate_to[{place}]"), to);
        }
        for (place, to) in self.to.iter().enumerate() {
            address(format!("notify.to[{place}].address"), &to.address);
        }
        if self.escalate_after.is_some() && self.escalation().is_none() {
            let message = "is a number with m, h or d, such as 4h; 30d at most".to_owned();
            found.push(("notify.escalate_after".to_owned(), message));
        }
        found
    }

    /// Whether somebody is told at all.
    pub(super) const fn names_somebody(&self) -> bool {
        self.owner.is_some() || !self.to.is_empty()
    }

    /// After how long a plan that waits is told again.
    #[must_use]
    pub fn escalation(&self) -> Option<TimeDelta> {
        self.escalate_after.as_deref().and_then(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_used_is_named() {
        let notify: Notify = toml::from_str(
            "owner = \"hr at acme\"\nescalate_after = \"soon\"\nescalate_to = [\"a@acme.example\", \"x\"]\n\
             [[to]]\naddress = \"b@acme.example\\r\\nBcc: c@acme.example\"\n",
        )
        .unwrap();
        let places: Vec<String> = notify.problems().into_iter().map(|(at, _)| at).collect();
        assert_eq!(
            places,
            [
                "notify.owner",
                "notify.escalate_to[1]",
                "notify.to[0].address",
                "notify.escalate_after"
            ]
        );
        assert_eq!(wait("2d"), Some(TimeDelta::hours(48)));
        for text in [
            "",
            "d",
            "0h",
            "-1h",
            "4",
            "4 h",
            "31d",
            "721h",
            "99999999d",
            "9999999999999999d",
        ] {
            assert_eq!(wait(text), None, "{text}");
        }
        let unknown = toml::from_str::<Notify>("[[to]]\naddress = \"b@acme.example\"\nevents = [\"lunch\"]");
        assert!(unknown.unwrap_err().to_string().contains("run_done"));
    }
}
