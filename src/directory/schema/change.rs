//! Changing a tenant's definitions: all of a document or nothing.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::store;
use crate::audit;
use crate::base::TenantId;
use crate::db::Conn;
use crate::directory::{Directory, Error};
use crate::scim::Registry;
use crate::scim::define::{self, Definitions, Demand, Flaw, demands};

/// What became of one definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Defined {
    /// `schema` or `type`.
    pub kind: &'static str,
    /// URN of a schema, name of a type.
    pub name: String,
    /// `created`, `changed`, `unchanged` or `removed`.
    pub outcome: &'static str,
}

impl Directory {
    /// The tenant's own definitions, as they are kept.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn definitions(&self, conn: &mut Conn, tenant: TenantId) -> Result<Definitions, Error> {
        Ok(store::definitions(conn, tenant).await?)
    }

    /// Adds definitions, or puts them in place of those of the same name. Wants the caller's transaction; after it
    /// committed, call [`Directory::forget_registries`].
    ///
    /// # Errors
    /// [`Error::Definitions`] when they do not fit together, [`Error::InUse`] when resources have values that the
    /// change would make invalid, or the database failed.
    #[tracing::instrument(name = "directory.definition.apply", skip_all)]
    pub async fn define(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        given: Definitions,
        (actor, now): (&str, DateTime<Utc>),
    ) -> Result<Vec<Defined>, Error> {
        let before = store::definitions_held(conn, tenant).await?;
        let mut after = before.clone();
        let mut named: Vec<(&'static str, String)> = Vec::new();
        for (kind, key, from, into) in [
            ("schema", "id", given.schemas, &mut after.schemas),
            ("type", "name", given.kinds, &mut after.kinds),
        ] {
            for one in from {
                let name = name(&one, key);
                if named
                    .iter()
                    .any(|(of, there)| *of == kind && there.eq_ignore_ascii_case(&name))
                {
                    let message = "stands in the document twice".to_owned();
                    return Err(Error::Definitions(vec![Flaw { at: name, message }]));
                }
                into.retain(|old| !self::name(old, key).eq_ignore_ascii_case(&name));
                into.push(one);
                named.push((kind, name));
            }
        }
        let mut done = self.change(conn, tenant, &before, after, (actor, now)).await?;
        for (kind, name) in named {
            if !done
                .iter()
                .any(|one| one.kind == kind && one.name.eq_ignore_ascii_case(&name))
            {
                done.push(Defined {
                    kind,
                    name,
                    outcome: "unchanged",
                });
            }
        }
        Ok(done)
    }

    /// Takes a schema away, and from the types that it extends. As [`Directory::define`].
    ///
    /// # Errors
    /// [`Error::NotFound`], and as [`Directory::define`].
    pub async fn undefine_schema(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        urn: &str,
        by: (&str, DateTime<Utc>),
    ) -> Result<Vec<Defined>, Error> {
        let before = store::definitions_held(conn, tenant).await?;
        let mut after = before.clone();
        after
            .schemas
            .retain(|one| !name(one, "id").eq_ignore_ascii_case(urn));
        if after.schemas.len() == before.schemas.len() {
            return Err(Error::NotFound);
        }
        for kind in &mut after.kinds {
            if name(kind, "schema").eq_ignore_ascii_case(urn) {
                let message = format!(
                    "is the schema of resource type {}: remove that first",
                    name(kind, "name")
                );
                let at = urn.to_owned();
                return Err(Error::InUse(vec![Flaw { at, message }]));
            }
            if let Some(Value::Array(list)) = kind.get_mut("schemaExtensions") {
                list.retain(|one| !name(one, "schema").eq_ignore_ascii_case(urn));
            }
        }
        self.change(conn, tenant, &before, after, by).await
    }

    /// Takes a resource type away; of one that comes with the program, what the tenant added to it. As
    /// [`Directory::define`].
    ///
    /// # Errors
    /// [`Error::NotFound`], and as [`Directory::define`].
    pub async fn undefine_type(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        kind: &str,
        by: (&str, DateTime<Utc>),
    ) -> Result<Vec<Defined>, Error> {
        let before = store::definitions_held(conn, tenant).await?;
        let mut after = before.clone();
        after
            .kinds
            .retain(|one| !name(one, "name").eq_ignore_ascii_case(kind));
        if after.kinds.len() == before.kinds.len() {
            return Err(Error::NotFound);
        }
        self.change(conn, tenant, &before, after, by).await
    }

    async fn change(
        &self,
        conn: &mut Conn,
        tenant: TenantId,
        before: &Definitions,
        mut after: Definitions,
        (actor, now): (&str, DateTime<Utc>),
    ) -> Result<Vec<Defined>, Error> {
        let builtin = Registry::builtin();
        let next = define::check(&builtin, &mut after).map_err(Error::Definitions)?;
        let was = builtin.with(&before.schemas, &before.kinds)?;
        let mut broken = Vec::new();
        for demand in demands(&was, &next) {
            broken.extend(violated(conn, tenant, demand).await?);
        }
        if !broken.is_empty() {
            return Err(Error::InUse(broken));
        }
        let mut done = Vec::new();
        for (kind, key, old, new) in [
            ("schema", "id", &before.schemas, &after.schemas),
            ("type", "name", &before.kinds, &after.kinds),
        ] {
            for one in old {
                let name = name(one, key);
                if !new.iter().any(|now| self::name(now, key) == name) {
                    store::drop(conn, tenant, kind, &name).await?;
                    done.push(Defined {
                        kind,
                        name,
                        outcome: "removed",
                    });
                }
            }
            for one in new {
                let name = name(one, key);
                let was = old.iter().find(|was| self::name(was, key) == name);
                if was == Some(one) {
                    continue;
                }
                store::keep(conn, tenant, (kind, &name, one), now).await?;
                let outcome = if was.is_some() { "changed" } else { "created" };
                done.push(Defined { kind, name, outcome });
            }
        }
        if !done.is_empty() {
            store::tell(conn).await?;
            let subject = format!("tenant:{tenant}");
            audit::note(
                conn,
                Some(tenant),
                now,
                actor,
                "schema.change",
                &subject,
                json!(done),
            )
            .await?;
        }
        Ok(done)
    }
}

/// What resources break a demand, and how many.
async fn violated(conn: &mut Conn, tenant: TenantId, demand: Demand) -> Result<Option<Flaw>, Error> {
    let (count, kind, why, how) = match demand {
        Demand::NoneHolds { kind, path, why } => {
            let count = store::count_holding(conn, (tenant, &kind), &path, false, None).await?;
            (count, kind, why, "have a value there")
        }
        Demand::AllHold {
            kind,
            path,
            within,
            why,
        } => {
            let of = (tenant, kind.as_str());
            let count = store::count_holding(conn, of, &path, true, within.as_deref()).await?;
            (count, kind, why, "have no value there")
        }
        Demand::NoneIs { kind, why } => {
            let count = store::count_of(conn, tenant, &kind).await?;
            (count, kind, why, "are of this type")
        }
    };
    Ok((count > 0).then(|| Flaw {
        message: format!("{why}, but {count} resources of type {kind} {how}: change or delete these first"),
        at: kind,
    }))
}

fn name(definition: &Value, key: &str) -> String {
    definition
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
