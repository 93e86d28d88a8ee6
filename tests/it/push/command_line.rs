//! The commands of apps, against a server whose background tasks run by themselves.

use std::process::{Command, Output};

use scim_bridge::app::Background;
use serde_json::{Value, json};

use super::{StubApp, user};
use crate::kit::{Bridge, Settings};

/// Runs the program; the server is this process.
pub async fn run(bridge: &Bridge, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scim-bridge"));
    command
        .args(arguments)
        .env("SCIM_BRIDGE_URL", &bridge.base_url)
        .env("SCIM_BRIDGE_TOKEN", &bridge.token)
        .env("APP_TOKEN", "t0ken");
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

pub async fn json_of(bridge: &Bridge, arguments: &[&str]) -> Value {
    let output = run(bridge, arguments).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_applied_published_waited_for_and_looked_into() {
    let settings = Settings {
        background: Background::Running,
        ..Settings::default()
    };
    let (bridge, app) = (Bridge::spawn_with(settings).await, StubApp::start().await);
    let folder = std::env::temp_dir().join(format!("scim-bridge-app-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("app.toml");
    let path = file.to_str().unwrap();
    let write = |more: &str| {
        let text = format!(
            "name = \"expenses\"\nbase_url = \"{}\"\ntoken = \"env:APP_TOKEN\"\n{more}",
            app.stub.base_url
        );
        std::fs::write(&file, text).unwrap();
    };
    write("mode = \"live\"\n[scope]\ninclude = 'user.titel == \"x\"'\n");
    let refused = run(&bridge, &["app", "apply", path]).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said.contains("app.toml:6:") && said.contains("titel"), "{said}");

    write("mode = \"live\"\n");
    for name in ["a@x", "b@x", "c@x", "d@x"] {
        user(&bridge, name, &json!({"title": name})).await;
    }
    let published = json_of(&bridge, &["app", "apply", path, "--publish", "--json"]).await;
    assert_eq!(published["state"], "published");
    let status = json_of(&bridge, &["status", "--wait", "--timeout", "60s", "--json"]).await;
    assert_eq!(
        status["apps"],
        json!([{"name": "expenses", "mode": "live", "counts": {"in_sync": 4}}])
    );
    assert_eq!(app.all("Users").len(), 4);
    let sent = app
        .stub
        .received()
        .iter()
        .filter(|request| request.header("authorization") == Some("Bearer t0ken"))
        .count();
    assert_eq!(sent, app.stub.received().len());
    let found = json_of(&bridge, &["user", "find", "a@x", "--json"]).await;
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    let id = found["items"][0]["id"].as_str().unwrap();
    let accounts = json_of(&bridge, &["user", "provisioning", id, "--json"]).await;
    assert_eq!(accounts["accounts"][0]["state"], "in_sync");
    assert_eq!(
        json_of(&bridge, &["operation", "list", "--json"]).await["items"]
            .as_array()
            .unwrap()
            .len(),
        4
    );

    // A change made before the command is covered by it.
    user(&bridge, "e@x", &json!({})).await;
    let status = json_of(&bridge, &["status", "--wait", "--json"]).await;
    assert_eq!(status["apps"][0]["counts"], json!({"in_sync": 5}));

    write(
        "mode = \"live\"\n[scope]\ninclude = 'user.title == \"a@x\"'\n[deprovision]\nout_of_scope = [{ do = \"disable\" }]\n",
    );
    let waiting = run(&bridge, &["app", "apply", path, "--publish"]).await;
    let said = String::from_utf8_lossy(&waiting.stdout).into_owned();
    assert_eq!(waiting.status.code(), Some(3), "{said}");
    assert!(said.contains("`scim-bridge plan approve "), "{said}");
    assert_eq!(
        run(&bridge, &["app", "check", "expenses"]).await.status.code(),
        Some(0)
    );
    assert_eq!(
        run(&bridge, &["app", "show", "nobody"]).await.status.code(),
        Some(1)
    );
    std::fs::remove_dir_all(&folder).unwrap();
}
