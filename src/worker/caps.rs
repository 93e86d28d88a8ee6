//! Freezes writing clients that are over their rolling 24-hour caps.
//!
//! The sequencer has counted what they did, after their commits; whoever numbered looks at those who did anything. A
//! client may overshoot by what was under way meanwhile.

use serde_json::json;
use uuid::Uuid;

use super::Context;
use super::run::Failure;
use crate::access::{self, Cap, Caps};
use crate::audit;
use crate::db::Transactional as _;
use crate::guard::{self, CapAction, Limit};
use crate::notice::{self, EventKind, NewEvent};

/// Freezes those of `clients` (tenant, client) that are over a cap.
pub(super) async fn enforce(context: &Context, clients: &[(Uuid, Uuid)]) -> Result<(), Failure> {
    if clients.is_empty() {
        return Ok(());
    }
    let now = context.clock.now();
    let mut conn = context.db.conn().await?;
    for ((tenant, owner), used) in guard::cap_uses(&mut conn, clients, now).await? {
        // What is written into a connection is judged by the guard of its runs.
        let Ok(client) = access::find_client(&mut conn, tenant, &owner.to_string()).await else {
            continue;
        };
        let caps = client.profile.caps.unwrap_or_default();
        let Some(reason) = guard::over(&used, |action| limit(&caps, action)) else {
            continue;
        };
        let frozen = conn
            .transaction(async |conn| {
                let frozen = guard::freeze(conn, tenant, owner, &reason, "cap", now).await?;
                if frozen {
                    let subject = format!("client:{owner}");
                    let detail = json!({ "reason": reason });
                    audit::note(conn, Some(tenant), now, "cap", "client.freeze", &subject, detail).await?;
                    let event = NewEvent {
                        kind: EventKind::ClientOrAppFrozen,
                        key: format!("{owner}/{}", now.timestamp()),
                        connection: None,
                        app: None,
                        entity: None,
                        person: None,
                        detail: json!({ "who": client.name, "client": owner, "reason": reason }),
                    };
                    notice::raise(conn, tenant, &event, now).await?;
                }
                Ok::<_, Failure>(frozen)
            })
            .await?;
        if frozen {
            tracing::error!(client.id = %owner, reason, "a client is over its cap and was frozen");
            context.doorkeeper.forget();
        }
    }
    Ok(())
}

fn limit(caps: &Caps, action: CapAction) -> Limit {
    let own = match action {
        CapAction::Create => caps.create,
        CapAction::Disable => caps.disable,
        CapAction::Delete => caps.delete,
        CapAction::Clear => caps.clear,
    };
    own.map_or_else(
        || action.default_limit(),
        |Cap { percent, count }| Limit {
            share: percent.map(|percent| f64::from(percent.get()) / 100.0),
            count,
        },
    )
}
