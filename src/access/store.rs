//! Tenants, clients and tokens in the database.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Error, Name, Profile, ProfileChange, Scope, Scopes};
use crate::audit;
use crate::base::{ClientId, ConnectionId, Secret, TenantId, TokenId, digest, random_token};
use crate::db::{Conn, QueryResult, Statement as _, violated_unique};

crate::statement!(
    AddTenant: (SqlUuid, Text, Timestamptz) -> () = "INSERT INTO tenant (id, name, created_at) VALUES ($1, $2, $3)"
);
crate::statement!(
    AddChain: (SqlUuid, Binary) -> () =
    "INSERT INTO change_chain (tenant_id, last_seq, digest) VALUES ($1, 0, $2) ON CONFLICT DO NOTHING"
);
crate::statement!(
    /// A page of tenants in the order of their making.
    Tenants: (SqlUuid, BigInt) -> (SqlUuid, Text, Timestamptz) =
    "SELECT id, name, created_at FROM tenant WHERE id > $1 ORDER BY id LIMIT $2"
);
crate::statement!(
    TenantByName: (Text) -> (SqlUuid, Text, Timestamptz) = "SELECT id, name, created_at FROM tenant WHERE name = $1"
);
crate::statement!(
    TenantById: (SqlUuid) -> (SqlUuid, Text, Timestamptz) = "SELECT id, name, created_at FROM tenant WHERE id = $1"
);
crate::statement!(
    /// The client of a name, made when missing; the empty update makes the row that is there come back.
    ClientFor: (SqlUuid, SqlUuid, Text, Timestamptz) -> (SqlUuid) =
    "INSERT INTO client (tenant_id, id, name, created_at) VALUES ($1, $2, $3, $4)
     ON CONFLICT (tenant_id, name) DO UPDATE SET name = excluded.name RETURNING id"
);
crate::statement!(
    /// The same, made as one that writes into a connection.
    ClientInto: (SqlUuid, SqlUuid, Text, Timestamptz, SqlUuid) -> (SqlUuid, Nullable<SqlUuid>) =
    "INSERT INTO client (tenant_id, id, name, created_at, connection_id) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (tenant_id, name) DO UPDATE SET name = excluded.name RETURNING id, connection_id"
);
crate::statement!(
    AddToken: (SqlUuid, Nullable<SqlUuid>, Nullable<SqlUuid>, Text, Binary, Array<Text>, Timestamptz, Nullable<Timestamptz>) -> () =
    "INSERT INTO token (id, tenant_id, client_id, name, hash, scopes, created_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
);
crate::statement!(
    /// A page of one tenant's tokens, or with a null tenant of the operator's.
    Tokens: (Nullable<SqlUuid>, SqlUuid, BigInt) ->
        (SqlUuid, Nullable<SqlUuid>, Nullable<SqlUuid>, Text, Array<Text>, Timestamptz, Nullable<Timestamptz>, Nullable<Timestamptz>, Nullable<Timestamptz>) =
    "SELECT id, tenant_id, client_id, name, scopes, created_at, expires_at, revoked_at, last_used_at FROM token
     WHERE tenant_id IS NOT DISTINCT FROM $1 AND id > $2 ORDER BY id LIMIT $3"
);
crate::statement!(
    /// Revokes a token of one tenant, or with a null tenant one of the operator's; tells every process.
    Revoke: (Nullable<SqlUuid>, SqlUuid, Timestamptz) -> (Bool, Text) =
    "UPDATE token SET revoked_at = coalesce(revoked_at, $3) WHERE tenant_id IS NOT DISTINCT FROM $1 AND id = $2
     RETURNING true, pg_notify('bridge_access', id::text)::text"
);
crate::statement!(
    TokenByHash: (Binary) ->
        (SqlUuid, Nullable<SqlUuid>, Nullable<SqlUuid>, Binary, Array<Text>, Nullable<Timestamptz>, Nullable<Timestamptz>, Nullable<Jsonb>, Nullable<SqlUuid>) =
    "SELECT t.id, t.tenant_id, t.client_id, t.hash, t.scopes, t.expires_at, t.revoked_at, c.profile, c.connection_id
     FROM token t LEFT JOIN client c ON c.tenant_id = t.tenant_id AND c.id = t.client_id WHERE t.hash = $1"
);
crate::statement!(
    TokenById: (SqlUuid) ->
        (SqlUuid, Nullable<SqlUuid>, Nullable<SqlUuid>, Binary, Array<Text>, Nullable<Timestamptz>, Nullable<Timestamptz>, Nullable<Jsonb>, Nullable<SqlUuid>) =
    "SELECT t.id, t.tenant_id, t.client_id, t.hash, t.scopes, t.expires_at, t.revoked_at, c.profile, c.connection_id
     FROM token t LEFT JOIN client c ON c.tenant_id = t.tenant_id AND c.id = t.client_id WHERE t.id = $1"
);
crate::statement!(
    /// A page of a tenant's clients in the order of their making.
    Clients: (SqlUuid, SqlUuid, BigInt) -> (SqlUuid, Text, Jsonb, Nullable<SqlUuid>, Timestamptz) =
    "SELECT id, name, profile, connection_id, created_at FROM client WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3"
);
crate::statement!(
    ClientByName: (SqlUuid, Text) -> (SqlUuid, Text, Jsonb, Nullable<SqlUuid>, Timestamptz) =
    "SELECT id, name, profile, connection_id, created_at FROM client WHERE tenant_id = $1 AND name = $2"
);
crate::statement!(
    ClientById: (SqlUuid, SqlUuid) -> (SqlUuid, Text, Jsonb, Nullable<SqlUuid>, Timestamptz) =
    "SELECT id, name, profile, connection_id, created_at FROM client WHERE tenant_id = $1 AND id = $2"
);
crate::statement!(
    /// Changes the fields of a profile that the change names; tells every process.
    ChangeProfile: (SqlUuid, SqlUuid, Jsonb) -> (Jsonb, Text) =
    "UPDATE client SET profile = jsonb_strip_nulls(profile || $3) WHERE tenant_id = $1 AND id = $2
     RETURNING profile, pg_notify('bridge_access', id::text)::text"
);
crate::statement!(
    /// Notes the last use of many tokens at once.
    NoteUse: (Array<SqlUuid>, Array<Timestamptz>) -> () =
    "UPDATE token SET last_used_at = used.at FROM UNNEST($1, $2) AS used (id, at)
     WHERE token.id = used.id AND (token.last_used_at IS NULL OR token.last_used_at < used.at)"
);

/// One customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its name.
    pub name: String,
    /// When it was made, UTC.
    pub created_at: DateTime<Utc>,
}

/// A SCIM client as such: its tokens change, it stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub id: ClientId,
}

/// A SCIM client as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientView {
    /// Its id.
    pub id: ClientId,
    /// Its name, unique in its tenant.
    pub name: String,
    /// Its settings.
    pub profile: Profile,
    /// The connection it writes into; none is the directory.
    pub connection: Option<ConnectionId>,
    /// When it was made, UTC.
    pub created_at: DateTime<Utc>,
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Whose it is; none is the operator.
    pub tenant: Option<TenantId>,
    /// Its name, which is also its client's.
    pub name: Name,
    /// What it opens; the operator's token opens what is the operator's.
    pub scopes: Scopes,
    /// When it ends, UTC.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A token as it is shown: never the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenView {
    /// Its id.
    pub id: TokenId,
    /// Whose it is; none is the operator.
    pub tenant: Option<TenantId>,
    /// The client that uses it.
    pub client: Option<ClientId>,
    /// Its name.
    pub name: String,
    /// What it opens.
    pub scopes: Scopes,
    /// When it was made, UTC.
    pub created_at: DateTime<Utc>,
    /// When it ends, UTC.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked, UTC.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, UTC, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// What the doorkeeper needs to know of a token.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub id: TokenId,
    pub tenant: Option<TenantId>,
    pub client: Option<ClientId>,
    pub hash: Vec<u8>,
    pub scopes: Scopes,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub profile: Profile,
    pub connection: Option<ConnectionId>,
}

type StoredRow = (
    Uuid,
    Option<Uuid>,
    Option<Uuid>,
    Vec<u8>,
    Vec<String>,
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
    Option<Value>,
    Option<Uuid>,
);

impl From<StoredRow> for Stored {
    fn from(
        (id, tenant, client, hash, scopes, expires_at, revoked_at, profile, connection): StoredRow,
    ) -> Self {
        Self {
            id: id.into(),
            tenant: tenant.map(Into::into),
            client: client.map(Into::into),
            hash,
            scopes: known(&scopes),
            expires_at,
            revoked_at,
            profile: profile.as_ref().map(Profile::stored).unwrap_or_default(),
            connection: connection.map(Into::into),
        }
    }
}

/// Scopes that a newer program wrote open nothing here.
fn known(names: &[String]) -> Scopes {
    names
        .iter()
        .filter_map(|name| name.parse::<Scope>().ok())
        .collect()
}

fn tenant((id, name, created_at): (Uuid, String, DateTime<Utc>)) -> Tenant {
    Tenant {
        id: id.into(),
        name,
        created_at,
    }
}

/// Makes a tenant and the empty chain of its changes. `actor` as in [`audit::note`].
///
/// # Errors
/// When the name is taken.
pub async fn create_tenant(
    conn: &mut Conn,
    name: &Name,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<Tenant, Error> {
    let id = TenantId::new();
    AddTenant::with((id.uuid(), name.as_ref(), now))
        .execute(conn)
        .await
        .map_err(|error| match violated_unique(&error) {
            Some(_) => Error::NameTaken,
            None => Error::Store(error),
        })?;
    AddChain::with((id.uuid(), digest(id.uuid().as_bytes())))
        .execute(conn)
        .await?;
    audit::note(
        conn,
        Some(id),
        now,
        actor,
        "tenant.create",
        &format!("tenant:{id}"),
        json!({}),
    )
    .await?;
    Ok(Tenant {
        id,
        name: name.to_string(),
        created_at: now,
    })
}

/// Up to `limit` tenants after `after`, in the order of their making.
///
/// # Errors
/// When the database fails.
pub async fn tenants(conn: &mut Conn, after: Option<TenantId>, limit: i64) -> QueryResult<Vec<Tenant>> {
    let after = after.map_or_else(Uuid::nil, TenantId::uuid);
    let rows: Vec<(Uuid, String, DateTime<Utc>)> = Tenants::with((after, limit)).load(conn).await?;
    Ok(rows.into_iter().map(tenant).collect())
}

/// The tenant of a name or an id.
///
/// # Errors
/// When there is none.
pub async fn find_tenant(conn: &mut Conn, which: &str) -> Result<Tenant, Error> {
    let mut rows: Vec<(Uuid, String, DateTime<Utc>)> = TenantByName::with((which,)).load(conn).await?;
    if rows.is_empty()
        && let Ok(id) = Uuid::try_parse(which)
    {
        rows = TenantById::with((id,)).load(conn).await?;
    }
    rows.pop().map(tenant).ok_or(Error::NoSuchTenant)
}

/// Whether a tenant exists.
///
/// # Errors
/// When the database fails.
pub async fn tenant_exists(conn: &mut Conn, id: TenantId) -> QueryResult<bool> {
    let rows: Vec<(Uuid, String, DateTime<Utc>)> = TenantById::with((id.uuid(),)).load(conn).await?;
    Ok(!rows.is_empty())
}

/// The client of that name, made when missing.
///
/// # Errors
/// When the database fails.
pub async fn client_for(
    conn: &mut Conn,
    tenant: TenantId,
    name: &str,
    now: DateTime<Utc>,
) -> QueryResult<Client> {
    let (id,): (Uuid,) = ClientFor::with((tenant.uuid(), ClientId::new().uuid(), name, now))
        .get_result(conn)
        .await?;
    Ok(Client { id: id.into() })
}

/// The client of that name as one that writes into a connection, made when missing. It stays that for ever: what it
/// wrote, and what it calls it, lies there.
///
/// # Errors
/// [`Error::OtherRoad`], or when the database fails.
pub async fn client_into(
    conn: &mut Conn,
    tenant: TenantId,
    name: &Name,
    connection: ConnectionId,
    now: DateTime<Utc>,
) -> Result<Client, Error> {
    let client = ClientId::new().uuid();
    let (id, road): (Uuid, Option<Uuid>) =
        ClientInto::with((tenant.uuid(), client, name.as_ref(), now, connection.uuid()))
            .get_result(conn)
            .await?;
    if road == Some(connection.uuid()) {
        Ok(Client { id: id.into() })
    } else {
        Err(Error::OtherRoad)
    }
}

type ClientRow = (Uuid, String, Value, Option<Uuid>, DateTime<Utc>);

fn client_view((id, name, profile, connection, created_at): ClientRow) -> ClientView {
    ClientView {
        id: id.into(),
        name,
        profile: Profile::stored(&profile),
        connection: connection.map(Into::into),
        created_at,
    }
}

/// Up to `limit` clients of a tenant after `after`, in the order of their making.
///
/// # Errors
/// When the database fails.
pub async fn clients(
    conn: &mut Conn,
    tenant: TenantId,
    after: Option<ClientId>,
    limit: i64,
) -> QueryResult<Vec<ClientView>> {
    let after = after.map_or_else(Uuid::nil, ClientId::uuid);
    let rows: Vec<ClientRow> = Clients::with((tenant.uuid(), after, limit)).load(conn).await?;
    Ok(rows.into_iter().map(client_view).collect())
}

/// The tenant's client of a name or an id.
///
/// # Errors
/// When there is none.
pub async fn find_client(conn: &mut Conn, tenant: TenantId, which: &str) -> Result<ClientView, Error> {
    let mut rows: Vec<ClientRow> = ClientByName::with((tenant.uuid(), which)).load(conn).await?;
    if rows.is_empty()
        && let Ok(id) = Uuid::try_parse(which)
    {
        rows = ClientById::with((tenant.uuid(), id)).load(conn).await?;
    }
    rows.pop().map(client_view).ok_or(Error::NoSuchClient)
}

/// Changes a client's settings, in every process within a moment of the commit; returns them as they are now.
///
/// # Errors
/// When that tenant has no such client.
pub async fn change_profile(
    conn: &mut Conn,
    tenant: TenantId,
    id: ClientId,
    change: &ProfileChange,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<Profile, Error> {
    let changed: Vec<(Value, String)> = ChangeProfile::with((tenant.uuid(), id.uuid(), change.as_json()))
        .load(conn)
        .await?;
    let (profile, _) = changed.into_iter().next().ok_or(Error::NoSuchClient)?;
    let detail = json!({ "profile": change.as_json() });
    audit::note(
        conn,
        Some(tenant),
        now,
        actor,
        "client.change",
        &format!("client:{id}"),
        detail,
    )
    .await?;
    Ok(Profile::stored(&profile))
}

/// Makes a token and returns it, the only time it is seen.
///
/// # Errors
/// When the tenant does not exist, or its token would open nothing.
pub async fn create_token(
    conn: &mut Conn,
    new: &NewToken,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(TokenView, Secret), Error> {
    let client = match new.tenant {
        None => None,
        Some(_) if new.scopes.is_empty() => return Err(Error::NoScope),
        Some(tenant) if !tenant_exists(conn, tenant).await? => return Err(Error::NoSuchTenant),
        Some(tenant) => Some(client_for(conn, tenant, new.name.as_ref(), now).await?.id),
    };
    let id = TokenId::new();
    let prefix = if new.tenant.is_some() { "sb_" } else { "sbo_" };
    let secret = format!("{prefix}{}", random_token());
    AddToken::with((
        id.uuid(),
        new.tenant.map(TenantId::uuid),
        client.map(ClientId::uuid),
        new.name.as_ref(),
        digest(secret.as_bytes()),
        new.scopes.names(),
        now,
        new.expires_at,
    ))
    .execute(conn)
    .await?;
    let detail = json!({ "scopes": new.scopes.names(), "expires_at": new.expires_at });
    audit::note(
        conn,
        new.tenant,
        now,
        actor,
        "token.create",
        &format!("token:{id}"),
        detail,
    )
    .await?;
    let view = TokenView {
        id,
        tenant: new.tenant,
        client,
        name: new.name.to_string(),
        scopes: new.scopes,
        created_at: now,
        expires_at: new.expires_at,
        revoked_at: None,
        last_used_at: None,
    };
    Ok((view, Secret::new(secret)))
}

type ViewRow = (
    Uuid,
    Option<Uuid>,
    Option<Uuid>,
    String,
    Vec<String>,
    DateTime<Utc>,
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
);

fn view(row: ViewRow) -> TokenView {
    let (id, tenant, client, name, scopes, created_at, expires_at, revoked_at, last_used_at) = row;
    TokenView {
        id: id.into(),
        tenant: tenant.map(Into::into),
        client: client.map(Into::into),
        name,
        scopes: known(&scopes),
        created_at,
        expires_at,
        revoked_at,
        last_used_at,
    }
}

/// Up to `limit` tokens of a tenant (none: of the operator) after `after`, in the order of their making.
///
/// # Errors
/// When the database fails.
pub async fn tokens(
    conn: &mut Conn,
    tenant: Option<TenantId>,
    after: Option<TokenId>,
    limit: i64,
) -> QueryResult<Vec<TokenView>> {
    let after = after.map_or_else(Uuid::nil, TokenId::uuid);
    let rows: Vec<ViewRow> = Tokens::with((tenant.map(TenantId::uuid), after, limit))
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(view).collect())
}

/// Revokes a token of a tenant (none: of the operator), in every process within a moment of the commit.
///
/// # Errors
/// When that tenant has no such token.
pub async fn revoke_token(
    conn: &mut Conn,
    tenant: Option<TenantId>,
    id: TokenId,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let revoked: Vec<(bool, String)> = Revoke::with((tenant.map(TenantId::uuid), id.uuid(), now))
        .load(conn)
        .await?;
    if revoked.is_empty() {
        return Err(Error::NoSuchToken);
    }
    audit::note(
        conn,
        tenant,
        now,
        actor,
        "token.revoke",
        &format!("token:{id}"),
        json!({}),
    )
    .await?;
    Ok(())
}

/// Revokes a token, whoever it belongs to: for whoever sits at the database.
///
/// # Errors
/// When there is no such token.
pub async fn revoke_any_token(
    conn: &mut Conn,
    id: TokenId,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let stored = by_id(conn, id).await?.ok_or(Error::NoSuchToken)?;
    revoke_token(conn, stored.tenant, id, actor, now).await
}

pub(super) async fn by_hash(conn: &mut Conn, hash: &[u8]) -> QueryResult<Option<Stored>> {
    let rows: Vec<StoredRow> = TokenByHash::with((hash,)).load(conn).await?;
    Ok(rows.into_iter().next().map(Into::into))
}

pub(super) async fn by_id(conn: &mut Conn, id: TokenId) -> QueryResult<Option<Stored>> {
    let rows: Vec<StoredRow> = TokenById::with((id.uuid(),)).load(conn).await?;
    Ok(rows.into_iter().next().map(Into::into))
}

pub(super) async fn note_use(conn: &mut Conn, used: &[(TokenId, DateTime<Utc>)]) -> QueryResult<()> {
    let ids: Vec<Uuid> = used.iter().map(|(id, _)| id.uuid()).collect();
    let times: Vec<DateTime<Utc>> = used.iter().map(|(_, at)| *at).collect();
    NoteUse::with((ids, times)).execute(conn).await?;
    Ok(())
}
