//! Every manifest against recordings of its vendor's shapes, and against everything that can go wrong on the way.
//!
//! The recordings are data: `tests/fixtures/hr/KEY/contract.toml` and the answers beside it; docs/connectors.md tells how
//! they are written. `SCIM_BRIDGE_CONTRACT=KEY` runs one vendor alone, `SCIM_BRIDGE_CONTRACT_WRITE=1` writes what is read now
//! into its `expected.json`.

mod broken;
mod recording;

use std::future::Future;
use std::sync::{Arc, Mutex};

use scim_bridge::connector::Mark;
use scim_bridge::hr::{Employee, ManagerRef, Status};
use serde_json::Value;

use self::recording::{Break, Vendor, vendors};
use crate::connector::harness::Outcome;
use crate::kit::Stub;

type Told = Vec<String>;

/// What a recording lacks when nobody is so, in the words of `[lacks]` and in plain ones.
type Wanted<'a> = (&'a str, &'a str, &'a dyn Fn(&Employee) -> bool);

/// Runs one test for every vendor and tells all that is wrong.
async fn each<F: Future<Output = Told>>(test: impl Fn(Vendor) -> F) {
    let (vendors, mut told) = vendors();
    for vendor in vendors {
        let key = vendor.key.clone();
        told.extend(
            test(vendor)
                .await
                .into_iter()
                .map(|problem| format!("{key}: {problem}")),
        );
    }
    assert!(told.is_empty(), "\n{}\n", told.join("\n"));
}

fn as_recorded() -> Break {
    Arc::new(|_, answer, _| answer)
}

/// Reads a vendor whose pages are broken.
async fn read(vendor: &Vendor, broken: Break) -> Result<(Outcome, Told), String> {
    let stub = Stub::start().await;
    let unknown = vendor.serve(&stub, broken);
    let (reading, _clock) = vendor.reading(&stub.base_url).await?;
    let outcome = reading.read().await;
    stub.stop().await;
    Ok((outcome, asked_for_nothing(&unknown)))
}

fn asked_for_nothing(unknown: &Arc<Mutex<Vec<String>>>) -> Told {
    let unknown = unknown.lock().unwrap();
    unknown
        .iter()
        .take(3)
        .map(|request| format!("no exchange fits the request {request}"))
        .collect()
}

#[tokio::test]
async fn recordings_become_the_expected_employees() {
    each(|vendor| async move {
        let (outcome, mut told) = match read(&vendor, as_recorded()).await {
            Ok(read) => read,
            Err(problem) => return vec![problem],
        };
        if let Some(error) = &outcome.error {
            told.push(format!("the read fails: {}", scim_bridge::base::Chain(error)));
        } else if !outcome.is_complete() {
            told.push(format!("the read is not complete: {}", outcome.why_partial()));
        }
        for problem in &outcome.problems {
            told.push(format!(
                "record {:?}: {} {}",
                problem.source_id, problem.field, problem.message
            ));
        }
        told.extend(differences(&vendor, &outcome.employees));
        told.extend(missing_people(&vendor, &outcome.employees));
        let pages = vendor.pages().map(|(page, _)| page).max().unwrap_or(0);
        if pages == 0 {
            told.push("no [[exchange]] is marked with page = 1: the harness cannot break it".into());
        } else if pages < 2 && !vendor.contract.lacks.contains_key("pages") {
            told.push(
                "there is one page only: record a second one, or give the reason in [lacks] pages".into(),
            );
        }
        told
    })
    .await;
}

fn differences(vendor: &Vendor, employees: &[Employee]) -> Told {
    let found = serde_json::to_value(employees).unwrap();
    let path = vendor.folder.join("expected.json");
    if std::env::var_os("SCIM_BRIDGE_CONTRACT_WRITE").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
        return Vec::new();
    }
    let Ok(text) = std::fs::read_to_string(&path) else {
        return vec!["expected.json is not there".into()];
    };
    let expected: Value = serde_json::from_str(&text).unwrap();
    let (found, expected) = (found.as_array().unwrap(), expected.as_array().unwrap());
    let mut told = Told::new();
    if found.len() != expected.len() {
        told.push(format!(
            "{} employees came, {} are expected",
            found.len(),
            expected.len()
        ));
    }
    for (found, expected) in found.iter().zip(expected) {
        let id = found["source_id"].as_str().unwrap_or_default();
        for (name, value) in found.as_object().unwrap() {
            let wanted = &expected[name];
            if value != wanted {
                told.push(format!("{id}: {name} is {value}, expected is {wanted}"));
            }
        }
    }
    told
}

/// The people whom every recording must show.
fn missing_people(vendor: &Vendor, employees: &[Employee]) -> Told {
    let today: chrono::NaiveDate = vendor.contract.now.get(..10).unwrap().parse().unwrap();
    let first = |one: &Employee| one.leading().and_then(|leading| leading.first_day);
    let last = |one: &Employee| one.leading().and_then(|leading| leading.last_day);
    let future = |one: &Employee| first(one).is_some_and(|day| day > today);
    let gone = |one: &Employee| last(one).is_some_and(|day| day < today);
    let known = |one: &Employee| match &one.manager {
        Some(ManagerRef::SourceId(id)) => employees.iter().any(|other| other.source_id == *id),
        Some(ManagerRef::Email(mail)) => employees.iter().any(|other| {
            other
                .work_email
                .as_ref()
                .is_some_and(|own| own.eq_ignore_ascii_case(mail))
        }),
        Some(ManagerRef::EmployeeNumber(number)) => employees
            .iter()
            .any(|other| other.employee_number.as_ref() == Some(number)),
        None => false,
    };
    let active = |one: &Employee| {
        one.status == Status::Active || (one.status == Status::ByDates && !future(one) && !gone(one))
    };
    let foreign = |one: &Employee| {
        let names = [
            &one.given_name,
            &one.family_name,
            &one.display_name,
            &one.preferred_name,
        ];
        names.into_iter().flatten().any(|name| !name.is_ascii())
    };
    let wanted: [Wanted<'_>; 6] = [
        (
            "manager",
            "an active employee with a manager who is among the people",
            &|one| active(one) && known(one),
        ),
        ("on_leave", "an employee on leave", &|one| {
            one.status == Status::OnLeave
        }),
        ("future", "a future starter", &|one| {
            one.status == Status::PreHire || future(one)
        }),
        ("leaver", "a leaver", &|one| {
            one.status == Status::Left || gone(one)
        }),
        ("no_email", "an employee without e-mail", &|one| {
            one.work_email.is_none()
        }),
        ("foreign", "a name that is not ASCII", &foreign),
    ];
    wanted
        .into_iter()
        .filter(|(name, _, is)| !vendor.contract.lacks.contains_key(*name) && !employees.iter().any(is))
        .map(|(name, what, _)| format!("the recording has no {what} (or give the reason in [lacks] {name})"))
        .collect()
}

#[tokio::test]
async fn one_employee_is_read_by_its_id() {
    each(|vendor| async move {
        if !vendor.manifest.reads_one() {
            return Vec::new();
        }
        let Some(one) = &vendor.contract.one else {
            return vec!["the manifest has [employees.one], the recording has no [one]".into()];
        };
        let stub = Stub::start().await;
        let unknown = vendor.serve(&stub, as_recorded());
        let (reading, _clock) = match vendor.reading(&stub.base_url).await {
            Ok(reading) => reading,
            Err(problem) => return vec![problem],
        };
        let all = reading.read().await.employees;
        let mut told = match reading.one(&one.id).await {
            Ok(Some(employee)) => match all.iter().find(|other| other.source_id == one.id) {
                Some(other) if *other == employee => Vec::new(),
                Some(other) => vec![format!(
                    "[one] {} is not the same as in the list: {} / {}",
                    one.id,
                    serde_json::to_string(&employee).unwrap(),
                    serde_json::to_string(other).unwrap()
                )],
                None => vec![format!("[one] {} is not in the list", one.id)],
            },
            Ok(None) => vec![format!("[one] {} is nobody", one.id)],
            Err(error) => vec![format!(
                "[one] {} fails: {}",
                one.id,
                scim_bridge::base::Chain(&error)
            )],
        };
        told.extend(asked_for_nothing(&unknown));
        // Somebody whom no exchange knows is nobody: every stub answers 404.
        if !matches!(reading.one("nobody-of-that-id").await, Ok(None))
            && !vendor.contract.lacks.contains_key("nobody")
        {
            told.push("[one] an id that nobody has is no clear answer".into());
        }
        told
    })
    .await;
}

#[tokio::test]
async fn changes_are_read_since_a_moment_and_prove_no_absence() {
    each(|vendor| async move {
        if !vendor.manifest.reads_changes() {
            return Vec::new();
        }
        let Some(changes) = &vendor.contract.changes else {
            return vec!["the manifest has [employees.changes], the recording has no [changes]".into()];
        };
        let mark = match (&changes.since, &changes.token) {
            (Some(since), _) => Mark::Moment(since.parse().unwrap()),
            (None, Some(token)) => Mark::Token(token.clone()),
            (None, None) => return vec!["[changes] needs since or token".into()],
        };
        let stub = Stub::start().await;
        let unknown = vendor.serve(&stub, as_recorded());
        let (reading, _clock) = match vendor.reading(&stub.base_url).await {
            Ok(reading) => reading,
            Err(problem) => return vec![problem],
        };
        let (outcome, kept) = reading.read_changes(mark).await;
        let mut told = asked_for_nothing(&unknown);
        if let Some(error) = &outcome.error {
            told.push(format!("[changes] fails: {}", scim_bridge::base::Chain(error)));
        }
        if outcome.ids() != changes.ids {
            told.push(format!(
                "[changes] brings {:?}, expected are {:?}",
                outcome.ids(),
                changes.ids
            ));
        }
        if outcome.is_complete() {
            told.push("[changes] a read of changes claims to have seen everybody".into());
        }
        if kept.is_none() {
            told.push("[changes] nothing is kept for the next read".into());
        }
        told
    })
    .await;
}
