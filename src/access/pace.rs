//! How fast a token may ask: a bucket of requests that fills at the rate of its client's profile.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};

use super::Rate;

const SECOND: i64 = 1_000_000_000;

/// One token's bucket, in this process. It keeps a single number, the nanosecond since 1970 at which it will be full
/// again, so that it needs no lock.
#[derive(Debug, Default)]
pub(super) struct Pace(AtomicI64);

impl Pace {
    /// Takes one request out of the bucket.
    ///
    /// # Errors
    /// When it is empty: for how many whole seconds, at least one.
    pub fn admit(&self, rate: Rate, now: DateTime<Utc>) -> Result<(), u32> {
        let now = now.timestamp_nanos_opt().unwrap_or(i64::MAX / 2);
        let each = (SECOND / i64::from(rate.per_second.get())).max(1);
        let slack = each.saturating_mul(i64::from(rate.burst()).saturating_sub(1));
        let mut missing = 0;
        let taken = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
                // Fuller than full: the clock was set back, or the rate has changed.
                let full_at = if full_at.saturating_sub(now) > slack.saturating_add(each) {
                    now
                } else {
                    full_at.max(now)
                };
                missing = full_at.saturating_sub(now).saturating_sub(slack);
                (missing <= 0).then(|| full_at.saturating_add(each))
            });
        let seconds = missing.saturating_add(SECOND - 1) / SECOND;
        taken
            .map(|_| ())
            .map_err(|_| u32::try_from(seconds.max(1)).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn rate(per_second: u32, burst: u32) -> Rate {
        Rate {
            per_second: per_second.try_into().unwrap(),
            burst: Some(burst.try_into().unwrap()),
        }
    }

    /// Covers: item 10
    #[test]
    fn a_bucket_holds_its_burst_and_fills_at_its_rate() {
        let (pace, start) = (Pace::default(), DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
        let rate = rate(2, 5);
        let admitted = |at: DateTime<Utc>| (0..100).take_while(|_| pace.admit(rate, at).is_ok()).count();
        assert_eq!(admitted(start), 5);
        assert_eq!(pace.admit(rate, start), Err(1));
        assert_eq!(admitted(start + TimeDelta::milliseconds(499)), 0);
        assert_eq!(admitted(start + TimeDelta::milliseconds(500)), 1);
        assert_eq!(admitted(start + TimeDelta::seconds(2)), 3);
        assert_eq!(admitted(start + TimeDelta::hours(1)), 5, "no more than its burst");
        assert!(admitted(start) > 0, "a clock set back does not lock anybody out");
    }

    #[test]
    fn whoever_waits_as_told_is_let_in() {
        let (pace, mut now) = (Pace::default(), DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
        let rate = rate(1, 1);
        for _ in 0..10 {
            assert_eq!(pace.admit(rate, now), Ok(()));
            let wait = pace.admit(rate, now).unwrap_err();
            now += TimeDelta::seconds(i64::from(wait));
        }
    }

    #[test]
    fn any_rate_is_reckoned_with() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        for (per_second, burst) in [(u32::MAX, u32::MAX), (1, u32::MAX), (u32::MAX, 1)] {
            assert_eq!(Pace::default().admit(rate(per_second, burst), now), Ok(()));
        }
    }
}
