//! The table `template`: what a tenant says in its own words.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension as _;
use diesel::sql_types::{Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;

use super::super::{Error, EventKind, Language, Words};
use crate::base::TenantId;
use crate::db::{Conn, Statement as _};
use crate::statement;

statement!(
    OwnWords: (SqlUuid, Text, Text) -> (Text, Text, Nullable<Text>) =
    "SELECT subject, body, html FROM template WHERE tenant_id = $1 AND kind = $2 AND language = $3"
);

/// A tenant's own words, when it has any.
///
/// # Errors
/// When the store refuses.
pub async fn own_words(
    conn: &mut Conn,
    tenant: TenantId,
    kind: EventKind,
    language: Language,
) -> Result<Option<Words>, Error> {
    let row: Option<(String, String, Option<String>)> =
        OwnWords::with((tenant.uuid(), kind.as_str(), language.code()))
            .get_result(conn)
            .await
            .optional()?;
    Ok(row.map(|(subject, body, html)| Words { subject, body, html }))
}

statement!(
    ListOwn: (SqlUuid,) -> (Text, Text, Timestamptz) =
    "SELECT kind, language, changed_at FROM template WHERE tenant_id = $1"
);

/// Which words a tenant has of its own, and since when.
///
/// # Errors
/// When the store refuses.
pub async fn list_own_words(
    conn: &mut Conn,
    tenant: TenantId,
) -> Result<Vec<(EventKind, Language, DateTime<Utc>)>, Error> {
    let rows: Vec<(String, String, DateTime<Utc>)> = ListOwn::with((tenant.uuid(),)).load(conn).await?;
    Ok(rows
        .into_iter()
        .filter_map(|(kind, language, at)| Some((EventKind::of(&kind)?, Language::of(&language)?, at)))
        .collect())
}

statement!(
    SetWords: (SqlUuid, Text, Text, Text, Text, Nullable<Text>, Timestamptz, Text) -> () =
    "INSERT INTO template (tenant_id, kind, language, subject, body, html, changed_at, changed_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (tenant_id, kind, language)
     DO UPDATE SET subject = $4, body = $5, html = $6, changed_at = $7, changed_by = $8"
);

/// Keeps a tenant's own words, which were checked.
///
/// # Errors
/// When the store refuses.
pub async fn set_words(
    conn: &mut Conn,
    tenant: TenantId,
    (kind, language): (EventKind, Language),
    words: &Words,
    (actor, now): (&str, DateTime<Utc>),
) -> Result<(), Error> {
    SetWords::with((
        tenant.uuid(),
        kind.as_str(),
        language.code(),
        words.subject.as_str(),
        words.body.as_str(),
        words.html.as_deref(),
        now,
        actor,
    ))
    .execute(conn)
    .await?;
    Ok(())
}

statement!(
    ResetWords: (SqlUuid, Text, Text) -> () =
    "DELETE FROM template WHERE tenant_id = $1 AND kind = $2 AND language = $3"
);

/// Goes back to the words that come with the program. Whether there were others.
///
/// # Errors
/// When the store refuses.
pub async fn reset_words(
    conn: &mut Conn,
    tenant: TenantId,
    kind: EventKind,
    language: Language,
) -> Result<bool, Error> {
    let gone = ResetWords::with((tenant.uuid(), kind.as_str(), language.code()))
        .execute(conn)
        .await?;
    Ok(gone > 0)
}
