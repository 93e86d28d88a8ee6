//! Members of groups, beside what the app is known to hold.
//!
//! *Comes in:* a group as the app showed it. *Goes out:* rows of `drift_member`: members of ours that are no longer
//! there, and users of ours whom somebody else put there. *Owns:* `drift_member`.
//!
//! Whoever is not ours is no matter of ours, and what a group that was there before us held is shown and left alone. An app
//! that never showed a member of any group is believed neither way: some answer without members.

mod store;

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use uuid::Uuid;

pub(in crate::delivery) use store::take_members;

use super::CompareId;
use crate::base::{AppId, ResourceId, TenantId};
use crate::db::Conn;
use crate::delivery::Error;
use crate::delivery::client::{Client, endpoint};
use crate::delivery::patch::member_changes;
use crate::delivery::predict::{Call, Predicted};
use crate::delivery::prepare::Plan;
use crate::guard::Action;
use crate::net::Method;
use crate::provision::{Ending, State};
use crate::scim::Object;
use crate::scim::diff::Delta;

type At = (TenantId, AppId);

/// Members of one statement.
const PAGE: usize = 1_000;
/// After so many groups in a row that show no members an app that never did is not asked for the rest of the page.
const ENOUGH: usize = 3;
/// So many are named in what differs; how many there are is told beside it.
const NAMED: i64 = 20;

/// The ids of a group's members, if the app showed any list of them.
pub(super) fn shown(group: &Object) -> Option<Vec<String>> {
    let members = group.get("members")?.as_array()?;
    let ids = members.iter().filter_map(|member| member.get("value")?.as_str());
    Some(ids.map(str::to_owned).collect())
}

/// Asks for each group that was listed without members although some are known. One that still shows none has none, if
/// the app is known to show them.
///
/// # Errors
/// How the call ended, or `None` when it was not started.
pub(super) async fn ask(
    client: &Client,
    groups: &mut [Object],
    (expected, shows): (&HashSet<String>, bool),
) -> Result<(), Option<crate::delivery::client::Ended>> {
    let mut silent = 0_usize;
    for group in groups {
        if !shows && silent >= ENOUGH {
            return Ok(());
        }
        let id = group.get("id").and_then(Value::as_str).map(str::to_owned);
        let Some(id) = id.filter(|id| group.get("members").is_none() && expected.contains(id)) else {
            continue;
        };
        let path = [endpoint("Group"), id.as_str()];
        let ended = client.call(Method::GET, &path, &[], None).await.ok_or(None)?;
        let found = match (ended.ending, ended.json()) {
            (Ending::Answer(200..=299, _), Some(Value::Object(found))) => found,
            // It vanished meanwhile, which is found out otherwise.
            (Ending::Answer(404 | 410, _), _) => continue,
            _ => return Err(Some(ended)),
        };
        silent = match found.get("members") {
            Some(members) => {
                group.insert("members".to_owned(), members.clone());
                0
            }
            None => silent.saturating_add(1),
        };
        if shows && group.get("members").is_none() {
            group.insert("members".to_owned(), json!([]));
        }
    }
    Ok(())
}

/// Which of these groups of the app are to be asked for if they come without members, and whether the app shows them.
pub(super) async fn expected(
    conn: &mut Conn,
    at: At,
    groups: &[Object],
) -> Result<(HashSet<String>, bool), Error> {
    let silent = groups.iter().filter(|group| group.get("members").is_none());
    let silent: Vec<&str> = silent.filter_map(|group| group.get("id")?.as_str()).collect();
    if silent.is_empty() {
        return Ok((HashSet::new(), true));
    }
    let expected = store::with_members(conn, at, &silent).await?;
    let shows = store::shows_members(conn, at).await?;
    Ok((expected.into_iter().collect(), shows))
}

/// What of a group's members differs.
#[derive(Debug, Clone)]
pub(super) struct Differing {
    /// As it is shown to people.
    pub difference: Value,
    /// Nothing of it is ever repaired.
    pub is_never_repaired: bool,
}

/// Notes what differs between the members that the app showed and those it is known to hold. `was_there` says that the
/// group was in the app before us.
pub(super) async fn differing(
    conn: &mut Conn,
    at: At,
    compare: CompareId,
    (group, was_there): (ResourceId, bool),
    shown: &[String],
) -> Result<Option<Differing>, Error> {
    store::forget(conn, at, compare, group).await?;
    if !shown.is_empty() {
        store::set_shows_members(conn, at).await?;
    }
    let there: HashSet<&str> = shown.iter().map(String::as_str).collect();
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
    let mut after = Uuid::nil();
    loop {
        let mut page = store::known(conn, at, group, after, limit).await?;
        let Some((last, _)) = page.last() else { break };
        after = last.uuid();
        page.retain(|(_, remote)| !there.contains(remote.as_str()));
        if !page.is_empty() {
            store::put_missing(conn, at, compare, group, &page).await?;
        }
    }
    let there: Vec<&str> = there.into_iter().collect();
    for page in there.chunks(PAGE) {
        store::put_foreign(conn, at, compare, (group, was_there), page).await?;
    }
    let (missing, foreign, left_alone) = store::counts(conn, at, compare, group).await?;
    if missing == 0 && foreign == 0 {
        return Ok(None);
    }
    let mut some = store::some(conn, at, compare, &[group], (false, NAMED)).await?;
    let some = some.remove(&group).unwrap_or_default();
    let ids =
        |members: &[(ResourceId, String)]| -> Vec<ResourceId> { members.iter().map(|(id, _)| *id).collect() };
    Ok(Some(Differing {
        difference: json!({
            "path": "members", "expected": ids(&some.missing), "found": ids(&some.foreign),
            "missing": missing, "foreign": foreign, "left_alone": left_alone,
        }),
        is_never_repaired: missing == 0 && foreign == left_alone,
    }))
}

/// Adds to forecasts of groups what a repair would put in and take out.
pub(in crate::delivery) async fn foresee_members(
    conn: &mut Conn,
    plan: Plan<'_>,
    compare: CompareId,
    found: &mut [Predicted],
) -> Result<(), Error> {
    let groups: Vec<ResourceId> = found
        .iter()
        .filter(|one| one.kind == "Group" && matches!(one.action, None | Some(Action::Update)))
        .map(|one| one.resource)
        .collect();
    let batch = i64::from(plan.rules.settings().groups.member_batch);
    let mut apart = store::some(conn, plan.at, compare, &groups, (true, batch)).await?;
    if apart.is_empty() {
        return Ok(());
    }
    let known = crate::delivery::predict::accounts_of(conn, plan.at, &groups).await?;
    let remotes: HashMap<ResourceId, String> = known
        .into_iter()
        .filter_map(|(id, row)| Some((id, row.remote_id?)))
        .collect();
    for one in found.iter_mut().filter(|one| one.state != State::Held) {
        let (Some(apart), Some(remote)) = (apart.remove(&one.resource), remotes.get(&one.resource)) else {
            continue;
        };
        let call = Call {
            method: if plan.can_patch { "PATCH" } else { "PUT" },
            path: format!("/{}/{remote}", endpoint(&one.kind)),
            body: Some(member_changes(&apart.missing, &apart.foreign)),
        };
        match one.call {
            None => one.call = Some(call),
            Some(_) => one.then.push(call),
        }
        let ids = |members: &[(ResourceId, String)]| -> Option<Value> {
            (!members.is_empty()).then(|| members.iter().map(|(id, _)| json!(id)).collect())
        };
        one.changes.push(Delta {
            path: "members".to_owned(),
            before: ids(&apart.foreign),
            after: ids(&apart.missing),
        });
        one.action = Some(Action::Update);
    }
    Ok(())
}
