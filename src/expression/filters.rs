//! The closed lists of filters and tests. Undefined goes through every filter but `default`.

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};

/// The filters that are offered.
pub(super) const FILTERS: &[&str] = &[
    "lower", "upper", "trim", "title", "replace", "split", "join", "first", "last", "length", "round", "int",
    "default",
];
/// The tests that are offered.
pub(super) const TESTS: &[&str] = &["defined", "undefined", "none", "startingwith", "endingwith", "in"];

const FUEL: u64 = 10_000;
const LONGEST: usize = 64 * 1024;

/// An environment that knows these filters and tests and nothing else.
pub(super) fn environment(undefined: UndefinedBehavior) -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(undefined);
    environment.set_fuel(Some(FUEL));
    environment.add_filter("lower", |value: &Value| {
        on_text(value, |text| Ok(text.to_lowercase()))
    });
    environment.add_filter("upper", |value: &Value| {
        on_text(value, |text| Ok(text.to_uppercase()))
    });
    environment.add_filter("trim", |value: &Value| {
        on_text(value, |text| Ok(text.trim().to_owned()))
    });
    environment.add_filter("title", |value: &Value| on_text(value, |text| Ok(title(text))));
    environment.add_filter("replace", |value: &Value, from: &str, to: &str| {
        on_text(value, |text| replace(text, from, to))
    });
    environment.add_filter("split", split);
    environment.add_filter("join", join);
    environment.add_filter("first", |value: &Value| end_of(value, false));
    environment.add_filter("last", |value: &Value| end_of(value, true));
    environment.add_filter("length", length);
    environment.add_filter("round", round);
    environment.add_filter("int", int);
    environment.add_filter("default", |value: &Value, other: &Value| {
        if is_empty(value) {
            other.clone()
        } else {
            value.clone()
        }
    });
    environment.add_test("defined", |value: &Value| !is_empty(value));
    environment.add_test("undefined", is_empty);
    environment.add_test("none", is_empty);
    environment.add_test("startingwith", |value: &Value, with: &str| {
        on_both(value, |text| text.starts_with(with))
    });
    environment.add_test("endingwith", |value: &Value, with: &str| {
        on_both(value, |text| text.ends_with(with))
    });
    environment.add_test("in", contained);
    environment
}

/// Undefined, none, an empty text, list or map.
pub(super) fn is_empty(value: &Value) -> bool {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => true,
        ValueKind::String => value.as_str().is_some_and(str::is_empty),
        ValueKind::Seq | ValueKind::Map => value.len() == Some(0),
        _ => false,
    }
}

fn absent(value: &Value) -> bool {
    value.is_undefined() || value.is_none()
}

fn on_text(value: &Value, change: impl FnOnce(&str) -> Result<String, Error>) -> Result<Value, Error> {
    if absent(value) {
        return Ok(Value::UNDEFINED);
    }
    if let Some(text) = value.as_str() {
        return change(text).map(Value::from);
    }
    match value.kind() {
        ValueKind::Number | ValueKind::Bool => change(&value.to_string()).map(Value::from),
        _ => Err(unfit("a text is needed")),
    }
}

/// A test cannot hand undefined on, so it stops the evaluation as a comparison would.
fn on_both(value: &Value, test: impl FnOnce(&str) -> bool) -> Result<bool, Error> {
    if absent(value) {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    value.as_str().map(test).ok_or_else(|| unfit("a text is needed"))
}

fn unfit(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if !c.is_alphanumeric() {
            inside = c == '\'';
            out.push(c);
        } else if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
            inside = true;
        }
    }
    out
}

fn replace(text: &str, from: &str, to: &str) -> Result<String, Error> {
    let hits = text.matches(from).count();
    if text.len().saturating_add(hits.saturating_mul(to.len())) > LONGEST {
        return Err(Error::from(ErrorKind::OutOfFuel));
    }
    Ok(text.replace(from, to))
}

fn split(value: &Value, by: Option<&str>) -> Result<Value, Error> {
    if absent(value) {
        return Ok(Value::UNDEFINED);
    }
    let text = value.as_str().ok_or_else(|| unfit("a text is needed"))?;
    let parts: Vec<Value> = match by {
        Some(by) if !by.is_empty() => text.split(by).map(Value::from).collect(),
        _ => text.split_whitespace().map(Value::from).collect(),
    };
    Ok(Value::from(parts))
}

fn join(value: &Value, by: Option<&str>) -> Result<Value, Error> {
    if absent(value) {
        return Ok(Value::UNDEFINED);
    }
    if value.kind() != ValueKind::Seq {
        return Err(unfit("a list is needed"));
    }
    let mut out = String::new();
    for (position, part) in value.try_iter()?.filter(|part| !is_empty(part)).enumerate() {
        if position > 0 {
            out.push_str(by.unwrap_or_default());
        }
        match part.as_str() {
            Some(text) => out.push_str(text),
            None => out.push_str(&part.to_string()),
        }
        if out.len() > LONGEST {
            return Err(Error::from(ErrorKind::OutOfFuel));
        }
    }
    Ok(Value::from(out))
}

fn end_of(value: &Value, last: bool) -> Result<Value, Error> {
    if absent(value) {
        return Ok(Value::UNDEFINED);
    }
    if let Some(text) = value.as_str() {
        let found = if last {
            text.chars().next_back()
        } else {
            text.chars().next()
        };
        return Ok(found.map_or(Value::UNDEFINED, Value::from));
    }
    if value.kind() != ValueKind::Seq {
        return Err(unfit("a text or a list is needed"));
    }
    let mut parts = value.try_iter()?;
    Ok(if last { parts.last() } else { parts.next() }.unwrap_or(Value::UNDEFINED))
}

fn length(value: &Value) -> Result<Value, Error> {
    if absent(value) {
        return Ok(Value::UNDEFINED);
    }
    value
        .len()
        .map(Value::from)
        .ok_or_else(|| unfit("a text or a list is needed"))
}

fn number(value: &Value) -> Option<f64> {
    match value.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => f64::try_from(value.clone()).ok(),
    }
    .filter(|number: &f64| number.is_finite())
}

/// A text that is no number counts as empty: what a record lacks must not fail the run.
fn round(value: &Value, digits: Option<u32>) -> Value {
    let scale = 10_f64.powi(i32::try_from(digits.unwrap_or(0).min(10)).unwrap_or(0));
    number(value).map_or(Value::UNDEFINED, |number| {
        Value::from((number * scale).round() / scale)
    })
}

/// As [`round`], towards zero.
fn int(value: &Value) -> Value {
    if let Some(whole) = value.as_str().and_then(|text| text.trim().parse::<i64>().ok()) {
        return Value::from(whole);
    }
    let whole = number(value).and_then(|number| format!("{:.0}", number.trunc()).parse::<i64>().ok());
    whole.map_or(Value::UNDEFINED, Value::from)
}

fn contained(value: &Value, list: &Value) -> Result<bool, Error> {
    if absent(value) || absent(list) {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    match (list.as_str(), value.as_str()) {
        (Some(list), Some(value)) => Ok(list.contains(value)),
        _ => Ok(list.try_iter()?.any(|part| &part == value)),
    }
}
