//! What stood at a past instant: random writes, remembered, and rebuilt.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::kit::{Bridge, answer};
use crate::push::{StubApp, command_line, file, patch, publish, scim, user};

/// Random numbers that are the same each time.
struct Dice(u64);

impl Dice {
    /// By SplitMix64.
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap() % below
    }

    fn word(&mut self) -> String {
        ["ash", "birch", "cedar", "elm"][self.roll(4)].to_owned()
    }
}

/// All that stands: users and groups over SCIM, and the states of accounts.
#[derive(Debug, Clone, PartialEq)]
struct Standing {
    users: BTreeMap<String, Value>,
    groups: BTreeMap<String, (Value, BTreeSet<String>)>,
    accounts: BTreeMap<String, Vec<(String, String)>>,
}

/// A resource without what past states leave out.
fn bare(mut resource: Value) -> Value {
    let object = resource.as_object_mut().unwrap();
    for name in ["id", "meta", "externalId", "groups", "members"] {
        object.remove(name);
    }
    resource
}

fn accounts(body: &Value) -> Vec<(String, String)> {
    let found = body["accounts"].as_array().unwrap().iter();
    found
        .map(|account| {
            (
                account["app"].as_str().unwrap().to_owned(),
                account["state"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

async fn standing(bridge: &Bridge, users: &[String], groups: &[String]) -> Standing {
    let mut now = Standing {
        users: BTreeMap::new(),
        groups: BTreeMap::new(),
        accounts: BTreeMap::new(),
    };
    for id in users {
        let (status, body) = answer(bridge.request(Method::GET, &format!("/scim/v2/Users/{id}"))).await;
        if status == 200 {
            now.users.insert(id.clone(), bare(body));
        }
        let (status, body) =
            answer(bridge.request(Method::GET, &format!("/api/v1/users/{id}/provisioning"))).await;
        if status == 200 {
            now.accounts.insert(id.clone(), accounts(&body));
        }
    }
    for id in groups {
        let (status, body) = answer(bridge.request(Method::GET, &format!("/scim/v2/Groups/{id}"))).await;
        if status == 200 {
            let members = body["members"].as_array().cloned().unwrap_or_default();
            let members = members
                .iter()
                .map(|member| member["value"].as_str().unwrap().to_owned());
            now.groups
                .insert(id.clone(), (bare(body.clone()), members.collect()));
        }
    }
    now
}

/// The same, rebuilt from the log.
async fn rebuilt(bridge: &Bridge, at: DateTime<Utc>, users: &[String], groups: &[String]) -> Standing {
    let mut then = Standing {
        users: BTreeMap::new(),
        groups: BTreeMap::new(),
        accounts: BTreeMap::new(),
    };
    let at = at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    for id in users {
        let (status, body) =
            answer(bridge.request(Method::GET, &format!("/api/v1/users/{id}?at={at}"))).await;
        if status == 200 {
            then.users.insert(id.clone(), body["attributes"].clone());
        }
        let body = bridge
            .get(&format!("/api/v1/users/{id}/provisioning?at={at}"))
            .await;
        if !body["accounts"].as_array().unwrap().is_empty() {
            then.accounts.insert(id.clone(), accounts(&body));
        }
    }
    for id in groups {
        let (status, body) =
            answer(bridge.request(Method::GET, &format!("/api/v1/groups/{id}?at={at}"))).await;
        if status == 200 {
            let mut members = BTreeSet::new();
            let mut after = String::new();
            loop {
                let page = bridge
                    .get(&format!("/api/v1/groups/{id}/members?at={at}&limit=2{after}"))
                    .await;
                for member in page["items"].as_array().unwrap() {
                    members.insert(member["id"].as_str().unwrap().to_owned());
                }
                match page["next"].as_str() {
                    Some(next) => after = format!("&after={next}"),
                    None => break,
                }
            }
            then.groups
                .insert(id.clone(), (body["attributes"].clone(), members));
        }
    }
    then
}

/// One random write; ids that it made are added.
async fn write(bridge: &Bridge, dice: &mut Dice, users: &mut Vec<String>, groups: &mut Vec<String>) {
    let one = users[dice.roll(users.len())].clone();
    let group = groups[dice.roll(groups.len())].clone();
    let there = |path: String| async move { answer(bridge.request(Method::GET, &path)).await.0 == 200 };
    let at = format!("/scim/v2/Users/{one}");
    let group_at = format!("/scim/v2/Groups/{group}");
    let (is_user, is_group) = (there(at.clone()).await, there(group_at.clone()).await);
    let word = dice.word();
    match dice.roll(12) {
        0 => {
            let name = format!("u{}@x", users.len());
            users.push(
                user(
                    bridge,
                    &name,
                    &json!({"title": word, "name": {"givenName": word}}),
                )
                .await,
            );
        }
        1 => {
            let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": word,
                              "members": if is_user { json!([{"value": one}]) } else { json!([]) }});
            let made = scim(bridge, Method::POST, "/scim/v2/Groups", &body).await;
            groups.push(made["id"].as_str().unwrap().to_owned());
        }
        2 if is_user && users.len() > 3 => {
            bridge.request(Method::DELETE, &at).send().await.unwrap();
        }
        3 if is_group && groups.len() > 2 => {
            bridge.request(Method::DELETE, &group_at).send().await.unwrap();
        }
        4 if is_group => {
            patch(
                bridge,
                &group_at,
                &json!([{"op": "replace", "path": "displayName", "value": word}]),
            )
            .await;
        }
        5..=6 if is_group && is_user => {
            patch(
                bridge,
                &group_at,
                &json!([{"op": "add", "path": "members", "value": [{"value": one}]}]),
            )
            .await;
        }
        7 if is_group => {
            let path = format!("members[value eq \"{one}\"]");
            patch(bridge, &group_at, &json!([{"op": "remove", "path": path}])).await;
        }
        8 if is_user => {
            let active = dice.roll(2) == 0;
            patch(
                bridge,
                &at,
                &json!([{"op": "replace", "path": "active", "value": active}]),
            )
            .await;
        }
        9 if is_user => {
            patch(bridge, &at, &json!([{"op": "remove", "path": "name.givenName"}])).await;
        }
        10 if is_user => {
            let mails = json!([{"value": format!("{word}@x"), "type": "work"}]);
            patch(
                bridge,
                &at,
                &json!([{"op": "replace", "path": "emails", "value": mails}]),
            )
            .await;
        }
        _ if is_user => {
            let department = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
            let lines = json!([{"op": "replace", "path": "title", "value": word},
                               {"op": "replace", "path": department, "value": dice.word()}]);
            patch(bridge, &at, &lines).await;
        }
        _ => {}
    }
}

/// Random writes, each remembered with what stood after it: then every instant comes back equal, also of users and
/// groups that are gone, and the difference of any two instants is what was remembered of them.
#[tokio::test(flavor = "multi_thread")]
async fn every_instant_is_rebuilt_as_it_was() {
    let (bridge, app) = (Bridge::spawn().await, StubApp::start().await);
    let mut users = vec![user(&bridge, "first@x", &json!({})).await];
    publish(&bridge, &file("app", &app.stub.base_url, &json!({}))).await;
    let crew = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Crew"});
    let made = scim(&bridge, Method::POST, "/scim/v2/Groups", &crew).await;
    let mut groups = vec![made["id"].as_str().unwrap().to_owned()];
    let before_all = bridge.clock.now() - TimeDelta::days(1);
    let mut dice = Dice(20_261_122);
    let mut remembered = Vec::new();
    for _ in 0..60 {
        bridge.clock.advance(TimeDelta::minutes(1));
        write(&bridge, &mut dice, &mut users, &mut groups).await;
        bridge.drain().await;
        remembered.push((bridge.clock.now(), standing(&bridge, &users, &groups).await));
    }
    assert!(users.len() > 2 && groups.len() > 1);
    bridge.clock.advance(TimeDelta::minutes(1));
    for (at, stood) in &remembered {
        let found = rebuilt(&bridge, *at, &users, &groups).await;
        assert_eq!(found, *stood, "at {at}");
    }
    let nothing = rebuilt(&bridge, before_all, &users, &groups).await;
    assert!(nothing.users.is_empty() && nothing.groups.is_empty() && nothing.accounts.is_empty());

    // The difference of two instants, one user at a time.
    let ((from, before), (to, after)) = (&remembered[20], &remembered[50]);
    let at = |instant: &DateTime<Utc>| instant.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    for id in &users {
        let path = format!("/api/v1/users/{id}/diff?from={}&to={}", at(from), at(to));
        let (status, body) = answer(bridge.request(Method::GET, &path)).await;
        let (old, new) = (before.users.get(id), after.users.get(id));
        if old.is_none() && new.is_none() {
            assert_eq!(status, 404, "{body}");
            continue;
        }
        assert_eq!(body["there_before"], old.is_some());
        assert_eq!(body["there_after"], new.is_some());
        let title = |body: Option<&Value>| body.map(|body| body["title"].clone()).unwrap_or_default();
        let empty = Vec::new();
        let changes = body["changes"].as_array().unwrap_or(&empty);
        let line = changes.iter().find(|line| line["path"] == "title");
        match (title(old), title(new)) {
            (old, new) if old == new => assert!(line.is_none(), "{body}"),
            (old, new) => {
                let line = line.unwrap();
                let side = |name: &str| line.get(name).cloned().unwrap_or_default();
                assert_eq!((side("before"), side("after")), (old, new));
            }
        }
        let moved: Vec<&Value> = body["accounts"].as_array().unwrap().iter().collect();
        let same = before.accounts.get(id) == after.accounts.get(id);
        assert_eq!(moved.is_empty(), same, "{body}");
    }
    for id in &groups {
        let (Some((_, old)), Some((_, new))) = (before.groups.get(id), after.groups.get(id)) else {
            continue;
        };
        let path = format!("/api/v1/groups/{id}/diff?from={}&to={}", at(from), at(to));
        let moved = bridge.get(&path).await["members"].clone();
        let ids = |side: &str| -> BTreeSet<String> {
            let list = moved[side].as_array().unwrap().iter();
            list.map(|id| id.as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(ids("added"), new.difference(old).cloned().collect());
        assert_eq!(ids("removed"), old.difference(new).cloned().collect());
    }

    // The same from the command line.
    let there = users.iter().find(|id| after.users.contains_key(*id)).unwrap();
    let shown = command_line::json_of(&bridge, &["user", "show", there, "--at", &at(to), "--json"]).await;
    assert_eq!(shown["attributes"], after.users[there]);
    let arguments = [
        "user",
        "diff",
        there,
        "--from",
        &at(from),
        "--to",
        &at(to),
        "--json",
    ];
    let shown = command_line::json_of(&bridge, &arguments).await;
    assert_eq!(shown["there_after"], true);
}

/// Another tenant sees nothing of it, and what is written a hundred times costs no more statements.
#[tokio::test]
async fn the_past_is_the_tenants_own() {
    let bridge = Bridge::spawn().await;
    let id = user(&bridge, "anna@x", &json!({"title": "CFO"})).await;
    let other = bridge.make_tenant("other").await;
    let token = bridge
        .make_token(other, "t", &scim_bridge::access::Scope::ALL)
        .await;
    let at = bridge
        .clock
        .now()
        .to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    for path in [
        format!("/api/v1/users/{id}?at={at}"),
        format!("/api/v1/users/{id}/diff?from={at}"),
        format!("/api/v1/groups/{id}?at={at}"),
        format!("/api/v1/users/{id}/explain"),
    ] {
        let (status, body) = answer(bridge.request_as(&token, Method::GET, &path)).await;
        assert_eq!(status, 404, "{path} {body}");
    }
    let refused = answer(bridge.request(Method::GET, &format!("/api/v1/users/{id}?at=yesterday"))).await;
    assert_eq!(refused.0, 400);
    let _: Map<String, Value> = refused.1.as_object().unwrap().clone();
}
