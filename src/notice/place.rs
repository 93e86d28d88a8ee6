//! Where somebody looks further.

use serde_json::Value;

use super::EventKind;

/// The command that shows what an event is about; for a welcome the link that came with it.
#[must_use]
pub fn place(kind: EventKind, detail: &Value) -> String {
    let text = |name: &str| detail.get(name).and_then(Value::as_str).unwrap_or_default();
    let command = |words: &str, what: &str| {
        format!("scim-bridge {words} {}", text(what))
            .trim_end()
            .to_owned()
    };
    match kind {
        EventKind::Welcome | EventKind::DeletionNotice => text("link").to_owned(),
        EventKind::RunDone
        | EventKind::RunAwaitingApproval
        | EventKind::RunFailed
        | EventKind::PeopleDeactivated => command("run show", "run"),
        EventKind::AppAwaitingApproval | EventKind::PlanFailed => command("plan show", "plan"),
        EventKind::PersonDeactivated
        | EventKind::LeaverNotDisabled
        | EventKind::ReactivationWithheld
        | EventKind::PhoneUnverified => command("user explain", "user"),
        EventKind::ValueHeld | EventKind::ValuesHeld => "scim-bridge hold list".to_owned(),
        EventKind::UserNameTaken | EventKind::UserNamesTaken if text("app").is_empty() => {
            command("run errors", "run")
        }
        EventKind::LeaversNotDisabled | EventKind::PhonesUnverified => command("app accounts", "app"),
        EventKind::ReactivationsWithheld if !text("app").is_empty() => {
            format!("{} --state disabled", command("app accounts", "app"))
        }
        EventKind::ReactivationsWithheld => format!("{} --warnings", command("run errors", "run")),
        EventKind::UserNameTaken | EventKind::UserNamesTaken => {
            format!("{} --state held", command("app accounts", "app"))
        }
        EventKind::AccountsUnmatched => format!("{} --state unmatched", command("app accounts", "app")),
        EventKind::CredentialFailed | EventKind::AppQuarantined if !text("app").is_empty() => {
            command("app show", "app")
        }
        EventKind::CredentialFailed | EventKind::FeedStale => command("connection show", "connection"),
        EventKind::AppQuarantined | EventKind::ClientOrAppFrozen => "scim-bridge status".to_owned(),
        EventKind::SubscriptionDisabled => "scim-bridge subscription list".to_owned(),
    }
}
