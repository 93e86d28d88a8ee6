//! What real clients send that the RFCs do not have, and that is read all the same. This table is the only list of it;
//! each line names the client, whom it is read for and the test that holds it. We write strictly.
//!
//! A client that is to be judged by the letter has the dialect `strict` in its profile: a shape that contradicts the RFC
//! is then refused. Nobody is known by its name: without a profile all clients are read alike.

use super::error::{Error, ScimType};
use super::read::Member;

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
    /// `attributes=emails[type eq "work"]`.
    FilterInAttributes,
    /// A member whose `value` is no id of ours.
    ForeignMember,
    /// A member with `displayName` where `display` is meant.
    MemberDisplayName,
    /// A token without the word Bearer before it.
    BareToken,
    /// `/users`.
    EndpointCase,
    /// `/ServiceProviderConfigs`, `/serviceConfiguration`.
    ConfigAddress,
}

/// Whom a shape is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Everybody: the RFC asks for nothing else.
    All,
    /// Everybody but strict clients: the RFC wants it refused, with this keyword.
    Tolerant(ScimType),
    /// Clients with the dialect `entra`; for all others it is refused.
    Entra,
}

/// A line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    /// The shape.
    pub shape: Shape,
    /// Its name in metrics, in recordings of clients, and of its test in `scim/tolerated/tests.rs`.
    pub key: &'static str,
    /// Who sends it.
    pub client: &'static str,
    /// How it is read.
    pub meaning: &'static str,
    /// Whom it is read for.
    pub audience: Audience,
}

macro_rules! tolerances {
    ($($shape:ident, $key:literal, $audience:expr, $client:literal, $meaning:literal;)+) => {
        /// All tolerated shapes.
        pub const TOLERANCES: &[Tolerance] = &[
            $(Tolerance {
                shape: Shape::$shape, key: $key, client: $client, meaning: $meaning, audience: $audience
            },)+
        ];
        impl Shape {
            /// Its line of the table.
            const fn line(self) -> (&'static str, Audience) {
                match self { $(Self::$shape => ($meaning, $audience),)+ }
            }

            /// The shape's name in metrics.
            #[must_use]
            pub const fn key(self) -> &'static str {
                match self { $(Self::$shape => $key,)+ }
            }
        }
    };
}

tolerances! {
    OperationCase, "operation_case", Audience::Tolerant(ScimType::InvalidSyntax), "Entra ID (default mode)", "op in any case";
    TextForBoolean, "text_for_boolean", Audience::Tolerant(ScimType::InvalidValue), "Entra ID (default mode), Keycloak", "\"True\" and \"False\" in any case are booleans, in filters too";
    TextForComplex, "text_for_complex", Audience::Tolerant(ScimType::InvalidValue), "Entra ID", "a text for a complex attribute is its `value`";
    SingleForList, "single_for_list", Audience::All, "RFC 7644 allows it in PATCH; others in bodies", "one value is a list of one";
    ListForSingle, "list_for_single", Audience::Tolerant(ScimType::InvalidValue), "Entra ID (manager)", "a list of one is its value";
    DottedKey, "dotted_key", Audience::All, "Entra ID (aadOptscim062020)", "a key `a.b` is sub-attribute b of a";
    PrefixedKey, "prefixed_key", Audience::All, "Entra ID (aadOptscim062020)", "a key may carry the URN of its schema";
    CoreAsExtension, "core_as_extension", Audience::All, "clients that treat all schemas alike", "an object under the core schema's URN belongs to the resource itself";
    FilterAsKey, "filter_as_key", Audience::All, "clients that flatten their mapping", "a key of a value without path may be any PATCH path";
    RemoveByValue, "remove_by_value", Audience::Tolerant(ScimType::InvalidValue), "Entra ID (default mode), OneLogin, authentik, JumpCloud", "only the listed elements are removed";
    MakeMissingElement, "make_missing_element", Audience::Tolerant(ScimType::NoTarget), "Entra ID", "one `eq` on type or primary says what the new element is; with replace the type must be canonical";
    ReadOnlyInValue, "read_only_in_value", Audience::Tolerant(ScimType::Mutability), "Okta, authentik", "ignored inside a value without path";
    PatchWithoutSchemas, "patch_without_schemas", Audience::Tolerant(ScimType::InvalidSyntax), "OneLogin", "a PATCH body needs no schemas";
    NamedOperation, "named_operation", Audience::All, "Entra ID (before 2018)", "the name of an operation is ignored";
    ExtensionWithoutUrn, "extension_without_urn", Audience::Tolerant(ScimType::InvalidPath), "Entra ID (manager)", "a name that the core schema lacks is looked for in the extensions";
    UndeclaredExtension, "undeclared_extension", Audience::All, "Entra ID (own extensions)", "the URN is added to `schemas`";
    UnquotedFilterValue, "unquoted_filter_value", Audience::Tolerant(ScimType::InvalidFilter), "authentik (old)", "a single word in a filter is a text";
    EmptyForNone, "empty_for_none", Audience::All, "Entra ID (manager)", "\"\" takes a reference away";
    SubAttributeBehindFilter, "sub_attribute_behind_filter", Audience::Tolerant(ScimType::InvalidFilter), "Entra ID (matching attribute)", "a comparison behind the brackets of a filter belongs into them";
    FilterInAttributes, "filter_in_attributes", Audience::All, "Microsoft's reference collection", "the attribute before the brackets is shown";
    ForeignMember, "foreign_member", Audience::Entra, "Microsoft's reference collection", "a new member that is no id of ours is left out";
    MemberDisplayName, "member_display_name", Audience::All, "Microsoft's reference collection", "it is the member's `display`";
    BareToken, "bare_token", Audience::All, "Okta (header mode)", "the whole header is the token";
    EndpointCase, "endpoint_case", Audience::All, "Microsoft's reference collection", "end points are found in any case";
    ConfigAddress, "config_address", Audience::All, "authentik (Salesforce mode), Microsoft's reference collection", "it is ServiceProviderConfig";
}

/// How a client is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Manner {
    /// Every shape that is for all.
    #[default]
    Tolerant,
    /// No shape that contradicts the RFC.
    Strict,
    /// Every shape, those that are for Entra ID alone too.
    Entra,
}

impl Manner {
    /// Drops the names that a client gives to members: they are kept for Entra ID, elsewhere a member's name is its own.
    pub fn name_members(self, members: &mut [Member]) {
        if self != Self::Entra {
            members.iter_mut().for_each(|member| member.display = None);
        }
    }

    /// Refuses what contradicts the RFC, for a client that wants it to the letter.
    ///
    /// # Errors
    /// `400` with the keyword of the first such shape.
    pub fn admit(self, shapes: &[Shape]) -> Result<(), Error> {
        for shape in shapes.iter().filter(|_| self == Self::Strict) {
            if let (meaning, Audience::Tolerant(keyword)) = shape.line() {
                let detail = format!(
                    "{}: this client is strict, and it is not SCIM that {meaning}",
                    shape.key()
                );
                return Err(Error::of(400, keyword, detail));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
