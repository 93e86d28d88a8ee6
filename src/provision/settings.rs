//! An app file: what it may say, and the first checks. Unknown keys are refused by name, with line and column.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::dialect::Dialect;
use super::error::{Error, Problem};

/// What an app does for us at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Reads and matches; calls nothing that changes the app.
    Observe,
    /// Matches count as linked; still nothing is changed in the app.
    Link,
    /// Pushes.
    Live,
    /// Makes no call at all.
    Paused,
}

impl Mode {
    /// The word in files, tables and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Link => "link",
            Self::Live => "live",
            Self::Paused => "paused",
        }
    }

    /// The mode of that word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Observe, Self::Link, Self::Live, Self::Paused]
            .into_iter()
            .find(|mode| mode.word() == word)
    }
}

/// What happens to an attribute that the app already holds with another value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Ours is written.
    #[default]
    Overwrite,
    /// Ours is written only where the app has none.
    Fill,
    /// Waits for a human.
    Hold,
    /// Never written.
    Ignore,
}

/// One line of `[mapping]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// An expression over `user`; without it the user's own attribute of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What happens when the app holds another value.
    #[serde(default)]
    pub policy: Policy,
}

/// `[scope]`: who belongs into the app.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// An expression over `user`; nobody is left out without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include: Option<String>,
}

/// What is done when more than one account fits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ambiguous {
    /// The account is held until a human decides.
    #[default]
    Review,
}

/// `[match]`: how existing accounts are found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Matching {
    /// The attributes compared, the strongest first.
    pub by: Vec<MatchBy>,
    /// What is done when more than one account fits.
    pub ambiguous: Ambiguous,
}

impl Default for Matching {
    fn default() -> Self {
        Self {
            by: vec![MatchBy::ExternalId, MatchBy::UserName, MatchBy::WorkEmail],
            ambiguous: Ambiguous::Review,
        }
    }
}

/// An attribute by which accounts are matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MatchBy {
    /// The app's `externalId` is our user id; compared exactly.
    #[serde(rename = "externalId")]
    ExternalId,
    /// `userName`, without regard to case (RFC 7643 §4.1.1).
    #[serde(rename = "userName")]
    UserName,
    /// The work e-mail, without regard to case.
    #[serde(rename = "emails.work", alias = "emails")]
    WorkEmail,
}

/// `[protect]`: accounts that are never written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protect {
    /// User names or e-mail addresses.
    #[serde(default)]
    pub accounts: Vec<String>,
}

/// `[groups]`: whether groups are pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Groups {
    /// Whether the tenant's groups and their members are pushed. Not unless asked.
    pub push: bool,
    /// Members in one request.
    pub member_batch: u16,
}

impl Default for Groups {
    fn default() -> Self {
        Self {
            push: false,
            member_batch: 100,
        }
    }
}

/// `[pace]`: how hard the app may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pace {
    /// Calls under way at a time.
    pub concurrency: u16,
    /// Calls started in a second; no limit without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u16>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            concurrency: 8,
            per_second: None,
        }
    }
}

/// What a step of deprovisioning does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Do {
    /// `active` becomes false.
    Disable,
    /// Taken out of the groups that we put the account into.
    RemoveGroups,
    /// DELETE.
    Delete,
    /// A call to an address of the customer's.
    Hook,
}

/// One step of deprovisioning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What is done.
    #[serde(rename = "do")]
    pub deed: Do,
    /// How long after the cause.
    #[serde(default = "at_once")]
    pub after: String,
}

impl Step {
    /// How long after the cause the step is due.
    #[must_use]
    pub fn wait(&self) -> Duration {
        duration(&self.after).unwrap_or_default()
    }
}

fn at_once() -> String {
    "0d".to_owned()
}

fn disable() -> Vec<Step> {
    vec![Step {
        deed: Do::Disable,
        after: at_once(),
    }]
}

/// `[[deprovision.*]]`: the steps per cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deprovision {
    /// The user is no longer active.
    pub leaver: Vec<Step>,
    /// The user no longer belongs into the app.
    pub out_of_scope: Vec<Step>,
    /// The user is no longer there.
    pub missing: Vec<Step>,
}

impl Default for Deprovision {
    fn default() -> Self {
        Self {
            leaver: disable(),
            out_of_scope: disable(),
            missing: disable(),
        }
    }
}

/// `[lifecycle]`: where this app differs from the connection. Kept; this version does not act on it and says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifecycle {
    /// When leavers leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave: Option<String>,
    /// When leavers leave who were recorded late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_leave: Option<String>,
    /// How long before the first day an account exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_hire: Option<String>,
    /// Whether those who return are enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reactivate: Option<bool>,
}

/// `[reconcile]`: the full compare. Kept; this version does not act on it and says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconcile {
    /// How often.
    pub every: String,
    /// Whether drift is repaired.
    #[serde(default)]
    pub repair: bool,
}

/// `[invite]`: who is invited. Kept; this version does not act on it and says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// Whether new people are invited.
    #[serde(default)]
    pub new_people: bool,
    /// By us, or by the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// `[guard]`: what a publication may disable without an approval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Guard {
    /// Accounts that a publication would disable.
    pub disables: Cap,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            disables: Cap {
                share: 0.2,
                count: 500,
            },
        }
    }
}

/// A share *or* a count, whichever is reached first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// Of the accounts that are there, 0 to 1.
    pub share: f64,
    /// A number of accounts.
    pub count: u64,
}

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
    /// The mode that publishing puts the app in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Binds the app to one legal entity, by its id.
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
    /// The steps per cause.
    #[serde(default)]
    pub deprovision: Deprovision,
    /// What a publication may disable without an approval.
    #[serde(default)]
    pub guard: Guard,
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
        if self.matching.by.is_empty() {
            found.push(Problem::at("match.by", "names no attribute"));
        }
        if self.groups.member_batch == 0 {
            found.push(Problem::at("groups.member_batch", "is at least 1"));
        }
        if !(1..=64).contains(&self.pace.concurrency) {
            found.push(Problem::at("pace.concurrency", "is 1 to 64"));
        }
        if self.pace.per_second == Some(0) {
            found.push(Problem::at("pace.per_second", "is at least 1"));
        }
        self.step_problems(&mut found);
        found
    }

    fn step_problems(&self, found: &mut Vec<Problem>) {
        let causes = [
            ("deprovision.leaver", &self.deprovision.leaver),
            ("deprovision.out_of_scope", &self.deprovision.out_of_scope),
            ("deprovision.missing", &self.deprovision.missing),
        ];
        for (at, steps) in causes {
            for step in steps {
                if step.deed == Do::Hook {
                    found.push(Problem::at(at, "`hook` is not available in this version"));
                }
                if duration(&step.after).is_none() {
                    found.push(Problem::at(
                        at,
                        "`after` is a number with s, m, h, d or w, such as 14d",
                    ));
                }
            }
        }
    }

    /// What the settings ask for that this version does not do.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut said = Vec::new();
        if self.lifecycle.is_some() {
            said.push(
                "[lifecycle] is kept, but this version decides leavers by the connection alone".to_owned(),
            );
        }
        if self.reconcile.is_some() {
            said.push("[reconcile] is kept, but this version makes no full compare by itself".to_owned());
        }
        if self.invite.is_some() {
            said.push("[invite] is kept, but this version sends no invitations".to_owned());
        }
        said
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

/// A duration such as `14d`, `24h`, `30m`, `5s`, `2w`.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    (number <= 100_000).then(|| Duration::from_secs(number * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

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
"#;

    #[test]
    fn the_documented_file_is_read_and_says_what_is_not_done() {
        let settings = Settings::from_toml(FILE).unwrap();
        assert_eq!(settings.mode, Some(Mode::Observe));
        assert_eq!(settings.mapping["emails"].policy, Policy::Hold);
        assert_eq!(
            settings.deprovision.leaver[1].wait(),
            Duration::from_secs(14 * 86_400)
        );
        assert_eq!(settings.deprovision.missing, disable());
        assert!(settings.groups.push);
        assert_eq!(settings.warnings().len(), 3);
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
            ("member_batch = 100", "member_batch = 0", "groups.member_batch"),
        ] {
            let Err(Error::Settings(problems)) = Settings::from_toml(&FILE.replace(from, to)) else {
                panic!("{to} was accepted");
            };
            assert_eq!(problems[0].at, at);
        }
    }
}
