//! Setup links: somebody without an account connects an HR system, once.
//!
//! Whoever has the link may answer the connector's questions and consent, and sees what the check says. What was answered
//! before is shown unless it is secret; secrets are asked for anew each time, so that nobody can have a kept one sent to
//! another host. Answers become the connection's draft: whether it goes live when it is proven is for whoever made the link.

mod store;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

pub(super) use store::{end, forget};

use crate::audit;
use crate::base::{Secret, TenantId, digest, random_token};
use crate::connector::{CheckStep, Form, ManifestView, SettingProblem, SettingView};
use crate::db::{Conn, Transactional as _};
use crate::sync::connection::{Connection, store as connections};
use crate::sync::engine::Engine;
use crate::sync::sign_in::ConsentAsked;
use crate::sync::{Error, FileProblem};

/// How long a link lasts unless something else is said.
pub const LIFE: TimeDelta = TimeDelta::days(7);
/// The longest a link may last.
const LONGEST_LIFE: TimeDelta = TimeDelta::days(30);
/// How often something may be sent by one link.
const MOST_TRIES: i32 = 50;

/// A new link.
#[derive(Debug)]
pub struct SetupLink {
    /// Its secret part: whoever has it may set the connection up.
    pub token: Secret,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// What a link leads to.
#[derive(Debug)]
pub struct Setup {
    /// The connection.
    pub connection: Connection,
    /// Its connector, as people see it.
    pub connector: ManifestView,
    /// The questions that may be answered here.
    pub questions: Vec<SettingView>,
    /// What was answered before; never a secret.
    pub answers: BTreeMap<String, String>,
    digest: Vec<u8>,
    made_by: String,
    publishes: bool,
}

/// Whether a link opens.
#[derive(Debug)]
pub enum Knocked {
    /// It does.
    Open(Box<Setup>),
    /// It has done its work, or a newer one was made.
    Ended,
    /// Its time is over.
    Expired,
    /// Too much was sent by it.
    TooOften,
    /// There is no such link.
    Unknown,
}

/// What became of answers.
#[derive(Debug)]
pub enum Sent {
    /// Some will not do.
    Problems(Vec<SettingProblem>),
    /// The HR system was asked.
    Checked(Vec<CheckStep>),
    /// Somebody must consent now.
    Consent(ConsentAsked),
}

impl Engine {
    /// Makes a link with which somebody without an account connects an HR system; it ends the ones before. With
    /// `publishes` the connection goes live when what was entered is proven.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Decision`] for a life that is too long, or when the store refuses.
    pub async fn make_setup_link(
        &self,
        tenant: TenantId,
        name: &str,
        (life, publishes): (Option<TimeDelta>, bool),
        actor: &str,
    ) -> Result<SetupLink, Error> {
        let life = life.unwrap_or(LIFE);
        if life <= TimeDelta::zero() || life > LONGEST_LIFE {
            return Err(Error::Decision("a setup link lasts at most 30 days".to_owned()));
        }
        let connection = self.connection(tenant, name).await?;
        let token = Secret::new(random_token());
        let now = self.clock.now();
        let link = store::Link {
            tenant,
            connection: connection.id,
            made_by: actor.to_owned(),
            expires_at: now + life,
            tries: 0,
            ended_at: None,
            publishes,
        };
        let mut conn = self.conn().await?;
        store::make(&mut conn, &digest(token.expose().as_bytes()), &link, now).await?;
        let detail = json!({ "expires_at": link.expires_at, "publishes": publishes });
        note(&mut conn, &connection, now, actor, "setup_link.make", detail).await?;
        Ok(SetupLink {
            token,
            expires_at: link.expires_at,
        })
    }

    /// What a link leads to. Opening it changes nothing.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn open_setup(&self, token: &str) -> Result<Knocked, Error> {
        let digest = digest(token.as_bytes());
        let mut conn = self.conn().await?;
        let Some(link) = store::find(&mut conn, &digest).await? else {
            return Ok(Knocked::Unknown);
        };
        if link.ended_at.is_some() {
            return Ok(Knocked::Ended);
        }
        if link.expires_at <= self.clock.now() {
            return Ok(Knocked::Expired);
        }
        if link.tries >= MOST_TRIES {
            return Ok(Knocked::TooOften);
        }
        let Some(connection) = connections::by_id(&mut conn, link.tenant, link.connection).await? else {
            return Ok(Knocked::Unknown);
        };
        let Some(manifest) = self.catalogue.get(&connection.connector) else {
            return Ok(Knocked::Unknown);
        };
        let body = self.newest_body(&mut conn, &connection).await?;
        let given = |name: &str| body.pointer(&format!("/settings/{name}")).and_then(Value::as_str);
        let own_client = given("oauth_client_id").is_some();
        let questions: Vec<SettingView> = manifest
            .settings()
            .into_iter()
            .filter(|asked| {
                !matches!(
                    asked.name.as_str(),
                    "base_url" | "oauth_client_id" | "oauth_client_secret"
                )
            })
            // Where the connection has a client's secret of its own, the host that gets it is not for the link to choose.
            .filter(|asked| {
                !(own_client
                    && matches!(asked.form, Form::Host | Form::Origin | Form::Url)
                    && given(&asked.name).is_some())
            })
            .collect();
        let answers = questions
            .iter()
            .filter(|asked| !asked.secret)
            .filter_map(|asked| Some((asked.name.clone(), given(&asked.name)?.to_owned())))
            .collect();
        Ok(Knocked::Open(Box::new(Setup {
            connector: manifest.view(),
            connection,
            questions,
            answers,
            digest,
            made_by: link.made_by,
            publishes: link.publishes,
        })))
    }

    async fn newest_body(&self, conn: &mut Conn, connection: &Connection) -> Result<Value, Error> {
        let Some(number) = connection.draft.or(connection.live) else {
            return Ok(Value::Null);
        };
        let revision = connections::revision(conn, connection.tenant, connection.id, number).await?;
        Ok(revision.map(|revision| revision.body).unwrap_or_default())
    }

    /// Takes answers: keeps them as the draft, then asks the HR system, or for consent. A check that finds nothing wrong
    /// ends the link; else it may be tried again.
    ///
    /// # Errors
    /// When the store refuses.
    #[tracing::instrument(name = "sync.setup.send", skip_all)]
    pub async fn send_setup(
        &self,
        setup: &Setup,
        given: &BTreeMap<String, Secret>,
        redirect: &str,
    ) -> Result<Sent, Error> {
        let (tenant, name) = (setup.connection.tenant, setup.connection.name.as_str());
        let actor = format!("setup link of {}", setup.made_by);
        let mut conn = self.conn().await?;
        store::count_try(&mut conn, &setup.digest).await?;
        let mut body = self.newest_body(&mut conn, &setup.connection).await?;
        drop(conn);
        answer(&mut body, &setup.questions, given);
        match self.apply_file(tenant, name, body, &actor, false).await {
            Ok(_) => {}
            Err(Error::File(problems)) => return Ok(Sent::Problems(of_settings(problems))),
            Err(error) => return Err(error),
        }
        let connection = self.connection(tenant, name).await?;
        let mut conn = self.conn().await?;
        let (ready, _) = self.ready(&mut conn, connection.clone(), None).await?;
        if ready.asks_consent() {
            let link = Some(setup.digest.clone());
            let asked = self
                .ask_consent_to(&mut conn, connection, (redirect, setup.publishes), &actor, link)
                .await;
            return match asked {
                Ok(asked) => Ok(Sent::Consent(asked)),
                Err(Error::Connector(error)) => {
                    Ok(Sent::Checked(vec![CheckStep::bad("credentials", &error)]))
                }
                Err(error) => Err(error),
            };
        }
        drop(conn);
        let steps = self.check_connection(tenant, name).await?;
        let good = steps.iter().all(|step| step.ok);
        let mut conn = self.conn().await?;
        let now = self.clock.now();
        let goes_live = good && setup.publishes;
        conn.transaction(async |conn| {
            if good {
                end(conn, &setup.digest, now).await?;
            }
            let detail = json!({ "ok": good });
            note(conn, &connection, now, &actor, "setup_link.use", detail).await?;
            if goes_live {
                self.publish_in(conn, tenant, name, &actor).await?;
            }
            Ok::<_, Error>(())
        })
        .await?;
        if goes_live {
            self.signals.run_waits();
        }
        Ok(Sent::Checked(steps))
    }
}

/// Puts answers into a connection's file. A secret that is not answered is taken away: none is kept for another host.
fn answer(body: &mut Value, questions: &[SettingView], given: &BTreeMap<String, Secret>) {
    let Some(file) = body.as_object_mut() else { return };
    let settings = file
        .entry("settings")
        .or_insert_with(|| Value::Object(Map::new()));
    let Some(settings) = settings.as_object_mut() else {
        return;
    };
    for asked in questions {
        let text = given.get(&asked.name).map(Secret::expose).unwrap_or_default();
        if text.is_empty() && !asked.secret {
            settings.remove(&asked.name);
        } else {
            settings.insert(asked.name.clone(), Value::from(text));
        }
    }
}

fn of_settings(problems: Vec<FileProblem>) -> Vec<SettingProblem> {
    problems
        .into_iter()
        .map(|problem| {
            let at = problem.at.unwrap_or_default();
            SettingProblem {
                setting: at.strip_prefix("settings.").unwrap_or(&at).to_owned(),
                message: problem.message,
            }
        })
        .collect()
}

async fn note(
    conn: &mut Conn,
    connection: &Connection,
    now: DateTime<Utc>,
    actor: &str,
    action: &str,
    detail: Value,
) -> Result<(), Error> {
    let subject = format!("connection:{}", connection.id);
    audit::note(
        conn,
        Some(connection.tenant),
        now,
        actor,
        action,
        &subject,
        detail,
    )
    .await?;
    Ok(())
}
