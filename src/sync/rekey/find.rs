//! Which record of the new connection is whose: pure, over the keys of all records.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{RekeyBy, RekeyOrder};
use crate::base::PersonId;
use crate::identity::Traits;

/// A record of the old connection that speaks for somebody.
#[derive(Debug, Clone)]
pub(super) struct Old {
    pub source_id: String,
    pub person: PersonId,
    pub traits: Traits,
}

/// A record of the new connection.
#[derive(Debug, Clone)]
pub(super) struct New {
    pub source_id: String,
    pub traits: Traits,
}

/// Somebody whose links move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Move {
    pub person: PersonId,
    pub old: Vec<String>,
    pub new: Vec<String>,
    pub by: &'static str,
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Who moves, in order of the old ids.
    pub moves: Vec<Move>,
    /// Old records whose person is in no new record.
    pub unmatched: Vec<String>,
    /// New records that are nobody's.
    pub strangers: Vec<String>,
    /// Records of which nobody can say, with the reason: those of the new connection, and the old ones they may be.
    pub contested: Vec<Contested>,
}

/// Records that claim one another and may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contested {
    pub new: Vec<String>,
    pub old: Vec<String>,
    pub why: String,
}

const MAP: &str = "map";

/// Old records by one key.
type Index<'a> = HashMap<&'a str, Vec<usize>>;

struct Finder<'a> {
    old: &'a [Old],
    by_source: Index<'a>,
    by_remote: Index<'a>,
    by_number: Index<'a>,
    mapped: HashMap<&'a str, &'a str>,
    by: Vec<RekeyBy>,
}

/// Says whose each new record is.
pub(super) fn find(old: &[Old], new: &[New], order: &RekeyOrder) -> Found {
    let finder = Finder::new(old, order);
    let mut claims: BTreeMap<PersonId, Vec<(usize, &'static str)>> = BTreeMap::new();
    let mut found = Found::default();
    for (place, record) in new.iter().enumerate() {
        let (by, fits) = finder.fits(record);
        let people: BTreeSet<PersonId> = fits.iter().map(|old| old.person).collect();
        match (people.first(), people.len()) {
            (None, _) => found.strangers.push(record.source_id.clone()),
            (Some(person), 1) => {
                let doubtful = by != MAP && fits.iter().all(|old| old.traits.contradicts(&record.traits));
                if doubtful {
                    found.contested.push(Contested {
                        new: vec![record.source_id.clone()],
                        old: ids(&fits),
                        why: format!("they share {by} but agree on neither name nor birth date"),
                    });
                } else {
                    claims.entry(*person).or_default().push((place, by));
                }
            }
            _ => found.contested.push(Contested {
                new: vec![record.source_id.clone()],
                old: ids(&fits),
                why: format!("several people of the old connection have its {by}"),
            }),
        }
    }
    finder.settle(new, claims, &mut found);
    found
}

fn ids(records: &[&Old]) -> Vec<String> {
    records.iter().map(|old| old.source_id.clone()).collect()
}

impl<'a> Finder<'a> {
    fn new(old: &'a [Old], order: &'a RekeyOrder) -> Self {
        let mut finder = Self {
            old,
            by_source: Index::with_capacity(old.len()),
            by_remote: Index::new(),
            by_number: Index::new(),
            mapped: order
                .pairs
                .iter()
                .map(|(old, new)| (new.as_str(), old.as_str()))
                .collect(),
            by: if order.by.is_empty() && order.pairs.is_empty() {
                vec![RekeyBy::RemoteId, RekeyBy::EmployeeNumber]
            } else {
                order.by.clone()
            },
        };
        for (place, record) in old.iter().enumerate() {
            finder.by_source.entry(&record.source_id).or_default().push(place);
            if let Some(remote) = &record.traits.remote_id {
                finder.by_remote.entry(remote).or_default().push(place);
            }
            if let Some(number) = &record.traits.number {
                finder.by_number.entry(number).or_default().push(place);
            }
        }
        finder
    }

    fn at(&self, index: &Index<'_>, key: Option<&str>) -> Vec<&'a Old> {
        key.and_then(|key| index.get(key))
            .into_iter()
            .flatten()
            .filter_map(|place| self.old.get(*place))
            .collect()
    }

    /// The old records that a new one may be, by the first key that finds any.
    fn fits(&self, new: &New) -> (&'static str, Vec<&'a Old>) {
        if let Some(old) = self.mapped.get(new.source_id.as_str()) {
            return (MAP, self.at(&self.by_source, Some(old)));
        }
        for by in &self.by {
            let remote = new.traits.remote_id.as_deref();
            let mut fits = match by {
                RekeyBy::RemoteId => {
                    let mut fits = self.at(&self.by_remote, Some(&new.source_id));
                    fits.extend(self.at(&self.by_remote, remote));
                    fits.extend(self.at(&self.by_source, remote));
                    fits
                }
                RekeyBy::SourceId => self.at(&self.by_source, Some(&new.source_id)),
                RekeyBy::EmployeeNumber => self.at(&self.by_number, new.traits.number.as_deref()),
            };
            fits.sort_by(|a, b| a.source_id.cmp(&b.source_id));
            fits.dedup_by(|a, b| a.source_id == b.source_id);
            if !fits.is_empty() {
                return (by.as_str(), fits);
            }
        }
        ("", Vec::new())
    }

    /// One person's claims against each other: more new records than there were old ones are several humans with one key.
    fn settle(&self, new: &[New], claims: BTreeMap<PersonId, Vec<(usize, &'static str)>>, found: &mut Found) {
        let mut records: HashMap<PersonId, Vec<String>> = HashMap::new();
        for old in self.old {
            records.entry(old.person).or_default().push(old.source_id.clone());
        }
        let mut contested: BTreeSet<PersonId> = BTreeSet::new();
        for (person, claims) in claims {
            let old = records.remove(&person).unwrap_or_default();
            let claimed: Vec<String> = claims
                .iter()
                .filter_map(|(place, _)| new.get(*place))
                .map(|record| record.source_id.clone())
                .collect();
            let by = claims.first().map_or("", |(_, by)| *by);
            if claimed.len() > old.len() {
                contested.insert(person);
                found.contested.push(Contested {
                    new: claimed,
                    old,
                    why: format!("several records of the new connection have one {by}"),
                });
            } else {
                found.moves.push(Move {
                    person,
                    old,
                    new: claimed,
                    by,
                });
            }
        }
        let claimed: BTreeSet<&String> = found.contested.iter().flat_map(|one| &one.old).collect();
        found.unmatched = records
            .into_values()
            .flatten()
            .filter(|id| !claimed.contains(id))
            .collect();
        found.unmatched.sort();
        found.moves.sort_by(|a, b| a.old.cmp(&b.old));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traits(remote: &str, number: &str, name: &str) -> Traits {
        let word = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Traits {
            remote_id: word(remote),
            number: word(number),
            name: word(name),
            ..Traits::default()
        }
    }

    fn old(n: u128, id: &str, (remote, number, name): (&str, &str, &str)) -> Old {
        Old {
            source_id: id.to_owned(),
            person: uuid::Uuid::from_u128(n).into(),
            traits: traits(remote, number, name),
        }
    }

    fn new(id: &str, (remote, number, name): (&str, &str, &str)) -> New {
        New {
            source_id: id.to_owned(),
            traits: traits(remote, number, name),
        }
    }

    fn moved(found: &Found) -> Vec<String> {
        found
            .moves
            .iter()
            .map(|one| format!("{}>{} {}", one.old.join("+"), one.new.join("+"), one.by))
            .collect()
    }

    #[test]
    fn records_are_found_by_remote_id_then_by_number_and_never_by_an_id_that_is_equal_by_chance() {
        let before = [
            old(1, "k1", ("17", "E1", "ada")),
            old(2, "k2", ("", "E2", "bob")),
            old(3, "18", ("", "", "cy")),
            old(4, "k4", ("", "", "dee")),
        ];
        let after = [
            new("17", ("", "E9", "ada")),
            new("99", ("", "E2", "bob")),
            new("18", ("", "", "somebody")),
        ];
        let found = find(&before, &after, &RekeyOrder::default());
        assert_eq!(moved(&found), ["k1>17 remote_id", "k2>99 employee_number"]);
        assert_eq!(found.unmatched, ["18", "k4"]);
        assert_eq!(found.strangers, ["18"]);
        let by_source = RekeyOrder {
            by: vec![RekeyBy::SourceId],
            ..RekeyOrder::default()
        };
        let found = find(&before, &after, &by_source);
        assert_eq!(moved(&found), Vec::<String>::new(), "the names differ");
        assert_eq!(found.contested.len(), 1);
    }

    #[test]
    fn keys_that_two_claim_move_nobody_and_both_are_named() {
        let before = [
            old(1, "a", ("", "7", "ada")),
            old(2, "b", ("", "7", "bob")),
            old(3, "c", ("", "8", "cy")),
            old(4, "d", ("", " 9", "dee")),
        ];
        let after = [
            new("1", ("", "7", "ada")),
            new("2", ("", "8", "cy")),
            new("3", ("", "8", "cy")),
            new("4", ("", "9", "dee")),
        ];
        let found = find(&before, &after, &RekeyOrder::default());
        assert!(found.moves.is_empty());
        assert_eq!(found.contested.len(), 2);
        assert_eq!(found.contested[0].old, ["a", "b"]);
        assert_eq!(found.contested[1].new, ["2", "3"]);
        assert_eq!(found.strangers, ["4"], "a number is exact");
        assert_eq!(found.unmatched, ["d"]);
    }

    #[test]
    fn a_mapping_goes_before_all_else_and_two_records_of_one_person_move_together() {
        let before = [
            old(1, "a", ("", "7", "ada")),
            old(1, "b", ("", "8", "ada")),
            old(2, "c", ("", "9", "cy")),
        ];
        let after = [
            new("1", ("", "8", "ada")),
            new("2", ("", "7", "ada")),
            new("3", ("", "1", "renamed altogether")),
        ];
        let order = RekeyOrder {
            by: vec![RekeyBy::EmployeeNumber],
            pairs: vec![("c".to_owned(), "3".to_owned())],
            ..RekeyOrder::default()
        };
        let found = find(&before, &after, &order);
        assert_eq!(moved(&found), ["a+b>1+2 employee_number", "c>3 map"]);
        assert!(found.unmatched.is_empty() && found.strangers.is_empty());
    }
}
