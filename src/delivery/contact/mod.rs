//! First contact with an app: what it can do, whom it has, and whose these accounts are. Only GETs.

mod familiar;
mod pages;
mod store;
mod visit;

pub(super) use pages::Pages;
pub(super) use store::{forget_unseen, put_unmatched};
pub(super) use visit::{Visit, visit};
