//! The verdict over a whole plan, as a pure function of numbers.

use serde::{Deserialize, Serialize};

use super::limit::{Limit, Limits, SMALLEST_SHARE, part, percent};

/// So many people of one unit must have been there before its loss counts as the loss of a unit.
const SMALLEST_UNIT: u64 = 3;
/// A unit that loses a part of its people is looked at from so many on.
const SMALLEST_PART: u64 = 4;
/// Shares of records (missing, unusable, doubled, garbled …) count from so many on.
const SMALLEST_READ: u64 = 3;
/// Changed names and addresses count from so many people on.
const SMALLEST_CHANGE: u64 = 5;
/// New accounts count from so many on.
const SMALLEST_GROWTH: u64 = 20;

/// A plan in numbers, and what the read looked like beside earlier ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Active people before the plan.
    pub population: u64,
    /// People whom the plan would disable or remove.
    pub leavers: u64,
    /// Those whom plans of the last seven days did.
    pub left_lately: u64,
    /// People who would get an account.
    pub creates: u64,
    /// Disabled people who would get their access back.
    pub returns: u64,
    /// Per field: people who had a value and would have none.
    pub emptied: Vec<(String, u64)>,
    /// Per field and department: people who had a value and would have none.
    #[serde(default)]
    pub emptied_in: Vec<EmptiedIn>,
    /// Per identifying field: people whose value is another one.
    pub changed: Vec<(String, u64)>,
    /// People one of whose fields holds what another field held before.
    pub swapped: u64,
    /// Active people whose record could be used before and cannot now.
    pub unusable: u64,
    /// Records that were there in earlier complete reads.
    pub records: u64,
    /// Those of them that this complete read did not have.
    pub missing: u64,
    /// Records that were never there before.
    pub new: u64,
    /// Units (departments, entities) with people who would leave or whose records are missing.
    pub units: Vec<Unit>,
    /// Records of this read.
    pub read: u64,
    /// It was complete and had nobody, though earlier ones had.
    pub empty: bool,
    /// Fields that fewer records have than in earlier reads.
    pub thinned: Vec<Thinned>,
    /// Per field: records that share their value with another, beyond those of earlier reads.
    pub same: Vec<(String, u64)>,
    /// Records whose texts show a wrong encoding, beyond those of earlier reads.
    pub garbled: u64,
    /// What is wholly another than in earlier reads: `entities`, `e-mail domains`.
    pub strange: Vec<String>,
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
    /// Those of the lost whose records are missing from the read: nobody says that they left.
    pub unseen: u64,
}

/// A field that people of one department lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmptiedIn {
    /// The field.
    pub field: String,
    /// The department's name, or its key when it has none.
    pub department: String,
    /// People of it who had a value before.
    pub had: u64,
    /// Those of them who have none now.
    pub lost: u64,
}

/// A field that fewer records have than in earlier reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thinned {
    /// The field.
    pub field: String,
    /// In one entity alone; none: in the whole read.
    pub entity: Option<String>,
    /// So many records would have it, by earlier reads.
    pub expected: u64,
    /// So many of them have not.
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// `leavers`, `units`, `unit_lost`, `emptied`, `shrink`, `keys_changed`, `growth`, `returns`, `unusable`, `changed`,
    /// `swapped`, `same`, `garbled`, `empty`, `wrong_tenant`, `frozen`, or a cause's own word.
    pub limit: String,
    /// What is over the limit and what the limit is; never personal data.
    pub message: String,
    /// What to do now.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub advice: String,
}

/// What to do when HR may be right.
const IF_RIGHT: &str =
    "look at the items of the plan; if HR is right, approve it; if not, repair the source and run again";

/// Compares a plan's numbers with the limits.
#[must_use]
pub fn judge(sizes: &Sizes, limits: &Limits) -> Verdict {
    let mut bench = Bench {
        sizes,
        limits,
        reasons: Vec::new(),
    };
    bench.whole_read();
    bench.people();
    bench.units();
    bench.fields();
    Verdict {
        ok: bench.reasons.is_empty(),
        reasons: bench.reasons,
    }
}

struct Bench<'a> {
    sizes: &'a Sizes,
    limits: &'a Limits,
    reasons: Vec<Reason>,
}

impl Bench<'_> {
    fn say(&mut self, limit: &str, message: String, advice: &str) {
        self.reasons.push(Reason {
            limit: limit.to_owned(),
            message,
            advice: advice.to_owned(),
        });
    }

    /// Says that a limit is passed: `what` says who does what, such as "people would be disabled".
    fn over(
        &mut self,
        name: &str,
        limit: (&str, Limit),
        (touched, of): (u64, u64),
        what: &str,
        advice: &str,
    ) {
        let (setting, limit) = limit;
        let message = format!(
            "{touched} of {of} {what} ({}); the limit guard.{setting} is {}",
            percent(part(touched, of)),
            limit.in_words()
        );
        self.say(name, message, advice);
    }

    /// Whether these are the people we know at all.
    fn whole_read(&mut self) {
        let (sizes, limits) = (self.sizes, self.limits);
        if sizes.empty {
            let message = format!(
                "the read was complete and had nobody, where {} records were known",
                sizes.records
            );
            self.say(
                "empty",
                message,
                "see whether the credential still has its rights, or the file its rows; then run again",
            );
        }
        if limits.shrink.is_over(sizes.missing, sizes.records, SMALLEST_READ) {
            self.over(
                "shrink",
                ("shrink", limits.shrink),
                (sizes.missing, sizes.records),
                "records that were there before are missing from this read: they count as not seen, nobody leaves",
                "see whether the credential, the filter of the HR system or the file lost people; give the right back and \
                 run again, or approve if they are gone",
            );
        }
        let churned = sizes.missing.min(sizes.new);
        if limits.churn.is_over(churned, sizes.records, SMALLEST_CHANGE) {
            self.over(
                "keys_changed",
                ("churn", limits.churn),
                (churned, sizes.records),
                "records are missing while as many have ids never seen before: did the HR system change its ids?",
                "do not approve if the people are the same: move the records to their new ids first",
            );
        }
        if limits
            .growth
            .is_over(sizes.creates, sizes.population, SMALLEST_GROWTH)
            && sizes.population > 0
        {
            let message = format!(
                "{} people would get an account where {} have one; the limit guard.growth is {}",
                sizes.creates,
                sizes.population,
                limits.growth.in_words()
            );
            self.say(
                "growth",
                message,
                "see whether the credential shows the people of another company too; if they are yours, approve",
            );
        }
        let another = sizes.missing.saturating_mul(2) >= sizes.records.max(1)
            || self.most_changed().saturating_mul(2) >= sizes.population.max(1);
        if !sizes.strange.is_empty() && another {
            let message = format!(
                "the people are others than before, and so are all {}: is this another company's data?",
                sizes.strange.join(" and ")
            );
            self.say(
                "wrong_tenant",
                message,
                "see to which account the credential or the file belongs; do not approve before you know",
            );
        }
    }

    fn most_changed(&self) -> u64 {
        let counts = self.sizes.changed.iter().map(|(_, count)| *count);
        counts.max().unwrap_or_default()
    }

    fn people(&mut self) {
        let (sizes, limits) = (self.sizes, self.limits);
        let of = sizes.population;
        if limits.leavers.is_over(sizes.leavers, of, SMALLEST_SHARE) {
            let what = "people would be disabled or removed";
            self.over(
                "leavers",
                ("leavers", limits.leavers),
                (sizes.leavers, of),
                what,
                IF_RIGHT,
            );
        } else if sizes.leavers > 0 {
            let touched = sizes.leavers.saturating_add(sizes.left_lately);
            let before = of.saturating_add(sizes.left_lately);
            if limits.leavers.is_over(touched, before, SMALLEST_CHANGE) {
                let what = "people would be disabled or removed within seven days";
                self.over(
                    "leavers",
                    ("leavers", limits.leavers),
                    (touched, before),
                    what,
                    IF_RIGHT,
                );
            }
        }
        if limits.returns.is_over(sizes.returns, of, SMALLEST_READ) {
            let what = "people, who are disabled, would get their access back";
            self.over(
                "returns",
                ("returns", limits.returns),
                (sizes.returns, of),
                what,
                IF_RIGHT,
            );
        }
        if limits.unusable.is_over(sizes.unusable, of, SMALLEST_READ) {
            self.over(
                "unusable",
                ("unusable", limits.unusable),
                (sizes.unusable, of),
                "people have a record that could be used before and cannot now",
                "the errors of the run name each; repair the source and run again",
            );
        }
    }

    fn units(&mut self) {
        for unit in &self.sizes.units {
            if unit.before >= SMALLEST_UNIT && unit.lost >= unit.before {
                let how = if unit.unseen >= unit.lost {
                    "are missing from this read: not seen, which is not the same as left"
                } else {
                    "are missing or leave"
                };
                let message = format!(
                    "all {} people of the {} {} {how}",
                    unit.before, unit.kind, unit.name
                );
                self.say(
                    "unit_lost",
                    message,
                    "see whether the credential may still see this unit; give the right back and run again, or approve if \
                     the unit is gone",
                );
            } else if self.limits.units.is_over(unit.lost, unit.before, SMALLEST_PART) {
                let what = format!("people of the {} {} are missing or leave", unit.kind, unit.name);
                self.over(
                    "units",
                    ("units", self.limits.units),
                    (unit.lost, unit.before),
                    &what,
                    IF_RIGHT,
                );
            }
        }
    }

    fn fields(&mut self) {
        let (sizes, limits) = (self.sizes, self.limits);
        let of = sizes.population;
        let repair = "see whether the credential or the report still has the field; put it back and run again, or approve";
        for (field, count) in &sizes.emptied {
            if limits.emptied.is_over(*count, of, SMALLEST_SHARE) {
                let what = format!("people who had a value in the field {field} have none now");
                self.over(
                    "emptied",
                    ("emptied", limits.emptied),
                    (*count, of),
                    &what,
                    repair,
                );
            }
        }
        for thin in &sizes.thinned {
            let told = |(field, count): &(String, u64)| {
                *field == thin.field && limits.emptied.is_over(*count, of, SMALLEST_SHARE)
            };
            if sizes.emptied.iter().any(told) {
                continue;
            }
            if limits.emptied.is_over(thin.lost, thin.expected, SMALLEST_READ) {
                let place = thin.entity.as_ref();
                let place = place.map_or_else(String::new, |entity| format!(" of the entity {entity}"));
                let what = format!(
                    "records{place} that would have the field {} by earlier reads have none",
                    thin.field
                );
                self.over(
                    "emptied",
                    ("emptied", limits.emptied),
                    (thin.lost, thin.expected),
                    &what,
                    repair,
                );
            }
        }
        for one in &sizes.emptied_in {
            let told = |(field, count): &(String, u64)| {
                *field == one.field && limits.emptied.is_over(*count, of, SMALLEST_SHARE)
            };
            if !sizes.emptied.iter().any(told) && limits.emptied.is_over(one.lost, one.had, SMALLEST_CHANGE) {
                let what = format!(
                    "people of the department {} who had a value in the field {} have none now",
                    one.department, one.field
                );
                self.over(
                    "emptied",
                    ("emptied", limits.emptied),
                    (one.lost, one.had),
                    &what,
                    repair,
                );
            }
        }
        for (field, count) in &sizes.changed {
            if limits.changed.is_over(*count, of, SMALLEST_CHANGE) {
                let what = format!("people have another value in the field {field}");
                self.over(
                    "changed",
                    ("changed", limits.changed),
                    (*count, of),
                    &what,
                    IF_RIGHT,
                );
            }
        }
        if limits.changed.is_over(sizes.swapped, of, SMALLEST_CHANGE) {
            self.over(
                "swapped",
                ("changed", limits.changed),
                (sizes.swapped, of),
                "people have in one field what another field held before: were columns swapped?",
                "see whether the columns still mean what [fields] says; repair the source and run again",
            );
        }
        for (field, count) in &sizes.same {
            if limits.same.is_over(*count, sizes.read, SMALLEST_READ) {
                let what = format!("records share their {field} with another record, who did not before");
                self.over(
                    "same",
                    ("same", limits.same),
                    (*count, sizes.read),
                    &what,
                    IF_RIGHT,
                );
            }
        }
        if limits.garbled.is_over(sizes.garbled, sizes.read, SMALLEST_READ) {
            self.over(
                "garbled",
                ("garbled", limits.garbled),
                (sizes.garbled, sizes.read),
                "records have texts that look wrongly encoded, which they were not before",
                "set the encoding of the file, or have the HR system export UTF-8, and run again",
            );
        }
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
        let department = |had, lost| Sizes {
            population: 1_000,
            emptied: vec![("title".to_owned(), lost)],
            emptied_in: vec![EmptiedIn {
                field: "title".to_owned(),
                department: "Tool Design".to_owned(),
                had,
                lost,
            }],
            ..Sizes::default()
        };
        for (had, lost, stops) in [(30, 30, 1), (30, 10, 1), (30, 9, 0), (4, 4, 0), (900, 600, 1)] {
            let verdict = judge(&department(had, lost), &Limits::default());
            assert_eq!(verdict.reasons.len(), stops, "{lost} of {had}: {verdict:?}");
        }
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
                    unseen: 0,
                }],
                ..Sizes::default()
            })
        };
        assert_eq!(unit(3, 3), ["unit_lost"]);
        assert_eq!(unit(2, 2), Vec::<String>::new());
        assert_eq!(unit(4, 3), Vec::<String>::new());
    }
}
