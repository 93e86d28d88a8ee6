//! One member in or out in one statement: what identity providers send nearly always. The group's row is held for the
//! time of that statement alone, so many of them on one group follow each other closely.

use super::store::{self, Step};
use crate::base::{ResourceId, TenantId};
use crate::db::Conn;
use crate::directory::resource::{Answer, Expected, Want};
use crate::directory::{Cause, Directory, Error};
use crate::scim::ResourceType;
use crate::scim::patch::{self, MemberChange};

/// The step of a change that is about one member with an id of ours.
fn step(changes: &[MemberChange]) -> Option<Step> {
    match changes {
        [MemberChange::Add(members)] => match members.as_slice() {
            [member] if member.display.is_none() => Some(Step::Add(member.value.parse().ok()?)),
            _ => None,
        },
        [MemberChange::Remove(values)] => match values.as_slice() {
            [value] => Some(Step::Remove(value.parse().ok()?)),
            _ => None,
        },
        _ => None,
    }
}

impl Directory {
    /// A PATCH that adds or removes one member and does nothing else, in a statement that needs no transaction; `None`
    /// when it is any other, which [`Directory::patch`] takes.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::UnknownReference`], [`Error::Scim`], or the database failed.
    #[tracing::instrument(name = "directory.member.patch", skip_all, fields(resource.id = %id))]
    pub async fn patch_one_member(
        &self,
        conn: &mut Conn,
        (tenant, id, kind): (TenantId, ResourceId, &ResourceType),
        request: &patch::Request,
        (expected, want): (&Expected, Want),
        cause: &Cause,
    ) -> Result<Option<Answer>, Error> {
        if *expected != Expected::Any {
            return Ok(None);
        }
        let Some(patched) = patch::members_alone(kind, request)? else {
            return Ok(None);
        };
        let Some(step) = step(&patched.members) else {
            return Ok(None);
        };
        let target = (tenant, id, kind.name.as_str());
        let Some((member, version)) = store::change_one(conn, target, step, cause).await? else {
            return Err(Error::NotFound);
        };
        match (step, member.as_deref()) {
            (Step::Add(_), Some("Group")) => return Ok(None),
            (Step::Add(_), None) if cause.leaves_out_unknown => return Ok(None),
            (Step::Add(_), None) => {
                let path = "members.value";
                return Err(Error::UnknownReference { path });
            }
            _ => {}
        }
        let found = crate::directory::store::find(conn, target, cause.client, want)
            .await?
            .ok_or(Error::NotFound)?;
        Ok(Some(Answer {
            found,
            changed: version.is_some(),
            tolerated: patched.tolerated,
        }))
    }
}
