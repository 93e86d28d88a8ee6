//! What of a filter is no RFC 7644 and is read all the same.

use crate::scim::path::{AttrPath, Place};
use crate::scim::registry::ResourceType;
use crate::scim::schema::Type;
use crate::scim::tolerated::Shape;

use super::syntax::{Filter, Literal};

/// The shapes in a filter on a resource type, each once.
#[must_use]
pub fn tolerated(filter: &Filter, kind: &ResourceType) -> Vec<Shape> {
    let mut shapes = Vec::new();
    Scope::Resource(kind).walk(filter, &mut shapes);
    shapes
}

/// The shapes in the filter in brackets behind an attribute, each once.
pub fn tolerated_in(filter: &Filter, place: &Place) -> Vec<Shape> {
    let mut shapes = Vec::new();
    Scope::Element(place).walk(filter, &mut shapes);
    shapes
}

enum Scope<'a> {
    Resource(&'a ResourceType),
    Element(&'a Place),
}

impl Scope<'_> {
    fn place(&self, path: &AttrPath) -> Option<Place> {
        match self {
            Self::Resource(kind) => kind.place(path),
            Self::Element(place) => place.down(&path.name),
        }
    }

    fn walk(&self, filter: &Filter, shapes: &mut Vec<Shape>) {
        let mut note = |shape| {
            if !shapes.contains(&shape) {
                shapes.push(shape);
            }
        };
        let (path, value) = match filter {
            Filter::And(parts) | Filter::Or(parts) => {
                return parts.iter().for_each(|part| self.walk(part, shapes));
            }
            Filter::Not(inner) => return self.walk(inner, shapes),
            Filter::Compare { path, value, .. } => (path, Some(value)),
            Filter::Behind { path, .. } => {
                note(Shape::SubAttributeBehindFilter);
                (path, None)
            }
            Filter::Present(path) | Filter::ValuePath { path, .. } => (path, None),
        };
        let Some(place) = self.place(path) else { return };
        if matches!(self, Self::Resource(_)) && path.urn.is_none() && place.extension.is_some() {
            note(Shape::ExtensionWithoutUrn);
        }
        match value {
            Some(Literal::Bare(_)) => note(Shape::UnquotedFilterValue),
            Some(Literal::Text(_)) if place.leaf().kind == Type::Boolean => note(Shape::TextForBoolean),
            _ => {}
        }
        match filter {
            Filter::ValuePath { inner, .. } => Scope::Element(&place).walk(inner, shapes),
            Filter::Behind { inner, then, .. } => {
                Scope::Element(&place).walk(inner, shapes);
                Scope::Element(&place).walk(then, shapes);
            }
            _ => {}
        }
    }
}
