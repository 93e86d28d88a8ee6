//! Filters reach an index: how many rows the database reads for them, by its own count.

use std::sync::Arc;

use chrono::TimeDelta;
use diesel::sql_types::BigInt;
use scim_bridge::base::{ClientId, ResourceId, TenantId, TokenId};
use scim_bridge::db::{Conn, Db, Statement as _, Transactional as _};
use scim_bridge::directory::{Among, Cause, Directory, Error, From, Page, Put, Reader, Search, Want};
use scim_bridge::scim::filter;
use scim_bridge::scim::{
    Attribute, ENTERPRISE, GROUP, Place, Registry, ResourceType, Type, USER, define, sort_place,
};
use scim_bridge::statement;
use serde_json::{Value, json};

use crate::kit::{TestDatabase, client};

const BASE: &str = "https://scim.acme.test/scim/v2";
const PEOPLE: usize = 3_000;
/// So many rows may be read for one that is found: itself, its keys, its externalIds, its groups.
const FEW: i64 = 30;

statement!(
    /// Rows read on this connection; what matters is the difference.
    RowsRead: () -> (BigInt,) =
    "SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint FROM pg_stat_xact_user_tables"
);

struct World {
    directory: Directory,
    database: TestDatabase,
    db: Db,
    tenant: TenantId,
    client: ClientId,
    people: Vec<String>,
    groups: Vec<String>,
}

fn now() -> chrono::DateTime<chrono::Utc> {
    "2026-12-01T08:00:00Z".parse().unwrap()
}

fn put(kind: &str, object: &Value) -> Put {
    Put {
        id: None,
        kind: kind.to_owned(),
        object: object.as_object().cloned().unwrap(),
        external_id: None,
        person: None,
        expected: None,
        disabled_by: Vec::new(),
    }
}

async fn world() -> World {
    let database = TestDatabase::create().await;
    let db = Db::connect(&database.url, 2).unwrap();
    let (tenant, directory) = (TenantId::new(), Directory::default());
    let rows = client(&database.url).await;
    let sql = "INSERT INTO tenant (id, name, created_at) VALUES ($1::text::uuid, $1, now())";
    rows.execute(sql, &[&tenant.to_string()]).await.unwrap();
    let mut world = World {
        directory,
        database,
        db,
        tenant,
        client: ClientId::new(),
        people: Vec::new(),
        groups: Vec::new(),
    };
    let cause = Cause::client(world.client, TokenId::new(), now());
    let mut conn = world.db.conn().await.unwrap();
    for from in (0..PEOPLE).step_by(500) {
        let puts = (from..from + 500).map(|number| {
            let mut one = put("User", &json!({
                "schemas": [USER, ENTERPRISE], "userName": format!("U{number}@Acme.test"), "active": true,
                "displayName": format!("Name {number}"), "title": format!("Title {}", number % 2),
                "name": { "familyName": format!("Family {number}") }, "locale": "de-DE",
                "emails": [{ "type": "work", "value": format!("w{number}@acme.test"), "primary": true },
                           { "type": "home", "value": format!("h{number}@home.test") }],
                "x509Certificates": [{ "value": format!("AAA{number:05}") }],
                ENTERPRISE: { "employeeNumber": number.to_string(),
                              "manager": { "value": world.people.get(number / 4).map_or("none", String::as_str) } },
            }));
            one.external_id = Some((world.client, format!("E{number}")));
            one
        });
        let puts: Vec<Put> = puts.collect();
        let written = conn
            .transaction(async |conn| world.directory.put_many(conn, tenant, puts, &cause).await)
            .await
            .unwrap();
        world
            .people
            .extend(written.into_iter().map(|one| one.unwrap().id.to_string()));
    }
    let puts: Vec<Put> = (0..500)
        .map(|number| {
            put(
                "Group",
                &json!({ "schemas": [GROUP], "displayName": format!("Group {number}") }),
            )
        })
        .collect();
    let written = conn
        .transaction(async |conn| world.directory.put_many(conn, tenant, puts, &cause).await)
        .await
        .unwrap();
    world
        .groups
        .extend(written.into_iter().map(|one| one.unwrap().id.to_string()));
    drop(conn);
    let member = "INSERT INTO membership (tenant_id, group_id, member_id, member_kind, origin, since)
         SELECT $1::text::uuid, g.id::uuid, p.id::uuid, 'User', 'hr', now()
           FROM unnest($2::text[]) WITH ORDINALITY AS g(id, n) JOIN unnest($3::text[]) WITH ORDINALITY AS p(id, n)
             ON p.n / 6 = g.n";
    rows.execute(member, &[&tenant.to_string(), &world.groups, &world.people])
        .await
        .unwrap();
    rows.batch_execute("ANALYZE").await.unwrap();
    world
}

impl World {
    /// How many rows are read for a page of 20 in an order.
    async fn cost_of_order(&self, by: &str, descending: bool) -> i64 {
        use diesel_async::RunQueryDsl as _;
        let kind = Registry::builtin().kind("User").unwrap().clone();
        let search = Search {
            among: vec![Among {
                kind: &kind,
                filter: None,
            }],
            text: by.to_owned(),
            sort: Some((sort_place(&kind, by).unwrap(), descending)),
            from: From::First,
            limit: 20,
            want: Want::default(),
        };
        let mut conn = self.db.conn().await.unwrap();
        let conn = &mut *conn;
        let read = |(read,): (i64,)| read;
        let before = RowsRead::with(()).get_result(conn).await.map(read).unwrap();
        let page = self
            .directory
            .search(conn, &self.reader(), &search)
            .await
            .unwrap();
        assert_eq!(page.items.len(), 20);
        RowsRead::with(()).get_result(conn).await.map(read).unwrap() - before
    }

    fn reader(&self) -> Reader<'static> {
        Reader {
            tenant: self.tenant,
            client: Some(self.client),
            token: TokenId::new(),
            base: BASE,
            now: now(),
        }
    }

    async fn search(
        &self,
        conn: &mut Conn,
        (registry, kind): (&Registry, &str),
        text: &str,
        limit: u64,
    ) -> Result<Page, Error> {
        let kind = registry.kind(kind).unwrap();
        let bound = filter::bind(&filter::parse(text).unwrap(), kind).unwrap();
        let reader = Reader {
            tenant: self.tenant,
            client: Some(self.client),
            token: TokenId::new(),
            base: BASE,
            now: now(),
        };
        let search = Search {
            among: vec![Among {
                kind,
                filter: Some(bound),
            }],
            text: text.to_owned(),
            sort: None,
            from: From::Index(1),
            limit,
            want: Want::default(),
        };
        self.directory.search(conn, &reader, &search).await
    }

    /// How many are found, and how many rows are read for them.
    async fn cost(&self, registry: &Registry, kind: &str, text: &str) -> (usize, i64) {
        use diesel_async::RunQueryDsl as _;
        let mut conn = self.db.conn().await.unwrap();
        let cost: Result<_, Error> = conn
            .transaction(async |conn| {
                let (before,) = RowsRead::with(()).get_result::<(i64,)>(conn).await?;
                let page = self.search(conn, (registry, kind), text, 20).await?;
                let (after,) = RowsRead::with(()).get_result::<(i64,)>(conn).await?;
                Ok((page.items.len(), after - before))
            })
            .await;
        cost.unwrap_or_else(|error| panic!("{text}: {}", scim_bridge::base::Chain(&error)))
    }
}

/// Covers: rfc 6.12, 6.16, 6.17, 6.23; C14, C32, C33; item 3
#[tokio::test]
async fn every_equality_and_the_prefixes_of_names_are_served_by_an_index() {
    let world = world().await;
    let (one, boss, group) = (&world.people[2_000], &world.people[10], &world.groups[200]);
    let urn = ENTERPRISE;
    let users = [
        ("userName eq \"u2000@ACME.test\"".to_owned(), 1),
        ("userName eq \"u2000@ACME.test\" and active eq true".to_owned(), 1),
        ("userName sw \"u2000@\"".to_owned(), 1),
        ("displayName eq \"name 2000\"".to_owned(), 1),
        ("displayName sw \"NAME 200\" and active eq true".to_owned(), 11),
        ("id eq \"ID\"".replace("ID", one), 1),
        ("id eq \"ID\" and title eq \"Title 0\"".replace("ID", one), 1),
        ("id eq \"nobody\"".to_owned(), 0),
        ("externalId eq \"E2000\"".to_owned(), 1),
        ("externalId eq \"E2000\" and title pr".to_owned(), 1),
        (format!("meta.location eq \"{BASE}/Users/{one}\""), 1),
        ("name.familyName eq \"FAMILY 2000\"".to_owned(), 1),
        (
            "title eq \"title 0\" and name.familyName eq \"family 2000\"".to_owned(),
            1,
        ),
        (
            "active eq true and (locale eq \"de-de\" and name.familyName eq \"family 2000\")".to_owned(),
            1,
        ),
        ("emails eq \"W2000@acme.test\"".to_owned(), 1),
        ("emails.value eq \"h2000@home.test\"".to_owned(), 1),
        (
            "emails[type eq \"work\" and value eq \"w2000@acme.test\"]".to_owned(),
            1,
        ),
        (
            "emails[type eq \"work\"].value eq \"w2000@acme.test\"".to_owned(),
            1,
        ),
        (
            "emails[type eq \"home\" and value eq \"w2000@acme.test\"]".to_owned(),
            0,
        ),
        ("emails.value eq \"nobody@acme.test\"".to_owned(), 0),
        ("emails.value sw \"W2000@acme\"".to_owned(), 1),
        ("emails sw \"w2000@ac\"".to_owned(), 1),
        ("emails.value sw \"w19\"".to_owned(), 20),
        (
            "emails[type eq \"work\" and value sw \"w2000@acme.test\"]".to_owned(),
            1,
        ),
        ("emails[type eq \"work\"].value sw \"h2000@ho\"".to_owned(), 0),
        (
            "emails.value sw \"w2000@ac\" or userName sw \"u1@\"".to_owned(),
            2,
        ),
        ("x509Certificates.value eq \"AAA02000\"".to_owned(), 1),
        (format!("{urn}:employeeNumber eq \"2000\""), 1),
        (format!("manager.value eq \"{boss}\" and active eq true"), 0),
        (format!("manager eq \"{}\"", world.people[400]), 4),
        (
            format!("manager.$ref eq \"{BASE}/Users/{}\"", world.people[400]),
            4,
        ),
        (format!("groups.value eq \"{group}\""), 6),
        (format!("groups eq \"{group}\" and active eq true"), 6),
        (format!("groups[value eq \"{group}\" and type eq \"direct\"]"), 6),
        (format!("groups.$ref eq \"{BASE}/Groups/{group}\""), 6),
        (
            "userName eq \"u1@acme.test\" or userName eq \"u2@acme.test\"".to_owned(),
            2,
        ),
        (
            "userName eq \"u1@acme.test\" or emails.value eq \"w2@acme.test\"".to_owned(),
            2,
        ),
        (
            "emails.value eq \"w1@acme.test\" or externalId eq \"E2\" or id eq \"ID\"".replace("ID", one),
            3,
        ),
        (
            format!("groups.value eq \"{group}\" or name.familyName eq \"family 3\""),
            7,
        ),
    ];
    let groups = [
        ("displayName eq \"group 200\"".to_owned(), 1),
        ("displayName sw \"group 20\"".to_owned(), 11),
        (format!("members.value eq \"{one}\""), 1),
        (format!("members eq \"{one}\" and displayName pr"), 1),
        (format!("members[value eq \"{one}\" and type eq \"User\"]"), 1),
        (format!("members.$ref eq \"{BASE}/Users/{one}\""), 1),
        (format!("id eq \"{group}\" and members eq \"{one}\""), 0),
        (format!("members eq \"{one}\" or displayName eq \"group 1\""), 2),
    ];
    let all = users
        .map(|case| ("User", case))
        .into_iter()
        .chain(groups.map(|case| ("Group", case)));
    let mut wrong = Vec::new();
    for (kind, (text, expected)) in all {
        let (found, read) = world.cost(&Registry::builtin(), kind, &text).await;
        let most = FEW * i64::try_from(expected.max(1)).unwrap();
        if found != expected || read > most {
            wrong.push(format!("{text}: {found} found for {expected}, {read} rows read"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (by, descending) in [
        ("userName", false),
        ("userName", true),
        ("displayName", false),
        ("displayName", true),
    ] {
        // With a change that is not numbered for each of the first, that is the total.
        let read = world.cost_of_order(by, descending).await;
        assert!(read < 150 + 3_500, "{by} {descending}: {read}");
    }
    // The measure can fail: this one has to look at everybody.
    assert!(
        world
            .cost(&Registry::builtin(), "User", "title co \"no such\"")
            .await
            .1
            > 2_500
    );
}

/// A value of an attribute that nobody else has.
fn only(attribute: &Attribute, path: &str) -> Value {
    match attribute.kind {
        Type::Boolean => json!(true),
        Type::Integer => json!(987_654),
        Type::Decimal => json!(9876.5),
        Type::DateTime => json!("2031-02-03T04:05:06.789Z"),
        Type::Binary => json!("T25seQ=="),
        Type::String | Type::Reference => json!(format!("urn:only:{path}")),
        Type::Complex => {
            let subs = attribute.sub_attributes.iter();
            let subs = subs.map(|sub| (sub.name.clone(), only(sub, &format!("{path}.{}", sub.name))));
            Value::Object(subs.collect())
        }
    }
}

/// A resource that has a value of its own for every attribute that is kept.
fn everything(kind: &ResourceType) -> Value {
    let mut object = json!({});
    for place in kind
        .attributes()
        .iter()
        .filter(|place| !COMPUTED.contains(&place.attribute.name.as_str()))
    {
        let value = only(&place.attribute, &place.attribute.name);
        let value = if place.attribute.multi_valued {
            json!([value])
        } else {
            value
        };
        match &place.extension {
            Some(schema) => object[&schema.id][&place.attribute.name] = value,
            None => object[&place.attribute.name] = value,
        }
    }
    let urns = kind
        .extensions
        .iter()
        .map(|extension| extension.schema.id.clone());
    object["schemas"] = std::iter::once(kind.schema.id.clone()).chain(urns).collect();
    object
}

const COMPUTED: [&str; 5] = ["groups", "members", "manager", "password", "active"];
/// What the list of exceptions names.
const EXCEPTIONS: [&str; 4] = ["type", "primary", "formatted", "password"];

/// A tenant's own type with an attribute of every type.
fn own_type() -> (Value, Value) {
    let urn = "urn:example:params:scim:schemas:Desk";
    let one = |name: &str, kind: &str, many: bool| {
        let mut one = json!({ "name": name, "type": kind, "multiValued": many });
        if kind == "reference" {
            one["referenceTypes"] = json!(["external"]);
        }
        one
    };
    let parts = json!([
        one("floor", "integer", false),
        one("name", "string", false),
        one("since", "dateTime", false)
    ]);
    let mut attributes = vec![
        json!({ "name": "places", "type": "complex", "multiValued": true, "subAttributes": parts }),
        json!({ "name": "owner", "type": "complex", "subAttributes": parts }),
        json!({ "name": "code", "type": "string", "caseExact": true }),
    ];
    for kind in [
        "string",
        "integer",
        "decimal",
        "dateTime",
        "binary",
        "reference",
        "boolean",
    ] {
        attributes.push(one(&format!("{kind}One"), kind, false));
        attributes.push(one(&format!("{kind}Many"), kind, true));
    }
    let schema = json!({ "id": urn, "name": "Desk", "attributes": attributes });
    (
        schema,
        json!({ "name": "Desk", "endpoint": "/Desks", "schema": urn }),
    )
}

/// The places of a type that hold plain values.
fn leaves(kind: &ResourceType) -> Vec<Place> {
    let common = kind.common.iter().map(|attribute| Place {
        extension: None,
        attribute: attribute.clone(),
        sub: None,
    });
    let places = common.chain(kind.attributes().iter().cloned());
    places
        .flat_map(|place| {
            let subs = place.attribute.sub_attributes.iter().map(|sub| Place {
                sub: Some(sub.clone()),
                ..place.clone()
            });
            let subs: Vec<Place> = subs.collect();
            if subs.is_empty() {
                vec![place.clone()]
            } else {
                subs
            }
        })
        .filter(|place| {
            place.leaf().kind != Type::Boolean && !EXCEPTIONS.contains(&place.leaf().name.as_str())
        })
        .collect()
}

/// Every attribute of every type, from the registry: who alone has a value is found by reading a few rows.
///
/// Covers: rfc 6.12, 6.16, 6.17; item 2, item 3
#[tokio::test]
async fn every_attribute_there_is_leads_to_who_has_a_value() {
    let world = world().await;
    let mut conn = world.db.conn().await.unwrap();
    let conn = &mut *conn;
    let (schema, desk) = own_type();
    let document = define::read(&json!([schema, desk])).unwrap();
    world
        .directory
        .define(conn, world.tenant, document, ("test", now()))
        .await
        .unwrap();
    let registry = world.directory.registry(conn, world.tenant).await.unwrap();
    let cause = |seconds| Cause::client(world.client, TokenId::new(), now() + TimeDelta::seconds(seconds));
    let kinds: Vec<Arc<ResourceType>> = registry.kinds().cloned().collect();
    let mut ids: Vec<Option<ResourceId>> = vec![None; kinds.len()];
    // Several times, so that their versions are their own too.
    for time in 1..6 {
        let puts = kinds.iter().zip(&ids).map(|(kind, id)| {
            let mut one = put(&kind.name, &everything(kind));
            one.id = *id;
            one.external_id = Some((world.client, format!("only {time}")));
            if kind.name == "User" {
                one.object[ENTERPRISE]["manager"] = json!({ "value": world.people[7] });
            }
            one
        });
        let puts: Vec<Put> = puts.collect();
        let put = world
            .directory
            .put_many(conn, world.tenant, puts, &cause(time))
            .await
            .unwrap();
        ids = put.into_iter().map(|one| Some(one.unwrap().id)).collect();
    }
    let id = |name: &str| ids[kinds.iter().position(|kind| kind.name == name).unwrap()].unwrap();
    // The user is in a group, which is in another.
    let (user, group) = (id("User"), id("Group"));
    let roof = put(
        "Group",
        &json!({ "schemas": [GROUP], "displayName": "Only roof" }),
    );
    let roof = world
        .directory
        .put(conn, world.tenant, roof, &cause(6))
        .await
        .unwrap()
        .id;
    for (to, member, seconds) in [(group, user, 7), (roof, group, 8)] {
        let cause = cause(seconds);
        let (target, origin) = ((world.tenant, to), cause.party());
        world
            .directory
            .change_members(conn, target, &[member], &[], &origin, &cause)
            .await
            .unwrap();
    }
    // What a client calls a member.
    let called = "UPDATE membership SET display = 'Nick' WHERE group_id = $1::text::uuid AND member_id = $2::text::uuid";
    let rows = client(&world.database.url).await;
    let ids = [&world.groups[3], &world.people[24]];
    assert_eq!(rows.execute(called, &[&ids[0], &ids[1]]).await.unwrap(), 1);
    rows.batch_execute("ANALYZE").await.unwrap();

    let (mut asked, mut wrong) = (0, Vec::new());
    for kind in &kinds {
        let id = id(&kind.name);
        let want = Want {
            groups: true,
            members: true,
        };
        let target = (world.tenant, id, kind.name.as_str());
        let found = world
            .directory
            .get(conn, target, Some(world.client), want)
            .await
            .unwrap()
            .unwrap();
        let stored: Value = serde_json::from_str(&found.body).unwrap();
        for place in leaves(kind) {
            let text = if kind.name == "Group" && place.attribute.name == "members" {
                json!({ "value": user, "$ref": format!("{BASE}/Users/{user}"), "display": "urn:only:displayName" })
                    [&place.leaf().name].clone()
            } else {
                match (place.path().as_str(), &place.sub) {
                    ("id", _) => json!(found.id),
                    ("externalId", _) => json!("only 5"),
                    // What every resource of the type has tells nobody from anybody.
                    ("schemas", _) => json!(kind.extensions.last().map_or("urn:none", |one| &one.schema.id)),
                    ("meta.resourceType", _) => continue,
                    ("meta.created", _) => json!(found.created.to_rfc3339()),
                    ("meta.lastModified", _) => json!(found.last_modified.to_rfc3339()),
                    ("meta.version", _) => json!(format!("W/\"{}\"", found.version)),
                    ("meta.location", _) => json!(format!("{BASE}{}/{id}", kind.endpoint)),
                    (_, Some(sub)) if place.attribute.name == "groups" => {
                        json!({ "value": roof, "$ref": format!("{BASE}/Groups/{roof}"), "display": "ONLY ROOF" })[&sub.name]
                            .clone()
                    }
                    (_, Some(sub)) if place.attribute.name == "manager" => {
                        let boss = &world.people[7];
                        json!({ "value": boss, "$ref": format!("{BASE}/Users/{boss}"), "displayName": "name 7" })[&sub.name]
                            .clone()
                    }
                    _ => {
                        let object = stored.as_object().unwrap();
                        place.values(object).next().unwrap_or_else(|| panic!("{}", place.path())).clone()
                    }
                }
            };
            let filter = format!("{} eq {text}", place.path());
            let expected = match place.path().as_str() {
                "schemas" if kind.extensions.is_empty() => 0,
                // The group that is a member of another has the same name as the user.
                "members.display" => 2,
                _ => 1,
            };
            let (found, read) = world.cost(&registry, &kind.name, &filter).await;
            if found != expected || read > FEW * 5 {
                wrong.push(format!(
                    "{}: {filter}: {found} found for {expected}, {read} rows read",
                    kind.name
                ));
            }
            asked += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked > 70, "only {asked} attributes");
    for (filter, expected) in [
        ("emails.value sw \"u\"", 1),
        ("emails.value sw \"ur\"", 1),
        ("emails[value sw \"UR\"]", 1),
        ("emails.value sw \"x\"", 0),
        ("meta.resourceType eq \"Group\"", 0),
        ("meta.version eq \"5\"", 0),
        ("groups.display eq \"only roof\" and active eq true", 1),
        ("groups[display eq \"only roof\" and type eq \"direct\"]", 0),
        ("groups[display eq \"only roof\" and type eq \"indirect\"]", 1),
        (
            "manager.displayName eq \"name 7\" or userName eq \"u1@acme.test\"",
            2,
        ),
        ("members.display eq \"NICK\"", 1),
    ] {
        let kind = if filter.starts_with("members") {
            "Group"
        } else {
            "User"
        };
        let (found, read) = world.cost(&registry, kind, filter).await;
        assert!(
            found == expected && read <= FEW * 6,
            "{filter}: {found} found, {read} rows read"
        );
    }
}

/// Covers: item 3
#[tokio::test]
async fn the_migration_gives_stored_addresses_the_keys_that_the_program_gives_new_ones() {
    let world = world().await;
    let rows = client(&world.database.url).await;
    let prefixes = include_str!("../../migrations/2026-11-22-020100_key_the_beginnings_of_emails/up.sql");
    let all = include_str!("../../migrations/2026-11-22-100000_find_by_every_value/up.sql");
    let (_, all) = all.split_at(all.find("UPDATE resource_key").unwrap());
    // They ran while bodies were jsonb.
    let as_jsonb = include_str!("../../migrations/2026-11-22-140000_keep_bodies_as_text/down.sql");
    let as_text = include_str!("../../migrations/2026-11-22-140000_keep_bodies_as_text/up.sql");
    let run = async |up: &str| {
        rows.batch_execute(&[as_jsonb, up, as_text].concat())
            .await
            .unwrap()
    };
    let keys = "SELECT md5(string_agg(id::text || keys::text, ' ' ORDER BY id)) FROM resource_key";
    let before: String = rows.query_one(keys, &[]).await.unwrap().get(0);
    for up in [prefixes, all] {
        run(up).await;
        let after: String = rows.query_one(keys, &[]).await.unwrap().get(0);
        assert_eq!(after, before, "nothing is new");
    }
    // As they were before: without the keys of this one's addresses ("w20", "w2000@ac", "h20", "h2000@ho").
    let id = &world.people[2_000];
    let stripped = "UPDATE resource_key SET keys = '{}' WHERE id = $1::text::uuid RETURNING id";
    rows.query_one(stripped, &[id]).await.unwrap();
    let builtin = Registry::builtin();
    let filters = [
        "emails.value sw \"w2000@acme\"".to_owned(),
        format!("emails.value sw \"w\" and id eq \"{id}\""),
        format!("emails.value sw \"w2\" and schemas eq \"{ENTERPRISE}\" and emails.value sw \"w2000@a\""),
    ];
    assert_eq!(world.cost(&builtin, "User", &filters[0]).await.0, 0);
    run(prefixes).await;
    assert_eq!(world.cost(&builtin, "User", &filters[0]).await.0, 1);
    assert_eq!(world.cost(&builtin, "User", &filters[2]).await.0, 0);
    run(all).await;
    for filter in &filters {
        assert_eq!(world.cost(&builtin, "User", filter).await.0, 1, "{filter}");
    }
}

/// Covers: rfc 6.4; item 10
#[tokio::test]
async fn a_query_that_takes_too_long_is_too_many() {
    let world = world().await;
    // Nothing is too long for a small table but waiting for it.
    let rows = client(&world.database.url).await;
    rows.batch_execute("BEGIN; LOCK TABLE resource IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let mut conn = world.db.conn().await.unwrap();
    let page: Result<Page, Error> = conn
        .transaction(async |conn| {
            world.directory.limit_time(conn, 50).await?;
            world
                .search(conn, (&Registry::builtin(), "User"), "title co \"x\"", 20)
                .await
        })
        .await;
    let Err(Error::Scim(error)) = page else {
        panic!("{page:?}")
    };
    assert_eq!(
        (error.status, error.scim_type.unwrap().as_str()),
        (400, "tooMany")
    );
    rows.batch_execute("ROLLBACK").await.unwrap();
    // The limit ended with the transaction.
    assert_eq!(
        world
            .search(
                &mut conn,
                (&Registry::builtin(), "User"),
                "title eq \"title 1\"",
                20
            )
            .await
            .unwrap()
            .total,
        Some(1_500)
    );
}
