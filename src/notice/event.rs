//! What somebody is told of.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::{AppId, ConnectionId, PersonId};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal),+ $(,)?) => {
        /// What somebody is told of. A closed list: each has its text in every language.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum EventKind {
            $($(#[$doc])* $name),+
        }

        impl EventKind {
            /// All of them, in the order of this list.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The word in the store, in files and in JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word),+
                }
            }
        }
    };
}

kinds! {
    /// A run ended. Key: the run. Detail: `run`, `state`, `counts`.
    RunDone = "run_done",
    /// A run waits for approval. Key: the run. Detail: `run`, `plan_hash`, `reasons`, `counts`.
    RunAwaitingApproval = "run_awaiting_approval",
    /// A run failed. Key: the run. Detail: `run`, `error`.
    RunFailed = "run_failed",
    /// A plan of an app, or of a bulk action, waits for approval. Key: the plan. Detail: `plan`, `cause`, `reasons`, `counts`.
    AppAwaitingApproval = "app_awaiting_approval",
    /// An approved plan of an app or a bulk action could not be applied. Key: the plan. Detail: `plan`, `cause`, `reason`.
    PlanFailed = "plan_failed",
    /// Somebody was deactivated. Key: the run (or `by_hand`), a slash, and the user. Detail: `user`, `name`, `user_name`, `run`.
    PersonDeactivated = "person_deactivated",
    /// More people were deactivated at once than are told of one by one. Key of this digest and of all others: the run, or the
    /// connection or app and the hour; the first of them; whose digest it is. Detail: `run`, `count`, `people`, `more`.
    PeopleDeactivated = "people_deactivated",
    /// A value differs and waits for a decision. Key: the connection or app, the hold, and a mark of the value. Detail: `hold`, `field`, `old`, `new`, `name`.
    ValueHeld = "value_held",
    /// More values wait than are told of one by one. Key: the connection or app and the hour. Detail: `count`, `values`, `more`.
    ValuesHeld = "values_held",
    /// An app has accounts that nobody of ours has. Key: the app and the compare. Detail: `count`.
    AccountsUnmatched = "accounts_unmatched",
    /// Somebody new is invited. Key: the account. Detail: `to`, `name`, `user_name`, `link`, `language`.
    Welcome = "welcome",
    /// Somebody's account will be removed. Key: the account and the cause. Detail: `to`, `name`, `user_name`, `on`.
    DeletionNotice = "deletion_notice",
    /// An HR system or an app refused our credentials. Key: the connection or app and the occurrence. Detail: `message`.
    CredentialFailed = "credential_failed",
    /// An app keeps failing and was quarantined. Key: the app and since when. Detail: `reason`.
    AppQuarantined = "app_quarantined",
    /// A client, an app or the whole tenant was frozen. Key: who and since when. Detail: `who`, `reason`.
    ClientOrAppFrozen = "client_or_app_frozen",
    /// A connection has not been read to its end for too long. Key: the connection and since when. Detail: `since`.
    FeedStale = "feed_stale",
    /// A leaver's account is still open. Key: the account and the cause. Detail: `user`, `since`, `state`, `reason`.
    LeaverNotDisabled = "leaver_not_disabled",
    /// More of them than are told of one by one. Key: the app and the hour. Detail: `count`, `people`, `more`.
    LeaversNotDisabled = "leavers_not_disabled",
    /// An app was told of a new number that its user has yet to verify. Key: the app and the call. Detail: `user`, `name`, `fields`.
    PhoneUnverified = "phone_unverified",
    /// More of them than are told of one by one. Key: the app and the hour. Detail: `count`, `people`, `more`.
    PhonesUnverified = "phones_unverified",
    /// Somebody returned and was not enabled again, by the policy. Key: the person and the day. Detail: `name`, `reason`.
    ReactivationWithheld = "reactivation_withheld",
    /// More of them than are told of one by one. Key: the run, or the app and the hour. Detail: `count`, `people`, `more`.
    ReactivationsWithheld = "reactivations_withheld",
    /// Somebody cannot have a user or an account since somebody else has the user name. Key: the connection, the person and
    /// the user name, or the app and the call. Detail: `user`, `name`, `user_name`, `reason`, `run`.
    UserNameTaken = "user_name_taken",
    /// More of them than are told of one by one. Key: the connection or app and the hour. Detail: `count`, `people`, `more`.
    UserNamesTaken = "user_names_taken",
    /// A webhook of ours was switched off after failing for days. Key: the subscription and since when. Detail:
    /// `subscription`, `since`, `reason`.
    SubscriptionDisabled = "subscription_disabled",
}

/// What of an event's detail is about a person and not only names one by an id.
const PERSONAL: &[&str] = &[
    "to",
    "name",
    "given_name",
    "user_name",
    "old",
    "new",
    "people",
    "values",
    "link",
    "accounts",
    "language",
];

impl EventKind {
    /// Whether it is told to the person and not to admins.
    #[must_use]
    pub const fn is_for_the_person(self) -> bool {
        matches!(self, Self::Welcome | Self::DeletionNotice)
    }

    /// Whether it is told in the place of many others.
    pub(super) fn is_digest(self) -> bool {
        Self::ALL.iter().any(|kind| kind.digest() == Some(self))
    }

    /// What is told in the place of many events of this kind.
    #[must_use]
    pub(super) const fn digest(self) -> Option<Self> {
        match self {
            Self::PersonDeactivated => Some(Self::PeopleDeactivated),
            Self::ValueHeld => Some(Self::ValuesHeld),
            Self::LeaverNotDisabled => Some(Self::LeaversNotDisabled),
            Self::ReactivationWithheld => Some(Self::ReactivationsWithheld),
            Self::UserNameTaken => Some(Self::UserNamesTaken),
            Self::PhoneUnverified => Some(Self::PhonesUnverified),
            _ => None,
        }
    }

    /// Whether it calls for somebody to act: better told twice than never.
    #[must_use]
    pub const fn is_alarm(self) -> bool {
        !matches!(
            self,
            Self::Welcome
                | Self::DeletionNotice
                | Self::RunDone
                | Self::PersonDeactivated
                | Self::PeopleDeactivated
        )
    }

    /// The kind of that word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == word)
    }
}

/// The detail without what is about a person: ids and numbers.
#[must_use]
pub fn impersonal(detail: &Value) -> Value {
    match detail {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| !PERSONAL.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        other => other.clone(),
    }
}

/// A value for people: of a list of values with types the values alone.
#[must_use]
pub fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let parts: Vec<String> = parts
                .iter()
                .map(|part| shown(part.get("value").or(Some(part))))
                .collect();
            parts.join(", ")
        }
        Some(other) => other.to_string(),
    }
}

/// A legal entity by all the words that stand for it: id, code, name. Whoever is told of an entity names it by any of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity(Vec<String>);

impl Entity {
    /// The entity of these words, the one that is shown first; none without words.
    #[must_use]
    pub fn of(words: &[&str]) -> Option<Self> {
        (!words.is_empty()).then(|| Self(words.iter().map(|word| (*word).to_owned()).collect()))
    }

    pub(super) fn words(&self) -> &[String] {
        &self.0
    }
}

/// An event to be raised.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// What happened.
    pub kind: EventKind,
    /// What it is about: raised again with the same kind and key it stays one event.
    pub key: String,
    /// The connection it is of.
    pub connection: Option<ConnectionId>,
    /// The app it is of.
    pub app: Option<AppId>,
    /// The legal entity it belongs to.
    pub entity: Option<Entity>,
    /// The person it is about.
    pub person: Option<PersonId>,
    /// Numbers and ids; personal data only in the fields that the text needs. An object.
    pub detail: Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_a_kind_is_the_same_in_the_store_and_in_json() {
        for kind in EventKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(EventKind::of(kind.as_str()), Some(*kind));
        }
        assert_eq!(EventKind::of("lunch"), None);
    }
}
