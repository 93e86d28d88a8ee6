//! An app file: what it may say, and the first checks. Unknown keys are refused by name, with line and column.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::dialect::Dialect;
use super::super::error::{Error, Problem};
use super::approve::Approve;
use super::caps::Caps;
use super::deprovision::Deprovision;
use super::groups::Groups;
use super::guard::{self, Guard};
use super::invite::Invite;
use super::lifecycle::Lifecycle;
use super::mapping::Line;
use super::matching::Matching;
use super::mode::Mode;
use super::pace::Pace;
use super::protect::Protect;
use super::reconcile::Reconcile;
use super::scope::Scope;
use super::termination::Termination;
use crate::notice::Notify;

/// An app file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The app's name in this tenant.
    pub name: String,
    /// The app's SCIM base URL, such as `https://api.example.com/scim/v2`.
    pub base_url: String,
    /// Which peculiarities the app has.
    #[serde(default = "standard")]
    pub dialect: String,
    /// The bearer token; taken out and sealed before the settings are stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What hooks are signed with; taken out and sealed, `sealed` stands in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook_secret: Option<String>,
    /// The mode that publishing puts the app in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Binds the app to one legal entity, by its id, code or name in HR, exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// Who belongs into the app.
    #[serde(default)]
    pub scope: Scope,
    /// How existing accounts are found.
    #[serde(default, rename = "match")]
    pub matching: Matching,
    /// What is sent, by attribute, on top of the user as it is.
    #[serde(default)]
    pub mapping: BTreeMap<String, Line>,
    /// Attributes without which nobody gets an account, and accounts stay as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<String>,
    /// Which held values need no human.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approve: Vec<Approve>,
    /// Where this app differs from the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// Accounts that are never written.
    #[serde(default)]
    pub protect: Protect,
    /// Whether groups are pushed.
    #[serde(default)]
    pub groups: Groups,
    /// How hard the app may be asked.
    #[serde(default)]
    pub pace: Pace,
    /// The full compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconcile: Option<Reconcile>,
    /// Who is invited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<Invite>,
    /// Who is told of what happens in the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
    /// The steps per cause.
    #[serde(default)]
    pub deprovision: Deprovision,
    /// What is asked before somebody's access is ended by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination: Option<Termination>,
    /// What a plan may do without an approval.
    #[serde(default)]
    pub guard: Guard,
    /// What may be done within 24 hours.
    #[serde(default)]
    pub caps: Caps,
}

fn standard() -> String {
    "standard".to_owned()
}

impl Settings {
    /// Whether a changed manager may change what the reports' accounts should hold.
    #[must_use]
    pub fn reads_manager(&self) -> bool {
        let lines = self.mapping.values().filter_map(|line| line.from.as_ref());
        self.scope
            .include
            .iter()
            .chain(lines)
            .any(|text| text.contains("manager"))
    }

    /// Reads an app file.
    ///
    /// # Errors
    /// An unknown key, a missing one or a wrong value, with line and column.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let settings: Self = toml::from_str(text).map_err(|error| {
            let (line, column) = error.span().map_or((0, 0), |span| position(text, span.start));
            Error::Settings(vec![Problem {
                at: String::new(),
                line,
                column,
                message: error.message().to_owned(),
            }])
        })?;
        settings.checked()
    }

    /// Reads the same as JSON.
    ///
    /// # Errors
    /// As [`Settings::from_toml`].
    pub fn from_json(body: &serde_json::Value) -> Result<Self, Error> {
        let settings: Self = serde_json::from_value(body.clone())
            .map_err(|error| Error::Settings(vec![Problem::at("", error.to_string())]))?;
        settings.checked()
    }

    fn checked(self) -> Result<Self, Error> {
        let problems = self.problems();
        if problems.is_empty() {
            Ok(self)
        } else {
            Err(Error::Settings(problems))
        }
    }

    fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        if !is_name(&self.name) {
            found.push(Problem::at("name", "a name is 1 to 64 letters, digits, - and _"));
        }
        match url::Url::parse(&self.base_url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => {
                if !url.username().is_empty() || url.password().is_some() {
                    found.push(Problem::at(
                        "base_url",
                        "holds a user name or password: use `token`",
                    ));
                }
            }
            _ => found.push(Problem::at("base_url", "is no http or https address")),
        }
        if Dialect::named(&self.dialect).is_none() {
            found.push(Problem::at(
                "dialect",
                format!("is unknown; known are {}", Dialect::names().join(", ")),
            ));
        }
        if self.mode == Some(Mode::Paused) {
            found.push(Problem::at(
                "mode",
                "is observe, link or live; an app is paused with `app pause`",
            ));
        }
        self.matching.problems(&mut found);
        self.groups.problems(&mut found);
        self.pace.problems(&mut found);
        if let Some(invite) = &self.invite {
            found.extend(invite.problems());
        }
        if let Some(notify) = &self.notify {
            let problems = notify.problems().into_iter();
            found.extend(problems.map(|(at, message)| Problem::at(&at, message)));
            if notify.summary.is_some() {
                found.push(Problem::at(
                    "notify.summary",
                    "is for connections: an app has no runs",
                ));
            }
        }
        self.deprovision.problems(&mut found);
        guard::problems("guard", &self.guard.named(), &mut found);
        guard::problems("caps", &self.caps.named(), &mut found);
        if let Some(termination) = &self.termination {
            termination.problems(&mut found);
        }
        if let Some(reconcile) = &self.reconcile {
            reconcile.problems(&mut found);
        }
        found
    }

    /// Whether an address of the customer's is called, for which calls have to be signed.
    #[must_use]
    pub fn has_hooks(&self) -> bool {
        self.deprovision.has_hooks() || self.termination.is_some()
    }
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// Line and column (from 1) of a byte in a text.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::provision::settings::mapping::Policy;

    const FILE: &str = r#"
name     = "expenses"
base_url = "https://api.expenses.example/scim/v2"
token    = "s3cret"
mode     = "observe"
[scope]
include = 'user.hr.entity.id == "760"'
[match]
by = ["externalId", "userName", "emails.work"]
ambiguous = "review"
[mapping]
userName = { policy = "overwrite" }
emails   = { policy = "hold" }
nickName = { from = "user.manager.displayName" }
[lifecycle]
leave = "end_of_month"
[protect]
accounts = ["breakglass@acme.example"]
[groups]
push = true
member_batch = 100
[reconcile]
every  = "24h"
repair = true
[invite]
new_people = true
by = "us"
[[deprovision.leaver]]
do = "disable"
after = "0d"
[[deprovision.leaver]]
do = "delete"
after = "14d"
[[deprovision.out_of_scope]]
do = "disable"
[termination]
ask = "https://vouchers.acme.example/may-end"
"#;

    #[test]
    fn the_documented_file_is_read_and_means_the_same_when_written_again() {
        let settings = Settings::from_toml(FILE).unwrap();
        assert_eq!(settings.mode, Some(Mode::Observe));
        assert_eq!(settings.mapping["emails"].policy, Some(Policy::Hold));
        assert_eq!(
            settings.deprovision.leaver[1].wait(),
            Duration::from_secs(14 * 86_400)
        );
        assert_eq!(settings.deprovision.missing, Deprovision::default().missing);
        assert!(settings.groups.push);
        let again = Settings::from_json(&serde_json::to_value(&settings).unwrap()).unwrap();
        assert_eq!(again, settings);
    }

    #[test]
    fn an_unknown_key_is_refused_by_name_with_line_and_column() {
        let text = FILE.replace("member_batch", "member_bach");
        let Err(Error::Settings(problems)) = Settings::from_toml(&text) else {
            panic!("accepted");
        };
        assert_eq!((problems[0].line, problems[0].column), (21, 1));
        assert!(
            problems[0].message.contains("member_bach"),
            "{}",
            problems[0].message
        );
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for (from, to, at) in [
            ("name     = \"expenses\"", "name = \"a b\"", "name"),
            ("https://api.expenses.example/scim/v2", "ftp://x/y", "base_url"),
            ("mode     = \"observe\"", "dialect = \"klingon\"", "dialect"),
            ("after = \"14d\"", "after = \"soon\"", "deprovision.leaver"),
            ("do = \"delete\"", "do = \"hook\"", "deprovision.leaver"),
            ("do = \"delete\"", "do = \"set\"", "deprovision.leaver"),
            (
                "do = \"delete\"",
                "do = \"delete\"\nmay_fail = true",
                "deprovision.leaver",
            ),
            (
                "do = \"delete\"",
                "do = \"delete\"\nnotice = \"soon\"",
                "deprovision.leaver",
            ),
            (
                "after = \"0d\"",
                "after = \"0d\"\nnotice = \"7d\"",
                "deprovision.leaver",
            ),
            (
                "[invite]",
                "[notify]\nowner = \"nobody\"\n[invite]",
                "notify.owner",
            ),
            (
                "[invite]",
                "[notify]\nsummary = \"never\"\n[invite]",
                "notify.summary",
            ),
            ("\"emails.work\"]", "\"emails.work+\"]", "match.by"),
            ("member_batch = 100", "member_batch = 0", "groups.member_batch"),
            ("https://vouchers.acme.example", "ftp://x", "termination"),
            ("ask = ", "aks = ", ""),
            ("leave = \"end_of_month\"", "leave = \"soon\"", ""),
            ("leave = \"end_of_month\"", "pre_hire = \"14\"", ""),
        ] {
            let Err(Error::Settings(problems)) = Settings::from_toml(&FILE.replace(from, to)) else {
                panic!("{to} was accepted");
            };
            assert_eq!(problems[0].at, at);
        }
    }
}
