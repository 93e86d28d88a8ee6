//! Hashes under which any attribute's value is found again by one index look-up (`resource_key.keys`).

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

/// All keys of a resource, in order and without doubles, so that two lists can be compared.
pub(super) fn keys(tenant: TenantId, kind: &ResourceType, object: &Object) -> Vec<i64> {
    let mut keys: Vec<i64> = scim::keys(kind, object)
        .iter()
        .filter(|(path, _)| !IN_COLUMNS.contains(&path.as_str()))
        .map(|(path, folded)| key(tenant, &kind.name, path, folded))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}
