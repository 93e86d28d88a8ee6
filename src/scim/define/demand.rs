//! What a change of definitions demands of the resources that are there.

use std::sync::Arc;

use crate::scim::path::Place;
use crate::scim::registry::{Registry, ResourceType};
use crate::scim::schema::{Attribute, Schema};

/// What must hold of the tenant's resources of one type before a change is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// None of them has a value at the path.
    NoneHolds {
        /// The resource type.
        kind: String,
        /// The keys that lead there: an extension's URN, an attribute, a sub-attribute.
        path: Vec<String>,
        /// What the change is.
        why: String,
    },
    /// Each of them has a value at the path.
    AllHold {
        /// The resource type.
        kind: String,
        /// As above. Of an attribute in an optional extension, only those count that have the extension: its URN.
        path: Vec<String>,
        /// The extension that a resource need not have.
        within: Option<String>,
        /// What the change is.
        why: String,
    },
    /// There is no resource of the type.
    NoneIs {
        /// The resource type.
        kind: String,
        /// What the change is.
        why: String,
    },
}

/// What the step from one registry to another demands. What only adds or widens demands nothing.
#[must_use]
pub fn demands(before: &Registry, after: &Registry) -> Vec<Demand> {
    let mut demands = Vec::new();
    for old in before.kinds() {
        let is_none = |why: String| Demand::NoneIs {
            kind: old.name.clone(),
            why,
        };
        let Some(new) = after.kind(&old.name) else {
            demands.push(is_none(format!("resource type {} goes", old.name)));
            continue;
        };
        if Arc::ptr_eq(old, new) {
            continue;
        }
        for (what, one, other) in [
            ("endpoint", &old.endpoint, &new.endpoint),
            ("schema", &old.schema.id, &new.schema.id),
        ] {
            if one != other {
                demands.push(is_none(format!("{what} of {} becomes {other}", old.name)));
            }
        }
        of_kind(old, new, &mut demands);
    }
    demands
}

fn of_kind(old: &ResourceType, new: &ResourceType, demands: &mut Vec<Demand>) {
    if old.schema.id == new.schema.id {
        Step::of(old, None, true).schema(&old.schema, &new.schema, demands);
    }
    for extension in &old.extensions {
        let urn = &extension.schema.id;
        match new.extension(urn).filter(|now| now.schema.id == *urn) {
            Some(now) => {
                if now.required && !extension.required {
                    Step::of(old, Some(urn), true).required(&[], format!("{urn} becomes required"), demands);
                }
                Step::of(old, Some(urn), now.required).schema(&extension.schema, &now.schema, demands);
            }
            None => demands.push(Demand::NoneHolds {
                kind: old.name.clone(),
                path: vec![urn.clone()],
                why: format!("{urn} goes from {}", old.name),
            }),
        }
    }
    for extension in &new.extensions {
        let urn = &extension.schema.id;
        if extension.required && old.extension(urn).is_none() {
            Step::of(old, Some(urn), true).required(&[], format!("{urn} is required"), demands);
        }
    }
}

/// One schema's step, in one resource type.
struct Step<'a> {
    kind: &'a str,
    extension: Option<&'a str>,
    /// Whether every resource has what the schema describes.
    everywhere: bool,
}

impl<'a> Step<'a> {
    fn of(kind: &'a ResourceType, extension: Option<&'a str>, everywhere: bool) -> Self {
        Self {
            kind: &kind.name,
            extension,
            everywhere,
        }
    }

    fn path(&self, names: &[&str]) -> Vec<String> {
        self.extension
            .iter()
            .chain(names)
            .map(|part| (*part).to_owned())
            .collect()
    }

    fn none(&self, names: &[&str], why: String, demands: &mut Vec<Demand>) {
        demands.push(Demand::NoneHolds {
            kind: self.kind.to_owned(),
            path: self.path(names),
            why,
        });
    }

    fn required(&self, names: &[&str], why: String, demands: &mut Vec<Demand>) {
        demands.push(Demand::AllHold {
            kind: self.kind.to_owned(),
            path: self.path(names),
            within: self.extension.filter(|_| !self.everywhere).map(str::to_owned),
            why,
        });
    }

    fn schema(&self, old: &Arc<Schema>, new: &Arc<Schema>, demands: &mut Vec<Demand>) {
        for one in &old.attributes {
            let shown = shown(self.extension.map(|_| old), one);
            let Some(now) = same(&new.attributes, &one.name) else {
                self.none(&[&one.name], format!("{shown} goes"), demands);
                continue;
            };
            self.attribute(&[], &shown, one, now, demands);
            for sub in &one.sub_attributes {
                let shown = format!("{shown}.{}", sub.name);
                match same(&now.sub_attributes, &sub.name) {
                    Some(now) => self.attribute(&[&one.name], &shown, sub, now, demands),
                    None => self.none(&[&one.name, &sub.name], format!("{shown} goes"), demands),
                }
            }
        }
        for now in new.attributes.iter().filter(|now| now.required) {
            let was = same(&old.attributes, &now.name).is_some_and(|one| one.required);
            if !was {
                let shown = shown(self.extension.map(|_| new), now);
                self.required(&[&now.name], format!("{shown} becomes required"), demands);
            }
        }
    }

    fn attribute(
        &self,
        above: &[&str],
        shown: &str,
        old: &Attribute,
        new: &Attribute,
        demands: &mut Vec<Demand>,
    ) {
        let path: Vec<&str> = above.iter().copied().chain([old.name.as_str()]).collect();
        let changes = [
            (old.kind != new.kind, "changes its type"),
            (
                old.multi_valued != new.multi_valued,
                "changes between one value and many",
            ),
            (
                old.is_hidden() != new.is_hidden(),
                "changes between shown and never shown",
            ),
        ];
        for (_, what) in changes.iter().filter(|(changed, _)| *changed) {
            self.none(&path, format!("{shown} {what}"), demands);
        }
    }
}

/// The attribute of exactly this spelling: values are stored under it.
fn same<'a>(attributes: &'a [Arc<Attribute>], name: &str) -> Option<&'a Arc<Attribute>> {
    attributes.iter().find(|attribute| attribute.name == name)
}

fn shown(extension: Option<&Arc<Schema>>, attribute: &Arc<Attribute>) -> String {
    Place {
        extension: extension.cloned(),
        attribute: attribute.clone(),
        sub: None,
    }
    .path()
}
