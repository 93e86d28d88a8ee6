//! Why an HR system could not be read, and what its owner can do about it.

use std::time::Duration;

/// Why employees could not be read. The text names the connector, paths and codes, never a person's data.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Manifests that cannot be used.
    #[error("{file}: {problems}")]
    Manifest {
        /// The manifest's file name.
        file: String,
        /// Each with line and column.
        problems: ManifestProblems,
    },
    /// A folder or file of manifests cannot be read.
    #[error("{file} cannot be read")]
    ManifestFile {
        /// The file or folder.
        file: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A setting is missing or unusable.
    #[error("setting {setting}: {message}")]
    Setting {
        /// The setting's name.
        setting: String,
        /// What is wrong with it.
        message: String,
    },
    /// The HR system does not accept the credentials.
    #[error("{connector} does not accept the credentials (status {status}{code})")]
    Credentials {
        /// Key of the connector.
        connector: String,
        /// HTTP status.
        status: u16,
        /// The HR system's code with a leading comma, or nothing.
        code: String,
    },
    /// Nobody consented yet, or consent was withdrawn or ran out.
    #[error("{connector} needs somebody's consent{}", if *interrupted { ": an earlier renewal broke off, and its token was good for one use" } else { "" })]
    Consent {
        /// Key of the connector.
        connector: String,
        /// Whether a renewal had been begun and never finished.
        interrupted: bool,
    },
    /// Consent is not how this connection signs in.
    #[error("{connector} is not connected by consent with these settings")]
    NoConsentAsked {
        /// Key of the connector.
        connector: String,
    },
    /// The client that the vendor knows us as is not set.
    #[error("{connector} is connected by consent, and no OAuth client is set for it")]
    NoClient {
        /// Key of the connector.
        connector: String,
    },
    /// Another process is signing in and does not finish.
    #[error("another process is signing in to {connector} and does not finish")]
    SignInBusy {
        /// Key of the connector.
        connector: String,
    },
    /// The vendor's token cannot be read or kept.
    #[error("signing in was not possible")]
    TokenStore {
        /// What the store said.
        #[source]
        source: super::TokenTrouble,
    },
    /// The credentials are right but may not read this.
    #[error("{connector} does not allow these credentials to read {what} (status {status})")]
    Forbidden {
        /// Key of the connector.
        connector: String,
        /// What was read.
        what: String,
        /// HTTP status.
        status: u16,
    },
    /// There is nothing at the address.
    #[error("{connector} has nothing at the address of {what} (status {status})")]
    NotFound {
        /// Key of the connector.
        connector: String,
        /// What was read.
        what: String,
        /// HTTP status.
        status: u16,
    },
    /// The HR system says that it is not ready yet.
    #[error("{connector} is not ready yet ({code})")]
    NotReady {
        /// Key of the connector.
        connector: String,
        /// The HR system's code.
        code: String,
    },
    /// Too many requests, or a failure on the other side that repeating did not cure.
    #[error("{connector} is busy or failing (status {status})")]
    Busy {
        /// Key of the connector.
        connector: String,
        /// HTTP status of the last attempt.
        status: u16,
        /// How long it asked us to wait.
        retry_after: Option<Duration>,
    },
    /// The HR system refuses the request for another reason.
    #[error("{connector} refuses to give {what} (status {status}{code})")]
    Refused {
        /// Key of the connector.
        connector: String,
        /// What was read.
        what: String,
        /// HTTP status.
        status: u16,
        /// The HR system's code with a leading comma, or nothing.
        code: String,
    },
    /// No answer came.
    #[error("{connector} gave no answer")]
    Unreachable {
        /// Key of the connector.
        connector: String,
        /// What the client said.
        #[source]
        source: crate::net::Error,
    },
    /// The answer is not written as it should be.
    #[error("page {page} of {connector} is not readable as {format}")]
    Unreadable {
        /// Key of the connector.
        connector: String,
        /// Page, from 1.
        page: u32,
        /// What it should be written in.
        format: &'static str,
        /// Where it breaks.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The HR system says that there is nothing; readers take it for an empty list.
    #[error("{connector} has nothing in {what}")]
    Nothing {
        /// Key of the connector.
        connector: String,
        /// What was read.
        what: String,
    },
    /// What was kept of the last read is too old to ask for changes.
    #[error("{connector} no longer knows the changes of {what} since the last read (status {status})")]
    Expired {
        /// Key of the connector.
        connector: String,
        /// What was read.
        what: String,
        /// HTTP status.
        status: u16,
    },
    /// Fewer or more records came than the HR system counts.
    #[error("{connector} counts {total} records in {what}, {came} came")]
    Short {
        /// Key of the connector.
        connector: String,
        /// What was read.
        what: String,
        /// What the HR system counts.
        total: u64,
        /// How many came.
        came: u64,
    },
    /// There is more than a read can take.
    #[error("{connector} has more than {most} {what}")]
    TooMany {
        /// Key of the connector.
        connector: String,
        /// What there is too much of.
        what: String,
        /// How many would do.
        most: usize,
    },
    /// Something that always was there is not: the HR system changed, or an attribute is not released.
    #[error("{connector} no longer delivers {path}, which is read as {field}")]
    Drift {
        /// Key of the connector.
        connector: String,
        /// Canonical field, or `records`, `next page`, `count`, `token`.
        field: String,
        /// Path in the answer.
        path: String,
    },
    /// No record of a page could be read, for one reason.
    #[error("no record of page {page} of {connector} can be read: {field} {message}")]
    AllUnreadable {
        /// Key of the connector.
        connector: String,
        /// Page, from 1.
        page: u32,
        /// Canonical field.
        field: String,
        /// What is wrong.
        message: String,
    },
    /// A single record cannot be read.
    #[error("the record cannot be read: {field} {message}")]
    Record {
        /// Canonical field.
        field: String,
        /// What is wrong.
        message: String,
    },
    /// The pages do not come to an end.
    #[error("page {page} of {connector} leads back to people already read")]
    Looping {
        /// Key of the connector.
        connector: String,
        /// Page, from 1.
        page: u32,
    },
    /// The pages end before what was announced.
    #[error("page {page} of {connector} is empty although more was announced")]
    EndsEarly {
        /// Key of the connector.
        connector: String,
        /// Page, from 1.
        page: u32,
    },
    /// The next page is on another host.
    #[error("page {page} of {connector} leads to another host")]
    LeadsAway {
        /// Key of the connector.
        connector: String,
        /// Page, from 1.
        page: u32,
    },
    /// No file has been handed in.
    #[error("no file has been uploaded yet, and neither url nor server_path is set")]
    NoFile,
    /// A file cannot be fetched over SFTP.
    #[error("the file cannot be fetched")]
    Sftp(#[from] crate::net::SftpError),
    /// A file on the server cannot be read.
    #[error("the file cannot be read")]
    File {
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A file on the server lies outside the folder for files.
    #[error("server_path must name a file below the folder for files")]
    Outside,
    /// A column named in `[fields]` is not in the file.
    #[error("the file has no column {column}; it has {available}")]
    NoColumn {
        /// The name in `[fields]`.
        column: String,
        /// The file's columns.
        available: String,
    },
    /// The file cannot be read as a table.
    #[error("the file cannot be read: {message}")]
    BadFile {
        /// What is wrong with it.
        message: String,
    },
}

impl Error {
    /// Whether the same read may succeed later without anybody doing anything.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::NotReady { .. }
            | Self::Busy { .. }
            | Self::EndsEarly { .. }
            | Self::Short { .. }
            | Self::Unreadable { .. }
            | Self::SignInBusy { .. }
            | Self::TokenStore { .. } => true,
            Self::Unreachable { source, .. } => source.is_transient(),
            Self::Sftp(source) => source.is_transient(),
            _ => false,
        }
    }

    /// How long the HR system asked us to wait.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// What the connection's owner can do.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Manifest { .. } | Self::ManifestFile { .. } => "correct the manifest",
            Self::Setting { .. } => "correct the connection's settings",
            Self::Credentials { .. } => "check the key or secret: it may be mistyped, expired or revoked",
            Self::Consent { .. } => {
                "have consent given: `scim-bridge connection authorize NAME` prints the link for it"
            }
            Self::NoConsentAsked { .. } => "give the key or secret in the settings: the guide says which",
            Self::NoClient { .. } => {
                "answer oauth_client_id and oauth_client_secret, or set the operator's: `scim-bridge connector client KEY`"
            }
            Self::SignInBusy { .. } | Self::TokenStore { .. } => "wait: the next run tries again",
            Self::Forbidden { .. } => {
                "give the credentials the permissions that the guide of this connector names"
            }
            Self::NotFound { .. } => "check the address, subdomain or company name in the settings",
            Self::NotReady { .. } => "wait: the HR system still prepares its data, the next run tries again",
            Self::Busy { .. } => "wait: the next run tries again",
            Self::Refused { .. } => "compare the settings with the guide of this connector",
            Self::Unreachable { .. } => {
                "check the address in the settings and whether it can be reached from here"
            }
            Self::Unreadable { .. } => "check that the address is the HR system's API; if it is, try again",
            Self::Drift { .. } => {
                "release the attribute to the credentials, or report that the HR system renamed it"
            }
            Self::AllUnreadable { .. } | Self::Record { .. } => {
                "compare how the field is read with what the HR system delivers"
            }
            Self::Looping { .. } | Self::EndsEarly { .. } | Self::Short { .. } | Self::LeadsAway { .. } => {
                "try again; if it stays, report it: nobody leaves because of this read"
            }
            Self::Sftp(_) => {
                "compare host, port, user, host_key and path with what the server's operator gave you, and the guide of this connector"
            }
            Self::Nothing { .. } | Self::Expired { .. } => "wait: the next run reads everything",
            Self::TooMany { .. } => "restrict what the credentials may see, or report it",
            Self::NoFile => "hand in a file with `scim-bridge sync`",
            Self::File { .. } | Self::Outside => "check server_path and the rights on the file",
            Self::NoColumn { .. } => "correct [fields], or the delimiter or encoding setting",
            Self::BadFile { .. } => "check delimiter, quote and encoding in the settings",
        }
    }
}

/// One thing wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ManifestProblem {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// What is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct ManifestProblems(pub Vec<ManifestProblem>);

impl std::fmt::Display for ManifestProblems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(
                f,
                "line {}, column {}: {}",
                problem.line, problem.column, problem.message
            )?;
        }
        Ok(())
    }
}
