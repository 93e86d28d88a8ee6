//! Whether an account is to be active now, by the app's own policy and entity, and who holds the user disabled.

use std::borrow::Cow;
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::desired::{Rules, UserView};
use crate::base::PersonId;
use crate::lifecycle::{Facts, State, Verdict, WhileLeaving};
use crate::scim::{HR, Object};

/// What is known of people's employments.
pub type Employments = HashMap<PersonId, Facts>;

/// What is known of a user beside what it says of itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Standing<'a> {
    /// The employments of its person, when it comes from HR.
    pub facts: Option<&'a Facts>,
    /// Who holds it disabled: `hr`, `admin`, `client:ID`, `app:ID`. All but `hr` win over any policy of an app.
    pub disabled_by: &'a [String],
}

impl<'a> Standing<'a> {
    /// Of a user of this person.
    #[must_use]
    pub fn of(known: &'a Employments, person: Option<PersonId>, disabled_by: &'a [String]) -> Self {
        Self {
            facts: person.and_then(|person| known.get(&person)),
            disabled_by,
        }
    }
}

/// Whether an account is to be active, and until when that is certain.
#[derive(Debug, Clone)]
pub(super) struct Stand {
    /// It is.
    pub active: bool,
    /// It is not, only because the person is on leave: nothing but a disable follows from that.
    pub paused: bool,
    /// From when on what follows a leave counts.
    pub left_at: DateTime<Utc>,
    /// The leave is planned, and nothing new is granted.
    pub no_grants: bool,
    /// When the app's own answer may change by itself.
    pub next: Option<DateTime<Utc>>,
    /// The app's own verdict.
    own: Option<Verdict>,
}

impl Rules {
    /// Where a user stands for this app.
    pub(super) fn stand(&self, view: UserView<'_>, now: DateTime<Utc>) -> Stand {
        let user_active = view.object.get("active") != Some(&Value::Bool(false));
        let plain = Stand {
            active: user_active,
            paused: false,
            left_at: now,
            no_grants: false,
            next: None,
            own: None,
        };
        let Some(facts) = view.standing.facts else {
            return plain;
        };
        let (entity, own) = (
            self.settings().entity.as_deref(),
            self.settings().lifecycle.as_ref(),
        );
        let is_own = entity.is_some() || own.is_some();
        let policy = own.map_or_else(
            || facts.policy.clone(),
            |own| own.differences().over(&facts.policy),
        );
        let Some(verdict) = facts.judge(&policy, entity, now) else {
            return plain;
        };
        if matches!(verdict.state, State::Held(_)) {
            return plain;
        }
        let by_others = view.standing.disabled_by.iter().any(|party| party != "hr");
        let may_return = !facts.stays_disabled || own.and_then(|own| own.reactivate) == Some(true);
        let active = match is_own {
            _ if by_others => false,
            true => verdict.access && may_return,
            false => user_active,
        };
        Stand {
            active,
            paused: !active && !by_others && verdict.is_paused(),
            left_at: if by_others {
                now
            } else {
                facts.left_at(&verdict, entity, now)
            },
            no_grants: active && policy.while_leaving == WhileLeaving::NoGrants && verdict.leaving_planned(),
            next: verdict.next.filter(|_| is_own),
            own: Some(verdict).filter(|_| is_own),
        }
    }

    /// Whether somebody who returned stays disabled in this app.
    pub(super) fn keeps_returned_disabled(&self) -> bool {
        self.settings()
            .lifecycle
            .as_ref()
            .is_some_and(|own| own.reactivate == Some(false))
    }
}

impl Stand {
    /// The user as this app sees it: active, and where the person stands, by the app's own verdict.
    pub(super) fn seen<'o>(&self, object: &'o Object) -> Cow<'o, Object> {
        let Some(verdict) = &self.own else {
            return Cow::Borrowed(object);
        };
        let mut seen = object.clone();
        if seen.contains_key("active") || !self.active {
            seen.insert("active".to_owned(), json!(self.active));
        }
        if let Some(facts) = seen.get_mut(HR).and_then(Value::as_object_mut) {
            facts.insert("state".to_owned(), json!(verdict.word()));
        }
        Cow::Owned(seen)
    }
}
