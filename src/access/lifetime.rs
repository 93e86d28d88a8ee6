//! How long a token lives, as people write it.

use chrono::{DateTime, TimeDelta, Utc};

use super::Error;

const LONGEST_DAYS: i64 = 3660;

/// When something ends that begins now and lives for `text`: a number and `m`, `h` or `d`, such as `90d`.
///
/// # Errors
/// When it is none, zero, or longer than ten years.
pub fn end_of(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, Error> {
    let unit = text.chars().last().ok_or(Error::BadLifetime)?;
    let number: i64 = text
        .strip_suffix(unit)
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .ok_or(Error::BadLifetime)?;
    let span = match unit {
        'm' => TimeDelta::try_minutes(number),
        'h' => TimeDelta::try_hours(number),
        'd' => TimeDelta::try_days(number),
        _ => None,
    }
    .filter(|span| *span > TimeDelta::zero() && span.num_days() <= LONGEST_DAYS)
    .ok_or(Error::BadLifetime)?;
    now.checked_add_signed(span).ok_or(Error::BadLifetime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_read() {
        let now = DateTime::from_timestamp(0, 0).unwrap();
        assert_eq!(end_of("90d", now).unwrap().timestamp(), 90 * 86_400);
        assert_eq!(end_of("5m", now).unwrap().timestamp(), 300);
        for bad in [
            "",
            "d",
            "0d",
            "-1d",
            "+1d",
            "1",
            "1y",
            "99999999999999999999d",
            "4000d",
            "1.5h",
        ] {
            assert!(end_of(bad, now).is_err(), "{bad}");
        }
    }
}
