//! People, their records and the open questions about them, in batches.
//!
//! Every function names the tenant first, takes the caller's connection or transaction, and runs a constant number of
//! statements whatever the size of the batch. Batches of a few hundred to a few thousand are meant.

mod blank;
mod erased;
mod names;
mod people;
mod records;
mod reviews;

pub use blank::blank;
pub use erased::{Erased, add_erased, erased_among, erased_purpose, forget_erased};
pub use names::{Known as KnownBy, Names, names};
pub use people::{
    Person, Standing, create_people, due, forget_user, people, set_ending, set_standing, set_users,
};
pub use records::{
    KnownKeys, NewRecord, Seen, Stored, absent, known, managers, mark_missing, mark_returned, of_people,
    save, saved_since, seen, set_outcomes, source_ids, stored, take_stock, unlink,
};
pub use reviews::{
    Opened, ReviewRow, decide, decided, open_reviews, read_again, reopen, reviews, set_reviews,
};
