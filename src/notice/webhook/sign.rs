//! Secrets and signatures.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::base::{Secret, keyed_digest, random_token};

const PREFIX: &str = "whsec_";

/// A new secret of 256 bits, as Standard Webhooks writes it.
pub(in crate::notice) fn new_secret() -> Secret {
    let bytes = URL_SAFE_NO_PAD.decode(random_token()).unwrap_or_default();
    Secret::new(format!("{PREFIX}{}", STANDARD.encode(bytes)))
}

/// The value of `webhook-signature`.
pub(in crate::notice) fn signature(secret: &Secret, id: &str, timestamp: i64, body: &str) -> String {
    let key = secret.expose().strip_prefix(PREFIX).unwrap_or_default();
    let key = STANDARD.decode(key).unwrap_or_default();
    let content = format!("{id}.{timestamp}.{body}");
    format!("v1,{}", STANDARD.encode(keyed_digest(&key, content.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn the_published_example_gives_the_published_signature() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        let made = signature(
            &secret,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(made, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let new = new_secret();
        assert_eq!(STANDARD.decode(&new.expose()[PREFIX.len()..]).unwrap().len(), 32);
        assert_ne!(new, new_secret());
    }
}
