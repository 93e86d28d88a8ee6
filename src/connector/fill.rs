//! A manifest's texts and addresses with one connection's settings put in.

use serde_json::Value;
use url::Url;

use super::setting::{BASE_URL, Settings};
use super::template::{BadTemplate, fill, fill_json};
use super::{Error, Manifest};

/// Puts one connection's settings in.
#[derive(Clone)]
pub(super) struct Filler<'a> {
    manifest: &'a Manifest,
    settings: &'a Settings,
    base: Option<Url>,
}

impl<'a> Filler<'a> {
    pub fn new(manifest: &'a Manifest, settings: &'a Settings) -> Self {
        Self {
            manifest,
            settings,
            base: settings.text(BASE_URL).and_then(|text| Url::parse(text).ok()),
        }
    }

    fn value(&self, name: &str) -> Option<String> {
        self.manifest.put_in(self.settings, name)
    }

    /// A text with this connection's settings.
    pub fn fill(&self, text: &str) -> Result<String, Error> {
        fill(text, &|name| self.value(name)).map_err(lacking)
    }

    /// A body with this connection's settings.
    pub fn fill_json(&self, body: &Value) -> Result<Value, Error> {
        fill_json(body, &|name| self.value(name)).map_err(lacking)
    }

    /// A text that may be left out: `None` when it asks for an optional setting that is not answered.
    pub fn optional(&self, text: &str) -> Result<Option<String>, Error> {
        match fill(text, &|name| self.value(name)) {
            Ok(filled) => Ok(Some(filled)),
            Err(BadTemplate::Unknown(name)) if self.manifest.may_lack(&name) => Ok(None),
            Err(bad) => Err(lacking(bad)),
        }
    }

    /// Texts by name, without those that may be left out and are.
    pub fn entries<'t>(
        &self,
        entries: impl IntoIterator<Item = (&'t String, &'t String)>,
    ) -> Result<Vec<(String, String)>, Error> {
        let mut filled = Vec::new();
        for (name, text) in entries {
            if let Some(value) = self.optional(text)? {
                filled.push((name.clone(), value));
            }
        }
        Ok(filled)
    }

    /// An address as the vendor knows it.
    pub fn own_url(&self, text: &str) -> Result<Url, Error> {
        Url::parse(&self.fill(text)?).map_err(|_| Error::Setting {
            setting: "url".into(),
            message: "does not make an address".into(),
        })
    }

    /// An address with `base_url` applied.
    pub fn url(&self, text: &str) -> Result<Url, Error> {
        Ok(self.rebase(self.own_url(text)?))
    }

    /// Puts scheme, host and port of `base_url` in place of an address's own.
    pub fn rebase(&self, mut url: Url) -> Url {
        if let Some(base) = &self.base {
            let done = url.set_scheme(base.scheme()).is_ok()
                && url.set_host(base.host_str()).is_ok()
                && url.set_port(base.port()).is_ok();
            if !done {
                let mut own = base.clone();
                own.set_path(url.path());
                own.set_query(url.query());
                return own;
            }
        }
        url
    }

    /// What replaces the vendor's scheme, host and port.
    pub const fn base(&self) -> Option<&Url> {
        self.base.as_ref()
    }

    /// Key of the connector, for errors.
    pub fn key(&self) -> String {
        self.manifest.key().to_owned()
    }
}

fn lacking(bad: BadTemplate) -> Error {
    match bad {
        BadTemplate::Open => Error::Setting {
            setting: "manifest".into(),
            message: "has {{ without }}".into(),
        },
        BadTemplate::Unknown(setting) => Error::Setting {
            setting,
            message: "is missing".into(),
        },
    }
}
