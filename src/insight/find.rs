//! From what the asker holds (an e-mail address, a payroll number, a name) to people and users.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Error, store};
use crate::base::{PersonId, ResourceId, TenantId, TokenId};
use crate::db::Conn;
use crate::directory::{Among, Directory, From, Reader, Search, Want};
use crate::scim::{filter, fold};

/// The most users that one value is searched for.
const MOST: u64 = 100;

/// What the asker holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// Any e-mail address of a user, or the work address in HR.
    Email(String),
    /// The user's name.
    UserName(String),
    /// The employee number.
    EmployeeNumber(String),
    /// The record's id in the HR system, exactly as it is.
    SourceId(String),
    /// What any client, or HR, calls the user.
    ExternalId(String),
}

/// Somebody who was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The user; none for people who have none.
    pub user: Option<ResourceId>,
    /// The person; none for users that no HR system knows.
    pub person: Option<PersonId>,
    /// The user's name.
    pub user_name: Option<String>,
    /// The user's display name.
    pub display_name: Option<String>,
    /// Whether the user is active.
    pub active: Option<bool>,
}

/// Who fits. Usually one; an address or a number may fit several. At most four statements.
///
/// # Errors
/// When the store refuses.
#[tracing::instrument(name = "insight.person.find", skip_all)]
pub async fn find(
    conn: &mut Conn,
    directory: &Directory,
    (tenant, token): (TenantId, TokenId),
    by: &By,
    now: DateTime<Utc>,
) -> Result<Vec<Person>, Error> {
    let asker = Reader {
        tenant,
        client: None,
        token,
        base: "",
        now,
    };
    let (users, people) = match by {
        By::Email(email) => (
            users(conn, directory, &asker, "emails.value", email).await?,
            store::people_by_email(conn, tenant, &fold(email)).await?,
        ),
        By::UserName(name) => (
            users(conn, directory, &asker, "userName", name).await?,
            Vec::new(),
        ),
        By::EmployeeNumber(number) => (
            users(
                conn,
                directory,
                &asker,
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber",
                number,
            )
            .await?,
            store::people_by_number(conn, tenant, number).await?,
        ),
        By::SourceId(id) => (Vec::new(), store::people_by_source_id(conn, tenant, id).await?),
        By::ExternalId(id) => (store::users_by_external_id(conn, tenant, id).await?, Vec::new()),
    };
    store::people(conn, tenant, &users, &people).await
}

async fn users(
    conn: &mut Conn,
    directory: &Directory,
    asker: &Reader<'_>,
    path: &str,
    value: &str,
) -> Result<Vec<ResourceId>, Error> {
    let unusable = |error: crate::scim::Error| Error::Value(error.detail);
    let kind = &*directory.kind(conn, asker.tenant, "User").await?;
    let text = format!("{path} eq {}", Value::String(value.to_owned()));
    let bound = filter::bind(&filter::parse(&text).map_err(unusable)?, kind).map_err(unusable)?;
    let search = Search {
        among: vec![Among {
            kind,
            filter: Some(bound),
        }],
        text,
        sort: None,
        from: From::Index(1),
        limit: MOST,
        want: Want::default(),
    };
    let page = directory.search(conn, asker, &search).await?;
    Ok(page.items.into_iter().map(|found| found.id).collect())
}
