//! Table tests of the rules, and what must hold for any read.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::base::{PersonId, Sealer};
use crate::hr::{BankAccount, Employee, Employment, OrgUnit, Status};

fn person(number: u128) -> PersonId {
    uuid::Uuid::from_u128(number).into()
}

/// `"id number name birth email entity left"`, `-` for nothing.
fn candidate(line: &str) -> Candidate {
    let (traits, source_id, left) = parts(line);
    Candidate {
        source_id,
        traits,
        left,
    }
}

fn parts(line: &str) -> (Traits, String, bool) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let word = |place: usize| words.get(place).copied().filter(|word| *word != "-");
    let traits = Traits {
        number: word(1).map(|number| number.replace('_', " ")),
        name: word(2).map(fold),
        birth_date: word(3).map(|date| date.parse().unwrap()),
        email: word(4).map(fold),
        exact_email: word(4).map(str::to_owned),
        entity_key: word(5).unwrap_or_default().to_owned(),
        remote_id: None,
    };
    (traits, words[0].to_owned(), word(6) == Some("left"))
}

/// As above with the person's number in front: `"1: id number …"`, `"-: id …"` for none; `gone:` for one not in the last
/// read, `other:` for one of another connection.
fn known(lines: &[&str]) -> Known {
    let record = |line: &&str| {
        let (head, rest) = line.split_once(": ").unwrap();
        let (traits, source_id, left) = parts(rest);
        let words: Vec<&str> = head.split(' ').collect();
        KnownRecord {
            source_id,
            person: words[0].parse().ok().map(person),
            traits,
            left,
            present: !words.contains(&"gone"),
            same_connection: !words.contains(&"other"),
        }
    };
    Known {
        records: lines.iter().map(record).collect(),
        decided: Vec::new(),
    }
}

/// One word for each candidate: `p1` linked to person 1, `n0` new person 0, `r0` review 0.
fn told(correlated: &Correlated) -> String {
    let word = |outcome: &Correlation| match outcome {
        Correlation::Linked(found, _) => format!("p{}", found.uuid().as_u128()),
        Correlation::New(number) => format!("n{number}"),
        Correlation::Review(number) => format!("r{number}"),
    };
    correlated.outcomes.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn run(read: &[&str], known: &Known) -> Correlated {
    let candidates: Vec<Candidate> = read.iter().map(|line| candidate(line)).collect();
    correlate(&candidates, known, &Rules::default())
}

#[test]
fn the_table_of_cases() {
    for (what, read, stored, expected) in [
        ("nobody known", vec!["a 1 anna", "b 2 bert"], vec![], "n0 n1"),
        ("by its own id", vec!["a 1 anna"], vec!["1: a 1 anna"], "p1"),
        (
            "its own id counts whatever changed",
            vec!["a 9 carla 2000-01-01 x@y"],
            vec!["1: a 1 anna 1990-01-01"],
            "p1",
        ),
        (
            "several rows of one",
            vec!["a 1 anna", "b 1 anna", "c 2 bert"],
            vec![],
            "n0 n0 n1",
        ),
        (
            "another row of somebody known",
            vec!["b 1 anna"],
            vec!["1: a 1 anna"],
            "p1",
        ),
        (
            "by birth date after a marriage",
            vec!["b 1 smith 1990-01-01"],
            vec!["1: a 1 jones 1990-01-01"],
            "p1",
        ),
        (
            "exact is exact",
            vec!["a 007 anna", "b 7 anna", "c _007 anna", "d 007_ anna"],
            vec![],
            "n0 n1 n2 n3",
        ),
        (
            "numbers are unique per entity",
            vec!["a 1 anna - - x", "b 1 bert - - y", "c 1 carl"],
            vec![],
            "n0 n1 n2",
        ),
        (
            "same number, another human",
            vec!["a 1 anna 1990-01-01", "b 1 bert 1980-01-01", "c 2 carl"],
            vec![],
            "r0 r0 n0",
        ),
        (
            "one of three is another",
            vec!["a 1 anna", "b 1 anna", "c 1 bert"],
            vec![],
            "r0 r0 r0",
        ),
        ("nothing to compare", vec!["a 1", "b 1 bert"], vec![], "n0 n0"),
        (
            "collision with somebody known in the read",
            vec!["a 1 anna", "b 1 bert"],
            vec!["1: a 1 anna"],
            "r0 r0",
        ),
        (
            "collision with somebody unchanged",
            vec!["b 1 bert"],
            vec!["1: a 1 anna"],
            "r0",
        ),
        (
            "a number of somebody gone is given to another",
            vec!["b 1 bert"],
            vec!["1 gone: a 1 anna"],
            "r0",
        ),
        (
            "a row of somebody gone comes back under a new id",
            vec!["b 1 anna"],
            vec!["1 gone: a 1 anna"],
            "p1",
        ),
        (
            "somebody linked is not troubled by the gone",
            vec!["b 1 bert"],
            vec!["2: b 1 bert", "1 gone: a 1 anna"],
            "p2",
        ),
        (
            "two known people, one number",
            vec!["a 1 anna", "b 1 anna"],
            vec!["1: a 1 anna", "2: b 2 anna"],
            "r0 r0",
        ),
        // an address only suggests
        (
            "address and name",
            vec!["b - anna - a@x"],
            vec!["1: a 1 anna - a@x"],
            "p1",
        ),
        (
            "address and birth date",
            vec!["b - smith 1990-01-01 a@x"],
            vec!["1: a 1 jones 1990-01-01 a@x"],
            "p1",
        ),
        (
            "address of another",
            vec!["b - bert - a@x"],
            vec!["1: a 1 anna - a@x"],
            "r0",
        ),
        (
            "address of somebody who left",
            vec!["b - anna - a@x"],
            vec!["1: a 1 anna - a@x - left"],
            "r0",
        ),
        (
            "address without a name",
            vec!["b - - - a@x"],
            vec!["1: a 1 anna - a@x"],
            "r0",
        ),
        (
            "address in any case",
            vec!["b - anna - A@X"],
            vec!["1: a 1 anna - a@x"],
            "p1",
        ),
        (
            "address in another connection",
            vec!["b - anna - a@x"],
            vec!["1 other: a 1 anna - a@x"],
            "p1",
        ),
        (
            "the same id in another connection is nothing",
            vec!["a 1 bert - b@x"],
            vec!["1 other: a 1 anna - a@x"],
            "n0",
        ),
        (
            "somebody linked is not troubled by an address",
            vec!["b 2 bert - a@x"],
            vec!["1: a 1 anna - a@x", "2: b 2 bert"],
            "p2",
        ),
        (
            "two new ones, confirmed",
            vec!["a 1 anna - a@x", "b 2 anna - a@x"],
            vec![],
            "n0 n0",
        ),
        (
            "two new ones, not confirmed",
            vec!["a 1 anna - a@x", "b 2 bert - a@x", "c 3 carl"],
            vec![],
            "r0 r0 n0",
        ),
        (
            "two new ones, one has left",
            vec!["a 1 anna - a@x", "b 2 anna - a@x - left"],
            vec![],
            "r0 r0",
        ),
        (
            "rows of one share an address",
            vec!["a 1 anna - a@x - left", "b 1 anna - a@x"],
            vec![],
            "n0 n0",
        ),
        (
            "several have the address",
            vec!["c - anna - a@x"],
            vec!["1: a 1 anna - a@x", "2: b 2 anna - a@x"],
            "r0",
        ),
        (
            "new rows, one suggested",
            vec!["b 5 anna - a@x", "c 5 anna"],
            vec!["1: a 1 anna - a@x"],
            "p1 p1",
        ),
        (
            "a source that gives an id twice",
            vec!["a 1 anna", "a 1 anna"],
            vec![],
            "n0 n0",
        ),
        ("nothing read", vec![], vec!["1: a 1 anna"], ""),
    ] {
        let found = run(&read, &known(&stored));
        assert_eq!(told(&found), expected, "{what}: {:?}", found.reviews);
    }
}

#[test]
fn a_review_names_its_records_and_people() {
    let found = run(
        &["b 1 bert", "c 9 carl - a@x"],
        &known(&["1: a 1 anna - a@x", "2: b 2 bert"]),
    );
    let [first, second] = found.reviews.as_slice() else {
        panic!("{:?}", found.reviews)
    };
    assert_eq!(first.source_ids, ["a", "b"]);
    assert_eq!(first.candidates, [person(1), person(2)]);
    assert!(first.reason.contains("neither name nor birth date"));
    assert_eq!(second.source_ids, ["c"]);
    assert_eq!(second.candidates, [person(1)]);
}

#[test]
fn a_decision_is_remembered() {
    let decide = |stored: &[&str], source_ids: &[&str], people: &[u128], decision| {
        let mut known = known(stored);
        known.decided.push(Decided {
            source_ids: source_ids.iter().map(|id| (*id).to_owned()).collect(),
            candidates: people.iter().map(|number| person(*number)).collect(),
            decision,
        });
        known
    };
    let two = ["a 1 anna", "b 1 bert"];
    for (what, read, known, expected) in [
        (
            "two are two",
            two.as_slice(),
            decide(&[], &["a", "b"], &[], Decision::Separate),
            "n0 n1",
        ),
        (
            "and stay so when linked",
            &two,
            decide(
                &["1: a 1 anna", "2: b 1 bert"],
                &["a", "b"],
                &[],
                Decision::Separate,
            ),
            "p1 p2",
        ),
        (
            "a third is asked about",
            &["a 1 anna", "b 1 bert", "c 1 carl"],
            decide(&[], &["a", "b"], &[], Decision::Separate),
            "r0 r0 r0",
        ),
        (
            "two are one",
            &two,
            decide(&[], &["a", "b"], &[], Decision::OnePerson),
            "n0 n0",
        ),
        (
            "they are somebody known",
            &two,
            decide(&["1: a 1 anna"], &["a", "b"], &[1], Decision::Person(person(1))),
            "p1 p1",
        ),
        (
            "an address is another's",
            &["b - bert - a@x"],
            decide(&["1: a 1 anna - a@x"], &["b"], &[1], Decision::Separate),
            "n0",
        ),
        (
            "an address is the same",
            &["b - bert - a@x"],
            decide(&["1: a 1 anna - a@x"], &["b"], &[1], Decision::Person(person(1))),
            "p1",
        ),
        (
            "a reused number is another's",
            &["b 1 bert"],
            decide(&["1 gone: a 1 anna"], &["b"], &[1], Decision::Separate),
            "n0",
        ),
        (
            "a reused number is the same",
            &["b 1 bert"],
            decide(&["1 gone: a 1 anna"], &["b"], &[1], Decision::Person(person(1))),
            "p1",
        ),
    ] {
        let found = run(read, &known);
        assert_eq!(told(&found), expected, "{what}: {:?}", found.reviews);
    }
}

/// The shape of a published sample file: ended rows of the same people, no entity, ended rows without a status.
#[test]
fn rows_that_ended_belong_to_the_people_who_went_on() {
    let mut read = Vec::new();
    for number in 0..290 {
        read.push(candidate(&format!(
            "row{number} {number} name{number} 1970-01-01 mail{number}@x"
        )));
    }
    for (row, number) in [(300, 3), (301, 7), (302, 7), (303, 98), (304, 143), (305, 278)] {
        read.push(candidate(&format!(
            "row{row} {number} name{number} 1970-01-01 mail{number}@x - left"
        )));
    }
    let found = correlate(&read, &Known::default(), &Rules::default());
    assert_eq!((found.new_people, found.reviews.len()), (290, 0));
    assert_eq!(found.outcomes[291], found.outcomes[7]);
    assert_eq!(found.outcomes[292], found.outcomes[7]);
}

#[test]
fn other_keys_can_decide() {
    let rules: Rules = toml::from_str("by = ['source_id', 'work_email']\nsuggest = []").unwrap();
    let read = ["a 1 anna - a@x", "b 2 anna - a@x", "c 2 carl - c@x"].map(candidate);
    assert_eq!(told(&correlate(&read, &Known::default(), &rules)), "n0 n0 n1");
    assert!(toml::from_str::<Rules>("by = ['e-mail']").is_err());
    assert!(toml::from_str::<Rules>("buy = []").is_err());
    let text = toml::to_string(&Rules::default()).unwrap();
    assert_eq!(toml::from_str::<Rules>(&text).unwrap(), Rules::default());
}

#[test]
fn a_large_bucket_of_placeholder_numbers_is_quick_and_goes_to_review() {
    let read: Vec<Candidate> = (0..5_000)
        .map(|id| candidate(&format!("r{id} 0 name{id} - info@x")))
        .collect();
    let found = correlate(&read, &Known::default(), &Rules::default());
    assert_eq!((found.new_people, found.reviews.len()), (0, 1));
}

#[test]
fn sensitive_fields_are_parted_from_the_rest_and_come_together_again() {
    let employee = Employee {
        source_id: "7".into(),
        given_name: Some("Anna".into()),
        private_email: Some("anna@home.example".into()),
        birth_date: "1990-01-01".parse().ok(),
        bank_accounts: vec![BankAccount {
            iban: Some("DE00".into()),
            ..BankAccount::default()
        }],
        employments: vec![Employment::default()],
        custom: [
            ("size".to_owned(), json!("L")),
            ("religion".to_owned(), json!("x")),
        ]
        .into(),
        status: Status::Unknown("odd".into()),
        ..Employee::default()
    };
    let (plain, sealed) = split(&employee, &["religion".to_owned()]).unwrap();
    let text = plain.to_string();
    for secret in ["home.example", "1990", "DE00", "religion"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert_eq!(join(plain, sealed).unwrap(), employee);
    let bare = Employee {
        source_id: "8".into(),
        ..Employee::default()
    };
    let (plain, sealed) = split(&bare, &[]).unwrap();
    assert_eq!(
        (plain.clone(), sealed.clone()),
        (json!({"source_id": "8", "status": "by_dates"}), None)
    );
    assert_eq!(join(plain, sealed).unwrap(), bare);
}

#[test]
fn a_digest_tells_every_change_of_record_or_settings() {
    let sealer = Sealer::from_list(&Sealer::new_key()).unwrap();
    let employee = Employee {
        source_id: "7".into(),
        ..Employee::default()
    };
    let same = digest(&sealer, &employee.clone(), 1).unwrap();
    assert_eq!(digest(&sealer, &employee, 1).unwrap(), same);
    assert_ne!(digest(&sealer, &employee, 2).unwrap(), same);
    let moved = Employee {
        entity: Some(OrgUnit {
            code: Some("1".into()),
            ..OrgUnit::default()
        }),
        ..employee
    };
    assert_ne!(digest(&sealer, &moved, 1).unwrap(), same);
}

fn records() -> impl Strategy<Value = Vec<Candidate>> {
    let one = (
        0..12_u8,
        0..6_u8,
        0..4_u8,
        0..4_u8,
        0..5_u8,
        0..2_u8,
        any::<bool>(),
    );
    prop::collection::vec(one, 0..14).prop_map(|all| {
        let word = |prefix: &str, number: u8| {
            if number == 0 {
                "-".to_owned()
            } else {
                format!("{prefix}{number}")
            }
        };
        all.into_iter()
            .enumerate()
            .map(|(place, (_, number, name, birth, email, entity, left))| {
                let birth = if birth == 0 {
                    "-".to_owned()
                } else {
                    format!("199{birth}-01-01")
                };
                candidate(&format!(
                    "s{place} {} {} {birth} {} {} {}",
                    word("", number),
                    word("name", name),
                    word("m", email),
                    word("e", entity),
                    if left { "left" } else { "-" }
                ))
            })
            .collect()
    })
}

/// What the store would know after a read.
fn stored(read: &[Candidate], found: &Correlated, before: &Known) -> Known {
    let fresh: Vec<PersonId> = (0..found.new_people).map(|_| PersonId::new()).collect();
    let mut records: Vec<KnownRecord> = before
        .records
        .iter()
        .filter(|old| !read.iter().any(|new| new.source_id == old.source_id))
        .cloned()
        .collect();
    for (candidate, outcome) in read.iter().zip(&found.outcomes) {
        let earlier = before
            .records
            .iter()
            .find(|old| old.source_id == candidate.source_id)
            .and_then(|old| old.person);
        records.push(KnownRecord {
            source_id: candidate.source_id.clone(),
            person: match outcome {
                Correlation::Linked(person, _) => Some(*person),
                Correlation::New(number) => Some(fresh[*number]),
                Correlation::Review(_) => earlier,
            },
            traits: candidate.traits.clone(),
            left: candidate.left,
            present: true,
            same_connection: true,
        });
    }
    Known {
        records,
        decided: Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 800, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_records_does_not_matter(read in records(), first in records(), turn in 0..14_usize) {
        let found = correlate(&first, &Known::default(), &Rules::default());
        let mut known = stored(&first[..first.len() / 2], &Correlated { outcomes: found.outcomes[..first.len() / 2].to_vec(), ..found }, &Known::default());
        let one = correlate(&read, &known, &Rules::default());
        let mut turned: Vec<Candidate> = read.iter().rev().cloned().collect();
        if !turned.is_empty() {
            let by = turn % turned.len();
            turned.rotate_left(by);
        }
        known.records.reverse();
        let other = correlate(&turned, &known, &Rules::default());
        let by_id = |read: &[Candidate], found: &Correlated| -> HashMap<String, Correlation> {
            read.iter().map(|one| one.source_id.clone()).zip(found.outcomes.iter().copied()).collect()
        };
        prop_assert_eq!(by_id(&read, &one), by_id(&turned, &other));
        prop_assert_eq!(&one.reviews, &other.reviews);
    }

    #[test]
    fn a_second_read_of_the_same_changes_nothing(read in records()) {
        let first = correlate(&read, &Known::default(), &Rules::default());
        let known = stored(&read, &first, &Known::default());
        let again = correlate(&read, &known, &Rules::default());
        prop_assert_eq!(again.new_people, 0);
        for ((candidate, before), after) in read.iter().zip(&first.outcomes).zip(&again.outcomes) {
            let person = known.records.iter().find(|one| one.source_id == candidate.source_id).and_then(|one| one.person);
            match (before, after) {
                (Correlation::Review(_), Correlation::Review(_)) => {}
                (Correlation::Review(_), _) | (_, Correlation::Review(_)) => prop_assert!(false, "{:?} became {:?}", before, after),
                (_, Correlation::Linked(found, _)) => prop_assert_eq!(Some(*found), person),
                (_, Correlation::New(_)) => prop_assert!(false, "a second new person"),
            }
        }
    }

    #[test]
    fn records_with_an_equal_key_are_one_person_or_all_in_review(read in records()) {
        let found = correlate(&read, &Known::default(), &Rules::default());
        for (place, a) in read.iter().enumerate() {
            for (other, b) in read.iter().enumerate() {
                let equal = a.traits.number.is_some() && a.traits.number == b.traits.number && a.traits.entity_key == b.traits.entity_key;
                if equal {
                    prop_assert_eq!(found.outcomes[place], found.outcomes[other]);
                    if a.traits.contradicts(&b.traits) {
                        prop_assert!(matches!(found.outcomes[place], Correlation::Review(_)));
                    }
                }
            }
        }
        // Every new person and every review has a record.
        let new: HashSet<usize> = found.outcomes.iter().filter_map(|one| match one { Correlation::New(number) => Some(*number), _ => None }).collect();
        prop_assert_eq!(new.len(), found.new_people);
        for number in 0..found.reviews.len() {
            prop_assert!(found.outcomes.contains(&Correlation::Review(number)));
        }
    }

    #[test]
    fn nobody_who_is_linked_by_id_becomes_somebody_else(read in records(), people in prop::collection::vec(0..4_u128, 14)) {
        let records = read.iter().zip(&people).filter(|(_, number)| **number > 0).map(|(candidate, number)| KnownRecord {
            source_id: candidate.source_id.clone(),
            person: Some(person(*number)),
            traits: candidate.traits.clone(),
            left: candidate.left,
            present: true,
            same_connection: true,
        });
        let known = Known { records: records.collect(), decided: Vec::new() };
        let found = correlate(&read, &known, &Rules::default());
        for ((candidate, number), outcome) in read.iter().zip(&people).zip(&found.outcomes) {
            if *number > 0 {
                let fine = matches!(outcome, Correlation::Linked(linked, _) if *linked == person(*number)) || matches!(outcome, Correlation::Review(_));
                prop_assert!(fine, "{} became {:?}", candidate.source_id, outcome);
            }
        }
    }
}
