//! Erasing a person.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::places::Reach;
use super::store::{Erasure, Late, Subject};
use super::{Error, PLACES, places, store};
use crate::audit;
use crate::base::{Chain, ResourceId, Sealer, TenantId, TokenId};
use crate::db::{Conn, Db, Transactional as _};
use crate::delivery::{self, Fate};
use crate::directory::{Cause, Directory, Expected};
use crate::identity::store::{Erased, add_erased};

/// How long apps may take to be told before somebody is told that they have not been.
const PATIENCE: TimeDelta = TimeDelta::days(7);
/// Erasures of one tenant that are carried out together, …
const EACH: i64 = 20;
/// … and of all tenants in one step.
const AT_ONCE: i64 = 200;

/// What becomes of the person's accounts in apps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accounts {
    /// They stay as they are, and nobody is told; nothing is known of them any more.
    Leave,
    /// Each app takes its own steps for people who are no longer there; it disables them where its settings say nothing.
    Disable,
    /// They are deleted in every live app.
    Delete,
}

impl Accounts {
    const fn word(self) -> &'static str {
        match self {
            Self::Leave => "leave",
            Self::Disable => "disable",
            Self::Delete => "delete",
        }
    }
}

/// Who is to be erased, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The tenant.
    pub tenant: TenantId,
    /// The user, its person, or the id it had before it was deleted.
    pub id: ResourceId,
    /// The user name as it was typed, so that nobody is erased by a wrong id. Without a user nothing need be typed.
    pub user_name: Option<&'a str>,
    /// What becomes of the accounts.
    pub accounts: Accounts,
    /// Who asked, as the audit trail names them.
    pub actor: &'a str,
    /// The token that was shown.
    pub token: TokenId,
}

/// What was asked for: numbers, and no name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// The erasure.
    pub id: Uuid,
    /// Always false: it is carried out in the background, as soon as the apps have been told.
    pub done: bool,
    /// Accounts that are to be told first.
    pub accounts_waiting: i64,
    /// Accounts that stand in apps.
    pub accounts_left: i64,
}

/// Asks for a person to be erased: the user goes from the directory and the records are noted, all by indexes; the rest is
/// done by [`finish_waiting`]. Asked again for somebody who waits, it is another order about the accounts. Wants the
/// caller's transaction.
///
/// # Errors
/// [`Error::Unknown`], [`Error::OtherName`], or when a store refuses.
#[tracing::instrument(name = "privacy.person.erase", skip_all)]
pub async fn ask(
    conn: &mut Conn,
    tools: (&Directory, &Sealer),
    order: Order<'_>,
    now: DateTime<Utc>,
) -> Result<Receipt, Error> {
    let of = store::subject(conn, order.tenant, order.id)
        .await?
        .ok_or(Error::Unknown)?;
    let there = store::still_there(conn, order.tenant, &of.users).await?;
    if !there.is_empty() && of.user_name.as_deref() != order.user_name {
        return Err(Error::OtherName);
    }
    begin(conn, tools, (&of, &there), (&order, Erased::Asked), now).await
}

/// Asks for somebody who left long ago to be erased: apps are told nothing, for the account was disabled when they left.
/// Whoever is employed again is taken in again. Wants the caller's transaction.
///
/// # Errors
/// [`Error::Unknown`], or when a store refuses.
pub async fn let_go(
    conn: &mut Conn,
    tools: (&Directory, &Sealer),
    (tenant, person): (TenantId, Uuid),
    now: DateTime<Utc>,
) -> Result<Receipt, Error> {
    let id = ResourceId::from(person);
    let of = store::subject(conn, tenant, id).await?.ok_or(Error::Unknown)?;
    let there = store::still_there(conn, tenant, &of.users).await?;
    let order = Order {
        tenant,
        id,
        user_name: None,
        accounts: Accounts::Leave,
        actor: "retention",
        token: TokenId::from(Uuid::nil()),
    };
    begin(conn, tools, (&of, &there), (&order, Erased::Left), now).await
}

async fn begin(
    conn: &mut Conn,
    (directory, sealer): (&Directory, &Sealer),
    (of, there): (&Subject, &[ResourceId]),
    (order, why): (&Order<'_>, Erased),
    now: DateTime<Utc>,
) -> Result<Receipt, Error> {
    let connections = of.connections.iter().copied();
    let records: Vec<(Uuid, String)> = connections.zip(of.sources.iter().cloned()).collect();
    add_erased(conn, order.tenant, &records, (why, now), sealer).await?;
    let mut erasure = Erasure {
        tenant: order.tenant,
        id: Uuid::now_v7(),
        subject: of.person().map_or(order.id.uuid(), crate::base::PersonId::uuid),
        users: of.users.clone(),
        asked_at: now,
        asked_by: order.actor.to_owned(),
        accounts: order.accounts.word().to_owned(),
    };
    erasure.id = store::add_erasure(conn, &erasure).await?;
    let fate = match order.accounts {
        Accounts::Leave => Fate::Left,
        Accounts::Disable => Fate::Stepped,
        Accounts::Delete => Fate::Deleted,
    };
    delivery::set_fate(conn, order.tenant, &of.users, fate).await?;
    let cause = Cause::admin(order.token, now);
    for user in there {
        let target = (order.tenant, *user, "User");
        directory.delete(conn, target, &Expected::Any, &cause).await?;
    }
    let subject = format!("person:{}", erasure.subject);
    let detail = json!({ "erasure": erasure.id, "accounts": order.accounts });
    let (tenant, action) = (Some(order.tenant), "person.erase.ask");
    audit::note(conn, tenant, now, order.actor, action, &subject, detail).await?;
    let standing = store::standing(conn, order.tenant, erasure.id).await?;
    Ok(Receipt {
        id: erasure.id,
        done: false,
        accounts_waiting: standing.untold,
        accounts_left: standing.left,
    })
}

/// Carries out erasures that wait for nothing any more, of every tenant some. Returns whether any came to its end. One that
/// fails is tried again later, and holds up no other.
///
/// # Errors
/// When the database does not answer.
#[tracing::instrument(name = "privacy.erasure.finish", skip_all)]
pub async fn finish_waiting(db: &Db, now: DateTime<Utc>) -> Result<bool, Error> {
    let taken = store::take_ready(&mut *db.conn().await?, EACH, AT_ONCE).await?;
    let mut of: BTreeMap<Uuid, Vec<Erasure>> = BTreeMap::new();
    for erasure in taken {
        of.entry(erasure.tenant.uuid()).or_default().push(erasure);
    }
    let mut worked = false;
    for (tenant, erasures) in of {
        match carry_out(db, tenant.into(), &erasures, now).await {
            Ok(done) => worked |= done,
            Err(error) => {
                tracing::error!(tenant.id = %tenant, error = %Chain(&error), "erasures failed, and are tried again later");
            }
        }
    }
    Ok(worked)
}

/// Carries out erasures of one tenant: what others' rows hold of them in one pass for all, a transaction for each place;
/// then their own rows, a transaction for each of them.
async fn carry_out(
    db: &Db,
    tenant: TenantId,
    erasures: &[Erasure],
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let mut conn = db.conn().await?;
    let mut subjects = Vec::with_capacity(erasures.len());
    for erasure in erasures {
        let id = ResourceId::from(erasure.subject);
        let found = store::subject(&mut conn, tenant, id).await?;
        let mut of = found.unwrap_or_else(|| Subject::nobody(tenant));
        of.users.extend(&erasure.users);
        of.users.sort_unstable();
        of.users.dedup();
        subjects.push(of);
    }
    let all = Subject::all(tenant, &subjects);
    let mut together = BTreeMap::new();
    for place in PLACES.iter().filter(|place| place.reach != Reach::Own) {
        let gone = conn
            .transaction(async |conn| places::empty(conn, place, &all).await)
            .await?;
        if gone > 0 {
            together.insert(place.name, gone);
        }
    }
    let mut worked = false;
    for (erasure, of) in erasures.iter().zip(&subjects) {
        let rows = together.clone();
        worked |= conn
            .transaction(async |conn| end(conn, erasure, of, rows, now).await)
            .await?;
    }
    Ok(worked)
}

/// Takes away a person's own rows, unless a call or an order came in between. Whether that is done.
async fn end(
    conn: &mut Conn,
    erasure: &Erasure,
    of: &Subject,
    mut rows: BTreeMap<&'static str, usize>,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    if !store::hold(conn, erasure, (&of.connections, &of.users)).await? {
        return Ok(false);
    }
    let standing = store::standing(conn, of.tenant, erasure.id).await?;
    if standing.is_busy || standing.untold > 0 {
        store::give_back(conn, erasure).await?;
        return Ok(false);
    }
    for place in PLACES.iter().filter(|place| place.reach == Reach::Own) {
        let gone = places::empty(conn, place, of).await?;
        if gone > 0 {
            rows.insert(place.name, gone);
        }
    }
    delivery::forget_fate(conn, of.tenant, &of.users).await?;
    store::end_erasure(conn, erasure, &json!(rows), &standing, now).await?;
    let subject = format!("person:{}", erasure.subject);
    let detail = json!({ "erasure": erasure.id, "rows": rows, "accounts_left": standing.left, "left_in": standing.left_in });
    let (actor, action) = (&erasure.asked_by, "person.erase");
    audit::note(conn, Some(of.tenant), now, actor, action, &subject, detail).await?;
    Ok(true)
}

/// The accounts for which erasures have waited for too long; each erasure is named once. Wants the caller's transaction.
///
/// # Errors
/// When the store refuses.
pub async fn late(conn: &mut Conn, now: DateTime<Utc>) -> Result<Vec<Late>, Error> {
    store::take_late(conn, now - PATIENCE, now, AT_ONCE).await
}
