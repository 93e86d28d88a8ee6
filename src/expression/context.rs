//! Employees and users as expressions see them. What is empty is absent.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use minijinja::Value;
use serde_json::{Map, Value as Json};

use crate::hr::{Address, BankAccount, Employee, ManagerRef, OrgUnit, Status};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const HR: &str = "urn:scim-bridge:params:scim:schemas:extension:hr:2.0:User";

#[derive(Default)]
struct Names(BTreeMap<&'static str, Value>);

impl Names {
    fn text(mut self, name: &'static str, value: Option<&str>) -> Self {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.0.insert(name, Value::from(value));
        }
        self
    }

    fn date(self, name: &'static str, value: Option<NaiveDate>) -> Self {
        self.text(name, value.map(|date| date.to_string()).as_deref())
    }

    /// A thing with parts is always there, so that its parts can be asked for.
    fn parts(mut self, name: &'static str, parts: Self) -> Self {
        self.0.insert(name, Value::from(parts.0));
        self
    }

    fn unit(self, name: &'static str, unit: Option<&OrgUnit>) -> Self {
        let part = |get: fn(&OrgUnit) -> Option<&str>| unit.and_then(get);
        let parts = Self::default()
            .text("id", part(|unit| unit.id.as_deref()))
            .text("code", part(|unit| unit.code.as_deref()))
            .text("name", part(|unit| unit.name.as_deref()));
        self.parts(name, parts)
    }
}

/// `employee` as context: the fields of [`crate::hr::FIELDS`]; the four of the employment are those of the leading one.
#[must_use]
pub fn employee_context(employee: &Employee) -> Value {
    let leading = employee.leading();
    let names = person(employee)
        .text("source_id", Some(&employee.source_id))
        .text("remote_id", employee.remote_id.as_deref())
        .text("employee_number", employee.employee_number.as_deref())
        .text("title", employee.title.as_deref())
        .unit("department", employee.department.as_ref())
        .unit("team", employee.team.as_ref())
        .unit("cost_center", employee.cost_center.as_ref())
        .unit("division", employee.division.as_ref())
        .unit("entity", employee.entity.as_ref())
        .unit("location", employee.location.as_ref())
        .parts("manager", manager(employee.manager.as_ref()))
        .text("status", Some(status(&employee.status)))
        .text("employment_type", leading.and_then(|one| one.kind.as_deref()))
        .date("first_day", leading.and_then(|one| one.first_day))
        .date("last_day", leading.and_then(|one| one.last_day))
        .date("last_working_day", leading.and_then(|one| one.last_working_day));
    let mut names = names.0;
    names.insert("custom", custom(&employee.custom));
    if !employee.bank_accounts.is_empty() {
        names.insert(
            "bank_accounts",
            employee.bank_accounts.iter().map(bank_account).collect(),
        );
    }
    Value::from(BTreeMap::from([("employee", Value::from(names))]))
}

fn person(employee: &Employee) -> Names {
    Names::default()
        .text("given_name", employee.given_name.as_deref())
        .text("family_name", employee.family_name.as_deref())
        .text("preferred_name", employee.preferred_name.as_deref())
        .text("middle_name", employee.middle_name.as_deref())
        .text("display_name", employee.display_name.as_deref())
        .text("work_email", employee.work_email.as_deref())
        .text("private_email", employee.private_email.as_deref())
        .text("work_phone", employee.work_phone.as_deref())
        .text("mobile_phone", employee.mobile_phone.as_deref())
        .parts("address", address(employee.address.as_ref()))
        .text("locale", employee.locale.as_deref())
        .text("time_zone", employee.time_zone.as_deref())
        .text("gender", employee.gender.as_deref())
        .text("marital_status", employee.marital_status.as_deref())
        .text("children", employee.children.as_deref())
        .date("birth_date", employee.birth_date)
        .text("national_id", employee.national_id.as_deref())
        .text("photo", employee.photo.as_deref())
}

fn address(address: Option<&Address>) -> Names {
    let part = |get: fn(&Address) -> Option<&str>| address.and_then(get);
    Names::default()
        .text("street", part(|one| one.street.as_deref()))
        .text("city", part(|one| one.city.as_deref()))
        .text("region", part(|one| one.region.as_deref()))
        .text("postal_code", part(|one| one.postal_code.as_deref()))
        .text("country", part(|one| one.country.as_deref()))
}

fn bank_account(account: &BankAccount) -> Value {
    let names = Names::default()
        .text("iban", account.iban.as_deref())
        .text("bic", account.bic.as_deref())
        .text("holder", account.holder.as_deref());
    Value::from(names.0)
}

fn manager(manager: Option<&ManagerRef>) -> Names {
    let (name, value) = match manager {
        Some(ManagerRef::SourceId(value)) => ("source_id", value),
        Some(ManagerRef::Email(value)) => ("email", value),
        Some(ManagerRef::EmployeeNumber(value)) => ("employee_number", value),
        None => return Names::default(),
    };
    Names::default().text(name, Some(value))
}

const fn status(status: &Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::OnLeave => "on_leave",
        Status::PreHire => "pre_hire",
        Status::Left => "left",
        Status::ByDates => "by_dates",
        Status::Unknown(_) => "unknown",
    }
}

fn custom(fields: &BTreeMap<String, Json>) -> Value {
    Value::from_pairs(
        fields
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), json(value)?))),
    )
}

/// JSON as a value; null is absent, at every depth.
pub(super) fn json(value: &Json) -> Option<Value> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(holds) => Value::from(*holds),
        Json::String(text) if text.is_empty() => return None,
        Json::String(text) => Value::from(text.as_str()),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::from(whole),
            (None, Some(real)) => Value::from(real),
            (None, None) => return None,
        },
        Json::Array(parts) => parts.iter().filter_map(json).collect(),
        Json::Object(parts) => object(parts),
    })
}

fn object(parts: &Map<String, Json>) -> Value {
    Value::from_pairs(
        parts
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), json(value)?))),
    )
}

/// The two sides of a change as context.
#[must_use]
pub fn change_context(old: Option<&str>, new: Option<&str>) -> Value {
    let sides = Names::default().text("old", old).text("new", new);
    Value::from(sides.0)
}

/// `user` as context, from a SCIM object with its attributes in registered spelling. Multi-valued attributes stand under
/// their types, the extensions under their short names, attributes of a tenant's own extension under their names; what the caller put into `manager` (say, `displayName`) is there.
#[must_use]
pub fn user_context(user: &Map<String, Json>) -> Value {
    let mut names: BTreeMap<String, Value> = BTreeMap::new();
    for part in [
        "name",
        "emails",
        "phoneNumbers",
        "ims",
        "photos",
        "addresses",
        "entitlements",
        "roles",
        "manager",
    ] {
        names.insert(part.to_owned(), Value::from(BTreeMap::<String, Value>::new()));
    }
    names.insert("enterprise".to_owned(), enterprise(user));
    names.insert("hr".to_owned(), hr(user));
    if let Some(Json::Object(extension)) = user.get(ENTERPRISE) {
        names.extend(
            extension
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), json(value)?))),
        );
    }
    let own = user
        .iter()
        .filter(|(name, _)| name.starts_with("urn:") && *name != ENTERPRISE && *name != HR)
        .filter_map(|(_, extension)| extension.as_object());
    for (name, value) in own.flatten().chain(user) {
        let value = match value {
            Json::Array(parts) if parts.iter().any(Json::is_object) => Some(by_type(parts)),
            value => json(value),
        };
        if let Some(value) = value {
            names.insert(name.clone(), value);
        }
    }
    Value::from(BTreeMap::from([("user", Value::from(names))]))
}

fn enterprise(user: &Map<String, Json>) -> Value {
    with_parts(user.get(ENTERPRISE), &["manager"])
}

fn hr(user: &Map<String, Json>) -> Value {
    with_parts(user.get(HR), &["entity", "location", "team"])
}

/// An extension in which the named complex attributes are always there.
fn with_parts(extension: Option<&Json>, parts: &[&str]) -> Value {
    let mut names: BTreeMap<String, Value> = parts
        .iter()
        .map(|part| ((*part).to_owned(), Value::from(BTreeMap::<String, Value>::new())))
        .collect();
    if let Some(Json::Object(extension)) = extension {
        names.extend(
            extension
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), json(value)?))),
        );
    }
    Value::from(names)
}

/// A multi-valued attribute by type; the primary value stands first, and also as `primary`.
fn by_type(parts: &[Json]) -> Value {
    let mut names: BTreeMap<String, Value> = BTreeMap::new();
    let primary = |part: &&Json| part.get("primary") == Some(&Json::Bool(true));
    let ordered = parts
        .iter()
        .filter(primary)
        .chain(parts.iter().filter(|part| !primary(part)));
    for part in ordered {
        let Some(value) = part.get("value").map_or_else(|| json(part), json) else {
            continue;
        };
        if primary(&part) {
            names.entry("primary".to_owned()).or_insert_with(|| value.clone());
        }
        let kind = part.get("type").and_then(Json::as_str).unwrap_or("other");
        names.entry(kind.to_owned()).or_insert(value);
    }
    Value::from(names)
}
