//! Asks apps whether somebody's access may be ended by hand: `[termination]` of an app file.
//!
//! *Comes in:* a user, and the day on which somebody wants to end the access. *Goes out:* what apps have against it.
//! *Owns:* nothing; reads `account` and `app`. It is advice: whoever insists goes on, and what was said is kept.
//!
//! The call is signed as hooks of deprovisioning are, and goes to the same addresses: no private ones. The answer is a
//! JSON object: `{"allow": true}`, or `{"allow": false, "reason": "…"}`. Anything else is no answer, and nobody guesses
//! that it meant yes. Only apps that are live and have an account of the user are asked; no connection of the database
//! is held meanwhile.

mod store;

use chrono::{DateTime, NaiveDate, Utc};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Error;
use super::client::{Ended, call_hook};
use super::hook::{headers, told};
use crate::base::{AppId, Clock, ResourceId, Sealer, Secret, TenantId};
use crate::db::Db;
use crate::net::Net;
use crate::provision::{self, Ending};
use crate::scim::Object;

/// How many apps are asked at the same time.
const AT_ONCE: usize = 8;
/// The longest reason that is handed on, in characters.
const LONGEST_REASON: usize = 500;

/// What an app has against ending somebody's access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Objection {
    /// The app's name.
    pub app: String,
    /// True: it said no. False: it gave no answer that can be understood.
    pub vetoed: bool,
    /// Its reason, or why there is no answer.
    pub reason: String,
}

struct Question {
    name: String,
    url: String,
    id: String,
    secret: Option<Secret>,
    body: Value,
}

/// Asks all apps that want to be asked whether the access of a user may end, on a day or at once.
///
/// # Errors
/// When the store refuses, or an app's secret cannot be opened. What an app answers is never an error.
#[tracing::instrument(name = "delivery.precondition.ask", skip_all, fields(resource.id = %user))]
pub async fn objections(
    (db, net, sealer, clock): (&Db, &Net, &Sealer, &Clock),
    tenant: TenantId,
    user: ResourceId,
    on: Option<NaiveDate>,
) -> Result<Vec<Objection>, Error> {
    let now = clock.now();
    let questions = questions((db, sealer), tenant, user, (on, now)).await?;
    let answered: Vec<Option<Objection>> = stream::iter(questions)
        .map(|question| question.ask(net, now))
        .buffered(AT_ONCE)
        .collect()
        .await;
    Ok(answered.into_iter().flatten().collect())
}

async fn questions(
    (db, sealer): (&Db, &Sealer),
    tenant: TenantId,
    user: ResourceId,
    (on, now): (Option<NaiveDate>, DateTime<Utc>),
) -> Result<Vec<Question>, Error> {
    let mut conn = db.conn().await?;
    let mut questions = Vec::new();
    for there in store::live_accounts(&mut conn, tenant, user).await? {
        let revision = provision::revision(&mut conn, tenant, there.app, there.revision).await?;
        let Some(termination) = &revision.settings.termination else {
            continue;
        };
        questions.push(Question {
            url: termination.ask.clone(),
            id: id_of(there.app, user, now),
            secret: revision.hook_secret(sealer, tenant, there.app)?,
            body: body(
                (&there.name, user, &there.remote_id),
                there.known.as_ref(),
                (on, now),
            ),
            name: there.name,
        });
    }
    Ok(questions)
}

fn id_of(app: AppId, user: ResourceId, now: DateTime<Utc>) -> String {
    format!("{app}.{user}.termination.{}", now.timestamp_micros())
}

fn body(
    (app, user, remote_id): (&str, ResourceId, &str),
    known: Option<&Value>,
    (on, now): (Option<NaiveDate>, DateTime<Utc>),
) -> Value {
    let told = told(known.and_then(Value::as_object));
    json!({
        "type": "account.termination",
        "timestamp": now,
        "data": {
            "app": app,
            "user": user,
            "remote_id": remote_id,
            "last_day": on,
            "userName": told.user_name,
            "displayName": told.display_name,
            "emails": told.emails,
            "employeeNumber": told.employee_number,
        },
    })
}

impl Question {
    async fn ask(self, net: &Net, now: DateTime<Utc>) -> Option<Objection> {
        let Some(secret) = &self.secret else {
            return Some(self.without("the app's settings have no hook_secret"));
        };
        let body = self.body.to_string();
        let headers = headers(secret, &self.id, now, &body);
        let ended = call_hook(net, &self.url, &headers, body).await;
        match verdict(&ended) {
            Verdict::Allowed => None,
            Verdict::Vetoed(reason) => Some(Objection {
                app: self.name,
                vetoed: true,
                reason,
            }),
            Verdict::Unclear(why) => Some(self.without(&why)),
        }
    }

    fn without(self, why: &str) -> Objection {
        Objection {
            app: self.name,
            vetoed: false,
            reason: why.to_owned(),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Allowed,
    Vetoed(String),
    Unclear(String),
}

fn verdict(ended: &Ended) -> Verdict {
    if !matches!(ended.ending, Ending::Answer(200..=299, _)) {
        return Verdict::Unclear(ended.words.clone());
    }
    let said: Option<Object> = serde_json::from_slice(&ended.body).ok();
    let allow = said.as_ref().and_then(|said| said.get("allow")?.as_bool());
    match allow {
        Some(true) => Verdict::Allowed,
        Some(false) => {
            let reason = said.as_ref().and_then(|said| said.get("reason")?.as_str());
            Verdict::Vetoed(plain(reason.unwrap_or("it gave no reason")))
        }
        None => Verdict::Unclear("its answer has no `allow`, true or false".to_owned()),
    }
}

/// A text from outside on one line, without control characters, cut to a length that people read.
fn plain(text: &str) -> String {
    let on_one_line = |c: char| if c.is_control() { ' ' } else { c };
    let line: String = text.chars().take(LONGEST_REASON).map(on_one_line).collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_yes_or_no_is_an_answer() {
        let said = |status: u16, body: &str| {
            verdict(&Ended {
                ending: Ending::Answer(status, None),
                body: body.to_owned().into(),
                words: format!("{status}"),
            })
        };
        assert_eq!(said(200, r#"{"allow": true}"#), Verdict::Allowed);
        assert_eq!(
            said(200, "{\"allow\": false, \"reason\": \" a\\nb\\u0007 \"}"),
            Verdict::Vetoed("a b".to_owned())
        );
        assert_eq!(
            said(200, r#"{"allow": false}"#),
            Verdict::Vetoed("it gave no reason".to_owned())
        );
        for (status, body) in [
            (200, ""),
            (200, "true"),
            (200, "{}"),
            (200, r#"{"allow": "true"}"#),
            (200, r#"{"allow": 1}"#),
            (204, ""),
            (302, r#"{"allow": true}"#),
            (403, r#"{"allow": true}"#),
            (500, r#"{"allow": true}"#),
        ] {
            assert!(
                matches!(said(status, body), Verdict::Unclear(_)),
                "{status} {body}"
            );
        }
        let long = format!(r#"{{"allow": false, "reason": "{}"}}"#, "x".repeat(9_000));
        assert_eq!(said(200, &long), Verdict::Vetoed("x".repeat(LONGEST_REASON)));
    }
}
