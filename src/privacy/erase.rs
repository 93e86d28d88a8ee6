//! Erasing a person.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::store::{Erasure, Subject};
use super::{Error, PLACES, places, store};
use crate::audit;
use crate::base::{ResourceId, Sealer, TenantId, TokenId};
use crate::db::Conn;
use crate::delivery;
use crate::directory::{Cause, Directory, Expected};
use crate::identity::store::{Erased, add_erased};

/// How long apps may take to be told before everything goes all the same.
const PATIENCE: TimeDelta = TimeDelta::days(7);

/// What becomes of the person's accounts in apps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accounts {
    /// They stay as they are; nothing is known of them any more.
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

/// What was done: numbers, and no name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// The erasure.
    pub id: Uuid,
    /// Whether everything is gone; else apps are being told first.
    pub done: bool,
    /// Accounts that are still to be told.
    pub accounts_waiting: i64,
    /// Accounts that stand in apps.
    pub accounts_left: i64,
    /// How many rows went, by place.
    pub rows: BTreeMap<&'static str, usize>,
}

/// Erases a person: at once when no app has to be told before, else as soon as they have been. Wants the caller's
/// transaction.
///
/// # Errors
/// [`Error::Unknown`], [`Error::OtherName`], or when a store refuses.
#[tracing::instrument(name = "privacy.person.erase", skip_all)]
pub async fn ask(
    conn: &mut Conn,
    (directory, sealer): (&Directory, &Sealer),
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
    begin(
        conn,
        (directory, sealer),
        &of,
        &there,
        (&order, Erased::Asked),
        now,
    )
    .await
}

/// Erases somebody who left long ago: nobody is asked, and apps are told nothing, for the account was disabled when they
/// left. Whoever is employed again is taken in again. Wants the caller's transaction.
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
    begin(conn, tools, &of, &there, (&order, Erased::Left), now).await
}

async fn begin(
    conn: &mut Conn,
    (directory, sealer): (&Directory, &Sealer),
    of: &Subject,
    there: &[ResourceId],
    (order, why): (&Order<'_>, Erased),
    now: DateTime<Utc>,
) -> Result<Receipt, Error> {
    let records: Vec<(Uuid, String)> = of
        .connections
        .iter()
        .copied()
        .zip(of.sources.iter().cloned())
        .collect();
    add_erased(conn, order.tenant, &records, (why, now), sealer).await?;
    if order.accounts == Accounts::Delete {
        delivery::wipe(conn, order.tenant, there).await?;
    }
    let cause = Cause::admin(order.token, now);
    for user in there {
        let target = (order.tenant, *user, "User");
        directory.delete(conn, target, &Expected::Any, &cause).await?;
    }
    let erasure = Erasure {
        tenant: order.tenant,
        id: Uuid::now_v7(),
        subject: of.person.map_or(order.id.uuid(), crate::base::PersonId::uuid),
        asked_at: now,
        asked_by: order.actor.to_owned(),
        accounts: order.accounts.word().to_owned(),
    };
    store::add_erasure(conn, &erasure).await?;
    let subject = format!("person:{}", erasure.subject);
    let detail = json!({ "erasure": erasure.id, "accounts": order.accounts });
    audit::note(
        conn,
        Some(order.tenant),
        now,
        order.actor,
        "person.erase.ask",
        &subject,
        detail,
    )
    .await?;
    go_on(conn, &erasure, of, now).await
}

/// Erases everything if the apps have been told, or took too long.
async fn go_on(
    conn: &mut Conn,
    erasure: &Erasure,
    of: &Subject,
    now: DateTime<Utc>,
) -> Result<Receipt, Error> {
    let (untold, left) = store::untold(conn, of.tenant, &of.users).await?;
    let waits = erasure.accounts != Accounts::Leave.word() && untold > 0;
    let is_busy = store::is_busy(conn, of.tenant, &of.users).await?;
    if is_busy || (waits && now < erasure.asked_at + PATIENCE) {
        return Ok(Receipt {
            id: erasure.id,
            done: false,
            accounts_waiting: untold,
            accounts_left: left,
            rows: BTreeMap::new(),
        });
    }
    let mut rows = BTreeMap::new();
    for place in PLACES {
        let gone = places::empty(conn, place.name, of).await?;
        if gone > 0 {
            rows.insert(place.name, gone);
        }
    }
    delivery::forget_wipe(conn, of.tenant, &of.users).await?;
    store::end_erasure(conn, erasure, &json!(rows), left, now).await?;
    let subject = format!("person:{}", erasure.subject);
    let detail = json!({ "erasure": erasure.id, "rows": rows, "accounts_left": left });
    let (actor, action) = (&erasure.asked_by, "person.erase");
    audit::note(conn, Some(of.tenant), now, actor, action, &subject, detail).await?;
    Ok(Receipt {
        id: erasure.id,
        done: true,
        accounts_waiting: 0,
        accounts_left: left,
        rows,
    })
}

/// Goes on with erasures whose apps had to be told. Returns whether any came to its end. Wants the caller's transaction.
///
/// # Errors
/// When a store refuses.
#[tracing::instrument(name = "privacy.erasure.finish", skip_all)]
pub async fn finish_waiting(conn: &mut Conn, now: DateTime<Utc>) -> Result<bool, Error> {
    let mut worked = false;
    for erasure in store::waiting(conn, 20).await? {
        let id = ResourceId::from(erasure.subject);
        match store::subject(conn, erasure.tenant, id).await? {
            Some(of) => worked |= go_on(conn, &erasure, &of, now).await?.done,
            None => {
                store::end_erasure(conn, &erasure, &json!({}), 0, now).await?;
                worked = true;
            }
        }
    }
    Ok(worked)
}
