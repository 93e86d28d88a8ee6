//! How long to wait before something is tried again.

use std::time::Duration;

/// The longest wait before another attempt, whatever the other side asks for.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// How long to wait before attempt `n` (first retry: 1), doubling from one second, with ±20 % jitter.
/// `asked` is the other side's `Retry-After` (RFC 9110 §10.2.3); it can lengthen the wait up to
/// [`LONGEST_WAIT`], never shorten it. `dice` is a number from 0 to 255, evenly spread.
#[must_use]
pub fn wait_before(n: u32, asked: Option<Duration>, dice: u8) -> Duration {
    let doubled = FIRST_WAIT
        .saturating_mul(2_u32.saturating_pow(n.saturating_sub(1)))
        .min(LONGEST_WAIT);
    let jittered = doubled.mul_f64(0.8 + 0.4 * f64::from(dice) / 255.0);
    asked
        .map_or(jittered, |asked| asked.max(jittered))
        .min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_stay_within_jitter_and_obey_what_was_asked() {
        assert_eq!(wait_before(1, None, 0), Duration::from_millis(800));
        assert_eq!(wait_before(3, None, 255), Duration::from_millis(4800));
        assert_eq!(wait_before(99, None, 255), LONGEST_WAIT);
        assert_eq!(
            wait_before(1, Some(Duration::from_secs(30)), 0),
            Duration::from_secs(30)
        );
        assert_eq!(
            wait_before(8, Some(Duration::from_secs(1)), 0),
            Duration::from_secs_f64(102.4)
        );
        assert_eq!(wait_before(1, Some(Duration::from_secs(86_400)), 0), LONGEST_WAIT);
    }
}
