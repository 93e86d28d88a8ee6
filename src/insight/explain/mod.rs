//! One user with the whole story: where it comes from, who holds it, whose value stands in each attribute, and what
//! changed when and by whom.

mod store;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Error;
use crate::base::{PersonId, ResourceId, TenantId};
use crate::db::Conn;
use crate::directory::{Directory, Stored, Tombstone};
use crate::scim::{AttrPath, ResourceType, diff};

/// What stands in place of a sensitive value.
pub(super) const MASK: &str = "(hidden)";
/// The most members that a line of the history names.
const MEMBERS: usize = 100;

/// Who did something.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Doer {
    /// `run`, `client`, `admin` or `due`.
    pub by: String,
    /// The name of the connection or client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<Uuid>,
    /// The token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Uuid>,
    /// The settings revision of the connection that the run had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<i32>,
    /// The connection by its id.
    #[serde(skip)]
    pub connection: Option<Uuid>,
}

/// An attribute that has a value.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Its path.
    pub path: String,
    /// The value; masked when it is sensitive.
    pub value: Value,
    /// `hr`, `client` or `refuse`; `None` when it is the clients' own.
    pub authority: Option<String>,
    /// The connection whose rule that is.
    pub connection: Option<String>,
    /// Who wrote it last, and when.
    pub writer: Option<(Doer, DateTime<Utc>)>,
}

/// A record that a user comes from.
#[derive(Debug, Clone)]
pub struct Source {
    /// The connection.
    pub connection: String,
    /// The record.
    pub source_id: String,
    /// What became of it: linked, held, filtered, skipped …
    pub outcome: String,
}

/// A user with its story.
#[derive(Debug, Clone)]
pub struct Explained {
    /// The user, while it is there.
    pub user: Option<Stored>,
    /// The person.
    pub person: Option<PersonId>,
    /// Who holds it disabled: the party, and its name where it has one.
    pub held_by: Vec<(String, Option<String>)>,
    /// When it was deleted and by whom, while it stays deleted.
    pub deleted: Option<(DateTime<Utc>, String, Option<String>)>,
    /// The records it comes from.
    pub sources: Vec<Source>,
    /// Its attributes.
    pub attributes: Vec<Standing>,
}

/// One change of a user.
#[derive(Debug, Clone)]
pub struct Change {
    /// Where it stands in the log: later changes of a resource have larger ones.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// `create`, `update`, `delete` or `members`.
    pub action: String,
    /// The version that it made.
    pub version: i64,
    /// Who did it.
    pub by: Doer,
    /// Path, before and after; sensitive values are masked.
    pub changes: Vec<Value>,
}

/// A user by its id, by its person's id, or by the id it had before it was deleted. `None`: there is none.
///
/// # Errors
/// When the store refuses.
pub async fn explain(
    conn: &mut Conn,
    directory: &Directory,
    tenant: TenantId,
    id: ResourceId,
) -> Result<Option<Explained>, Error> {
    explain_to(conn, directory, tenant, id, false).await
}

/// The same for somebody who may see sensitive values, or not.
pub(super) async fn explain_to(
    conn: &mut Conn,
    directory: &Directory,
    tenant: TenantId,
    id: ResourceId,
    shows_sensitive: bool,
) -> Result<Option<Explained>, Error> {
    let Some(found) = seek(conn, directory, tenant, id).await? else {
        return Ok(None);
    };
    let (user, person, stone) = found;
    let names = Names::load(conn, tenant).await?;
    let sources = match person {
        Some(person) => store::sources(conn, tenant, person).await?,
        None => Vec::new(),
    };
    let attributes = match &user {
        Some(user) => attributes(conn, directory, tenant, user, (&names, shows_sensitive)).await?,
        None => Vec::new(),
    };
    Ok(Some(Explained {
        held_by: user
            .iter()
            .flat_map(|user| &user.disabled_by)
            .map(|party| (party.clone(), names.of_party(party)))
            .collect(),
        deleted: stone.map(|stone| {
            let name = names.of_party(&stone.party);
            (stone.at, stone.party, name)
        }),
        user,
        person,
        sources,
        attributes,
    }))
}

type Found = (Option<Stored>, Option<PersonId>, Option<Tombstone>);

async fn seek(
    conn: &mut Conn,
    directory: &Directory,
    tenant: TenantId,
    id: ResourceId,
) -> Result<Option<Found>, Error> {
    if let Some(user) = directory.load(conn, tenant, &[id]).await?.remove(&id) {
        let person = user.person;
        return Ok(Some((Some(user), person, None)));
    }
    let mut stone = directory.tombstone_of(conn, tenant, id).await?;
    let mut person = stone.as_ref().map(|stone| stone.person);
    let mut user = None;
    if person.is_none()
        && let Some(of) = store::user_of_person(conn, tenant, PersonId::from(id.uuid())).await?
    {
        let known = PersonId::from(id.uuid());
        person = Some(known);
        stone = directory.tombstones(conn, tenant, &[known]).await?.remove(&known);
        if let Some(of) = of {
            user = directory.load(conn, tenant, &[of]).await?.remove(&of);
        }
    }
    Ok(person.map(|person| (user, Some(person), stone)))
}

async fn attributes(
    conn: &mut Conn,
    directory: &Directory,
    tenant: TenantId,
    user: &Stored,
    (names, shows_sensitive): (&Names, bool),
) -> Result<Vec<Standing>, Error> {
    let registry = directory.registry(conn, tenant).await?;
    let Some(kind) = registry.kind(&user.kind) else {
        return Ok(Vec::new());
    };
    let rules = store::rules_of(conn, tenant, user.id).await?;
    let mut writers: HashMap<String, (Value, DateTime<Utc>)> = store::last_writers(conn, tenant, user.id)
        .await?
        .into_iter()
        .map(|(path, origin, at)| (path, (origin, at)))
        .collect();
    let is_hr = user.person.is_some();
    Ok(diff::diff(kind, &Default::default(), &user.object)
        .into_iter()
        .map(|line| {
            let rule = rules
                .iter()
                .filter(|_| is_hr)
                .find_map(|(connection, rules)| Some((connection, rules.get(&line.path)?.as_str()?)));
            Standing {
                value: match shows_sensitive {
                    true => line.after.unwrap_or_default(),
                    false => masked(kind, &line.path, line.after.unwrap_or_default()),
                },
                authority: rule.map(|(_, rule)| rule.to_owned()),
                connection: rule.map(|(connection, _)| connection.clone()),
                writer: writers
                    .remove(&line.path)
                    .map(|(origin, at)| (names.doer(&origin), at)),
                path: line.path,
            }
        })
        .collect())
}

/// A page of a user's or group's changes, the newest first, before change `before`.
///
/// # Errors
/// When the store refuses.
pub async fn history(
    conn: &mut Conn,
    directory: &Directory,
    (tenant, id): (TenantId, ResourceId),
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Change>, Error> {
    let registry = directory.registry(conn, tenant).await?;
    let names = Names::load(conn, tenant).await?;
    let rows = store::changes_of(conn, tenant, id, before.unwrap_or(i64::MAX), limit).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let kind = registry.kind(&row.kind);
            Change {
                id: row.id,
                at: row.at,
                action: row.action,
                version: row.version,
                by: names.doer(&row.origin),
                changes: lines(row.delta)
                    .into_iter()
                    .map(|line| shown(kind.map(AsRef::as_ref), line))
                    .collect(),
            }
        })
        .collect())
}

fn lines(delta: Option<Value>) -> Vec<Value> {
    match delta {
        Some(Value::Array(lines)) => lines,
        _ => Vec::new(),
    }
}

/// A line as it may be shown: sensitive values masked, long lists of members cut.
pub(super) fn shown(kind: Option<&ResourceType>, mut line: Value) -> Value {
    let path = line
        .get("path")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let hidden = kind.is_none_or(|kind| is_sensitive(kind, &path));
    for side in ["before", "after"] {
        if let Some(value) = line.get_mut(side)
            && hidden
        {
            *value = MASK.into();
        }
    }
    for side in ["added", "removed"] {
        if let Some(Value::Array(members)) = line.get_mut(side) {
            let all = members.len();
            members.truncate(MEMBERS);
            if all > MEMBERS {
                members.push(json!(format!("and {} more", all.saturating_sub(MEMBERS))));
            }
        }
    }
    line
}

pub(super) fn masked(kind: &ResourceType, path: &str, value: Value) -> Value {
    if is_sensitive(kind, path) {
        MASK.into()
    } else {
        value
    }
}

/// Whether only those with the scope for it see what is at a path.
pub(super) fn is_sensitive(kind: &ResourceType, path: &str) -> bool {
    AttrPath::parse(path)
        .and_then(|path| kind.place(&path))
        .is_some_and(|place| place.attribute.sensitive || place.leaf().sensitive)
}

/// The names of a tenant's clients and connections.
struct Names(BTreeMap<Uuid, String>);

impl Names {
    async fn load(conn: &mut Conn, tenant: TenantId) -> Result<Self, Error> {
        Ok(Self(store::names(conn, tenant).await?.into_iter().collect()))
    }

    fn of(&self, id: Option<Uuid>) -> Option<String> {
        self.0.get(&id?).cloned()
    }

    fn of_party(&self, party: &str) -> Option<String> {
        let (_, id) = party.split_once(':')?;
        self.of(id.parse().ok())
    }

    fn doer(&self, origin: &Value) -> Doer {
        let id = |member: &str| origin.get(member)?.as_str()?.parse::<Uuid>().ok();
        Doer {
            by: origin
                .get("by")
                .and_then(Value::as_str)
                .unwrap_or("run")
                .to_owned(),
            name: self.of(id("connection").or_else(|| id("client"))),
            run: id("run"),
            token: id("token"),
            revision: origin
                .get("revision")
                .and_then(Value::as_i64)
                .and_then(|revision| i32::try_from(revision).ok()),
            connection: id("connection"),
        }
    }
}
