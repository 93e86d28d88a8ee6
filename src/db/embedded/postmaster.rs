//! The server process: who runs it, as whom, and whether it is ours.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::Error;

/// The Unix user that runs the server when we are root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// Its group's number.
    pub gid: u32,
}

impl User {
    /// `postgres`, else `nobody`, when we are root; none when we are not, since then we run it ourselves.
    pub fn for_server() -> Result<Option<Self>, Error> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        ["postgres", "_postgres", "nobody"]
            .iter()
            .find_map(|name| Self::among(&users, name))
            .map(Some)
            .ok_or(Error::NoUser)
    }

    fn among(users: &str, wanted: &str) -> Option<Self> {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let uid = number(fields.nth(1)?)?;
            let gid = number(fields.next()?)?;
            (name == wanted && uid != 0).then(|| Self {
                name: name.to_owned(),
                uid,
                gid,
            })
        })
    }
}

/// macOS writes `nobody` as −2.
fn number(text: &str) -> Option<u32> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<i32>().ok().map(i32::cast_unsigned))
}

/// Whether a folder and all above it may be entered by a user, by the mode bits.
pub fn can_enter(user: &User, folder: &Path) -> bool {
    folder
        .ancestors()
        .filter(|part| !part.as_os_str().is_empty())
        .all(|part| {
            std::fs::metadata(part).is_ok_and(|meta| {
                let bit = if meta.uid() == user.uid {
                    0o100
                } else if meta.gid() == user.gid {
                    0o010
                } else {
                    0o001
                };
                meta.mode() & bit != 0
            })
        })
}

/// The process that `postmaster.pid` names, if it lives and is a server of this folder.
pub fn running(pgdata: &Path) -> Option<Pid> {
    let text = std::fs::read_to_string(pgdata.join("postmaster.pid")).ok()?;
    let pid = Pid::from_raw(text.lines().next()?.trim().parse().ok()?)?;
    (is_alive(pid) && is_server_of(pid, pgdata)).then_some(pid)
}

/// Whether a process exists.
pub fn is_alive(pid: Pid) -> bool {
    !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

/// Numbers of processes are used again: after a restart of the machine or container, the one in a stale file may be anybody.
fn is_server_of(pid: Pid, pgdata: &Path) -> bool {
    let number = pid.as_raw_nonzero().get();
    let proc = PathBuf::from(format!("/proc/{number}/cmdline"));
    let line = if Path::new("/proc/self/cmdline").exists() {
        std::fs::read(proc).unwrap_or_default()
    } else {
        Command::new("ps")
            .args(["-o", "command=", "-p", &number.to_string()])
            .output()
            .map(|said| said.stdout)
            .unwrap_or_default()
    };
    let line = String::from_utf8_lossy(&line);
    line.contains("postgres") && line.contains(&*pgdata.to_string_lossy())
}

/// Asks the server to end: open transactions are rolled back, everything is written (`pg_ctl stop -m fast`).
pub fn ask_to_stop(pid: Pid) {
    if let Err(error) = kill_process(pid, Signal::INT) {
        tracing::warn!(error = %error, "the database server cannot be signalled");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_root_never_is() {
        let users = "root:x:0:0:root:/root:/bin/bash\nnobody:*:-2:-2::/var/empty:/usr/bin/false\npostgres:x:105:110::/:/bin/sh";
        assert_eq!(User::among(users, "postgres").unwrap().gid, 110);
        assert_eq!(User::among(users, "nobody").unwrap().uid, u32::MAX - 1);
        assert_eq!(User::among(users, "root"), None);
    }
}
