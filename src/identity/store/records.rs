//! The `source_record` table.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid as Id;

use crate::base::{ConnectionId, PersonId, RunId, Sealer, TenantId};
use crate::db::{Conn, Statement};
use crate::hr::{Employee, ManagerRef};
use crate::identity::rules::fold_code;
use crate::identity::{Error, KnownRecord, Traits, fold, join, split};
use crate::statement;

/// What is to be known of a record to see whether it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// [`crate::identity::digest`] of the record as last read.
    pub digest: Vec<u8>,
    /// Whose it is.
    pub person: Option<PersonId>,
    /// What became of it.
    pub outcome: String,
    /// From how many complete reads in a row it was missing.
    pub missing_reads: i32,
}

/// A record as stored.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The connection it came by.
    pub connection: ConnectionId,
    /// Its source id.
    pub source_id: String,
    /// Whose it is.
    pub person: Option<PersonId>,
    /// The record; `None` for people outside the filter, of whom only id and digest are kept.
    pub employee: Option<Employee>,
    /// What became of it.
    pub outcome: String,
    /// More about that.
    pub detail: Option<Value>,
    /// From how many complete reads in a row it was missing.
    pub missing_reads: i32,
    /// Since when.
    pub missing_since: Option<DateTime<Utc>>,
}

/// A record to be stored.
#[derive(Debug, Clone)]
pub struct NewRecord<'a> {
    /// Its source id.
    pub source_id: &'a str,
    /// Whose it is.
    pub person: Option<PersonId>,
    /// The record; `None` for people outside the filter.
    pub employee: Option<&'a Employee>,
    /// [`crate::identity::digest`] of it.
    pub digest: Vec<u8>,
    /// What became of it: `linked`, `filtered`, `skipped`, `review`, `held`.
    pub outcome: &'a str,
    /// More about that, without personal data.
    pub detail: Option<Value>,
}

/// By what stored records are to be found.
#[derive(Debug, Clone, Default)]
pub struct KnownKeys {
    /// Source ids.
    pub source_ids: Vec<String>,
    /// Personnel numbers, folded: what is compared exactly is compared so afterwards.
    pub numbers: Vec<String>,
    /// Remote ids, folded.
    pub remote_ids: Vec<String>,
    /// E-mails, folded.
    pub emails: Vec<String>,
}

impl KnownKeys {
    /// The keys of the records of a read.
    #[must_use]
    pub fn of<'t>(records: impl IntoIterator<Item = (&'t str, &'t Traits)>) -> Self {
        let mut keys = Self::default();
        for (source_id, traits) in records {
            keys.source_ids.push(source_id.to_owned());
            keys.numbers.extend(traits.number.as_deref().map(fold_code));
            keys.remote_ids.extend(traits.remote_id.as_deref().map(fold_code));
            keys.emails.extend(traits.email.clone());
        }
        keys
    }
}

/// What sealed parts of records are bound to.
pub(super) fn purpose(tenant: TenantId, connection: Id) -> String {
    format!("{tenant}/{connection}/source_record")
}

statement!(
    TakeStock: () -> () = "ANALYZE source_record, person"
);

/// Tells the planner how many records and people there are, after many were written at once. Until it knows, plans made
/// while the tables were empty read all of them for each page of the next run (3 times slower at 20,000 people).
///
/// # Errors
/// When the database fails.
pub async fn take_stock(conn: &mut Conn) -> Result<(), Error> {
    TakeStock::with(()).execute(conn).await?;
    Ok(())
}

statement!(
    SeenRecords: (Uuid, Uuid, Array<Text>) -> (Text, Binary, Nullable<Uuid>, Text, Integer) =
    "SELECT source_id, digest, person_id, outcome, missing_reads FROM source_record \
     WHERE tenant_id = $1 AND connection_id = $2 AND source_id = ANY($3)"
);

/// What is stored of these source ids, to see what changed.
///
/// # Errors
/// When the database refuses.
pub async fn seen(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    source_ids: &[String],
) -> Result<HashMap<String, Seen>, Error> {
    type Row = (String, Vec<u8>, Option<Id>, String, i32);
    let rows: Vec<Row> = SeenRecords::with((tenant.uuid(), connection.uuid(), source_ids.to_vec()))
        .load(conn)
        .await?;
    let seen = |(source_id, digest, person, outcome, missing_reads): Row| {
        (
            source_id,
            Seen {
                digest,
                person: person.map(PersonId::from),
                outcome,
                missing_reads,
            },
        )
    };
    Ok(rows.into_iter().map(seen).collect())
}

type StoredRow = (
    Id,
    String,
    Option<Id>,
    Option<Value>,
    Option<Vec<u8>>,
    String,
    Option<Value>,
    i32,
    Option<DateTime<Utc>>,
);

statement!(
    StoredRecords: (Uuid, Uuid, Array<Text>) -> (Uuid, Text, Nullable<Uuid>, Nullable<Jsonb>, Nullable<Binary>, Text,
        Nullable<Jsonb>, Integer, Nullable<Timestamptz>) =
    "SELECT connection_id, source_id, person_id, employee, sealed, outcome, outcome_detail, missing_reads, missing_since \
     FROM source_record WHERE tenant_id = $1 AND connection_id = $2 AND source_id = ANY($3) ORDER BY source_id"
);
statement!(
    RecordsOfPeople: (Uuid, Array<Uuid>) -> (Uuid, Text, Nullable<Uuid>, Nullable<Jsonb>, Nullable<Binary>, Text,
        Nullable<Jsonb>, Integer, Nullable<Timestamptz>) =
    "SELECT connection_id, source_id, person_id, employee, sealed, outcome, outcome_detail, missing_reads, missing_since \
     FROM source_record WHERE tenant_id = $1 AND person_id = ANY($2) ORDER BY connection_id, source_id"
);

fn read(tenant: TenantId, sealer: &Sealer, row: StoredRow) -> Result<Stored, Error> {
    let (connection, source_id, person, plain, sealed, outcome, detail, missing_reads, missing_since) = row;
    Ok(Stored {
        connection: connection.into(),
        source_id,
        person: person.map(PersonId::from),
        employee: plain
            .map(|plain| open(tenant, connection, sealer, plain, sealed))
            .transpose()?,
        outcome,
        detail,
        missing_reads,
        missing_since,
    })
}

fn open(
    tenant: TenantId,
    connection: Id,
    sealer: &Sealer,
    plain: Value,
    sealed: Option<Vec<u8>>,
) -> Result<Employee, Error> {
    let secret = sealed.map(|sealed| {
        let bytes = sealer.open(&purpose(tenant, connection), &sealed)?;
        serde_json::from_slice(&bytes).map_err(Error::Unreadable)
    });
    join(plain, secret.transpose()?)
}

/// Records of a connection by source id.
///
/// # Errors
/// When the database refuses, or a stored record cannot be read.
pub async fn stored(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    source_ids: &[String],
    sealer: &Sealer,
) -> Result<Vec<Stored>, Error> {
    let rows: Vec<StoredRow> = StoredRecords::with((tenant.uuid(), connection.uuid(), source_ids.to_vec()))
        .load(conn)
        .await?;
    rows.into_iter().map(|row| read(tenant, sealer, row)).collect()
}

/// All records of people, of all connections, ordered by connection and source id.
///
/// # Errors
/// When the database refuses, or a stored record cannot be read.
pub async fn of_people(
    conn: &mut Conn,
    tenant: TenantId,
    people: &[PersonId],
    sealer: &Sealer,
) -> Result<HashMap<PersonId, Vec<Stored>>, Error> {
    let ids: Vec<Id> = people.iter().map(|id| id.uuid()).collect();
    let rows: Vec<StoredRow> = RecordsOfPeople::with((tenant.uuid(), ids)).load(conn).await?;
    let mut of_people: HashMap<PersonId, Vec<Stored>> = HashMap::new();
    for row in rows {
        let record = read(tenant, sealer, row)?;
        if let Some(person) = record.person {
            of_people.entry(person).or_default().push(record);
        }
    }
    Ok(of_people)
}

statement!(
    /// The four ways to find a record, each by its own index. Records of other connections only by e-mail.
    KnownRecords: (Uuid, Uuid, Array<Text>, Array<Text>, Array<Text>, Array<Text>) -> (Uuid, Text, Nullable<Uuid>, Jsonb,
        Nullable<Binary>, Nullable<Text>, Bool) =
    "WITH found AS ( \
       SELECT connection_id, source_id FROM source_record WHERE tenant_id = $1 AND connection_id = $2 AND source_id = ANY($3) \
       UNION SELECT connection_id, source_id FROM source_record \
         WHERE tenant_id = $1 AND connection_id = $2 AND employee_number IS NOT NULL \
           AND lower(btrim(employee_number, E' \\t\\r\\n') COLLATE \"C\") = ANY($4) \
       UNION SELECT connection_id, source_id FROM source_record \
         WHERE tenant_id = $1 AND connection_id = $2 AND remote_id IS NOT NULL \
           AND lower(btrim(remote_id, E' \\t\\r\\n') COLLATE \"C\") = ANY($5) \
       UNION SELECT connection_id, source_id FROM source_record WHERE tenant_id = $1 AND work_email = ANY($6)) \
     SELECT r.connection_id, r.source_id, r.person_id, r.employee, r.sealed, p.lifecycle ->> 'state', r.missing_reads = 0 \
     FROM found JOIN source_record r ON r.tenant_id = $1 AND r.connection_id = found.connection_id AND r.source_id = found.source_id \
     LEFT JOIN person p ON p.tenant_id = $1 AND p.id = r.person_id \
     WHERE r.employee IS NOT NULL ORDER BY r.connection_id, r.source_id"
);

/// Stored records that share a source id, a number, a remote id (of this connection) or an e-mail (of any) with `keys`.
///
/// # Errors
/// When the database refuses, or a stored record cannot be read.
pub async fn known(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    keys: &KnownKeys,
    sealer: &Sealer,
) -> Result<Vec<KnownRecord>, Error> {
    type Row = (
        Id,
        String,
        Option<Id>,
        Value,
        Option<Vec<u8>>,
        Option<String>,
        bool,
    );
    let values = (
        tenant.uuid(),
        connection.uuid(),
        keys.source_ids.clone(),
        keys.numbers.clone(),
        keys.remote_ids.clone(),
        keys.emails.clone(),
    );
    let rows: Vec<Row> = KnownRecords::with(values).load(conn).await?;
    rows.into_iter()
        .map(|(of, source_id, person, plain, sealed, state, present)| {
            let employee = open(tenant, of, sealer, plain, sealed)?;
            Ok(KnownRecord {
                source_id,
                person: person.map(PersonId::from),
                traits: Traits::of(&employee),
                left: state.is_some_and(|state| state == "left" || state == "rescinded"),
                present,
                same_connection: of == connection.uuid(),
            })
        })
        .collect()
}

statement!(
    /// What a linked record said before stays while it waits for review.
    SaveRecords: (Uuid, Uuid, Array<Text>, Array<Nullable<Uuid>>, Array<Nullable<Jsonb>>, Array<Nullable<Binary>>,
        Array<Binary>, Array<Text>, Array<Nullable<Jsonb>>, Array<Text>, Array<Nullable<Text>>, Array<Nullable<Text>>,
        Array<Nullable<Text>>, Timestamptz) -> () =
    "INSERT INTO source_record AS r (tenant_id, connection_id, source_id, person_id, employee, sealed, digest, outcome, \
       outcome_detail, entity_key, employee_number, work_email, remote_id, changed_at) \
     SELECT $1, $2, n.*, $14 FROM UNNEST($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
       AS n (source_id, person_id, employee, sealed, digest, outcome, detail, entity_key, number, email, remote_id) \
     ON CONFLICT (tenant_id, connection_id, source_id) DO UPDATE SET \
       person_id = CASE WHEN EXCLUDED.outcome = 'review' AND r.person_id IS NOT NULL THEN r.person_id ELSE EXCLUDED.person_id END, \
       employee = CASE WHEN EXCLUDED.outcome = 'review' AND r.person_id IS NOT NULL THEN r.employee ELSE EXCLUDED.employee END, \
       sealed = CASE WHEN EXCLUDED.outcome = 'review' AND r.person_id IS NOT NULL THEN r.sealed ELSE EXCLUDED.sealed END, \
       entity_key = CASE WHEN EXCLUDED.outcome = 'review' AND r.person_id IS NOT NULL THEN r.entity_key ELSE EXCLUDED.entity_key END, \
       employee_number = CASE WHEN EXCLUDED.outcome = 'review' AND r.person_id IS NOT NULL THEN r.employee_number ELSE EXCLUDED.employee_number END, \
       work_email = CASE WHEN EXCLUDED.outcome = 'review' AND r.person_id IS NOT NULL THEN r.work_email ELSE EXCLUDED.work_email END, \
       remote_id = CASE WHEN EXCLUDED.outcome = 'review' AND r.person_id IS NOT NULL THEN r.remote_id ELSE EXCLUDED.remote_id END, \
       digest = EXCLUDED.digest, outcome = EXCLUDED.outcome, outcome_detail = EXCLUDED.outcome_detail, \
       missing_reads = 0, missing_since = NULL, changed_at = EXCLUDED.changed_at"
);

statement!(
    SavedSince: (Uuid, Uuid, Array<Text>, Timestamptz) -> (Text,) =
    "SELECT source_id FROM source_record \
     WHERE tenant_id = $1 AND connection_id = $2 AND source_id = ANY($3) AND changed_at > $4"
);

/// Which of these records were stored anew after an instant.
///
/// # Errors
/// When the database refuses.
pub async fn saved_since(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    source_ids: &[&str],
    since: DateTime<Utc>,
) -> Result<HashSet<String>, Error> {
    let rows: Vec<(String,)> = SavedSince::with((tenant.uuid(), connection.uuid(), source_ids, since))
        .get_results(conn)
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Stores records as read now; they count as present. A source id may stand in a batch once.
/// A record that waits for review and has a person already keeps that person and what it said before: nothing of it
/// counts until somebody has decided.
/// `sensitive_custom` names the custom fields that are declared sensitive.
///
/// # Errors
/// When the database refuses.
pub async fn save(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    records: &[NewRecord<'_>],
    sensitive_custom: &[String],
    sealer: &Sealer,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if records.is_empty() {
        return Ok(());
    }
    let about = purpose(tenant, connection.uuid());
    let (mut plain, mut sealed, mut traits) = (Vec::new(), Vec::new(), Vec::new());
    for record in records {
        let Some(employee) = record.employee else {
            plain.push(None);
            sealed.push(None);
            traits.push(Traits::default());
            continue;
        };
        let (open, secret) = split(employee, sensitive_custom)?;
        let secret = secret
            .map(|secret| serde_json::to_vec(&secret).map_err(Error::Unreadable))
            .transpose()?;
        plain.push(Some(open));
        sealed.push(secret.map(|secret| sealer.seal(&about, &secret)).transpose()?);
        traits.push(Traits::of(employee));
    }
    let each =
        |get: fn(&Traits) -> Option<String>| -> Vec<Option<String>> { traits.iter().map(get).collect() };
    let values = (
        tenant.uuid(),
        connection.uuid(),
        records
            .iter()
            .map(|record| record.source_id)
            .collect::<Vec<&str>>(),
        records
            .iter()
            .map(|record| record.person.map(PersonId::uuid))
            .collect::<Vec<Option<Id>>>(),
        plain,
        sealed,
        records
            .iter()
            .map(|record| record.digest.clone())
            .collect::<Vec<Vec<u8>>>(),
        records.iter().map(|record| record.outcome).collect::<Vec<&str>>(),
        records
            .iter()
            .map(|record| record.detail.clone())
            .collect::<Vec<Option<Value>>>(),
        traits
            .iter()
            .map(|one| one.entity_key.clone())
            .collect::<Vec<String>>(),
        each(|one| one.number.clone()),
        each(|one| one.email.clone()),
        each(|one| one.remote_id.clone()),
        now,
    );
    SaveRecords::with(values).execute(conn).await?;
    Ok(())
}

statement!(
    SetOutcomes: (Uuid, Uuid, Array<Text>, Array<Text>, Array<Nullable<Jsonb>>) -> () =
    "UPDATE source_record SET outcome = new.outcome, outcome_detail = new.detail \
     FROM UNNEST($3, $4, $5) AS new (source_id, outcome, detail) \
     WHERE source_record.tenant_id = $1 AND source_record.connection_id = $2 AND source_record.source_id = new.source_id \
       AND (source_record.outcome, source_record.outcome_detail) IS DISTINCT FROM (new.outcome, new.detail)"
);

/// Notes what became of records; what is the same as before is not written.
///
/// # Errors
/// When the database refuses.
pub async fn set_outcomes(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    outcomes: &[(String, String, Option<Value>)],
) -> Result<(), Error> {
    let values = (
        tenant.uuid(),
        connection.uuid(),
        outcomes
            .iter()
            .map(|(source_id, _, _)| source_id.clone())
            .collect::<Vec<_>>(),
        outcomes
            .iter()
            .map(|(_, outcome, _)| outcome.clone())
            .collect::<Vec<_>>(),
        outcomes
            .iter()
            .map(|(_, _, detail)| detail.clone())
            .collect::<Vec<_>>(),
    );
    SetOutcomes::with(values).execute(conn).await?;
    Ok(())
}

statement!(
    Unlink: (Uuid, Uuid, Array<Text>) -> () =
    "UPDATE source_record SET person_id = NULL WHERE tenant_id = $1 AND connection_id = $2 AND source_id = ANY($3)"
);

/// Takes records from their people.
///
/// # Errors
/// When the database refuses.
pub async fn unlink(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    source_ids: &[String],
) -> Result<(), Error> {
    Unlink::with((tenant.uuid(), connection.uuid(), source_ids.to_vec()))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    MarkMissing: (Uuid, Uuid, Array<Text>, Timestamptz) -> () =
    "UPDATE source_record SET missing_reads = missing_reads + 1, missing_since = COALESCE(missing_since, $4) \
     WHERE tenant_id = $1 AND connection_id = $2 AND source_id = ANY($3)"
);
statement!(
    MarkReturned: (Uuid, Uuid, Array<Text>) -> () =
    "UPDATE source_record SET missing_reads = 0, missing_since = NULL \
     WHERE tenant_id = $1 AND connection_id = $2 AND source_id = ANY($3) AND missing_reads > 0"
);

/// Counts one more complete read from which these records were missing.
///
/// # Errors
/// When the database refuses.
pub async fn mark_missing(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    source_ids: &[String],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    MarkMissing::with((tenant.uuid(), connection.uuid(), source_ids.to_vec(), now))
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes that these records are there again.
///
/// # Errors
/// When the database refuses.
pub async fn mark_returned(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    source_ids: &[String],
) -> Result<(), Error> {
    MarkReturned::with((tenant.uuid(), connection.uuid(), source_ids.to_vec()))
        .execute(conn)
        .await?;
    Ok(())
}

statement!(
    SourceIds: (Uuid, Uuid, Text, BigInt) -> (Text, Nullable<Uuid>, Text, Integer, Nullable<Timestamptz>) =
    "SELECT source_id, person_id, outcome, missing_reads, missing_since FROM source_record \
     WHERE tenant_id = $1 AND connection_id = $2 AND source_id > $3 ORDER BY source_id LIMIT $4"
);
statement!(
    /// Reads the run's staging pages, which the run owns.
    Absent: (Uuid, Uuid, Uuid) -> (Text, Nullable<Uuid>, Text, Integer, Nullable<Timestamptz>) =
    "SELECT source_id, person_id, outcome, missing_reads, missing_since FROM source_record r \
     WHERE tenant_id = $1 AND connection_id = $2 AND NOT EXISTS ( \
       SELECT FROM (SELECT UNNEST(seen) AS source_id FROM staging_page WHERE tenant_id = $1 AND run_id = $3) s \
       WHERE s.source_id = r.source_id) ORDER BY source_id"
);

type ShortRow = (String, Option<Id>, String, i32, Option<DateTime<Utc>>);

fn short(connection: ConnectionId, row: ShortRow) -> Stored {
    let (source_id, person, outcome, missing_reads, missing_since) = row;
    Stored {
        connection,
        source_id,
        person: person.map(PersonId::from),
        employee: None,
        outcome,
        detail: None,
        missing_reads,
        missing_since,
    }
}

/// The records of a connection in order of their source ids, after `after` (empty: from the start), without content.
///
/// # Errors
/// When the database refuses.
pub async fn source_ids(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    after: &str,
    limit: i64,
) -> Result<Vec<Stored>, Error> {
    let rows: Vec<ShortRow> = SourceIds::with((tenant.uuid(), connection.uuid(), after, limit))
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| short(connection, row)).collect())
}

/// The stored records that a run did not see, without content. Only meaningful after a complete read.
///
/// # Errors
/// When the database refuses.
pub async fn absent(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    run: RunId,
) -> Result<Vec<Stored>, Error> {
    let rows: Vec<ShortRow> = Absent::with((tenant.uuid(), connection.uuid(), run.uuid()))
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| short(connection, row)).collect())
}

statement!(
    Managers: (Uuid, Uuid, Array<Text>, Array<Text>, Array<Text>) -> (Text, Text, Uuid) =
    "SELECT 'id', source_id, person_id FROM source_record \
       WHERE tenant_id = $1 AND connection_id = $2 AND source_id = ANY($3) AND person_id IS NOT NULL \
     UNION SELECT 'email', work_email, person_id FROM source_record \
       WHERE tenant_id = $1 AND connection_id = $2 AND work_email = ANY($4) AND person_id IS NOT NULL \
     UNION SELECT 'number', employee_number, person_id FROM source_record \
       WHERE tenant_id = $1 AND connection_id = $2 AND employee_number = ANY($5) AND person_id IS NOT NULL"
);

/// Whom manager references mean, through any record of the manager, ended ones too. A reference that fits several
/// people (an e-mail or a number that is used twice) means nobody.
///
/// # Errors
/// When the database refuses.
pub async fn managers(
    conn: &mut Conn,
    tenant: TenantId,
    connection: ConnectionId,
    references: &[ManagerRef],
) -> Result<HashMap<ManagerRef, PersonId>, Error> {
    let (mut ids, mut emails, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    for reference in references {
        match reference {
            ManagerRef::SourceId(id) => ids.push(id.clone()),
            ManagerRef::Email(email) => emails.push(fold(email)),
            ManagerRef::EmployeeNumber(number) => numbers.push(number.clone()),
        }
    }
    let values = (tenant.uuid(), connection.uuid(), ids, emails, numbers);
    let rows: Vec<(String, String, Id)> = Managers::with(values).load(conn).await?;
    let mut found: HashMap<(String, String), HashSet<Id>> = HashMap::new();
    for (kind, value, person) in rows {
        found.entry((kind, value)).or_default().insert(person);
    }
    let person = |reference: &ManagerRef| {
        let key = match reference {
            ManagerRef::SourceId(id) => ("id".to_owned(), id.clone()),
            ManagerRef::Email(email) => ("email".to_owned(), fold(email)),
            ManagerRef::EmployeeNumber(number) => ("number".to_owned(), number.clone()),
        };
        let people = found.get(&key).filter(|people| people.len() == 1)?;
        people.iter().next().map(|person| PersonId::from(*person))
    };
    Ok(references
        .iter()
        .filter_map(|reference| Some((reference.clone(), person(reference)?)))
        .collect())
}
