//! What a change of the tenant's schemas does to its connections.

use std::sync::Arc;

use super::{Connection, ConnectionFile, FileProblem};
use super::{entity, store};
use crate::base::TenantId;
use crate::db::Conn;
use crate::scim::ResourceType;
use crate::sync::{Engine, Error};

/// So many connections are read at once.
const PAGE: i64 = 100;

impl Engine {
    /// The connections whose settings, drafted or live, fit users of type `before` and not of type `after`: the name of
    /// each with what would be wrong.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn broken_by(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        (before, after): (&Arc<ResourceType>, &Arc<ResourceType>),
    ) -> Result<Vec<(String, FileProblem)>, Error> {
        let (mut broken, mut last) = (Vec::new(), String::new());
        loop {
            let page = store::list(conn, tenant, &last, PAGE).await?;
            let Some(end) = page.last() else { return Ok(broken) };
            last.clone_from(&end.name);
            for connection in page {
                let wrong = first_wrong(conn, &connection, (before, after)).await?;
                broken.extend(wrong.map(|problem| (connection.name, problem)));
            }
        }
    }
}

async fn first_wrong(
    conn: &mut Conn,
    connection: &Connection,
    (before, after): (&Arc<ResourceType>, &Arc<ResourceType>),
) -> Result<Option<FileProblem>, Error> {
    for number in [connection.live, connection.draft].into_iter().flatten() {
        let revision = store::revision(conn, connection.tenant, connection.id, number).await?;
        let Some(file) = revision.and_then(|revision| ConnectionFile::from_json(&revision.body).ok()) else {
            continue;
        };
        if let Some(problem) = problem(after, &file)
            && problem_free(before, &file)
        {
            return Ok(Some(problem));
        }
    }
    Ok(None)
}

fn problem_free(kind: &Arc<ResourceType>, file: &ConnectionFile) -> bool {
    problem(kind, file).is_none()
}

/// The first thing in mapping and authority that does not fit a type of users.
fn problem(kind: &Arc<ResourceType>, file: &ConnectionFile) -> Option<FileProblem> {
    match entity::settle(kind, file) {
        Ok(settled) => {
            let own = settled.entities.iter().flat_map(entity::Entity::paths);
            let paths = settled.mapping.paths().into_iter().chain(own);
            file.authority.compile(kind, paths).err()?.into_iter().next()
        }
        Err(wrong) => wrong.into_iter().next(),
    }
}
