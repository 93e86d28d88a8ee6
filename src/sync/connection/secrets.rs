//! The secrets of a connection: taken out of its file, sealed, carried from revision to revision.

use serde_json::{Map, Value};
use url::Url;

use super::Revision;
use crate::base::{ConnectionId, Sealer};
use crate::connector::Manifest;
use crate::sync::Error;

/// What stands in a shown or exported file in a secret's place; applied again, it keeps the secret.
pub(super) const PLACEHOLDER: &str = "sealed";

fn about(connection: ConnectionId) -> String {
    format!("{connection}:settings")
}

/// Opens a revision's secrets.
pub(super) fn open(
    sealer: &Sealer,
    connection: ConnectionId,
    revision: &Revision,
) -> Result<Map<String, Value>, Error> {
    let Some(sealed) = &revision.sealed else {
        return Ok(Map::new());
    };
    let opened = sealer.open(&about(connection), sealed)?;
    serde_json::from_slice(&opened).map_err(Error::Record)
}

/// Seals secrets; none at all need no seal.
pub(super) fn seal(
    sealer: &Sealer,
    connection: ConnectionId,
    secrets: &Map<String, Value>,
) -> Result<Option<Vec<u8>>, Error> {
    if secrets.is_empty() {
        return Ok(None);
    }
    let text = Value::Object(secrets.clone()).to_string();
    Ok(Some(sealer.seal(&about(connection), text.as_bytes())?))
}

/// Takes the secrets out of `[settings]` of a file in its JSON form.
pub(super) fn take(body: &mut Value, manifest: &Manifest) -> Map<String, Value> {
    let Some(settings) = body.get_mut("settings").and_then(Value::as_object_mut) else {
        return Map::new();
    };
    manifest
        .secret_settings()
        .filter_map(|name| settings.remove_entry(name))
        .filter(|(_, value)| value.as_str() != Some(PLACEHOLDER))
        .collect()
}

/// Puts earlier secrets where the new file says nothing, unless the new file talks to another host: who changes
/// `base_url` must know the secrets.
pub(super) fn carry_over(
    mut given: Map<String, Value>,
    earlier: &Map<String, Value>,
    earlier_body: &Value,
    body: &Value,
) -> Map<String, Value> {
    if host(earlier_body) == host(body) {
        for (name, secret) in earlier {
            given.entry(name.clone()).or_insert_with(|| secret.clone());
        }
    }
    given
}

fn host(body: &Value) -> Option<String> {
    let text = body.pointer("/settings/base_url")?.as_str()?;
    let url = Url::parse(text).ok()?;
    Some(format!(
        "{}://{}:{}",
        url.scheme(),
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or_default()
    ))
}

/// A file's JSON form with its secrets put back, or with placeholders.
pub(super) fn put_back(body: &Value, secrets: &Map<String, Value>, shown: bool) -> Value {
    let mut body = body.clone();
    if let Some(file) = body.as_object_mut() {
        let settings = file
            .entry("settings")
            .or_insert_with(|| Value::Object(Map::new()));
        if let Some(settings) = settings.as_object_mut() {
            for (name, secret) in secrets {
                let value = if shown {
                    secret.clone()
                } else {
                    Value::from(PLACEHOLDER)
                };
                settings.insert(name.clone(), value);
            }
        }
    }
    body
}
