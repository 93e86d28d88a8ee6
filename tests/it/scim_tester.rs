//! The published conformance tester (scim2-tester) against a whole bridge.

use std::path::PathBuf;
use std::process::Command;

use crate::kit::{Bridge, left_out};

/// Prints one line for each check that did not pass, and how many checks there were.
const SCRIPT: &str = r#"
import sys
from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import check_server
client = SyncSCIMClient(Client(base_url=sys.argv[1], headers={"Authorization": "Bearer " + sys.argv[2]}))
results = check_server(client)
for result in results:
    if result.status.name not in ("SUCCESS", "SKIPPED"):
        reason = " ".join(str(result.reason).split())
        print(result.status.name, result.title, reason)
print("checks", len(results))
"#;

/// The Python that has the tester (`make tools`).
fn python() -> Option<PathBuf> {
    let python = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/judges/python/bin/python");
    let probe = Command::new(&python)
        .args(["-c", "import scim2_tester, httpx2"])
        .output();
    probe
        .is_ok_and(|output| output.status.success())
        .then_some(python)
}

/// Covers: rfc 10.1, 10.5
#[tokio::test]
async fn the_published_tester_finds_nothing() {
    let Some(python) = python() else {
        left_out("scim2-tester is not installed; `make tools` installs it where python3 and pip are");
        return;
    };
    let bridge = Bridge::spawn().await;
    let base = format!("{}/scim/v2", bridge.base_url);
    let token = bridge.token.clone();
    let run = move || {
        Command::new(python)
            .args(["-c", SCRIPT, &base, &token])
            .output()
            .unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{complained}");
    let (counted, failed): (Vec<&str>, Vec<&str>) =
        said.lines().partition(|line| line.starts_with("checks "));
    assert!(failed.is_empty(), "{failed:#?}");
    let checks: usize = counted[0].trim_start_matches("checks ").parse().unwrap();
    assert!(checks > 100, "only {checks} checks ran");
}
