//! Accounts that are to be deleted in every live app once their user is gone, whatever the app's own steps say.
//!
//! *Owns:* `account_wipe`.

mod store;

use std::collections::HashSet;

use uuid::Uuid;

use super::Error;
use crate::base::{ResourceId, TenantId};
use crate::db::Conn;

/// Has the accounts of these users deleted once the users are gone. Wants the caller's transaction.
///
/// # Errors
/// When the store refuses.
pub async fn wipe(conn: &mut Conn, tenant: TenantId, users: &[ResourceId]) -> Result<(), Error> {
    if users.is_empty() {
        return Ok(());
    }
    store::add(conn, tenant, users).await
}

/// Forgets that they were to be.
///
/// # Errors
/// When the store refuses.
pub async fn forget_wipe(conn: &mut Conn, tenant: TenantId, users: &[Uuid]) -> Result<(), Error> {
    store::forget(conn, tenant, users).await
}

/// Which of these are to be deleted.
pub(super) async fn wiped(
    conn: &mut Conn,
    tenant: TenantId,
    users: &[ResourceId],
) -> Result<HashSet<ResourceId>, Error> {
    if users.is_empty() {
        return Ok(HashSet::new());
    }
    store::among(conn, tenant, users).await
}
