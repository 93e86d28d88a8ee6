//! Coming and going, from outside: what HR says, what the clock says, and what apps are sent of it.

mod apps;
mod calendar;
mod effects;
mod endings;
mod page;
mod preconditions;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::kit::Bridge;
use crate::push::{StubApp, file, publish};
use crate::sync_kit::{apply, run_text, user};

/// Two records may be of one person: the number tells.
#[derive(Debug, Clone)]
struct Row {
    number: String,
    entity: String,
    department: String,
    status: String,
    from: String,
    to: String,
    email: String,
}

/// A bridge that reads a company, and its apps by name.
struct World {
    bridge: Bridge,
    rows: BTreeMap<String, Row>,
    apps: BTreeMap<String, StubApp>,
}

const HR: &str = "urn:scim-bridge:params:scim:schemas:extension:hr:2.0:User";

impl World {
    /// Ten people of entity 760 under a `[lifecycle]`, on 2026-12-01 at 08:00 UTC. Nothing is read yet.
    async fn new(lifecycle: &Value) -> Self {
        let bridge = Bridge::spawn().await;
        let file = json!({
            "name": "people",
            "connector": "csv",
            "settings": { "path": "people.csv" },
            "fields": {
                "source_id": "Id",
                "employee_number": "Number",
                "given_name": "Given",
                "family_name": "Family",
                "work_email": "Email",
                "entity": { "id": "Entity" },
                "department": { "name": "Department" },
                "status": {
                    "at": "Status",
                    "words": { "Current": "active", "Left": "left", "Away": "on_leave" },
                    "otherwise": "hold",
                },
                "first_day": { "at": "From", "date": "%Y-%m-%d" },
                "last_day": { "at": "To", "date": "%Y-%m-%d" },
            },
            "match": { "by": ["source_id", "employee_number"] },
            "group": [{ "key": "employee.department.name", "name": "employee.department.name" }],
            "lifecycle": lifecycle,
        });
        apply(&bridge, &file).await;
        bridge
            .post("/api/v1/connections/people/publish", &json!({}))
            .await;
        let mut world = Self {
            bridge,
            rows: BTreeMap::new(),
            apps: BTreeMap::new(),
        };
        for n in 1..=10 {
            world.hire(&n.to_string(), &n.to_string(), "760", "2020-01-01");
        }
        world
    }

    fn hire(&mut self, id: &str, number: &str, entity: &str, from: &str) {
        let row = Row {
            number: number.to_owned(),
            entity: entity.to_owned(),
            department: "Sales".to_owned(),
            status: "Current".to_owned(),
            from: from.to_owned(),
            to: String::new(),
            email: format!("p{number}@x.example"),
        };
        self.rows.insert(id.to_owned(), row);
    }

    fn row(&mut self, id: &str) -> &mut Row {
        self.rows.get_mut(id).unwrap()
    }

    /// Reads the company; the run as it rests.
    async fn read(&self) -> Value {
        let mut text = "Id,Number,Given,Family,Email,Entity,Department,Status,From,To\n".to_owned();
        for (id, row) in &self.rows {
            text.push_str(&format!(
                "{id},{0},Given{0},Family{0},{1},{2},{3},{4},{5},{6}\n",
                row.number, row.email, row.entity, row.department, row.status, row.from, row.to
            ));
        }
        let run = run_text(&self.bridge, &text).await;
        assert_eq!(run["state"], "done", "{run}");
        run
    }

    /// A live app with these settings on top.
    async fn app(&mut self, name: &str, more: &Value) {
        let app = StubApp::start().await;
        publish(&self.bridge, &file(name, &app.stub.base_url, more)).await;
        self.bridge.drain().await;
        app.mutations();
        self.apps.insert(name.to_owned(), app);
    }

    /// Sets the clock and does what is due.
    async fn at(&self, instant: &str) {
        self.bridge.clock.set(instant);
        self.bridge.drain().await;
    }

    async fn user(&self, number: usize) -> Value {
        user(&self.bridge, &format!("p{number}@x.example")).await
    }

    /// Whether somebody is active in the directory.
    async fn is_active(&self, number: usize) -> bool {
        self.user(number).await["active"] == true
    }

    /// What an app holds of somebody.
    fn held(&self, app: &str, number: usize) -> Value {
        self.apps[app].named(&format!("p{number}@x.example"))
    }

    /// What an app was sent since this was last asked.
    fn sent(&self, app: &str) -> Vec<String> {
        self.apps[app].mutations()
    }

    /// The state and the reason of somebody's account.
    async fn account(&self, app: &str, number: usize) -> (String, String) {
        let user = self.user(number).await;
        let found = self
            .bridge
            .get(&format!(
                "/api/v1/users/{}/provisioning",
                user["id"].as_str().unwrap()
            ))
            .await;
        let accounts = found["accounts"].as_array().unwrap();
        let account = accounts.iter().find(|account| account["app"] == app).unwrap();
        (
            account["state"].as_str().unwrap().to_owned(),
            account["reason"].as_str().unwrap().to_owned(),
        )
    }
}

/// The one call that disables an account.
fn disables(sent: &[String]) -> bool {
    sent.len() == 1 && sent[0].contains(r#""path":"active","value":false"#)
}

/// The one call that enables an account.
fn enables(sent: &[String]) -> bool {
    sent.len() == 1 && sent[0].contains(r#""path":"active","value":true"#)
}
