//! `put` and `put_many`: the door for runs and administrators.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::store::{self, Draft, Way};
use crate::base::{ClientId, PersonId, ResourceId, TenantId};
use crate::db::Conn;
use crate::directory::authority;
use crate::directory::log::{self, Entry};
use crate::directory::row::{self, Missing};
use crate::directory::{Cause, Directory, Error, Put, Stored, Written};
use crate::scim::{Object, ResourceType};

impl Directory {
    /// Writes one whole resource; what changes nothing writes nothing. Wants the caller's transaction.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::VersionMismatch`], [`Error::Uniqueness`], or the database failed.
    pub async fn put(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        put: Put,
        cause: &Cause,
    ) -> Result<Written, Error> {
        let mut done = self.put_many(conn, tenant, vec![put], cause).await?;
        done.pop().unwrap_or(Err(Error::NotFound))
    }

    /// Writes whole resources in a fixed number of statements; the results stand in the order of `puts`. A conflict
    /// is that item's error and leaves the others alone. A resource may stand in a batch once; a second time it is
    /// [`Error::Busy`]. References (manager) are taken as given: they are the caller's own ids. Wants the caller's
    /// transaction; the rows are held still from the first statement on.
    ///
    /// # Errors
    /// When the database failed, or in a race for an externalId; then the transaction is lost.
    #[tracing::instrument(name = "directory.batch.put", skip_all, fields(puts = puts.len()))]
    pub async fn put_many(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        puts: Vec<Put>,
        cause: &Cause,
    ) -> Result<Vec<Result<Written, Error>>, Error> {
        let registry = self.registry(conn, tenant).await?;
        let mut stored = held(conn, tenant, &puts).await?;
        let mut seen = HashSet::new();
        let items = puts
            .into_iter()
            .enumerate()
            .map(|(at, put)| {
                let before = match put.id {
                    Some(id) if !seen.insert(id) => return Err(Error::Busy),
                    Some(id) => Some(stored.remove(&id).ok_or(Error::NotFound)?),
                    None => None,
                };
                let kind = registry
                    .kind(&put.kind)
                    .ok_or_else(|| Error::UnknownKind(put.kind.clone()))?;
                Item::of(tenant, kind, at, put, before, cause)
            })
            .collect();
        write(conn, tenant, items, cause).await
    }
}

type Held = (Stored, Option<String>);

async fn held(conn: &mut Conn, tenant: TenantId, puts: &[Put]) -> Result<HashMap<ResourceId, Held>, Error> {
    let mut named: Vec<(ResourceId, Option<ClientId>)> = puts
        .iter()
        .filter_map(|put| Some((put.id?, put.external_id.as_ref().map(|(client, _)| *client))))
        .collect();
    named.sort_unstable_by_key(|(id, _)| *id);
    named.dedup_by_key(|(id, _)| *id);
    if named.is_empty() {
        return Ok(HashMap::new());
    }
    let (ids, clients): (Vec<_>, Vec<_>) = named.into_iter().unzip();
    let rows = crate::directory::store::load_locked(conn, tenant, &ids, &clients).await?;
    Ok(rows.into_iter().map(|row| (row.0.id, row)).collect())
}

/// One item of a batch: what it would do, and the draft that does it, when it does anything.
struct Item {
    written: Written,
    draft: Option<Draft>,
    way: Way,
}

impl Item {
    fn of(
        tenant: TenantId,
        kind: &ResourceType,
        at: usize,
        put: Put,
        before: Option<Held>,
        cause: &Cause,
    ) -> Result<Self, Error> {
        match before {
            None => Ok(Self::created(tenant, kind, at, put, cause)),
            Some((stored, external)) => {
                if stored.kind != put.kind {
                    return Err(Error::NotFound);
                }
                if put.expected.is_some_and(|version| version != stored.version) {
                    return Err(Error::VersionMismatch);
                }
                Ok(Self::updated(tenant, kind, at, put, stored, external, cause))
            }
        }
    }

    fn created(tenant: TenantId, kind: &ResourceType, at: usize, put: Put, cause: &Cause) -> Self {
        let Put {
            mut object,
            external_id,
            person,
            mut disabled_by,
            ..
        } = put;
        disabled_by.sort_unstable();
        disabled_by.dedup();
        row::settle(kind, &mut object, &disabled_by, Missing::True);
        let mut lines = log::differences(kind, &Object::new(), &object);
        if let Some((_, external)) = &external_id {
            lines.push(log::line("externalId", None, Some(external.as_str().into())));
        }
        let id = ResourceId::new();
        let draft = Draft {
            at,
            id,
            kind: kind.name.clone(),
            columns: row::columns(tenant, kind, &object, true),
            with_keys: true,
            disabled_by,
            person,
            external: external_id.clone(),
            writers: None,
            entry: Entry::of(&lines.into()),
        };
        let written = Written {
            id,
            before: None,
            after: object,
            version: 1,
            changed: true,
            created: cause.now,
            last_modified: cause.now,
            external_id: external_id.map(|(_, value)| value),
        };
        Self {
            written,
            draft: Some(draft),
            way: Way::Insert,
        }
    }

    fn updated(
        tenant: TenantId,
        kind: &ResourceType,
        at: usize,
        put: Put,
        stored: Stored,
        external: Option<String>,
        cause: &Cause,
    ) -> Self {
        let party = cause.party();
        let holds = put.disabled_by.contains(&party);
        let disabled_by = row::holds_after(&stored.disabled_by, &party, holds);
        let mut object = put.object;
        row::settle(kind, &mut object, &disabled_by, Missing::True);
        let new_external = put
            .external_id
            .filter(|(_, value)| external.as_deref() != Some(value));
        let person = put.person.or(stored.person);
        let lines = update_lines(
            kind,
            &stored,
            &object,
            &disabled_by,
            external.as_deref(),
            new_external.as_ref(),
        );
        let changed = !lines.is_empty() || person != stored.person;
        let draft = changed.then(|| {
            let columns = row::columns(tenant, kind, &object, true);
            Draft {
                at,
                id: stored.id,
                kind: stored.kind.clone(),
                with_keys: columns.keys != crate::directory::key::keys(tenant, kind, &stored.object),
                columns,
                disabled_by,
                person,
                external: new_external.clone(),
                writers: writers_after(kind, &stored, person, &lines),
                entry: Entry::of(&lines.into()),
            }
        });
        let written = Written {
            id: stored.id,
            before: Some(stored.object),
            after: object,
            version: if changed {
                stored.version + 1
            } else {
                stored.version
            },
            changed,
            created: stored.created,
            last_modified: if changed { cause.now } else { stored.last_modified },
            external_id: new_external.map(|(_, value)| value).or(external),
        };
        Self {
            written,
            draft,
            way: Way::Update,
        }
    }
}

/// Whose values stand after HR or an admin wrote `lines`; `None` when that stays as it was. Of a user that HR takes over,
/// everything else that is there was written by clients.
fn writers_after(
    kind: &ResourceType,
    stored: &Stored,
    person: Option<PersonId>,
    lines: &[Value],
) -> Option<BTreeMap<String, String>> {
    let mut writers = stored.writers.clone();
    if stored.person.is_none() && person.is_some() {
        let there = log::differences(kind, &Object::new(), &stored.object);
        let there = authority::claims(&there, "client");
        writers.extend(there.into_iter().map(|(path, _)| (path, "client".to_owned())));
    }
    for path in lines.iter().filter_map(|line| line.get("path")?.as_str()) {
        writers.remove(path);
    }
    (writers != stored.writers).then_some(writers)
}

fn update_lines(
    kind: &ResourceType,
    stored: &Stored,
    object: &Object,
    disabled_by: &[String],
    external: Option<&str>,
    new_external: Option<&(ClientId, String)>,
) -> Vec<Value> {
    let mut lines = log::differences(kind, &stored.object, object);
    if let Some((_, new)) = new_external {
        lines.push(log::line(
            "externalId",
            external.map(Into::into),
            Some(new.as_str().into()),
        ));
    }
    if disabled_by != stored.disabled_by {
        lines.push(log::line(
            "disabledBy",
            Some(stored.disabled_by.clone().into()),
            Some(disabled_by.to_vec().into()),
        ));
    }
    lines
}

/// Gives resources that are held still new attributes, as a consequence of something else (a manager who is gone).
pub(in crate::directory) async fn rewrite(
    conn: &mut Conn,
    tenant: TenantId,
    kind: &ResourceType,
    changes: Vec<(Stored, Object)>,
    cause: &Cause,
) -> Result<(), Error> {
    let items = changes
        .into_iter()
        .enumerate()
        .map(|(at, (stored, object))| {
            let put = Put {
                id: Some(stored.id),
                kind: stored.kind.clone(),
                object,
                external_id: None,
                person: None,
                expected: None,
                disabled_by: stored.disabled_by.clone(),
            };
            Ok(Item::updated(tenant, kind, at, put, stored, None, cause))
        })
        .collect();
    for one in write(conn, tenant, items, cause).await? {
        one?;
    }
    Ok(())
}

async fn write(
    conn: &mut Conn,
    tenant: TenantId,
    mut items: Vec<Result<Item, Error>>,
    cause: &Cause,
) -> Result<Vec<Result<Written, Error>>, Error> {
    let drafts: Vec<&Draft> = items
        .iter()
        .flatten()
        .filter_map(|item| item.draft.as_ref())
        .collect();
    let refused = if drafts.is_empty() {
        HashMap::new()
    } else {
        let mut refused = store::in_use(conn, tenant, &drafts).await?;
        refuse_doubles(&drafts, &mut refused);
        refused
    };
    for (at, attribute) in refused {
        if let Some(item) = items.get_mut(at) {
            *item = Err(Error::Uniqueness { attribute });
        }
    }
    let mut versions = HashMap::new();
    for way in [Way::Insert, Way::Update] {
        let drafts: Vec<&Draft> = items
            .iter()
            .flatten()
            .filter(|item| item.way == way)
            .filter_map(|item| item.draft.as_ref())
            .collect();
        if !drafts.is_empty() {
            versions.extend(store::write(conn, way, tenant, &drafts, cause.now, &cause.origin).await?);
            if way == Way::Update {
                store::set_writers(conn, tenant, &drafts).await?;
            }
        }
    }
    Ok(items.into_iter().map(|item| outcome(item?, &versions)).collect())
}

fn outcome(item: Item, versions: &HashMap<ResourceId, i64>) -> Result<Written, Error> {
    let mut written = item.written;
    if item.draft.is_some() {
        // Not written although nobody had the name a moment ago: somebody was faster.
        written.version = *versions.get(&written.id).ok_or(Error::Uniqueness {
            attribute: "userName",
        })?;
    }
    Ok(written)
}

/// Refuses items that claim the userName or externalId of an earlier item of the same batch.
fn refuse_doubles(drafts: &[&Draft], refused: &mut HashMap<usize, &'static str>) {
    let (mut names, mut externals) = (HashSet::new(), HashSet::new());
    for draft in drafts {
        if refused.contains_key(&draft.at) {
            continue;
        }
        if let Some(name) = &draft.columns.user_name
            && !names.insert((&draft.kind, name))
        {
            refused.insert(draft.at, "userName");
        } else if let Some((client, value)) = &draft.external
            && !externals.insert((client, &draft.kind, value))
        {
            refused.insert(draft.at, "externalId");
        }
    }
}
