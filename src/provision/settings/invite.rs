//! `[invite]`: who is invited into an app, by whom, and when. The same part in a connection file holds for every app that
//! says nothing else; each line counts by itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::super::error::Problem;
use super::super::target::Target;

/// Who invites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Inviter {
    /// We send a mail.
    Us,
    /// The app invites; we tell it, with the creation, whom.
    App,
}

/// When somebody is invited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InviteOn {
    /// When the account is created, even before the first day.
    Creation,
    /// On the first day, for people whose account is created before it.
    FirstDay,
}

/// Whether new people of one legal entity are invited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntityInvite {
    /// The legal entity's id, code or name in HR, exactly.
    pub id: String,
    /// Whether its new people are invited.
    pub new_people: bool,
}

/// `[invite]`: who is invited.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Invite {
    /// Whether new people are invited. Not unless asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_people: Option<bool>,
    /// By us, or by the app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Inviter>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<InviteOn>,
    /// Where the app lets people set their password: an address, in which `{user_name}`, `{email}` and `{remote_id}` (the
    /// app's own id) are filled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Where such an address stands in the app's answer to the creation, as a JSON pointer (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_at: Option<String>,
    /// `by = "app"`: attributes of the creation by which the app is told that it is to invite; none, for an app that invites
    /// everybody whom it creates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tell: Option<BTreeMap<String, Value>>,
    /// Legal entities in which it is otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entity: Vec<EntityInvite>,
}

/// What holds for one new person.
#[derive(Debug, Clone, PartialEq)]
pub struct Invited {
    /// Whether the person is invited.
    pub now: bool,
    /// Which setting said so.
    pub reason: String,
    /// By whom.
    pub by: Inviter,
    /// When.
    pub when: InviteOn,
    /// Where passwords are set.
    pub link: Option<String>,
    /// Where that stands in the app's answer.
    pub link_at: Option<String>,
    /// By which attributes of the creation the app is told.
    pub tell: BTreeMap<String, Value>,
}

/// What may be filled in a link.
const FILLED: &[&str] = &["{user_name}", "{email}", "{remote_id}"];

impl Invite {
    /// What cannot be used: a path below `invite`, and why.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        if let Some(link) = &self.link {
            let mut bare = link.clone();
            for place in FILLED {
                bare = bare.replace(place, "x");
            }
            let is_address =
                Url::parse(&bare).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
            if !is_address || bare.contains(['{', '}']) {
                let message = format!(
                    "is no http or https address, in which {} are filled",
                    FILLED.join(", ")
                );
                found.push(Problem::at("invite.link", message));
            }
        }
        if self
            .link_at
            .as_ref()
            .is_some_and(|pointer| !pointer.starts_with('/'))
        {
            found.push(Problem::at(
                "invite.link_at",
                "is no JSON pointer, such as /activationUrl",
            ));
        }
        self.how_the_app_is_told(&mut found);
        for (place, entity) in self.entity.iter().enumerate() {
            if self.entity.iter().take(place).any(|other| other.id == entity.id) {
                let message = format!("names the entity {} twice", entity.id);
                found.push(Problem::at(&format!("invite.entity[{place}]"), message));
            }
        }
        found
    }

    /// Nobody goes without an invitation only because nobody told the app.
    fn how_the_app_is_told(&self, found: &mut Vec<Problem>) {
        let by_app = self.by == Some(Inviter::App);
        match &self.tell {
            None if by_app => found.push(Problem::at(
                "invite.by",
                "says that the app invites, and nothing says how it is told: name the attributes of the creation that make \
                 it invite, such as tell = { sendInvite = true }, or tell = {} for an app that invites everybody whom it \
                 creates; by = \"us\" sends our mail",
            )),
            Some(_) if !by_app => {
                found.push(Problem::at("invite.tell", "is for by = \"app\" in the same part"));
            }
            _ => {}
        }
        for name in self.tell.iter().flat_map(BTreeMap::keys) {
            if Target::parse(name).is_none() {
                found.push(Problem::at("invite.tell", format!("`{name}` is no attribute")));
            }
        }
        if by_app && self.when == Some(InviteOn::FirstDay) {
            found.push(Problem::at(
                "invite.when",
                "an app is told with the creation: leave `when` out, or let us invite",
            ));
        }
    }

    fn says(&self, entity: &[&str]) -> Option<(bool, String)> {
        let of_entity = self.entity.iter().find(|one| entity.contains(&one.id.as_str()));
        let yes_or_no = |yes: bool| if yes { "are" } else { "are not" };
        match (of_entity, self.new_people) {
            (Some(one), _) => {
                let reason = format!(
                    "new people of entity {} {} invited",
                    one.id,
                    yes_or_no(one.new_people)
                );
                Some((one.new_people, reason))
            }
            (None, Some(yes)) => Some((yes, format!("new people {} invited", yes_or_no(yes)))),
            (None, None) => None,
        }
    }

    /// What holds for a new person of a legal entity (its id, code and name): what the app says, else what the person's connection says.
    #[must_use]
    pub fn decide(app: Option<&Self>, connection: Option<&Self>, entity: &[&str]) -> Invited {
        let both = || app.into_iter().chain(connection);
        let (now, reason) = both()
            .find_map(|invite| invite.says(entity))
            .unwrap_or_else(|| (false, "nobody is invited: new_people is not set".to_owned()));
        Invited {
            now,
            reason,
            by: both().find_map(|invite| invite.by).unwrap_or(Inviter::Us),
            when: both()
                .find_map(|invite| invite.when)
                .unwrap_or(InviteOn::FirstDay),
            link: both().find_map(|invite| invite.link.clone()),
            link_at: both().find_map(|invite| invite.link_at.clone()),
            tell: both().find_map(|invite| invite.tell.clone()).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Invite {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn the_app_speaks_first_and_an_entity_before_all_others() {
        let connection =
            read("new_people = true\nby = \"app\"\n[[entity]]\nid = \"760\"\nnew_people = false");
        let off = read("new_people = false\n[[entity]]\nid = \"1\"\nnew_people = true");
        let link = read("link = \"https://a.example/?u={user_name}\"");
        for (app, from, entity, expected) in [
            (None, None, Some("760"), false),
            (None, Some(&connection), None, true),
            (None, Some(&connection), Some("1"), true),
            (None, Some(&connection), Some("760"), false),
            (Some(&off), Some(&connection), None, false),
            (Some(&off), Some(&connection), Some("1"), true),
            (Some(&off), Some(&connection), Some("760"), false),
            (Some(&link), Some(&connection), Some("760"), false),
            (Some(&link), Some(&connection), Some("1"), true),
            (Some(&link), None, None, false),
        ] {
            let words: Vec<&str> = entity.into_iter().flat_map(|word| ["other", word]).collect();
            let decided = Invite::decide(app, from, &words);
            assert_eq!(decided.now, expected, "{app:?} {from:?} {entity:?}");
        }
        let decided = Invite::decide(Some(&link), Some(&connection), &[]);
        assert_eq!((decided.by, decided.when), (Inviter::App, InviteOn::FirstDay));
        assert!(decided.link.is_some());
    }

    #[test]
    fn what_cannot_work_is_named() {
        for (text, at) in [
            ("link = \"ftp://x\"", "invite.link"),
            ("link = \"https://x/{password}\"", "invite.link"),
            ("link_at = \"activationUrl\"", "invite.link_at"),
            ("by = \"app\"", "invite.by"),
            ("tell = { invite = true }", "invite.tell"),
            ("by = \"app\"\ntell = { \"a b\" = true }", "invite.tell"),
            ("by = \"app\"\ntell = {}\nwhen = \"first_day\"", "invite.when"),
            (
                "[[entity]]\nid = \"1\"\nnew_people = true\n[[entity]]\nid = \"1\"\nnew_people = false",
                "invite.entity[1]",
            ),
        ] {
            assert_eq!(read(text).problems()[0].at, at);
        }
        let good =
            read("link = \"https://x.example/{remote_id}?u={user_name}&m={email}\"\nlink_at = \"/a/0\"");
        assert!(good.problems().is_empty());
        assert!(read("by = \"app\"\ntell = {}").problems().is_empty());
        assert!(toml::from_str::<Invite>("by = \"hr\"").is_err());
    }
}
