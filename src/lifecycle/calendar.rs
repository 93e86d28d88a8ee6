//! Days of a time zone and the instants at which they begin.

use chrono::{DateTime, Datelike, Days, Duration, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

/// The instant at which a day begins. Where midnight is skipped by a clock change (or the whole day, as on
/// 2011-12-30 in Samoa), the first instant after it; where it happens twice, the first.
pub(super) fn begins(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    // No zone has ever skipped more than a day.
    (0..=100)
        .find_map(|quarters| {
            zone.from_local_datetime(&(midnight + Duration::minutes(15 * quarters)))
                .earliest()
        })
        .map_or_else(|| midnight.and_utc(), |instant| instant.with_timezone(&Utc))
}

/// The instant at which a day ends: the beginning of the next.
pub(super) fn ends(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    begins(after(day, 1), zone)
}

/// The day of an instant.
pub(super) fn day_of(instant: DateTime<Utc>, zone: Tz) -> NaiveDate {
    instant.with_timezone(&zone).date_naive()
}

/// `days` later; the calendar's last day at most.
pub(super) fn after(day: NaiveDate, days: u32) -> NaiveDate {
    day.checked_add_days(Days::new(days.into())).unwrap_or(LAST)
}

/// `days` earlier; the calendar's first day at least.
pub(super) fn before(day: NaiveDate, days: u32) -> NaiveDate {
    day.checked_sub_days(Days::new(days.into())).unwrap_or(FIRST)
}

/// The last day of the day's month.
pub(super) fn end_of_month(day: NaiveDate) -> NaiveDate {
    let (year, month) = if day.month() == 12 {
        (day.year() + 1, 1)
    } else {
        (day.year(), day.month() + 1)
    };
    NaiveDate::from_ymd_opt(year, month, 1)
        .and_then(|first| first.pred_opt())
        .unwrap_or(day)
}

/// Years that HR systems write when they mean never (`9999-12-31`, `0001-01-01`) are kept, what lies beyond is cut.
pub(super) fn sane(day: NaiveDate) -> NaiveDate {
    day.clamp(FIRST, LAST)
}

const FIRST: NaiveDate = match NaiveDate::from_ymd_opt(1, 1, 2) {
    Some(day) => day,
    None => NaiveDate::MIN,
};
const LAST: NaiveDate = match NaiveDate::from_ymd_opt(9999, 12, 31) {
    Some(day) => day,
    None => NaiveDate::MAX,
};
