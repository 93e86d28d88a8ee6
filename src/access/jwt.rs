//! Short-lived tokens for clients that speak OAuth (RFC 6749 §4.4): signed, not stored.
//!
//! Such a token only names the token it stands for and when it ends; what it opens is looked up at each use, so that
//! revoking the token ends all that were given for it.

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::base::{Sealer, Secret, TokenId};

/// How long one is good for, in seconds.
pub const LIFETIME_SECONDS: i64 = 900;
const ISSUER: &str = "scim-bridge";

/// A short-lived token, as given out.
#[derive(Debug, Clone)]
pub struct Grant {
    /// What the client sends as bearer token.
    pub token: Secret,
    /// For how long it is good, in seconds.
    pub lifetime_seconds: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    iat: i64,
    exp: i64,
}

/// Signs and reads them, with a key that comes from the master key.
#[derive(Clone)]
pub(super) struct Signer {
    signing: EncodingKey,
    reading: DecodingKey,
}

impl Signer {
    pub fn new(sealer: &Sealer) -> Self {
        let key = sealer.fingerprint(b"scim-bridge: key that signs access tokens, first of its kind");
        Self {
            signing: EncodingKey::from_secret(&key),
            reading: DecodingKey::from_secret(&key),
        }
    }

    /// None when it cannot be signed, which no input causes.
    pub fn sign(&self, token: TokenId, now: DateTime<Utc>) -> Option<Grant> {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: token.to_string(),
            iat: now.timestamp(),
            exp: now.timestamp().saturating_add(LIFETIME_SECONDS),
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing).ok()?;
        Some(Grant {
            token: Secret::new(token),
            lifetime_seconds: LIFETIME_SECONDS,
        })
    }

    /// The token it stands for, if we signed it and it has not ended.
    pub fn read(&self, jwt: &str, now: DateTime<Utc>) -> Option<TokenId> {
        let mut rules = Validation::new(Algorithm::HS256);
        // The end is judged by the clock that was handed in, below.
        rules.validate_exp = false;
        rules.validate_aud = false;
        rules.set_issuer(&[ISSUER]);
        let claims = jsonwebtoken::decode::<Claims>(jwt, &self.reading, &rules)
            .ok()?
            .claims;
        let alive = claims.exp > now.timestamp() && claims.iat <= now.timestamp().saturating_add(60);
        alive.then(|| claims.sub.parse().ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_we_signed_and_only_for_its_time() {
        let ours = Signer::new(&Sealer::from_list(&Sealer::new_key()).unwrap());
        let other = Signer::new(&Sealer::from_list(&Sealer::new_key()).unwrap());
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let id = TokenId::new();
        let grant = ours.sign(id, now).unwrap();
        assert_eq!(ours.read(grant.token.expose(), now), Some(id));
        assert_eq!(other.read(grant.token.expose(), now), None);
        let later = DateTime::from_timestamp(1_800_000_900, 0).unwrap();
        assert_eq!(ours.read(grant.token.expose(), later), None);
        let unsigned = "eyJhbGciOiJub25lIn0.e30.";
        assert_eq!(ours.read(unsigned, now), None);
    }
}
