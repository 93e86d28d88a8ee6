//! Is a manifest right in itself? Every problem with the line and column where it stands.

use serde_json::Value;

use super::error::ManifestProblem;
use super::manifest::Written;
use super::paging::{Paging, is_place};
use super::path::Path;
use super::request::{Condition, Each, Employees, Join, List, Many, Place, Request};
use super::scope::is_reserved;
use super::template::{BadTemplate, fill};
use super::way::{Base, Paths, ready};
use super::webhook::{SecretMaker, Verify, Webhooks, check_over};
use crate::hr::field;

/// Facts that may be marked as assumed, beside the fields.
pub(super) const FACTS: &[&str] = &[
    "auth",
    "list",
    "paging",
    "pace",
    "errors",
    "provable",
    "webhooks",
    "guide",
    "permissions",
    "limit",
];
const MOST_LINES: usize = 250;

/// Line and column (in characters) of a byte offset, both from 1.
pub(super) fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count().saturating_add(1);
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        .saturating_add(1);
    (line, column)
}

/// A check that is under way.
pub(super) struct Check<'a> {
    written: &'a Written,
    text: &'a str,
    problems: Vec<ManifestProblem>,
}

/// Everything that is wrong with a manifest that has the right shape.
pub(super) fn problems(written: &Written, text: &str) -> Vec<ManifestProblem> {
    let mut check = Check {
        written,
        text,
        problems: Vec::new(),
    };
    check.head();
    check.settings();
    check.auth(&written.auth);
    for text in written.headers.values() {
        check.template(text);
    }
    match (&written.employees, written.connector.custom) {
        (Some(employees), None) => check.employees(employees),
        (None, Some(_)) => {}
        (None, None) => check.near("[connector]", "has neither [employees] nor custom code".into()),
        (Some(_), Some(_)) => check.near("[employees]", "cannot stand beside custom code".into()),
    }
    for (name, list) in written.lists.iter() {
        check.list(name, list);
    }
    if let Some(webhooks) = &written.webhooks {
        check.webhooks(webhooks);
    }
    for (name, join) in written.join.iter() {
        check.join(name, join.get_ref(), join.span().start);
    }
    if let Some(labels) = &written.labels {
        check.path(&labels.at);
        check.list_is_there("[labels]", &labels.list);
    }
    for path in &written.errors.code.0 {
        check.path(path);
    }
    if let Some(failed) = &written.errors.failed {
        check.conditions(&Many(vec![failed.clone()]));
    }
    for (name, why) in &written.assumed {
        if !FACTS.contains(&name.as_str()) && field(name).is_none() {
            check.at(
                why.span().start,
                format!("{name} is neither a field nor one of {}", FACTS.join(", ")),
            );
        }
    }
    check.problems
}

impl Check<'_> {
    fn at(&mut self, offset: usize, message: String) {
        let (line, column) = position(self.text, offset);
        self.problems.push(ManifestProblem {
            line,
            column,
            message,
        });
    }

    /// A problem where `needle` first stands.
    pub(super) fn near(&mut self, needle: &str, message: String) {
        self.at(self.text.find(needle).unwrap_or(0), message);
    }

    /// A problem where `needle` first stands in `table`.
    fn within(&mut self, table: &str, needle: &str, message: String) {
        let start = self.text.find(table).unwrap_or(0);
        let inside = self.text.get(start..).unwrap_or_default();
        let offset = inside.find(needle).unwrap_or(0);
        self.at(start.saturating_add(offset), message);
    }

    fn head(&mut self) {
        let key = &self.written.connector.key;
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        if key.is_empty() || !key.chars().all(good) {
            self.near("key", "key must be of lower-case letters, digits, _ and -".into());
        }
        if self.text.lines().count() > MOST_LINES {
            self.at(0, format!("a manifest has at most {MOST_LINES} lines"));
        }
    }

    fn settings(&mut self) {
        for (name, setting) in self.written.settings.iter() {
            if let (Some(default), Some(choices)) = (&setting.default, &setting.choices)
                && !choices.contains_key(default)
            {
                self.near(name, format!("the default of {name} is not among its choices"));
            }
            if setting.ask.is_empty() {
                self.near(name, format!("{name} has no question to ask"));
            }
            let employees = self.written.employees.as_ref();
            let clashes = match name {
                "id" => employees.is_some_and(|employees| employees.one.is_some()),
                "label" => self.written.labels.is_some(),
                _ => is_reserved(name),
            };
            if clashes {
                self.near(
                    name,
                    format!("{name} stands for something else in requests: name the setting otherwise"),
                );
            }
            for text in setting.choices.iter().flat_map(|choices| choices.values()) {
                self.template(text);
            }
        }
    }

    /// The choices of a setting.
    pub(super) fn choices_of(&self, name: &str) -> Vec<String> {
        let choices = self
            .written
            .settings
            .get(name)
            .and_then(|setting| setting.choices.as_ref());
        choices
            .map(|choices| choices.keys().cloned().collect())
            .unwrap_or_default()
    }

    fn employees(&mut self, employees: &Employees) {
        let request = employees.request();
        self.request("[employees]", &request);
        if employees.records.is_none() {
            self.near(
                "[employees]",
                "needs records: where the list is in the answer".into(),
            );
        }
        if let Some(select) = &employees.select {
            self.path(&select.below);
            if select.place == Place::Body {
                self.path(&select.send);
            }
        }
        for pace in &employees.pace.0 {
            if pace.requests == Some(0) || pace.per_seconds == Some(0) || pace.at_once == Some(0) {
                self.near("pace", "pace needs numbers above zero".into());
            }
            if pace.requests.is_some() != pace.per_seconds.is_some() {
                self.near(
                    "pace",
                    "pace needs both requests and per_seconds, or neither".into(),
                );
            }
        }
        if let Some(one) = &employees.one {
            self.request("[employees.one]", &one.request());
        }
        if let Some(changes) = &employees.changes {
            self.request("[employees.changes]", &request.changed_by(&changes.request()));
            for place in [&changes.ids, &changes.token].into_iter().flatten() {
                self.place(place);
            }
            changes.start.iter().for_each(|start| self.address(start));
            if changes.ids.is_some() && employees.one.is_none() {
                self.near(
                    "[employees.changes]",
                    "ids needs [employees.one], by which people are read".into(),
                );
            }
        }
        if let Some(report) = &employees.report {
            self.request("[employees.report]", &report.request());
            self.address(&report.poll);
            self.conditions(&Many(
                report.failed.iter().chain([&report.ready]).cloned().collect(),
            ));
            if report.every_seconds == 0 || employees.each.is_some() {
                self.near(
                    "[employees.report]",
                    "needs every_seconds above zero, and no each".into(),
                );
            }
        }
        for name in &employees.required {
            if employees.map.get(name).is_none() {
                self.near(name, format!("{name} is required but not mapped"));
            }
        }
        for name in ["source_id", "status"] {
            if !employees.required.iter().any(|known| known == name) {
                self.near("required", format!("{name} must be required"));
            }
        }
        self.map(employees);
    }

    fn map(&mut self, employees: &Employees) {
        for (name, rules) in employees.map.iter() {
            let offset = rules.span().start;
            let Some(known) = field(name) else {
                self.at(offset, format!("{name} is no canonical field"));
                continue;
            };
            let written = self.written;
            let known_setting = |name: &str| match name.strip_prefix("label:") {
                Some(_) => Some("label".to_owned()),
                None => written.settings.get(name).map(|_| String::new()),
            };
            match ready(known, rules.get_ref(), Paths::Pointers, &known_setting) {
                Err(message) => self.at(offset, format!("{name} {message}")),
                Ok(ready) => {
                    for way in ready.ways {
                        if let Base::List { name: list, .. } = way.base
                            && self.written.lists.get(&list).is_none()
                        {
                            self.at(
                                offset,
                                format!("{name} joins the list {list}, which is not described"),
                            );
                        }
                    }
                }
            }
            for rule in &rules.get_ref().0 {
                for text in rule.texts() {
                    self.template(text);
                }
                self.conditions(&rule.only);
                if rule.label.is_some() && written.labels.is_none() {
                    self.at(offset, format!("{name} has a label, but there are no [labels]"));
                }
            }
        }
    }

    fn webhooks(&mut self, webhooks: &Webhooks) {
        for pointer in [&webhooks.timestamp, &webhooks.id, &webhooks.each, &webhooks.event]
            .into_iter()
            .flatten()
            .filter(|place| place.contains('/'))
        {
            self.path(pointer);
        }
        if webhooks.each.as_ref().is_some_and(|each| !each.starts_with('/')) {
            self.within(
                "[webhooks]",
                "each",
                "each must be a path in the body: paths start with /".into(),
            );
        }
        if webhooks.event.is_none() && !webhooks.events.is_empty() {
            self.within(
                "[webhooks]",
                "events",
                "events needs event: where the event's name is".into(),
            );
        }
        if webhooks.guide.trim().is_empty() {
            self.within(
                "[webhooks]",
                "guide",
                "guide must say what to do in the HR system".into(),
            );
        }
        if let Some(challenge) = &webhooks.challenge
            && challenge.query.is_some() == challenge.header.is_some()
        {
            self.within(
                "[webhooks]",
                "challenge",
                "challenge needs either query or header".into(),
            );
        }
        let only_url = matches!(webhooks.verify, Verify::Url {});
        match (only_url, webhooks.secret) {
            (false, SecretMaker::None) => self.within("[webhooks]", 
                "verify",
                "verify needs a secret: secret = \"given\" when the HR system shows it, \"made\" when we make it".into(),
            ),
            (true, SecretMaker::Given | SecretMaker::Made) => self.within("[webhooks]", 
                "secret",
                "secret says nothing without verify: say how a delivery proves that it knows the secret".into(),
            ),
            _ => {}
        }
        if let Verify::Hmac { over: Some(over), .. } = &webhooks.verify {
            if let Err(message) = check_over(over) {
                self.within("[webhooks]", "over", message);
            }
            for (name, place) in [("timestamp", &webhooks.timestamp), ("id", &webhooks.id)] {
                if over.contains(&format!("{{{{ {name} }}}}")) && place.is_none() {
                    self.within(
                        "[webhooks]",
                        "over",
                        format!("over signs {name}, but where {name} is has not been said"),
                    );
                }
            }
        }
        if let (Some(rules), Some(known)) = (&webhooks.employee, field("source_id")) {
            let offset = rules.span().start;
            if let Err(message) = ready(known, rules.get_ref(), Paths::Pointers, &|_| None) {
                self.at(offset, format!("employee {message}"));
            }
            if rules.get_ref().0.iter().any(|rule| rule.list.is_some()) {
                self.at(
                    offset,
                    "employee cannot join a second list: a delivery has none".into(),
                );
            }
        }
    }

    fn list(&mut self, name: &str, list: &List) {
        self.request(name, &list.request());
        for key in &list.key.0 {
            self.path(key);
        }
        if list.key.0.is_empty() || list.records.is_none() {
            self.near(name, format!("the list {name} needs records and key"));
        }
    }

    fn join(&mut self, name: &str, join: &Join, offset: usize) {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name == "each" || !name.chars().all(good) {
            self.at(
                offset,
                format!("a join cannot be named {name}: lower-case letters, digits and _"),
            );
        }
        let known = |name: &str| self.written.settings.get(name).map(|_| String::new());
        if let Some(message) = super::join::problem(name, join, &known) {
            self.at(offset, format!("the join {name} {message}"));
        }
        if join.get.is_some() || join.post.is_some() {
            self.request(name, &join.request());
        }
        if let Some(list) = &join.list {
            self.list_is_there(name, list);
        }
        self.conditions(&join.only);
    }

    fn list_is_there(&mut self, near: &str, list: &str) {
        if self.written.lists.get(list).is_none() {
            self.near(near, format!("the list {list} is not described"));
        }
    }

    fn conditions(&mut self, conditions: &Many<Condition>) {
        for condition in &conditions.0 {
            let words = condition.is.iter().chain(&condition.not).flatten();
            for text in words.chain([&condition.at]) {
                self.template(text);
            }
            if !condition.at.contains("{{") {
                self.path(&condition.at);
            }
            if condition.is.is_none() && condition.not.is_none() {
                self.near(&condition.at, "a condition needs is or not".into());
            }
        }
    }

    fn paging(&mut self, paging: &Paging) {
        let (places, sent): (Vec<&String>, _) = match paging {
            Paging::None => (Vec::new(), None),
            Paging::Page {
                send,
                place,
                pages,
                more,
                ..
            } => (pages.iter().chain(more).collect(), Some((send, place))),
            Paging::Offset { send, place, more } => (more.iter().collect(), Some((send, place))),
            Paging::Cursor {
                send,
                place,
                read,
                more,
                ..
            } => (more.iter().chain([read]).collect(), Some((send, place))),
            Paging::Link { read, .. } => (read.iter().collect(), None),
        };
        for place in places {
            self.place(place);
        }
        match sent {
            Some((send, Place::Body)) => self.path(send),
            Some((send, Place::Query)) if send.is_empty() => {
                self.near("page", "page needs send: the parameter that carries it".into());
            }
            _ => {}
        }
    }

    fn request(&mut self, near: &str, request: &Request) {
        match (&request.get, &request.post) {
            (Some(address), None) | (None, Some(address)) => self.address(address),
            _ => self.near(near, "needs either get or post".into()),
        }
        for text in request
            .query
            .values()
            .chain(request.headers.values())
            .chain(&request.xml)
        {
            self.template(text);
        }
        request.body.iter().for_each(|body| self.body(body));
        if request.body.is_some() && request.xml.is_some() {
            self.near(near, "has either body or xml".into());
        }
        request.records.iter().for_each(|path| self.path(path));
        request.count.iter().for_each(|place| self.place(place));
        request.page.iter().for_each(|page| self.paging(page));
        self.conditions(&request.only);
        match &request.each {
            Some(Each::List(list)) => self.list_is_there(near, list),
            Some(Each::Written(parents)) => {
                for text in parents.iter().flat_map(|parent| parent.values()) {
                    self.template(text);
                }
            }
            None => {}
        }
    }

    /// A path, or `header:NAME`.
    fn place(&mut self, place: &str) {
        if !is_place(place) {
            self.near(
                &format!("{place:?}"),
                format!("{place:?} is no place of an answer: paths start with /, headers with header:"),
            );
        }
    }

    pub(super) fn path(&mut self, path: &str) {
        if Path::parse(path).is_none() {
            self.near(
                &format!("{path:?}"),
                format!("{path:?} is no path: paths start with /"),
            );
        }
    }

    fn body(&mut self, body: &Value) {
        match body {
            Value::String(text) => self.template(text),
            Value::Array(items) => items.iter().for_each(|item| self.body(item)),
            Value::Object(members) => members.values().for_each(|item| self.body(item)),
            _ => {}
        }
    }

    pub(super) fn template(&mut self, text: &str) {
        let known = |name: &str| {
            let setting = self.written.settings.get(name);
            (setting.is_some() || is_reserved(name)).then(String::new)
        };
        match fill(text, &known) {
            Ok(_) => {}
            Err(BadTemplate::Open) => self.near(text, format!("{text:?} has {{{{ without }}}}")),
            Err(BadTemplate::Unknown(name)) => self.near(text, format!("{name} is not among [settings]")),
        }
    }

    /// An address: only settings whose form cannot break out of their place may be put in.
    pub(super) fn address(&mut self, text: &str) {
        self.template(text);
        let written = self.written;
        let alone = text
            .trim()
            .strip_prefix("{{")
            .and_then(|rest| rest.strip_suffix("}}"));
        if alone.is_some_and(|name| {
            let setting = written.settings.get(name.trim());
            setting.is_some_and(|setting| setting.form == super::setting::Form::Url)
        }) {
            return;
        }
        let filled = fill(text, &|name| {
            if written.settings.get(name).is_none() && is_reserved(name) {
                return Some("1".to_owned());
            }
            let setting = written.settings.get(name)?;
            let text = setting
                .choices
                .as_ref()
                .map_or(setting.form.in_address(), |_| Some("1"));
            text.map(str::to_owned)
        });
        match filled {
            Err(BadTemplate::Unknown(name)) if written.settings.get(&name).is_some() => {
                self.near(
                    text,
                    format!(
                        "{name} stands in an address: it needs choices or a form that stays in its place: subdomain, \
                         host, segment, path, number, or origin at the beginning"
                    ),
                );
            }
            Ok(filled) if !filled.starts_with("https://") => {
                self.near(text, format!("{text:?} is no https address"));
            }
            _ => {}
        }
    }
}
