//! Links between ours and an app's accounts, tied and cut by hand.
//!
//! *Comes in:* whose account which one is, said by a human. *Goes out:* rows of `account` as if matching had said so. A
//! link that was cut stays cut: matching does not tie it again, somebody does. Nothing in the app is changed here.

mod store;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::Error;
use crate::audit;
use crate::base::{AppId, ResourceId, TenantId};
use crate::db::Conn;
use crate::provision::Rules;

/// Cuts the link of a user to its account: the account is the app's alone from now on, as if nobody of ours had it, and
/// the user gets no other by itself. Needs a transaction. Returns the account's id in the app.
///
/// # Errors
/// When the user has no account there, a call about it is under way, or the store refuses.
pub async fn unlink(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    user: ResourceId,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<String, Error> {
    let linked = store::linked(conn, (tenant, app), user)
        .await?
        .ok_or(Error::Unknown("account of this user in the app"))?;
    if linked.is_busy {
        return Err(Error::Refused(
            "a call about the account is under way: try again in a minute",
        ));
    }
    let reason = format!("the link was cut by {actor}; `scim-bridge account link` ties it again");
    store::cut(conn, (tenant, app), user, &linked, &reason, now).await?;
    let detail = json!({ "app": app, "remote_id": linked.remote_id });
    audit::note(
        conn,
        Some(tenant),
        now,
        actor,
        "account.unlink",
        &user.to_string(),
        detail,
    )
    .await?;
    Ok(linked.remote_id)
}

/// Says that an account of the app which nobody of ours has is this user's. From then on it is brought to what the user
/// should have there. Needs a transaction.
///
/// # Errors
/// When the account is not known, is somebody's or protected, when the user is not there or has another account in the
/// app, or when the store refuses.
pub async fn link(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    (user, remote_id): (ResourceId, &str),
    rules: &Rules,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let free = store::free(conn, (tenant, app), remote_id)
        .await?
        .ok_or(Error::Unknown("account of the app with this id that nobody has"))?;
    if rules.protects(&free) {
        return Err(Error::Refused("the account is protected: it is never written"));
    }
    if !store::tie(conn, (tenant, app), user, (remote_id, &free), now).await? {
        return Err(Error::Refused(
            "there is no such user, or it has another account in the app: cut that link first",
        ));
    }
    let detail = json!({ "app": app, "remote_id": remote_id });
    audit::note(
        conn,
        Some(tenant),
        now,
        actor,
        "account.link",
        &user.to_string(),
        detail,
    )
    .await?;
    Ok(())
}
