//! What SCIM clients write: POST, PUT, PATCH.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::authority;
use super::log::{self, Entry};
use super::member::{self, Delta};
use super::resource::{Answer, Expected, Found, Want};
use super::row::{self, Missing};
use super::store::{self, Beside, Note};
use super::{Cause, Directory, Error};
use crate::base::{ResourceId, TenantId};
use crate::db::{Conn, Transactional as _};
use crate::scim::patch::{self, MemberChange};
use crate::scim::{self, ENTERPRISE, Incoming, Member, Object, ResourceType};

/// How often a change is computed anew because others were faster.
pub(super) const TRIES: u32 = 8;

/// The attributes and the rest that a request wants a resource to have.
struct Wish {
    object: Object,
    external_id: Option<String>,
    members: Vec<MemberChange>,
    tolerated: Vec<scim::Shape>,
    /// It speaks of the whole resource, and what it leaves out is to go.
    whole: bool,
}

impl Directory {
    /// Makes a resource (RFC 7644 §3.3). One statement, and one more for a manager, in a transaction; with members it
    /// wants the caller's.
    ///
    /// # Errors
    /// [`Error::Uniqueness`], [`Error::UnknownReference`], or the database failed.
    #[tracing::instrument(name = "directory.resource.create", skip_all)]
    pub async fn create(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        kind: &ResourceType,
        incoming: Incoming,
        cause: &Cause,
    ) -> Result<Answer, Error> {
        let Incoming {
            mut object,
            external_id,
            members,
            tolerated,
            ..
        } = incoming;
        let holds = object.get("active") == Some(&Value::Bool(false));
        let disabled_by = row::holds_after(&[], &cause.party(), holds);
        row::settle(kind, &mut object, &disabled_by, Missing::True);
        let mut lines = log::differences(kind, &Object::new(), &object);
        if let Some(external) = &external_id {
            lines.push(log::line("externalId", None, Some(external.as_str().into())));
        }
        let id = ResourceId::new();
        let entry = Entry::of(&lines.into());
        let note = Note {
            now: cause.now,
            origin: &cause.origin,
            entry: &entry,
        };
        let columns = row::columns(tenant, kind, &object, true);
        let external = (cause.client, external_id.as_deref());
        let target = (tenant, id, kind.name.as_str());
        let (manager, made) = match manager_id(&object) {
            None => {
                let made = store::insert_one(conn, target, &columns, &disabled_by, external, &note).await?;
                (None, made)
            }
            Some(manager) => {
                conn.transaction(async |conn| {
                    let name = known_manager(conn, tenant, manager).await?;
                    let made =
                        store::insert_one(conn, target, &columns, &disabled_by, external, &note).await?;
                    Ok::<_, Error>((Some(name), made))
                })
                .await?
            }
        };
        if !made {
            return Err(Error::Uniqueness {
                attribute: "userName",
            });
        }
        let mut found = Found {
            id,
            kind: kind.name.clone(),
            body: columns.body,
            version: 1,
            created: cause.now,
            last_modified: cause.now,
            person: None,
            disabled_by,
            own_external_id: external_id,
            hr_external_id: None,
            connections: Vec::new(),
            manager,
            groups: Vec::new(),
            nested: false,
            members: Vec::new(),
            more_members: false,
        };
        if let Some(members) = members.filter(|members| !members.is_empty()) {
            let delta = change(
                conn,
                ((tenant, id), kind),
                vec![MemberChange::Add(members)],
                cause,
            )
            .await?;
            if member::finish(conn, (tenant, id), delta, cause)
                .await?
                .1
                .is_some()
            {
                let want = Want {
                    members: true,
                    groups: false,
                };
                found = store::find(conn, target, cause.client, want)
                    .await?
                    .ok_or(Error::NotFound)?;
            }
        }
        Ok(Answer {
            found,
            changed: true,
            tolerated,
        })
    }

    /// Replaces a resource (RFC 7644 §3.5.1). With members it wants the caller's transaction.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::VersionMismatch`], [`Error::Uniqueness`], [`Error::UnknownReference`],
    /// [`Error::Scim`], [`Error::Busy`], or the database failed.
    #[tracing::instrument(name = "directory.resource.replace", skip_all, fields(resource.id = %id))]
    pub async fn replace(
        &self,
        conn: &mut Conn,
        (tenant, id, kind): (TenantId, ResourceId, &ResourceType),
        incoming: &Incoming,
        (expected, want): (&Expected, Want),
        cause: &Cause,
    ) -> Result<Answer, Error> {
        let wish = |view: &Object, _: Option<&str>| {
            let members = incoming.members.clone().unwrap_or_default();
            Ok(Wish {
                object: scim::replace(kind, view, incoming.clone())?,
                external_id: incoming.external_id.clone(),
                members: vec![MemberChange::Replace(members)],
                tolerated: incoming.tolerated.clone(),
                whole: true,
            })
        };
        revise(conn, (tenant, id, kind), wish, (expected, want), cause).await
    }

    /// Changes some attributes of a resource (RFC 7644 §3.5.2): two statements for a user, one more for a new
    /// manager. For types with members it wants the caller's transaction.
    ///
    /// # Errors
    /// As [`Directory::replace`].
    #[tracing::instrument(name = "directory.resource.patch", skip_all, fields(resource.id = %id))]
    pub async fn patch(
        &self,
        conn: &mut Conn,
        (tenant, id, kind): (TenantId, ResourceId, &ResourceType),
        request: &patch::Request,
        (expected, want): (&Expected, Want),
        cause: &Cause,
    ) -> Result<Answer, Error> {
        let wish = |view: &Object, external: Option<&str>| {
            let patched = patch::apply(kind, view, external, request)?;
            Ok(Wish {
                object: patched.object,
                external_id: patched.external_id,
                members: patched.members,
                tolerated: patched.tolerated,
                whole: false,
            })
        };
        revise(conn, (tenant, id, kind), wish, (expected, want), cause).await
    }
}

/// Reads, computes and writes, again when others were faster; types with members are held still instead.
async fn revise(
    conn: &mut Conn,
    (tenant, id, kind): (TenantId, ResourceId, &ResourceType),
    wish: impl Fn(&Object, Option<&str>) -> Result<Wish, Error>,
    (expected, want): (&Expected, Want),
    cause: &Cause,
) -> Result<Answer, Error> {
    let has_members = kind.membership().is_some();
    if has_members && !store::lock(conn, tenant, id, &kind.name).await? {
        return Err(Error::NotFound);
    }
    let target = (tenant, id, kind.name.as_str());
    for _ in 0..TRIES {
        // Members are read after the change, or not at all.
        let first = Want {
            members: want.members && !has_members,
            ..want
        };
        let found = store::find(conn, target, cause.client, first)
            .await?
            .ok_or(Error::NotFound)?;
        if !expected.admits(found.version) {
            return Err(Error::VersionMismatch);
        }
        let Some((mut answer, members)) = attempt(conn, (tenant, kind), &wish, found, cause).await? else {
            continue;
        };
        if has_members {
            let delta = change(conn, ((tenant, id), kind), members, cause).await?;
            let moved = member::finish(conn, (tenant, id), delta, cause).await?.1;
            answer.changed |= moved.is_some();
            if moved.is_some() || want.members {
                answer.found = store::find(conn, target, cause.client, want)
                    .await?
                    .ok_or(Error::NotFound)?;
            }
        }
        return Ok(answer);
    }
    Err(Error::Busy)
}

/// Writes the attributes once; `None` when others were faster.
async fn attempt(
    conn: &mut Conn,
    (tenant, kind): (TenantId, &ResourceType),
    wish: &impl Fn(&Object, Option<&str>) -> Result<Wish, Error>,
    mut found: Found,
    cause: &Cause,
) -> Result<Option<(Answer, Vec<MemberChange>)>, Error> {
    let stored: Object = serde_json::from_str(&found.body).unwrap_or_default();
    let party = cause.party();
    let view = as_party_sees_it(&stored, &found.disabled_by, &party);
    let Wish {
        mut object,
        external_id,
        members,
        tolerated,
        whole,
    } = wish(&view, found.own_external_id.as_deref())?;
    let holds = object.get("active") == Some(&Value::Bool(false));
    let disabled_by = row::holds_after(&found.disabled_by, &party, holds);
    if whole {
        cause.authorities.complete(kind, &found, &stored, &mut object);
    }
    row::settle(kind, &mut object, &disabled_by, Missing::Missing);

    let mut lines = log::differences(kind, &stored, &object);
    cause.authorities.check(&found, &lines)?;
    let renamed = external_id != found.own_external_id;
    if renamed {
        let (before, after) = (found.own_external_id.clone(), external_id.clone());
        lines.push(log::line(
            "externalId",
            before.map(Value::from),
            after.map(Value::from),
        ));
    }
    if disabled_by != found.disabled_by {
        lines.push(log::line(
            "disabledBy",
            Some(json!(found.disabled_by)),
            Some(json!(disabled_by)),
        ));
    }
    if lines.is_empty() {
        return Ok(Some((
            Answer {
                found,
                changed: false,
                tolerated,
            },
            members,
        )));
    }
    let moves = manager_of(&object) != manager_of(&stored);
    let rekeyed = renamed || lines.iter().any(has_keys);
    let columns = row::columns(tenant, kind, &object, rekeyed);
    let claims = found
        .person
        .map(|_| Value::Object(authority::claims(&lines, &party)));
    let entry = Entry::of(&lines.into());
    let note = Note {
        now: cause.now,
        origin: &cause.origin,
        entry: &entry,
    };
    let beside = if rekeyed {
        Beside::KeysAnd(cause.client, external_id.as_deref(), claims.as_ref())
    } else {
        Beside::Nothing
    };
    let row = (tenant, found.id, found.version);
    let (manager, version) = match manager_id(&object).filter(|_| moves) {
        None => {
            let version = store::update_one(conn, row, &columns, &disabled_by, beside, &note).await?;
            (None, version)
        }
        Some(manager) => {
            conn.transaction(async |conn| {
                let name = known_manager(conn, tenant, manager).await?;
                let version = store::update_one(conn, row, &columns, &disabled_by, beside, &note).await?;
                Ok::<_, Error>((Some(name), version))
            })
            .await?
        }
    };
    let Some(version) = version else { return Ok(None) };
    if moves {
        found.manager = manager;
    }
    found.version = version;
    found.last_modified = cause.now;
    found.body = columns.body;
    found.disabled_by = disabled_by;
    found.own_external_id = external_id;
    Ok(Some((
        Answer {
            found,
            changed: true,
            tolerated,
        },
        members,
    )))
}

/// Whether a line of a delta is about an attribute that is looked up by its value.
fn has_keys(line: &Value) -> bool {
    !matches!(
        line.get("path").and_then(Value::as_str),
        Some("active" | "disabledBy")
    )
}

/// A resource with `active` as far as one party is concerned: what that party says next is judged against its own
/// hold, not against those of others. So `active: true` lifts its own hold and no other, and `active: false` adds its
/// own although somebody else holds the user disabled already.
fn as_party_sees_it(stored: &Object, disabled_by: &[String], party: &str) -> Object {
    let mut view = stored.clone();
    if let Some(active) = view.get_mut("active") {
        *active = Value::Bool(!disabled_by.iter().any(|holder| holder == party));
    }
    view
}

fn manager_of(object: &Object) -> Option<&str> {
    object.get(ENTERPRISE)?.get("manager")?.get("value")?.as_str()
}

/// The manager where it is named by an id; free text (Okta maps a name there) is kept as it is.
fn manager_id(object: &Object) -> Option<ResourceId> {
    manager_of(object)?.parse().ok()
}

/// The name of a manager, who must be a user of the tenant. Whoever deletes him waits until the end of the transaction,
/// in which he is named, and then finds the new report.
async fn known_manager(conn: &mut Conn, tenant: TenantId, manager: ResourceId) -> Result<String, Error> {
    let name = store::hold_name_of(conn, tenant, manager).await?;
    let path = "manager.value";
    name.ok_or(Error::UnknownReference { path })
}

/// Carries out member changes one after the other.
async fn change(
    conn: &mut Conn,
    (group, kind): ((TenantId, ResourceId), &ResourceType),
    changes: Vec<MemberChange>,
    cause: &Cause,
) -> Result<Delta, Error> {
    let mut delta = Delta::default();
    for change in changes {
        match change {
            MemberChange::Add(members) => {
                let ids = known_members(conn, group, &members, cause).await?;
                delta.add(add(conn, group, (&ids, &members), cause).await?);
            }
            MemberChange::Replace(members) => {
                let ids = known_members(conn, group, &members, cause).await?;
                delta.remove(member::remove_all_but(conn, group, &ids).await?);
                delta.add(add(conn, group, (&ids, &members), cause).await?);
            }
            MemberChange::Remove(values) => {
                let ids: Vec<ResourceId> = values.iter().filter_map(|value| value.parse().ok()).collect();
                delta.remove(member::remove(conn, group, &ids, None).await?);
            }
            MemberChange::RemoveWhere(filter) => {
                delta.remove(member::remove_where(conn, group, kind, &filter).await?);
            }
            MemberChange::Clear => delta.remove(member::remove_all_but(conn, group, &[]).await?),
        }
    }
    Ok(delta)
}

/// Adds members that are known, with the names that the client has for them; gives those that were not members before.
async fn add(
    conn: &mut Conn,
    group: (TenantId, ResourceId),
    (ids, members): (&[ResourceId], &[Member]),
    cause: &Cause,
) -> Result<Vec<ResourceId>, Error> {
    let added = member::add(conn, group, ids, &cause.party(), cause.now).await?;
    let new: HashSet<ResourceId> = added.iter().copied().collect();
    let names: Vec<(ResourceId, &str)> = members
        .iter()
        .filter_map(|member| Some((member.value.parse().ok()?, member.display.as_deref()?)))
        .filter(|(id, _)| new.contains(id))
        .collect();
    member::name(conn, group, &names).await?;
    Ok(added)
}

/// The ids of members that all exist in the tenant and do not contain the group.
async fn known_members(
    conn: &mut Conn,
    (tenant, group): (TenantId, ResourceId),
    members: &[Member],
    cause: &Cause,
) -> Result<Vec<ResourceId>, Error> {
    let unknown = || Error::UnknownReference {
        path: "members.value",
    };
    let mut ids = members
        .iter()
        .filter_map(|member| match member.value.parse() {
            Ok(id) => Some(Ok(id)),
            Err(_) if cause.leaves_out_unknown => None,
            Err(_) => Some(Err(unknown())),
        })
        .collect::<Result<Vec<ResourceId>, _>>()?;
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(ids);
    }
    let known = member::kinds_of(conn, tenant, &ids).await?;
    if known.len() != ids.len() {
        if !cause.leaves_out_unknown {
            return Err(unknown());
        }
        ids.retain(|id| known.iter().any(|row| row.id == *id));
    }
    let groups: Vec<ResourceId> = known
        .iter()
        .filter(|row| row.kind == "Group")
        .map(|row| row.id)
        .collect();
    member::refuse_cycle(conn, (tenant, group), &groups).await?;
    Ok(ids)
}
