//! Rules made ready: paths split, formats chosen, words known. What a rule may say depends on the field it is for.

use std::collections::BTreeMap;

use crate::hr::Field;

use super::condition::{Choice, Fill, Test, filled};
use super::date::Dates;
use super::path::Path;
use super::request::Many;
use super::rule::{Clean, ManagerKind, Rule, Rules, Split};

/// How paths in rules are to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paths {
    /// JSON Pointers.
    Pointers,
    /// Names of columns.
    Columns,
}

/// A field and the ways it may be read.
#[derive(Debug, Clone)]
pub(super) struct FieldWays {
    pub field: &'static Field,
    pub ways: Vec<Way>,
}

/// One way a field is read.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub only: Vec<Test>,
    pub base: Base,
    pub what: What,
    pub clean: Option<Clean>,
    pub split: Option<Split>,
}

/// Where the paths start.
#[derive(Debug, Clone)]
pub(super) enum Base {
    /// At the record.
    Record,
    /// At the element of a list.
    Pick { from: Path, choice: Choice },
    /// At the record of a second list.
    List {
        name: String,
        by: Vec<Path>,
        choice: Choice,
    },
}

/// What is read there.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// A text, with its words translated.
    Text(Texts, Option<Words<String>>),
    /// A fixed text.
    Fixed(String),
    /// A fixed status.
    FixedStatus(StatusWord),
    /// A date.
    Date(Texts, Dates),
    /// The parts of an org unit or an address, by name.
    Parts(Vec<(&'static str, Texts)>),
    /// A reference to the manager.
    Manager(Texts, ManagerKind),
    /// A status word.
    Status(Texts, Words<StatusWord>),
    /// A list of bank accounts, or the one in the record.
    Accounts {
        from: Option<Path>,
        parts: Vec<(&'static str, Texts)>,
    },
    /// All custom fields of an object.
    AllCustom(Path),
    /// Custom fields in a list: where it is, and where an element has its key and its value.
    ListedCustom { from: Path, name: Path, at: Path },
    /// Single custom fields.
    Custom(Vec<(String, Path)>),
}

/// Texts that are joined; mostly there is one.
#[derive(Debug, Clone)]
pub(super) struct Texts {
    pub pieces: Vec<Piece>,
    pub between: String,
}

/// A part of a joined text.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    /// Where it is.
    At(Path),
    /// What it is.
    Word(String),
}

impl Texts {
    /// The paths in it.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::At(path) => Some(path),
            Piece::Word(_) => None,
        })
    }
}

/// A table of words.
#[derive(Debug, Clone)]
pub(super) struct Words<T> {
    pub known: BTreeMap<String, T>,
    pub otherwise: Option<T>,
    /// Whether an unknown word is left to the next way.
    pub next: bool,
}

/// What a status word can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StatusWord {
    Active,
    OnLeave,
    PreHire,
    Left,
    ByDates,
    /// The HR system has one word for both: the first day tells them apart.
    NotStartedOrLeft,
    /// Held and reported.
    Hold,
}

const STATUS_WORDS: &[(&str, StatusWord)] = &[
    ("active", StatusWord::Active),
    ("on_leave", StatusWord::OnLeave),
    ("pre_hire", StatusWord::PreHire),
    ("left", StatusWord::Left),
    ("by_dates", StatusWord::ByDates),
    ("not_started_or_left", StatusWord::NotStartedOrLeft),
    ("hold", StatusWord::Hold),
];

/// The dates among the fields.
const DATES: &[&str] = &["first_day", "last_day", "last_working_day", "birth_date"];

/// Makes the rules of a field ready. A way that needs a setting which is not answered, or a label which the account lacks, is
/// left out. The message says what the field cannot be read by.
pub(super) fn ready(
    field: &'static Field,
    rules: &Rules,
    paths: Paths,
    fill: Fill<'_>,
) -> Result<FieldWays, String> {
    if rules.0.is_empty() {
        return Err("has no way to be read".into());
    }
    let mut ways = Vec::new();
    for rule in &rules.0 {
        ways.extend(way(field, rule, paths, fill)?);
    }
    Ok(FieldWays { field, ways })
}

/// What a rule cannot be made ready by: a message, or a setting that is not answered.
enum Stop {
    Wrong(String),
    Unanswered,
}

impl From<String> for Stop {
    fn from(message: String) -> Self {
        Self::Wrong(message)
    }
}

impl From<&str> for Stop {
    fn from(message: &str) -> Self {
        Self::Wrong(message.to_owned())
    }
}

fn way(field: &'static Field, rule: &Rule, paths: Paths, fill: Fill<'_>) -> Result<Option<Way>, String> {
    let label = match rule
        .label
        .as_deref()
        .map(|label| filled(label, fill))
        .transpose()?
    {
        None => None,
        Some(None) => return Ok(None),
        Some(Some(label)) => match fill(&format!("label:{label}")) {
            None => return Ok(None),
            key => key,
        },
    };
    let with_label = |name: &str| {
        if name == "label" {
            label.clone()
        } else {
            fill(name)
        }
    };
    let reader = Reader {
        rule,
        paths,
        fill: &with_label,
    };
    match reader.way(field) {
        Ok(way) => Ok(Some(way)),
        Err(Stop::Unanswered) => Ok(None),
        Err(Stop::Wrong(message)) => Err(message),
    }
}

struct Reader<'a> {
    rule: &'a Rule,
    paths: Paths,
    fill: Fill<'a>,
}

impl Reader<'_> {
    fn way(&self, field: &'static Field) -> Result<Way, Stop> {
        let rule = self.rule;
        let only = rule
            .only
            .0
            .iter()
            .map(|condition| Test::new(condition, self.fill))
            .collect::<Result<_, _>>()?;
        let base = self.base(field)?;
        let what = self.what(field)?;
        self.nothing_strange(&what)?;
        Ok(Way {
            only,
            base,
            what,
            clean: rule.clean,
            split: rule.split.clone(),
        })
    }

    fn what(&self, field: &'static Field) -> Result<What, Stop> {
        let rule = self.rule;
        if let Some(value) = &rule.value {
            return self.fixed(field, value);
        }
        Ok(match field.name {
            "manager" => What::Manager(
                self.at()?,
                rule.kind
                    .ok_or("needs kind: source_id, email or employee_number")?,
            ),
            "status" => What::Status(self.at()?, status_words(rule)?),
            "bank_accounts" => What::Accounts {
                from: rule.from.as_deref().map(|from| self.path(from)).transpose()?,
                parts: self.parts(&["iban", "bic", "holder"])?,
            },
            "custom" => self.custom()?,
            name if DATES.contains(&name) => What::Date(self.at()?, Dates::new(rule, self.fill)?),
            _ if !field.parts.is_empty() => What::Parts(self.parts(field.parts)?),
            _ => What::Text(self.at()?, text_words(rule)),
        })
    }

    fn fixed(&self, field: &Field, value: &str) -> Result<What, Stop> {
        let value = filled(value, self.fill)?.ok_or(Stop::Unanswered)?;
        if field.name == "status" {
            return Ok(What::FixedStatus(status_word(&value)?));
        }
        let plain = field.parts.is_empty() && !matches!(field.name, "custom" | "bank_accounts");
        if !plain || DATES.contains(&field.name) {
            return Err("cannot have value".into());
        }
        Ok(What::Fixed(value))
    }

    fn custom(&self) -> Result<What, Stop> {
        let rule = self.rule;
        if let Some(keys) = &rule.keys {
            return Ok(What::Custom(
                keys.iter()
                    .map(|(key, path)| Ok((key.clone(), self.path(path)?)))
                    .collect::<Result<_, Stop>>()?,
            ));
        }
        let one =
            |texts: &Option<Many<String>>, word: &str| match texts.as_ref().map(|texts| texts.0.as_slice()) {
                Some([path]) => self.path(path),
                _ => Err(Stop::Wrong(format!("needs {word}"))),
            };
        let at = one(&rule.at, "at")?;
        match &rule.from {
            Some(from) => Ok(What::ListedCustom {
                from: self.path(from)?,
                name: one(&rule.name, "name")?,
                at,
            }),
            None => Ok(What::AllCustom(at)),
        }
    }

    fn path(&self, text: &str) -> Result<Path, Stop> {
        if self.paths == Paths::Columns {
            return Ok(Path::key(text));
        }
        let alone = text.starts_with("{{") && text.ends_with("}}") && text.matches("{{").count() == 1;
        let escaped = |name: &str| (self.fill)(name).map(|value| value.replace('~', "~0").replace('/', "~1"));
        let fill: Fill<'_> = if alone { self.fill } else { &escaped };
        let full = filled(text, fill)?.ok_or(Stop::Unanswered)?;
        Path::parse(&full).ok_or_else(|| Stop::Wrong(format!("{text:?} is no path: paths start with /")))
    }

    fn at(&self) -> Result<Texts, Stop> {
        self.texts(self.rule.at.as_ref().ok_or("needs at")?)
    }

    fn texts(&self, texts: &Many<String>) -> Result<Texts, Stop> {
        let single = texts.0.len() == 1;
        let piece = |text: &String| {
            let word =
                self.paths == Paths::Pointers && !single && !text.starts_with('/') && !text.starts_with("{{");
            if word {
                return Ok(Piece::Word(text.clone()));
            }
            self.path(text).map(Piece::At)
        };
        Ok(Texts {
            pieces: texts.0.iter().map(piece).collect::<Result<_, Stop>>()?,
            between: self.rule.between.clone().unwrap_or_else(|| " ".to_owned()),
        })
    }

    fn base(&self, field: &Field) -> Result<Base, Stop> {
        let rule = self.rule;
        let choice = || {
            rule.pick
                .as_ref()
                .map(|pick| Choice::new(pick, self.fill))
                .transpose()
        };
        if matches!(field.name, "bank_accounts" | "custom") && rule.pick.is_none() && rule.list.is_none() {
            return Ok(Base::Record);
        }
        match (&rule.from, &rule.list) {
            (None, None) if rule.pick.is_some() => Err("needs both from and pick".into()),
            (None, None) if !rule.by.0.is_empty() => Err("needs both list and by".into()),
            (None, None) => Ok(Base::Record),
            (Some(from), None) => Ok(Base::Pick {
                from: self.path(from)?,
                choice: choice()?.ok_or("needs both from and pick")?,
            }),
            (None, Some(_)) if rule.by.0.is_empty() => Err("needs both list and by".into()),
            (None, Some(list)) => Ok(Base::List {
                name: list.clone(),
                by: rule
                    .by
                    .0
                    .iter()
                    .map(|by| self.path(by))
                    .collect::<Result<_, Stop>>()?,
                choice: choice()?.unwrap_or_default(),
            }),
            _ => Err("reads from a list element or from a second list, not from both".into()),
        }
    }

    fn part(&self, name: &str) -> Option<&Many<String>> {
        let rule = self.rule;
        let part = match name {
            "id" => &rule.id,
            "code" => &rule.code,
            "name" => &rule.name,
            "street" => &rule.street,
            "city" => &rule.city,
            "region" => &rule.region,
            "postal_code" => &rule.postal_code,
            "country" => &rule.country,
            "iban" => &rule.iban,
            "bic" => &rule.bic,
            "holder" => &rule.holder,
            _ => &None,
        };
        part.as_ref()
    }

    fn parts(&self, names: &[&'static str]) -> Result<Vec<(&'static str, Texts)>, Stop> {
        let mut parts = Vec::new();
        let mut named = false;
        for name in names {
            let Some(texts) = self.part(name) else { continue };
            named = true;
            match self.texts(texts) {
                Ok(texts) => parts.push((*name, texts)),
                Err(Stop::Unanswered) => {}
                Err(stop) => return Err(stop),
            }
        }
        match (named, parts.is_empty()) {
            (false, _) => Err(format!("needs at least one of {}", names.join(", ")).into()),
            (true, true) => Err(Stop::Unanswered),
            (true, false) => Ok(parts),
        }
    }

    /// Words that say nothing for this kind of field are mistakes.
    fn nothing_strange(&self, what: &What) -> Result<(), Stop> {
        let rule = self.rule;
        let parts = [
            "id",
            "code",
            "name",
            "street",
            "city",
            "region",
            "postal_code",
            "country",
            "iban",
            "bic",
            "holder",
        ];
        let has_parts = parts.into_iter().find(|name| self.part(name).is_some());
        let parted = matches!(
            what,
            What::Parts(_) | What::Accounts { .. } | What::ListedCustom { .. }
        );
        let worded = matches!(what, What::Text(..) | What::Status(..));
        let dated = matches!(what, What::Date(..));
        let fixed = matches!(what, What::Fixed(_) | What::FixedStatus(_));
        let is_custom = matches!(what, What::Custom(_));
        let no_at = matches!(what, What::Parts(_) | What::Accounts { .. }) || is_custom || fixed;
        let strange = [
            (rule.at.is_some() && no_at, "at"),
            (!rule.date.0.is_empty() && !dated, "date"),
            (!rule.zone.0.is_empty() && !dated, "zone"),
            (!rule.never.is_empty() && !dated, "never"),
            (rule.kind.is_some() && !matches!(what, What::Manager(..)), "kind"),
            (rule.words.is_some() && !worded, "words"),
            (
                rule.otherwise.is_some() && (!worded || rule.words.is_none()),
                "otherwise",
            ),
            (rule.keys.is_some() && !is_custom, "keys"),
        ];
        if let Some((_, word)) = strange.iter().find(|(found, _)| *found) {
            return Err(Stop::Wrong(format!("cannot have {word}")));
        }
        match has_parts {
            Some(part) if !parted => Err(Stop::Wrong(format!("has no part {part}"))),
            _ => Ok(()),
        }
    }
}

impl Way {
    /// The paths that start at the record.
    pub fn paths(&self) -> Vec<&Path> {
        match &self.base {
            Base::Pick { from, .. } => return vec![from],
            Base::List { by, .. } => return by.iter().collect(),
            Base::Record => {}
        }
        match &self.what {
            What::Date(texts, dates) => texts.paths().chain(dates.paths()).collect(),
            What::Text(texts, _) | What::Manager(texts, _) | What::Status(texts, _) => {
                texts.paths().collect()
            }
            What::AllCustom(path) | What::ListedCustom { from: path, .. } => vec![path],
            What::Accounts { from: Some(path), .. } => vec![path],
            What::Parts(parts) | What::Accounts { parts, .. } => {
                parts.iter().flat_map(|(_, texts)| texts.paths()).collect()
            }
            What::Custom(keys) => keys.iter().map(|(_, path)| path).collect(),
            What::Fixed(_) | What::FixedStatus(_) => Vec::new(),
        }
    }

    /// All paths that start at the record, those of its conditions too.
    pub fn needs(&self) -> impl Iterator<Item = &Path> {
        self.paths()
            .into_iter()
            .chain(self.only.iter().map(|test| &test.at))
    }
}

fn text_words(rule: &Rule) -> Option<Words<String>> {
    let known = rule.words.clone()?;
    let next = rule.otherwise.as_deref() == Some("next");
    let otherwise = rule.otherwise.clone().filter(|word| word != "keep" && !next);
    Some(Words {
        known,
        otherwise,
        next,
    })
}

fn status_words(rule: &Rule) -> Result<Words<StatusWord>, String> {
    let known = rule
        .words
        .as_ref()
        .ok_or("needs words: which word of the HR system means which status")?
        .iter()
        .map(|(word, meaning)| Ok((word.clone(), status_word(meaning)?)))
        .collect::<Result<_, String>>()?;
    let next = rule.otherwise.as_deref() == Some("next");
    let otherwise = rule
        .otherwise
        .as_deref()
        .filter(|_| !next)
        .map(status_word)
        .transpose()?;
    Ok(Words {
        known,
        otherwise: otherwise.or(Some(StatusWord::Hold)),
        next,
    })
}

fn status_word(text: &str) -> Result<StatusWord, String> {
    STATUS_WORDS
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, word)| *word)
        .ok_or_else(|| {
            let known: Vec<&str> = STATUS_WORDS.iter().map(|(name, _)| *name).collect();
            format!("{text:?} is no status: there are {}", known.join(", "))
        })
}
