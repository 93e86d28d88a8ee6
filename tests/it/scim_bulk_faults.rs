//! Bulk when its client or its server dies in the middle of it, and what it costs.
//!
//! Each operation is committed for itself, and what has begun goes on without its client. Whoever got no answer sends the whole again: what was made meanwhile is told
//! by its conflict, and what is repeated without harm (members, values) changes nothing.

use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::kit::{Bridge, Settings, StatementCounter, TestDatabase, answer, client, http_client, with_json};
use crate::schemas::DEVICES_FILE;
use crate::scim_resource::{group, text, user};
use crate::sync_process::Program;

const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// Users, then a group of them, then members for a group that is there, then more users.
fn operations(crew: &str, members: &[&str]) -> Vec<Value> {
    let make = |name: &str| json!({ "method": "POST", "path": "/Users", "bulkId": name, "data": { "schemas": [USER], "userName": name } });
    let mut all: Vec<Value> = (0..20).map(|number| make(&format!("first-{number}"))).collect();
    let whole: Vec<Value> = (0..20)
        .map(|number| json!({ "value": format!("bulkId:first-{number}") }))
        .collect();
    all.push(json!({ "method": "POST", "path": "/Groups", "bulkId": "all",
                     "data": { "schemas": [GROUP], "displayName": "all", "members": whole } }));
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    let add = json!([{ "op": "replace", "path": "displayName", "value": "crew of two" },
                     { "op": "add", "path": "members", "value": members }]);
    all.push(json!({ "method": "PATCH", "path": format!("/Groups/{crew}"),
                     "data": { "schemas": [PATCH_OP], "Operations": add } }));
    all.extend((0..20).map(|number| make(&format!("last-{number}"))));
    all
}

/// Keeps the second member from being touched, so that the PATCH waits with half of its statements done.
async fn hold(rows: &Client, member: &str) {
    let sql = format!("BEGIN; SELECT FROM resource WHERE id = '{member}' FOR UPDATE");
    rows.batch_execute(&sql).await.unwrap();
}

async fn count(rows: &Client, sql: &str) -> i64 {
    rows.query_one(sql, &[]).await.unwrap().get(0)
}

/// Waits until a count is what it should be.
async fn until(rows: &Client, sql: &str, expected: i64) {
    for _ in 0..600 {
        if count(rows, sql).await == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{sql} stays {}, not {expected}", count(rows, sql).await);
}

const WAITING: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND wait_event_type = 'Lock'";
const UNDER_WAY: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL";

/// Every resource has what was written with it: its keys, and a change for each of its versions.
async fn is_whole(rows: &Client) {
    let torn = "SELECT count(*) FROM resource r WHERE NOT EXISTS (
            SELECT FROM resource_key k WHERE k.tenant_id = r.tenant_id AND k.id = r.id)
        OR r.version <> (SELECT count(*) FROM change c WHERE c.tenant_id = r.tenant_id AND c.resource_id = r.id)
        OR r.last_modified <> (SELECT c.at FROM change c WHERE c.tenant_id = r.tenant_id AND c.resource_id = r.id
                               ORDER BY c.id DESC LIMIT 1)";
    assert_eq!(count(rows, torn).await, 0);
    // The PATCH of the group took effect in both of its parts, or in none.
    let crew = "SELECT count(*) FROM (SELECT body->>'displayName' AS name,
            (SELECT count(*) FROM membership m WHERE m.group_id = r.id) AS members FROM resource r) g
        WHERE (name = 'crew' AND members = 0) OR (name = 'crew of two' AND members = 2)";
    assert_eq!(count(rows, crew).await, 1);
    let all = "SELECT count(*) FROM resource r JOIN membership m ON m.group_id = r.id WHERE body->>'displayName' = 'all'";
    assert!([0, 20].contains(&count(rows, all).await));
}

/// What was done is a conflict or nothing new, what was not done is done now.
fn is_explained(results: &Value, done_before: usize) {
    let results = results["Operations"].as_array().unwrap();
    assert_eq!(results.len(), 42);
    for (at, result) in results.iter().enumerate() {
        let status = text(result, "/status");
        let expected: &[&str] = match at {
            // It refers to users that this Bulk did not make.
            20 => &["400", "409"],
            21 => &["200"],
            _ if at < done_before => &["409"],
            _ => &["201"],
        };
        assert!(expected.contains(&status), "{at}: {result}");
        if status == "409" && at != 20 {
            assert_eq!(result["response"]["scimType"], "uniqueness");
        }
    }
}

/// Covers: rfc 7.1; item 6
#[tokio::test]
async fn a_client_that_goes_away_in_the_middle_leaves_whole_operations_behind() {
    let bridge = Bridge::spawn().await;
    let (ann, bob) = (user(&bridge, "ann").await, user(&bridge, "bob").await);
    let members = [text(&ann, "/id"), text(&bob, "/id")];
    let crew = group(&bridge, "crew", &[]).await;
    let body = json!({ "schemas": [BULK], "Operations": operations(text(&crew, "/id"), &members) });
    let (locker, rows) = (bridge.rows().await, bridge.rows().await);
    hold(&locker, members[1]).await;

    let payload = body.to_string();
    let head = format!(
        "POST /scim/v2/Bulk HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/scim+json\r\n\
         Content-Length: {}\r\n\r\n",
        bridge.token,
        payload.len()
    );
    let mut stream = TcpStream::connect(bridge.app.address).unwrap();
    stream.write_all(format!("{head}{payload}").as_bytes()).unwrap();
    until(&rows, WAITING, 1).await;
    stream.shutdown(Shutdown::Both).unwrap();
    drop(stream);
    locker.batch_execute("ROLLBACK").await.unwrap();
    // What has begun is carried out to its end, whether somebody waits for the answer or not.
    let made = "SELECT count(*) FROM resource WHERE user_name LIKE 'first-%' OR user_name LIKE 'last-%'";
    until(&rows, made, 40).await;
    until(&rows, UNDER_WAY, 0).await;
    is_whole(&rows).await;

    // Every connection to the database serves as before.
    for _ in 0..40 {
        let page = bridge.get("/scim/v2/Users?count=0").await;
        assert_eq!(page["totalResults"], 42);
    }
    let answered = bridge.post("/scim/v2/Bulk", &body).await;
    is_explained(&answered, 42);
    is_whole(&rows).await;
    assert_eq!(count(&rows, made).await, 40);
}

/// Covers: rfc 7.1; item 6
#[tokio::test]
async fn a_server_killed_in_the_middle_leaves_whole_operations_behind() {
    let mut program = Program::new().await;
    let scopes = "scim:read,scim:write";
    let arguments = [
        "token", "create", "--tenant", "acme", "--name", "b", "--scope", scopes,
    ];
    program.token = program.run(&arguments).await.out.trim().to_owned();
    let mut server = program.serve().await;
    let (port, token) = (program.port, program.token.clone());
    let send = async |path: &str, body: &Value| {
        let url = format!("http://127.0.0.1:{port}/scim/v2{path}");
        let request = http_client().request(Method::POST, url).bearer_auth(&token);
        with_json(request, body).send().await
    };
    let make = async |path: &str, body: Value| -> String {
        let made: Value =
            serde_json::from_slice(&send(path, &body).await.unwrap().bytes().await.unwrap()).unwrap();
        text(&made, "/id").to_owned()
    };
    let ann = make("/Users", json!({ "schemas": [USER], "userName": "ann" })).await;
    let bob = make("/Users", json!({ "schemas": [USER], "userName": "bob" })).await;
    let crew = make("/Groups", json!({ "schemas": [GROUP], "displayName": "crew" })).await;
    let body = json!({ "schemas": [BULK], "Operations": operations(&crew, &[&ann, &bob]) });
    let (locker, rows) = (
        client(&program.database.url).await,
        client(&program.database.url).await,
    );
    hold(&locker, &bob).await;
    let (sent, ()) = tokio::join!(send("/Bulk", &body), async {
        until(&rows, WAITING, 1).await;
        server.kill().await.unwrap();
    });
    assert!(sent.is_err(), "nobody answers");
    locker.batch_execute("ROLLBACK").await.unwrap();
    until(&rows, UNDER_WAY, 0).await;
    is_whole(&rows).await;
    let made = "SELECT count(*) FROM resource WHERE user_name LIKE 'first-%' OR user_name LIKE 'last-%'";
    assert_eq!(
        count(&rows, made).await,
        20,
        "what came before the PATCH, and nothing behind it"
    );

    server = program.serve().await;
    let answered = send("/Bulk", &body).await.unwrap();
    assert_eq!(answered.status(), 200);
    is_explained(
        &serde_json::from_slice(&answered.bytes().await.unwrap()).unwrap(),
        20,
    );
    is_whole(&rows).await;
    assert_eq!(count(&rows, made).await, 40);
    server.kill().await.unwrap();
}

/// Covers: rfc 7.3, 7.6, 10.6; item 2, item 6
#[tokio::test]
async fn a_resource_type_of_ones_own_takes_part() {
    let bridge = Bridge::spawn().await;
    bridge
        .post("/api/v1/schemas", &crate::schemas::document(DEVICES_FILE))
        .await;
    let device = |bulk_id: &str, serial: &str| {
        json!({ "method": "POST", "path": "/Devices", "bulkId": bulk_id,
                "data": { "schemas": [crate::schemas::DEVICE], "serialNumber": serial, "displayName": "M1" } })
    };
    let body =
        json!({ "schemas": [BULK], "Operations": [device("a", "S-1"), device("b", "S-2"), device("c", "")] });
    let made = bridge.post("/scim/v2/Bulk", &body).await;
    let statuses = |answer: &Value| -> Vec<String> {
        let all = answer["Operations"].as_array().unwrap();
        all.iter().map(|one| text(one, "/status").to_owned()).collect()
    };
    assert_eq!(statuses(&made), ["201", "201", "400"], "{made}");
    let path = |at: usize| {
        let location = text(&made["Operations"][at], "/location");
        location.split_once("/scim/v2").unwrap().1.to_owned()
    };
    assert!(path(0).starts_with("/Devices/"));
    let title = json!({ "schemas": [PATCH_OP], "Operations": [{ "op": "replace", "path": "displayName", "value": "M2" }] });
    let body = json!({ "schemas": [BULK], "Operations": [
        { "method": "PATCH", "path": path(0), "data": title, "version": made["Operations"][0]["version"] },
        { "method": "PATCH", "path": path(0), "data": title, "version": "W/\"9\"" },
        { "method": "PUT", "path": path(1), "data": { "schemas": [crate::schemas::DEVICE], "serialNumber": "S-3", "displayName": "M3" } },
        { "method": "DELETE", "path": path(1) },
        { "method": "DELETE", "path": path(1) },
        { "method": "PATCH", "path": path(0).replace("Devices", "Users"), "data": title },
    ]});
    let changed = bridge.post("/scim/v2/Bulk", &body).await;
    assert_eq!(
        statuses(&changed),
        ["200", "412", "200", "204", "404", "404"],
        "{changed}"
    );
    assert_eq!(
        bridge.get(&format!("/scim/v2{}", path(0))).await["displayName"],
        "M2"
    );
    assert_eq!(bridge.get("/scim/v2/Devices").await["totalResults"], 1);
}

/// Covers: rfc 7.6; C37; item 6, item 10
#[tokio::test]
async fn each_operation_costs_the_same_however_many_there_are() {
    let database = TestDatabase::create().await;
    let counter = StatementCounter::before(&database.url).await;
    let environment = vec![("DATABASE_URL", counter.url.clone())];
    let bridge = Bridge::spawn_on(
        database,
        Settings {
            environment,
            ..Settings::default()
        },
    )
    .await;
    let crew = group(&bridge, "crew", &[]).await;
    let mut costs = Vec::new();
    for (round, many) in [10, 200].into_iter().enumerate() {
        let name = |number: usize| format!("u-{round}-{number}");
        let of = |operations: Vec<Value>| json!({ "schemas": [BULK], "Operations": operations });
        let title = json!({ "schemas": [PATCH_OP], "Operations": [{ "op": "replace", "path": "title", "value": "x" }] });
        let creates = (0..many).map(|number| {
            json!({ "method": "POST", "path": "/Users", "bulkId": name(number),
                    "data": { "schemas": [USER], "userName": name(number) } })
        });
        let mut row = Vec::new();
        let mut run = async |what: &'static str, body: Value| {
            // So that the token need not be looked up again.
            answer(bridge.request(Method::GET, "/scim/v2/Users?count=0")).await;
            let before = counter.executed();
            let answered = bridge.post("/scim/v2/Bulk", &body).await;
            let executed = counter.executed() - before;
            let results = answered["Operations"].as_array().unwrap().clone();
            assert!(
                results.iter().all(|one| text(one, "/status").starts_with('2')),
                "{what}: {answered}"
            );
            row.push((what, executed.div_ceil(u64::try_from(many).unwrap())));
            results
        };
        let made = run("POST", of(creates.collect())).await;
        let ids: Vec<&str> = made
            .iter()
            .map(|one| text(one, "/location").rsplit_once('/').unwrap().1)
            .collect();
        let each = |make: &dyn Fn(&str) -> Value| of(ids.iter().map(|id| make(id)).collect());
        run(
            "PATCH",
            each(&|id| json!({ "method": "PATCH", "path": format!("/Users/{id}"), "data": title })),
        )
        .await;
        let put = |id: &str| {
            json!({ "method": "PUT", "path": format!("/Users/{id}"),
                    "data": { "schemas": [USER], "userName": format!("p-{id}") } })
        };
        run("PUT", each(&put)).await;
        let enter = |id: &str| {
            let operation = json!({ "op": "add", "path": "members", "value": [{ "value": id }] });
            json!({ "method": "PATCH", "path": format!("/Groups/{}", text(&crew, "/id")),
                    "data": { "schemas": [PATCH_OP], "Operations": [operation] } })
        };
        run("member", each(&enter)).await;
        run(
            "DELETE",
            each(&|id| json!({ "method": "DELETE", "path": format!("/Users/{id}") })),
        )
        .await;
        costs.push(row);
    }
    assert_eq!(
        costs[0], costs[1],
        "for each of two hundred what it is for each of ten"
    );
    for (what, most) in [
        ("POST", 1),
        ("PATCH", 2),
        ("PUT", 2),
        ("member", 2),
        ("DELETE", 13),
    ] {
        let (_, cost) = costs[0].iter().find(|(one, _)| *one == what).unwrap();
        assert!(*cost <= most, "{what} takes {cost} statements");
    }
    bridge.stop().await;
}
