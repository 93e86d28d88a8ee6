//! Cuts an expression into tokens, each with its place: minijinja checks the grammar, this finds the names.

/// A piece of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    /// First byte.
    pub(super) at: usize,
    /// Byte after the last.
    pub(super) end: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// A name or key word.
    Word(&'a str),
    /// A quoted text, without its quotes and with escapes as written.
    Text(&'a str),
    Number,
    /// Punctuation or an operator.
    Symbol(&'a str),
}

/// The tokens of a text that minijinja accepts. Of any other text, something.
pub(super) fn scan(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let Some(first) = rest.chars().next() else { break };
        let length = if first.is_whitespace() {
            first.len_utf8()
        } else {
            let (kind, length) = token(rest, first);
            tokens.push(Token {
                kind,
                at,
                end: at + length,
            });
            length
        };
        at += length;
    }
    tokens
}

fn token(rest: &str, first: char) -> (Kind<'_>, usize) {
    let run = |test: fn(char) -> bool| rest.len() - rest.trim_start_matches(test).len();
    let until = |length: usize| rest.get(..length).unwrap_or(rest);
    if first == '"' || first == '\'' {
        let length = quoted(rest, first);
        return (Kind::Text(until(length).trim_matches(first)), length);
    }
    if first.is_ascii_digit() {
        return (Kind::Number, number(rest));
    }
    if first.is_alphabetic() || first == '_' {
        let length = run(|c| c.is_alphanumeric() || c == '_');
        return (Kind::Word(until(length)), length);
    }
    let two = until(2);
    if ["==", "!=", "<=", ">=", "//", "**"].contains(&two) {
        return (Kind::Symbol(two), 2);
    }
    (Kind::Symbol(until(first.len_utf8())), first.len_utf8())
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// Digits, a fraction, an exponent; `1.first` is a number and a part.
fn number(rest: &str) -> usize {
    let digits = |text: &str| {
        text.len()
            - text
                .trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_')
                .len()
    };
    let whole = digits(rest);
    let fraction = rest.get(whole..).and_then(|tail| tail.strip_prefix('.'));
    match fraction {
        Some(tail) if tail.starts_with(|c: char| c.is_ascii_digit()) => whole + 1 + digits(tail),
        _ => whole,
    }
}
