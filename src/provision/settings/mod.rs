//! An app file, a file of code per part of it.
//!
//! Comes in: the text or JSON of an app file. Goes out: [`Settings`], each part checked by itself
//! (`problems`), or every problem at once. Owns no table; must not know what is done with the settings.

mod approve;
mod caps;
mod deprovision;
mod duration;
mod file;
mod groups;
mod guard;
mod invite;
mod lifecycle;
mod mapping;
mod matching;
mod mode;
mod pace;
mod protect;
mod reconcile;
mod scope;
mod termination;

pub use approve::{Approve, ApproveRule};
pub use caps::Caps;
pub use deprovision::{Deprovision, Do, Step, with_attributes};
pub use duration::duration;
pub use file::Settings;
pub use groups::Groups;
pub use guard::Guard;
pub use invite::{EntityInvite, Invite, InviteOn, Invited, Inviter};
pub use lifecycle::Lifecycle;
pub use mapping::{Line, Policy};
pub use matching::{Ambiguous, MatchBy, Matching};
pub use mode::Mode;
pub use pace::Pace;
pub use protect::Protect;
pub use reconcile::Reconcile;
pub use scope::Scope;
pub use termination::Termination;
