//! Groups of org units: made when somebody enters, renamed with their unit, entered and left.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;

use crate::base::ResourceId;
use crate::db::Conn;
use crate::directory::{Cause, Put};
use crate::scim::{GROUP, Object};
use crate::sync::Error;
use crate::sync::engine::Job;
use crate::sync::plan::{Effect, GroupAt, store};

/// Who put the members of org groups there.
const ORIGIN: &str = "hr";

/// Lets users enter and leave groups; `changes` are users with what their items say.
pub(super) async fn change_members(
    conn: &mut Conn,
    job: &Job<'_>,
    changes: &[(ResourceId, &Effect)],
    cause: &Cause,
) -> Result<(), Error> {
    let wanted: Vec<&GroupAt> = changes
        .iter()
        .flat_map(|(_, effect)| &effect.groups.add)
        .collect();
    let groups = ensure(conn, job, &wanted, cause).await?;
    let mut by_group: BTreeMap<ResourceId, (Vec<ResourceId>, Vec<ResourceId>)> = BTreeMap::new();
    for (user, effect) in changes {
        for group in &effect.groups.add {
            if let Some(id) = groups.get(&group.key) {
                by_group.entry(*id).or_default().0.push(*user);
            }
        }
        for id in &effect.groups.remove {
            by_group.entry(*id).or_default().1.push(*user);
        }
    }
    for (group, (add, remove)) in by_group {
        let changed = job
            .engine
            .directory
            .change_members(conn, (job.run.tenant, group), &add, &remove, ORIGIN, cause)
            .await;
        match changed {
            // A group that a client deleted meanwhile is made anew when somebody enters it next.
            Ok(_) | Err(crate::directory::Error::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The groups of these units, made or renamed where needed.
async fn ensure(
    conn: &mut Conn,
    job: &Job<'_>,
    wanted: &[&GroupAt],
    cause: &Cause,
) -> Result<HashMap<String, ResourceId>, Error> {
    let names: BTreeMap<&str, &str> = wanted
        .iter()
        .map(|group| (group.key.as_str(), group.name.as_str()))
        .collect();
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<String> = names.keys().map(|key| (*key).to_owned()).collect();
    let there = store::org_groups(conn, &job.run, &keys).await?;
    let mut puts = Vec::new();
    let mut made = Vec::new();
    for (key, name) in names {
        match there.get(key) {
            Some((_, now)) if now == name => {}
            Some((id, _)) => puts.push(put(Some(*id), name)),
            None => {
                made.push((key.to_owned(), puts.len()));
                puts.push(put(None, name));
            }
        }
    }
    let mut groups: HashMap<String, ResourceId> = there.into_iter().map(|(key, (id, _))| (key, id)).collect();
    if puts.is_empty() {
        return Ok(groups);
    }
    let written = job
        .engine
        .directory
        .put_many(conn, job.run.tenant, puts, cause)
        .await?;
    let new: Vec<(String, ResourceId)> = made
        .into_iter()
        .filter_map(|(key, at)| match written.get(at) {
            Some(Ok(written)) => Some((key, written.id)),
            _ => None,
        })
        .collect();
    store::add_org_groups(conn, &job.run, &new).await?;
    groups.extend(new);
    Ok(groups)
}

fn put(id: Option<ResourceId>, name: &str) -> Put {
    let mut object = Object::new();
    object.insert("schemas".to_owned(), json!([GROUP]));
    object.insert("displayName".to_owned(), name.into());
    Put {
        id,
        kind: "Group".to_owned(),
        object,
        external_id: None,
        person: None,
        expected: None,
        disabled_by: Vec::new(),
    }
}
