//! The limits of a connection or app: `[guard]` of its file.

use serde::{Deserialize, Serialize};

/// A share alone stops nothing that touches fewer people than this: one of three people leaving is daily life.
pub const SMALLEST_SHARE: u64 = 2;

/// A limit: over the share *or* over the count is over the limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Part of the people there are, 0 to 1. None: no limit by share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// How many at most. None: no limit by count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

impl Limit {
    const fn of_share(share: f64) -> Self {
        Self {
            share: Some(share),
            count: None,
        }
    }

    const fn of_both(share: f64, count: u64) -> Self {
        Self {
            share: Some(share),
            count: Some(count),
        }
    }

    /// Whether so many of so many are too many. A share alone stops nothing below `smallest`.
    #[must_use]
    pub fn is_over(&self, touched: u64, of: u64, smallest: u64) -> bool {
        let by_count = self.count.is_some_and(|count| touched > count);
        let by_share = touched >= smallest && self.share.is_some_and(|share| part(touched, of) > share);
        by_count || by_share
    }

    /// The limit in words.
    #[must_use]
    pub fn in_words(&self) -> String {
        match (self.share, self.count) {
            (Some(share), Some(count)) => format!("{} or {count}", percent(share)),
            (Some(share), None) => percent(share),
            (None, Some(count)) => count.to_string(),
            (None, None) => "none".to_owned(),
        }
    }
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a share of people needs no more than the 52 bits of a double"
)]
pub(super) fn part(touched: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { touched as f64 / of as f64 }
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// The limits of one connection or app, with their defaults.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// People who would lose their account, in one run or within seven days. Default: 20 % or 500.
    pub leavers: Limit,
    /// People of one department or entity who would leave or are missing. Default: 50 %, from four people on. A unit
    /// of three people or more that is lost as a whole stops always.
    pub units: Limit,
    /// People with one and the same field emptied, in all or of one department (from five on; not the manager), and
    /// records of the whole read or of one entity that lack a field which they had in earlier reads. Default: 30 %.
    pub emptied: Limit,
    /// Records that earlier complete reads had and this one has not. Default: 5 % or 500.
    pub shrink: Limit,
    /// Records that are missing while as many have ids never seen before. Default: 5 %.
    pub churn: Limit,
    /// People who would get an account, beside those who have one. Default: 50 %; there is no such limit
    /// before a complete read was applied, nor where SCIM clients write person by person.
    pub growth: Limit,
    /// Disabled people who would get their access back. Default: 10 % or 100.
    pub returns: Limit,
    /// People whose record could be used before and cannot now. Default: 10 %.
    pub unusable: Limit,
    /// People whose name, e-mail or number changed, or whose fields hold each other's values. Default: 30 %.
    pub changed: Limit,
    /// Records that newly share an e-mail or number with another. Default: 5 %.
    pub same: Limit,
    /// Records whose texts newly show a wrong encoding. Default: 1 %.
    pub garbled: Limit,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            leavers: Limit::of_both(0.2, 500),
            units: Limit::of_share(0.5),
            emptied: Limit::of_share(0.3),
            shrink: Limit::of_both(0.05, 500),
            churn: Limit::of_share(0.05),
            growth: Limit::of_share(0.5),
            returns: Limit::of_both(0.1, 100),
            unusable: Limit::of_share(0.1),
            changed: Limit::of_share(0.3),
            same: Limit::of_share(0.05),
            garbled: Limit::of_share(0.01),
        }
    }
}

impl Limits {
    /// Every limit with its name in the file.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, Limit); 11] {
        [
            ("leavers", self.leavers),
            ("units", self.units),
            ("emptied", self.emptied),
            ("shrink", self.shrink),
            ("churn", self.churn),
            ("growth", self.growth),
            ("returns", self.returns),
            ("unusable", self.unusable),
            ("changed", self.changed),
            ("same", self.same),
            ("garbled", self.garbled),
        ]
    }

    /// The limits that make no sense: the name of each and what to write instead.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let named = self.named();
        let wrong = named.iter().filter_map(|(name, limit)| {
            let share = limit.share?;
            // Growth alone may be more than everybody.
            let most = if *name == "growth" { 100.0 } else { 1.0 };
            let good = share.is_finite() && (0.0..=most).contains(&share);
            (!good).then(|| {
                let message =
                    format!("share {share} is no part of the people: write 0.2 for 20 %, at most {most}");
                (*name, message)
            })
        });
        let empty = named
            .iter()
            .filter(|(_, limit)| limit.share.is_none() && limit.count.is_none())
            .map(|(name, _)| {
                let message = "has neither share nor count: write { share = 0.2 }, { count = 500 } or both";
                (*name, message.to_owned())
            });
        wrong.chain(empty).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_make_no_sense_are_named() {
        assert_eq!(Limits::default().problems(), []);
        let named = |toml: &str| {
            let limits: Limits = toml::from_str(toml).unwrap();
            let problems = limits.problems();
            problems.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(named("leavers = { share = 20 }"), ["leavers"]);
        assert_eq!(named("emptied = { share = -0.1 }"), ["emptied"]);
        assert_eq!(named("same = { share = nan }"), ["same"]);
        assert_eq!(named("shrink = {}"), ["shrink"]);
        assert_eq!(named("growth = { share = 3.0 }"), Vec::<&str>::new());
        assert_eq!(named("leavers = { count = 0 }"), Vec::<&str>::new());
        assert!(toml::from_str::<Limits>("leaver = { share = 0.1 }").is_err());
    }
}
