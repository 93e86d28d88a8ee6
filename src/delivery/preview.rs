//! Publishing an app's settings: what it would disable is counted first, and waits for an approval when it is too much.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Error;
use super::admin::store as rows;
use crate::audit;
use crate::base::{PersonId, PlanId, ResourceId, TenantId};
use crate::db::{Conn, Db, Transactional as _};
use crate::directory::{Directory, Stored};
use crate::guard::{
    self, Action, Cause as PlanCause, Item, Limit, Limits, PlanState, Sizes, Verdict, Writer,
};
use crate::provision::{
    self, Account, App, Mode, Next, Problem, Rules, Settings, Standing, Subject, UserView, decide,
    employments, manager_of,
};
use crate::scim::ResourceType;

const PAGE: i64 = 500;

/// What became of a publication.
#[derive(Debug, Clone)]
pub enum Published {
    /// It is in force.
    InForce(Counts),
    /// It waits for an approval.
    Waits {
        /// The plan.
        plan: PlanId,
        /// Its hash in hexadecimal.
        hash: String,
        /// The limits that are passed.
        reasons: Vec<String>,
        /// What it would do.
        counts: Counts,
    },
}

/// What a publication would do to accounts that are there.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct Counts {
    /// Accounts that are there and active.
    pub accounts: u64,
    /// Of these, accounts that would be disabled or removed.
    pub disables: u64,
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
        let mode = mode.or(revision.settings.mode).unwrap_or(match app.mode {
            Mode::Paused => Mode::Observe,
            other => other,
        });
        put_in_force(conn, directory, tenant, &app, revision.number, mode, actor, now).await
    })
    .await
}

#[expect(clippy::too_many_arguments, reason = "each names one part of one publication")]
async fn put_in_force(
    conn: &mut Conn,
    directory: &Directory,
    tenant: TenantId,
    app: &App,
    number: i32,
    mode: Mode,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<Published, Error> {
    let revision = provision::revision(conn, tenant, app.id, number).await?;
    let guard = revision.settings.guard.clone();
    let rules = compiled(revision.settings, &*directory.kind(conn, tenant, "User").await?)?;
    let (counts, items) = if mode == Mode::Live {
        count(conn, directory, tenant, app, &rules, now).await?
    } else {
        (Counts::default(), Vec::new())
    };
    let sizes = Sizes {
        population: counts.accounts,
        leavers: counts.disables,
        ..Sizes::default()
    };
    let limits = Limits {
        leavers: Limit {
            share: Some(guard.disables.share),
            count: Some(guard.disables.count),
        },
        ..Limits::default()
    };
    let verdict = guard::judge(&sizes, &limits);
    if verdict.ok {
        in_force(conn, tenant, app, number, mode).await?;
        let detail = json!({ "revision": number, "mode": mode.word() });
        audit::note(
            conn,
            Some(tenant),
            now,
            actor,
            "app.publish",
            &app.id.to_string(),
            detail,
        )
        .await?;
        return Ok(Published::InForce(counts));
    }
    ask(conn, tenant, app, (number, mode), (counts, &items), &verdict, now).await
}

/// Stores the plan that waits.
async fn ask(
    conn: &mut Conn,
    tenant: TenantId,
    app: &App,
    (number, mode): (i32, Mode),
    (counts, items): (Counts, &[Item]),
    verdict: &Verdict,
    now: DateTime<Utc>,
) -> Result<Published, Error> {
    let mut writer = Writer::open(conn, tenant, PlanCause::App, app.id.uuid(), now).await?;
    let plan = writer.plan();
    for batch in items.chunks(1_000) {
        writer.add(conn, batch).await?;
    }
    let said = json!({
        "accounts": counts.accounts, "disable": counts.disables, "revision": number, "mode": mode.word(),
    });
    writer
        .seal(conn, &said, verdict, PlanState::AwaitingApproval)
        .await?;
    guard::supersede(conn, tenant, &[app.id.uuid()], plan, now).await?;
    let hash = guard::plan(conn, tenant, plan)
        .await?
        .map(|plan| plan.hash_hex())
        .unwrap_or_default();
    Ok(Published::Waits {
        plan,
        hash,
        reasons: verdict
            .reasons
            .iter()
            .map(|reason| reason.message.clone())
            .collect(),
        counts,
    })
}

fn compiled(settings: Settings, user: &ResourceType) -> Result<Rules, Error> {
    Rules::compile(settings, user)
        .map_err(|problems: Vec<Problem>| Error::Provision(provision::Error::Settings(problems)))
}

/// The app's accounts are matched anew: its mode, address or rules may be others now.
async fn in_force(
    conn: &mut Conn,
    tenant: TenantId,
    app: &App,
    number: i32,
    mode: Mode,
) -> Result<(), Error> {
    provision::publish(conn, tenant, app.id, number, mode, true).await?;
    Ok(())
}

/// What the rules would do to the accounts that are there now.
async fn count(
    conn: &mut Conn,
    directory: &Directory,
    tenant: TenantId,
    app: &App,
    rules: &Rules,
    now: DateTime<Utc>,
) -> Result<(Counts, Vec<Item>), Error> {
    let mut counts = Counts::default();
    let mut items = Vec::new();
    let mut after = Uuid::nil();
    loop {
        let page = rows::linked_page(conn, (tenant, app.id), after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok((counts, items));
        };
        after = last.resource.uuid();
        let ids: Vec<ResourceId> = page.iter().map(|row| row.resource).collect();
        let stored = directory.load(conn, tenant, &ids).await?;
        let managers: Vec<ResourceId> = stored
            .values()
            .filter_map(|stored| manager_of(&stored.object))
            .collect();
        let managers = if rules.settings().reads_manager() {
            directory.load(conn, tenant, &managers).await?
        } else {
            std::collections::HashMap::new()
        };
        let people: Vec<PersonId> = stored.values().filter_map(|stored| stored.person).collect();
        let employments = employments(conn, tenant, &people).await?;
        for row in page {
            if row.known.as_ref().and_then(|known| known.get("active")) == Some(&json!(false)) {
                continue;
            }
            counts.accounts += 1;
            let user = stored.get(&row.resource);
            let manager = user.and_then(|user| managers.get(&manager_of(&user.object)?));
            let view = user.map(|user| UserView {
                id: user.id,
                object: &user.object,
                manager: manager.map(|manager: &Stored| &manager.object),
                manager_remote: None,
                reports: None,
                standing: Standing::of(&employments, user.person, &user.disabled_by),
            });
            let account = Account {
                remote_id: Some(&row.remote_id),
                known: row.known.as_ref(),
                cause: None,
                cause_since: None,
                steps_done: 0,
                adopted: row.adopted,
                untouched: false,
            };
            let decision = decide(
                rules,
                account,
                view.map_or(Subject::Gone { was_group: false }, Subject::User),
                now,
                |_| None,
            );
            if let Some((cause, _)) = decision.cause {
                counts.disables += 1;
                items.push(Item {
                    action: if decision.next == Next::Delete {
                        Action::Remove
                    } else {
                        Action::Disable
                    },
                    person: user.and_then(|user| user.person),
                    resource: Some(row.resource),
                    base_version: None,
                    diff: Value::Null,
                    reason: cause.word().to_owned(),
                });
            }
        }
    }
}

/// Puts publications in force that somebody approved. Returns whether there were any.
///
/// # Errors
/// When the database fails.
pub async fn approve_waiting(db: &Db, now: DateTime<Utc>) -> Result<bool, Error> {
    let mut conn = db.conn().await?;
    conn.transaction::<_, Error, _>(async |conn| {
        let approved = rows::approved_plans(conn).await?;
        for plan in &approved {
            let number = plan
                .counts
                .get("revision")
                .and_then(Value::as_i64)
                .and_then(|number| i32::try_from(number).ok());
            let mode = plan.counts.get("mode").and_then(Value::as_str).and_then(Mode::of);
            if let (Some(number), Some(mode)) = (number, mode) {
                let app = provision::app_by_id(conn, plan.tenant, plan.app).await?;
                in_force(conn, plan.tenant, &app, number, mode).await?;
                let detail = json!({ "revision": number, "mode": mode.word(), "plan": plan.plan });
                let (actor, subject) = (plan.decided_by.as_str(), plan.app.to_string());
                audit::note(
                    conn,
                    Some(plan.tenant),
                    now,
                    actor,
                    "app.publish",
                    &subject,
                    detail,
                )
                .await?;
            }
            rows::set_applied(conn, plan.tenant, plan.plan).await?;
        }
        Ok(!approved.is_empty())
    })
    .await
}
