//! Who is told: the tables `recipient` and `notice_setting`, and `[notify]` of the connections in force.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types::{Array, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use serde_json::Value;
use uuid::Uuid;

use super::super::notify::wait;
use super::super::{Error, EventKind, Language, Notify, is_address};
use crate::base::{AppId, ConnectionId, TenantId};
use crate::db::{Conn, QueryResult, Statement as _};
use crate::statement;

/// So many deactivations by one run are told one by one, when the tenant says nothing else.
const DIGEST_ABOVE: i32 = 20;

/// How a tenant wants to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wishes {
    /// For whoever has no language of their own.
    pub language: Language,
    /// So many people deactivated by one run are told one by one; of more, one mail tells.
    pub digest_above: i32,
    /// After so long (`4h`, `2d`) a plan that still waits is told again, where the connection or the app says nothing.
    pub escalate_after: Option<String>,
    /// To whom; without anybody, to the same people.
    pub escalate_to: Vec<String>,
}

impl Wishes {
    /// What cannot be used, in words.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        if !(0..=500).contains(&self.digest_above) {
            return Some("digest_above is 0 to 500".to_owned());
        }
        if self.escalate_after.is_some() && self.escalation().is_none() {
            return Some("escalate_after is a number with m, h or d, such as 4h; 30d at most".to_owned());
        }
        let wrong = self.escalate_to.iter().position(|to| !is_address(to));
        wrong.map(|place| format!("escalate_to[{place}] is no mail address"))
    }

    /// After how long a plan that waits is told again.
    pub(in crate::notice) fn escalation(&self) -> Option<TimeDelta> {
        self.escalate_after.as_deref().and_then(wait)
    }
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            language: Language::default(),
            digest_above: DIGEST_ABOVE,
            escalate_after: None,
            escalate_to: Vec::new(),
        }
    }
}

/// An admin who is told by mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Its id.
    pub id: Uuid,
    /// The address.
    pub address: String,
    /// In this language; else in the tenant's.
    pub language: Option<Language>,
    /// Told of these; empty: of everything.
    pub events: Vec<EventKind>,
    /// Told only of these legal entities; empty: of all, and of what belongs to none.
    pub entities: Vec<String>,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// All who may be told in one tenant.
#[derive(Debug, Clone, Default)]
pub(in crate::notice) struct Audience {
    pub wishes: Wishes,
    pub recipients: Vec<Recipient>,
    pub connections: HashMap<ConnectionId, Notify>,
    pub apps: HashMap<AppId, AppAudience>,
}

/// Who may be told of an app.
#[derive(Debug, Clone)]
pub(in crate::notice) struct AppAudience {
    pub notify: Option<Notify>,
    /// The legal entity to which it is bound.
    pub entity: Option<String>,
}

type RecipientRow = (
    Uuid,
    Uuid,
    String,
    Option<String>,
    Vec<String>,
    Vec<String>,
    DateTime<Utc>,
);

fn read((_, id, address, language, events, entities, created_at): RecipientRow) -> Recipient {
    Recipient {
        id,
        address,
        language: language.as_deref().and_then(Language::of),
        events: events.iter().filter_map(|word| EventKind::of(word)).collect(),
        entities,
        created_at,
    }
}

type WishesRow = (Uuid, String, i32, Option<String>, Vec<String>);
type AppRow = (Uuid, Uuid, Option<Value>, Option<String>);

fn read_wishes((_, language, digest_above, escalate_after, escalate_to): WishesRow) -> Wishes {
    Wishes {
        language: Language::of(&language).unwrap_or_default(),
        digest_above,
        escalate_after,
        escalate_to,
    }
}

statement!(
    RecipientsOf: (Array<SqlUuid>) -> (SqlUuid, SqlUuid, Text, Nullable<Text>, Array<Text>, Array<Text>, Timestamptz) =
    "SELECT tenant_id, id, address, language, events, entities, created_at FROM recipient
     WHERE tenant_id = ANY($1) ORDER BY tenant_id, address"
);
statement!(
    WishesOf: (Array<SqlUuid>) -> (SqlUuid, Text, Integer, Nullable<Text>, Array<Text>) =
    "SELECT tenant_id, language, digest_above, escalate_after, escalate_to FROM notice_setting WHERE tenant_id = ANY($1)"
);
statement!(
    AppsOf: (Array<SqlUuid>) -> (SqlUuid, SqlUuid, Nullable<Jsonb>, Nullable<Text>) =
    "SELECT a.tenant_id, a.id, r.body -> 'notify', r.body ->> 'entity'
     FROM app a
     JOIN setting_revision r ON r.tenant_id = a.tenant_id AND r.owner_id = a.id AND r.revision = a.live_revision
     WHERE a.tenant_id = ANY($1) AND (r.body -> 'notify' IS NOT NULL OR r.body ->> 'entity' IS NOT NULL)"
);
statement!(
    NotifyOf: (Array<SqlUuid>) -> (SqlUuid, SqlUuid, Jsonb) =
    "SELECT c.tenant_id, c.id, r.body -> 'notify'
     FROM connection c
     JOIN setting_revision r ON r.tenant_id = c.tenant_id AND r.owner_id = c.id AND r.revision = c.live_revision
     WHERE c.tenant_id = ANY($1) AND r.body -> 'notify' IS NOT NULL"
);

/// All who may be told in these tenants.
pub(in crate::notice) async fn audiences(
    conn: &mut Conn,
    tenants: &[Uuid],
) -> QueryResult<HashMap<TenantId, Audience>> {
    let mut found: HashMap<TenantId, Audience> = tenants
        .iter()
        .map(|tenant| (TenantId::from(*tenant), Audience::default()))
        .collect();
    let rows: Vec<RecipientRow> = RecipientsOf::with((tenants.to_vec(),)).load(conn).await?;
    for row in rows {
        if let Some(audience) = found.get_mut(&TenantId::from(row.0)) {
            audience.recipients.push(read(row));
        }
    }
    let rows: Vec<WishesRow> = WishesOf::with((tenants.to_vec(),)).load(conn).await?;
    for row in rows {
        if let Some(audience) = found.get_mut(&TenantId::from(row.0)) {
            audience.wishes = read_wishes(row);
        }
    }
    let rows: Vec<AppRow> = AppsOf::with((tenants.to_vec(),)).load(conn).await?;
    for (tenant, app, notify, entity) in rows {
        if let Some(audience) = found.get_mut(&TenantId::from(tenant)) {
            // It was checked when it was saved.
            let notify = notify.and_then(|notify| serde_json::from_value(notify).ok());
            audience.apps.insert(app.into(), AppAudience { notify, entity });
        }
    }
    let rows: Vec<(Uuid, Uuid, Value)> = NotifyOf::with((tenants.to_vec(),)).load(conn).await?;
    for (tenant, connection, notify) in rows {
        // It was checked when it was saved.
        if let (Some(audience), Ok(notify)) = (
            found.get_mut(&TenantId::from(tenant)),
            serde_json::from_value(notify),
        ) {
            audience.connections.insert(connection.into(), notify);
        }
    }
    Ok(found)
}

/// A tenant's recipients, by address.
///
/// # Errors
/// When the store refuses.
pub async fn recipients(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Recipient>, Error> {
    let rows: Vec<RecipientRow> = RecipientsOf::with((vec![tenant.uuid()],)).load(conn).await?;
    Ok(rows.into_iter().map(read).collect())
}

statement!(
    SetRecipient: (SqlUuid, SqlUuid, Text, Nullable<Text>, Array<Text>, Array<Text>, Timestamptz, Text) -> (SqlUuid, Timestamptz) =
    "INSERT INTO recipient (tenant_id, id, address, language, events, entities, created_at, created_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (tenant_id, address) DO UPDATE SET language = $4, events = $5, entities = $6
     RETURNING id, created_at"
);

/// Adds a recipient, or changes the one of that address. The address was checked.
///
/// # Errors
/// When the store refuses.
pub async fn set_recipient(
    conn: &mut Conn,
    tenant: TenantId,
    mut recipient: Recipient,
    actor: &str,
) -> Result<Recipient, Error> {
    let events: Vec<&str> = recipient.events.iter().map(|kind| kind.as_str()).collect();
    (recipient.id, recipient.created_at) = SetRecipient::with((
        tenant.uuid(),
        recipient.id,
        recipient.address.as_str(),
        recipient.language.map(Language::code),
        events,
        recipient.entities.clone(),
        recipient.created_at,
        actor,
    ))
    .get_result(conn)
    .await?;
    Ok(recipient)
}

statement!(
    DropRecipient: (SqlUuid, SqlUuid) -> () = "DELETE FROM recipient WHERE tenant_id = $1 AND id = $2"
);

/// Takes a recipient away. Whether there was one.
///
/// # Errors
/// When the store refuses.
pub async fn drop_recipient(conn: &mut Conn, tenant: TenantId, id: Uuid) -> Result<bool, Error> {
    let gone = DropRecipient::with((tenant.uuid(), id)).execute(conn).await?;
    Ok(gone > 0)
}

/// How a tenant wants to be told.
///
/// # Errors
/// When the store refuses.
pub async fn wishes(conn: &mut Conn, tenant: TenantId) -> Result<Wishes, Error> {
    let rows: Vec<WishesRow> = WishesOf::with((vec![tenant.uuid()],)).load(conn).await?;
    Ok(rows.into_iter().next().map(read_wishes).unwrap_or_default())
}

statement!(
    SetWishes: (SqlUuid, Text, Integer, Nullable<Text>, Array<Text>) -> () =
    "INSERT INTO notice_setting (tenant_id, language, digest_above, escalate_after, escalate_to) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (tenant_id) DO UPDATE SET language = $2, digest_above = $3, escalate_after = $4, escalate_to = $5"
);

/// Changes how a tenant wants to be told. It was checked: see [`Wishes::problem`].
///
/// # Errors
/// When the store refuses.
pub async fn set_wishes(conn: &mut Conn, tenant: TenantId, wishes: &Wishes) -> Result<(), Error> {
    SetWishes::with((
        tenant.uuid(),
        wishes.language.code(),
        wishes.digest_above,
        wishes.escalate_after.as_deref(),
        wishes.escalate_to.clone(),
    ))
    .execute(conn)
    .await?;
    Ok(())
}
