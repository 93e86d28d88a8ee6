//! Which items of a plan an approval means.

use serde::{Deserialize, Serialize};

use super::Action;
use crate::base::PersonId;

/// Items by their place, their person or their action; an item that fits any of them is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Picks {
    /// Places in the plan, from 1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<i32>,
    /// People.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<PersonId>,
    /// Actions: create, link, update, disable, remove.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
}

impl Picks {
    /// Whether nothing is named.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.items.is_empty() && self.people.is_empty() && self.actions.is_empty()
    }
}

/// What of a plan is approved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Chosen {
    /// All of it.
    #[default]
    All,
    /// Only these items; all others that have an effect are declined.
    Only(Picks),
    /// All but these items.
    Except(Picks),
}
