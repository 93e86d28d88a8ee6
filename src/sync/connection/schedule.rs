//! When a connection's next run starts. Computed from the wall clock each time, so nothing drifts.

use std::str::FromStr as _;

use chrono::{DateTime, Days, Duration, LocalResult, NaiveTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use croner::Cron;
use serde::{Deserialize, Serialize};

use crate::base::ConnectionId;

/// `[schedule]` of a connection file: exactly one of `at`, `every` and `cron`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleFile {
    /// Time of day, `HH:MM`, in the zone.
    pub at: Option<String>,
    /// A length such as `15m`, `4h` or `1d`; at least one minute.
    pub every: Option<String>,
    /// Five fields of cron, in the zone.
    pub cron: Option<String>,
    /// IANA time zone; default `Etc/UTC`.
    pub zone: Option<String>,
    /// How often everybody is read where the HR system can tell what changed: a length such as `24h`, which is the default.
    /// Runs in between read changes alone.
    pub complete: Option<String>,
    /// A window such as `10m` behind each planned time, at most half a day: each connection starts at its own moment in
    /// it, always the same one, so that a thousand tenants do not start at once. Default: none.
    pub jitter: Option<String>,
    /// After so long without a read that was applied the connection counts as stale, and its owner is told. Default `25h`:
    /// a day, and an hour for the night on which the clock is set back.
    pub stale_after: Option<String>,
}

/// A schedule that can be asked.
#[derive(Debug, Clone)]
pub struct Schedule {
    rhythm: Rhythm,
    jitter: Duration,
}

/// How starts follow each other.
#[derive(Debug, Clone)]
enum Rhythm {
    /// In steps of one length, from the first planned start.
    Every(Duration),
    /// Each day at a time of day.
    At(NaiveTime, Tz),
    /// By a cron pattern.
    Cron(Box<Cron>, Tz),
}

impl ScheduleFile {
    /// Reads the schedule.
    ///
    /// # Errors
    /// What is wrong with it and what to write instead.
    pub fn compile(&self) -> Result<Schedule, String> {
        let zone = self.zone.as_deref().unwrap_or("Etc/UTC");
        let zone = Tz::from_str(zone).map_err(|_| {
            format!("schedule.zone {zone:?} is no time zone: write a name such as \"Europe/Berlin\"")
        })?;
        if self
            .complete
            .as_deref()
            .is_some_and(|complete| length(complete).is_none())
        {
            return Err(format!(
                "schedule.complete {:?} is no length: write it as \"24h\" or \"7d\"",
                self.complete.as_deref().unwrap_or_default()
            ));
        }
        if self
            .stale_after
            .as_deref()
            .is_some_and(|after| stale(after).is_none())
        {
            return Err(format!(
                "schedule.stale_after {:?} is no length between an hour and a year: write it as \"25h\" or \"8d\"",
                self.stale_after.as_deref().unwrap_or_default()
            ));
        }
        let rhythm = self.rhythm(zone)?;
        let jitter = self.jitter.as_deref().map_or(Some(Duration::zero()), length);
        let most = match &rhythm {
            Rhythm::Every(step) => *step / 2,
            Rhythm::At(..) | Rhythm::Cron(..) => Duration::hours(12),
        };
        match jitter {
            Some(jitter) if jitter <= most => Ok(Schedule { rhythm, jitter }),
            _ => Err(format!(
                "schedule.jitter {:?} is no length, or longer than half of the time between two runs (at most 12h): write it \
                 as \"10m\"",
                self.jitter.as_deref().unwrap_or_default()
            )),
        }
    }

    fn rhythm(&self, zone: Tz) -> Result<Rhythm, String> {
        match (&self.at, &self.every, &self.cron) {
            (Some(at), None, None) => NaiveTime::parse_from_str(at, "%H:%M")
                .map(|at| Rhythm::At(at, zone))
                .map_err(|_| format!("schedule.at {at:?} is no time of day: write it as \"04:00\"")),
            (None, Some(every), None) => match length(every) {
                Some(step) if step >= Duration::minutes(1) => Ok(Rhythm::Every(step)),
                _ => Err(format!(
                    "schedule.every {every:?} is no length of at least a minute: write it as \"15m\", \"4h\" or \"1d\""
                )),
            },
            (None, None, Some(cron)) => Cron::from_str(cron)
                .map(|cron| Rhythm::Cron(Box::new(cron), zone))
                .map_err(|error| format!("schedule.cron {cron:?} cannot be read: {error}")),
            _ => Err("[schedule] needs exactly one of at, every and cron".to_owned()),
        }
    }
}

impl ScheduleFile {
    /// How often everybody is read.
    #[must_use]
    pub fn complete_every(&self) -> Duration {
        let asked = self.complete.as_deref().and_then(length);
        asked.unwrap_or_else(|| Duration::hours(24))
    }

    /// After how many seconds without an applied read the connection counts as stale.
    #[must_use]
    pub fn stale_after(&self) -> i32 {
        self.stale_after.as_deref().and_then(stale).unwrap_or(STALE_AFTER)
    }
}

/// A day and an hour, in seconds.
const STALE_AFTER: i32 = 90_000;

fn stale(text: &str) -> Option<i32> {
    let after = length(text)?;
    let within = after >= Duration::hours(1) && after <= Duration::days(366);
    i32::try_from(after.num_seconds()).ok().filter(|_| within)
}

/// A length such as `90s`, `15m`, `4h`, `1d` or `1d12h`.
fn length(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut sum = Duration::zero();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let number: i64 = number.parse().ok()?;
        let unit = tail.chars().next()?;
        let part = match unit {
            's' => Duration::try_seconds(number),
            'm' => Duration::try_minutes(number),
            'h' => Duration::try_hours(number),
            'd' => Duration::try_days(number),
            _ => None,
        }?;
        sum = sum.checked_add(&part)?;
        rest = tail.get(1..)?;
    }
    Some(sum)
}

impl Schedule {
    /// The first start of a connection after `now`. `planned` is the start that was planned before, which steps count
    /// from.
    #[must_use]
    pub fn next(
        &self,
        connection: ConnectionId,
        planned: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let late = self.offset(connection);
        match &self.rhythm {
            Rhythm::Every(step) => match planned {
                Some(planned) => next_step(*step, planned, now),
                None => now.checked_add_signed(*step)?.checked_add_signed(late),
            },
            Rhythm::At(at, zone) => {
                next_at(*at, *zone, now.checked_sub_signed(late)?)?.checked_add_signed(late)
            }
            Rhythm::Cron(cron, zone) => cron
                .find_next_occurrence(&now.checked_sub_signed(late)?.with_timezone(zone), false)
                .ok()?
                .with_timezone(&Utc)
                .checked_add_signed(late),
        }
    }

    /// How far into the window a connection starts: always the same, evenly spread over all connections.
    fn offset(&self, connection: ConnectionId) -> Duration {
        let window = u128::try_from(self.jitter.num_seconds()).unwrap_or_default();
        // The last 62 bits of a UUIDv7 are random (RFC 9562 §5.7).
        let drawn = connection.uuid().as_u128() & ((1 << 62) - 1);
        let seconds = drawn.checked_rem(window).unwrap_or_default();
        i64::try_from(seconds).map_or_else(|_| Duration::zero(), Duration::seconds)
    }
}

fn next_step(step: Duration, planned: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if planned > now {
        return Some(planned);
    }
    let passed = (now - planned).num_seconds().checked_div(step.num_seconds())?;
    let steps = i32::try_from(passed.checked_add(1)?).ok()?;
    planned.checked_add_signed(step.checked_mul(steps)?)
}

fn next_at(at: NaiveTime, zone: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let today = now.with_timezone(&zone).date_naive();
    (0..=2)
        .filter_map(|days| today.checked_add_days(Days::new(days)))
        .filter_map(|day| instant(day.and_time(at), zone))
        .find(|start| *start > now)
}

/// The instant of a local time; the earlier one where there are two, and the first one after a gap of the clock.
fn instant(local: chrono::NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    (0..=4)
        .filter_map(|quarter| local.checked_add_signed(Duration::minutes(30 * quarter)))
        .find_map(|local| match zone.from_local_datetime(&local) {
            LocalResult::Single(start) | LocalResult::Ambiguous(start, _) => Some(start.with_timezone(&Utc)),
            LocalResult::None => None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
    }

    fn one() -> ConnectionId {
        ConnectionId::from(uuid::Uuid::from_u128(7))
    }

    fn schedule(toml: &str) -> Schedule {
        toml::from_str::<ScheduleFile>(toml).unwrap().compile().unwrap()
    }

    #[test]
    fn payh_28_a_daily_run_does_not_drift_over_thirty_days() {
        let daily = schedule("every = \"24h\"");
        let first = utc("2026-11-01T04:00:00Z");
        let mut planned = first;
        for day in 1..=30 {
            let late = planned + Duration::seconds(47 + day);
            planned = daily.next(one(), Some(planned), late).unwrap();
            assert_eq!(planned, first + Duration::days(day));
        }
        let after_a_week_off = planned + Duration::days(7) + Duration::hours(5);
        assert_eq!(
            daily.next(one(), Some(planned), after_a_week_off).unwrap(),
            planned + Duration::days(8)
        );
    }

    #[test]
    fn exp_8_a_wall_clock_time_keeps_to_its_zone_over_the_change_of_the_clock() {
        let at = schedule("at = \"04:00\"\nzone = \"Europe/Berlin\"");
        assert_eq!(
            at.next(one(), None, utc("2026-10-24T12:00:00Z")).unwrap(),
            utc("2026-10-25T03:00:00Z")
        );
        assert_eq!(
            at.next(one(), None, utc("2026-10-23T12:00:00Z")).unwrap(),
            utc("2026-10-24T02:00:00Z")
        );
        let gap = schedule("at = \"02:30\"\nzone = \"Europe/Berlin\"");
        assert_eq!(
            gap.next(one(), None, utc("2026-03-28T12:00:00Z")).unwrap(),
            utc("2026-03-29T01:00:00Z")
        );
        let exact = schedule("at = \"04:00\"");
        assert_eq!(
            exact.next(one(), None, utc("2026-11-01T04:00:00Z")).unwrap(),
            utc("2026-11-02T04:00:00Z")
        );
    }

    #[test]
    fn a_cron_pattern_is_read_in_its_zone() {
        let cron = schedule("cron = \"0 */4 * * *\"\nzone = \"America/New_York\"");
        assert_eq!(
            cron.next(one(), None, utc("2026-11-21T06:00:00Z")).unwrap(),
            utc("2026-11-21T09:00:00Z")
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_a_remedy() {
        let refused = |toml: &str| {
            toml::from_str::<ScheduleFile>(toml)
                .unwrap()
                .compile()
                .unwrap_err()
        };
        assert!(refused("at = \"4 o'clock\"").contains("04:00"));
        assert!(refused("every = \"10s\"").contains("a minute"));
        assert!(refused("every = \"4 hours\"").contains("4h"));
        assert!(refused("cron = \"whenever\"").contains("cron"));
        assert!(refused("at = \"04:00\"\nzone = \"Mars/Olympus\"").contains("Europe/Berlin"));
        assert!(refused("at = \"04:00\"\nevery = \"1h\"").contains("exactly one"));
        assert!(refused("every = \"10m\"\njitter = \"6m\"").contains("half"));
        assert!(refused("at = \"04:00\"\njitter = \"a while\"").contains("10m"));
        assert!(refused("at = \"04:00\"\nstale_after = \"5m\"").contains("25h"));
    }

    /// A year of nights: both changes of the clock, a cron pattern and a time of day agree.
    #[test]
    fn exp_8_a_year_of_nights_has_one_run_each_at_the_same_time_of_the_clock() {
        let zone = Tz::Europe__Berlin;
        let at = schedule("at = \"04:00\"\nzone = \"Europe/Berlin\"");
        let cron = schedule("cron = \"0 4 * * *\"\nzone = \"Europe/Berlin\"");
        let mut now = utc("2026-01-01T12:00:00Z");
        for _ in 0..365 {
            let next = at.next(one(), None, now).unwrap();
            assert_eq!(cron.next(one(), None, now), Some(next));
            let local = next.with_timezone(&zone).naive_local();
            assert_eq!(local.time(), NaiveTime::from_hms_opt(4, 0, 0).unwrap());
            let gap = (next - now).num_hours();
            assert!((15..=25).contains(&gap), "{now} {next}");
            now = next;
        }
        assert_eq!(now, utc("2027-01-01T03:00:00Z"));
    }

    #[test]
    fn exp_8_a_window_spreads_a_thousand_connections_and_each_keeps_its_moment() {
        let nightly = schedule("at = \"04:00\"\njitter = \"10m\"");
        let now = utc("2026-12-01T08:00:00Z");
        let mut per_minute = [0_u32; 10];
        for _ in 0..1_000 {
            let connection = ConnectionId::new();
            let first = nightly.next(connection, None, now).unwrap();
            let late = first - utc("2026-12-02T04:00:00Z");
            assert!(late >= Duration::zero() && late < Duration::minutes(10), "{late}");
            per_minute[usize::try_from(late.num_minutes()).unwrap()] += 1;
            let second = nightly.next(connection, Some(first), first).unwrap();
            assert_eq!(second - first, Duration::days(1), "no drift");
            let hourly = schedule("every = \"1h\"\njitter = \"20m\"");
            let first = hourly.next(connection, None, now).unwrap();
            assert_eq!(
                hourly.next(connection, Some(first), first),
                Some(first + Duration::hours(1))
            );
        }
        assert!(
            per_minute.iter().all(|starts| (50..200).contains(starts)),
            "{per_minute:?}"
        );
    }
}
