//! Where in a user a mapped value goes.

use serde_json::{Map, Value};

use crate::scim::{AttrPath, HR, Object, Place, Registry, ResourceType, Schema, Type};

/// An attribute of a user.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// The path as it is shown, in registered spelling.
    pub(super) path: String,
    place: Place,
    /// Type of the element and sub-attribute of it, in a multi-valued complex attribute.
    element: Option<(String, String)>,
}

/// What the bridge sets itself, with the sentence why it cannot be mapped.
const OWN: &[(&str, &str)] = &[
    ("id", "is given by the bridge"),
    ("meta", "is given by the bridge"),
    ("schemas", "is given by the bridge"),
    ("externalId", "is the person's id"),
    ("active", "follows the lifecycle"),
    ("groups", "follows the memberships: write a [[group]] rule"),
    ("password", "is never read from HR"),
];

impl Target {
    /// Finds a path of the mapping in the resource type.
    pub(super) fn find(path: &str, kind: &ResourceType) -> Result<Self, String> {
        if let Some(found) = attribute(path, kind) {
            return Self::writable(found);
        }
        // emails.work, addresses.work.locality: the type, then the sub-attribute.
        let mut parts = path.splitn(3, '.');
        let (name, element, sub) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        if let (Some(list), Some(element)) = (attribute(name, kind), element)
            && list.attribute.multi_valued
            && list.attribute.is_complex()
        {
            let sub = sub.unwrap_or("value");
            if list.attribute.sub(sub).is_none() || sub.eq_ignore_ascii_case("type") {
                return Err(format!("`{name}` has no part `{sub}`"));
            }
            let sub = list
                .attribute
                .sub(sub)
                .map(|sub| sub.name.clone())
                .unwrap_or_default();
            return Self::element(list, element, &sub);
        }
        Err(format!("`{path}` is no attribute of {}", kind.name))
    }

    fn writable(place: Place) -> Result<Self, String> {
        let name = place.attribute.name.as_str();
        if let Some((_, why)) = OWN
            .iter()
            .find(|(own, _)| place.extension.is_none() && *own == name)
        {
            return Err(format!("`{name}` cannot be mapped: it {why}"));
        }
        let own = |schema: &std::sync::Arc<Schema>| Registry::builtin().schema(&schema.id).is_none();
        let is_facts = place.extension.as_ref().is_some_and(|schema| schema.id == HR);
        let is_read_only = place.attribute.is_read_only() || place.leaf().is_read_only();
        // What clients cannot write, HR can, where the tenant defined it.
        if is_facts || (is_read_only && !place.extension.as_ref().is_some_and(own)) {
            return Err(format!(
                "`{}` cannot be mapped: it is set from HR's facts",
                place.path()
            ));
        }
        match (
            place.attribute.multi_valued,
            place.attribute.is_complex(),
            &place.sub,
        ) {
            (false, true, None) => Err(format!(
                "`{name}` has parts: name one of them, as in `{name}.{}`",
                first_part(&place)
            )),
            (true, true, None) => Self::element(place, "work", "value"),
            // emails.value says no type.
            (true, true, Some(sub)) => {
                let sub = sub.name.clone();
                let whole = Place { sub: None, ..place };
                Self::element(whole, "work", &sub)
            }
            _ => Ok(Self {
                path: place.path(),
                place,
                element: None,
            }),
        }
    }

    fn element(list: Place, kind: &str, sub: &str) -> Result<Self, String> {
        let known = list
            .attribute
            .sub("type")
            .map(|of| of.canonical_values.clone())
            .unwrap_or_default();
        let kind = known
            .iter()
            .find(|one| one.eq_ignore_ascii_case(kind))
            .cloned()
            .unwrap_or_else(|| kind.to_owned());
        if kind.is_empty() {
            return Err(format!(
                "`{}` needs a type, as in `{}.work`",
                list.path(),
                list.path()
            ));
        }
        let path = match sub {
            "value" => format!("{}.{kind}", list.path()),
            sub => format!("{}.{kind}.{sub}", list.path()),
        };
        Ok(Self {
            path,
            place: list,
            element: Some((kind, sub.to_owned())),
        })
    }

    /// The path of the attribute or part that changes with it: of a list, the list.
    pub(super) fn attribute_path(&self) -> String {
        self.place.path()
    }

    /// Whether this is userName or an e-mail: they move together.
    pub(super) fn is_login(&self) -> bool {
        self.place.extension.is_none() && matches!(self.place.attribute.name.as_str(), "userName" | "emails")
    }

    /// The value that is there.
    pub(super) fn get<'o>(&self, object: &'o Object) -> Option<&'o Value> {
        match &self.element {
            None => self.place.values(object).next().filter(|value| !is_empty(value)),
            Some((kind, sub)) => self
                .place
                .elements(object)
                .iter()
                .find(|element| of_type(element, kind))
                .and_then(|element| element.get(sub))
                .filter(|value| !is_empty(value)),
        }
    }

    /// A value in the type that the schema asks for; `None` when it does not fit.
    pub(super) fn fit(&self, value: Value) -> Option<Value> {
        let leaf = match &self.element {
            Some((_, sub)) => self.place.attribute.sub(sub)?.clone(),
            None => self.place.leaf().clone(),
        };
        if self.element.is_none() && leaf.multi_valued {
            let parts = match value {
                Value::Array(parts) => parts,
                one => vec![one],
            };
            return parts
                .into_iter()
                .map(|part| fit(part, leaf.kind))
                .collect::<Option<_>>()
                .map(Value::Array);
        }
        fit(value, leaf.kind)
    }

    /// Puts a value there, or takes it away.
    pub(super) fn set(&self, object: &mut Object, value: Option<Value>) {
        let name = self.place.attribute.name.as_str();
        let Some(schema) = &self.place.extension else {
            self.set_in(object, name, value);
            return;
        };
        let extension = object
            .entry(schema.id.clone())
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(extension) = extension {
            self.set_in(extension, name, value);
            if extension.is_empty() {
                object.remove(&schema.id);
            }
        }
    }

    fn set_in(&self, object: &mut Object, name: &str, value: Option<Value>) {
        match (&self.element, &self.place.sub) {
            (Some((kind, sub)), _) => set_element(object, name, kind, sub, value),
            (None, None) => put(object, name, value),
            (None, Some(sub)) => {
                let whole = object
                    .entry(name.to_owned())
                    .or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(whole) = whole {
                    put(whole, &sub.name, value);
                    if whole.is_empty() {
                        object.remove(name);
                    }
                }
            }
        }
    }
}

fn attribute(path: &str, kind: &ResourceType) -> Option<Place> {
    // `enterprise.department` as well as `department` and the full URN.
    let path = path.strip_prefix("enterprise.").unwrap_or(path);
    kind.place(&AttrPath::parse(path)?)
}

fn first_part(place: &Place) -> String {
    place
        .attribute
        .sub_attributes
        .first()
        .map(|sub| sub.name.clone())
        .unwrap_or_default()
}

fn put(object: &mut Object, name: &str, value: Option<Value>) {
    match value {
        Some(value) => {
            object.insert(name.to_owned(), value);
        }
        None => {
            object.remove(name);
        }
    }
}

fn of_type(element: &Value, kind: &str) -> bool {
    element
        .get("type")
        .and_then(Value::as_str)
        .is_some_and(|one| one.eq_ignore_ascii_case(kind))
}

/// Sets a part of the element of this type. A new work element is the primary one where there is none.
fn set_element(object: &mut Object, name: &str, kind: &str, sub: &str, value: Option<Value>) {
    let list = object
        .entry(name.to_owned())
        .or_insert_with(|| Value::Array(Vec::new()));
    let Value::Array(elements) = list else { return };
    let has_primary = elements
        .iter()
        .any(|element| element.get("primary") == Some(&Value::Bool(true)));
    match (elements.iter().position(|element| of_type(element, kind)), value) {
        (Some(place), Some(value)) => {
            if let Some(Value::Object(element)) = elements.get_mut(place) {
                element.insert(sub.to_owned(), value);
            }
        }
        (Some(place), None) => {
            let bare = elements
                .get_mut(place)
                .and_then(Value::as_object_mut)
                .is_none_or(|element| {
                    element.remove(sub);
                    sub == "value" || element.keys().all(|key| key == "type" || key == "primary")
                });
            if bare {
                elements.remove(place);
            }
        }
        (None, Some(value)) => {
            let mut element = Map::new();
            element.insert(sub.to_owned(), value);
            element.insert("type".to_owned(), Value::from(kind));
            if name == "emails" && kind == "work" && !has_primary {
                element.insert("primary".to_owned(), Value::Bool(true));
            }
            elements.push(Value::Object(element));
        }
        (None, None) => {}
    }
    if elements.is_empty() {
        object.remove(name);
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(parts) => parts.is_empty(),
        Value::Object(parts) => parts.is_empty(),
        _ => false,
    }
}

fn fit(value: Value, kind: Type) -> Option<Value> {
    match (kind, value) {
        (Type::String | Type::Reference | Type::DateTime | Type::Binary, value) => match value {
            Value::String(_) => Some(value),
            Value::Number(number) => Some(Value::from(number.to_string())),
            Value::Bool(holds) => Some(Value::from(holds.to_string())),
            _ => None,
        },
        (Type::Boolean, Value::Bool(holds)) => Some(Value::Bool(holds)),
        (Type::Boolean, Value::String(text)) => text.to_lowercase().parse().ok().map(Value::Bool),
        (Type::Integer, Value::Number(number)) => number.as_i64().map(Value::from),
        (Type::Integer, Value::String(text)) => text.trim().parse::<i64>().ok().map(Value::from),
        (Type::Decimal, Value::Number(number)) => Some(Value::Number(number)),
        (Type::Decimal, Value::String(text)) => text.trim().parse::<f64>().ok().map(Value::from),
        _ => None,
    }
}
