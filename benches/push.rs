//! The first push of many users to a bare HTTP sink, against a plain loop of requests with the same concurrency.
//!
//! `cargo bench --bench push -- [USERS]`. The sink answers each POST with 201 and an id and keeps nothing; it, the server,
//! its Postgres and the plain loop share the machine, so only the ratio says something.
#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value indexed by a name that is missing is null"
)]
#![expect(clippy::disallowed_methods, reason = "the plain loop is the yardstick")]

mod bridge;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use scim_bridge::base::Secret;
use scim_bridge::cli::Client;
use serde_json::{Value, json};
use url::Url;

use bridge::{Failure, Server, bridge, said};

/// Calls under way at a time, on both sides.
const CONCURRENCY: usize = 8;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let users = std::env::args()
        .find_map(|word| word.parse().ok())
        .unwrap_or(2_000);
    let data = std::env::temp_dir().join(format!("scim-bridge-bench-{}", std::process::id()));
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let listen = format!("127.0.0.1:{port}");
    said(bridge(&data, &listen).args(["tenant", "create", "bench"]))?;
    let token = said(bridge(&data, &listen).args([
        "token", "create", "--tenant", "bench", "--name", "bench", "--scope", "admin",
    ]))?;
    let server = Server(bridge(&data, &listen).arg("serve").spawn()?);
    let told = measure(&format!("http://{listen}"), token, users).await;
    drop(server);
    std::fs::remove_dir_all(&data)?;
    told
}

async fn measure(base_url: &str, token: String, users: usize) -> Result<(), Failure> {
    let client = Client::new(Url::parse(base_url)?, Secret::new(token.clone()))?;
    let begun = Instant::now();
    while client.get("/status", &[]).await.is_err() {
        if begun.elapsed() > Duration::from_secs(60) {
            return Err("the server did not come up".into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (sink, posted) = sink()?;
    let bodies: Arc<Vec<String>> = Arc::new((0..users).map(|number| body(number).to_string()).collect());
    post_all(&format!("{base_url}/scim/v2/Users"), &token, &bodies).await?;
    let mut plain = Vec::new();
    for _ in 0..3 {
        let begun = Instant::now();
        post_all(&format!("{sink}/Users"), &token, &bodies).await?;
        plain.push(begun.elapsed());
    }
    let before = posted.load(Ordering::Relaxed);
    let app = json!({
        "name": "sink", "base_url": sink, "token": "t", "mode": "live", "pace": { "concurrency": CONCURRENCY }
    });
    client.put("/apps/sink", &app).await?;
    let begun = Instant::now();
    client.post("/apps/sink/publish", &json!({})).await?;
    while client.get("/status", &[]).await?["settled"] != Value::Bool(true) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let pushed = begun.elapsed();
    let status = client.get("/status", &[]).await?;
    if status["apps"][0]["counts"]["in_sync"] != json!(users)
        || posted.load(Ordering::Relaxed) - before != users
    {
        return Err(format!("not everybody arrived once: {status}").into());
    }
    plain.sort_unstable();
    let plain = plain.get(1).copied().unwrap_or_default();
    println!(
        "{users} users: plain loop {:.2} s, push {:.2} s, ratio {:.2}",
        plain.as_secs_f64(),
        pushed.as_secs_f64(),
        plain.as_secs_f64() / pushed.as_secs_f64()
    );
    Ok(())
}

fn body(number: usize) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": format!("user{number}@bench.example"), "active": true, "displayName": format!("User {number}"),
        "name": { "givenName": "User", "familyName": number.to_string() }, "title": "Engineer",
        "emails": [{ "value": format!("user{number}@bench.example"), "type": "work", "primary": true }],
    })
}

async fn post_all(url: &str, token: &str, bodies: &Arc<Vec<String>>) -> Result<(), Failure> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let next = Arc::new(AtomicUsize::new(0));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..CONCURRENCY {
        let (client, next, bodies) = (client.clone(), Arc::clone(&next), Arc::clone(bodies));
        let (url, token) = (url.to_owned(), token.to_owned());
        calls.spawn(async move {
            while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                let request = client
                    .post(&url)
                    .bearer_auth(&token)
                    .header("content-type", "application/scim+json")
                    .body(body.clone());
                let answer = request.send().await?.error_for_status()?;
                answer.bytes().await?;
            }
            Ok::<_, reqwest::Error>(())
        });
    }
    while let Some(done) = calls.join_next().await {
        done??;
    }
    Ok(())
}

/// A server that says yes to everything.
fn sink() -> Result<(String, Arc<AtomicUsize>), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let posted = Arc::new(AtomicUsize::new(0));
    let counted = web::Data::from(Arc::clone(&posted));
    let server = HttpServer::new(move || {
        App::new().app_data(counted.clone()).default_service(web::to(
            |request: HttpRequest, posted: web::Data<AtomicUsize>| async move {
                if request.method() == "POST" {
                    let id = posted.fetch_add(1, Ordering::Relaxed);
                    HttpResponse::Created().json(json!({ "id": id.to_string() }))
                } else {
                    HttpResponse::Ok().json(json!({ "totalResults": 0, "Resources": [] }))
                }
            },
        ))
    })
    .workers(1)
    .disable_signals()
    .listen(listener)?
    .run();
    tokio::spawn(server);
    Ok((base_url, posted))
}
