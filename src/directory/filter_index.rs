//! Which index serves a comparison.
//!
//! An exact condition looks at the row itself (`filter_sql`) and cannot be served by any index. In front of it stands
//! what it implies and an index knows: a column, a membership, an externalId, the keys in `resource_key`, or the change
//! that made `meta` what it is. Served so is every equality but those of booleans, `type`, `primary` and `formatted`;
//! and the beginnings of userName, displayName and e-mail addresses. `schemas` has the type's own URN for every
//! resource and `meta.resourceType` its name, so these tell nobody from anybody.
//!
//! `meta.version` and `meta.lastModified` move with every write. An index on them would make each write of a resource
//! write all its index entries anew; every write has its row in the log, which says both and is written once.

use uuid::Uuid;

use super::filter_rows::rows;
use super::filter_sql::{Bind, Sql, View, after};
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
                    || rows(place)
                        .is_some_and(|rows| self.row_index(place, Op::Eq, operand, rows.scope()).is_some())
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
        self.own_index(place, op, operand)
            .or_else(|| self.of_change(place, op, operand, standing))
            .or_else(|| self.with_key(self.key(place, op, operand)?, standing))
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
            Standing::Needed(Keys::Named) | Standing::Loose => None,
            standing => Some(one_of(&ids, standing)),
        }
    }

    /// The resources that a change made what `meta` says; not few of them, where many were written at once.
    fn of_change(&self, place: &Place, op: Op, operand: &Operand, standing: Standing) -> Option<Sql> {
        if op != Op::Eq || place.extension.is_some() || place.attribute.name != "meta" {
            return None;
        }
        let changes =
            Sql::new("SELECT c.resource_id FROM change c WHERE c.tenant_id = ").id(self.tenant.uuid());
        let changes = match (place.sub.as_ref()?.name.as_str(), operand) {
            ("created" | "lastModified", Operand::Instant(at)) => {
                changes.push(" AND c.at = ").bind(Bind::Instant(*at))
            }
            ("version", Operand::Text(text)) => {
                let number = text.strip_prefix("W/\"").and_then(|rest| rest.strip_suffix('"'));
                match number.and_then(|number| number.parse().ok()) {
                    Some(number) => changes.push(" AND c.version = ").number(number),
                    None => return Some(Sql::new("false")),
                }
            }
            _ => return None,
        };
        Some(one_of(&changes, standing))
    }

    /// A condition on a column, or on the clients' own ids.
    fn own_index(&self, place: &Place, op: Op, operand: &Operand) -> Option<Sql> {
        let Operand::Text(text) = operand else { return None };
        if place.extension.is_some() {
            let is_name = self.is_beside_the_body(place) && place.leaf().name == "displayName";
            return (is_name && op == Op::Eq).then(|| self.managed_by(&scim::fold(text)));
        }
        let sub = place.sub.as_ref().map(|sub| sub.name.as_str());
        match (place.attribute.name.as_str(), sub, op) {
            ("id", None, Op::Eq) => Some(is_id("r.id", text)),
            ("meta", Some("location"), Op::Eq) => Some(is_id("r.id", last_part(text))),
            ("meta", Some("resourceType"), Op::Eq) if *text != self.kind.name => Some(Sql::new("false")),
            // Folded: what is equal is equal when folded.
            ("userName", None, _) => column("r.user_name", op, &scim::fold(text)),
            ("displayName", None, _) => column("r.display_name", op, &scim::fold(text)),
            ("externalId", None, Op::Eq) => Some(self.called(text)),
            _ => None,
        }
    }

    /// Ids of the resources that are shown by this name: it is their displayName or, without one, their userName. The
    /// index of names has a part for each type.
    pub(super) fn named(&self, folded: &str) -> Sql {
        let of_a_kind = |sql: Sql| {
            sql.text(folded)
                .push(" AND n.kind IN (SELECT t.kind FROM t) AND n.tenant_id = ")
                .id(self.tenant.uuid())
        };
        let kinds = Sql::new(
            "WITH RECURSIVE t (kind) AS (SELECT min(f.kind) FROM resource f WHERE f.tenant_id = ",
        )
        .id(self.tenant.uuid())
        .push(
            " UNION ALL SELECT (SELECT min(f.kind) FROM resource f WHERE f.kind > t.kind AND f.tenant_id = ",
        )
        .id(self.tenant.uuid())
        .push(") FROM t WHERE t.kind IS NOT NULL) ");
        let by_name = of_a_kind(kinds.push("SELECT n.id FROM resource n WHERE n.display_name = "));
        let otherwise =
            " UNION ALL SELECT n.id FROM resource n WHERE n.display_name IS NULL AND n.user_name = ";
        of_a_kind(by_name.push(otherwise))
    }

    /// Who has a manager of this name: the keys of all who are called so.
    fn managed_by(&self, folded: &str) -> Sql {
        Sql::new("r.id = ANY(ARRAY(SELECT k.id FROM resource_key k WHERE k.tenant_id = ")
            .id(self.tenant.uuid())
            .push(" AND k.keys && ARRAY(SELECT scim_key(")
            .id(self.tenant.uuid())
            .push(", ")
            .text(&self.kind.name)
            .push(", ")
            .text(&format!("{}:manager.value", scim::ENTERPRISE))
            .push(", m.id::text) FROM (")
            .sql(&self.named(folded))
            .push(") m)))")
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

pub(super) fn last_part(address: &str) -> &str {
    address.rsplit_once('/').map_or(address, |(_, id)| id)
}

/// Ids are hyphenated; no other text is one.
pub(super) fn is_id(column: &str, text: &str) -> Sql {
    match text.parse::<Uuid>() {
        Ok(id) if text.len() == 36 => Sql::new(column).push(" = ").id(id),
        _ => Sql::new("false"),
    }
}

fn one_of(ids: &Sql, standing: Standing) -> Sql {
    if standing == Standing::Alternative {
        Sql::wrapped("r.id = ANY(ARRAY(", ids, "))")
    } else {
        Sql::wrapped("r.id IN (", ids, ")")
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
