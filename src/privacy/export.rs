//! All that is held of a person, as JSON.

use serde_json::{Map, Value, json};

use super::places::Reach;
use super::{Error, PLACES, places, store};
use crate::base::{ResourceId, Sealer, TenantId};
use crate::db::Conn;
use crate::identity::store::of_people;

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Whose data: the tenant.
    pub tenant: TenantId,
    /// The user, its person, or the id it had before it was deleted.
    pub id: ResourceId,
    /// Whether sealed parts are shown.
    pub shows_sensitive: bool,
}

/// All that is held of a person: by place, each a list of rows as they are stored; of `records` the sealed parts are opened
/// for those who may see them, and left out for others. The statements are as many as there are places.
///
/// # Errors
/// [`Error::Unknown`], or when the store refuses.
#[tracing::instrument(name = "privacy.person.export", skip_all)]
pub async fn export(conn: &mut Conn, sealer: &Sealer, asked: Asked) -> Result<Value, Error> {
    let subject = store::subject(conn, asked.tenant, asked.id)
        .await?
        .ok_or(Error::Unknown)?;
    let mut all = Map::new();
    for place in PLACES.iter().filter(|place| place.reach != Reach::Mentions) {
        let rows = places::read(conn, place, &subject).await?;
        let rows = rows.into_iter().map(without_bytes).collect();
        all.insert(place.name.to_owned(), Value::Array(rows));
    }
    if let (Some(person), true) = (subject.person(), asked.shows_sensitive) {
        let opened = of_people(conn, asked.tenant, &[person], sealer)
            .await?
            .remove(&person);
        for (row, record) in all
            .get_mut("records")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
            .zip(opened.unwrap_or_default())
        {
            if let Some(row) = row.as_object_mut() {
                row.insert("employee".to_owned(), json!(record.employee));
            }
        }
    }
    Ok(json!({
        "person": subject.person(),
        "users": subject.users,
        "sensitive": if asked.shows_sensitive { "shown" } else { "(hidden)" },
        "held": all,
    }))
}

/// A row without what is sealed or only a digest: it says nothing to anybody.
fn without_bytes(row: Value) -> Value {
    match row {
        Value::Object(mut fields) => {
            for name in ["sealed", "salt", "digest", "tenant_id"] {
                fields.remove(name);
            }
            Value::Object(fields)
        }
        other => other,
    }
}
