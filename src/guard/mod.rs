//! Plans before deeds: whatever the cause, what would be done is stored first, judged as a whole, and waits for a
//! human when it is too much.
//!
//! *Comes in:* the items of a plan, what they do in numbers, limits. *Goes out:* a verdict, the plan's hash, items to
//! apply, holds. *Owns:* `plan`, `plan_item`, `kept_back`, `hold`, `cap_use`, `frozen`. *Must not know:* where the numbers came
//! from, SCIM, HR.
//!
//! The numbers are taken once, on the stored plan, and compared before the first effect; there are no counters that
//! run while effects happen. A *share* alone never stops one or two people in a small company: see
//! [`SMALLEST_SHARE`]. Approval names the plan's hash, so nobody approves something else than what was looked at.
//! An approval may choose; what it leaves out is *declined*, and the parts of it are *kept back* from later plans until
//! they are released or other values come.

mod approved;
mod choice;
mod decisions;
mod effects;
mod error;
mod freeze;
mod hold;
mod judge;
mod kept;
mod limit;
mod plan;
mod store;

pub use approved::{approved, lock_approved};
pub use choice::{Chosen, Picks};
pub use decisions::{decide_holds, rule_holds};
pub use effects::{EffectLimits, Effects, weigh};
pub use error::Error;
pub use freeze::{CapAction, CapUse, Frozen, all_frozen, cap_uses, forget_uses, freeze, frozen, over, thaw};
pub use hold::{Decision, Hold, NewHold};
pub use judge::{EmptiedIn, Reason, Sizes, Thinned, Unit, Verdict, judge};
pub use kept::{Kept, KeptBack, KeptWhy};
pub use limit::{Limit, Limits, SMALLEST_SHARE};
pub use plan::{
    Action, Cause, Item, ItemFilter, ItemState, Mark, Plan, PlanFilter, PlanState, StoredItem, Writer, hex,
};
pub use store::{
    Instead, close_holds, decide, decide_hold, decline, end, end_kept, fail, found_items, hold, holds,
    item_counts, items, keep_back, kept_back, kept_of, mark, noted_items, open_holds, plan, planned_items,
    plans, rejected_values, release_kept, supersede, withdraw,
};
