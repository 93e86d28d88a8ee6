//! What a plan item does, in the form that is stored with it and read again when it is applied.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::remark::Message;
use crate::base::{PersonId, ResourceId};
use crate::lifecycle::Facts;
use crate::scim::Object;

/// All that applying one person's item needs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::sync) struct Effect {
    /// The person is new.
    #[serde(skip_serializing_if = "is_false")]
    pub new_person: bool,
    /// The user as it shall be, without `active` and, while it waits, without manager. None: the user stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<Object>,
    /// What differs from the user as it was: path, before, after. Nothing for a user that is made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub delta: Vec<Value>,
    /// HR holds the user disabled after this.
    #[serde(skip_serializing_if = "is_false")]
    pub disabled: bool,
    /// HR held the user disabled, and lifts that.
    #[serde(skip_serializing_if = "is_false")]
    pub lifts: bool,
    /// HR says active again, and the account stays disabled by the policy: new with this.
    #[serde(skip_serializing_if = "is_false")]
    pub withheld: bool,
    /// The userName that somebody else has, so that nothing is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clash: Option<Clash>,
    /// Whose user, made by the same plan, becomes the manager as soon as it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager_waits: Option<PersonId>,
    /// Groups to enter and leave.
    #[serde(skip_serializing_if = "Groups::is_empty")]
    pub groups: Groups,
    /// What becomes of the records that led here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<RecordEffect>,
    /// Records that have been missing for long enough to count as gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<String>,
    /// The verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Value>,
    /// When the verdict may change by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_look_at: Option<DateTime<Utc>>,
    /// What of the records decides when access begins and ends, when that changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
    /// Decisions to ask for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<HoldAt>,
    /// Decisions that a rule took, each with the rule's name; `object` has them already.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ruled: Vec<(HoldAt, String)>,
    /// The userName in `object` is given by a pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<NameAt>,
    /// A review to open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<ReviewAt>,
    /// What was kept back of whom and is no longer, because HR says something else, as path and digest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<Release>,
}

/// A userName that two people should have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sync) struct Clash {
    /// The userName.
    pub user_name: String,
    /// Who should have it, and does not, by name.
    pub name: Option<String>,
}

/// A part that is kept back no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sync) struct Release {
    /// Of whom.
    pub subject: String,
    /// Which.
    pub path: String,
}

/// A userName that a pattern gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sync) struct NameAt {
    /// What the pattern made of the person, without a number.
    pub base: String,
}

/// A review to open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sync) struct ReviewAt {
    /// The records, sorted.
    pub source_ids: Vec<String>,
    /// The people they may be, sorted.
    pub candidates: Vec<PersonId>,
    /// Why.
    pub reason: String,
}

/// Groups to enter and leave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::sync) struct Groups {
    /// Enter these; one that does not exist yet is made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<GroupAt>,
    /// Leave these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<ResourceId>,
}

impl Groups {
    /// Whether nothing changes.
    pub(in crate::sync) const fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}

/// A group by the unit it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(in crate::sync) struct GroupAt {
    /// Rule and the unit's key.
    pub key: String,
    /// The unit's name.
    pub name: String,
}

/// What becomes of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sync) struct RecordEffect {
    /// The record.
    pub source_id: String,
    /// `linked`, `filtered`, `skipped`, `held`, `review`, `unreadable`.
    pub outcome: String,
    /// What stands of it in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
    /// Its manager has no user yet.
    #[serde(default, skip_serializing_if = "is_false")]
    pub waits: bool,
    /// It is staged: the record itself is stored anew. Else only its outcome is.
    #[serde(default, skip_serializing_if = "is_false")]
    pub staged: bool,
}

impl RecordEffect {
    /// As `source_record.outcome_detail` keeps it; nothing to keep is none.
    pub(in crate::sync) fn detail(&self) -> Option<Value> {
        if self.messages.is_empty() && !self.waits {
            return None;
        }
        let mut detail = serde_json::Map::new();
        if !self.messages.is_empty() {
            detail.insert("messages".to_owned(), serde_json::json!(self.messages));
        }
        if self.waits {
            detail.insert("waits".to_owned(), Value::Bool(true));
        }
        Some(Value::Object(detail))
    }
}

/// A decision to ask for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::sync) struct HoldAt {
    /// The attribute, or attributes joined by `+`.
    pub field: String,
    /// What is there.
    pub old: Option<Value>,
    /// What HR says.
    pub new: Option<Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}
