//! Errors of connections and runs as problem details.

use serde_json::json;

use super::Problem;
use crate::guard;
use crate::sync::Error;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Database(error) => error.into(),
            Error::Store(error) => error.into(),
            Error::Guard(error) => error.into(),
            Error::Unknown { .. } => Self::not_found(text),
            Error::File(problems) => {
                Self::unprocessable("invalid-file", "the connection file cannot be used: see errors")
                    .with("errors", json!(problems))
            }
            Error::OtherName { .. } => Self::unprocessable("other-name", text),
            Error::ConnectionState { .. } => Self::conflict("connection-state", text),
            Error::RunState { .. } => Self::conflict("run-state", text),
            Error::NotInbound(_) => Self::unprocessable("not-inbound", text),
            Error::NotPushed(_) => Self::unprocessable("not-pushed", text),
            Error::Push(_) => Self::conflict("session-state", text),
            Error::PushPage(_) => Self::unprocessable("invalid-page", text),
            Error::NoWebhooks(_) => Self::conflict("no-webhooks", text),
            Error::Decision(_) => Self::unprocessable("invalid-decision", text),
            Error::NothingToRead(_) => Self::conflict("nothing-to-read", text),
            Error::Connector(error) => {
                Self::unprocessable("hr-system", crate::base::Chain(&error).to_string())
            }
            error => Self::internal(&error),
        }
    }
}

impl From<guard::Error> for Problem {
    fn from(error: guard::Error) -> Self {
        let text = error.to_string();
        match error {
            guard::Error::Store(error) => error.into(),
            guard::Error::Unknown => Self::not_found(text),
            guard::Error::NotWaiting { .. } => Self::conflict("not-waiting", text),
            guard::Error::OtherPlan { hash } => {
                Self::conflict("other-plan", text).with("plan_hash", json!(hash))
            }
            guard::Error::Choice(_) => Self::unprocessable("invalid-choice", text),
            error @ guard::Error::UnknownWord { .. } => Self::internal(&error),
        }
    }
}
