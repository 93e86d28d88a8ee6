//! What can go wrong while apps are brought up to date. A refusal by an app is no error: it is an account's state.

/// Why the work for an app stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The pool gave no connection.
    #[error("no connection to the store")]
    Db(#[from] crate::db::Error),
    /// The database refused.
    #[error("the store of accounts failed")]
    Store(#[from] crate::db::QueryError),
    /// Users and groups could not be read.
    #[error("the directory could not be read")]
    Directory(#[from] crate::directory::Error),
    /// The app's settings could not be read.
    #[error("the app's settings could not be used")]
    Provision(#[from] crate::provision::Error),
    /// The plan of a publication could not be kept.
    #[error("the plan could not be kept")]
    Guard(#[from] crate::guard::Error),
    /// What happened could not be kept to be told.
    #[error("an event could not be kept")]
    Notice(#[from] crate::notice::Error),
    /// An app's base URL cannot be extended by a path.
    #[error("the app's address cannot be used")]
    Address,
    /// An order by hand cannot be carried out so.
    #[error("this cannot be done: {0}")]
    Order(&'static str),
    /// There is no such account or operation.
    #[error("there is no {0}")]
    Unknown(&'static str),
    /// It cannot be done as things stand.
    #[error("{0}")]
    Refused(&'static str),
    /// The draft leads to another address than that in force, and nobody said whose accounts are there.
    #[error(
        "base_url leads elsewhere: {from} is in force and {linked} accounts are linked there, {to} is to be. Say whose \
         accounts are at the new address: \"accounts\": \"same\" (--same-accounts) for the same ones under another \
         address, \"new\" (--new-target) for another server or tenant; then the links are dropped and accounts are \
         matched anew"
    )]
    Moved {
        /// The address in force.
        from: String,
        /// The draft's.
        to: String,
        /// Accounts that are linked.
        linked: i64,
    },
    /// Somebody else took over the app meanwhile; what they find in the tables is all there is to know.
    #[error("the lease of the app has passed to somebody else")]
    LeaseLost,
}

impl Error {
    /// Whether it lies in what was asked or stored, so that asking again changes nothing; otherwise in the database, or
    /// in the moment.
    pub(super) fn is_lasting(&self) -> bool {
        match self {
            Self::Db(_) | Self::LeaseLost => false,
            error => error.refusal().is_none_or(crate::db::is_misfit),
        }
    }

    /// What the database said, if it is why.
    fn refusal(&self) -> Option<&crate::db::QueryError> {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = cause {
            if let Some(refusal) = error.downcast_ref() {
                return Some(refusal);
            }
            cause = error.source();
        }
        None
    }

    /// What is wrong, for people: with its causes, but never with what the database said of a row.
    pub(super) fn said(&self) -> String {
        match self.refusal() {
            Some(_) => self.to_string(),
            None => crate::base::Chain(self).to_string(),
        }
    }
}
