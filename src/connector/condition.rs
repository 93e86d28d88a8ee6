//! Tests on records, and the choice of one among several.

use std::cmp::Ordering;

use chrono::{DateTime, NaiveDate};
use serde_json::Value;

use super::map::plain;
use super::path::{Found, Path};
use super::request::Condition;
use super::rule::Pick;

/// Puts settings into a manifest's text; `None` when one is not answered.
pub(super) type Fill<'f> = &'f dyn Fn(&str) -> Option<String>;

/// A test made ready.
#[derive(Debug, Clone)]
pub(super) struct Test {
    pub at: Path,
    is: Option<Vec<String>>,
    not: Vec<String>,
}

impl Test {
    /// Makes a condition ready; `None` when a setting that it needs is not answered: then it does not hold for anything.
    pub fn new(condition: &Condition, fill: Fill<'_>) -> Result<Self, String> {
        let at = filled(&condition.at, fill)?.ok_or("needs a setting in at")?;
        let at = Path::parse(&at).ok_or_else(|| format!("{at:?} is no path: paths start with /"))?;
        if condition.is.is_none() && condition.not.is_none() {
            return Err("only needs is or not".into());
        }
        Ok(Self {
            at,
            is: condition.is.as_deref().map(|is| words(is, fill)).transpose()?,
            not: condition
                .not
                .as_deref()
                .map(|not| words(not, fill))
                .transpose()?
                .unwrap_or_default(),
        })
    }

    /// Whether it holds for a record.
    pub fn holds(&self, record: &Value) -> bool {
        let found = self.at.all(record);
        let texts: Vec<String> = if found.is_empty() {
            vec![String::new()]
        } else {
            found.into_iter().map(text_of).collect()
        };
        let is = |words: &Vec<String>| texts.iter().any(|text| words.contains(text));
        self.is.as_ref().is_none_or(is) && !is(&self.not)
    }
}

/// What a condition compares: a text; for an object or a filled list a sign that something is there.
fn text_of(value: &Value) -> String {
    match value {
        Value::Object(members) => members
            .get("#text")
            .and_then(Value::as_str)
            .map_or_else(|| "{}".to_owned(), str::to_owned),
        Value::Array(items) if !items.is_empty() => "{}".to_owned(),
        other => plain(other).unwrap_or_default(),
    }
}

/// A text with settings put in; `None` when one of them is not answered.
pub(super) fn filled(text: &str, fill: Fill<'_>) -> Result<Option<String>, String> {
    match super::template::fill(text, fill) {
        Ok(text) => Ok(Some(text)),
        Err(super::template::BadTemplate::Unknown(_)) => Ok(None),
        Err(super::template::BadTemplate::Open) => Err("has {{ without }}".into()),
    }
}

/// Words with settings put in: a setting that stands alone may hold several, with commas between.
fn words(texts: &[String], fill: Fill<'_>) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    for text in texts {
        let Some(word) = filled(text, fill)? else { continue };
        let alone = text.starts_with("{{") && text.ends_with("}}") && text.matches("{{").count() == 1;
        if alone {
            words.extend(word.split(',').map(|part| part.trim().to_owned()));
        } else {
            words.push(word);
        }
    }
    Ok(words)
}

/// Which element of several is meant, made ready.
#[derive(Debug, Clone, Default)]
pub(super) struct Choice {
    at: Option<Path>,
    is: Vec<String>,
    within: Option<Span>,
    in_force: Option<Span>,
    highest: Vec<Path>,
    lowest: Vec<Path>,
}

#[derive(Debug, Clone)]
struct Span {
    start: Path,
    end: Option<Path>,
}

impl Span {
    fn new(paths: &[String]) -> Result<Self, String> {
        match paths {
            [start] => Ok(Self {
                start: path(start)?,
                end: None,
            }),
            [start, end] => Ok(Self {
                start: path(start)?,
                end: Some(path(end)?),
            }),
            _ => Err("in_force and within need the paths of the first and the last day".into()),
        }
    }

    fn of(&self, element: &Value) -> (NaiveDate, NaiveDate) {
        let day = |path: &Path| path.find(element).value().and_then(day);
        let end = self.end.as_ref().and_then(day);
        (
            day(&self.start).unwrap_or(NaiveDate::MIN),
            end.unwrap_or(NaiveDate::MAX),
        )
    }
}

fn path(text: &str) -> Result<Path, String> {
    Path::parse(text).ok_or_else(|| format!("{text:?} is no path: paths start with /"))
}

impl Choice {
    /// Makes a choice ready.
    pub fn new(pick: &Pick, fill: Fill<'_>) -> Result<Self, String> {
        if pick.at.is_some() != pick.is.is_some() {
            return Err("pick needs both at and is".into());
        }
        let span = |paths: &Option<Vec<String>>| paths.as_deref().map(Span::new).transpose();
        let all = |paths: &[String]| paths.iter().map(|text| path(text)).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            at: pick.at.as_deref().map(path).transpose()?,
            is: pick
                .is
                .as_deref()
                .map(|is| words(is, fill))
                .transpose()?
                .unwrap_or_default(),
            within: span(&pick.within)?,
            in_force: span(&pick.in_force)?,
            highest: all(&pick.highest.0)?,
            lowest: all(&pick.lowest.0)?,
        })
    }

    /// The element that is meant, if any.
    pub fn of<'v>(&self, elements: &[&'v Value], today: NaiveDate) -> Option<&'v Value> {
        let mut left: Vec<&Value> = elements.to_vec();
        if let Some(at) = &self.at {
            let fits =
                |element: &Value, wanted: &str| at.all(element).into_iter().any(|v| text_of(v) == wanted);
            let wanted = self
                .is
                .iter()
                .find(|wanted| left.iter().any(|element| fits(element, wanted)))?;
            left.retain(|element| fits(element, wanted));
        }
        if let Some(span) = &self.within {
            left.retain(|element| {
                let (start, end) = span.of(element);
                start <= today && today <= end
            });
        }
        if let Some(span) = &self.in_force {
            left = in_force(span, left, today);
        }
        let mut best = *left.first()?;
        for other in left.into_iter().skip(1) {
            let by = |paths: &[Path]| compare(paths, other, best);
            if by(&self.highest).then(by(&self.lowest).reverse()) == Ordering::Greater {
                best = other;
            }
        }
        Some(best)
    }
}

/// Those of today, the latest to begin; else the next to begin; else the last to end.
fn in_force<'v>(span: &Span, elements: Vec<&'v Value>, today: NaiveDate) -> Vec<&'v Value> {
    let dated: Vec<(NaiveDate, NaiveDate, &Value)> = elements
        .into_iter()
        .map(|element| {
            let (start, end) = span.of(element);
            (start, end, element)
        })
        .collect();
    let with = |keep: &dyn Fn(NaiveDate, NaiveDate) -> bool| -> Vec<&'v Value> {
        dated
            .iter()
            .filter(|(start, end, _)| keep(*start, *end))
            .map(|(.., element)| *element)
            .collect()
    };
    let current = dated
        .iter()
        .filter(|(start, end, _)| *start <= today && today <= *end)
        .map(|(start, ..)| *start)
        .max();
    if let Some(latest) = current {
        return with(&|start, end| start == latest && today <= end);
    }
    if let Some(next) = dated
        .iter()
        .map(|(start, ..)| *start)
        .filter(|start| *start > today)
        .min()
    {
        return with(&|start, _| start == next);
    }
    let last = dated.iter().map(|(_, end, _)| *end).max();
    with(&|_, end| Some(end) == last)
}

/// Compares by several paths: numbers as numbers, days as days, else as texts; nothing is least.
fn compare(paths: &[Path], one: &Value, other: &Value) -> Ordering {
    let keys = paths.iter().map(|path| {
        let text = |element| match path.find(element) {
            Found::Here(value) => text_of(value),
            _ => String::new(),
        };
        match (text(one), text(other)) {
            (one, other) if one.is_empty() || other.is_empty() => {
                one.is_empty().cmp(&other.is_empty()).reverse()
            }
            (one, other) => match (one.parse::<f64>(), other.parse::<f64>()) {
                (Ok(one), Ok(other)) => one.total_cmp(&other),
                _ => one.cmp(&other),
            },
        }
    });
    keys.fold(Ordering::Equal, Ordering::then)
}

/// The day that a value means: an ISO date or date-time, OData v2's `/Date(…)/`, milliseconds since 1970. A year after 9000
/// stands for an open end.
pub(super) fn day(value: &Value) -> Option<NaiveDate> {
    use chrono::Datelike as _;
    let day = match value {
        Value::String(text) => match odata_milliseconds(text) {
            Some(milliseconds) => DateTime::from_timestamp_millis(milliseconds)?.date_naive(),
            None => NaiveDate::parse_from_str(text.trim().get(..10)?, "%Y-%m-%d").ok()?,
        },
        Value::Number(number) => DateTime::from_timestamp_millis(number.as_i64()?)?.date_naive(),
        _ => return None,
    };
    (day.year() < 9000).then_some(day)
}

/// The milliseconds in `/Date(1577836800000+0000)/` (OData v2, JSON format, section 4).
pub(super) fn odata_milliseconds(text: &str) -> Option<i64> {
    let inside = text.trim().strip_prefix("/Date(")?.strip_suffix(")/")?;
    let end = inside
        .char_indices()
        .skip(1)
        .find(|(_, c)| matches!(c, '+' | '-'))
        .map_or(inside.len(), |(at, _)| at);
    inside.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn test(condition: Value) -> Test {
        let condition: Condition = serde_json::from_value(condition).unwrap();
        Test::new(&condition, &|name| (name == "left").then(|| "0, 5".to_owned())).unwrap()
    }

    #[test]
    fn a_condition_compares_texts_and_presence() {
        let record = json!({"s": "a", "n": null, "b": false, "o": {"x": 1}, "l": [], "x": {"#text": "t"}, "m": [{"k": 1}, {"k": 5}]});
        let holds = |condition: Value| test(condition).holds(&record);
        assert!(holds(json!({"at": "/s", "is": ["a"]})) && !holds(json!({"at": "/s", "not": ["a"]})));
        assert!(holds(json!({"at": "/n", "is": [""]})) && holds(json!({"at": "/none", "is": [""]})));
        assert!(holds(json!({"at": "/b", "is": ["false"]})));
        assert!(holds(json!({"at": "/o", "not": [""]})) && holds(json!({"at": "/l", "is": [""]})));
        assert!(holds(json!({"at": "/x", "is": ["t"]})));
        assert!(
            holds(json!({"at": "/m/*/k", "is": ["{{ left }}"]}))
                && !holds(json!({"at": "/s", "is": ["{{ left }}"]}))
        );
    }

    #[test]
    fn the_element_in_force_is_chosen() {
        let today = NaiveDate::from_ymd_opt(2026, 6, 1).unwrap();
        let choose = |pick: Value, elements: &Value| {
            let pick: Pick = serde_json::from_value(pick).unwrap();
            let choice = Choice::new(&pick, &|_| None).unwrap();
            let elements: Vec<&Value> = elements.as_array().unwrap().iter().collect();
            choice
                .of(&elements, today)
                .map(|element| element["id"].as_i64().unwrap())
        };
        let rows = |spans: &[(&str, Option<&str>)]| {
            Value::from(
                spans
                    .iter()
                    .enumerate()
                    .map(|(id, (s, e))| json!({"id": id, "s": s, "e": e, "n": id.to_string()}))
                    .collect::<Vec<_>>(),
            )
        };
        let now = json!({"in_force": ["/s", "/e"]});
        assert_eq!(
            choose(
                now.clone(),
                &rows(&[
                    ("2020-01-01", Some("2024-01-01")),
                    ("2025-01-01", None),
                    ("2027-01-01", None)
                ])
            ),
            Some(1)
        );
        assert_eq!(
            choose(
                now.clone(),
                &rows(&[
                    ("2020-01-01", Some("2024-01-01")),
                    ("2028-01-01", None),
                    ("2027-01-01", None)
                ])
            ),
            Some(2)
        );
        assert_eq!(
            choose(
                now.clone(),
                &rows(&[
                    ("2020-01-01", Some("2021-01-01")),
                    ("2015-01-01", Some("2024-01-01T00:00:00"))
                ])
            ),
            Some(1)
        );
        assert_eq!(
            choose(
                now.clone(),
                &rows(&[("/Date(1577836800000+0000)/", Some("/Date(253402214400000)/"))])
            ),
            Some(0)
        );
        assert_eq!(
            choose(
                json!({"in_force": ["/s"]}),
                &rows(&[("2020-01-01", None), ("2026-06-01", None), ("2026-06-02", None)])
            ),
            Some(1)
        );
        assert_eq!(
            choose(
                json!({"in_force": ["/s", "/e"], "highest": ["/n"]}),
                &rows(&[("2020-01-01", None), ("2020-01-01", None)])
            ),
            Some(1)
        );
        assert_eq!(
            choose(
                json!({"within": ["/s", "/e"]}),
                &rows(&[("2020-01-01", Some("2024-01-01"))])
            ),
            None
        );
        assert_eq!(
            choose(
                json!({"highest": ["/n"]}),
                &json!([{"id": 1, "n": "9"}, {"id": 2, "n": 10}, {"id": 3}])
            ),
            Some(2)
        );
        assert_eq!(
            choose(
                json!({"lowest": ["/n"]}),
                &json!([{"id": 1, "n": "9"}, {"id": 2, "n": "10"}])
            ),
            Some(1)
        );
        assert_eq!(
            choose(
                json!({"at": "/t", "is": ["b", "a"]}),
                &json!([{"id": 1, "t": "a"}, {"id": 2, "t": "b"}])
            ),
            Some(2)
        );
        assert_eq!(
            choose(json!({"at": "/t", "is": ["c"]}), &json!([{"id": 1, "t": "a"}])),
            None
        );
    }
}
