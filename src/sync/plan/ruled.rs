//! Held values that a rule of `[[approve]]` decides in the plan already.

use std::collections::HashMap;

use serde_json::Value;

use super::effect::HoldAt;
use crate::base::ResourceId;
use crate::provision::HeldChange;
use crate::scim::Object;
use crate::sync::connection::Compiled;
use crate::translate::{self, HeldField};

/// Puts into the user what a rule approves, unless a human rejected the very same. Returns what still waits for a human,
/// and the decisions with the rule's name.
pub(super) fn by_rule(
    live: &Compiled,
    rejected: &HashMap<(ResourceId, String), Option<Value>>,
    user: ResourceId,
    object: &mut Object,
    held: Vec<HeldField>,
) -> (Vec<HeldField>, Vec<(HoldAt, String)>) {
    let mut ruled = Vec::new();
    let mut waiting = Vec::new();
    for field in held {
        let (old, new) = field.both();
        let change = HeldChange {
            field: &field.field,
            old: Some(&old),
            new: Some(&new),
            by_path: true,
        };
        let was_rejected = rejected
            .get(&(user, field.field.clone()))
            .and_then(Option::as_ref)
            == Some(&new);
        match live.approvals.covers(change).filter(|_| !was_rejected) {
            Some(rule) => {
                translate::release(&live.mapping, object, &old, &new);
                let at = HoldAt {
                    field: field.field,
                    old: Some(old),
                    new: Some(new),
                };
                ruled.push((at, rule.to_owned()));
            }
            None => waiting.push(field),
        }
    }
    (waiting, ruled)
}
