//! A whole server, in this process, on a free port.

use std::ffi::OsString;

use reqwest::{Method, RequestBuilder};
use scim_bridge::access::{self, NewToken, Scope};
use scim_bridge::app::{self, App, Background};
use scim_bridge::base::{Sealer, Secret, TenantId};
use scim_bridge::config::Config;
use scim_bridge::db::{PooledConn, Transactional as _};
use scim_bridge::worker::tasks;
use serde_json::Value;
use tokio_postgres::Client;

use super::database::client;
use super::{TestClock, TestDatabase};

/// How the server is started.
#[derive(Debug, Clone)]
pub struct Settings {
    pub background: Background,
    pub allow_private_targets: bool,
    /// Further environment variables.
    pub environment: Vec<(&'static str, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            background: Background::ByHand,
            allow_private_targets: true,
            environment: Vec::new(),
        }
    }
}

/// A running server with one tenant, `acme`, and an admin token of it.
pub struct Bridge {
    pub app: App,
    pub clock: TestClock,
    pub http: reqwest::Client,
    pub base_url: String,
    /// The first tenant, `acme`.
    pub tenant: TenantId,
    /// A token of it with every scope.
    pub token: String,
    database: TestDatabase,
}

impl Bridge {
    /// A server whose background tasks are stepped by [`Bridge::drain`].
    pub async fn spawn() -> Self {
        Self::spawn_with(Settings::default()).await
    }

    pub async fn spawn_with(settings: Settings) -> Self {
        Self::spawn_on(TestDatabase::create().await, settings).await
    }

    pub async fn spawn_on(database: TestDatabase, settings: Settings) -> Self {
        let clock = TestClock::new();
        let mut environment = vec![
            ("DATABASE_URL", database.url.clone()),
            ("SCIM_BRIDGE_MASTER_KEY", Sealer::new_key()),
            ("SCIM_BRIDGE_LISTEN", "127.0.0.1:0".to_owned()),
            ("SCIM_BRIDGE_CLOCK", clock.path.display().to_string()),
            (
                "SCIM_BRIDGE_ALLOW_PRIVATE_TARGETS",
                settings.allow_private_targets.to_string(),
            ),
        ];
        environment.extend(settings.environment.clone());
        let config = Config::read(|name| {
            environment
                .iter()
                .rev()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| OsString::from(value))
        })
        .unwrap();
        let app = app::serve(&config, settings.background)
            .await
            .expect("the server starts");
        let base_url = format!("http://{}", app.address);
        let mut bridge = Self {
            app,
            clock,
            http: http_client(),
            base_url,
            tenant: TenantId::new(),
            token: String::new(),
            database,
        };
        bridge.tenant = bridge.make_tenant("acme").await;
        bridge.token = bridge.make_token(bridge.tenant, "tests", &Scope::ALL).await;
        bridge
    }

    pub async fn make_tenant(&self, name: &str) -> TenantId {
        let (name, now) = (name.parse().unwrap(), self.clock.now());
        let mut conn = self.conn().await;
        let made = conn
            .transaction(async |conn| access::create_tenant(conn, &name, "test", now).await)
            .await;
        made.unwrap().id
    }

    pub async fn make_token(&self, tenant: TenantId, name: &str, scopes: &[Scope]) -> String {
        self.make(Some(tenant), name, scopes).await
    }

    pub async fn make_operator_token(&self) -> String {
        self.make(None, "operator", &[]).await
    }

    async fn make(&self, tenant: Option<TenantId>, name: &str, scopes: &[Scope]) -> String {
        let new = NewToken {
            tenant,
            name: name.parse().unwrap(),
            scopes: scopes.iter().copied().collect(),
            expires_at: None,
        };
        let now = self.clock.now();
        let mut conn = self.conn().await;
        let made: Result<(access::TokenView, Secret), access::Error> = conn
            .transaction(async |conn| access::create_token(conn, &new, "test", now).await)
            .await;
        made.unwrap().1.expose().to_owned()
    }

    /// A connection of the program's pool, for store functions.
    pub async fn conn(&self) -> PooledConn {
        self.app.state.db.conn().await.unwrap()
    }

    /// A plain connection, for looking at rows.
    pub async fn rows(&self) -> Client {
        client(&self.database.url).await
    }

    /// The one number that a query gives.
    pub async fn count(&self, sql: &str) -> i64 {
        self.rows().await.query_one(sql, &[]).await.unwrap().get(0)
    }

    pub fn database_url(&self) -> &str {
        &self.database.url
    }

    /// A request to a path, with the admin token of `acme`.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_as(&self.token, method, path)
    }

    pub fn request_as(&self, token: &str, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base_url))
            .bearer_auth(token)
    }

    /// Asks a SCIM end point with a token; gives the status and the body, whatever they are.
    pub async fn scim_as(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let request = self.request_as(token, method, &format!("/scim/v2{path}"));
        match body {
            Some(body) => answer(with_json(request, body)).await,
            None => answer(request).await,
        }
    }

    /// Gets a path as `acme`; panics unless the answer is 2xx.
    pub async fn get(&self, path: &str) -> Value {
        good(self.request(Method::GET, path)).await
    }

    /// Posts JSON as `acme`; panics unless the answer is 2xx.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        good(with_json(self.request(Method::POST, path), body)).await
    }

    /// Steps every background task until none has anything left to do; fails when a step fails, or it never ends.
    pub async fn drain(&self) {
        let tasks = tasks::tasks(&self.app.context);
        for _ in 0..10_000 {
            let mut worked = false;
            for task in &tasks {
                worked |= task
                    .step()
                    .await
                    .unwrap_or_else(|error| panic!("{}: {}", task.name(), scim_bridge::base::Chain(&*error)));
            }
            if !worked {
                return;
            }
        }
        panic!("the background tasks find something to do for ever");
    }

    /// Ends the server as SIGTERM does, and keeps the database.
    pub async fn stop(self) -> TestDatabase {
        self.app.stop().await;
        self.database
    }
}

/// A client without any time-out surprises.
#[expect(clippy::disallowed_methods, reason = "tests are the outside")]
pub fn http_client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

pub fn with_json(request: RequestBuilder, body: &Value) -> RequestBuilder {
    request
        .header("content-type", "application/json")
        .body(body.to_string())
}

/// Sends it; the JSON of the answer, null if it has none. Panics unless the answer is 2xx.
pub async fn good(request: RequestBuilder) -> Value {
    let (status, body) = answer(request).await;
    assert!((200..300).contains(&status), "{status}: {body}");
    body
}

/// Sends it; status and JSON of the answer.
pub async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}
