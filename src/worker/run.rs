//! Runs tasks until told to stop.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use super::{Context, tasks};
use crate::access::ACCESS_CHANNEL;
use crate::base::Chain;
use crate::db;
use crate::directory::SCHEMA_CHANNEL;

/// Why a step failed. It is logged with its causes and tried again later.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
type Step = Pin<Box<dyn Future<Output = Result<bool, Failure>> + Send>>;
type Waking = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What other processes tell this one.
const CHANNELS: &[&str] = &[db::CHANGE_CHANNEL, ACCESS_CHANNEL, SCHEMA_CHANNEL];
/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long a step under way may take when the program ends; the next start takes up what it leaves.
const DRAIN: Duration = Duration::from_secs(30);

/// A background task.
pub struct Task {
    name: &'static str,
    every: Duration,
    step: Box<dyn Fn() -> Step + Send + Sync>,
    woken: Option<Box<dyn Fn() -> Waking + Send + Sync>>,
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Task({})", self.name)
    }
}

impl Task {
    /// A task of a name (`module.noun.verb`) that looks for work at least `every` so often.
    /// `step` returns whether there was something to do: if so it is called again at once.
    pub fn every<F>(name: &'static str, every: Duration, step: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<bool, Failure>> + Send + 'static,
    {
        Self {
            name,
            every,
            step: Box::new(move || Box::pin(step())),
            woken: None,
        }
    }

    /// The same, also woken when the future of `signal` ends.
    #[must_use]
    pub fn or_when<F>(mut self, signal: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.woken = Some(Box::new(move || Box::pin(signal())));
        self
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Does one step by hand.
    ///
    /// # Errors
    /// When the step fails.
    pub async fn step(&self) -> Result<bool, Failure> {
        (self.step)().await
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    task: &'static str,
    outcome: &'static str,
}

/// Runs every task of the list.
#[derive(Debug)]
pub struct Worker {
    stop: watch::Sender<bool>,
    running: Vec<(&'static str, JoinHandle<()>)>,
    steps: Family<Outcome, Counter>,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            stop: watch::Sender::new(false),
            running: Vec::new(),
            steps: Family::default(),
        }
    }
}

impl Worker {
    /// Registers what is counted here.
    pub fn count_in(&self, registry: &mut Registry) {
        registry.register("task_steps", "Steps of background tasks", self.steps.clone());
    }

    /// Starts every task.
    pub fn start(&mut self, context: &Context) {
        for task in tasks::tasks(context) {
            let name = task.name;
            let stop = self.stop.subscribe();
            let span = tracing::info_span!("worker.task.run", task = name);
            let running = tokio::spawn(run(task, self.steps.clone(), stop).instrument(span));
            self.running.push((name, running));
        }
        let (context, mut stop) = (context.clone(), self.stop.subscribe());
        let listening = tokio::spawn(async move {
            let heard = |channel: &str| match channel {
                db::CHANGE_CHANNEL => context.db.signals().numbered(),
                SCHEMA_CHANNEL => context.directory.forget_registries(),
                _ => context.doorkeeper.forget(),
            };
            let told = async {
                // An error means that nobody can tell us to stop any more.
                drop(stop.wait_for(|stop| *stop).await);
            };
            db::listen(&context.db, CHANNELS, heard, told).await;
        });
        self.running.push(("db.listen", listening));
    }

    /// Lets every task finish the step it is at.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for (name, mut running) in self.running {
            if tokio::time::timeout(DRAIN, &mut running).await.is_err() {
                tracing::warn!(task = name, "the task did not end in time");
                running.abort();
            }
        }
    }
}

async fn run(task: Task, steps: Family<Outcome, Counter>, mut stop: watch::Receiver<bool>) {
    let mut failures: u32 = 0;
    while !*stop.borrow() {
        let outcome = match task.step().await {
            Ok(worked) => {
                failures = 0;
                if worked { "worked" } else { "idle" }
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                tracing::error!(error = %Chain(&*error), failures, "a background task failed");
                "failed"
            }
        };
        let label = Outcome {
            task: task.name,
            outcome,
        };
        steps.get_or_create(&label).inc();
        let pause = match outcome {
            "worked" => continue,
            "idle" => task.every,
            _ => Duration::from_millis(500)
                .saturating_mul(2_u32.saturating_pow(failures.min(10)))
                .min(LONGEST_PAUSE),
        };
        let woken = async {
            match &task.woken {
                // A failing task waits its pause, however often it is woken.
                Some(woken) if failures == 0 => woken().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = woken => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
}
