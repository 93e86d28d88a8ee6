//! What a filter says, before anybody knows which resource type it is about.

use std::fmt;

use serde_json::Value;

use crate::scim::path::AttrPath;

/// A filter as written. Its `Display` form parses to the same filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All hold.
    And(Vec<Filter>),
    /// At least one holds.
    Or(Vec<Filter>),
    /// Does not hold.
    Not(Box<Filter>),
    /// An attribute compared with a value.
    Compare {
        /// The attribute.
        path: AttrPath,
        /// How.
        op: Op,
        /// The value.
        value: Literal,
    },
    /// An attribute has a value (`pr`).
    Present(AttrPath),
    /// One and the same element of an attribute meets the inner filter: `emails[type eq "work"]`.
    ValuePath {
        /// The attribute.
        path: AttrPath,
        /// The condition; its paths are sub-attributes.
        inner: Box<Filter>,
    },
    /// The same with one more condition behind the brackets: `emails[type eq "work"].value eq "x"`. The RFC has it in
    /// PATCH paths only; tolerated.
    Behind {
        /// The attribute.
        path: AttrPath,
        /// The condition in the brackets.
        inner: Box<Filter>,
        /// What the same element must meet too: a comparison of one sub-attribute.
        then: Box<Filter>,
    },
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
}

impl Op {
    const ALL: [Self; 9] = [
        Self::Eq,
        Self::Ne,
        Self::Co,
        Self::Sw,
        Self::Ew,
        Self::Gt,
        Self::Ge,
        Self::Lt,
        Self::Le,
    ];

    /// The operator as written in a filter.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }

    /// Reads an operator in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|op| op.as_str().eq_ignore_ascii_case(text))
    }

    /// Whether it asks for an order: `gt`, `ge`, `lt`, `le`.
    #[must_use]
    pub const fn orders(self) -> bool {
        matches!(self, Self::Gt | Self::Ge | Self::Lt | Self::Le)
    }

    /// Whether it looks into a text: `co`, `sw`, `ew`.
    #[must_use]
    pub const fn looks_inside(self) -> bool {
        matches!(self, Self::Co | Self::Sw | Self::Ew)
    }
}

/// A value in a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// In quotes.
    Text(String),
    /// `true` or `false`.
    Boolean(bool),
    /// A JSON number, as written.
    Number(String),
    /// `null`.
    Null,
    /// A word without quotes that is none of these; tolerated as a text (`userName eq bob`).
    Bare(String),
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{}", Value::from(text.as_str())),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Number(text) | Self::Bare(text) => f.write_str(text),
            Self::Null => f.write_str("null"),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) => joined(f, parts, " and ", |part| {
                matches!(part, Self::And(_) | Self::Or(_))
            }),
            Self::Or(parts) => joined(f, parts, " or ", |part| matches!(part, Self::Or(_))),
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::Compare { path, op, value } => write!(f, "{path} {} {value}", op.as_str()),
            Self::Present(path) => write!(f, "{path} pr"),
            Self::ValuePath { path, inner } => write!(f, "{path}[{inner}]"),
            Self::Behind { path, inner, then } => write!(f, "{path}[{inner}].{then}"),
        }
    }
}

fn joined(
    f: &mut fmt::Formatter<'_>,
    parts: &[Filter],
    word: &str,
    bracketed: impl Fn(&Filter) -> bool,
) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(word)?;
        }
        if bracketed(part) {
            write!(f, "({part})")?;
        } else {
            write!(f, "{part}")?;
        }
    }
    Ok(())
}
