//! Hashes under which any attribute's value is found again by one index look-up (`resource_key.keys`). The database has
//! the formula too (`scim_key`), for values that it has to look up first.

use crate::base::{TenantId, digest};
use crate::scim::{self, Object, ResourceType};

/// The hash of one value, already folded by the attribute's rule. Tenant, type and path are part of it; a hit is
/// rechecked on the row, since 64 bits may collide.
pub(super) fn key(tenant: TenantId, kind: &str, path: &str, folded: &str) -> i64 {
    let mut text = Vec::with_capacity(64 + path.len() + folded.len());
    text.extend_from_slice(tenant.uuid().as_bytes());
    for part in [kind, path] {
        text.extend_from_slice(part.as_bytes());
        text.push(0);
    }
    text.extend_from_slice(folded.as_bytes());
    digest(&text)
        .first_chunk::<8>()
        .map_or(0, |head| i64::from_be_bytes(*head))
}

/// Attributes that have a column and an index of their own, so that nobody asks for their keys.
pub(super) const IN_COLUMNS: [&str; 2] = ["userName", "displayName"];

/// The attribute whose beginnings have keys too.
const WITH_PREFIXES: &str = "emails.value";

/// So many letters of a value have a key of their own: few, for who searches while typing, and many, since addresses
/// of one place begin alike.
const PREFIXES: [usize; 4] = [1, 2, 3, 8];

/// The key that every resource has one of whose values at `path` begins so; `None` if such beginnings have no keys.
pub(super) fn prefix_key(tenant: TenantId, kind: &str, path: &str, folded: &str) -> Option<i64> {
    let longest = PREFIXES
        .iter()
        .rev()
        .find_map(|letters| prefix(folded, *letters))?;
    (path == WITH_PREFIXES).then(|| of_prefix(tenant, kind, longest))
}

fn prefix(folded: &str, letters: usize) -> Option<&str> {
    let end = folded.char_indices().nth(letters.checked_sub(1)?)?;
    folded.get(..end.0 + end.1.len_utf8())
}

fn of_prefix(tenant: TenantId, kind: &str, prefix: &str) -> i64 {
    key(tenant, kind, "emails.value^", prefix)
}

/// All keys of a resource, in order and without doubles, so that two lists can be compared.
pub(super) fn keys(tenant: TenantId, kind: &ResourceType, object: &Object) -> Vec<i64> {
    let mut keys: Vec<i64> = Vec::new();
    for (path, folded) in scim::keys(kind, object) {
        if !IN_COLUMNS.contains(&path.as_str()) {
            keys.push(key(tenant, &kind.name, &path, &folded));
        }
        if path == WITH_PREFIXES {
            let prefixes = PREFIXES.iter().filter_map(|letters| prefix(&folded, *letters));
            keys.extend(prefixes.map(|prefix| of_prefix(tenant, &kind.name, prefix)));
        }
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}
