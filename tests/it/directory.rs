//! The SCIM store from below HTTP: rows, changes, members, and who may see what.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use scim_bridge::base::{ClientId, ConnectionId, ResourceId, RunId, TenantId, TokenId};
use scim_bridge::db::{Conn, Db};
use scim_bridge::directory::{Cause, Directory, Error, Expected, Put, Want};
use scim_bridge::scim::{self, Object, Registry, ResourceType, patch};
use serde_json::{Value, json};

use crate::kit::{TestDatabase, client};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

struct Store {
    db: Db,
    directory: Directory,
    tenant: TenantId,
    database: TestDatabase,
}

impl Store {
    async fn new() -> Self {
        let database = TestDatabase::create().await;
        let db = Db::connect(&database.url, 4).unwrap();
        let directory = Directory::default();
        let mut store = Self {
            db,
            directory,
            tenant: TenantId::new(),
            database,
        };
        store.tenant = store.another_tenant().await;
        store
    }

    async fn another_tenant(&self) -> TenantId {
        let tenant = TenantId::new();
        let sql = "INSERT INTO tenant (id, name, created_at) VALUES ($1::text::uuid, $1, now())";
        client(&self.database.url)
            .await
            .execute(sql, &[&tenant.to_string()])
            .await
            .unwrap();
        tenant
    }

    /// Action, version and delta of every change of a resource.
    async fn log(&self, id: ResourceId) -> Vec<(String, i64, Value)> {
        let sql = "SELECT action, version, delta::text FROM change
                   WHERE tenant_id = $1::text::uuid AND resource_id = $2::text::uuid ORDER BY id";
        let rows = client(&self.database.url)
            .await
            .query(sql, &[&self.tenant.to_string(), &id.to_string()])
            .await
            .unwrap();
        rows.iter()
            .map(|row| (row.get(0), row.get(1), serde_json::from_str(row.get(2)).unwrap()))
            .collect()
    }

    fn kind(&self, name: &str) -> Arc<ResourceType> {
        Registry::builtin().kind(name).unwrap().clone()
    }

    fn run(&self) -> Cause {
        Cause::run(ConnectionId::new(), RunId::new(), 1, at())
    }

    fn client(&self) -> Cause {
        Cause::client(ClientId::new(), TokenId::new(), at())
    }

    async fn create(&self, conn: &mut Conn, name: &str, cause: &Cause) -> ResourceId {
        let put = user(name);
        self.directory
            .put(conn, self.tenant, put, cause)
            .await
            .unwrap()
            .id
    }

    async fn patch(&self, conn: &mut Conn, id: ResourceId, path: &str, value: Value, cause: &Cause) -> Value {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "replace", "path": path, "value": value }],
        });
        let request = patch::parse(&body).unwrap();
        let kind = self.kind("User");
        let wish = (&Expected::Any, Want::default());
        let answer = self
            .directory
            .patch(conn, (self.tenant, id, &kind), &request, wish, cause)
            .await
            .unwrap();
        serde_json::from_str(&answer.found.body).unwrap()
    }
}

fn at() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-12-01T08:00:00Z")
        .unwrap()
        .to_utc()
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => panic!("not an object"),
    }
}

fn user(name: &str) -> Put {
    Put {
        id: None,
        kind: "User".to_owned(),
        object: object(json!({ "schemas": [USER], "userName": name, "displayName": name, "active": true })),
        external_id: None,
        person: None,
        expected: None,
        disabled_by: Vec::new(),
    }
}

fn group(name: &str) -> Put {
    let object = object(json!({ "schemas": [scim::GROUP], "displayName": name }));
    Put {
        kind: "Group".to_owned(),
        object,
        ..user(name)
    }
}

#[tokio::test]
async fn an_unchanged_put_writes_nothing_and_every_change_is_logged_with_both_sides() {
    let store = Store::new().await;
    let mut conn = store.db.conn().await.unwrap();
    let cause = store.run();
    let id = store.create(&mut conn, "Ann@acme.test", &cause).await;
    let again = Put {
        id: Some(id),
        ..user("Ann@acme.test")
    };
    let written = store
        .directory
        .put(&mut conn, store.tenant, again, &cause)
        .await
        .unwrap();
    assert!(!written.changed);
    assert_eq!(written.version, 1);

    let mut renamed = Put {
        id: Some(id),
        expected: Some(1),
        ..user("Ann@acme.test")
    };
    renamed.object.insert("title".into(), json!("Lead"));
    let written = store
        .directory
        .put(&mut conn, store.tenant, renamed.clone(), &cause)
        .await
        .unwrap();
    assert_eq!((written.changed, written.version), (true, 2));
    let refused = store
        .directory
        .put(&mut conn, store.tenant, renamed, &cause)
        .await;
    assert!(matches!(refused, Err(Error::VersionMismatch)));

    let log = store.log(id).await;
    assert_eq!(log.len(), 2);
    assert_eq!(log[0].0, "create");
    assert_eq!(
        log[1],
        ("update".into(), 2, json!([{ "path": "title", "after": "Lead" }]))
    );
}

#[tokio::test]
async fn in_a_batch_a_taken_name_is_that_items_error_alone() {
    let store = Store::new().await;
    let mut conn = store.db.conn().await.unwrap();
    let cause = store.run();
    let taken = store.create(&mut conn, "ann@acme.test", &cause).await;
    let client = cause.client.unwrap();
    let named = |name: &str, external: &str| Put {
        external_id: Some((client, external.into())),
        ..user(name)
    };
    let puts = vec![
        named("bob@acme.test", "1"),
        named("ANN@acme.test", "2"),
        named("Bob@acme.test", "3"),
        named("eve@acme.test", "1"),
        named("zoe@acme.test", "4"),
        Put {
            id: Some(ResourceId::new()),
            ..user("x@acme.test")
        },
        Put {
            id: Some(taken),
            external_id: Some((client, "5".into())),
            ..user("ann@acme.test")
        },
    ];
    let done = store
        .directory
        .put_many(&mut conn, store.tenant, puts, &cause)
        .await
        .unwrap();
    let outcome: Vec<String> = done
        .iter()
        .map(|one| match one {
            Ok(written) => format!("version {}", written.version),
            Err(Error::Uniqueness { attribute }) => format!("taken {attribute}"),
            Err(error) => error.to_string(),
        })
        .collect();
    assert_eq!(
        outcome,
        [
            "version 1",
            "taken userName",
            "taken userName",
            "taken externalId",
            "version 1",
            "there is no such resource",
            "version 2",
        ]
    );
}

#[tokio::test]
async fn a_party_lifts_only_its_own_hold() {
    let store = Store::new().await;
    let mut conn = store.db.conn().await.unwrap();
    let (hr, okta) = (store.run(), store.client());
    let id = store.create(&mut conn, "ann@acme.test", &hr).await;
    let left = Put {
        id: Some(id),
        disabled_by: vec!["hr".into()],
        ..user("ann@acme.test")
    };
    store
        .directory
        .put(&mut conn, store.tenant, left, &hr)
        .await
        .unwrap();
    let shown = store.patch(&mut conn, id, "active", json!(false), &okta).await;
    assert_eq!(shown["active"], json!(false));
    let shown = store.patch(&mut conn, id, "active", json!(true), &okta).await;
    assert_eq!(shown["active"], json!(false), "hr still holds it");
    store.patch(&mut conn, id, "active", json!(false), &okta).await;
    let back = Put {
        id: Some(id),
        ..user("ann@acme.test")
    };
    let written = store
        .directory
        .put(&mut conn, store.tenant, back, &hr)
        .await
        .unwrap();
    assert_eq!(written.after["active"], json!(false), "the client still holds it");
    let shown = store.patch(&mut conn, id, "active", json!("True"), &okta).await;
    assert_eq!(shown["active"], json!(true));
}

#[tokio::test]
async fn members_are_added_once_and_a_run_removes_only_its_own() {
    let store = Store::new().await;
    let mut conn = store.db.conn().await.unwrap();
    let (hr, okta) = (store.run(), store.client());
    let ann = store.create(&mut conn, "ann@acme.test", &hr).await;
    let bob = store.create(&mut conn, "bob@acme.test", &hr).await;
    let ops = store
        .directory
        .put(&mut conn, store.tenant, group("Ops"), &hr)
        .await
        .unwrap()
        .id;
    let target = (store.tenant, ops);
    let strangers = ResourceId::new();
    let done = store
        .directory
        .change_members(&mut conn, target, &[ann, strangers], &[], "hr", &hr)
        .await
        .unwrap();
    assert_eq!(done.added, [ann]);
    let done = store
        .directory
        .change_members(&mut conn, target, &[ann, bob], &[], "client:x", &okta)
        .await
        .unwrap();
    assert_eq!(done.added, [bob]);
    let done = store
        .directory
        .change_members(&mut conn, target, &[], &[ann, bob], "hr", &hr)
        .await
        .unwrap();
    assert_eq!(done.removed, [ann]);
    let done = store
        .directory
        .change_members(&mut conn, target, &[], &[ann], "hr", &hr)
        .await
        .unwrap();
    assert_eq!((done.added.len(), done.removed.len()), (0, 0));
    let members = store
        .directory
        .members_of(&mut conn, target, None, 10)
        .await
        .unwrap();
    assert_eq!(
        members
            .iter()
            .map(|member| (member.id, &*member.display))
            .collect::<Vec<_>>(),
        [(bob, "bob@acme.test")]
    );
    let groups = store
        .directory
        .groups_of(&mut conn, store.tenant, &[ann, bob])
        .await
        .unwrap();
    assert_eq!(groups[&bob][0].display, "Ops");
    assert!(!groups.contains_key(&ann));
    let log = store.log(ops).await;
    let actions: Vec<(&str, i64)> = log
        .iter()
        .map(|(action, version, _)| (&**action, *version))
        .collect();
    assert_eq!(
        actions,
        [("create", 1), ("members", 2), ("members", 3), ("members", 4)]
    );
}

#[tokio::test]
async fn who_is_deleted_leaves_groups_and_reports() {
    let store = Store::new().await;
    let mut conn = store.db.conn().await.unwrap();
    let hr = store.run();
    let boss = store.create(&mut conn, "boss@acme.test", &hr).await;
    let mut report = user("ann@acme.test");
    report.object.insert(
        scim::ENTERPRISE.into(),
        json!({ "manager": { "value": boss }, "department": "Ops" }),
    );
    let ann = store
        .directory
        .put(&mut conn, store.tenant, report, &hr)
        .await
        .unwrap()
        .id;
    let ops = store
        .directory
        .put(&mut conn, store.tenant, group("Ops"), &hr)
        .await
        .unwrap()
        .id;
    store
        .directory
        .change_members(&mut conn, (store.tenant, ops), &[boss], &[], "hr", &hr)
        .await
        .unwrap();

    let found = store
        .directory
        .get(
            &mut conn,
            (store.tenant, ann, "User"),
            None,
            Want {
                members: true,
                groups: false,
            },
        )
        .await
        .unwrap();
    assert_eq!(found.unwrap().manager.as_deref(), Some("boss@acme.test"));
    store
        .directory
        .delete(&mut conn, (store.tenant, boss, "User"), &Expected::Any, &hr)
        .await
        .unwrap();
    let gone = store
        .directory
        .delete(&mut conn, (store.tenant, boss, "User"), &Expected::Any, &hr)
        .await;
    assert!(matches!(gone, Err(Error::NotFound)));

    let rest = store
        .directory
        .load(&mut conn, store.tenant, &[ann, ops, boss])
        .await
        .unwrap();
    assert_eq!(rest.len(), 2);
    assert_eq!(
        rest[&ann].object[scim::ENTERPRISE],
        json!({ "department": "Ops" })
    );
    assert_eq!((rest[&ann].version, rest[&ops].version), (2, 3));
    let keyed =
        "SELECT array_agg(id::text ORDER BY id) = (SELECT array_agg(id::text ORDER BY id) FROM resource)
                 FROM resource_key";
    let row = client(&store.database.url)
        .await
        .query_one(keyed, &[])
        .await
        .unwrap();
    assert!(row.get::<_, bool>(0), "keys are left of nobody");
    store.create(&mut conn, "BOSS@acme.test", &hr).await;
}

#[tokio::test]
async fn nothing_of_another_tenant_is_reached_by_id() {
    let mine = Store::new().await;
    let tenant = mine.another_tenant().await;
    let mut conn = mine.db.conn().await.unwrap();
    let hr = mine.run();
    let ann = mine.create(&mut conn, "ann@acme.test", &hr).await;
    let ops = mine
        .directory
        .put(&mut conn, mine.tenant, group("Ops"), &hr)
        .await
        .unwrap()
        .id;
    mine.directory
        .change_members(&mut conn, (mine.tenant, ops), &[ann], &[], "hr", &hr)
        .await
        .unwrap();

    let want = Want {
        groups: true,
        members: true,
    };
    let directory = &mine.directory;
    assert!(
        directory
            .get(&mut conn, (tenant, ann, "User"), None, want)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        directory
            .load(&mut conn, tenant, &[ann, ops])
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        directory
            .groups_of(&mut conn, tenant, &[ann])
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        directory
            .members_of(&mut conn, (tenant, ops), None, 9)
            .await
            .unwrap()
            .is_empty()
    );
    let put = Put {
        id: Some(ann),
        ..user("eve@acme.test")
    };
    assert!(matches!(
        directory.put(&mut conn, tenant, put, &hr).await,
        Err(Error::NotFound)
    ));
    let change = directory
        .change_members(&mut conn, (tenant, ops), &[], &[ann], "hr", &hr)
        .await;
    assert!(matches!(change, Err(Error::NotFound)));
    let delete = directory
        .delete(&mut conn, (tenant, ann, "User"), &Expected::Any, &hr)
        .await;
    assert!(matches!(delete, Err(Error::NotFound)));
    // The same userName is free in another tenant, and strangers do not become members.
    directory
        .put(&mut conn, tenant, user("ann@acme.test"), &hr)
        .await
        .unwrap();
    let crew = directory
        .put(&mut conn, tenant, group("Crew"), &hr)
        .await
        .unwrap()
        .id;
    let done = directory
        .change_members(&mut conn, (tenant, crew), &[ann], &[], "hr", &hr)
        .await
        .unwrap();
    assert!(done.added.is_empty());
}
