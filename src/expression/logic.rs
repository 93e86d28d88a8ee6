//! Three-valued truth: the boolean frame of an expression is taken apart here, and minijinja decides the parts.

use super::scan::{Kind, Token};

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody can say: a value that decides is missing.
    Undefined,
}

impl Truth {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, Self::True) => Self::True,
            _ => Self::Undefined,
        }
    }

    fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }

    const fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Undefined => Self::Undefined,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// `and`, `or`, `not` and brackets over parts that are decided as one.
#[derive(Debug)]
pub(super) enum Frame<A> {
    Or(Vec<Frame<A>>),
    And(Vec<Frame<A>>),
    Not(Box<Frame<A>>),
    Part(A),
}

impl<A> Frame<A> {
    /// The truth of the whole, from that of its parts. Stops at what decides.
    pub(super) fn truth<E>(&self, part: &mut impl FnMut(&A) -> Result<Truth, E>) -> Result<Truth, E> {
        match self {
            Self::Part(one) => part(one),
            Self::Not(inner) => inner.truth(part).map(Truth::not),
            Self::And(inner) => fold(inner, part, Truth::and, Truth::False, Truth::True),
            Self::Or(inner) => fold(inner, part, Truth::or, Truth::True, Truth::False),
        }
    }
}

fn fold<A, E>(
    inner: &[Frame<A>],
    part: &mut impl FnMut(&A) -> Result<Truth, E>,
    join: fn(Truth, Truth) -> Truth,
    decisive: Truth,
    start: Truth,
) -> Result<Truth, E> {
    let mut all = start;
    for one in inner {
        all = join(all, one.truth(part)?);
        if all == decisive {
            break;
        }
    }
    Ok(all)
}

/// Takes the tokens of a text that minijinja accepts apart. `part` makes the parts from first and last byte.
pub(super) fn frame<A, E>(
    tokens: &[Token<'_>],
    part: &mut impl FnMut(usize, usize) -> Result<A, E>,
) -> Result<Frame<A>, E> {
    if top_level(tokens, "if").next().is_none() {
        let alternatives: Vec<usize> = top_level(tokens, "or").collect();
        if !alternatives.is_empty() {
            return frames(tokens, &alternatives, part).map(Frame::Or);
        }
        let conditions: Vec<usize> = top_level(tokens, "and").collect();
        if !conditions.is_empty() {
            return frames(tokens, &conditions, part).map(Frame::And);
        }
        if let Some((
            Token {
                kind: Kind::Word("not"),
                ..
            },
            rest,
        )) = tokens.split_first()
        {
            return Ok(Frame::Not(Box::new(frame(rest, part)?)));
        }
        if let Some(inside) = bracketed(tokens) {
            return frame(inside, part);
        }
    }
    let start = tokens.first().map_or(0, |token| token.at);
    let end = tokens.last().map_or(0, |token| token.end);
    part(start, end).map(Frame::Part)
}

fn frames<A, E>(
    tokens: &[Token<'_>],
    cuts: &[usize],
    part: &mut impl FnMut(usize, usize) -> Result<A, E>,
) -> Result<Vec<Frame<A>>, E> {
    pieces(tokens, cuts).map(|piece| frame(piece, part)).collect()
}

/// Places of a word outside all brackets.
fn top_level<'t>(tokens: &'t [Token<'_>], word: &'t str) -> impl Iterator<Item = usize> + 't {
    let mut depth = 0_usize;
    tokens.iter().enumerate().filter_map(move |(place, token)| {
        match token.kind {
            Kind::Symbol("(" | "[" | "{") => depth += 1,
            Kind::Symbol(")" | "]" | "}") => depth = depth.saturating_sub(1),
            Kind::Word(found) if depth == 0 && found == word => return Some(place),
            _ => {}
        }
        None
    })
}

fn pieces<'t, 'a>(tokens: &'t [Token<'a>], cuts: &[usize]) -> impl Iterator<Item = &'t [Token<'a>]> {
    let starts = std::iter::once(0)
        .chain(cuts.iter().map(|cut| cut + 1))
        .collect::<Vec<_>>();
    let ends = cuts.iter().copied().chain([tokens.len()]).collect::<Vec<_>>();
    starts
        .into_iter()
        .zip(ends)
        .map(|(start, end)| tokens.get(start..end).unwrap_or_default())
}

/// What stands inside, when one pair of round brackets encloses everything and makes no tuple.
fn bracketed<'t, 'a>(tokens: &'t [Token<'a>]) -> Option<&'t [Token<'a>]> {
    let [
        Token {
            kind: Kind::Symbol("("),
            ..
        },
        inside @ ..,
        Token {
            kind: Kind::Symbol(")"),
            ..
        },
    ] = tokens
    else {
        return None;
    };
    let mut depth = 0_usize;
    for token in inside {
        match token.kind {
            Kind::Symbol("(" | "[" | "{") => depth += 1,
            Kind::Symbol(")" | "]" | "}") if depth == 0 => return None,
            Kind::Symbol(")" | "]" | "}") => depth -= 1,
            Kind::Symbol(",") if depth == 0 => return None,
            _ => {}
        }
    }
    (!inside.is_empty()).then_some(inside)
}
