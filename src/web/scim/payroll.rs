//! The payroll extension. Its values are never in the SCIM store: they are read from HR's records, where they are sealed,
//! for those who ask by name and have the scope.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::session::Session;
use crate::access::Scope;
use crate::base::PersonId;
use crate::directory::Found;
use crate::identity::store::{Stored, of_people};
use crate::scim::{Object, PAYROLL, Projection, ResourceType, set_schemas};

/// Adds the extension to users of people, when the projection names it, the type has it and the token opens it: one
/// statement more for a whole page. Without the scope it is as if there were nothing. Whether any was added.
pub async fn add<S>(
    session: &Session<S>,
    (kind, projection): (&ResourceType, &Projection),
    found: &mut [Found],
) -> Result<bool, Refusal> {
    let wanted = projection.names_extension(PAYROLL)
        && kind.extension(PAYROLL).is_some()
        && session.caller.may(Scope::SensitiveRead);
    let of_kind = |one: &&mut Found| one.kind == kind.name;
    let people: Vec<PersonId> = found
        .iter_mut()
        .filter(of_kind)
        .filter_map(|one| one.person)
        .collect();
    if !wanted || people.is_empty() {
        return Ok(false);
    }
    let mut conn = session.conn().await?;
    let records = of_people(&mut conn, session.caller.tenant, &people, &session.state.sealer).await?;
    let mut any = false;
    drop(conn);
    for one in found.iter_mut().filter(of_kind) {
        let facts = one
            .person
            .map(|person| facts(&records, person))
            .unwrap_or_default();
        if facts.is_empty() {
            continue;
        }
        let mut object: Object = serde_json::from_str(&one.body).unwrap_or_default();
        object.insert(PAYROLL.to_owned(), Value::Object(facts));
        set_schemas(kind, &mut object);
        one.body = Value::Object(object).to_string();
        any = true;
    }
    Ok(any)
}

/// What the records of a person say together: every account, and the first of the rest.
fn facts(records: &HashMap<PersonId, Vec<Stored>>, person: PersonId) -> Map<String, Value> {
    let mut facts = Map::new();
    let mut accounts: Vec<Value> = Vec::new();
    let employees = records.get(&person).into_iter().flatten();
    for employee in employees.filter_map(|record| record.employee.as_ref()) {
        let birth = employee.birth_date.map(|day| day.to_string());
        let texts = [
            ("nationalId", employee.national_id.clone()),
            ("birthDate", birth),
            ("gender", employee.gender.clone()),
            ("maritalStatus", employee.marital_status.clone()),
            ("children", employee.children.clone()),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                facts.entry(name).or_insert(Value::from(value));
            }
        }
        for account in &employee.bank_accounts {
            let parts = [
                ("iban", &account.iban),
                ("bic", &account.bic),
                ("holder", &account.holder),
            ];
            let account: Map<String, Value> = parts
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?))))
                .collect();
            let account = Value::Object(account);
            if !accounts.contains(&account) {
                accounts.push(account);
            }
        }
    }
    if !accounts.is_empty() {
        facts.insert("bankAccounts".to_owned(), Value::Array(accounts));
    }
    facts
}
