//! Certificates of our own.

use std::path::Path;
use std::process::{Command, Stdio};

/// A certificate for a name (`DNS:localhost`, `IP:127.0.0.1`) by an authority of our own, as `ca.pem`, `server.pem` and
/// `server.key`.
pub fn certificates(folder: &Path, name: &str) {
    let script = format!(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=tests -keyout ca.key -out ca.pem \
         -addext basicConstraints=critical,CA:TRUE && \
         openssl req -newkey rsa:2048 -nodes -subj /CN=server -keyout server.key -out server.csr && \
         printf 'subjectAltName={name}' > names && \
         openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem"
    );
    let made = Command::new("sh")
        .args(["-c", &script])
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success(), "openssl makes certificates");
}
