//! Walks through lists while others come and go, by startIndex and by cursor (RFC 9865).

use std::collections::BTreeSet;

use chrono::TimeDelta;
use reqwest::Method;
use scim_bridge::access::Scope;
use serde_json::{Value, json};

use crate::kit::{Bridge, answer, with_json};
use crate::scim_resource::{query, text, user};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// Random numbers that are the same for each seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}

/// Stores users whose names are in another order than their ids, so that what comes and goes does so everywhere.
async fn store(bridge: &Bridge, users: usize) -> Vec<String> {
    let rows = bridge.rows().await;
    let tenant = bridge.tenant.to_string();
    let users = i32::try_from(users).unwrap();
    let insert =
        "INSERT INTO resource (tenant_id, id, kind, user_name, active, created, last_modified, version, body)
         SELECT $1::text::uuid, ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'User',
                md5(n::text), true, now(), now(), 1,
                jsonb_build_object('userName', md5(n::text), 'active', true, 'nickName', md5((n / 3)::text))
           FROM generate_series(1, $2::int) AS n";
    rows.execute(insert, &[&tenant, &users]).await.unwrap();
    let total = "INSERT INTO resource_total (tenant_id, kind, total) VALUES ($1::text::uuid, 'User', $2::int)
         ON CONFLICT (tenant_id, kind) DO UPDATE SET total = EXCLUDED.total";
    rows.execute(total, &[&tenant, &users]).await.unwrap();
    rows.batch_execute("ANALYZE resource").await.unwrap();
    let ids = "SELECT id::text FROM resource WHERE tenant_id = $1::text::uuid AND kind = 'User'";
    let ids = rows.query(ids, &[&tenant]).await.unwrap();
    ids.iter().map(|row| row.get(0)).collect()
}

/// How a client goes from page to page.
#[derive(Debug, Clone)]
struct Walk {
    /// What it asks for on every page.
    asks: Vec<(&'static str, String)>,
    /// Where it goes on; `None`: it is at the end.
    next: Option<(&'static str, String)>,
    seen: Vec<String>,
}

impl Walk {
    fn new(by_cursor: bool, asks: &[(&'static str, &str)]) -> Self {
        let next = if by_cursor {
            ("cursor", "")
        } else {
            ("startIndex", "1")
        };
        Self {
            asks: asks
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
            next: Some((next.0, next.1.to_owned())),
            seen: Vec::new(),
        }
    }

    /// Reads a page, as a client does that follows the RFC.
    async fn step(&mut self, bridge: &Bridge) {
        let Some((name, value)) = self.next.take() else {
            return;
        };
        let mut pairs: Vec<(&str, &str)> = self
            .asks
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        pairs.push((name, &value));
        let list = bridge.get(&query("/scim/v2/Users", &pairs)).await;
        let items = list["Resources"].as_array().unwrap();
        assert_eq!(list["itemsPerPage"], json!(items.len()));
        self.seen
            .extend(items.iter().map(|one| text(one, "/id").to_owned()));
        self.next = if name == "cursor" {
            list.get("nextCursor")
                .map(|next| ("cursor", next.as_str().unwrap().to_owned()))
        } else {
            assert_eq!(list["startIndex"], json!(value.parse::<u64>().unwrap()));
            let next = value.parse::<usize>().unwrap() + items.len();
            let total = usize::try_from(list["totalResults"].as_u64().unwrap()).unwrap();
            (!items.is_empty() && next <= total).then(|| ("startIndex", next.to_string()))
        };
    }

    /// Everybody of `throughout` was seen, and nobody twice.
    fn check(&self, throughout: &BTreeSet<String>, what: &str) {
        let seen: BTreeSet<&String> = self.seen.iter().collect();
        assert_eq!(self.seen.len(), seen.len(), "{what}: somebody was doubled");
        let lost = throughout.iter().filter(|id| !seen.contains(id)).count();
        assert_eq!(lost, 0, "{what}: somebody was lost");
    }
}

/// Deletes somebody, or makes somebody new whose name may stand anywhere.
async fn disturb(
    bridge: &Bridge,
    dice: &mut Dice,
    present: &mut Vec<String>,
    number: &mut u64,
    delete: bool,
) {
    if delete {
        let at = dice.below(present.len());
        let path = format!("/scim/v2/Users/{}", present.swap_remove(at));
        assert_eq!(answer(bridge.request(Method::DELETE, &path)).await.0, 204);
    } else {
        *number += 1;
        let name = format!("{:04x}-{number}", dice.below(0x10000));
        let body = json!({ "schemas": [USER], "userName": name, "nickName": name });
        bridge.post("/scim/v2/Users", &body).await;
    }
}

/// The published experiment: walks through a list while so many are deleted and so many come at random moments.
async fn experiment(users: usize, page: &str, changes: usize, seeds: u64) {
    let bridge = Bridge::spawn().await;
    let (mut present, mut number) = (store(&bridge, users).await, 0);
    let sorts: [&[(&str, &str)]; 3] = [
        &[],
        &[("sortBy", "userName"), ("sortOrder", "descending")],
        &[("sortBy", "nickName")],
    ];
    let pages = users / page.parse::<usize>().unwrap();
    for seed in 1..=seeds {
        for (by_cursor, at) in [
            (false, 0),
            (true, 0),
            (false, 1),
            (true, 1),
            (false, 2),
            (true, 2),
        ] {
            // The last order has no index: once is enough.
            if at == 2 && seed > 2 {
                continue;
            }
            let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let before: BTreeSet<String> = present.iter().cloned().collect();
            let mut moments: Vec<(usize, bool)> = (0..2 * changes)
                .map(|one| (dice.below(pages), one < changes))
                .collect();
            moments.sort_unstable();
            let mut walk = Walk::new(
                by_cursor,
                &[sorts[at], &[("count", page), ("attributes", "userName")]].concat(),
            );
            let mut read = 0;
            while walk.next.is_some() {
                walk.step(&bridge).await;
                while moments.first().is_some_and(|(moment, _)| *moment <= read) {
                    let (_, delete) = moments.remove(0);
                    disturb(&bridge, &mut dice, &mut present, &mut number, delete).await;
                }
                read += 1;
            }
            assert!(moments.is_empty(), "all changes were made");
            let throughout: BTreeSet<String> = present
                .iter()
                .filter(|id| before.contains(*id))
                .cloned()
                .collect();
            assert_eq!(before.len() - throughout.len(), changes);
            walk.check(
                &throughout,
                &format!("seed {seed}, cursor {by_cursor}, order {at}"),
            );
            // Who came is there for the next walk.
            let rows = bridge.rows().await;
            let ids = "SELECT id::text FROM resource WHERE tenant_id = $1::text::uuid AND kind = 'User' ORDER BY id";
            let ids = rows.query(ids, &[&bridge.tenant.to_string()]).await.unwrap();
            present = ids.iter().map(|row| row.get(0)).collect();
        }
    }
}

/// Covers: rfc 6.43, 6.46, 6.51, 6.58; C31; item 5
#[tokio::test]
async fn a_walk_loses_and_doubles_nobody_while_others_come_and_go() {
    if std::env::var_os("SCIM_BRIDGE_TEST_PAGING").is_some() {
        // As published: about five minutes.
        experiment(20_252, "100", 50, 20).await;
    } else {
        experiment(600, "20", 12, 3).await;
    }
}

/// Covers: rfc 6.42, 6.46; C31; item 5
#[tokio::test]
async fn walks_with_one_token_and_the_same_query_do_not_disturb_each_other() {
    let bridge = Bridge::spawn().await;
    let (mut present, mut number) = (store(&bridge, 300).await, 0);
    for seed in 1..=6 {
        for sort in [&[][..], &[("sortBy", "userName")]] {
            let mut dice = Dice(seed * 0x9e37_79b9);
            let before: BTreeSet<String> = present.iter().cloned().collect();
            let mut walks = vec![Walk::new(false, &[sort, &[("count", "20")]].concat()); 3];
            while walks.iter().any(|walk| walk.next.is_some()) {
                let at = dice.below(walks.len());
                walks[at].step(&bridge).await;
                if dice.below(3) == 0 {
                    let delete = dice.below(2) == 0;
                    disturb(&bridge, &mut dice, &mut present, &mut number, delete).await;
                }
            }
            let throughout: BTreeSet<String> = present
                .iter()
                .filter(|id| before.contains(*id))
                .cloned()
                .collect();
            for walk in walks {
                walk.check(&throughout, &format!("seed {seed}, {sort:?}"));
            }
        }
    }
}

async fn ask(bridge: &Bridge, pairs: &[(&str, &str)]) -> (u16, Value) {
    answer(bridge.request(Method::GET, &query("/scim/v2/Users", pairs))).await
}

fn names(list: &Value) -> Vec<String> {
    let items = list["Resources"].as_array().unwrap();
    items
        .iter()
        .map(|one| text(one, "/userName").to_owned())
        .collect()
}

/// Covers: rfc 6.50, 6.51, 6.54, 6.55, 6.56, 6.71; item 5; C40
#[tokio::test]
async fn rfc_6_50_cursors_lead_forwards_and_backwards() {
    let bridge = Bridge::spawn().await;
    for number in 0..8 {
        user(&bridge, &format!("u{number}")).await;
    }
    for order in ["ascending", "descending"] {
        let asks = [("sortBy", "userName"), ("sortOrder", order), ("count", "3")];
        let mut expected: Vec<String> = (0..8).map(|number| format!("u{number}")).collect();
        if order == "descending" {
            expected.reverse();
        }
        let (mut cursor, mut pages, mut lists) = (String::new(), Vec::new(), Vec::new());
        loop {
            let (status, list) = ask(&bridge, &[&asks[..], &[("cursor", &cursor)]].concat()).await;
            assert_eq!((status, &list["totalResults"]), (200, &json!(8)));
            assert_eq!(list.get("startIndex"), None);
            pages.push(names(&list));
            lists.push(list.clone());
            let Some(next) = list.get("nextCursor") else { break };
            cursor = next.as_str().unwrap().to_owned();
            assert!(
                cursor
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c)),
                "unreserved characters"
            );
        }
        assert_eq!(pages, [&expected[..3], &expected[3..6], &expected[6..]]);
        assert_eq!(lists[0].get("previousCursor"), None, "the first page has none");
        let previous = text(&lists[2], "/previousCursor");
        let (_, second) = ask(&bridge, &[&asks[..], &[("cursor", previous)]].concat()).await;
        assert_eq!(names(&second), expected[3..6]);
        let (_, third) = ask(
            &bridge,
            &[&asks[..], &[("cursor", text(&second, "/nextCursor"))]].concat(),
        )
        .await;
        assert_eq!(names(&third), expected[6..]);
        let (_, first) = ask(
            &bridge,
            &[&asks[..], &[("cursor", text(&second, "/previousCursor"))]].concat(),
        )
        .await;
        assert_eq!(names(&first), expected[..3]);
        assert_eq!(first.get("previousCursor"), None, "the first page has none");
    }
    // In the body of a search, on one type and on all.
    for path in ["/scim/v2/Users/.search", "/scim/v2/.search"] {
        let mut body =
            json!({ "schemas": [SEARCH], "filter": "userName sw \"u\"", "cursor": "", "count": 6 });
        let (status, list) = answer(with_json(bridge.request(Method::POST, path), &body)).await;
        assert_eq!((status, names(&list).len()), (200, 6), "{path}");
        body["cursor"] = list["nextCursor"].clone();
        // Names may change their case (the RFC's own example does).
        body["filter"] = json!("username SW \"u\"");
        let (status, list) = answer(with_json(bridge.request(Method::POST, path), &body)).await;
        assert_eq!(
            (status, names(&list)),
            (200, vec!["u6".to_owned(), "u7".to_owned()]),
            "{path}"
        );
        assert_eq!(list.get("nextCursor"), None);
    }
    let (_, list) = ask(&bridge, &[("cursor", ""), ("count", "0")]).await;
    assert_eq!(
        (&list["totalResults"], &list["Resources"], list.get("nextCursor")),
        (&json!(8), &json!([]), None)
    );
    // Whoever asks for neither method gets the older one.
    let (_, list) = ask(&bridge, &[]).await;
    assert_eq!((&list["startIndex"], list.get("nextCursor")), (&json!(1), None));
    let config = bridge.get("/scim/v2/ServiceProviderConfig").await;
    let pagination = json!({ "cursor": true, "index": true, "defaultPaginationMethod": "index",
                             "defaultPageSize": 100, "maxPageSize": 1000, "cursorTimeout": 3600 });
    assert_eq!(config["pagination"], pagination);
}

/// Covers: rfc 6.52, 6.53, 6.57, 6.58, 10.4, 11.2; item 5
#[tokio::test]
async fn rfc_6_52_a_cursor_is_good_for_its_own_query_only() {
    let bridge = Bridge::spawn().await;
    for number in 0..4 {
        user(&bridge, &format!("u{number}")).await;
    }
    let asks = [
        ("count", "2"),
        ("filter", "userName pr"),
        ("sortBy", "userName"),
        ("attributes", "userName"),
    ];
    let (_, list) = ask(&bridge, &[&asks[..], &[("cursor", "")]].concat()).await;
    let cursor = text(&list, "/nextCursor").to_owned();
    let with = |at: usize, value: &'static str| {
        let mut pairs = asks.to_vec();
        pairs[at].1 = value;
        [pairs, vec![("cursor", cursor.as_str())]].concat()
    };
    let mut changed = cursor.clone();
    changed.replace_range(30..31, if &cursor[30..31] == "A" { "B" } else { "A" });
    let own: Vec<(&str, &str)> = [&asks[..], &[("cursor", cursor.as_str())]].concat();
    for (pairs, scim_type) in [
        (with(0, "3"), "invalidCount"),
        (with(0, "-1"), "invalidCount"),
        (with(0, "1001"), "invalidCount"),
        (with(0, "two"), "invalidCount"),
        (with(1, "userName sw \"u\""), "invalidCursor"),
        (with(2, "id"), "invalidCursor"),
        (with(3, "active"), "invalidCursor"),
        (
            [&own[..], &[("sortOrder", "descending")]].concat(),
            "invalidCursor",
        ),
        (
            [&asks[..], &[("cursor", "VZUTiyhEQJ94IR")]].concat(),
            "invalidCursor",
        ),
        ([&asks[..], &[("cursor", "***")]].concat(), "invalidCursor"),
        ([&asks[..], &[("cursor", &changed)]].concat(), "invalidCursor"),
        ([&own[..], &[("startIndex", "1")]].concat(), "invalidValue"),
        (vec![("cursor", ""), ("count", "1001")], "invalidCount"),
    ] {
        let (status, body) = ask(&bridge, &pairs).await;
        assert_eq!((status, text(&body, "/scimType")), (400, scim_type), "{pairs:?}");
    }
    // Another type, another token, another tenant.
    let group = query("/scim/v2/Groups", &[("cursor", &cursor), ("count", "2")]);
    let other = bridge.make_token(bridge.tenant, "other", &Scope::ALL).await;
    let tenant = bridge.make_tenant("umbrella").await;
    let foreign = bridge.make_token(tenant, "foreign", &Scope::ALL).await;
    let users = query("/scim/v2/Users", &own);
    for (token, path) in [(&bridge.token, &group), (&other, &users), (&foreign, &users)] {
        let (status, body) = answer(bridge.request_as(token, Method::GET, path)).await;
        assert_eq!(
            (status, text(&body, "/scimType")),
            (400, "invalidCursor"),
            "{path}"
        );
    }
    bridge.clock.advance(TimeDelta::seconds(3_599));
    assert_eq!(ask(&bridge, &own).await.0, 200);
    bridge.clock.advance(TimeDelta::seconds(2));
    let (status, body) = ask(&bridge, &own).await;
    assert_eq!((status, text(&body, "/scimType")), (400, "expiredCursor"));
}

/// Covers: rfc 6.33, 6.35, 6.51; item 5
#[tokio::test]
async fn rfc_6_33_cursors_pass_from_those_with_a_value_to_those_without() {
    let bridge = Bridge::spawn().await;
    for number in 0..9 {
        let mut body = json!({ "schemas": [USER], "userName": format!("u{number}") });
        if number % 2 == 0 {
            body["displayName"] = json!(if number % 4 == 0 { "Ann" } else { "Bo" });
            body["title"] = body["displayName"].clone();
        }
        bridge.post("/scim/v2/Users", &body).await;
    }
    let ascending = ["u0", "u4", "u8", "u2", "u6", "u1", "u3", "u5", "u7"];
    for by in ["displayName", "title"] {
        for descending in [false, true] {
            let order = if descending { "descending" } else { "ascending" };
            let mut expected = ascending.to_vec();
            if descending {
                expected.reverse();
            }
            for size in ["1", "2", "4"] {
                let asks = [("sortBy", by), ("sortOrder", order), ("count", size)];
                let (mut there, mut back) = (Vec::new(), Vec::new());
                let (mut cursor, mut last) = (String::new(), Value::Null);
                for direction in ["nextCursor", "previousCursor"] {
                    loop {
                        if direction == "previousCursor" {
                            let Some(previous) = last.get(direction) else {
                                break;
                            };
                            cursor = previous.as_str().unwrap().to_owned();
                        }
                        let (status, list) =
                            ask(&bridge, &[&asks[..], &[("cursor", &cursor)]].concat()).await;
                        assert_eq!(status, 200, "{list}");
                        last = list;
                        if direction == "nextCursor" {
                            there.extend(names(&last));
                            let Some(next) = last.get(direction) else { break };
                            cursor = next.as_str().unwrap().to_owned();
                        } else {
                            back.splice(0..0, names(&last));
                        }
                    }
                }
                assert_eq!(there, expected, "{by} {order} {size}");
                let shown = there.len() - back.len();
                assert!(
                    shown <= size.parse::<usize>().unwrap(),
                    "all but the last page are seen again"
                );
                assert_eq!(back, expected[..back.len()], "{by} {order} {size}, back");
            }
        }
    }
}

/// Covers: rfc 6.40, 6.42, 6.43, 6.44; C36; item 5
#[tokio::test]
async fn rfc_6_43_any_stretch_has_its_numbers_right() {
    let bridge = Bridge::spawn().await;
    let ids = store(&bridge, 23).await;
    for sort in [&[][..], &[("sortBy", "userName")], &[("filter", "userName pr")]] {
        let (_, all) = ask(&bridge, sort).await;
        let all: Vec<&str> = all["Resources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| text(one, "/id"))
            .collect();
        assert_eq!(all.len(), ids.len());
        for start in [1, 2, 11, 12, 13, 20, 22, 23, 24, 60] {
            for count in [1, 2, 3, 11, 22, 23, 40] {
                // A token of its own for each, so that no walk leads there.
                let token = bridge
                    .make_token(
                        bridge.tenant,
                        &format!("t{sort:?}{start}-{count}")
                            .replace(|c: char| !c.is_ascii_alphanumeric(), "-"),
                        &Scope::ALL,
                    )
                    .await;
                let (start, count) = (start.to_string(), count.to_string());
                let pairs = [sort, &[("startIndex", start.as_str()), ("count", &count)]].concat();
                let (_, list) =
                    answer(bridge.request_as(&token, Method::GET, &query("/scim/v2/Users", &pairs))).await;
                let shown: Vec<&str> = list["Resources"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|one| text(one, "/id"))
                    .collect();
                let from = (start.parse::<usize>().unwrap() - 1).min(all.len());
                let to = (from + count.parse::<usize>().unwrap()).min(all.len());
                assert_eq!(shown, all[from..to], "{pairs:?}");
                assert_eq!(list["totalResults"], json!(all.len()), "{pairs:?}");
                assert_eq!(list["itemsPerPage"], json!(shown.len()), "{pairs:?}");
            }
        }
    }
}

/// Covers: item 5
#[tokio::test]
async fn walks_that_are_too_old_are_swept() {
    let bridge = Bridge::spawn().await;
    for number in 0..3 {
        user(&bridge, &format!("u{number}")).await;
    }
    ask(&bridge, &[("count", "2")]).await;
    bridge.drain().await;
    assert_eq!(bridge.count("SELECT count(*) FROM walk").await, 1);
    bridge.clock.advance(TimeDelta::minutes(29));
    bridge.drain().await;
    assert_eq!(bridge.count("SELECT count(*) FROM walk").await, 1);
    bridge.clock.advance(TimeDelta::minutes(7));
    bridge.drain().await;
    assert_eq!(bridge.count("SELECT count(*) FROM walk").await, 0);
}
