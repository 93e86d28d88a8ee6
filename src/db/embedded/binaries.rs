//! Where the machine keeps its PostgreSQL server binaries.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Error;

/// The oldest major version that will do.
pub const OLDEST: u32 = 15;

/// A folder with `postgres` and `initdb` of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The folder.
    pub folder: PathBuf,
    /// The major version, such as 15.
    pub major: u32,
}

/// Folders that hold one folder per version, and what leads from there to the binaries.
const VERSIONED: &[(&str, &str, &str)] = &[
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/libexec", "postgresql", ""),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql@", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
    ("/opt/local/lib", "postgresql", "bin"),
];

/// Folders that hold the binaries themselves.
const PLAIN: &[&str] = &[
    "/usr/local/pgsql/bin",
    "/usr/pgsql/bin",
    "/usr/bin",
    "/usr/local/bin",
];

impl Binaries {
    /// The newest usable binaries: those in `named` (`SCIM_BRIDGE_PG_BIN`) only, else on `path` (`PATH`), else in the
    /// usual folders of Debian, Fedora, Alpine, Arch, Homebrew, Postgres.app and MacPorts. With `made_by`, the major
    /// version that made the data, only that version will do.
    ///
    /// # Errors
    /// When there are none, or only too old ones, or none of the version that made the data.
    pub fn find(
        named: Option<&Path>,
        path: &[PathBuf],
        made_by: Option<(&Path, u32)>,
    ) -> Result<Self, Error> {
        if let Some(folder) = named {
            let found = Self::look_in(folder).ok_or_else(|| Error::NotThere {
                folder: folder.to_owned(),
            })?;
            return choose(vec![found], made_by);
        }
        let mut all: Vec<Self> = path.iter().filter_map(|folder| Self::look_in(folder)).collect();
        let mut usual: Vec<Self> = usual_folders()
            .iter()
            .filter_map(|folder| Self::look_in(folder))
            .collect();
        usual.sort_by_key(|found| std::cmp::Reverse(found.major));
        all.extend(usual);
        choose(all, made_by)
    }

    fn look_in(folder: &Path) -> Option<Self> {
        let postgres = folder.join("postgres");
        if !postgres.is_file() || !folder.join("initdb").is_file() {
            return None;
        }
        let said = Command::new(&postgres).arg("--version").output().ok()?;
        let major = major_of(&String::from_utf8_lossy(&said.stdout))?;
        Some(Self {
            folder: folder.to_owned(),
            major,
        })
    }

    /// One of the programs.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn choose(all: Vec<Binaries>, made_by: Option<(&Path, u32)>) -> Result<Binaries, Error> {
    let install = install_command();
    if let Some((data_dir, major)) = made_by {
        let found: Vec<String> = all.iter().map(|found| found.major.to_string()).collect();
        return all
            .into_iter()
            .find(|found| found.major == major)
            .ok_or_else(|| Error::OtherVersion {
                data_dir: data_dir.to_owned(),
                made_by: major,
                found: if found.is_empty() {
                    "none".to_owned()
                } else {
                    found.join(", ")
                },
            });
    }
    let newest = all.iter().map(|found| found.major).max();
    if let Some(found) = all.iter().find(|found| found.major >= OLDEST) {
        return Ok(found.clone());
    }
    match (newest, all.into_iter().next()) {
        (Some(_), Some(old)) => Err(Error::TooOld {
            folder: old.folder,
            found: old.major,
            install,
        }),
        _ => Err(Error::NoBinaries { install }),
    }
}

/// `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)` → 15; also of `17beta1`.
fn major_of(said: &str) -> Option<u32> {
    let version = said.split("(PostgreSQL)").nth(1)?.trim_start();
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn usual_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for (parent, prefix, bin) in VERSIONED {
        let Ok(entries) = std::fs::read_dir(parent) else {
            continue;
        };
        folders.extend(
            entries
                .filter_map(Result::ok)
                .filter(|entry| {
                    entry
                        .file_name()
                        .to_str()
                        .and_then(|name| name.strip_prefix(prefix))
                        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
                })
                .map(|entry| entry.path().join(bin)),
        );
    }
    folders.extend(PLAIN.iter().map(PathBuf::from));
    folders
}

fn install_command() -> &'static str {
    let has = |file: &str| Path::new(file).exists();
    if cfg!(target_os = "macos") {
        "brew install postgresql@17"
    } else if has("/usr/bin/apt-get") {
        "apt-get install postgresql"
    } else if has("/usr/bin/dnf") {
        "dnf install postgresql-server"
    } else if has("/sbin/apk") {
        "apk add postgresql"
    } else if has("/usr/bin/pacman") {
        "pacman -S postgresql"
    } else {
        "see https://www.postgresql.org/download/"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(major: u32) -> Binaries {
        Binaries {
            folder: PathBuf::from(format!("/pg/{major}")),
            major,
        }
    }

    #[test]
    fn versions_are_read_as_distributions_write_them() {
        assert_eq!(
            major_of("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(major_of("postgres (PostgreSQL) 18beta2"), Some(18));
        assert_eq!(major_of("mysqld 8"), None);
    }

    #[test]
    fn what_comes_first_and_is_new_enough_is_taken() {
        assert_eq!(choose(vec![of(14), of(16), of(17)], None).unwrap(), of(16));
        let data = Path::new("/d");
        assert_eq!(choose(vec![of(17), of(15)], Some((data, 15))).unwrap(), of(15));
        let text = choose(vec![of(17)], Some((data, 15))).unwrap_err().to_string();
        assert!(
            text.contains("made by PostgreSQL 15") && text.contains("found: 17"),
            "{text}"
        );
        let text = choose(vec![of(13)], None).unwrap_err().to_string();
        assert!(
            text.contains("version 13; 15 or newer is needed: install it ("),
            "{text}"
        );
        assert!(!choose(vec![], None).unwrap_err().to_string().contains('\n'));
    }

    #[test]
    fn a_named_folder_without_binaries_is_refused_by_name() {
        let text = Binaries::find(Some(Path::new("/nowhere")), &[], None)
            .unwrap_err()
            .to_string();
        assert!(text.contains("/nowhere"), "{text}");
    }
}
