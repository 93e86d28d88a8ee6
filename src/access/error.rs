//! Why tenants and tokens cannot be changed.

/// Why tenants and tokens cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A tenant has that name already.
    #[error("a tenant of that name exists already")]
    NameTaken,
    /// No such tenant.
    #[error("there is no such tenant")]
    NoSuchTenant,
    /// No such token.
    #[error("there is no such token")]
    NoSuchToken,
    /// No such client.
    #[error("there is no such client")]
    NoSuchClient,
    /// A client writes either into the directory or into one connection, for ever.
    #[error("the client of that name writes elsewhere already: give the token another name")]
    OtherRoad,
    /// A name that cannot be used.
    #[error(
        "a name is 1 to 100 characters without control characters, / and \\, and starts with neither a space nor a dot"
    )]
    BadName,
    /// A lifetime that cannot be read.
    #[error("a lifetime is a number and m, h or d, such as 90d, of at most 10 years")]
    BadLifetime,
    /// A token of a tenant must open something.
    #[error("a token of a tenant needs at least one scope")]
    NoScope,
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] crate::db::QueryError),
    /// The database cannot be reached.
    #[error("the database cannot be reached")]
    Reach(#[from] crate::db::Error),
}
