//! Secrets: text that never shows itself, tokens, digests, and sealing for storage.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, RandomizedNonceKey};
use aws_lc_rs::{constant_time, digest as sha, hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;

/// A text that must not be seen: no `Display`, and `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text that must not be seen.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A random text of 256 bits in base64url, for tokens and keys.
#[must_use]
pub fn random_token() -> String {
    let mut bytes = [0_u8; 32];
    fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

#[expect(
    clippy::expect_used,
    reason = "without randomness no secret can be made: stop rather than go on"
)]
fn fill(bytes: &mut [u8]) {
    rand::fill(bytes).expect("the operating system gives random bytes");
}

/// SHA-256 of `bytes`.
#[must_use]
pub fn digest(bytes: &[u8]) -> Vec<u8> {
    sha::digest(&sha::SHA256, bytes).as_ref().to_vec()
}

/// HMAC-SHA-256 of `bytes` under `key`.
#[must_use]
pub fn keyed_digest(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), bytes)
        .as_ref()
        .to_vec()
}

/// Whether two byte strings are the same, in a time that does not tell where they differ.
#[must_use]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// A master key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the master key is not 32 bytes in base64: make one with `openssl rand -base64 32`")]
pub struct BadKey;

/// A sealed value that cannot be opened: no key of the list made it, or it was changed.
#[derive(Debug, thiserror::Error)]
#[error("a sealed value cannot be opened: its key is not in SCIM_BRIDGE_MASTER_KEY, or it was changed")]
pub struct Unsealable;

/// Seals values for storage (AES-256-GCM). The first key seals; each sealed value names its key.
/// Layout: 4 bytes key id, 12 bytes nonce, cipher text with tag.
#[derive(Clone)]
pub struct Sealer(Arc<Vec<Key>>);

struct Key {
    id: [u8; 4],
    raw: [u8; 32],
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({} keys)", self.0.len())
    }
}

impl Sealer {
    /// From a list of base64 keys of 32 bytes, separated by commas; the first one seals.
    ///
    /// # Errors
    /// When the list is empty or an entry is not 32 bytes in base64.
    pub fn from_list(list: &str) -> Result<Self, BadKey> {
        let keys = list
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(|entry| {
                let bytes = STANDARD.decode(entry).map_err(|_| BadKey)?;
                let raw: [u8; 32] = bytes.try_into().map_err(|_| BadKey)?;
                let id = digest(&raw).first_chunk::<4>().copied().ok_or(BadKey)?;
                Ok(Key { id, raw })
            })
            .collect::<Result<Vec<_>, BadKey>>()?;
        if keys.is_empty() {
            Err(BadKey)
        } else {
            Ok(Self(Arc::new(keys)))
        }
    }

    /// A new key in the form that [`Sealer::from_list`] reads.
    #[must_use]
    pub fn new_key() -> String {
        let mut raw = [0_u8; 32];
        fill(&mut raw);
        STANDARD.encode(raw)
    }

    /// Seals `plain` so that it opens only with the same `about` (say, tenant and column).
    ///
    /// # Errors
    /// Only when the value is too large for the cipher.
    pub fn seal(&self, about: &str, plain: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let key = self.0.first().ok_or(Unsealable)?;
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, &key.raw).map_err(|_| Unsealable)?;
        let mut body = plain.to_vec();
        let nonce = cipher
            .seal_in_place_append_tag(Aad::from(about.as_bytes()), &mut body)
            .map_err(|_| Unsealable)?;
        let mut sealed = Vec::with_capacity(16 + body.len());
        sealed.extend_from_slice(&key.id);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Opens what [`Sealer::seal`] made.
    ///
    /// # Errors
    /// When no key fits, `about` differs, or the value was changed.
    pub fn open(&self, about: &str, sealed: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let (id, rest) = sealed.split_first_chunk::<4>().ok_or(Unsealable)?;
        let (nonce, body) = rest.split_first_chunk::<12>().ok_or(Unsealable)?;
        let key = self.0.iter().find(|key| &key.id == id).ok_or(Unsealable)?;
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, &key.raw).map_err(|_| Unsealable)?;
        let mut body = body.to_vec();
        let plain = cipher
            .open_in_place(nonce.into(), Aad::from(about.as_bytes()), &mut body)
            .map_err(|_| Unsealable)?;
        Ok(plain.to_vec())
    }

    /// Digests of `plain` for `about` that nobody can make without the key: one for each key, that of the first one first.
    #[must_use]
    pub fn marks(&self, about: &str, plain: &[u8]) -> Vec<Vec<u8>> {
        let mark = |key: &Key| keyed_digest(&keyed_digest(&key.raw, about.as_bytes()), plain);
        self.0.iter().map(mark).collect()
    }

    /// The name of the key that seals: the first bytes of all that it sealed.
    #[must_use]
    pub fn current(&self) -> Vec<u8> {
        self.0.first().map(|key| key.id.to_vec()).unwrap_or_default()
    }

    /// A keyed digest under the first key: tells equal from unequal without keeping the value.
    #[must_use]
    pub fn fingerprint(&self, bytes: &[u8]) -> Vec<u8> {
        self.0
            .first()
            .map(|key| keyed_digest(&key.raw, bytes))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_only_with_its_key_its_purpose_and_unchanged() {
        let (old, new) = (Sealer::new_key(), Sealer::new_key());
        let sealed = Sealer::from_list(&old).unwrap().seal("a", b"secret").unwrap();
        let both = Sealer::from_list(&format!("{new},{old}")).unwrap();
        assert_eq!(both.open("a", &sealed).unwrap(), b"secret");
        assert!(both.open("b", &sealed).is_err());
        assert!(Sealer::from_list(&new).unwrap().open("a", &sealed).is_err());
        let mut changed = sealed;
        *changed.last_mut().unwrap() ^= 1;
        assert!(both.open("a", &changed).is_err());
        assert!(Sealer::from_list("short").is_err());
        assert!(Sealer::from_list(" , ").is_err());
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(format!("{:?}", Secret::new("pw".into())), "Secret(…)");
    }
}
