//! The tasks that tell people and programs what happened.

use std::time::Duration;

use super::{Context, Task};
use crate::db::Transactional as _;
use crate::{delivery, insight, notice};

/// How often it is looked whether somebody is to be told.
const LOOK: Duration = Duration::from_secs(2);
/// How often old events are forgotten.
const SWEEP: Duration = Duration::from_secs(3_600);
/// How often it is looked whether leavers are still in, and whom others are in the way.
const WATCH: Duration = Duration::from_secs(60);
/// People whose accounts are looked at together.
const BATCH: i64 = 500;

pub(super) fn tasks(context: &Context) -> Vec<Task> {
    vec![
        settle(context),
        welcome(context),
        watch(context),
        route(context),
        send_mails(context),
        send_calls(context),
        sweep(context),
    ]
}

/// Who was deactivated is told of when the apps have done what they do.
fn settle(context: &Context) -> Task {
    let context = context.clone();
    Task::every("notice.event.settle", LOOK, move || {
        let context = context.clone();
        async move {
            let now = context.clock.now();
            let mut conn = context.db.conn().await?;
            let waiting = notice::unsettled(&mut conn, now, BATCH).await?;
            if waiting.is_empty() {
                return Ok(false);
            }
            let held = insight::accounts_held(&mut conn, waiting, now).await?;
            notice::settle(&mut conn, &held).await?;
            Ok(!held.is_empty())
        }
    })
}

/// Who is welcomed on the first day, and has it come.
fn welcome(context: &Context) -> Task {
    let context = context.clone();
    Task::every("notice.welcome.look", LOOK, move || {
        let context = context.clone();
        async move {
            let now = context.clock.now();
            let mut conn = context.db.conn().await?;
            let waiting = notice::waiting_welcomes(&mut conn, now, BATCH).await?;
            if waiting.is_empty() {
                return Ok(false);
            }
            let settled = delivery::welcomes(&mut conn, &context.directory, waiting, now).await?;
            conn.transaction(async |conn| notice::settle_welcomes(conn, &settled, now).await)
                .await?;
            Ok(true)
        }
    })
}

fn watch(context: &Context) -> Task {
    let context = context.clone();
    Task::every("notice.watch", WATCH, move || {
        let context = context.clone();
        async move {
            let now = context.clock.now();
            delivery::tell_of_accounts(&context.db, &context.directory, now).await?;
            Ok(false)
        }
    })
}

fn route(context: &Context) -> Task {
    let engine = context.notice.clone();
    Task::every("notice.event.route", LOOK, move || {
        let engine = engine.clone();
        async move { Ok(engine.route().await?) }
    })
}

fn send_mails(context: &Context) -> Task {
    let engine = context.notice.clone();
    Task::every("notice.mail.send", LOOK, move || {
        let engine = engine.clone();
        async move { Ok(engine.send_mails().await?) }
    })
}

fn send_calls(context: &Context) -> Task {
    let engine = context.notice.clone();
    Task::every("notice.webhook.send", LOOK, move || {
        let engine = engine.clone();
        async move { Ok(engine.send_calls().await?) }
    })
}

fn sweep(context: &Context) -> Task {
    let engine = context.notice.clone();
    Task::every("notice.event.sweep", SWEEP, move || {
        let engine = engine.clone();
        async move { Ok(engine.sweep().await?) }
    })
}
