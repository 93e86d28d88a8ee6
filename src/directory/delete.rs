//! Deleting a resource and every trace that other resources have of it.

use serde_json::Value;

use super::batch::{self, Line, insert_changes};
use super::client::TRIES;
use super::log::{self, Entry};
use super::resource::Expected;
use super::{Cause, Directory, Error, Stored, key, member, store, tombstone};
use crate::base::{ResourceId, TenantId};
use crate::db::{Conn, Transactional as _};
use crate::scim::{ENTERPRISE, Object, ResourceType};

impl Directory {
    /// Deletes a resource (RFC 7644 §3.6): it leaves its groups, nobody has it as manager any more, its userName is
    /// free again. Wants the caller's transaction.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::VersionMismatch`], or the database failed.
    #[tracing::instrument(name = "directory.resource.delete", skip_all, fields(resource.id = %id))]
    pub async fn delete(
        &self,
        conn: &mut Conn,
        (tenant, id, kind): (TenantId, ResourceId, &str),
        expected: &Expected,
        cause: &Cause,
    ) -> Result<(), Error> {
        let kind = self.kind(conn, tenant, kind).await?;
        hold(conn, (tenant, id)).await?;
        let mut rows = store::load_locked(conn, tenant, &[id], &[cause.client]).await?;
        let (stored, _) = rows
            .pop()
            .filter(|(stored, _)| stored.kind == kind.name)
            .ok_or(Error::NotFound)?;
        if !expected.admits(stored.version) {
            return Err(Error::VersionMismatch);
        }
        tombstone::leave(conn, tenant, &stored, cause).await?;
        member::leave_all(conn, (tenant, id), cause).await?;
        if kind.membership().is_some() {
            member::let_all_go(conn, (tenant, id), (&stored.kind, stored.version), cause).await?;
        }
        if kind.name == "User" {
            leave_reports(conn, (tenant, id), &kind, cause).await?;
        }
        let mut lines = log::differences(&kind, &stored.object, &Object::new());
        if !stored.disabled_by.is_empty() {
            lines.push(log::line("disabledBy", Some(stored.disabled_by.into()), None));
        }
        let line = Line {
            id,
            kind: stored.kind,
            version: stored.version,
            person: stored.person,
            entry: Entry::of(&lines.into()),
        };
        insert_changes(conn, tenant, "delete", &[line], cause.now, &cause.origin).await?;
        store::delete(conn, tenant, id).await?;
        Ok(())
    }
}

/// Holds a resource with the groups it is in, again from the start while others put it into further groups.
async fn hold(conn: &mut Conn, target: (TenantId, ResourceId)) -> Result<(), Error> {
    for _ in 0..TRIES {
        let held = conn
            .transaction(async |conn| {
                let all = member::hold_with_groups(conn, target).await?;
                if all { Ok(()) } else { Err(Error::Busy) }
            })
            .await;
        if !matches!(held, Err(Error::Busy)) {
            return held;
        }
    }
    Err(Error::Busy)
}

/// Takes a manager who goes away from the reports.
async fn leave_reports(
    conn: &mut Conn,
    (tenant, manager): (TenantId, ResourceId),
    kind: &ResourceType,
    cause: &Cause,
) -> Result<(), Error> {
    let value = manager.to_string();
    let key = key::key(tenant, &kind.name, &format!("{ENTERPRISE}:manager.value"), &value);
    let mut reports = store::having(conn, tenant, key).await?;
    reports.retain(|report| *report != manager);
    reports.sort_unstable();
    if reports.is_empty() {
        return Ok(());
    }
    let clients = vec![None; reports.len()];
    let rows = store::load_locked(conn, tenant, &reports, &clients).await?;
    let changes: Vec<(Stored, Object)> = rows
        .into_iter()
        .filter_map(|(stored, _)| Some((without_manager(&stored.object, &value)?, stored)))
        .map(|(object, stored)| (stored, object))
        .collect();
    batch::rewrite(conn, tenant, kind, changes, cause).await
}

/// The object without this manager; `None` when it has another one.
fn without_manager(object: &Object, manager: &str) -> Option<Object> {
    let mut object = object.clone();
    let Some(Value::Object(enterprise)) = object.get_mut(ENTERPRISE) else {
        return None;
    };
    let named = enterprise.get("manager")?.get("value")?.as_str()?;
    if !named.eq_ignore_ascii_case(manager) {
        return None;
    }
    enterprise.remove("manager");
    if enterprise.is_empty() {
        object.remove(ENTERPRISE);
        if let Some(Value::Array(schemas)) = object.get_mut("schemas") {
            schemas.retain(|schema| schema != ENTERPRISE);
        }
    }
    Some(object)
}
