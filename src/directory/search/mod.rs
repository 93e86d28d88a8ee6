//! Lists: filter, sort, pages.
//!
//! *Comes in:* a filter for each resource type, a place to sort by, where to start and how many. *Goes out:* one page,
//! where it begins and ends, and the total. *Owns:* `walk`. *Must not know:* how the request was written.
//!
//! Every list has one total order: by what is sorted by, then by id; resources without a value come behind all others.
//! Descending is exactly the reverse. A page is read by key from the end of the page before (or, backwards, from its
//! beginning), so a deep page costs what the first one costs and nobody who is there throughout is lost or doubled.
//!
//! With cursors the key travels in the cursor. With startIndex it is kept in `walk` under token, query and the next
//! startIndex. Two walks with one token and the same query ask for the same numbers; while one is still to come for its
//! next page, another whose page would end at that number, but elsewhere, gets a shorter page (RFC 7644 §3.4.2.4 allows
//! fewer than `count`), so that its next number is its own. A startIndex that no page led to is a jump and counts
//! entries of an index, from the nearer end. The total is counted once per walk.

mod index;
mod order;
mod page;
mod store;

pub use order::Key;
pub use page::{Among, From, Page, Reader, Search};
