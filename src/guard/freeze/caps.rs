//! Rolling 24-hour caps of writing clients, as a pure function of numbers.

use crate::guard::Limit;

/// A share alone freezes nobody who touched fewer users than this: a test of a new client makes and deletes a few.
const SMALLEST_SHARE: u64 = 50;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CapAction {
    /// Users made.
    Create,
    /// Users disabled.
    Disable,
    /// Users deleted.
    Delete,
    /// Values cleared.
    Clear,
}

impl CapAction {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Create, Self::Disable, Self::Delete, Self::Clear];

    /// The word in `cap_use.action` and in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Disable => "disable",
            Self::Delete => "delete",
            Self::Clear => "clear",
        }
    }

    /// The limit where nothing else is said. A first cycle makes everybody, so that making is not limited; disabling,
    /// deleting and emptying many is what goes wrong.
    #[must_use]
    pub const fn default_limit(self) -> Limit {
        let (share, count) = match self {
            Self::Create => (None, None),
            Self::Disable | Self::Delete => (Some(0.2), Some(1_000)),
            Self::Clear => (Some(0.5), None),
        };
        Limit { share, count }
    }

    const fn did(self) -> &'static str {
        match self {
            Self::Create => "made",
            Self::Disable => "disabled",
            Self::Delete => "deleted",
            Self::Clear => "cleared values of",
        }
    }
}

/// What one client did in the last 24 hours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CapUse {
    /// Users made, disabled, deleted, values cleared: in the order of [`CapAction::ALL`].
    pub uses: [u64; 4],
    /// Users there are.
    pub users: u64,
}

/// Why the client is to be frozen; `None` while it is within all limits.
pub fn over(used: &CapUse, limit: impl Fn(CapAction) -> Limit) -> Option<String> {
    let deleted = used.uses.get(2).copied().unwrap_or_default();
    let there = used.users.saturating_add(deleted);
    CapAction::ALL
        .into_iter()
        .zip(used.uses)
        .find_map(|(action, uses)| {
            let limit = limit(action);
            limit.is_over(uses, there, SMALLEST_SHARE).then(|| {
                format!(
                    "it {} {uses} of {there} users within 24 hours, and the cap is {} (profile.caps.{})",
                    action.did(),
                    limit.in_words(),
                    action.as_str()
                )
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(uses: [u64; 4], users: u64) -> CapUse {
        CapUse { uses, users }
    }

    #[test]
    fn a_first_cycle_passes_and_mass_disables_do_not() {
        let by_default = |used: CapUse| over(&used, CapAction::default_limit);
        assert_eq!(by_default(used([10_000, 0, 0, 0], 10_000)), None);
        assert_eq!(by_default(used([3, 3, 3, 3], 0)), None, "a test of a new client");
        assert_eq!(by_default(used([0, 40, 9, 0], 40)), None);
        let said = by_default(used([0, 61, 0, 0], 300)).unwrap();
        assert!(
            said.contains("disabled 61 of 300") && said.contains("20.0 % or 1000"),
            "{said}"
        );
        assert!(
            by_default(used([0, 0, 60, 0], 239)).is_some(),
            "of those there were before"
        );
        assert!(by_default(used([0, 1_001, 0, 0], 1_000_000)).is_some());
        let none = Limit {
            share: None,
            count: None,
        };
        assert_eq!(over(&used([9, 9_999, 9_999, 9_999], 1), |_| none), None);
    }
}
