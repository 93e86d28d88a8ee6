//! What was decided for one read.

use std::fmt;

use super::rules::Key;
use crate::base::PersonId;

/// What became of each record of a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correlated {
    /// One for each candidate, in their order.
    pub outcomes: Vec<Correlation>,
    /// What a human must say, ordered by their records.
    pub reviews: Vec<Review>,
    /// How many new people there are: [`Correlation::New`] counts below it.
    pub new_people: usize,
}

/// What became of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Correlation {
    /// It is a person we know.
    Linked(PersonId, By),
    /// It is part of this new person.
    New(usize),
    /// Nobody but a human can say; index into [`Correlated::reviews`]. Nothing of it is written.
    Review(usize),
}

/// By what a record was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// By its own key or by that of another record of the same person.
    Key(Key),
    /// By a suggestion that name or birth date confirmed.
    Suggestion(Key),
    /// A human said so.
    Decision,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "{key}"),
            Self::Suggestion(key) => write!(f, "{key}, confirmed by name or birth date"),
            Self::Decision => f.write_str("decision"),
        }
    }
}

/// Records of which nobody but a human can say whose they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Why, without personal data.
    pub reason: String,
    /// The records, sorted.
    pub source_ids: Vec<String>,
    /// The people they may be, sorted.
    pub candidates: Vec<PersonId>,
}
