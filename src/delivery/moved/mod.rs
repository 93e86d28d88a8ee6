//! Apps whose address changes: whether the accounts there are the same.
//!
//! *Comes in:* the address in force, the one that is to be, what the admin says. *Goes out:* links that are kept, or an
//! app without any. Ids of one server mean nothing on another: there they are nobody's, or somebody else's.

mod store;

use chrono::{DateTime, Utc};

use super::Error;
use super::predict::Waiting;
use crate::base::{AppId, TenantId};
use crate::db::Conn;
use crate::provision::{self, App, leads_to_the_same};

/// Whose accounts are where an app's settings lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accounts {
    /// Those that are linked, under whatever address.
    Same,
    /// Others: it is another server, or another tenant of it. The links are dropped and accounts are matched anew.
    New,
}

impl Accounts {
    /// The word in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::New => "new",
        }
    }

    /// What a forecast thinks of the accounts that are known.
    pub(super) const fn waiting(self) -> Waiting {
        match self {
            Self::Same => Waiting::Settled,
            Self::New => Waiting::Unlinked,
        }
    }

    /// The one of that word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Same, Self::New].into_iter().find(|one| one.word() == word)
    }
}

/// Whose accounts a publication of settings that lead to `to` finds there.
///
/// # Errors
/// [`Error::Moved`] when that is another place than before, accounts are linked, and nobody said whose they are there.
pub(super) async fn whose(
    conn: &mut Conn,
    tenant: TenantId,
    app: &App,
    to: &str,
    said: Option<Accounts>,
) -> Result<Accounts, Error> {
    if let Some(said) = said {
        return Ok(said);
    }
    let from = match app.live_revision {
        Some(live) => provision::address_of(conn, tenant, app.id, live).await?,
        None => None,
    };
    match from {
        Some(from) if !leads_to_the_same(&from, to) => match store::linked(conn, (tenant, app.id)).await? {
            0 => Ok(Accounts::New),
            linked => Err(Error::Moved {
                from,
                to: to.to_owned(),
                linked,
            }),
        },
        _ => Ok(Accounts::Same),
    }
}

/// Forgets all that is known of an app's accounts: the links and what each holds, accounts that nobody of ours has, who is
/// in which group, calls under way, what the app can do. What a human removed by hand stays removed. Wants the caller's
/// transaction, and that nobody works on the app after it with the lease from before.
///
/// # Errors
/// When the store refuses.
pub(super) async fn forget(conn: &mut Conn, at: (TenantId, AppId), now: DateTime<Utc>) -> Result<(), Error> {
    store::forget(conn, at, now).await
}
