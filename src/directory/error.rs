//! Why the directory refuses.

use super::store::Failure;
use crate::scim;

/// Why something was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request breaks a rule of the standard.
    #[error("the request is not valid SCIM")]
    Scim(#[source] scim::Error),
    /// No such resource in this tenant.
    #[error("there is no such resource")]
    NotFound,
    /// Another resource has this value already.
    #[error("the value of {attribute} is in use")]
    Uniqueness {
        /// The attribute whose value must be unique.
        attribute: &'static str,
    },
    /// The resource is not at the version that was expected.
    #[error("the resource has another version")]
    VersionMismatch,
    /// A reference names a resource that this tenant does not have.
    #[error("{path} names a resource that does not exist")]
    UnknownReference {
        /// The attribute that holds the reference.
        path: &'static str,
    },
    /// A connection's settings do not let clients change an attribute of a person from HR.
    #[error(
        "{path} of this user comes from HR (connection {connection}), whose settings refuse other values"
    )]
    Authority {
        /// The attribute.
        path: String,
        /// The connection's name.
        connection: String,
    },
    /// A group would contain itself.
    #[error("a group would become a member of itself")]
    Cycle,
    /// Others kept changing the resource while this change was tried.
    #[error("the resource keeps changing")]
    Busy,
    /// A resource type that the registry does not know.
    #[error("there is no resource type {0}")]
    UnknownKind(String),
    /// Definitions of schemas and resource types that do not fit together.
    #[error("the definitions do not fit together")]
    Definitions(Vec<scim::define::Flaw>),
    /// A change of definitions that resources stand against.
    #[error("resources stand against the change")]
    InUse(Vec<scim::define::Flaw>),
    /// What is stored of the tenant's schemas is not usable.
    #[error("the tenant's schemas are not usable")]
    Schemas(#[from] scim::BadSchema),
    /// The database failed.
    #[error("the directory cannot be reached")]
    Store(#[source] Failure),
}

impl From<scim::Error> for Error {
    fn from(error: scim::Error) -> Self {
        Self::Scim(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        super::store::explain(failure)
    }
}
