//! Which accounts people held who were deactivated, for whoever is told of it.

mod store;

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Error;
use crate::base::TenantId;
use crate::db::Conn;
use crate::notice::Unsettled;

/// Apps that do not answer for so long are told of as they are.
const PATIENCE: TimeDelta = TimeDelta::minutes(30);
/// Of one account so many values are told that hooks answered.
const MOST_FIELDS: usize = 20;

/// Says of those people whose apps have all done what they do, or take too long, which accounts they held: a list of `app`,
/// `state`, `reason` and `fields`. The others wait. One statement for each tenant.
///
/// # Errors
/// When the store refuses.
pub async fn accounts_held(
    conn: &mut Conn,
    waiting: Vec<Unsettled>,
    now: DateTime<Utc>,
) -> Result<Vec<(Unsettled, Value)>, Error> {
    let mut users: HashMap<TenantId, Vec<Uuid>> = HashMap::new();
    for one in &waiting {
        users.entry(one.tenant).or_default().push(one.user);
    }
    let mut held: HashMap<(TenantId, Uuid), (bool, Vec<Value>)> = HashMap::new();
    for (tenant, users) in users {
        for (user, app, state, reason, is_to_come, answers) in
            store::accounts(conn, tenant, &users, now).await?
        {
            let (to_come, accounts) = held.entry((tenant, user)).or_default();
            *to_come |= is_to_come;
            let mut fields = Vec::new();
            collect("", &answers.unwrap_or_default(), &mut fields);
            accounts.push(json!({ "app": app, "state": state, "reason": reason, "fields": fields }));
        }
    }
    Ok(waiting
        .into_iter()
        .filter_map(|one| {
            let (to_come, accounts) = held.remove(&(one.tenant, one.user)).unwrap_or_default();
            (!to_come || now - one.at > PATIENCE).then_some((one, Value::Array(accounts)))
        })
        .collect())
}

/// The single values of what hooks answered, by the names that they bear there.
fn collect(name: &str, answer: &Value, fields: &mut Vec<Value>) {
    match answer {
        Value::Object(parts) => {
            for (name, part) in parts {
                collect(name, part, fields);
            }
        }
        Value::Array(parts) => {
            for part in parts {
                collect(name, part, fields);
            }
        }
        Value::Null => {}
        single if fields.len() < MOST_FIELDS => fields.push(json!({ "name": name, "value": single })),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hooks_answered_becomes_names_and_values() {
        let answers =
            json!({ "leaver/0": { "card": "1234", "keys": [{ "room": 7 }, { "room": 8 }], "none": null } });
        let mut fields = Vec::new();
        collect("", &answers, &mut fields);
        assert_eq!(
            Value::Array(fields),
            json!([
                { "name": "card", "value": "1234" }, { "name": "room", "value": 7 }, { "name": "room", "value": 8 },
            ])
        );
    }
}
