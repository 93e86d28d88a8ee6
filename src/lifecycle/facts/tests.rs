//! Stories: what HR says over time, and what an app sees of it.

use chrono::{DateTime, Utc};

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// `"1@760 active 2020-01-01..2026-03-31"`: id, entity, status, employments.
fn employee(text: &str) -> (String, Employee) {
    let mut words = text.split_whitespace();
    let (id, entity) = words.next().unwrap().split_once('@').unwrap();
    let status = match words.next().unwrap() {
        "active" => Status::Active,
        "leave" => Status::OnLeave,
        "left" => Status::Left,
        _ => Status::ByDates,
    };
    let date = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
    let employments = words.map(|range| {
        let (first, last) = range.split_once("..").unwrap();
        Employment {
            first_day: date(first),
            last_day: date(last),
            ..Employment::default()
        }
    });
    let found = Employee {
        status,
        employments: employments.collect(),
        entity: (!entity.is_empty()).then(|| OrgUnit {
            id: Some(entity.to_owned()),
            ..OrgUnit::default()
        }),
        ..Employee::default()
    };
    (id.to_owned(), found)
}

/// State, access, last day with access and next instant, as one app sees it.
fn told(facts: &Facts, differences: &Differences, entity: Option<&str>, now: DateTime<Utc>) -> String {
    let Some(verdict) = facts.judge(&differences.over(&facts.policy), entity, now) else {
        return "nobody".to_owned();
    };
    let until = verdict
        .leaves_on
        .map_or("-".to_owned(), |until| until.to_string());
    let next = verdict
        .next
        .map_or("-".to_owned(), |next| next.format("%Y-%m-%dT%H:%MZ").to_string());
    let access = if verdict.access { "+" } else { "" };
    format!("{}{access} {until} {next}", verdict.state.word())
}

/// When HR says what (`;` between records, empty: as before), and what is seen of it then.
type Step = (&'static str, &'static str, &'static str);

/// What the story is, the connection's policy, where the app differs, its entity, what happens.
type Story = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [Step],
);

#[rustfmt::skip]
const STORIES: &[Story] = &[
    ("a last day is moved, then cleared", "", "", "", &[
        ("2026-06-01T08:00:00Z", "1@ active 2020-01-01..2026-06-30", "active+ 2026-06-30 2026-07-01T00:00Z"),
        ("2026-06-10T08:00:00Z", "1@ active 2020-01-01..2026-08-31", "active+ 2026-08-31 2026-09-01T00:00Z"),
        ("2026-06-20T08:00:00Z", "1@ active 2020-01-01..", "active+ - -"),
    ]),
    ("a start is called off, and its day passes", "", "", "", &[
        ("2026-06-01T08:00:00Z", "1@ active 2026-09-01..", "pre_hire - 2026-09-01T00:00Z"),
        ("2026-08-01T08:00:00Z", "1@ left 2026-09-01..2027-08-31", "rescinded 2027-08-31 -"),
        ("2026-09-02T08:00:00Z", "", "rescinded 2027-08-31 -"),
        ("2026-09-03T08:00:00Z", "1@ active 2026-10-01..", "pre_hire - 2026-10-01T00:00Z"),
    ]),
    ("late, and the app waits for the end of the month", "", "late_leave", "", &[
        ("2026-06-01T08:00:00Z", "1@ active 2020-01-01..", "active+ - -"),
        ("2026-06-15T08:00:00Z", "1@ active 2020-01-01..2026-05-31", "active+ 2026-06-30 2026-07-01T00:00Z"),
        ("2026-06-29T08:00:00Z", "1@ active 2020-01-01..2026-05-31", "active+ 2026-06-30 2026-07-01T00:00Z"),
        ("2026-07-01T00:00:00Z", "", "left 2026-06-30 -"),
        ("2026-11-01T00:00:00Z", "1@ active 2020-01-01..2026-05-31", "left 2026-06-30 -"),
    ]),
    ("late, and at once for everybody else", "", "", "", &[
        ("2026-06-01T08:00:00Z", "1@ active 2020-01-01..", "active+ - -"),
        ("2026-06-15T08:00:00Z", "1@ active 2020-01-01..2026-05-31", "left 2026-05-31 -"),
    ]),
    ("late only for those who were active for us", "", "late_leave", "", &[
        ("2026-06-15T08:00:00Z", "1@ active 2020-01-01..2026-05-31", "left 2026-05-31 -"),
    ]),
    ("known in time is not late", "", "late_leave", "", &[
        ("2026-05-15T08:00:00Z", "1@ active 2020-01-01..2026-05-31", "active+ 2026-05-31 2026-06-01T00:00Z"),
        ("2026-06-15T08:00:00Z", "1@ active 2020-01-01..2026-05-31", "left 2026-05-31 -"),
    ]),
    ("late and then called off", "", "late_leave", "", &[
        ("2026-06-01T08:00:00Z", "1@ active 2020-01-01..", "active+ - -"),
        ("2026-06-15T08:00:00Z", "1@ active 2020-01-01..2026-05-31", "active+ 2026-06-30 2026-07-01T00:00Z"),
        ("2026-06-20T08:00:00Z", "1@ active 2020-01-01..", "active+ - -"),
    ]),
    ("the app keeps leavers to the end of the month", "", "end_of_month", "", &[
        ("2026-06-01T08:00:00Z", "1@ active 2020-01-01..2026-06-10", "active+ 2026-06-30 2026-07-01T00:00Z"),
        ("2026-06-11T00:00:00Z", "", "active+ 2026-06-30 2026-07-01T00:00Z"),
        ("2026-07-01T00:00:00Z", "", "left 2026-06-30 -"),
    ]),
    ("the app lets leavers go before the connection does", "leave = 'end_of_month'", "last_day", "", &[
        ("2026-06-01T08:00:00Z", "1@ active 2020-01-01..2026-06-10", "active+ 2026-06-10 2026-06-11T00:00Z"),
        ("2026-06-11T00:00:00Z", "", "left 2026-06-10 -"),
    ]),
    ("the app pauses people on leave", "", "on_leave", "", &[
        ("2026-06-01T08:00:00Z", "1@ leave 2020-01-01..", "active - -"),
        ("2026-08-01T08:00:00Z", "1@ active 2020-01-01..", "active+ - -"),
    ]),
    ("an app may begin later than the connection", "pre_hire = '14d'", "pre_hire", "", &[
        ("2026-06-20T08:00:00Z", "1@ active 2026-07-01..", "pre_hire - 2026-07-01T00:00Z"),
    ]),
    ("two entities, the app's employment ends", "", "", "760", &[
        ("2026-06-01T08:00:00Z", "1@760 active 2020-01-01..2026-06-10; 2@761 active 2021-01-01..", "active+ 2026-06-10 2026-06-11T00:00Z"),
        ("2026-06-11T00:00:00Z", "", "left 2026-06-10 -"),
    ]),
    ("two entities, the other employment ends", "", "", "761", &[
        ("2026-06-01T08:00:00Z", "1@760 active 2020-01-01..2026-06-10; 2@761 active 2021-01-01..", "active+ - -"),
        ("2026-06-11T00:00:00Z", "1@760 left 2020-01-01..2026-06-10; 2@761 active 2021-01-01..", "active+ - -"),
    ]),
    ("an entity that the person never had", "", "", "999", &[
        ("2026-06-01T08:00:00Z", "1@760 active 2020-01-01..", "nobody"),
    ]),
    ("moves to another entity", "", "", "760", &[
        ("2026-06-01T08:00:00Z", "1@760 active 2020-01-01..", "active+ - -"),
        ("2026-06-11T00:00:00Z", "1@761 active 2020-01-01..", "nobody"),
    ]),
    ("a contractor becomes an employee", "", "", "", &[
        ("2026-06-01T08:00:00Z", "1@760 active 2025-01-01..2026-06-30; 2@760 active 2026-07-01..", "active+ 2026-06-30 2026-07-01T00:00Z"),
        ("2026-07-01T00:00:00Z", "", "active+ - -"),
    ]),
    ("rehired after a year, in a new record", "", "", "", &[
        ("2026-06-01T08:00:00Z", "1@760 left 2020-01-01..2025-05-31", "left 2025-05-31 -"),
        ("2026-06-02T08:00:00Z", "1@760 left 2020-01-01..2025-05-31; 2@760 active 2026-07-01..", "pre_hire - 2026-07-01T00:00Z"),
        ("2026-07-01T00:00:00Z", "", "active+ - -"),
    ]),
    ("a contract is extended on its last day", "", "", "", &[
        ("2026-06-01T08:00:00Z", "1@760 active 2025-01-01..2026-06-30", "active+ 2026-06-30 2026-07-01T00:00Z"),
        ("2026-06-30T23:00:00Z", "1@760 active 2025-01-01..2027-06-30", "active+ 2027-06-30 2027-07-01T00:00Z"),
    ]),
    ("a contract is extended too late", "", "", "", &[
        ("2026-07-02T08:00:00Z", "1@760 active 2025-01-01..2026-06-30", "left 2026-06-30 -"),
        ("2026-07-03T08:00:00Z", "1@760 active 2025-01-01..2027-06-30", "active+ 2027-06-30 2027-07-01T00:00Z"),
    ]),
    ("out of the filter", "", "end_of_month", "", &[
        ("2026-06-01T08:00:00Z", "1@760 active 2025-01-01..", "active+ - -"),
        ("2026-06-02T08:00:00Z", "none", "nobody"),
    ]),
];

fn differences(word: &str) -> Differences {
    match word {
        "late_leave" => Differences {
            late_leave: Some(LateLeave::EndOfCurrentMonth),
            ..Differences::default()
        },
        "end_of_month" => Differences {
            leave: Some(Leave::EndOfMonth),
            ..Differences::default()
        },
        "last_day" => Differences {
            leave: Some(Leave::LastDay),
            ..Differences::default()
        },
        "on_leave" => Differences {
            on_leave: Some(OnLeave::Disable),
            ..Differences::default()
        },
        "pre_hire" => Differences {
            pre_hire: Some(Days(0)),
            ..Differences::default()
        },
        _ => Differences::default(),
    }
}

#[test]
fn the_table_of_stories() {
    for (what, policy, app, entity, steps) in STORIES {
        let policy: Policy = toml::from_str(policy).unwrap();
        let entity = (!entity.is_empty()).then_some(*entity);
        let mut facts: Option<Facts> = None;
        for (when, says, expected) in *steps {
            let now = at(when);
            if !says.is_empty() {
                let records: Vec<(String, Employee)> = says
                    .split(';')
                    .filter(|text| *text != "none")
                    .map(employee)
                    .collect();
                let records = records.iter().map(|(id, employee)| (id.as_str(), employee));
                facts = Some(Facts::of(records, &policy, facts.as_ref(), now));
            }
            let found = told(facts.as_ref().unwrap(), &differences(app), entity, now);
            assert_eq!(found, *expected, "{what}, {when}");
        }
    }
}

fn ended(says: &str, ending: Ending) -> Facts {
    let (id, employee) = employee(says);
    let facts = Facts::of(
        [(id.as_str(), &employee)],
        &Policy::default(),
        None,
        at("2026-06-01T08:00:00Z"),
    );
    Facts {
        ending: Some(ending),
        ..facts
    }
}

#[test]
fn what_is_ended_by_hand_ends_then_whatever_a_policy_says_and_a_new_start_is_not_meant() {
    let zone: Zone = "Europe/Berlin".parse().unwrap();
    let (now, month) = (at("2026-06-10T08:00:00Z"), differences("end_of_month"));
    let on = Ending::on("2026-06-12".parse().unwrap(), zone);
    let facts = ended("1@760 active 2020-01-01..2026-06-20", on);
    assert_eq!(
        told(&facts, &month, None, now),
        "active+ 2026-06-12 2026-06-12T22:00Z"
    );
    assert_eq!(
        told(&facts, &month, None, at("2026-06-12T22:00:00Z")),
        "left 2026-06-12 -"
    );
    let later = ended(
        "1@760 active 2020-01-01..2026-06-10",
        Ending::on("2026-08-01".parse().unwrap(), zone),
    );
    assert_eq!(
        told(&later, &differences(""), None, now),
        "active+ 2026-06-10 2026-06-11T00:00Z",
        "a later day by hand lengthens nothing"
    );
    let at_once = Ending::at_once(now, zone, None);
    let facts = ended("1@760 active 2020-01-01..", at_once.clone());
    assert_eq!(told(&facts, &month, None, now), "left 2026-06-10 -");
    assert_eq!(
        facts.left_at(&facts.judge(&facts.policy, None, now).unwrap(), None, now),
        now
    );
    let again = ended("1@760 active 2026-07-01..", at_once);
    assert_eq!(
        told(&again, &month, None, at("2026-07-02T08:00:00Z")),
        "active+ - -"
    );
    let not_started = Ending::at_once(now, zone, Some("2026-07-01".parse().unwrap()));
    let facts = ended("1@760 active 2026-07-01..", not_started);
    assert_eq!(
        told(&facts, &month, None, at("2026-07-02T08:00:00Z")),
        "left 2026-07-01 -"
    );
}

#[test]
fn what_follows_a_leave_counts_from_its_instant_unless_that_is_long_ago() {
    let (id, record) = employee("1@760 active 2020-01-01..2026-06-30");
    let facts = Facts::of(
        [(id.as_str(), &record)],
        &Policy::default(),
        None,
        at("2026-06-01T08:00:00Z"),
    );
    let left_at = |now: &str| {
        let verdict = facts.judge(&facts.policy, None, at(now)).unwrap();
        facts.left_at(&verdict, None, at(now))
    };
    assert_eq!(left_at("2026-07-01T00:01:00Z"), at("2026-07-01T00:00:00Z"));
    assert_eq!(left_at("2026-07-05T00:01:00Z"), at("2026-07-05T00:01:00Z"));
    let late = Facts::of(
        [(id.as_str(), &record)],
        &Policy::default(),
        Some(&Facts::of(
            [(id.as_str(), &employee("1@760 active 2020-01-01..").1)],
            &Policy::default(),
            None,
            at("2026-06-01T08:00:00Z"),
        )),
        at("2026-07-10T08:00:00Z"),
    );
    let verdict = late
        .judge(&late.policy, None, at("2026-07-10T08:00:30Z"))
        .unwrap();
    assert_eq!(
        late.left_at(&verdict, None, at("2026-07-10T08:00:30Z")),
        at("2026-07-10T08:00:00Z")
    );
}
