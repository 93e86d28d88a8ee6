//! The operator's OAuth clients at vendors, for all tenants.

use chrono::{DateTime, Utc};

use super::store::{self, SealedClient};
use crate::base::{Sealer, Secret};
use crate::db::Conn;
use crate::sync::Error;

/// The operator's OAuth client at a vendor.
#[derive(Debug, Clone)]
pub struct OAuthClient {
    /// Its id.
    pub id: String,
    /// Its secret; a public client has none.
    pub secret: Option<Secret>,
    /// Only connections with this `base_url` use it; without one, only those without one. Else whoever may write a
    /// connection's file could have the secret sent anywhere.
    pub base_url: Option<String>,
}

fn about(connector: &str) -> String {
    format!("oauth_client:{connector}")
}

/// Keeps the operator's client at the vendor of a connector, in place of the one before.
///
/// # Errors
/// When the store refuses.
pub async fn keep_oauth_client(
    conn: &mut Conn,
    sealer: &Sealer,
    connector: &str,
    client: &OAuthClient,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let secret = client.secret.as_ref();
    let sealed = SealedClient {
        id: client.id.clone(),
        sealed: secret
            .map(|secret| sealer.seal(&about(connector), secret.expose().as_bytes()))
            .transpose()?,
        base_url: client.base_url.clone(),
    };
    store::keep_client(conn, connector, &sealed, now).await?;
    Ok(())
}

/// The operator's client at the vendor of a connector.
///
/// # Errors
/// When the store refuses or the secret cannot be opened.
pub async fn oauth_client(
    conn: &mut Conn,
    sealer: &Sealer,
    connector: &str,
) -> Result<Option<OAuthClient>, Error> {
    let Some(kept) = store::client(conn, connector).await? else {
        return Ok(None);
    };
    let secret = kept
        .sealed
        .map(|sealed| sealer.open(&about(connector), &sealed))
        .transpose()?
        .map(|text| Secret::new(String::from_utf8_lossy(&text).into_owned()));
    Ok(Some(OAuthClient {
        id: kept.id,
        secret,
        base_url: kept.base_url,
    }))
}

/// Removes the operator's client at the vendor of a connector.
///
/// # Errors
/// When the store refuses.
pub async fn remove_oauth_client(conn: &mut Conn, connector: &str) -> Result<(), Error> {
    store::remove_client(conn, connector).await?;
    Ok(())
}
