//! A sandbox HR system that speaks Kombo's API over HTTP.
//!
//! The people are computed when they are asked for, from a seed and their number, so a million of them need no more memory
//! than ten; only what a day of life changed is kept. The same seed, number and date give the same company.

mod company;
mod names;
mod person;
mod server;

pub use company::{Day, Sandbox};
pub use person::{EmploymentStatus, SandboxPerson};
pub use server::{Serving, serve};
