//! `token`: on the database itself.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Error, Exit, Output};
use crate::access::{self, NewToken, Scope, Scopes, TokenView};
use crate::app::Database;
use crate::base::{TenantId, TokenId};
use crate::config::Config;
use crate::db;
use crate::db::embedded::Role;
use crate::db::{Conn, Transactional as _};
use crate::sync;

/// The most tokens that are listed.
const LISTED: i64 = 100_000;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a token and print it, alone, the only time it is seen
    Create(Create),
    /// List tokens, without their secrets
    List {
        /// Whose tokens: a tenant's name or id; without it the operator's
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Revoke a token, at once
    Revoke {
        /// Its id
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// Whose it is: a tenant's name or id
    #[arg(long, required_unless_present = "operator", requires = "scope")]
    tenant: Option<String>,
    /// A token of the operator, who creates tenants and tokens over HTTP and sees no people
    #[arg(long, conflicts_with_all = ["tenant", "scope"])]
    operator: bool,
    /// Its name, which is also the name of the client that uses it
    #[arg(long, required_unless_present = "operator")]
    name: Option<String>,
    /// What it opens: scim:read, scim:write, provisioning:read, admin, sensitive:read
    #[arg(long, value_delimiter = ',')]
    scope: Vec<Scope>,
    /// For how long: a number and m, h or d, such as 90d; for ever without it
    #[arg(long)]
    expires_in: Option<String>,
    /// The connection (with connector scim) that the client writes into; without it the directory
    #[arg(long, conflicts_with = "operator")]
    connection: Option<String>,
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let config = Config::from_env()?;
    let database = Database::open(&config, Role::Command).await?;
    let done = on(&database, &config, command, output).await;
    database.close().await;
    done.map(|()| Exit::Done)
}

async fn on(database: &Database, config: &Config, command: Command, output: Output) -> Result<(), Error> {
    let now = config.clock()?.now();
    let mut conn = database.db.conn().await?;
    match command {
        Command::Create(order) => create(&mut conn, &order, now, output).await,
        Command::List { tenant } => {
            let tenant = tenant_named(&mut conn, tenant.as_deref()).await?;
            let tokens = access::tokens(&mut conn, tenant, None, LISTED)
                .await
                .map_err(db::Error::from)?;
            let items: Vec<Value> = tokens.iter().map(as_json).collect();
            let rows: Vec<Vec<String>> = tokens.iter().map(|token| as_row(token, now)).collect();
            let head = ["id", "state", "expires", "last used", "scopes", "name"];
            output.table(&json!({ "items": items }), &head, &rows)
        }
        Command::Revoke { id } => {
            let id: TokenId = id.parse().map_err(|_| access::Error::NoSuchToken)?;
            conn.transaction(async |conn| access::revoke_any_token(conn, id, "cli", now).await)
                .await?;
            output.show(&json!({ "id": id, "revoked": true }), || format!("Revoked {id}."))
        }
    }
}

async fn create(conn: &mut Conn, order: &Create, now: DateTime<Utc>, output: Output) -> Result<(), Error> {
    let tenant = tenant_named(conn, order.tenant.as_deref()).await?;
    let expires_at = order
        .expires_in
        .as_deref()
        .map(|text| access::end_of(text, now))
        .transpose()?;
    let new = NewToken {
        tenant,
        name: order.name.as_deref().unwrap_or("operator").parse()?,
        scopes: order.scope.iter().copied().collect::<Scopes>(),
        expires_at,
    };
    let road = match (&order.connection, tenant) {
        (Some(name), Some(tenant)) => Some((tenant, sync::inbound_connection(conn, tenant, name).await?)),
        _ => None,
    };
    let (view, secret) = conn
        .transaction(async |conn| {
            if let Some((tenant, connection)) = road {
                access::client_into(conn, tenant, &new.name, connection, now).await?;
            }
            access::create_token(conn, &new, "cli", now).await
        })
        .await?;
    let mut shown = as_json(&view);
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("token".to_owned(), Value::from(secret.expose()));
    }
    output.show(&shown, || secret.expose().to_owned())
}

async fn tenant_named(conn: &mut Conn, which: Option<&str>) -> Result<Option<TenantId>, Error> {
    Ok(match which {
        Some(which) => Some(access::find_tenant(conn, which).await?.id),
        None => None,
    })
}

fn as_json(token: &TokenView) -> Value {
    json!({
        "id": token.id,
        "client": token.client,
        "name": token.name,
        "scopes": token.scopes.names(),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "last_used_at": token.last_used_at,
    })
}

fn as_row(token: &TokenView, now: DateTime<Utc>) -> Vec<String> {
    let day = |at: Option<DateTime<Utc>>| {
        at.map_or_else(|| "-".to_owned(), |at| at.format("%Y-%m-%d %H:%M").to_string())
    };
    let state = match (token.revoked_at, token.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(end)) if end <= now => "ended",
        _ => "good",
    };
    let scopes = if token.tenant.is_none() {
        "operator".to_owned()
    } else {
        token.scopes.names().join(",")
    };
    vec![
        token.id.to_string(),
        state.to_owned(),
        day(token.expires_at),
        day(token.last_used_at),
        scopes,
        token.name.clone(),
    ]
}
