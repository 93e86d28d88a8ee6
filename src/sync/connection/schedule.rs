//! When a connection's next run starts. Computed from the wall clock each time, so nothing drifts.

use std::str::FromStr as _;

use chrono::{DateTime, Days, Duration, LocalResult, NaiveTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use croner::Cron;
use serde::{Deserialize, Serialize};

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
}

/// A schedule that can be asked.
#[derive(Debug, Clone)]
pub enum Schedule {
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
        match (&self.at, &self.every, &self.cron) {
            (Some(at), None, None) => NaiveTime::parse_from_str(at, "%H:%M")
                .map(|at| Schedule::At(at, zone))
                .map_err(|_| format!("schedule.at {at:?} is no time of day: write it as \"04:00\"")),
            (None, Some(every), None) => match length(every) {
                Some(step) if step >= Duration::minutes(1) => Ok(Schedule::Every(step)),
                _ => Err(format!(
                    "schedule.every {every:?} is no length of at least a minute: write it as \"15m\", \"4h\" or \"1d\""
                )),
            },
            (None, None, Some(cron)) => Cron::from_str(cron)
                .map(|cron| Schedule::Cron(Box::new(cron), zone))
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
    /// The first start after `now`. `planned` is the start that was planned before, which steps count from.
    #[must_use]
    pub fn next(&self, planned: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Every(step) => next_step(*step, planned.unwrap_or(now), now),
            Self::At(at, zone) => next_at(*at, *zone, now),
            Self::Cron(cron, zone) => cron
                .find_next_occurrence(&now.with_timezone(zone), false)
                .ok()
                .map(|next| next.with_timezone(&Utc)),
        }
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
            planned = daily.next(Some(planned), late).unwrap();
            assert_eq!(planned, first + Duration::days(day));
        }
        let after_a_week_off = planned + Duration::days(7) + Duration::hours(5);
        assert_eq!(
            daily.next(Some(planned), after_a_week_off).unwrap(),
            planned + Duration::days(8)
        );
    }

    #[test]
    fn exp_8_a_wall_clock_time_keeps_to_its_zone_over_the_change_of_the_clock() {
        let at = schedule("at = \"04:00\"\nzone = \"Europe/Berlin\"");
        assert_eq!(
            at.next(None, utc("2026-10-24T12:00:00Z")).unwrap(),
            utc("2026-10-25T03:00:00Z")
        );
        assert_eq!(
            at.next(None, utc("2026-10-23T12:00:00Z")).unwrap(),
            utc("2026-10-24T02:00:00Z")
        );
        let gap = schedule("at = \"02:30\"\nzone = \"Europe/Berlin\"");
        assert_eq!(
            gap.next(None, utc("2026-03-28T12:00:00Z")).unwrap(),
            utc("2026-03-29T01:00:00Z")
        );
        let exact = schedule("at = \"04:00\"");
        assert_eq!(
            exact.next(None, utc("2026-11-01T04:00:00Z")).unwrap(),
            utc("2026-11-02T04:00:00Z")
        );
    }

    #[test]
    fn a_cron_pattern_is_read_in_its_zone() {
        let cron = schedule("cron = \"0 */4 * * *\"\nzone = \"America/New_York\"");
        assert_eq!(
            cron.next(None, utc("2026-11-21T06:00:00Z")).unwrap(),
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
    }
}
