//! The writes of one resource, whoever asks for them: a request, `/Me`, or an operation of a Bulk. Each is atomic, and
//! is tried again when Postgres broke it off because it met another one.

use super::refusal::Refusal;
use super::session::{Session, Writes};
use crate::base::ResourceId;
use crate::db::{self, Conn, Transactional as _};
use crate::directory::{Answer, Error, Expected, Want};
use crate::scim::{Incoming, ResourceType, patch};

/// How often a write is tried that Postgres breaks off.
const TRIES: u32 = 5;

/// A resource by its type and id.
pub type Target<'a> = (&'a ResourceType, ResourceId);

/// Runs a write until it did not meet another one. Only what is certain to have left no trace is tried again.
pub async fn settled<T>(
    session: &Session<Writes>,
    write: impl AsyncFn(&mut Conn) -> Result<T, Error>,
) -> Result<T, Refusal> {
    let mut conn = session.conn().await?;
    for _ in 1..TRIES {
        match write(&mut conn).await {
            Err(Error::Store(cause)) if db::met_another(&cause) => {
                tracing::debug!("a write met another one and is tried again");
            }
            done => return Ok(done?),
        }
    }
    Ok(write(&mut conn).await?)
}

/// Creates a resource.
pub async fn create(
    session: &Session<Writes>,
    kind: &ResourceType,
    incoming: &Incoming,
) -> Result<Answer, Refusal> {
    let (directory, tenant, cause) = (session.directory(), session.caller.tenant, session.cause());
    let with_members = incoming
        .members
        .as_ref()
        .is_some_and(|members| !members.is_empty());
    let answer = settled(session, async |conn| {
        let incoming = incoming.clone();
        if with_members {
            conn.transaction(async |conn| directory.create(conn, tenant, kind, incoming, &cause).await)
                .await
        } else {
            directory.create(conn, tenant, kind, incoming, &cause).await
        }
    })
    .await?;
    note(session, &answer);
    Ok(answer)
}

/// Replaces a resource.
pub async fn replace(
    session: &Session<Writes>,
    (kind, id): Target<'_>,
    incoming: &Incoming,
    wish: (&Expected, Want),
) -> Result<Answer, Refusal> {
    let (directory, cause) = (session.directory(), session.cause());
    let target = (session.caller.tenant, id, kind);
    let answer = settled(session, async |conn| {
        if kind.membership().is_some() {
            conn.transaction(async |conn| directory.replace(conn, target, incoming, wish, &cause).await)
                .await
        } else {
            directory.replace(conn, target, incoming, wish, &cause).await
        }
    })
    .await?;
    note(session, &answer);
    Ok(answer)
}

/// Changes some attributes of a resource.
pub async fn patch(
    session: &Session<Writes>,
    (kind, id): Target<'_>,
    change: &patch::Request,
    wish: (&Expected, Want),
) -> Result<Answer, Refusal> {
    let (directory, cause) = (session.directory(), session.cause());
    let target = (session.caller.tenant, id, kind);
    let answer = settled(session, async |conn| {
        if let Some(answer) = directory
            .patch_one_member(conn, target, change, wish, &cause)
            .await?
        {
            return Ok(answer);
        }
        if kind.membership().is_some() {
            conn.transaction(async |conn| directory.patch(conn, target, change, wish, &cause).await)
                .await
        } else {
            directory.patch(conn, target, change, wish, &cause).await
        }
    })
    .await?;
    note(session, &answer);
    Ok(answer)
}

/// Deletes a resource.
pub async fn delete(
    session: &Session<Writes>,
    (kind, id): Target<'_>,
    expected: &Expected,
) -> Result<(), Refusal> {
    let (directory, cause) = (session.directory(), session.cause());
    let target = (session.caller.tenant, id, kind.name.as_str());
    settled(session, async |conn| {
        conn.transaction(async |conn| directory.delete(conn, target, expected, &cause).await)
            .await
    })
    .await?;
    session.state.db.signals().changed();
    Ok(())
}

/// Tells of a change, and counts what was read although the RFC does not have it.
pub fn note(session: &Session<Writes>, answer: &Answer) {
    if answer.changed {
        session.state.db.signals().changed();
    }
    session.note(&answer.tolerated);
}
