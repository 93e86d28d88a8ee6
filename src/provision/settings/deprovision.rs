//! `[[deprovision.*]]`: the steps per cause.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::error::Problem;
use super::super::target::Target;
use super::duration::duration;
use crate::scim::Object;

/// The most steps of one cause.
const MOST_STEPS: usize = 16;

/// What a step of deprovisioning does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Do {
    /// `active` becomes false.
    Disable,
    /// Attributes are given other values, such as a role that may do less.
    Set,
    /// Taken out of the groups that we put the account into.
    RemoveGroups,
    /// DELETE.
    Delete,
    /// A call to an address of the customer's.
    Hook,
}

/// One step of deprovisioning. Steps are done in their order; all that are not done are cancelled when the cause ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What is done.
    #[serde(rename = "do")]
    pub deed: Do,
    /// How long after the cause.
    #[serde(default = "at_once")]
    pub after: String,
    /// `set`: the values, by attribute; an empty text takes the attribute away.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Value>,
    /// `hook`: the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// `hook`: whether the next step follows when the call failed eight times. Else it is tried until it succeeds, and the
    /// next step waits.
    #[serde(default, skip_serializing_if = "is_false")]
    pub may_fail: bool,
    /// `delete`: so long before, the person is told by mail; the account is not removed sooner after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
}

/// The longest notice.
const LONGEST_NOTICE: Duration = Duration::from_secs(366 * 86_400);

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl Step {
    /// How long after the cause the step is due.
    #[must_use]
    pub fn wait(&self) -> Duration {
        duration(&self.after).unwrap_or_default()
    }

    /// How long before a removal the person is told; `None`: not at all.
    #[must_use]
    pub fn notice(&self) -> Option<Duration> {
        self.notice.as_deref().and_then(duration)
    }

    /// What the account holds after a step `set`.
    #[must_use]
    pub fn applied(&self, known: &Object) -> Object {
        with_attributes(known, &self.attributes)
    }

    fn problems(&self, at: &str, found: &mut Vec<Problem>) {
        if duration(&self.after).is_none() {
            found.push(Problem::at(
                at,
                "`after` is a number with s, m, h, d or w, such as 14d",
            ));
        }
        match (self.deed, &self.url) {
            (Do::Hook, Some(url)) if is_address(url) => {}
            (Do::Hook, _) => found.push(Problem::at(
                at,
                "a hook has `url`, an http or https address without user name and password",
            )),
            (_, Some(_)) => found.push(Problem::at(at, "only a hook has `url`")),
            (_, None) => {}
        }
        if self.deed != Do::Hook && self.may_fail {
            found.push(Problem::at(at, "only a hook has `may_fail`"));
        }
        if let Some(notice) = &self.notice {
            if self.deed != Do::Delete {
                found.push(Problem::at(at, "only `delete` has `notice`"));
            } else if duration(notice).is_none_or(|wait| wait.is_zero() || wait > LONGEST_NOTICE) {
                found.push(Problem::at(
                    at,
                    "`notice` is a number with s, m, h, d or w, such as 7d, and a year at most",
                ));
            }
        }
        if (self.deed == Do::Set) == self.attributes.is_empty() {
            found.push(Problem::at(at, "`set` has `attributes`, and nothing else has"));
        }
    }
}

/// The object with these attributes, by their names; an empty text takes one away.
#[must_use]
pub fn with_attributes(object: &Object, attributes: &BTreeMap<String, Value>) -> Object {
    let mut after = object.clone();
    for (key, value) in attributes {
        if let Some(target) = Target::parse(key) {
            let is_empty = matches!(value, Value::String(text) if text.is_empty());
            target.set(&mut after, (!is_empty).then(|| value.clone()));
        }
    }
    after
}

/// Whether a hook may have this address.
pub(super) fn is_address(text: &str) -> bool {
    text.len() <= 2_000
        && url::Url::parse(text).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.host().is_some()
                && url.username().is_empty()
                && url.password().is_none()
        })
}

fn at_once() -> String {
    "0d".to_owned()
}

fn disable() -> Vec<Step> {
    vec![Step {
        deed: Do::Disable,
        after: at_once(),
        attributes: BTreeMap::new(),
        url: None,
        may_fail: false,
        notice: None,
    }]
}

/// `[[deprovision.*]]`: the steps per cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deprovision {
    /// The user is no longer active.
    pub leaver: Vec<Step>,
    /// The user no longer belongs into the app.
    pub out_of_scope: Vec<Step>,
    /// The user is no longer there.
    pub missing: Vec<Step>,
}

impl Default for Deprovision {
    fn default() -> Self {
        Self {
            leaver: disable(),
            out_of_scope: disable(),
            missing: disable(),
        }
    }
}

impl Deprovision {
    /// All steps, each with the key of its cause.
    pub fn steps(&self) -> impl Iterator<Item = (&'static str, &Step)> {
        let leaver = self.leaver.iter().map(|step| ("deprovision.leaver", step));
        let scope = self
            .out_of_scope
            .iter()
            .map(|step| ("deprovision.out_of_scope", step));
        let missing = self.missing.iter().map(|step| ("deprovision.missing", step));
        leaver.chain(scope).chain(missing)
    }

    /// Whether any step calls an address of the customer's.
    #[must_use]
    pub fn has_hooks(&self) -> bool {
        self.steps().any(|(_, step)| step.deed == Do::Hook)
    }

    pub(super) fn problems(&self, found: &mut Vec<Problem>) {
        for (at, step) in self.steps() {
            step.problems(at, found);
        }
        for (at, steps) in [
            ("deprovision.leaver", &self.leaver),
            ("deprovision.out_of_scope", &self.out_of_scope),
            ("deprovision.missing", &self.missing),
        ] {
            if steps.len() > MOST_STEPS {
                found.push(Problem::at(at, format!("has more than {MOST_STEPS} steps")));
            }
        }
    }
}
