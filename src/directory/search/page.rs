//! One page of a search.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::order::{Key, Sort, Stretch};
use super::store::{self, Rows};
use crate::base::{ClientId, TenantId, TokenId};
use crate::db::Conn;
use crate::directory::filter_index::{Keys, Standing};
use crate::directory::filter_sql::{Sql, View};
use crate::directory::{Directory, Error, Found, Want, member};
use crate::scim::filter::{Bound, Op, Operand};
use crate::scim::{self, Place, ResourceType};

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

/// A resource type that is looked through.
#[derive(Debug, Clone)]
pub struct Among<'a> {
    /// The type.
    pub kind: &'a ResourceType,
    /// What its resources must meet.
    pub filter: Option<Bound>,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// At this number, from 1, which may go on a walk of the same token.
    Index(u64),
    /// At the beginning of a walk by cursor.
    First,
    /// Behind this place.
    After(Key),
    /// It ends before this place.
    Before(Key),
}

/// What is looked for.
#[derive(Debug, Clone)]
pub struct Search<'a> {
    /// Among which types; not none.
    pub among: Vec<Among<'a>>,
    /// What tells this query from others of these types: filter, sorting and projection.
    pub text: String,
    /// What to sort by, and whether the greatest comes first; only with one type. Without, the oldest come first.
    pub sort: Option<(Place, bool)>,
    /// Where to start.
    pub from: From,
    /// How many at most; 0 only counts.
    pub limit: u64,
    /// Which computed attributes are wanted.
    pub want: Want,
}

/// One page.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// How many there are in all; `None` behind a cursor, where it was told with the first page.
    pub total: Option<u64>,
    /// Those of this page.
    pub items: Vec<Found>,
    /// Where the page begins, if there are others before it.
    pub before: Option<Key>,
    /// Where the page ends, if there are others behind it.
    pub after: Option<Key>,
}

impl Search<'_> {
    /// Whether the page costs little whatever is stored: nothing is filtered, and an index has the order; or it is one
    /// of the look-ups that clients do before every write. Anything else is to be read within a time limit
    /// ([`Directory::limit_time`]).
    #[must_use]
    pub fn is_quick(&self) -> bool {
        let unfiltered = self.among.iter().all(|one| one.filter.is_none());
        let in_order = match &self.sort {
            None => true,
            Some((place, _)) => is_indexed(place) && !matches!(self.from, From::Index(2..)),
        };
        (unfiltered && in_order) || looked_up(self).is_some() || addressed(self).is_some()
    }
}

/// Whether the order of these values stands in an index.
fn is_indexed(place: &Place) -> bool {
    let plain = place.extension.is_none() && place.sub.is_none() && !place.attribute.case_exact;
    plain && matches!(place.attribute.name.as_str(), "userName" | "displayName")
}

impl Directory {
    /// One page of a search. One statement when a user is looked up by userName, id, externalId or e-mail address; else
    /// at most five: which resources have the keys, the page, the total, the mark of the walk, the groups. One more
    /// tells of indirect groups.
    ///
    /// # Errors
    /// [`Error::Scim`] for an attribute that cannot be sorted by, or when the time limit was reached; or the database
    /// failed.
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
        let list = List::of(conn, reader, search).await?;
        let mut page = list.page(conn).await?;
        if search.want.groups {
            let dense = list.is_plain() && list.sort.is_none();
            member::show_groups(conn, reader.tenant, &mut page.items, dense).await?;
        }
        Ok(page)
    }

    /// Forgets walks of all tenants that are too old to be gone on with; gives how many marks that were.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn sweep_walks(&self, conn: &mut Conn, now: DateTime<Utc>) -> Result<usize, Error> {
        Ok(store::sweep(conn, now).await?)
    }

    /// Lets what follows in this transaction take so many milliseconds for each statement; what takes longer ends as
    /// `400 tooMany`.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn limit_time(&self, conn: &mut Conn, milliseconds: u32) -> Result<(), Error> {
        Ok(store::limit_time(conn, milliseconds).await?)
    }
}

/// A search as the store reads it.
pub(super) struct List<'a> {
    pub reader: &'a Reader<'a>,
    pub search: &'a Search<'a>,
    pub sort: Option<Sort>,
    /// The condition on `resource r`, all types together; `None`: nobody can meet it.
    pub among: Option<Sql>,
}

impl<'a> List<'a> {
    async fn of(conn: &mut Conn, reader: &'a Reader<'a>, search: &'a Search<'a>) -> Result<Self, Error> {
        let views: Vec<(View<'_>, Option<&Bound>)> = search
            .among
            .iter()
            .map(|one| (view(reader, one.kind), one.filter.as_ref()))
            .collect();
        let sort = match (&search.sort, views.first()) {
            (Some((place, _)), Some((view, _))) => {
                let detail = "sortBy names an attribute that cannot be sorted by";
                let (key, kind) = view
                    .sort_key(place)
                    .ok_or_else(|| Error::Scim(scim::Error::value(detail)))?;
                Some(Sort {
                    key,
                    kind,
                    indexed: is_indexed(place),
                })
            }
            _ => None,
        };
        let keys = match views.as_slice() {
            [(view, Some(filter))] => view.keys(filter),
            _ => Vec::new(),
        };
        let (known, keys) = if keys.is_empty() {
            (None, Keys::Named)
        } else {
            let known = store::with_keys(conn, reader.tenant, &keys).await?;
            let keys = if known.is_some() {
                Keys::Named
            } else {
                Keys::Asking
            };
            (known, keys)
        };
        let nobody = known.as_ref().is_some_and(Vec::is_empty);
        Ok(Self {
            reader,
            search,
            sort,
            among: (!nobody).then(|| among(reader.tenant, &views, known, keys)),
        })
    }

    async fn page(&self, conn: &mut Conn) -> Result<Page, Error> {
        match &self.search.from {
            From::Index(start) => self.indexed(conn, *start).await,
            From::First => self.first(conn).await,
            From::After(key) => self.after(conn, key).await,
            From::Before(key) => self.before(conn, key).await,
        }
    }

    /// Whether nothing is filtered.
    pub fn is_plain(&self) -> bool {
        self.search.among.iter().all(|one| one.filter.is_none())
    }

    fn is_down(&self) -> bool {
        self.search
            .sort
            .as_ref()
            .is_some_and(|(_, descending)| *descending)
    }

    /// Reads `limit` resources and looks whether there are more; `back`: against the order of the list.
    pub async fn read(
        &self,
        conn: &mut Conn,
        back: bool,
        behind: Option<&Key>,
        skip: u64,
    ) -> Result<(Rows, bool), Error> {
        let limit = self.search.limit;
        let Some(among) = &self.among else {
            return Ok((Vec::new(), false));
        };
        let stretch = Stretch {
            down: self.is_down() != back,
            behind: behind.cloned(),
            skip,
            limit: limit.saturating_add(1),
        };
        let view = (self.reader.tenant, self.reader.client);
        let mut rows = store::stretch(
            conn,
            view,
            (among, self.sort.as_ref(), self.is_plain()),
            &stretch,
            self.search.want,
        )
        .await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        if back {
            rows.reverse();
        }
        Ok((rows, more))
    }

    /// How many there are in all.
    pub async fn total(&self, conn: &mut Conn) -> Result<u64, Error> {
        let Some(among) = &self.among else { return Ok(0) };
        if !self.is_plain() {
            return Ok(store::count(conn, among).await?);
        }
        Ok(store::total(conn, self.reader.tenant, &self.kinds()).await?)
    }

    /// The names of the types.
    pub fn kinds(&self) -> Vec<&str> {
        self.search
            .among
            .iter()
            .map(|one| one.kind.name.as_str())
            .collect()
    }

    async fn first(&self, conn: &mut Conn) -> Result<Page, Error> {
        if self.search.limit == 0 {
            let total = Some(self.total(conn).await?);
            return Ok(Page {
                total,
                ..Page::default()
            });
        }
        let (rows, more) = self.read(conn, false, None, 0).await?;
        let total = if more { self.total(conn).await? } else { 0 };
        let mut page = page(rows);
        page.total = Some(total.max(u64::try_from(page.items.len()).unwrap_or(u64::MAX)));
        page.before = None;
        page.after = page.after.filter(|_| more);
        Ok(page)
    }

    async fn after(&self, conn: &mut Conn, key: &Key) -> Result<Page, Error> {
        let (rows, more) = self.read(conn, false, Some(key), 0).await?;
        let mut page = page(rows);
        page.after = page.after.filter(|_| more);
        Ok(page)
    }

    async fn before(&self, conn: &mut Conn, key: &Key) -> Result<Page, Error> {
        let (rows, more) = self.read(conn, true, Some(key), 0).await?;
        if rows.is_empty() {
            // Everybody before it is gone, so what was behind it is the first page now.
            return self.first(conn).await;
        }
        let mut page = page(rows);
        page.before = page.before.filter(|_| more);
        Ok(page)
    }
}

/// The rows as a page with both ends.
pub(super) fn page(rows: Rows) -> Page {
    let end = |row: Option<&(Found, Option<String>)>| {
        row.map(|(found, sorted)| Key {
            id: found.id,
            sorted: sorted.clone(),
        })
    };
    Page {
        total: None,
        before: end(rows.first()),
        after: end(rows.last()),
        items: rows.into_iter().map(|(found, _)| found).collect(),
    }
}

fn view<'a>(reader: &Reader<'a>, kind: &'a ResourceType) -> View<'a> {
    View {
        tenant: reader.tenant,
        kind,
        client: reader.client,
        base: reader.base,
    }
}

/// The condition on `resource r`, with the resources that have the keys of the filter where these are few.
fn among(
    tenant: TenantId,
    views: &[(View<'_>, Option<&Bound>)],
    known: Option<Vec<Uuid>>,
    keys: Keys,
) -> Sql {
    let standing = match views {
        [_] => Standing::Needed(keys),
        _ => Standing::Alternative,
    };
    let kinds: Vec<Sql> = views
        .iter()
        .map(|(view, filter)| {
            let sql = Sql::new("r.kind = ").text(&view.kind.name);
            match filter {
                None => sql,
                Some(filter) => sql.push(" AND ").sql(&view.condition(filter, standing)),
            }
        })
        .collect();
    let mut sql = Sql::new("r.tenant_id = ").id(tenant.uuid()).push(" AND ");
    if let Some(ids) = known {
        sql = sql.push("r.id = ANY(").ids(ids).push(") AND ");
    }
    match kinds.as_slice() {
        [one] => sql.sql(one),
        all => sql.sql(&Sql::any(all)),
    }
}

/// The page of a list that was read whole.
fn cut(found: Vec<Found>, search: &Search<'_>) -> Page {
    let total = u64::try_from(found.len()).unwrap_or(u64::MAX);
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let skip = match &search.from {
        From::Index(start) => start.saturating_sub(1),
        _ => 0,
    };
    let items = found
        .into_iter()
        .skip(number(skip))
        .take(number(search.limit))
        .collect();
    Page {
        total: Some(total),
        items,
        ..Page::default()
    }
}

/// What a look-up that clients do before every write asks for: the attribute and its value.
fn looked_up<'s>(search: &'s Search<'_>) -> Option<(&'s ResourceType, &'s str, &'s str)> {
    let [
        Among {
            kind,
            filter:
                Some(Bound::Compare {
                    place,
                    op: Op::Eq,
                    operand: Operand::Text(text),
                }),
        },
    ] = search.among.as_slice()
    else {
        return None;
    };
    let name = place.attribute.name.as_str();
    let plain = place.extension.is_none() && place.sub.is_none();
    let served = match (name, &search.from) {
        // Several resources may have one externalId; a walk through them by cursor is a list.
        ("externalId", From::Index(_)) | ("id", From::Index(_) | From::First) => true,
        ("userName", From::Index(_) | From::First) => !place.attribute.case_exact,
        _ => false,
    };
    (plain && served).then_some((*kind, name, text.as_str()))
}

/// A look-up by e-mail address, which clients match people by: the condition, which a key leads to.
fn addressed<'s>(search: &'s Search<'_>) -> Option<(&'s ResourceType, &'s Bound)> {
    match (search.among.as_slice(), &search.from, &search.sort) {
        (
            [
                Among {
                    kind,
                    filter: Some(filter),
                },
            ],
            From::Index(_),
            None,
        ) if names_address(kind, filter) => Some((kind, filter)),
        _ => None,
    }
}

fn names_address(kind: &ResourceType, filter: &Bound) -> bool {
    match filter {
        Bound::Compare {
            place,
            op: Op::Eq,
            operand,
        } => {
            let is_email = place.extension.is_none() && place.attribute.name == "emails";
            is_email && scim::key_of(kind, place, operand).is_some()
        }
        Bound::Each { inner, .. } => match &**inner {
            Bound::And(parts) => parts.iter().any(|part| names_address(kind, part)),
            one => names_address(kind, one),
        },
        _ => false,
    }
}

/// The look-ups that clients do before every write are one prepared statement each.
async fn look_up(
    conn: &mut Conn,
    reader: &Reader<'_>,
    search: &Search<'_>,
) -> Result<Option<Vec<Found>>, Error> {
    if let Some((kind, filter)) = addressed(search) {
        let keys = view(reader, kind).keys(filter);
        let target = (reader.tenant, keys.as_slice(), kind.name.as_str());
        let mut found = store::by_keys(conn, target, reader.client, search.want).await?;
        if found.len() > store::AT_ONCE {
            return Ok(None);
        }
        found.retain(|found| {
            let object = serde_json::from_str(&found.body);
            object.is_ok_and(|object: scim::Object| filter.matches(&object))
        });
        return Ok(Some(found));
    }
    let Some((kind, name, text)) = looked_up(search) else {
        return Ok(None);
    };
    let target = (reader.tenant, text, kind.name.as_str());
    let found = match name {
        "userName" => store::by_user_name(conn, target, reader.client, search.want).await?,
        "externalId" => {
            let asks = reader.client.map(ClientId::uuid);
            let mut found = store::by_external_id(conn, target, asks, reader.client, search.want).await?;
            found.retain(|found| found.external_id() == Some(text));
            found
        }
        _ => match text.parse() {
            // Ids are lower case and have no other spelling.
            Ok(id) if text.chars().all(|c| !c.is_ascii_uppercase()) && text.len() == 36 => {
                let target = (reader.tenant, id, kind.name.as_str());
                let found = crate::directory::store::find(conn, target, reader.client, search.want).await?;
                found.into_iter().collect()
            }
            _ => Vec::new(),
        },
    };
    Ok(Some(found))
}
