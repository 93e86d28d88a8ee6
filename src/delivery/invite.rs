//! Who is invited when an account was created: only accounts that we created, each once.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::{Map, Value};

use super::Error;
use super::send::{Finding, Report, Task};
use super::store::Leased;
use crate::base::{AppId, ConnectionId, ResourceId, TenantId};
use crate::db::Conn;
use crate::directory::{self, Directory, Stored};
use crate::notice::{self, Invitation, Invitee, Language};
use crate::provision::{Invite, InviteOn, Inviter, Settings};
use crate::scim::{HR, Object};

/// The hour of the first day at which somebody is invited, in UTC: morning in Europe.
const MORNING: NaiveTime = match NaiveTime::from_hms_opt(6, 0, 0) {
    Some(time) => time,
    None => NaiveTime::MIN,
};

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
        Task::Create(_) => true,
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

/// What the connections say that these users come from.
async fn connections(
    conn: &mut Conn,
    tenant: TenantId,
    users: &[ResourceId],
) -> Result<HashMap<ResourceId, Invite>, Error> {
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
    let facts = user.object.get(HR);
    let text = |pointer: &str| {
        facts
            .and_then(|facts| facts.pointer(pointer))
            .and_then(Value::as_str)
    };
    let entity = text("/entity/id").map(str::to_owned);
    let decided = Invite::decide(settings.invite.as_ref(), connection, entity.as_deref());
    let mut detail = known_of(&user.object);
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
    let first_day = text("/firstDay")
        .and_then(|day| day.parse::<NaiveDate>().ok())
        .map(|day| day.and_time(MORNING).and_utc());
    let (how, reason) = match (decided.now, decided.by) {
        (false, _) => (Invitation::Pending, decided.reason),
        (true, Inviter::App) => (Invitation::ByApp, decided.reason),
        (true, Inviter::Us) if !detail.contains_key("to") => {
            (Invitation::Pending, "the user has no mail address".to_owned())
        }
        (true, Inviter::Us) => {
            let ready = first_day.filter(|day| decided.when == InviteOn::FirstDay && *day > now);
            (Invitation::Mail(ready.unwrap_or(now)), decided.reason)
        }
    };
    Invitee {
        resource: user.id,
        person: user.person,
        entity,
        detail: Value::Object(detail),
        how,
        reason,
    }
}

/// What a mail to a user needs: `to`, `name`, `given_name`, `user_name`, `language`, as far as it is known.
fn known_of(user: &Object) -> Map<String, Value> {
    let text = |pointer: &str| {
        let (first, rest) = pointer.split_once('/').unwrap_or((pointer, ""));
        let value = user.get(first)?;
        let value = if rest.is_empty() { value } else { value.get(rest)? };
        value.as_str().map(str::to_owned).filter(|text| !text.is_empty())
    };
    let mails = || user.get("emails").and_then(Value::as_array).into_iter().flatten();
    let value_of = |mail: &Value| mail.get("value").and_then(Value::as_str).map(str::to_owned);
    let work = mails().find(|mail| mail.get("type").and_then(Value::as_str) == Some("work"));
    let user_name = text("userName");
    let to = work
        .or_else(|| mails().next())
        .and_then(value_of)
        .or_else(|| user_name.clone())
        .filter(|to| notice::is_address(to));
    let language = text("preferredLanguage")
        .or_else(|| text("locale"))
        .as_deref()
        .and_then(Language::of);
    let name = text("displayName")
        .or_else(|| text("name/formatted"))
        .or_else(|| {
            Some(format!(
                "{} {}",
                text("name/givenName")?,
                text("name/familyName")?
            ))
        })
        .or_else(|| user_name.clone());
    let parts = [
        ("to", to),
        ("name", name),
        ("given_name", text("name/givenName")),
        ("user_name", user_name),
        ("language", language.map(|language| language.code().to_owned())),
    ];
    parts
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?))))
        .collect()
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
            let detail = known_of(&user.object);
            let entity = user.object.get(HR).and_then(|facts| facts.pointer("/entity/id"));
            detail.contains_key("to").then(|| Invitee {
                resource: *id,
                person: user.person,
                entity: entity.and_then(Value::as_str).map(str::to_owned),
                detail: Value::Object(detail),
                how: Invitation::Mail(now),
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

    fn object(value: Value) -> Object {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_mail_goes_to_the_work_address_in_the_users_language() {
        let user = object(json!({
            "userName": "ada", "preferredLanguage": "nl-BE", "name": { "givenName": "Ada", "familyName": "Brook" },
            "emails": [{ "value": "ada@home.example", "type": "home" }, { "value": "ada@acme.example", "type": "work" }],
        }));
        let known = known_of(&user);
        assert_eq!(
            Value::Object(known.clone()),
            json!({
                "to": "ada@acme.example", "name": "Ada Brook", "given_name": "Ada", "user_name": "ada", "language": "nl",
            })
        );
        let link = filled(
            "https://x.example/{remote_id}?u={user_name}&m={email}",
            &known,
            "a b/7",
        );
        assert_eq!(link, "https://x.example/a%20b%2F7?u=ada&m=ada%40acme.example");
        let by_name = known_of(&object(json!({ "userName": "ada@acme.example" })));
        assert_eq!(by_name["to"], "ada@acme.example");
        assert!(!known_of(&object(json!({ "userName": "ada" }))).contains_key("to"));
    }
}
