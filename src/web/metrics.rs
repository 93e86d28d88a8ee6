//! What is counted, for Prometheus.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::{Problem, State};
use crate::base::ConnectionId;
use crate::scim::Shape;

/// Of which kind a request was. The route is its pattern, so that there are few of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: String,
    status: u16,
}

/// A shape that SCIM does not have, but that was read all the same (`scim::TOLERANCES`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Tolerated {
    shape: &'static str,
    /// The client's dialect; `none` where nobody is asked who it is.
    dialect: &'static str,
}

/// What became of a webhook's delivery.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Heard {
    outcome: &'static str,
}

/// A connection, by its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Feed {
    connection: String,
}

/// What is counted. Modules register their own under `bridge_`.
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<Request, Counter>,
    durations: Histogram,
    tolerated: Family<Tolerated, Counter>,
    heard: Family<Heard, Counter>,
    connections: Gauge,
    connections_lent: Gauge,
    statements: Gauge,
    consents_lost: Gauge,
    ages: Family<Feed, Gauge>,
    stale: Gauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("bridge");
        let requests = Family::<Request, Counter>::default();
        let durations = Histogram::new(exponential_buckets(0.000_5, 2.0, 16));
        let tolerated = Family::<Tolerated, Counter>::default();
        registry.register(
            "scim_tolerated_shapes",
            "SCIM requests with a shape that is no SCIM and was read all the same",
            tolerated.clone(),
        );
        let heard = Family::<Heard, Counter>::default();
        registry.register(
            "webhook_deliveries",
            "Deliveries of HR systems' webhooks, by what became of them",
            heard.clone(),
        );
        let (connections, connections_lent) = (Gauge::default(), Gauge::default());
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "Time until a request was answered",
            durations.clone(),
        );
        registry.register(
            "database_connections",
            "Connections in the pool",
            connections.clone(),
        );
        registry.register(
            "database_connections_lent",
            "Connections of the pool in use",
            connections_lent.clone(),
        );
        let statements = Gauge::default();
        registry.register(
            "database_statements",
            "Statements sent to the database so far",
            statements.clone(),
        );
        let consents_lost = Gauge::default();
        registry.register(
            "consents_lost",
            "Connections whose HR system needs somebody's consent again",
            consents_lost.clone(),
        );
        let ages = Family::<Feed, Gauge>::default();
        registry.register(
            "connection_age_seconds",
            "For how long nothing new is known of an HR system; of the thousand connections for which it is the longest",
            ages.clone(),
        );
        let stale = Gauge::default();
        registry.register(
            "connections_stale",
            "Connections of which nothing new is known for longer than they allow",
            stale.clone(),
        );
        Self {
            registry: Mutex::new(registry),
            requests,
            durations,
            tolerated,
            heard,
            connections,
            connections_lent,
            statements,
            consents_lost,
            ages,
            stale,
        }
    }
}

impl Metrics {
    /// Lets a module register what it counts.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Counts a request.
    pub(super) fn served(&self, method: &str, route: Option<String>, status: u16, took: Duration) {
        let method = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
            .into_iter()
            .find(|known| *known == method)
            .unwrap_or("other");
        let route = route.unwrap_or_else(|| "none".to_owned());
        self.requests
            .get_or_create(&Request {
                method,
                route,
                status,
            })
            .inc();
        self.durations.observe(took.as_secs_f64());
    }

    /// Counts a shape that is no SCIM.
    pub(super) fn tolerated(&self, shape: Shape, dialect: &'static str) {
        let shape = shape.key();
        self.tolerated.get_or_create(&Tolerated { shape, dialect }).inc();
    }

    /// Counts a webhook's delivery.
    pub(super) fn heard(&self, outcome: &'static str) {
        self.heard.get_or_create(&Heard { outcome }).inc();
    }

    /// Sets how old what is known of each connection is.
    fn aged(&self, ages: Vec<(ConnectionId, i64)>, stale: i64) {
        self.ages.clear();
        for (connection, seconds) in ages {
            let connection = connection.to_string();
            self.ages.get_or_create(&Feed { connection }).set(seconds);
        }
        self.stale.set(stale);
    }

    fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(
            &mut text,
            &self.registry.lock().unwrap_or_else(PoisonError::into_inner),
        )?;
        Ok(text)
    }
}

/// Everything that is counted, in the OpenMetrics text format. Holds no tenant's data, so it needs no token.
#[get("/metrics")]
pub async fn metrics(state: Data<State>) -> Result<HttpResponse, Problem> {
    let (held, lent) = state.db.lent();
    state
        .metrics
        .connections
        .set(i64::try_from(held).unwrap_or(i64::MAX));
    state
        .metrics
        .connections_lent
        .set(i64::try_from(lent).unwrap_or(i64::MAX));
    state
        .metrics
        .statements
        .set(i64::try_from(state.db.statements()).unwrap_or(i64::MAX));
    // A database that is away must not take the other numbers along: the last known one stays.
    if let Ok(lost) = state.sync.count_lost_consents().await {
        state.metrics.consents_lost.set(lost);
    }
    if let Ok((ages, stale)) = state.sync.ages().await {
        state.metrics.aged(ages, stale);
    }
    let text = state.metrics.text().map_err(|error| Problem::internal(&error))?;
    Ok(HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(text))
}
