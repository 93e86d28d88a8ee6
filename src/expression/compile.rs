//! Compiling and running.

use std::sync::{Arc, LazyLock};

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};

use super::filters::{environment, is_empty};
use super::logic::{Frame, Truth, frame};
use super::scan::scan;
use super::{Error, Fields, names};

/// The longest text of an expression, in bytes.
pub const MAX_TEXT: usize = 4_000;
/// The largest value an expression may give, in bytes of its JSON form.
pub const MAX_OUTPUT: usize = 16 * 1024;

/// For values: `a or b` and `x if a else y` may look at what is undefined, everything else may not.
static VALUES: LazyLock<Environment<'static>> = LazyLock::new(|| environment(UndefinedBehavior::SemiStrict));
/// For truth: nothing may be decided by what is undefined.
static TRUTHS: LazyLock<Environment<'static>> = LazyLock::new(|| environment(UndefinedBehavior::Strict));

type Compiled = minijinja::Expression<'static, 'static>;

/// A compiled expression. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Expression(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    text: String,
    value: Compiled,
    frame: Frame<Compiled>,
}

impl Expression {
    /// Compiles `text` and checks every name in it against `fields`.
    ///
    /// # Errors
    /// When it is too long, no expression, or names what is not known; with line, column and the nearest names.
    pub fn parse(text: &str, fields: &Fields) -> Result<Self, Error> {
        if text.len() > MAX_TEXT {
            return Err(Error::at(
                text,
                0,
                format!("an expression has at most {MAX_TEXT} bytes"),
            ));
        }
        if text.trim().is_empty() {
            return Err(Error::at(text, 0, "the expression is empty"));
        }
        let value = VALUES
            .compile_expression_owned(text.to_owned())
            .map_err(|error| Error::syntax(text, &error))?;
        let tokens = scan(text);
        names::check(text, &tokens, fields)?;
        // minijinja reads a key word in the place of a value as a variable: `employee.title == not`.
        if let Some(word) = value
            .undeclared_variables(false)
            .into_iter()
            .find(|root| !fields.knows(root))
        {
            return Err(Error::at(
                text,
                0,
                format!("`{word}` cannot stand where it stands"),
            ));
        }
        let frame = frame(&tokens, &mut |start, end| {
            TRUTHS
                .compile_expression_owned(text.get(start..end).unwrap_or_default().to_owned())
                .map_err(|error| Error::syntax(text, &error))
        })?;
        Ok(Self(Arc::new(Inner {
            text: text.to_owned(),
            value,
            frame,
        })))
    }

    /// The text it was compiled from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The value; `None` when it is undefined or empty.
    ///
    /// # Errors
    /// When values do not fit their operations, or a limit is passed. Never because a value is missing.
    pub fn value(&self, context: &Value) -> Result<Option<serde_json::Value>, Error> {
        let text = &self.0.text;
        let value = match self.0.value.eval(context.clone()) {
            Ok(value) => value,
            Err(error) if error.kind() == ErrorKind::UndefinedError => return Ok(None),
            Err(error) => return Err(Error::run(text, &error)),
        };
        if is_empty(&value) {
            return Ok(None);
        }
        let value =
            serde_json::to_value(&value).map_err(|_| Error::at(text, 0, "the result has no JSON form"))?;
        if size(&value) > MAX_OUTPUT {
            return Err(Error::at(
                text,
                0,
                format!("the result is larger than {MAX_OUTPUT} bytes"),
            ));
        }
        Ok(match value {
            serde_json::Value::Null => None,
            serde_json::Value::String(text) if text.trim().is_empty() => None,
            value => Some(value),
        })
    }

    /// Whether it holds; [`Truth::Undefined`] when a value that decides is missing.
    ///
    /// # Errors
    /// When values do not fit their operations, or a limit is passed. Never because a value is missing.
    pub fn truth(&self, context: &Value) -> Result<Truth, Error> {
        self.0.frame.truth(&mut |part| match part.eval(context.clone()) {
            Ok(value) if is_empty(&value) => Ok(Truth::Undefined),
            Ok(value) => Ok(Truth::from(value.is_true())),
            Err(error) if error.kind() == ErrorKind::UndefinedError => Ok(Truth::Undefined),
            Err(error) => Err(Error::run(&self.0.text, &error)),
        })
    }
}

fn size(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::String(text) => text.len() + 2,
        serde_json::Value::Array(parts) => parts.iter().map(size).sum::<usize>() + 2,
        serde_json::Value::Object(parts) => {
            parts
                .iter()
                .map(|(name, value)| name.len() + size(value))
                .sum::<usize>()
                + 2
        }
        _ => 8,
    }
}
