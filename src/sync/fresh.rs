//! How fresh what is known of each HR system is: a change arrives within a day, or somebody is told.

use std::collections::HashMap;

use serde_json::json;

use super::Error;
use super::connection::{Freshness, store as connections};
use super::engine::Engine;
use crate::base::{ConnectionId, TenantId};
use crate::db::Transactional as _;
use crate::notice::{self, EventKind, NewEvent};

/// How many connections are found stale together.
const BATCH: i64 = 100;

/// Of so many connections the age is measured: those that know nothing new for the longest.
const MEASURED: i64 = 1_000;

impl Engine {
    /// Marks scheduled connections that have become stale, and raises an event for each, once.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn find_stale(&self) -> Result<bool, Error> {
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        conn.transaction(async |conn| {
            let stale = connections::grow_stale(conn, now, BATCH).await?;
            for one in &stale {
                tracing::warn!(connection.id = %one.connection, since = %one.since, "the connection is stale");
                let event = NewEvent {
                    kind: EventKind::FeedStale,
                    key: format!("{}:{}", one.connection, one.since.to_rfc3339()),
                    connection: Some(one.connection),
                    app: None,
                    entity: None,
                    person: None,
                    detail: json!({ "connection": one.name, "since": one.since.format("%Y-%m-%d %H:%M UTC").to_string() }),
                };
                notice::raise(conn, one.tenant, &event, now).await?;
            }
            Ok(!stale.is_empty())
        })
        .await
    }

    /// How fresh what is known by these connections is.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn freshness(
        &self,
        tenant: TenantId,
        connections: &[ConnectionId],
    ) -> Result<HashMap<ConnectionId, Freshness>, Error> {
        let mut conn = self.conn().await?;
        Ok(connections::freshness(&mut conn, tenant, connections).await?)
    }

    /// For how many seconds the working connections of all tenants have known nothing new, the oldest thousand of them;
    /// and how many of all are stale.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn ages(&self) -> Result<(Vec<(ConnectionId, i64)>, i64), Error> {
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        let ages = connections::ages(&mut conn, MEASURED).await?;
        let stale = connections::count_stale(&mut conn).await?;
        let ages = ages.into_iter();
        Ok((
            ages.map(|(id, since)| (id, (now - since).num_seconds()))
                .collect(),
            stale,
        ))
    }
}
