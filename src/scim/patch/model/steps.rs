//! Random documents and random steps on them.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::{ALL, CORE, EXT, Form, Known, LIST_PARTS};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Add,
    Replace,
    Remove,
}

/// What stands in brackets.
#[derive(Debug, Clone)]
pub enum Which {
    Type(String),
    Value(String),
    Primary(bool),
    Both(String, String),
    NotType(String),
    HasValue,
}

#[derive(Debug, Clone)]
pub enum Target {
    /// No path.
    Nothing,
    Attribute(Known),
    Part(Known, &'static str),
    Elements(Known, Which),
    ElementPart(Known, Which, &'static str),
    Extension,
    ExternalId,
    Schemas,
    /// `id` and the like.
    Servers(&'static str),
    /// An attribute that nobody knows.
    Unknown,
}

#[derive(Debug, Clone)]
pub struct Step {
    pub verb: Verb,
    pub target: Target,
    pub value: Option<Value>,
    /// How the path is spelt.
    pub spelling: usize,
}

const WORDS: [&str; 5] = ["ann", "ANN", "bob", "b\"x", "éva"];
const TYPES: [&str; 4] = ["work", "Work", "home", "boat"];

fn word() -> impl Strategy<Value = String> + Clone {
    select(WORDS.to_vec()).prop_map(str::to_owned)
}

fn kind() -> impl Strategy<Value = String> + Clone {
    select(TYPES.to_vec()).prop_map(str::to_owned)
}

fn element() -> impl Strategy<Value = Value> {
    let parts = (
        option::weighted(0.9, word()),
        option::of(kind()),
        option::weighted(0.2, word()),
    );
    (parts, option::weighted(0.3, any::<bool>())).prop_map(|((value, kind, display), primary)| {
        let mut element = json!({});
        for (name, text) in [("value", value), ("type", kind), ("display", display)] {
            if let Some(text) = text {
                element[name] = json!(text);
            }
        }
        if let Some(primary) = primary {
            element["primary"] = json!(primary);
        }
        element
    })
}

/// A value of a form.
fn fitting(form: Form) -> BoxedStrategy<Value> {
    match form {
        Form::Text => prop_oneof![9 => word().prop_map(Value::from), 1 => Just(json!(""))].boxed(),
        Form::Number => (0..3_i64).prop_map(Value::from).boxed(),
        Form::Flag => any::<bool>().prop_map(Value::from).boxed(),
        Form::Texts => vec(word(), 0..4).prop_map(Value::from).boxed(),
        Form::List(_) => vec(element(), 0..4).prop_map(Value::from).boxed(),
        Form::Parts(parts) => {
            let each: Vec<_> = parts
                .iter()
                .map(|(name, form, _)| option::of(fitting(*form)).prop_map(|value| (*name, value)))
                .collect();
            each.prop_map(|parts| {
                let there = parts
                    .into_iter()
                    .filter_map(|(name, value)| Some((name.to_owned(), value?)));
                Value::Object(there.collect())
            })
            .boxed()
        }
    }
}

/// A value for a form as clients send it: mostly fitting, at times none or of another type.
fn sent(form: Form) -> BoxedStrategy<Value> {
    let other = match form {
        Form::Text | Form::Flag => json!(7),
        Form::Number | Form::Texts => json!({ "a": 1 }),
        Form::Parts(_) | Form::List(_) => json!(3),
    };
    prop_oneof![28 => fitting(form), 4 => Just(Value::Null), 1 => Just(other)].boxed()
}

/// A whole resource: what only the server writes is left out when it is read.
pub fn document() -> impl Strategy<Value = Value> {
    let each: Vec<_> = ALL
        .iter()
        .map(|known| option::weighted(0.6, fitting(known.form)))
        .collect();
    each.prop_map(|values| {
        let mut document = json!({ "schemas": [CORE, EXT], "code": "c-1" });
        for (known, value) in ALL.iter().zip(values) {
            let Some(value) = value.filter(|value| !(known.required && value == "")) else {
                continue;
            };
            let value = at_most_one_primary(value);
            if known.extends {
                document[EXT][known.name] = value;
            } else {
                document[known.name] = value;
            }
        }
        document
    })
}

fn at_most_one_primary(mut value: Value) -> Value {
    let mut seen = false;
    for element in value.as_array_mut().into_iter().flatten() {
        if element.get("primary") == Some(&json!(true)) && std::mem::replace(&mut seen, true) {
            element["primary"] = json!(false);
        }
    }
    value
}

fn which(form: Form) -> BoxedStrategy<Which> {
    if form == Form::Texts {
        return word().prop_map(Which::Value).boxed();
    }
    prop_oneof![
        5 => kind().prop_map(Which::Type),
        2 => word().prop_map(Which::Value),
        2 => any::<bool>().prop_map(Which::Primary),
        1 => (kind(), word()).prop_map(|(kind, word)| Which::Both(kind, word)),
        1 => kind().prop_map(Which::NotType),
        1 => Just(Which::HasValue),
    ]
    .boxed()
}

fn attribute() -> impl Strategy<Value = Known> {
    select(ALL.to_vec())
}

fn verb() -> impl Strategy<Value = Verb> + Clone {
    select(vec![Verb::Add, Verb::Replace, Verb::Remove])
}

/// A target with a value for it.
fn aimed() -> impl Strategy<Value = (Target, Value)> {
    let whole = attribute().prop_flat_map(|known| {
        // One element where a list belongs is read as a list of it.
        let value = match known.form {
            Form::List(_) => prop_oneof![4 => sent(known.form), 1 => element()].boxed(),
            form => sent(form),
        };
        value.prop_map(move |value| (Target::Attribute(known), value))
    });
    let parted: Vec<Known> = ALL
        .iter()
        .filter(|known| !parts(known.form).is_empty())
        .copied()
        .collect();
    let part = select(parted.clone()).prop_flat_map(|known| {
        select(parts(known.form).to_vec()).prop_flat_map(move |(name, form, _)| {
            sent(form).prop_map(move |value| (Target::Part(known, name), value))
        })
    });
    let listed: Vec<Known> = ALL
        .iter()
        .filter(|known| matches!(known.form, Form::Texts | Form::List(_)))
        .copied()
        .collect();
    let elements = select(listed).prop_flat_map(|known| {
        let value = match known.form {
            Form::Texts => sent(Form::Text),
            _ => prop_oneof![12 => element(), 1 => Just(Value::Null), 1 => Just(json!(3))].boxed(),
        };
        (which(known.form), value).prop_map(move |(which, value)| (Target::Elements(known, which), value))
    });
    let lists: Vec<Known> = parted
        .into_iter()
        .filter(|known| matches!(known.form, Form::List(_)))
        .collect();
    let element_part = select(lists).prop_flat_map(|known| {
        (which(known.form), select(LIST_PARTS.to_vec())).prop_flat_map(move |(which, (name, form, _))| {
            sent(form).prop_map(move |value| (Target::ElementPart(known, which.clone(), name), value))
        })
    });
    let servers = select(vec!["id", "meta", "meta.version"]);
    prop_oneof![
        24 => whole,
        15 => part,
        12 => elements,
        15 => element_part,
        6 => extension().prop_map(|value| (Target::Extension, value)),
        9 => pathless().prop_map(|value| (Target::Nothing, value)),
        3 => sent(Form::Text).prop_map(|value| (Target::ExternalId, value)),
        1 => Just((Target::Schemas, json!([CORE]))),
        1 => servers.prop_map(|name| (Target::Servers(name), json!("x"))),
        1 => Just((Target::Unknown, json!("x"))),
    ]
}

/// The parts that a path can name behind a dot.
pub fn parts(form: Form) -> &'static [super::Part] {
    match form {
        Form::Parts(parts) => parts,
        Form::List(_) => LIST_PARTS,
        _ => &[],
    }
}

/// Values for some attributes of the extension, and for one that it does not have.
fn extension() -> impl Strategy<Value = Value> {
    let each = ALL.iter().filter(|known| known.extends);
    let each: Vec<_> = each
        .map(|known| option::weighted(0.3, sent(known.form)).prop_map(|value| (known.name, value)))
        .collect();
    let some = (each, any::<bool>()).prop_map(|(values, more)| {
        let mut object = Map::new();
        for (name, value) in values {
            if let Some(value) = value {
                object.insert(name.to_owned(), value);
            }
        }
        if more {
            object.insert("nobodys".to_owned(), json!(1));
        }
        Value::Object(object)
    });
    prop_oneof![10 => some, 1 => Just(Value::Null), 1 => Just(json!("x"))]
}

/// A value without path: attributes, `part.of`, the extension, `urn:…:attribute`, what only the server writes, and
/// what nobody knows.
fn pathless() -> impl Strategy<Value = Value> {
    let key = attribute().prop_flat_map(|known| {
        let plain = sent(known.form)
            .prop_map(move |value| (spelt(known, 0), value))
            .boxed();
        match parts(known.form) {
            parts @ [_, ..] if matches!(known.form, Form::Parts(_)) => {
                let part = select(parts.to_vec()).prop_flat_map(move |(name, form, _)| {
                    sent(form).prop_map(move |value| (format!("{}.{name}", spelt(known, 0)), value))
                });
                prop_oneof![plain, part].boxed()
            }
            _ => plain,
        }
    });
    let others = prop_oneof![
        Just(("id".to_owned(), json!("x"))),
        Just(("nobodys".to_owned(), json!(1))),
        Just(("schemas".to_owned(), json!([CORE, EXT]))),
        extension().prop_map(|value| (EXT.to_owned(), value)),
        sent(Form::Text).prop_map(|value| ("externalId".to_owned(), value)),
    ];
    vec(prop_oneof![4 => key, 1 => others], 0..4).prop_map(|keys| Value::Object(keys.into_iter().collect()))
}

pub fn step() -> impl Strategy<Value = Step> {
    (verb(), aimed(), any::<bool>(), 0..4_usize).prop_map(|(verb, (target, value), with, spelling)| {
        // A remove seldom has a value; where a list is meant, it names what is to go.
        let with = verb != Verb::Remove || (with && matches!(&target, Target::Attribute(_)));
        Step {
            verb,
            target,
            value: with.then_some(value),
            spelling,
        }
    })
}

/// The path of an attribute: plain, in another case, behind its URN, and that in another case.
fn spelt(known: Known, spelling: usize) -> String {
    let urn = if known.extends { EXT } else { CORE };
    match (spelling, known.extends) {
        (0, false) => known.name.to_owned(),
        (1, false) => known.name.to_uppercase(),
        (0 | 2, _) => format!("{urn}:{}", known.name),
        (1, true) => known.name.to_owned(),
        _ => format!("{}:{}", urn.to_uppercase(), known.name),
    }
}

fn brackets(form: Form, which: &Which) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    match which {
        Which::Type(kind) => format!("[type eq {}]", quoted(kind)),
        Which::Value(word) if form == Form::Texts => format!("[value eq {}]", quoted(word)),
        Which::Value(word) => format!("[VALUE Eq {}]", quoted(word)),
        Which::Primary(primary) => format!("[primary eq {primary}]"),
        Which::Both(kind, word) => format!("[type eq {} and value eq {}]", quoted(kind), quoted(word)),
        Which::NotType(kind) => format!("[not (type eq {})]", quoted(kind)),
        Which::HasValue => "[value pr]".to_owned(),
    }
}

fn path(step: &Step) -> Option<String> {
    let spelling = step.spelling;
    Some(match &step.target {
        Target::Nothing => return None,
        Target::Attribute(known) => spelt(*known, spelling),
        Target::Part(known, part) => format!("{}.{part}", spelt(*known, spelling)),
        Target::Elements(known, which) => {
            format!("{}{}", spelt(*known, spelling), brackets(known.form, which))
        }
        Target::ElementPart(known, which, part) => {
            format!(
                "{}{}.{part}",
                spelt(*known, spelling),
                brackets(known.form, which)
            )
        }
        Target::Extension if spelling == 1 => EXT.to_lowercase(),
        Target::Extension => EXT.to_owned(),
        Target::ExternalId => "externalId".to_owned(),
        Target::Schemas => "schemas".to_owned(),
        Target::Servers(name) => (*name).to_owned(),
        Target::Unknown => "nobodys.business".to_owned(),
    })
}

/// The request of some steps.
pub fn body(steps: &[Step]) -> Value {
    let operations = steps.iter().map(|step| {
        let verb = match step.verb {
            Verb::Add => "add",
            Verb::Replace => "replace",
            Verb::Remove => "Remove",
        };
        let mut operation = json!({ "op": verb });
        if let Some(path) = path(step) {
            operation["path"] = json!(path);
        }
        if let Some(value) = &step.value {
            operation["value"] = value.clone();
        }
        operation
    });
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": operations.collect::<Vec<_>>(),
    })
}
