//! Events that may be told together, in the table `event`.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use serde_json::Value;
use uuid::Uuid;

use super::super::EventKind;
use crate::base::TenantId;
use crate::db::{Conn, QueryResult, Statement as _};
use crate::statement;

statement!(
    CountOfGroup: (SqlUuid, Text, Text, Text, Timestamptz, Timestamptz) -> (BigInt, BigInt) =
    "SELECT count(*), count(digest) FROM event
     WHERE tenant_id = $1 AND kind = $2 AND key >= $3 AND key < $4 AND at >= $5 AND at < $6"
);
statement!(
    /// Whoever decides on others of them at the same time tells of those.
    Gather: (SqlUuid, Text, Text, Text, Timestamptz, Timestamptz, SqlUuid) -> () =
    "UPDATE event SET digest = $7
     FROM (SELECT id FROM event
           WHERE tenant_id = $1 AND kind = $2 AND key >= $3 AND key < $4 AND at >= $5 AND at < $6
             AND routed_at IS NULL AND digest IS NULL
           FOR UPDATE SKIP LOCKED) mine
     WHERE tenant_id = $1 AND event.id = mine.id"
);
statement!(
    CountOfDigest: (SqlUuid, Text, Text, Text, SqlUuid, Array<Text>, Bool) -> (BigInt,) =
    "SELECT count(*) FROM event
     WHERE tenant_id = $1 AND kind = $2 AND key >= $3 AND key < $4 AND digest = $5
       AND ($6 = '{}' OR entity_words ?| $6 OR $7 AND entity_words = '[]')"
);
statement!(
    SomeOfDigest: (SqlUuid, Text, Text, Text, SqlUuid, Array<Text>, Bool, BigInt) -> (Jsonb,) =
    "SELECT detail FROM event
     WHERE tenant_id = $1 AND kind = $2 AND key >= $3 AND key < $4 AND digest = $5
       AND ($6 = '{}' OR entity_words ?| $6 OR $7 AND entity_words = '[]')
     ORDER BY key LIMIT $8"
);

/// Events of one kind that may be told together: their keys begin with `name` and a slash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::notice) struct Group {
    pub tenant: TenantId,
    pub kind: EventKind,
    pub name: String,
    /// From then on.
    pub since: DateTime<Utc>,
    /// Before then.
    pub until: DateTime<Utc>,
}

impl Group {
    fn keys(&self) -> (String, String) {
        (format!("{}/", self.name), format!("{}0", self.name))
    }

    /// How many they are, and how many of them were gathered into digests.
    pub async fn count(&self, conn: &mut Conn) -> QueryResult<(i64, i64)> {
        let (from, to) = self.keys();
        CountOfGroup::with((
            self.tenant.uuid(),
            self.kind.as_str(),
            from,
            to,
            self.since,
            self.until,
        ))
        .get_result(conn)
        .await
    }

    /// Gathers those of which nobody was told into a digest.
    pub async fn gather(&self, conn: &mut Conn) -> QueryResult<Uuid> {
        let (from, to) = self.keys();
        let digest = Uuid::now_v7();
        Gather::with((
            self.tenant.uuid(),
            self.kind.as_str(),
            from,
            to,
            self.since,
            self.until,
            digest,
        ))
        .execute(conn)
        .await?;
        Ok(digest)
    }

    /// How many of a digest are of some entities (of none named: all), and the details of the first `limit`. Whether those
    /// of no entity are theirs too: `bound`.
    pub async fn gathered(
        &self,
        conn: &mut Conn,
        digest: Uuid,
        (entities, bound): (&[String], bool),
        limit: i64,
    ) -> QueryResult<(i64, Vec<Value>)> {
        let (tenant, kind) = (self.tenant.uuid(), self.kind.as_str());
        let (from, to) = self.keys();
        let (count,): (i64,) = CountOfDigest::with((
            tenant,
            kind,
            from.as_str(),
            to.as_str(),
            digest,
            entities.to_vec(),
            bound,
        ))
        .get_result(conn)
        .await?;
        let rows: Vec<(Value,)> = SomeOfDigest::with((
            tenant,
            kind,
            from.as_str(),
            to.as_str(),
            digest,
            entities.to_vec(),
            bound,
            limit,
        ))
        .load(conn)
        .await?;
        Ok((count, rows.into_iter().map(|(detail,)| detail).collect()))
    }
}
