//! What a human declined or undid is not done again by itself: it is taken out of what a run would do, and stays
//! visible.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::effect::{Effect, Release};
use super::person::Draft;
use super::surroundings::Surroundings;
use crate::base::PersonId;
use crate::db::Conn;
use crate::guard::{self, Action, Item, Kept, KeptBack, KeptWhy};
use crate::scim::{self, ResourceType};
use crate::sync::Error;
use crate::sync::apply::overlay;
use crate::sync::engine::Job;
use crate::sync::run::{Outcome, Severity};

/// Whom an effect concerns: people who are not there yet have another id in every plan.
pub(in crate::sync) fn subject(person: Option<PersonId>, effect: &Effect) -> Option<String> {
    if effect.new_person {
        let record = effect.records.first()?;
        Some(format!("record:{}", record.source_id))
    } else {
        person.map(|person| person.to_string())
    }
}

/// What an effect consists of, as path and value: the whole, or each attribute and group of an update.
pub(in crate::sync) fn parts(action: Action, effect: &Effect, reason: &str) -> Vec<(String, Value)> {
    let day = |name: &str| {
        effect
            .lifecycle
            .as_ref()
            .and_then(|verdict| verdict.get(name))
            .cloned()
    };
    match action {
        Action::Create | Action::Link => vec![("create".to_owned(), Value::Null)],
        Action::Disable | Action::Remove => {
            let why = json!([reason, day("leaves_on"), day("last_day")]);
            vec![(action.as_str().to_owned(), why)]
        }
        Action::Update => {
            let lines = effect.delta.iter().filter_map(|line| {
                let path = line.get("path")?.as_str()?.to_owned();
                Some((path, line.get("after").cloned().unwrap_or_default()))
            });
            let entered = effect
                .groups
                .add
                .iter()
                .map(|group| (format!("group:{}", group.key), true.into()));
            let left = effect
                .groups
                .remove
                .iter()
                .map(|group| (format!("group:{group}"), false.into()));
            let lifted = effect.lifts.then(|| ("active".to_owned(), true.into()));
            lines.chain(entered).chain(left).chain(lifted).collect()
        }
        Action::Hold | Action::Skip | Action::Conflict => Vec::new(),
    }
}

/// The parts of a stored item, to be kept back.
pub(in crate::sync) fn of_item(item: &Item) -> Vec<Kept> {
    let Ok(effect) = serde_json::from_value::<Effect>(item.diff.clone()) else {
        return Vec::new();
    };
    let Some(subject) = subject(item.person, &effect) else {
        return Vec::new();
    };
    let person = item.person.filter(|_| !effect.new_person);
    parts(item.action, &effect, &item.reason)
        .into_iter()
        .map(|(path, value)| Kept::new(&subject, &path, person, &value))
        .collect()
}

/// Takes what is kept back out of drafts. A draft of which nothing is left is declined as a whole. What HR no longer says
/// is kept back no longer once the plan is applied.
pub(super) async fn keep_back(
    conn: &mut Conn,
    job: &Job<'_>,
    (kind, around): (&ResourceType, &Surroundings),
    drafts: &mut Vec<Draft>,
) -> Result<(), Error> {
    let subjects: Vec<String> = drafts
        .iter()
        .filter(|draft| draft.action != Action::Skip || is_news(&draft.effect))
        .filter_map(|draft| subject(Some(draft.person), &draft.effect))
        .collect();
    let owner = job.run.connection.uuid();
    let mut kept: HashMap<(String, String), KeptBack> = HashMap::new();
    for one in guard::kept_of(conn, job.run.tenant, owner, &subjects).await? {
        kept.insert((one.kept.subject.clone(), one.kept.path.clone()), one);
    }
    if kept.is_empty() {
        return Ok(());
    }
    let mut more = Vec::new();
    for draft in drafts.iter_mut() {
        let Some(subject) = subject(Some(draft.person), &draft.effect) else {
            continue;
        };
        let parts = parts(draft.action, &draft.effect, &draft.reason);
        draft.effect.releases = over(draft, &subject, &parts, &kept);
        let mut last: Option<&KeptBack> = None;
        let mut hit: Vec<String> = Vec::new();
        for (path, value) in &parts {
            let found = kept.get(&(subject.clone(), path.clone()));
            if let Some(found) = found.filter(|found| found.kept.is(value)) {
                last = Some(found);
                hit.push(path.clone());
            }
        }
        let Some(last) = last else { continue };
        say(draft, around, last, &hit);
        if hit.len() == parts.len() {
            draft.declined = Some(words(last));
            let releases = std::mem::take(&mut draft.effect.releases);
            if !releases.is_empty() {
                more.push(draft.releasing(releases));
            }
        } else {
            reduce(kind, around, draft, &hit);
        }
    }
    drafts.extend(more);
    Ok(())
}

/// Whether the records were read anew and can be judged: HR's word of today.
fn is_news(effect: &Effect) -> bool {
    let is_judged = |outcome: &str| matches!(outcome, "linked" | "filtered");
    effect.records.iter().any(|record| record.staged)
        && effect.records.iter().all(|record| is_judged(&record.outcome))
}

/// What is kept back of a subject and HR does not say any more. Of who leaves only whether they leave is judged.
fn over(
    draft: &Draft,
    subject: &str,
    parts: &[(String, Value)],
    kept: &HashMap<(String, String), KeptBack>,
) -> Vec<Release> {
    let is_asked = |path: &str| match draft.action {
        Action::Disable | Action::Remove => matches!(path, "disable" | "remove"),
        Action::Hold | Action::Conflict => false,
        Action::Create | Action::Link | Action::Update | Action::Skip => true,
    };
    let says = |one: &Kept| {
        parts
            .iter()
            .any(|(path, value)| *path == one.path && one.is(value))
    };
    let mut over: Vec<Release> = kept
        .values()
        .map(|one| &one.kept)
        .filter(|one| one.subject == subject && is_news(&draft.effect))
        .filter(|one| is_asked(&one.path) && !says(one))
        .map(|one| Release {
            subject: one.subject.clone(),
            path: one.path.clone(),
        })
        .collect();
    over.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    over
}

fn words(kept: &KeptBack) -> String {
    let what = match kept.why {
        KeptWhy::Declined => "declined",
        KeptWhy::Undone => "undone",
    };
    format!("{what} by {} on {}", kept.by, kept.at.format("%Y-%m-%d"))
}

/// Says of the person's record that HR still wants it.
fn say(draft: &mut Draft, around: &Surroundings, kept: &KeptBack, paths: &[String]) {
    let records = around.records.get(&draft.person);
    let record = records.and_then(|records| records.iter().find(|record| record.ours));
    let Some(record) = record else { return };
    draft.said.push(Outcome {
        severity: Severity::Warning,
        source_id: Some(record.source_id.clone()),
        employee_number: record.employee.employee_number.clone(),
        person: Some(draft.person),
        outcome: "kept_back".to_owned(),
        field: Some(paths.join(", ")),
        message: format!(
            "HR says otherwise, and it was {}: it stays as it is until HR says something else or it is released \
             (`scim-bridge connection release`)",
            words(kept)
        ),
    });
}

/// An update without the parts that are kept back.
fn reduce(kind: &ResourceType, around: &Surroundings, draft: &mut Draft, paths: &[String]) {
    let effect = &mut draft.effect;
    let is_kept = |path: String| paths.contains(&path);
    effect
        .groups
        .add
        .retain(|group| !is_kept(format!("group:{}", group.key)));
    effect
        .groups
        .remove
        .retain(|group| !is_kept(format!("group:{group}")));
    if effect.lifts && is_kept("active".to_owned()) {
        effect.lifts = false;
        effect.disabled = true;
    }
    let user = draft.user.and_then(|user| around.users.get(&user));
    let (Some(user), Some(planned)) = (user, effect.object.as_ref()) else {
        return;
    };
    let lines: Vec<Value> = effect
        .delta
        .iter()
        .filter(|line| {
            line.get("path")
                .and_then(Value::as_str)
                .is_some_and(|path| is_kept(path.to_owned()))
        })
        .cloned()
        .collect();
    let mut object = overlay(planned, &user.object, &lines);
    let mut before = user.object.clone();
    before.remove("active");
    object.remove("active");
    effect.delta = scim::diff::diff(kind, &before, &object)
        .into_iter()
        .filter_map(|line| serde_json::to_value(line).ok())
        .collect();
    effect.object = Some(object);
}
