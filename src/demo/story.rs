//! The demo: a sandbox HR system, the bridge, and a second tenant of the bridge as the app, through two days.
//!
//! Everything goes through the management API, as a customer would do it; only tenants and tokens are made directly.

use std::io::Write as _;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use url::Url;

use super::Error;
use super::sandbox::{Sandbox, Serving, serve};
use crate::access::{self, NewToken, Scope, Scopes};
use crate::app::{self, App, Background, Stop};
use crate::base::Secret;
use crate::cli::Client;
use crate::config::Config;
use crate::db::Transactional as _;

/// How often a run or an app is asked whether it is done.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// Nothing of the demo may take longer.
const PATIENCE: Duration = Duration::from_secs(30 * 60);
/// The same company each time.
const SEED: u64 = 7;
/// The name of the connection, and that of the app.
const CONNECTION: &str = "people";
const APP: &str = "app";

/// Runs the demo.
///
/// Returns whether every account is in sync at the end; without `once` it stays up until it is told to stop.
///
/// # Errors
/// When something does not start, or a run does not end well.
pub async fn run(config: Config, employees: usize, once: bool) -> Result<bool, Error> {
    let mut stop = Stop::hear()?;
    let app = app::serve(&config, Background::Running).await?;
    let mut in_sync = false;
    let told = tokio::select! {
        told = tell(&app, employees, once, &mut in_sync) => told,
        () = stop.told() => Ok(()),
    };
    app.stop().await;
    told.map(|()| in_sync)
}

async fn tell(app: &App, employees: usize, once: bool, in_sync: &mut bool) -> Result<(), Error> {
    let begun = Instant::now();
    let today = app.state.clock.now().date_naive();
    let sandbox = Sandbox::new(employees, SEED, today);
    let hr = serve(sandbox.clone()).map_err(Error::Sandbox)?;
    let story = Story::begin(app, &sandbox, &hr).await?;
    say("")?;
    say(&format!(
        "The first day: {} employees in the HR system",
        sandbox.count()
    ))?;
    story.day().await?;
    say("")?;
    say("A day later: one was hired, one moved to another department, one left")?;
    sandbox.live_a_day(today).ok_or(Error::TooSmall)?;
    let since = app.state.clock.now();
    story.day().await?;
    story.show_operations(since).await?;
    *in_sync = story.accounts().await?;
    say("")?;
    let verdict = if *in_sync {
        "Every account is in sync."
    } else {
        "NOT every account is in sync."
    };
    say(&format!("{verdict} All of it took {}.", seconds(begun)))?;
    story.where_to_look(app, &hr, once)?;
    if !once {
        std::future::pending::<()>().await;
    }
    hr.stop().await;
    Ok(())
}

/// The two tenants and what they talk with.
struct Story {
    client: Client,
    token: Secret,
    app_token: Secret,
}

impl Story {
    /// Makes the tenants, connects the HR system and the app.
    async fn begin(app: &App, sandbox: &Sandbox, hr: &Serving) -> Result<Self, Error> {
        let mark = app.state.clock.now().format("%Y%m%d-%H%M%S%.3f");
        let token = tenant_with_token(app, &format!("demo-{mark}")).await?;
        let app_token = tenant_with_token(app, &format!("demo-app-{mark}")).await?;
        let own = Url::parse(&format!("http://{}", app.address)).map_err(Error::Address)?;
        let client = Client::new(own.clone(), token.clone())?;
        let story = Self {
            client,
            token,
            app_token,
        };
        story.connect(sandbox, hr, &own).await?;
        say(&format!(
            "Sandbox HR system  {} (speaks Kombo's API)",
            hr.base_url
        ))?;
        say(&format!("Bridge             http://{}", app.address))?;
        say(&format!(
            "App                http://{}/scim/v2 (a second tenant)",
            app.address
        ))?;
        Ok(story)
    }

    async fn connect(&self, sandbox: &Sandbox, hr: &Serving, own: &Url) -> Result<(), Error> {
        let settings = json!({
            "api_key": sandbox.api_key(), "integration_id": sandbox.integration_id(), "base_url": hr.base_url,
        });
        let department = json!({ "key": "employee.department.id", "name": "employee.department.name" });
        let connection =
            json!({ "name": CONNECTION, "connector": "kombo", "settings": settings, "group": [department] });
        self.client
            .put(&format!("/connections/{CONNECTION}"), &connection)
            .await?;
        self.client
            .post(&format!("/connections/{CONNECTION}/publish"), &json!({}))
            .await?;
        let base_url = own.join("scim/v2").map_err(Error::Address)?;
        let target = json!({
            "name": APP, "base_url": base_url.as_str(), "token": self.app_token.expose(), "mode": "live", "groups": { "push": true },
        });
        self.client.put(&format!("/apps/{APP}"), &target).await?;
        self.client
            .post(&format!("/apps/{APP}/publish"), &json!({ "mode": "live" }))
            .await?;
        Ok(())
    }

    /// One run, and the push that follows it.
    async fn day(&self) -> Result<(), Error> {
        let begun = Instant::now();
        let run = self
            .client
            .post(&format!("/connections/{CONNECTION}/runs"), &json!({}))
            .await?;
        let id = run.get("id").and_then(Value::as_str).unwrap_or_default();
        let path = format!("/runs/{id}");
        let run = self
            .until(&path, |run| {
                !matches!(word(run, "state"), "queued" | "reading" | "planning" | "applying")
            })
            .await?;
        if word(&run, "state") != "done" {
            return Err(Error::Run(run.to_string()));
        }
        say(&format!(
            "  sync  {:>7}  {}",
            seconds(begun),
            counts(run.get("counts"))
        ))?;
        let begun = Instant::now();
        let status = self.until("/status", |status| !is_pending(status)).await?;
        say(&format!(
            "  push  {:>7}  accounts: {}",
            seconds(begun),
            counts(status.pointer("/apps/0/counts"))
        ))?;
        Ok(())
    }

    async fn until(&self, path: &str, done: impl Fn(&Value) -> bool) -> Result<Value, Error> {
        let begun = Instant::now();
        loop {
            let answer = self.client.get(path, &[]).await?;
            if done(&answer) {
                return Ok(answer);
            }
            if begun.elapsed() > PATIENCE {
                return Err(Error::TooLong(path.to_owned()));
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Whether all accounts are where they should be.
    async fn accounts(&self) -> Result<bool, Error> {
        let status = self.client.get("/status", &[]).await?;
        let fine = ["in_sync", "disabled", "removed", "out_of_scope", "skipped"];
        let counts = status.pointer("/apps/0/counts").and_then(Value::as_object);
        Ok(counts.is_some_and(|counts| {
            counts
                .iter()
                .all(|(state, count)| fine.contains(&state.as_str()) || count == &json!(0))
        }))
    }

    fn where_to_look(&self, app: &App, hr: &Serving, once: bool) -> Result<(), Error> {
        let (token, app_token) = (self.token.expose(), self.app_token.expose());
        say("")?;
        if once {
            say("Look at it again: `scim-bridge serve` on the same data, then")?;
            say(&format!("  export SCIM_BRIDGE_TOKEN={token}"))?;
            return say("  scim-bridge status; scim-bridge run list; scim-bridge operation list");
        }
        let address = app.address;
        let hr = &hr.base_url;
        say(&format!(
            "Look around (Ctrl-C ends the demo):
  export SCIM_BRIDGE_URL=http://{address} SCIM_BRIDGE_TOKEN={token}
  scim-bridge status; scim-bridge run list; scim-bridge operation list
  curl -s -H 'Authorization: Bearer {token}' '{address}/scim/v2/Users?count=2'
  curl -s -H 'Authorization: Bearer {app_token}' '{address}/scim/v2/Users?count=2'      # as the app has it
  curl -s -H 'Authorization: Bearer sandbox-key' -H 'X-Integration-Id: sandbox:demo' '{hr}/v1/hris/employees?page_size=2'"
        ))
    }
}

impl Story {
    /// The changes that the app was sent since an instant, with their bodies, the first one first.
    async fn show_operations(&self, since: DateTime<Utc>) -> Result<(), Error> {
        let latest = self
            .client
            .get("/operations", &[("app", APP), ("limit", "100")])
            .await?;
        let empty = Vec::new();
        let items = latest.get("items").and_then(Value::as_array).unwrap_or(&empty);
        say("  what the app was sent:")?;
        for operation in items.iter().rev().filter(|operation| is_since(operation, since)) {
            let body = operation.get("new").map(Value::to_string).unwrap_or_default();
            say(&format!(
                "    {} {}  {}",
                word(operation, "method"),
                word(operation, "path"),
                body
            ))?;
        }
        Ok(())
    }
}

fn is_since(operation: &Value, since: DateTime<Utc>) -> bool {
    word(operation, "created_at")
        .parse::<DateTime<Utc>>()
        .is_ok_and(|created| created >= since)
}

async fn tenant_with_token(app: &App, name: &str) -> Result<Secret, Error> {
    let name: access::Name = name.parse()?;
    let scopes: Scopes = std::iter::once(Scope::Admin).collect();
    let now = app.state.clock.now();
    let mut conn = app.state.db.conn().await?;
    let made = conn.transaction(async |conn| {
        let tenant = access::create_tenant(conn, &name, "demo", now).await?;
        let new = NewToken {
            tenant: Some(tenant.id),
            name: name.clone(),
            scopes,
            expires_at: None,
        };
        let (_, token) = access::create_token(conn, &new, "demo", now).await?;
        Ok::<_, access::Error>(token)
    });
    Ok(made.await?)
}

fn is_pending(status: &Value) -> bool {
    status.get("settled").and_then(Value::as_bool) != Some(true)
}

fn word<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// `{"create": 3, "skip": 0}` as `3 create`.
fn counts(counts: Option<&Value>) -> String {
    let Some(counts) = counts.and_then(Value::as_object) else {
        return String::new();
    };
    let parts: Vec<String> = counts
        .iter()
        .filter(|(_, count)| count.as_i64() != Some(0))
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    parts.join(", ")
}

fn seconds(since: Instant) -> String {
    format!("{:.2} s", since.elapsed().as_secs_f64())
}

fn say(line: &str) -> Result<(), Error> {
    writeln!(std::io::stdout().lock(), "{line}").map_err(Error::Write)
}
