//! One address of the database, read once, connected to often.

use std::str::FromStr as _;

use diesel::ConnectionResult;
use diesel::result::ConnectionError;
use diesel_async::AsyncPgConnection;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Error;
use super::tls::{self, Check};

/// An address: hosts, user, database, TLS.
pub struct Target {
    config: tokio_postgres::Config,
    tls: Option<MakeRustlsConnect>,
    home: Option<tokio::runtime::Handle>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Target({:?})", self.config.get_hosts())
    }
}

impl Target {
    /// Reads an address: a URL or libpq's `key=value` form; several hosts are tried in turn. `sslmode` has libpq's
    /// meanings: `require` and `prefer` encrypt without checking the certificate, `verify-ca` checks its issuer,
    /// `verify-full` also the host name. `sslrootcert` names a PEM file; without it the machine's own roots are used.
    ///
    /// # Errors
    /// When the address, or the file it names, cannot be read.
    pub fn parse(url: &str) -> Result<Self, Error> {
        let (url, mode, roots) = without_tls_words(url)?;
        let mut config = tokio_postgres::Config::from_str(&url).map_err(|source| Error::Address {
            reason: std::error::Error::source(&source)
                .map_or_else(|| source.to_string(), ToString::to_string),
        })?;
        config.application_name("scim-bridge");
        // A listening connection must notice within minutes that the other end is gone.
        config.keepalives_idle(std::time::Duration::from_secs(60));
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(std::time::Duration::from_secs(10));
        }
        let check = match mode.as_deref() {
            Some("disable") => None,
            None | Some("prefer" | "allow") => Some(Check::Nothing),
            Some("require") if roots.is_some() => Some(Check::Issuer),
            Some("require") => Some(Check::Nothing),
            Some("verify-ca") => Some(Check::Issuer),
            Some("verify-full") => Some(Check::IssuerAndName),
            Some(_) => {
                return Err(Error::Address {
                    reason: "sslmode is one of disable, prefer, require, verify-ca, verify-full".to_owned(),
                });
            }
        };
        config.ssl_mode(match mode.as_deref() {
            Some("disable") => tokio_postgres::config::SslMode::Disable,
            None | Some("prefer" | "allow") => tokio_postgres::config::SslMode::Prefer,
            Some(_) => tokio_postgres::config::SslMode::Require,
        });
        Ok(Self {
            config,
            tls: check
                .map(|check| tls::connector(check, roots.as_deref()))
                .transpose()?,
            home: tokio::runtime::Handle::try_current().ok(),
        })
    }

    /// Connects. The connection is driven by the runtime on which the address was read, so that it outlives the
    /// worker thread that happened to ask for it.
    ///
    /// # Errors
    /// When no host of the address answers, or none accepts us.
    pub async fn connect(&self) -> ConnectionResult<AsyncPgConnection> {
        let (config, tls) = (self.config.clone(), self.tls.clone());
        let connecting = async move {
            match tls {
                Some(tls) => {
                    let (client, connection) = config.connect(tls).await.map_err(refused)?;
                    AsyncPgConnection::try_from_client_and_connection(client, connection).await
                }
                None => {
                    let (client, connection) =
                        config.connect(tokio_postgres::NoTls).await.map_err(refused)?;
                    AsyncPgConnection::try_from_client_and_connection(client, connection).await
                }
            }
        };
        match &self.home {
            Some(home) => home
                .spawn(connecting)
                .await
                .map_err(|source| ConnectionError::BadConnection(source.to_string()))?,
            None => connecting.await,
        }
    }
}

fn refused(error: tokio_postgres::Error) -> ConnectionError {
    ConnectionError::BadConnection(crate::base::Chain(&error).to_string())
}

/// The address without `sslmode` and `sslrootcert`, and these two.
fn without_tls_words(url: &str) -> Result<(String, Option<String>, Option<String>), Error> {
    let (mut mode, mut roots) = (None, None);
    let mut keep = |part: &&str| match part.split_once('=') {
        Some(("sslmode", value)) => {
            mode = Some(value.to_owned());
            false
        }
        Some(("sslrootcert", value)) => {
            roots = Some(value.to_owned());
            false
        }
        _ => true,
    };
    let rest = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        match url.split_once('?') {
            None => url.to_owned(),
            Some((base, query)) => {
                let kept: Vec<&str> = query.split('&').filter(|part| keep(part)).collect();
                if kept.is_empty() {
                    base.to_owned()
                } else {
                    format!("{base}?{}", kept.join("&"))
                }
            }
        }
    } else if url.contains('=') {
        url.split_whitespace()
            .filter(|part| keep(part))
            .collect::<Vec<_>>()
            .join(" ")
    } else {
        return Err(Error::Address {
            reason: "it starts with postgres:// or is a list of key=value".to_owned(),
        });
    };
    let roots = roots
        .map(|path: String| {
            percent_decoded(&path).ok_or_else(|| Error::Address {
                reason: "sslrootcert is not percent-encoded UTF-8".to_owned(),
            })
        })
        .transpose()?;
    Ok((rest, mode, roots))
}

fn percent_decoded(text: &str) -> Option<String> {
    let pair = format!("a={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_words_are_taken_out_of_both_forms_of_address() {
        let (url, mode, roots) = without_tls_words(
            "postgres://u@a:1,b:2/d?sslmode=verify-full&connect_timeout=3&sslrootcert=%2Fx%2Fca.pem",
        )
        .unwrap();
        assert_eq!(url, "postgres://u@a:1,b:2/d?connect_timeout=3");
        assert_eq!(
            (mode.as_deref(), roots.as_deref()),
            (Some("verify-full"), Some("/x/ca.pem"))
        );
        let (url, mode, roots) = without_tls_words("host=/tmp/x sslmode=disable user=u").unwrap();
        assert_eq!(url, "host=/tmp/x user=u");
        assert_eq!((mode.as_deref(), roots), (Some("disable"), None));
        assert!(without_tls_words("localhost").is_err());
        assert!(Target::parse("postgres://a/b?sslmode=full").is_err());
        assert_eq!(
            Target::parse("postgres://a,b/c")
                .unwrap()
                .config
                .get_hosts()
                .len(),
            2
        );
    }
}
