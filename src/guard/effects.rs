//! What a plan would do to the accounts of one app, in numbers, against that app's limits. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::limit::{part, percent};
use super::{Action, Limit, Reason, SMALLEST_SHARE, Verdict};

/// What a plan would do to the accounts of an app.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effects {
    /// Accounts that are there before the plan.
    pub accounts: u64,
    /// Accounts that would be made.
    pub creates: u64,
    /// Accounts that would be changed otherwise than by a disable.
    pub updates: u64,
    /// Accounts that would be disabled.
    pub disables: u64,
    /// Accounts and groups that would be deleted.
    pub removals: u64,
    /// By attribute: accounts that have a value and would have none.
    pub cleared: BTreeMap<String, u64>,
}

impl Effects {
    /// Counts one effect; `cleared` are the attributes that would lose their value.
    pub fn count<'a>(&mut self, action: Action, cleared: impl Iterator<Item = &'a str>) {
        let slot = match action {
            Action::Create => &mut self.creates,
            Action::Link | Action::Update => &mut self.updates,
            Action::Disable => &mut self.disables,
            Action::Remove => &mut self.removals,
            Action::Hold | Action::Skip | Action::Conflict => return,
        };
        *slot = slot.saturating_add(1);
        for path in cleared {
            let count = self.cleared.entry(path.to_owned()).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Whether nothing would be done.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.creates == 0 && self.updates == 0 && self.disables == 0 && self.removals == 0
    }
}

/// `[guard]` of an app file: what a plan may do without an approval. Each is a share of the accounts that are there, or
/// a count, whichever is passed first; one that is empty is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EffectLimits {
    /// Accounts made. Default: no limit; an empty app is filled.
    pub creates: Limit,
    /// Accounts changed. Default: no limit.
    pub updates: Limit,
    /// Accounts disabled. Default: 20 % or 500.
    pub disables: Limit,
    /// Accounts and groups deleted. Default: 20 % or 500.
    pub removals: Limit,
    /// Accounts of which one and the same value is cleared. Default: 30 % or 500.
    pub cleared: Limit,
}

impl Default for EffectLimits {
    fn default() -> Self {
        let limit = |share, count| Limit {
            share: Some(share),
            count: Some(count),
        };
        let none = Limit {
            share: None,
            count: None,
        };
        Self {
            creates: none,
            updates: none,
            disables: limit(0.2, 500),
            removals: limit(0.2, 500),
            cleared: limit(0.3, 500),
        }
    }
}

impl EffectLimits {
    /// Each limit by its key, for checks.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, Limit); 5] {
        [
            ("creates", self.creates),
            ("updates", self.updates),
            ("disables", self.disables),
            ("removals", self.removals),
            ("cleared", self.cleared),
        ]
    }
}

/// Compares what a plan would do with the app's limits.
#[must_use]
pub fn weigh(effects: &Effects, limits: &EffectLimits) -> Verdict {
    let sums = [
        ("creates", effects.creates, limits.creates, "made"),
        ("updates", effects.updates, limits.updates, "changed"),
        ("disables", effects.disables, limits.disables, "disabled"),
        ("removals", effects.removals, limits.removals, "deleted"),
    ];
    let mut reasons: Vec<Reason> = sums
        .iter()
        .filter(|(_, count, limit, _)| limit.is_over(*count, effects.accounts, SMALLEST_SHARE))
        .map(|(name, count, limit, done)| {
            reason(
                name,
                format!(
                    "{} would be {done}; the limit is {}",
                    of(*count, effects.accounts),
                    limit.in_words()
                ),
            )
        })
        .collect();
    for (path, count) in &effects.cleared {
        if limits.cleared.is_over(*count, effects.accounts, SMALLEST_SHARE) {
            reasons.push(reason(
                "cleared",
                format!(
                    "{} would lose the value of {path}; the limit is {}",
                    of(*count, effects.accounts),
                    limits.cleared.in_words()
                ),
            ));
        }
    }
    Verdict {
        ok: reasons.is_empty(),
        reasons,
    }
}

/// What to do when the numbers are right, and when not.
const ADVICE: &str = "look at the items: approve if this is meant, else correct the settings or the order";

fn reason(limit: &str, message: String) -> Reason {
    Reason {
        limit: limit.to_owned(),
        message,
        advice: ADVICE.to_owned(),
    }
}

fn of(count: u64, accounts: u64) -> String {
    if accounts == 0 {
        format!("{count} accounts")
    } else if count > accounts {
        format!("{count} accounts, with {accounts} there now,")
    } else {
        format!(
            "{count} of {accounts} accounts ({})",
            percent(part(count, accounts))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_filling_passes_and_what_takes_away_from_many_does_not() {
        let none = std::iter::empty::<&str>;
        let limits = EffectLimits::default();
        let with = |accounts, count: u64, action, cleared: Option<&str>| {
            let mut effects = Effects {
                accounts,
                ..Effects::default()
            };
            for _ in 0..count {
                match cleared {
                    Some(path) => effects.count(action, std::iter::once(path)),
                    None => effects.count(action, none()),
                }
            }
            let limits: Vec<String> = weigh(&effects, &limits)
                .reasons
                .into_iter()
                .map(|one| one.limit)
                .collect();
            limits
        };
        let nothing: [&str; 0] = [];
        assert_eq!(with(0, 10_000, Action::Create, None), nothing);
        assert_eq!(with(5_000, 5_000, Action::Update, None), nothing);
        assert_eq!(
            with(1, 1, Action::Disable, None),
            nothing,
            "one person is daily life"
        );
        assert_eq!(with(10, 2, Action::Disable, None), nothing);
        assert_eq!(with(10, 3, Action::Disable, None), ["disables"]);
        assert_eq!(with(100_000, 501, Action::Disable, None), ["disables"]);
        assert_eq!(with(100_000, 501, Action::Remove, None), ["removals"]);
        assert_eq!(with(10, 4, Action::Update, Some("title")), ["cleared"]);
        assert_eq!(with(10, 3, Action::Update, Some("title")), nothing);
    }
}
