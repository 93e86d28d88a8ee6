//! All connectors: those in the program and those of the operator's own folder.

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use serde_json::Value;

use super::auth::{Auth, Entries, Grant};
use super::error::{ManifestProblem, ManifestProblems};
use super::manifest::{Custom, ErrorWords, Written};
use super::request::{Each, Pace};
use super::setting::{BASE_URL, Form, OAUTH_ID, SettingProblem, Settings, check, with_own};
use super::template::{BadTemplate, fill};
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
        written.settings = with_own(written.settings, written.auth.asks_consent());
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
        matches!(self.written.connector.custom, Some(Custom::Csv | Custom::CsvSftp))
    }

    /// Whether its file lies on a server that is asked over SFTP.
    #[must_use]
    pub fn fetches_files(&self) -> bool {
        self.written.connector.custom == Some(Custom::CsvSftp)
    }

    /// Whether SCIM clients write its records, and there is nothing to ask.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.written.connector.custom == Some(Custom::Scim)
    }

    /// Whether a caller uploads its records, and there is nothing to ask.
    #[must_use]
    pub fn is_pushed(&self) -> bool {
        self.written.connector.custom == Some(Custom::Push)
    }

    /// Checks a connection's settings. All problems are told.
    ///
    /// # Errors
    /// The problems, by setting.
    pub fn check_settings(&self, given: &Value) -> Result<Settings, Vec<SettingProblem>> {
        let settings = check(&self.written.settings, given)?;
        let problems = self.lacking(&settings);
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(problems)
        }
    }

    /// Settings that only the chosen way to sign in needs, and that are not answered.
    fn lacking(&self, settings: &Settings) -> Vec<SettingProblem> {
        let mut problems: Vec<SettingProblem> = Vec::new();
        let texts = self
            .auth()
            .chosen(settings)
            .map(Auth::demands)
            .unwrap_or_default();
        for text in texts {
            if let Err(BadTemplate::Unknown(name)) = fill(text, &|name| self.put_in(settings, name))
                && !problems.iter().any(|known| known.setting == name)
            {
                let ask = self
                    .written
                    .settings
                    .get(&name)
                    .map(|setting| setting.ask.as_str());
                problems.push(SettingProblem {
                    message: format!("is missing: {}", ask.unwrap_or_default()),
                    setting: name,
                });
            }
        }
        problems
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

    /// The text that `{{ name }}` stands for. That of a choice may hold other settings.
    pub(super) fn put_in(&self, settings: &Settings, name: &str) -> Option<String> {
        let text = settings.text(name)?;
        let choices = self
            .written
            .settings
            .get(name)
            .and_then(|setting| setting.choices.as_ref());
        match choices {
            Some(choices) => {
                let chosen = choices.get(text)?;
                fill(chosen, &|other| {
                    settings.text(other).filter(|_| other != name).map(str::to_owned)
                })
                .ok()
            }
            None => Some(text.to_owned()),
        }
    }

    /// Whether these settings are connected by somebody's consent.
    #[must_use]
    pub fn asks_consent(&self, settings: &Settings) -> bool {
        self.auth().chosen(settings).is_some_and(Auth::asks_consent)
    }

    /// Whether a client of somebody else's may be taken: consent is asked for, the connection has no client of its own,
    /// and it does not choose by itself to which host the client's secret goes.
    #[must_use]
    pub fn wants_client(&self, settings: &Settings) -> bool {
        let Some(Auth::Oauth2(oauth)) = self.auth().chosen(settings) else {
            return false;
        };
        let fixed = fill(&oauth.token, &|name| {
            let setting = self.written.settings.get(name)?;
            let free = matches!(setting.form, Form::Host | Form::Origin | Form::Url);
            (setting.choices.is_some() || !free).then(String::new)
        });
        oauth.grant == Grant::AuthorizationCode
            && oauth.id.is_none()
            && settings.text(OAUTH_ID).is_none()
            && fixed.is_ok()
    }

    pub(super) const fn auth(&self) -> &Auth {
        &self.written.auth
    }

    /// What is sent with every request but logins.
    pub(super) const fn headers(&self) -> &Entries {
        &self.written.headers
    }

    /// Whether a setting need not be answered.
    pub(super) fn may_lack(&self, name: &str) -> bool {
        self.written
            .settings
            .get(name)
            .is_some_and(|setting| setting.optional)
    }

    pub(super) const fn error_words(&self) -> &ErrorWords {
        &self.written.errors
    }

    pub(super) fn paces(&self) -> &[Pace] {
        let employees = self.written.employees.as_ref();
        employees
            .map(|employees| employees.pace.0.as_slice())
            .unwrap_or_default()
    }

    /// Whether there is a setting of that name.
    pub(super) fn has_setting(&self, name: &str) -> bool {
        self.written.settings.get(name).is_some()
    }

    /// Whether other lists are read for each record of a list.
    pub(super) fn has_children(&self, list: &str) -> bool {
        let named = |each: &Option<Each>| matches!(each, Some(Each::List(name)) if name == list);
        let lists = self.written.lists.iter().any(|(_, other)| named(&other.each));
        lists
            || self
                .written
                .employees
                .as_ref()
                .is_some_and(|employees| named(&employees.each))
    }

    /// The least permissions that are enough.
    pub(super) fn permissions(&self) -> &[String] {
        &self.written.connector.permissions
    }

    /// The settings of which the address of the employees is made.
    pub(super) fn address_settings(&self) -> impl Iterator<Item = &str> {
        let request = self
            .written
            .employees
            .as_ref()
            .map(|employees| employees.request());
        let address = request
            .and_then(|request| request.get.or(request.post))
            .unwrap_or_default();
        let names = self.written.settings.iter().map(|(name, _)| name);
        names.filter(move |name| *name == BASE_URL || address.contains(&format!("{{{{ {name} }}}}")))
    }

    /// Whether the connection itself says what is asked and how fields are read; see [`Manifest::fit`].
    #[must_use]
    pub fn is_generic(&self) -> bool {
        self.written.connector.custom == Some(Custom::Rest)
    }

    /// Whether one employee can be read by its id.
    #[must_use]
    pub fn reads_one(&self) -> bool {
        self.written
            .employees
            .as_ref()
            .is_some_and(|employees| employees.one.is_some())
    }

    /// Whether the HR system can tell who changed since an earlier read.
    #[must_use]
    pub fn reads_changes(&self) -> bool {
        self.written
            .employees
            .as_ref()
            .is_some_and(|employees| employees.changes.is_some())
    }
}

#[cfg(test)]
mod tests;
