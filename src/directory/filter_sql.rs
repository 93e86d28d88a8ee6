//! A bound filter as SQL, exactly: what the database answers is what [`Bound::matches`] says of the whole resource.
//!
//! Every condition comes out true or false, never null, so that `NOT` means what it says. Values and attribute names
//! are bound, never spliced. How places are read:
//! - `id`, `meta`, `externalId`, `userName`, `displayName`, `active`, `groups`, `members` and the manager's display
//!   name from columns and rows; everything else from the stored body.
//! - Equality of a text attribute first asks `resource_key` (a hash look-up) and then looks at the row itself.
//! - Text that is not caseExact is folded by `scim_fold` in the database (ICU), which follows `scim::fold`.
//! - A text's order is that of its bytes; instants compare as instants, numbers by value.

use std::fmt::Write as _;
use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Bool, Double, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::key;
use crate::base::{ClientId, TenantId};
use crate::scim::filter::{Bound, Op, Operand};
use crate::scim::{self, ENTERPRISE, Place, ResourceType, Type};

/// A value to be bound.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Bind {
    Text(String),
    Id(Option<Uuid>),
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

    pub fn sql(mut self, other: &Self) -> Self {
        self.0.extend(other.0.iter().cloned());
        self
    }

    /// A text in which `$4` and the like stand for values.
    pub fn template(text: &str, values: &[(usize, Bind)]) -> Self {
        let mut parts = text.split('$');
        let mut sql = Self::new(parts.next().unwrap_or_default());
        for part in parts {
            let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, rest) = part.split_at(digits);
            let value = values.iter().find(|(at, _)| number.parse() == Ok(*at));
            sql = match value {
                Some((_, value)) => sql.bind(value.clone()).push(rest),
                None => sql.push("$").push(part),
            };
        }
        sql
    }

    fn wrapped(before: &str, inner: &Self, after: &str) -> Self {
        Self::new(before).sql(inner).push(after)
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
            columns: PhantomData,
        }
    }
}

/// A statement that is made for one request. It is not kept prepared: its texts are as many as clients can think of.
#[derive(Debug)]
pub(super) struct Dynamic<Columns> {
    sql: Sql,
    columns: PhantomData<fn() -> Columns>,
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
        out.unsafe_to_cache_prepared();
        for piece in &self.sql.0 {
            match piece {
                Piece::Sql(text) => out.push_sql(text),
                Piece::Bind(Bind::Text(text)) => out.push_bind_param::<Text, _>(text)?,
                Piece::Bind(Bind::Id(id)) => out.push_bind_param::<Nullable<SqlUuid>, _>(id)?,
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
enum Value {
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
enum Scope {
    /// The resource `r`.
    Resource,
    /// The JSON element `e.v`.
    Element,
    /// A group of the resource: membership `s` with the group `o`.
    Groups,
    /// A member of the resource: membership `s` with the member `o`.
    Members,
}

impl View<'_> {
    /// The condition on `resource r`.
    pub fn condition(&self, filter: &Bound) -> Sql {
        self.node(filter, Scope::Resource)
    }

    /// The condition on `membership s` with `resource o` as the member, for a filter on elements of `members`.
    pub fn member_condition(&self, filter: &Bound) -> Sql {
        self.node(filter, Scope::Members)
    }

    fn node(&self, filter: &Bound, scope: Scope) -> Sql {
        let all = |parts: &[Bound]| {
            parts
                .iter()
                .map(|part| self.node(part, scope))
                .collect::<Vec<_>>()
        };
        match filter {
            Bound::And(parts) => Sql::joined(&all(parts), " AND ", "true"),
            Bound::Or(parts) => Sql::joined(&all(parts), " OR ", "false"),
            Bound::Not(inner) => Sql::wrapped("(NOT ", &self.node(inner, scope), ")"),
            Bound::Constant(holds) => Sql::new(if *holds { "true" } else { "false" }),
            Bound::Compare { place, op, operand } => self.compare(place, *op, operand, scope),
            Bound::Present(place) => self.present(place, scope),
            Bound::Each { place, inner } => self.each(place, inner),
        }
    }

    fn compare(&self, place: &Place, op: Op, operand: &Operand, scope: Scope) -> Sql {
        if scope != Scope::Resource {
            return single(place, &self.part(place, scope), op, operand);
        }
        if let Some(rows) = rows(place) {
            let any = self.any_row(rows, &single(place, &self.part(place, rows), op, operand));
            return if op == Op::Ne {
                or_none(any, &self.any_row(rows, &Sql::new("true")))
            } else {
                any
            };
        }
        if let Some(value) = self.column(place) {
            let exact = single(place, &value, op, operand);
            // Columns have their own index or are computed; only the clients' ids stand in a table of their own.
            let named = place.extension.is_none() && place.attribute.name == "externalId";
            return if named {
                self.hinted(place, op, operand, exact)
            } else {
                exact
            };
        }
        if !place.attribute.multi_valued {
            let value = Value::Json(below(root(place), place));
            return self.hinted(place, op, operand, single(place, &value, op, operand));
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
        self.hinted(place, op, operand, any)
    }

    /// With the look-up by hash in front, where the value is kept there.
    fn hinted(&self, place: &Place, op: Op, operand: &Operand, exact: Sql) -> Sql {
        match self.hint(place, op, operand) {
            Some(hint) => Sql::new("(").sql(&hint).push(" AND ").sql(&exact).push(")"),
            None => exact,
        }
    }

    fn hint(&self, place: &Place, op: Op, operand: &Operand) -> Option<Sql> {
        if op != Op::Eq {
            return None;
        }
        if let (true, "externalId", Operand::Text(text)) =
            (place.extension.is_none(), &*place.attribute.name, operand)
        {
            let sql = Sql::new("r.id IN (SELECT x.resource_id FROM external_id x WHERE x.tenant_id = ")
                .bind(Bind::Id(Some(self.tenant.uuid())))
                .push(" AND x.kind = r.kind AND x.value = ")
                .text(text)
                .push(" AND x.client_id IN (SELECT ")
                .bind(Bind::Id(self.client.map(ClientId::uuid)))
                .push(" UNION ALL SELECT c.id FROM connection c WHERE c.tenant_id = ")
                .bind(Bind::Id(Some(self.tenant.uuid())))
                .push("))");
            return Some(sql);
        }
        let (path, folded) = scim::key_of(self.kind, place, operand)?;
        let key = key::key(self.tenant, &self.kind.name, &path, &folded);
        let sql = Sql::new("r.id IN (SELECT k.id FROM resource_key k WHERE k.tenant_id = ")
            .bind(Bind::Id(Some(self.tenant.uuid())))
            .push(" AND k.keys @> ARRAY[")
            .bind(Bind::Number(key))
            .push("])");
        Some(sql)
    }

    fn present(&self, place: &Place, scope: Scope) -> Sql {
        if scope != Scope::Resource {
            return there(&self.part(place, scope));
        }
        if let Some(rows) = rows(place) {
            let inner = if place.sub.is_some() {
                there(&self.part(place, rows))
            } else {
                Sql::new("true")
            };
            return self.any_row(rows, &inner);
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
        there(&Value::Json(below(root(place), place)))
    }

    fn each(&self, place: &Place, inner: &Bound) -> Sql {
        if let Some(rows) = rows(place) {
            return self.any_row(rows, &self.node(inner, rows));
        }
        let any = any_element(place, &self.node(inner, Scope::Element));
        self.hints(inner).into_iter().fold(any, |exact, hint| {
            Sql::new("(").sql(&hint).push(" AND ").sql(&exact).push(")")
        })
    }

    /// The look-ups by hash that an element's condition implies.
    fn hints(&self, inner: &Bound) -> Vec<Sql> {
        match inner {
            Bound::And(parts) => parts.iter().flat_map(|part| self.hints(part)).collect(),
            Bound::Compare { place, op, operand } => self.hint(place, *op, operand).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// Whether any row of a computed attribute meets a condition on `s` and `o`.
    fn any_row(&self, rows: Scope, inner: &Sql) -> Sql {
        let (mine, other) = match rows {
            Scope::Groups => ("member_id", "group_id"),
            _ => ("group_id", "member_id"),
        };
        Sql::new(&format!(
            "r.id IN (SELECT s.{mine} FROM membership s \
             JOIN resource o ON o.tenant_id = s.tenant_id AND o.id = s.{other} WHERE s.tenant_id = "
        ))
        .bind(Bind::Id(Some(self.tenant.uuid())))
        .push(" AND ")
        .sql(inner)
        .push(")")
    }

    /// What an element has at a place.
    fn part(&self, place: &Place, scope: Scope) -> Value {
        let text = |sql: &str| Value::Text {
            sql: Sql::new(sql),
            folded: false,
        };
        let (id, kind) = match scope {
            Scope::Resource | Scope::Element => return Value::Json(below(Sql::new("e.v"), place)),
            Scope::Groups => ("s.group_id", "'direct'"),
            Scope::Members => ("s.member_id", "s.member_kind"),
        };
        match place.sub.as_ref().map_or("value", |sub| sub.name.as_str()) {
            "value" => text(&format!("{id}::text")),
            "type" => text(kind),
            "$ref" => {
                let sql = Sql::new("(")
                    .text(self.base)
                    .push(" || '/' || o.kind || 's/' || o.id::text)");
                Value::Text { sql, folded: false }
            }
            _ => text("coalesce(o.body->>'displayName', o.body->>'userName', '')"),
        }
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
            ("userName", None) => text("r.user_name", true),
            ("displayName", None) => text("r.display_name", true),
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
            .push(") DESC NULLS LAST, x.value LIMIT 1)")
    }

    /// What to sort by: an expression on `resource r`, null where there is no value, and the type it has.
    pub fn sort_key(&self, place: &Place) -> Option<(Sql, &'static str)> {
        let value = match self.column(place) {
            Some(value) => value,
            None if rows(place).is_some() => return None,
            None if place.attribute.multi_valued => Value::Json(first_value(place)),
            None => Value::Json(below(root(place), place)),
        };
        Some(match (value, place.leaf().kind) {
            (_, Type::Complex) => return None,
            (Value::Instant(sql), _) => (sql, "timestamptz"),
            (Value::Flag(sql), _) => (sql, "boolean"),
            (Value::Text { sql, folded }, _) => (folded_text(sql, folded || place.leaf().case_exact), "text"),
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

/// The rows in which a computed attribute stands.
fn rows(place: &Place) -> Option<Scope> {
    match (place.extension.is_none(), place.attribute.name.as_str()) {
        (true, "groups") if place.attribute.is_complex() => Some(Scope::Groups),
        (true, "members") if place.attribute.is_complex() => Some(Scope::Members),
        _ => None,
    }
}

/// The attribute's whole value in the body.
fn root(place: &Place) -> Sql {
    let mut sql = Sql::new("r.body");
    if let Some(schema) = &place.extension {
        sql = sql.push("->").text(&schema.id);
    }
    sql.push("->").text(&place.attribute.name)
}

/// The sub-attribute below a JSON value, if the place names one.
fn below(value: Sql, place: &Place) -> Sql {
    match &place.sub {
        Some(sub) => Sql::wrapped("((", &value, ")->").text(&sub.name).push(")"),
        None => value,
    }
}

/// Whether any element of an attribute meets a condition on `e.v`.
fn any_element(place: &Place, inner: &Sql) -> Sql {
    let root = root(place);
    Sql::new("EXISTS (SELECT FROM jsonb_array_elements(CASE jsonb_typeof(")
        .sql(&root)
        .push(") WHEN 'array' THEN ")
        .sql(&root)
        .push(" WHEN 'null' THEN '[]'::jsonb ELSE coalesce(jsonb_build_array(nullif(")
        .sql(&root)
        .push(", 'null'::jsonb)) - 'null', '[]'::jsonb) END) AS e(v) WHERE e.v <> 'null'::jsonb AND ")
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
    .push("jsonb_array_elements(CASE jsonb_typeof(")
    .sql(&root(place))
    .push(") WHEN 'array' THEN ")
    .sql(&root(place))
    .push(" ELSE '[]'::jsonb END) WITH ORDINALITY AS e(v, n)) AS f ")
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
        Op::Sw => starts_with(&value, operand),
        _ => value.push(sign(op)).text(operand),
    };
    Sql::wrapped(
        "coalesce(",
        &sql,
        if op == Op::Ne { ", true)" } else { ", false)" },
    )
}

/// A prefix, with the range it spans in byte order, so that an index can serve it.
fn starts_with(value: &Sql, prefix: &str) -> Sql {
    let mut sql = Sql::wrapped("starts_with(", value, ", ").text(prefix).push(")");
    if !prefix.is_empty() {
        sql = sql.push(" AND ").sql(value).push(" >= ").text(prefix);
    }
    if let Some(end) = after(prefix) {
        sql = sql.push(" AND ").sql(value).push(" < ").text(&end);
    }
    sql
}

/// The first text behind all texts that start with `prefix`, where there is one.
fn after(prefix: &str) -> Option<String> {
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
