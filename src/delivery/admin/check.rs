//! Whether an app answers as it should, before anything is pushed. Only GETs.

use std::time::Instant;

use serde_json::Value;

use super::super::client::Client;
use super::super::send::resources;
use crate::base::{ResourceId, Secret, TenantId};
use crate::db::Conn;
use crate::delivery::{Error, LEASE_TIME};
use crate::directory::Directory;
use crate::net::{Method, Net};
use crate::provision::{Dialect, Ending, Settings};

/// One thing that was tried.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// Whether it went well.
    pub ok: bool,
    /// What was found, or the app's words.
    pub message: String,
}

/// Tries an app: what it says of itself, its users and, if groups are pushed, its groups.
///
/// # Errors
/// When the address cannot be used at all.
pub async fn check(net: &Net, settings: &Settings, token: Option<Secret>) -> Result<Vec<Check>, Error> {
    let dialect = Dialect::named(&settings.dialect).ok_or(Error::Address)?;
    let until = Instant::now() + LEASE_TIME;
    let client = Client::new(net, &settings.base_url, token, dialect, &settings.pace, until)?;
    let mut found = Vec::new();
    if dialect.discovery {
        found.push(
            try_get(&client, "ServiceProviderConfig", &[], |answer| {
                let patch = answer
                    .get("patch")
                    .and_then(|patch| patch.get("supported"))
                    .and_then(Value::as_bool);
                match patch {
                    Some(false) => "no PATCH: whole resources are PUT".to_owned(),
                    _ => "PATCH is supported".to_owned(),
                }
            })
            .await,
        );
    }
    let one = [("count", "1")];
    let is_list = |answer: &Value| {
        let total = answer.get("totalResults").and_then(Value::as_u64);
        let seen = resources(Some(answer.clone())).len();
        total.map_or_else(
            || format!("{seen} on the first page"),
            |total| format!("{total} in all"),
        )
    };
    found.push(try_get(&client, "Users", &one, is_list).await);
    if settings.groups.push {
        found.push(try_get(&client, "Groups", &one, is_list).await);
    }
    Ok(found)
}

async fn try_get(
    client: &Client,
    path: &'static str,
    query: &[(&str, &str)],
    read: impl Fn(&Value) -> String,
) -> Check {
    let (ok, message) = match client.call(Method::GET, &[path], query, None).await {
        None => (false, "not asked: the app asked for quiet".to_owned()),
        Some(ended) => match (ended.ending, ended.json()) {
            (Ending::Answer(200..=299, _), Some(answer)) => (true, read(&answer)),
            (Ending::Answer(200..=299, _), None) => (false, "the answer is not JSON".to_owned()),
            _ => (false, ended.words),
        },
    };
    Check {
        name: path,
        ok,
        message,
    }
}

/// Whether the tenant has this user or group.
///
/// # Errors
/// When the store refuses.
pub async fn is_there(
    conn: &mut Conn,
    directory: &Directory,
    tenant: TenantId,
    id: ResourceId,
) -> Result<bool, Error> {
    Ok(directory.load(conn, tenant, &[id]).await?.contains_key(&id))
}
