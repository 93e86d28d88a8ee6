//! Compiling the mapping.

use std::sync::Arc;

use super::config::{GroupRule, Line, MappingConfig, Policy};
use super::error::MappingError;
use super::target::Target;
use crate::expression::{Expression, Fields};
use crate::hr;
use crate::scim::{ENTERPRISE, ResourceType};

/// The default mapping (attribute, expression).
const DEFAULTS: &[(&str, &str)] = &[
    ("userName", "employee.work_email | lower"),
    ("name.givenName", "employee.given_name"),
    ("name.familyName", "employee.family_name"),
    ("name.middleName", "employee.middle_name"),
    (
        "displayName",
        "employee.display_name or ((employee.preferred_name or employee.given_name) ~ ' ' ~ employee.family_name)",
    ),
    ("title", "employee.title"),
    ("emails.work", "employee.work_email"),
    ("phoneNumbers.work", "employee.work_phone"),
    ("phoneNumbers.mobile", "employee.mobile_phone"),
    ("employeeNumber", "employee.employee_number"),
    ("department", "employee.department.name"),
    ("division", "employee.division.name or employee.division.code"),
    (
        "costCenter",
        "employee.cost_center.code or employee.cost_center.name",
    ),
    ("organization", "employee.entity.name"),
];

/// Fields that a person must have when `[read] required` says nothing.
const REQUIRED: &[&str] = &["given_name", "family_name", "work_email"];

/// A compiled mapping. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Mapping(Arc<Compiled>);

#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) kind: Arc<ResourceType>,
    pub(super) lines: Vec<Mapped>,
    pub(super) groups: Vec<Group>,
    /// Fields that a person must have, each with the expression that reads it.
    pub(super) required: Vec<(String, Expression)>,
    pub(super) manager: ManagerPolicy,
}

/// One line.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) target: Target,
    pub(super) from: Expression,
    pub(super) policy: Policy,
    pub(super) clear_when_empty: bool,
    /// The customer wrote it; else it is the default's.
    pub(super) is_own: bool,
    /// The attribute that it writes, where nothing of what it reads is read of the HR system: what it wrote goes.
    pub(super) unread: Option<String>,
}

/// One line as it is told to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineView {
    /// Its name in `[mapping]`: `emails.work`.
    pub name: String,
    /// The attribute that it writes, as a path of a difference: `emails`.
    pub path: String,
    /// The expression.
    pub from: String,
    /// The fields that the expression reads, each with its parts: `["entity", "id"]`.
    pub fields: Vec<Vec<String>>,
    /// What happens to a value that is there already.
    pub policy: Policy,
    /// Whether an empty source value clears the attribute.
    pub clear_when_empty: bool,
    /// Who says it.
    pub set_in: SetIn,
}

/// Who says a line of a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetIn {
    /// The default mapping.
    Default,
    /// `[mapping]` of the connection file.
    Connection,
    /// `[entity.mapping]` of the person's legal entity.
    Entity,
    /// `[user_name]` of the connection file.
    UserName,
}

impl SetIn {
    /// Its word in answers.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Connection => "connection",
            Self::Entity => "entity",
            Self::UserName => "user_name",
        }
    }
}

#[derive(Debug)]
pub(super) struct Group {
    pub(super) key: Expression,
    pub(super) name: Expression,
}

/// The line `manager`, which has a policy but no expression.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct ManagerPolicy {
    pub(super) ignore: bool,
    pub(super) clear_when_empty: bool,
}

impl Mapping {
    /// Compiles a mapping for the tenant's users, of type `kind`. `required` are the fields of `[read] required`, `None`
    /// for the default: given name, family name and e-mail at work.
    ///
    /// # Errors
    /// All that is wrong, each with its place.
    pub fn compile(
        kind: &Arc<ResourceType>,
        config: &MappingConfig,
        groups: &[GroupRule],
        required: Option<&[String]>,
    ) -> Result<Self, Vec<MappingError>> {
        let fields = Fields::employee();
        let mut wrong = Vec::new();
        let mut lines: Vec<Mapped> = Vec::new();
        let mut manager = ManagerPolicy::default();
        for (path, text) in DEFAULTS {
            match line(kind, &fields, path, text, &Line::default()) {
                Ok(mapped) => lines.push(mapped),
                Err(error) => wrong.push(error),
            }
        }
        for (path, own) in &config.lines {
            let result = match path.strip_prefix("enterprise.").unwrap_or(path) {
                "manager" | "manager.value" => manager_line(own, &mut manager),
                _ => override_line(kind, &fields, path, own, &mut lines),
            };
            wrong.extend(result.err());
        }
        let groups = compile_groups(groups, &fields, &mut wrong);
        let required = compile_required(required, &fields, &mut wrong);
        if wrong.is_empty() {
            Ok(Self(Arc::new(Compiled {
                kind: kind.clone(),
                lines,
                groups,
                required,
                manager,
            })))
        } else {
            Err(wrong)
        }
    }

    /// The resource type of the users.
    #[must_use]
    pub fn kind(&self) -> &Arc<ResourceType> {
        &self.0.kind
    }

    /// Its lines.
    pub fn lines(&self) -> impl Iterator<Item = LineView> {
        self.0.lines.iter().map(|line| LineView {
            name: line.target.path.clone(),
            path: line.target.attribute_path(),
            from: line.from.text().to_owned(),
            fields: line.from.reads("employee"),
            policy: line.policy,
            clear_when_empty: line.clear_when_empty,
            set_in: if line.is_own {
                SetIn::Connection
            } else {
                SetIn::Default
            },
        })
    }

    /// The same where these fields could be read and nobody chose to: what a line wrote of them alone is taken away.
    #[must_use]
    pub fn without(mut self, unread: &[String]) -> Self {
        if let Some(compiled) = Arc::get_mut(&mut self.0) {
            for line in &mut compiled.lines {
                let fields = line.from.reads("employee");
                let is_unread = |path: &Vec<String>| path.first().is_some_and(|name| unread.contains(name));
                let all = !fields.is_empty() && fields.iter().all(is_unread);
                line.unread = all.then(|| line.target.attribute_path());
            }
        }
        self
    }

    /// Whether HR's managers are left alone.
    #[must_use]
    pub fn leaves_managers(&self) -> bool {
        self.0.manager.ignore
    }

    /// What the lines write of which nothing is read, as paths of a difference.
    pub fn unread(&self) -> impl Iterator<Item = &str> {
        self.0.lines.iter().filter_map(|line| line.unread.as_deref())
    }

    /// What it writes, as paths of a difference: `name.givenName`, `emails`.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        let lines = self.0.lines.iter().filter(|line| line.policy != Policy::Ignore);
        let mut paths: Vec<String> = lines.map(|line| line.target.attribute_path()).collect();
        if !self.0.manager.ignore {
            paths.push(format!("{ENTERPRISE}:manager.value"));
        }
        paths
    }

    pub(super) fn compiled(&self) -> &Compiled {
        &self.0
    }
}

fn line(
    kind: &ResourceType,
    fields: &Fields,
    path: &str,
    text: &str,
    own: &Line,
) -> Result<Mapped, MappingError> {
    let target =
        Target::find(path, kind).map_err(|message| MappingError::new(format!("mapping.{path}"), message))?;
    let from = Expression::parse(text, fields)
        .map_err(|error| MappingError::expression(format!("mapping.{path}.from"), error))?;
    Ok(Mapped {
        target,
        from,
        policy: own.policy,
        clear_when_empty: own.clear_when_empty,
        is_own: false,
        unread: None,
    })
}

/// A line of the customer takes the place of the default's.
fn override_line(
    kind: &ResourceType,
    fields: &Fields,
    path: &str,
    own: &Line,
    lines: &mut Vec<Mapped>,
) -> Result<(), MappingError> {
    let at = format!("mapping.{path}");
    let target = Target::find(path, kind).map_err(|message| MappingError::new(&at, message))?;
    let place = lines.iter().position(|line| line.target.path == target.path);
    let default = place
        .and_then(|place| lines.get(place))
        .map(|line| line.from.text().to_owned());
    let text = match (&own.from, default) {
        (Some(text), _) => text.clone(),
        (None, Some(text)) => text,
        (None, None) if own.policy == Policy::Ignore => return Ok(()),
        (None, None) => {
            return Err(MappingError::new(
                at,
                "the line needs `from`: there is no default for this attribute",
            ));
        }
    };
    let mapped = Mapped {
        is_own: true,
        ..line(kind, fields, path, &text, own)?
    };
    match place.and_then(|place| lines.get_mut(place)) {
        Some(slot) => *slot = mapped,
        None => lines.push(mapped),
    }
    Ok(())
}

fn manager_line(own: &Line, manager: &mut ManagerPolicy) -> Result<(), MappingError> {
    if own.from.is_some() || matches!(own.policy, Policy::Fill | Policy::Hold) {
        let message = "the manager is found among the people: the line takes only policy = \"overwrite\" or \"ignore\" \
                       and clear_when_empty";
        return Err(MappingError::new("mapping.manager", message));
    }
    *manager = ManagerPolicy {
        ignore: own.policy == Policy::Ignore,
        clear_when_empty: own.clear_when_empty,
    };
    Ok(())
}

fn compile_groups(rules: &[GroupRule], fields: &Fields, wrong: &mut Vec<MappingError>) -> Vec<Group> {
    let mut compiled = Vec::new();
    for (place, rule) in rules.iter().enumerate() {
        let mut parse = |name: &str, text: &str| {
            Expression::parse(text, fields)
                .map_err(|error| {
                    wrong.push(MappingError::expression(format!("group[{place}].{name}"), error))
                })
                .ok()
        };
        if let (Some(key), Some(name)) = (parse("key", &rule.key), parse("name", &rule.name)) {
            compiled.push(Group { key, name });
        }
        if rules.iter().take(place).any(|earlier| earlier.key == rule.key) {
            wrong.push(MappingError::new(
                format!("group[{place}].key"),
                "another rule has the same key",
            ));
        }
    }
    compiled
}

fn compile_required(
    required: Option<&[String]>,
    fields: &Fields,
    wrong: &mut Vec<MappingError>,
) -> Vec<(String, Expression)> {
    let default: Vec<String> = REQUIRED.iter().map(|name| (*name).to_owned()).collect();
    let names = required.unwrap_or(&default);
    let mut compiled: Vec<(String, Expression)> = Vec::new();
    for name in names {
        // A unit is there when it has any of id, code and name.
        let text = match hr::field(name) {
            Some(field) if !field.parts.is_empty() => field
                .parts
                .iter()
                .map(|part| format!("employee.{name}.{part}"))
                .collect::<Vec<_>>()
                .join(" or "),
            _ => format!("employee.{name}"),
        };
        match Expression::parse(&text, fields) {
            Ok(expression) => compiled.push((name.clone(), expression)),
            Err(error) => wrong.push(MappingError::new("read.required", error.message)),
        }
    }
    compiled
}
