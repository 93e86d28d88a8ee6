//! The real server, killed while it pushes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{StubApp, file};
use crate::kit::{Answer, client, good, http_client, with_json};
use crate::sync_process::Program;

const USERS: usize = 300;
/// Calls under way at a time.
const CALLS: usize = 8;

async fn call(program: &Program, method: Method, path: &str, body: &Value) -> Value {
    let url = format!("http://127.0.0.1:{}{path}", program.port);
    let request = http_client().request(method, url).bearer_auth(&program.token);
    good(with_json(request, body)).await
}

/// How often each user was sent to be created.
fn creates(app: &StubApp) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for request in app.stub.received() {
        if request.method == "POST" {
            *names.entry(request.json()["userName"].to_string()).or_default() += 1;
        }
    }
    names
}

/// From the hundredth create on the app gives no answer; it makes every second of these accounts all the same.
fn stall(app: &StubApp) -> (mpsc::UnboundedReceiver<usize>, Arc<AtomicBool>) {
    let (seen, received) = mpsc::unbounded_channel();
    let (count, is_alive) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(true)));
    let (held, flag) = (Arc::clone(&app.held), Arc::clone(&is_alive));
    app.stub.rule(move |request| {
        if request.method != "POST" || !flag.load(Ordering::Relaxed) {
            return None;
        }
        let number = count.fetch_add(1, Ordering::Relaxed);
        let made = (number < USERS / 3 || number % 2 == 0)
            .then(|| held.lock().unwrap().create("Users", request.json()));
        let _dropped = seen.send(number);
        let mut answer = Answer::json(201, &made.unwrap_or_default());
        if number >= USERS / 3 {
            answer.after = Duration::from_secs(600);
        }
        Some(answer)
    });
    (received, is_alive)
}

#[tokio::test]
async fn a_server_killed_while_it_pushes_creates_everybody_exactly_once() {
    let mut program = Program::new().await;
    let scopes = "admin,provisioning:read,scim:read,scim:write";
    let arguments = [
        "token", "create", "--tenant", "acme", "--name", "all", "--scope", scopes,
    ];
    program.token = program.run(&arguments).await.out.trim().to_owned();
    let mut server = program.serve().await;
    let app = StubApp::start().await;
    for number in 0..USERS {
        let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                          "userName": format!("u{number}@x"), "active": true});
        call(&program, Method::POST, "/scim/v2/Users", &body).await;
    }
    let (mut seen, is_alive) = stall(&app);
    let pace = json!({"pace": {"concurrency": CALLS}});
    let settings = file("app", &app.stub.base_url, &pace);
    call(&program, Method::PUT, "/api/v1/apps/app", &settings).await;
    call(&program, Method::POST, "/api/v1/apps/app/publish", &json!({})).await;
    let stalled = async { while seen.recv().await.unwrap() + 1 < USERS / 3 + CALLS {} };
    tokio::time::timeout(Duration::from_secs(60), stalled)
        .await
        .expect("the app is sent so many creates");
    server.kill().await.unwrap();
    is_alive.store(false, Ordering::Relaxed);
    let (sent, made) = (creates(&app), app.all("Users").len());
    assert_eq!(sent.len(), USERS / 3 + CALLS);
    assert_eq!(
        made,
        USERS / 3 + CALLS / 2,
        "half of the unanswered calls took effect"
    );
    let under_way = "SELECT count(*) FROM operation WHERE state = 'pending'";
    assert!(program.count(under_way).await >= i64::try_from(CALLS).unwrap());

    let lapse = "UPDATE app SET lease_until = now() - interval '1 s'";
    let database = client(&program.database.url).await;
    database.batch_execute(lapse).await.unwrap();
    server = program.serve().await;
    let waited = program
        .run(&["status", "--wait", "--timeout", "2m", "--json"])
        .await;
    assert_eq!(waited.code, 0, "{}", waited.err);
    let status: Value = serde_json::from_str(&waited.out).unwrap();
    assert_eq!(status["apps"][0]["counts"], json!({"in_sync": USERS}), "{status}");
    let accounts = app.all("Users");
    let names: BTreeMap<String, ()> = accounts
        .iter()
        .map(|user| (user["userName"].to_string(), ()))
        .collect();
    assert_eq!((accounts.len(), names.len()), (USERS, USERS));
    let repeated: Vec<usize> = creates(&app).into_values().filter(|count| *count > 1).collect();
    assert_eq!(
        repeated,
        [2; CALLS / 2],
        "only what never took effect is sent again, and once"
    );
    server.kill().await.unwrap();
}
