//! Apps: what each should hold of our users and groups, and what to do next about each account.
//!
//! *Comes in:* an app file, users and groups as stored, an account as known. *Goes out:* what the app should hold
//! ([`Rules::user`], [`Rules::group`]), the one next thing to do ([`decide`]), whose an existing account is
//! ([`Matcher`]), what an answer means ([`sense`]). All that is pure. *Owns:* `app`, the rows of
//! `setting_revision` whose owner is an app, and `employment`: what of a person's records decides when access begins
//! and ends, written by runs, so that an app is judged by its own policy and entity ([`Standing`]). *Must not know:* HTTP, the directory's tables.
//!
//! Everything is level-triggered: [`decide`] sees only desired and known and is asked again after every answer, so
//! there is no queue of edits that could get out of order.

mod address;
mod addressee;
mod answer;
mod approval;
mod desired;
mod dialect;
mod error;
mod matching;
mod plan;
mod policy;
mod settings;
mod standing;
mod store;
mod target;

pub use address::leads_to_the_same;
pub use addressee::addressee;
pub use answer::{Deed, Ending, QUARANTINE_AFTER, Sense, sense, words};
pub use approval::{Approvals, HeldChange, folded, is_field};
pub use desired::{Desired, HeldValue, Rules, UserView, manager_of};
pub use dialect::Dialect;
pub use error::{Error, Problem};
pub use matching::{Candidate, Fit, Matcher, Ours, Remote, agrees, collision, work_emails};
pub use plan::{Account, Cause, Decision, Next, State, Subject, WITHHELD, decide};
pub use policy::FieldPolicy;
pub use settings::{
    Ambiguous, Approve, ApproveRule, Caps, Deprovision, Do, EntityInvite, Groups, Guard, Invite, InviteOn,
    Invited, Inviter, Lifecycle, Line, MatchBy, Matching, Mode, Pace, Policy, Protect, Reconcile, Scope,
    Settings, Step, Termination, duration, with_attributes,
};
pub use standing::{Employments, Standing};
pub use store::{
    App, Revision, address_of, app, app_by_id, apps, broken_by, draft, employments, pause, publish,
    put_employments, revision, revisions, rollback, save_draft,
};
pub use target::{merged, ours_of};
