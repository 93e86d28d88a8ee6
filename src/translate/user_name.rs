//! userNames for people to whom IT gives the address: HR has none to take.
//!
//! The language of patterns is closed: texts, and fields in braces, each with the number of its first letters if only
//! they are meant: `{given:1}.{family}@acme.example`.

use serde::{Deserialize, Serialize};

use super::Policy;
use super::mapping::{LineView, SetIn};
use crate::hr::Employee;

/// Longest pattern, and longest userName that one makes, in characters.
const LONGEST: usize = 200;

/// `[user_name]` of a connection file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserNameFile {
    /// How a userName is made: `{given:1}{family}`. A name that is taken gets a number where `{n}` stands, else before
    /// the @ or at the end: 2, 3 and so on.
    pub pattern: String,
    /// Names that nobody gets, with or without what follows the @.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reserved: Vec<String>,
    /// What becomes of ä, ö, ü, å, æ, ø.
    #[serde(default)]
    pub umlauts: Umlauts,
    /// What a new name of the person does.
    #[serde(default)]
    pub on_rename: OnRename,
}

/// What becomes of ä, ö, ü, å, æ, ø. ß is always ss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Umlauts {
    /// ae, oe, ue, aa, ae, oe, as Germans and Danes write them.
    #[default]
    Expand,
    /// a, o, u, a, ae, o.
    Drop,
}

/// What a new name of the person does to the userName.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnRename {
    /// Nothing: once given, it stays.
    #[default]
    Keep,
    /// A new one is given; nobody else ever gets the old one.
    New,
}

/// A compiled `[user_name]`.
#[derive(Debug, Clone)]
pub struct UserNames {
    pattern: String,
    parts: Vec<Part>,
    reserved: Vec<String>,
    umlauts: Umlauts,
    /// What a new name of the person does.
    pub on_rename: OnRename,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field { field: Field, first: Option<usize> },
    Number,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Given,
    Family,
    Preferred,
    Middle,
    Number,
    Entity,
}

impl Field {
    /// The canonical field.
    const fn name(self) -> &'static str {
        match self {
            Self::Given => "given_name",
            Self::Family => "family_name",
            Self::Preferred => "preferred_name",
            Self::Middle => "middle_name",
            Self::Number => "employee_number",
            Self::Entity => "entity",
        }
    }
}

const FIELDS: &[(&str, Field)] = &[
    ("given", Field::Given),
    ("family", Field::Family),
    ("preferred", Field::Preferred),
    ("middle", Field::Middle),
    ("employee_number", Field::Number),
    ("entity", Field::Entity),
];

/// What a pattern makes of a person, before and after the place of a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseName {
    before: String,
    after: String,
}

impl BaseName {
    /// The name for the `n`th person who would have it, from 1.
    #[must_use]
    pub fn numbered(&self, n: u32) -> String {
        if n <= 1 {
            format!("{}{}", self.before, self.after)
        } else {
            format!("{}{n}{}", self.before, self.after)
        }
    }
}

impl UserNames {
    /// Compiles `[user_name]`.
    ///
    /// # Errors
    /// What is wrong with the pattern, and what would do.
    pub fn compile(file: &UserNameFile) -> Result<Self, String> {
        let mut parts = parse(&file.pattern)?;
        if !parts.iter().any(|part| matches!(part, Part::Field { .. })) {
            return Err(format!("the pattern names no field: {}", known()));
        }
        if !parts.contains(&Part::Number) {
            place_number(&mut parts);
        }
        Ok(Self {
            pattern: file.pattern.clone(),
            parts,
            reserved: file.reserved.iter().map(|name| name.to_lowercase()).collect(),
            umlauts: file.umlauts,
            on_rename: file.on_rename,
        })
    }

    /// What gives the userName, as the line of a mapping.
    #[must_use]
    pub fn line(&self) -> LineView {
        let read = self.parts.iter().filter_map(|part| match part {
            Part::Field { field, .. } => Some(vec![field.name().to_owned()]),
            Part::Text(_) | Part::Number => None,
        });
        LineView {
            name: "userName".to_owned(),
            path: "userName".to_owned(),
            from: self.pattern.clone(),
            fields: read.collect(),
            policy: match self.on_rename {
                OnRename::Keep => Policy::Fill,
                OnRename::New => Policy::Overwrite,
            },
            clear_when_empty: false,
            set_in: SetIn::UserName,
        }
    }

    /// What the pattern makes of an employee; `None` when all the fields that it names are empty.
    #[must_use]
    pub fn base(&self, employee: &Employee) -> Option<BaseName> {
        let (mut before, mut after) = (String::new(), String::new());
        let (mut is_behind, mut is_empty) = (false, true);
        for part in &self.parts {
            let side = if is_behind { &mut after } else { &mut before };
            match part {
                Part::Number => is_behind = true,
                Part::Text(text) => side.push_str(text),
                Part::Field { field, first } => {
                    let plain = plain(value(employee, *field).unwrap_or_default(), self.umlauts);
                    is_empty &= plain.is_empty();
                    side.extend(plain.chars().take(first.unwrap_or(usize::MAX)));
                }
            }
        }
        let base = BaseName {
            before: tidy(&before, true),
            after: tidy(&after, false),
        };
        let length = base
            .before
            .chars()
            .count()
            .saturating_add(base.after.chars().count());
        (!is_empty && length <= LONGEST).then_some(base)
    }

    /// Whether nobody may have that name.
    #[must_use]
    pub fn is_reserved(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let local = name.split('@').next().unwrap_or_default();
        self.reserved.iter().any(|one| *one == name || one == local)
    }
}

fn known() -> String {
    let names: Vec<String> = FIELDS.iter().map(|(name, _)| format!("{{{name}}}")).collect();
    format!("there are {}, and {{n}} for the number", names.join(", "))
}

fn parse(pattern: &str) -> Result<Vec<Part>, String> {
    if pattern.chars().count() > LONGEST {
        return Err(format!("a pattern has at most {LONGEST} characters"));
    }
    let mut parts = Vec::new();
    let mut rest = pattern;
    while !rest.is_empty() {
        let Some((text, behind)) = rest.split_once('{') else {
            parts.push(text_part(rest)?);
            break;
        };
        if !text.is_empty() {
            parts.push(text_part(text)?);
        }
        let (inside, behind) = behind.split_once('}').ok_or_else(|| "a { has no }".to_owned())?;
        parts.push(field_part(inside)?);
        rest = behind;
    }
    if parts.iter().filter(|part| **part == Part::Number).count() > 1 {
        return Err("{n} stands twice".to_owned());
    }
    Ok(parts)
}

fn text_part(text: &str) -> Result<Part, String> {
    match text
        .chars()
        .find(|c| c.is_whitespace() || c.is_control() || *c == '}')
    {
        Some(wrong) => Err(format!("{wrong:?} cannot stand in a userName")),
        None => Ok(Part::Text(text.to_lowercase())),
    }
}

fn field_part(inside: &str) -> Result<Part, String> {
    if inside == "n" {
        return Ok(Part::Number);
    }
    let (name, first) = match inside.split_once(':') {
        Some((name, first)) => (name, Some(first)),
        None => (inside, None),
    };
    let (_, field) = FIELDS
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| format!("there is no field {name:?}: {}", known()))?;
    let first = match first.map(str::parse::<usize>) {
        None => None,
        Some(Ok(first)) if (1..=LONGEST).contains(&first) => Some(first),
        Some(_) => {
            return Err(format!(
                "{{{inside}}} takes a number of letters, as in {{given:1}}"
            ));
        }
    };
    Ok(Part::Field { field: *field, first })
}

/// Before the first @ of a text, else at the end.
fn place_number(parts: &mut Vec<Part>) {
    let at = parts.iter().position(|part| match part {
        Part::Text(text) => text.contains('@'),
        _ => false,
    });
    let Some(place) = at else {
        parts.push(Part::Number);
        return;
    };
    if let Some(Part::Text(text)) = parts.get(place).cloned() {
        let (left, right) = text.split_once('@').unwrap_or((&text, ""));
        let pieces = [
            Part::Text(left.to_owned()),
            Part::Number,
            Part::Text(format!("@{right}")),
        ];
        parts.splice(place..=place, pieces);
    }
}

fn value(employee: &Employee, field: Field) -> Option<&str> {
    match field {
        Field::Given => employee.given_name.as_deref(),
        Field::Family => employee.family_name.as_deref(),
        Field::Preferred => employee
            .preferred_name
            .as_deref()
            .or(employee.given_name.as_deref()),
        Field::Middle => employee.middle_name.as_deref(),
        Field::Number => employee.employee_number.as_deref(),
        Field::Entity => {
            let entity = employee.entity.as_ref()?;
            entity.code.as_deref().or_else(|| entity.key())
        }
    }
}

/// Small ASCII letters, digits and hyphens alone. Other letters are written as they sound (deunicode's table), the rest
/// is left out.
fn plain(text: &str, umlauts: Umlauts) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in composed(text).to_lowercase().chars() {
        let written = match (letter, umlauts) {
            ('ß', _) => "ss",
            ('ä' | 'æ', Umlauts::Expand) => "ae",
            ('ö' | 'ø', Umlauts::Expand) => "oe",
            ('ü', Umlauts::Expand) => "ue",
            ('å', Umlauts::Expand) => "aa",
            _ => deunicode::deunicode_char(letter).unwrap_or_default(),
        };
        plain.extend(
            written
                .chars()
                .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
                .map(|c| c.to_ascii_lowercase()),
        );
    }
    plain.trim_matches('-').to_owned()
}

/// A vowel with a mark of its own becomes the one letter, so that it is written alike however it was typed.
fn composed(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    for letter in text.chars() {
        let joined = match (letter, whole.chars().next_back()) {
            ('\u{308}', Some('a')) => Some('ä'),
            ('\u{308}', Some('o')) => Some('ö'),
            ('\u{308}', Some('u')) => Some('ü'),
            ('\u{308}', Some('A')) => Some('Ä'),
            ('\u{308}', Some('O')) => Some('Ö'),
            ('\u{308}', Some('U')) => Some('Ü'),
            ('\u{30a}', Some('a')) => Some('å'),
            ('\u{30a}', Some('A')) => Some('Å'),
            _ => None,
        };
        match joined {
            Some(joined) => {
                whole.pop();
                whole.push(joined);
            }
            None => whole.push(letter),
        }
    }
    whole
}

/// An empty field leaves no doubled sign, and none at the ends.
fn tidy(text: &str, begins: bool) -> String {
    let is_sign = |c: char| matches!(c, '.' | '-' | '_');
    let mut tidy = String::with_capacity(text.len());
    for letter in text.chars() {
        let doubled = is_sign(letter) && (tidy.ends_with(is_sign) || (begins && tidy.is_empty()));
        if !doubled {
            tidy.push(letter);
        }
    }
    if begins {
        tidy.truncate(tidy.trim_end_matches(is_sign).len());
    }
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pattern: &str) -> UserNames {
        let file = UserNameFile {
            pattern: pattern.to_owned(),
            reserved: vec!["Admin".to_owned()],
            umlauts: Umlauts::Expand,
            on_rename: OnRename::Keep,
        };
        UserNames::compile(&file).unwrap()
    }

    fn employee(given: &str, family: &str) -> Employee {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Employee {
            given_name: text(given),
            family_name: text(family),
            employee_number: Some("E 007".to_owned()),
            ..Employee::default()
        }
    }

    #[test]
    fn names_of_many_countries_become_user_names() {
        for (pattern, given, family, expected) in [
            ("{given}.{family}", "Jürgen", "Müller", "juergen.mueller"),
            (
                "{given}.{family}",
                "Ju\u{308}rgen",
                "Mu\u{308}ller",
                "juergen.mueller",
            ),
            ("{given:1}{family}", "Élodie", "d'Aboville", "edaboville"),
            ("{given}.{family}", "Łukasz", "Żółć", "lukasz.zolc"),
            (
                "{given}.{family}",
                "Søren",
                "Ørsted-Åberg",
                "soeren.oersted-aaberg",
            ),
            ("{given:1}.{family}", "Jürgen", "Groß", "j.gross"),
            ("{family:3}{given:2}", "Anne Marie", "de la Cruz", "delan"),
            ("{given}.{family}", "Иван", "Щукин", "ivan.shchukin"),
            ("{given}.{family}", "小明", "李", "xiaoming.li"),
            (
                "{given}.{middle}.{family}@Acme.example",
                "Ada",
                "Lovelace",
                "ada.lovelace@acme.example",
            ),
            ("{given}.{family}", "", "Madonna", "madonna"),
            ("x-{employee_number}", "A", "B", "x-e007"),
        ] {
            let base = names(pattern).base(&employee(given, family)).unwrap();
            assert_eq!(base.numbered(1), expected, "{pattern} of {given} {family}");
        }
        assert_eq!(names("{given}.{family}").base(&employee("", "!?")), None);
        let drop = UserNameFile {
            pattern: "{family}".to_owned(),
            reserved: Vec::new(),
            umlauts: Umlauts::Drop,
            on_rename: OnRename::Keep,
        };
        let drop = UserNames::compile(&drop).unwrap();
        assert_eq!(
            drop.base(&employee("", "Müller-Øst")).unwrap().numbered(1),
            "muller-ost"
        );
    }

    #[test]
    fn a_number_stands_where_it_is_wanted() {
        for (pattern, expected) in [
            ("{given}.{family}", "ada.king2"),
            ("{given}.{family}@acme.example", "ada.king2@acme.example"),
            ("{given}{n}.{family}", "ada2.king"),
        ] {
            let base = names(pattern).base(&employee("Ada", "King")).unwrap();
            assert_eq!(base.numbered(2), expected);
        }
        assert!(names("{given}").is_reserved("ADMIN") && names("{given}").is_reserved("admin@acme.example"));
        assert!(!names("{given}").is_reserved("admin2"));
    }

    #[test]
    fn a_pattern_that_cannot_be_is_refused_with_advice() {
        for (pattern, word) in [
            ("{surname}", "{family}"),
            ("admin", "no field"),
            ("{given", "no }"),
            ("{given} {family}", "cannot stand"),
            ("{given:0}", "number of letters"),
            ("{given}{n}{n}", "twice"),
        ] {
            let file = UserNameFile {
                pattern: pattern.to_owned(),
                reserved: Vec::new(),
                umlauts: Umlauts::default(),
                on_rename: OnRename::default(),
            };
            let wrong = UserNames::compile(&file).unwrap_err();
            assert!(wrong.contains(word), "{pattern}: {wrong}");
        }
    }
}
