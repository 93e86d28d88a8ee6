//! A planned item as others may look at it.

use serde_json::Value;

use super::effect::Effect;
use crate::base::ResourceId;
use crate::guard::{Action, Item};
use crate::scim::Object;

/// What an item of a run's plan would make of a user.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Planned {
    /// The user as it shall be, without `active`; a manager who is made by the same plan is not in it yet. None: only
    /// what else is said here changes.
    pub object: Option<Object>,
    /// What differs from the user as it was: path, before, after. Empty for a user that is made.
    pub delta: Vec<Value>,
    /// What becomes of `active`, when it changes.
    pub active: Option<bool>,
    /// Names of groups to enter.
    pub enters: Vec<String>,
    /// Groups to leave.
    pub leaves: Vec<ResourceId>,
}

impl Planned {
    /// Reads the difference of an item that a run planned. None: it is of another form.
    #[must_use]
    pub fn of(item: &Item) -> Option<Self> {
        let effect: Effect = serde_json::from_value(item.diff.clone()).ok()?;
        let active = match item.action {
            Action::Create | Action::Link => Some(true),
            Action::Disable => Some(false),
            _ => effect.lifts.then_some(true),
        };
        Some(Self {
            object: effect.object,
            delta: effect.delta,
            active,
            enters: effect.groups.add.into_iter().map(|group| group.name).collect(),
            leaves: effect.groups.remove,
        })
    }
}
