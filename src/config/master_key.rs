//! The master key of the embedded default: a file that only its owner can read.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::Error;
use crate::base::{Sealer, random_token};

/// The key in `path`; made when there is none. Two processes that make it at once end with the same one.
pub fn from_file(path: &Path) -> Result<Sealer, Error> {
    let unusable = |source| Error::KeyFile {
        path: path.to_owned(),
        source,
    };
    if !path.exists() {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(unusable)?;
        }
        let draft = path.with_extension(format!("{}.new", random_token()));
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&draft)
            .map_err(unusable)?;
        writeln!(file, "{}", Sealer::new_key()).map_err(unusable)?;
        file.sync_all().map_err(unusable)?;
        // A link is made only where nothing is yet: who comes second keeps the first one's key.
        let linked = std::fs::hard_link(&draft, path);
        std::fs::remove_file(&draft).map_err(unusable)?;
        match linked {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(unusable(error)),
            _ => {}
        }
    }
    let meta = std::fs::metadata(path).map_err(unusable)?;
    if meta.mode() & 0o077 != 0 {
        return Err(Error::OpenKeyFile {
            path: path.to_owned(),
        });
    }
    let text = std::fs::read_to_string(path).map_err(unusable)?;
    Ok(Sealer::from_list(&text)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_is_made_once_kept_private_and_refused_when_open() {
        let folder = std::env::temp_dir().join(format!("scim-bridge-key-{}", random_token()));
        let path = folder.join("master.key");
        let sealed = from_file(&path).unwrap().seal("x", b"y").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(from_file(&path).unwrap().open("x", &sealed).unwrap(), b"y");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(from_file(&path), Err(Error::OpenKeyFile { .. })));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
