//! What can go wrong with plans and holds.

/// Why a plan or a hold could not be kept, read or decided.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused.
    #[error("plans cannot be stored or read")]
    Store(#[from] crate::db::QueryError),
    /// There is no such plan or hold in this tenant.
    #[error("there is no such plan or hold")]
    Unknown,
    /// The plan or hold does not wait any more.
    #[error("it no longer waits for a decision: it is {state}")]
    NotWaiting {
        /// What it is instead.
        state: String,
    },
    /// The approval names another plan.
    #[error("the approval names another plan; the plan that waits has the hash {hash}")]
    OtherPlan {
        /// The hash of the plan that waits, in hexadecimal.
        hash: String,
    },
    /// A choice names what the plan does not have, or leaves nothing of it.
    #[error("the choice does not fit the plan: {0}")]
    Choice(String),
    /// A row holds a word that this version does not know.
    #[error("a stored plan holds the unknown word {word}")]
    UnknownWord {
        /// The word.
        word: String,
    },
}
