//! The one list of background tasks.

use std::time::Duration;

use super::{Context, Task};

/// Every task. `step` returns whether there was something to do.
#[must_use]
pub fn tasks(context: &Context) -> Vec<Task> {
    let doorkeeper = context.doorkeeper.clone();
    vec![Task::every(
        "access.use.note",
        Duration::from_secs(15),
        move || {
            let doorkeeper = doorkeeper.clone();
            async move {
                doorkeeper.note_use().await?;
                Ok(false)
            }
        },
    )]
}
