//! All connectors: those in the program and those of the operator's own folder.

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::auth::Auth;
use super::error::{ManifestProblem, ManifestProblems};
use super::manifest::{Custom, ErrorWords, Pace, Written};
use super::setting::{Form, SettingProblem, Settings, check, with_base_url};
use super::{Error, validate};
use crate::hr::{FIELDS, field};

/// The manifests in the program, by file name: all of the folder `manifests/`, listed by `build.rs`.
const BUILT_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/manifests.rs"));

/// All connectors.
#[derive(Debug, Clone)]
pub struct Catalogue(BTreeMap<String, Manifest>);

impl Catalogue {
    /// The connectors in the program, and those of `extra`, a folder of `*.toml` that may also replace them by key.
    ///
    /// # Errors
    /// When the folder cannot be read or a manifest is wrong; all of its problems are told, with line and column.
    pub fn load(extra: Option<&FilePath>) -> Result<Self, Error> {
        let mut all = BTreeMap::new();
        for (file, text) in BUILT_IN {
            let manifest = Manifest::parse(file, text)?;
            all.insert(manifest.key().to_owned(), manifest);
        }
        for (file, text) in extra.map(read_folder).transpose()?.unwrap_or_default() {
            let manifest = Manifest::parse(&file, &text)?;
            all.insert(manifest.key().to_owned(), manifest);
        }
        Ok(Self(all))
    }

    /// The connector of that key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Manifest> {
        self.0.get(key)
    }

    /// All connectors, by key.
    pub fn iter(&self) -> impl Iterator<Item = &Manifest> {
        self.0.values()
    }
}

fn read_folder(folder: &FilePath) -> Result<Vec<(String, String)>, Error> {
    let unreadable = |file: &FilePath| {
        let file = file.display().to_string();
        move |source| Error::ManifestFile { file, source }
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
            files.push((path.display().to_string(), text));
        }
    }
    files.sort();
    Ok(files)
}

/// One connector.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub(super) written: Written,
}

impl Manifest {
    /// Reads and checks a manifest. `file` is only named in problems.
    ///
    /// # Errors
    /// When it is wrong: the problems, each with line and column.
    pub fn parse(file: &str, text: &str) -> Result<Self, Error> {
        let wrong = |problems| Error::Manifest {
            file: file.to_owned(),
            problems: ManifestProblems(problems),
        };
        let mut written: Written = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let (line, column) = validate::position(text, at);
            wrong(vec![ManifestProblem {
                line,
                column,
                message: error.message().to_owned(),
            }])
        })?;
        written.settings = with_base_url(written.settings);
        let problems = validate::problems(&written, text);
        if problems.is_empty() {
            Ok(Self { written })
        } else {
            Err(wrong(problems))
        }
    }

    /// Its short name in connection files.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.written.connector.key
    }

    /// The HR system's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.written.connector.name
    }

    /// Whether a read can prove that it saw everybody. Where it cannot, missing people are only reported.
    #[must_use]
    pub const fn is_complete_read_provable(&self) -> bool {
        self.written.connector.provable
    }

    /// Whether it reads a file whose columns the connection names in `[fields]`.
    #[must_use]
    pub fn reads_files(&self) -> bool {
        self.written.connector.custom == Some(Custom::Csv)
    }

    /// Whether SCIM clients write its records, and there is nothing to ask.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.written.connector.custom == Some(Custom::Scim)
    }

    /// Checks a connection's settings. All problems are told.
    ///
    /// # Errors
    /// The problems, by setting.
    pub fn check_settings(&self, given: &Value) -> Result<Settings, Vec<SettingProblem>> {
        check(&self.written.settings, given)
    }

    /// What it asks its owner, in order.
    #[must_use]
    pub fn settings(&self) -> Vec<SettingView> {
        self.written
            .settings
            .iter()
            .map(|(name, setting)| SettingView {
                name: name.to_owned(),
                ask: setting.ask.clone(),
                form: setting.form,
                secret: setting.secret,
                required: !setting.optional && setting.default.is_none(),
                default: setting.default.clone(),
                example: setting.example.clone(),
                choices: setting
                    .choices
                    .as_ref()
                    .map(|choices| choices.keys().cloned().collect())
                    .unwrap_or_default(),
            })
            .collect()
    }

    /// Names of the settings that are secret.
    pub fn secret_settings(&self) -> impl Iterator<Item = &str> {
        self.written
            .settings
            .iter()
            .filter(|(_, setting)| setting.secret)
            .map(|(name, _)| name)
    }

    /// The fields it can read. A file's fields are named by the connection: any may be there.
    #[must_use]
    pub fn fields(&self) -> Vec<FieldView> {
        let Some(employees) = &self.written.employees else {
            return FIELDS
                .iter()
                .map(|field| self.field_view(field.name, field.name == "source_id"))
                .collect();
        };
        employees
            .map
            .iter()
            .map(|(name, _)| self.field_view(name, employees.required.iter().any(|known| known == name)))
            .collect()
    }

    fn field_view(&self, name: &str, required: bool) -> FieldView {
        FieldView {
            name: name.to_owned(),
            required,
            sensitive: field(name).is_some_and(|field| field.sensitive),
            assumed: self.written.assumed.get(name).map(|why| why.get_ref().clone()),
        }
    }

    /// What is read when the connection chooses nothing: every optional field that is not sensitive.
    #[must_use]
    pub fn default_optional(&self) -> Vec<String> {
        let fields = self.fields().into_iter();
        fields
            .filter(|field| !field.required && !field.sensitive)
            .map(|field| field.name)
            .collect()
    }

    /// Everything a person needs to know of it.
    #[must_use]
    pub fn view(&self) -> ManifestView {
        let head = &self.written.connector;
        ManifestView {
            key: head.key.clone(),
            name: head.name.clone(),
            aliases: head.aliases.clone(),
            docs: head.docs.clone(),
            guide: head.guide.clone(),
            complete_read_provable: head.provable,
            settings: self.settings(),
            fields: self.fields(),
            assumed: self
                .written
                .assumed
                .iter()
                .filter(|(name, _)| field(name).is_none())
                .map(|(name, why)| (name.clone(), why.get_ref().clone()))
                .collect(),
        }
    }

    /// The text that `{{ name }}` stands for.
    pub(super) fn put_in(&self, settings: &Settings, name: &str) -> Option<String> {
        let text = settings.text(name)?;
        match self
            .written
            .settings
            .get(name)
            .and_then(|setting| setting.choices.as_ref())
        {
            Some(choices) => choices.get(text).cloned(),
            None => Some(text.to_owned()),
        }
    }

    pub(super) const fn auth(&self) -> &Auth {
        &self.written.auth
    }

    pub(super) const fn error_words(&self) -> &ErrorWords {
        &self.written.errors
    }

    pub(super) fn pace(&self) -> Option<Pace> {
        self.written
            .employees
            .as_ref()
            .and_then(|employees| employees.pace)
    }
}

/// A connector as shown to people.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ManifestView {
    /// Short name in connection files.
    pub key: String,
    /// Name of the HR system.
    pub name: String,
    /// Other names people search for.
    pub aliases: Vec<String>,
    /// Where the facts are from; all that is not `assumed` is confirmed there.
    pub docs: String,
    /// Where to click, and which permissions are enough.
    pub guide: String,
    /// Whether a read can prove that it saw everybody.
    pub complete_read_provable: bool,
    /// What it asks.
    pub settings: Vec<SettingView>,
    /// What it can read.
    pub fields: Vec<FieldView>,
    /// Facts about the API that could not be confirmed, with the reason.
    pub assumed: BTreeMap<String, String>,
}

/// A question as shown to people.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SettingView {
    /// Name in `[settings]`.
    pub name: String,
    /// The question.
    pub ask: String,
    /// What the answer must look like.
    pub form: Form,
    /// Whether the answer is sealed and never shown.
    pub secret: bool,
    /// Whether it must be answered.
    pub required: bool,
    /// Taken when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// An answer that would do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// The answers there are, when there are only some.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

/// A field as shown to people.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldView {
    /// Canonical name.
    pub name: String,
    /// Whether it is always read.
    pub required: bool,
    /// Whether it is read only by choice.
    pub sensitive: bool,
    /// Set when we could not confirm how it is read: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assumed: Option<String>,
}

#[cfg(test)]
mod tests;
