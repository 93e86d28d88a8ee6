//! `[[entity]]`: what is different for one legal entity of a connection; and how a person becomes a user in each.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ConnectionFile, FileProblem};
use crate::expression::{Expression, Fields, Truth, employee_context};
use crate::hr::Employee;
use crate::lifecycle::Zone;
use crate::scim::{ResourceType, Rule};
use crate::translate::{Line, LineView, Mapping, MappingConfig, MappingError, Policy, SetIn, UserNames};

/// What a person must have when `[read] required` says nothing; the address only where HR gives it.
const REQUIRED: &[&str] = &["given_name", "family_name", "work_email"];
const ADDRESS: &str = "work_email";

/// One legal entity of a connection file. What it does not say is as in the rest of the file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntityFile {
    /// The entity's id, code or name in HR, exactly.
    pub id: String,
    /// Who is in, beside what `[filter]` asks of everybody.
    #[serde(default)]
    pub include: Option<String>,
    /// Lines that differ from those of the connection.
    #[serde(default)]
    pub mapping: MappingConfig,
    /// How employments become states here.
    #[serde(default)]
    pub lifecycle: EntityLifecycle,
}

/// `[entity.lifecycle]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EntityLifecycle {
    /// Whose days count where the source gives no zone.
    pub zone: Option<Zone>,
}

/// A legal entity, ready for runs.
#[derive(Debug)]
pub(in crate::sync) struct Entity {
    /// Its id, code or name in HR.
    pub id: String,
    include: Option<Expression>,
    mapping: Mapping,
    zone: Option<Zone>,
}

/// How people become users: who is in, by which lines, under which name.
#[derive(Debug)]
pub(in crate::sync) struct Settled {
    /// The connection's own lines.
    pub mapping: Mapping,
    /// The entities that differ.
    pub entities: Vec<Entity>,
    /// What gives userNames, when it is not the mapping.
    pub user_names: Option<UserNames>,
}

impl Settled {
    /// The lines as people read them, of the connection or of one of its entities.
    pub fn lines(&self, entity: Option<&Entity>) -> Vec<LineView> {
        lines_shown(&self.mapping, entity, self.user_names.as_ref())
    }

    /// The same where these fields could be read and nobody chose to.
    pub fn without(mut self, unread: &[String]) -> Self {
        self.mapping = self.mapping.without(unread);
        let without = |entity: Entity| Entity {
            mapping: entity.mapping.without(unread),
            ..entity
        };
        self.entities = self.entities.into_iter().map(without).collect();
        self
    }
}

impl Entity {
    /// What it writes, as paths of a difference.
    pub fn paths(&self) -> Vec<String> {
        self.mapping.paths()
    }

    fn is_of(&self, employee: &Employee) -> bool {
        let Some(entity) = &employee.entity else {
            return false;
        };
        [&entity.id, &entity.code, &entity.name]
            .into_iter()
            .any(|part| part.as_deref() == Some(self.id.as_str()))
    }
}

/// The entity of an employee, when the file says anything about it.
fn entity_of<'e>(entities: &'e [Entity], employee: &Employee) -> Option<&'e Entity> {
    entities.iter().find(|entity| entity.is_of(employee))
}

/// The lines for an employee.
pub(in crate::sync) fn mapping_of<'m>(
    base: &'m Mapping,
    entities: &'m [Entity],
    employee: Option<&Employee>,
) -> &'m Mapping {
    employee
        .and_then(|employee| entity_of(entities, employee))
        .map_or(base, |entity| &entity.mapping)
}

/// The lines as people read them, of the connection or of one of its entities: with the pattern where it gives the
/// userName.
pub(in crate::sync) fn lines_shown(
    base: &Mapping,
    entity: Option<&Entity>,
    user_names: Option<&UserNames>,
) -> Vec<LineView> {
    let mut shown: Vec<LineView> = base.lines().collect();
    if let Some(entity) = entity {
        let differs = |line: LineView| LineView {
            set_in: if shown.contains(&line) {
                line.set_in
            } else {
                SetIn::Entity
            },
            ..line
        };
        shown = entity.mapping.lines().map(differs).collect();
    }
    if let Some(names) = user_names {
        shown.retain(|line| line.path != "userName");
        shown.insert(0, names.line());
    }
    shown
}

/// Whether an employee is in: by the connection's filter and by that of the entity. What is unclear is never out.
pub(in crate::sync) fn includes(
    filter: Option<&Expression>,
    entities: &[Entity],
    employee: &Employee,
) -> Truth {
    let own = entity_of(entities, employee).and_then(|entity| entity.include.as_ref());
    let context = employee_context(employee);
    let mut truth = Truth::True;
    for filter in [filter, own].into_iter().flatten() {
        match filter.truth(&context).unwrap_or(Truth::Undefined) {
            Truth::True => {}
            Truth::False => return Truth::False,
            Truth::Undefined => truth = Truth::Undefined,
        }
    }
    truth
}

/// The employees with the zones of their entities, where the source gives none.
pub(in crate::sync) fn zoned(entities: &[Entity], employees: &[Employee]) -> Vec<Employee> {
    let zoned = |employee: &Employee| {
        let mut employee = employee.clone();
        let zone = entity_of(entities, &employee).and_then(|entity| entity.zone);
        if employee.time_zone.is_none() {
            employee.time_zone = zone.map(|zone| zone.to_string());
        }
        employee
    };
    employees.iter().map(zoned).collect()
}

/// Compiles mapping, entities and userNames of a file.
///
/// # Errors
/// All that is wrong, each with its place.
pub(in crate::sync) fn settle(
    kind: &Arc<ResourceType>,
    file: &ConnectionFile,
) -> Result<Settled, Vec<FileProblem>> {
    let mut problems = Vec::new();
    let user_names = match file.user_name.as_ref().map(UserNames::compile).transpose() {
        Ok(names) => names,
        Err(message) => {
            problems.push(FileProblem::at("user_name.pattern", message));
            None
        }
    };
    let required = required(file);
    let base = lines(file, &MappingConfig::default(), &mut problems);
    let mapping = Mapping::compile(kind, &base, &file.group, Some(&required));
    let mapping = mapping.map_err(|wrong| problems.extend(located("", wrong)));
    let mut entities: Vec<Entity> = Vec::new();
    for (place, entity) in file.entities.iter().enumerate() {
        let at = format!("entity.{place}");
        let mut earlier = file.entities.iter().take(place);
        let said = earlier.any(|other| other.id == entity.id);
        if entity.id.is_empty() || said {
            problems.push(FileProblem::at(
                &format!("{at}.id"),
                "names the entity by its id, code or name in HR, each once",
            ));
        }
        let include = include(entity, &at, &mut problems);
        let mut wrong = Vec::new();
        let own = lines(file, &entity.mapping, &mut wrong);
        if entity.mapping.lines.contains_key("userName") {
            let at_home = |problem: FileProblem| FileProblem {
                at: problem.at.map(|place| format!("{at}.{place}")),
                ..problem
            };
            problems.extend(wrong.into_iter().map(at_home));
        }
        match Mapping::compile(kind, &own, &file.group, Some(&required)) {
            Ok(mapping) => entities.push(Entity {
                id: entity.id.clone(),
                include,
                mapping,
                zone: entity.lifecycle.zone,
            }),
            // What is wrong with the connection's own lines was said already.
            Err(wrong) if mapping.is_ok() => problems.extend(located(&format!("{at}."), wrong)),
            Err(_) => {}
        }
    }
    match mapping {
        Ok(mapping) if problems.is_empty() => Ok(Settled {
            mapping,
            entities,
            user_names,
        }),
        _ => Err(problems),
    }
}

fn include(entity: &EntityFile, at: &str, problems: &mut Vec<FileProblem>) -> Option<Expression> {
    let text = entity.include.as_deref()?;
    match Expression::parse(text, &Fields::employee()) {
        Ok(include) => Some(include),
        Err(error) => {
            problems.push(FileProblem {
                at: Some(format!("{at}.include")),
                line: Some(error.line),
                column: Some(error.column),
                message: error.message,
            });
            None
        }
    }
}

/// The connection's lines with those of an entity on top; `userName` is nobody's where a pattern gives it.
fn lines(file: &ConnectionFile, own: &MappingConfig, problems: &mut Vec<FileProblem>) -> MappingConfig {
    let mut all = file.mapping.clone();
    all.lines.extend(own.lines.clone());
    let written = all.lines.get("userName");
    let is_left_out = written.is_some_and(|line| line.policy == Policy::Ignore);
    match (&file.user_name, written.is_some()) {
        (Some(_), true) if !is_left_out => problems.push(FileProblem::at(
            "mapping.userName",
            "[user_name] gives the userName: leave the line out, or [user_name]",
        )),
        (None, _) if is_left_out => problems.push(FileProblem::at(
            "mapping.userName",
            "without a userName no account can be made: map it, or let [user_name] give it",
        )),
        _ => {}
    }
    if file.user_name.is_some() {
        let ignored = Line {
            policy: Policy::Ignore,
            ..Line::default()
        };
        all.lines.insert("userName".to_owned(), ignored);
    }
    all
}

/// Whether clients write the addresses: then HR need not have them.
fn is_address_the_clients(file: &ConnectionFile) -> bool {
    let rule = |path: &str| file.authority.rules.get(path).copied();
    rule("emails").unwrap_or(file.authority.default) == Rule::Client
}

/// What a person must have in HR.
pub(super) fn required(file: &ConnectionFile) -> Vec<String> {
    let is_clients = is_address_the_clients(file);
    let said = file.read.required.clone();
    let is_given = is_clients || (said.is_none() && file.user_name.is_some());
    said.unwrap_or_else(|| REQUIRED.iter().map(|name| (*name).to_owned()).collect())
        .into_iter()
        .filter(|name| !(is_given && name == ADDRESS))
        .collect()
}

fn located(at: &str, wrong: Vec<MappingError>) -> Vec<FileProblem> {
    wrong
        .into_iter()
        .map(|problem| FileProblem {
            at: Some(format!("{at}{}", problem.at.replace('[', ".").replace(']', ""))),
            line: Some(problem.line).filter(|line| *line > 0),
            column: Some(problem.column).filter(|column| *column > 0),
            message: problem.message,
        })
        .collect()
}
