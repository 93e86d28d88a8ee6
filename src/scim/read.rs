//! Reads the body of a POST or PUT (RFC 7644 §3.3 and §3.5.1).

use serde_json::{Map, Value};

use super::Object;
use super::error::Error;
use super::limits::MEMBERS;
use super::path::{AttrPath, Place, Target};
use super::registry::{HR, ResourceType};
use super::schema::{Attribute, Mutability};
use super::tolerated::Shape;
use super::value::{Reader, check_text};

/// What a client sent, in our form.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Incoming {
    /// Attributes in registered spelling, with `schemas` put right; without `id`, `meta`, `externalId`, readOnly
    /// attributes, members, and what is never given out (a password is read and forgotten).
    pub object: Object,
    /// The client's own id for the resource.
    pub external_id: Option<String>,
    /// Members of a group; `None` if the body does not speak of them.
    pub members: Option<Vec<Member>>,
    /// Paths of unknown attributes that were left out.
    pub dropped: Vec<String>,
    /// Shapes that are no RFC.
    pub tolerated: Vec<Shape>,
}

/// A member as a client names it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Member {
    /// The id.
    pub value: String,
    /// `User` or `Group`, in registered spelling, if the client says.
    pub kind: Option<String>,
    /// Name for people, if the client says.
    pub display: Option<String>,
}

/// Reads the body of a POST or PUT: names and URNs in any case, `null` and `[]` as "no value", readOnly and unknown
/// attributes left out, types and required attributes checked.
///
/// # Errors
/// `400 invalidSyntax` for a body that is no resource of this type, `400 invalidValue` for a value that is missing or
/// of the wrong type.
pub fn read(kind: &ResourceType, body: &Value) -> Result<Incoming, Error> {
    let body = body
        .as_object()
        .ok_or_else(|| Error::syntax("the body is not a JSON object"))?;
    let declared = declared(kind, body)?;
    let mut sheet = Sheet {
        kind,
        incoming: Incoming::default(),
        reader: Reader::default(),
        seen: Vec::new(),
    };
    for (key, value) in body {
        sheet.key(key, value)?;
    }
    let Sheet {
        mut incoming, reader, ..
    } = sheet;
    incoming.dropped = reader.dropped;
    incoming.tolerated = reader.tolerated;
    require(kind, &incoming.object)?;
    let undeclared = kind
        .extensions
        .iter()
        .map(|extension| &extension.schema.id)
        .any(|id| incoming.object.contains_key(id) && !declared.contains(&id.to_ascii_lowercase()));
    if undeclared {
        incoming.tolerated.push(Shape::UndeclaredExtension);
    }
    set_schemas(kind, &mut incoming.object);
    Ok(incoming)
}

/// The URNs in `schemas`, in lower case; the type's own must be among them.
fn declared(kind: &ResourceType, body: &Map<String, Value>) -> Result<Vec<String>, Error> {
    let core = &kind.schema.id;
    let mut found = body.iter().filter(|(key, _)| key.eq_ignore_ascii_case("schemas"));
    let (Some((_, schemas)), None) = (found.next(), found.next()) else {
        return Err(Error::syntax(format!(
            "schemas must be there once, with {core} in it"
        )));
    };
    let urns = schemas
        .as_array()
        .and_then(|list| {
            list.iter()
                .map(|urn| Some(urn.as_str()?.to_ascii_lowercase()))
                .collect::<Option<Vec<_>>>()
        })
        .ok_or_else(|| Error::syntax("schemas must be a list of URNs"))?;
    if urns.iter().any(|urn| urn.eq_ignore_ascii_case(core)) {
        Ok(urns)
    } else {
        Err(Error::syntax(format!("schemas must have {core} in it")))
    }
}

/// Puts `schemas` right: the core schema, then each extension that has data (RFC 7643 §3).
pub fn set_schemas(kind: &ResourceType, object: &mut Object) {
    let mut urns = vec![Value::from(kind.schema.id.as_str())];
    for extension in &kind.extensions {
        let id = &extension.schema.id;
        match object.get(id).and_then(Value::as_object) {
            Some(data) if !data.is_empty() => urns.push(Value::from(id.as_str())),
            _ => {
                object.remove(id);
            }
        }
    }
    object.insert("schemas".to_owned(), Value::Array(urns));
}

/// Sets what a new resource has when nobody says otherwise: a user is `active`.
pub fn set_defaults(kind: &ResourceType, object: &mut Object) {
    if kind.schema.attribute("active").is_some() {
        object.entry("active").or_insert(Value::Bool(true));
    }
}

/// Checks that every required attribute is there and not blank; of an optional extension, if it is there.
pub(super) fn require(kind: &ResourceType, object: &Object) -> Result<(), Error> {
    let extensions = kind
        .extensions
        .iter()
        .filter(|extension| extension.required || object.contains_key(&extension.schema.id));
    let core = std::iter::once((None, &kind.schema));
    for (extension, schema) in
        core.chain(extensions.map(|extension| (Some(&extension.schema), &extension.schema)))
    {
        for attribute in schema.attributes.iter().filter(|attribute| attribute.required) {
            let place = Place {
                extension: extension.cloned(),
                attribute: attribute.clone(),
                sub: None,
            };
            if is_missing(place.root(object)) {
                return Err(Error::value(format!("{} is required", place.path())));
            }
        }
    }
    Ok(())
}

pub(super) fn is_missing(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.trim().is_empty(),
        Some(Value::Array(elements)) => elements.is_empty(),
        Some(_) => false,
    }
}

/// A body while it is being read.
struct Sheet<'a> {
    kind: &'a ResourceType,
    incoming: Incoming,
    reader: Reader,
    seen: Vec<String>,
}

impl Sheet<'_> {
    fn key(&mut self, key: &str, value: &Value) -> Result<(), Error> {
        let kind = self.kind;
        if key.eq_ignore_ascii_case("schemas") {
            return Ok(());
        }
        if key.eq_ignore_ascii_case(&kind.schema.id) {
            self.reader.note(Shape::CoreAsExtension);
            return self.nested(None, key, value);
        }
        if let Some(extension) = kind.extension(key) {
            return self.nested(Some(&extension.schema.id), key, value);
        }
        let path = AttrPath::parse(key);
        let known = path
            .as_ref()
            .is_some_and(|path| path.urn.is_some() || kind.core(&path.name).is_some());
        match path.and_then(|path| Some((kind.resolve(&path)?, path))) {
            Some((Target::Place(place), path)) if known => {
                if path.urn.is_some() {
                    self.reader.note(Shape::PrefixedKey);
                }
                if path.sub.is_some() {
                    self.reader.note(Shape::DottedKey);
                }
                self.put(&place, value)
            }
            _ => {
                self.reader.dropped.push(key.to_owned());
                Ok(())
            }
        }
    }

    /// The object under an extension's URN.
    fn nested(&mut self, extension: Option<&str>, key: &str, value: &Value) -> Result<(), Error> {
        let parts = match value {
            Value::Null => return Ok(()),
            Value::Object(parts) => parts,
            _ => return Err(Error::value(format!("{key} takes an object of attributes"))),
        };
        for (name, value) in parts {
            let path = AttrPath::parse(name)
                .filter(|path| path.urn.is_none())
                .map(|path| AttrPath {
                    urn: Some(extension.unwrap_or(&self.kind.schema.id).to_owned()),
                    ..path
                });
            match path.and_then(|path| self.kind.place(&path)) {
                Some(place) => self.put(&place, value)?,
                None => self.reader.dropped.push(format!("{key}:{name}")),
            }
        }
        Ok(())
    }

    fn put(&mut self, place: &Place, value: &Value) -> Result<(), Error> {
        let path = place.path();
        if place.attribute.is_read_only() {
            return Ok(());
        }
        if self.seen.contains(&path) {
            return Err(Error::syntax(format!("{path} stands there twice")));
        }
        if place.is_core("externalId") {
            self.incoming.external_id = external_id(&mut self.reader, &place.attribute, value)?;
        } else if place.extension.is_none() && self.kind.is_membership(&place.attribute.name) {
            if place.sub.is_some() {
                return Err(Error::syntax(format!("{path} is not a way to name members")));
            }
            let members = if value.is_null() {
                None
            } else {
                Some(members(&mut self.reader, value)?)
            };
            self.incoming.members = members;
        } else if let Some(sub) = &place.sub {
            if place.attribute.multi_valued {
                return Err(Error::syntax(format!(
                    "{path}: {} takes a list of objects",
                    place.attribute.name
                )));
            }
            let value = self.reader.single(sub, value, &path)?;
            if let Some(value) = value.filter(|_| !sub.is_read_only()) {
                set_sub(&mut self.incoming.object, place, &sub.name, value);
            }
        } else if let Some(value) = self.reader.attribute(&place.attribute, value, &path)?
            && !place.attribute.is_hidden()
        {
            merge(&mut self.incoming.object, place, value);
        }
        self.seen.push(path);
        Ok(())
    }
}

/// Changes the object that holds an attribute: the resource, or its extension, which goes when nothing is left in it.
pub(super) fn holder<R>(object: &mut Object, place: &Place, change: impl FnOnce(&mut Object) -> R) -> R {
    let Some(schema) = &place.extension else {
        return change(object);
    };
    let mut parts = match object.remove(&schema.id) {
        Some(Value::Object(parts)) => parts,
        _ => Map::new(),
    };
    let result = change(&mut parts);
    if !parts.is_empty() {
        object.insert(schema.id.clone(), Value::Object(parts));
    }
    result
}

/// Sets one sub-attribute of a single-valued complex attribute.
pub(super) fn set_sub(object: &mut Object, place: &Place, sub: &str, value: Value) {
    holder(object, place, |holder| {
        let slot = holder
            .entry(place.attribute.name.as_str())
            .or_insert_with(|| Value::Object(Map::new()));
        if let Some(parts) = slot.as_object_mut() {
            parts.insert(sub.to_owned(), value);
        }
    });
}

/// Sets an attribute; a complex one keeps what dotted keys have set already.
fn merge(object: &mut Object, place: &Place, value: Value) {
    holder(object, place, |holder| {
        match (holder.get_mut(&place.attribute.name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => old.extend(new),
            (_, value) => {
                holder.insert(place.attribute.name.clone(), value);
            }
        }
    });
}

/// Reads `externalId`; an empty one is none.
pub(super) fn external_id(
    reader: &mut Reader,
    attribute: &Attribute,
    value: &Value,
) -> Result<Option<String>, Error> {
    let value = reader.single(attribute, value, "externalId")?;
    Ok(value
        .as_ref()
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .map(str::to_owned))
}

/// Reads a list of members: objects with `value`, or bare ids.
pub(super) fn members(reader: &mut Reader, value: &Value) -> Result<Vec<Member>, Error> {
    let list = match value {
        Value::Null => &[],
        Value::Array(list) => list.as_slice(),
        single => {
            reader.note(Shape::SingleForList);
            std::slice::from_ref(single)
        }
    };
    if list.len() > MEMBERS {
        return Err(Error::value(format!("members has more than {MEMBERS} elements")));
    }
    list.iter()
        .filter(|element| !element.is_null())
        .map(|element| member(reader, element))
        .collect()
}

fn member(reader: &mut Reader, element: &Value) -> Result<Member, Error> {
    let text = |value: &Value, name: &str| match value {
        Value::Null => Ok(None),
        Value::String(text) => {
            check_text(text, &format!("members.{name}"))?;
            Ok(Some(text.clone()).filter(|text| !text.is_empty()))
        }
        _ => Err(Error::value(format!("members.{name} takes a text"))),
    };
    let mut member = Member::default();
    let mut id = None;
    match element {
        Value::String(_) => {
            reader.note(Shape::TextForComplex);
            id = text(element, "value")?;
        }
        Value::Object(parts) => {
            for (name, value) in parts {
                match name.to_ascii_lowercase().as_str() {
                    "value" => id = text(value, "value")?,
                    "display" => member.display = text(value, "display")?.or(member.display),
                    "displayname" => {
                        reader.note(Shape::MemberDisplayName);
                        member.display = member.display.or(text(value, "display")?);
                    }
                    "type" => {
                        member.kind = match text(value, "type")?
                            .map(|kind| kind.to_ascii_lowercase())
                            .as_deref()
                        {
                            None => None,
                            Some("user") => Some("User".to_owned()),
                            Some("group") => Some("Group".to_owned()),
                            Some(_) => return Err(Error::value("members.type is User or Group")),
                        }
                    }
                    "$ref" => {}
                    _ => reader.dropped.push(format!("members.{name}")),
                }
            }
        }
        _ => return Err(Error::value("members takes objects with a value")),
    }
    member.value = id.ok_or_else(|| Error::value("a member needs a value, the id of a user or group"))?;
    Ok(member)
}

/// What a PUT makes of the stored resource (RFC 7644 §3.5.1): readWrite attributes as sent, so what is left out is
/// cleared, but `active` and the facts of HR stay; immutable ones keep their value; readOnly ones stay as they are.
///
/// # Errors
/// `400 mutability` when an immutable attribute would change.
pub fn replace(kind: &ResourceType, stored: &Object, incoming: Incoming) -> Result<Object, Error> {
    let mut next = incoming.object;
    for place in kind.attributes() {
        let Some(old) = place.root(stored) else { continue };
        let kept = match place.attribute.mutability {
            Mutability::ReadOnly => true,
            Mutability::Immutable => match place.root(&next) {
                Some(new) if new != old => {
                    return Err(Error::mutability(format!("{} cannot be changed", place.path())));
                }
                _ => true,
            },
            Mutability::ReadWrite => stays(place) && place.root(&next).is_none(),
            Mutability::WriteOnly => false,
        };
        if kept {
            holder(&mut next, place, |holder| {
                holder.insert(place.attribute.name.clone(), old.clone())
            });
        } else {
            keep_parts(place, old, &mut next)?;
        }
    }
    set_schemas(kind, &mut next);
    Ok(next)
}

/// Whether a PUT that leaves the attribute out keeps it. Facts of HR's are none that a client unlearns by not knowing them.
fn stays(place: &Place) -> bool {
    place.is_core("active") || place.extension.as_ref().is_some_and(|schema| schema.id == HR)
}

/// The same for the sub-attributes of a single-valued complex attribute that is still there.
fn keep_parts(place: &Place, old: &Value, next: &mut Object) -> Result<(), Error> {
    let (false, Some(old)) = (place.attribute.multi_valued, old.as_object()) else {
        return Ok(());
    };
    for sub in &place.attribute.sub_attributes {
        let Some(old) = old.get(&sub.name) else { continue };
        let Some(new) = place.root(next).and_then(Value::as_object) else {
            return Ok(());
        };
        match sub.mutability {
            Mutability::ReadOnly => {}
            Mutability::Immutable if new.get(&sub.name).is_none_or(|new| new == old) => {}
            Mutability::Immutable => {
                return Err(Error::mutability(format!(
                    "{}.{} cannot be changed",
                    place.path(),
                    sub.name
                )));
            }
            Mutability::ReadWrite | Mutability::WriteOnly => continue,
        }
        set_sub(next, place, &sub.name, old.clone());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
