//! Durations as files write them.

use std::time::Duration;

/// A duration such as `14d`, `24h`, `30m`, `5s`, `2w`.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    (number <= 100_000).then(|| Duration::from_secs(number * seconds))
}
