//! A fresh dump of the whole database, as somebody would see it who got hold of a backup.

use std::path::PathBuf;
use std::process::Command;

/// Everything in the database, as `pg_dump` writes it, in lower case.
pub async fn dump(url: &str) -> String {
    let (program, url) = (pg_dump(), url.to_owned());
    let output = tokio::task::spawn_blocking(move || {
        Command::new(program)
            .args(["--no-owner", "--column-inserts", "--dbname", &url])
            .output()
    });
    let output = output.await.unwrap().expect("pg_dump runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    String::from_utf8_lossy(&output.stdout).to_lowercase()
}

/// Beside the server's programs, newest first.
fn pg_dump() -> PathBuf {
    let named = std::env::var_os("SCIM_BRIDGE_PG_BIN").map(PathBuf::from);
    let mut folders: Vec<PathBuf> = named.into_iter().collect();
    for root in ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"] {
        let mut versions: Vec<PathBuf> = std::fs::read_dir(root)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path().join("bin"))
            .collect();
        versions.sort();
        folders.extend(versions.into_iter().rev());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    let found = folders.into_iter().map(|folder| folder.join("pg_dump"));
    found
        .into_iter()
        .find(|path| path.is_file())
        .expect("pg_dump stands beside the server's programs")
}

/// Which of these texts stand in a dump, in any case.
pub fn found_in<'t>(dump: &str, texts: &[&'t str]) -> Vec<&'t str> {
    let held = |text: &&&str| dump.contains(&text.to_lowercase());
    texts.iter().filter(held).copied().collect()
}
