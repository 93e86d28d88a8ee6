//! The server: database, background tasks, HTTP; and its orderly end.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use url::Url;

use super::{Database, Error};
use crate::access::Doorkeeper;
use crate::config::Config;
use crate::connector::Catalogue;
use crate::db::embedded::Role;
use crate::delivery;
use crate::directory::Directory;
use crate::net::Net;
use crate::notice;
use crate::sync::Engine;
use crate::web::{self, Metrics, State};
use crate::worker::{Context, Worker};

/// Whether background tasks run by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Background {
    /// As in life.
    Running,
    /// Stepped by the caller: tests.
    ByHand,
}

/// A running program.
#[derive(Debug)]
pub struct App {
    /// Where it listens.
    pub address: SocketAddr,
    /// What its handlers work with.
    pub state: State,
    /// What its background tasks work with.
    pub context: Context,
    server: web::Running,
    worker: Option<Worker>,
    database: Database,
}

/// Starts everything and returns when requests are served.
///
/// # Errors
/// When a setting, the database or the address cannot be used.
#[tracing::instrument(name = "app.server.start", skip_all)]
pub async fn serve(config: &Config, background: Background) -> Result<App, Error> {
    let clock = config.clock()?;
    let database = Database::open(config, Role::Server).await?;
    match start(config, clock, &database, background) {
        Ok((address, state, context, server, worker)) => {
            tracing::info!(%address, "serving");
            Ok(App {
                address,
                state,
                context,
                server,
                worker,
                database,
            })
        }
        Err(error) => {
            database.close().await;
            Err(error)
        }
    }
}

type Parts = (SocketAddr, State, Context, web::Running, Option<Worker>);

fn start(
    config: &Config,
    clock: crate::base::Clock,
    database: &Database,
    background: Background,
) -> Result<Parts, Error> {
    let sealer = config.sealer()?;
    let db = database.db.clone();
    let listen = |source| Error::Listen {
        address: config.listen,
        source,
    };
    let listener = TcpListener::bind(config.listen).map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let public_url = match &config.public_url {
        Some(url) => url.clone(),
        None => Url::parse(&format!("http://{address}")).map_err(|_| Error::PublicUrl { address })?,
    };
    let catalogue = Arc::new(Catalogue::load(config.connectors_dir.as_deref())?);
    let net = Net::new(config.allow_private_targets, clock.clone())?;
    let directory = Directory::default();
    let sync = Engine::new(
        db.clone(),
        directory.clone(),
        Arc::clone(&catalogue),
        net.clone(),
        clock.clone(),
        sealer.clone(),
        config.files_dir.clone(),
    );
    let doorkeeper = Doorkeeper::new(db.clone(), clock.clone(), &sealer);
    let metrics = Arc::new(Metrics::default());
    let context = Context {
        db: db.clone(),
        clock: clock.clone(),
        catalogue: Arc::clone(&catalogue),
        net: net.clone(),
        sync: sync.clone(),
        delivery: delivery::Engine::new(
            db.clone(),
            directory.clone(),
            net.clone(),
            clock.clone(),
            sealer.clone(),
        ),
        notice: notice::Engine::new(
            db.clone(),
            net.clone(),
            clock.clone(),
            sealer.clone(),
            config.mail.clone(),
        ),
        doorkeeper: doorkeeper.clone(),
        directory: directory.clone(),
    };
    let state = State {
        db,
        clock,
        sealer,
        directory,
        catalogue,
        net,
        sync,
        doorkeeper,
        standings: Arc::default(),
        public_url: Arc::new(public_url),
        public_url_is_set: config.public_url.is_some(),
        request_limit: config.request_limit,
        pages: Arc::default(),
        metrics,
    };
    let server = web::start(listener, state.clone()).map_err(Error::Http)?;
    let worker = (background == Background::Running).then(|| {
        let mut worker = Worker::default();
        state.metrics.register(|registry| worker.count_in(registry));
        worker.start(&context);
        worker
    });
    Ok((address, state, context, server, worker))
}

impl App {
    /// Ends in an orderly way: no new requests, requests under way finish, tasks finish the step they are at,
    /// the embedded Postgres stops.
    #[tracing::instrument(name = "app.server.stop", skip_all)]
    pub async fn stop(self) {
        let Self {
            state,
            context,
            server,
            worker,
            database,
            ..
        } = self;
        server.stop().await;
        if let Some(worker) = worker {
            worker.stop().await;
        }
        drop((state, context));
        database.close().await;
        tracing::info!("stopped");
    }
}

/// The wish of the operating system or the terminal that the program end (SIGTERM, SIGINT). Heard from the moment it is
/// made, so make it before anything is started.
#[derive(Debug)]
pub struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    /// Begins to hear.
    ///
    /// # Errors
    /// When signals cannot be waited for.
    pub fn hear() -> Result<Self, Error> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(Error::Signals)?,
            interrupt: signal(SignalKind::interrupt()).map_err(Error::Signals)?,
        })
    }

    /// Until the program is asked to end.
    pub async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
