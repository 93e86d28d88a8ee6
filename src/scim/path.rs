//! Attribute paths: as written, and resolved against a resource type (RFC 7644 §3.10).

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::Object;
use super::registry::ResourceType;
use super::schema::{Attribute, Schema, is_name};

/// An attribute path as somebody wrote it: `userName`, `name.givenName`, `urn:…:User:manager.displayName`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttrPath {
    /// The URN in front, without the colon that follows it.
    pub urn: Option<String>,
    /// The attribute.
    pub name: String,
    /// The sub-attribute.
    pub sub: Option<String>,
}

impl AttrPath {
    /// Reads a path. A URN ends at the last colon; it may hold dots itself (`2.0`).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (urn, rest) = match text.rsplit_once(':') {
            Some((urn, rest)) => (Some(urn), rest),
            None => (None, text),
        };
        let (name, sub) = match rest.split_once('.') {
            Some((name, sub)) => (name, Some(sub)),
            None => (rest, None),
        };
        let sound = is_name(name) && sub.is_none_or(is_name) && urn.is_none_or(is_urn);
        sound.then(|| Self {
            urn: urn.map(str::to_owned),
            name: name.to_owned(),
            sub: sub.map(str::to_owned),
        })
    }
}

fn is_urn(text: &str) -> bool {
    text.contains(':')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ":.-_/~%+@#".contains(c))
}

impl fmt::Display for AttrPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.urn {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.name)?;
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

/// What a path means for a resource type.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// A whole extension, named by its URN.
    Extension(Arc<Schema>),
    /// An attribute or sub-attribute.
    Place(Place),
}

/// Where an attribute sits in a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The extension it belongs to; none for the core schema and what is common to all resources.
    pub extension: Option<Arc<Schema>>,
    /// The attribute.
    pub attribute: Arc<Attribute>,
    /// The sub-attribute.
    pub sub: Option<Arc<Attribute>>,
}

impl Place {
    /// The sub-attribute if there is one, else the attribute.
    #[must_use]
    pub fn leaf(&self) -> &Arc<Attribute> {
        self.sub.as_ref().unwrap_or(&self.attribute)
    }

    /// The same place down to sub-attribute `name`.
    #[must_use]
    pub fn down(&self, name: &str) -> Option<Self> {
        let sub = self.attribute.sub(name)?.clone();
        Some(Self {
            sub: Some(sub),
            ..self.clone()
        })
    }

    /// The path in registered spelling, core attributes without their URN: `emails.value`.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = match &self.extension {
            Some(schema) => format!("{}:{}", schema.id, self.attribute.name),
            None => self.attribute.name.clone(),
        };
        if let Some(sub) = &self.sub {
            path.push('.');
            path.push_str(&sub.name);
        }
        path
    }

    /// Whether this is `name` of the core schema or of what is common to all resources, without sub-attribute.
    pub(super) fn is_core(&self, name: &str) -> bool {
        self.extension.is_none() && self.attribute.name == name
    }

    /// The whole value of the attribute (a list, if it is multi-valued).
    #[must_use]
    pub fn root<'a>(&self, object: &'a Object) -> Option<&'a Value> {
        match &self.extension {
            None => object.get(&self.attribute.name),
            Some(schema) => object.get(&schema.id)?.as_object()?.get(&self.attribute.name),
        }
    }

    /// The elements of the attribute: of a list each, of anything else the value itself.
    #[must_use]
    pub fn elements<'a>(&self, object: &'a Object) -> &'a [Value] {
        match self.root(object) {
            None | Some(Value::Null) => &[],
            Some(Value::Array(elements)) => elements,
            Some(value) => std::slice::from_ref(value),
        }
    }

    /// What an element has at this place: its sub-attribute, or itself.
    #[must_use]
    pub fn within<'a>(&self, element: &'a Value) -> Option<&'a Value> {
        match &self.sub {
            None => Some(element),
            Some(sub) => element.get(&sub.name),
        }
        .filter(|value| !value.is_null())
    }

    /// All values at this place.
    pub fn values<'a>(&self, object: &'a Object) -> impl Iterator<Item = &'a Value> {
        self.elements(object)
            .iter()
            .filter_map(|element| self.within(element))
    }
}

impl ResourceType {
    /// What a path means here. A name without URN is looked for in the core schema, then in what all resources have,
    /// then in the extensions (Entra asks for `manager` so).
    #[must_use]
    pub fn resolve(&self, path: &AttrPath) -> Option<Target> {
        let Some(urn) = &path.urn else {
            return self.plain(path).map(Target::Place);
        };
        if urn.eq_ignore_ascii_case(&self.schema.id) {
            return place(None, self.core(&path.name)?, path).map(Target::Place);
        }
        if let Some(extension) = self.extension(urn) {
            let schema = &extension.schema;
            return place(Some(schema), schema.attribute(&path.name)?, path).map(Target::Place);
        }
        let whole = self.extension(&path.to_string())?;
        Some(Target::Extension(whole.schema.clone()))
    }

    fn plain(&self, path: &AttrPath) -> Option<Place> {
        if let Some(attribute) = self.core(&path.name) {
            return place(None, attribute, path);
        }
        self.extensions.iter().find_map(|extension| {
            let schema = &extension.schema;
            place(Some(schema), schema.attribute(&path.name)?, path)
        })
    }

    /// The place of a path, if it names an attribute.
    #[must_use]
    pub fn place(&self, path: &AttrPath) -> Option<Place> {
        match self.resolve(path)? {
            Target::Place(place) => Some(place),
            Target::Extension(_) => None,
        }
    }

    /// The attribute or sub-attribute that a path names.
    #[must_use]
    pub fn attribute(&self, path: &AttrPath) -> Option<Arc<Attribute>> {
        Some(self.place(path)?.leaf().clone())
    }
}

fn place(extension: Option<&Arc<Schema>>, attribute: &Arc<Attribute>, path: &AttrPath) -> Option<Place> {
    let sub = match &path.sub {
        None => None,
        Some(name) => Some(attribute.sub(name)?.clone()),
    };
    Some(Place {
        extension: extension.cloned(),
        attribute: attribute.clone(),
        sub,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::registry::{ENTERPRISE, Registry, USER};

    #[test]
    fn rule_1_3_a_urn_ends_at_the_last_colon() {
        let path = AttrPath::parse(&format!("{ENTERPRISE}:manager.displayName")).unwrap();
        assert_eq!(path.urn.as_deref(), Some(ENTERPRISE));
        assert_eq!(
            (path.name.as_str(), path.sub.as_deref()),
            ("manager", Some("displayName"))
        );
        for bad in [
            "", ".", "a.", ".a", "a.b.c", "1a", "a b", "a[", ":a", "x:a", "urn::",
        ] {
            assert_eq!(AttrPath::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn rules_1_1_and_1_2_names_and_urns_match_in_any_case() {
        let registry = Registry::builtin();
        let user = registry.kind("User").unwrap();
        let resolved = |text: &str| {
            user.place(&AttrPath::parse(text).unwrap())
                .map(|place| place.path())
        };
        for (written, path) in [
            ("USERNAME".to_owned(), "userName".to_owned()),
            ("Emails.VALUE".to_owned(), "emails.value".to_owned()),
            (format!("{}:username", USER.to_uppercase()), "userName".to_owned()),
            (
                format!("{USER}:meta.lastmodified"),
                "meta.lastModified".to_owned(),
            ),
            (
                format!("{}:DEPARTMENT", ENTERPRISE.to_lowercase()),
                format!("{ENTERPRISE}:department"),
            ),
            ("manager".to_owned(), format!("{ENTERPRISE}:manager")),
        ] {
            assert_eq!(resolved(&written), Some(path), "{written}");
        }
        for unknown in ["nope", "userName.x", "emails.$ref", "urn:a:b:userName"] {
            assert_eq!(resolved(unknown), None, "{unknown}");
        }
        let whole = user.resolve(&AttrPath::parse(&ENTERPRISE.to_lowercase()).unwrap());
        assert!(matches!(whole, Some(Target::Extension(schema)) if schema.id == ENTERPRISE));
    }
}
