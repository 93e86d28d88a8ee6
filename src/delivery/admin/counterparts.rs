//! Whether the values of an attribute have counterparts in an app, before anything is pushed: departments that the app
//! knows under other names would be refused, or made anew. Only GETs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::Value;

use super::super::client::Client;
use super::super::contact::Pages;
use super::super::predict::AppInForce;
use crate::base::{Secret, TenantId};
use crate::db::Db;
use crate::delivery::{Error, LEASE_TIME};
use crate::directory::Directory;
use crate::net::Net;
use crate::provision::{App, Desired, Dialect, Standing, UserView};
use crate::scim::{ENTERPRISE, Object};

/// How many users of ours are looked at together.
const PAGE: i64 = 500;
/// So many different values are told at most; more are no list of references.
const MOST: usize = 5_000;

/// The values of an attribute on both sides.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Counterparts {
    /// The attribute.
    pub attribute: String,
    /// Values that our users would bring and nobody in the app has, exactly so, with how many users bring each.
    pub without: BTreeMap<String, u64>,
    /// Values that both have.
    pub with: BTreeMap<String, u64>,
    /// Values that only the app has.
    pub unused: BTreeSet<String>,
    /// Why the app's side is not whole; then nothing follows from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
}

/// Compares what our users would bring to an app, by its newest settings, with what its users have and its groups are
/// called.
///
/// # Errors
/// When the app has no settings, its address cannot be used, or the store refuses.
pub async fn counterparts(
    (db, directory, net): (&Db, &Directory, &Net),
    tenant: TenantId,
    app: &App,
    token: Option<Secret>,
    attribute: &str,
) -> Result<Counterparts, Error> {
    let mut found = Counterparts {
        attribute: attribute.to_owned(),
        ..Counterparts::default()
    };
    let drafted = {
        let mut conn = db.conn().await?;
        AppInForce::draft(&mut conn, directory, tenant, app).await?
    };
    let ours = ours(db, directory, tenant, &drafted, attribute).await?;
    let settings = drafted.rules().settings();
    let dialect = Dialect::named(&settings.dialect).ok_or(Error::Address)?;
    let until = Instant::now() + LEASE_TIME;
    let client = Client::new(net, &settings.base_url, token, dialect, &settings.pace, until)?;
    let mut theirs = BTreeSet::new();
    found.doubt = read(&client, "User", attribute, &mut theirs).await.err();
    // An app without groups has none to be named after.
    let _ = read(&client, "Group", "displayName", &mut theirs).await;
    for (value, users) in ours {
        if theirs.contains(&value) {
            found.with.insert(value, users);
        } else {
            found.without.insert(value, users);
        }
    }
    found.unused = theirs
        .into_iter()
        .filter(|value| !found.with.contains_key(value))
        .collect();
    Ok(found)
}

/// What our users would bring, and how many of them.
async fn ours(
    db: &Db,
    directory: &Directory,
    tenant: TenantId,
    app: &AppInForce,
    attribute: &str,
) -> Result<BTreeMap<String, u64>, Error> {
    let (mut ours, mut after) = (BTreeMap::new(), None);
    let mut conn = db.conn().await?;
    loop {
        let users = directory.realm_users(&mut conn, tenant, after, PAGE).await?;
        let Some(last) = users.last() else { return Ok(ours) };
        after = Some(last.id);
        for user in users {
            let view = UserView {
                id: user.id,
                object: &user.object,
                manager: None,
                manager_remote: None,
                reports: None,
                standing: Standing::default(),
            };
            let Desired::Wanted(wanted) = app.rules().user(view) else {
                continue;
            };
            if let Some(value) = value_of(&wanted, attribute)
                && (ours.len() < MOST || ours.contains_key(value))
            {
                *ours.entry(value.to_owned()).or_default() += 1;
            }
        }
    }
}

/// Reads the values of an attribute of all resources of a type; why it ended before the end.
async fn read(
    client: &Client,
    kind: &str,
    attribute: &str,
    values: &mut BTreeSet<String>,
) -> Result<(), String> {
    let mut pages = Pages::new(kind);
    loop {
        match pages.next(client).await {
            Ok(Some(page)) => {
                let found = page.iter().filter_map(|resource| value_of(resource, attribute));
                for value in found {
                    if values.len() < MOST {
                        values.insert(value.to_owned());
                    }
                }
            }
            Ok(None) => return Ok(()),
            Err(None) => return Err("the app asked for quiet, or the time was over".to_owned()),
            Err(Some(ended)) => return Err(ended.words),
        }
    }
}

/// The text of an attribute, which may stand in the enterprise extension.
fn value_of<'o>(object: &'o Object, attribute: &str) -> Option<&'o str> {
    let extension = object.get(ENTERPRISE).and_then(Value::as_object);
    object
        .get(attribute)
        .or_else(|| extension?.get(attribute))
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}
