//! A table of cases, and a comparison with a model that walks day by day.

use chrono::{DateTime, Datelike, Duration, NaiveDate, TimeZone, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::*;
use crate::hr::{Employee, Employment, Status};

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// `"2026-01-10..2026-03-31"`, either end may be missing; several with a comma; a word in front is the status.
fn employee(text: &str) -> Employee {
    let (word, dates) = text.split_once(' ').unwrap_or((text, ""));
    let one = |range: &str| {
        let (first, last) = range.split_once("..").unwrap();
        let date = |text: &str| (!text.is_empty()).then(|| day(text));
        Employment {
            first_day: date(first),
            last_day: date(last),
            ..Employment::default()
        }
    };
    let status = match word {
        "active" => Status::Active,
        "leave" => Status::OnLeave,
        "pre" => Status::PreHire,
        "left" => Status::Left,
        "dates" => Status::ByDates,
        other => Status::Unknown(other.to_owned()),
    };
    Employee {
        status,
        employments: dates
            .split(',')
            .map(str::trim)
            .filter(|range| !range.is_empty())
            .map(one)
            .collect(),
        ..Employee::default()
    }
}

fn policy(text: &str) -> Policy {
    toml::from_str(text).unwrap()
}

/// State, access, last day with access, and the next instant, on one line.
fn told(verdict: &Verdict) -> String {
    let next = verdict
        .next
        .map_or("-".to_owned(), |next| next.format("%Y-%m-%dT%H:%MZ").to_string());
    let until = verdict
        .leaves_on
        .map_or("-".to_owned(), |until| until.to_string());
    format!(
        "{}{}{} {until} {next}",
        verdict.state.word(),
        if verdict.access { "+" } else { "" },
        if verdict.on_leave { " on leave" } else { "" }
    )
}

#[rustfmt::skip]
const CASES: &[(&str, &str, &str, &str, &str)] = &[
    // what, employee, policy, now, told
    ("employed", "active 2020-01-01..", "", "2026-06-15T12:00:00Z", "active+ - -"),
    ("employed by dates", "dates 2020-01-01..", "", "2026-06-15T12:00:00Z", "active+ - -"),
    ("no date at all", "dates", "", "2026-06-15T12:00:00Z", "active+ - -"),
    ("no date, active", "active", "", "2026-06-15T12:00:00Z", "active+ - -"),
    ("no date, left", "left", "", "2026-06-15T12:00:00Z", "left - -"),
    ("no date, pre-hire", "pre", "", "2026-06-15T12:00:00Z", "pre_hire - -"),
    ("on leave is active", "leave 2020-01-01..", "", "2026-06-15T12:00:00Z", "active+ on leave - -"),
    ("on leave and left", "leave 2020-01-01..2026-05-31", "", "2026-06-15T12:00:00Z", "left 2026-05-31 -"),
    ("on leave, disabled by policy", "leave 2020-01-01..", "on_leave = 'disable'", "2026-06-15T12:00:00Z", "active on leave - -"),
    ("on leave without a date, disabled", "leave", "on_leave = 'disable'", "2026-06-15T12:00:00Z", "active on leave - -"),
    ("leaving planned while on leave", "leave 2020-01-01..2026-06-30", "", "2026-06-15T12:00:00Z", "active+ on leave 2026-06-30 2026-07-01T00:00Z"),
    ("leaving planned while on leave, disabled", "leave 2020-01-01..2026-06-30", "on_leave = 'disable'", "2026-06-15T12:00:00Z", "active on leave 2026-06-30 2026-07-01T00:00Z"),
    ("on leave to the end of the month", "leave 2020-01-01..2026-06-10", "leave = 'end_of_month'", "2026-06-20T12:00:00Z", "active+ on leave 2026-06-30 2026-07-01T00:00Z"),
    ("back from leave", "active 2020-01-01..", "on_leave = 'disable'", "2026-06-15T12:00:00Z", "active+ - -"),
    ("on leave before the first day", "leave 2026-07-01..", "on_leave = 'disable'", "2026-06-15T12:00:00Z", "pre_hire - 2026-07-01T00:00Z"),
    ("an unknown word holds", "sabbatical 2020-01-01..2021-01-01", "", "2026-06-15T12:00:00Z", "held - -"),
    ("before the first day", "dates 2026-07-01..", "", "2026-06-15T12:00:00Z", "pre_hire - 2026-07-01T00:00Z"),
    ("active before the first day", "active 2026-07-01..", "", "2026-06-15T12:00:00Z", "pre_hire - 2026-07-01T00:00Z"),
    ("the last second before", "dates 2026-07-01..", "", "2026-06-30T23:59:59Z", "pre_hire - 2026-07-01T00:00Z"),
    ("the first second", "dates 2026-07-01..", "", "2026-07-01T00:00:00Z", "active+ - -"),
    ("pre-hire after the first day", "pre 2026-06-01..", "", "2026-06-15T12:00:00Z", "active+ - -"),
    ("days before, not yet", "dates 2026-07-01..", "pre_hire = '14d'", "2026-06-16T23:59:59Z", "pre_hire - 2026-06-17T00:00Z"),
    ("days before, now", "dates 2026-07-01..", "pre_hire = '14d'", "2026-06-17T00:00:00Z", "pre_hire+ - 2026-07-01T00:00Z"),
    ("leave is planned", "active 2020-01-01..2026-06-30", "", "2026-06-15T12:00:00Z", "active+ 2026-06-30 2026-07-01T00:00Z"),
    ("employed on the last day", "active 2020-01-01..2026-06-15", "", "2026-06-15T23:59:59Z", "active+ 2026-06-15 2026-06-16T00:00Z"),
    ("dates win over active", "active 2020-01-01..2026-06-15", "", "2026-06-16T00:00:00Z", "left 2026-06-15 -"),
    ("left without a last day", "left 2020-01-01..", "", "2026-06-15T12:00:00Z", "left - -"),
    ("left with a day ahead", "left 2020-01-01..2026-06-30", "", "2026-06-15T12:00:00Z", "active+ 2026-06-30 2026-07-01T00:00Z"),
    ("left with a day past", "left 2020-01-01..2026-05-31", "", "2026-06-15T12:00:00Z", "left 2026-05-31 -"),
    ("to the end of the month", "active 2020-01-01..2026-06-15", "leave = 'end_of_month'", "2026-06-20T12:00:00Z", "active+ 2026-06-30 2026-07-01T00:00Z"),
    ("first day of the month", "active 2020-01-01..2026-06-01", "leave = 'end_of_month'", "2026-06-20T12:00:00Z", "active+ 2026-06-30 2026-07-01T00:00Z"),
    ("last day of the month", "active 2020-01-01..2026-06-30", "leave = 'end_of_month'", "2026-06-20T12:00:00Z", "active+ 2026-06-30 2026-07-01T00:00Z"),
    ("February of a leap year", "active 2020-01-01..2028-02-03", "leave = 'end_of_month'", "2028-02-20T12:00:00Z", "active+ 2028-02-29 2028-03-01T00:00Z"),
    ("December", "active 2020-01-01..2026-12-03", "leave = 'end_of_month'", "2026-12-31T23:00:00Z", "active+ 2026-12-31 2027-01-01T00:00Z"),
    ("month over", "active 2020-01-01..2026-06-15", "leave = 'end_of_month'", "2026-07-01T00:00:00Z", "left 2026-06-30 -"),
    // zones: local midnight at the end of the last day
    ("UTC-12 still employed", "active 2020-01-01..2026-06-15", "zone = 'Etc/GMT+12'", "2026-06-16T11:59:59Z", "active+ 2026-06-15 2026-06-16T12:00Z"),
    ("UTC-12 over", "active 2020-01-01..2026-06-15", "zone = 'Etc/GMT+12'", "2026-06-16T12:00:00Z", "left 2026-06-15 -"),
    ("UTC+14 still employed", "active 2020-01-01..2026-06-15", "zone = 'Pacific/Kiritimati'", "2026-06-15T09:59:59Z", "active+ 2026-06-15 2026-06-15T10:00Z"),
    ("UTC+14 over", "active 2020-01-01..2026-06-15", "zone = 'Pacific/Kiritimati'", "2026-06-15T10:00:00Z", "left 2026-06-15 -"),
    ("summer time", "active 2020-01-01..2026-07-15", "zone = 'Europe/Berlin'", "2026-07-15T21:59:59Z", "active+ 2026-07-15 2026-07-15T22:00Z"),
    ("winter time", "active 2020-01-01..2026-01-15", "zone = 'Europe/Berlin'", "2026-01-15T22:30:00Z", "active+ 2026-01-15 2026-01-15T23:00Z"),
    ("the night clocks go forward", "active 2020-01-01..2026-03-29", "zone = 'Europe/Berlin'", "2026-03-29T21:59:59Z", "active+ 2026-03-29 2026-03-29T22:00Z"),
    ("the night clocks go back", "active 2020-01-01..2026-10-25", "zone = 'Europe/Berlin'", "2026-10-25T22:59:59Z", "active+ 2026-10-25 2026-10-25T23:00Z"),
    ("the day of 25 hours is over", "active 2020-01-01..2026-10-25", "zone = 'Europe/Berlin'", "2026-10-25T23:00:00Z", "left 2026-10-25 -"),
    ("half hours count", "active 2020-01-01..2026-06-15", "zone = 'Asia/Kolkata'", "2026-06-15T18:29:59Z", "active+ 2026-06-15 2026-06-15T18:30Z"),
    ("midnight happens twice", "active 2020-01-01..2026-10-31", "zone = 'America/Havana'", "2026-11-01T03:59:59Z", "active+ 2026-10-31 2026-11-01T04:00Z"),
    ("starts at local midnight", "dates 2026-07-01..", "zone = 'Pacific/Kiritimati'", "2026-06-30T09:59:59Z", "pre_hire - 2026-06-30T10:00Z"),
    ("started at local midnight", "dates 2026-07-01..", "zone = 'Pacific/Kiritimati'", "2026-06-30T10:00:00Z", "active+ - -"),
    ("midnight is skipped", "active ..2024-04-24", "zone = 'Africa/Cairo'", "2024-04-25T12:00:00Z", "left 2024-04-24 -"),
    ("starts on the day without midnight", "dates 2024-04-26..", "zone = 'Africa/Cairo'", "2024-04-25T21:00:00Z", "pre_hire - 2024-04-25T22:00Z"),
    ("ends before a day that never was", "dates ..2011-12-29", "zone = 'Pacific/Apia'", "2011-12-29T12:00:00Z", "active+ 2011-12-29 2011-12-30T10:00Z"),
    ("month end by the zone", "active 2020-01-01..2026-06-15", "leave = 'end_of_month'\nzone = 'America/New_York'", "2026-07-01T03:59:59Z", "active+ 2026-06-30 2026-07-01T04:00Z"),
    // several employments
    ("gap of seven days", "dates 2020-01-01..2026-05-31, 2026-06-08..", "", "2026-06-03T12:00:00Z", "active+ - -"),
    ("gap of eight days", "dates 2020-01-01..2026-05-31, 2026-06-09..", "", "2026-06-03T12:00:00Z", "pre_hire - 2026-06-09T00:00Z"),
    ("the order does not matter", "dates 2026-06-08.., 2020-01-01..2026-05-31", "", "2026-06-03T12:00:00Z", "active+ - -"),
    ("one inside another", "dates 2020-01-01..2026-12-31, 2021-01-01..2022-01-01", "", "2026-06-03T12:00:00Z", "active+ 2026-12-31 2027-01-01T00:00Z"),
    ("overlapping", "dates 2020-01-01..2026-05-31, 2026-05-01..2026-06-30", "", "2026-06-03T12:00:00Z", "active+ 2026-06-30 2026-07-01T00:00Z"),
    ("comes back, says left today", "left 2020-01-01..2026-03-31, 2026-09-01..", "", "2026-06-03T12:00:00Z", "pre_hire - 2026-09-01T00:00Z"),
    ("called off by the word", "left 2026-09-01..", "", "2026-06-03T12:00:00Z", "rescinded - -"),
    ("called off by the dates", "dates 2026-09-01..2026-08-31", "", "2026-06-03T12:00:00Z", "rescinded - -"),
    ("one called off, one not", "dates 2026-09-01..2026-08-31, 2020-01-01..", "", "2026-06-03T12:00:00Z", "active+ - -"),
];

#[test]
fn the_table_of_cases() {
    for (what, text, rules, now, expected) in CASES {
        let verdict = judge(&employee(text), &policy(rules), None, at(now));
        assert_eq!(told(&verdict), *expected, "{what} ({})", verdict.rule);
    }
}

#[test]
fn a_never_written_as_the_last_day_of_time_is_employed() {
    let verdict = judge(
        &employee("active 0001-01-01..9999-12-31"),
        &Policy::default(),
        None,
        at("2026-06-03T12:00:00Z"),
    );
    assert_eq!(verdict.state, State::Active);
    let far = judge(
        &employee("dates 2020-01-01..+262142-12-31"),
        &Policy::default(),
        None,
        at("2026-06-03T12:00:00Z"),
    );
    assert_eq!(far.state, State::Active);
}

/// PROB-25, PROB-31, PROB-34: the day of the leave in the middle, on the first and on the last day of a month.
#[test]
fn a_leave_recorded_late_ends_with_the_month_in_which_it_was_seen_and_never_moves_on() {
    let rules = policy("late_leave = 'end_of_current_month'\nleave = 'end_of_month'\nzone = 'Europe/Berlin'");
    let before = judge(
        &employee("active 2020-01-01.."),
        &rules,
        None,
        at("2026-06-10T12:00:00Z"),
    );
    for last in ["2026-05-01", "2026-05-15", "2026-05-31"] {
        let leaver = employee(&format!("active 2020-01-01..{last}"));
        let seen = judge(&leaver, &rules, Some(&before), at("2026-06-15T12:00:00Z"));
        assert_eq!(told(&seen), "active+ 2026-06-30 2026-06-30T22:00Z", "{last}");
        assert!(seen.leaving_planned());
        assert_eq!(seen.last_day, Some(day(last)), "the day HR gave stays known");
        let later = judge(&leaver, &rules, Some(&seen), at("2026-06-29T12:00:00Z"));
        assert_eq!(told(&later), told(&seen));
        let over = judge(&leaver, &rules, Some(&later), at("2026-06-30T22:00:00Z"));
        assert_eq!(told(&over), "left 2026-06-30 -");
        let long_after = judge(&leaver, &rules, Some(&over), at("2026-09-10T22:00:00Z"));
        assert_eq!(
            told(&long_after),
            "left 2026-06-30 -",
            "does not move on with the months"
        );
        // cleared: back to active
        let back = judge(
            &employee("active 2020-01-01.."),
            &rules,
            Some(&seen),
            at("2026-06-20T12:00:00Z"),
        );
        assert_eq!(told(&back), "active+ - -");
    }
}

#[test]
fn a_late_leave_is_late_only_for_somebody_who_was_active_for_us() {
    let rules = policy("late_leave = 'end_of_current_month'");
    let leaver = employee("active 2020-01-01..2026-05-15");
    let now = at("2026-06-15T12:00:00Z");
    assert_eq!(
        told(&judge(&leaver, &rules, None, now)),
        "left 2026-05-15 -",
        "never seen before (RG-24)"
    );
    let known = judge(&leaver, &rules, None, at("2026-05-10T12:00:00Z"));
    assert_eq!(
        told(&judge(&leaver, &rules, Some(&known), now)),
        "left 2026-05-15 -",
        "the leave was known in time"
    );
    let moved = judge(
        &employee("active 2020-01-01..2026-09-30"),
        &rules,
        None,
        at("2026-05-10T12:00:00Z"),
    );
    assert_eq!(
        told(&judge(&leaver, &rules, Some(&moved), now)),
        "active+ 2026-06-30 2026-07-01T00:00Z",
        "moved backwards"
    );
    let at_once = judge(&leaver, &Policy::default(), Some(&moved), now);
    assert_eq!(told(&at_once), "left 2026-05-15 -", "the default is at once");
}

#[test]
fn of_several_records_the_best_counts_and_short_gaps_between_them_do_nothing() {
    let now = at("2026-06-03T12:00:00Z");
    let person = |texts: &[&str]| {
        let records: Vec<Employee> = texts.iter().map(|text| employee(text)).collect();
        let (verdict, leading) = judge_all(&records, &Policy::default(), None, now);
        (told(&verdict), leading)
    };
    for (records, expected, leads) in [
        (
            vec!["left 2009-01-01..2010-01-01", "active 2010-01-02.."],
            "active+ - -",
            1,
        ),
        (
            vec!["active 2010-01-02..", "left 2009-01-01..2010-01-01"],
            "active+ - -",
            0,
        ),
        (
            vec!["left 2009-01-01..2026-05-31", "active 2026-06-08.."],
            "active+ - -",
            1,
        ),
        (
            vec!["left 2009-01-01..2026-05-31", "active 2026-06-09.."],
            "pre_hire - 2026-06-09T00:00Z",
            1,
        ),
        (
            vec!["active 2009-01-01..2026-06-30", "active 2020-01-01.."],
            "active+ - -",
            1,
        ),
        (
            vec!["left 2009-01-01..2012-01-01", "left 2013-01-01..2014-01-01"],
            "left 2014-01-01 -",
            1,
        ),
        (
            vec!["strange 2009-01-01..", "left 2013-01-01..2014-01-01"],
            "held - -",
            0,
        ),
        (
            vec!["strange 2009-01-01..", "active 2013-01-01.."],
            "active+ - -",
            1,
        ),
        (
            vec!["active 2026-09-01..", "active 2026-07-01.."],
            "pre_hire - 2026-07-01T00:00Z",
            1,
        ),
        (vec![], "held - -", 0),
    ] {
        assert_eq!(person(&records), (expected.to_owned(), leads), "{records:?}");
    }
}

#[test]
fn what_was_called_off_does_not_start_on_its_first_day() {
    let off = employee("left 2026-09-01..2027-08-31");
    let before = judge(&off, &Policy::default(), None, at("2026-06-03T12:00:00Z"));
    assert_eq!(before.state, State::Rescinded);
    let after = judge(
        &off,
        &Policy::default(),
        Some(&before),
        at("2026-09-02T12:00:00Z"),
    );
    assert_eq!((after.state, after.access), (State::Rescinded, false));
}

#[test]
fn a_policy_is_read_from_a_file_and_refuses_what_it_does_not_know() {
    let read = policy(
        "zone = 'Europe/Berlin'\npre_hire = '2w'\nleave = 'end_of_month'\nlate_leave = 'end_of_current_month'\n\
         reactivate = false\nmissing = { do = 'report', reads = 3, apart = '36h' }",
    );
    assert_eq!(read.pre_hire, Days(14));
    assert_eq!(
        (read.missing.action, read.missing.reads),
        (MissingAction::Report, 3)
    );
    assert_eq!(read.missing.apart, Period(Duration::hours(36)));
    let text = toml::to_string(&read).unwrap();
    assert_eq!(toml::from_str::<Policy>(&text).unwrap(), read);
    for bad in [
        "zone = 'Berlin'",
        "pre_hire = '14'",
        "pre_hire = '36h'",
        "pre_hire = '99999d'",
        "leaves = 'now'",
        "missing = { apart = 'x' }",
        "leave = 'whenever'",
    ] {
        assert!(toml::from_str::<Policy>(bad).is_err(), "{bad}");
    }
}

const START: &str = "2024-01-01";
const DAYS: i64 = 500;

fn dates() -> impl Strategy<Value = Employment> {
    (
        prop::option::weighted(0.9, 0..DAYS),
        prop::option::weighted(0.7, -3..200_i64),
    )
        .prop_map(|(first, length)| {
            let first_day = first.map(|first| day(START) + Duration::days(first));
            let from = first.unwrap_or(0);
            Employment {
                first_day,
                last_day: length.map(|length| day(START) + Duration::days(from + length)),
                ..Employment::default()
            }
        })
}

fn zones() -> impl Strategy<Value = Tz> {
    prop::sample::select(vec![
        Tz::Etc__UTC,
        Tz::Europe__Berlin,
        Tz::America__New_York,
        Tz::Pacific__Kiritimati,
        Tz::Etc__GMTPlus12,
        Tz::Africa__Cairo,
        Tz::Asia__Kathmandu,
        Tz::America__Santiago,
        Tz::Australia__Lord_Howe,
    ])
}

fn policies() -> impl Strategy<Value = Policy> {
    (zones(), any::<bool>(), 0..20_u32).prop_map(|(zone, month, days)| Policy {
        zone: Zone(zone),
        leave: if month { Leave::EndOfMonth } else { Leave::LastDay },
        pre_hire: Days(days),
        ..Policy::default()
    })
}

/// The same by walking through the days: state and access on each.
fn walk(employee: &Employee, policy: &Policy, today: NaiveDate) -> (&'static str, bool) {
    let meant: Vec<&Employment> = employee
        .employments
        .iter()
        .filter(|one| !matches!((one.first_day, one.last_day), (Some(first), Some(last)) if last < first))
        .collect();
    if meant.is_empty() {
        return if employee.employments.is_empty() {
            ("active", true)
        } else {
            ("rescinded", false)
        };
    }
    let from = day(START) - Duration::days(400);
    let all: Vec<NaiveDate> = (0..2000).map(|days| from + Duration::days(days)).collect();
    let mut employed: Vec<bool> = all
        .iter()
        .map(|date| {
            meant.iter().any(|one| {
                one.first_day.is_none_or(|first| first <= *date)
                    && one.last_day.is_none_or(|last| *date <= last)
            })
        })
        .collect();
    let mut since: Option<usize> = None;
    for here in 0..employed.len() {
        if employed[here] {
            if let Some(since) = since
                && here - since - 1 <= 7
            {
                employed[since..here].iter_mut().for_each(|day| *day = true);
            }
            since = Some(here);
        }
    }
    let mut access = employed.clone();
    for here in 1..employed.len() {
        let month_goes_on = all[here].month() == all[here - 1].month();
        if policy.leave == Leave::EndOfMonth && access[here - 1] && !employed[here] && month_goes_on {
            access[here] = true;
        }
    }
    let place = all.iter().position(|date| *date == today).unwrap();
    let starts_within = |days: usize| employed[place..(place + days + 1).min(employed.len())].contains(&true);
    if access[place] {
        ("active", true)
    } else if employed[place..].contains(&true) {
        (
            "pre_hire",
            starts_within(usize::try_from(policy.pre_hire.0).unwrap()),
        )
    } else {
        ("left", false)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_verdict_is_that_of_the_calendar_and_stays_until_next(
        employments in prop::collection::vec(dates(), 0..4),
        policy in policies(),
        minutes in 0..DAYS * 24 * 60,
        then in 0..1000_i32,
    ) {
        let employee = Employee { employments, ..Employee::default() };
        let now = Utc.from_utc_datetime(&day(START).and_hms_opt(0, 0, 0).unwrap()) + Duration::minutes(minutes);
        let verdict = judge(&employee, &policy, None, now);
        let today = now.with_timezone(&policy.zone.0).date_naive();
        prop_assert_eq!((verdict.state.word(), verdict.access), walk(&employee, &policy, today), "{:?}", verdict);
        if let Some(next) = verdict.next {
            prop_assert!(next > now);
            let then = judge(&employee, &policy, Some(&verdict), next);
            prop_assert!(!verdict.says_the_same(&then), "nothing changes at next: {:?}", verdict);
        }
        // Any instant before `next`, and the last one.
        let end = verdict.next.unwrap_or(now + Duration::days(300));
        let within = (end - now - Duration::seconds(1)).max(Duration::zero()) * then / 1000;
        for instant in [now + within, end - Duration::seconds(1)] {
            if instant >= now {
                let same = judge(&employee, &policy, None, instant);
                prop_assert_eq!(&same, &verdict, "at {}", instant);
            }
        }
    }

    #[test]
    fn of_many_records_next_is_the_first_instant_at_which_anything_changes(
        records in prop::collection::vec((dates(), 0..4_usize), 1..4),
        policy in policies(),
        pauses in any::<bool>(),
        minutes in 0..DAYS * 24 * 60,
        instants in prop::collection::vec(0..1000_i32, 12),
    ) {
        let on_leave = if pauses { OnLeave::Disable } else { OnLeave::Active };
        let policy = Policy { on_leave, ..policy };
        let status = [Status::ByDates, Status::Active, Status::OnLeave, Status::Left];
        let records: Vec<Employee> = records
            .into_iter()
            .map(|(one, word)| Employee { status: status[word].clone(), employments: vec![one], ..Employee::default() })
            .collect();
        let now = Utc.from_utc_datetime(&day(START).and_hms_opt(0, 0, 0).unwrap()) + Duration::minutes(minutes);
        let (verdict, _) = judge_all(&records, &policy, None, now);
        if let Some(next) = verdict.next {
            let (then, _) = judge_all(&records, &policy, Some(&verdict), next);
            prop_assert!(next > now && !verdict.says_the_same(&then), "nothing changes at next: {:?}", verdict);
        }
        let end = verdict.next.unwrap_or(now + Duration::days(900));
        for part in instants {
            let instant = now + (end - now - Duration::seconds(1)).max(Duration::zero()) * part / 1000;
            let (same, _) = judge_all(&records, &policy, Some(&verdict), instant);
            prop_assert!(verdict.says_the_same(&same), "{:?} at {}: {:?}", verdict, instant, same);
        }
    }

    #[test]
    fn the_order_of_employments_and_records_does_not_matter(
        employments in prop::collection::vec(dates(), 1..5),
        policy in policies(),
        minutes in 0..DAYS * 24 * 60,
    ) {
        let now = Utc.from_utc_datetime(&day(START).and_hms_opt(0, 0, 0).unwrap()) + Duration::minutes(minutes);
        let one = Employee { employments: employments.clone(), ..Employee::default() };
        let turned = Employee { employments: employments.iter().rev().cloned().collect(), ..Employee::default() };
        prop_assert_eq!(judge(&one, &policy, None, now), judge(&turned, &policy, None, now));
        let records: Vec<Employee> =
            employments.into_iter().map(|one| Employee { employments: vec![one], ..Employee::default() }).collect();
        let turned: Vec<Employee> = records.iter().rev().cloned().collect();
        let (a, b) = (judge_all(&records, &policy, None, now).0, judge_all(&turned, &policy, None, now).0);
        prop_assert_eq!((&a.state, a.access, a.leaves_on, a.next), (&b.state, b.access, b.leaves_on, b.next));
    }
}
