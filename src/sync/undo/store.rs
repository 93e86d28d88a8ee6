//! What the change log says of users since a run.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::base::{ResourceId, RunId, TenantId};
use crate::db::{Conn, QueryError, Statement as _};
use crate::statement;

/// Whether an erase of somebody else took a value out of this line: what stood there is not known any more.
fn is_partly_erased(line: &Value) -> bool {
    line.to_string().contains("\"(erased)\"")
}

statement!(
    ChangesSince: (SqlUuid, Array<SqlUuid>, Timestamptz) -> (SqlUuid, Text, Nullable<Jsonb>, Jsonb) =
    "SELECT resource_id, action, delta, origin FROM change
     WHERE tenant_id = $1 AND resource_id = ANY($2) AND at >= $3 AND action <> 'members' ORDER BY id"
);

/// What happened to one user since a run began.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// The run made it.
    pub made: bool,
    /// What the run changed: path → value before its first and after its last change of it.
    pub changed: BTreeMap<String, (Value, Value)>,
    /// Who changed a path after the run did.
    pub since: BTreeMap<String, Value>,
    /// Who changed anything of it after the run did.
    pub touched: Option<Value>,
}

impl Trace {
    fn add(&mut self, run: &str, action: &str, lines: &[Value], origin: Value) {
        let is_runs = origin.get("by").and_then(Value::as_str) == Some("run")
            && origin.get("run").and_then(Value::as_str) == Some(run);
        if is_runs {
            self.made |= action == "create";
        } else if self.made || !self.changed.is_empty() {
            self.touched = Some(origin.clone());
        }
        for line in lines {
            let Some(path) = line.get("path").and_then(Value::as_str) else {
                continue;
            };
            if is_partly_erased(line) {
                continue;
            }
            let side = |name: &str| line.get(name).cloned().unwrap_or_default();
            if is_runs {
                self.since.remove(path);
                self.changed
                    .entry(path.to_owned())
                    .and_modify(|(_, after)| *after = side("after"))
                    .or_insert_with(|| (side("before"), side("after")));
            } else if self.changed.contains_key(path) {
                self.since.insert(path.to_owned(), origin.clone());
            }
        }
    }
}

/// What happened to users since a run began.
pub(super) async fn traces(
    conn: &mut Conn,
    tenant: TenantId,
    (run, since): (RunId, DateTime<Utc>),
    users: &[ResourceId],
) -> Result<HashMap<ResourceId, Trace>, QueryError> {
    let users: Vec<Uuid> = users.iter().map(|id| id.uuid()).collect();
    let rows: Vec<(Uuid, String, Option<Value>, Value)> = ChangesSince::with((tenant.uuid(), users, since))
        .get_results(conn)
        .await?;
    let run = run.to_string();
    let mut traces: HashMap<ResourceId, Trace> = HashMap::new();
    for (user, action, delta, origin) in rows {
        let lines = delta
            .as_ref()
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        traces
            .entry(user.into())
            .or_default()
            .add(&run, &action, lines, origin);
    }
    Ok(traces)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_trace_tells_the_runs_own_changes_from_those_since() {
        let mut trace = Trace::default();
        let by_run = json!({ "by": "run", "run": "r" });
        let title = |before: &str, after: &str| json!({ "path": "title", "before": before, "after": after });
        trace.add("r", "update", &[title("a", "b")], by_run.clone());
        trace.add("r", "update", &[title("b", "c")], by_run.clone());
        assert_eq!(trace.changed["title"], (json!("a"), json!("c")));
        assert!(trace.touched.is_none() && trace.since.is_empty());
        trace.add("r", "update", &[title("c", "d")], json!({ "by": "client" }));
        assert_eq!(trace.since["title"]["by"], "client");
        trace.add(
            "r",
            "update",
            &[json!({ "path": "nickName" })],
            json!({ "by": "run", "run": "s" }),
        );
        assert_eq!(trace.touched.unwrap()["run"], "s");
        assert!(!trace.made && !trace.since.contains_key("nickName"));
    }
}
