//! What is said: subject, plain text and HTML, from the built-in words or a tenant's own.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Error, EventKind, Language};
use crate::expression::{self, Markup, Template};

/// The longest subject, in characters.
const LONGEST_SUBJECT: usize = 200;

/// The templates of one kind of event in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub body: String,
    /// HTML; without it, it is made from the plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
}

/// Words with their places filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// One line without control characters.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// A whole HTML document.
    pub html: String,
}

type Book = BTreeMap<String, Words>;

static BUILT_IN: LazyLock<BTreeMap<Language, Book>> = LazyLock::new(|| {
    Language::ALL
        .iter()
        .map(|language| {
            let text = match language {
                Language::De => include_str!("texts/de.toml"),
                Language::En => include_str!("texts/en.toml"),
                Language::Fr => include_str!("texts/fr.toml"),
                Language::Nl => include_str!("texts/nl.toml"),
            };
            // A test holds that every text can be read and every kind has one.
            (*language, toml::from_str(text).unwrap_or_default())
        })
        .collect()
});

/// The words that come with the program.
#[must_use]
pub fn built_in(kind: EventKind, language: Language) -> Words {
    BUILT_IN
        .get(&language)
        .and_then(|book| book.get(kind.as_str()))
        .cloned()
        .unwrap_or_else(|| Words {
            subject: kind.as_str().to_owned(),
            body: kind.as_str().to_owned(),
            html: None,
        })
}

/// A part of a template that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordsFault {
    /// `subject`, `body` or `html`.
    pub part: &'static str,
    /// Where and why.
    pub error: expression::Error,
}

impl Words {
    /// Checks every name against what events of this kind know.
    ///
    /// # Errors
    /// Each part that cannot be used, with line and column.
    pub fn check(&self, kind: EventKind) -> Result<(), Vec<WordsFault>> {
        let sample = sample(kind);
        let html = self.html.as_deref().map(|html| ("html", html, Markup::Html));
        let parts = [
            ("subject", self.subject.as_str(), Markup::Plain),
            ("body", self.body.as_str(), Markup::Plain),
        ];
        let faults: Vec<WordsFault> = parts
            .into_iter()
            .chain(html)
            .filter_map(|(part, text, markup)| {
                let error = Template::parse(text, markup, &sample).err()?;
                Some(WordsFault { part, error })
            })
            .collect();
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// Fills the places.
    ///
    /// # Errors
    /// When a limit is passed.
    pub fn say(&self, values: &Value, language: Language) -> Result<Said, Error> {
        let fill = |text: &str, markup: Markup| {
            Template::checked(text.to_owned(), markup)
                .render(values)
                .map_err(Error::Words)
        };
        let text = tidy(&fill(&self.body, Markup::Plain)?);
        let html = match &self.html {
            Some(own) => fill(own, Markup::Html)?,
            None => page(&text, language),
        };
        Ok(Said {
            subject: one_line(&fill(&self.subject, Markup::Plain)?),
            text,
            html,
        })
    }
}

/// A subject: no line breaks and no other control characters, which would start further headers (RFC 5322 §2.2).
fn one_line(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| {
            if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
                ' '
            } else {
                c
            }
        })
        .collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    words.join(" ").chars().take(LONGEST_SUBJECT).collect()
}

/// At most one empty line in a row, none at either end.
fn tidy(text: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in text.trim().lines().map(str::trim_end) {
        if !line.is_empty() || lines.last().is_some_and(|last| !last.is_empty()) {
            lines.push(line);
        }
    }
    lines.join("\n")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Plain text as a page: paragraphs, line breaks, and addresses as links.
fn page(text: &str, language: Language) -> String {
    let paragraphs: Vec<String> = text
        .split("\n\n")
        .map(|paragraph| {
            let lines: Vec<String> = paragraph.lines().map(linked).collect();
            format!("<p>{}</p>", lines.join("<br>\n"))
        })
        .collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\"></head>\n<body>\n{}\n</body></html>\n",
        language.code(),
        paragraphs.join("\n")
    )
}

fn linked(line: &str) -> String {
    let words: Vec<String> = line
        .split(' ')
        .map(|word| {
            let word = escaped(word);
            if word.starts_with("https://") || word.starts_with("http://") {
                format!("<a href=\"{word}\">{word}</a>")
            } else {
                word
            }
        })
        .collect();
    words.join(" ")
}

/// What the words of a kind may name, each with an example: lists have one element.
#[must_use]
pub fn sample(kind: EventKind) -> Value {
    let counts = json!({
        "read": 200, "unchanged": 180, "changed": 10, "new": 10, "problems": 0, "create": 9, "link": 1, "update": 8,
        "disable": 2, "remove": 0, "hold": 0, "conflict": 0, "skipped": 1, "review": 0, "missing": 0, "applied": 20,
        "refused": 1,
    });
    let own = match kind {
        EventKind::RunDone => json!({ "run": "0192", "state": "done", "counts": counts, "changes": 20 }),
        EventKind::RunAwaitingApproval => json!({
            "run": "0192", "plan": "0193", "plan_hash": "9f", "reasons": ["30 % would leave"], "counts": counts,
            "escalated": true,
        }),
        EventKind::RunFailed => json!({ "run": "0192", "error": "the HR system could not be read" }),
        EventKind::AppAwaitingApproval => json!({
            "plan": "0193", "cause": "app", "reasons": ["600 accounts would be disabled"], "counts": { "disable": 600 },
            "escalated": true,
        }),
        EventKind::PlanFailed => {
            json!({ "plan": "0193", "cause": "app", "reason": "the settings name an unknown attribute" })
        }
        EventKind::PersonDeactivated => json!({
            "user": "0194", "run": "0192", "name": "Ada Brook", "user_name": "ada@acme.example",
            "accounts": [{
                "app": "expenses", "state": "disabled", "reason": "left",
                "fields": [{ "name": "card", "value": "1234" }],
            }],
        }),
        EventKind::PeopleDeactivated => json!({
            "run": "0192", "count": 30, "more": 10,
            "people": [{ "user": "0194", "name": "Ada Brook", "user_name": "ada@acme.example" }],
        }),
        EventKind::ValueHeld => json!({
            "hold": "0195", "user": "0194", "name": "Ada Brook", "field": "emails", "old": "a@old.example",
            "new": "a@new.example",
        }),
        EventKind::ValuesHeld => json!({
            "count": 30, "more": 10,
            "values": [{ "name": "Ada Brook", "field": "emails", "old": "a@old.example", "new": "a@new.example" }],
        }),
        EventKind::AccountsUnmatched => json!({ "count": 12 }),
        EventKind::Welcome => json!({
            "user": "0194", "to": "ada@acme.example", "name": "Ada Brook", "given_name": "Ada",
            "user_name": "ada@acme.example",
        }),
        EventKind::DeletionNotice => json!({
            "user": "0194", "to": "ada@acme.example", "name": "Ada Brook", "given_name": "Ada",
            "user_name": "ada@acme.example", "on": "2026-12-31",
        }),
        EventKind::CredentialFailed => json!({ "message": "401" }),
        EventKind::AppQuarantined => json!({ "reason": "503" }),
        EventKind::ClientOrAppFrozen => json!({ "who": "Okta", "reason": "520 disables in 24 hours" }),
        EventKind::FeedStale => json!({ "since": "2026-11-20" }),
        EventKind::LeaverNotDisabled => json!({
            "user": "0194", "name": "Ada Brook", "user_name": "ada@acme.example", "since": "2026-11-20",
            "state": "parked", "reason": "403",
        }),
        EventKind::PhoneUnverified => {
            json!({ "user": "0194", "name": "Ada Brook", "fields": ["phoneNumbers.mobile"] })
        }
        EventKind::LeaversNotDisabled
        | EventKind::ReactivationsWithheld
        | EventKind::UserNamesTaken
        | EventKind::PhonesUnverified => {
            json!({
                "run": "0192", "count": 30, "more": 10,
                "people": [{ "user": "0194", "name": "Ada Brook", "user_name": "ada@acme.example" }],
            })
        }
        EventKind::ReactivationWithheld => {
            json!({ "user": "0194", "name": "Ada Brook", "reason": "by policy" })
        }
        EventKind::UserNameTaken => json!({
            "run": "0192", "user": "0194", "name": "Ada Brook", "user_name": "ada@acme.example",
            "reason": "another user has this userName already",
        }),
        EventKind::SubscriptionDisabled => json!({
            "subscription": "siem", "since": "2026-11-20", "reason": "404",
        }),
    };
    let mut all = json!({
        "tenant": "acme", "connection": "people", "app": "expenses", "entity": "760", "at": "2026-11-22 08:00 UTC",
        "link": "https://bridge.example/",
    });
    if let (Some(all), Value::Object(own)) = (all.as_object_mut(), own) {
        all.extend(own);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_words_in_every_language_and_they_name_only_what_is_known() {
        for language in Language::ALL {
            let book = BUILT_IN.get(language).unwrap();
            assert_eq!(book.len(), EventKind::ALL.len(), "{language:?}");
            for kind in EventKind::ALL {
                let words = book
                    .get(kind.as_str())
                    .unwrap_or_else(|| panic!("{language:?} {kind:?}"));
                if let Err(faults) = words.check(*kind) {
                    panic!("{language:?} {kind:?}: {faults:?}");
                }
                let said = words.say(&sample(*kind), *language).unwrap();
                assert!(!said.subject.is_empty() && !said.text.is_empty());
                assert!(!said.text.contains("\n\n\n") && !said.text.contains("{{"));
                let english = built_in(*kind, Language::En);
                assert!(
                    *language == Language::En || english.body != words.body,
                    "{kind:?}"
                );
            }
        }
    }

    #[test]
    fn a_value_starts_no_header_and_no_tag() {
        let mut values = sample(EventKind::PersonDeactivated);
        values["name"] = json!("Eve\r\nBcc: all@acme.example\u{2028}<script>x</script>");
        let words = built_in(EventKind::PersonDeactivated, Language::En);
        let said = words.say(&values, Language::En).unwrap();
        assert!(!said.subject.contains(['\r', '\n']), "{}", said.subject);
        assert!(
            said.subject.starts_with("Eve Bcc: all@acme.example"),
            "{}",
            said.subject
        );
        assert!(!said.html.contains("<script>"), "{}", said.html);
        let own = Words {
            html: Some("<p>{{ name }}</p>".to_owned()),
            ..words
        };
        assert!(!own.say(&values, Language::En).unwrap().html.contains("<script>"));
    }

    #[test]
    fn addresses_become_links_and_cannot_end_the_attribute() {
        let text = "Go to https://x.example/?a=1&b=2\"onload=1\nnow";
        let html = page(text, Language::De);
        assert!(
            html.contains("<a href=\"https://x.example/?a=1&amp;b=2&quot;onload=1\">"),
            "{html}"
        );
        assert!(html.contains("<br>\nnow</p>") && html.contains("lang=\"de\""));
    }
}
