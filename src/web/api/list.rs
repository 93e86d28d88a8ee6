//! Lists: `{"items": […], "next": cursor}`.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::Problem;

const DEFAULT_LIMIT: i64 = 100;
const LARGEST_LIMIT: i64 = 1000;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Where the next page goes on: send it as `after`. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> List<T> {
    /// A page of `items`, of which one more than `limit` was asked for; `cursor` says where an item lies.
    #[must_use]
    pub fn page(mut items: Vec<T>, limit: i64, cursor: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(cursor);
        Self { items, next }
    }
}

/// Which page of a list.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many items at most: 1 to 1000, 100 when absent.
    pub limit: Option<i64>,
}

impl PageQuery {
    /// How many items at most.
    ///
    /// # Errors
    /// When it is out of bounds.
    pub fn limit(&self) -> Result<i64, Problem> {
        match self.limit {
            None => Ok(DEFAULT_LIMIT),
            Some(limit) if (1..=LARGEST_LIMIT).contains(&limit) => Ok(limit),
            Some(_) => Err(Problem::bad_request("invalid-query", "limit is 1 to 1000")),
        }
    }

    /// Where the page begins, for lists whose cursor is an id.
    ///
    /// # Errors
    /// When the cursor is none of ours.
    pub fn after<I: std::str::FromStr>(&self) -> Result<Option<I>, Problem> {
        self.after
            .as_deref()
            .map(|text| {
                text.parse().map_err(|_| {
                    Problem::bad_request("invalid-query", "after is not a cursor that was given out")
                })
            })
            .transpose()
    }
}
