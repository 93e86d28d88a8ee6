//! Groups: in one another, of any size, and changed by many at once.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use reqwest::Method;
use scim_bridge::base::TenantId;
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::kit::{Bridge, Settings, StatementCounter, TestDatabase, answer, with_json};
use crate::scim_resource::{group, query, text, user};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// A small number for every day, or the size that is promised where `SCIM_BRIDGE_TEST_FULL` is set.
fn size(daily: usize, full: usize) -> usize {
    if std::env::var_os("SCIM_BRIDGE_TEST_FULL").is_some() {
        full
    } else {
        daily
    }
}

fn patch(operations: &Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
}

fn step(op: &str, id: &str) -> Value {
    match op {
        "remove" => patch(&json!([{ "op": op, "path": format!("members[value eq \"{id}\"]") }])),
        _ => patch(&json!([{ "op": op, "path": "members", "value": [{ "value": id }] }])),
    }
}

/// Changes a group; the status.
async fn change(bridge: &Bridge, group: &str, body: &Value) -> u16 {
    let path = format!("/scim/v2/Groups/{group}");
    answer(with_json(bridge.request(Method::PATCH, &path), body))
        .await
        .0
}

/// Users straight into the table: ids only, in order.
async fn people(rows: &Client, tenant: TenantId, many: usize) -> Vec<String> {
    let sql = "INSERT INTO resource (tenant_id, id, kind, user_name, active, created, last_modified, version, body)
               SELECT $1, gen_random_uuid(), 'User', 'p' || n, true, now(), now(), 1,
                      jsonb_build_object('userName', 'p' || n) FROM generate_series(1, $2::int8) n RETURNING id::text";
    let many = i64::try_from(many).unwrap();
    let made = rows.query(sql, &[&tenant.uuid(), &many]).await.unwrap();
    let mut ids: Vec<String> = made.iter().map(|row| row.get(0)).collect();
    ids.sort_unstable();
    ids
}

async fn members(rows: &Client, group: &str) -> BTreeSet<String> {
    let sql = "SELECT member_id::text FROM membership WHERE group_id = $1::text::uuid";
    let rows = rows.query(sql, &[&group]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Who is in a group when its changes are replayed in the order of their versions, and the last version.
async fn replayed(rows: &Client, group: &str) -> (BTreeSet<String>, i64) {
    let sql = "SELECT version, delta::text FROM change WHERE resource_id = $1::text::uuid AND action = 'members' ORDER BY version";
    let (mut there, mut last) = (BTreeSet::new(), 1);
    for row in rows.query(sql, &[&group]).await.unwrap() {
        let (version, delta): (i64, String) = (row.get(0), row.get(1));
        let delta: Value = serde_json::from_str(&delta).unwrap();
        let ids = |name: &str| -> Vec<String> { serde_json::from_value(delta[0][name].clone()).unwrap() };
        assert!(version > last, "each change has a version of its own");
        last = version;
        for id in ids("added") {
            assert!(there.insert(id), "added once");
        }
        for id in ids("removed") {
            assert!(there.remove(&id), "removed once");
        }
    }
    (there, last)
}

async fn version(rows: &Client, id: &str) -> i64 {
    let sql = "SELECT version FROM resource WHERE id = $1::text::uuid";
    rows.query_one(sql, &[&id]).await.unwrap().get(0)
}

fn shown_groups(user: &Value) -> BTreeMap<String, String> {
    let groups = user["groups"].as_array().cloned().unwrap_or_default();
    groups
        .iter()
        .map(|one| (text(one, "/display").to_owned(), text(one, "/type").to_owned()))
        .collect()
}

/// Nobody is shown a part of the groups as if it were all.
///
/// Covers: rfc 2.8; item 7, item 10
#[tokio::test]
async fn all_groups_of_groups_are_shown_or_the_answer_is_refused() {
    let bridge = Bridge::spawn().await;
    let rows = bridge.rows().await;
    let tenant = bridge.tenant;
    // 400 groups, each in the next; 40 groups in the first of them; 300 users in each of these.
    let make = |kind: &str, prefix: &str, many: u32| {
        format!(
            "INSERT INTO resource (tenant_id, id, kind, user_name, display_name, created, last_modified, version, body)
             SELECT '{tenant}', md5('{prefix}' || n)::uuid, '{kind}', CASE '{kind}' WHEN 'User' THEN '{prefix}' || n END,
                    '{prefix}' || n, now(), now(), 1, '{{\"displayName\":\"x\",\"userName\":\"x\"}}'
               FROM generate_series(1, {many}) n;"
        )
    };
    let join = |group: &str, member: &str, kind: &str, from: &str| {
        format!(
            "INSERT INTO membership (tenant_id, group_id, member_id, member_kind, origin, since)
             SELECT '{tenant}', md5({group})::uuid, md5({member})::uuid, '{kind}', 'hr', now() FROM {from};"
        )
    };
    let sql = [
        make("Group", "deep-", 400),
        make("Group", "near-", 40),
        make("User", "user-", 300),
        join(
            "'deep-' || n + 1",
            "'deep-' || n",
            "Group",
            "generate_series(1, 399) n",
        ),
        join("'deep-1'", "'near-' || n", "Group", "generate_series(1, 40) n"),
        join(
            "'near-' || n",
            "'user-' || u",
            "User",
            "generate_series(1, 40) n, generate_series(1, 300) u",
        ),
    ];
    rows.batch_execute(&sql.concat()).await.unwrap();
    let page = bridge.get("/scim/v2/Users?count=100").await;
    for user in page["Resources"].as_array().unwrap() {
        let groups = user["groups"].as_array().unwrap();
        let direct = groups.iter().filter(|group| group["type"] == "direct").count();
        assert_eq!((direct, groups.len()), (40, 440));
    }
    let one = bridge
        .get(&format!("/scim/v2/Users/{}", text(&page, "/Resources/7/id")))
        .await;
    assert_eq!(one["groups"].as_array().unwrap().len(), 440);
    let (status, refused) = answer(bridge.request(Method::GET, "/scim/v2/Users?count=300")).await;
    assert_eq!((status, text(&refused, "/scimType")), (400, "tooMany"));
    assert!(
        text(&refused, "/detail").contains("excludedAttributes=groups"),
        "{refused}"
    );
    let without = bridge
        .get("/scim/v2/Users?count=300&excludedAttributes=groups")
        .await;
    assert_eq!(without["itemsPerPage"], 300);
}

/// Covers: rfc 2.8, 2.9, 2.10, 4.11; C35; item 7
#[tokio::test]
async fn rfc_2_8_a_user_shows_groups_of_groups_as_indirect_until_they_are_gone() {
    let bridge = Bridge::spawn().await;
    let ann = user(&bridge, "ann").await;
    let path = format!("/scim/v2/Users/{}", text(&ann, "/id"));
    let team = group(&bridge, "Team", &[text(&ann, "/id")]).await;
    let unit = group(&bridge, "Unit", &[text(&team, "/id")]).await;
    let all = group(&bridge, "All", &[text(&unit, "/id"), text(&ann, "/id")]).await;
    let firm = group(&bridge, "Firm", &[text(&all, "/id"), text(&unit, "/id")]).await;
    let member = &unit["members"][0];
    assert_eq!(
        (text(member, "/type"), text(member, "/$ref")),
        ("Group", text(&team, "/meta/location"))
    );

    let expected = [
        ("All", "direct"),
        ("Firm", "indirect"),
        ("Team", "direct"),
        ("Unit", "indirect"),
    ];
    let expected = expected
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .into();
    let seen = bridge.get(&path).await;
    assert_eq!(shown_groups(&seen), expected);
    for one in seen["groups"].as_array().unwrap() {
        let of = [&team, &unit, &all, &firm]
            .into_iter()
            .find(|group| group["id"] == one["value"]);
        assert_eq!(one["$ref"], of.unwrap()["meta"]["location"]);
        assert_eq!(one.get("members"), None, "a reference and no more");
    }
    let listed = bridge.get("/scim/v2/Users").await;
    assert_eq!(shown_groups(&listed["Resources"][0]), expected);
    let found = bridge
        .get(&query("/scim/v2/Users", &[("filter", "userName eq \"ann\"")]))
        .await;
    assert_eq!(shown_groups(&found["Resources"][0]), expected);

    answer(bridge.request(Method::DELETE, &format!("/scim/v2/Groups/{}", text(&unit, "/id")))).await;
    let left = shown_groups(&bridge.get(&path).await);
    assert_eq!(left.len(), 3);
    assert_eq!(left["Firm"], "indirect", "through All");
    let firm = bridge
        .get(&format!("/scim/v2/Groups/{}", text(&firm, "/id")))
        .await;
    assert_eq!(firm["members"].as_array().unwrap().len(), 1);
    assert_eq!(
        firm["meta"]["version"],
        json!("W/\"3\""),
        "the group changed with it"
    );
}

/// Covers: rfc 2.8, 2.9; item 7
#[tokio::test]
async fn rfc_2_9_members_say_their_type_and_groups_are_read_only_on_users() {
    let bridge = Bridge::spawn().await;
    let ann = user(&bridge, "ann").await;
    let ops = group(&bridge, "Ops", &[text(&ann, "/id")]).await;
    assert_eq!(text(&ops, "/members/0/type"), "User", "by default");
    assert_eq!(text(&ops, "/members/0/$ref"), text(&ann, "/meta/location"));
    let groups = format!("/scim/v2/Groups/{}", text(&ops, "/id"));
    let named = bridge
        .get(&format!("{groups}?attributes=members.display,members.value"))
        .await;
    assert_eq!(
        named["members"],
        json!([{ "value": ann["id"], "display": "ann" }])
    );
    let path = format!("/scim/v2/Users/{}", text(&ann, "/id"));
    let body = patch(&json!([{ "op": "remove", "path": "groups" }]));
    let (status, refused) = answer(with_json(bridge.request(Method::PATCH, &path), &body)).await;
    assert_eq!((status, text(&refused, "/scimType")), (400, "mutability"));
    assert_eq!(shown_groups(&bridge.get(&path).await).len(), 1);
}

/// Covers: rfc 2.10; item 7; C49
#[tokio::test]
async fn rfc_2_10_no_cycle_ever_commits_however_many_try_at_once() {
    let bridge = Bridge::spawn().await;
    let rows = bridge.rows().await;
    let mut groups = Vec::new();
    for name in 0..6 {
        groups.push(text(&group(&bridge, &name.to_string(), &[]).await, "/id").to_owned());
    }
    let cycles = "WITH RECURSIVE below (start, id) AS (
            SELECT group_id, member_id FROM membership WHERE member_kind = 'Group'
            UNION SELECT b.start, m.member_id FROM below b JOIN membership m ON m.group_id = b.id)
        SELECT count(*) FROM below WHERE start = id";
    let rounds = size(12, 200);
    for round in 0..rounds {
        // Two that point at each other, and a ring over the others, all at the same moment and by both ways to write.
        let (a, b) = (&groups[round % 6], &groups[(round + 1) % 6]);
        let ring: Vec<&String> = groups.iter().filter(|one| *one != a && *one != b).collect();
        let mut pairs = vec![(a, b), (b, a)];
        for at in 0..ring.len() {
            pairs.push((ring[at], ring[(at + 1) % ring.len()]));
        }
        let tries = pairs.iter().map(async |(outer, inner)| {
            let path = format!("/scim/v2/Groups/{outer}");
            let (method, body) = if round % 2 == 0 {
                (Method::PATCH, step("add", inner))
            } else {
                (
                    Method::PUT,
                    json!({ "schemas": [GROUP], "displayName": "x", "members": [{ "value": inner }] }),
                )
            };
            let (status, said) = answer(with_json(bridge.request(method, &path), &body)).await;
            if status >= 300 {
                assert_eq!(
                    (status, text(&said, "/scimType")),
                    (400, "invalidValue"),
                    "{said}"
                );
            }
            status < 300
        });
        let done = join_all(tries).await;
        assert_eq!(done.iter().take(2).filter(|ok| **ok).count(), 1, "one of the two");
        assert_eq!(
            done.iter().skip(2).filter(|ok| **ok).count(),
            3,
            "all but one of the ring"
        );
        assert_eq!(rows.query_one(cycles, &[]).await.unwrap().get::<_, i64>(0), 0);
        for one in &groups {
            change(
                &bridge,
                one,
                &patch(&json!([{ "op": "remove", "path": "members" }])),
            )
            .await;
        }
    }
    let itself = step("add", &groups[0]);
    assert_eq!(change(&bridge, &groups[0], &itself).await, 400);
}

/// Covers: C41, C42; item 7
#[tokio::test]
async fn c42_many_clients_at_once_leave_what_one_after_the_other_would() {
    let bridge = Bridge::spawn().await;
    let rows = bridge.rows().await;
    let (clients, each) = (64, size(12, 1_000));
    let ids = people(&rows, bridge.tenant, clients * each).await;
    let crew = text(&group(&bridge, "Crew", &[]).await, "/id").to_owned();
    let work = ids.chunks(each).enumerate().map(async |(number, own)| {
        let mut changes = 0;
        for (at, id) in own.iter().enumerate() {
            // Singly, several at a time, and with a rename between: every way that writes.
            let body = match (number + at) % 8 {
                0 => patch(&json!([{ "op": "add", "path": "members", "value": [{ "value": id }, { "value": own[0] }] }])),
                1 => patch(&json!([{ "op": "Add", "value": { "members": [{ "value": id }] } }])),
                _ => step("add", id),
            };
            assert_eq!(change(&bridge, &crew, &body).await, 204);
            changes += 1;
            assert_eq!(change(&bridge, &crew, &step("add", id)).await, 204, "again is no error");
        }
        for id in own.iter().step_by(2) {
            assert_eq!(change(&bridge, &crew, &step("remove", id)).await, 204);
            changes += 1;
            assert_eq!(change(&bridge, &crew, &step("remove", id)).await, 204, "again is no error");
        }
        changes
    });
    let changes: i64 = join_all(work).await.into_iter().sum();
    let expected: BTreeSet<String> = ids
        .chunks(each)
        .flat_map(|own| own.iter().skip(1).step_by(2).cloned())
        .collect();
    assert_eq!(members(&rows, &crew).await, expected);
    let made = replayed(&rows, &crew).await;
    assert_eq!(made.0, expected, "the log tells the same");
    assert_eq!(made.1, version(&rows, &crew).await);
    // Created at 1; each request that changed something moved it once, and the others not at all.
    assert_eq!(made.1, 1 + changes);
}

/// Covers: rfc 4.11; C41; item 7
#[tokio::test]
async fn rfc_4_11_whoever_is_deleted_while_others_add_them_is_in_no_group_and_the_log_knows() {
    let bridge = Bridge::spawn().await;
    let rows = bridge.rows().await;
    let mut crews = Vec::new();
    for name in 0..4 {
        crews.push(text(&group(&bridge, &name.to_string(), &[]).await, "/id").to_owned());
    }
    let ids = people(&rows, bridge.tenant, size(24, 400)).await;
    for pair in ids.chunks(2) {
        let adds = crews
            .iter()
            .flat_map(|crew| pair.iter().map(move |id| (crew, id)))
            .map(async |(crew, id)| {
                let status = change(&bridge, crew, &step("add", id)).await;
                assert!(matches!(status, 204 | 400), "{status}");
            });
        let together = crews.iter().rev().map(async |crew| {
            let both: Vec<Value> = pair.iter().map(|id| json!({ "value": id })).collect();
            let body = patch(&json!([{ "op": "add", "path": "members", "value": both }]));
            let status = change(&bridge, crew, &body).await;
            assert!(matches!(status, 204 | 400), "{status}");
        });
        let gone = pair.iter().map(async |id| {
            let path = format!("/scim/v2/Users/{id}");
            assert_eq!(answer(bridge.request(Method::DELETE, &path)).await.0, 204);
        });
        tokio::join!(join_all(adds), join_all(together), join_all(gone));
    }
    for crew in &crews {
        assert_eq!(members(&rows, crew).await, BTreeSet::new());
        let (there, last) = replayed(&rows, crew).await;
        assert_eq!(there, BTreeSet::new(), "whoever came is seen to go");
        assert_eq!(last.max(1), version(&rows, crew).await);
    }
}

/// Covers: C30, C33, C37, C44, C45; item 7; C38
#[tokio::test]
async fn c45_a_group_of_any_size_costs_the_same_and_is_sent_whole() {
    let database = TestDatabase::create().await;
    let counter = StatementCounter::before(&database.url).await;
    let settings = Settings {
        environment: vec![("DATABASE_URL", counter.url.clone())],
        ..Settings::default()
    };
    let bridge = Bridge::spawn_on(database, settings).await;
    let rows = bridge.rows().await;
    let many = size(7_000, 100_000);
    let ids = people(&rows, bridge.tenant, many + 1).await;
    let (last, ids) = ids.split_last().unwrap();
    let mut counts = Vec::new();
    for members in [&ids[..10], ids] {
        // Sent by POST, the smallest honest form of each member.
        let refs: Vec<&str> = members.iter().map(String::as_str).collect();
        let made = group(&bridge, "Crew", &refs).await;
        assert_eq!(made["members"].as_array().unwrap().len(), members.len());
        let crew = text(&made, "/id").to_owned();
        let path = format!("/scim/v2/Groups/{crew}");
        let mut taken = Vec::new();
        let mut sent = async |name: &str, method: Method, path: &str, body: Option<Value>| {
            let request = bridge.request(method, path);
            let request = match &body {
                Some(body) => with_json(request, body),
                None => request,
            };
            // So that neither the token nor whether its client may write need be looked up again.
            let nobody = "/scim/v2/Users/00000000-0000-7000-8000-000000000000";
            assert_eq!(answer(bridge.request(Method::DELETE, nobody)).await.0, 404);
            let before = counter.executed();
            let (status, said) = answer(request).await;
            assert!((200..300).contains(&status), "{name}: {said}");
            taken.push((name.to_owned(), counter.executed() - before));
            said
        };
        sent("add one", Method::PATCH, &path, Some(step("add", last))).await;
        sent("remove one", Method::PATCH, &path, Some(step("remove", last))).await;
        let one = format!("members[value eq \"{}\"]", members[5]);
        sent(
            "remove by value",
            Method::PATCH,
            &path,
            Some(patch(&json!([{ "op": "remove", "path": one }]))),
        )
        .await;
        sent(
            "add two",
            Method::PATCH,
            &path,
            Some(patch(&json!([
                { "op": "add", "path": "members", "value": [{ "value": members[5] }, { "value": last }] },
                { "op": "replace", "path": "displayName", "value": "Crew again" },
            ]))),
        )
        .await;
        let without = sent(
            "without members",
            Method::GET,
            &format!("{path}?excludedAttributes=members"),
            None,
        )
        .await;
        assert_eq!(without.get("members"), None);
        let first = sent("first ten", Method::GET, &format!("{path}?membersCount=10"), None).await;
        assert_eq!(first["members"].as_array().unwrap().len(), 10);
        let found = query(
            "/scim/v2/Groups",
            &[
                ("filter", &format!("members.value eq \"{last}\"")),
                ("excludedAttributes", "members"),
            ],
        );
        assert_eq!(
            sent("look up by member", Method::GET, &found, None).await["totalResults"],
            json!(1)
        );
        counts.push(taken);
        let whole = bridge.get(&path).await;
        let listed: Vec<&str> = whole["members"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| text(one, "/value"))
            .collect();
        let everybody: Vec<&str> = refs.iter().copied().chain([last.as_str()]).collect();
        assert_eq!(listed, everybody, "each once, by their ids");
        let replaced = json!({ "schemas": [GROUP], "displayName": "Crew", "members": [{ "value": last }] });
        answer(with_json(bridge.request(Method::PUT, &path), &replaced)).await;
        let (status, _) = answer(bridge.request(Method::DELETE, &path)).await;
        assert_eq!(status, 204);
    }
    assert_eq!(counts[0], counts[1], "as many statements for all as for ten");
    let of = |name: &str| counts[0].iter().find(|(one, _)| one == name).unwrap().1;
    assert_eq!((of("add one"), of("remove one")), (2, 2));
    bridge.stop().await;
}

/// Covers: item 7
#[tokio::test]
async fn members_are_paged_by_request() {
    let bridge = Bridge::spawn().await;
    let rows = bridge.rows().await;
    let ids = people(&rows, bridge.tenant, 25).await;
    let refs: Vec<&str> = ids.iter().map(String::as_str).collect();
    let crew = text(&group(&bridge, "Crew", &refs).await, "/id").to_owned();
    let mut next = Some(format!(
        "/scim/v2/Groups/{crew}?membersCount=10&attributes=members.value"
    ));
    let (mut seen, mut pages) = (Vec::new(), 0);
    while let Some(path) = next {
        let answer = bridge.request(Method::GET, &path).send().await.unwrap();
        let link = answer
            .headers()
            .get("link")
            .map(|link| link.to_str().unwrap().to_owned());
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let page = body["members"].as_array().unwrap();
        assert!(
            page.iter().all(|one| one.as_object().unwrap().len() == 1),
            "cut as asked"
        );
        seen.extend(page.iter().map(|one| text(one, "/value").to_owned()));
        pages += 1;
        next = link.map(|link| {
            let address = link
                .strip_prefix('<')
                .and_then(|rest| rest.strip_suffix(">; rel=\"next\""))
                .unwrap();
            address.strip_prefix(&bridge.base_url).unwrap().to_owned()
        });
    }
    assert_eq!((seen, pages), (ids, 3));
    for wrong in ["membersCount=many", "membersAfter=x"] {
        let path = format!("/scim/v2/Groups/{crew}?{wrong}");
        let (status, said) = answer(bridge.request(Method::GET, &path)).await;
        assert_eq!((status, text(&said, "/scimType")), (400, "invalidValue"));
    }
}

/// Covers: rfc 9.4, 9.5; item 7
#[tokio::test]
async fn rfc_9_5_of_many_who_expect_the_same_version_of_a_group_one_writes() {
    let bridge = Bridge::spawn().await;
    let rows = bridge.rows().await;
    let ids = people(&rows, bridge.tenant, 9).await;
    let crew = text(&group(&bridge, "Crew", &[&ids[8]]).await, "/id").to_owned();
    let path = format!("/scim/v2/Groups/{crew}");
    let shown = bridge.get(&path).await;
    let expected = text(&shown, "/meta/version");
    let tries = ids.iter().take(8).map(async |id| {
        let request = bridge.request(Method::PATCH, &path).header("if-match", expected);
        answer(with_json(request, &step("add", id))).await.0
    });
    let mut statuses = join_all(tries).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 412, 412, 412, 412, 412, 412, 412]);
    assert_eq!(members(&rows, &crew).await.len(), 2);
    let after = bridge.get(&path).await;
    assert_ne!(
        text(&after, "/meta/version"),
        expected,
        "members are part of a group's version"
    );
    assert_eq!(
        version(&rows, &ids[8]).await,
        1,
        "and groups are no part of a user's"
    );
}
