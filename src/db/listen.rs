//! LISTEN: what other processes tell this one.

use std::future::Future;
use std::time::Duration;

use diesel_async::SimpleAsyncConnection as _;
use futures_util::StreamExt as _;

use super::{Db, Error};
use crate::base::Chain;

/// How long to wait before a lost connection is sought again.
const PAUSE: Duration = Duration::from_secs(1);

/// Listens on `channels` until `stop` ends, and calls `heard` with the channel of each notification. Whenever the
/// connection was made anew it calls `heard` for every channel, since something may have been missed meanwhile.
pub async fn listen(
    db: &Db,
    channels: &'static [&'static str],
    mut heard: impl FnMut(&str),
    stop: impl Future<Output = ()>,
) {
    let mut stop = std::pin::pin!(stop);
    loop {
        let lost = tokio::select! {
            () = &mut stop => return,
            lost = listen_once(db, channels, &mut heard) => lost,
        };
        if let Err(error) = lost {
            tracing::warn!(error = %Chain(&error), "not listening to other processes; trying again");
        }
        tokio::select! {
            () = &mut stop => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn listen_once(
    db: &Db,
    channels: &'static [&'static str],
    heard: &mut impl FnMut(&str),
) -> Result<(), Error> {
    let mut conn = db.direct().await?;
    for channel in channels {
        conn.batch_execute(&format!("LISTEN {channel}")).await?;
    }
    for channel in channels {
        heard(channel);
    }
    let mut notifications = std::pin::pin!(conn.notifications_stream());
    while let Some(notification) = notifications.next().await {
        heard(&notification?.channel);
    }
    Ok(())
}
