//! What the database finds is what the filter means: random filters on random resources, SQL against memory.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use scim_bridge::base::{ClientId, ResourceId, TenantId, TokenId};
use scim_bridge::db::{Conn, Db};
use scim_bridge::directory::{Among, Cause, Directory, Found, From, Reader, Search, Want};
use scim_bridge::scim::filter::{self, Bound};
use scim_bridge::scim::{self, ENTERPRISE, Object, Registry, ResourceType};
use serde_json::{Value, json};

use crate::kit::{TestDatabase, client};

const BASE: &str = "https://scim.acme.test/scim/v2";
/// Texts that differ in case only, that look like wildcards, and that fold to something longer or shorter.
const TEXTS: &[&str] = &[
    "ann",
    "ANN",
    "Ann",
    "a",
    "",
    "x%",
    "x_y",
    "100%",
    "\\",
    "Straße",
    "STRASSE",
    "strasse",
    "ΟΔΥΣΣΕΥΣ",
    "οδυσσευς",
    "ﬁx",
    "fix",
    "ı",
    "i",
    "I",
    "İ",
    "Ärger",
    "ärger",
    "é",
    "e\u{301}",
    "\u{10ffff}",
    "日本",
    "work",
    "home",
    "true",
    "'; DROP TABLE resource; --",
    "\"quoted\"",
    "ann@acme.test",
    "ANN@ACME.test",
    "zz",
];

fn text() -> impl Strategy<Value = String> + Clone {
    select(TEXTS).prop_map(str::to_owned)
}

fn element() -> impl Strategy<Value = Value> {
    (
        text(),
        select(vec!["work", "home", "Other"]),
        proptest::option::of(text()),
        any::<bool>(),
    )
        .prop_map(|(value, kind, display, typed)| {
            let mut element = json!({ "value": value });
            if typed {
                element["type"] = json!(kind);
            }
            if let Some(display) = display {
                element["display"] = json!(display);
            }
            element
        })
}

fn user() -> impl Strategy<Value = Value> {
    let optional = || proptest::option::of(text());
    (
        (optional(), optional(), optional(), optional()),
        (optional(), optional(), optional()),
        proptest::collection::vec(element(), 0..4),
        proptest::collection::vec(element(), 0..3),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |((display, title, nick, locale), (given, number, department), emails, phones, active, first)| {
                let mut user = json!({ "schemas": [scim::USER, ENTERPRISE], "active": active });
                for (name, value) in [
                    ("displayName", display),
                    ("title", title),
                    ("nickName", nick),
                    ("locale", locale),
                ] {
                    if let Some(value) = value {
                        user[name] = json!(value);
                    }
                }
                if let Some(given) = given {
                    user["name"] = json!({ "givenName": given, "familyName": "Brook" });
                }
                let mut facts = json!({});
                for (name, value) in [("employeeNumber", number), ("department", department)] {
                    if let Some(value) = value {
                        facts[name] = json!(value);
                    }
                }
                if facts != json!({}) {
                    user[ENTERPRISE] = facts;
                }
                for (name, mut list) in [("emails", emails), ("phoneNumbers", phones)] {
                    if !list.is_empty() {
                        if first {
                            list[0]["primary"] = json!(true);
                        }
                        user[name] = Value::Array(list);
                    }
                }
                user
            },
        )
}

const NAMES: &[&str] = &[
    "userName",
    "displayName",
    "title",
    "nickName",
    "locale",
    "name.givenName",
    "name.familyName",
    "name",
    "emails",
    "emails.value",
    "emails.type",
    "emails.display",
    "emails.primary",
    "phoneNumbers",
    "phoneNumbers.value",
    "active",
    "id",
    "externalId",
    "schemas",
    "meta.resourceType",
    "meta.created",
    "meta.lastModified",
    "meta.version",
    "meta.location",
    "meta",
    "groups",
    "groups.value",
    "groups.display",
    "groups.type",
    "groups.$ref",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
    "manager",
    "manager.value",
    "manager.$ref",
    "manager.displayName",
    "members",
    "members.value",
    "members.type",
];
const PARTS: &[&str] = &["value", "type", "display", "primary"];
const OPERATORS: &[&str] = &["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"];

/// A filter that may or may not fit the type; what does not fit is thrown away by `bind`.
fn filter(values: Vec<String>) -> impl Strategy<Value = String> {
    let value = prop_oneof![
        4 => text().prop_map(|text| Value::from(text).to_string()),
        3 => select(values).prop_map(|text| Value::from(text).to_string()),
        1 => select(vec!["true", "false", "null", "\"2026-12-01T09:00:00+01:00\"", "\"2026-12-01T08:00:01Z\""])
            .prop_map(str::to_owned),
    ];
    let compare = |names: &'static [&'static str], value: BoxedStrategy<String>| {
        prop_oneof![
            5 => (select(names), select(OPERATORS), value).prop_map(|(name, op, value)| format!("{name} {op} {value}")),
            1 => select(names).prop_map(|name| format!("{name} pr")),
        ]
    };
    let value = value.boxed();
    let inner = compare(PARTS, value.clone());
    let inner = prop_oneof![
        inner.clone(),
        (inner.clone(), select(vec!["and", "or"]), inner.clone())
            .prop_map(|(a, with, b)| format!("{a} {with} {b}")),
        inner.prop_map(|a| format!("not ({a})")),
    ];
    let lists = select(vec!["emails", "phoneNumbers", "groups", "members"]);
    let leaf = prop_oneof![
        4 => compare(NAMES, value),
        1 => (lists, inner).prop_map(|(list, inner)| format!("{list}[{inner}]")),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) and ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) or ({b})")),
            inner.prop_map(|a| format!("not ({a})")),
        ]
    })
}

struct World {
    directory: Directory,
    tenant: TenantId,
    client: ClientId,
    database: TestDatabase,
}

fn at() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-12-01T08:00:00Z")
        .unwrap()
        .to_utc()
}

impl World {
    async fn search(&self, conn: &mut Conn, kind: &ResourceType, text: &str, bound: Bound) -> Vec<Found> {
        let reader = Reader {
            tenant: self.tenant,
            client: Some(self.client),
            token: TokenId::new(),
            base: BASE,
            now: at(),
        };
        let search = Search {
            among: vec![Among {
                kind,
                filter: Some(bound),
            }],
            text: text.to_owned(),
            sort: None,
            from: From::Index(1),
            limit: 1000,
            want: Want::default(),
        };
        let page = self.directory.search(conn, &reader, &search).await;
        let page = page.unwrap_or_else(|error| panic!("{text}: {}", scim_bridge::base::Chain(&error)));
        assert_eq!(
            usize::try_from(page.total.unwrap()).unwrap(),
            page.items.len(),
            "{text}"
        );
        page.items
    }

    /// The whole resource as a client sees it, everything that can be asked for included.
    fn whole(&self, kind: &ResourceType, found: &Found) -> Object {
        let mut object: Object = serde_json::from_str(&found.body).unwrap();
        object.insert("id".into(), json!(found.id));
        if let Some(external) = found.external_id() {
            object.insert("externalId".into(), json!(external));
        }
        if let Some(manager) = object.get_mut(ENTERPRISE).and_then(|urn| urn.get_mut("manager")) {
            let id = manager["value"].as_str().unwrap().to_owned();
            manager["$ref"] = json!(format!("{BASE}/Users/{id}"));
            manager["displayName"] = json!(found.manager.as_ref().unwrap());
        }
        let groups = found.groups.iter().map(|group| {
            let reference = format!("{BASE}/Groups/{}", group.id);
            let way = if group.direct { "direct" } else { "indirect" };
            json!({ "value": group.id, "display": group.display, "type": way, "$ref": reference })
        });
        let members = found.members.iter().map(|member| {
            let reference = format!("{BASE}/{}s/{}", member.kind, member.id);
            json!({ "value": member.id, "display": member.display, "type": member.kind, "$ref": reference })
        });
        for (name, list) in [
            ("groups", groups.collect::<Vec<_>>()),
            ("members", members.collect()),
        ] {
            if !list.is_empty() {
                object.insert(name.into(), Value::Array(list));
            }
        }
        let meta = json!({
            "resourceType": kind.name,
            "created": found.created.to_rfc3339(),
            "lastModified": found.last_modified.to_rfc3339(),
            "location": format!("{BASE}{}/{}", kind.endpoint, found.id),
            "version": format!("W/\"{}\"", found.version),
        });
        object.insert("meta".into(), meta);
        object
    }
}

/// What can be sorted by.
const SORTABLE: &[&str] = &[
    "userName",
    "displayName",
    "title",
    "locale",
    "name.givenName",
    "emails",
    "emails.value",
    "emails.type",
    "emails.primary",
    "phoneNumbers.display",
    "active",
    "id",
    "externalId",
    "meta.created",
    "meta.version",
    "meta.location",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
    "manager",
    "manager.displayName",
];

impl World {
    /// The ids of everybody in an order, read in pages of 7, forwards by cursor.
    async fn sorted(
        &self,
        conn: &mut Conn,
        kind: &ResourceType,
        by: &str,
        descending: bool,
    ) -> Vec<ResourceId> {
        let reader = Reader {
            tenant: self.tenant,
            client: Some(self.client),
            token: TokenId::new(),
            base: BASE,
            now: at(),
        };
        let place = scim::sort_place(kind, by).unwrap();
        let (mut ids, mut from) = (Vec::new(), From::First);
        loop {
            let search = Search {
                among: vec![Among { kind, filter: None }],
                text: by.to_owned(),
                sort: Some((place.clone(), descending)),
                from,
                limit: 7,
                want: Want::default(),
            };
            let page = self.directory.search(conn, &reader, &search).await.unwrap();
            ids.extend(page.items.iter().map(|found| found.id));
            let Some(after) = page.after else { return ids };
            from = From::After(after);
        }
    }
}

/// The order that the definition gives: by value, then by id, those without a value last; descending is the reverse.
fn model(
    objects: &[(ResourceId, Object)],
    kind: &ResourceType,
    by: &str,
    descending: bool,
) -> Vec<ResourceId> {
    let place = scim::sort_place(kind, by).unwrap();
    let mut keyed: Vec<_> = objects
        .iter()
        .map(|(id, object)| (scim::sort_key(&place, object), *id))
        .collect();
    keyed.sort_by(|(one, a), (two, b)| {
        let values = match (one, two) {
            (Some(one), Some(two)) => one.compare(two),
            (one, two) => two.is_some().cmp(&one.is_some()),
        };
        values.then(a.cmp(b))
    });
    if descending {
        keyed.reverse();
    }
    keyed.into_iter().map(|(_, id)| id).collect()
}

async fn world(runner: &mut TestRunner) -> (World, Db) {
    let database = TestDatabase::create().await;
    let db = Db::connect(&database.url, 2).unwrap();
    let tenant = TenantId::new();
    let sql = "INSERT INTO tenant (id, name, created_at) VALUES ($1::text::uuid, $1, now())";
    client(&database.url)
        .await
        .execute(sql, &[&tenant.to_string()])
        .await
        .unwrap();
    let directory = Directory::default();
    let world = World {
        directory,
        tenant,
        client: ClientId::new(),
        database,
    };
    let mut conn = db.conn().await.unwrap();
    let cause = Cause::client(world.client, TokenId::new(), at());
    let kind = |name: &str| Registry::builtin().kind(name).unwrap().clone();
    let mut ids: Vec<ResourceId> = Vec::new();
    for number in 0..60 {
        let mut body = user().new_tree(runner).unwrap().current();
        body["userName"] = json!(format!("{}{number}", TEXTS[number % TEXTS.len()]));
        if number % 3 == 0 {
            body["externalId"] = json!(format!("{}-{number}", TEXTS[number % 7]));
        }
        if number > 10 && number % 4 == 0 {
            body[ENTERPRISE]["manager"] = json!({ "value": ids[number % 10] });
        }
        let incoming = scim::read(&kind("User"), &body).unwrap();
        let made = world
            .directory
            .create(&mut conn, tenant, &kind("User"), incoming, &cause)
            .await
            .unwrap();
        ids.push(made.found.id);
    }
    // Groups in groups: "fix" has only groups, two of which share users and one of which has users of its own; "ANN" has
    // that one, and some whom it has itself and through it.
    let nested: [(usize, &[usize]); 3] = [(5, &[0, 3]), (6, &[5, 4]), (7, &[])];
    let mut groups: Vec<ResourceId> = Vec::new();
    for (number, name) in ["Ops", "ops", "100%", "Ärger", "Straße", "fix", "ANN", "ann"]
        .into_iter()
        .enumerate()
    {
        let inner = nested
            .iter()
            .filter(|(at, _)| *at == number)
            .flat_map(|(_, inner)| inner.iter())
            .map(|at| json!({ "value": groups[*at] }));
        let users = ids.iter().skip(number).step_by(number + 2);
        let users = users.map(|id| json!({ "value": id }));
        let members: Vec<Value> = users.chain(inner).collect();
        let members = match number {
            2 => Vec::new(),
            5 => members
                .into_iter()
                .filter(|one| groups.iter().any(|id| one["value"] == json!(id)))
                .collect(),
            _ => members,
        };
        let body = json!({ "schemas": [scim::GROUP], "displayName": name, "members": members });
        let incoming = scim::read(&kind("Group"), &body).unwrap();
        let made = world
            .directory
            .create(&mut conn, tenant, &kind("Group"), incoming, &cause)
            .await
            .unwrap();
        groups.push(made.found.id);
    }
    drop(conn);
    (world, db)
}

/// What a user shows and what a filter on it finds are the same, through however many groups.
///
/// Covers: rfc 4.12; item 3, item 7
#[tokio::test]
async fn filters_see_the_groups_that_a_user_shows() {
    let mut runner = TestRunner::deterministic();
    let (world, db) = world(&mut runner).await;
    let mut conn = db.conn().await.unwrap();
    let kind = Registry::builtin().kind("User").unwrap().clone();
    let groups = Registry::builtin().kind("Group").unwrap().clone();
    let bound = |text: &str, kind: &ResourceType| filter::bind(&filter::parse(text).unwrap(), kind).unwrap();
    let top = "displayName eq \"ANN\" and members pr";
    let top = world.search(&mut conn, &groups, top, bound(top, &groups)).await;
    assert!(top.len() == 2, "ANN and ann");
    let (mut most_direct, mut most_indirect) = (0, 0);
    for group in &top {
        let (id, mut direct, mut indirect) = (group.id, 0, 0);
        let shown = |way: &str| format!("groups[value eq \"{id}\" and type eq \"{way}\"]");
        for way in ["direct", "indirect"] {
            let found = world
                .search(&mut conn, &kind, &shown(way), bound(&shown(way), &kind))
                .await;
            for one in &found {
                let target = (world.tenant, one.id, "User");
                let want = Want {
                    groups: true,
                    members: false,
                };
                let user = world
                    .directory
                    .get(&mut conn, target, None, want)
                    .await
                    .unwrap()
                    .unwrap();
                let of = user.groups.iter().find(|one| one.id == id).unwrap();
                assert_eq!(of.direct, way == "direct");
            }
            *(if way == "direct" {
                &mut direct
            } else {
                &mut indirect
            }) += found.len();
        }
        let text = format!("groups.value eq \"{id}\"");
        let all = world.search(&mut conn, &kind, &text, bound(&text, &kind)).await;
        assert_eq!(all.len(), direct + indirect);
        (most_direct, most_indirect) = (most_direct.max(direct), most_indirect.max(indirect));
    }
    assert!(
        most_direct > 5 && most_indirect > 20,
        "{most_direct} direct, {most_indirect} indirect"
    );
    drop((conn, db, world.database));
}

/// Covers: rfc 6.10, 6.11, 6.12, 6.13, 6.16, 6.17, 6.18, 6.19, 6.20, 6.23, 6.24, 6.30, 6.31, 6.32, 6.33, 6.35; item 3, item 5
#[tokio::test]
async fn sql_finds_what_the_filter_means() {
    let mut runner = TestRunner::deterministic();
    let (world, db) = world(&mut runner).await;
    let mut conn = db.conn().await.unwrap();
    let (mut asked, mut telling) = (0, 0);
    for name in ["User", "Group"] {
        let kind = Registry::builtin().kind(name).unwrap().clone();
        let everybody = filter::bind(&filter::parse("id pr").unwrap(), &kind).unwrap();
        let all = world.search(&mut conn, &kind, "id pr", everybody).await;
        let mut known = vec!["Ops".to_owned(), name.to_owned()];
        let mut objects = Vec::new();
        for found in &all {
            let want = Want {
                groups: true,
                members: true,
            };
            let target = (world.tenant, found.id, kind.name.as_str());
            let found = world
                .directory
                .get(&mut conn, target, Some(world.client), want)
                .await
                .unwrap()
                .unwrap();
            known.push(found.id.to_string());
            known.extend(found.external_id().map(str::to_owned));
            known.extend(found.groups.iter().map(|group| group.id.to_string()));
            known.extend(found.members.iter().map(|member| member.id.to_string()));
            let object = world.whole(&kind, &found);
            known.extend(
                object
                    .get("userName")
                    .and_then(Value::as_str)
                    .map(str::to_uppercase),
            );
            known.extend(
                object["meta"]
                    .as_object()
                    .unwrap()
                    .values()
                    .filter_map(Value::as_str)
                    .map(str::to_owned),
            );
            objects.push((found.id, object));
        }
        let sortable: &[&str] = if name == "User" {
            SORTABLE
        } else {
            &["displayName", "id", "meta.created"]
        };
        for by in sortable {
            for descending in [false, true] {
                let sorted = world.sorted(&mut conn, &kind, by, descending).await;
                assert_eq!(
                    sorted,
                    model(&objects, &kind, by, descending),
                    "{name} by {by}, {descending}"
                );
            }
        }
        let strategy = filter(known);
        while asked < if name == "User" { 2_500 } else { 3_200 } {
            let text = strategy.new_tree(&mut runner).unwrap().current();
            let Ok(bound) = filter::parse(&text).and_then(|parsed| filter::bind(&parsed, &kind)) else {
                continue;
            };
            asked += 1;
            let meant: BTreeSet<ResourceId> = objects
                .iter()
                .filter(|(_, object)| bound.matches(object))
                .map(|(id, _)| *id)
                .collect();
            let found: BTreeSet<ResourceId> = world
                .search(&mut conn, &kind, &text, bound)
                .await
                .into_iter()
                .map(|found| found.id)
                .collect();
            assert_eq!(found, meant, "{name}: {text}");
            telling += usize::from(!meant.is_empty() && meant.len() < objects.len());
        }
    }
    assert!(telling > 800, "only {telling} filters told some from others");
    drop((conn, db, world.database));
}
