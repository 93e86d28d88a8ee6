//! How much a tenant may define.

/// Schemas of a tenant.
pub const SCHEMAS: usize = 50;
/// Resource types of a tenant, those that it only extends included.
pub const TYPES: usize = 20;
/// Extensions that a tenant adds to one resource type.
pub const EXTENSIONS: usize = 20;
/// Attributes of a schema, and sub-attributes of an attribute.
pub const ATTRIBUTES: usize = 200;
/// Values in `canonicalValues` or `referenceTypes`.
pub const VALUES: usize = 200;
/// Characters of a name.
pub const NAME: usize = 64;
/// Characters of a URN.
pub const URN: usize = 200;
/// Characters of a description or a canonical value.
pub const TEXT: usize = 1_000;
