//! What an app should hold of a user or a group: scope, mapping, references by the app's own ids.

use serde_json::{Map, Value, json};

use super::approval::Approvals;
use super::error::Problem;
use super::settings::{Line, Policy, Settings};
use super::standing::Standing;
use super::target::Target;
use crate::base::ResourceId;
use crate::expression::{Expression, Fields, Truth, user_context};
use crate::scim::{ENTERPRISE, HR, Object, ResourceType, entity_names};

/// An app's settings with everything compiled and checked.
#[derive(Debug, Clone)]
pub struct Rules {
    settings: Settings,
    scope: Option<Expression>,
    pub(super) lines: Vec<CompiledLine>,
    pub(super) approvals: Approvals,
    required: Vec<(String, Target)>,
}

#[derive(Debug, Clone)]
pub(super) struct CompiledLine {
    pub key: String,
    pub target: Target,
    pub from: Option<Expression>,
    pub policy: Option<Policy>,
    pub clear_when_empty: Option<bool>,
    pub unverify: Option<(String, Target)>,
}

/// A user with what its desired state may read.
#[derive(Debug, Clone, Copy)]
pub struct UserView<'a> {
    /// Our id: the app's `externalId`.
    pub id: ResourceId,
    /// The user as stored.
    pub object: &'a Object,
    /// The manager's user as stored, when there is one.
    pub manager: Option<&'a Object>,
    /// The manager's id in the app, when the manager has an account there.
    pub manager_remote: Option<&'a str>,
    /// How many report to the user; only where the rules read it ([`Rules::reads_reports`]).
    pub reports: Option<i64>,
    /// What is known of it beside.
    pub standing: Standing<'a>,
}

/// What an app should hold of somebody.
#[derive(Debug, Clone, PartialEq)]
pub enum Desired {
    /// Does not belong into the app.
    OutOfScope,
    /// Whether it belongs there, or what should be there, cannot be said; nothing is done, least of all a removal.
    Unclear(String),
    /// This, exactly as it would be sent, with `externalId`.
    Wanted(Object),
}

/// A value that waits for a human.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldValue {
    /// The mapping line's key.
    pub field: String,
    /// What the app holds.
    pub old: Option<Value>,
    /// What we would write.
    pub new: Option<Value>,
}

/// Attributes that are never sent from a user as it is: secrets, what the app computes, and what is only ours.
const NEVER: &[&str] = &["password", "groups", "id", "meta", "schemas", "externalId"];

impl Rules {
    /// Compiles and checks scope and mapping, which may name what the tenant's users have.
    ///
    /// # Errors
    /// Every problem, with its key, line and column.
    pub fn compile(settings: Settings, user: &ResourceType) -> Result<Self, Vec<Problem>> {
        let own = own_names(user);
        let fields = Fields::user(own.iter().map(String::as_str));
        let mut problems = Vec::new();
        let mut parse = |at: String, text: &str| match Expression::parse(text, &fields) {
            Ok(expression) => Some(expression),
            Err(error) => {
                problems.push(Problem {
                    at,
                    line: error.line,
                    column: error.column,
                    message: error.message,
                });
                None
            }
        };
        let scope = settings
            .scope
            .include
            .as_deref()
            .and_then(|text| parse("scope.include".to_owned(), text));
        let mut lines = Vec::new();
        let mut unknown = Vec::new();
        for (key, line) in &settings.mapping {
            let from = line
                .from
                .as_deref()
                .and_then(|text| parse(format!("mapping.{key}.from"), text));
            match compile_line(key, line, from, user) {
                Ok(line) => lines.push(line),
                Err(problem) => unknown.push(problem),
            }
        }
        let mut required = Vec::new();
        for key in &settings.required {
            match Target::parse(key).filter(|_| !NEVER.contains(&key.as_str())) {
                Some(target) => required.push((key.clone(), target)),
                None => unknown.push(Problem::at(
                    "required",
                    format!("{key:?} is no attribute that is sent"),
                )),
            }
        }
        for (at, step) in settings.deprovision.steps() {
            let strange = step.attributes.keys().find(|key| {
                NEVER.contains(&key.as_str())
                    || Target::parse(key).is_none_or(|target| !target.is_known(user))
            });
            if let Some(key) = strange {
                unknown.push(Problem::at(
                    at,
                    format!("{key:?} is no attribute that can be set"),
                ));
            }
        }
        let approvals = Approvals::compile(&settings.approve)
            .map_err(|mut found| unknown.append(&mut found))
            .unwrap_or_default();
        problems.append(&mut unknown);
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            settings,
            scope,
            lines,
            approvals,
            required,
        })
    }

    /// The settings.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether the account must never be written.
    #[must_use]
    pub fn protects(&self, object: &Object) -> bool {
        self.settings.protect.names(object)
    }

    /// What the app should hold of a user.
    #[must_use]
    pub fn user(&self, view: UserView<'_>) -> Desired {
        let context = user_context(&readable(view));
        if let Some(entity) = &self.settings.entity {
            // By all employments; where none is known, by the entity that the user shows.
            let employed = view.standing.facts.and_then(|facts| facts.has_entity(entity));
            let shown = entity_names(view.object);
            match employed.or_else(|| (!shown.is_empty()).then(|| shown.contains(&entity.as_str()))) {
                None => {
                    return Desired::Unclear(
                        "the user has no legal entity, to which this app is bound".to_owned(),
                    );
                }
                Some(false) => return Desired::OutOfScope,
                Some(true) => {}
            }
        }
        if let Some(scope) = &self.scope {
            match scope.truth(&context) {
                Ok(Truth::True) => {}
                Ok(Truth::False) => return Desired::OutOfScope,
                Ok(Truth::Undefined) => {
                    return Desired::Unclear("scope.include reads something that is empty".to_owned());
                }
                Err(error) => return Desired::Unclear(format!("scope.include cannot be evaluated: {error}")),
            }
        }
        let mut wanted = sendable(view);
        for line in &self.lines {
            let Some(from) = &line.from else { continue };
            match from.value(&context) {
                Ok(value) => line.target.set(&mut wanted, value),
                Err(error) => {
                    return Desired::Unclear(format!("mapping.{} cannot be evaluated: {error}", line.key));
                }
            }
        }
        wanted.insert("externalId".to_owned(), json!(view.id.to_string()));
        Desired::Wanted(wanted)
    }

    /// What the app should hold of a group, without its members.
    #[must_use]
    pub fn group(&self, id: ResourceId, object: &Object) -> Desired {
        if !self.settings.groups.push {
            return Desired::OutOfScope;
        }
        let mut wanted = Map::new();
        if let Some(name) = object.get("displayName") {
            wanted.insert("displayName".to_owned(), name.clone());
        }
        wanted.insert("externalId".to_owned(), json!(id.to_string()));
        Desired::Wanted(wanted)
    }

    /// Which of the fields that the app needs are empty.
    #[must_use]
    pub fn missing(&self, wanted: &Object) -> Vec<&str> {
        let is_empty = |target: &Target| {
            target.get(wanted).is_none_or(|value| {
                matches!(value, Value::Null)
                    || super::approval::texts(Some(value)).iter().all(String::is_empty) && !value.is_object()
            })
        };
        self.required
            .iter()
            .filter(|(_, target)| is_empty(target))
            .map(|(key, _)| key.as_str())
            .collect()
    }

    /// Whether what an account should hold depends on how many report to its user.
    #[must_use]
    pub fn reads_reports(&self) -> bool {
        let lines = self.lines.iter().filter_map(|line| line.from.as_ref());
        self.scope
            .iter()
            .chain(lines)
            .any(|one| one.text().contains("directReports"))
    }
}

/// One line of the mapping, checked.
fn compile_line(
    key: &str,
    line: &Line,
    from: Option<Expression>,
    user: &ResourceType,
) -> Result<CompiledLine, Problem> {
    let may = !NEVER.contains(&key) || (key == "externalId" && line.from.is_none());
    let target = Target::parse(key)
        .filter(|_| may)
        .ok_or_else(|| Problem::at(&format!("mapping.{key}"), "is no attribute that can be sent"))?;
    let unverify = match &line.unverify {
        None => None,
        Some(path) => Some(
            Target::parse(path)
                .filter(|flag| flag.is_known(user))
                .map(|flag| (path.clone(), flag))
                .ok_or_else(|| {
                    Problem::at(
                        &format!("mapping.{key}.unverify"),
                        "is no attribute of the tenant's users: define it first (`scim-bridge schema apply`)",
                    )
                })?,
        ),
    };
    Ok(CompiledLine {
        key: key.to_owned(),
        target,
        from,
        policy: line.policy,
        clear_when_empty: line.clear_when_empty,
        unverify,
    })
}

/// The attributes of a tenant's own extensions, as expressions name them: `user.badge`.
fn own_names(user: &ResourceType) -> Vec<String> {
    user.extensions
        .iter()
        .filter(|extension| ![ENTERPRISE, HR].contains(&extension.schema.id.as_str()))
        .flat_map(|extension| &extension.schema.attributes)
        .filter(|attribute| user.core(&attribute.name).is_none())
        .map(|attribute| {
            if attribute.is_complex() || attribute.multi_valued {
                format!("{}.*", attribute.name)
            } else {
                attribute.name.clone()
            }
        })
        .collect()
}

/// The user as expressions read it: with its id, its manager's name and how many report to it.
fn readable(view: UserView<'_>) -> Object {
    let mut user = view.object.clone();
    user.insert("id".to_owned(), json!(view.id.to_string()));
    if let Some(reports) = view.reports
        && let Some(facts) = user.entry(HR).or_insert_with(|| json!({})).as_object_mut()
    {
        facts.insert("directReports".to_owned(), json!(reports));
    }
    let name = view.manager.and_then(|manager| manager.get("displayName"));
    if let Some(name) = name
        && let Some(manager) = user
            .get_mut(ENTERPRISE)
            .and_then(|extension| extension.get_mut("manager"))
            .and_then(Value::as_object_mut)
    {
        manager.insert("displayName".to_owned(), name.clone());
    }
    user
}

/// The user as it would be sent without any mapping: core and enterprise attributes, the manager by the app's id.
fn sendable(view: UserView<'_>) -> Object {
    let mut wanted: Object = view
        .object
        .iter()
        .filter(|(key, _)| {
            !NEVER.contains(&key.as_str()) && (!key.starts_with("urn:") || key.as_str() == ENTERPRISE)
        })
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if let Some(extension) = wanted.get_mut(ENTERPRISE).and_then(Value::as_object_mut) {
        extension.remove("manager");
        if let Some(remote) = view.manager_remote {
            extension.insert("manager".to_owned(), json!({ "value": remote }));
        }
        if extension.is_empty() {
            wanted.remove(ENTERPRISE);
        }
    }
    wanted
}

/// The user's manager: a user id in the enterprise extension (RFC 7643 §4.3).
#[must_use]
pub fn manager_of(user: &Object) -> Option<ResourceId> {
    user.get(ENTERPRISE)?
        .get("manager")?
        .get("value")?
        .as_str()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::Registry;

    fn rules(more: &str) -> Rules {
        let text = format!("name = \"a\"\nbase_url = \"https://a.example/scim\"\n{more}");
        let user = Registry::builtin().kind("User").unwrap().clone();
        Rules::compile(Settings::from_toml(&text).unwrap(), &user).unwrap()
    }

    fn object(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    fn anna(manager: ResourceId) -> Object {
        object(json!({
            "userName": "anna@x", "title": "CFO", "active": true, "password": "p",
            "emails": [{"value": "anna@x", "type": "work"}],
            ENTERPRISE: {"department": "Finance", "manager": {"value": manager.to_string()}},
            HR: {"entity": {"id": "760"}}
        }))
    }

    fn wanted(rules: &Rules, user: &Object, manager: Option<&Object>, remote: Option<&str>) -> Desired {
        rules.user(UserView {
            id: ResourceId::from(uuid::Uuid::nil()),
            object: user,
            manager,
            manager_remote: remote,
            reports: None,
            standing: Standing::default(),
        })
    }

    #[test]
    fn a_user_is_sent_with_references_by_the_apps_ids_and_without_what_is_ours() {
        let user = anna(ResourceId::new());
        let Desired::Wanted(sent) = wanted(&rules(""), &user, None, Some("77")) else {
            panic!("not wanted");
        };
        assert_eq!(
            Value::Object(sent),
            json!({
                "userName": "anna@x", "title": "CFO", "active": true,
                "emails": [{"value": "anna@x", "type": "work"}],
                "externalId": "00000000-0000-0000-0000-000000000000",
                ENTERPRISE: {"department": "Finance", "manager": {"value": "77"}}
            })
        );
        let Desired::Wanted(sent) = wanted(&rules(""), &user, None, None) else {
            panic!("not wanted");
        };
        assert_eq!(
            sent[ENTERPRISE],
            json!({"department": "Finance"}),
            "an unknown manager is left out"
        );
    }

    #[test]
    fn scope_and_entity_decide_and_what_is_empty_holds() {
        let user = anna(ResourceId::new());
        let is = |more: &str| wanted(&rules(more), &user, None, None);
        assert!(matches!(
            is("[scope]\ninclude = 'user.department == \"Finance\"'"),
            Desired::Wanted(_)
        ));
        assert_eq!(
            is("[scope]\ninclude = 'user.department == \"Sales\"'"),
            Desired::OutOfScope
        );
        assert!(matches!(
            is("[scope]\ninclude = 'user.costCenter == \"1\"'"),
            Desired::Unclear(_)
        ));
        assert!(matches!(is("entity = \"760\""), Desired::Wanted(_)));
        assert_eq!(is("entity = \"761\""), Desired::OutOfScope);
    }

    #[test]
    fn mapping_lines_may_read_the_manager() {
        let rules = rules("[mapping]\nnickName = { from = \"user.manager.displayName\" }");
        let boss = object(json!({"displayName": "Bo"}));
        let Desired::Wanted(sent) = wanted(&rules, &anna(ResourceId::new()), Some(&boss), None) else {
            panic!("not wanted");
        };
        assert_eq!(sent["nickName"], json!("Bo"));
        assert!(rules.settings().reads_manager());
    }

    #[test]
    fn an_expression_that_reads_unknown_fields_is_refused_with_its_place() {
        let text =
            "name = \"a\"\nbase_url = \"https://a.example\"\n[scope]\ninclude = 'user.departmint == \"x\"'";
        let problems = Rules::compile(
            Settings::from_toml(text).unwrap(),
            Registry::builtin().kind("User").unwrap(),
        )
        .unwrap_err();
        assert_eq!(problems[0].at, "scope.include");
        assert_eq!(problems[0].line, 1);
        assert!(
            problems[0].message.contains("departmint"),
            "{}",
            problems[0].message
        );
    }
}
