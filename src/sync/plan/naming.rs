//! userNames by a pattern: which is given to whom, once and for ever.

mod store;

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::person::Draft;
use crate::base::PersonId;
use crate::directory::Stored as StoredUser;
use crate::guard::Action;
use crate::hr::Employee;
use crate::scim::{self, Object};
use crate::sync::Error;
use crate::sync::connection::Compiled;
use crate::sync::engine::Job;
use crate::translate::{BaseName, OnRename};

pub(in crate::sync) use store::give;

/// The numbers that are tried, range by range; who finds none among them is a conflict.
const RANGES: &[(u32, u32)] = &[(1, 1), (2, 10), (11, 100), (101, 1_000), (1_001, 10_000)];

/// A name that somebody was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    /// As it was given.
    pub shown: String,
    /// What the pattern made of the person then.
    pub base: String,
}

/// The names given to people of a batch, the latest of each.
pub(super) type GivenNames = HashMap<PersonId, Given>;

/// Loads them, where a pattern gives names.
pub(super) async fn given(job: &Job<'_>, live: &Compiled, people: &[PersonId]) -> Result<GivenNames, Error> {
    if live.user_names.is_none() {
        return Ok(GivenNames::new());
    }
    let mut conn = job.conn().await?;
    Ok(store::of_people(&mut conn, job.run.tenant, people).await?)
}

/// The user with the name that the person is to have, where that is not the one it has: made from nothing, or renamed.
/// With what the pattern made of the person when the name is new: its number is not known yet.
pub(super) fn named(
    live: &Compiled,
    given: Option<&Given>,
    user: Option<&StoredUser>,
    employee: &Employee,
) -> (Option<Object>, Option<BaseName>) {
    let Some(names) = &live.user_names else {
        return (None, None);
    };
    let with = |name: &str, user: Option<&StoredUser>| {
        let mut object = user.map(|user| user.object.clone()).unwrap_or_default();
        object.insert("userName".to_owned(), name.into());
        Some(object)
    };
    match (user, given, names.base(employee)) {
        (None, Some(given), _) => (with(&given.shown, None), None),
        (None, None, Some(base)) => (with(&base.numbered(1), None), Some(base)),
        (Some(user), Some(given), Some(base))
            if names.on_rename == OnRename::New && given.base != base.numbered(1) =>
        {
            (with(&base.numbered(1), Some(user)), Some(base))
        }
        _ => (None, None),
    }
}

/// Finds the free name for each draft that is given one. `used`: names that this plan has given already, folded.
pub(super) async fn settle(
    job: &Job<'_>,
    live: &Compiled,
    drafts: &mut [Draft],
    used: &HashSet<String>,
) -> Result<(), Error> {
    let Some(names) = &live.user_names else {
        return Ok(());
    };
    let mut waiting: Vec<&mut Draft> = drafts
        .iter_mut()
        .filter(|draft| {
            draft.effect.name.is_some() && matches!(draft.action, Action::Create | Action::Update)
        })
        .collect();
    let mut chosen: HashSet<String> = HashSet::new();
    for (from, to) in RANGES {
        if waiting.is_empty() {
            return Ok(());
        }
        let bases: HashMap<String, BaseName> = waiting
            .iter()
            .filter_map(|draft| draft.base.clone())
            .map(|base| (base.numbered(1), base))
            .collect();
        let asked: Vec<String> = bases
            .values()
            .flat_map(|base| (*from..=*to).map(|n| scim::fold(&base.numbered(n))))
            .collect();
        let mut conn = job.conn().await?;
        let taken = store::taken(&mut conn, job.run.tenant, &asked).await?;
        drop(conn);
        waiting.retain_mut(|draft| {
            let Some(base) = draft.base.clone() else {
                return false;
            };
            let free = (*from..=*to).map(|n| base.numbered(n)).find(|name| {
                let folded = scim::fold(name);
                !names.is_reserved(name)
                    && !taken.contains(&folded)
                    && !used.contains(&folded)
                    && !chosen.contains(&folded)
            });
            let Some(name) = free else { return true };
            chosen.insert(scim::fold(&name));
            set(draft, &name);
            false
        });
    }
    Ok(())
}

fn set(draft: &mut Draft, name: &str) {
    if let Some(object) = &mut draft.effect.object {
        object.insert("userName".to_owned(), name.into());
    }
    let delta = draft
        .effect
        .delta
        .iter_mut()
        .find(|delta| delta.get("path").and_then(Value::as_str) == Some("userName"));
    if let Some(delta) = delta.and_then(Value::as_object_mut) {
        delta.insert("after".to_owned(), name.into());
    }
}
