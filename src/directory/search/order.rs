//! The order of a list, and the SQL that reads a stretch of it.

use serde::{Deserialize, Serialize};

use crate::base::ResourceId;
use crate::directory::filter_sql::{Bind, Sql};

/// A place in a list: the id of a resource, and what it was sorted by there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The resource.
    #[serde(rename = "i")]
    pub id: ResourceId,
    /// What it was sorted by, as Postgres writes it; `None` without a value or without sorting.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub sorted: Option<String>,
}

/// What a list is sorted by.
#[derive(Debug, Clone)]
pub(super) struct Sort {
    /// An expression on `resource r`, null where there is no value.
    pub key: Sql,
    /// Its SQL type.
    pub kind: &'static str,
    /// Whether an index has this order, for those with a value.
    pub indexed: bool,
}

/// A stretch of a list.
#[derive(Debug, Clone)]
pub(super) struct Stretch {
    /// Up: by value, then by id, those without a value last. Down: the reverse.
    pub down: bool,
    /// Behind this key, in that direction.
    pub behind: Option<Key>,
    /// Leaving out so many.
    pub skip: u64,
    /// At most so many.
    pub limit: u64,
}

impl Stretch {
    fn by_id(&self) -> &'static str {
        if self.down { "r.id DESC" } else { "r.id" }
    }

    fn beyond(&self) -> &'static str {
        if self.down { " < " } else { " > " }
    }

    fn later_id(&self, key: &Key) -> Sql {
        Sql::new("r.id")
            .push(self.beyond())
            .bind(Bind::Id(Some(key.id.uuid())))
    }

    fn cut(&self, sql: Sql) -> Sql {
        let sql = sql.push(" LIMIT ").bind(number(self.limit));
        if self.skip == 0 {
            return sql;
        }
        sql.push(" OFFSET ").bind(number(self.skip))
    }

    /// The order of what [`Stretch::ids`] gives.
    pub fn order(&self) -> &'static str {
        if self.down {
            "p.k DESC NULLS FIRST, p.id DESC"
        } else {
            "p.k NULLS LAST, p.id"
        }
    }

    /// A query for `id` and `k` (what it is sorted by) of the stretch, among the rows of `resource r` that meet a
    /// condition.
    pub fn ids(&self, among: &Sql, sort: Option<&Sort>) -> Sql {
        match sort {
            None => {
                Sql::new("SELECT r.id, NULL::text AS k FROM resource r WHERE ").sql(&self.unsorted(among))
            }
            Some(sort) if sort.indexed && self.skip == 0 => self.in_two(among, sort),
            Some(sort) => self.sorted(among, sort),
        }
    }

    /// The condition, order and limit of the stretch of an unsorted list.
    pub fn unsorted(&self, among: &Sql) -> Sql {
        let mut sql = among.clone();
        if let Some(key) = &self.behind {
            sql = sql.push(" AND ").sql(&self.later_id(key));
        }
        self.cut(sql.push(" ORDER BY ").push(self.by_id()))
    }

    fn rows(among: &Sql, sort: &Sort) -> Sql {
        Sql::new("SELECT r.id, r.k FROM (SELECT r.id, ")
            .sql(&sort.key)
            .push(" AS k FROM resource r WHERE ")
            .sql(among)
            .push(") r")
    }

    fn sorted(&self, among: &Sql, sort: &Sort) -> Sql {
        let mut sql = Self::rows(among, sort);
        if let Some(key) = &self.behind {
            sql = sql.push(" WHERE ").sql(&self.behind_sorted(key, sort));
        }
        let order = if self.down {
            " ORDER BY r.k DESC NULLS FIRST, "
        } else {
            " ORDER BY r.k NULLS LAST, "
        };
        self.cut(sql.push(order).push(self.by_id()))
    }

    fn behind_sorted(&self, key: &Key, sort: &Sort) -> Sql {
        match (&key.sorted, self.down) {
            (None, false) => Sql::new("(r.k IS NULL AND ").sql(&self.later_id(key)).push(")"),
            (None, true) => Sql::new("(r.k IS NOT NULL OR ")
                .sql(&self.later_id(key))
                .push(")"),
            (Some(value), false) => Sql::new("(r.k IS NULL OR ")
                .sql(&self.beyond_value(value, key, sort))
                .push(")"),
            (Some(value), true) => self.beyond_value(value, key, sort),
        }
    }

    fn beyond_value(&self, value: &str, key: &Key, sort: &Sort) -> Sql {
        Sql::new("(r.k, r.id)")
            .push(self.beyond())
            .push("(")
            .text(value)
            .push("::")
            .push(sort.kind)
            .push(", ")
            .bind(Bind::Id(Some(key.id.uuid())))
            .push(")")
    }

    /// Those with a value and those without are read one after the other, each by an index.
    fn in_two(&self, among: &Sql, sort: &Sort) -> Sql {
        let rows = Self::rows(among, sort);
        let mut valued = rows.clone().push(" WHERE r.k IS NOT NULL");
        let mut bare = rows.push(" WHERE r.k IS NULL");
        let none = " AND false";
        match (&self.behind, self.down) {
            (None, _) => {}
            (Some(key @ Key { sorted: None, .. }), down) => {
                bare = bare.push(" AND ").sql(&self.later_id(key));
                if !down {
                    valued = valued.push(none);
                }
            }
            (
                Some(
                    key @ Key {
                        sorted: Some(value), ..
                    },
                ),
                down,
            ) => {
                valued = valued.push(" AND ").sql(&self.beyond_value(value, key, sort));
                if down {
                    bare = bare.push(none);
                }
            }
        }
        let order = if self.down {
            " ORDER BY r.k DESC, "
        } else {
            " ORDER BY r.k, "
        };
        let valued = valued.push(order).push(self.by_id());
        let bare = bare.push(" ORDER BY ").push(self.by_id());
        let (first, second) = if self.down { (bare, valued) } else { (valued, bare) };
        Sql::new("WITH one AS MATERIALIZED (")
            .sql(&self.cut(first))
            .push("), two AS MATERIALIZED (")
            .sql(&second)
            .push(" LIMIT ")
            .bind(number(self.limit))
            .push(" - (SELECT count(*) FROM one)) SELECT * FROM one UNION ALL SELECT * FROM two")
    }
}

fn number(number: u64) -> Bind {
    Bind::Number(i64::try_from(number).unwrap_or(i64::MAX))
}
