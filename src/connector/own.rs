//! Fields of an account's own, that a connection adds to what the manifest reads; and where in a record each field stands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Manifest;
use super::path::Path;
use super::rule::{Rule, Rules};
use super::setting::SettingProblem;

/// So many own fields a connection may add.
const MOST: usize = 100;

/// A field of the account's own: a path, or `{ at = "…", sensitive = true }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct OwnField {
    /// Where it stands in the HR system's record, as a JSON Pointer (RFC 6901).
    pub at: String,
    /// Whether it is sealed at rest and masked.
    pub sensitive: bool,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Path(String),
    Table(Table),
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    at: String,
    #[serde(default)]
    sensitive: bool,
}

impl From<Written> for OwnField {
    fn from(written: Written) -> Self {
        match written {
            Written::Path(at) => Self { at, sensitive: false },
            Written::Table(Table { at, sensitive }) => Self { at, sensitive },
        }
    }
}

impl From<OwnField> for Written {
    fn from(field: OwnField) -> Self {
        Self::Table(Table {
            at: field.at,
            sensitive: field.sensitive,
        })
    }
}

impl Manifest {
    /// The same connector, which reads these fields beside its own into `employee.custom`.
    ///
    /// # Errors
    /// Names and paths that will not do, and connectors that read no such fields.
    pub fn with_own(&self, own: &BTreeMap<String, OwnField>) -> Result<Self, Vec<SettingProblem>> {
        let mut problems = Vec::new();
        let mut problem = |setting: &str, message: String| {
            problems.push(SettingProblem {
                setting: setting.to_owned(),
                message,
            });
        };
        for (name, field) in own {
            let is_name = !name.is_empty()
                && name.len() <= 64
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && !name.starts_with(|c: char| c.is_ascii_digit());
            if !is_name {
                problem(
                    name,
                    "is no name: write up to 64 letters, digits and _, such as lunch_card".into(),
                );
            }
            if field.at.is_empty() || Path::parse(&field.at).is_none() {
                problem(
                    name,
                    format!(
                        "{:?} is no path: paths start with /, see `connection attributes`",
                        field.at
                    ),
                );
            }
        }
        if own.len() > MOST {
            problem("", format!("has more than {MOST} fields"));
        }
        let mut made = self.clone();
        if let Err(message) = made.add(own) {
            problem("", message);
        }
        if problems.is_empty() {
            Ok(made)
        } else {
            Err(problems)
        }
    }

    fn add(&mut self, own: &BTreeMap<String, OwnField>) -> Result<(), String> {
        let Some(employees) = &mut self.written.employees else {
            return Err(
                "this connector has no records of its own: name the columns in [fields] custom.keys".into(),
            );
        };
        let paths = own.iter().map(|(name, field)| (name.clone(), field.at.clone()));
        let known = employees.map.0.iter_mut().find(|(name, _)| name == "custom");
        match known {
            None => {
                let rule = Rule {
                    keys: Some(paths.collect()),
                    ..Rule::default()
                };
                let rules = toml::Spanned::new(0..0, Rules(vec![rule]));
                employees.map.0.push(("custom".to_owned(), rules));
                Ok(())
            }
            Some((_, rules)) => match rules.get_mut().0.as_mut_slice() {
                [Rule { keys: Some(keys), .. }] => {
                    keys.extend(paths);
                    Ok(())
                }
                _ => Err(
                    "this connector reads all fields of the account's own by itself, as employee.custom"
                        .into(),
                ),
            },
        }
    }

    /// Where in the HR system's record a field stands: paths, or labels in quotes; the column of a file is named by the
    /// connection. Empty when the manifest does not read it.
    #[must_use]
    pub fn places(&self, field: &str) -> Vec<String> {
        let rules = self
            .written
            .employees
            .as_ref()
            .and_then(|employees| employees.map.get(field));
        let mut places = Vec::new();
        for rule in rules.into_iter().flat_map(|rules| &rules.get_ref().0) {
            for place in rule.places() {
                if !places.contains(&place) {
                    places.push(place);
                }
            }
        }
        places
    }

    /// The field that is read from a path, or from an attribute of that label.
    pub(super) fn field_at(&self, path: &str, label: Option<&str>) -> Option<String> {
        let employees = self.written.employees.as_ref()?;
        let label = label.map(|label| format!("{label:?}"));
        let fits = |place: &String| place == path || Some(place) == label.as_ref();
        employees
            .map
            .iter()
            .find(|(name, _)| self.places(name).iter().any(fits))
            .map(|(name, _)| name.to_owned())
    }
}

impl Rule {
    /// The paths and labels of this way.
    fn places(&self) -> Vec<String> {
        if let Some(labels) = self.pick.as_ref().and_then(|pick| pick.is.as_ref())
            && self.pick.as_ref().and_then(|pick| pick.at.as_deref()) == Some("/label")
        {
            return labels.iter().map(|label| format!("{label:?}")).collect();
        }
        let below = self.from.as_deref().unwrap_or_default();
        let parts = [
            &self.id,
            &self.code,
            &self.name,
            &self.street,
            &self.city,
            &self.region,
            &self.postal_code,
            &self.country,
            &self.iban,
            &self.bic,
            &self.holder,
            &self.at,
        ];
        let texts = parts.into_iter().flatten().flat_map(|texts| &texts.0);
        texts
            .chain(self.keys.iter().flat_map(BTreeMap::values))
            .filter(|text| text.starts_with('/'))
            .map(|text| format!("{below}{text}"))
            .collect()
    }
}
