//! Which of the app's existing accounts is whose: by the keys of `[match]`, the strongest first.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::Value;

use super::approval::{folded, texts};
use super::settings::MatchBy;
use super::target::Target;
use crate::base::ResourceId;
use crate::scim::Object;

/// What stands between the parts of a joined key.
const JOINT: char = '\u{1f}';

/// An account of the app, as it is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// The app's id.
    pub id: String,
    /// Its `externalId`.
    pub external_id: Option<String>,
}

impl Remote {
    /// Reads what names a resource of the app.
    #[must_use]
    pub fn of(resource: &Object) -> Option<Self> {
        let id = match resource.get("id")? {
            Value::String(id) => id.clone(),
            Value::Number(id) => id.to_string(),
            _ => return None,
        };
        let external_id = resource.get("externalId").and_then(Value::as_str);
        Some(Self {
            id,
            external_id: external_id.map(str::to_owned),
        })
    }
}

/// The work e-mail addresses of a user; those without a type count.
#[must_use]
pub fn work_emails(user: &Object) -> Vec<String> {
    user.get("emails")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|email| {
            email
                .get("type")
                .and_then(Value::as_str)
                .is_none_or(|kind| kind.eq_ignore_ascii_case("work"))
        })
        .filter_map(|email| email.get("value").and_then(Value::as_str).map(str::to_owned))
        .collect()
}

impl MatchBy {
    /// What is compared of a resource; nothing when a part is empty. `name` is the attribute that names it, which the key
    /// `userName` means.
    #[must_use]
    pub fn values(&self, resource: &Object, name: &str) -> Vec<String> {
        let mut joined = vec![String::new()];
        for (place, part) in self.parts().enumerate() {
            let is_exact = self.exact.unwrap_or(!is_folded(part));
            let found: Vec<String> = part_of(part, resource, name)
                .into_iter()
                .map(|text| if is_exact { text } else { folded(&text) })
                .filter(|text| !text.is_empty())
                .collect();
            joined = joined
                .iter()
                .flat_map(|before| {
                    found.iter().map(move |text| match place {
                        0 => text.clone(),
                        _ => format!("{before}{JOINT}{text}"),
                    })
                })
                .collect();
        }
        joined
    }

    /// The filter that finds accounts by the first part of the key (RFC 7644 §3.4.2.2).
    #[must_use]
    pub fn filter(&self, resource: &Object, name: &str) -> Option<String> {
        let part = self.parts().next()?;
        let value = part_of(part, resource, name)
            .into_iter()
            .find(|text| !text.is_empty())?;
        let path = match part {
            "externalId" => "externalId".to_owned(),
            "userName" => name.to_owned(),
            "emails" | "emails.work" => "emails.value".to_owned(),
            other => Target::parse(other)?.filter_path(),
        };
        Some(format!("{path} eq {}", Value::String(value)))
    }
}

fn is_folded(part: &str) -> bool {
    part == "userName" || part == "emails" || part.starts_with("emails.")
}

fn part_of(part: &str, resource: &Object, name: &str) -> Vec<String> {
    match part {
        "externalId" => texts(resource.get("externalId")),
        "userName" => texts(resource.get(name)),
        "emails" | "emails.work" => work_emails(resource),
        other => Target::parse(other).map_or_else(Vec::new, |target| texts(target.get(resource))),
    }
}

/// Whether an account that the app showed for one of ours really agrees by one of the keys.
#[must_use]
pub fn agrees(by: &[MatchBy], ours: &Object, name: &str, theirs: &Object) -> bool {
    by.iter().any(|by| {
        let own = by.values(ours, name);
        by.values(theirs, name).iter().any(|value| own.contains(value))
    })
}

/// What somebody may be, or collides with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Candidate {
    /// The key that fits.
    pub key: String,
    /// The app's account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_id: Option<String>,
    /// Another user of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<ResourceId>,
}

impl Candidate {
    /// An account of the app.
    #[must_use]
    pub fn account(key: &MatchBy, remote_id: &str) -> Self {
        Self {
            key: key.key.clone(),
            remote_id: Some(remote_id.to_owned()),
            user: None,
        }
    }
}

/// What is said of somebody whose keys are somebody else's in the app.
#[must_use]
pub fn collision(candidates: &[Candidate]) -> String {
    let taken: Vec<String> = candidates
        .iter()
        .filter_map(|one| Some(format!("{} (account {})", one.key, one.remote_id.as_ref()?)))
        .collect();
    format!(
        "collision: {} in the app, but no account matches",
        taken.join(", ")
    )
}

/// What matching says of one resource of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// This account of the app is its.
    Linked {
        /// The app's id.
        remote_id: String,
        /// The account bears our id.
        by_our_id: bool,
    },
    /// A human has to say whose it is; nothing is created or written.
    Held {
        /// Why.
        reason: String,
        /// All that it may be, or collides with.
        candidates: Vec<Candidate>,
    },
}

type Owners = Vec<(ResourceId, bool)>;

/// What our users and groups are known by.
#[derive(Debug)]
pub struct Ours {
    name: String,
    keys: Vec<(MatchBy, HashMap<String, Owners>)>,
    unique: Vec<(MatchBy, HashMap<String, Owners>)>,
}

impl Ours {
    /// Nobody yet. `name` is the attribute that names a resource.
    #[must_use]
    pub fn new(by: &[MatchBy], unique: &[MatchBy], name: &str) -> Self {
        let empty = |keys: &[MatchBy]| keys.iter().map(|key| (key.clone(), HashMap::new())).collect();
        Self {
            name: name.to_owned(),
            keys: empty(by),
            unique: empty(unique),
        }
    }

    /// Adds a user or group as the app should hold it.
    pub fn add(&mut self, id: ResourceId, resource: &Object) {
        let is_active = resource.get("active") != Some(&Value::Bool(false));
        for (key, owners) in self.keys.iter_mut().chain(&mut self.unique) {
            for value in key.values(resource, &self.name) {
                let owners = owners.entry(value).or_default();
                if !owners.iter().any(|(owner, _)| *owner == id) {
                    owners.push((id, is_active));
                }
            }
        }
    }
}

/// Collects an app's accounts and says whose they are.
#[derive(Debug)]
pub struct Matcher {
    ours: Ours,
    fits: HashMap<ResourceId, (usize, Vec<String>)>,
    doubtful: HashMap<ResourceId, Vec<Candidate>>,
    taken: HashMap<ResourceId, Vec<Candidate>>,
}

impl Matcher {
    /// A matcher that has seen no account.
    #[must_use]
    pub fn new(ours: Ours) -> Self {
        Self {
            ours,
            fits: HashMap::new(),
            doubtful: HashMap::new(),
            taken: HashMap::new(),
        }
    }

    /// Looks at one account.
    pub fn see(&mut self, remote: &Remote, resource: &Object) {
        let name = &self.ours.name;
        for (strength, (key, owners)) in self.ours.keys.iter().enumerate() {
            match owners_of(owners, &key.values(resource, name)).as_slice() {
                [] => {}
                [one] => {
                    let (best, ids) = self.fits.entry(*one).or_insert((strength, Vec::new()));
                    if strength < *best {
                        *best = strength;
                        ids.clear();
                    }
                    if strength == *best && !ids.contains(&remote.id) {
                        ids.push(remote.id.clone());
                    }
                    break;
                }
                several => {
                    for id in several {
                        let candidate = Candidate::account(key, &remote.id);
                        self.doubtful.entry(*id).or_default().push(candidate);
                    }
                    break;
                }
            }
        }
        for (key, owners) in &self.ours.unique {
            for id in owners_of(owners, &key.values(resource, name)) {
                self.taken
                    .entry(id)
                    .or_default()
                    .push(Candidate::account(key, &remote.id));
            }
        }
    }

    /// What came out, for each of ours that any account fits or collides with, or whose keys another of ours has.
    #[must_use]
    pub fn finish(mut self) -> Vec<(ResourceId, Fit)> {
        let mut out: BTreeMap<ResourceId, Fit> = BTreeMap::new();
        for (id, (strength, remotes)) in std::mem::take(&mut self.fits) {
            let fit = self.fit(id, strength, &remotes);
            out.insert(id, fit);
        }
        for (id, candidates) in std::mem::take(&mut self.doubtful) {
            let reason = "an account of the app fits more than one user".to_owned();
            out.insert(id, Fit::Held { reason, candidates });
        }
        for (id, candidates) in std::mem::take(&mut self.taken) {
            let reason = collision(&candidates);
            out.entry(id).or_insert(Fit::Held { reason, candidates });
        }
        for (key, owners) in self.ours.keys.iter().chain(&self.ours.unique) {
            for owners in owners.values() {
                doubles(key, owners, &mut out);
            }
        }
        out.into_iter().collect()
    }

    fn fit(&mut self, id: ResourceId, strength: usize, remotes: &[String]) -> Fit {
        let key = self.ours.keys.get(strength).map(|(key, _)| key);
        let is_our_id = key.is_some_and(MatchBy::is_our_id);
        let candidate = |remote: &String| Candidate {
            key: key.map(|key| key.key.clone()).unwrap_or_default(),
            remote_id: Some(remote.clone()),
            user: None,
        };
        let [remote] = remotes else {
            return Fit::Held {
                reason: "more than one account of the app fits".to_owned(),
                candidates: remotes.iter().map(candidate).collect(),
            };
        };
        let mut others = self.taken.remove(&id).unwrap_or_default();
        others.retain(|other| other.remote_id.as_ref() != Some(remote));
        if is_our_id || others.is_empty() {
            return Fit::Linked {
                remote_id: remote.clone(),
                by_our_id: is_our_id,
            };
        }
        let reason = collision(&others);
        others.insert(0, candidate(remote));
        Fit::Held {
            reason,
            candidates: others,
        }
    }
}

fn owners_of(owners: &HashMap<String, Owners>, values: &[String]) -> Vec<ResourceId> {
    let mut found: Vec<ResourceId> = values
        .iter()
        .filter_map(|value| owners.get(value))
        .flatten()
        .map(|(id, _)| *id)
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Active users who share a key are found before anything is written about any of them.
fn doubles(key: &MatchBy, owners: &Owners, out: &mut BTreeMap<ResourceId, Fit>) {
    let active: Vec<ResourceId> = owners
        .iter()
        .filter(|(_, active)| *active)
        .map(|(id, _)| *id)
        .collect();
    if active.len() < 2 {
        return;
    }
    for id in &active {
        let others = active.iter().filter(|other| *other != id).take(10);
        let candidates = others
            .map(|other| Candidate {
                key: key.key.clone(),
                remote_id: None,
                user: Some(*other),
            })
            .collect();
        let reason = format!("another user has the same {}", key.key);
        out.entry(*id).or_insert(Fit::Held { reason, candidates });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    fn keys(texts: &[&str]) -> Vec<MatchBy> {
        texts.iter().map(|text| MatchBy::new(text)).collect()
    }

    fn person(name: &str, email: &str, number: &str) -> Object {
        object(json!({
            "userName": name, "emails": [{"value": email, "type": "work"}],
            crate::scim::ENTERPRISE: {"employeeNumber": number},
        }))
    }

    fn matched(
        by: &[&str],
        unique: &[&str],
        ours: &[(ResourceId, Object)],
        theirs: &[(&str, Object)],
    ) -> HashMap<ResourceId, Fit> {
        let mut own = Ours::new(&keys(by), &keys(unique), "userName");
        for (id, object) in ours {
            let mut object = object.clone();
            object.insert("externalId".to_owned(), json!(id.to_string()));
            own.add(*id, &object);
        }
        let mut matcher = Matcher::new(own);
        for (id, object) in theirs {
            let mut object = object.clone();
            object.insert("id".to_owned(), json!(id));
            matcher.see(&Remote::of(&object).unwrap(), &object);
        }
        matcher.finish().into_iter().collect()
    }

    fn linked(id: &str, by_our_id: bool) -> Fit {
        Fit::Linked {
            remote_id: id.to_owned(),
            by_our_id,
        }
    }

    fn held(fit: &Fit) -> (&str, Vec<&str>) {
        let Fit::Held { reason, candidates } = fit else {
            panic!("linked");
        };
        let remotes = candidates.iter().filter_map(|one| one.remote_id.as_deref());
        (reason, remotes.collect())
    }

    #[test]
    fn the_strongest_key_wins_and_doubt_is_not_resolved_by_luck() {
        let [anna, bo, cy, di, ed] = std::array::from_fn(|_| ResourceId::new());
        let ours = [
            (anna, person("anna@x", "anna@x", "1")),
            (bo, person("bo@x", "team@x", "2")),
            (cy, person("cy@x", "team@x", "3")),
            (di, person("di@x", "di@x", "4")),
            (ed, person("ed@x", "ed@x", "5")),
        ];
        let mut renamed = person("old-anna", "zzz@x", "");
        renamed.insert("externalId".to_owned(), json!(anna.to_string()));
        let theirs = [
            ("1", person("ANNA@X", "other@x", "")),
            ("2", renamed),
            ("3", person("somebody", "team@x", "")),
            ("4", person("x1", "di@x", "")),
            ("5", person("x2", "di@x", "")),
            ("6", person("nobody", "nobody@x", "")),
            ("7", person("Ed@x", " ED@x ", "")),
        ];
        let fits = matched(&["externalId", "userName", "emails.work"], &[], &ours, &theirs);
        assert_eq!(fits[&anna], linked("2", true));
        for id in [bo, cy] {
            assert_eq!(
                held(&fits[&id]),
                ("an account of the app fits more than one user", vec!["3"])
            );
        }
        assert_eq!(
            held(&fits[&di]),
            ("more than one account of the app fits", vec!["4", "5"])
        );
        assert_eq!(fits[&ed], linked("7", false));
        assert_eq!(fits.len(), 5);
    }

    /// Mail or payroll code free or taken, by one account or by two.
    #[test]
    fn a_key_that_is_taken_by_somebody_else_is_a_collision_with_both_candidates() {
        let anna = ResourceId::new();
        let ours = [(anna, person("anna@x", "anna@x", "007"))];
        let by = ["employeeNumber+emails.work"];
        let unique = ["employeeNumber", "emails.work"];
        let of = |theirs: &[(&str, Object)]| matched(&by, &unique, &ours, theirs).remove(&anna);
        assert_eq!(of(&[("1", person("z", "z@x", "1"))]), None);
        assert_eq!(
            of(&[("1", person("z", "ANNA@x", "007"))]),
            Some(linked("1", false))
        );
        let mail = of(&[("1", person("z", "anna@x", "008"))]).unwrap();
        assert_eq!(held(&mail).1, ["1"]);
        assert!(held(&mail).0.contains("emails.work (account 1)"));
        let code = of(&[("2", person("z", "z@x", "007"))]).unwrap();
        assert_eq!(held(&code).1, ["2"]);
        let both = of(&[("1", person("z", "anna@x", "")), ("2", person("y", "y@x", "007"))]).unwrap();
        assert_eq!(held(&both).1, ["1", "2"]);
        let match_and_other = of(&[
            ("1", person("z", "anna@x", "007")),
            ("2", person("y", "y@x", "007")),
        ])
        .unwrap();
        assert_eq!(held(&match_and_other).1, ["1", "2"]);
        // A number is as it is written.
        assert_eq!(of(&[("1", person("z", "z@x", " 007"))]), None);
    }

    #[test]
    fn users_who_share_a_key_are_found_before_anything_is_written() {
        let [anna, bo, cy] = std::array::from_fn(|_| ResourceId::new());
        let mut gone = person("cy@x", "team@x", "3");
        gone.insert("active".to_owned(), json!(false));
        let ours = [
            (anna, person("anna@x", "team@x", "1")),
            (bo, person("bo@x", "Team@x", "2")),
            (cy, gone),
        ];
        let fits = matched(&["userName", "emails.work"], &[], &ours, &[]);
        assert_eq!(held(&fits[&anna]).0, "another user has the same emails.work");
        assert!(fits.contains_key(&bo) && !fits.contains_key(&cy));
    }

    #[test]
    fn a_filter_names_the_attribute_as_the_app_knows_it() {
        let anna = person("anna@x", "anna@x", "007");
        for (key, expected) in [
            ("userName", "userName eq \"anna@x\""),
            ("emails.work", "emails.value eq \"anna@x\""),
            (
                "employeeNumber+userName",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber eq \"007\"",
            ),
        ] {
            assert_eq!(
                MatchBy::new(key).filter(&anna, "userName").as_deref(),
                Some(expected)
            );
        }
        assert_eq!(MatchBy::new("title").filter(&anna, "userName"), None);
    }
}
