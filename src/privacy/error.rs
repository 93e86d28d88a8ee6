//! What can go wrong with the data of a person.

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused.
    #[error("what is stored could not be read or written")]
    Store(#[from] crate::db::QueryError),
    /// The database cannot be reached.
    #[error("the database does not answer")]
    Reach(#[from] crate::db::Error),
    /// There is nobody of that id.
    #[error("nobody is known by that id")]
    Unknown,
    /// The name that was typed is not the person's.
    #[error("that is not the user name of whom is to be erased: nothing was done")]
    OtherName,
    /// A setting that will not do.
    #[error("{0}")]
    Invalid(String),
    /// The directory refused.
    #[error("the user could not be taken from the directory")]
    Directory(#[from] crate::directory::Error),
    /// Accounts could not be looked at.
    #[error("accounts could not be looked at")]
    Delivery(#[from] crate::delivery::Error),
    /// A record could not be opened.
    #[error("a stored record could not be read")]
    Identity(#[from] crate::identity::Error),
    /// Something sealed could not be opened or made.
    #[error("something sealed could not be opened")]
    Sealed(#[from] crate::base::Unsealable),
}
