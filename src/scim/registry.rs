//! Which resource types there are and which attributes they have.

use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use serde_json::Value;

use super::key::{self, Keyed};
use super::path::Place;
use super::schema::{Attribute, BadSchema, Mutability, Returned, Schema, Type, Uniqueness, named};

const SCHEMAS: [&str; 5] = [
    include_str!("../../scim-schemas/user.json"),
    include_str!("../../scim-schemas/group.json"),
    include_str!("../../scim-schemas/enterprise-user.json"),
    include_str!("../../scim-schemas/hr-user.json"),
    include_str!("../../scim-schemas/payroll-user.json"),
];
const KINDS: [&str; 2] = [
    include_str!("../../scim-schemas/user.resource-type.json"),
    include_str!("../../scim-schemas/group.resource-type.json"),
];

/// URN of the core user schema.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// URN of the core group schema.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// URN of the enterprise user extension (RFC 7643 §4.3).
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// URN of our extension with facts of the employment.
pub const HR: &str = "urn:scim-bridge:params:scim:schemas:extension:hr:2.0:User";

/// The words by which HR knows a user's legal entity: its id, code and name, as far as they are there. A setting names an
/// entity by any of them, exactly.
#[must_use]
pub fn entity_names(user: &super::Object) -> Vec<&str> {
    let entity = user.get(HR).and_then(|facts| facts.get("entity"));
    ["id", "code", "name"]
        .iter()
        .filter_map(|part| entity?.get(part)?.as_str())
        .collect()
}

/// URN of our extension for payroll. It belongs to no type until a tenant adds it to its users.
pub const PAYROLL: &str = "urn:scim-bridge:params:scim:schemas:extension:payroll:2.0:User";

/// The schemas and resource types that one tenant sees.
#[derive(Debug, Clone)]
pub struct Registry {
    schemas: Vec<Arc<Schema>>,
    kinds: Vec<Arc<ResourceType>>,
}

/// One type of resource (RFC 7643 §6) with its attributes resolved.
#[derive(Debug, Clone)]
pub struct ResourceType {
    /// Name, as in `meta.resourceType`.
    pub name: String,
    /// End point with its leading slash: `/Users`.
    pub endpoint: String,
    /// What it is, for people.
    pub description: String,
    /// The core schema.
    pub schema: Arc<Schema>,
    /// The extensions, in the order of the definition.
    pub extensions: Vec<Extension>,
    /// What every resource has: `schemas`, `id`, `externalId`, `meta` (RFC 7643 §3.1).
    pub common: Vec<Arc<Attribute>>,
    // What every request needs is worked out once.
    attributes: Vec<Place>,
    keyed: Vec<Keyed>,
    open: bool,
}

/// A schema that extends a resource type.
#[derive(Debug, Clone)]
pub struct Extension {
    /// The schema.
    pub schema: Arc<Schema>,
    /// Whether every resource of the type must have it.
    pub required: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KindDefinition {
    name: String,
    endpoint: String,
    #[serde(default)]
    description: String,
    schema: String,
    #[serde(default)]
    schema_extensions: Vec<ExtensionDefinition>,
}

#[derive(Deserialize)]
struct ExtensionDefinition {
    schema: String,
    #[serde(default)]
    required: bool,
}

impl Registry {
    /// The schemas that come with the program (`scim-schemas/`).
    ///
    /// # Panics
    /// Never in a built program: the files are part of it, and a test reads them.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the files are compiled in and read by a test")]
    pub fn builtin() -> Arc<Self> {
        static BUILTIN: LazyLock<Arc<Registry>> =
            LazyLock::new(|| Arc::new(Registry::shipped().expect("the shipped schemas are readable")));
        BUILTIN.clone()
    }

    fn shipped() -> Result<Self, BadSchema> {
        let json = |text: &str| {
            serde_json::from_str::<Value>(text).map_err(|source| BadSchema::Unreadable { source })
        };
        let schemas = SCHEMAS
            .iter()
            .map(|text| json(text))
            .collect::<Result<Vec<_>, _>>()?;
        let kinds = KINDS
            .iter()
            .map(|text| json(text))
            .collect::<Result<Vec<_>, _>>()?;
        Self::new(&schemas, &kinds)
    }

    /// A registry of the given schemas (RFC 7643 §7) and resource types (§6).
    ///
    /// # Errors
    /// When a definition is not usable or stands twice.
    pub fn new(schemas: &[Value], kinds: &[Value]) -> Result<Self, BadSchema> {
        let empty = Self {
            schemas: Vec::new(),
            kinds: Vec::new(),
        };
        empty.with(schemas, kinds)
    }

    /// This registry with more: new schemas, new resource types, and for types that are there already the extensions
    /// that come on top.
    ///
    /// # Errors
    /// When a definition is not usable, a schema is there already, or two types share an end point.
    pub fn with(&self, schemas: &[Value], kinds: &[Value]) -> Result<Self, BadSchema> {
        let mut next = self.clone();
        for definition in schemas {
            let schema = Schema::read(definition)?;
            if next.schema(&schema.id).is_some() {
                return Err(BadSchema::Registered { name: schema.id });
            }
            next.schemas.push(Arc::new(schema));
        }
        for definition in kinds {
            let kind = next.resource_type(definition)?;
            next.kinds
                .retain(|other| !other.name.eq_ignore_ascii_case(&kind.name));
            if next.by_endpoint(&kind.endpoint).is_some() {
                return Err(BadSchema::Registered { name: kind.endpoint });
            }
            next.kinds.push(Arc::new(kind));
        }
        Ok(next)
    }

    fn resource_type(&self, definition: &Value) -> Result<ResourceType, BadSchema> {
        let read =
            KindDefinition::deserialize(definition).map_err(|source| BadSchema::Unreadable { source })?;
        let find = |urn: &str| {
            self.schemas
                .iter()
                .find(|schema| schema.id.eq_ignore_ascii_case(urn))
                .cloned()
                .ok_or_else(|| BadSchema::NoSuchSchema {
                    schema: urn.to_owned(),
                })
        };
        let own = read.schema_extensions.iter().map(|extension| {
            Ok(Extension {
                schema: find(&extension.schema)?,
                required: extension.required,
            })
        });
        let there = self
            .kinds
            .iter()
            .find(|kind| kind.name.eq_ignore_ascii_case(&read.name));
        let extensions: Vec<Extension> = there
            .into_iter()
            .flat_map(|kind| kind.extensions.iter().cloned().map(Ok))
            .chain(own)
            .collect::<Result<_, _>>()?;
        let schema = find(&read.schema)?;
        let mut kind = ResourceType {
            attributes: places(&schema, &extensions),
            schema,
            extensions,
            name: read.name,
            endpoint: read.endpoint,
            description: read.description,
            common: common(),
            keyed: Vec::new(),
            open: true,
        };
        kind.open = !kind.attributes.iter().any(|place| on_request(&place.attribute));
        kind.keyed = key::keyed(&kind);
        Ok(kind)
    }

    /// The resource type of this name: `User`.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<&Arc<ResourceType>> {
        self.kinds.iter().find(|kind| kind.name == name)
    }

    /// The resource type of this name in any case: as people write it.
    #[must_use]
    pub fn kind_called(&self, name: &str) -> Option<&Arc<ResourceType>> {
        self.kinds
            .iter()
            .find(|kind| kind.name.eq_ignore_ascii_case(name))
    }

    /// The resource type at this end point, with or without the leading slash: `Users`.
    #[must_use]
    pub fn by_endpoint(&self, endpoint: &str) -> Option<&Arc<ResourceType>> {
        let endpoint = endpoint.trim_start_matches('/');
        self.kinds.iter().find(|kind| {
            kind.endpoint
                .trim_start_matches('/')
                .eq_ignore_ascii_case(endpoint)
        })
    }

    /// All resource types.
    pub fn kinds(&self) -> impl Iterator<Item = &Arc<ResourceType>> {
        self.kinds.iter()
    }

    /// All schemas.
    pub fn schemas(&self) -> impl Iterator<Item = &Arc<Schema>> {
        self.schemas.iter()
    }

    /// The schema of this URN, in any case.
    #[must_use]
    pub fn schema(&self, urn: &str) -> Option<&Arc<Schema>> {
        self.schemas
            .iter()
            .find(|schema| schema.id.eq_ignore_ascii_case(urn))
    }
}

impl ResourceType {
    /// The extension of this URN, in any case.
    #[must_use]
    pub fn extension(&self, urn: &str) -> Option<&Extension> {
        self.extensions
            .iter()
            .find(|extension| extension.schema.id.eq_ignore_ascii_case(urn))
    }

    /// The attribute of the core schema or common to all, by its name in any case.
    #[must_use]
    pub fn core(&self, name: &str) -> Option<&Arc<Attribute>> {
        self.schema.attribute(name).or_else(|| named(&self.common, name))
    }

    /// The attribute whose values are kept as rows beside the resource: `members` of a group.
    #[must_use]
    pub fn membership(&self) -> Option<&Arc<Attribute>> {
        if self.schema.id == GROUP {
            self.schema.attribute("members")
        } else {
            None
        }
    }

    /// Every attribute of the core schema and of the extensions, in the order of the schemas.
    #[must_use]
    pub fn attributes(&self) -> &[Place] {
        &self.attributes
    }

    /// Whether everything that is stored is given out unasked. Sub-attributes that the server computes are not stored.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open
    }

    /// The look-up keys of each attribute that has some (see [`keys`](super::keys)).
    pub(super) fn keyed(&self) -> &[Keyed] {
        &self.keyed
    }

    /// Whether attribute `name` of the core schema is kept as rows beside the resource.
    pub(super) fn is_membership(&self, name: &str) -> bool {
        self.membership().is_some_and(|attribute| attribute.name == name)
    }
}

/// Whether an attribute or a part of it is stored, but only given out on request.
fn on_request(attribute: &Attribute) -> bool {
    (attribute.returned == Returned::Request && !attribute.is_read_only())
        || attribute.sub_attributes.iter().any(|sub| on_request(sub))
}

fn places(core: &Arc<Schema>, extensions: &[Extension]) -> Vec<Place> {
    let extended = extensions
        .iter()
        .map(|extension| (Some(&extension.schema), &extension.schema));
    let places = std::iter::once((None, core))
        .chain(extended)
        .flat_map(|(extension, schema)| {
            schema.attributes.iter().map(move |attribute| Place {
                extension: extension.cloned(),
                attribute: attribute.clone(),
                sub: None,
            })
        });
    places.collect()
}

/// `schemas`, `id`, `externalId` and `meta` (RFC 7643 §3 and §3.1); no schema lists them.
fn common() -> Vec<Arc<Attribute>> {
    let read_only = |name: &str, kind: Type| Attribute {
        name: name.to_owned(),
        kind,
        case_exact: true,
        mutability: Mutability::ReadOnly,
        ..Attribute::default()
    };
    let meta = [
        ("resourceType", Type::String),
        ("created", Type::DateTime),
        ("lastModified", Type::DateTime),
        ("location", Type::Reference),
        ("version", Type::String),
    ];
    vec![
        Arc::new(Attribute {
            multi_valued: true,
            required: true,
            mutability: Mutability::ReadWrite,
            returned: Returned::Always,
            case_exact: false,
            ..read_only("schemas", Type::Reference)
        }),
        Arc::new(Attribute {
            returned: Returned::Always,
            uniqueness: Uniqueness::Server,
            ..read_only("id", Type::String)
        }),
        Arc::new(Attribute {
            mutability: Mutability::ReadWrite,
            ..read_only("externalId", Type::String)
        }),
        Arc::new(Attribute {
            sub_attributes: meta
                .iter()
                .map(|(name, kind)| Arc::new(read_only(name, *kind)))
                .collect(),
            ..read_only("meta", Type::Complex)
        }),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_shipped_schemas_are_readable() {
        Registry::shipped().unwrap();
        let registry = Registry::builtin();
        let user = registry.kind("User").unwrap();
        assert_eq!(registry.by_endpoint("Users").unwrap().name, "User");
        assert_eq!(user.extensions.len(), 2);
        assert!(user.core("USERNAME").unwrap().required);
        assert_eq!(user.core("emails").unwrap().sub("$REF"), None);
        assert!(registry.schema(&ENTERPRISE.to_uppercase()).is_some());
        for (attribute, expected) in [
            ("password", Returned::Never),
            ("id", Returned::Always),
            ("title", Returned::Default),
        ] {
            assert_eq!(user.core(attribute).unwrap().returned, expected);
        }
    }

    #[test]
    fn a_tenant_can_extend_a_type() {
        let urn = "urn:example:params:scim:schemas:extension:acme:2.0:User";
        let registry = Registry::builtin()
            .with(
                &[json!({"id": urn, "attributes": [{"name": "badge"}]})],
                &[json!({"name": "User", "endpoint": "/Users", "schema": USER, "schemaExtensions": [{"schema": urn}]})],
            )
            .unwrap();
        assert_eq!(registry.kinds().count(), 2);
        let user = registry.kind("User").unwrap();
        assert!(user.extension(urn).is_some() && user.extension(ENTERPRISE).is_some());
        assert!(
            registry
                .with(&[json!({"id": USER, "attributes": []})], &[])
                .is_err()
        );
    }

    #[test]
    fn broken_schemas_are_refused() {
        for attributes in [
            json!([{"name": "a b"}]),
            json!([{"name": "a"}, {"name": "A"}]),
            json!([{"name": "a", "type": "complex"}]),
            json!([{"name": "a", "subAttributes": [{"name": "b"}]}]),
            json!([{"name": "a", "type": "complex", "subAttributes": [{"name": "b", "type": "complex", "subAttributes": [{"name": "c"}]}]}]),
            json!([{"name": "a", "type": "colour"}]),
        ] {
            assert!(
                Schema::read(&json!({"id": "urn:x:y", "attributes": attributes})).is_err(),
                "{attributes}"
            );
        }
    }
}
