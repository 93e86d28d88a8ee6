//! Who is meant, and the table `erasure`.

mod erasure;
mod subject;

pub(super) use erasure::{
    Erasure, add_erasure, end_erasure, give_back, hold, standing, still_there, take_late, take_ready,
};
pub use erasure::{Late, erasures};
pub(super) use subject::{Subject, subject};
