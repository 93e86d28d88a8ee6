//! A real mail server of others (`aiosmtpd`), and the mails that it took.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::left_out;

/// A mail server; ends with the test.
pub struct MailServer {
    /// Where it listens.
    pub url: String,
    pub port: u16,
    folder: PathBuf,
    child: Child,
}

/// A mail that the server took, as Python's `email` reads it.
#[derive(Debug, Clone)]
pub struct Mail(Value);

impl Mail {
    pub fn to(&self) -> &str {
        self.0["to"][0].as_str().unwrap()
    }

    /// Every value of a header.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        self.0["headers"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|pair| pair[0].as_str().unwrap().eq_ignore_ascii_case(name))
            .map(|pair| pair[1].as_str().unwrap())
            .collect()
    }

    pub fn subject(&self) -> &str {
        self.headers("subject")[0]
    }

    pub fn text(&self) -> &str {
        self.0["text"].as_str().unwrap()
    }

    pub fn html(&self) -> &str {
        self.0["html"].as_str().unwrap()
    }

    pub fn raw(&self) -> &Value {
        &self.0
    }
}

impl MailServer {
    /// Without TLS and without a password. None where it is not installed; the test then says so.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// With STARTTLS by a certificate (files of certificate and key), or with `wrapped` after them with TLS from the first
    /// byte, and a password: `bridge`, `p@ss+w`.
    pub fn start_with(certificate: &[&str]) -> Option<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("target/judges/python/bin/python");
        let is_there = Command::new(&python)
            .args(["-c", "import aiosmtpd"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !is_there {
            left_out("aiosmtpd is not installed; `make tools` installs it where python3 and pip are");
            return None;
        }
        let folder = std::env::temp_dir().join(format!("scim-bridge-mail-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut child = Command::new(python)
            .arg(root.join("tests/judges/smtp.py"))
            .arg(&folder)
            .args(certificate)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut port)
            .unwrap();
        let port: u16 = port.trim().parse().unwrap();
        Some(Self {
            url: format!("smtp://127.0.0.1:{port}"),
            port,
            folder,
            child,
        })
    }

    /// Everything that it took, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(&self.folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .collect();
        paths.sort();
        paths
            .iter()
            .map(|path| Mail(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()))
            .collect()
    }

    /// What it took for an address.
    pub fn mails_to(&self, address: &str) -> Vec<Mail> {
        self.mails()
            .into_iter()
            .filter(|mail| mail.to() == address)
            .collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
        let _removed = std::fs::remove_dir_all(&self.folder);
    }
}
