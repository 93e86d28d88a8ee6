//! How long what is kept, tenant by tenant, and letting go of what is too old.
//!
//! Letting go happens once a day for each tenant, in batches of one transaction each, until nothing is left: a tenant with
//! much has turns of some seconds between those of others. Of the log, and of the logs of connections that clients write into, the oldest numbers go
//! first and the chain's digest up to there is kept, so the rest still verifies; of a resource that is there, the change
//! that made it and the last one stay without their content, since SCIM filters on `meta` read them.

mod store;

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Error, erase};
use crate::audit;
use crate::base::{Chain, Sealer, TenantId};
use crate::db::{Conn, Db, Transactional as _};
use crate::directory::Directory;

/// Rows that go in one transaction.
const BATCH: usize = 2_000;
/// People who are let go of in one transaction.
const PEOPLE: i64 = 20;
/// People who are let go of in one turn; they are erased between turns.
const MOST_PEOPLE: usize = 500;
/// How long a tenant with more people to let go of waits for its next turn.
const NEXT_PEOPLE: TimeDelta = TimeDelta::minutes(10);
/// How long one turn of a tenant lasts; what is left then has another turn after the other tenants.
const TURN: Duration = Duration::from_secs(10);
/// How often what is too old is looked for.
const EVERY: TimeDelta = TimeDelta::days(1);
/// The shortest period, in days: undoing, retries and the other processes need some.
const SHORTEST: u32 = 7;
/// The longest period, in days.
const LONGEST: u32 = 36_500;

/// One thing that is kept.
#[derive(Debug, Clone, Copy)]
struct Kind {
    name: &'static str,
    /// Days that the program says; `None`: for ever.
    days: Option<u32>,
    what: &'static str,
}

const KINDS: &[Kind] = &[
    Kind {
        name: "history",
        days: Some(730),
        what: "changes of users and groups, and states of accounts: as far as one can go back in time",
    },
    Kind {
        name: "outcomes",
        days: Some(180),
        what: "what runs had to say of single people",
    },
    Kind {
        name: "operations",
        days: Some(180),
        what: "calls to apps, with what was sent and what they answered",
    },
    Kind {
        name: "plans",
        days: Some(90),
        what: "plans that were applied, rejected or replaced, with their items",
    },
    Kind {
        name: "notices",
        days: Some(90),
        what: "events that people and programs were told of",
    },
    Kind {
        name: "left_people",
        days: None,
        what: "people who left: their records and disabled users",
    },
];

/// How long one thing is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Period {
    /// Its name.
    pub name: &'static str,
    /// Days; none: for ever.
    pub days: Option<u32>,
    /// Whether the tenant said so; else the program does.
    pub is_own: bool,
    /// What it is.
    pub what: &'static str,
}

/// How long a tenant keeps what.
pub type Periods = Vec<Period>;

fn of(stored: &Map<String, Value>) -> Periods {
    KINDS
        .iter()
        .map(|kind| {
            let own = stored.get(kind.name);
            let days = |value: &Value| value.as_u64().and_then(|days| u32::try_from(days).ok());
            Period {
                name: kind.name,
                days: own.map_or(kind.days, days),
                is_own: own.is_some(),
                what: kind.what,
            }
        })
        .collect()
}

/// How long a tenant keeps what.
///
/// # Errors
/// When the store refuses.
pub async fn periods(conn: &mut Conn, tenant: TenantId) -> Result<Periods, Error> {
    Ok(of(&store::periods(conn, tenant).await?))
}

/// Sets periods by name: days, null for ever, or "default" for what the program says. What is not named stays. Wants the
/// caller's transaction.
///
/// # Errors
/// [`Error::Invalid`] for a name or a number that will not do, or when the store refuses.
pub async fn set_periods(
    conn: &mut Conn,
    tenant: TenantId,
    wanted: &Map<String, Value>,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<Periods, Error> {
    let mut stored = store::periods(conn, tenant).await?;
    for (name, value) in wanted {
        if !KINDS.iter().any(|kind| kind.name == name) {
            let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
            return Err(Error::Invalid(format!(
                "there is no {name:?} to keep: there are {}",
                known.join(", ")
            )));
        }
        if value.as_str() == Some("default") {
            stored.remove(name);
            continue;
        }
        let range = u64::from(SHORTEST)..=u64::from(LONGEST);
        if !value.is_null() && !value.as_u64().is_some_and(|days| range.contains(&days)) {
            return Err(Error::Invalid(format!(
                "{name} is {SHORTEST} to {LONGEST} days, null for ever, or \"default\""
            )));
        }
        stored.insert(name.clone(), value.clone());
    }
    store::set_periods(conn, tenant, &stored, actor, now).await?;
    let subject = format!("tenant:{tenant}");
    let detail = json!({ "periods": stored });
    audit::note(conn, Some(tenant), now, actor, "retention.set", &subject, detail).await?;
    Ok(of(&stored))
}

/// Lets go of what is too old, for one tenant whose turn it is: for a while, and then again after the other tenants, until
/// nothing of it is left. Returns whether there was a tenant.
///
/// # Errors
/// When the database refuses.
#[tracing::instrument(name = "privacy.retention.prune", skip_all)]
pub async fn prune(db: &Db, tools: (&Directory, &Sealer), now: DateTime<Utc>) -> Result<bool, Error> {
    let mut conn = db.conn().await?;
    let Some((tenant, stored)) = store::take_turn(&mut conn, now, now - EVERY).await? else {
        return Ok(false);
    };
    let turn = Turn {
        tenant,
        tools,
        now,
        began: Instant::now(),
    };
    let mut gone = 0_usize;
    let mut next = None;
    for period in of(&stored) {
        let Some(days) = period.days else { continue };
        let before = now - TimeDelta::days(i64::from(days));
        // One kind that fails does not keep the others.
        match turn.kind(&mut conn, period.name, before).await {
            Ok((went, again)) => {
                gone = gone.saturating_add(went);
                next = [next, again].into_iter().flatten().min();
            }
            Err(error) => {
                tracing::error!(tenant.id = %tenant, kind = period.name, error = %Chain(&error), "what is too old stays for now");
            }
        }
    }
    if let Some(next) = next {
        store::go_on(&mut conn, tenant, now - EVERY + next).await?;
    }
    if gone > 0 {
        tracing::info!(tenant.id = %tenant, gone, "let go of what was too old");
    }
    Ok(true)
}

/// One turn of a tenant.
struct Turn<'a> {
    tenant: TenantId,
    tools: (&'a Directory, &'a Sealer),
    now: DateTime<Utc>,
    began: Instant,
}

impl Turn<'_> {
    /// Lets go of one kind until nothing is left or the time is up: how many rows, and in how long there is more to do.
    async fn kind(
        &self,
        conn: &mut Conn,
        name: &str,
        before: DateTime<Utc>,
    ) -> Result<(usize, Option<TimeDelta>), Error> {
        let mut gone = 0_usize;
        loop {
            let went = match name {
                "left_people" => self.people(conn, before).await?,
                _ => {
                    conn.transaction(async |conn| self.rows(conn, name, before).await)
                        .await?
                }
            };
            gone = gone.saturating_add(went);
            if went == 0 {
                return Ok((gone, None));
            }
            if name == "left_people" && gone >= MOST_PEOPLE {
                return Ok((gone, Some(NEXT_PEOPLE)));
            }
            if self.began.elapsed() >= TURN {
                return Ok((gone, Some(TimeDelta::zero())));
            }
        }
    }

    async fn rows(&self, conn: &mut Conn, name: &str, before: DateTime<Utc>) -> Result<usize, Error> {
        let (tenant, batch) = (self.tenant, i64::try_from(BATCH).unwrap_or(i64::MAX));
        match name {
            "history" => {
                let mut gone = store::prune_states(conn, tenant, before, batch).await?;
                for log in store::logs(conn, tenant).await? {
                    gone = gone.saturating_add(store::prune_log(conn, log, before, BATCH).await?);
                }
                Ok(gone)
            }
            "outcomes" => store::prune_outcomes(conn, tenant, before, batch).await,
            "operations" => store::prune_operations(conn, tenant, before, batch).await,
            "plans" => store::prune_plans(conn, tenant, before, 50).await,
            "notices" => store::prune_events(conn, tenant, before, batch).await,
            _ => Ok(0),
        }
    }

    /// Has some people who left erased, each in a transaction of its own: one that fails is tried again tomorrow.
    async fn people(&self, conn: &mut Conn, before: DateTime<Utc>) -> Result<usize, Error> {
        let people = store::left_people(conn, self.tenant, before, PEOPLE).await?;
        let mut gone = 0_usize;
        for person in people {
            let whom = (self.tenant, person);
            let asked = conn
                .transaction(async |conn| erase::let_go(conn, self.tools, whom, self.now).await)
                .await;
            match asked {
                Ok(_) => gone = gone.saturating_add(1),
                Err(error) => {
                    tracing::error!(tenant.id = %self.tenant, error = %Chain(&error), "somebody who left is not let go of for now");
                }
            }
        }
        Ok(gone)
    }
}
