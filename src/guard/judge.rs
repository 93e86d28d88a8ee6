//! The verdict over a whole plan, as a pure function of numbers.

use serde::{Deserialize, Serialize};

/// A share alone stops nothing that touches fewer people than this: one of three people leaving is daily life.
pub const SMALLEST_SHARE: u64 = 2;
/// So many people of one unit must have been there before its loss counts as the loss of a unit.
const SMALLEST_UNIT: u64 = 3;
/// A shrink is looked at from so many missing records on.
const SMALLEST_SHRINK: u64 = 3;

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
    pub(super) fn is_over(&self, touched: u64, of: u64, smallest: u64) -> bool {
        let by_count = self.count.is_some_and(|count| touched > count);
        let by_share = touched >= smallest && self.share.is_some_and(|share| part(touched, of) > share);
        by_count || by_share
    }

    pub(super) fn in_words(&self) -> String {
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
fn part(touched: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { touched as f64 / of as f64 }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// The limits of one connection or app, with their defaults.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// People who would lose their account. Default: 20 % or 500.
    pub leavers: Limit,
    /// People with one and the same field emptied. Default: 30 %.
    pub emptied: Limit,
    /// Records that earlier complete reads had and this one has not. Default: 5 % or 500.
    pub shrink: Limit,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            leavers: Limit {
                share: Some(0.2),
                count: Some(500),
            },
            emptied: Limit {
                share: Some(0.3),
                count: None,
            },
            shrink: Limit {
                share: Some(0.05),
                count: Some(500),
            },
        }
    }
}

/// A plan in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Active people before the plan.
    pub population: u64,
    /// People whom the plan would disable or remove.
    pub leavers: u64,
    /// Per field: people who had a value and would have none.
    pub emptied: Vec<(String, u64)>,
    /// Records that were there in earlier complete reads.
    pub records: u64,
    /// Those of them that this complete read did not have.
    pub missing: u64,
    /// Records that were never there before.
    pub new: u64,
    /// Units (departments, entities) with people who would leave or whose records are missing.
    pub units: Vec<Unit>,
}

/// One department or entity that loses people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// `department` or `entity`.
    pub kind: String,
    /// Its name, or its key when it has none.
    pub name: String,
    /// People in it before.
    pub before: u64,
    /// Those of them who leave or are missing.
    pub lost: u64,
}

/// Whether a plan may be applied without asking.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// No limit is passed.
    pub ok: bool,
    /// Every limit that is passed.
    pub reasons: Vec<Reason>,
}

/// One limit that is passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// `leavers`, `emptied`, `shrink`, `unit_lost`, `keys_changed`, `frozen`, or a cause's own word.
    pub limit: String,
    /// What is over the limit and what the limit is; never personal data.
    pub message: String,
}

/// Compares a plan's numbers with the limits.
#[must_use]
pub fn judge(sizes: &Sizes, limits: &Limits) -> Verdict {
    let mut reasons = Vec::new();
    if limits
        .leavers
        .is_over(sizes.leavers, sizes.population, SMALLEST_SHARE)
    {
        reasons.push(reason(
            "leavers",
            format!(
                "{} of {} people would be disabled or removed ({}); the limit is {}",
                sizes.leavers,
                sizes.population,
                percent(part(sizes.leavers, sizes.population)),
                limits.leavers.in_words()
            ),
        ));
    }
    for (field, count) in &sizes.emptied {
        if limits.emptied.is_over(*count, sizes.population, SMALLEST_SHARE) {
            reasons.push(reason(
                "emptied",
                format!(
                    "the field {field} is empty now for {count} of {} people who had a value ({}); the limit is {}",
                    sizes.population,
                    percent(part(*count, sizes.population)),
                    limits.emptied.in_words()
                ),
            ));
        }
    }
    reasons.extend(shrink(sizes, limits));
    Verdict {
        ok: reasons.is_empty(),
        reasons,
    }
}

fn shrink(sizes: &Sizes, limits: &Limits) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if limits
        .shrink
        .is_over(sizes.missing, sizes.records, SMALLEST_SHRINK)
    {
        reasons.push(reason(
            "shrink",
            format!(
                "{} of {} records that were there before are missing from this read ({}); the limit is {}",
                sizes.missing,
                sizes.records,
                percent(part(sizes.missing, sizes.records)),
                limits.shrink.in_words()
            ),
        ));
        if sizes.new.saturating_mul(2) >= sizes.missing {
            reasons.push(reason(
                "keys_changed",
                format!(
                    "{} records have ids never seen before while {} are missing: did the HR system change its ids?",
                    sizes.new, sizes.missing
                ),
            ));
        }
    }
    for unit in &sizes.units {
        if unit.before >= SMALLEST_UNIT && unit.lost >= unit.before {
            reasons.push(reason(
                "unit_lost",
                format!(
                    "all {} people of the {} {} are missing or leave",
                    unit.before, unit.kind, unit.name
                ),
            ));
        }
    }
    reasons
}

fn reason(limit: &str, message: String) -> Reason {
    Reason {
        limit: limit.to_owned(),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(sizes: Sizes) -> Vec<String> {
        judge(&sizes, &Limits::default())
            .reasons
            .into_iter()
            .map(|reason| reason.limit)
            .collect()
    }

    #[test]
    fn a_share_or_a_count_of_leavers_stops_a_plan() {
        let leavers = |leavers, population| {
            verdict(Sizes {
                leavers,
                population,
                ..Sizes::default()
            })
        };
        assert_eq!(leavers(20, 100), Vec::<String>::new());
        assert_eq!(leavers(21, 100), ["leavers"]);
        assert_eq!(leavers(500, 10_000), Vec::<String>::new());
        assert_eq!(leavers(501, 10_000), ["leavers"]);
        assert_eq!(leavers(1, 2), Vec::<String>::new(), "one person is daily life");
        assert_eq!(leavers(2, 4), ["leavers"]);
    }

    #[test]
    fn an_emptied_field_stops_a_plan_and_names_the_field() {
        let plan = Sizes {
            population: 10,
            emptied: vec![("work_email".to_owned(), 4), ("title".to_owned(), 3)],
            ..Sizes::default()
        };
        let verdict = judge(&plan, &Limits::default());
        assert_eq!(verdict.reasons.len(), 1);
        assert!(verdict.reasons[0].message.contains("work_email"));
    }

    #[test]
    fn a_shrunken_read_a_lost_department_and_changed_keys_are_named() {
        let missing = |records, missing, new| {
            verdict(Sizes {
                records,
                missing,
                new,
                ..Sizes::default()
            })
        };
        assert_eq!(missing(296, 148, 0), ["shrink"]);
        assert_eq!(missing(296, 29, 0), ["shrink"]);
        assert_eq!(missing(296, 14, 0), Vec::<String>::new());
        assert_eq!(missing(10, 2, 0), Vec::<String>::new());
        assert_eq!(missing(100, 100, 100), ["shrink", "keys_changed"]);
        let unit = |before, lost| {
            verdict(Sizes {
                units: vec![Unit {
                    kind: "department".to_owned(),
                    name: "Tool Design".to_owned(),
                    before,
                    lost,
                }],
                ..Sizes::default()
            })
        };
        assert_eq!(unit(3, 3), ["unit_lost"]);
        assert_eq!(unit(2, 2), Vec::<String>::new());
        assert_eq!(unit(4, 3), Vec::<String>::new());
    }
}
