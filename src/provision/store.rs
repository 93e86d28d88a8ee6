//! The tables of apps and their settings.

mod employment;

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Binary, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::{Error, Mode, Problem, Rules, Settings};
use crate::base::{AppId, Sealer, Secret, TenantId, digest};
use crate::db::{Conn, Statement as _};
use crate::scim::ResourceType;
use crate::statement;

pub use employment::{employments, put_employments};

/// An app as stored.
#[derive(Debug, Clone)]
pub struct App {
    /// Its id.
    pub id: AppId,
    /// Its name in the tenant.
    pub name: String,
    /// What it does for us.
    pub mode: Mode,
    /// The settings in force.
    pub live_revision: Option<i32>,
    /// Settings that are not yet in force.
    pub draft_revision: Option<i32>,
    /// When its existing accounts were last read and matched.
    pub matched_at: Option<DateTime<Utc>>,
    /// It asked to be left alone until then.
    pub resume_at: Option<DateTime<Utc>>,
    /// What is wrong with it as a whole.
    pub trouble: Option<String>,
    /// Since when we know it.
    pub created_at: DateTime<Utc>,
}

type AppRow = (
    Uuid,
    String,
    String,
    Option<i32>,
    Option<i32>,
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
    Option<String>,
    DateTime<Utc>,
);

fn read_app(row: AppRow) -> App {
    let (id, name, mode, live_revision, draft_revision, matched_at, resume_at, trouble, created_at) = row;
    App {
        id: id.into(),
        name,
        mode: Mode::of(&mode).unwrap_or(Mode::Paused),
        live_revision,
        draft_revision,
        matched_at,
        resume_at,
        trouble,
        created_at,
    }
}

statement!(
    AppByName: (SqlUuid, Text) -> (SqlUuid, Text, Text, Nullable<Integer>, Nullable<Integer>, Nullable<Timestamptz>, Nullable<Timestamptz>, Nullable<Text>, Timestamptz) =
    "SELECT id, name, mode, live_revision, draft_revision, matched_at, resume_at, trouble, created_at
     FROM app WHERE tenant_id = $1 AND name = $2"
);

/// The app of that name.
///
/// # Errors
/// When there is none, or the store refuses.
pub async fn app(conn: &mut Conn, tenant: TenantId, name: &str) -> Result<App, Error> {
    let row: Option<AppRow> = AppByName::with((tenant.uuid(), name))
        .get_result(conn)
        .await
        .optional()?;
    row.map(read_app)
        .ok_or_else(|| Error::UnknownApp(name.to_owned()))
}

statement!(
    AppById: (SqlUuid, SqlUuid) -> (SqlUuid, Text, Text, Nullable<Integer>, Nullable<Integer>, Nullable<Timestamptz>, Nullable<Timestamptz>, Nullable<Text>, Timestamptz) =
    "SELECT id, name, mode, live_revision, draft_revision, matched_at, resume_at, trouble, created_at
     FROM app WHERE tenant_id = $1 AND id = $2"
);

/// The app of that id.
///
/// # Errors
/// When there is none, or the store refuses.
pub async fn app_by_id(conn: &mut Conn, tenant: TenantId, id: AppId) -> Result<App, Error> {
    let row: Option<AppRow> = AppById::with((tenant.uuid(), id.uuid()))
        .get_result(conn)
        .await
        .optional()?;
    row.map(read_app).ok_or_else(|| Error::UnknownApp(id.to_string()))
}

statement!(
    Apps: (SqlUuid, Text, Integer) -> (SqlUuid, Text, Text, Nullable<Integer>, Nullable<Integer>, Nullable<Timestamptz>, Nullable<Timestamptz>, Nullable<Text>, Timestamptz) =
    "SELECT id, name, mode, live_revision, draft_revision, matched_at, resume_at, trouble, created_at
     FROM app WHERE tenant_id = $1 AND name > $2 ORDER BY name LIMIT $3"
);

/// Up to `limit` apps in order of their names, after `after`.
///
/// # Errors
/// When the store refuses.
pub async fn apps(conn: &mut Conn, tenant: TenantId, after: &str, limit: i32) -> Result<Vec<App>, Error> {
    let rows: Vec<AppRow> = Apps::with((tenant.uuid(), after, limit))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(read_app).collect())
}

/// One revision of an app's settings.
#[derive(Debug, Clone)]
pub struct Revision {
    /// Its number.
    pub number: i32,
    /// The settings, without the token.
    pub settings: Settings,
    sealed: Option<Vec<u8>>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// By whom.
    pub created_by: String,
}

impl Revision {
    /// The app's token, opened.
    ///
    /// # Errors
    /// When no key opens it.
    pub fn token(&self, sealer: &Sealer, tenant: TenantId, app: AppId) -> Result<Option<Secret>, Error> {
        self.secret("token", sealer, tenant, app)
    }

    /// What hooks are signed with, opened.
    ///
    /// # Errors
    /// When no key opens it.
    pub fn hook_secret(
        &self,
        sealer: &Sealer,
        tenant: TenantId,
        app: AppId,
    ) -> Result<Option<Secret>, Error> {
        self.secret("hook_secret", sealer, tenant, app)
    }

    fn secret(
        &self,
        name: &str,
        sealer: &Sealer,
        tenant: TenantId,
        app: AppId,
    ) -> Result<Option<Secret>, Error> {
        let Some(sealed) = &self.sealed else {
            return Ok(None);
        };
        let plain = sealer.open(&purpose(tenant, app), sealed)?;
        let values: Value = serde_json::from_slice(&plain).map_err(Error::Stored)?;
        Ok(values
            .get(name)
            .and_then(Value::as_str)
            .map(|secret| Secret::new(secret.to_owned())))
    }

    /// Whether a token is kept.
    #[must_use]
    pub const fn has_token(&self) -> bool {
        self.sealed.is_some()
    }
}

/// What stands in the settings in place of a secret that is kept.
const SEALED: &str = "sealed";

fn purpose(tenant: TenantId, app: AppId) -> String {
    format!("app:{tenant}:{app}")
}

type RevisionRow = (i32, Value, Option<Vec<u8>>, DateTime<Utc>, String);

statement!(
    ReadRevision: (SqlUuid, SqlUuid, Integer) -> (Integer, Jsonb, Nullable<Binary>, Timestamptz, Text) =
    "SELECT revision, body, sealed, created_at, created_by FROM setting_revision
     WHERE tenant_id = $1 AND owner_id = $2 AND revision = $3 AND owner_kind = 'app'"
);

/// One revision of an app's settings.
///
/// # Errors
/// When there is none, or the store refuses.
pub async fn revision(conn: &mut Conn, tenant: TenantId, app: AppId, number: i32) -> Result<Revision, Error> {
    let row: Option<RevisionRow> = ReadRevision::with((tenant.uuid(), app.uuid(), number))
        .get_result(conn)
        .await
        .optional()?;
    read_revision(row.ok_or(Error::NothingThere(
        "the app has no such revision of its settings",
    ))?)
}

statement!(
    ReadRevisions: (SqlUuid, SqlUuid, Nullable<Integer>, BigInt) -> (Integer, Jsonb, Nullable<Binary>, Timestamptz, Text) =
    "SELECT revision, body, sealed, created_at, created_by FROM setting_revision
     WHERE tenant_id = $1 AND owner_id = $2 AND owner_kind = 'app' AND ($3 IS NULL OR revision < $3)
     ORDER BY revision DESC LIMIT $4"
);

/// Up to `limit` revisions of an app's settings, the newest first, perhaps only those before a number.
///
/// # Errors
/// When the store refuses.
pub async fn revisions(
    conn: &mut Conn,
    tenant: TenantId,
    app: AppId,
    before: Option<i32>,
    limit: i64,
) -> Result<Vec<Revision>, Error> {
    let rows: Vec<RevisionRow> = ReadRevisions::with((tenant.uuid(), app.uuid(), before, limit))
        .get_results(conn)
        .await?;
    rows.into_iter().map(read_revision).collect()
}

fn read_revision(row: RevisionRow) -> Result<Revision, Error> {
    let (number, body, sealed, created_at, created_by) = row;
    Ok(Revision {
        number,
        settings: serde_json::from_value(body).map_err(Error::Stored)?,
        sealed,
        created_at,
        created_by,
    })
}

/// The newest settings of an app: the draft, or else those in force.
///
/// # Errors
/// When it has none, or the store refuses.
pub async fn draft(conn: &mut Conn, tenant: TenantId, app: &App) -> Result<Revision, Error> {
    let number = app
        .draft_revision
        .or(app.live_revision)
        .ok_or(Error::NothingThere("the app has no settings"))?;
    revision(conn, tenant, app.id, number).await
}

statement!(
    InsertApp: (SqlUuid, SqlUuid, Text, Timestamptz) -> () =
    "INSERT INTO app (tenant_id, id, name, mode, created_at) VALUES ($1, $2, $3, 'paused', $4)
     ON CONFLICT (tenant_id, name) DO NOTHING"
);
statement!(
    LockApp: (SqlUuid, Text) -> (SqlUuid,) =
    "SELECT id FROM app WHERE tenant_id = $1 AND name = $2 FOR UPDATE"
);
statement!(
    InsertRevision: (SqlUuid, SqlUuid, Jsonb, Nullable<Binary>, Binary, Timestamptz, Text) -> (Integer,) =
    "INSERT INTO setting_revision (tenant_id, owner_id, revision, owner_kind, body, sealed, digest, created_at, created_by)
     SELECT $1, $2, coalesce(max(revision), 0) + 1, 'app', $3, $4, $5, $6, $7
     FROM setting_revision WHERE tenant_id = $1 AND owner_id = $2
     RETURNING revision"
);
statement!(
    SetDraft: (SqlUuid, SqlUuid, Integer) -> () =
    "UPDATE app SET draft_revision = $3 WHERE tenant_id = $1 AND id = $2"
);

/// Writes settings as the app's draft; makes the app when it is new. A token that is not given again is kept, unless
/// the address moved to another host. Needs a transaction.
///
/// # Errors
/// When the token cannot be sealed or the store refuses.
pub async fn save_draft(
    conn: &mut Conn,
    tenant: TenantId,
    mut settings: Settings,
    sealer: &Sealer,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<App, Error> {
    InsertApp::with((tenant.uuid(), AppId::new().uuid(), settings.name.as_str(), now))
        .execute(conn)
        .await?;
    let (id,): (Uuid,) = LockApp::with((tenant.uuid(), settings.name.as_str()))
        .get_result(conn)
        .await?;
    let id = AppId::from(id);
    let app_before = app_by_id(conn, tenant, id).await?;
    let before = match app_before.draft_revision.or(app_before.live_revision) {
        Some(number) => Some(revision(conn, tenant, id, number).await?),
        None => None,
    };
    let sealed = seal(&mut settings, before.as_ref(), sealer, &purpose(tenant, id))?;
    let body = serde_json::to_value(&settings).map_err(Error::Stored)?;
    let fingerprint = digest(body.to_string().as_bytes());
    let (number,): (i32,) =
        InsertRevision::with((tenant.uuid(), id.uuid(), body, sealed, fingerprint, now, actor))
            .get_result(conn)
            .await?;
    SetDraft::with((tenant.uuid(), id.uuid(), number))
        .execute(conn)
        .await?;
    app_by_id(conn, tenant, id).await
}

/// Takes the secrets out of the settings; those that are not given again are kept while the host stays.
fn seal(
    settings: &mut Settings,
    before: Option<&Revision>,
    sealer: &Sealer,
    purpose: &str,
) -> Result<Option<Vec<u8>>, Error> {
    let before = before.filter(|before| same_host(&before.settings.base_url, &settings.base_url));
    let kept = before.and_then(|before| before.sealed.clone());
    let token = settings.token.take();
    let hook = settings.hook_secret.take().filter(|secret| secret != SEALED);
    let has_hook = hook.is_some() || before.is_some_and(|before| before.settings.hook_secret.is_some());
    if settings.has_hooks() && !has_hook {
        return Err(Error::Settings(vec![Problem::at(
            "hook_secret",
            "is missing: the calls of hooks are signed with it",
        )]));
    }
    settings.hook_secret = has_hook.then(|| SEALED.to_owned());
    if token.is_none() && hook.is_none() {
        return Ok(kept);
    }
    let mut values: serde_json::Map<String, Value> = match kept {
        Some(kept) => serde_json::from_slice(&sealer.open(purpose, &kept)?).map_err(Error::Stored)?,
        None => serde_json::Map::new(),
    };
    for (name, secret) in [("token", token), ("hook_secret", hook)] {
        if let Some(secret) = secret {
            values.insert(name.to_owned(), Value::String(secret));
        }
    }
    let plain = Value::Object(values).to_string();
    Ok(Some(sealer.seal(purpose, plain.as_bytes())?))
}

fn same_host(a: &str, b: &str) -> bool {
    let origin = |text: &str| url::Url::parse(text).ok().map(|url| url.origin());
    origin(a).is_some_and(|a| origin(b) == Some(a))
}

statement!(
    Publish: (SqlUuid, SqlUuid, Integer, Text) -> () =
    "UPDATE app SET live_revision = $3, mode = $4, planned_revision = NULL,
            draft_revision = CASE WHEN draft_revision = $3 THEN NULL ELSE draft_revision END,
            matched_at = NULL, lease_epoch = lease_epoch + 1, lease_until = NULL,
            resume_at = NULL, failures = 0, trouble = NULL
     WHERE tenant_id = $1 AND id = $2"
);
statement!(
    TryAgain: (SqlUuid, SqlUuid) -> () =
    "UPDATE account SET state = 'pending', reason = '', look = true, due_at = NULL
     WHERE tenant_id = $1 AND app_id = $2 AND state = 'quarantined'"
);

/// Puts a revision in force and the app in `mode`: its accounts are read and matched again, and all are looked at,
/// quarantined ones too. Who is working on it by the settings before loses its lease.
///
/// # Errors
/// When the store refuses.
pub async fn publish(
    conn: &mut Conn,
    tenant: TenantId,
    app: AppId,
    revision: i32,
    mode: Mode,
) -> Result<(), Error> {
    Publish::with((tenant.uuid(), app.uuid(), revision, mode.word()))
        .execute(conn)
        .await?;
    TryAgain::with((tenant.uuid(), app.uuid())).execute(conn).await?;
    Ok(())
}

statement!(
    Pause: (SqlUuid, SqlUuid) -> () =
    "UPDATE app SET mode = 'paused', lease_epoch = lease_epoch + 1, lease_until = NULL WHERE tenant_id = $1 AND id = $2"
);

/// Stops all calls to an app: who is working on it loses its lease.
///
/// # Errors
/// When the store refuses.
pub async fn pause(conn: &mut Conn, tenant: TenantId, app: AppId) -> Result<(), Error> {
    Pause::with((tenant.uuid(), app.uuid())).execute(conn).await?;
    Ok(())
}

statement!(
    ReadAddress: (SqlUuid, SqlUuid, Integer) -> (Nullable<Text>,) =
    "SELECT body ->> 'base_url' FROM setting_revision
     WHERE tenant_id = $1 AND owner_id = $2 AND revision = $3 AND owner_kind = 'app'"
);

/// Where a revision of an app's settings leads, even one that this version cannot read otherwise.
///
/// # Errors
/// When the store refuses.
pub async fn address_of(
    conn: &mut Conn,
    tenant: TenantId,
    app: AppId,
    number: i32,
) -> Result<Option<String>, Error> {
    let row: Option<(Option<String>,)> = ReadAddress::with((tenant.uuid(), app.uuid(), number))
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.and_then(|(address,)| address))
}

statement!(
    EarlierRevision: (SqlUuid, SqlUuid, Integer) -> (Integer,) =
    "SELECT revision FROM setting_revision
     WHERE tenant_id = $1 AND owner_id = $2 AND owner_kind = 'app' AND revision < $3 ORDER BY revision DESC LIMIT 1"
);

/// Makes the settings before those in force, or those of a number, the draft.
///
/// # Errors
/// When there are none, or the store refuses.
pub async fn rollback(conn: &mut Conn, tenant: TenantId, name: &str, to: Option<i32>) -> Result<App, Error> {
    let found = app(conn, tenant, name).await?;
    if let Some(number) = to {
        let number = revision(conn, tenant, found.id, number).await?.number;
        SetDraft::with((tenant.uuid(), found.id.uuid(), number))
            .execute(conn)
            .await?;
        return app_by_id(conn, tenant, found.id).await;
    }
    let live = found
        .live_revision
        .ok_or(Error::NothingThere("the app was never published"))?;
    let earlier: Option<(i32,)> = EarlierRevision::with((tenant.uuid(), found.id.uuid(), live))
        .get_result(conn)
        .await
        .optional()?;
    let (number,) = earlier.ok_or(Error::NothingThere("there are no settings before those in force"))?;
    SetDraft::with((tenant.uuid(), found.id.uuid(), number))
        .execute(conn)
        .await?;
    app_by_id(conn, tenant, found.id).await
}

/// The apps whose settings, drafted or live, fit users of type `before` and not of type `after`: the name of each with
/// what would be wrong.
///
/// # Errors
/// When the store refuses.
pub async fn broken_by(
    conn: &mut Conn,
    tenant: TenantId,
    (before, after): (&ResourceType, &ResourceType),
) -> Result<Vec<(String, Problem)>, Error> {
    let (mut broken, mut last) = (Vec::new(), String::new());
    loop {
        let page = apps(conn, tenant, &last, 100).await?;
        let Some(end) = page.last() else { return Ok(broken) };
        last.clone_from(&end.name);
        for app in page {
            for number in [app.live_revision, app.draft_revision].into_iter().flatten() {
                let settings = revision(conn, tenant, app.id, number).await?.settings;
                let wrong = Rules::compile(settings.clone(), after).err();
                let wrong = wrong.filter(|_| Rules::compile(settings, before).is_ok());
                if let Some(problem) = wrong.into_iter().flatten().next() {
                    broken.push((app.name.clone(), problem));
                    break;
                }
            }
        }
    }
}
