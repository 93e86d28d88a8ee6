//! The peculiarities of apps, as data: one entry per dialect.

/// How an app wants to be spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// Its name in app files.
    pub name: &'static str,
    /// Whether the app's ServiceProviderConfig is asked and believed.
    pub discovery: bool,
    /// Whether PATCH is used where the app does not deny it (RFC 7644 §3.5.2).
    pub patch: bool,
    /// The media type of bodies (RFC 7644 §8.1).
    pub media_type: &'static str,
    /// Resources asked for in one page.
    pub page: u16,
    /// Whether the app can search by `filter`.
    pub filter: bool,
}

const DIALECTS: &[Dialect] = &[
    Dialect {
        name: "standard",
        discovery: true,
        patch: true,
        media_type: "application/scim+json",
        page: 100,
        filter: true,
    },
    Dialect {
        name: "put_only",
        discovery: false,
        patch: false,
        media_type: "application/scim+json",
        page: 100,
        filter: true,
    },
    Dialect {
        name: "plain_json",
        discovery: true,
        patch: true,
        media_type: "application/json",
        page: 100,
        filter: true,
    },
];

impl Dialect {
    /// The dialect of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        DIALECTS.iter().find(|dialect| dialect.name == name)
    }

    /// All names.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        DIALECTS.iter().map(|dialect| dialect.name).collect()
    }
}
