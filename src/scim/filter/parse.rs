//! Reads the text of a filter, and of a PATCH path, which has filters in it.

use crate::scim::error::Error;
use crate::scim::limits::{FILTER_BYTES, FILTER_DEPTH, FILTER_TERMS};
use crate::scim::path::AttrPath;
use crate::scim::schema::is_name;

use super::syntax::{Filter, Literal, Op};

/// Reads a filter. Brackets bind first, then `not`, `and`, `or`; names and operators come in any case.
///
/// # Errors
/// `400 invalidFilter` with the position, also when it is too long, too deep or has too many comparisons.
pub fn parse(text: &str) -> Result<Filter, Error> {
    let mut parser = Parser::new(text)?;
    let filter = parser.disjunction()?;
    parser.end()?;
    Ok(filter)
}

/// A PATCH path in its parts: `attr`, `attr.sub`, `attr[filter]`, `attr[filter].sub` (RFC 7644 §3.5.2).
#[derive(Debug, Clone, PartialEq)]
pub struct PatchTarget {
    /// The attribute; with a filter, its own sub-attribute is in `sub`.
    pub path: AttrPath,
    /// Which elements.
    pub filter: Option<Filter>,
    /// The sub-attribute behind the filter.
    pub sub: Option<String>,
}

/// Reads a PATCH path.
///
/// # Errors
/// `400 invalidPath`.
pub fn parse_target(text: &str) -> Result<PatchTarget, Error> {
    target(text).map_err(|error| Error::path(error.detail))
}

fn target(text: &str) -> Result<PatchTarget, Error> {
    let mut parser = Parser::new(text.trim())?;
    let path = parser.path()?;
    if !parser.take('[') {
        parser.end()?;
        return Ok(PatchTarget {
            path,
            filter: None,
            sub: None,
        });
    }
    let filter = parser.bracketed(']', true)?;
    let sub = parser.rest.strip_prefix('.').map(str::to_owned);
    match &sub {
        Some(name) if !is_name(name) => return Err(parser.wrong("a sub-attribute is expected")),
        Some(_) => {}
        None => parser.end()?,
    }
    Ok(PatchTarget {
        path,
        filter: Some(filter),
        sub,
    })
}

struct Parser<'a> {
    whole: &'a str,
    rest: &'a str,
    depth: usize,
    terms: usize,
    inside: bool,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, Error> {
        if text.len() > FILTER_BYTES {
            return Err(Error::filter(format!("longer than {FILTER_BYTES} bytes")));
        }
        Ok(Self {
            whole: text,
            rest: text,
            depth: 0,
            terms: 0,
            inside: false,
        })
    }

    fn wrong(&self, what: &str) -> Error {
        let at = self.whole.len().saturating_sub(self.rest.len());
        Error::filter(format!("{what} at byte {at}"))
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    fn end(&mut self) -> Result<(), Error> {
        self.space();
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.wrong("the end, 'and' or 'or' is expected"))
        }
    }

    fn take(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The next word, without taking it.
    fn word(&self) -> &'a str {
        let stop = |c: char| c.is_whitespace() || "()[]\"".contains(c);
        self.rest
            .find(stop)
            .and_then(|end| self.rest.get(..end))
            .unwrap_or(self.rest)
    }

    fn skip(&mut self, word: &str) {
        self.rest = self.rest.get(word.len()..).unwrap_or_default();
    }

    fn take_word(&mut self, expected: &str) -> bool {
        let word = self.word();
        let found = word.eq_ignore_ascii_case(expected);
        if found {
            self.skip(word);
        }
        found
    }

    fn disjunction(&mut self) -> Result<Filter, Error> {
        self.chain("or", Self::conjunction, Filter::Or)
    }

    fn conjunction(&mut self) -> Result<Filter, Error> {
        self.chain("and", Self::term, Filter::And)
    }

    fn chain(
        &mut self,
        word: &str,
        part: fn(&mut Self) -> Result<Filter, Error>,
        join: fn(Vec<Filter>) -> Filter,
    ) -> Result<Filter, Error> {
        let first = part(self)?;
        let mut more = Vec::new();
        loop {
            self.space();
            if !self.take_word(word) {
                break;
            }
            more.push(part(self)?);
        }
        if more.is_empty() {
            return Ok(first);
        }
        more.insert(0, first);
        Ok(join(more))
    }

    fn term(&mut self) -> Result<Filter, Error> {
        self.space();
        if self.take('(') {
            return self.bracketed(')', self.inside);
        }
        let word = self.word();
        if word.eq_ignore_ascii_case("not") {
            self.skip(word);
            self.space();
            if !self.take('(') {
                return Err(self.wrong("'(' is expected after 'not'"));
            }
            return Ok(Filter::Not(Box::new(self.bracketed(')', self.inside)?)));
        }
        self.comparison()
    }

    /// What stands in brackets, up to the closing one; the opening one has been taken.
    fn bracketed(&mut self, close: char, inside: bool) -> Result<Filter, Error> {
        self.depth += 1;
        if self.depth > FILTER_DEPTH {
            return Err(self.wrong("the filter nests too deep"));
        }
        let outer = std::mem::replace(&mut self.inside, inside);
        let filter = self.disjunction()?;
        self.space();
        if !self.take(close) {
            return Err(self.wrong(&format!("'{close}' is expected")));
        }
        self.inside = outer;
        self.depth -= 1;
        Ok(filter)
    }

    fn path(&mut self) -> Result<AttrPath, Error> {
        let word = self.word();
        let path = AttrPath::parse(word).ok_or_else(|| self.wrong("an attribute is expected"))?;
        self.skip(word);
        Ok(path)
    }

    fn comparison(&mut self) -> Result<Filter, Error> {
        self.terms += 1;
        if self.terms > FILTER_TERMS {
            return Err(self.wrong("the filter has too many comparisons"));
        }
        let path = self.path()?;
        if self.rest.starts_with('[') {
            if self.inside {
                return Err(self.wrong("a '[' inside another is not allowed"));
            }
            self.take('[');
            let inner = Box::new(self.bracketed(']', true)?);
            if !self.take('.') {
                return Ok(Filter::ValuePath { path, inner });
            }
            let sub = self.path()?;
            if sub.sub.is_some() || sub.urn.is_some() {
                return Err(self.wrong("one sub-attribute is expected behind ']'"));
            }
            let then = Box::new(self.compared(sub)?);
            return Ok(Filter::Behind { path, inner, then });
        }
        self.compared(path)
    }

    /// What stands behind an attribute.
    fn compared(&mut self, path: AttrPath) -> Result<Filter, Error> {
        self.space();
        if self.take_word("pr") {
            return Ok(Filter::Present(path));
        }
        let word = self.word();
        let op = Op::parse(word).ok_or_else(|| self.wrong("an operator is expected"))?;
        self.skip(word);
        let before = self.rest;
        self.space();
        if before.len() == self.rest.len() {
            return Err(self.wrong("a space is expected after the operator"));
        }
        let value = self.literal()?;
        Ok(Filter::Compare { path, op, value })
    }

    fn literal(&mut self) -> Result<Literal, Error> {
        if self.rest.starts_with('"') {
            return self.quoted();
        }
        let word = self.word();
        if word.is_empty() || word.contains('\'') {
            return Err(self.wrong("a value is expected, texts in double quotes"));
        }
        self.skip(word);
        if !(self.rest.is_empty() || self.rest.starts_with([' ', '\t', '\r', '\n', ')', ']'])) {
            return Err(self.wrong("a space or a closing bracket is expected"));
        }
        Ok(match word.to_ascii_lowercase().as_str() {
            "true" => Literal::Boolean(true),
            "false" => Literal::Boolean(false),
            "null" => Literal::Null,
            _ if serde_json::from_str::<serde_json::Number>(word).is_ok() => Literal::Number(word.to_owned()),
            _ => Literal::Bare(word.to_owned()),
        })
    }

    fn quoted(&mut self) -> Result<Literal, Error> {
        let mut escaped = true; // the opening quote is not the closing one
        let end = self.rest.find(|c: char| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        });
        let raw = end
            .and_then(|end| self.rest.get(..=end))
            .ok_or_else(|| self.wrong("the closing quote is missing"))?;
        let text: String =
            serde_json::from_str(raw).map_err(|_| self.wrong("the text is not a JSON string"))?;
        if text.contains('\0') {
            return Err(self.wrong("a NUL character is not allowed"));
        }
        self.skip(raw);
        Ok(Literal::Text(text))
    }
}
