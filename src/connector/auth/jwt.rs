//! Tokens that we sign ourselves (RFC 7515, RFC 7519).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::words::Key;
use crate::base::{BadSigningKey, Secret, SigningKey, certificate, digest};
use crate::connector::Error;
use crate::connector::fill::Filler;

/// How long a token lives that proves who asks.
pub(super) const LIFE_SECONDS: i64 = 300;

/// A key as the settings give it.
pub(super) fn signing_key(filler: &Filler<'_>, key: &Key) -> Result<SigningKey, Error> {
    match (&key.secret, &key.private) {
        (Some(secret), None) => Ok(SigningKey::shared(&Secret::new(filler.fill(secret)?))),
        (None, Some(pem)) => SigningKey::from_pem(key.algorithm, &Secret::new(filler.fill(pem)?))
            .map_err(|bad| unusable(pem, bad)),
        _ => Err(unusable("key", BadSigningKey::NoPem)),
    }
}

/// The error that names the setting a template is made of.
pub(super) fn unusable(template: &str, bad: BadSigningKey) -> Error {
    let setting = template.trim_matches(|c: char| c == '{' || c == '}' || c == ' ');
    Error::Setting {
        setting: setting.to_owned(),
        message: bad.to_string(),
    }
}

/// A signed token with the given claims.
pub(super) fn signed(filler: &Filler<'_>, key: &Key, claims: &Map<String, Value>) -> Result<Secret, Error> {
    let signer = signing_key(filler, key)?;
    let mut header = Map::new();
    header.insert("alg".into(), signer.algorithm().name().into());
    header.insert("typ".into(), "JWT".into());
    if let Some(id) = key
        .id
        .as_deref()
        .map(|id| filler.optional(id))
        .transpose()?
        .flatten()
    {
        header.insert("kid".into(), id.into());
    }
    if let Some(pem) = &key.certificate {
        let der = certificate(&filler.fill(pem)?).map_err(|bad| unusable(pem, bad))?;
        header.insert("x5t#S256".into(), URL_SAFE_NO_PAD.encode(digest(&der)).into());
    }
    let encode = |value: String| URL_SAFE_NO_PAD.encode(value);
    let text = format!(
        "{}.{}",
        encode(Value::Object(header).to_string()),
        encode(Value::Object(claims.clone()).to_string())
    );
    let signature = signer.sign(text.as_bytes()).map_err(|bad| unusable("key", bad))?;
    Ok(Secret::new(format!(
        "{text}.{}",
        URL_SAFE_NO_PAD.encode(signature)
    )))
}

/// Adds when a token was made, when it ends, and its own id.
pub(super) fn stamp(claims: &mut Map<String, Value>, now: DateTime<Utc>) {
    let now = now.timestamp();
    claims.insert("iat".into(), now.into());
    claims.insert("exp".into(), now.saturating_add(LIFE_SECONDS).into());
    claims.insert("jti".into(), crate::base::random_token().into());
}

/// When a token ends, if it is a JWT that says so. Only read, not believed: it decides when we renew.
pub(super) fn end_of(token: &str) -> Option<DateTime<Utc>> {
    let mut parts = token.split('.');
    let (_, claims, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    let seconds = claims.get("exp")?.as_f64()?;
    // Whole seconds; a number beyond any date is none.
    let whole = format!("{seconds:.0}").parse().ok()?;
    DateTime::from_timestamp(whole, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_token_is_read_where_it_is_one() {
        let token = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        let end = |text: &str| end_of(text).map(|end| end.timestamp());
        assert_eq!(end(&token(r#"{"exp":1795341600}"#)), Some(1_795_341_600));
        assert_eq!(end(&token(r#"{"exp":1795341600.0}"#)), Some(1_795_341_600));
        for none in [
            token(r#"{"exp":"soon"}"#),
            token("{}"),
            token("x"),
            "a.b".into(),
            "papi-1".into(),
            token(r#"{"exp":1e300}"#),
        ] {
            assert_eq!(end(&none), None, "{none}");
        }
    }
}
