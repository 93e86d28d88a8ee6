//! What an item does, as a digest that does not depend on what differs from plan to plan.

use serde_json::json;

use super::person::Draft;
use crate::base::digest;
use crate::guard::Action;

/// The digest of a draft's effect; none when it has none, or is declined. The people a plan makes have other ids in every plan, so they
/// are named by their records.
pub(super) fn of(draft: &Draft) -> Option<Vec<u8>> {
    if draft.action == Action::Skip || draft.declined.is_some() {
        return None;
    }
    let effect = &draft.effect;
    let whom = if effect.new_person {
        json!(
            effect
                .records
                .iter()
                .map(|record| &record.source_id)
                .collect::<Vec<_>>()
        )
    } else {
        json!(draft.person)
    };
    let told = json!([
        whom,
        draft.action.as_str(),
        draft.user,
        effect.object,
        effect.delta,
        effect.disabled,
        effect.lifts,
        effect.manager_waits.is_some(),
        effect.groups,
        effect.holds,
        effect.gone,
    ]);
    Some(digest(told.to_string().as_bytes()))
}
