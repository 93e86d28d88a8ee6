//! What is there before anything is measured: tenants with users as a writer makes them (attributes, look-up keys,
//! externalIds, changes), numbered and indexed, and in each tenant a group with most of them.

use chrono::{DateTime, Utc};
use serde::Deserialize as _;
use serde_json::json;
use uuid::Uuid;

use super::{Error, store};
use crate::access::{self, NewToken, ProfileChange, Scope};
use crate::base::{ClientId, TenantId, TokenId};
use crate::db::{self, Db, Transactional as _};
use crate::directory::{Cause, Directory, Put};
use crate::scim::{ENTERPRISE, GROUP, USER};

/// Users that are written at once.
const BATCH: usize = 1_000;
/// Members of a group, if there are so many users.
const MEMBERS: usize = 100_000;
/// Clients of each tenant: a walk through the pages belongs to one.
const CLIENTS: usize = 16;

/// One tenant with its users.
#[derive(Debug)]
pub(super) struct Tenant {
    /// A token for each of its clients.
    pub tokens: Vec<String>,
    /// Its users, by their numbers.
    pub users: Vec<Uuid>,
    /// Its group.
    pub group: Uuid,
    /// The number of the first user who is not in the group; all after are not either.
    pub outside: usize,
    /// Which tenant it is.
    pub number: usize,
}

/// The userName of a user, which is the e-mail address too.
pub(super) fn name(tenant: usize, number: usize) -> String {
    format!("person-{tenant}-{number:07}@bench.test")
}

/// Loads `users` over `tenants`.
pub(super) async fn load(
    db: &Db,
    (users, tenants): (usize, usize),
    now: DateTime<Utc>,
) -> Result<Vec<Tenant>, Error> {
    let mut conn = db.conn().await?;
    let indexes = store::drop_indexes(&mut conn).await?;
    let each = users / tenants.max(1);
    let mut made = Vec::new();
    for number in 0..tenants {
        made.push(tenant(db, number, each, now).await?);
    }
    while db::number_changes(db, Uuid::now_v7()).await?.changes > 0 {}
    store::finish(&mut conn, &indexes).await?;
    store::make_limit(&mut conn).await?;
    // Without waiting for its turn in the background.
    store::finish(&mut conn, &[]).await?;
    Ok(made)
}

async fn tenant(db: &Db, number: usize, users: usize, now: DateTime<Utc>) -> Result<Tenant, Error> {
    let mut conn = db.conn().await?;
    let wrong = |_| Error::Wrong("a name is not one".to_owned());
    let title = format!("bench-{number}").parse().map_err(wrong)?;
    let tenant = conn
        .transaction(async |conn| access::create_tenant(conn, &title, "bench", now).await)
        .await?
        .id;
    // Who disables thousands a minute would be frozen.
    let uncapped =
        ProfileChange::deserialize(json!({ "caps": { "disable": {}, "delete": {}, "clear": {} } }))
            .map_err(|_| Error::Wrong("the profile is not one".to_owned()))?;
    let (mut tokens, mut client) = (Vec::new(), ClientId::new());
    for client_number in 0..CLIENTS {
        let new = NewToken {
            tenant: Some(tenant),
            name: format!("client-{client_number}").parse().map_err(wrong)?,
            scopes: [Scope::ScimRead, Scope::ScimWrite].into_iter().collect(),
            expires_at: None,
        };
        let (view, secret) = conn
            .transaction(async |conn| access::create_token(conn, &new, "bench", now).await)
            .await?;
        tokens.push(secret.expose().to_owned());
        client = view.client.unwrap_or(client);
        access::change_profile(&mut conn, tenant, client, &uncapped, "bench", now).await?;
    }
    let ids = write(db, tenant, (number, users), client, now).await?;
    // Nine of ten, so that there are some who can still enter.
    let outside = MEMBERS.min(users.saturating_mul(9) / 10);
    let group = make_group(db, tenant, ids.get(..outside).unwrap_or_default(), now).await?;
    Ok(Tenant {
        tokens,
        users: ids,
        group,
        outside,
        number,
    })
}

/// Writes the users in two tasks, one for each half.
async fn write(
    db: &Db,
    tenant: TenantId,
    (number, users): (usize, usize),
    client: ClientId,
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, Error> {
    let halves = [0..users / 2, users / 2..users].map(|range| {
        let db = db.clone();
        tokio::spawn(async move {
            let (directory, cause) = (Directory::default(), Cause::admin(TokenId::new(), now));
            let mut conn = db.conn().await?;
            let mut ids = Vec::new();
            for first in range.clone().step_by(BATCH) {
                let puts: Vec<Put> = (first..first.saturating_add(BATCH).min(range.end))
                    .map(|user| put(number, user, client))
                    .collect();
                let written = conn
                    .transaction(async |conn| directory.put_many(conn, tenant, puts, &cause).await)
                    .await?;
                for one in written {
                    ids.push(one?.id.uuid());
                }
            }
            Ok::<_, Error>(ids)
        })
    });
    let mut all = Vec::new();
    for half in halves {
        all.extend(half.await??);
    }
    Ok(all)
}

fn put(tenant: usize, number: usize, client: ClientId) -> Put {
    let name = name(tenant, number);
    let object = json!({
        "schemas": [USER, ENTERPRISE],
        "userName": name,
        "name": { "givenName": "Given", "familyName": format!("Family {number}") },
        "displayName": format!("Given Family {number}"),
        "title": "Engineer",
        "active": true,
        "emails": [{ "type": "work", "value": name, "primary": true }],
        "phoneNumbers": [{ "type": "work", "value": format!("+49 30 {number:07}") }],
        ENTERPRISE: { "employeeNumber": format!("E-{number}"), "department": format!("Department {}", number % 50) },
    });
    Put {
        id: None,
        kind: "User".to_owned(),
        object: object.as_object().cloned().unwrap_or_default(),
        external_id: Some((client, format!("x-{number}"))),
        person: None,
        expected: None,
        disabled_by: Vec::new(),
    }
}

async fn make_group(db: &Db, tenant: TenantId, members: &[Uuid], now: DateTime<Utc>) -> Result<Uuid, Error> {
    let mut conn = db.conn().await?;
    let (directory, cause) = (Directory::default(), Cause::admin(TokenId::new(), now));
    let object = json!({ "schemas": [GROUP], "displayName": "Everybody" });
    let put = Put {
        id: None,
        kind: "Group".to_owned(),
        object: object.as_object().cloned().unwrap_or_default(),
        external_id: None,
        person: None,
        expected: None,
        disabled_by: Vec::new(),
    };
    let group = conn
        .transaction(async |conn| directory.put(conn, tenant, put, &cause).await)
        .await?
        .id;
    store::fill(&mut conn, (tenant, group), members).await?;
    Ok(group.uuid())
}
