//! An app with settings that can be looked through: those in force, or a draft's.

use std::sync::Arc;

use super::store;
use crate::base::{AppId, TenantId};
use crate::db::Conn;
use crate::delivery::Error;
use crate::delivery::engine::can_patch;
use crate::delivery::prepare::Plan;
use crate::directory::Directory;
use crate::provision::{self, App, Dialect, Mode, Revision, Rules};
use crate::scim::Registry;

/// An app with one revision of its settings, compiled, as if it were in force.
#[derive(Debug, Clone)]
pub struct AppInForce {
    id: AppId,
    name: String,
    revision: i32,
    mode: Mode,
    rules: Rules,
    registry: Arc<Registry>,
    can_patch: bool,
}

impl AppInForce {
    /// The app with the settings in force, in the mode it is in. `None` when it was never published.
    ///
    /// # Errors
    /// When the settings are not usable, or the store refuses.
    pub async fn live(
        conn: &mut Conn,
        directory: &Directory,
        tenant: TenantId,
        app: &App,
    ) -> Result<Option<Self>, Error> {
        match app.live_revision {
            None => Ok(None),
            Some(number) => {
                let revision = provision::revision(conn, tenant, app.id, number).await?;
                Ok(Some(
                    Self::of(conn, directory, tenant, app, revision, app.mode).await?,
                ))
            }
        }
    }

    /// The app with its newest settings (the draft, or else those in force), in the mode that publishing them would put
    /// it in.
    ///
    /// # Errors
    /// When it has no settings or they are not usable, or the store refuses.
    pub async fn draft(
        conn: &mut Conn,
        directory: &Directory,
        tenant: TenantId,
        app: &App,
    ) -> Result<Self, Error> {
        let revision = provision::draft(conn, tenant, app).await?;
        let mode = mode_of(app, &revision, None);
        Self::of(conn, directory, tenant, app, revision, mode).await
    }

    pub(in crate::delivery) async fn of(
        conn: &mut Conn,
        directory: &Directory,
        tenant: TenantId,
        app: &App,
        revision: Revision,
        mode: Mode,
    ) -> Result<Self, Error> {
        let registry = directory.registry(conn, tenant).await?;
        let user = registry
            .kind("User")
            .ok_or_else(|| crate::directory::Error::UnknownKind("User".to_owned()))?;
        let number = revision.number;
        let rules = Rules::compile(revision.settings, user)
            .map_err(|problems| Error::Provision(provision::Error::Settings(problems)))?;
        let dialect = Dialect::named(&rules.settings().dialect).ok_or(Error::Address)?;
        let capabilities = store::capabilities(conn, tenant, app.id).await?;
        Ok(Self {
            id: app.id,
            name: app.name.clone(),
            revision: number,
            mode,
            can_patch: can_patch(capabilities.as_ref(), dialect),
            rules,
            registry,
        })
    }

    /// The app's id.
    #[must_use]
    pub const fn id(&self) -> AppId {
        self.id
    }

    /// Its name in the tenant.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of the settings.
    #[must_use]
    pub const fn revision(&self) -> i32 {
        self.revision
    }

    /// The mode it is looked at in. Only `live` leads to calls.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The same in another mode.
    #[must_use]
    pub const fn in_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The settings, compiled.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(in crate::delivery) fn plan<'a>(&'a self, tenant: TenantId, directory: &'a Directory) -> Plan<'a> {
        Plan {
            at: (tenant, self.id),
            name: &self.name,
            mode: self.mode,
            rules: &self.rules,
            directory,
            registry: &self.registry,
            can_patch: self.can_patch,
        }
    }
}

/// The mode that a publication puts an app in: what is asked for, or else the file's, or else the one it is in.
pub(in crate::delivery) fn mode_of(app: &App, revision: &Revision, asked: Option<Mode>) -> Mode {
    asked.or(revision.settings.mode).unwrap_or(match app.mode {
        Mode::Paused => Mode::Observe,
        other => other,
    })
}
