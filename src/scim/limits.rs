//! How much this module takes from outside. The size of a body is limited where it is received.

/// Bytes of a filter or of a PATCH path.
pub const FILTER_BYTES: usize = 8 * 1024;
/// How deep brackets and `not` may nest in a filter.
pub const FILTER_DEPTH: usize = 20;
/// Comparisons in one filter.
pub const FILTER_TERMS: usize = 100;
/// Bytes of one text value.
pub const TEXT_BYTES: usize = 64 * 1024;
/// Elements of one multi-valued attribute that is kept in the resource.
pub const ELEMENTS: usize = 1_000;
/// Members named in one request.
pub const MEMBERS: usize = 100_000;
/// Operations of one PATCH request.
pub const OPERATIONS: usize = 1_000;
/// Names in `attributes` or `excludedAttributes`.
pub const PROJECTED: usize = 200;
