//! Checks every name of an expression when it is compiled: fields, filters, tests, and what is not offered.

use super::Error;
use super::fields::{Fields, Node, nearest};
use super::filters::{FILTERS, TESTS};
use super::scan::{Kind, Token};

const KEY_WORDS: &[&str] = &[
    "and", "or", "not", "in", "is", "if", "else", "true", "True", "false", "False", "none", "None",
];

/// Checks the tokens of `text`.
pub(super) fn check(text: &str, tokens: &[Token<'_>], fields: &Fields) -> Result<(), Error> {
    let mut rest = tokens;
    let mut before = Before::Nothing;
    while let Some((token, after)) = rest.split_first() {
        let used = match token.kind {
            Kind::Word(word) => match before {
                Before::Pipe => known(text, token, word, "filter", FILTERS)?,
                Before::Is if word == "not" => 1,
                Before::Is => known(text, token, word, "test", TESTS)?,
                _ if KEY_WORDS.contains(&word) => 1,
                _ => field(text, rest, fields)?,
            },
            Kind::Symbol(symbol) => offered(text, token, symbol)?,
            Kind::Text(_) | Kind::Number => 1,
        };
        before = match token.kind {
            Kind::Symbol("|") => Before::Pipe,
            Kind::Word("is") => Before::Is,
            Kind::Word("not") if before == Before::Is => Before::Is,
            Kind::Symbol(_) => Before::Nothing,
            Kind::Word(word) if before == Before::Nothing && KEY_WORDS.contains(&word) => Before::Nothing,
            Kind::Word(_) if matches!(before, Before::Pipe | Before::Is) => Before::Called,
            Kind::Word(_) | Kind::Text(_) | Kind::Number => Before::Nothing,
        };
        rest = after.get(used.saturating_sub(1)..).unwrap_or_default();
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Pipe,
    Is,
    /// The name of a filter or test: it may take arguments.
    Called,
}

fn known(text: &str, token: &Token<'_>, word: &str, what: &str, offered: &[&str]) -> Result<usize, Error> {
    if offered.contains(&word) {
        return Ok(1);
    }
    let near = nearest(word, offered.iter().copied());
    Err(Error::at(
        text,
        token.at,
        format!("unknown {what} `{word}`; {near}"),
    ))
}

fn offered(text: &str, token: &Token<'_>, symbol: &str) -> Result<usize, Error> {
    let message = match symbol {
        "." => "parts can only be named directly after a field, as in `employee.entity.id`",
        "*" | "**" => "multiplication is not offered",
        "=" => "arguments are given by place, without a name; to compare write `==`",
        _ => return Ok(1),
    };
    Err(Error::at(text, token.at, message))
}

/// Checks a field with its parts; says how many tokens it takes.
fn field(text: &str, tokens: &[Token<'_>], fields: &Fields) -> Result<usize, Error> {
    let mut path = Vec::new();
    let mut places = Vec::new();
    let mut used = 0;
    loop {
        let rest = tokens.get(used..).unwrap_or_default();
        let (name, at, length) = match (path.is_empty(), rest) {
            (
                true,
                [
                    Token {
                        kind: Kind::Word(word),
                        at,
                        ..
                    },
                    ..,
                ],
            ) => (*word, *at, 1),
            (
                false,
                [
                    Token {
                        kind: Kind::Symbol("."),
                        ..
                    },
                    Token {
                        kind: Kind::Word(word),
                        at,
                        ..
                    },
                    ..,
                ],
            ) => (*word, *at, 2),
            (
                false,
                [
                    Token {
                        kind: Kind::Symbol("["),
                        ..
                    },
                    Token {
                        kind: Kind::Text(word),
                        at,
                        ..
                    },
                    Token {
                        kind: Kind::Symbol("]"),
                        ..
                    },
                    ..,
                ],
            ) => (*word, *at, 3),
            _ => break,
        };
        path.push(name);
        places.push(at);
        used += length;
    }
    let start = places.first().copied().unwrap_or(0);
    let next = tokens.get(used).map(|token| token.kind);
    if next == Some(Kind::Symbol("(")) {
        let message = format!(
            "`{}` cannot be called: there are filters, such as `| lower`, but no functions",
            path.join(".")
        );
        return Err(Error::at(text, start, message));
    }
    let node = fields.find(&path).map_err(|(position, message)| {
        Error::at(text, places.get(position).copied().unwrap_or(start), message)
    })?;
    if let Node::Parts(parts) = node
        && next != Some(Kind::Word("is"))
    {
        let parts: Vec<&str> = parts.keys().map(String::as_str).take(12).collect();
        let message = format!(
            "`{}` is no single value: name one of its parts ({})",
            path.join("."),
            parts.join(", ")
        );
        return Err(Error::at(text, start, message));
    }
    Ok(used)
}
