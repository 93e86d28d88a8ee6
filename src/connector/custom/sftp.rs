//! The file of a connection that fetches it over SFTP.

use bytes::Bytes;

use crate::connector::{Error, Settings};
use crate::net::{Net, SftpFile};

/// Fetches the file that the settings name.
pub(super) async fn fetch(settings: &Settings, net: &Net, cap: usize) -> Result<Bytes, Error> {
    let need = |name: &str| {
        settings.text(name).ok_or_else(|| Error::Setting {
            setting: name.to_owned(),
            message: "is missing".into(),
        })
    };
    let port = need("port")?.parse().ok().filter(|port| *port > 0);
    let (password, private_key) = (
        settings.secrets.get("password"),
        settings.secrets.get("private_key"),
    );
    if password.is_none() && private_key.is_none() {
        return Err(Error::Setting {
            setting: "password".into(),
            message: "is missing: enter it, or private_key".into(),
        });
    }
    let file = SftpFile {
        host: need("host")?,
        port: port.ok_or_else(|| Error::Setting {
            setting: "port".into(),
            message: "must be between 1 and 65535".into(),
        })?,
        user: need("user")?,
        password,
        private_key,
        host_key: settings.text("host_key"),
        path: need("path")?,
        cap: u64::try_from(cap).unwrap_or(u64::MAX),
    };
    Ok(net.fetch_by_sftp(&file).await?)
}
