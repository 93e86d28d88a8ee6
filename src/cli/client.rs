//! The client of the management API that most commands are.

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use url::Url;

use super::Error;
use crate::base::{Clock, Secret};
use crate::config::ServerAddress;
use crate::net::{Answer, Method, Net};

/// How long a command waits for an answer; some wait until a plan has been applied.
const PATIENCE: Duration = Duration::from_secs(600);

/// A client of `/api/v1`, with the token of `SCIM_BRIDGE_TOKEN`.
#[derive(Debug, Clone)]
pub struct Client {
    net: Net,
    url: Url,
    token: Secret,
}

impl Client {
    /// From `SCIM_BRIDGE_URL` and `SCIM_BRIDGE_TOKEN`.
    ///
    /// # Errors
    /// When one cannot be used.
    pub fn from_env() -> Result<Self, Error> {
        let address = ServerAddress::from_env()?;
        let token = address.token.ok_or(Error::NoToken)?;
        Self::new(address.url, token)
    }

    /// To a server, with a token.
    ///
    /// # Errors
    /// When the machine's TLS set-up cannot be used.
    pub fn new(url: Url, token: Secret) -> Result<Self, Error> {
        // The server may well be this machine: the guard is for addresses that others choose.
        let net = Net::new(true, Clock::system()).map_err(|source| Error::Unreachable {
            url: url.to_string(),
            source,
        })?;
        Ok(Self { net, url, token })
    }

    /// Gets a path such as `/connections`, below `/api/v1`. A path may end with a query of its own.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Error> {
        self.ask(Method::GET, path, query, None).await
    }

    /// Posts a JSON body.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Error> {
        self.ask(
            Method::POST,
            path,
            &[],
            Some(("application/json", body.to_string().into())),
        )
        .await
    }

    /// Puts a JSON body.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, Error> {
        self.ask(
            Method::PUT,
            path,
            &[],
            Some(("application/json", body.to_string().into())),
        )
        .await
    }

    /// Changes by a JSON body.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Value, Error> {
        self.ask(
            Method::PATCH,
            path,
            &[],
            Some(("application/json", body.to_string().into())),
        )
        .await
    }

    /// Deletes.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn delete(&self, path: &str) -> Result<Value, Error> {
        self.ask(Method::DELETE, path, &[], None).await
    }

    /// Sends any body, say a file.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn upload(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Bytes,
    ) -> Result<Value, Error> {
        self.ask(method, path, &[], Some((content_type, body))).await
    }

    /// All items of a list, page by page.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn all(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<Value>, Error> {
        let mut items = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let mut query = query.to_vec();
            if let Some(after) = &after {
                query.push(("after", after));
            }
            let mut page = self.get(path, &query).await?;
            if let Some(Value::Array(page)) = page.get_mut("items").map(Value::take) {
                items.extend(page);
            }
            match page.get("next").and_then(Value::as_str) {
                Some(next) => after = Some(next.to_owned()),
                None => return Ok(items),
            }
        }
    }

    /// Gets a path and writes what comes to stdout as it comes, whatever its size.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses, or stdout is gone.
    pub async fn pour(&self, path: &str) -> Result<(), Error> {
        let mut out = std::io::stdout();
        let request = self
            .net
            .request(Method::GET, self.address(path, &[]))
            .bearer(&self.token)
            .time_out(PATIENCE);
        let answer = request.stream(|piece| out.write_all(piece)).await;
        let answer = answer.map_err(|source| self.unreachable(source))?;
        if !answer.is_success() {
            self.read(&answer)?;
        }
        Ok(std::io::stdout().flush()?)
    }

    fn unreachable(&self, source: crate::net::Error) -> Error {
        match source {
            crate::net::Error::NotTaken { source } => source.into(),
            source => Error::Unreachable {
                url: self.url.to_string(),
                source,
            },
        }
    }

    fn address(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.url.clone();
        // A path may bring its own query; set as a path it would be one that no server knows.
        let (path, own) = path
            .split_once('?')
            .map_or((path, None), |(path, own)| (path, Some(own)));
        url.set_path(&format!("{}/api/v1{path}", self.url.path().trim_end_matches('/')));
        url.set_query(own);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<(&str, Bytes)>,
    ) -> Result<Value, Error> {
        let mut request = self
            .net
            .request(method, self.address(path, query))
            .bearer(&self.token)
            .time_out(PATIENCE);
        if let Some((content_type, body)) = body {
            request = request.body(content_type, body);
        }
        let answer = request.send().await.map_err(|source| self.unreachable(source))?;
        self.read(&answer)
    }

    fn read(&self, answer: &Answer) -> Result<Value, Error> {
        let strange = || Error::Strange {
            url: self.url.to_string(),
            status: answer.status,
        };
        if answer.is_success() {
            return if answer.body.is_empty() {
                Ok(Value::Null)
            } else {
                serde_json::from_slice(&answer.body).map_err(|_| strange())
            };
        }
        let body: Value = serde_json::from_slice(&answer.body).map_err(|_| strange())?;
        let word = |member: &str| body.get(member).and_then(Value::as_str).unwrap_or_default();
        let code = word("type").rsplit(':').next().unwrap_or_default().to_owned();
        let mut detail = word("detail").to_owned();
        if detail.is_empty() {
            return Err(strange());
        }
        for error in body.get("errors").and_then(Value::as_array).into_iter().flatten() {
            detail.push_str("\n  ");
            match error.as_str() {
                Some(text) => detail.push_str(text),
                None => detail.push_str(&error.to_string()),
            }
        }
        Err(Error::Refused {
            status: answer.status,
            code,
            detail,
            body,
        })
    }
}
