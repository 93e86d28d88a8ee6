//! One page of a search.

use chrono::{DateTime, TimeDelta, Utc};

use super::store::{self, From, Step};
use crate::base::{ClientId, TenantId, TokenId, digest};
use crate::db::Conn;
use crate::directory::filter_sql::View;
use crate::directory::{Directory, Error, Found, Want, member};
use crate::scim::filter::{Bound, Op, Operand};
use crate::scim::{self, Place, ResourceType};

/// How long the next page of a walk may be asked for.
const WALK: TimeDelta = TimeDelta::minutes(30);

/// Who reads.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// Whose resources.
    pub tenant: TenantId,
    /// Whose externalIds.
    pub client: Option<ClientId>,
    /// Whose walk.
    pub token: TokenId,
    /// Public address under which `/Users/…` stands; `meta.location` and `$ref` begin with it.
    pub base: &'a str,
    /// Now.
    pub now: DateTime<Utc>,
}

/// What is looked for.
#[derive(Debug, Clone)]
pub struct Search<'a> {
    /// The resource type.
    pub kind: &'a ResourceType,
    /// The filter.
    pub filter: Option<Bound>,
    /// What tells this query from others: filter and sorting as written.
    pub text: String,
    /// What to sort by, and whether the greatest comes first. Without, the oldest come first.
    pub sort: Option<(Place, bool)>,
    /// Where to start, from 1.
    pub start_index: u64,
    /// How many at most; 0 only counts.
    pub limit: u64,
    /// Which computed attributes are wanted.
    pub want: Want,
}

/// One page.
#[derive(Debug, Clone)]
pub struct Page {
    /// How many there are in all.
    pub total: u64,
    /// Those of this page.
    pub items: Vec<Found>,
}

impl Directory {
    /// One page of a search: one statement when a user is looked up by userName, id or externalId, else at most three.
    ///
    /// # Errors
    /// [`Error::Scim`] for an attribute that cannot be sorted by, or the database failed.
    #[tracing::instrument(name = "directory.resource.search", skip_all)]
    pub async fn search(
        &self,
        conn: &mut Conn,
        reader: &Reader<'_>,
        search: &Search<'_>,
    ) -> Result<Page, Error> {
        if let Some(found) = look_up(conn, reader, search).await? {
            let mut page = cut(found, search);
            member::show_indirect(conn, reader.tenant, &mut page.items).await?;
            return Ok(page);
        }
        let view = View {
            tenant: reader.tenant,
            kind: search.kind,
            client: reader.client,
            base: reader.base,
        };
        let sort = match &search.sort {
            None => None,
            Some((place, descending)) => {
                let key = view.sort_key(place).ok_or_else(|| {
                    Error::Scim(scim::Error::value(
                        "sortBy names an attribute that cannot be sorted by",
                    ))
                })?;
                Some((key, *descending))
            }
        };
        let query = query(search);
        let walk = (reader.tenant, reader.token, query.as_slice());
        let known = if search.start_index > 1 && search.limit > 0 {
            store::step(conn, walk, search.start_index, reader.now).await?
        } else {
            None
        };
        let condition = search.filter.as_ref().map(|filter| view.condition(filter));
        let (total, from) = match known {
            Some(Step { last, total }) => (total, From::After(last)),
            None => (
                store::total(conn, &view, condition.as_ref()).await?,
                From::Skip(search.start_index.saturating_sub(1)),
            ),
        };
        if search.limit == 0 || search.start_index > total {
            return Ok(Page {
                total,
                items: Vec::new(),
            });
        }
        let rows = store::page(
            conn,
            &view,
            condition.as_ref(),
            sort.as_ref(),
            &from,
            (search.limit, search.want),
        )
        .await?;
        let next = search
            .start_index
            .saturating_add(u64::try_from(rows.len()).unwrap_or(u64::MAX));
        if next <= total
            && let Some((found, key)) = rows.last()
        {
            let last = store::Key {
                id: found.id,
                sorted: key.clone(),
            };
            store::keep_step(
                conn,
                walk,
                next,
                &Step { last, total },
                (reader.now, reader.now + WALK),
            )
            .await?;
        }
        let mut items: Vec<Found> = rows.into_iter().map(|(found, _)| found).collect();
        member::show_indirect(conn, reader.tenant, &mut items).await?;
        Ok(Page { total, items })
    }
}

/// What tells one query of a token from another.
fn query(search: &Search<'_>) -> Vec<u8> {
    digest(format!("{}\0{}", search.kind.name, search.text).as_bytes())
}

/// The page of a list that was read whole.
fn cut(found: Vec<Found>, search: &Search<'_>) -> Page {
    let total = u64::try_from(found.len()).unwrap_or(u64::MAX);
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let items = found
        .into_iter()
        .skip(number(search.start_index.saturating_sub(1)))
        .take(number(search.limit))
        .collect();
    Page { total, items }
}

/// The look-ups that clients do before every write are one prepared statement each.
async fn look_up(
    conn: &mut Conn,
    reader: &Reader<'_>,
    search: &Search<'_>,
) -> Result<Option<Vec<Found>>, Error> {
    let Some(Bound::Compare {
        place,
        op: Op::Eq,
        operand: Operand::Text(text),
    }) = &search.filter
    else {
        return Ok(None);
    };
    if place.extension.is_some() || place.sub.is_some() {
        return Ok(None);
    }
    let target = (reader.tenant, search.kind.name.as_str());
    let found = match place.attribute.name.as_str() {
        "userName" => store::by_user_name(conn, target, text, reader.client, search.want).await?,
        "externalId" => {
            let mut found = store::by_external_id(conn, target, text, reader.client, search.want).await?;
            found.retain(|found| found.external_id() == Some(text));
            found
        }
        "id" => match text.parse() {
            // Ids are lower case and have no other spelling.
            Ok(id) if text.chars().all(|c| !c.is_ascii_uppercase()) && text.len() == 36 => {
                let target = (reader.tenant, id, search.kind.name.as_str());
                let found = crate::directory::store::find(conn, target, reader.client, search.want).await?;
                found.into_iter().collect()
            }
            _ => Vec::new(),
        },
        _ => return Ok(None),
    };
    Ok(Some(found))
}
