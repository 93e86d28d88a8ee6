//! Publishing an app's settings: what they would do to all its accounts is a plan first, and waits when it is too much.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Error;
use super::compare::schedule;
use super::predict::{AppInForce, Waiting, mode_of, survey};
use super::propose::{About, Proposal, Proposed, examine, free_all};
use crate::audit;
use crate::base::{AppId, TenantId};
use crate::db::{Conn, Db, Transactional as _};
use crate::directory::Directory;
use crate::guard::{self, Cause, Effects, Plan};
use crate::provision::{self, Mode};

/// What became of a publication.
#[derive(Debug, Clone)]
pub enum Published {
    /// It is in force.
    InForce(Effects),
    /// It waits for an approval.
    Waits(Proposed),
}

/// Puts the draft of an app in force, or asks for an approval. `mode` overrules the file's.
///
/// # Errors
/// When there is no app or no draft, the settings are not usable, or the database fails.
pub async fn publish(
    db: &Db,
    directory: &Directory,
    tenant: TenantId,
    name: &str,
    mode: Option<Mode>,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<Published, Error> {
    let mut conn = db.conn().await?;
    conn.transaction::<_, Error, _>(async |conn| {
        let app = provision::app(conn, tenant, name).await?;
        let revision = provision::draft(conn, tenant, &app).await?;
        let mode = mode_of(&app, &revision, mode);
        let draft = AppInForce::of(conn, directory, tenant, &app, revision, mode).await?;
        if mode != Mode::Live {
            in_force(conn, tenant, &draft, now).await?;
            note(conn, tenant, &draft, None, actor, now).await?;
            return Ok(Published::InForce(Effects::default()));
        }
        let proposed = propose(conn, directory, tenant, &draft, now).await?;
        if !proposed.verdict.ok {
            return Ok(Published::Waits(proposed));
        }
        in_force(conn, tenant, &draft, now).await?;
        guard::set_applied(conn, tenant, proposed.plan).await?;
        note(conn, tenant, &draft, Some(proposed.plan.to_string()), actor, now).await?;
        Ok(Published::InForce(proposed.effects))
    })
    .await
}

/// The plan of all effects over the app's accounts, as far as they are known now.
async fn propose(
    conn: &mut Conn,
    directory: &Directory,
    tenant: TenantId,
    draft: &AppInForce,
    now: DateTime<Utc>,
) -> Result<Proposed, Error> {
    let mut plan = Proposal::open(
        conn,
        tenant,
        About::app(draft.id(), draft.name()),
        Cause::App,
        now,
    )
    .await?;
    let mut after = Uuid::nil();
    while let Some(page) = survey(conn, directory, tenant, &[(draft, Waiting::Settled)], after, now).await? {
        after = page.last.uuid();
        plan.effects.accounts = plan.effects.accounts.saturating_add(page.open);
        for found in page.outcomes {
            plan.add(conn, &found).await?;
        }
    }
    let said = json!({ "revision": draft.revision(), "mode": draft.mode().word() });
    plan.seal(conn, &draft.rules().settings().guard, &said, now).await
}

/// The app's accounts are matched anew: its mode, address or rules may be others now. What waited is settled by it.
async fn in_force(
    conn: &mut Conn,
    tenant: TenantId,
    app: &AppInForce,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    provision::publish(conn, tenant, app.id(), app.revision(), app.mode(), true).await?;
    schedule(conn, (tenant, app.id()), app.rules().settings(), now).await?;
    free_all(conn, (tenant, app.id())).await
}

/// Lets the accounts go that a visit found and somebody approved.
async fn apply_links(
    conn: &mut Conn,
    directory: &Directory,
    tenant: TenantId,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let app = provision::app_by_id(conn, tenant, AppId::from(plan.owner)).await?;
    if let Some(live) = AppInForce::live(conn, directory, tenant, &app).await? {
        examine(conn, directory, (tenant, &live), plan, None, now).await?;
    }
    Ok(())
}

async fn note(
    conn: &mut Conn,
    tenant: TenantId,
    app: &AppInForce,
    plan: Option<String>,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let detail = json!({ "revision": app.revision(), "mode": app.mode().word(), "plan": plan });
    let subject = app.id().to_string();
    audit::note(conn, Some(tenant), now, actor, "app.publish", &subject, detail).await?;
    Ok(())
}

/// Puts a publication in force that somebody approved, as far as it was approved and still stands.
///
/// # Errors
/// When the database fails.
pub(super) async fn apply(
    conn: &mut Conn,
    directory: &Directory,
    tenant: TenantId,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if plan.counts.get("links").is_some() {
        return apply_links(conn, directory, tenant, plan, now).await;
    }
    let number = plan.counts.get("revision").and_then(Value::as_i64);
    let number = number.and_then(|number| i32::try_from(number).ok());
    let mode = plan.counts.get("mode").and_then(Value::as_str).and_then(Mode::of);
    let (Some(number), Some(mode)) = (number, mode) else {
        return Ok(());
    };
    let app = provision::app_by_id(conn, tenant, AppId::from(plan.owner)).await?;
    let revision = provision::revision(conn, tenant, app.id, number).await?;
    let approved = AppInForce::of(conn, directory, tenant, &app, revision, mode).await?;
    in_force(conn, tenant, &approved, now).await?;
    examine(conn, directory, (tenant, &approved), plan, None, now).await?;
    let actor = plan.decided_by.clone().unwrap_or_default();
    note(conn, tenant, &approved, Some(plan.id.to_string()), &actor, now).await
}
