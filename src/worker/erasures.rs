//! Erases people once their apps have been told, and tells of erasures that have waited for too long.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::run::Failure;
use super::{Context, Task};
use crate::db::{Conn, Transactional as _};
use crate::notice::{self, EventKind, NewEvent};
use crate::privacy;

pub(super) fn task(context: &Context) -> Task {
    let (db, clock) = (context.db.clone(), context.clock.clone());
    Task::every("privacy.erasure.finish", Duration::from_secs(15), move || {
        let (db, clock) = (db.clone(), clock.clone());
        async move {
            let now = clock.now();
            db.conn()
                .await?
                .transaction(async |conn| tell_late(conn, now).await)
                .await?;
            Ok(privacy::finish_waiting(&db, now).await?)
        }
    })
}

async fn tell_late(conn: &mut Conn, now: DateTime<Utc>) -> Result<(), Failure> {
    for late in privacy::late(conn, now).await? {
        let since = late.since.format("%Y-%m-%d %H:%M UTC").to_string();
        let event = NewEvent {
            kind: EventKind::LeaverNotDisabled,
            key: format!("erasure/{}/{}", late.erasure, late.app),
            connection: None,
            app: Some(late.app),
            entity: None,
            person: None,
            detail: json!({ "user": late.user, "since": since, "state": late.state, "reason": late.reason }),
        };
        notice::raise(conn, late.tenant, &event, now).await?;
    }
    Ok(())
}
