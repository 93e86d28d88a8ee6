//! A person as a user.

use serde_json::{Map, Value};

use super::config::Policy;
use super::error::Missing;
use super::hr_facts;
use super::mapping::{Compiled, Mapped, Mapping};
use super::target::Target;
use crate::expression::{Context, employee_context};
use crate::hr::{Employee, Problem};
use crate::identity::Resolved;
use crate::lifecycle::{State, Verdict};
use crate::scim::{Object, set_schemas};

/// A person as a user, and what was not done.
#[derive(Debug, Clone, PartialEq)]
pub struct Translated {
    /// The user as it should be, `active` set by the verdict, the manager as it was.
    pub object: Object,
    /// Values that wait for a decision; the old ones are in `object`.
    pub held: Vec<HeldField>,
    /// Lines whose expression failed or gave a value that does not fit; the old values are in `object`.
    pub problems: Vec<Problem>,
}

/// One decision.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldField {
    /// The attribute path; of userName and e-mails that move together, the first.
    pub field: String,
    /// Its value now.
    pub old: Option<Value>,
    /// Its value in HR.
    pub new: Option<Value>,
    /// All that moves with this decision, the field itself among them.
    pub parts: Vec<HeldPart>,
}

/// One value of a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldPart {
    /// The attribute path.
    pub path: String,
    /// Its value now.
    pub old: Option<Value>,
    /// Its value in HR.
    pub new: Option<Value>,
}

/// Makes the user of a person. `previous` is the user as it is now, without id and meta.
///
/// Somebody without access (a leaver) is translated even when required fields are empty, so that a record that was
/// emptied cannot keep an account alive. For somebody held, `active` stays as it is.
///
/// # Errors
/// The required fields that are empty, when the person is to have access. Never because of a field that is not required.
pub fn user(
    mapping: &Mapping,
    resolved: &Resolved,
    verdict: &Verdict,
    previous: Option<&Object>,
) -> Result<Translated, Missing> {
    let compiled = mapping.compiled();
    let nobody = Employee::default();
    let employee = resolved.leading().unwrap_or(&nobody);
    let context = employee_context(employee);
    let lenient = previous.is_some() && !verdict.access;
    if !lenient {
        require(compiled, &context)?;
    }
    let mut work = Work {
        object: previous.cloned().unwrap_or_default(),
        waiting: Vec::new(),
        problems: Vec::new(),
    };
    for line in &compiled.lines {
        work.apply(line, &context, &employee.source_id);
    }
    let held = work.hold();
    let Work {
        mut object, problems, ..
    } = work;
    if !object.contains_key("userName") && !lenient {
        return Err(Missing {
            fields: vec!["userName".to_owned()],
        });
    }
    if !matches!(verdict.state, State::Held(_)) {
        object.insert("active".to_owned(), Value::Bool(verdict.access));
    }
    hr_facts::set(&mut object, employee, verdict);
    set_schemas(&compiled.kind, &mut object);
    Ok(Translated {
        object,
        held,
        problems,
    })
}

fn require(compiled: &Compiled, context: &Context) -> Result<(), Missing> {
    let missing: Vec<String> = compiled
        .required
        .iter()
        .filter(|(_, expression)| !matches!(expression.value(context), Ok(Some(_))))
        .map(|(name, _)| name.clone())
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Missing { fields: missing })
    }
}

struct Work<'m> {
    object: Object,
    /// Changes of userName and e-mails, and changes that are held: decided upon when all lines are read.
    waiting: Vec<Waiting<'m>>,
    problems: Vec<Problem>,
}

struct Waiting<'m> {
    target: &'m Target,
    old: Option<Value>,
    new: Option<Value>,
    hold: bool,
}

impl<'m> Work<'m> {
    fn apply(&mut self, line: &'m Mapped, context: &Context, source_id: &str) {
        if line.policy == Policy::Ignore {
            return;
        }
        let new = match line.from.value(context) {
            Ok(value) => value,
            Err(error) => return self.problem(line, source_id, error.message),
        };
        let new = match new.map(|value| line.target.fit(value)) {
            Some(None) => {
                return self.problem(line, source_id, "the value does not fit the attribute".to_owned());
            }
            Some(fitting) => fitting,
            None => None,
        };
        let old = line.target.get(&self.object).cloned();
        let nothing_to_do = match (&old, &new) {
            (old, new) if old == new => true,
            (Some(_), None) => {
                (!line.clear_when_empty && line.unread.is_none()) || line.policy == Policy::Fill
            }
            (Some(_), Some(_)) => line.policy == Policy::Fill,
            _ => false,
        };
        if nothing_to_do {
            return;
        }
        let hold = line.policy == Policy::Hold && old.is_some();
        if hold || line.target.is_login() {
            self.waiting.push(Waiting {
                target: &line.target,
                old,
                new,
                hold,
            });
        } else {
            line.target.set(&mut self.object, new);
        }
    }

    fn problem(&mut self, line: &Mapped, source_id: &str, message: String) {
        let source_id = (!source_id.is_empty()).then(|| source_id.to_owned());
        self.problems.push(Problem {
            source_id,
            field: line.target.path.clone(),
            message,
        });
    }

    /// Decides what waits: one held login holds all logins that change with it.
    fn hold(&mut self) -> Vec<HeldField> {
        let (logins, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting| waiting.target.is_login());
        let mut held = Vec::new();
        if logins.iter().any(|waiting| waiting.hold) {
            // What is new altogether moves nothing.
            let (moving, fresh): (Vec<_>, Vec<_>) =
                logins.into_iter().partition(|waiting| waiting.old.is_some());
            self.set(&fresh);
            held.extend(HeldField::of(&moving));
        } else {
            self.set(&logins);
        }
        held.extend(
            others
                .iter()
                .filter_map(|one| HeldField::of(std::slice::from_ref(one))),
        );
        held
    }

    fn set(&mut self, all: &[Waiting<'m>]) {
        for waiting in all {
            waiting.target.set(&mut self.object, waiting.new.clone());
        }
    }
}

impl HeldField {
    fn of(waiting: &[Waiting<'_>]) -> Option<Self> {
        let parts: Vec<HeldPart> = waiting
            .iter()
            .map(|one| HeldPart {
                path: one.target.path.clone(),
                old: one.old.clone(),
                new: one.new.clone(),
            })
            .collect();
        let first = parts
            .iter()
            .find(|part| part.path == "userName")
            .or_else(|| parts.first())?
            .clone();
        Some(Self {
            field: first.path,
            old: first.old,
            new: first.new,
            parts,
        })
    }

    /// Old and new as they are stored with the hold: by path.
    #[must_use]
    pub fn both(&self) -> (Value, Value) {
        let side = |get: fn(&HeldPart) -> &Option<Value>| {
            let parts = self
                .parts
                .iter()
                .filter_map(|part| Some((part.path.clone(), get(part).clone()?)));
            Value::Object(parts.collect::<Map<_, _>>())
        };
        (side(|part| &part.old), side(|part| &part.new))
    }
}

/// Puts an approved decision into a user. `new` is the second of [`HeldField::both`], `old` the first: a path that stands
/// only in `old` is cleared. Paths that are no attributes are left out.
pub fn release(mapping: &Mapping, object: &mut Object, old: &Value, new: &Value) {
    let paths = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let (old, new) = (paths(old), paths(new));
    for path in old.keys().chain(new.keys()) {
        if let Ok(target) = Target::find(path, &mapping.compiled().kind) {
            target.set(object, new.get(path).cloned());
        }
    }
    set_schemas(&mapping.compiled().kind, object);
}
