//! A read beside the complete reads before it: what a record alone cannot tell.

use std::collections::{BTreeMap, BTreeSet};

use crate::guard::Thinned;
use crate::sync::read::Profile;

/// What differs from the reads before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// Fields that fewer records have.
    pub thinned: Vec<Thinned>,
    /// Per field: records that share their value with another, beyond those before.
    pub same: Vec<(String, u64)>,
    /// Records that look wrongly encoded, beyond those before.
    pub garbled: u64,
    /// What is wholly another.
    pub strange: Vec<String>,
}

/// Compares a complete read with those before. `alike` are those by the same rules, so that a field which the settings
/// no longer read is not missed.
pub(super) fn compare(base: &[&Profile], alike: &[&Profile], now: &Profile) -> Findings {
    let mut thinned = thinned(alike, now);
    thinned.sort_by(|one, other| (&one.field, &one.entity).cmp(&(&other.field, &other.entity)));
    let same = now.same.iter().map(|(field, count)| {
        let usual = expected(
            base.iter().map(|read| (part(&read.same, field), read.records)),
            now.records,
        );
        (field.clone(), count.saturating_sub(usual))
    });
    let garbled = expected(base.iter().map(|read| (read.garbled, read.records)), now.records);
    Findings {
        thinned,
        same: same.filter(|(_, more)| *more > 0).collect(),
        garbled: now.garbled.saturating_sub(garbled),
        strange: strange(base, now),
    }
}

fn part(counts: &BTreeMap<String, u64>, field: &str) -> u64 {
    counts.get(field).copied().unwrap_or_default()
}

/// How many of `of` would be, by the share that is in the middle of those of earlier reads.
fn expected(earlier: impl Iterator<Item = (u64, u64)>, of: u64) -> u64 {
    let mut would: Vec<u64> = earlier
        .filter(|(_, records)| *records > 0)
        .map(|(count, records)| {
            let would = u128::from(count) * u128::from(of) / u128::from(records);
            u64::try_from(would).unwrap_or(u64::MAX)
        })
        .collect();
    would.sort_unstable();
    would.get(would.len() / 2).copied().unwrap_or_default()
}

fn thinned(base: &[&Profile], now: &Profile) -> Vec<Thinned> {
    let mut found = Vec::new();
    let mut look = |entity: Option<&str>, earlier: &[(&BTreeMap<String, u64>, u64)], (filled, records)| {
        let fields: BTreeSet<&String> = earlier.iter().flat_map(|(filled, _)| filled.keys()).collect();
        for field in fields {
            let shares = earlier.iter().map(|(filled, of)| (part(filled, field), *of));
            let expected = expected(shares, records);
            let lost = expected.saturating_sub(part(filled, field));
            if lost > 0 {
                found.push(Thinned {
                    field: field.clone(),
                    entity: entity.map(str::to_owned),
                    expected,
                    lost,
                });
            }
        }
    };
    let whole: Vec<_> = base.iter().map(|read| (&read.filled, read.records)).collect();
    look(None, &whole, (&now.filled, now.records));
    for (key, entity) in &now.entities {
        let earlier = base.iter().filter_map(|read| read.entities.get(key));
        let earlier: Vec<_> = earlier.map(|before| (&before.filled, before.records)).collect();
        look(Some(&entity.name), &earlier, (&entity.filled, entity.records));
    }
    found
}

/// What nearly everybody had in the last read and nobody has now.
fn strange(base: &[&Profile], now: &Profile) -> Vec<String> {
    let Some(last) = base.first() else {
        return Vec::new();
    };
    let entities = |read: &Profile| -> (BTreeSet<String>, u64) {
        let keys = read.entities.keys().cloned().collect();
        (keys, read.entities.values().map(|entity| entity.records).sum())
    };
    let domains = |read: &Profile| -> (BTreeSet<String>, u64) {
        (
            read.domains.keys().cloned().collect(),
            read.domains.values().sum(),
        )
    };
    let is_another = |before: &(BTreeSet<String>, u64), after: &(BTreeSet<String>, u64)| {
        let most = |part: u64, records: u64| records > 0 && part.saturating_mul(2) >= records;
        most(before.1, last.records) && most(after.1, now.records) && before.0.is_disjoint(&after.0)
    };
    let mut strange = Vec::new();
    if is_another(&entities(last), &entities(now)) {
        strange.push("entities".to_owned());
    }
    if is_another(&domains(last), &domains(now)) {
        strange.push("e-mail domains".to_owned());
    }
    strange
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::read::Part;

    fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
        pairs
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    }

    fn read(records: u64, phones: u64, berlin: u64) -> Profile {
        let berlin = Part {
            name: "Berlin".to_owned(),
            records: 20,
            filled: counts(&[("mobile_phone", berlin)]),
        };
        Profile {
            records,
            filled: counts(&[("mobile_phone", phones), ("title", records)]),
            entities: [("b".to_owned(), berlin)].into(),
            domains: counts(&[("acme.example", records)]),
            ..Profile::default()
        }
    }

    #[test]
    fn a_field_is_missed_by_the_share_of_earlier_reads_in_all_and_per_entity() {
        let base = [read(100, 40, 10), read(98, 41, 10), read(90, 35, 9)];
        let base: Vec<&Profile> = base.iter().collect();
        assert_eq!(
            compare(&base, &base, &read(110, 46, 10)),
            Findings::default(),
            "growth is no loss"
        );
        let all = compare(&base, &base, &read(100, 0, 10)).thinned;
        assert_eq!(
            (all[0].expected, all[0].lost, all[0].entity.as_deref()),
            (40, 40, None)
        );
        let one = compare(&base, &base, &read(100, 40, 0)).thinned;
        assert_eq!((one[0].lost, one[0].entity.as_deref()), (10, Some("Berlin")));
        let deselected = compare(&base, &[], &read(100, 0, 0));
        assert_eq!(deselected.thinned, [], "other rules read other fields");
    }

    #[test]
    fn other_domains_and_doubled_addresses_are_found_beside_the_last_read() {
        let base = [read(100, 0, 0)];
        let base: Vec<&Profile> = base.iter().collect();
        let mut now = read(100, 0, 0);
        now.domains = counts(&[("other.example", 90)]);
        now.same = counts(&[("work_email", 60)]);
        now.garbled = 4;
        let found = compare(&base, &base, &now);
        assert_eq!(found.strange, ["e-mail domains"]);
        assert_eq!(
            (found.same, found.garbled),
            (vec![("work_email".to_owned(), 60)], 4)
        );
        now.domains = counts(&[("other.example", 90), ("acme.example", 3)]);
        assert!(compare(&base, &base, &now).strange.is_empty());
    }
}
