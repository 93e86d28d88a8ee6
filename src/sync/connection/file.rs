//! The connection file, in TOML or as the same in JSON. Unknown keys are refused by name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{AuthorityFile, EntityFile, ScheduleFile, line_and_column};
use crate::connector::OwnField;
use crate::guard::Limits;
use crate::identity::Rules;
use crate::lifecycle::Policy;
use crate::notice::Notify;
use crate::provision::{Approve, Invite};
use crate::translate::{GroupRule, MappingConfig, UserNameFile};

/// Longest file that is read.
const LONGEST_FILE: usize = 1024 * 1024;
/// Longest name of a connection.
const LONGEST_NAME: usize = 64;

/// A connection file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionFile {
    /// Unique in the tenant.
    pub name: String,
    /// Key of the connector.
    pub connector: String,
    /// What the connector asks.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// The columns of a CSV file.
    #[serde(default)]
    pub fields: Option<Value>,
    /// Fields of the account's own, by their names in `employee.custom`.
    #[serde(default)]
    pub custom: BTreeMap<String, OwnField>,
    /// When runs start by themselves.
    #[serde(default)]
    pub schedule: Option<ScheduleFile>,
    /// How records find their person.
    #[serde(default, rename = "match")]
    pub matching: Rules,
    /// Who is in.
    #[serde(default)]
    pub filter: FilterFile,
    /// Attributes, on top of the defaults.
    #[serde(default)]
    pub mapping: MappingConfig,
    /// Which held values need no human.
    #[serde(default)]
    pub approve: Vec<Approve>,
    /// How userNames are made of people to whom IT gives the address.
    #[serde(default)]
    pub user_name: Option<UserNameFile>,
    /// What is different for single legal entities.
    #[serde(default, rename = "entity")]
    pub entities: Vec<EntityFile>,
    /// Groups from org units.
    #[serde(default)]
    pub group: Vec<GroupRule>,
    /// Which fields are read and needed.
    #[serde(default)]
    pub read: ReadFile,
    /// How employments become states.
    #[serde(default)]
    pub lifecycle: Policy,
    /// When a plan waits for a human.
    #[serde(default)]
    pub guard: Limits,
    /// Who is told.
    #[serde(default)]
    pub notify: Notify,
    /// Who is invited into apps that say nothing else.
    #[serde(default)]
    pub invite: Invite,
    /// Whose word counts where a SCIM client writes what HR writes.
    #[serde(default)]
    pub authority: AuthorityFile,
}

/// `[filter]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilterFile {
    /// An expression over `employee`; who comes out undefined is held, never left out.
    pub include: Option<String>,
}

/// `[read]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadFile {
    /// Chosen among the optional and sensitive fields; default: all optional ones that are not sensitive.
    pub optional: Option<Vec<String>>,
    /// Who lacks one of these is skipped. Default: given name, family name, work e-mail.
    pub required: Option<Vec<String>>,
}

/// Something in a connection file that will not do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileProblem {
    /// Where, as a path: `settings.client_id`, `mapping.title.from`.
    pub at: Option<String>,
    /// Line in the file, or in the expression at `at`.
    pub line: Option<usize>,
    /// Column in that line.
    pub column: Option<usize>,
    /// What is wrong and what would do.
    pub message: String,
}

impl FileProblem {
    /// A problem at a path.
    #[must_use]
    pub fn at(path: &str, message: impl Into<String>) -> Self {
        Self {
            at: Some(path.to_owned()),
            line: None,
            column: None,
            message: message.into(),
        }
    }
}

impl ConnectionFile {
    /// Reads TOML. Gives the file and the same as JSON, as it is stored.
    ///
    /// # Errors
    /// Every problem with line and column.
    pub fn from_toml(text: &str) -> Result<(Self, Value), Vec<FileProblem>> {
        if text.len() > LONGEST_FILE {
            return Err(vec![too_long()]);
        }
        let located = |error: &toml::de::Error| {
            let (line, column) = error.span().map_or((None, None), |span| {
                let (line, column) = line_and_column(text, span.start);
                (Some(line), Some(column))
            });
            vec![FileProblem {
                at: None,
                line,
                column,
                message: error.message().to_owned(),
            }]
        };
        let file: Self = toml::from_str(text).map_err(|error| located(&error))?;
        let json: Value = toml::from_str(text).map_err(|error| located(&error))?;
        file.check_name()?;
        Ok((file, json))
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// The first problem; unknown keys by name.
    pub fn from_json(json: &Value) -> Result<Self, Vec<FileProblem>> {
        let file: Self = serde_json::from_value(json.clone()).map_err(|error| {
            vec![FileProblem {
                at: None,
                line: None,
                column: None,
                message: error.to_string(),
            }]
        })?;
        file.check_name()?;
        Ok(file)
    }

    fn check_name(&self) -> Result<(), Vec<FileProblem>> {
        let good = !self.name.is_empty()
            && self.name.len() <= LONGEST_NAME
            && self
                .name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if good {
            Ok(())
        } else {
            Err(vec![FileProblem::at(
                "name",
                format!("a name has 1 to {LONGEST_NAME} letters, digits, dots, dashes and underscores"),
            )])
        }
    }
}

fn too_long() -> FileProblem {
    FileProblem {
        at: None,
        line: None,
        column: None,
        message: format!("the file is longer than {LONGEST_FILE} bytes"),
    }
}
