//! What the door of SCIM clients heeds of users who come from HR.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{Error, Found};
use crate::base::ConnectionId;
use crate::scim::{self, Authority, Object, ResourceType, Rule};

/// Whose word counts, for each connection of a tenant.
#[derive(Debug, Clone, Default)]
pub struct Authorities(HashMap<ConnectionId, (String, Authority)>);

impl FromIterator<(ConnectionId, String, Authority)> for Authorities {
    fn from_iter<I: IntoIterator<Item = (ConnectionId, String, Authority)>>(all: I) -> Self {
        Self(
            all.into_iter()
                .map(|(connection, name, rules)| (connection, (name, rules)))
                .collect(),
        )
    }
}

impl Authorities {
    /// The connections' rules that hold for a resource: those of the connections that call it something.
    fn of<'a>(&'a self, found: &'a Found) -> impl Iterator<Item = &'a (String, Authority)> {
        let is_hr = found.person.is_some();
        found
            .connections
            .iter()
            .filter(move |_| is_hr)
            .filter_map(|connection| self.0.get(connection))
    }

    /// Gives a whole resource back what it does not speak of and HR writes: a client that puts whole objects knows
    /// only the attributes that it maps.
    pub(super) fn complete(&self, kind: &ResourceType, found: &Found, stored: &Object, object: &mut Object) {
        for (_, rules) in self.of(found) {
            let left_out: Vec<&str> = rules
                .iter()
                .filter(|(_, rule)| *rule != Rule::Client)
                .map(|(path, _)| path)
                .filter(|path| scim::holds(kind, stored, path) && !scim::holds(kind, object, path))
                .collect();
            scim::transfer(kind, left_out, stored, object);
        }
    }

    /// Refuses a change of what clients may not change. `lines` is the difference.
    pub(super) fn check(&self, found: &Found, lines: &[Value]) -> Result<(), Error> {
        for (connection, rules) in self.of(found) {
            let refused = lines
                .iter()
                .filter_map(path_of)
                .find(|path| rules.rule(path) == Some(Rule::Refuse));
            if let Some(path) = refused {
                return Err(Error::Authority {
                    path: path.to_owned(),
                    connection: connection.clone(),
                });
            }
        }
        Ok(())
    }
}

fn path_of(line: &Value) -> Option<&str> {
    line.get("path").and_then(Value::as_str)
}

/// Whose word stands after a party wrote a difference: the party by each path that has a value now, and null by each
/// that was cleared.
pub(super) fn claims(lines: &[Value], party: &str) -> Map<String, Value> {
    let mut claims = Map::new();
    for line in lines {
        let Some(path) =
            path_of(line).filter(|path| !matches!(*path, "active" | "disabledBy" | "externalId"))
        else {
            continue;
        };
        let stands = line.get("after").is_some().then_some(party);
        claims.insert(path.to_owned(), stands.into());
    }
    claims
}
