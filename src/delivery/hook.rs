//! A step of deprovisioning that calls an address of the customer's.
//!
//! The call is signed as Standard Webhooks says (<https://github.com/standard-webhooks/standard-webhooks>, read
//! 2026-11-22): `webhook-id`, `webhook-timestamp` in seconds and `webhook-signature`, `v1,` with the HMAC-SHA-256 of
//! `id.timestamp.body` in base64. The id is the same however often the call is repeated, so that it can be told from a
//! second one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::store::Row;
use crate::base::{AppId, Secret, keyed_digest};
use crate::provision::{Cause, Step};
use crate::scim::Object;

/// The largest answer that is kept; a larger one counts as done and is not kept.
const LARGEST_ANSWER: usize = 16 * 1024;

/// A hook to be called.
#[derive(Debug, Clone)]
pub(super) struct Hook {
    /// Where the answer is kept: cause and place of the step.
    pub key: String,
    pub url: String,
    /// The same however often it is called.
    pub id: String,
    pub may_fail: bool,
    pub body: Value,
}

impl Hook {
    /// The call of a step for one account.
    pub(super) fn of(
        (app, name): (AppId, &str),
        row: &Row,
        user: Option<&Object>,
        (place, step): (usize, &Step),
        (cause, since): (Cause, DateTime<Utc>),
    ) -> Self {
        let told = told(user.or(row.known.as_ref()));
        let key = format!("{}.{place}", cause.word());
        Self {
            id: format!("{app}.{}.{key}.{}", row.resource, since.timestamp()),
            url: step.url.clone().unwrap_or_default(),
            may_fail: step.may_fail,
            body: json!({
                "type": "account.deprovision",
                "timestamp": since,
                "data": {
                    "app": name,
                    "cause": cause.word(),
                    "step": place,
                    "user": row.resource,
                    "remote_id": row.remote_id,
                    "userName": told.user_name,
                    "displayName": told.display_name,
                    "emails": told.emails,
                    "employeeNumber": told.employee_number,
                },
            }),
            key,
        }
    }
}

/// What a hook is told of a user.
pub(super) struct Told {
    pub user_name: Value,
    pub display_name: Value,
    pub emails: Value,
    pub employee_number: Value,
}

/// What a hook is told of a user; null for what is not known.
pub(super) fn told(user: Option<&Object>) -> Told {
    let of = |key: &str| user.and_then(|user| user.get(key)).cloned().unwrap_or_default();
    Told {
        user_name: of("userName"),
        display_name: of("displayName"),
        emails: of("emails"),
        employee_number: user
            .and_then(|user| user.get(crate::scim::ENTERPRISE)?.get("employeeNumber"))
            .cloned()
            .unwrap_or_default(),
    }
}

/// The three headers of a signed call at that instant.
pub(super) fn headers(
    secret: &Secret,
    id: &str,
    at: DateTime<Utc>,
    body: &str,
) -> [(&'static str, String); 3] {
    let at = at.timestamp().to_string();
    let plain = secret.expose();
    let key = plain
        .strip_prefix("whsec_")
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        .unwrap_or_else(|| plain.as_bytes().to_vec());
    let digest = keyed_digest(&key, format!("{id}.{at}.{body}").as_bytes());
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", at),
        ("webhook-signature", format!("v1,{}", STANDARD.encode(digest))),
    ]
}

/// What is kept of a hook's answer: the fields of a JSON object.
pub(super) fn answer(body: &[u8]) -> Value {
    if body.len() > LARGEST_ANSWER {
        return json!({});
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Value::Object(fields),
        _ => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_signed_as_standard_webhooks_says() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        let at = DateTime::from_timestamp(1_614_265_330, 0).unwrap();
        let [id, time, signature] = headers(
            &secret,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            at,
            "{\"test\": 2432232314}",
        );
        assert_eq!(
            (id.1.as_str(), time.1.as_str()),
            ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330")
        );
        assert_eq!(signature.1, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn only_the_fields_of_a_small_object_are_kept() {
        assert_eq!(answer(b"{\"cards\": 2}"), json!({"cards": 2}));
        assert_eq!(answer(b"[1]"), json!({}));
        assert_eq!(answer(&vec![b' '; LARGEST_ANSWER + 1]), json!({}));
    }
}
