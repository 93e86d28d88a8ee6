//! Which index serves a comparison.
//!
//! An exact condition looks at the row itself (`filter_sql`) and cannot be served by any index. In front of it stands
//! what it implies and an index knows: a column, a membership, an externalId, or the keys in `resource_key`. Served so
//! is every equality but those of booleans, `type`, `primary` and `formatted`, of what is worked out from other
//! resources (a manager's or a group's name), of `schemas` and of `meta` (but `meta.location`); and the beginnings of
//! userName and displayName, and, from three letters on, of e-mail addresses.

use uuid::Uuid;

use super::filter_sql::{Scope, Sql, View, after, rows};
use super::key;
use crate::base::ClientId;
use crate::scim::filter::{Bound, Op, Operand};
use crate::scim::{self, Place};

/// How the keys of a filter are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    /// They have been: what has them is named in front.
    Named,
    /// As part of the statement.
    Asking,
}

/// How a condition stands to the whole filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The whole holds only if it does.
    Needed(Keys),
    /// One of several of which one must hold.
    Alternative,
    /// Neither; no index can help.
    Loose,
}

impl View<'_> {
    /// The keys that every resource has that meets the filter; none if something better than keys leads to it, or
    /// nothing does.
    pub fn keys(&self, filter: &Bound) -> Vec<i64> {
        let parts = match filter {
            Bound::And(parts) => parts.as_slice(),
            one => std::slice::from_ref(one),
        };
        if parts.iter().any(|part| self.leads(part)) {
            return Vec::new();
        }
        let mut keys: Vec<i64> = parts.iter().flat_map(|part| self.keys_of(part)).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Whether an index other than that of the keys leads to the few that can meet a condition.
    fn leads(&self, filter: &Bound) -> bool {
        match filter {
            Bound::Compare {
                place,
                op: Op::Eq,
                operand,
            } => {
                self.own_index(place, Op::Eq, operand).is_some()
                    || rows(place).is_some_and(|scope| member_id(place, Op::Eq, operand, scope).is_some())
            }
            _ => false,
        }
    }

    fn keys_of(&self, filter: &Bound) -> Vec<i64> {
        match filter {
            Bound::And(parts) => parts.iter().flat_map(|part| self.keys_of(part)).collect(),
            Bound::Each { place, inner } if rows(place).is_none() => self.keys_of(inner),
            Bound::Compare { place, op, operand } => self.key(place, *op, operand).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// The key that every resource has for which a comparison holds.
    fn key(&self, place: &Place, op: Op, operand: &Operand) -> Option<i64> {
        if self.is_beside_the_body(place) {
            // The address of a manager is that of its id.
            let reference = place.sub.as_ref().is_some_and(|sub| sub.name == "$ref");
            let (Some(value), true, Operand::Text(text)) = (place.down("value"), reference, operand) else {
                return None;
            };
            return self.key(&value, op, &Operand::Text(last_part(text).to_owned()));
        }
        let (path, folded) = scim::key_of(self.kind, place, operand)?;
        if op == Op::Sw {
            return key::prefix_key(self.tenant, &self.kind.name, &path, &folded);
        }
        if op != Op::Eq || key::IN_COLUMNS.contains(&path.as_str()) {
            return None;
        }
        Some(key::key(self.tenant, &self.kind.name, &path, &folded))
    }

    /// What a comparison of the resource implies and an index serves.
    pub(super) fn indexed(
        &self,
        place: &Place,
        op: Op,
        operand: &Operand,
        standing: Standing,
    ) -> Option<Sql> {
        if standing == Standing::Loose {
            return None;
        }
        if let Some(own) = self.own_index(place, op, operand) {
            return Some(own);
        }
        self.with_key(self.key(place, op, operand)?, standing)
    }

    /// What the condition on one element implies and an index serves.
    pub(super) fn element_indexed(&self, inner: &Bound, standing: Standing) -> Vec<Sql> {
        if standing == Standing::Loose {
            return Vec::new();
        }
        let keys = self.keys_of(inner).into_iter();
        keys.filter_map(|key| self.with_key(key, standing)).collect()
    }

    fn with_key(&self, key: i64, standing: Standing) -> Option<Sql> {
        let ids = Sql::new("SELECT k.id FROM resource_key k WHERE k.tenant_id = ")
            .id(self.tenant.uuid())
            .push(" AND k.keys @> ARRAY[")
            .number(key)
            .push("]");
        match standing {
            Standing::Needed(Keys::Asking) => Some(Sql::wrapped("r.id IN (", &ids, ")")),
            Standing::Alternative => Some(Sql::wrapped("r.id = ANY(ARRAY(", &ids, "))")),
            Standing::Needed(Keys::Named) | Standing::Loose => None,
        }
    }

    /// A condition on a column, or on the clients' own ids.
    fn own_index(&self, place: &Place, op: Op, operand: &Operand) -> Option<Sql> {
        let Operand::Text(text) = operand else { return None };
        if place.extension.is_some() {
            return None;
        }
        let sub = place.sub.as_ref().map(|sub| sub.name.as_str());
        match (place.attribute.name.as_str(), sub, op) {
            ("id", None, Op::Eq) => Some(is_id("r.id", text)),
            ("meta", Some("location"), Op::Eq) => Some(is_id("r.id", last_part(text))),
            // Folded: what is equal is equal when folded.
            ("userName", None, _) => column("r.user_name", op, &scim::fold(text)),
            ("displayName", None, _) => column("r.display_name", op, &scim::fold(text)),
            ("externalId", None, Op::Eq) => Some(self.called(text)),
            _ => None,
        }
    }

    /// The resources that the client or a connection calls so.
    fn called(&self, name: &str) -> Sql {
        Sql::new("r.id = ANY(ARRAY(SELECT x.resource_id FROM external_id x WHERE x.tenant_id = ")
            .id(self.tenant.uuid())
            .push(" AND x.kind = ")
            .text(&self.kind.name)
            .push(" AND x.value = ")
            .text(name)
            .push(" AND x.client_id IN (SELECT ")
            .maybe_id(self.client.map(ClientId::uuid))
            .push(" UNION ALL SELECT c.id FROM connection c WHERE c.tenant_id = ")
            .id(self.tenant.uuid())
            .push(")))")
    }
}

/// The condition on `membership s` that a comparison of a group's member, or of somebody's group, implies.
pub(super) fn member_id(place: &Place, op: Op, operand: &Operand, scope: Scope) -> Option<Sql> {
    let (Op::Eq, Operand::Text(text)) = (op, operand) else {
        return None;
    };
    let column = match scope {
        Scope::Groups => "s.group_id",
        Scope::Members => "s.member_id",
        Scope::Resource | Scope::Element => return None,
    };
    match place.sub.as_ref().map_or("value", |sub| sub.name.as_str()) {
        "value" => Some(is_id(column, text)),
        "$ref" => Some(is_id(column, last_part(text))),
        _ => None,
    }
}

fn last_part(address: &str) -> &str {
    address.rsplit_once('/').map_or(address, |(_, id)| id)
}

/// Ids are hyphenated; no other text is one.
fn is_id(column: &str, text: &str) -> Sql {
    match text.parse::<Uuid>() {
        Ok(id) if text.len() == 36 => Sql::new(column).push(" = ").id(id),
        _ => Sql::new("false"),
    }
}

/// An equality or a prefix of a column that is kept folded.
fn column(name: &str, op: Op, text: &str) -> Option<Sql> {
    match op {
        Op::Eq => Some(Sql::new(name).push(" = ").text(text)),
        Op::Sw if !text.is_empty() => {
            let from = Sql::new("(").push(name).push(" >= ").text(text);
            Some(match after(text) {
                Some(end) => from.push(" AND ").push(name).push(" < ").text(&end).push(")"),
                None => from.push(")"),
            })
        }
        _ => None,
    }
}
