//! Which of the app's existing accounts is whose: by the rules of `[match]`, the strongest first.

use std::collections::HashMap;

use serde_json::Value;

use super::settings::MatchBy;
use crate::base::ResourceId;
use crate::scim::Object;

/// What our users and groups are known by. Folded by the caller's rule for names: lower case.
#[derive(Debug, Default)]
pub struct Ours {
    ids: HashMap<String, ResourceId>,
    names: HashMap<String, ResourceId>,
    emails: HashMap<String, Vec<ResourceId>>,
}

impl Ours {
    /// Adds a user, or a group with its display name.
    pub fn add(&mut self, id: ResourceId, name: Option<&str>, emails: &[String]) {
        self.ids.insert(id.to_string(), id);
        if let Some(name) = name {
            self.names.insert(name.to_lowercase(), id);
        }
        for email in emails {
            self.emails.entry(email.to_lowercase()).or_default().push(id);
        }
    }
}

/// An account of the app, as far as matching reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// The app's id.
    pub id: String,
    /// Its `externalId`.
    pub external_id: Option<String>,
    /// Its `userName`, for a group `displayName`.
    pub name: Option<String>,
    /// Its work e-mail addresses; those without a type count.
    pub emails: Vec<String>,
}

impl Remote {
    /// Reads what matching needs of a resource; `name` is the attribute that names it.
    #[must_use]
    pub fn of(resource: &Object, name: &str) -> Option<Self> {
        let text = |key: &str| resource.get(key).and_then(Value::as_str).map(str::to_owned);
        let id = match resource.get("id")? {
            Value::String(id) => id.clone(),
            Value::Number(id) => id.to_string(),
            _ => return None,
        };
        Some(Self {
            id,
            external_id: text("externalId"),
            name: text(name),
            emails: work_emails(resource),
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
    /// More than one account would fit, or one account fits more than one of ours.
    Ambiguous,
}

/// Collects an app's accounts and says whose they are.
#[derive(Debug)]
pub struct Matcher {
    by: Vec<MatchBy>,
    ours: Ours,
    fits: HashMap<ResourceId, (usize, Vec<String>)>,
    doubtful: Vec<ResourceId>,
}

impl Matcher {
    /// A matcher by these rules.
    #[must_use]
    pub fn new(by: &[MatchBy], ours: Ours) -> Self {
        Self {
            by: by.to_vec(),
            ours,
            fits: HashMap::new(),
            doubtful: Vec::new(),
        }
    }

    /// Looks at one account.
    pub fn see(&mut self, remote: &Remote) {
        for (strength, by) in self.by.iter().enumerate() {
            let found = self.candidates(*by, remote);
            match found.as_slice() {
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
                    return;
                }
                several => {
                    self.doubtful.extend_from_slice(several);
                    return;
                }
            }
        }
    }

    fn candidates(&self, by: MatchBy, remote: &Remote) -> Vec<ResourceId> {
        match by {
            MatchBy::ExternalId => remote
                .external_id
                .as_ref()
                .and_then(|id| self.ours.ids.get(id))
                .copied()
                .into_iter()
                .collect(),
            MatchBy::UserName => remote
                .name
                .as_ref()
                .and_then(|name| self.ours.names.get(&name.to_lowercase()))
                .copied()
                .into_iter()
                .collect(),
            MatchBy::WorkEmail => {
                let mut found: Vec<ResourceId> = remote
                    .emails
                    .iter()
                    .filter_map(|email| self.ours.emails.get(&email.to_lowercase()))
                    .flatten()
                    .copied()
                    .collect();
                found.sort_unstable();
                found.dedup();
                found
            }
        }
    }

    /// What came out, for each of ours that any account fits.
    #[must_use]
    pub fn finish(self) -> Vec<(ResourceId, Fit)> {
        let external = self.by.iter().position(|by| *by == MatchBy::ExternalId);
        let mut out: HashMap<ResourceId, Fit> =
            self.doubtful.into_iter().map(|id| (id, Fit::Ambiguous)).collect();
        for (id, (strength, mut remotes)) in self.fits {
            let fit = match (remotes.pop(), remotes.is_empty()) {
                (Some(remote_id), true) => Fit::Linked {
                    remote_id,
                    by_our_id: Some(strength) == external,
                },
                _ => Fit::Ambiguous,
            };
            out.insert(id, fit);
        }
        let mut out: Vec<_> = out.into_iter().collect();
        out.sort_unstable_by_key(|(id, _)| *id);
        out
    }
}

/// Whether an account that the app showed for one of ours really agrees by one of the rules.
#[must_use]
pub fn agrees(by: &[MatchBy], ours: &Object, name: &str, remote: &Remote) -> bool {
    by.iter().any(|by| match by {
        MatchBy::ExternalId => {
            remote.external_id.is_some()
                && remote.external_id.as_deref() == ours.get("externalId").and_then(Value::as_str)
        }
        MatchBy::UserName => match (&remote.name, ours.get(name).and_then(Value::as_str)) {
            (Some(theirs), Some(ours)) => theirs.to_lowercase() == ours.to_lowercase(),
            _ => false,
        },
        MatchBy::WorkEmail => {
            let ours: Vec<String> = work_emails(ours)
                .iter()
                .map(|email| email.to_lowercase())
                .collect();
            remote
                .emails
                .iter()
                .any(|email| ours.contains(&email.to_lowercase()))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(id: &str, external: Option<&str>, name: &str, email: &str) -> Remote {
        Remote {
            id: id.to_owned(),
            external_id: external.map(str::to_owned),
            name: Some(name.to_owned()),
            emails: vec![email.to_owned()],
        }
    }

    #[test]
    fn the_strongest_rule_wins_and_doubt_is_not_resolved_by_luck() {
        let [anna, bo, cy, di, ed] = std::array::from_fn(|_| ResourceId::new());
        let mut ours = Ours::default();
        ours.add(anna, Some("anna@x"), &["anna@x".to_owned()]);
        ours.add(bo, Some("bo@x"), &["team@x".to_owned()]);
        ours.add(cy, Some("cy@x"), &["team@x".to_owned()]);
        ours.add(di, Some("di@x"), &["di@x".to_owned()]);
        ours.add(ed, Some("ed@x"), &["ed@x".to_owned()]);
        let by = [MatchBy::ExternalId, MatchBy::UserName, MatchBy::WorkEmail];
        let mut matcher = Matcher::new(&by, ours);
        matcher.see(&remote("1", None, "ANNA@X", "other@x"));
        matcher.see(&remote("2", Some(&anna.to_string()), "old-anna", "zzz@x"));
        matcher.see(&remote("3", None, "somebody", "team@x"));
        matcher.see(&remote("4", None, "x1", "di@x"));
        matcher.see(&remote("5", None, "x2", "di@x"));
        matcher.see(&remote("6", None, "nobody", "nobody@x"));
        matcher.see(&remote("7", None, "Ed@x", "ed@x"));
        let fits: HashMap<_, _> = matcher.finish().into_iter().collect();
        let linked = |id: &str, by_our_id| Fit::Linked {
            remote_id: id.to_owned(),
            by_our_id,
        };
        assert_eq!(fits[&anna], linked("2", true));
        assert_eq!(fits[&bo], Fit::Ambiguous);
        assert_eq!(fits[&cy], Fit::Ambiguous);
        assert_eq!(fits[&di], Fit::Ambiguous);
        assert_eq!(fits[&ed], linked("7", false));
        assert_eq!(fits.len(), 5);
    }
}
