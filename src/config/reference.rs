//! `env:NAME` and `file:PATH` in files of the caller: put in on the caller's machine, never by the server.

use std::path::PathBuf;

/// A reference that leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum BadReference {
    /// There is no such variable.
    #[error("the environment variable {name} is not set")]
    Variable {
        /// Its name.
        name: String,
    },
    /// There is no such file, or it is no text.
    #[error("the file {path} cannot be read")]
    File {
        /// Its path.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

/// What a text stands for: `env:NAME` the variable's value, `file:PATH` the file's text without the end of its last
/// line, anything else itself.
///
/// # Errors
/// When there is no such variable or file.
pub fn resolve(text: &str) -> Result<String, BadReference> {
    if let Some(name) = text.strip_prefix("env:") {
        return std::env::var(name).map_err(|_| BadReference::Variable {
            name: name.to_owned(),
        });
    }
    if let Some(path) = text.strip_prefix("file:") {
        let path = PathBuf::from(path);
        return match std::fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(source) => Err(BadReference::File { path, source }),
        };
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_put_in_and_missing_ones_named() {
        assert_eq!(resolve("plain").unwrap(), "plain");
        let path = std::env::temp_dir().join(format!("scim-bridge-reference-{}", uuid::Uuid::now_v7()));
        std::fs::write(&path, "s3cret\n").unwrap();
        assert_eq!(resolve(&format!("file:{}", path.display())).unwrap(), "s3cret");
        std::fs::remove_file(&path).unwrap();
        assert!(resolve(&format!("file:{}", path.display())).is_err());
        let missing = resolve("env:SCIM_BRIDGE_NO_SUCH_VARIABLE").unwrap_err();
        assert!(missing.to_string().contains("SCIM_BRIDGE_NO_SUCH_VARIABLE"));
    }
}
