//! A record of the HR system becomes an employee.

use std::collections::HashMap;

use chrono::NaiveDate;
use serde_json::Value;

use super::list::{Lists, key_of};
use super::path::{Found, Path};
use super::rule::{Clean, ManagerKind, Part, Split};
use super::way::{Base, FieldWays, Piece, StatusWord, Texts, Way, What, Words};
use crate::hr::{Address, BankAccount, Employee, Employment, ManagerRef, OrgUnit, Problem, Status};

/// Reads records.
#[derive(Debug, Default)]
pub(super) struct Mapper {
    pub fields: Vec<FieldWays>,
    pub lists: Lists,
    /// Labels of the account's own fields, by their key.
    pub labels: HashMap<String, String>,
    /// Whether a single element may stand for a list of it, as in XML.
    pub single: bool,
    /// Today: decides which of several elements is in force, and the one status word that the first day decides.
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
    /// A status word that this way does not know and leaves to the next one.
    Unknown(String),
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
            match self.read(field, record, &employee.source_id) {
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
                Ok(Reading::Unknown(word)) => employee.status = Status::Unknown(word),
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
        match self.read(field, record, "") {
            Ok(Reading::Text(id)) => Some(id),
            _ => None,
        }
    }

    /// The first way that gives something; missing only if the path is missing in all that hold for this record.
    fn read(&self, field: &FieldWays, record: &Value, own_id: &str) -> Result<Reading, Bad> {
        let holds = |way: &&Way| way.only.iter().all(|test| test.holds(record));
        let mut ways = field.ways.iter().filter(holds).peekable();
        let mut best = match ways.peek() {
            Some(_) => Reading::Missing,
            None => Reading::Empty,
        };
        for way in ways {
            match self.read_way(way, record)? {
                Reading::Missing => {}
                // A unit's head is their own manager's last: the next way looks further up.
                Reading::Manager(ManagerRef::SourceId(id)) if id == own_id => best = Reading::Empty,
                Reading::Empty if matches!(best, Reading::Unknown(_)) => {}
                reading @ (Reading::Empty | Reading::Unknown(_)) => best = reading,
                reading => return Ok(reading),
            }
        }
        Ok(match best {
            // No way held: nothing tells the status.
            Reading::Empty if field.field.name == "status" => Reading::Unknown(String::new()),
            best => best,
        })
    }

    fn read_way(&self, way: &Way, record: &Value) -> Result<Reading, Bad> {
        let base = match self.base(&way.base, record)? {
            Found::Missing => return Ok(Reading::Missing),
            // An absent status is a word of its own: the empty one.
            Found::Null if !matches!(way.what, What::Status(..)) => return Ok(Reading::Empty),
            Found::Null => &Value::Null,
            Found::Here(base) => base,
        };
        let text = |texts: &Texts| text_at(base, texts, way.clean, way.split.as_ref());
        match &way.what {
            What::Text(texts, words) => Ok(match (text(texts)?, words) {
                (Text::Missing, _) => Reading::Missing,
                (Text::Empty, _) => Reading::Empty,
                (Text::Some(text), None) => Reading::Text(text),
                (Text::Some(text), Some(words)) => translate(words, text),
            }),
            What::Fixed(text) => Ok(Reading::Text(text.clone())),
            What::FixedStatus(word) => Ok(status_of(*word, String::new())),
            What::Date(texts, dates) => match text(texts)? {
                Text::Missing => Ok(Reading::Missing),
                Text::Empty => Ok(Reading::Empty),
                Text::Some(text) => {
                    let day = dates.read(&text, base, record)?;
                    Ok(day.map_or(Reading::Empty, Reading::Date))
                }
            },
            What::Manager(texts, kind) => Ok(match text(texts)? {
                Text::Missing => Reading::Missing,
                Text::Empty => Reading::Empty,
                Text::Some(text) => Reading::Manager(match kind {
                    ManagerKind::SourceId => ManagerRef::SourceId(text),
                    ManagerKind::Email => ManagerRef::Email(text),
                    ManagerKind::EmployeeNumber => ManagerRef::EmployeeNumber(text),
                }),
            }),
            What::Status(texts, words) => Ok(match text(texts)? {
                Text::Missing => Reading::Missing,
                Text::Empty => status(words, String::new()),
                Text::Some(word) => status(words, word),
            }),
            What::Parts(parts) => read_parts(parts, text),
            What::Accounts { from, parts } => read_accounts(from.as_ref(), parts, base, way),
            What::AllCustom(path) => read_custom(path, base, &self.labels),
            What::ListedCustom { from, name, at } => listed_custom(from, name, at, base),
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
            Base::Pick { from, choice } => {
                let elements: Vec<&Value> = match from.find(record) {
                    Found::Here(Value::Array(items)) => items.iter().collect(),
                    Found::Here(one) if self.single => vec![one],
                    Found::Here(Value::Object(members)) => members.values().collect(),
                    Found::Here(_) => return Err("is neither a list nor an object".into()),
                    Found::Null => return Ok(Found::Null),
                    Found::Missing => return Ok(Found::Missing),
                };
                Ok(choice.of(&elements, self.today).map_or(Found::Null, Found::Here))
            }
            Base::List { name, by, choice } => match key_of(by, record) {
                None if by.iter().any(|path| path.find(record) == Found::Missing) => Ok(Found::Missing),
                None => Ok(Found::Null),
                Some(key) => {
                    let elements: Vec<&Value> = self.lists.get(name, &key).iter().collect();
                    Ok(choice.of(&elements, self.today).map_or(Found::Null, Found::Here))
                }
            },
        }
    }
}

enum Text {
    Missing,
    Empty,
    Some(String),
}

fn text_at(base: &Value, texts: &Texts, clean: Option<Clean>, split: Option<&Split>) -> Result<Text, Bad> {
    let mut text = match texts.pieces.as_slice() {
        [Piece::At(path)] => match path.find(base) {
            Found::Missing => return Ok(Text::Missing),
            Found::Null => return Ok(Text::Empty),
            Found::Here(value) => plain(value)?,
        },
        _ => match joined(base, texts)? {
            Text::Some(text) => text,
            nothing => return Ok(nothing),
        },
    };
    if text.contains('\0') {
        return Err("holds a NUL character".into());
    }
    text = match clean {
        None => text,
        Some(Clean::Trim) => text.trim().to_owned(),
        Some(Clean::Lower) => text.to_lowercase(),
        Some(Clean::TrimLower) => text.trim().to_lowercase(),
        Some(Clean::DatePart) => text.trim().chars().take(10).collect(),
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

/// Joins what is there; a word stands only between texts.
fn joined(base: &Value, texts: &Texts) -> Result<Text, Bad> {
    let (mut parts, mut waiting, mut missing): (Vec<String>, Option<&str>, bool) = (Vec::new(), None, true);
    for piece in &texts.pieces {
        let path = match piece {
            Piece::Word(word) => {
                waiting = Some(word);
                continue;
            }
            Piece::At(path) => path,
        };
        let text = match path.find(base) {
            Found::Missing => continue,
            Found::Null => String::new(),
            Found::Here(value) => plain(value)?,
        };
        missing = false;
        if text.trim().is_empty() {
            continue;
        }
        if let Some(word) = waiting.take().filter(|_| !parts.is_empty()) {
            parts.push(word.to_owned());
        }
        parts.push(text.trim().to_owned());
    }
    Ok(match (missing, parts.is_empty()) {
        (true, _) => Text::Missing,
        (false, true) => Text::Empty,
        (false, false) => Text::Some(parts.join(&texts.between)),
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
        Value::Object(members) => match members.get("#text") {
            Some(Value::String(text)) => Ok(text.clone()),
            None if members.keys().all(|key| key.starts_with('@')) => Ok(String::new()),
            _ => Err("is an object where a text was expected".into()),
        },
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

fn translate(words: &Words<String>, text: String) -> Reading {
    let text = match words.known.get(&text).or(words.otherwise.as_ref()) {
        Some(word) => word.clone(),
        None if words.next => return Reading::Empty,
        None => text,
    };
    if text.is_empty() {
        Reading::Empty
    } else {
        Reading::Text(text)
    }
}

fn status(words: &Words<StatusWord>, word: String) -> Reading {
    match words.known.get(&word) {
        Some(meaning) => status_of(*meaning, word),
        None if words.next => Reading::Unknown(word),
        None => status_of(words.otherwise.unwrap_or(StatusWord::Hold), word),
    }
}

fn status_of(meaning: StatusWord, word: String) -> Reading {
    let status = match meaning {
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
    parts: &[(&'static str, Texts)],
    text: impl Fn(&Texts) -> Result<Text, Bad>,
) -> Result<Reading, Bad> {
    let mut read = Vec::new();
    let mut missing = false;
    for (name, texts) in parts {
        match text(texts)? {
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
    parts: &[(&'static str, Texts)],
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
        let text = |texts: &Texts| text_at(item, texts, way.clean, way.split.as_ref());
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

fn is_filled(value: &Value) -> bool {
    !value.is_null() && value.as_str() != Some("")
}

/// All custom fields of an object, by their labels where the account tells them.
fn read_custom(path: &Path, base: &Value, labels: &HashMap<String, String>) -> Result<Reading, Bad> {
    match path.find(base) {
        Found::Missing => Ok(Reading::Missing),
        Found::Null => Ok(Reading::Empty),
        Found::Here(Value::Object(members)) => Ok(Reading::Custom(
            members
                .iter()
                .filter(|(_, value)| is_filled(value))
                .map(|(key, value)| (labels.get(key).unwrap_or(key).clone(), value.clone()))
                .collect(),
        )),
        Found::Here(_) => Err("is no object".into()),
    }
}

/// Custom fields that come as a list, each with its key and its value.
fn listed_custom(from: &Path, name: &Path, at: &Path, base: &Value) -> Result<Reading, Bad> {
    let elements: Vec<&Value> = match from.find(base) {
        Found::Missing => return Ok(Reading::Missing),
        Found::Null => return Ok(Reading::Empty),
        Found::Here(Value::Array(items)) => items.iter().collect(),
        Found::Here(Value::Object(members)) => members.values().collect(),
        Found::Here(_) => return Err("is neither a list nor an object".into()),
    };
    let one = |element: &Value| {
        let key = plain(name.find(element).value()?)
            .ok()
            .filter(|key| !key.is_empty())?;
        Some((
            key,
            at.find(element).value().filter(|value| is_filled(value))?.clone(),
        ))
    };
    Ok(Reading::Custom(elements.into_iter().filter_map(one).collect()))
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
        Reading::Missing | Reading::Empty | Reading::Status(..) | Reading::Unknown(_) => {}
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
