//! Keys in their place, ready for a request.

use serde_json::Value;
use url::Url;

use super::words::Show;
use crate::base::Secret;
use crate::connector::Error;
use crate::connector::fill::Filler;
use crate::connector::path::{Path, put};
use crate::net::Request;

/// What signs a request in.
#[derive(Debug, Clone, Default)]
pub(in crate::connector) struct Badge {
    mark: Mark,
    headers: Vec<(String, Secret)>,
}

/// Where the key stands.
#[derive(Debug, Clone, Default)]
pub(super) enum Mark {
    #[default]
    None,
    Header(String, Secret),
    Query(String, Secret),
    Body(Path, Secret),
    Basic(String, Secret),
    Bearer(Secret),
    Soap(Secret),
}

impl Badge {
    pub(super) const fn new(mark: Mark, headers: Vec<(String, Secret)>) -> Self {
        Self { mark, headers }
    }

    /// The same badge with another key.
    pub(super) fn remade(&self, mark: Mark) -> Self {
        Self::new(mark, self.headers.clone())
    }

    /// Puts a key that belongs there into the address.
    pub fn address(&self, url: &mut Url) {
        if let Mark::Query(name, value) = &self.mark {
            url.query_pairs_mut().append_pair(name, value.expose());
        }
    }

    /// The body with a key that belongs there; `None` when the body stays as it is.
    pub fn body(&self, body: Option<&Value>) -> Option<Value> {
        let Mark::Body(path, value) = &self.mark else {
            return None;
        };
        let mut body = body.cloned().unwrap_or_default();
        put(&mut body, path, Value::from(value.expose()));
        Some(body)
    }

    /// A SOAP envelope with the key in its header, which is written `<soapenv:Header/>`; `None` when it stays as it is.
    pub fn envelope(&self, xml: &str) -> Option<Secret> {
        let Mark::Soap(element) = &self.mark else {
            return None;
        };
        let element = element.expose();
        let (before, after) = xml.split_once("Header/>")?;
        let (outer, prefix) = before.rsplit_once('<')?;
        Some(Secret::new(format!(
            "{outer}<{prefix}Header>{element}</{prefix}Header>{after}"
        )))
    }

    /// Signs a request in, beside what [`Badge::address`], [`Badge::body`] and [`Badge::envelope`] give.
    pub fn sign<'n>(&self, request: Request<'n>) -> Request<'n> {
        let request = self.headers.iter().fold(request, |request, (name, value)| {
            request.secret_header(name, value)
        });
        match &self.mark {
            Mark::None | Mark::Query(..) | Mark::Body(..) | Mark::Soap(_) => request,
            Mark::Header(name, value) => request.secret_header(name, value),
            Mark::Basic(user, password) => request.basic(user, password),
            Mark::Bearer(token) => request.bearer(token),
        }
    }
}

/// A token as its manifest wants it shown.
pub(super) fn shown(filler: &Filler<'_>, show: &Show, token: &Secret) -> Result<Mark, Error> {
    let value = match &show.value {
        None => token.clone(),
        Some(text) => {
            let filled = filler.fill(&text.replace("{{ token }}", HERE))?;
            Secret::new(filled.replace(HERE, token.expose()))
        }
    };
    Ok(match (&show.header, &show.query) {
        (Some(name), _) => Mark::Header(name.clone(), value),
        (None, Some(name)) => Mark::Query(name.clone(), value),
        (None, None) => Mark::Bearer(value),
    })
}

/// Stands for the token while settings are put in. No setting can hold it: it has a control character.
const HERE: &str = "\u{1}token";

#[cfg(test)]
mod tests {
    use super::super::xml::username_token;
    use super::*;

    #[test]
    fn the_key_goes_into_the_header_of_an_envelope() {
        let element = username_token("isu@acme", &Secret::new("p<&>\"w".into()));
        let badge = Badge::new(Mark::Soap(element), Vec::new());
        let signed = badge.envelope("<e:Envelope xmlns:e=\"x\"><e:Header/><e:Body>b</e:Body></e:Envelope>");
        let text = signed.unwrap().expose().to_owned();
        assert!(
            text.starts_with("<e:Envelope xmlns:e=\"x\"><e:Header><wsse:Security "),
            "{text}"
        );
        assert!(text.contains("<wsse:Username>isu@acme</wsse:Username>"));
        assert!(text.contains("#PasswordText\">p&lt;&amp;&gt;&quot;w</wsse:Password>"));
        assert!(text.ends_with("</wsse:Security></e:Header><e:Body>b</e:Body></e:Envelope>"));
        assert!(Badge::default().envelope("<e:Header/>").is_none());
    }
}
