//! One type for each kind of id, so that a person can never be passed where a user is meant.
//!
//! All are UUIDv7 (RFC 9562 §5.7): they sort by the time they were made, which keeps indexes dense.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that is no id.
#[derive(Debug, thiserror::Error)]
#[error("not an id: ids are UUIDs such as 0192f0c1-2b3c-7def-8a01-23456789abcd")]
pub struct BadId;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, later in order than all made before it.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "a default id would be a new one each time")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The bare UUID, for the store.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(raw: Uuid) -> Self {
                Self(raw)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(raw: &str) -> Result<Self, BadId> {
                Uuid::try_parse(raw).map(Self).map_err(|_| BadId)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )+};
}

ids! {
    /// A tenant: one customer.
    TenantId,
    /// A SCIM client as such ("Okta of Acme"); its tokens rotate, it stays.
    ClientId,
    /// A bearer token.
    TokenId,
    /// A connection: one tenant's one HR system.
    ConnectionId,
    /// A person: the resolved human.
    PersonId,
    /// A SCIM resource: a user or a group.
    ResourceId,
    /// A run of a connection.
    RunId,
    /// A plan, of whatever cause.
    PlanId,
    /// A downstream app.
    AppId,
    /// One HTTP change to one account.
    OperationId,
    /// A decision that waits for a human.
    HoldId,
    /// A pair of records that waits for a human to say whether they are one.
    ReviewId,
    /// A file handed to a connection.
    UploadId,
    /// A hand-over of records that a caller uploads page by page.
    PushSessionId,
    /// A walk through a paged list.
    WalkId,
}
