//! Push: what apps are sent. A stub is the app; what it was sent is what is asserted.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Answer, Bridge, Received, Stub, answer, with_json};

mod addresses;
mod bulk;
mod caps;
pub mod command_line;
mod counterparts;
mod externals;
mod faults;
mod group_drift;
mod groups;
mod holds;
mod hooks;
mod judges;
mod killed;
mod modes;
mod own_attributes;
mod policies;
mod predict;
mod publication;
mod queue;
mod reconcile;
mod removals;
mod second_tenant;
mod settings;
mod stuck;
mod users;

/// A stub that keeps users and groups as an app does.
pub(crate) struct StubApp {
    pub(crate) stub: Stub,
    held: Arc<Mutex<Held>>,
}

#[derive(Default)]
struct Held {
    next: u32,
    /// `/Users/7` → resource.
    resources: BTreeMap<String, Value>,
    /// By endpoint and folded name: the path of who was last called so.
    names: HashMap<String, String>,
    no_patch: bool,
}

fn key_of(endpoint: &str, resource: &Value) -> String {
    let name = resource["userName"].as_str().or(resource["displayName"].as_str());
    format!("{endpoint} {}", name.unwrap_or_default().to_lowercase())
}

impl StubApp {
    pub(crate) async fn start() -> Self {
        let stub = Stub::start().await;
        let held = Arc::new(Mutex::new(Held::default()));
        let shared = Arc::clone(&held);
        stub.rule(move |request| Some(shared.lock().unwrap().respond(request)));
        Self { stub, held }
    }

    /// Puts an account there, as if it had been there for ever.
    pub(crate) fn has(&self, endpoint: &str, resource: &Value) -> String {
        let mut held = self.held.lock().unwrap();
        held.create(endpoint, resource.clone())["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// What it answers to whoever asks for the first hundred users.
    fn first_page(&self) -> Answer {
        let all = self.all("Users");
        let page: Vec<&Value> = all.iter().take(100).collect();
        Answer::json(200, &json!({"totalResults": all.len(), "Resources": page}))
    }

    fn get(&self, path: &str) -> Value {
        self.held
            .lock()
            .unwrap()
            .resources
            .get(path)
            .cloned()
            .unwrap_or_default()
    }

    pub(crate) fn all(&self, endpoint: &str) -> Vec<Value> {
        let prefix = format!("/{endpoint}/");
        let held = self.held.lock().unwrap();
        held.resources
            .iter()
            .filter(|(path, _)| path.starts_with(&prefix))
            .map(|(_, value)| value.clone())
            .collect()
    }

    pub(crate) fn named(&self, name: &str) -> Value {
        self.all("Users")
            .into_iter()
            .chain(self.all("Groups"))
            .find(|resource| resource["userName"] == *name || resource["displayName"] == *name)
            .unwrap_or_default()
    }

    /// What changes the app since this was last asked: method, path, body.
    pub(crate) fn mutations(&self) -> Vec<String> {
        self.stub
            .take_received()
            .iter()
            .filter(|request| request.method != "GET")
            .map(|request| {
                let mut body = request.json();
                if let Some(body) = body.as_object_mut() {
                    body.remove("schemas");
                }
                let body = if body.is_null() {
                    String::new()
                } else {
                    format!(" {body}")
                };
                format!("{} {}{body}", request.method, request.path)
            })
            .collect()
    }
}

impl Held {
    fn create(&mut self, endpoint: &str, mut resource: Value) -> Value {
        self.next += 1;
        let id = format!("a{}", self.next);
        resource["id"] = json!(id);
        let path = format!("/{endpoint}/{id}");
        self.names.insert(key_of(endpoint, &resource), path.clone());
        self.resources.insert(path, resource.clone());
        resource
    }

    fn respond(&mut self, request: &Received) -> Answer {
        let endpoint = request.path.split('/').nth(1).unwrap_or_default().to_owned();
        let is_list = request.path.matches('/').count() == 1;
        match (request.method.as_str(), is_list) {
            ("GET", true) if endpoint == "ServiceProviderConfig" => Answer::json(
                200,
                &json!({"patch": {"supported": !self.no_patch}, "filter": {"supported": true}}),
            ),
            ("GET", true) => self.list(&endpoint, request),
            ("POST", true) => {
                let new = request.json();
                let key = key_of(&endpoint, &new);
                let holder = self.names.get(&key).and_then(|path| self.resources.get(path));
                if holder.is_some_and(|holder| key_of(&endpoint, holder) == key) {
                    return Answer::json(409, &json!({"detail": "taken", "scimType": "uniqueness"}));
                }
                Answer::json(201, &self.create(&endpoint, new))
            }
            (method, false) => self.one(method, request),
            _ => Answer::status(405),
        }
    }

    fn list(&self, endpoint: &str, request: &Received) -> Answer {
        let prefix = format!("/{endpoint}/");
        let mut found: Vec<&Value> = self
            .resources
            .iter()
            .filter(|(path, _)| path.starts_with(&prefix))
            .map(|(_, value)| value)
            .collect();
        if let Some(filter) = request.param("filter") {
            let (path, wanted) = filter.split_once(" eq ").unwrap();
            let wanted: String = serde_json::from_str(wanted).unwrap();
            found.retain(|resource| match path {
                "emails.value" => resource["emails"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|email| email["value"] == wanted),
                path => path
                    .rsplit_once(':')
                    .map_or(&resource[path], |(urn, attribute)| &resource[urn][attribute])
                    .as_str()
                    .is_some_and(|value| value.eq_ignore_ascii_case(&wanted)),
            });
        }
        let start: usize = request
            .param("startIndex")
            .and_then(|text| text.parse().ok())
            .unwrap_or(1);
        let count: usize = request
            .param("count")
            .and_then(|text| text.parse().ok())
            .unwrap_or(100);
        let page: Vec<&Value> = found.iter().skip(start - 1).take(count).copied().collect();
        Answer::json(200, &json!({"totalResults": found.len(), "Resources": page}))
    }

    fn one(&mut self, method: &str, request: &Received) -> Answer {
        let answer = self.changed(method, request);
        if let (Some(resource), Some(endpoint)) =
            (self.resources.get(&request.path), request.path.split('/').nth(1))
        {
            self.names
                .insert(key_of(endpoint, resource), request.path.clone());
        }
        answer
    }

    fn changed(&mut self, method: &str, request: &Received) -> Answer {
        let no_patch = self.no_patch;
        let Some(resource) = self.resources.get_mut(&request.path) else {
            return Answer::json(404, &json!({"detail": "no such resource"}));
        };
        match method {
            "GET" => Answer::json(200, resource),
            "PUT" => {
                *resource = request.json();
                Answer::json(200, resource)
            }
            "PATCH" if no_patch => Answer::status(501),
            "PATCH" => {
                let body = request.json();
                for operation in body["Operations"].as_array().unwrap() {
                    apply(resource, operation);
                }
                Answer::json(200, resource)
            }
            "DELETE" => {
                self.resources.remove(&request.path);
                Answer::status(204)
            }
            _ => Answer::status(405),
        }
    }
}

/// As much of PATCH as is sent here.
fn apply(resource: &mut Value, operation: &Value) {
    let path = operation["path"].as_str().unwrap();
    let value = operation["value"].clone();
    if let Some(remote) = path
        .strip_prefix("members[value eq \"")
        .and_then(|rest| rest.strip_suffix("\"]"))
    {
        resource["members"]
            .as_array_mut()
            .unwrap()
            .retain(|member| member["value"] != remote);
    } else if path == "members" {
        if !resource["members"].is_array() {
            resource["members"] = json!([]);
        }
        let members = resource["members"].as_array_mut().unwrap();
        for member in value.as_array().unwrap() {
            if !members.contains(member) {
                members.push(member.clone());
            }
        }
    } else if operation["op"] == "remove" {
        resource.as_object_mut().unwrap().remove(path);
    } else if let Some((urn, attribute)) = path.rsplit_once(':') {
        match attribute.split_once('.') {
            Some((attribute, part)) => resource[urn][attribute][part] = value,
            None => resource[urn][attribute] = value,
        }
    } else if let Some((attribute, part)) = path
        .split_once('.')
        .filter(|(attribute, _)| !attribute.contains('['))
    {
        resource[attribute][part] = value;
    } else if let Some((attribute, _)) = path.split_once('[') {
        resource[attribute][0]["value"] = value;
    } else {
        resource[path] = value;
    }
}

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// An app file as JSON, live unless `more` says otherwise.
pub(crate) fn file(name: &str, base_url: &str, more: &Value) -> Value {
    let mut file = json!({"name": name, "base_url": base_url, "token": "t0ken", "mode": "live"});
    file.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    file
}

/// Applies and publishes an app; panics unless it is in force at once.
pub(crate) async fn publish(bridge: &Bridge, file: &Value) {
    let (status, body) = try_publish(bridge, file).await;
    assert_eq!(status, 200, "{body}");
}

pub(crate) async fn try_publish(bridge: &Bridge, file: &Value) -> (u16, Value) {
    let path = format!("/api/v1/apps/{}", file["name"].as_str().unwrap());
    let applied = answer(with_json(bridge.request(Method::PUT, &path), file)).await;
    assert_eq!(applied.0, 200, "{}", applied.1);
    answer(with_json(
        bridge.request(Method::POST, &format!("{path}/publish")),
        &json!({}),
    ))
    .await
}

async fn try_apply(bridge: &Bridge, file: &Value) -> (u16, Value) {
    let path = format!("/api/v1/apps/{}", file["name"].as_str().unwrap());
    answer(with_json(bridge.request(Method::PUT, &path), file)).await
}

/// Makes a user over SCIM; its id.
pub(crate) async fn user(bridge: &Bridge, name: &str, more: &Value) -> String {
    let mut body =
        json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name, "active": true});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let made = scim(bridge, Method::POST, "/scim/v2/Users", &body).await;
    made["id"].as_str().unwrap().to_owned()
}

pub(crate) async fn scim(bridge: &Bridge, method: Method, path: &str, body: &Value) -> Value {
    let request = bridge
        .request(method, path)
        .header("content-type", "application/scim+json")
        .body(body.to_string());
    let (status, body) = answer(request).await;
    assert!((200..300).contains(&status), "{status} {body}");
    body
}

pub(crate) async fn patch(bridge: &Bridge, path: &str, operations: &Value) {
    let body =
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
    scim(bridge, Method::PATCH, path, &body).await;
}

/// The state and reason of a user's one account.
async fn account(bridge: &Bridge, user: &str) -> (String, String) {
    let found = bridge.get(&format!("/api/v1/users/{user}/provisioning")).await;
    let account = &found["accounts"][0];
    (
        account["state"].as_str().unwrap_or("none").to_owned(),
        account["reason"].as_str().unwrap_or_default().to_owned(),
    )
}

async fn state(bridge: &Bridge, user: &str) -> String {
    account(bridge, user).await.0
}
