//! Signals within this process: they only say "look now", the work is found in the tables.

use std::sync::Arc;

use tokio::sync::Notify;

/// Wakes the background tasks of this process. Cheap to clone. A lost signal costs time, never work: every task polls.
#[derive(Debug, Clone, Default)]
pub struct Signals(Arc<Bells>);

#[derive(Debug, Default)]
struct Bells {
    changed: Notify,
    numbered: Notify,
    runs: Notify,
    accounts: Notify,
    looks: Notify,
}

impl Signals {
    /// Changes were committed: the sequencer should number them.
    pub fn changed(&self) {
        self.0.changed.notify_one();
    }

    /// Until changes were committed since the last call.
    pub async fn until_changed(&self) {
        self.0.changed.notified().await;
    }

    /// Changes were numbered: followers of the log should look.
    pub fn numbered(&self) {
        self.0.numbered.notify_one();
    }

    /// Until changes were numbered since the last call.
    pub async fn until_numbered(&self) {
        self.0.numbered.notified().await;
    }

    /// A run was queued, approved or cancelled.
    pub fn run_waits(&self) {
        self.0.runs.notify_one();
    }

    /// Until a run waits since the last call.
    pub async fn until_run_waits(&self) {
        self.0.runs.notified().await;
    }

    /// A webhook asked to look at somebody.
    pub fn look_wanted(&self) {
        self.0.looks.notify_one();
    }

    /// Until a webhook asked since the last call.
    pub async fn until_look_wanted(&self) {
        self.0.looks.notified().await;
    }

    /// Accounts should be looked at: an app was published, a hold decided, an operation retried.
    pub fn accounts_wait(&self) {
        self.0.accounts.notify_one();
    }

    /// Until accounts wait since the last call.
    pub async fn until_accounts_wait(&self) {
        self.0.accounts.notified().await;
    }
}
