//! The table `invitation`: accounts that we created, and whether their people were invited.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use serde_json::Value;
use uuid::Uuid;

use super::super::{Entity, Error, EventKind, NewEvent};
use super::event::{raise_all, withdraw};
use super::welcome::waits;
use crate::base::{AppId, ConnectionId, PersonId, ResourceId, TenantId};
use crate::db::{Conn, Statement as _};
use crate::statement;

/// How a new account's person is invited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invitation {
    /// Not by itself; a human may.
    Pending,
    /// By a mail at once.
    Mail,
    /// By a mail at that instant, if the person comes; what becomes of it is looked at meanwhile.
    Later(DateTime<Utc>),
    /// By the app.
    ByApp,
}

/// Somebody with a new account.
#[derive(Debug, Clone)]
pub struct Invitee {
    /// The user.
    pub resource: ResourceId,
    /// The person.
    pub person: Option<PersonId>,
    /// The legal entity.
    pub entity: Option<Entity>,
    /// What the mail needs: `to`, `name`, `given_name`, `user_name`, `language`, `link`.
    pub detail: Value,
    /// How.
    pub how: Invitation,
    /// Why so.
    pub reason: String,
}

statement!(
    AddInvitations: (SqlUuid, SqlUuid, Timestamptz, Array<SqlUuid>, Array<Nullable<SqlUuid>>, Array<Text>, Array<Text>, Array<Jsonb>) -> (SqlUuid,) =
    "INSERT INTO invitation (tenant_id, app_id, created_at, resource_id, person_id, state, reason, invitee, invited_at,
                             invited_by, times)
     SELECT $1, $2, $3, i.*, CASE WHEN i.state <> 'pending' THEN $3 END, CASE WHEN i.state <> 'pending' THEN 'setting' END,
            CASE WHEN i.state = 'invited' THEN 1 ELSE 0 END
     FROM UNNEST($4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::jsonb[]) AS i(resource_id, person_id, state, reason, invitee)
     ON CONFLICT (tenant_id, app_id, resource_id) DO NOTHING
     RETURNING resource_id"
);
statement!(
    LinkEvents: (SqlUuid, SqlUuid, Array<SqlUuid>) -> () =
    "UPDATE invitation i SET event_id = e.id FROM event e
     WHERE i.tenant_id = $1 AND i.app_id = $2 AND i.resource_id = ANY($3) AND e.tenant_id = $1 AND e.kind = 'welcome'
       AND e.key = $2::text || '/' || i.resource_id::text || '/' || i.times::text"
);

fn welcome(app: AppId, one: &Invitee, times: i32) -> NewEvent {
    let mut detail = one.detail.clone();
    if let Some(detail) = detail.as_object_mut() {
        detail.insert("user".to_owned(), Value::from(one.resource.to_string()));
    }
    NewEvent {
        kind: EventKind::Welcome,
        key: format!("{app}/{}/{times}", one.resource),
        connection: None,
        app: Some(app),
        entity: one.entity.clone(),
        person: one.person,
        detail,
    }
}

/// Keeps, in the caller's transaction, that these accounts were created by us, and invites whom the settings invite: each
/// account once, however often this is repeated, and none that was created before somebody switched invitations on.
///
/// # Errors
/// When the store refuses.
pub async fn invite_new(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    people: &[Invitee],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if people.is_empty() {
        return Ok(());
    }
    let state = |one: &Invitee| match one.how {
        Invitation::Pending => "pending",
        Invitation::Mail | Invitation::Later(_) => "invited",
        Invitation::ByApp => "by_app",
    };
    let added: Vec<(Uuid,)> = AddInvitations::with((
        tenant.uuid(),
        app.uuid(),
        now,
        people.iter().map(|one| one.resource.uuid()).collect::<Vec<_>>(),
        people
            .iter()
            .map(|one| one.person.map(PersonId::uuid))
            .collect::<Vec<_>>(),
        people.iter().map(state).collect::<Vec<_>>(),
        people.iter().map(|one| one.reason.as_str()).collect::<Vec<_>>(),
        people.iter().map(|one| &one.detail).collect::<Vec<_>>(),
    ))
    .get_results(conn)
    .await?;
    let added: HashSet<Uuid> = added.into_iter().map(|(id,)| id).collect();
    let (mut events, mut ids) = (Vec::new(), Vec::new());
    for one in people.iter().filter(|one| added.contains(&one.resource.uuid())) {
        let mut event = welcome(app, one, 1);
        match one.how {
            Invitation::Mail => {}
            Invitation::Later(at) => waits(&mut event, at),
            Invitation::Pending | Invitation::ByApp => continue,
        }
        ids.push(one.resource.uuid());
        events.push(event);
    }
    raise_all(conn, tenant, &events, now).await?;
    if !ids.is_empty() {
        LinkEvents::with((tenant.uuid(), app.uuid(), ids))
            .execute(conn)
            .await?;
    }
    Ok(())
}

statement!(
    InviteAgain: (SqlUuid, SqlUuid, Timestamptz, Text, Array<SqlUuid>, Array<Jsonb>) -> (SqlUuid, Integer) =
    "UPDATE invitation i SET state = 'invited', times = i.times + 1, invited_at = $3, invited_by = $4,
            reason = 'by hand', invitee = i.invitee || p.invitee
     FROM UNNEST($5::uuid[], $6::jsonb[]) AS p(resource_id, invitee)
     WHERE i.tenant_id = $1 AND i.app_id = $2 AND i.resource_id = p.resource_id AND i.state IN ('pending', 'invited')
     RETURNING i.resource_id, i.times"
);
statement!(
    InviteesOf: (SqlUuid, SqlUuid, Array<SqlUuid>) -> (SqlUuid, Jsonb) =
    "SELECT resource_id, invitee FROM invitation WHERE tenant_id = $1 AND app_id = $2 AND resource_id = ANY($3)"
);

/// Invites by hand people whose accounts in an app we created, again or for the first time, at once. `people` say what is
/// known of them now; what was known and is not said again (the link) stays. Returns who was invited: others have no
/// account that we created, or the app invites them.
///
/// # Errors
/// When the store refuses.
pub async fn invite_by_hand(
    conn: &mut Conn,
    (tenant, app): (TenantId, AppId),
    people: &[Invitee],
    (actor, now): (&str, DateTime<Utc>),
) -> Result<Vec<ResourceId>, Error> {
    if people.is_empty() {
        return Ok(Vec::new());
    }
    let done: Vec<(Uuid, i32)> = InviteAgain::with((
        tenant.uuid(),
        app.uuid(),
        now,
        actor,
        people.iter().map(|one| one.resource.uuid()).collect::<Vec<_>>(),
        people.iter().map(|one| &one.detail).collect::<Vec<_>>(),
    ))
    .get_results(conn)
    .await?;
    let ids: Vec<Uuid> = done.iter().map(|(id, _)| *id).collect();
    let kept: Vec<(Uuid, Value)> = InviteesOf::with((tenant.uuid(), app.uuid(), ids.clone()))
        .get_results(conn)
        .await?;
    let events: Vec<NewEvent> = done
        .iter()
        .filter_map(|(id, times)| {
            let one = people.iter().find(|one| one.resource.uuid() == *id)?;
            let (_, detail) = kept.iter().find(|(kept, _)| kept == id)?;
            let whole = Invitee {
                detail: detail.clone(),
                ..one.clone()
            };
            Some(welcome(app, &whole, *times))
        })
        .collect();
    // One that was not sent yet gives way.
    let earlier: Vec<String> = done
        .iter()
        .map(|(id, times)| format!("{app}/{id}/{}", times - 1))
        .collect();
    withdraw(conn, tenant, EventKind::Welcome, &earlier, now).await?;
    raise_all(conn, tenant, &events, now).await?;
    LinkEvents::with((tenant.uuid(), app.uuid(), ids.clone()))
        .execute(conn)
        .await?;
    Ok(ids.into_iter().map(ResourceId::from).collect())
}

/// An account that we created, and what became of its invitation.
#[derive(Debug, Clone)]
pub struct InvitationView {
    /// The app's name.
    pub app: String,
    /// The user.
    pub resource: ResourceId,
    /// `pending`, `invited` or `by_app`.
    pub state: String,
    /// Why so.
    pub reason: String,
    /// When the account was created.
    pub created_at: DateTime<Utc>,
    /// When the person was last invited.
    pub invited_at: Option<DateTime<Utc>>,
    /// By whom.
    pub invited_by: Option<String>,
    /// How often.
    pub times: i32,
    /// What became of the last mail: `waiting`, `sent`, `failed`, `unknown`, `unsent`; none before it is due.
    pub mail: Option<String>,
    /// What the mail server said.
    pub mail_detail: Option<String>,
}

/// Which invitations to list.
#[derive(Debug, Clone, Default)]
pub struct InvitationFilter {
    /// Of one app.
    pub app: Option<AppId>,
    /// In one state.
    pub state: Option<String>,
    /// Of one user.
    pub user: Option<ResourceId>,
    /// After this one.
    pub after: Option<(AppId, ResourceId)>,
}

statement!(
    ListInvitations: (SqlUuid, Nullable<SqlUuid>, Nullable<Text>, Nullable<SqlUuid>, Nullable<SqlUuid>, Nullable<SqlUuid>, BigInt) -> (SqlUuid, Text, SqlUuid, Text, Text, Timestamptz, Nullable<Timestamptz>, Nullable<Text>, Integer, Nullable<Text>, Nullable<Text>) =
    "SELECT i.app_id, a.name, i.resource_id, i.state, i.reason, i.created_at, i.invited_at, i.invited_by, i.times,
            m.state, m.detail
     FROM invitation i
     JOIN app a ON a.tenant_id = i.tenant_id AND a.id = i.app_id
     LEFT JOIN LATERAL (SELECT state, detail FROM message m
                        WHERE m.tenant_id = i.tenant_id AND m.event_id = i.event_id AND m.channel = 'mail'
                        ORDER BY m.id DESC LIMIT 1) m ON true
     WHERE i.tenant_id = $1 AND ($2 IS NULL OR i.app_id = $2) AND ($3 IS NULL OR i.state = $3)
       AND ($4 IS NULL OR i.resource_id = $4) AND ($5 IS NULL OR (i.app_id, i.resource_id) > ($5, $6))
     ORDER BY i.app_id, i.resource_id LIMIT $7"
);

/// Up to `limit` invitations, with the id of each one's app.
///
/// # Errors
/// When the store refuses.
pub async fn invitations(
    conn: &mut Conn,
    tenant: TenantId,
    filter: &InvitationFilter,
    limit: i64,
) -> Result<Vec<(AppId, InvitationView)>, Error> {
    type Row = (
        Uuid,
        String,
        Uuid,
        String,
        String,
        DateTime<Utc>,
        Option<DateTime<Utc>>,
        Option<String>,
        i32,
        Option<String>,
        Option<String>,
    );
    let rows: Vec<Row> = ListInvitations::with((
        tenant.uuid(),
        filter.app.map(AppId::uuid),
        filter.state.as_deref(),
        filter.user.map(ResourceId::uuid),
        filter.after.map(|(app, _)| app.uuid()),
        filter.after.map(|(_, resource)| resource.uuid()),
        limit,
    ))
    .get_results(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let (
                app,
                name,
                resource,
                state,
                reason,
                created_at,
                invited_at,
                invited_by,
                times,
                mail,
                mail_detail,
            ) = row;
            let view = InvitationView {
                app: name,
                resource: resource.into(),
                state,
                reason,
                created_at,
                invited_at,
                invited_by,
                times,
                mail,
                mail_detail: mail_detail.filter(|detail| !detail.is_empty()),
            };
            (app.into(), view)
        })
        .collect())
}

statement!(
    InviteOf: (SqlUuid,) -> (SqlUuid, Jsonb) =
    "SELECT c.id, r.body -> 'invite'
     FROM connection c
     JOIN setting_revision r ON r.tenant_id = c.tenant_id AND r.owner_id = c.id AND r.revision = c.live_revision
     WHERE c.tenant_id = $1 AND r.body -> 'invite' IS NOT NULL"
);

/// `[invite]` of the tenant's connections in force, as it stands in their files.
///
/// # Errors
/// When the store refuses.
pub async fn invites_of_connections(
    conn: &mut Conn,
    tenant: TenantId,
) -> Result<Vec<(ConnectionId, Value)>, Error> {
    let rows: Vec<(Uuid, Value)> = InviteOf::with((tenant.uuid(),)).get_results(conn).await?;
    Ok(rows.into_iter().map(|(id, invite)| (id.into(), invite)).collect())
}
