//! The visit: capabilities, then the app's users and groups page by page, then the links.

use std::collections::HashMap;
use std::time::Instant;

use serde_json::{Value, json};
use uuid::Uuid;

use super::super::client::{Client, name_of, read};
use super::super::store::{Leased, renew};
use super::familiar::{Familiar, SAMPLE, gone};
use super::{Pages, store};
use crate::base::{Clock, ResourceId};
use crate::db::{Db, Transactional as _};
use crate::delivery::propose::{Waits, Why};
use crate::delivery::{Error, LEASE_TIME, told};
use crate::net::Method;
use crate::provision::{
    Candidate, Deed, Desired, Ending, Fit, MatchBy, Matcher, Mode, Ours, Remote, Rules, Sense, Standing,
    UserView, sense,
};
use crate::scim::Object;

const OWN_PAGE: i64 = 1_000;
const LINK_BATCH: usize = 500;

/// How a visit ended.
#[derive(Debug)]
pub(in crate::delivery) enum Visit {
    /// All accounts are read and matched; what the app can do.
    Done(Value),
    /// The app answered so that the visit has to be made again.
    Stopped(Sense, String),
}

/// What a visit needs.
#[derive(Debug, Clone, Copy)]
struct Call<'a> {
    db: &'a Db,
    clock: &'a Clock,
    leased: &'a Leased,
    client: &'a Client,
}

/// Reads whom an app has, and links what matches. Nothing in the app is changed.
#[tracing::instrument(name = "delivery.app.visit", skip_all, fields(app.id = %leased.app))]
pub(in crate::delivery) async fn visit(
    db: &Db,
    clock: &Clock,
    leased: &Leased,
    client: &Client,
    rules: &Rules,
) -> Result<Visit, Error> {
    let call = Call {
        db,
        clock,
        leased,
        client,
    };
    let began = clock.now();
    let capabilities = match capabilities(client).await {
        Ok(found) => found,
        Err((sense, words)) => return Ok(Visit::Stopped(sense, words)),
    };
    let settings = rules.settings();
    let kinds: &[&str] = if settings.groups.push {
        &["User", "Group"]
    } else {
        &["User"]
    };
    for kind in kinds {
        let mut matcher = Matcher::new(call.ours(kind, rules).await?);
        let (mut pages, mut familiar, mut is_whole) = (Pages::new(kind), Familiar::default(), false);
        loop {
            let page = match pages.next(client).await {
                Ok(Some(page)) => page,
                Ok(None) => {
                    is_whole = true;
                    break;
                }
                Err(None) => return Ok(Visit::Stopped(Sense::Later, String::new())),
                Err(Some(ended)) => match sense(Deed::Change, ended.ending) {
                    // An app without this list: whom it has comes out one by one, when it answers 409.
                    Sense::Gone | Sense::Refused if has_no_such(ended.ending) => break,
                    other => return Ok(Visit::Stopped(other, ended.words)),
                },
            };
            call.keep(kind, page, (&mut matcher, &mut familiar)).await?;
        }
        if *kind == "User" && is_whole {
            match call.strangers(&familiar).await? {
                Ok(None) => {}
                Ok(Some(words)) => return Ok(Visit::Stopped(Sense::Refused, words)),
                Err((sense, words)) => return Ok(Visit::Stopped(sense, words)),
            }
        }
        call.link(kind, matcher).await?;
    }
    let now = clock.now();
    let mut conn = db.conn().await?;
    conn.transaction::<_, Error, _>(async |conn| {
        renew(conn, leased, LEASE_TIME).await?;
        let at = (leased.tenant, leased.app);
        store::set_matched(conn, at, began, now, &capabilities).await?;
        told::unmatched(conn, at, now).await
    })
    .await?;
    Ok(Visit::Done(capabilities))
}

/// Whether the answer says that the app does not offer this, rather than that it does not let us.
const fn has_no_such(ending: Ending) -> bool {
    !matches!(ending, Ending::Impossible | Ending::Answer(403, _))
}

/// One of ours as the app should hold it; where that cannot be said, as it is.
fn as_sent(rules: &Rules, kind: &str, id: ResourceId, body: Object) -> Object {
    let desired = if kind == "Group" {
        rules.group(id, &body)
    } else {
        rules.user(UserView {
            id,
            object: &body,
            manager: None,
            manager_remote: None,
            reports: rules.reads_reports().then_some(0),
            standing: Standing::default(),
        })
    };
    match desired {
        Desired::Wanted(object) => object,
        Desired::OutOfScope | Desired::Unclear(_) => {
            let mut object = body;
            object.insert("externalId".to_owned(), json!(id.to_string()));
            object
        }
    }
}

/// What the app says of itself (RFC 7643 §5), where its dialect lets us believe it.
async fn capabilities(client: &Client) -> Result<Value, (Sense, String)> {
    let assumed = json!({ "patch": client.dialect().patch, "filter": client.dialect().filter });
    if !client.dialect().discovery {
        return Ok(assumed);
    }
    let Some(ended) = client
        .call(Method::GET, &["ServiceProviderConfig"], &[], None)
        .await
    else {
        return Err((Sense::Later, String::new()));
    };
    match sense(Deed::Change, ended.ending) {
        Sense::Done => {
            let said = ended.json();
            let supported = |feature: &str| {
                said.as_ref()
                    .and_then(|said| said.get(feature)?.get("supported")?.as_bool())
            };
            Ok(json!({
                "patch": client.dialect().patch && supported("patch").unwrap_or(true),
                "filter": client.dialect().filter && supported("filter").unwrap_or(true),
            }))
        }
        Sense::Gone | Sense::Refused if has_no_such(ended.ending) => Ok(assumed),
        other => Err((other, ended.words)),
    }
}

impl Call<'_> {
    /// Why the accounts of the app are not those that are linked; or why that cannot be said now.
    async fn strangers(self, familiar: &Familiar) -> Result<Result<Option<String>, (Sense, String)>, Error> {
        if !familiar.is_strange() {
            return Ok(Ok(familiar.others()));
        }
        let mut conn = self.db.conn().await?;
        let at = (self.leased.tenant, self.leased.app);
        let sample = store::some_linked(&mut conn, at, SAMPLE).await?;
        drop(conn);
        Ok(gone(self.client, &sample).await)
    }

    async fn ours(self, kind: &str, rules: &Rules) -> Result<Ours, Error> {
        let matching = &rules.settings().matching;
        let (by, unique) = if kind == "Group" {
            (["externalId", "userName"].map(MatchBy::new).to_vec(), Vec::new())
        } else {
            (matching.by.clone(), matching.unique())
        };
        let mut ours = Ours::new(&by, &unique, name_of(kind));
        let mut after = Uuid::nil();
        let mut conn = self.db.conn().await?;
        loop {
            let page = store::own_page(&mut conn, self.leased.tenant, kind, after, OWN_PAGE).await?;
            let Some((last, ..)) = page.last() else {
                return Ok(ours);
            };
            after = last.uuid();
            for (id, body) in page {
                if let Value::Object(body) = body {
                    ours.add(id, &as_sent(rules, kind, id, body));
                }
            }
        }
    }

    /// Keeps a page of the app's accounts, as belonging to nobody of ours until the end of the visit.
    async fn keep(
        self,
        kind: &str,
        page: Vec<Object>,
        (matcher, familiar): (&mut Matcher, &mut Familiar),
    ) -> Result<(), Error> {
        let mut rows = Vec::with_capacity(page.len());
        let mut marks: HashMap<String, Option<String>> = HashMap::with_capacity(page.len());
        for resource in page {
            let Some(remote) = Remote::of(&resource) else {
                continue;
            };
            matcher.see(&remote, &resource);
            marks.insert(remote.id.clone(), remote.external_id.clone());
            if let Some(known) = read(Value::Object(resource)) {
                rows.push((remote.id, Value::Object(known)));
            }
        }
        let (leased, now) = (self.leased, self.clock.now());
        let until = Instant::now() + LEASE_TIME;
        let mut conn = self.db.conn().await?;
        conn.transaction::<_, Error, _>(async |conn| {
            renew(conn, leased, LEASE_TIME).await?;
            let at = (leased.tenant, leased.app);
            store::put_unmatched(conn, at, kind, &rows, now).await?;
            let remotes: Vec<&str> = marks.keys().map(String::as_str).collect();
            familiar.compare(&marks, &store::known_as(conn, at, kind, &remotes).await?);
            Ok(())
        })
        .await?;
        self.client.lengthen(until);
        Ok(())
    }

    async fn link(self, kind: &str, matcher: Matcher) -> Result<(), Error> {
        let at = (self.leased.tenant, self.leased.app);
        let mut links: Vec<(ResourceId, String, bool)> = Vec::new();
        let mut doubtful: Vec<(ResourceId, String, Vec<Candidate>)> = Vec::new();
        for (id, fit) in matcher.finish() {
            match fit {
                Fit::Linked { remote_id, by_our_id } => links.push((id, remote_id, by_our_id)),
                Fit::Held { reason, candidates } => doubtful.push((id, reason, candidates)),
            }
        }
        let (leased, now) = (self.leased, self.clock.now());
        let mut conn = self.db.conn().await?;
        conn.transaction::<_, Error, _>(async |conn| {
            renew(conn, leased, LEASE_TIME).await?;
            if kind == "User" {
                store::clear_doubt(conn, at).await?;
            }
            store::doubt(conn, at, kind, &doubtful, now).await
        })
        .await?;
        // What an app that pushes would do to them is judged before it is done.
        let waits = (leased.mode == Mode::Live).then_some(Waits {
            why: Why::Unjudged,
            plan: None,
            by: None,
            cause: None,
        });
        for batch in links.chunks(LINK_BATCH) {
            let until = Instant::now() + LEASE_TIME;
            conn.transaction::<_, Error, _>(async |conn| {
                renew(conn, leased, LEASE_TIME).await?;
                store::link(conn, at, kind, batch, waits.as_ref(), now).await
            })
            .await?;
            self.client.lengthen(until);
        }
        Ok(())
    }
}
