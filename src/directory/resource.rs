//! Resources as they come in and go out.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::base::{ClientId, ConnectionId, PersonId, ResourceId};
use crate::scim::{Object, Shape};

/// A whole resource to be written by a run or an administrator.
#[derive(Debug, Clone)]
pub struct Put {
    /// The resource; `None` creates one.
    pub id: Option<ResourceId>,
    /// The resource type, `User` or `Group`.
    pub kind: String,
    /// All attributes, without id, meta, externalId, groups and members. `active` is overruled by the holds.
    pub object: Object,
    /// What a client calls it; `None` leaves that as it is.
    pub external_id: Option<(ClientId, String)>,
    /// Whose user it is; `None` leaves that as it is.
    pub person: Option<PersonId>,
    /// Refuse unless this is the stored version.
    pub expected: Option<i64>,
    /// Whether the writing party holds the user disabled after this: its own name (see
    /// [`super::Cause::party`]) in the list, or not. Names of other parties count only on creation.
    pub disabled_by: Vec<String>,
}

/// What a write did.
#[derive(Debug, Clone)]
pub struct Written {
    /// The resource.
    pub id: ResourceId,
    /// The attributes before; `None` when it was created.
    pub before: Option<Object>,
    /// The attributes now.
    pub after: Object,
    /// The version now.
    pub version: i64,
    /// Whether anything was written.
    pub changed: bool,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it last changed.
    pub last_modified: DateTime<Utc>,
    /// What the writing client calls it now.
    pub external_id: Option<String>,
}

/// What a client's request did, ready to be shown.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The resource now.
    pub found: Found,
    /// Whether anything was written.
    pub changed: bool,
    /// Shapes in the request that the RFC does not have.
    pub tolerated: Vec<Shape>,
}

/// A resource as stored.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The resource.
    pub id: ResourceId,
    /// Its type.
    pub kind: String,
    /// Its attributes, without id, meta, externalId, groups and members.
    pub object: Object,
    /// The number in its ETag.
    pub version: i64,
    /// Whether it is active; `None` for types without that attribute.
    pub active: Option<bool>,
    /// Whose user it is.
    pub person: Option<PersonId>,
    /// Who holds it disabled.
    pub disabled_by: Vec<String>,
    /// Of a user who comes from HR: whose value stands where it is not HR's, by attribute path.
    pub writers: BTreeMap<String, String>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it last changed.
    pub last_modified: DateTime<Utc>,
}

/// Which computed attributes a reader wants.
#[derive(Debug, Clone, Copy, Default)]
pub struct Want {
    /// The groups a resource is in.
    pub groups: bool,
    /// The members a group has, and the name of a user's manager.
    pub members: bool,
}

/// A resource as a reader gets it: the attributes as stored text, so that they can be passed through unparsed.
#[derive(Debug, Clone)]
pub struct Found {
    /// The resource.
    pub id: ResourceId,
    /// Its type.
    pub kind: String,
    /// Its attributes as JSON text: an object.
    pub body: String,
    /// The number in its ETag.
    pub version: i64,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it last changed.
    pub last_modified: DateTime<Utc>,
    /// Whose user it is.
    pub person: Option<PersonId>,
    /// Who holds it disabled.
    pub disabled_by: Vec<String>,
    /// What the reading client calls it.
    pub own_external_id: Option<String>,
    /// What HR calls it, when the client does not call it anything.
    pub hr_external_id: Option<String>,
    /// The connections that call it something: it comes from them.
    pub connections: Vec<ConnectionId>,
    /// The manager's display name, when asked for and the manager is one of our users.
    pub manager: Option<String>,
    /// The groups it is in, when asked for: the direct ones by their ids, then the others by theirs.
    pub groups: Vec<GroupRef>,
    /// Whether one of these groups is in a group.
    pub nested: bool,
    /// Its first members by their ids, when asked for.
    pub members: Vec<MemberRow>,
    /// Whether there are more members than these: [`super::Directory::members_of`] has them.
    pub more_members: bool,
}

impl Found {
    /// The `externalId` to show: the client's own, or else HR's.
    #[must_use]
    pub fn external_id(&self) -> Option<&str> {
        self.own_external_id.as_deref().or(self.hr_external_id.as_deref())
    }
}

/// A group that somebody is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRef {
    /// The group.
    pub id: ResourceId,
    /// Its display name.
    pub display: String,
    /// Whether itself and not only through a group in it (RFC 7643 §4.1.2).
    pub direct: bool,
}

impl GroupRef {
    pub(super) const fn direct(id: ResourceId, display: String) -> Self {
        let direct = true;
        Self { id, display, direct }
    }
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRow {
    /// The member.
    pub id: ResourceId,
    /// Its type.
    pub kind: String,
    /// Its display name, or else its userName.
    pub display: String,
}

impl MemberRow {
    /// From type and name with a blank between them; types have none.
    pub(super) fn labelled(id: ResourceId, label: &str) -> Self {
        let (kind, display) = label.split_once(' ').unwrap_or((label, ""));
        Self {
            id,
            kind: kind.to_owned(),
            display: display.to_owned(),
        }
    }
}

/// What a conditional request expects (`If-Match` and `If-None-Match`, RFC 7644 §3.14).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Expected {
    /// Any version.
    #[default]
    Any,
    /// One of these versions.
    OneOf(Vec<i64>),
    /// Any version but these.
    NoneOf(Vec<i64>),
}

impl Expected {
    /// Whether this version is what is expected.
    #[must_use]
    pub fn admits(&self, version: i64) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(versions) => versions.contains(&version),
            Self::NoneOf(versions) => !versions.contains(&version),
        }
    }
}

impl From<Option<i64>> for Expected {
    fn from(version: Option<i64>) -> Self {
        version.map_or(Self::Any, |version| Self::OneOf(vec![version]))
    }
}
