//! Publishing an app's settings: what they would do to all its accounts is a plan first, and waits when it is too much.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Error;
use super::compare::schedule;
use super::moved::{self, Accounts};
use super::predict::{AppInForce, mode_of, survey};
use super::propose::{About, Proposal, Proposed, count_again, examine, free_all, judge_the_rest};
use crate::audit;
use crate::base::{AppId, TenantId};
use crate::db::{Conn, Db, Transactional as _};
use crate::directory::Directory;
use crate::guard::{self, Cause, Effects, Instead, Plan};
use crate::provision::{self, App, Mode};

/// What became of a publication.
#[derive(Debug, Clone)]
pub enum Published {
    /// It is in force.
    InForce(Effects),
    /// It waits for an approval.
    Waits(Proposed),
}

/// What a publication says beside which app.
#[derive(Debug, Clone, Copy, Default)]
pub struct PublishOrder {
    /// Overrules the file's mode.
    pub mode: Option<Mode>,
    /// Whose accounts are where the draft leads; has to be said when that is another address.
    pub accounts: Option<Accounts>,
}

/// A draft on its way into force.
struct Draft {
    app: AppInForce,
    accounts: Accounts,
}

/// Puts the draft of an app in force, or asks for an approval.
///
/// # Errors
/// [`Error::Moved`]; when there is no app or no draft, the settings are not usable, or the database fails.
pub async fn publish(
    db: &Db,
    directory: &Directory,
    tenant: TenantId,
    name: &str,
    order: PublishOrder,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<Published, Error> {
    let mut conn = db.conn().await?;
    conn.transaction::<_, Error, _>(async |conn| {
        let app = provision::app(conn, tenant, name).await?;
        let revision = provision::draft(conn, tenant, &app).await?;
        let to = &revision.settings.base_url;
        let accounts = moved::whose(conn, tenant, &app, to, order.accounts).await?;
        let mode = mode_of(&app, &revision, order.mode);
        let draft = Draft {
            app: AppInForce::of(conn, directory, tenant, &app, revision, mode).await?,
            accounts,
        };
        if mode != Mode::Live {
            let instead = Instead::Deed(actor, "the app was published without pushing");
            end_waiting(conn, (tenant, app.id), instead, now).await?;
            draft.put_in_force(conn, tenant, now).await?;
            draft.note(conn, tenant, None, actor, now).await?;
            return Ok(Published::InForce(Effects::default()));
        }
        let proposed = draft.propose(conn, directory, tenant, now).await?;
        if !proposed.verdict.ok {
            return Ok(Published::Waits(proposed));
        }
        draft.put_in_force(conn, tenant, now).await?;
        guard::end(conn, tenant, proposed.plan).await?;
        let plan = Some(proposed.plan.to_string());
        draft.note(conn, tenant, plan, actor, now).await?;
        Ok(Published::InForce(proposed.effects))
    })
    .await
}

/// Stops all calls to an app. What waits for an approval ends: it would put settings in force that nobody expects then.
/// Returns the app.
///
/// # Errors
/// When there is no such app, or the database fails.
pub async fn pause(
    db: &Db,
    tenant: TenantId,
    name: &str,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<App, Error> {
    let mut conn = db.conn().await?;
    conn.transaction::<_, Error, _>(async |conn| {
        let app = provision::app(conn, tenant, name).await?;
        let instead = Instead::Deed(actor, "the app was paused");
        end_waiting(conn, (tenant, app.id), instead, now).await?;
        provision::pause(conn, tenant, app.id).await?;
        let subject = app.id.to_string();
        audit::note(conn, Some(tenant), now, actor, "app.pause", &subject, json!({})).await?;
        Ok(provision::app_by_id(conn, tenant, app.id).await?)
    })
    .await
}

/// Plans of the app's settings and repairs that wait are not wanted any more. Before the app's row is locked: who applies
/// a plan locks it first.
async fn end_waiting(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    instead: Instead<'_>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let which = (&[app.uuid()][..], Some(&[Cause::App, Cause::Reconcile][..]));
    guard::supersede(conn, tenant, which, instead, now).await?;
    Ok(())
}

impl Draft {
    /// The plan of all effects over the app's accounts, as far as they are known now.
    async fn propose(
        &self,
        conn: &mut Conn,
        directory: &Directory,
        tenant: TenantId,
        now: DateTime<Utc>,
    ) -> Result<Proposed, Error> {
        let app = &self.app;
        let about = About::app(app.id(), app.name());
        let mut plan = Proposal::open(conn, tenant, about, Cause::App, now).await?;
        let waiting = self.accounts.waiting();
        let mut after = Uuid::nil();
        while let Some(page) = survey(conn, directory, tenant, &[(app, waiting)], after, now).await? {
            after = page.last.uuid();
            if self.accounts == Accounts::Same {
                plan.effects.accounts = plan.effects.accounts.saturating_add(page.open);
            }
            for found in page.outcomes {
                plan.add(conn, &found).await?;
            }
        }
        let accounts = self.accounts.word();
        let said = json!({ "revision": app.revision(), "mode": app.mode().word(), "target": accounts });
        plan.seal(conn, &app.rules().settings().guard, &said, now).await
    }

    /// The app's accounts are matched anew: its mode, address or rules may be others now. What waited is settled by it.
    async fn put_in_force(&self, conn: &mut Conn, tenant: TenantId, now: DateTime<Utc>) -> Result<(), Error> {
        let (app, at) = (&self.app, (tenant, self.app.id()));
        provision::publish(conn, tenant, app.id(), app.revision(), app.mode()).await?;
        if self.accounts == Accounts::New {
            moved::forget(conn, at, now).await?;
        }
        schedule(conn, at, app.rules().settings(), now).await?;
        free_all(conn, at).await
    }

    async fn note(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        plan: Option<String>,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let (app, accounts) = (&self.app, self.accounts.word());
        let detail = json!({
            "revision": app.revision(), "mode": app.mode().word(), "plan": plan, "accounts": accounts,
        });
        let subject = app.id().to_string();
        audit::note(conn, Some(tenant), now, actor, "app.publish", &subject, detail).await?;
        Ok(())
    }
}

/// Puts a publication in force that somebody approved, as far as it was approved and still stands; or lets accounts go
/// that were judged beside one.
///
/// # Errors
/// When it cannot be done any more, or the database fails.
pub(super) async fn apply(
    conn: &mut Conn,
    directory: &Directory,
    tenant: TenantId,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let app = provision::app_by_id(conn, tenant, AppId::from(plan.owner)).await?;
    let word = |name: &str| plan.counts.get(name).and_then(Value::as_str);
    let Some(number) = plan.counts.get("revision").and_then(Value::as_i64) else {
        if let Some(live) = AppInForce::live(conn, directory, tenant, &app).await? {
            examine(conn, directory, (tenant, &live), plan, None, now).await?;
        }
        return Ok(());
    };
    let (Ok(number), Some(mode)) = (i32::try_from(number), word("mode").and_then(Mode::of)) else {
        return Err(Error::Refused("the plan does not say what was to be published"));
    };
    let revision = provision::revision(conn, tenant, app.id, number).await?;
    let draft = Draft {
        app: AppInForce::of(conn, directory, tenant, &app, revision, mode).await?,
        accounts: word("target").and_then(Accounts::of).unwrap_or(Accounts::Same),
    };
    draft.put_in_force(conn, tenant, now).await?;
    count_again(conn, (tenant, app.id)).await?;
    examine(conn, directory, (tenant, &draft.app), plan, None, now).await?;
    judge_the_rest(conn, directory, (tenant, &draft.app), now).await?;
    let actor = plan.decided_by.clone().unwrap_or_default();
    draft
        .note(conn, tenant, Some(plan.id.to_string()), &actor, now)
        .await
}
