//! Who is invited when an account was created: only accounts that we created, each once.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::Error;
use super::first_day::first_day;
use super::prepare::{Plan, Read};
use super::send::{Finding, Report, Task};
use super::store::{Leased, Row};
use crate::base::{AppId, ConnectionId, ResourceId, TenantId};
use crate::db::Conn;
use crate::directory::{self, Directory, Stored};
use crate::notice::{self, Entity, Invitation, Invitee};
use crate::provision::{Invite, InviteOn, Inviter, Settings, addressee};
use crate::scim::entity_names;

/// Keeps which accounts were created, and invites whom the settings invite. In the transaction that keeps what the calls
/// taught, so that a repeated report invites nobody twice.
pub(super) async fn invite_created(
    conn: &mut Conn,
    directory: &Directory,
    leased: &Leased,
    settings: &Settings,
    reports: &[Report],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let created: Vec<&Report> = reports.iter().filter(|report| is_created(report)).collect();
    if created.is_empty() {
        return Ok(());
    }
    let ids: Vec<ResourceId> = created.iter().map(|report| report.job.resource).collect();
    let users = directory.load(conn, leased.tenant, &ids).await?;
    let from = connections(conn, leased.tenant, &ids).await?;
    let people: Vec<Invitee> = created
        .iter()
        .filter_map(|report| {
            let user = users.get(&report.job.resource)?;
            Some(invitee(
                report,
                user,
                settings,
                from.get(&report.job.resource),
                now,
            ))
        })
        .collect();
    notice::invite_new(conn, (leased.tenant, leased.app), &people, now).await?;
    Ok(())
}

/// Whether the app made the account because we asked: now, or in a call whose answer had not come.
fn is_created(report: &Report) -> bool {
    let is_user = report.job.kind == "User";
    let asked = match &report.job.task {
        Task::Create { .. } => true,
        Task::Resolve { action, .. } => action == "create",
        _ => false,
    };
    is_user
        && asked
        && matches!(
            report.finding,
            Finding::Done(Some(_)) | Finding::Found(_, _, true)
        )
}

/// What the connections say that the users of these accounts come from, where there is no account in the app yet.
pub(super) async fn invites_of(
    conn: &mut Conn,
    tenant: TenantId,
    rows: &[Row],
) -> Result<HashMap<ResourceId, Invite>, Error> {
    let new = rows
        .iter()
        .filter(|row| row.remote_id.is_none() && row.kind == "User");
    let new: Vec<ResourceId> = new.map(|row| row.resource).collect();
    connections(conn, tenant, &new).await
}

impl Plan<'_> {
    /// The attributes of a creation by which the app is told that it is to invite.
    pub(super) fn tells(self, row: &Row, read: &Read) -> BTreeMap<String, Value> {
        let Some(user) = read.stored.get(&row.resource).filter(|_| row.kind == "User") else {
            return BTreeMap::new();
        };
        let own = self.rules.settings().invite.as_ref();
        let decided = Invite::decide(own, read.invites.get(&row.resource), &entity_names(&user.object));
        match (decided.now, decided.by) {
            (true, Inviter::App) => decided.tell,
            _ => BTreeMap::new(),
        }
    }
}

/// What the connections say that these users come from.
async fn connections(
    conn: &mut Conn,
    tenant: TenantId,
    users: &[ResourceId],
) -> Result<HashMap<ResourceId, Invite>, Error> {
    if users.is_empty() {
        return Ok(HashMap::new());
    }
    let said: HashMap<ConnectionId, Invite> = notice::invites_of_connections(conn, tenant)
        .await?
        .into_iter()
        // It was checked when it was saved.
        .filter_map(|(id, invite)| Some((id, serde_json::from_value(invite).ok()?)))
        .collect();
    if said.is_empty() {
        return Ok(HashMap::new());
    }
    Ok(directory::connections_of(conn, tenant, users)
        .await?
        .into_iter()
        .filter_map(|(user, connection)| Some((user, said.get(&connection)?.clone())))
        .collect())
}

fn invitee(
    report: &Report,
    user: &Stored,
    settings: &Settings,
    connection: Option<&Invite>,
    now: DateTime<Utc>,
) -> Invitee {
    let entity = entity_names(&user.object);
    let decided = Invite::decide(settings.invite.as_ref(), connection, &entity);
    let mut detail = addressee(&user.object, false);
    let remote = match &report.finding {
        Finding::Done(Some(id)) | Finding::Found(id, ..) => id.as_str(),
        _ => "",
    };
    let answered = decided
        .link_at
        .as_deref()
        .and_then(|pointer| report.made.as_ref()?.pointer(pointer)?.as_str())
        .filter(|link| link.starts_with("https://") || link.starts_with("http://"));
    let link = match (answered, &decided.link) {
        (Some(link), _) => Some(link.to_owned()),
        (None, Some(link)) => Some(filled(link, &detail, remote)),
        (None, None) => None,
    };
    if let Some(link) = link {
        detail.insert("link".to_owned(), link.into());
    }
    let (how, reason) = match (decided.now, decided.by) {
        (false, _) => (Invitation::Pending, decided.reason),
        (true, Inviter::App) => (Invitation::ByApp, decided.reason),
        (true, Inviter::Us) if !detail.contains_key("to") => {
            (Invitation::Pending, "the user has no mail address".to_owned())
        }
        (true, Inviter::Us) => {
            let later =
                first_day(&user.object).filter(|day| decided.when == InviteOn::FirstDay && *day > now);
            (later.map_or(Invitation::Mail, Invitation::Later), decided.reason)
        }
    };
    Invitee {
        resource: user.id,
        person: user.person,
        entity: Entity::of(&entity),
        detail: Value::Object(detail),
        how,
        reason,
    }
}

/// The link with its places filled, each percent-encoded.
fn filled(link: &str, detail: &Map<String, Value>, remote: &str) -> String {
    let text = |name: &str| detail.get(name).and_then(Value::as_str).unwrap_or_default();
    let encoded = |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    link.replace("{user_name}", &encoded(text("user_name")).replace('+', "%20"))
        .replace("{email}", &encoded(text("to")).replace('+', "%20"))
        .replace("{remote_id}", &encoded(remote).replace('+', "%20"))
}

/// Invites users by hand into an app in which we created their accounts: again, or for the first time. Returns who was
/// invited; the others have no such account, no mail address, or the app invites them itself.
///
/// # Errors
/// When the store refuses.
pub async fn invite_by_hand(
    conn: &mut Conn,
    directory: &Directory,
    (tenant, app): (TenantId, AppId),
    users: &[ResourceId],
    (actor, now): (&str, DateTime<Utc>),
) -> Result<Vec<ResourceId>, Error> {
    let known = directory.load(conn, tenant, users).await?;
    let people: Vec<Invitee> = users
        .iter()
        .filter_map(|id| {
            let user = known.get(id)?;
            let detail = addressee(&user.object, false);
            detail.contains_key("to").then(|| Invitee {
                resource: *id,
                person: user.person,
                entity: Entity::of(&entity_names(&user.object)),
                detail: Value::Object(detail),
                how: Invitation::Mail,
                reason: "by hand".to_owned(),
            })
        })
        .collect();
    Ok(notice::invite_by_hand(conn, (tenant, app), &people, (actor, now)).await?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_places_of_a_link_are_filled_and_encoded() {
        let known = json!({ "to": "ada@acme.example", "user_name": "ada" });
        let link = filled(
            "https://x.example/{remote_id}?u={user_name}&m={email}",
            known.as_object().unwrap(),
            "a b/7",
        );
        assert_eq!(link, "https://x.example/a%20b%2F7?u=ada&m=ada%40acme.example");
    }
}
