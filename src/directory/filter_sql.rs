//! A bound filter as SQL, exactly: what the database answers is what [`Bound::matches`] says of the whole resource.
//!
//! Every condition comes out true or false, never null, so that `NOT` means what it says. Values and attribute names
//! are bound, never spliced. How places are read:
//! - `id`, `meta`, `externalId`, `userName`, `displayName`, `active`, `groups`, `members` and the manager's display
//!   name from columns and rows; everything else from the stored body.
//! - What an index can serve stands in front of the exact condition (`filter_index`).
//! - Text that is not caseExact is folded by `scim_fold` in the database (ICU), which follows `scim::fold`.
//! - A text's order is that of its bytes; instants compare as instants, numbers by value.

use std::fmt::Write as _;
use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Bool, Double, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::filter_index::Standing;
use super::filter_rows::{Way, rows};
use crate::base::{ClientId, TenantId};
use crate::scim::filter::{Bound, Op, Operand};
use crate::scim::{ENTERPRISE, Place, ResourceType, Type};

/// A value to be bound.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Bind {
    Text(String),
    Id(Option<Uuid>),
    Ids(Vec<Uuid>),
    Number(i64),
    Decimal(f64),
    Flag(bool),
    Instant(DateTime<Utc>),
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Sql(String),
    Bind(Bind),
}

/// A piece of SQL with its values.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sql(Vec<Piece>);

impl Sql {
    pub fn new(text: &str) -> Self {
        Self(vec![Piece::Sql(text.to_owned())])
    }

    pub fn push(mut self, text: &str) -> Self {
        match self.0.last_mut() {
            Some(Piece::Sql(last)) => last.push_str(text),
            _ => self.0.push(Piece::Sql(text.to_owned())),
        }
        self
    }

    pub fn bind(mut self, value: Bind) -> Self {
        self.0.push(Piece::Bind(value));
        self
    }

    pub fn text(self, value: &str) -> Self {
        self.bind(Bind::Text(value.to_owned()))
    }

    pub fn id(self, id: Uuid) -> Self {
        self.bind(Bind::Id(Some(id)))
    }

    pub fn maybe_id(self, id: Option<Uuid>) -> Self {
        self.bind(Bind::Id(id))
    }

    pub fn ids(self, ids: Vec<Uuid>) -> Self {
        self.bind(Bind::Ids(ids))
    }

    pub fn number(self, number: i64) -> Self {
        self.bind(Bind::Number(number))
    }

    pub fn sql(mut self, other: &Self) -> Self {
        self.0.extend(other.0.iter().cloned());
        self
    }

    pub fn wrapped(before: &str, inner: &Self, after: &str) -> Self {
        Self::new(before).sql(inner).push(after)
    }

    /// One of several conditions.
    pub fn any(parts: &[Self]) -> Self {
        Self::joined(parts, " OR ", "false")
    }

    fn joined(parts: &[Self], with: &str, none: &str) -> Self {
        let mut all = Self::new("(");
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                all = all.push(with);
            }
            all = all.sql(part);
        }
        if parts.is_empty() {
            Self::new(none)
        } else {
            all.push(")")
        }
    }

    /// The statement itself, with the SQL types of its columns.
    pub fn statement<Columns>(self) -> Dynamic<Columns> {
        Dynamic {
            sql: self,
            kept: false,
            columns: PhantomData,
        }
    }
}

/// A statement that is made for one request. Only one whose text no client can shape is kept prepared: others are as
/// many as clients can think of.
#[derive(Debug)]
pub(super) struct Dynamic<Columns> {
    sql: Sql,
    kept: bool,
    columns: PhantomData<fn() -> Columns>,
}

impl<Columns> Dynamic<Columns> {
    /// Whether it is kept prepared.
    pub fn kept(self, kept: bool) -> Self {
        Self { kept, ..self }
    }
}

impl<Columns> QueryId for Dynamic<Columns> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Columns> Query for Dynamic<Columns> {
    type SqlType = Columns;
}

impl<Columns> QueryFragment<Pg> for Dynamic<Columns> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if !self.kept {
            out.unsafe_to_cache_prepared();
        }
        for piece in &self.sql.0 {
            match piece {
                Piece::Sql(text) => out.push_sql(text),
                Piece::Bind(Bind::Text(text)) => out.push_bind_param::<Text, _>(text)?,
                Piece::Bind(Bind::Id(id)) => out.push_bind_param::<Nullable<SqlUuid>, _>(id)?,
                Piece::Bind(Bind::Ids(ids)) => out.push_bind_param::<Array<SqlUuid>, _>(ids)?,
                Piece::Bind(Bind::Number(number)) => out.push_bind_param::<BigInt, _>(number)?,
                Piece::Bind(Bind::Decimal(number)) => out.push_bind_param::<Double, _>(number)?,
                Piece::Bind(Bind::Flag(flag)) => out.push_bind_param::<Bool, _>(flag)?,
                Piece::Bind(Bind::Instant(at)) => out.push_bind_param::<Timestamptz, _>(at)?,
            }
        }
        Ok(())
    }
}

/// Whose resources are asked for, and how they are shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub tenant: TenantId,
    pub kind: &'a ResourceType,
    pub client: Option<ClientId>,
    /// Public address under which `/Users/…` stands.
    pub base: &'a str,
}

/// Where the value of a place is read.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// A text; `folded`: by the store already.
    Text { sql: Sql, folded: bool },
    /// A JSON value.
    Json(Sql),
    /// A boolean.
    Flag(Sql),
    /// An instant.
    Instant(Sql),
}

/// What the places of a filter are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The resource `r`.
    Resource,
    /// The JSON element `e.v`.
    Element,
    /// A group `o` that the resource is in, or that a group of it is in.
    Groups(Way),
    /// A member of the resource: membership `s` with the member `o`.
    Members,
}

impl View<'_> {
    /// The condition on `resource r`.
    pub fn condition(&self, filter: &Bound, standing: Standing) -> Sql {
        self.node(filter, Scope::Resource, standing)
    }

    /// The condition of a filter on what `scope` says.
    pub(super) fn node(&self, filter: &Bound, scope: Scope, standing: Standing) -> Sql {
        let all = |parts: &[Bound], standing: Standing| {
            parts
                .iter()
                .map(|part| self.node(part, scope, standing))
                .collect::<Vec<_>>()
        };
        let alternative = match standing {
            Standing::Loose => Standing::Loose,
            _ => Standing::Alternative,
        };
        match filter {
            Bound::And(parts) => Sql::joined(&all(parts, standing), " AND ", "true"),
            Bound::Or(parts) => Sql::any(&all(parts, alternative)),
            Bound::Not(inner) => Sql::wrapped("(NOT ", &self.node(inner, scope, Standing::Loose), ")"),
            Bound::Constant(holds) => Sql::new(if *holds { "true" } else { "false" }),
            Bound::Compare { place, op, operand } => self.compare(place, (*op, operand), scope, standing),
            Bound::Present(place) => self.present(place, scope),
            Bound::Each { place, inner } => self.each(place, inner, standing),
        }
    }

    fn compare(&self, place: &Place, (op, operand): (Op, &Operand), scope: Scope, standing: Standing) -> Sql {
        if scope != Scope::Resource {
            let exact = single(place, &self.part(place, scope), op, operand);
            return with_hint(self.row_index(place, op, operand, scope), exact);
        }
        if let Some(rows) = rows(place) {
            let condition = Bound::Compare {
                place: place.clone(),
                op,
                operand: operand.clone(),
            };
            let any = self.any_row(rows, &condition, standing);
            return if op == Op::Ne {
                or_none(any, &self.any_row(rows, &Bound::Constant(true), Standing::Loose))
            } else {
                any
            };
        }
        let hint = self.indexed(place, op, operand, standing);
        if let Some(value) = self.column(place) {
            return with_hint(hint, single(place, &value, op, operand));
        }
        if !place.attribute.multi_valued {
            let exact = of_body(place, |value| {
                single(place, &Value::Json(below(value, place)), op, operand)
            });
            return with_hint(hint, exact);
        }
        let value = below(Sql::new("e.v"), place);
        let there = Sql::wrapped("(", &value, ") IS NOT NULL");
        let any = any_element(
            place,
            &there
                .clone()
                .push(" AND ")
                .sql(&single(place, &Value::Json(value), op, operand)),
        );
        if op == Op::Ne {
            return or_none(any, &any_element(place, &there));
        }
        with_hint(hint, any)
    }

    fn present(&self, place: &Place, scope: Scope) -> Sql {
        if scope != Scope::Resource {
            return there(&self.part(place, scope));
        }
        if let Some(rows) = rows(place) {
            let condition = match place.sub {
                Some(_) => Bound::Present(place.clone()),
                None => Bound::Constant(true),
            };
            return self.any_row(rows, &condition, Standing::Loose);
        }
        if let Some(value) = self.column(place) {
            return there(&value);
        }
        if place.extension.is_none() && place.attribute.name == "meta" {
            return Sql::new("true");
        }
        if place.attribute.multi_valued {
            return any_element(place, &there(&Value::Json(below(Sql::new("e.v"), place))));
        }
        of_body(place, |value| there(&Value::Json(below(value, place))))
    }

    fn each(&self, place: &Place, inner: &Bound, standing: Standing) -> Sql {
        if let Some(rows) = rows(place) {
            return self.any_row(rows, inner, standing);
        }
        let any = any_element(place, &self.node(inner, Scope::Element, Standing::Loose));
        let hints = self.element_indexed(inner, standing);
        hints
            .into_iter()
            .fold(any, |exact, hint| with_hint(Some(hint), exact))
    }

    /// Whether a single value stands outside the body, so that it has no keys.
    pub fn is_beside_the_body(&self, place: &Place) -> bool {
        self.column(place).is_some()
    }

    /// The column or expression that holds a single value outside the body.
    fn column(&self, place: &Place) -> Option<Value> {
        let text = |sql: &str, folded: bool| {
            Some(Value::Text {
                sql: Sql::new(sql),
                folded,
            })
        };
        let sub = place.sub.as_ref().map(|sub| sub.name.as_str());
        if let Some(extension) = &place.extension {
            if extension.id != ENTERPRISE || place.attribute.name != "manager" {
                return None;
            }
            return match sub? {
                "displayName" => text(MANAGER_NAME, false),
                "$ref" => {
                    let sql = Sql::new("(").text(self.base).push(MANAGER_PATH);
                    Some(Value::Text { sql, folded: false })
                }
                _ => None,
            };
        }
        match (place.attribute.name.as_str(), sub) {
            ("id", None) => text("r.id::text", false),
            ("userName", None) if !place.attribute.case_exact => text("r.user_name", true),
            ("displayName", None) if !place.attribute.case_exact => text("r.display_name", true),
            ("active", None) => Some(Value::Flag(Sql::new("r.active"))),
            ("externalId", None) => Some(Value::Text {
                sql: self.external_id(),
                folded: false,
            }),
            ("meta", Some("resourceType")) => text("r.kind", false),
            ("meta", Some("created")) => Some(Value::Instant(Sql::new("r.created"))),
            ("meta", Some("lastModified")) => Some(Value::Instant(Sql::new("r.last_modified"))),
            ("meta", Some("version")) => text("('W/\"' || r.version || '\"')", false),
            ("meta", Some("location")) => {
                let sql = Sql::new("(")
                    .text(self.base)
                    .push(" || ")
                    .text(&self.kind.endpoint);
                Some(Value::Text {
                    sql: sql.push(" || '/' || r.id::text)"),
                    folded: false,
                })
            }
            _ => None,
        }
    }

    fn external_id(&self) -> Sql {
        let client = Bind::Id(self.client.map(ClientId::uuid));
        Sql::new("(SELECT x.value FROM external_id x WHERE x.tenant_id = r.tenant_id AND x.resource_id = r.id AND (x.client_id = ")
            .bind(client.clone())
            .push(" OR x.hr) ORDER BY (x.client_id = ")
            .bind(client)
            .push(") DESC NULLS LAST, x.client_id LIMIT 1)")
    }

    /// What to sort by: an expression on `resource r`, null where there is no value, and the type it has.
    pub fn sort_key(&self, place: &Place) -> Option<(Sql, &'static str)> {
        let value = match self.column(place) {
            Some(value) => value,
            None if rows(place).is_some() => return None,
            None if place.attribute.multi_valued => Value::Json(first_value(place)),
            None => Value::Json(of_body(place, |value| below(value, place))),
        };
        Some(match (value, place.leaf().kind) {
            (_, Type::Complex) => return None,
            (Value::Instant(sql), _) => (sql, "timestamptz"),
            (Value::Flag(sql), _) => (sql, "boolean"),
            (Value::Text { sql, folded: true }, _) => (sql, "text"),
            (Value::Text { sql, .. }, _) => (folded_text(sql, place.leaf().case_exact), "text"),
            (Value::Json(sql), Type::Boolean) => (scalar(&sql).push("::boolean"), "boolean"),
            (Value::Json(sql), Type::Integer | Type::Decimal) => (scalar(&sql).push("::numeric"), "numeric"),
            (Value::Json(sql), Type::DateTime) => (as_instant(&sql), "timestamptz"),
            (Value::Json(sql), _) => (folded_text(scalar(&sql), place.leaf().case_exact), "text"),
        })
    }
}

const MANAGER_PATH: &str = " || '/Users/' || CASE \
    WHEN r.body #>> '{urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,manager,value}' \
         ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' \
    THEN r.body #>> '{urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,manager,value}' END)";
const MANAGER_NAME: &str = "(SELECT coalesce(m.body->>'displayName', m.body->>'userName') \
    FROM resource m WHERE m.tenant_id = r.tenant_id AND m.kind = 'User' AND m.id = CASE \
    WHEN r.body #>> '{urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,manager,value}' \
         ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' \
    THEN (r.body #>> '{urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,manager,value}')::uuid END)";

/// A condition with what it implies and an index serves in front.
fn with_hint(hint: Option<Sql>, exact: Sql) -> Sql {
    match hint {
        Some(hint) => Sql::new("(").sql(&hint).push(" AND ").sql(&exact).push(")"),
        None => exact,
    }
}

/// What is made of the attribute's whole value in the body, given as `b.v`.
fn of_body(place: &Place, make: impl FnOnce(Sql) -> Sql) -> Sql {
    Sql::new("(SELECT ")
        .sql(&make(Sql::new("b.v")))
        .push(" FROM ")
        .sql(&in_body(place))
        .push(")")
}

/// The attribute's whole value in the body as `b.v`. The body is text, so it is looked through once only, however often
/// the value is named.
fn in_body(place: &Place) -> Sql {
    let mut sql = Sql::new("(SELECT (r.body");
    if let Some(schema) = &place.extension {
        sql = sql.push("->").text(&schema.id);
    }
    sql.push("->")
        .text(&place.attribute.name)
        .push(")::jsonb AS v OFFSET 0) b")
}

/// The sub-attribute below a JSON value, if the place names one.
pub(super) fn below(value: Sql, place: &Place) -> Sql {
    match &place.sub {
        Some(sub) => Sql::wrapped("((", &value, ")->").text(&sub.name).push(")"),
        None => value,
    }
}

/// Whether any element of an attribute meets a condition on `e.v`.
fn any_element(place: &Place, inner: &Sql) -> Sql {
    Sql::new("EXISTS (SELECT FROM ")
        .sql(&in_body(place))
        .push(", jsonb_array_elements(CASE jsonb_typeof(b.v) WHEN 'array' THEN b.v WHEN 'null' THEN '[]'::jsonb ")
        .push("ELSE coalesce(jsonb_build_array(nullif(b.v, 'null'::jsonb)) - 'null', '[]'::jsonb) END) AS e(v) ")
        .push("WHERE e.v <> 'null'::jsonb AND ")
        .sql(inner)
        .push(")")
}

/// The value of the primary element that has one, or else of the first (RFC 7644 §3.4.2.3).
fn first_value(place: &Place) -> Sql {
    let value = below(Sql::new("e.v"), place);
    Sql::wrapped(
        "(SELECT f.x FROM (SELECT ",
        &value,
        " AS x, e.v @> '{\"primary\": true}' AS p, e.n FROM ",
    )
    .sql(&in_body(place))
    .push(", jsonb_array_elements(CASE jsonb_typeof(b.v) WHEN 'array' THEN b.v ELSE '[]'::jsonb END) ")
    .push("WITH ORDINALITY AS e(v, n)) AS f ")
    .push("WHERE f.x IS NOT NULL AND f.x <> 'null'::jsonb ORDER BY f.p DESC, f.n LIMIT 1)")
}

fn or_none(any: Sql, some: &Sql) -> Sql {
    Sql::new("(").sql(&any).push(" OR NOT ").sql(some).push(")")
}

fn scalar(json: &Sql) -> Sql {
    Sql::wrapped("((", json, ") #>> '{}')")
}

fn folded_text(text: Sql, as_it_is: bool) -> Sql {
    if as_it_is {
        Sql::wrapped("(", &text, ") COLLATE \"C\"")
    } else {
        Sql::wrapped("scim_fold(", &text, ") COLLATE \"C\"")
    }
}

fn as_instant(json: &Sql) -> Sql {
    Sql::wrapped("scim_instant(", &scalar(json), ")")
}

/// Whether there is a value that is not empty.
fn there(value: &Value) -> Sql {
    match value {
        Value::Text { sql, .. } => Sql::wrapped("coalesce(", sql, " <> '', false)"),
        Value::Flag(sql) | Value::Instant(sql) => Sql::wrapped("(", sql, " IS NOT NULL)"),
        Value::Json(sql) => Sql::new("CASE jsonb_typeof(")
            .sql(sql)
            .push(") WHEN 'null' THEN false WHEN 'string' THEN ")
            .sql(sql)
            .push(" <> '\"\"'::jsonb WHEN 'array' THEN ")
            .sql(sql)
            .push(" <> '[]'::jsonb WHEN 'object' THEN EXISTS (SELECT FROM jsonb_each(")
            .sql(sql)
            .push(") AS p(k, v) WHERE p.v <> 'null'::jsonb AND p.v <> '\"\"'::jsonb) ELSE ")
            .sql(sql)
            .push(" IS NOT NULL END"),
    }
}

/// Whether one value compares so. No value: only `ne` holds.
fn single(place: &Place, value: &Value, op: Op, operand: &Operand) -> Sql {
    let sql = match (value, operand) {
        (Value::Text { sql, folded }, Operand::Text(text)) => {
            return text_holds(sql, *folded || place.leaf().case_exact, op, text);
        }
        (Value::Json(sql), Operand::Text(text)) => {
            return text_holds(&scalar(sql), place.leaf().case_exact, op, text);
        }
        (Value::Flag(sql), Operand::Boolean(flag)) => sql.clone().push(sign(op)).bind(Bind::Flag(*flag)),
        (Value::Json(sql), Operand::Boolean(flag)) => sql
            .clone()
            .push(sign(op))
            .push("to_jsonb(")
            .bind(Bind::Flag(*flag))
            .push(")"),
        (Value::Instant(sql), Operand::Instant(at)) => sql.clone().push(sign(op)).bind(Bind::Instant(*at)),
        (Value::Json(sql), Operand::Instant(at)) => as_instant(sql).push(sign(op)).bind(Bind::Instant(*at)),
        (Value::Json(sql), Operand::Integer(number)) => numeric(sql)
            .push(sign(op))
            .bind(Bind::Number(*number))
            .push("::numeric"),
        (Value::Json(sql), Operand::Decimal(number)) => numeric(sql)
            .push("::float8")
            .push(sign(op))
            .bind(Bind::Decimal(*number)),
        _ => return Sql::new(if op == Op::Ne { "true" } else { "false" }),
    };
    let none = if op == Op::Ne { ", true)" } else { ", false)" };
    Sql::wrapped("coalesce(", &sql, none)
}

fn numeric(json: &Sql) -> Sql {
    Sql::new("(CASE jsonb_typeof(")
        .sql(json)
        .push(") WHEN 'number' THEN ")
        .sql(&scalar(json))
        .push("::numeric END)")
}

const fn sign(op: Op) -> &'static str {
    match op {
        Op::Eq => " = ",
        Op::Ne => " <> ",
        Op::Gt => " > ",
        Op::Ge => " >= ",
        Op::Lt => " < ",
        Op::Le => " <= ",
        // These fit text only, which does not come here.
        Op::Co | Op::Sw | Op::Ew => " = ",
    }
}

fn text_holds(text: &Sql, as_it_is: bool, op: Op, operand: &str) -> Sql {
    let value = folded_text(text.clone(), as_it_is);
    let sql = match op {
        Op::Co => Sql::wrapped("strpos(", &value, ", ").text(operand).push(") > 0"),
        Op::Ew => Sql::wrapped("right(", &value, ", char_length(")
            .text(operand)
            .push(")) = ")
            .text(operand),
        Op::Sw => Sql::wrapped("starts_with(", &value, ", ").text(operand).push(")"),
        _ => value.push(sign(op)).text(operand),
    };
    Sql::wrapped(
        "coalesce(",
        &sql,
        if op == Op::Ne { ", true)" } else { ", false)" },
    )
}

/// The first text behind all texts that start with `prefix`, where there is one.
pub(super) fn after(prefix: &str) -> Option<String> {
    let mut head: Vec<char> = prefix.chars().collect();
    while let Some(last) = head.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            let mut end = String::new();
            for c in head {
                let _ = end.write_char(c);
            }
            end.push(next);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::after;

    #[test]
    fn the_end_of_a_prefix_is_the_next_text_in_byte_order() {
        assert_eq!(after("ab").as_deref(), Some("ac"));
        assert_eq!(after("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(after("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(after("\u{10ffff}"), None);
        assert_eq!(after(""), None);
    }
}
