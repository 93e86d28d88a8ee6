//! People are told before an account of theirs is removed, and what was not sent is withdrawn when it is not removed; nobody
//! is welcomed whose account is closed before the mail could be sent.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::Error;
use super::record::Settled;
use super::store::{Leased, Row};
use crate::base::{AppId, ResourceId};
use crate::db::Conn;
use crate::directory::Stored;
use crate::notice::{self, Entity, EventKind, NewEvent};
use crate::provision::{Cause, addressee};
use crate::scim::{Object, entity_names};

/// Tells those whose removal was decided on by this look, in its transaction; calls off what is no longer to come. At most
/// three statements, and none for most looks.
pub(super) async fn farewell(
    conn: &mut Conn,
    leased: &Leased,
    (rows, settled): (&[Row], &[Settled]),
    users: &HashMap<ResourceId, Stored>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let before: HashMap<ResourceId, &Row> = rows.iter().map(|row| (row.resource, row)).collect();
    let (mut events, mut over, mut leaving) = (Vec::new(), Vec::new(), Vec::new());
    for after in settled {
        let Some(row) = before.get(&after.resource) else {
            continue;
        };
        if row.cause.is_none() && after.cause.is_some() && row.kind == "User" {
            leaving.push(row.resource);
        }
        if row.told == after.told {
            continue;
        }
        if let (Some(_), Some(cause)) = (row.told, row.cause) {
            over.push(key(leased.app, row.resource, cause));
        }
        if let (Some(on), Some(cause)) = (after.told, after.cause) {
            events.push(notice_of(leased.app, row, users.get(&row.resource), cause, on));
        }
    }
    notice::withdraw_welcomes(conn, (leased.tenant, leased.app), &leaving, now).await?;
    notice::withdraw(conn, leased.tenant, EventKind::DeletionNotice, &over, now).await?;
    Ok(notice::raise_all(conn, leased.tenant, &events, now).await?)
}

fn key(app: AppId, user: ResourceId, (cause, since): (Cause, DateTime<Utc>)) -> String {
    format!("{app}/{user}/{}/{}", cause.word(), since.timestamp())
}

/// Of a user who is no longer there, what the app holds tells whom to write to.
fn notice_of(
    app: AppId,
    row: &Row,
    user: Option<&Stored>,
    cause: (Cause, DateTime<Utc>),
    on: DateTime<Utc>,
) -> NewEvent {
    let nobody = Object::new();
    let object = user
        .map(|user| &user.object)
        .or(row.known.as_ref())
        .unwrap_or(&nobody);
    let mut detail = addressee(object, cause.0 != Cause::OutOfScope);
    detail.insert("user".to_owned(), json!(row.resource));
    detail.insert("on".to_owned(), json!(on.format("%Y-%m-%d").to_string()));
    NewEvent {
        kind: EventKind::DeletionNotice,
        key: key(app, row.resource, cause),
        connection: None,
        app: Some(app),
        entity: Entity::of(&entity_names(object)),
        person: user.and_then(|user| user.person),
        detail: Value::Object(detail),
    }
}
