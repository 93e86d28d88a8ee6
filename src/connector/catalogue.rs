//! All connectors: those in the program and those of the operator's own folder.

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use serde_json::Value;

use super::auth::Auth;
use super::error::{ManifestProblem, ManifestProblems};
use super::manifest::{Custom, ErrorWords, Pace, Written};
use super::setting::{SettingProblem, Settings, check, with_base_url};
use super::{Error, validate};

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

    /// Names of the settings that are secret.
    pub fn secret_settings(&self) -> impl Iterator<Item = &str> {
        self.written
            .settings
            .iter()
            .filter(|(_, setting)| setting.secret)
            .map(|(name, _)| name)
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

#[cfg(test)]
mod tests;
