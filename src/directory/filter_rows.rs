//! Conditions on `groups` and `members`, which are no part of the body but rows of `membership`.
//!
//! What a filter on `groups` sees is what a user shows: the groups that it is in, and the groups that these are in. So
//! the groups that meet the condition are found first, then, by the few rows that put a group into a group, all groups
//! in them, and then who is in any of these. `members` are the direct ones, as a group shows them.

use super::filter_index::{Standing, is_id, last_part};
use super::filter_sql::{Scope, Sql, Value, View, below};
use crate::scim::filter::{Bound, Op, Operand};
use crate::scim::{self, Place};

/// Which computed attribute a place belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    Groups,
    Members,
}

impl Rows {
    /// What a condition on one of them is about.
    pub fn scope(self) -> Scope {
        match self {
            Self::Groups => Scope::Groups(Way::Direct),
            Self::Members => Scope::Members,
        }
    }
}

/// How somebody is in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// As a member.
    Direct,
    /// Through other groups alone.
    Indirect,
}

/// The rows in which a computed attribute stands.
pub(super) fn rows(place: &Place) -> Option<Rows> {
    match (place.extension.is_none(), place.attribute.name.as_str()) {
        (true, "groups") if place.attribute.is_complex() => Some(Rows::Groups),
        (true, "members") if place.attribute.is_complex() => Some(Rows::Members),
        _ => None,
    }
}

impl View<'_> {
    /// Whether any row of a computed attribute meets a condition.
    pub(super) fn any_row(&self, rows: Rows, condition: &Bound, standing: Standing) -> Sql {
        let ids = match (rows, condition) {
            (Rows::Members, _) => self.holders(condition),
            // Who is in a group at all is a member of one.
            (Rows::Groups, Bound::Constant(true)) => self.all("SELECT s.member_id FROM membership s WHERE"),
            (Rows::Groups, _) if speaks_of(condition, "type") => self.insiders_by_way(condition),
            (Rows::Groups, _) => self.insiders(condition),
        };
        if standing == Standing::Alternative {
            Sql::wrapped("r.id = ANY(ARRAY(", &ids, "))")
        } else {
            Sql::wrapped("r.id IN (", &ids, ")")
        }
    }

    /// The condition on `membership s` with `resource o` as the member, for a filter on elements of `members`.
    pub fn member_condition(&self, filter: &Bound) -> Sql {
        self.node(filter, Scope::Members, Standing::Loose)
    }

    /// The groups one of whose members meets a condition.
    fn holders(&self, condition: &Bound) -> Sql {
        let others = ["$ref", "display"];
        let named = others.iter().any(|name| speaks_of(condition, name));
        let from = if named {
            "SELECT s.group_id FROM membership s JOIN resource o ON o.tenant_id = s.tenant_id AND o.id = s.member_id WHERE"
        } else {
            "SELECT s.group_id FROM membership s WHERE"
        };
        self.all(from)
            .push(" AND ")
            .sql(&self.member_condition(condition))
    }

    /// Who is in a group that meets a condition, or in a group in it.
    fn insiders(&self, condition: &Bound) -> Sql {
        let groups = Sql::new("WITH RECURSIVE d (id) AS (SELECT o.id FROM resource o WHERE o.kind = 'Group'")
            .push(" AND o.tenant_id = ")
            .id(self.tenant.uuid())
            .push(" AND ")
            .sql(&self.node(condition, Scope::Groups(Way::Direct), Standing::Loose))
            .push(" UNION SELECT m.member_id FROM d JOIN membership m ON m.group_id = d.id")
            .push(" AND m.member_kind = 'Group' AND m.tenant_id = ")
            .id(self.tenant.uuid())
            .push(") SELECT id FROM d");
        self.all("SELECT s.member_id FROM membership s WHERE")
            .push(" AND s.group_id = ANY(ARRAY(")
            .sql(&groups)
            .push("))")
    }

    /// The same for a condition that holds of a direct group or of an indirect one only.
    fn insiders_by_way(&self, condition: &Bound) -> Sql {
        let on = |way| self.node(condition, Scope::Groups(way), Standing::Loose);
        let tenant = self.tenant.uuid();
        self.all("SELECT s.member_id FROM membership s JOIN resource o ON o.tenant_id = s.tenant_id AND o.id = s.group_id WHERE")
            .push(" AND ")
            .sql(&on(Way::Direct))
            .push(" UNION ALL SELECT s.member_id FROM (WITH RECURSIVE d (top, id) AS (")
            .push("SELECT o.id, m.member_id FROM resource o JOIN membership m ON m.tenant_id = o.tenant_id AND m.group_id = o.id")
            .push(" AND m.member_kind = 'Group' WHERE o.kind = 'Group' AND o.tenant_id = ")
            .id(tenant)
            .push(" AND ")
            .sql(&on(Way::Indirect))
            .push(" UNION SELECT d.top, m.member_id FROM d JOIN membership m ON m.group_id = d.id")
            .push(" AND m.member_kind = 'Group' AND m.tenant_id = ")
            .id(tenant)
            .push(") SELECT d.top, n.member_id FROM d JOIN membership n ON n.group_id = d.id AND n.tenant_id = ")
            .id(tenant)
            .push(") s WHERE NOT EXISTS (SELECT FROM membership a WHERE a.group_id = s.top AND a.member_id = s.member_id")
            .push(" AND a.tenant_id = ")
            .id(tenant)
            .push(")")
    }

    /// What an element has at a place.
    pub(super) fn part(&self, place: &Place, scope: Scope) -> Value {
        let text = |sql: &str| Value::Text {
            sql: Sql::new(sql),
            folded: false,
        };
        let (id, kind) = match scope {
            Scope::Resource | Scope::Element => return Value::Json(below(Sql::new("e.v"), place)),
            Scope::Groups(Way::Direct) => ("o.id", "'direct'"),
            Scope::Groups(Way::Indirect) => ("o.id", "'indirect'"),
            Scope::Members => ("s.member_id", "s.member_kind"),
        };
        match sub(place) {
            "value" => text(&format!("{id}::text")),
            "type" => text(kind),
            "$ref" => {
                let sql = Sql::new("(")
                    .text(self.base)
                    .push(" || '/' || o.kind || 's/' || o.id::text)");
                Value::Text { sql, folded: false }
            }
            _ if scope == Scope::Members => {
                text("coalesce(s.display, o.body->>'displayName', o.body->>'userName', '')")
            }
            _ => text("coalesce(o.body->>'displayName', '')"),
        }
    }

    /// What a comparison of a group's member, or of somebody's group, implies and an index serves.
    pub(super) fn row_index(&self, place: &Place, op: Op, operand: &Operand, scope: Scope) -> Option<Sql> {
        let (Op::Eq, Operand::Text(text)) = (op, operand) else {
            return None;
        };
        let column = match scope {
            Scope::Groups(_) => "o.id",
            Scope::Members => "s.member_id",
            Scope::Resource | Scope::Element => return None,
        };
        match sub(place) {
            "value" => Some(is_id(column, text)),
            "$ref" => Some(is_id(column, last_part(text))),
            "display" if scope == Scope::Members && text.is_empty() => None,
            "display" if scope == Scope::Members => Some(self.called_in_a_group(&scim::fold(text))),
            "display" if text.is_empty() => Some(Sql::new("(o.display_name IS NULL OR o.display_name = '')")),
            "display" => Some(Sql::new("o.display_name = ").text(&scim::fold(text))),
            _ => None,
        }
    }

    /// Members whose own name it is, or whom a client calls so in a group; both are names when folded.
    fn called_in_a_group(&self, name: &str) -> Sql {
        Sql::new("s.member_id = ANY(ARRAY((")
            .sql(&self.named(name))
            .push(") UNION ALL SELECT n.member_id FROM membership n WHERE n.display IS NOT NULL AND scim_fold(n.display) = ")
            .text(name)
            .push(" AND n.tenant_id = ")
            .id(self.tenant.uuid())
            .push("))")
    }

    /// A statement whose condition begins with the tenant of `s`.
    fn all(&self, select: &str) -> Sql {
        Sql::new(select).push(" s.tenant_id = ").id(self.tenant.uuid())
    }
}

fn sub(place: &Place) -> &str {
    place.sub.as_ref().map_or("value", |sub| sub.name.as_str())
}

/// Whether a condition on elements asks for one of their parts.
fn speaks_of(condition: &Bound, part: &str) -> bool {
    match condition {
        Bound::And(parts) | Bound::Or(parts) => parts.iter().any(|one| speaks_of(one, part)),
        Bound::Not(inner) | Bound::Each { inner, .. } => speaks_of(inner, part),
        Bound::Compare { place, .. } | Bound::Present(place) => sub(place) == part,
        Bound::Constant(_) => false,
    }
}
