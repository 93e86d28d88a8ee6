//! Schemas and the characteristics of their attributes (RFC 7643 §2.2 and §7), read from their JSON form.

use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The data type of an attribute (RFC 7643 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Type {
    /// Text.
    #[default]
    String,
    /// `true` or `false`.
    Boolean,
    /// Whole number.
    Integer,
    /// Number.
    Decimal,
    /// Date with time.
    DateTime,
    /// URI.
    Reference,
    /// Base64.
    Binary,
    /// An object of sub-attributes.
    Complex,
}

/// Who may write an attribute, and when (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mutability {
    /// The server alone.
    ReadOnly,
    /// Anybody.
    #[default]
    ReadWrite,
    /// Set once.
    Immutable,
    /// Written, never read.
    WriteOnly,
}

/// When an attribute is given out (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Returned {
    /// In every answer.
    Always,
    /// In no answer.
    Never,
    /// Unless it is excluded or others are asked for.
    #[default]
    Default,
    /// Only when asked for.
    Request,
}

/// Over what a value must be unique (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Uniqueness {
    /// Nothing.
    #[default]
    None,
    /// All resources of the type in the tenant.
    Server,
    /// The world; held as `Server`.
    Global,
}

/// One attribute or sub-attribute with its characteristics; what a schema leaves out has the defaults of RFC 7643 §2.2.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Attribute {
    /// Name in its registered spelling.
    pub name: String,
    /// Data type.
    #[serde(rename = "type")]
    pub kind: Type,
    /// Whether it holds a list.
    pub multi_valued: bool,
    /// Whether a resource must have it.
    pub required: bool,
    /// Whether case matters when comparing.
    pub case_exact: bool,
    /// Who may write it.
    pub mutability: Mutability,
    /// When it is given out.
    pub returned: Returned,
    /// Over what it is unique.
    pub uniqueness: Uniqueness,
    /// Values with a known meaning; others are allowed too.
    pub canonical_values: Vec<String>,
    /// Sub-attributes of a complex attribute.
    #[serde(deserialize_with = "shared")]
    pub sub_attributes: Vec<Arc<Attribute>>,
    /// Types that a reference points to.
    pub reference_types: Vec<String>,
    /// Whether only tokens with the scope for sensitive data are given it. Ours, not in the RFC.
    pub sensitive: bool,
}

impl Attribute {
    /// The sub-attribute of this name, in any case.
    #[must_use]
    pub fn sub(&self, name: &str) -> Option<&Arc<Self>> {
        named(&self.sub_attributes, name)
    }

    /// Whether the value is an object of sub-attributes.
    #[must_use]
    pub fn is_complex(&self) -> bool {
        self.kind == Type::Complex
    }

    /// Whether no client may write it.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.mutability == Mutability::ReadOnly
    }

    /// Whether it may never be shown, nor asked about in a filter (RFC 7643 §7).
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.returned == Returned::Never || self.mutability == Mutability::WriteOnly
    }
}

/// Finds an attribute by name in any case (RFC 7643 §2.1).
pub(super) fn named<'a>(attributes: &'a [Arc<Attribute>], name: &str) -> Option<&'a Arc<Attribute>> {
    attributes
        .iter()
        .find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// One schema: its attributes, and its JSON form as it is served under `/Schemas`.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// The URN.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Attributes in the order of the schema.
    pub attributes: Vec<Arc<Attribute>>,
    /// The definition as given.
    pub definition: Value,
}

/// Why a schema or resource type is not usable.
#[derive(Debug, thiserror::Error)]
pub enum BadSchema {
    /// The JSON does not have the form of RFC 7643 §6 or §7.
    #[error("the definition is not readable")]
    Unreadable {
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// An attribute name breaks the grammar of RFC 7643 §2.1.
    #[error("the attribute name {name:?} in {schema} is not allowed")]
    Name {
        /// URN of the schema.
        schema: String,
        /// The name.
        name: String,
    },
    /// Two attributes of one name.
    #[error("the attribute {name} stands twice in {schema}")]
    Twice {
        /// URN of the schema.
        schema: String,
        /// The name.
        name: String,
    },
    /// Complex in complex, or sub-attributes on something that is not complex (RFC 7643 §2.3.8).
    #[error("the attribute {name} in {schema} has sub-attributes where none may be, or lacks them")]
    Nesting {
        /// URN of the schema.
        schema: String,
        /// The name.
        name: String,
    },
    /// A resource type or extension names a schema that is not there.
    #[error("the schema {schema} is not registered")]
    NoSuchSchema {
        /// URN of the schema.
        schema: String,
    },
    /// A schema, resource type or end point is registered twice.
    #[error("{name} is registered already")]
    Registered {
        /// URN or name.
        name: String,
    },
}

#[derive(Deserialize)]
struct Definition {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(deserialize_with = "shared")]
    attributes: Vec<Arc<Attribute>>,
}

fn shared<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Arc<Attribute>>, D::Error> {
    let attributes = Vec::<Attribute>::deserialize(from)?;
    Ok(attributes.into_iter().map(Arc::new).collect())
}

impl Schema {
    /// Reads a schema from the JSON form of RFC 7643 §7.
    ///
    /// # Errors
    /// When the form, a name or the nesting breaks the RFC.
    pub fn read(definition: &Value) -> Result<Self, BadSchema> {
        let parsed =
            Definition::deserialize(definition).map_err(|source| BadSchema::Unreadable { source })?;
        check(&parsed.id, &parsed.attributes, false)?;
        Ok(Self {
            id: parsed.id,
            name: parsed.name,
            attributes: parsed.attributes,
            definition: definition.clone(),
        })
    }

    /// The attribute of this name, in any case.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Arc<Attribute>> {
        named(&self.attributes, name)
    }
}

fn check(schema: &str, attributes: &[Arc<Attribute>], inside: bool) -> Result<(), BadSchema> {
    for (at, attribute) in attributes.iter().enumerate() {
        let name = || attribute.name.clone();
        let schema = || schema.to_owned();
        if !is_name(&attribute.name) {
            return Err(BadSchema::Name {
                schema: schema(),
                name: name(),
            });
        }
        if named(attributes.get(..at).unwrap_or_default(), &attribute.name).is_some() {
            return Err(BadSchema::Twice {
                schema: schema(),
                name: name(),
            });
        }
        let complex = attribute.is_complex();
        if complex == attribute.sub_attributes.is_empty() || (complex && inside) {
            return Err(BadSchema::Nesting {
                schema: schema(),
                name: name(),
            });
        }
        check(&schema(), &attribute.sub_attributes, true)?;
    }
    Ok(())
}

/// Whether a text is an attribute name: a letter, then letters, digits, `-` and `_`; `$` is allowed in front, since
/// `$ref` has it (RFC 7643 §2.1 with errata 6001).
#[must_use]
pub fn is_name(text: &str) -> bool {
    let text = text.strip_prefix('$').unwrap_or(text);
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}
