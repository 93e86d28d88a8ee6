//! The tables of what is told.

pub(super) mod event;
pub(super) mod group;
pub(super) mod invitation;
pub(super) mod outbox;
pub(super) mod recipient;
pub(super) mod subscription;
pub(super) mod welcome;
pub(super) mod words;
