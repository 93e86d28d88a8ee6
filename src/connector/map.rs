//! A record of the HR system becomes an employee.

use std::collections::HashMap;

use chrono::NaiveDate;
use serde_json::Value;

use super::path::{Found, Path};
use super::rule::{Clean, ManagerKind, Part, Split};
use super::way::{Base, FieldWays, StatusWord, Way, What, Words};
use crate::hr::{Address, BankAccount, Employee, Employment, ManagerRef, OrgUnit, Problem, Status};

/// The second lists, each by its key.
pub(super) type Lists = HashMap<String, HashMap<String, Value>>;

/// Reads records.
#[derive(Debug)]
pub(super) struct Mapper {
    pub fields: Vec<FieldWays>,
    pub lists: Lists,
    /// Today, for the one status word that the first day decides.
    pub today: NaiveDate,
}

/// Why a value cannot be used; never the value.
type Bad = String;

/// A record as read, and the fields (by their place in [`Mapper::fields`]) whose path it lacks.
pub(super) struct Mapped {
    pub employee: Result<Employee, Problem>,
    pub missing: u64,
}

enum Reading {
    Missing,
    Empty,
    Text(String),
    Date(NaiveDate),
    Parts(Vec<(&'static str, String)>),
    Manager(ManagerRef),
    Status(Status, bool),
    Accounts(Vec<BankAccount>),
    Custom(Vec<(String, Value)>),
}

impl Mapper {
    /// Reads one record.
    pub fn map(&self, record: &Value) -> Mapped {
        let mut employee = Employee::default();
        let mut employment = Employment::default();
        let (mut missing, mut open, mut bad) = (0_u64, false, None);
        for (index, field) in self.fields.iter().enumerate() {
            match self.read(field, record) {
                Ok(Reading::Missing) => {
                    if field.field.name == "status" {
                        employee.status = Status::Unknown(String::new());
                    }
                    missing |= 1_u64
                        .checked_shl(u32::try_from(index).unwrap_or(u32::MAX))
                        .unwrap_or(0);
                }
                Ok(Reading::Status(status, undecided)) => {
                    employee.status = status;
                    open = undecided;
                }
                Ok(reading) => set(&mut employee, &mut employment, field.field.name, reading),
                Err(message) => {
                    bad.get_or_insert((field.field.name, message));
                }
            }
        }
        if employee.source_id.is_empty() {
            bad = Some(("source_id", "is empty: every record needs its own id".into()));
        }
        let source_id = Some(employee.source_id.clone()).filter(|id| !id.is_empty());
        if let Some((field, message)) = bad {
            let problem = Problem {
                source_id,
                field: field.to_owned(),
                message,
            };
            return Mapped {
                employee: Err(problem),
                missing,
            };
        }
        if open {
            employee.status = match employment.first_day {
                Some(first_day) if first_day > self.today => Status::PreHire,
                _ => Status::Left,
            };
        }
        if is_own_manager(&employee) {
            employee.manager = None;
        }
        if employment != Employment::default() {
            employee.employments.push(employment);
        }
        Mapped {
            employee: Ok(employee),
            missing,
        }
    }

    /// The id of a record, if it has one that can be read.
    pub fn id(&self, record: &Value) -> Option<String> {
        let field = self.fields.iter().find(|field| field.field.name == "source_id")?;
        match self.read(field, record) {
            Ok(Reading::Text(id)) => Some(id),
            _ => None,
        }
    }

    /// The first way that gives something; missing only if the path is missing in all of them.
    fn read(&self, field: &FieldWays, record: &Value) -> Result<Reading, Bad> {
        let mut best = Reading::Missing;
        for way in &field.ways {
            match self.read_way(way, record)? {
                Reading::Missing => {}
                Reading::Empty => best = Reading::Empty,
                reading => return Ok(reading),
            }
        }
        Ok(best)
    }

    fn read_way(&self, way: &Way, record: &Value) -> Result<Reading, Bad> {
        let base = match self.base(&way.base, record)? {
            Found::Missing => return Ok(Reading::Missing),
            // An absent status is a word of its own: the empty one.
            Found::Null if !matches!(way.what, What::Status(..)) => return Ok(Reading::Empty),
            Found::Null => &Value::Null,
            Found::Here(base) => base,
        };
        let text = |path: &Path| text_at(base, path, way.clean, way.split.as_ref());
        match &way.what {
            What::Text(path, words) => Ok(match (text(path)?, words) {
                (Text::Missing, _) => Reading::Missing,
                (Text::Empty, _) => Reading::Empty,
                (Text::Some(text), None) => Reading::Text(text),
                (Text::Some(text), Some(words)) => match translate(words, text) {
                    text if text.is_empty() => Reading::Empty,
                    text => Reading::Text(text),
                },
            }),
            What::Date(path, format) => match text(path)? {
                Text::Missing => Ok(Reading::Missing),
                Text::Empty => Ok(Reading::Empty),
                Text::Some(text) => {
                    date(&text, format).map(|date| date.map_or(Reading::Empty, Reading::Date))
                }
            },
            What::Manager(path, kind) => Ok(match text(path)? {
                Text::Missing => Reading::Missing,
                Text::Empty => Reading::Empty,
                Text::Some(text) => Reading::Manager(match kind {
                    ManagerKind::SourceId => ManagerRef::SourceId(text),
                    ManagerKind::Email => ManagerRef::Email(text),
                    ManagerKind::EmployeeNumber => ManagerRef::EmployeeNumber(text),
                }),
            }),
            What::Status(path, words) => Ok(match text(path)? {
                Text::Missing => Reading::Missing,
                Text::Empty => status(words, String::new()),
                Text::Some(word) => status(words, word),
            }),
            What::Parts(parts) => read_parts(parts, text),
            What::Accounts { from, parts } => read_accounts(from.as_ref(), parts, base, way),
            What::AllCustom(path) => read_custom(path, base),
            What::Custom(keys) => Ok(Reading::Custom(
                keys.iter()
                    .filter_map(|(key, path)| Some((key.clone(), path.find(base).value()?.clone())))
                    .filter(|(_, value)| value.as_str() != Some(""))
                    .collect(),
            )),
        }
    }

    fn base<'v>(&'v self, base: &Base, record: &'v Value) -> Result<Found<'v>, Bad> {
        match base {
            Base::Record => Ok(Found::Here(record)),
            Base::Pick { from, at, is } => {
                let elements: Vec<&Value> = match from.find(record) {
                    Found::Here(Value::Array(items)) => items.iter().collect(),
                    Found::Here(Value::Object(members)) => members.values().collect(),
                    Found::Here(_) => return Err("is neither a list nor an object".into()),
                    Found::Null => return Ok(Found::Null),
                    Found::Missing => return Ok(Found::Missing),
                };
                let picked = is.iter().find_map(|wanted| {
                    elements.iter().find(|element| {
                        at.find(element).value().and_then(Value::as_str) == Some(wanted.as_str())
                    })
                });
                Ok(picked.map_or(Found::Null, |element| Found::Here(element)))
            }
            Base::List { name, by } => Ok(match text_at(record, by, None, None)? {
                Text::Missing => Found::Missing,
                Text::Empty => Found::Null,
                Text::Some(key) => self
                    .lists
                    .get(name)
                    .and_then(|list| list.get(&key))
                    .map_or(Found::Null, Found::Here),
            }),
        }
    }
}

enum Text {
    Missing,
    Empty,
    Some(String),
}

fn text_at(base: &Value, path: &Path, clean: Option<Clean>, split: Option<&Split>) -> Result<Text, Bad> {
    let raw = match path.find(base) {
        Found::Missing => return Ok(Text::Missing),
        Found::Null => return Ok(Text::Empty),
        Found::Here(value) => plain(value)?,
    };
    if raw.contains('\0') {
        return Err("holds a NUL character".into());
    }
    let mut text = match clean {
        None => raw,
        Some(Clean::Trim) => raw.trim().to_owned(),
        Some(Clean::Lower) => raw.to_lowercase(),
        Some(Clean::TrimLower) => raw.trim().to_lowercase(),
        Some(Clean::DatePart) => raw.trim().chars().take(10).collect(),
    };
    if let Some(split) = split {
        text = part(&text, split).trim().to_owned();
    }
    Ok(if text.trim().is_empty() {
        Text::Empty
    } else {
        Text::Some(text)
    })
}

/// The text of a plain value.
pub(super) fn plain(value: &Value) -> Result<String, Bad> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(yes) => Ok(yes.to_string()),
        Value::Null => Ok(String::new()),
        Value::Array(items) if items.is_empty() => Ok(String::new()),
        Value::Array(_) => Err("is a list where a text was expected".into()),
        Value::Object(_) => Err("is an object where a text was expected".into()),
    }
}

fn part<'t>(text: &'t str, split: &Split) -> &'t str {
    let by = split.by.as_str();
    match split.take {
        Part::First => text.split_once(by).map_or(text, |(first, _)| first),
        Part::Last => text.rsplit_once(by).map_or(text, |(_, last)| last),
        Part::Rest => text.split_once(by).map_or("", |(_, rest)| rest),
    }
}

/// Reads a date. `0000-00-00` is how some systems write "none".
fn date(text: &str, format: &str) -> Result<Option<NaiveDate>, Bad> {
    if text.starts_with("0000-00-00") {
        return Ok(None);
    }
    NaiveDate::parse_from_str(text.trim(), format)
        .map(Some)
        .map_err(|_| format!("is no date of the form {format}"))
}

fn translate(words: &Words<String>, text: String) -> String {
    words
        .known
        .get(&text)
        .or(words.otherwise.as_ref())
        .cloned()
        .unwrap_or(text)
}

fn status(words: &Words<StatusWord>, word: String) -> Reading {
    let meaning = words.known.get(&word).or(words.otherwise.as_ref()).copied();
    let status = match meaning.unwrap_or(StatusWord::Hold) {
        StatusWord::Active => Status::Active,
        StatusWord::OnLeave => Status::OnLeave,
        StatusWord::PreHire => Status::PreHire,
        StatusWord::Left => Status::Left,
        StatusWord::ByDates => Status::ByDates,
        StatusWord::NotStartedOrLeft => return Reading::Status(Status::Left, true),
        StatusWord::Hold => Status::Unknown(word),
    };
    Reading::Status(status, false)
}

fn read_parts(
    parts: &[(&'static str, Path)],
    text: impl Fn(&Path) -> Result<Text, Bad>,
) -> Result<Reading, Bad> {
    let mut read = Vec::new();
    let mut missing = false;
    for (name, path) in parts {
        match text(path)? {
            Text::Missing => missing = true,
            Text::Empty => {}
            Text::Some(text) => read.push((*name, text)),
        }
    }
    Ok(match (missing, read.is_empty()) {
        (true, true) => Reading::Missing,
        (false, true) => Reading::Empty,
        _ => Reading::Parts(read),
    })
}

fn read_accounts(
    from: Option<&Path>,
    parts: &[(&'static str, Path)],
    base: &Value,
    way: &Way,
) -> Result<Reading, Bad> {
    let items = match from.map(|from| from.find(base)) {
        None => std::slice::from_ref(base),
        Some(Found::Missing) => return Ok(Reading::Missing),
        Some(Found::Null) => return Ok(Reading::Empty),
        Some(Found::Here(Value::Array(items))) => items,
        Some(Found::Here(_)) => return Err("is no list".into()),
    };
    let mut accounts = Vec::new();
    for item in items {
        let text = |path: &Path| text_at(item, path, way.clean, way.split.as_ref());
        let Reading::Parts(read) = read_parts(parts, text)? else {
            continue;
        };
        let mut account = BankAccount::default();
        for (name, text) in read {
            match name {
                "iban" => account.iban = Some(text),
                "bic" => account.bic = Some(text),
                _ => account.holder = Some(text),
            }
        }
        accounts.push(account);
    }
    Ok(if accounts.is_empty() {
        Reading::Empty
    } else {
        Reading::Accounts(accounts)
    })
}

fn read_custom(path: &Path, base: &Value) -> Result<Reading, Bad> {
    match path.find(base) {
        Found::Missing => Ok(Reading::Missing),
        Found::Null => Ok(Reading::Empty),
        Found::Here(Value::Object(members)) => Ok(Reading::Custom(
            members
                .iter()
                .filter(|(_, value)| !value.is_null() && value.as_str() != Some(""))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        )),
        Found::Here(_) => Err("is no object".into()),
    }
}

fn is_own_manager(employee: &Employee) -> bool {
    match &employee.manager {
        Some(ManagerRef::SourceId(id)) => *id == employee.source_id,
        Some(ManagerRef::Email(email)) => Some(email) == employee.work_email.as_ref(),
        Some(ManagerRef::EmployeeNumber(number)) => Some(number) == employee.employee_number.as_ref(),
        None => false,
    }
}

fn set(employee: &mut Employee, employment: &mut Employment, field: &str, reading: Reading) {
    match reading {
        Reading::Text(text) => set_text(employee, employment, field, text),
        Reading::Date(date) => match field {
            "first_day" => employment.first_day = Some(date),
            "last_day" => employment.last_day = Some(date),
            "last_working_day" => employment.last_working_day = Some(date),
            _ => employee.birth_date = Some(date),
        },
        Reading::Parts(parts) if field == "address" => employee.address = Some(address(parts)),
        Reading::Parts(parts) => set_unit(employee, field, unit(parts)),
        Reading::Manager(manager) => employee.manager = Some(manager),
        Reading::Accounts(accounts) => employee.bank_accounts = accounts,
        Reading::Custom(members) => employee.custom.extend(members),
        Reading::Missing | Reading::Empty | Reading::Status(..) => {}
    }
}

fn set_text(employee: &mut Employee, employment: &mut Employment, field: &str, text: String) {
    let place = match field {
        "source_id" => {
            employee.source_id = text;
            return;
        }
        "remote_id" => &mut employee.remote_id,
        "employee_number" => &mut employee.employee_number,
        "given_name" => &mut employee.given_name,
        "family_name" => &mut employee.family_name,
        "preferred_name" => &mut employee.preferred_name,
        "middle_name" => &mut employee.middle_name,
        "display_name" => &mut employee.display_name,
        "work_email" => &mut employee.work_email,
        "private_email" => &mut employee.private_email,
        "work_phone" => &mut employee.work_phone,
        "mobile_phone" => &mut employee.mobile_phone,
        "title" => &mut employee.title,
        "employment_type" => &mut employment.kind,
        "locale" => &mut employee.locale,
        "time_zone" => &mut employee.time_zone,
        "gender" => &mut employee.gender,
        "marital_status" => &mut employee.marital_status,
        "children" => &mut employee.children,
        "national_id" => &mut employee.national_id,
        "photo" => &mut employee.photo,
        _ => return,
    };
    *place = Some(text);
}

fn set_unit(employee: &mut Employee, field: &str, unit: OrgUnit) {
    let place = match field {
        "department" => &mut employee.department,
        "team" => &mut employee.team,
        "cost_center" => &mut employee.cost_center,
        "division" => &mut employee.division,
        "entity" => &mut employee.entity,
        "location" => &mut employee.location,
        _ => return,
    };
    *place = Some(unit);
}

fn unit(parts: Vec<(&'static str, String)>) -> OrgUnit {
    let mut unit = OrgUnit::default();
    for (name, text) in parts {
        match name {
            "id" => unit.id = Some(text),
            "code" => unit.code = Some(text),
            _ => unit.name = Some(text),
        }
    }
    unit
}

fn address(parts: Vec<(&'static str, String)>) -> Address {
    let mut address = Address::default();
    for (name, text) in parts {
        match name {
            "street" => address.street = Some(text),
            "city" => address.city = Some(text),
            "region" => address.region = Some(text),
            "postal_code" => address.postal_code = Some(text),
            _ => address.country = Some(text),
        }
    }
    address
}

#[cfg(test)]
mod tests;
