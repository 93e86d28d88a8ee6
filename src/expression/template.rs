//! Texts with places to be filled, such as the text of a mail: `{{ name }}`, `{% if … %}`, `{% for … %}`, `{% set … %}`.
//!
//! The same filters, tests and limits as expressions have. Other templates cannot be included, nothing is marked as safe,
//! and in HTML every value is escaped.

use std::io;

use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};

use super::Error;
use super::context::json;
use super::fields::nearest;
use super::filters::{FILTERS, TESTS, environment};
use super::scan::{Kind, scan};

/// The longest template, in bytes.
pub const MAX_TEMPLATE: usize = 16 * 1024;
/// The longest text that a template may give, in bytes.
pub const MAX_RENDERED: usize = 64 * 1024;
/// Steps of one rendering: enough for a list of a few hundred.
const FUEL: u64 = 50_000;

/// What the values are put into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Markup {
    /// Plain text: values as they are.
    Plain,
    /// HTML: values are escaped.
    Html,
}

/// A template. Its text was checked when it was made by [`Template::parse`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    markup: Markup,
}

impl Template {
    /// Checks `text` against `sample`, an object that has every name which may be used, lists with one element each.
    ///
    /// # Errors
    /// When it is too long, no template, or names what is not known; with line, column and the nearest names.
    pub fn parse(text: &str, markup: Markup, sample: &serde_json::Value) -> Result<Self, Error> {
        if text.len() > MAX_TEMPLATE {
            let message = format!("a template has at most {MAX_TEMPLATE} bytes");
            return Err(Error::at(text, 0, message));
        }
        check_tags(text)?;
        let environment = bounded(UndefinedBehavior::Strict, markup);
        let compiled = environment
            .template_from_str(text)
            .map_err(|error| Error::syntax(text, &error))?;
        let known: Vec<&str> = sample
            .as_object()
            .into_iter()
            .flat_map(|names| names.keys().map(String::as_str))
            .collect();
        let mut undeclared: Vec<String> = compiled
            .undeclared_variables(false)
            .into_iter()
            .filter(|name| !known.contains(&name.as_str()))
            .collect();
        undeclared.sort_by_key(|name| place_of(text, name));
        if let Some(name) = undeclared.first() {
            let near = nearest(name, known.iter().copied());
            let message = format!("`{name}` is not known here; {near}");
            return Err(Error::at(text, place_of(text, name), message));
        }
        let made = Self {
            text: text.to_owned(),
            markup,
        };
        made.run(&environment, sample)
            .map_err(|error| error.of_template(text))?;
        Ok(made)
    }

    /// Takes a text that was checked when it was saved.
    #[must_use]
    pub const fn checked(text: String, markup: Markup) -> Self {
        Self { text, markup }
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text with its places filled; what is missing in `values` leaves its place empty.
    ///
    /// # Errors
    /// When a limit is passed or values do not fit their operations.
    pub fn render(&self, values: &serde_json::Value) -> Result<String, Error> {
        let environment = bounded(UndefinedBehavior::Chainable, self.markup);
        self.run(&environment, values)
            .map_err(|error| error.of_template(&self.text))
    }

    fn run(&self, environment: &Environment<'_>, values: &serde_json::Value) -> Result<String, Failed> {
        let mut out = Capped(Vec::new());
        environment
            .template_from_str(&self.text)
            .and_then(|template| {
                template
                    .render_captured_to(json(values).unwrap_or_default(), &mut out)
                    .map(drop)
            })
            .map_err(Failed)?;
        Ok(String::from_utf8_lossy(&out.0).into_owned())
    }
}

struct Failed(minijinja::Error);

impl Failed {
    fn of_template(self, text: &str) -> Error {
        let at = self.0.range().map_or(0, |range| range.start);
        let message = match self.0.kind() {
            ErrorKind::UndefinedError => {
                let named = self
                    .0
                    .range()
                    .and_then(|range| text.get(range))
                    .unwrap_or_default();
                format!("`{}` is not known here", named.trim())
            }
            ErrorKind::OutOfFuel => "the template takes too many steps".to_owned(),
            ErrorKind::WriteFailure => format!("the text is longer than {MAX_RENDERED} bytes"),
            ErrorKind::InvalidOperation => "the values do not fit the operation".to_owned(),
            kind => kind.to_string(),
        };
        Error::at(text, at, message)
    }
}

fn bounded(undefined: UndefinedBehavior, markup: Markup) -> Environment<'static> {
    let mut environment = environment(undefined);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(move |_| match markup {
        Markup::Plain => AutoEscape::None,
        Markup::Html => AutoEscape::Html,
    });
    environment
}

/// A text that stops growing at the limit.
struct Capped(Vec<u8>);

impl io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len().saturating_add(bytes.len()) > MAX_RENDERED {
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The insides of `{{ … }}` and `{% … %}`, each with its first byte.
fn tags(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let opened = ["{{", "{%", "{#"]
            .into_iter()
            .filter_map(|open| Some((rest.find(open)?, open)))
            .min();
        let Some((place, open)) = opened else { break };
        let close = match open {
            "{{" => "}}",
            "{%" => "%}",
            _ => "#}",
        };
        let start = at + place + open.len();
        let inside = text.get(start..).unwrap_or_default();
        let length = inside.find(close).unwrap_or(inside.len());
        if open != "{#" {
            found.push((start, inside.get(..length).unwrap_or_default()));
        }
        at = start + length;
    }
    found
}

/// Where a name first stands in a tag.
fn place_of(text: &str, name: &str) -> usize {
    tags(text)
        .into_iter()
        .find_map(|(start, inside)| {
            scan(inside)
                .iter()
                .find(|token| token.kind == Kind::Word(name))
                .map(|token| start + token.at)
        })
        .unwrap_or(text.len())
}

/// Names of filters and tests, and what is not offered; also where the sample does not lead.
fn check_tags(text: &str) -> Result<(), Error> {
    for (start, inside) in tags(text) {
        let tokens = scan(inside);
        for (place, token) in tokens.iter().enumerate() {
            let before = |steps: usize| {
                place
                    .checked_sub(steps)
                    .and_then(|at| tokens.get(at))
                    .map(|token| token.kind)
            };
            let fault = match token.kind {
                Kind::Symbol("*" | "**") => Some("multiplication is not offered".to_owned()),
                Kind::Word("include" | "import" | "extends" | "from" | "macro" | "call") if place == 0 => {
                    Some("other templates and macros are not offered".to_owned())
                }
                Kind::Word(word) if before(1) == Some(Kind::Symbol("|")) => missing(word, "filter", FILTERS),
                Kind::Word(word) if is_test(word, before(1), before(2)) => missing(word, "test", TESTS),
                _ => None,
            };
            if let Some(message) = fault {
                return Err(Error::at(text, start + token.at, message));
            }
        }
    }
    Ok(())
}

fn is_test(word: &str, one: Option<Kind<'_>>, two: Option<Kind<'_>>) -> bool {
    let is = Some(Kind::Word("is"));
    (one == is && word != "not") || (one == Some(Kind::Word("not")) && two == is)
}

fn missing(word: &str, what: &str, offered: &[&str]) -> Option<String> {
    (!offered.contains(&word)).then(|| {
        let near = nearest(word, offered.iter().copied());
        format!("unknown {what} `{word}`; {near}")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample() -> serde_json::Value {
        json!({ "name": "Ada", "count": 3, "apps": [{ "app": "wiki", "state": "disabled" }] })
    }

    #[test]
    fn places_are_filled_and_html_is_escaped() {
        let text =
            "Hello {{ name }}{% for one in apps %}\n- {{ one.app }}: {{ one.state | upper }}{% endfor %}";
        let plain = Template::parse(text, Markup::Plain, &sample()).unwrap();
        assert_eq!(plain.render(&sample()).unwrap(), "Hello Ada\n- wiki: DISABLED");
        let nasty = json!({ "name": "<b>\"A\" & {{ count }}</b>" });
        assert_eq!(plain.render(&nasty).unwrap(), "Hello <b>\"A\" & {{ count }}</b>");
        let html = Template::parse("<p>{{ name }}</p>", Markup::Html, &sample()).unwrap();
        let out = html.render(&nasty).unwrap();
        assert!(!out.contains("<b>") && out.starts_with("<p>&lt;b&gt;"), "{out}");
        assert_eq!(html.render(&json!({})).unwrap(), "<p></p>");
    }

    #[test]
    fn what_is_not_known_is_refused_with_line_and_column() {
        for (text, line, column, word) in [
            ("Hello\n  {{ nmae }}", 2, 6, "did you mean `name`"),
            ("{% if count %}{{ cuont }}{% endif %}", 1, 18, "`cuont`"),
            (
                "{% for one in apps %}{{ one.ap }}{% endfor %}",
                1,
                25,
                "not known",
            ),
            (
                "{% if false %}{{ name | loud }}{% endif %}",
                1,
                25,
                "unknown filter `loud`",
            ),
            (
                "{% if name is not odd %}x{% endif %}",
                1,
                19,
                "unknown test `odd`",
            ),
            ("{{ name * 9 }}", 1, 9, "multiplication"),
            ("{% include 'x' %}", 1, 4, "not offered"),
            ("{{ name", 1, 4, "end of input"),
        ] {
            let error = Template::parse(text, Markup::Plain, &sample()).unwrap_err();
            assert_eq!((error.line, error.column), (line, column), "{text}: {error}");
            assert!(error.message.contains(word), "{text}: {error}");
        }
        let long = "x".repeat(MAX_TEMPLATE + 1);
        assert!(Template::parse(&long, Markup::Plain, &sample()).is_err());
    }

    #[test]
    fn a_rendering_is_bounded() {
        let nest = "{% for a in apps %}{% for b in apps %}{% for c in apps %}{{ name }}{% endfor %}{% endfor %}{% endfor %}";
        let template = Template::parse(nest, Markup::Plain, &sample()).unwrap();
        let many: Vec<serde_json::Value> = (0..1_000).map(|n| json!({ "app": n })).collect();
        assert!(template.render(&json!({ "name": "x", "apps": many })).is_err());
        let long = json!({ "name": "x".repeat(MAX_RENDERED), "apps": [1] });
        let twice = Template::parse("{{ name }}{{ name }}", Markup::Plain, &sample()).unwrap();
        let error = twice.render(&long).unwrap_err();
        assert!(error.message.contains("longer"), "{error}");
    }
}
