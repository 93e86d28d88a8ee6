//! Taking fields out of stored records.

use diesel::sql_types::Binary;
use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, Text, Uuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid as Id;

use super::records::purpose;
use crate::base::{ConnectionId, Sealer, TenantId};
use crate::db::{Conn, Statement};
use crate::identity::Error;
use crate::statement;

/// Records that are looked at together.
const PAGE: i64 = 500;

statement!(
    Contents: (Uuid, Uuid, Text, BigInt) -> (Text, Nullable<Jsonb>, Nullable<Binary>) =
    "SELECT source_id, employee, sealed FROM source_record \
     WHERE tenant_id = $1 AND connection_id = $2 AND source_id > $3 ORDER BY source_id LIMIT $4"
);
statement!(
    SetContents: (Uuid, Uuid, Array<Text>, Array<Nullable<Jsonb>>, Array<Nullable<Binary>>, Array<Text>) -> () =
    "UPDATE source_record r SET employee = n.employee, sealed = n.sealed, \
       work_email = CASE WHEN 'work_email' = ANY($6) THEN NULL ELSE r.work_email END, \
       employee_number = CASE WHEN 'employee_number' = ANY($6) THEN NULL ELSE r.employee_number END, \
       remote_id = CASE WHEN 'remote_id' = ANY($6) THEN NULL ELSE r.remote_id END, \
       entity_key = CASE WHEN 'entity' = ANY($6) THEN '' ELSE r.entity_key END \
     FROM UNNEST($3, $4, $5) AS n (source_id, employee, sealed) \
     WHERE r.tenant_id = $1 AND r.connection_id = $2 AND r.source_id = n.source_id"
);

/// Takes these fields out of the records of a connection after `after`, a page of them; what has none of them is not
/// written. The last id that was looked at; `None` when there are no more.
///
/// # Errors
/// When the database refuses, or a sealed part cannot be opened.
pub async fn blank(
    conn: &mut Conn,
    (tenant, connection): (TenantId, ConnectionId),
    fields: &[String],
    after: &str,
    sealer: &Sealer,
) -> Result<Option<String>, Error> {
    if fields.is_empty() {
        return Ok(None);
    }
    let about = purpose(tenant, connection.uuid());
    type Row = (String, Option<Value>, Option<Vec<u8>>);
    let page: Vec<Row> = Contents::with((tenant.uuid(), connection.uuid(), after, PAGE))
        .load(conn)
        .await?;
    let Some(last) = page.last().map(|(id, ..)| id.clone()) else {
        return Ok(None);
    };
    let (mut ids, mut plains, mut seals) = (Vec::new(), Vec::new(), Vec::new());
    for (id, mut plain, mut sealed) in page {
        let mut changed = plain.as_mut().is_some_and(|plain| take_out(plain, fields));
        if let Some(bytes) = &sealed {
            let mut secret: Value =
                serde_json::from_slice(&sealer.open(&about, bytes)?).map_err(Error::Unreadable)?;
            if take_out(&mut secret, fields) {
                changed = true;
                let is_empty = secret.as_object().is_none_or(serde_json::Map::is_empty);
                let text = secret.to_string();
                sealed = match is_empty {
                    true => None,
                    false => Some(sealer.seal(&about, text.as_bytes())?),
                };
            }
        }
        if changed {
            ids.push(id);
            plains.push(plain);
            seals.push(sealed);
        }
    }
    if !ids.is_empty() {
        let values: (Id, Id, _, _, _, _) = (
            tenant.uuid(),
            connection.uuid(),
            ids,
            plains,
            seals,
            fields.to_vec(),
        );
        SetContents::with(values).execute(conn).await?;
    }
    Ok(Some(last))
}

/// Takes fields out of an object; whether any was there. Dates of employments stand among the employments.
fn take_out(value: &mut Value, fields: &[String]) -> bool {
    let Some(object) = value.as_object_mut() else {
        return false;
    };
    let mut changed = false;
    for field in fields {
        changed |= object.remove(field).is_some();
        let inner = if field == "employment_type" { "kind" } else { field };
        for employment in object
            .get_mut("employments")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let part = employment.as_object_mut().and_then(|part| part.get_mut(inner));
            if let Some(part) = part.filter(|part| !part.is_null()) {
                *part = Value::Null;
                changed = true;
            }
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::take_out;

    #[test]
    fn fields_are_taken_out_wherever_they_stand() {
        let mut value =
            json!({"title": "x", "employments": [{"kind": "intern", "first_day": null}], "gender": "f"});
        let fields = [
            "title".to_owned(),
            "employment_type".to_owned(),
            "photo".to_owned(),
        ];
        assert!(take_out(&mut value, &fields));
        assert_eq!(
            value,
            json!({"employments": [{"kind": null, "first_day": null}], "gender": "f"})
        );
        assert!(!take_out(&mut value, &fields));
    }
}
