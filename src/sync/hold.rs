//! Holds: values that wait for a human; those of connections are written to the user here.

use serde_json::{Value, json};
use uuid::Uuid;

use super::Error;
use super::connection::{Compiled, ConnectionFile, settle, store as connections};
use super::engine::Engine;
use crate::audit;
use crate::base::{ConnectionId, HoldId, TenantId, TokenId};
use crate::db::{Conn, Transactional as _};
use crate::directory::{Cause, Put};
use crate::guard::{self, Decision, Hold};
use crate::provision::{Approvals, FieldPolicy, HeldChange, is_field};
use crate::translate;

/// Holds read, and decided in one transaction, at once.
const AT_ONCE: i64 = 500;

/// One decision about many holds.
#[derive(Debug)]
pub struct ManyHolds {
    /// What is decided.
    pub decision: Decision,
    /// Only those that this connection or app asks.
    pub owner: Option<Uuid>,
    /// Only those about this attribute.
    pub field: Option<String>,
    /// Only those that these rules cover.
    pub approvals: Option<Approvals>,
    /// What the rule is called.
    pub rule: Option<String>,
}

impl ManyHolds {
    fn means(&self, hold: &Hold) -> bool {
        let asked = &hold.asked;
        let by_path = asked.app.is_none() || asked.field.contains('+');
        let paths = [&asked.old, &asked.new]
            .into_iter()
            .flatten()
            .filter_map(Value::as_object);
        let is_about = |named: &String| {
            is_field(named, &asked.field)
                || by_path
                    && paths
                        .clone()
                        .flat_map(|side| side.keys())
                        .any(|path| is_field(named, path))
        };
        let change = HeldChange {
            field: &asked.field,
            old: asked.old.as_ref(),
            new: asked.new.as_ref(),
            by_path,
        };
        self.field.as_ref().is_none_or(is_about)
            && self
                .approvals
                .as_ref()
                .is_none_or(|approvals| approvals.covers(change).is_some())
    }

    const fn word(&self) -> &'static str {
        match self.decision {
            Decision::Approve => "approve",
            Decision::Reject => "reject",
        }
    }
}

impl Engine {
    /// Up to `limit` holds of the tenant, oldest first: of connections and of apps.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn holds(
        &self,
        tenant: TenantId,
        state: Option<&str>,
        owner: Option<Uuid>,
        after: Option<HoldId>,
        limit: i64,
    ) -> Result<Vec<Hold>, Error> {
        let mut conn = self.conn().await?;
        Ok(guard::holds(&mut conn, tenant, state, owner, after, limit).await?)
    }

    /// Decides a hold. Of a connection, and approved, HR's value is written to the user in the same transaction; of an
    /// app, delivery looks at the account again.
    ///
    /// # Errors
    /// [`guard::Error::Unknown`], [`guard::Error::NotWaiting`], or when the store refuses.
    #[tracing::instrument(name = "sync.hold.decide", skip_all, fields(hold.id = %id))]
    pub async fn decide_hold(
        &self,
        tenant: TenantId,
        id: HoldId,
        decision: Decision,
        token: TokenId,
        actor: &str,
    ) -> Result<Hold, Error> {
        let now = self.clock.now();
        let mut conn = self.conn().await?;
        let decided = conn
            .transaction(async |conn| {
                let hold = guard::decide_hold(conn, tenant, id, decision, actor, now).await?;
                if decision == Decision::Approve && hold.asked.app.is_none() {
                    self.release(conn, tenant, &hold, &Cause::admin(token, now))
                        .await?;
                }
                let action = match decision {
                    Decision::Approve => "hold.approve",
                    Decision::Reject => "hold.reject",
                };
                let subject = format!("hold:{id}");
                audit::note(conn, Some(tenant), now, actor, action, &subject, json!({})).await?;
                Ok::<_, Error>(hold)
            })
            .await?;
        self.signals.changed();
        self.signals.accounts_wait();
        Ok(decided)
    }

    /// How the newest settings of a connection treat each field.
    ///
    /// # Errors
    /// [`Error::Unknown`], settings that cannot be read, or when the store refuses.
    pub async fn field_policies(&self, tenant: TenantId, name: &str) -> Result<Vec<FieldPolicy>, Error> {
        let (_, file) = self.connection_file(tenant, name, true).await?;
        let Some(file) = file else { return Ok(Vec::new()) };
        let file = ConnectionFile::from_json(&file).map_err(Error::File)?;
        let mut conn = self.conn().await?;
        let kind = self.directory.kind(&mut conn, tenant, "User").await?;
        let Ok(settled) = settle(&kind, &file) else {
            return Ok(Vec::new());
        };
        let lines = settled.lines(None).into_iter().map(|line| FieldPolicy {
            field: line.name,
            from: Some(line.from),
            policy: line.policy.word().to_owned(),
            when_empty: if line.clear_when_empty { "clears" } else { "keeps" }.to_owned(),
            unverify: None,
        });
        Ok(lines.collect())
    }

    /// Decides every open hold that the order means, as one decision; those that come meanwhile are not meant. Goes on
    /// where it stopped when it is asked again. Returns how many were decided.
    ///
    /// # Errors
    /// When the store refuses; what was decided by then is.
    #[tracing::instrument(name = "sync.hold.decide_many", skip_all)]
    pub async fn decide_holds(
        &self,
        tenant: TenantId,
        order: &ManyHolds,
        token: TokenId,
        actor: &str,
    ) -> Result<u64, Error> {
        let now = self.clock.now();
        let last = HoldId::new();
        let mut after = None;
        let mut decided = 0_u64;
        let mut conn = self.conn().await?;
        loop {
            let page = guard::holds(&mut conn, tenant, Some("open"), order.owner, after, AT_ONCE).await?;
            let Some(end) = page
                .last()
                .map(|hold| hold.id)
                .filter(|_| page.first().is_some_and(|first| first.id < last))
            else {
                break;
            };
            after = Some(end);
            let meant: Vec<Hold> = page
                .into_iter()
                .filter(|hold| hold.id < last && order.means(hold))
                .collect();
            let cause = Cause::admin(token, now);
            decided += conn
                .transaction(async |conn| {
                    self.decide_page(conn, tenant, order, &meant, (actor, &cause))
                        .await
                })
                .await?;
        }
        self.signals.changed();
        self.signals.accounts_wait();
        Ok(decided)
    }

    async fn decide_page(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        order: &ManyHolds,
        meant: &[Hold],
        (actor, cause): (&str, &Cause),
    ) -> Result<u64, Error> {
        let ids: Vec<HoldId> = meant.iter().map(|hold| hold.id).collect();
        let by = match &order.rule {
            Some(rule) => format!("{actor}, rule {rule}"),
            None => actor.to_owned(),
        };
        let now = cause.now;
        let decided = guard::decide_holds(conn, tenant, &ids, order.decision, &by, now).await?;
        if order.decision == Decision::Approve {
            let to_release = meant
                .iter()
                .filter(|hold| hold.asked.app.is_none() && decided.contains(&hold.id));
            for hold in to_release {
                self.release(conn, tenant, hold, cause).await?;
            }
        }
        if !decided.is_empty() {
            let detail = json!({
                "decided": decided.len(), "decision": order.word(), "owner": order.owner, "field": order.field,
                "rule": order.rule,
            });
            let subject = order
                .owner
                .map_or_else(|| "holds".to_owned(), |owner| owner.to_string());
            audit::note(
                conn,
                Some(tenant),
                now,
                actor,
                "hold.decide_many",
                &subject,
                detail,
            )
            .await?;
        }
        Ok(u64::try_from(decided.len()).unwrap_or(u64::MAX))
    }

    /// Writes an approved value to its user.
    async fn release(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        hold: &Hold,
        cause: &Cause,
    ) -> Result<(), Error> {
        let connection = ConnectionId::from(hold.asked.owner);
        let Some(connection) = connections::by_id(conn, tenant, connection).await? else {
            return Ok(());
        };
        let number = connection.live.or(connection.draft).unwrap_or_default();
        let revision = connections::revision(conn, tenant, connection.id, number).await?;
        let (Some(revision), Some(user)) = (revision, hold.asked.resource) else {
            return Ok(());
        };
        let live = Compiled::of(self, conn, connection, &revision).await?;
        let Some(mut stored) = self.directory.load(conn, tenant, &[user]).await?.remove(&user) else {
            return Ok(());
        };
        let nothing = Value::Null;
        translate::release(
            &live.mapping,
            &mut stored.object,
            hold.asked.old.as_ref().unwrap_or(&nothing),
            hold.asked.new.as_ref().unwrap_or(&nothing),
        );
        let put = Put {
            id: Some(user),
            kind: stored.kind,
            object: stored.object,
            external_id: None,
            person: None,
            expected: None,
            disabled_by: stored.disabled_by,
        };
        self.directory.put(conn, tenant, put, cause).await?;
        Ok(())
    }
}
