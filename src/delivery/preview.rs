//! What-if: an app's draft beside the settings in force, over everybody. Writes nothing.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Error;
use super::moved::{self, Accounts};
use super::predict::{AppInForce, Predicted, Waiting, survey};
use crate::base::TenantId;
use crate::db::Conn;
use crate::directory::Directory;
use crate::guard::Effects;
use crate::provision::Mode;

/// Somebody for whom the draft would do something, or otherwise than the settings in force.
#[derive(Debug, Clone)]
pub struct Difference {
    /// userName or displayName.
    pub name: Option<String>,
    /// What follows from the settings in force; `None` when the app was never published.
    pub live: Option<Predicted>,
    /// What would follow from the draft.
    pub draft: Predicted,
}

/// A page of a preview.
#[derive(Debug, Clone)]
pub struct PreviewPage {
    /// Where the next page begins.
    pub last: Uuid,
    /// Who differs.
    pub items: Vec<Difference>,
    /// What follows for everybody of the page from the settings in force.
    pub live: Effects,
    /// And what would follow from the draft.
    pub draft: Effects,
}

/// The settings that a preview holds against each other.
#[derive(Debug, Clone)]
pub struct Preview {
    live: Option<AppInForce>,
    draft: AppInForce,
    accounts: Accounts,
}

impl Preview {
    /// An app's draft and its settings in force, both as if the app pushed.
    ///
    /// # Errors
    /// [`Error::Moved`]; when there is no such app or no settings, they are not usable, or the store refuses.
    pub async fn of(
        conn: &mut Conn,
        directory: &Directory,
        tenant: TenantId,
        name: &str,
        accounts: Option<Accounts>,
    ) -> Result<Self, Error> {
        let app = crate::provision::app(conn, tenant, name).await?;
        let live = AppInForce::live(conn, directory, tenant, &app).await?;
        let draft = AppInForce::draft(conn, directory, tenant, &app).await?;
        let to = &draft.rules().settings().base_url;
        Ok(Self {
            accounts: moved::whose(conn, tenant, &app, to, accounts).await?,
            live: live.map(|live| live.in_mode(Mode::Live)),
            draft: draft.in_mode(Mode::Live),
        })
    }

    /// The draft.
    #[must_use]
    pub const fn draft(&self) -> &AppInForce {
        &self.draft
    }

    /// The next page after `after`; `None` at the end. A constant number of statements.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn page(
        &self,
        conn: &mut Conn,
        directory: &Directory,
        tenant: TenantId,
        after: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Option<PreviewPage>, Error> {
        let mut apps = vec![(&self.draft, self.accounts.waiting())];
        apps.extend(self.live.iter().map(|live| (live, Waiting::AsItIs)));
        let Some(page) = survey(conn, directory, tenant, &apps, after, now).await? else {
            return Ok(None);
        };
        let mut outcomes = page.outcomes.into_iter();
        let draft = outcomes.next().unwrap_or_default();
        let mut live = outcomes.next().map(Vec::into_iter);
        let mut names = page.names.into_iter();
        let mut found = PreviewPage {
            last: page.last.uuid(),
            items: Vec::new(),
            live: Effects::default(),
            draft: Effects::default(),
        };
        found.live.accounts = page.open;
        if self.accounts == Accounts::Same {
            found.draft.accounts = page.open;
        }
        for draft in draft {
            let live = live.as_mut().and_then(Iterator::next);
            let name = names.next().flatten();
            count(&mut found.draft, &draft);
            if let Some(live) = &live {
                count(&mut found.live, live);
            }
            let differs = live.as_ref().is_none_or(|live| {
                live.action != draft.action || live.state != draft.state || !live.calls().eq(draft.calls())
            });
            if draft.action.is_some() || (differs && live.is_some()) {
                found.items.push(Difference { name, live, draft });
            }
        }
        Ok(Some(found))
    }
}

fn count(effects: &mut Effects, one: &Predicted) {
    if let Some(action) = one.action {
        effects.count(action, one.cleared());
    }
}
