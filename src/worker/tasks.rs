//! The one list of background tasks.

use std::time::Duration;

use uuid::Uuid;

use super::{Context, Task, caps, erasures, notices};
use crate::db;
use crate::privacy;

/// How long the sequencer lets changes gather: one batch, one NOTIFY. While it numbers, the writers go without the
/// processor.
const GATHER: Duration = Duration::from_millis(20);

/// So many apps are worked on at a time.
const PUSHERS: [&str; 4] = [
    "delivery.app.push.1",
    "delivery.app.push.2",
    "delivery.app.push.3",
    "delivery.app.push.4",
];

/// Every task. A step returns whether there was something to do.
#[must_use]
pub fn tasks(context: &Context) -> Vec<Task> {
    let mut tasks = vec![
        note_use_of_tokens(context),
        number_changes(context),
        start_runs(context),
        start_looks(context),
        sweep_webhooks(context),
        lead_runs("sync.run.lead", context),
        lead_runs("sync.run.lead_second", context),
        sweep_staging(context),
        find_stale(context),
        keep_consents(context),
        carry_out_removals(context),
        sweep_uses(context),
        sweep_walks(context),
        erasures::task(context),
        prune(context),
        dispatch_changes(context),
    ];
    tasks.extend(notices::tasks(context));
    tasks.extend(PUSHERS.iter().map(|name| push_to_apps(context, name)));
    tasks
}

fn note_use_of_tokens(context: &Context) -> Task {
    let doorkeeper = context.doorkeeper.clone();
    Task::every("access.use.note", Duration::from_secs(15), move || {
        let doorkeeper = doorkeeper.clone();
        async move {
            doorkeeper.note_use().await?;
            Ok(false)
        }
    })
}

fn number_changes(context: &Context) -> Task {
    let (context, owner) = (context.clone(), Uuid::now_v7());
    let signals = context.db.signals().clone();
    Task::every("db.change.number", Duration::from_secs(1), move || {
        let context = context.clone();
        async move {
            let numbered = db::number_changes(&context.db, owner).await?;
            caps::enforce(&context, &numbered.clients).await?;
            // A batch that was not full waits for the next signal, so that more gathers.
            Ok(numbered.changes >= usize::from(db::NUMBERED_AT_ONCE))
        }
    })
    .or_when(move || {
        let signals = signals.clone();
        async move {
            signals.until_changed().await;
            tokio::time::sleep(GATHER).await;
        }
    })
}

fn start_runs(context: &Context) -> Task {
    let engine = context.sync.clone();
    Task::every("sync.run.start", Duration::from_secs(1), move || {
        let engine = engine.clone();
        async move {
            engine.start_due().await?;
            Ok(false)
        }
    })
}

fn start_looks(context: &Context) -> Task {
    let engine = context.sync.clone();
    let signals = engine.signals().clone();
    Task::every("sync.look.start", Duration::from_secs(1), move || {
        let engine = engine.clone();
        async move { Ok(engine.start_looks().await?) }
    })
    .or_when(move || {
        let signals = signals.clone();
        async move { signals.until_look_wanted().await }
    })
}

fn sweep_webhooks(context: &Context) -> Task {
    let engine = context.sync.clone();
    Task::every("sync.webhook.sweep", Duration::from_secs(600), move || {
        let engine = engine.clone();
        async move {
            engine.sweep_webhooks().await?;
            Ok(false)
        }
    })
}

/// Two of them, so that a long run of one connection does not hold up all others.
fn lead_runs(name: &'static str, context: &Context) -> Task {
    let engine = context.sync.clone();
    let signals = engine.signals().clone();
    Task::every(name, Duration::from_millis(500), move || {
        let engine = engine.clone();
        async move { Ok(engine.lead_next().await?) }
    })
    .or_when(move || {
        let signals = signals.clone();
        async move { signals.until_run_waits().await }
    })
}

fn sweep_staging(context: &Context) -> Task {
    let engine = context.sync.clone();
    Task::every("sync.staging.sweep", Duration::from_secs(600), move || {
        let engine = engine.clone();
        async move {
            engine.sweep().await?;
            Ok(false)
        }
    })
}

fn find_stale(context: &Context) -> Task {
    let engine = context.sync.clone();
    Task::every("sync.fresh.watch", Duration::from_secs(60), move || {
        let engine = engine.clone();
        async move { Ok(engine.find_stale().await?) }
    })
}

fn keep_consents(context: &Context) -> Task {
    let engine = context.sync.clone();
    Task::every("sync.consent.keep", Duration::from_secs(600), move || {
        let engine = engine.clone();
        async move {
            engine.keep_consents().await?;
            Ok(false)
        }
    })
}

fn carry_out_removals(context: &Context) -> Task {
    let engine = context.sync.clone();
    Task::every("sync.removal.carry_out", Duration::from_secs(10), move || {
        let engine = engine.clone();
        async move { Ok(engine.carry_out_removals().await?) }
    })
}

fn sweep_walks(context: &Context) -> Task {
    let (db, clock, directory) = (
        context.db.clone(),
        context.clock.clone(),
        context.directory.clone(),
    );
    Task::every("directory.walk.sweep", Duration::from_secs(300), move || {
        let (db, clock, directory) = (db.clone(), clock.clone(), directory.clone());
        async move {
            directory.sweep_walks(&mut *db.conn().await?, clock.now()).await?;
            Ok(false)
        }
    })
}

/// Lets go of what is older than a tenant wants it kept.
fn prune(context: &Context) -> Task {
    let context = context.clone();
    Task::every("privacy.retention.prune", Duration::from_secs(600), move || {
        let context = context.clone();
        async move {
            let tools = (&context.directory, context.sync.sealer());
            Ok(privacy::prune(&context.db, tools, context.clock.now()).await?)
        }
    })
}

fn sweep_uses(context: &Context) -> Task {
    let context = context.clone();
    Task::every("guard.use.sweep", Duration::from_secs(3_600), move || {
        let context = context.clone();
        async move {
            let mut conn = context.db.conn().await?;
            crate::guard::forget_uses(&mut conn, context.clock.now()).await?;
            Ok(false)
        }
    })
}

fn dispatch_changes(context: &Context) -> Task {
    let (engine, signals) = (context.delivery.clone(), context.db.signals().clone());
    Task::every("delivery.change.dispatch", Duration::from_secs(1), move || {
        let (engine, signals) = (engine.clone(), signals.clone());
        async move {
            let worked = engine.dispatch().await?;
            if worked {
                signals.accounts_wait();
            }
            Ok(worked)
        }
    })
    .or_when({
        let signals = context.db.signals().clone();
        move || {
            let signals = signals.clone();
            async move { signals.until_numbered().await }
        }
    })
}

fn push_to_apps(context: &Context, name: &'static str) -> Task {
    let (engine, signals) = (context.delivery.clone(), context.db.signals().clone());
    Task::every(name, Duration::from_secs(1), move || {
        let engine = engine.clone();
        async move { Ok(engine.push().await?) }
    })
    .or_when(move || {
        let signals = signals.clone();
        async move { signals.until_accounts_wait().await }
    })
}
