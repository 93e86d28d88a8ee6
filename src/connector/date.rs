//! Days in all the ways HR systems write them.

use chrono::{DateTime, Datelike as _, FixedOffset, NaiveDate, NaiveDateTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use serde_json::Value;

use super::condition::{Fill, filled, odata_milliseconds};
use super::map::plain;
use super::path::Path;
use super::rule::Rule;

/// How a date is written, and which day an instant is.
#[derive(Debug, Clone)]
pub(super) struct Dates {
    forms: Vec<Form>,
    zones: Vec<Zone>,
    never: Vec<i32>,
}

#[derive(Debug, Clone)]
enum Form {
    /// Chrono's format of a date.
    Day(String),
    /// Milliseconds since 1970.
    EpochMilliseconds,
    /// Seconds since 1970.
    EpochSeconds,
    /// OData v2's `/Date(…)/`.
    Odata,
    /// RFC 3339, also with an offset without a colon, or without any: then UTC.
    Instant,
}

#[derive(Debug, Clone)]
enum Zone {
    At(Path),
    Named(Tz),
}

impl Dates {
    /// Makes the date words of a rule ready.
    pub fn new(rule: &Rule, fill: Fill<'_>) -> Result<Self, String> {
        let form = |text: &String| match text.as_str() {
            "epoch_ms" => Form::EpochMilliseconds,
            "epoch_s" => Form::EpochSeconds,
            "odata" => Form::Odata,
            "instant" => Form::Instant,
            format => Form::Day(format.to_owned()),
        };
        let mut forms: Vec<Form> = rule.date.0.iter().map(form).collect();
        if forms.is_empty() {
            forms.push(Form::Day("%Y-%m-%d".to_owned()));
        }
        let mut zones = Vec::new();
        for text in &rule.zone.0 {
            // A setting that is not answered, or not checked yet, gives no zone.
            let Some(text) = filled(text, fill)?.filter(|text| !text.is_empty()) else {
                continue;
            };
            zones.push(match Path::parse(&text) {
                Some(path) => Zone::At(path),
                None => Zone::Named(text.parse().map_err(|_| format!("{text:?} is no time zone"))?),
            });
        }
        Ok(Self {
            forms,
            zones,
            never: rule.never.clone(),
        })
    }

    /// The paths at which time zones are.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.zones.iter().filter_map(|zone| match zone {
            Zone::At(path) => Some(path),
            Zone::Named(_) => None,
        })
    }

    /// Reads a day; `None` when the text stands for none. `0000-00-00` is how some systems write that.
    pub fn read(&self, text: &str, base: &Value, record: &Value) -> Result<Option<NaiveDate>, String> {
        let text = text.trim();
        if text.starts_with("0000-00-00") {
            return Ok(None);
        }
        let day = self.forms.iter().find_map(|form| match form {
            Form::Day(format) => NaiveDate::parse_from_str(text, format).ok(),
            Form::EpochMilliseconds => {
                self.local(DateTime::from_timestamp_millis(text.parse().ok()?)?, base, record)
            }
            Form::EpochSeconds => self.local(DateTime::from_timestamp(text.parse().ok()?, 0)?, base, record),
            Form::Odata => self.local(
                DateTime::from_timestamp_millis(odata_milliseconds(text)?)?,
                base,
                record,
            ),
            Form::Instant => self.local(instant(text)?, base, record),
        });
        match day {
            Some(day) if self.never.contains(&day.year()) => Ok(None),
            Some(day) => Ok(Some(day)),
            None => Err(format!("is no date of the form {}", self.forms())),
        }
    }

    /// The day that an instant is where the person is.
    fn local(&self, instant: DateTime<Utc>, base: &Value, record: &Value) -> Option<NaiveDate> {
        let zone = self.zones.iter().find_map(|zone| match zone {
            Zone::Named(zone) => Some(*zone),
            Zone::At(path) => [base, record]
                .into_iter()
                .find_map(|root| plain(path.find(root).value()?).ok())
                .and_then(|name| name.trim().parse().ok()),
        });
        Some(
            zone.unwrap_or(Tz::UTC)
                .from_utc_datetime(&instant.naive_utc())
                .date_naive(),
        )
    }

    fn forms(&self) -> String {
        let names: Vec<&str> = self
            .forms
            .iter()
            .map(|form| match form {
                Form::Day(format) => format.as_str(),
                Form::EpochMilliseconds => "epoch_ms",
                Form::EpochSeconds => "epoch_s",
                Form::Odata => "odata",
                Form::Instant => "instant",
            })
            .collect();
        names.join(" or ")
    }
}

/// Reads an instant.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let zoned = |text: &str| -> Option<DateTime<FixedOffset>> {
        DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
            .ok()
    };
    zoned(text)
        .map(|instant| instant.with_timezone(&Utc))
        .or_else(|| {
            NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
                .ok()
                .map(|instant| instant.and_utc())
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(rule: Value, text: &str) -> Result<Option<String>, String> {
        let rule: Rule = serde_json::from_value(rule).unwrap();
        let record = json!({"zone": "Europe/Paris", "bad": "Mars/Base"});
        let dates = Dates::new(&rule, &|name| (name == "zone").then(|| "Asia/Tokyo".to_owned()))?;
        dates
            .read(text, &record, &record)
            .map(|day| day.map(|day| day.to_string()))
    }

    #[test]
    fn a_day_is_the_day_where_the_person_is() {
        let day = |rule: Value, text: &str| read(rule, text).unwrap().unwrap_or_default();
        let paris = json!({"date": "epoch_ms", "zone": "/zone"});
        assert_eq!(day(paris, "1704668400000"), "2024-01-08");
        assert_eq!(day(json!({"date": "epoch_ms"}), "1704668400000"), "2024-01-07");
        assert_eq!(
            day(
                json!({"date": "epoch_s", "zone": ["/bad", "{{ zone }}"]}),
                "1704668400"
            ),
            "2024-01-08"
        );
        assert_eq!(
            day(json!({"date": "odata"}), "/Date(-2208988800000)/"),
            "1900-01-01"
        );
        assert_eq!(
            day(
                json!({"date": "odata", "never": [1900]}),
                "/Date(-2208988800000+0000)/"
            ),
            ""
        );
        assert_eq!(
            day(
                json!({"date": "epoch_ms", "zone": "Europe/Paris", "never": [3000]}),
                "32503676400000"
            ),
            ""
        );
        assert_eq!(
            day(
                json!({"date": "instant", "zone": "Europe/Berlin"}),
                "2026-06-30T22:00:00Z"
            ),
            "2026-07-01"
        );
        assert_eq!(
            day(json!({"date": "instant"}), "2026-03-12T00:24:00+0100"),
            "2026-03-11"
        );
        assert_eq!(
            day(json!({"date": "instant"}), "2026-03-12T00:24:00"),
            "2026-03-12"
        );
        assert_eq!(
            day(json!({"date": ["%Y-%m-%d", "%d.%m.%Y"]}), "31.12.2025"),
            "2025-12-31"
        );
        assert_eq!(day(json!({}), "0000-00-00"), "");
        assert!(
            read(json!({"date": ["%Y-%m-%d", "instant"]}), "soon")
                .unwrap_err()
                .contains("%Y-%m-%d or instant")
        );
        assert!(
            read(json!({"zone": "Mars/Base"}), "2026-01-01")
                .unwrap_err()
                .contains("time zone")
        );
    }
}
