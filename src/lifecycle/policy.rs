//! How a connection or an app wants people to come and go.

use std::fmt;
use std::str::FromStr;

use chrono::Duration;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// `[lifecycle]` of a connection file, all with defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Whose days count where the source gives no zone (IANA name; default `Etc/UTC`).
    pub zone: Zone,
    /// How long before the first day a person gets access (`"14d"`; default 0 days).
    pub pre_hire: Days,
    /// When the access of a leaver ends.
    pub leave: Leave,
    /// What a leave does that was recorded after its day.
    pub late_leave: LateLeave,
    /// Whether somebody on leave keeps the access (default yes).
    pub on_leave: OnLeave,
    /// What a planned leave means for new grants, such as groups.
    pub while_leaving: WhileLeaving,
    /// Whether somebody who comes back gets access again by itself (default yes).
    pub reactivate: bool,
    /// What happens to people who are missing from complete reads.
    pub missing: Missing,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            zone: Zone(Tz::Etc__UTC),
            pre_hire: Days(0),
            leave: Leave::default(),
            late_leave: LateLeave::default(),
            on_leave: OnLeave::default(),
            while_leaving: WhileLeaving::default(),
            reactivate: true,
            missing: Missing::default(),
        }
    }
}

/// When the access of a leaver ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leave {
    /// At the end of the last day.
    #[default]
    LastDay,
    /// At the end of the last day's month.
    EndOfMonth,
}

/// What a leave does that was recorded after its day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LateLeave {
    /// The access ends at once.
    #[default]
    Now,
    /// The access ends with the month in which the leave was first seen, never backwards.
    EndOfCurrentMonth,
}

/// Whether somebody on leave keeps the access.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLeave {
    /// On leave is active.
    #[default]
    Active,
    /// Disabled while on leave, and nothing more: steps for leavers do not begin.
    Disable,
}

/// What a planned leave means for new grants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhileLeaving {
    /// Nothing: groups are entered as before.
    #[default]
    Grant,
    /// Nothing new is granted from the moment the leave is known; what is granted stays until the end.
    NoGrants,
}

/// What happens to people who are missing from complete reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Missing {
    /// What is done.
    #[serde(rename = "do")]
    pub action: MissingAction,
    /// From how many complete reads in a row the person must be missing (default 2).
    pub reads: u32,
    /// How much time must lie between the first and the last of them (default `"24h"`).
    pub apart: Period,
}

impl Default for Missing {
    fn default() -> Self {
        Self {
            action: MissingAction::default(),
            reads: 2,
            apart: Period(Duration::hours(24)),
        }
    }
}

/// What is done with people who are missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingAction {
    /// Their user is disabled.
    #[default]
    Disable,
    /// Their user is removed.
    Remove,
    /// They are reported and nothing else.
    Report,
}

/// A text that is no period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a period: write a whole number and a unit, {0}")]
pub struct BadPeriod(&'static str);

/// A number of calendar days, written `14d` or `2w`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Days(pub u32);

/// A length of time, written `30m`, `24h`, `7d` or `2w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period(pub Duration);

/// Number and unit of a text such as `14d`.
fn split(text: &str) -> Option<(u32, &str)> {
    let text = text.trim();
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = text.strip_suffix(unit)?.parse().ok()?;
    // A hundred years and more is a mistake, and would overflow dates.
    (number <= 40_000).then_some((number, unit.trim()))
}

impl FromStr for Days {
    type Err = BadPeriod;
    fn from_str(text: &str) -> Result<Self, BadPeriod> {
        const SHAPE: BadPeriod = BadPeriod("such as \"14d\" or \"2w\"");
        match split(text).ok_or(SHAPE)? {
            (days, "d") => Ok(Self(days)),
            (weeks, "w") if weeks <= 5_000 => Ok(Self(weeks * 7)),
            _ => Err(SHAPE),
        }
    }
}

impl FromStr for Period {
    type Err = BadPeriod;
    fn from_str(text: &str) -> Result<Self, BadPeriod> {
        const SHAPE: BadPeriod = BadPeriod("such as \"30m\", \"24h\", \"7d\" or \"2w\"");
        let (number, unit) = split(text).ok_or(SHAPE)?;
        let number = i64::from(number);
        match unit {
            "m" => Ok(Self(Duration::minutes(number))),
            "h" => Ok(Self(Duration::hours(number))),
            "d" => Ok(Self(Duration::days(number))),
            "w" if number <= 5_000 => Ok(Self(Duration::weeks(number))),
            _ => Err(SHAPE),
        }
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}d", self.0)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.0.num_minutes();
        if minutes % 60 == 0 {
            write!(f, "{}h", minutes / 60)
        } else {
            write!(f, "{minutes}m")
        }
    }
}

macro_rules! as_text {
    ($($kind:ty, $error:ty);+) => {$(
        impl TryFrom<String> for $kind {
            type Error = $error;
            fn try_from(text: String) -> Result<Self, $error> {
                text.parse()
            }
        }
        impl From<$kind> for String {
            fn from(value: $kind) -> Self {
                value.to_string()
            }
        }
    )+};
}

as_text!(Days, BadPeriod; Period, BadPeriod; Zone, BadZone);

/// A name that is no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a time zone: write an IANA name such as \"Europe/Berlin\"")]
pub struct BadZone;

/// A time zone by its IANA name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(pub Tz);

impl FromStr for Zone {
    type Err = BadZone;
    fn from_str(text: &str) -> Result<Self, BadZone> {
        text.trim().parse().map(Self).map_err(|_| BadZone)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}
