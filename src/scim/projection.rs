//! Which attributes an answer has: `attributes`, `excludedAttributes` and `returned` (RFC 7644 §3.9, RFC 7643 §7).

use serde_json::Value;

use super::Object;
use super::error::Error;
use super::limits::PROJECTED;
use super::path::{AttrPath, Place, Target};
use super::registry::ResourceType;
use super::schema::{Attribute, Returned};
use super::tolerated::Shape;

/// What a client wants to see. The default is everything that is given out unasked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Projection {
    wish: Wish,
    filters: bool,
    names: bool,
}

#[derive(Debug, Clone, PartialEq, Default)]
enum Wish {
    #[default]
    Default,
    Only(Vec<Target>),
    Without(Vec<Target>),
}

impl Projection {
    /// Reads the parameters `attributes` and `excludedAttributes`, names separated by commas. Unknown names are ignored.
    ///
    /// # Errors
    /// `400 invalidValue` when both are given, or too many names.
    pub fn parse(
        kind: &ResourceType,
        attributes: Option<&str>,
        excluded: Option<&str>,
    ) -> Result<Self, Error> {
        fn split(list: Option<&str>) -> Vec<&str> {
            list.unwrap_or_default()
                .split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .collect()
        }
        Self::of(kind, &split(attributes), &split(excluded))
    }

    /// The same from lists, as in the body of a search; an empty list counts as absent.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn of<T: AsRef<str>>(kind: &ResourceType, attributes: &[T], excluded: &[T]) -> Result<Self, Error> {
        if attributes.len().max(excluded.len()) > PROJECTED {
            return Err(Error::value(format!("more than {PROJECTED} attribute names")));
        }
        let resolved = |names: &[T]| {
            names
                .iter()
                .filter_map(|name| target(kind, name.as_ref()))
                .collect()
        };
        let wish = match (attributes.is_empty(), excluded.is_empty()) {
            (true, true) => Wish::Default,
            (false, true) => Wish::Only(resolved(attributes)),
            (true, false) => Wish::Without(resolved(excluded)),
            (false, false) => {
                return Err(Error::value(
                    "attributes and excludedAttributes exclude each other",
                ));
            }
        };
        let filters = attributes
            .iter()
            .chain(excluded)
            .any(|name| name.as_ref().contains('['));
        Ok(Self {
            wish,
            filters,
            names: false,
        })
    }

    /// The same with the names of members, which others have to ask for.
    #[must_use]
    pub fn naming_members(mut self, yes: bool) -> Self {
        self.names = yes;
        self
    }

    /// Whether the names of members are shown although nobody asks for them.
    #[must_use]
    pub fn names_members(&self) -> bool {
        self.names
    }

    /// What of the names is no RFC and was read all the same.
    #[must_use]
    pub fn tolerated(&self) -> Option<Shape> {
        self.filters.then_some(Shape::FilterInAttributes)
    }

    /// Whether nothing is asked for nor excluded.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.wish == Wish::Default
    }

    /// Whether an extension, or a part of it, is asked for by name.
    #[must_use]
    pub fn names_extension(&self, urn: &str) -> bool {
        let Wish::Only(wanted) = &self.wish else {
            return false;
        };
        wanted.iter().any(|target| match target {
            Target::Extension(schema) => schema.id == urn,
            Target::Place(place) => place.extension.as_ref().is_some_and(|schema| schema.id == urn),
        })
    }

    /// Whether attribute `name` of the core schema (`groups`, `members`, `meta` …) will be in the answer, so that what is
    /// not wanted need not be loaded.
    #[must_use]
    pub fn wants(&self, kind: &ResourceType, name: &str) -> bool {
        let Some(attribute) = kind.core(name) else {
            return false;
        };
        let place = Place {
            extension: None,
            attribute: attribute.clone(),
            sub: None,
        };
        self.shows(&place, attribute)
    }

    /// Takes out of a whole resource what the client shall not see.
    pub fn apply(&self, kind: &ResourceType, object: &mut Object) {
        object.retain(|key, value| {
            if let Some(extension) = kind.extension(key) {
                let Some(parts) = value.as_object_mut() else {
                    return false;
                };
                parts.retain(|name, value| {
                    extension.schema.attribute(name).is_some_and(|attribute| {
                        let extension = Some(extension.schema.clone());
                        self.prune(
                            &Place {
                                extension,
                                attribute: attribute.clone(),
                                sub: None,
                            },
                            value,
                        )
                    })
                });
                return !parts.is_empty();
            }
            kind.core(key).is_some_and(|attribute| {
                self.prune(
                    &Place {
                        extension: None,
                        attribute: attribute.clone(),
                        sub: None,
                    },
                    value,
                )
            })
        });
    }

    /// Prunes the value of one attribute; whether anything of it stays.
    fn prune(&self, place: &Place, value: &mut Value) -> bool {
        if !self.shows(place, &place.attribute) {
            return false;
        }
        let keep = |parts: &mut Object| {
            parts.retain(|name, _| {
                let sub = place.attribute.sub(name);
                sub.is_some_and(|sub| {
                    self.shows(
                        &Place {
                            sub: Some(sub.clone()),
                            ..place.clone()
                        },
                        sub,
                    )
                })
            });
            !parts.is_empty()
        };
        match value {
            Value::Array(elements) => {
                elements.retain_mut(|element| element.as_object_mut().is_none_or(keep));
                !elements.is_empty()
            }
            Value::Object(parts) => keep(parts),
            _ => true,
        }
    }

    fn shows(&self, place: &Place, attribute: &Attribute) -> bool {
        match (attribute.returned, &self.wish) {
            (Returned::Never, _) => false,
            (Returned::Always, _) if place.sub.is_none() => true,
            (Returned::Always, Wish::Only(wanted)) => wanted.iter().any(|target| touches(target, place)),
            (Returned::Always, _) => true,
            (_, Wish::Only(wanted)) => wanted.iter().any(|target| asks_for(target, place)),
            (Returned::Request, _) => false,
            (Returned::Default, Wish::Default) => true,
            (Returned::Default, Wish::Without(unwanted)) => {
                !unwanted.iter().any(|target| covers(target, place))
            }
        }
    }
}

/// What a name means; a filter behind it says nothing about which attributes are shown.
fn target(kind: &ResourceType, name: &str) -> Option<Target> {
    let name = name.split_once('[').map_or(name, |(name, _)| name);
    kind.resolve(&AttrPath::parse(name)?)
}

fn same_attribute(one: &Place, other: &Place) -> bool {
    one.attribute.name == other.attribute.name
        && one.extension.as_ref().map(|schema| &schema.id)
            == other.extension.as_ref().map(|schema| &schema.id)
}

fn in_extension(schema: &super::schema::Schema, place: &Place) -> bool {
    place
        .extension
        .as_ref()
        .is_some_and(|extension| extension.id == schema.id)
}

/// Whether `target` names the place or something it is a part of.
fn covers(target: &Target, place: &Place) -> bool {
    match target {
        Target::Extension(schema) => in_extension(schema, place),
        Target::Place(named) => {
            same_attribute(named, place) && (named.sub.is_none() || named.sub == place.sub)
        }
    }
}

/// Whether `target` names the place, something it is a part of, or a part of it.
fn asks_for(target: &Target, place: &Place) -> bool {
    covers(target, place) || (place.sub.is_none() && touches(target, place))
}

/// Whether `target` is about the same attribute.
fn touches(target: &Target, place: &Place) -> bool {
    match target {
        Target::Extension(schema) => in_extension(schema, place),
        Target::Place(named) => same_attribute(named, place),
    }
}

#[cfg(test)]
mod tests;
