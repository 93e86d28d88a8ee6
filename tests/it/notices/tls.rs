//! Mail over TLS, with a certificate of our own.

use std::path::PathBuf;

use chrono::TimeDelta;
use serde_json::json;

use super::mail::{states, welcome};
use crate::kit::{Bridge, MailServer, Settings, certificates};

/// A bridge that sends its mail to an address and trusts the authority of a folder.
async fn bridge(url: String, trusted: &std::path::Path) -> Bridge {
    Bridge::spawn_with(Settings {
        environment: vec![
            ("SCIM_BRIDGE_SMTP_URL", url),
            (
                "SCIM_BRIDGE_SMTP_CA",
                trusted.join("ca.pem").display().to_string(),
            ),
        ],
        ..Settings::default()
    })
    .await
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("scim-bridge-tls-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir_all(&folder).unwrap();
    certificates(&folder, name);
    folder
}

/// By STARTTLS and from the first byte, with a password; never to a server whose certificate is of others or for another
/// name, nor without TLS where it is required, nor with a wrong password. What was not taken waits, and is taken later.
#[tokio::test]
async fn mail_goes_over_tls_to_the_right_server_only() {
    let (ours, others, named) = (
        folder("IP:127.0.0.1"),
        folder("IP:127.0.0.1"),
        folder("DNS:mail.example"),
    );
    let start = |folder: &PathBuf, more: &[&str]| {
        let files = ["server.pem", "server.key"].map(|file| folder.join(file).display().to_string());
        let mut arguments: Vec<&str> = files.iter().map(String::as_str).collect();
        arguments.extend(more);
        MailServer::start_with(&arguments)
    };
    let (Some(by_command), Some(wrapped), Some(other_name), Some(plain)) = (
        start(&ours, &[]),
        start(&ours, &["wrapped"]),
        start(&named, &[]),
        MailServer::start(),
    ) else {
        return;
    };
    let user = "bridge:p%40ss+w";
    for (server, scheme) in [(&by_command, "smtp"), (&wrapped, "smtps")] {
        let url = format!("{scheme}://{user}@127.0.0.1:{}", server.port);
        let bridge = bridge(url, &ours).await;
        welcome(&bridge, "ada@acme.example").await;
        bridge.drain().await;
        let mails = server.mails();
        assert_eq!(mails.len(), 1, "{scheme}: {:?}", states(&bridge).await);
        assert_eq!(
            (&mails[0].raw()["tls"], &mails[0].raw()["user"]),
            (&json!(true), &json!("bridge"))
        );
    }
    let at = |server: &MailServer, user: &str| format!("smtp://{user}@127.0.0.1:{}", server.port);
    for (url, trusted, words) in [
        (at(&by_command, user), &others, "certificate"),
        (
            format!("smtps://{user}@127.0.0.1:{}", wrapped.port),
            &others,
            "certificate",
        ),
        (at(&other_name, user), &named, "certificate"),
        (at(&plain, user), &ours, "no STARTTLS"),
        (at(&by_command, "bridge:wrong"), &ours, "signing in"),
    ] {
        let bridge = bridge(url.clone(), trusted).await;
        welcome(&bridge, "ada@acme.example").await;
        bridge.drain().await;
        let now = states(&bridge).await;
        assert_eq!(now[0].1, "waiting", "{url}: {now:?}");
        assert!(now[0].2.contains(words), "{url}: {now:?}");
        bridge.clock.advance(TimeDelta::days(4));
        bridge.drain().await;
        assert_eq!(
            states(&bridge).await[0].1,
            "failed",
            "{url}: given up after three days"
        );
    }
    let taken = [&by_command, &wrapped, &other_name, &plain].map(|server| server.mails().len());
    assert_eq!(taken, [1, 1, 0, 0]);
    for folder in [ours, others, named] {
        std::fs::remove_dir_all(folder).unwrap();
    }
}
