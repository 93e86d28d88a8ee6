//! What real clients send that the RFCs do not have, and that is read all the same. This table is the only list of it;
//! each line names the client and the test that holds it. We write strictly.

/// One tolerated shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// `"op":"Add"`.
    OperationCase,
    /// `"True"` for a boolean.
    TextForBoolean,
    /// `"manager":"26118915"`.
    TextForComplex,
    /// One object where a list belongs.
    SingleForList,
    /// A list of one where a single value belongs.
    ListForSingle,
    /// `"name.givenName"` as a key.
    DottedKey,
    /// `"urn:…:User:department"` as a key.
    PrefixedKey,
    /// The core schema's URN as a key, like an extension.
    CoreAsExtension,
    /// `emails[type eq "work"].value` as a key of a value without path.
    FilterAsKey,
    /// `remove` of listed elements by `value`.
    RemoveByValue,
    /// `add` or `replace` with a filter that matches nothing makes the element.
    MakeMissingElement,
    /// `id`, `meta`, `schemas` or another readOnly attribute inside a value without path.
    ReadOnlyInValue,
    /// A PATCH body without `schemas`.
    PatchWithoutSchemas,
    /// An operation with a `name`.
    NamedOperation,
    /// An extension attribute as path without its URN.
    ExtensionWithoutUrn,
    /// Extension data whose URN is missing in `schemas`.
    UndeclaredExtension,
    /// A text without quotes in a filter.
    UnquotedFilterValue,
    /// `emails[type eq "work"].value eq "x"` as a filter.
    SubAttributeBehindFilter,
    /// An empty text that means "no value", for a reference.
    EmptyForNone,
}

/// A line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    /// The shape.
    pub shape: Shape,
    /// Its name in metrics.
    pub key: &'static str,
    /// Who sends it.
    pub client: &'static str,
    /// How it is read.
    pub meaning: &'static str,
    /// The test that holds it, in `scim/tolerated/tests.rs`.
    pub test: &'static str,
}

macro_rules! tolerances {
    ($($shape:ident, $key:literal, $client:literal, $meaning:literal, $test:literal;)+) => {
        /// All tolerated shapes.
        pub const TOLERANCES: &[Tolerance] = &[
            $(Tolerance { shape: Shape::$shape, key: $key, client: $client, meaning: $meaning, test: $test },)+
        ];
        impl Shape {
            /// The shape's name in metrics.
            #[must_use]
            pub const fn key(self) -> &'static str {
                match self { $(Self::$shape => $key,)+ }
            }
        }
    };
}

tolerances! {
    OperationCase, "operation_case", "Entra ID (default mode)", "op in any case", "operation_case";
    TextForBoolean, "text_for_boolean", "Entra ID (default mode), Keycloak", "\"True\" and \"False\" in any case are booleans", "text_for_boolean";
    TextForComplex, "text_for_complex", "Entra ID", "a text for a complex attribute is its `value`", "text_for_complex";
    SingleForList, "single_for_list", "RFC 7644 allows it in PATCH; others in bodies", "one value is a list of one", "single_for_list";
    ListForSingle, "list_for_single", "Entra ID (manager)", "a list of one is its value", "list_for_single";
    DottedKey, "dotted_key", "Entra ID (aadOptscim062020)", "a key `a.b` is sub-attribute b of a", "dotted_key";
    PrefixedKey, "prefixed_key", "Entra ID (aadOptscim062020)", "a key may carry the URN of its schema", "prefixed_key";
    CoreAsExtension, "core_as_extension", "clients that treat all schemas alike", "an object under the core schema's URN belongs to the resource itself", "core_as_extension";
    FilterAsKey, "filter_as_key", "clients that flatten their mapping", "a key of a value without path may be any PATCH path", "filter_as_key";
    RemoveByValue, "remove_by_value", "Entra ID (default mode), OneLogin, authentik, JumpCloud", "only the listed elements are removed", "remove_by_value";
    MakeMissingElement, "make_missing_element", "Entra ID", "one `eq` on type or primary says what the new element is; with replace the type must be canonical", "make_missing_element";
    ReadOnlyInValue, "read_only_in_value", "Okta, authentik", "ignored inside a value without path", "read_only_in_value";
    PatchWithoutSchemas, "patch_without_schemas", "OneLogin", "a PATCH body needs no schemas", "patch_without_schemas";
    NamedOperation, "named_operation", "Entra ID (before 2018)", "the name of an operation is ignored", "named_operation";
    ExtensionWithoutUrn, "extension_without_urn", "Entra ID (manager)", "a path that the core schema lacks is looked for in the extensions", "extension_without_urn";
    UndeclaredExtension, "undeclared_extension", "Entra ID (own extensions)", "the URN is added to `schemas`", "undeclared_extension";
    UnquotedFilterValue, "unquoted_filter_value", "authentik (old)", "a single word in a filter is a text", "unquoted_filter_value";
    SubAttributeBehindFilter, "sub_attribute_behind_filter", "Entra ID (matching attribute)", "a comparison behind the brackets of a filter belongs into them", "sub_attribute_behind_filter";
    EmptyForNone, "empty_for_none", "Entra ID (manager)", "\"\" takes a reference away", "empty_for_none";
}

#[cfg(test)]
mod tests;
