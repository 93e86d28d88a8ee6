//! What a PATCH makes of a resource.

use serde_json::{Map, Value};

use crate::scim::Object;
use crate::scim::error::Error;
use crate::scim::filter::{PatchTarget, parse_target};
use crate::scim::path::{AttrPath, Place, Target};
use crate::scim::read::{external_id, holder, is_missing, set_schemas};
use crate::scim::registry::ResourceType;
use crate::scim::schema::{Attribute, Mutability, Schema};
use crate::scim::tolerated::{Manner, Shape};
use crate::scim::value::{Reader, is_derived, is_reference};

use super::element;
use super::members::{MemberChange, change};
use super::request::{Operation, OperationKind, Request, numbered};

/// What a PATCH made of a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Patched {
    /// The resource; equal to the one before if nothing changed in it.
    pub object: Object,
    /// The client's id for it.
    pub external_id: Option<String>,
    /// Steps on the members, in order.
    pub members: Vec<MemberChange>,
    /// Keys inside values without path that no schema has, and that were left out.
    pub dropped: Vec<String>,
    /// Shapes that are no RFC.
    pub tolerated: Vec<Shape>,
}

/// Applies a PATCH to a copy of a resource; what fails, fails whole. `external_id` is the client's own.
///
/// Our choices: removing what is not there is no change; `null` takes an attribute away, and so does an empty text for
/// a reference; an `add` to a list that has the same `type` and `value` already changes that element.
///
/// # Errors
/// `400` with `invalidPath`, `invalidFilter`, `invalidValue`, `mutability` or `noTarget`; the detail names the
/// operation, from 1.
pub fn apply(
    kind: &ResourceType,
    object: &Object,
    external_id: Option<&str>,
    request: &Request,
) -> Result<Patched, Error> {
    let mut reader = Reader::default();
    request.tolerated.iter().for_each(|shape| reader.note(*shape));
    let mut draft = Draft {
        kind,
        manner: request.manner,
        object: object.clone(),
        external_id: external_id.map(str::to_owned),
        members: Vec::new(),
        reader,
    };
    for (at, operation) in request.operations.iter().enumerate() {
        draft.operation(operation).map_err(|error| numbered(at, error))?;
    }
    let Draft {
        mut object,
        external_id,
        members,
        reader,
        ..
    } = draft;
    request.manner.admit(&reader.tolerated)?;
    set_schemas(kind, &mut object);
    Ok(Patched {
        object,
        external_id,
        members,
        dropped: reader.dropped,
        tolerated: reader.tolerated,
    })
}

/// What a PATCH of a single operation on the members of a group makes of it, which is the same whatever the group is
/// like; `None` for every other PATCH.
///
/// # Errors
/// As [`apply`].
pub fn members_alone(kind: &ResourceType, request: &Request) -> Result<Option<Patched>, Error> {
    let [operation] = request.operations.as_slice() else {
        return Ok(None);
    };
    let is_members = |path: &AttrPath| match kind.resolve(path) {
        Some(Target::Place(place)) => place.extension.is_none() && kind.is_membership(&place.attribute.name),
        _ => false,
    };
    let alone = match (&operation.target, &operation.value) {
        (Some(target), _) => is_members(&target.path),
        (None, Some(Value::Object(parts))) => {
            parts.len() == 1 && parts.keys().all(|key| key.eq_ignore_ascii_case("members"))
        }
        _ => false,
    };
    if alone && kind.membership().is_some() {
        return apply(kind, &Object::new(), None, request).map(Some);
    }
    Ok(None)
}

/// A resource while operations are applied to it.
struct Draft<'a> {
    kind: &'a ResourceType,
    manner: Manner,
    object: Object,
    external_id: Option<String>,
    members: Vec<MemberChange>,
    reader: Reader,
}

impl Draft<'_> {
    fn operation(&mut self, operation: &Operation) -> Result<(), Error> {
        let value = operation.value.as_ref();
        let Some(target) = &operation.target else {
            return match value {
                Some(Value::Object(parts)) => self.pathless(operation.op, parts),
                _ => Err(Error::value(
                    "without a path, the value must be an object of attributes",
                )),
            };
        };
        let resolved = self.kind.resolve(&target.path).ok_or_else(|| {
            Error::path(format!(
                "there is no attribute {}; send its name, or its schema's URN and name",
                target.path
            ))
        })?;
        match resolved {
            Target::Extension(schema) if target.filter.is_none() => {
                self.extension(operation.op, &schema, value)
            }
            Target::Extension(_) => Err(Error::path("a whole extension has no elements to filter")),
            Target::Place(place) => {
                if target.path.urn.is_none() && place.extension.is_some() {
                    self.reader.note(Shape::ExtensionWithoutUrn);
                }
                self.place(operation.op, &place, target, value)
            }
        }
    }

    /// A value without path: each key is an attribute, or the path of one. Unknown keys and what only the server writes
    /// are left out; if then nothing is left at all, the request is not understood.
    fn pathless(&mut self, op: OperationKind, parts: &Map<String, Value>) -> Result<(), Error> {
        let mut understood = parts.is_empty();
        let mut seen: Vec<PatchTarget> = Vec::new();
        for (key, value) in parts {
            if key.eq_ignore_ascii_case(&self.kind.schema.id) {
                self.reader.note(Shape::CoreAsExtension);
                let nested = value
                    .as_object()
                    .ok_or_else(|| Error::value("an object of attributes is expected"))?;
                self.pathless(op, nested)?;
                understood = true;
                continue;
            }
            let target = parse_target(key).ok();
            let resolved = target.and_then(|target| Some((self.kind.resolve(&target.path)?, target)));
            let Some((resolved, target)) = resolved else {
                self.reader.dropped.push(key.clone());
                continue;
            };
            understood = true;
            match resolved {
                Target::Extension(schema) => self.extension(op, &schema, Some(value))?,
                Target::Place(place) if place.is_core("schemas") => {}
                Target::Place(place) if place.attribute.is_read_only() => {
                    self.reader.note(Shape::ReadOnlyInValue)
                }
                Target::Place(place) => {
                    let plain = PatchTarget {
                        path: path_of(&place),
                        ..target
                    };
                    if seen.contains(&plain) {
                        return Err(Error::syntax(format!("{} stands there twice", place.path())));
                    }
                    self.note_key(&plain, &place, key);
                    self.place(op, &place, &plain, Some(value))?;
                    seen.push(plain);
                }
            }
        }
        if understood {
            Ok(())
        } else {
            Err(Error::path("the value has no attribute that a schema knows"))
        }
    }

    fn note_key(&mut self, target: &PatchTarget, place: &Place, key: &str) {
        if target.filter.is_some() {
            self.reader.note(Shape::FilterAsKey);
        } else if key.contains(':') {
            self.reader.note(Shape::PrefixedKey);
        } else if place.extension.is_some() {
            self.reader.note(Shape::ExtensionWithoutUrn);
        }
        if place.sub.is_some() {
            self.reader.note(Shape::DottedKey);
        }
    }

    /// A whole extension, named by its URN: its attributes one by one, or all of it away.
    fn extension(
        &mut self,
        op: OperationKind,
        schema: &std::sync::Arc<Schema>,
        value: Option<&Value>,
    ) -> Result<(), Error> {
        let at = |attribute: &std::sync::Arc<Attribute>| Place {
            extension: Some(schema.clone()),
            attribute: attribute.clone(),
            sub: None,
        };
        let gone = value.is_none_or(Value::is_null) || op == OperationKind::Remove;
        if gone {
            let mut writable = schema
                .attributes
                .iter()
                .filter(|attribute| !attribute.is_read_only())
                .peekable();
            if writable.peek().is_none() {
                return Err(Error::mutability(format!("{} is readOnly", schema.id)));
            }
            for place in writable.map(at) {
                self.unassign(&place)?;
            }
            return Ok(());
        }
        let parts = value
            .and_then(Value::as_object)
            .ok_or_else(|| Error::value(format!("{} takes an object of attributes", schema.id)))?;
        for (name, value) in parts {
            match schema.attribute(name) {
                Some(attribute) if attribute.is_read_only() => self.reader.note(Shape::ReadOnlyInValue),
                Some(attribute) => {
                    let place = at(attribute);
                    let target = PatchTarget {
                        path: path_of(&place),
                        filter: None,
                        sub: None,
                    };
                    self.place(op, &place, &target, Some(value))?;
                }
                None => self.reader.dropped.push(format!("{}:{name}", schema.id)),
            }
        }
        Ok(())
    }

    fn place(
        &mut self,
        op: OperationKind,
        place: &Place,
        target: &PatchTarget,
        value: Option<&Value>,
    ) -> Result<(), Error> {
        if place.extension.is_none() && self.kind.is_membership(&place.attribute.name) {
            let step = change(&mut self.reader, self.manner, op, (place, target), value)?;
            self.members.extend(step);
            return Ok(());
        }
        if place.is_core("schemas") {
            // `schemas` follows from the data; clients that name an extension there are right, if it has any.
            return Ok(());
        }
        writable(place)?;
        if place.is_core("externalId") {
            return self.external_id(op, place, target, value);
        }
        let place = match &target.sub {
            None => place.clone(),
            Some(sub) => {
                let inner = if place.sub.is_some() {
                    None
                } else {
                    place.down(sub)
                };
                inner.ok_or_else(|| Error::path(format!("{} has no sub-attribute {sub}", place.path())))?
            }
        };
        writable(&place)?;
        if place.attribute.multi_valued {
            return self.list(op, &place, target, value);
        }
        if let Some(filter) = &target.filter {
            if !place.attribute.is_complex() {
                return Err(Error::path(format!("{} has no elements to filter", place.path())));
            }
            let whole = Place {
                sub: None,
                ..place.clone()
            };
            let bound = element::bound(&mut self.reader, filter, &whole)?;
            if !whole
                .root(&self.object)
                .is_some_and(|value| bound.matches_element(value))
            {
                return match op {
                    OperationKind::Remove => Ok(()),
                    _ => Err(Error::no_target(format!(
                        "{} does not meet the filter",
                        whole.path()
                    ))),
                };
            }
        }
        match (op, value) {
            (OperationKind::Remove, _) => self.unassign(&place),
            (_, Some(value)) => self.set(&place, value),
            (_, None) => Err(Error::value("the value is missing")),
        }
    }

    fn external_id(
        &mut self,
        op: OperationKind,
        place: &Place,
        target: &PatchTarget,
        value: Option<&Value>,
    ) -> Result<(), Error> {
        if target.filter.is_some() {
            return Err(Error::path("externalId has no elements to filter"));
        }
        self.external_id = match (op, value) {
            (OperationKind::Remove, _) | (_, None) => None,
            (_, Some(value)) => external_id(&mut self.reader, &place.attribute, value)?,
        };
        Ok(())
    }

    /// Sets a single-valued attribute or a sub-attribute of one; a complex one keeps the parts that are not named.
    fn set(&mut self, place: &Place, value: &Value) -> Result<(), Error> {
        let path = place.path();
        if place.sub.is_none() && place.attribute.is_complex() {
            if let Value::Object(parts) = value {
                return self.parts(place, parts);
            }
            return match self.reader.single(&place.attribute, value, &path)? {
                Some(Value::Object(parts)) => self.parts(place, &parts),
                _ => self.unassign(place),
            };
        }
        let leaf = place.leaf().clone();
        let read = self.reader.attribute(&leaf, value, &path)?;
        if leaf.required && is_missing(read.as_ref()) {
            return Err(Error::value(format!("{path} is required")));
        }
        let empty_reference = place.sub.is_some()
            && leaf.name == "value"
            && is_reference(&place.attribute)
            && read.as_ref().and_then(Value::as_str) == Some("");
        match read {
            _ if leaf.is_hidden() => Ok(()),
            Some(_) if empty_reference => {
                self.reader.note(Shape::EmptyForNone);
                self.unassign(place)
            }
            Some(value) => self.store(place, value),
            None => self.unassign(place),
        }
    }

    /// Sets the named sub-attributes of a single-valued complex attribute.
    fn parts(&mut self, place: &Place, parts: &Map<String, Value>) -> Result<(), Error> {
        let mut seen = Vec::new();
        for (name, value) in parts {
            let Some(inner) = place.down(name) else {
                self.reader.dropped.push(format!("{}.{name}", place.path()));
                continue;
            };
            if is_derived(&place.attribute, inner.leaf()) {
                continue;
            }
            if seen.contains(&inner.leaf().name) {
                return Err(Error::syntax(format!("{} stands there twice", inner.path())));
            }
            seen.push(inner.leaf().name.clone());
            self.set(&inner, value)?;
        }
        Ok(())
    }

    fn store(&mut self, place: &Place, value: Value) -> Result<(), Error> {
        let old = place.values(&self.object).next();
        let fixed = [Some(&place.attribute), place.sub.as_ref()]
            .into_iter()
            .flatten()
            .any(|attribute| attribute.mutability == Mutability::Immutable);
        if fixed && old.is_some_and(|old| *old != value) {
            return Err(Error::mutability(format!(
                "{} is set already and cannot be changed",
                place.path()
            )));
        }
        match &place.sub {
            None => {
                holder(&mut self.object, place, |holder| {
                    holder.insert(place.attribute.name.clone(), value)
                });
            }
            Some(sub) => crate::scim::read::set_sub(&mut self.object, place, &sub.name, value),
        }
        Ok(())
    }

    /// Takes a single-valued attribute, a whole list, or a sub-attribute of a single-valued one away.
    fn unassign(&mut self, place: &Place) -> Result<(), Error> {
        let leaf = place.leaf();
        if leaf.required {
            return Err(Error::mutability(format!("{} is required", place.path())));
        }
        if place.values(&self.object).next().is_none() {
            return Ok(());
        }
        if leaf.mutability == Mutability::Immutable {
            return Err(Error::mutability(format!(
                "{} is set already and cannot be changed",
                place.path()
            )));
        }
        holder(&mut self.object, place, |holder| {
            let name = &place.attribute.name;
            let Some(sub) = &place.sub else {
                holder.remove(name);
                return;
            };
            if let Some(parts) = holder.get_mut(name).and_then(Value::as_object_mut) {
                parts.remove(&sub.name);
                if parts.is_empty() {
                    holder.remove(name);
                }
            }
        });
        Ok(())
    }

    /// A multi-valued attribute: its elements are changed in `element`, checked and put back here.
    fn list(
        &mut self,
        op: OperationKind,
        place: &Place,
        target: &PatchTarget,
        value: Option<&Value>,
    ) -> Result<(), Error> {
        let whole = Place {
            sub: None,
            ..place.clone()
        };
        let old = whole.elements(&self.object).to_vec();
        let step = element::Step {
            op,
            place,
            filter: target.filter.as_ref(),
            value,
        };
        let new = step.on(&mut self.reader, old.clone())?;
        if new == old {
            return Ok(());
        }
        if whole.attribute.mutability == Mutability::Immutable && !old.is_empty() {
            return Err(Error::mutability(format!(
                "{} is set already and cannot be changed",
                whole.path()
            )));
        }
        if whole.attribute.required && new.is_empty() {
            return Err(Error::mutability(format!("{} is required", whole.path())));
        }
        if whole.attribute.is_hidden() {
            return Ok(());
        }
        holder(&mut self.object, &whole, |holder| {
            let name = &whole.attribute.name;
            if new.is_empty() {
                holder.remove(name)
            } else {
                holder.insert(name.clone(), Value::Array(new))
            }
        });
        Ok(())
    }
}

fn path_of(place: &Place) -> AttrPath {
    AttrPath {
        urn: place.extension.as_ref().map(|schema| schema.id.clone()),
        name: place.attribute.name.clone(),
        sub: place.sub.as_ref().map(|sub| sub.name.clone()),
    }
}

fn writable(place: &Place) -> Result<(), Error> {
    if place.attribute.is_read_only() || place.leaf().is_read_only() {
        return Err(Error::mutability(format!("{} is readOnly", place.path())));
    }
    Ok(())
}
