//! A CSV file over SFTP, from a real OpenSSH server.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use scim_bridge::connector::{CsvFields, Error};
use scim_bridge::net::SftpError;
use serde_json::{Value, json};

use crate::connector::harness::Reading;
use crate::kit::left_out;

const SSHD: &str = "/usr/sbin/sshd";

/// A server of the test's own, on a free port, for the user who runs the test.
struct Sshd {
    folder: PathBuf,
    port: u16,
    fingerprint: String,
    user: String,
    child: Child,
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Sshd {
    /// `None` where the machine has no OpenSSH server.
    fn start() -> Option<Self> {
        if !Path::new(SSHD).exists() {
            left_out("the OpenSSH server is not installed: make tools");
            return None;
        }
        let user = run("id", &["-un"]);
        if user == "root" {
            // Debian's package makes it when the service starts.
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        let folder = std::env::temp_dir().join(format!("scim-bridge-sshd-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(folder.join("out")).unwrap();
        let at = |name: &str| folder.join(name).display().to_string();
        for name in ["host", "key", "other"] {
            run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &at(name)]);
        }
        std::fs::copy(at("key.pub"), at("authorized")).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
             PermitRootLogin yes\nPasswordAuthentication yes\nPidFile none\nSubsystem sftp internal-sftp\n",
            at("host"),
            at("authorized")
        );
        std::fs::write(at("config"), config).unwrap();
        let log = std::fs::File::create(at("log")).unwrap();
        let child = Command::new(SSHD)
            .args(["-D", "-e", "-f", &at("config")])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let shown = run("ssh-keygen", &["-l", "-f", &at("host.pub")]);
        let fingerprint = shown.split(' ').nth(1).unwrap().to_owned();
        let server = Self {
            folder,
            port,
            fingerprint,
            user,
            child,
        };
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::yield_now();
        }
        Some(server)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.join("out").join(name), text).unwrap();
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap()
    }

    fn settings(&self, path: &str) -> Value {
        json!({
            "host": "127.0.0.1",
            "port": self.port.to_string(),
            "user": self.user,
            "private_key": std::fs::read_to_string(self.folder.join("key")).unwrap(),
            "host_key": self.fingerprint,
            "path": self.folder.join("out").join(path).display().to_string(),
        })
    }

    fn reading(&self, path: &str) -> Reading {
        reading(&self.settings(path))
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
        let _removed = std::fs::remove_dir_all(&self.folder);
    }
}

fn reading(settings: &Value) -> Reading {
    let mut reading = Reading::of("csv_sftp", settings);
    let fields = json!({"source_id": "Id", "work_email": "Email"});
    reading.fields = Some(CsvFields::parse(&fields).unwrap());
    reading
}

async fn refused(reading: &Reading) -> SftpError {
    let read = reading.read().await;
    assert!(read.employees.is_empty() && !read.is_complete());
    match read.error {
        Some(Error::Sftp(error)) => error,
        other => panic!("{other:?}"),
    }
}

const PEOPLE: &str = "Id,Email\n1,a@acme.example\n2,b@acme.example\n";

#[tokio::test]
async fn a_file_is_fetched_by_key_from_the_pinned_server() {
    let Some(server) = Sshd::start() else { return };
    server.write("people.csv", PEOPLE);
    let read = server.reading("people.csv").read().await;
    assert!(read.is_complete(), "{:?} {}", read.error, server.log());
    assert_eq!(read.ids(), ["1", "2"]);
    assert_eq!(read.waits.len(), 1, "it looks twice, with a pause between");
    let steps = server.reading("people.csv").check().await;
    assert!(steps.iter().all(|step| step.ok), "{steps:?}");
    let mut one_line = server.settings("people.csv");
    let key = one_line["private_key"].as_str().unwrap().replace('\n', "\\n");
    one_line["private_key"] = key.into();
    assert!(
        reading(&one_line).read().await.is_complete(),
        "a key with \\n in place of line ends is read too"
    );
}

#[tokio::test]
async fn the_newest_file_of_a_pattern_is_taken() {
    let Some(server) = Sshd::start() else { return };
    server.write("people-1.csv", "Id,Email\n1,a@acme.example\n");
    server.write("people 2.csv", "Id,Email\n2,a@acme.example\n");
    server.write("payroll-3.csv", "Id,Email\n3,a@acme.example\n");
    for (name, day) in [
        ("people-1.csv", "2026-11-01"),
        ("people 2.csv", "2026-11-20"),
        ("payroll-3.csv", "2026-11-21"),
    ] {
        let path = server.folder.join("out").join(name).display().to_string();
        run("touch", &["-d", day, &path]);
    }
    assert_eq!(server.reading("people*.csv").read().await.ids(), ["2"]);
    assert_eq!(server.reading("p*.csv").read().await.ids(), ["3"]);
    assert!(matches!(
        refused(&server.reading("none-*.csv")).await,
        SftpError::NoFile(_)
    ));
}

#[tokio::test]
async fn an_unknown_server_is_shown_and_never_trusted() {
    let Some(server) = Sshd::start() else { return };
    server.write("people.csv", PEOPLE);
    let mut settings = server.settings("people.csv");
    for pinned in [
        json!("SHA256:uNiVztksCsDhcc0u9e8BrrQXVUpKZIDTMczCvj3tD2s"),
        Value::Null,
    ] {
        settings["host_key"] = pinned;
        let steps = reading(&settings).check().await;
        let step = steps.last().unwrap();
        assert!(!step.ok && step.message.contains(&server.fingerprint), "{step:?}");
        assert!(matches!(
            refused(&reading(&settings)).await,
            SftpError::HostKey { .. }
        ));
    }
    assert!(!server.log().contains("Accepted"), "{}", server.log());
}

#[tokio::test]
async fn wrong_keys_passwords_and_paths_are_told_apart() {
    let Some(server) = Sshd::start() else { return };
    server.write("people.csv", PEOPLE);
    let mut other = server.settings("people.csv");
    other["private_key"] = std::fs::read_to_string(server.folder.join("other"))
        .unwrap()
        .into();
    assert!(matches!(
        refused(&reading(&other)).await,
        SftpError::Credentials { .. }
    ));
    let mut password = server.settings("people.csv");
    password["private_key"] = Value::Null;
    password["password"] = "not the password of anybody".into();
    assert!(matches!(
        refused(&reading(&password)).await,
        SftpError::Credentials { .. }
    ));
    assert!(
        server.log().contains("Failed password"),
        "the password was tried: {}",
        server.log()
    );
    let mut garbage = server.settings("people.csv");
    garbage["private_key"] =
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----".into();
    assert!(matches!(
        refused(&reading(&garbage)).await,
        SftpError::Setting(_) | SftpError::Credentials { .. }
    ));
    assert!(matches!(
        refused(&server.reading("nobody.csv")).await,
        SftpError::NoFile(_)
    ));
    let mut folder = server.settings("people.csv");
    folder["path"] = server.folder.join("out").display().to_string().into();
    assert!(matches!(refused(&reading(&folder)).await, SftpError::NoFile(_)));
    let mut quoted = server.settings("people.csv");
    quoted["path"] = "x\"\nrm *".into();
    assert!(reading_is_refused(&quoted).await);
    let mut guarded = server.reading("people.csv");
    guarded.allow_private = false;
    assert!(matches!(refused(&guarded).await, SftpError::Private { .. }));
}

/// Whether a connection with these settings is refused before or when it is read.
async fn reading_is_refused(settings: &Value) -> bool {
    let catalogue = scim_bridge::connector::Catalogue::load(None).unwrap();
    if catalogue
        .get("csv_sftp")
        .unwrap()
        .check_settings(settings)
        .is_err()
    {
        return true;
    }
    matches!(refused(&reading(settings)).await, SftpError::Setting(_))
}

#[tokio::test]
async fn a_file_that_grows_is_left_for_later_and_one_too_large_for_ever() {
    let Some(server) = Sshd::start() else { return };
    server.write("people.csv", PEOPLE);
    let (path, stop) = (
        server.folder.join("out/people.csv"),
        Arc::new(AtomicBool::new(false)),
    );
    let flag = Arc::clone(&stop);
    let writer = std::thread::spawn(move || {
        use std::io::Write as _;
        let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        while !flag.load(Ordering::Relaxed) {
            file.write_all(b"9,c@acme.example\n").unwrap();
        }
    });
    let error = refused(&server.reading("people.csv")).await;
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    assert!(
        matches!(error, SftpError::Unstable | SftpError::TooLarge(_)),
        "{error:?}"
    );
    let large = std::fs::File::create(server.folder.join("out/large.csv")).unwrap();
    large.set_len(300 * 1024 * 1024).unwrap();
    assert!(matches!(
        refused(&server.reading("large.csv")).await,
        SftpError::TooLarge(_)
    ));
}
