//! Names for those who must decide: ids alone tell humans nothing.

use std::collections::HashMap;

use diesel::sql_types::{Array, Nullable, Text, Uuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid as Id;

use super::ReviewRow;
use crate::base::{PersonId, TenantId};
use crate::db::{Conn, Statement};
use crate::identity::Error;
use crate::statement;

/// What a human knows a record or a person by. Personal data: for callers who may see it, never for logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Given and family name, else the display name.
    pub name: Option<String>,
    /// Personnel number.
    pub employee_number: Option<String>,
    /// E-mail at work.
    pub work_email: Option<String>,
    /// Name of the legal entity.
    pub entity: Option<String>,
}

/// The names of all that some reviews are about.
#[derive(Debug, Clone, Default)]
pub struct Names {
    records: HashMap<(Id, String), Known>,
    people: HashMap<PersonId, Known>,
}

impl Names {
    /// What a record of a review is known by.
    #[must_use]
    pub fn record(&self, review: &ReviewRow, source_id: &str) -> Known {
        let key = (review.connection.uuid(), source_id.to_owned());
        self.records.get(&key).cloned().unwrap_or_default()
    }

    /// What a person is known by.
    #[must_use]
    pub fn person(&self, person: PersonId) -> Known {
        self.people.get(&person).cloned().unwrap_or_default()
    }
}

statement!(
    NamesOfRecords: (Uuid, Array<Uuid>, Array<Text>) -> (Uuid, Text, Nullable<Text>, Nullable<Text>, Nullable<Text>,
        Nullable<Text>) =
    "SELECT r.connection_id, r.source_id, \
       coalesce(nullif(concat_ws(' ', r.employee ->> 'given_name', r.employee ->> 'family_name'), ''), r.employee ->> 'display_name'), \
       r.employee_number, r.employee ->> 'work_email', r.employee -> 'entity' ->> 'name' \
     FROM (SELECT DISTINCT * FROM UNNEST($2, $3) AS asked (connection_id, source_id)) asked JOIN source_record r \
       ON r.tenant_id = $1 AND r.connection_id = asked.connection_id AND r.source_id = asked.source_id"
);
statement!(
    /// Of somebody with several records one speaks.
    NamesOfPeople: (Uuid, Array<Uuid>) -> (Uuid, Nullable<Text>, Nullable<Text>, Nullable<Text>, Nullable<Text>) =
    "SELECT DISTINCT ON (person_id) person_id, \
       coalesce(nullif(concat_ws(' ', employee ->> 'given_name', employee ->> 'family_name'), ''), employee ->> 'display_name'), \
       employee_number, employee ->> 'work_email', employee -> 'entity' ->> 'name' \
     FROM source_record WHERE tenant_id = $1 AND person_id = ANY($2) AND employee IS NOT NULL \
     ORDER BY person_id, missing_reads, connection_id, source_id"
);

type Texts = (Option<String>, Option<String>, Option<String>, Option<String>);

fn known((name, employee_number, work_email, entity): Texts) -> Known {
    Known {
        name,
        employee_number,
        work_email,
        entity,
    }
}

/// The names of the records and candidates of these reviews: two statements.
///
/// # Errors
/// When the database refuses.
pub async fn names(conn: &mut Conn, tenant: TenantId, reviews: &[ReviewRow]) -> Result<Names, Error> {
    let (connections, ids): (Vec<Id>, Vec<&str>) = reviews
        .iter()
        .flat_map(|review| {
            let connection = review.connection.uuid();
            review.source_ids.iter().map(move |id| (connection, id.as_str()))
        })
        .unzip();
    let people: Vec<Id> = reviews
        .iter()
        .flat_map(|review| review.candidates.iter().map(|person| person.uuid()))
        .collect();
    type RecordRow = (
        Id,
        String,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<String>,
    );
    type PersonRow = (Id, Option<String>, Option<String>, Option<String>, Option<String>);
    let records: Vec<RecordRow> = NamesOfRecords::with((tenant.uuid(), connections, ids))
        .load(conn)
        .await?;
    let people: Vec<PersonRow> = NamesOfPeople::with((tenant.uuid(), people)).load(conn).await?;
    Ok(Names {
        records: records
            .into_iter()
            .map(|(connection, id, a, b, c, d)| ((connection, id), known((a, b, c, d))))
            .collect(),
        people: people
            .into_iter()
            .map(|(person, a, b, c, d)| (PersonId::from(person), known((a, b, c, d))))
            .collect(),
    })
}
