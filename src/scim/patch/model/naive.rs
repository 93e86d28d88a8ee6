//! What the steps do, said plainly.

use serde_json::{Map, Value, json};

use crate::scim::error::ScimType;
use crate::scim::{Object, fold};

use super::steps::{Step, Target, Verb, Which, parts};
use super::{ALL, CORE, EXT, Form, Known, LIST_PARTS, May};

type Done = Result<(), ScimType>;

pub struct Model {
    object: Object,
    pub external_id: Option<String>,
}

impl Model {
    pub fn new(object: &Object, external_id: Option<&str>) -> Self {
        let external_id = external_id.map(str::to_owned);
        Self {
            object: object.clone(),
            external_id,
        }
    }

    /// The resource, its `schemas` in line with its data.
    pub fn done(mut self) -> Object {
        let mut urns = vec![json!(CORE)];
        match self.object.get(EXT).and_then(Value::as_object) {
            Some(data) if !data.is_empty() => urns.push(json!(EXT)),
            _ => {
                self.object.remove(EXT);
            }
        }
        self.object.insert("schemas".into(), Value::Array(urns));
        self.object
    }

    /// Whether the request is one at all, whatever it is about.
    pub fn read(steps: &[Step]) -> Done {
        let aimless = |step: &Step| matches!((&step.target, step.verb), (Target::Nothing, Verb::Remove));
        if steps.iter().any(aimless) {
            Err(ScimType::NoTarget)
        } else {
            Ok(())
        }
    }

    pub fn take(&mut self, step: &Step) -> Done {
        let (verb, value) = (step.verb, step.value.as_ref());
        match (&step.target, verb) {
            (Target::Nothing, _) => self.pathless(verb, value.and_then(Value::as_object).unwrap()),
            (Target::Unknown, _) => Err(ScimType::InvalidPath),
            (Target::Servers(_), _) => Err(ScimType::Mutability),
            (Target::Schemas, _) => Ok(()),
            (Target::ExternalId, Verb::Remove) => self.call(&Value::Null),
            (Target::ExternalId, _) => self.call(value.unwrap()),
            (Target::Extension, Verb::Remove) => self.clear_extension(),
            (Target::Extension, _) => self.extension(verb, value.unwrap()),
            (Target::Attribute(known), _) => self.attribute(*known, verb, value),
            (Target::Part(known, part), _) => self.part(*known, verb, part, value),
            (Target::Elements(known, which), _) => {
                self.elements(*known, |list| matching(list, *known, verb, which, value))
            }
            (Target::ElementPart(known, which, part), _) => self.elements(*known, |list| {
                part_of(list, *known, verb, Some(which), part, value)
            }),
        }
    }

    fn call(&mut self, value: &Value) -> Done {
        self.external_id = match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            _ => return Err(ScimType::InvalidValue),
        };
        Ok(())
    }

    fn pathless(&mut self, verb: Verb, values: &Map<String, Value>) -> Done {
        let mut understood = values.is_empty();
        for (key, value) in values {
            let name = key.strip_prefix(&format!("{EXT}:")).unwrap_or(key);
            let (name, part) = name
                .split_once('.')
                .map_or((name, None), |(name, part)| (name, Some(part)));
            let known = ALL.iter().find(|known| known.name == name);
            understood |= key != "nobodys";
            match (key.as_str(), known, part) {
                ("id" | "schemas" | "nobodys", _, _) => {}
                ("externalId", _, _) => self.call(value)?,
                (EXT, _, _) => self.extension(verb, value)?,
                (_, Some(known), _) if known.may == May::ReadOnly => {}
                (_, Some(known), Some(part)) => self.part(*known, verb, part, Some(value))?,
                (_, Some(known), None) => self.attribute(*known, verb, Some(value))?,
                (other, None, _) => panic!("{other}"),
            }
        }
        if understood {
            Ok(())
        } else {
            Err(ScimType::InvalidPath)
        }
    }

    fn clear_extension(&mut self) -> Done {
        for known in ALL
            .iter()
            .filter(|known| known.extends && known.may != May::ReadOnly)
        {
            self.clear(*known)?;
        }
        Ok(())
    }

    fn extension(&mut self, verb: Verb, value: &Value) -> Done {
        let values = match value {
            Value::Null => return self.clear_extension(),
            Value::Object(values) => values,
            _ => return Err(ScimType::InvalidValue),
        };
        for (name, value) in values {
            let known = ALL.iter().find(|known| known.extends && known.name == name);
            if let Some(known) = known.filter(|known| known.may != May::ReadOnly) {
                self.attribute(*known, verb, Some(value))?;
            }
        }
        Ok(())
    }

    fn attribute(&mut self, known: Known, verb: Verb, value: Option<&Value>) -> Done {
        if known.may == May::ReadOnly {
            return Err(ScimType::Mutability);
        }
        let value = match (known.form, verb, value) {
            (Form::Texts | Form::List(_), _, value) => {
                return self.elements(known, |list| whole_list(list, known, verb, value));
            }
            (_, Verb::Remove, _) => return self.clear(known),
            (_, _, Some(value)) => value,
            (_, _, None) => panic!("a value for {}", known.name),
        };
        match (known.form, value) {
            (Form::Parts(_), Value::Null) => self.clear(known),
            (Form::Parts(parts), Value::Object(values)) => {
                for (name, value) in values {
                    let part = parts.iter().find(|(part, _, _)| part == name);
                    if part.is_some_and(|(_, _, may)| *may != May::ReadOnly) {
                        self.part(known, verb, name, Some(value))?;
                    }
                }
                Ok(())
            }
            (Form::Parts(_), _) => Err(ScimType::InvalidValue),
            (form, value) => match plain(form, value)? {
                None if known.required => Err(ScimType::InvalidValue),
                None => self.clear(known),
                Some(value) if known.required && value == "" => Err(ScimType::InvalidValue),
                Some(value) => {
                    let old = self.holder(known).get(known.name);
                    if known.may == May::SetOnce && old.is_some_and(|old| *old != value) {
                        return Err(ScimType::Mutability);
                    }
                    self.holder(known).insert(known.name.into(), value);
                    Ok(())
                }
            },
        }
    }

    /// One part of a single value, or a part of the elements of a list without saying which.
    fn part(&mut self, known: Known, verb: Verb, name: &str, value: Option<&Value>) -> Done {
        let (_, form, may) = *parts(known.form)
            .iter()
            .find(|(part, _, _)| *part == name)
            .unwrap();
        if may == May::ReadOnly {
            return Err(ScimType::Mutability);
        }
        if matches!(known.form, Form::List(_)) {
            return self.elements(known, |list| part_of(list, known, verb, None, name, value));
        }
        let value = match (verb, value) {
            (Verb::Remove, _) => None,
            (_, value) => plain(form, value.unwrap())?,
        };
        let holder = self.holder(known);
        let old = holder.get(known.name).and_then(|parts| parts.get(name));
        if may == May::SetOnce && old.is_some() && old != value.as_ref() {
            return Err(ScimType::Mutability);
        }
        let whole = holder
            .entry(known.name)
            .or_insert_with(|| json!({}))
            .as_object_mut()
            .unwrap();
        match value {
            Some(value) => whole.insert(name.to_owned(), value),
            None => whole.remove(name),
        };
        if whole.is_empty() {
            holder.remove(known.name);
        }
        Ok(())
    }

    fn clear(&mut self, known: Known) -> Done {
        if known.required || (known.may == May::SetOnce && self.holder(known).contains_key(known.name)) {
            return Err(ScimType::Mutability);
        }
        self.holder(known).remove(known.name);
        Ok(())
    }

    fn elements(&mut self, known: Known, change: impl FnOnce(&mut Vec<Value>) -> Done) -> Done {
        let holder = self.holder(known);
        let mut list = holder
            .get(known.name)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let before = list.clone();
        change(&mut list)?;
        settle_primary(&before, &mut list)?;
        let mut kept: Vec<Value> = Vec::new();
        for element in list {
            if !kept.contains(&element) {
                kept.push(element);
            }
        }
        if kept.is_empty() {
            holder.remove(known.name);
        } else {
            holder.insert(known.name.into(), Value::Array(kept));
        }
        Ok(())
    }

    fn holder(&mut self, known: Known) -> &mut Map<String, Value> {
        if known.extends {
            let extension = self.object.entry(EXT).or_insert_with(|| json!({}));
            return extension.as_object_mut().unwrap();
        }
        &mut self.object
    }
}

/// A plain value of a form; none for "no value".
fn plain(form: Form, value: &Value) -> Result<Option<Value>, ScimType> {
    let fits = match (form, value) {
        (_, Value::Null) => return Ok(None),
        (Form::Text, Value::String(_)) | (Form::Flag, Value::Bool(_)) => true,
        (Form::Number, value) => value.is_i64(),
        _ => false,
    };
    if fits {
        Ok(Some(value.clone()))
    } else {
        Err(ScimType::InvalidValue)
    }
}

/// One element as it is kept; none if nothing is in it.
fn one(known: Known, value: &Value) -> Result<Option<Value>, ScimType> {
    if known.form == Form::Texts {
        return plain(Form::Text, value);
    }
    match value {
        Value::Null => Ok(None),
        Value::Object(given) if given.is_empty() => Ok(None),
        Value::Object(_) => Ok(Some(value.clone())),
        _ => Err(ScimType::InvalidValue),
    }
}

fn is_on(element: &Value) -> bool {
    element.get("primary") == Some(&json!(true))
}

fn read_list(known: Known, value: &Value) -> Result<Vec<Value>, ScimType> {
    let given = match value {
        Value::Null => Vec::new(),
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    let mut list = Vec::new();
    for element in given {
        if let Some(element) = one(known, &element)?
            && !list.contains(&element)
        {
            list.push(element);
        }
    }
    if list.iter().filter(|element| is_on(element)).count() > 1 {
        return Err(ScimType::InvalidValue);
    }
    Ok(list)
}

/// Whether an element has all that another one names.
fn has(element: &Value, named: &Value) -> bool {
    match (element.as_object(), named.as_object()) {
        (Some(_), Some(named)) => named.iter().all(|(name, value)| element.get(name) == Some(value)),
        _ => element == named,
    }
}

fn lay_over(element: &mut Value, over: &Value) {
    match over.as_object() {
        Some(over) => over
            .iter()
            .for_each(|(name, value)| element[name] = value.clone()),
        None => *element = over.clone(),
    }
}

fn whole_list(list: &mut Vec<Value>, known: Known, verb: Verb, value: Option<&Value>) -> Done {
    match (verb, value) {
        (Verb::Remove, None | Some(Value::Null)) => list.clear(),
        (Verb::Remove, Some(value)) => {
            let named = read_list(known, value)?;
            list.retain(|element| !named.iter().any(|named| has(element, named)));
        }
        (Verb::Replace, value) => *list = read_list(known, value.unwrap())?,
        (Verb::Add, value) => {
            for new in read_list(known, value.unwrap())? {
                if list.iter().any(|old| has(old, &new)) {
                    continue;
                }
                let same = list.iter_mut().find(|old| {
                    new.get("value").is_some()
                        && old.get("value") == new.get("value")
                        && old.get("type") == new.get("type")
                });
                match same {
                    Some(old) => lay_over(old, &new),
                    None => list.push(new),
                }
            }
        }
    }
    Ok(())
}

fn meets(element: &Value, which: &Which) -> bool {
    let is = |name: &str, word: &str| {
        let text = if element.is_string() {
            Some(element)
        } else {
            element.get(name)
        };
        text.and_then(Value::as_str)
            .is_some_and(|text| fold(text) == fold(word))
    };
    match which {
        Which::Type(kind) => is("type", kind),
        Which::Value(word) => is("value", word),
        Which::Primary(primary) => element.get("primary") == Some(&json!(primary)),
        Which::Both(kind, word) => is("type", kind) && is("value", word),
        Which::NotType(kind) => !is("type", kind),
        Which::HasValue => element
            .get("value")
            .and_then(Value::as_str)
            .is_some_and(|text| !text.is_empty()),
    }
}

/// An element that meets what is asked for, where that says it all: a type (for `replace` a known one), or the primary.
fn made(known: Known, verb: Verb, which: &Which) -> Result<Value, ScimType> {
    let Form::List(types) = known.form else {
        return Err(ScimType::NoTarget);
    };
    match which {
        Which::Primary(true) => Ok(json!({ "primary": true })),
        Which::Type(kind) => match types.iter().find(|known| known.eq_ignore_ascii_case(kind)) {
            Some(known) => Ok(json!({ "type": known })),
            None if verb == Verb::Add => Ok(json!({ "type": kind })),
            None => Err(ScimType::NoTarget),
        },
        _ => Err(ScimType::NoTarget),
    }
}

fn matching(list: &mut Vec<Value>, known: Known, verb: Verb, which: &Which, value: Option<&Value>) -> Done {
    let value = match verb {
        Verb::Remove => None,
        _ => one(known, value.unwrap())?,
    };
    let Some(value) = value else {
        list.retain(|element| !meets(element, which));
        return Ok(());
    };
    if !list.iter().any(|element| meets(element, which)) {
        let mut new = made(known, verb, which)?;
        lay_over(&mut new, &value);
        list.push(new);
        return Ok(());
    }
    for element in list.iter_mut().filter(|element| meets(element, which)) {
        if verb == Verb::Replace {
            *element = value.clone();
        } else {
            lay_over(element, &value);
        }
    }
    Ok(())
}

fn part_of(
    list: &mut Vec<Value>,
    known: Known,
    verb: Verb,
    which: Option<&Which>,
    name: &str,
    value: Option<&Value>,
) -> Done {
    let (_, form, _) = *LIST_PARTS.iter().find(|(part, _, _)| *part == name).unwrap();
    let value = match verb {
        Verb::Remove => None,
        _ => plain(form, value.unwrap())?,
    };
    let meant = |element: &Value| which.is_none_or(|which| meets(element, which));
    let Some(value) = value.filter(|value| name != "value" || *value != "") else {
        let mut kept = Vec::new();
        for mut element in list.drain(..) {
            let gone = meant(&element) && element.as_object_mut().unwrap().remove(name).is_some();
            let parts = element.as_object().unwrap();
            let hollow = parts.keys().all(|part| part == "type" || part == "primary");
            if !(gone && hollow && (name == "value" || parts.is_empty())) {
                kept.push(element);
            }
        }
        *list = kept;
        return Ok(());
    };
    if which.is_none() && list.len() > 1 {
        return Err(ScimType::InvalidPath);
    }
    if !list.iter().any(meant) {
        list.push(which.map_or_else(|| Ok(json!({})), |which| made(known, verb, which))?);
        list.last_mut().unwrap()[name] = value;
        return Ok(());
    }
    for element in list.iter_mut().filter(|element| meant(element)) {
        element[name] = value.clone();
    }
    Ok(())
}

/// At most one is primary: whoever has just become so.
fn settle_primary(before: &[Value], list: &mut [Value]) -> Done {
    let on: Vec<usize> = (0..list.len()).filter(|at| is_on(&list[*at])).collect();
    let new: Vec<usize> = on
        .iter()
        .copied()
        .filter(|at| !before.get(*at).is_some_and(is_on))
        .collect();
    match (on.len(), new.as_slice()) {
        (0 | 1, _) | (_, []) => Ok(()),
        (_, [new]) => {
            for at in on.into_iter().filter(|at| at != new) {
                list[at]["primary"] = json!(false);
            }
            Ok(())
        }
        _ => Err(ScimType::InvalidValue),
    }
}
