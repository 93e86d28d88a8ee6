//! Lists: filter, sort, pages.
//!
//! *Comes in:* a bound filter, a place to sort by, where to start and how many. *Goes out:* one page and the total.
//! *Owns:* `walk`. *Must not know:* how the request was written.
//!
//! Pages that follow one another are read by key: where a page ended is kept in `walk` under token, query and the
//! next startIndex, so that nobody who was there throughout is lost while others come and go, whichever process
//! answers. A startIndex that no page led to is a jump and counts rows instead. The total of a walk is counted once.

mod page;
mod store;

pub use page::{Page, Reader, Search};
