//! Changes of membership, and the questions about it.

use std::collections::{BTreeSet, HashMap};

use super::store;
use crate::base::{ResourceId, TenantId};
use crate::db::Conn;
use crate::directory::batch::{Line, insert_changes};
use crate::directory::log::Entry;
use crate::directory::{Cause, Directory, Error, GroupRef, MemberRow};

/// Members that one row of the log tells of when a group goes.
const LET_GO_AT_ONCE: i64 = 10_000;

/// Who really was added and removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MembersWritten {
    /// Who was not a member before.
    pub added: Vec<ResourceId>,
    /// Who was a member before.
    pub removed: Vec<ResourceId>,
}

/// What several steps of one request did to the members, netted: who was added and removed again does not show.
#[derive(Debug, Default)]
pub(in crate::directory) struct Delta {
    added: BTreeSet<ResourceId>,
    removed: BTreeSet<ResourceId>,
}

impl Delta {
    pub fn add(&mut self, members: Vec<ResourceId>) {
        for member in members {
            if !self.removed.remove(&member) {
                self.added.insert(member);
            }
        }
    }

    pub fn remove(&mut self, members: Vec<ResourceId>) {
        for member in members {
            if !self.added.remove(&member) {
                self.removed.insert(member);
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    fn written(self) -> MembersWritten {
        MembersWritten {
            added: self.added.into_iter().collect(),
            removed: self.removed.into_iter().collect(),
        }
    }
}

/// Moves the group's version and logs what happened to its members, if anything did. Gives the new version.
pub(in crate::directory) async fn finish(
    conn: &mut Conn,
    (tenant, group): (TenantId, ResourceId),
    delta: Delta,
    cause: &Cause,
) -> Result<(MembersWritten, Option<i64>), Error> {
    if delta.is_empty() {
        return Ok((MembersWritten::default(), None));
    }
    let written = delta.written();
    let (kind, version, person) = store::touch(conn, (tenant, group), cause.now)
        .await?
        .ok_or(Error::NotFound)?;
    let entry = Entry::of_members(&written.added, &written.removed);
    let line = Line {
        id: group,
        kind,
        version,
        person,
        entry,
    };
    insert_changes(conn, tenant, "members", &[line], cause.now, &cause.origin).await?;
    Ok((written, Some(version)))
}

/// Logs that a resource leaves all its groups, whose versions move; the rows go with the resource.
pub(in crate::directory) async fn leave_all(
    conn: &mut Conn,
    (tenant, member): (TenantId, ResourceId),
    cause: &Cause,
) -> Result<(), Error> {
    let lines: Vec<Line> = store::touch_groups_of(conn, (tenant, member), cause.now)
        .await?
        .into_iter()
        .map(|(id, kind, version)| Line {
            id,
            kind,
            version,
            person: None,
            entry: Entry::of_members(&[], &[member]),
        })
        .collect();
    if !lines.is_empty() {
        insert_changes(conn, tenant, "members", &lines, cause.now, &cause.origin).await?;
    }
    Ok(())
}

/// Logs that a group that goes lets its members go, so that the log alone tells who was in it; the rows go with the group.
pub(in crate::directory) async fn let_all_go(
    conn: &mut Conn,
    (tenant, group): (TenantId, ResourceId),
    (kind, version): (&str, i64),
    cause: &Cause,
) -> Result<(), Error> {
    let mut after = None;
    loop {
        let members = store::members_of(conn, (tenant, group), after, LET_GO_AT_ONCE).await?;
        let ids: Vec<ResourceId> = members.iter().map(|member| member.id).collect();
        let Some(last) = ids.last().copied() else {
            return Ok(());
        };
        after = Some(last);
        let line = Line {
            id: group,
            kind: kind.to_owned(),
            version,
            person: None,
            entry: Entry::of_members(&[], &ids),
        };
        insert_changes(conn, tenant, "members", &[line], cause.now, &cause.origin).await?;
        if i64::try_from(ids.len()).unwrap_or(i64::MAX) < LET_GO_AT_ONCE {
            return Ok(());
        }
    }
}

/// Refuses groups as members of a group that is among their own, direct or through others, and keeps others of the
/// tenant from putting groups into groups until this transaction ends.
pub(in crate::directory) async fn refuse_cycle(
    conn: &mut Conn,
    (tenant, group): (TenantId, ResourceId),
    groups: &[ResourceId],
) -> Result<(), Error> {
    if groups.is_empty() {
        return Ok(());
    }
    store::hold_nesting(conn, tenant).await?;
    if store::holds_cycle(conn, (tenant, group), groups).await? {
        return Err(Error::Cycle);
    }
    Ok(())
}

impl Directory {
    /// Adds and removes members of a group; who is a member already, or is none, is passed over, and so is who does
    /// not exist in the tenant. One change row tells of all; nothing changed writes nothing. `origin` says who put
    /// the members there (`hr`, `client:<id>`): a run removes only members of that origin, clients and
    /// administrators remove any. Wants the caller's transaction, in which the group is held still.
    ///
    /// # Errors
    /// [`Error::NotFound`] without such a group, [`Error::Cycle`], or the database failed.
    #[tracing::instrument(name = "directory.members.change", skip_all, fields(resource.id = %group))]
    pub async fn change_members(
        &self,
        conn: &mut Conn,
        (tenant, group): (TenantId, ResourceId),
        add: &[ResourceId],
        remove: &[ResourceId],
        origin: &str,
        cause: &Cause,
    ) -> Result<MembersWritten, Error> {
        if !crate::directory::store::lock(conn, tenant, group, "Group").await? {
            return Err(Error::NotFound);
        }
        let mut delta = Delta::default();
        if !remove.is_empty() {
            let only = (!cause.may_remove_any_member()).then_some(origin);
            delta.remove(store::remove(conn, (tenant, group), remove, only).await?);
        }
        if !add.is_empty() {
            let groups = store::groups_among(conn, tenant, add).await?;
            refuse_cycle(conn, (tenant, group), &groups).await?;
            delta.add(store::add(conn, (tenant, group), add, origin, cause.now).await?);
        }
        Ok(finish(conn, (tenant, group), delta, cause).await?.0)
    }

    /// The groups that resources are in directly.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn groups_of(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        ids: &[ResourceId],
    ) -> Result<HashMap<ResourceId, Vec<GroupRef>>, Error> {
        let mut groups: HashMap<ResourceId, Vec<GroupRef>> = HashMap::new();
        for (member, group) in store::groups_of(conn, tenant, ids).await? {
            groups.entry(member).or_default().push(group);
        }
        Ok(groups)
    }

    /// Up to `limit` members of a group in the order of their ids, after one of them.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn members_of(
        &self,
        conn: &mut Conn,
        (tenant, group): (TenantId, ResourceId),
        after: Option<ResourceId>,
        limit: i64,
    ) -> Result<Vec<MemberRow>, Error> {
        Ok(store::members_of(conn, (tenant, group), after, limit).await?)
    }
}
