//! Rules made ready: paths split, formats chosen, words known. What a rule may say depends on the field it is for.

use std::collections::BTreeMap;

use crate::hr::Field;

use super::path::Path;
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
    Pick { from: Path, at: Path, is: Vec<String> },
    /// At the record of a second list.
    List { name: String, by: Path },
}

/// What is read there.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// A text, with its words translated.
    Text(Path, Option<Words<String>>),
    /// A date in a format.
    Date(Path, String),
    /// The parts of an org unit or an address, by name.
    Parts(Vec<(&'static str, Path)>),
    /// A reference to the manager.
    Manager(Path, ManagerKind),
    /// A status word.
    Status(Path, Words<StatusWord>),
    /// A list of bank accounts, or the one in the record.
    Accounts {
        from: Option<Path>,
        parts: Vec<(&'static str, Path)>,
    },
    /// All custom fields of an object.
    AllCustom(Path),
    /// Single custom fields.
    Custom(Vec<(String, Path)>),
}

/// A table of words.
#[derive(Debug, Clone)]
pub(super) struct Words<T> {
    pub known: BTreeMap<String, T>,
    pub otherwise: Option<T>,
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

/// Makes the rules of a field ready. The message says what the field cannot be read by.
pub(super) fn ready(
    field: &'static Field,
    rules: &Rules,
    paths: Paths,
    fill: &dyn Fn(&str) -> Option<String>,
) -> Result<FieldWays, String> {
    if rules.0.is_empty() {
        return Err("has no way to be read".into());
    }
    let ways = rules
        .0
        .iter()
        .map(|rule| way(field, rule, paths, fill))
        .collect::<Result<_, _>>()?;
    Ok(FieldWays { field, ways })
}

fn way(
    field: &'static Field,
    rule: &Rule,
    paths: Paths,
    fill: &dyn Fn(&str) -> Option<String>,
) -> Result<Way, String> {
    let reader = Reader { rule, paths };
    let base = reader.base(field, fill)?;
    let what = match field.name {
        "manager" => What::Manager(
            reader.at()?,
            rule.kind
                .ok_or("needs kind: source_id, email or employee_number")?,
        ),
        "status" => What::Status(reader.at()?, status_words(rule)?),
        "bank_accounts" => What::Accounts {
            from: rule.from.as_deref().map(|from| reader.path(from)).transpose()?,
            parts: reader.parts(&["iban", "bic", "holder"])?,
        },
        "custom" => match &rule.keys {
            Some(keys) => What::Custom(
                keys.iter()
                    .map(|(key, path)| Ok((key.clone(), reader.path(path)?)))
                    .collect::<Result<_, String>>()?,
            ),
            None => What::AllCustom(reader.at()?),
        },
        name if DATES.contains(&name) => What::Date(
            reader.at()?,
            rule.date.clone().unwrap_or_else(|| "%Y-%m-%d".into()),
        ),
        _ if !field.parts.is_empty() => What::Parts(reader.parts(field.parts)?),
        _ => What::Text(reader.at()?, text_words(rule)),
    };
    reader.nothing_strange(&what)?;
    Ok(Way {
        base,
        what,
        clean: rule.clean,
        split: rule.split.clone(),
    })
}

struct Reader<'a> {
    rule: &'a Rule,
    paths: Paths,
}

impl Reader<'_> {
    fn path(&self, text: &str) -> Result<Path, String> {
        match self.paths {
            Paths::Columns => Ok(Path::key(text)),
            Paths::Pointers => {
                Path::parse(text).ok_or_else(|| format!("{text:?} is no path: paths start with /"))
            }
        }
    }

    fn at(&self) -> Result<Path, String> {
        self.path(self.rule.at.as_deref().ok_or("needs at")?)
    }

    fn base(&self, field: &Field, fill: &dyn Fn(&str) -> Option<String>) -> Result<Base, String> {
        let rule = self.rule;
        match (&rule.from, &rule.pick, &rule.list, &rule.by) {
            (None, None, None, None) => Ok(Base::Record),
            (Some(_), None, None, None) if field.name == "bank_accounts" => Ok(Base::Record),
            (Some(from), Some(pick), None, None) => Ok(Base::Pick {
                from: self.path(from)?,
                at: self.path(&pick.at)?,
                is: pick
                    .is
                    .iter()
                    .map(|text| {
                        super::template::fill(text, &|name| Some(fill(name).unwrap_or_default()))
                            .map_err(|_| "has {{ without }}".to_owned())
                    })
                    .collect::<Result<_, _>>()?,
            }),
            (None, None, Some(list), Some(by)) => Ok(Base::List {
                name: list.clone(),
                by: self.path(by)?,
            }),
            (Some(_), None, ..) | (None, Some(_), ..) => Err("needs both from and pick".into()),
            (_, _, Some(_), None) | (_, _, None, Some(_)) => Err("needs both list and by".into()),
            _ => Err("reads from a list element or from a second list, not from both".into()),
        }
    }

    fn part(&self, name: &str) -> Option<&str> {
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
        part.as_deref()
    }

    fn parts(&self, names: &[&'static str]) -> Result<Vec<(&'static str, Path)>, String> {
        let parts: Vec<(&'static str, Path)> = names
            .iter()
            .filter_map(|name| Some((*name, self.part(name)?)))
            .map(|(name, text)| Ok((name, self.path(text)?)))
            .collect::<Result<_, String>>()?;
        if parts.is_empty() {
            return Err(format!("needs at least one of {}", names.join(", ")));
        }
        Ok(parts)
    }

    /// Words that say nothing for this kind of field are mistakes.
    fn nothing_strange(&self, what: &What) -> Result<(), String> {
        let rule = self.rule;
        let has_parts = [
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
        ]
        .into_iter()
        .find(|name| self.part(name).is_some());
        let parted = matches!(what, What::Parts(_) | What::Accounts { .. });
        let worded = matches!(what, What::Text(..) | What::Status(..));
        let strange = [
            (
                rule.at.is_some() && (parted || matches!(what, What::Custom(_))),
                "at",
            ),
            (rule.date.is_some() && !matches!(what, What::Date(..)), "date"),
            (rule.kind.is_some() && !matches!(what, What::Manager(..)), "kind"),
            (rule.words.is_some() && !worded, "words"),
            (
                rule.otherwise.is_some() && (!worded || rule.words.is_none()),
                "otherwise",
            ),
            (rule.keys.is_some() && !matches!(what, What::Custom(_)), "keys"),
        ];
        if let Some((_, word)) = strange.iter().find(|(found, _)| *found) {
            return Err(format!("cannot have {word}"));
        }
        match has_parts {
            Some(part) if !parted => Err(format!("has no part {part}")),
            _ => Ok(()),
        }
    }
}

fn text_words(rule: &Rule) -> Option<Words<String>> {
    let known = rule.words.clone()?;
    let otherwise = rule.otherwise.clone().filter(|word| word != "keep");
    Some(Words { known, otherwise })
}

fn status_words(rule: &Rule) -> Result<Words<StatusWord>, String> {
    let known = rule
        .words
        .as_ref()
        .ok_or("needs words: which word of the HR system means which status")?
        .iter()
        .map(|(word, meaning)| Ok((word.clone(), status_word(meaning)?)))
        .collect::<Result<_, String>>()?;
    let otherwise = rule.otherwise.as_deref().map(status_word).transpose()?;
    Ok(Words {
        known,
        otherwise: otherwise.or(Some(StatusWord::Hold)),
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
