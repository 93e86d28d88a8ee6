//! Whether two addresses lead to the same accounts.

use url::Url;

/// Whether two base URLs lead to the same place: scheme, host, port, path and query, whatever a slash at the end.
#[must_use]
pub fn leads_to_the_same(a: &str, b: &str) -> bool {
    match (Url::parse(a), Url::parse(b)) {
        (Ok(a), Ok(b)) => {
            a.origin() == b.origin()
                && a.path().trim_end_matches('/') == b.path().trim_end_matches('/')
                && a.query() == b.query()
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_host_port_or_path_is_another_place() {
        let here = "https://api.expenses.example/scim/v2";
        for (there, same) in [
            (here, true),
            ("https://api.expenses.example/scim/v2/", true),
            ("https://API.expenses.example:443/scim/v2", true),
            ("http://api.expenses.example/scim/v2", false),
            ("https://api.expenses.example:8443/scim/v2", false),
            ("https://api.expenses.example/scim/v2/acme", false),
            ("https://api.expenses.example/SCIM/v2", false),
            ("https://api.expenses.example/scim/v2?tenant=2", false),
            ("https://sandbox.expenses.example/scim/v2", false),
        ] {
            assert_eq!(leads_to_the_same(here, there), same, "{there}");
        }
    }
}
