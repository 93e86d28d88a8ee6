//! PATCH against a naive model, on a made-up type that has every kind of attribute: every operation on every kind of
//! target of RFC 7644 §3.5.2. The model knows the definitions as a table and values as JSON; it has no paths to parse,
//! since the steps name their targets.

mod naive;
mod steps;

use std::cell::Cell;
use std::sync::{Arc, LazyLock};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::scim::registry::{Registry, ResourceType};
use crate::scim::{Object, read};

use self::naive::Model;
use self::steps::{body, document, step};
use super::{apply, parse};

const CORE: &str = "urn:x:core:Thing";
const EXT: &str = "urn:x:extension:Thing";

/// What a value of an attribute or of a part looks like.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Text,
    Number,
    Flag,
    /// One object of these parts.
    Parts(&'static [Part]),
    /// A list of texts.
    Texts,
    /// A list of objects with `value`, `type`, `display` and `primary`; with these types as the known ones.
    List(&'static [&'static str]),
}

/// Who may write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum May {
    Write,
    /// Once.
    SetOnce,
    ReadOnly,
}

type Part = (&'static str, Form, May);

/// An attribute: extension or not, name, form, who may write it.
#[derive(Debug, Clone, Copy)]
struct Known {
    extends: bool,
    name: &'static str,
    form: Form,
    may: May,
    required: bool,
}

const fn known(extends: bool, name: &'static str, form: Form, may: May) -> Known {
    let required = false;
    Known {
        extends,
        name,
        form,
        may,
        required,
    }
}

const LIST_PARTS: &[Part] = &[
    ("value", Form::Text, May::Write),
    ("type", Form::Text, May::Write),
    ("display", Form::Text, May::Write),
    ("primary", Form::Flag, May::Write),
];

const ALL: &[Known] = &[
    Known {
        extends: false,
        name: "code",
        form: Form::Text,
        may: May::Write,
        required: true,
    },
    known(false, "note", Form::Text, May::Write),
    known(false, "rank", Form::Number, May::Write),
    known(false, "live", Form::Flag, May::Write),
    known(false, "serial", Form::Text, May::SetOnce),
    known(false, "seen", Form::Text, May::ReadOnly),
    known(
        false,
        "dims",
        Form::Parts(&[
            ("wide", Form::Text, May::Write),
            ("high", Form::Number, May::Write),
            ("mark", Form::Text, May::SetOnce),
            ("seal", Form::Text, May::ReadOnly),
        ]),
        May::Write,
    ),
    known(false, "tags", Form::Texts, May::Write),
    known(false, "mails", Form::List(&["work", "home"]), May::Write),
    known(true, "dept", Form::Text, May::Write),
    known(true, "grade", Form::Text, May::SetOnce),
    known(true, "state", Form::Text, May::ReadOnly),
    known(
        true,
        "boss",
        Form::Parts(&[
            ("value", Form::Text, May::Write),
            ("label", Form::Text, May::ReadOnly),
        ]),
        May::Write,
    ),
    known(true, "nicks", Form::Texts, May::Write),
    known(true, "cards", Form::List(&[]), May::Write),
];

fn definition(name: &str, form: Form, may: May, required: bool) -> Value {
    let mutability = match may {
        May::Write => "readWrite",
        May::SetOnce => "immutable",
        May::ReadOnly => "readOnly",
    };
    let mut one = json!({ "name": name, "mutability": mutability, "required": required, "caseExact": false });
    let parts = |parts: &[Part]| -> Vec<Value> {
        let parts = parts.iter();
        parts
            .map(|(name, form, may)| definition(name, *form, *may, false))
            .collect()
    };
    match form {
        Form::Text => one["type"] = json!("string"),
        Form::Number => one["type"] = json!("integer"),
        Form::Flag => one["type"] = json!("boolean"),
        Form::Texts => one["multiValued"] = json!(true),
        Form::Parts(list) => {
            one["type"] = json!("complex");
            one["subAttributes"] = json!(parts(list));
        }
        Form::List(types) => {
            one["type"] = json!("complex");
            one["multiValued"] = json!(true);
            let mut subs = parts(LIST_PARTS);
            subs[1]["canonicalValues"] = json!(types);
            one["subAttributes"] = json!(subs);
        }
    }
    one
}

/// The made-up type.
fn thing() -> Arc<ResourceType> {
    static THING: LazyLock<Arc<ResourceType>> = LazyLock::new(|| {
        let attributes = |extends: bool| -> Vec<Value> {
            let of = ALL.iter().filter(|known| known.extends == extends);
            of.map(|known| definition(known.name, known.form, known.may, known.required))
                .collect()
        };
        let schemas = [
            json!({ "id": CORE, "attributes": attributes(false) }),
            json!({ "id": EXT, "attributes": attributes(true) }),
        ];
        let kind = json!({ "name": "Thing", "endpoint": "/Things", "schema": CORE, "schemaExtensions": [{ "schema": EXT }] });
        Registry::new(&schemas, &[kind])
            .unwrap()
            .kind("Thing")
            .unwrap()
            .clone()
    });
    THING.clone()
}

/// The document as it is stored: read as a client's, then with what only the server writes.
fn stored(document: &Value, server: bool) -> Object {
    let mut object = read(&thing(), document).unwrap().object;
    if server {
        object.insert("seen".into(), json!("today"));
        if let Some(dims) = object.get_mut("dims") {
            dims["seal"] = json!("ours");
        }
        if let Some(extension) = object.get_mut(EXT) {
            extension["state"] = json!("good");
        }
    }
    object
}

/// Covers: rfc 5.2, 5.3, 5.5, 5.6, 5.9, 5.20, 5.21, 5.22, 5.23, 5.24, 5.25, 5.30, 5.31, 5.32, 5.33, 5.40, 5.41, 5.42, 5.43, 5.44, 5.45, 5.46; item 4
#[test]
fn a_patch_does_what_the_model_does() {
    let cases = (document(), any::<bool>(), vec(step(), 1..4));
    let (done, refused, idle) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let count = |counter: &Cell<u32>| counter.set(counter.get() + 1);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(12_000));
    let run = runner.run(&cases, |(before, server, steps)| {
        let before = stored(&before, server);
        let request = body(&steps);
        let patched = parse(&request).and_then(|parsed| apply(&thing(), &before, Some("theirs"), &parsed));
        let mut model = Model::new(&before, Some("theirs"));
        match Model::read(&steps).and_then(|()| steps.iter().try_for_each(|step| model.take(step))) {
            Ok(()) => {
                let patched =
                    patched.map_err(|error| TestCaseError::fail(format!("{error:?}\n{request}")))?;
                prop_assert_eq!(&patched.external_id, &model.external_id);
                prop_assert_eq!(&patched.object, &model.done(), "{}", request);
                count(if patched.object == before { &idle } else { &done });
            }
            // What fails, fails whole: there is no resource in the answer at all.
            Err(expected) => {
                let error = patched
                    .map(|patched| patched.object)
                    .expect_err(&format!("{expected:?} {request}"));
                prop_assert_eq!(
                    (error.status, error.scim_type),
                    (400, Some(expected)),
                    "{} {}",
                    error,
                    request
                );
                count(&refused);
            }
        }
        Ok(())
    });
    run.unwrap_or_else(|failed| panic!("{failed}"));
    let (done, refused, idle) = (done.get(), refused.get(), idle.get());
    assert!(
        done > 3_000 && refused > 3_000 && idle > 300,
        "{done} changed it, {idle} did not, {refused} were refused"
    );
}
