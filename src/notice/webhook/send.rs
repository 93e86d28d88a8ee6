//! Sending what is due.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::json;
use url::Url;

use super::super::engine::{Engine, dice, later};
use super::super::store::subscription::{self, Call, Target};
use super::super::store::{event, outbox};
use super::super::{Error, EventKind, NewEvent};
use super::{body, signature};
use crate::base::wait_before;
use crate::db::{Conn, Transactional as _};
use crate::net::Method;

/// Calls made at once.
const CALLS: i64 = 20;
/// So long a call is this process's alone, in seconds.
const LEASE: f64 = 120.0;
/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// The largest answer that is read.
const LARGEST_ANSWER: usize = 64 * 1024;
/// An address that fails for so long is switched off.
const SWITCHED_OFF_AFTER: TimeDelta = TimeDelta::days(5);

/// What came of a call.
enum Came {
    Done,
    Failed {
        words: String,
        asked: Option<Duration>,
        is_gone: bool,
    },
}

/// Makes the calls that are due. Returns whether there were any.
pub(in crate::notice) async fn send_calls(engine: &Engine) -> Result<bool, Error> {
    let mut conn = engine.db.conn().await?;
    let now = engine.clock.now();
    let calls = subscription::lease_calls(&mut conn, engine.owner, now, LEASE, CALLS).await?;
    drop(conn);
    if calls.is_empty() {
        return Ok(false);
    }
    let came = join_all(calls.iter().map(|call| make(engine, call))).await;
    let mut conn = engine.db.conn().await?;
    for (call, came) in calls.iter().zip(came) {
        let now = engine.clock.now();
        conn.transaction(async |conn| keep(conn, engine, call, came, now).await)
            .await?;
    }
    Ok(true)
}

#[tracing::instrument(name = "notice.webhook.send", skip_all, fields(message.id = %call.id, attempt = call.attempts))]
async fn make(engine: &Engine, call: &Call) -> Came {
    let failed = |words: String| Came::Failed {
        words,
        asked: None,
        is_gone: false,
    };
    let Ok(target) = Target::open(&engine.sealer, call.subscription, &call.sealed) else {
        return failed("its address cannot be unsealed: the key is not in SCIM_BRIDGE_MASTER_KEY".to_owned());
    };
    let Ok(url) = Url::parse(target.url.expose()) else {
        return failed("its address is no address".to_owned());
    };
    let text = match body(call) {
        Ok(text) => text,
        Err(_) => return failed("what is to be said cannot be put together".to_owned()),
    };
    let (id, timestamp) = (call.event.to_string(), engine.clock.now().timestamp());
    let request = engine
        .net
        .request(Method::POST, url)
        .cap(LARGEST_ANSWER)
        .time_out(PATIENCE)
        .header("webhook-id", &id)
        .header("webhook-timestamp", &timestamp.to_string())
        .header(
            "webhook-signature",
            &signature(&target.secret, &id, timestamp, &text),
        )
        .body("application/json", text);
    match request.send().await {
        Ok(answer) if answer.is_success() => Came::Done,
        Ok(answer) => Came::Failed {
            words: format!("it answered {}", answer.status),
            asked: answer.retry_after,
            is_gone: answer.status == 410,
        },
        Err(error) => failed(error.to_string()),
    }
}

async fn keep(
    conn: &mut Conn,
    engine: &Engine,
    call: &Call,
    came: Came,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let whose = (call.tenant, call.id, engine.owner);
    let (words, asked, is_gone) = match came {
        Came::Done => {
            subscription::succeeded(conn, call.tenant, call.subscription).await?;
            outbox::end(conn, whose, ("sent", ""), now, now).await?;
            return Ok(());
        }
        Came::Failed {
            words,
            asked,
            is_gone,
        } => (words, asked, is_gone),
    };
    let failures = u32::try_from(call.failures).unwrap_or_default().saturating_add(1);
    let resume_at = later(now, wait_before(failures.saturating_add(3), asked, dice(call.id)));
    let since = subscription::failed(conn, call.tenant, call.subscription, (&words, now), resume_at).await?;
    let Some(since) = since else { return Ok(()) };
    outbox::end(conn, whose, ("waiting", &words), now, now).await?;
    if is_gone || now - since >= SWITCHED_OFF_AFTER {
        switch_off(conn, call, &words, since, now).await?;
    }
    tracing::warn!(message.id = %call.id, "a webhook was not taken");
    Ok(())
}

async fn switch_off(
    conn: &mut Conn,
    call: &Call,
    words: &str,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    subscription::set_state(conn, call.tenant, call.subscription, "disabled").await?;
    let event = NewEvent {
        kind: EventKind::SubscriptionDisabled,
        key: format!("{}/{}", call.subscription, since.timestamp()),
        connection: None,
        app: None,
        entity: None,
        person: None,
        detail: json!({
            "subscription": call.subscription_name, "since": since.format("%Y-%m-%d %H:%M UTC").to_string(),
            "reason": words,
        }),
    };
    event::raise(conn, call.tenant, &event, now).await
}
