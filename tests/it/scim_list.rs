//! Lists over HTTP: filters, order, pages while others come and go, and how many statements that takes.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Bridge, Settings, StatementCounter, TestDatabase, answer, with_json};
use crate::scim_resource::{group, query, text, user};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

async fn found(bridge: &Bridge, filter: &str) -> Vec<String> {
    let list = bridge.get(&query("/scim/v2/Users", &[("filter", filter)])).await;
    let names: Vec<String> = list["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| text(one, "/userName").to_owned())
        .collect();
    assert_eq!(list["totalResults"], json!(names.len()));
    names
}

/// Covers: rfc 6.1, 6.2, 6.4, 6.70, 6.71; item 3
#[tokio::test]
async fn rules_6_10_to_6_27_filters() {
    let bridge = Bridge::spawn().await;
    let boss = user(&bridge, "boss").await;
    for (name, work, home, manager) in [
        ("Ann", "ann@x.test", "a%n@y.test", true),
        ("bob", "bob@x.test", "b@y.test", false),
    ] {
        let mut body = json!({
            "schemas": [USER], "userName": name, "externalId": name.to_uppercase(),
            "emails": [{ "type": "work", "value": work }, { "type": "home", "value": home }],
        });
        if manager {
            body[ENTERPRISE] = json!({ "manager": { "value": boss["id"] } });
        }
        bridge.post("/scim/v2/Users", &body).await;
    }
    let ann = bridge
        .get(&query("/scim/v2/Users", &[("filter", "userName eq \"ANN\"")]))
        .await;
    let id = text(&ann, "/Resources/0/id");
    let ops = group(&bridge, "Ops", &[id]).await;
    let cases = [
        ("userName EQ \"ANN\"".to_owned(), vec!["Ann"]),
        ("externalId eq \"ann\"".to_owned(), vec![]),
        ("externalId eq \"ANN\"".to_owned(), vec!["Ann"]),
        ("emails eq \"ANN@x.test\"".to_owned(), vec!["Ann"]),
        (
            "emails[type eq \"work\" and value co \"Y.test\"]".to_owned(),
            vec![],
        ),
        (
            "emails.type eq \"work\" and emails.value co \"y.test\"".to_owned(),
            vec!["Ann", "bob"],
        ),
        ("emails.value co \"a%n\"".to_owned(), vec!["Ann"]),
        ("not (emails pr)".to_owned(), vec!["boss"]),
        (
            "userName sw \"B\" and not (userName eq \"bob\")".to_owned(),
            vec!["boss"],
        ),
        (format!("manager eq \"{}\"", text(&boss, "/id")), vec!["Ann"]),
        (
            format!("id eq \"{id}\" and manager eq \"{}\"", text(&boss, "/id")),
            vec!["Ann"],
        ),
        ("manager.displayName eq \"BOSS\"".to_owned(), vec!["Ann"]),
        (format!("groups.value eq \"{}\"", text(&ops, "/id")), vec!["Ann"]),
        ("groups.display sw \"op\"".to_owned(), vec!["Ann"]),
        (
            "meta.resourceType eq \"User\" and active eq true".to_owned(),
            vec!["boss", "Ann", "bob"],
        ),
        ("meta.created gt \"2026-12-01T09:00:00+01:00\"".to_owned(), vec![]),
        ("title eq null".to_owned(), vec!["boss", "Ann", "bob"]),
    ];
    for (filter, names) in cases {
        assert_eq!(found(&bridge, &filter).await, names, "{filter}");
    }
    let member = format!("id eq \"{}\" and members eq \"{id}\"", text(&ops, "/id"));
    let list = bridge
        .get(&query(
            "/scim/v2/Groups",
            &[("excludedAttributes", "members"), ("filter", &member)],
        ))
        .await;
    assert_eq!(
        (&list["totalResults"], list["Resources"][0].get("members")),
        (&json!(1), None)
    );
    for bad in [
        "nope eq 1",
        "userName eq",
        "active gt true",
        "password eq \"x\"",
        "(userName pr",
        "userName xx \"a\"",
    ] {
        let (status, body) =
            answer(bridge.request(Method::GET, &query("/scim/v2/Users", &[("filter", bad)]))).await;
        assert_eq!(
            (status, text(&body, "/scimType")),
            (400, "invalidFilter"),
            "{bad}"
        );
    }
    // 6.70, 6.22: the same by POST, and a plus sign for a blank.
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": "userName sw \"b\"",
                       "attributes": ["userName"], "sortBy": "userName", "sortOrder": "descending", "count": 1 });
    let (status, list) = answer(with_json(
        bridge.request(Method::POST, "/scim/v2/Users/.search"),
        &body,
    ))
    .await;
    assert_eq!(
        (
            status,
            &list["totalResults"],
            text(&list, "/Resources/0/userName")
        ),
        (200, &json!(2), "boss")
    );
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": "displayName eq \"ops\" or userName eq \"bob\"" });
    let (status, list) = answer(with_json(bridge.request(Method::POST, "/scim/v2/.search"), &body)).await;
    let types: Vec<&str> = list["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| text(one, "/meta/resourceType"))
        .collect();
    assert_eq!((status, types), (200, vec!["User", "Group"]));
    let list = bridge.get("/scim/v2/Users?filter=userName+eq+%22bob%22").await;
    assert_eq!(list["totalResults"], json!(1));
    // 6.4: all types together, by one walk through them; 6.2: nobody is a list too.
    for (filter, count) in [
        ("meta.resourceType eq \"Group\"", 1),
        ("meta.resourceType eq \"User\"", 3),
        ("id pr", 4),
        ("userName eq \"nobody\"", 0),
    ] {
        let mut shown = 0;
        loop {
            let start = (shown + 1).to_string();
            let pairs = [("filter", filter), ("startIndex", start.as_str()), ("count", "3")];
            let (status, list) = answer(bridge.request(Method::GET, &query("/scim/v2", &pairs))).await;
            let page = list["Resources"].as_array().unwrap().len();
            shown += page;
            assert_eq!(status, 200, "{filter}");
            assert_eq!(list["itemsPerPage"], json!(page), "{filter}");
            if shown >= usize::try_from(list["totalResults"].as_u64().unwrap()).unwrap() {
                break;
            }
        }
        assert_eq!(shown, count, "{filter}");
        let list = bridge
            .get(&query("/scim/v2", &[("filter", filter), ("count", "0")]))
            .await;
        assert_eq!(
            (&list["totalResults"], &list["Resources"]),
            (&json!(count), &json!([])),
            "{filter}"
        );
    }
}

#[tokio::test]
async fn rules_6_30_to_6_35_order() {
    let bridge = Bridge::spawn().await;
    for (name, given, emails) in [
        (
            "one",
            Some("béta"),
            json!([{ "value": "z@x.test" }, { "value": "a@x.test", "primary": true }]),
        ),
        ("two", Some("Alpha"), json!([{ "value": "m@x.test" }])),
        ("three", None, json!([])),
        ("four", Some("alpha"), json!([])),
    ] {
        let mut body = json!({ "schemas": [USER], "userName": name, "emails": emails });
        if let Some(given) = given {
            body["name"] = json!({ "givenName": given });
        }
        bridge.post("/scim/v2/Users", &body).await;
    }
    let sorted = async |pairs: &[(&str, &str)]| {
        let mut names = Vec::new();
        for start in ["1", "2", "3", "4"] {
            let pairs = [pairs, &[("startIndex", start), ("count", "1")]].concat();
            let list = bridge.get(&query("/scim/v2/Users", &pairs)).await;
            names.push(text(&list, "/Resources/0/userName").to_owned());
        }
        names
    };
    let by = "name.givenName";
    assert_eq!(sorted(&[("sortBy", by)]).await, ["two", "four", "one", "three"]);
    assert_eq!(
        sorted(&[("sortBy", by), ("sortOrder", "descending")]).await,
        ["three", "one", "four", "two"]
    );
    assert_eq!(sorted(&[("sortBy", "emails")]).await[..2], ["one", "two"]);
    assert_eq!(
        sorted(&[("sortBy", "USERNAME")]).await,
        ["four", "one", "three", "two"]
    );
    assert_eq!(
        sorted(&[("sortBy", "meta.lastModified")]).await,
        ["one", "two", "three", "four"]
    );
    assert_eq!(sorted(&[]).await, ["one", "two", "three", "four"]);
    assert_eq!(
        answer(bridge.request(Method::GET, "/scim/v2/Users?sortBy=nope"))
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn rules_6_40_to_6_45_pages() {
    let bridge = Bridge::spawn().await;
    for number in 0..7 {
        user(&bridge, &format!("u{number}")).await;
    }
    for (pairs, start, shown) in [
        (&[][..], 1, 7),
        (&[("count", "0")], 1, 0),
        (&[("count", "-4")], 1, 0),
        (&[("startIndex", "0"), ("count", "3")], 1, 3),
        (&[("startIndex", "6"), ("count", "3")], 6, 2),
        (&[("startIndex", "8"), ("count", "3")], 8, 0),
        (&[("startIndex", "900000000000")], 900_000_000_000_u64, 0),
        (&[("count", "5000000")], 1, 7),
        (&[("filter", "userName sw \"u\""), ("count", "2")], 1, 2),
    ] {
        let list = bridge.get(&query("/scim/v2/Users", pairs)).await;
        assert_eq!(list["totalResults"], json!(7), "{pairs:?}");
        assert_eq!(
            (&list["startIndex"], &list["itemsPerPage"]),
            (&json!(start), &json!(shown)),
            "{pairs:?}"
        );
        assert_eq!(list["Resources"].as_array().unwrap().len(), shown, "{pairs:?}");
    }
    for bad in [
        "startIndex=x",
        "count=1.5",
        "sortOrder=up",
        "cursor=&startIndex=1",
    ] {
        assert_eq!(
            answer(bridge.request(Method::GET, &format!("/scim/v2/Users?{bad}")))
                .await
                .0,
            400,
            "{bad}"
        );
    }
    // The total follows the log, numbered or not.
    bridge.drain().await;
    assert_eq!(
        bridge.get("/scim/v2/Users?count=0").await["totalResults"],
        json!(7)
    );
    user(&bridge, "u7").await;
    let last = bridge.get(&query("/scim/v2/Users", &[("startIndex", "8")])).await;
    answer(bridge.request(
        Method::DELETE,
        &format!("/scim/v2/Users/{}", text(&last, "/Resources/0/id")),
    ))
    .await;
    assert_eq!(
        bridge.get("/scim/v2/Users?count=0").await["totalResults"],
        json!(7)
    );
}

#[tokio::test]
async fn c31_a_walk_loses_nobody_who_was_there_throughout() {
    let bridge = Bridge::spawn().await;
    for sort in [None, Some("userName")] {
        let mut ids = Vec::new();
        for number in 0..60 {
            ids.push(text(&user(&bridge, &format!("{sort:?}{number:03}")).await, "/id").to_owned());
        }
        let (mut seen, mut start, mut page) = (BTreeSet::new(), 1, 0);
        let mut gone: BTreeSet<String> = BTreeSet::new();
        loop {
            let at = start.to_string();
            let mut pairs = vec![
                ("startIndex", at.as_str()),
                ("count", "7"),
                ("filter", "userName pr"),
            ];
            pairs.extend(sort.map(|by| ("sortBy", by)));
            let list = bridge.get(&query("/scim/v2/Users", &pairs)).await;
            let items = list["Resources"].as_array().unwrap();
            seen.extend(items.iter().map(|one| text(one, "/id").to_owned()));
            start += items.len();
            if items.is_empty() || json!(start).as_u64() > list["totalResults"].as_u64() {
                break;
            }
            // Between two pages some of those already seen are deleted, and others come.
            for id in ids.iter().skip(page * 5).take(3) {
                answer(bridge.request(Method::DELETE, &format!("/scim/v2/Users/{id}"))).await;
                gone.insert(id.clone());
            }
            user(&bridge, &format!("{sort:?}000 new {page}")).await;
            page += 1;
        }
        let lost: Vec<&String> = ids
            .iter()
            .filter(|id| !gone.contains(*id) && !seen.contains(*id))
            .collect();
        assert!(gone.len() > 20 && page > 6, "others came and went");
        assert!(lost.is_empty(), "lost {lost:?} with sort {sort:?}");
        let list = bridge.get("/scim/v2/Users?count=1000").await;
        for one in list["Resources"].as_array().unwrap() {
            answer(bridge.request(Method::DELETE, &format!("/scim/v2/Users/{}", text(one, "/id")))).await;
        }
    }
}

#[tokio::test]
async fn c30_c37_the_number_of_statements_does_not_grow() {
    let database = TestDatabase::create().await;
    let counter = StatementCounter::before(&database.url).await;
    let environment = vec![("DATABASE_URL", counter.url.clone())];
    let settings = Settings {
        environment,
        ..Settings::default()
    };
    let bridge = Bridge::spawn_on(database, settings).await;
    let boss = user(&bridge, "boss").await;
    let mut ids = Vec::new();
    let mut counts: Vec<Vec<(String, u64)>> = Vec::new();
    for round in 0..2 {
        // The second round has 30 users in 10 groups, where the first has 3 in one.
        let (people, groups) = if round == 0 { (3, 1) } else { (27, 9) };
        for number in 0..people {
            let body = json!({ "schemas": [USER], "userName": format!("u{round}-{number}"), "displayName": "Ann",
                               ENTERPRISE: { "manager": { "value": boss["id"] } } });
            ids.push(text(&bridge.post("/scim/v2/Users", &body).await, "/id").to_owned());
        }
        let members: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut ops = Value::Null;
        for number in 0..groups {
            ops = group(&bridge, &format!("Ops {round} {number}"), &members).await;
        }
        let one = format!("/scim/v2/Users/{}", ids[0]);
        let crew = format!("/scim/v2/Groups/{}", text(&ops, "/id"));
        let patch = |operations: Value| json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
        let title = patch(json!([{ "op": "replace", "path": "title", "value": round.to_string() }]));
        let active = patch(json!([{ "op": "replace", "path": "active", "value": round != 0 }]));
        let some: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
        let swap = patch(json!([{ "op": "replace", "path": "members", "value": [some[0]] },
                                { "op": "add", "path": "members", "value": some }, { "op": "replace", "path": "displayName", "value": "x" }]));
        let eq = query(
            "/scim/v2/Users",
            &[("filter", &format!("userName eq \"u{round}-1\""))],
        );
        let address = query(
            "/scim/v2/Users",
            &[("filter", "emails[type eq \"work\" and value eq \"a@x.test\"]")],
        );
        let by_name = query(
            "/scim/v2/Users",
            &[("filter", "displayName eq \"ann\""), ("count", "30")],
        );
        let sent = [
            ("get", Method::GET, one.clone(), None),
            ("look up", Method::GET, eq, None),
            ("look up an address", Method::GET, address, None),
            ("list", Method::GET, "/scim/v2/Users".to_owned(), None),
            ("filter", Method::GET, by_name, None),
            ("groups", Method::GET, "/scim/v2/Groups".to_owned(), None),
            ("patch active", Method::PATCH, one.clone(), Some(active)),
            ("patch title", Method::PATCH, one.clone(), Some(title)),
            ("patch members", Method::PATCH, crew, Some(swap)),
            (
                "create",
                Method::POST,
                "/scim/v2/Users".to_owned(),
                Some(json!({ "schemas": [USER], "userName": format!("n{round}") })),
            ),
            (
                "delete",
                Method::DELETE,
                format!("/scim/v2/Users/{}", ids.pop().unwrap()),
                None,
            ),
        ];
        let mut row = Vec::new();
        for (name, method, path, body) in sent {
            let request = bridge.request(method, &path);
            let request = match &body {
                Some(body) => with_json(request, body),
                None => request,
            };
            let before = counter.executed();
            let (status, answered) = answer(request).await;
            assert!((200..300).contains(&status), "{name}: {answered}");
            row.push((name.to_owned(), counter.executed() - before));
        }
        counts.push(row);
    }
    assert_eq!(counts[0], counts[1], "as many for thirty as for three");
    let of = |name: &str| counts[0].iter().find(|(one, _)| one == name).unwrap().1;
    for (name, most) in [
        ("get", 1),
        ("look up", 1),
        ("look up an address", 1),
        ("create", 1),
        ("patch active", 2),
        ("patch title", 2),
        ("list", 3),
    ] {
        assert!(of(name) <= most, "{name} takes {} statements", of(name));
    }
    bridge.stop().await;
}

/// Covers: rfc 6.16, 6.17, 6.27; client entra
#[tokio::test]
async fn users_are_found_by_their_address_however_many_share_it() {
    let bridge = Bridge::spawn().await;
    let operations: Vec<Value> = (0..120)
        .map(|number| {
            let kind = if number < 3 { "home" } else { "work" };
            json!({ "method": "POST", "path": "/Users", "bulkId": number.to_string(), "data": {
                "schemas": [USER], "userName": format!("u{number}"),
                "emails": [{ "type": kind, "value": "Shared@x.test" }] } })
        })
        .collect();
    let body =
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations });
    bridge.post("/scim/v2/Bulk", &body).await;
    for (filter, total) in [
        ("emails eq \"shared@X.test\"", 120),
        ("emails[type eq \"work\" and value eq \"shared@x.test\"]", 117),
        ("emails[type eq \"home\" and value eq \"shared@x.test\"]", 3),
        ("emails[type eq \"fax\" and value eq \"shared@x.test\"]", 0),
        ("emails.value eq \"other@x.test\"", 0),
    ] {
        let path = query(
            "/scim/v2/Users",
            &[("filter", filter), ("count", "2"), ("startIndex", "2")],
        );
        let (status, list) = answer(bridge.request(Method::GET, &path)).await;
        assert_eq!((status, &list["totalResults"]), (200, &json!(total)), "{filter}");
        let shown = list["Resources"].as_array().unwrap().len();
        assert_eq!(
            shown,
            usize::try_from(total).unwrap().saturating_sub(1).min(2),
            "{filter}"
        );
    }
    bridge.stop().await;
}
