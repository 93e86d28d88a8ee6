//! Whether a delivery was sent by somebody who knows the secret.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{Encoding, Hash, KeyForm};
use crate::base::{Secret, same};

/// Base64 as others write it: the last bits and the padding do not count.
const TOLERANT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What is signed, and how.
pub(super) struct Scheme<'a> {
    pub hash: Hash,
    pub encoding: Encoding,
    pub prefix: &'a str,
    pub key: KeyForm,
}

impl Scheme<'_> {
    /// Whether one of the signatures in `header` is that of `message` under one of the secrets.
    pub fn proves(&self, header: &str, message: &[u8], secrets: &[Secret]) -> bool {
        let keys: Vec<hmac::Key> = secrets.iter().filter_map(|secret| self.key(secret)).collect();
        header
            .split_ascii_whitespace()
            .filter_map(|one| self.decode(one.strip_prefix(self.prefix).unwrap_or(one)))
            .any(|signature| {
                keys.iter()
                    .any(|key| hmac::verify(key, message, &signature).is_ok())
            })
    }

    fn key(&self, secret: &Secret) -> Option<hmac::Key> {
        let algorithm = match self.hash {
            Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => hmac::HMAC_SHA256,
            Hash::Sha512 => hmac::HMAC_SHA512,
        };
        match self.key {
            KeyForm::Text => Some(hmac::Key::new(algorithm, secret.expose().as_bytes())),
            KeyForm::Base64 => {
                let text = secret.expose();
                let bytes = base64(text.strip_prefix("whsec_").unwrap_or(text))?;
                Some(hmac::Key::new(algorithm, &bytes))
            }
        }
    }

    fn decode(&self, text: &str) -> Option<Vec<u8>> {
        match self.encoding {
            Encoding::Hex => hex(text),
            Encoding::Base64 => base64(text),
        }
    }
}

/// Whether `text` is one of the secrets.
pub(super) fn is_one_of(text: &str, secrets: &[Secret]) -> bool {
    secrets
        .iter()
        .any(|secret| same(text.as_bytes(), secret.expose().as_bytes()))
}

/// User and password of an `Authorization: Basic` header.
pub(super) fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, rest) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(base64(rest.trim())?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn base64(text: &str) -> Option<Vec<u8>> {
    TOLERANT
        .decode(text.replace('-', "+").replace('_', "/"))
        .ok()
        .filter(|bytes| !bytes.is_empty())
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| u8::try_from(digit.to_digit(16)?).ok())
        .collect();
    let (pairs, rest) = digits.as_deref()?.as_chunks::<2>();
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| (high << 4) | low).collect();
    (rest.is_empty() && !bytes.is_empty()).then_some(bytes)
}
