//! PATCH against a model of a user that is a handful of plain fields.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::scim::registry::{ENTERPRISE, USER};
use crate::scim::{Object, fold, read, sample};

use super::{apply, parse};

#[derive(Debug, Clone, PartialEq, Default)]
struct Email {
    kind: Option<String>,
    value: Option<String>,
    primary: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct User {
    title: Option<String>,
    given: Option<String>,
    department: Option<String>,
    manager: Option<String>,
    emails: Vec<Email>,
}

#[derive(Debug, Clone)]
enum Step {
    Set {
        field: usize,
        word: Option<String>,
        replace: bool,
        pathless: bool,
    },
    Remove {
        field: usize,
    },
    SetValue {
        kind: String,
        value: String,
        replace: bool,
    },
    SetPrimary {
        kind: String,
    },
    RemoveTyped {
        kind: String,
    },
    RemoveEmails,
    AddEmail(Email),
    ReplaceEmails(Vec<Email>),
}

const TYPES: [&str; 4] = ["work", "Work", "home", "boat"];

fn email() -> impl Strategy<Value = Email> {
    let kind = option::of(select(TYPES.to_vec()).prop_map(str::to_owned));
    (kind, sample::word(), option::weighted(0.3, any::<bool>())).prop_map(|(kind, value, primary)| Email {
        kind,
        value: Some(value),
        primary,
    })
}

fn emails() -> impl Strategy<Value = Vec<Email>> {
    vec(email(), 0..4).prop_map(|emails| {
        let mut seen = false;
        let mut kept: Vec<Email> = Vec::new();
        for mut email in emails {
            if email.primary == Some(true) && std::mem::replace(&mut seen, true) {
                email.primary = Some(false);
            }
            if !kept.contains(&email) {
                kept.push(email);
            }
        }
        kept
    })
}

fn user() -> impl Strategy<Value = User> {
    let word = || option::of(sample::word());
    (word(), word(), word(), word(), emails()).prop_map(|(title, given, department, manager, emails)| User {
        title,
        given,
        department,
        manager,
        emails,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let kind = || select(TYPES.to_vec()).prop_map(str::to_owned);
    prop_oneof![
        3 => (0..4_usize, option::weighted(0.8, sample::word()), any::<bool>(), any::<bool>())
            .prop_map(|(field, word, replace, pathless)| Step::Set { field, word, replace, pathless }),
        1 => (0..4_usize).prop_map(|field| Step::Remove { field }),
        2 => (kind(), sample::word(), any::<bool>()).prop_map(|(kind, value, replace)| Step::SetValue { kind, value, replace }),
        1 => kind().prop_map(|kind| Step::SetPrimary { kind }),
        1 => kind().prop_map(|kind| Step::RemoveTyped { kind }),
        1 => Just(Step::RemoveEmails),
        2 => email().prop_map(Step::AddEmail),
        1 => emails().prop_map(Step::ReplaceEmails),
    ]
}

fn email_json(email: &Email) -> Value {
    let mut json = json!({});
    for (name, value) in [("type", &email.kind), ("value", &email.value)] {
        if let Some(value) = value {
            json[name] = json!(value);
        }
    }
    if let Some(primary) = email.primary {
        json["primary"] = json!(primary);
    }
    json
}

fn object(user: &User) -> Object {
    let body = json!({
        "schemas": [USER], "userName": "ann", "title": user.title, "name": {"givenName": user.given},
        "emails": user.emails.iter().map(email_json).collect::<Vec<_>>(),
        ENTERPRISE: {"department": user.department, "manager": user.manager.as_ref().map(|manager| json!({"value": manager}))},
    });
    read(&sample::user(), &body).unwrap().object
}

/// Operation of a step, as a strict client writes it.
fn operation(step: &Step) -> Value {
    let paths = [
        "title".to_owned(),
        "name.givenName".to_owned(),
        format!("{ENTERPRISE}:department"),
        format!("{ENTERPRISE}:manager"),
    ];
    let op = |replace: bool| if replace { "replace" } else { "add" };
    match step {
        Step::Set {
            field,
            word,
            replace,
            pathless,
        } => {
            let value = match (field, word) {
                (3, Some(word)) => json!({"value": word}),
                (_, word) => json!(word),
            };
            if *pathless {
                json!({"op": op(*replace), "value": {&paths[*field]: value}})
            } else {
                json!({"op": op(*replace), "path": paths[*field], "value": value})
            }
        }
        Step::Remove { field } => json!({"op": "remove", "path": paths[*field]}),
        Step::SetValue { kind, value, replace } => {
            json!({"op": op(*replace), "path": format!("emails[type eq \"{kind}\"].value"), "value": value})
        }
        Step::SetPrimary { kind } => {
            json!({"op": "add", "path": format!("emails[type eq \"{kind}\"].primary"), "value": true})
        }
        Step::RemoveTyped { kind } => json!({"op": "remove", "path": format!("emails[type eq \"{kind}\"]")}),
        Step::RemoveEmails => json!({"op": "remove", "path": "emails"}),
        Step::AddEmail(email) => json!({"op": "add", "path": "emails", "value": [email_json(email)]}),
        Step::ReplaceEmails(emails) => {
            json!({"op": "replace", "path": "emails", "value": emails.iter().map(email_json).collect::<Vec<_>>()})
        }
    }
}

/// What a step does to the model; `None` is a refusal.
fn take(user: &mut User, step: &Step) -> Option<()> {
    let is = |email: &Email, kind: &str| email.kind.as_deref().map(fold) == Some(fold(kind));
    match step {
        Step::Set { field, word, .. } => *field_of(user, *field) = word.clone(),
        Step::Remove { field } => *field_of(user, *field) = None,
        Step::SetValue { kind, value, replace } => {
            if !user.emails.iter().any(|email| is(email, kind)) {
                if *replace && kind == "boat" {
                    return None;
                }
                let kind = if kind == "boat" { kind.clone() } else { fold(kind) };
                user.emails.push(Email {
                    kind: Some(kind),
                    ..Email::default()
                });
            }
            for email in user.emails.iter_mut().filter(|email| is(email, kind)) {
                email.value = Some(value.clone());
            }
        }
        Step::SetPrimary { kind } => {
            if !user.emails.iter().any(|email| is(email, kind)) {
                let kind = if kind == "boat" { kind.clone() } else { fold(kind) };
                user.emails.push(Email {
                    kind: Some(kind),
                    ..Email::default()
                });
            }
            let new: Vec<usize> = (0..user.emails.len())
                .filter(|at| is(&user.emails[*at], kind) && user.emails[*at].primary != Some(true))
                .collect();
            match new.as_slice() {
                [] => {}
                [only] => make_primary(&mut user.emails, *only),
                _ => return None,
            }
        }
        Step::RemoveTyped { kind } => user.emails.retain(|email| !is(email, kind)),
        Step::RemoveEmails => user.emails.clear(),
        // Who has all that is named is there already.
        Step::AddEmail(email)
            if user.emails.iter().any(|old| {
                (email.kind.is_none() || old.kind == email.kind)
                    && old.value == email.value
                    && (email.primary.is_none() || old.primary == email.primary)
            }) => {}
        Step::AddEmail(email) => {
            let same = user
                .emails
                .iter()
                .position(|old| old.kind == email.kind && old.value == email.value);
            let at = same.unwrap_or(user.emails.len());
            if same.is_none() {
                user.emails.push(Email {
                    primary: None,
                    ..email.clone()
                });
            }
            match email.primary {
                Some(true) if user.emails[at].primary != Some(true) => make_primary(&mut user.emails, at),
                Some(primary) => user.emails[at].primary = Some(primary),
                None => {}
            }
        }
        Step::ReplaceEmails(emails) => user.emails.clone_from(emails),
    }
    let mut kept: Vec<Email> = Vec::new();
    for email in user.emails.drain(..) {
        if !kept.contains(&email) {
            kept.push(email);
        }
    }
    user.emails = kept;
    Some(())
}

fn make_primary(emails: &mut [Email], at: usize) {
    for email in emails.iter_mut().filter(|email| email.primary == Some(true)) {
        email.primary = Some(false);
    }
    emails[at].primary = Some(true);
}

fn field_of(user: &mut User, field: usize) -> &mut Option<String> {
    match field {
        0 => &mut user.title,
        1 => &mut user.given,
        2 => &mut user.department,
        _ => &mut user.manager,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn a_patch_does_what_the_model_does(before in user(), steps in vec(step(), 1..5)) {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": steps.iter().map(operation).collect::<Vec<_>>(),
        });
        let stored = object(&before);
        let patched = apply(&sample::user(), &stored, None, &parse(&body).unwrap());
        let mut model = before;
        match steps.iter().try_for_each(|step| take(&mut model, step).ok_or(())) {
            Ok(()) => prop_assert_eq!(patched.unwrap().object, object(&model)),
            Err(()) => prop_assert_eq!(patched.unwrap_err().status, 400),
        }
    }
}
