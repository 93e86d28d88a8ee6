//! Pushing to SCIM servers that others wrote, until every account is in sync: `scim2-server` (Python) and
//! `scimmy-routers` (Node). `make tools` installs them; where one is missing, the test says so.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{ENTERPRISE, file, patch, publish, scim, state, user};
use crate::kit::{Bridge, answer, http_client, left_out};

/// A server of others; ends with the test.
struct Judge {
    base_url: String,
    child: Child,
}

impl Drop for Judge {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn judges() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/judges")
}

/// `scim2-server` of PyPI.
async fn scim2_server() -> Option<Judge> {
    let program = judges().join("python/bin/scim2-server");
    if !program.exists() {
        left_out("scim2-server is not installed; `make tools` installs it where python3 and pip are");
        return None;
    }
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let child = Command::new(program)
        .args(["--port", &port.to_string(), "--bearer-token", "t0ken"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let judge = Judge {
        base_url: format!("http://127.0.0.1:{port}/v2"),
        child,
    };
    answers(&judge).await;
    Some(judge)
}

/// `scimmy-routers` of npm, with resources in memory.
async fn scimmy() -> Option<Judge> {
    let is_there = judges().join("node_modules/scimmy-routers").exists()
        && Command::new("node")
            .arg("--version")
            .output()
            .is_ok_and(|output| output.status.success());
    if !is_there {
        left_out("scimmy-routers is not installed; `make tools` installs it where node and npm are");
        return None;
    }
    // Node looks for packages beside the script.
    let script = judges().join("scimmy.mjs");
    std::fs::write(&script, include_str!("../../judges/scimmy.mjs")).unwrap();
    let mut child = Command::new("node")
        .arg(script)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut port)
        .unwrap();
    let judge = Judge {
        base_url: format!("http://127.0.0.1:{}/scim/v2", port.trim()),
        child,
    };
    answers(&judge).await;
    Some(judge)
}

async fn answers(judge: &Judge) {
    for _ in 0..200 {
        let asked = http_client()
            .get(format!("{}/ServiceProviderConfig", judge.base_url))
            .bearer_auth("t0ken");
        if asked
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the server of others does not answer");
}

/// What the server of others holds of our accounts, read one by one: scimmy-routers lists only its first twenty
/// resources, whatever page is asked for.
async fn all(bridge: &Bridge, judge: &Judge, kind: &str) -> Vec<Value> {
    let accounts = bridge.get("/api/v1/apps/judge/accounts?limit=1000").await;
    let mut found = Vec::new();
    for account in accounts["items"].as_array().unwrap() {
        if account["kind"] == kind {
            let id = account["remote_id"].as_str().unwrap();
            let asked = http_client()
                .get(format!("{}/{kind}s/{id}", judge.base_url))
                .bearer_auth("t0ken");
            let (status, resource) = answer(asked).await;
            assert_eq!(status, 200, "{resource}");
            found.push(resource);
        }
    }
    found
}

/// People of a company: who reports to whom, who is in which department.
async fn company(bridge: &Bridge, people: usize) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for number in 0..people {
        let mut more = json!({
            "title": format!("Title {number}"), "displayName": format!("Zoë {number}"),
            "name": {"givenName": "Zoë", "familyName": format!("Ångström {number}")},
            "emails": [{"value": format!("u{number}@acme.example"), "type": "work", "primary": true}],
            "phoneNumbers": [{"value": format!("+49 30 {number}"), "type": "work"}],
            ENTERPRISE: {"employeeNumber": number.to_string(), "department": format!("Department {}", number % 4)}
        });
        if number > 0 {
            more[ENTERPRISE]["manager"] = json!({"value": ids[(number - 1) / 5]});
        }
        ids.push(user(bridge, &format!("u{number}@acme.example"), &more).await);
    }
    for department in 0..4_usize {
        let members: Vec<Value> = ids
            .iter()
            .skip(department)
            .step_by(4)
            .map(|id| json!({"value": id}))
            .collect();
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": format!("Department {department}"), "members": members
        });
        scim(bridge, Method::POST, "/scim/v2/Groups", &body).await;
    }
    ids
}

async fn push_to(judge: &Judge) {
    let bridge = Bridge::spawn().await;
    let ids = company(&bridge, 50).await;
    let groups = json!({"groups": {"push": true, "member_batch": 5}});
    publish(&bridge, &file("judge", &judge.base_url, &groups)).await;
    bridge.drain().await;
    let refused = bridge.get("/api/v1/operations?state=refused").await;
    let status = bridge.get("/api/v1/status").await;
    assert_eq!(status["apps"][0]["counts"], json!({"in_sync": 54}), "{refused:#}");
    let users = all(&bridge, judge, "User").await;
    assert_eq!(users.len(), 50);
    let theirs = |id: &str| {
        users
            .iter()
            .find(|user| user["externalId"] == *id)
            .unwrap_or_else(|| panic!("no {id}"))
    };
    for (number, id) in ids.iter().enumerate() {
        let user = theirs(id);
        assert_eq!(user["userName"], format!("u{number}@acme.example"));
        assert_eq!(user["name"]["familyName"], format!("Ångström {number}"));
        assert_eq!(user[ENTERPRISE]["employeeNumber"], number.to_string());
        if number > 0 {
            assert_eq!(
                user[ENTERPRISE]["manager"]["value"],
                theirs(&ids[(number - 1) / 5])["id"]
            );
        }
    }
    let groups = all(&bridge, judge, "Group").await;
    assert_eq!(groups.len(), 4);
    for (department, expected) in [13, 13, 12, 12].into_iter().enumerate() {
        let name = format!("Department {department}");
        let group = groups.iter().find(|group| group["displayName"] == name).unwrap();
        let mut members: Vec<&str> = group["members"]
            .as_array()
            .unwrap()
            .iter()
            .map(|member| member["value"].as_str().unwrap())
            .collect();
        let mut wanted: Vec<&str> = ids
            .iter()
            .skip(department)
            .step_by(4)
            .map(|id| theirs(id)["id"].as_str().unwrap())
            .collect();
        members.sort_unstable();
        wanted.sort_unstable();
        assert_eq!((members.len(), &members), (expected, &wanted));
    }
    a_day(&bridge, judge, &ids).await;
}

/// A mover with a new manager, a leaver, a rename, a member out: exactly these calls.
async fn a_day(bridge: &Bridge, judge: &Judge, ids: &[String]) {
    let before = bridge.count("SELECT count(*) FROM operation").await;
    let mover = json!([
        {"op": "replace", "path": "title", "value": "Head"},
        {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "new@acme.example"},
        {"op": "replace", "path": format!("{ENTERPRISE}:manager.value"), "value": ids[1]}
    ]);
    patch(bridge, &format!("/scim/v2/Users/{}", ids[40]), &mover).await;
    patch(
        bridge,
        &format!("/scim/v2/Users/{}", ids[49]),
        &json!([{"op": "replace", "path": "active", "value": false}]),
    )
    .await;
    let groups = bridge
        .get("/scim/v2/Groups?filter=displayName%20eq%20%22Department%201%22")
        .await;
    let group = groups["Resources"][0]["id"].as_str().unwrap().to_owned();
    let change = json!([
        {"op": "replace", "path": "displayName", "value": "Department One"},
        {"op": "remove", "path": format!("members[value eq \"{}\"]", ids[1])}
    ]);
    patch(bridge, &format!("/scim/v2/Groups/{group}"), &change).await;
    bridge.drain().await;
    let refused = bridge.get("/api/v1/operations?state=refused").await;
    assert_eq!(refused["items"], json!([]));
    assert_eq!(state(bridge, &ids[49]).await, "disabled");
    assert_eq!(bridge.count("SELECT count(*) FROM operation").await - before, 4);
    let users = all(bridge, judge, "User").await;
    let theirs = |id: &str| users.iter().find(|user| user["externalId"] == *id).unwrap();
    assert_eq!(theirs(&ids[40])["title"], "Head");
    assert_eq!(theirs(&ids[40])["emails"][0]["value"], "new@acme.example");
    assert_eq!(
        theirs(&ids[40])[ENTERPRISE]["manager"]["value"],
        theirs(&ids[1])["id"]
    );
    assert_eq!(theirs(&ids[49])["active"], false);
    let groups = all(bridge, judge, "Group").await;
    let group = groups
        .iter()
        .find(|group| group["displayName"] == "Department One")
        .unwrap();
    assert_eq!(group["members"].as_array().unwrap().len(), 12);
}

#[tokio::test]
async fn scim2_server_ends_up_with_everybody_their_managers_and_groups() {
    if let Some(judge) = scim2_server().await {
        push_to(&judge).await;
    }
}

#[tokio::test]
async fn scimmy_ends_up_with_everybody_their_managers_and_groups() {
    if let Some(judge) = scimmy().await {
        push_to(&judge).await;
    }
}
