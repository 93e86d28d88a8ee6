//! The store of people and records, against Postgres.

use chrono::{DateTime, Duration, Utc};
use scim_bridge::base::{ConnectionId, PersonId, ResourceId, RunId, Sealer, TenantId};
use scim_bridge::db::{Conn, Db};
use scim_bridge::hr::{Employee, ManagerRef, OrgUnit};
use scim_bridge::identity::store::{
    self, KnownKeys, NewRecord, Standing, create_people, decide, decided, due, known, managers, of_people,
    people, reviews, save, seen, set_outcomes, set_reviews, set_standing, set_users, source_ids, stored,
};
use scim_bridge::identity::{
    Candidate, Correlation, Decision, Error, Known, Review, Rules, Traits, correlate, digest,
};
use serde_json::json;

use crate::kit::{TestDatabase, client};

mod isolation;

struct World {
    db: Db,
    sql: tokio_postgres::Client,
    sealer: Sealer,
    ours: (TenantId, ConnectionId),
    theirs: (TenantId, ConnectionId),
    _database: TestDatabase,
}

fn now() -> DateTime<Utc> {
    "2026-06-15T12:00:00Z".parse().unwrap()
}

async fn world() -> World {
    let database = TestDatabase::create().await;
    let sql = client(&database.url).await;
    let (ours, theirs) = (tenant(&sql, "ours").await, tenant(&sql, "theirs").await);
    World {
        db: Db::connect(&database.url, 2).unwrap(),
        sql,
        sealer: Sealer::from_list(&Sealer::new_key()).unwrap(),
        ours,
        theirs,
        _database: database,
    }
}

async fn tenant(sql: &tokio_postgres::Client, name: &str) -> (TenantId, ConnectionId) {
    let (tenant, connection) = (TenantId::new(), ConnectionId::new());
    sql.execute(
        "INSERT INTO tenant (id, name, created_at) VALUES ($1::text::uuid, $2, now())",
        &[&tenant.to_string(), &name],
    )
    .await
    .unwrap();
    sql.execute(
        "INSERT INTO connection (tenant_id, id, name, connector, state, created_at) \
         VALUES ($1::text::uuid, $2::text::uuid, 'people', 'csv', 'draft', now())",
        &[&tenant.to_string(), &connection.to_string()],
    )
    .await
    .unwrap();
    (tenant, connection)
}

fn employee(source_id: &str, number: &str, name: &str, email: &str) -> Employee {
    Employee {
        source_id: source_id.into(),
        employee_number: Some(number.into()),
        given_name: Some(name.into()),
        family_name: Some("Test".into()),
        work_email: Some(email.into()),
        entity: Some(OrgUnit {
            id: Some("760".into()),
            ..OrgUnit::default()
        }),
        birth_date: "1990-01-01".parse().ok(),
        private_email: Some("home@private.example".into()),
        ..Employee::default()
    }
}

impl World {
    async fn keep(
        &self,
        conn: &mut Conn,
        at: (TenantId, ConnectionId),
        employees: &[Employee],
        person: Option<PersonId>,
        outcome: &str,
    ) {
        let records: Vec<NewRecord<'_>> = employees
            .iter()
            .map(|employee| NewRecord {
                source_id: &employee.source_id,
                person,
                employee: Some(employee),
                digest: digest(&self.sealer, employee, 1).unwrap(),
                outcome,
                detail: None,
            })
            .collect();
        save(conn, at.0, at.1, &records, &[], &self.sealer, now())
            .await
            .unwrap();
    }

    async fn count(&self, query: &str) -> i64 {
        self.sql.query_one(query, &[]).await.unwrap().get(0)
    }
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|one| (*one).to_owned()).collect()
}

#[tokio::test]
async fn records_come_back_as_they_were_and_their_sensitive_part_is_sealed() {
    let world = world().await;
    let mut conn = world.db.conn().await.unwrap();
    let person = PersonId::new();
    create_people(&mut conn, world.ours.0, &[person], now())
        .await
        .unwrap();
    let anna = employee("a", "007", "Anna", "Anna@Acme.example");
    world
        .keep(
            &mut conn,
            world.ours,
            std::slice::from_ref(&anna),
            Some(person),
            "linked",
        )
        .await;
    let outside = NewRecord {
        source_id: "out",
        person: None,
        employee: None,
        digest: vec![1],
        outcome: "filtered",
        detail: Some(json!({"reason": "filter"})),
    };
    save(
        &mut conn,
        world.ours.0,
        world.ours.1,
        &[outside],
        &[],
        &world.sealer,
        now(),
    )
    .await
    .unwrap();

    let found = stored(
        &mut conn,
        world.ours.0,
        world.ours.1,
        &texts(&["a", "out", "none"]),
        &world.sealer,
    )
    .await
    .unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].employee.as_ref(), Some(&anna));
    assert_eq!(
        (found[0].person, found[0].outcome.as_str()),
        (Some(person), "linked")
    );
    assert_eq!(
        (found[1].employee.as_ref(), found[1].detail.clone()),
        (None, Some(json!({"reason": "filter"})))
    );
    let open = world
        .count("SELECT count(*) FROM source_record WHERE employee::text ~ 'private.example|1990'")
        .await;
    assert_eq!(open, 0, "sensitive fields are not in the open");
    let row = world
        .sql
        .query_one(
            "SELECT sealed, work_email, entity_key FROM source_record WHERE source_id = 'a'",
            &[],
        )
        .await
        .unwrap();
    let sealed: Vec<u8> = row.get(0);
    assert!(!sealed.windows(7).any(|part| part == b"private"));
    assert_eq!(
        (row.get::<_, String>(1), row.get::<_, String>(2)),
        ("anna@acme.example".into(), "760".into())
    );
    let all = seen(&mut conn, world.ours.0, world.ours.1, &texts(&["a", "out"]))
        .await
        .unwrap();
    assert_eq!(all["a"].digest, digest(&world.sealer, &anna, 1).unwrap());
    assert_eq!(all["out"].outcome, "filtered");
    let of = of_people(&mut conn, world.ours.0, &[person], &world.sealer)
        .await
        .unwrap();
    assert_eq!(of[&person].len(), 1);
    let other_key = Sealer::from_list(&Sealer::new_key()).unwrap();
    assert!(matches!(
        stored(&mut conn, world.ours.0, world.ours.1, &texts(&["a"]), &other_key).await,
        Err(Error::Seal(_))
    ));
}

#[tokio::test]
async fn what_is_known_is_found_by_every_key_and_only_the_address_across_connections() {
    let world = world().await;
    let mut conn = world.db.conn().await.unwrap();
    let (person, left) = (PersonId::new(), PersonId::new());
    create_people(&mut conn, world.ours.0, &[person, left], now())
        .await
        .unwrap();
    world
        .keep(
            &mut conn,
            world.ours,
            &[employee("a", "007", "Anna", "anna@acme.example")],
            Some(person),
            "linked",
        )
        .await;
    world
        .keep(
            &mut conn,
            world.ours,
            &[employee("l", "008", "Lea", "lea@acme.example")],
            Some(left),
            "linked",
        )
        .await;
    let standing = Standing {
        person: left,
        lifecycle: json!({"state": "left"}),
        next_look_at: None,
    };
    set_standing(&mut conn, world.ours.0, &[standing]).await.unwrap();
    store::mark_missing(&mut conn, world.ours.0, world.ours.1, &texts(&["l"]), now())
        .await
        .unwrap();
    let second = ConnectionId::new();
    world
        .sql
        .execute(
            "INSERT INTO connection (tenant_id, id, name, connector, state, created_at) \
             VALUES ($1::text::uuid, $2::text::uuid, 'second', 'csv', 'draft', now())",
            &[&world.ours.0.to_string(), &second.to_string()],
        )
        .await
        .unwrap();
    let ids = |records: Vec<scim_bridge::identity::KnownRecord>| {
        records
            .into_iter()
            .map(|one| (one.source_id, one.left, one.present, one.same_connection))
            .collect::<Vec<_>>()
    };
    for (keys, expected) in [
        (
            KnownKeys {
                source_ids: texts(&["a"]),
                ..KnownKeys::default()
            },
            vec![("a".to_owned(), false, true, true)],
        ),
        (
            KnownKeys {
                numbers: texts(&["007", " 007", "7"]),
                ..KnownKeys::default()
            },
            vec![("a".to_owned(), false, true, true)],
        ),
        (
            KnownKeys {
                numbers: texts(&["7", " 007"]),
                ..KnownKeys::default()
            },
            vec![],
        ),
        (
            KnownKeys {
                emails: texts(&["lea@acme.example"]),
                ..KnownKeys::default()
            },
            vec![("l".to_owned(), true, false, true)],
        ),
    ] {
        let found = known(&mut conn, world.ours.0, world.ours.1, &keys, &world.sealer)
            .await
            .unwrap();
        assert_eq!(ids(found), expected, "{keys:?}");
    }
    let keys = KnownKeys {
        source_ids: texts(&["a"]),
        numbers: texts(&["007"]),
        emails: texts(&["anna@acme.example"]),
        ..KnownKeys::default()
    };
    let across = known(&mut conn, world.ours.0, second, &keys, &world.sealer)
        .await
        .unwrap();
    assert_eq!(ids(across.clone()), [("a".to_owned(), false, true, false)]);
    assert_eq!(
        across[0].traits.birth_date,
        "1990-01-01".parse().ok(),
        "the sealed part confirms"
    );
}

#[tokio::test]
async fn a_run_of_correlation_over_the_store_links_what_it_made() {
    let world = world().await;
    let mut conn = world.db.conn().await.unwrap();
    let (tenant, connection) = world.ours;
    let read = [
        employee("a", "1", "Anna", "anna@acme.example"),
        employee("b", "1", "Anna", "anna@acme.example"),
        employee("c", "2", "Carl", "carl@acme.example"),
    ];
    let mut people_made = Vec::new();
    for round in 0..2 {
        let candidates: Vec<Candidate> = read.iter().map(|one| Candidate::of(one, false)).collect();
        let keys = KnownKeys::of(candidates.iter().map(|one| (one.source_id.as_str(), &one.traits)));
        let records = known(&mut conn, tenant, connection, &keys, &world.sealer)
            .await
            .unwrap();
        let decided = decided(&mut conn, tenant, connection).await.unwrap();
        let found = correlate(&candidates, &Known { records, decided }, &Rules::default());
        assert_eq!(found.new_people, if round == 0 { 2 } else { 0 });
        let fresh: Vec<PersonId> = (0..found.new_people).map(|_| PersonId::new()).collect();
        create_people(&mut conn, tenant, &fresh, now()).await.unwrap();
        for (employee, outcome) in read.iter().zip(&found.outcomes) {
            let person = match outcome {
                Correlation::New(number) => fresh[*number],
                Correlation::Linked(person, _) => *person,
                Correlation::Review(_) => panic!("nothing to review"),
            };
            people_made.push(person);
            world
                .keep(
                    &mut conn,
                    world.ours,
                    std::slice::from_ref(employee),
                    Some(person),
                    "linked",
                )
                .await;
        }
    }
    assert_eq!(people_made[..3], people_made[3..]);
    assert_eq!(people_made[0], people_made[1]);
    assert_ne!(people_made[0], people_made[2]);
}

#[tokio::test]
async fn managers_are_found_through_any_of_their_records() {
    let world = world().await;
    let mut conn = world.db.conn().await.unwrap();
    let (boss, twin) = (PersonId::new(), PersonId::new());
    create_people(&mut conn, world.ours.0, &[boss, twin], now())
        .await
        .unwrap();
    let rows = [
        employee("ended", "1", "Boss", "boss@acme.example"),
        employee("open", "1", "Boss", "boss@acme.example"),
    ];
    world
        .keep(&mut conn, world.ours, &rows, Some(boss), "linked")
        .await;
    world
        .keep(
            &mut conn,
            world.ours,
            &[employee("twin", "2", "Twin", "shared@acme.example")],
            Some(twin),
            "linked",
        )
        .await;
    world
        .keep(
            &mut conn,
            world.ours,
            &[employee("other", "3", "Boss", "shared@acme.example")],
            Some(boss),
            "linked",
        )
        .await;
    let asked = [
        ManagerRef::SourceId("ended".into()),
        ManagerRef::Email(" Boss@ACME.example ".into()),
        ManagerRef::EmployeeNumber("1".into()),
        ManagerRef::Email("shared@acme.example".into()),
        ManagerRef::SourceId("nobody".into()),
    ];
    let found = managers(&mut conn, world.ours.0, world.ours.1, &asked)
        .await
        .unwrap();
    let of = |place: usize| found.get(&asked[place]).copied();
    assert_eq!([of(0), of(1), of(2)], [Some(boss); 3]);
    assert_eq!([of(3), of(4)], [None; 2], "a shared address means nobody");
}

#[tokio::test]
async fn missing_records_are_counted_and_forgiven_and_a_read_says_who_is_absent() {
    let world = world().await;
    let mut conn = world.db.conn().await.unwrap();
    let (tenant, connection) = world.ours;
    let rows: Vec<Employee> = ["a", "b", "c"]
        .iter()
        .map(|id| employee(id, id, "X", "x@acme.example"))
        .collect();
    world.keep(&mut conn, world.ours, &rows, None, "skipped").await;
    let run = RunId::new();
    world
        .sql
        .execute("INSERT INTO staging_page (tenant_id, run_id, page, seen) VALUES ($1::text::uuid, $2::text::uuid, 1, '{a,z}')", &[&tenant.to_string(), &run.to_string()])
        .await
        .unwrap();
    let absent = store::absent(&mut conn, tenant, connection, run).await.unwrap();
    assert_eq!(
        absent
            .iter()
            .map(|one| one.source_id.as_str())
            .collect::<Vec<_>>(),
        ["b", "c"]
    );
    store::mark_missing(&mut conn, tenant, connection, &texts(&["b", "c"]), now())
        .await
        .unwrap();
    store::mark_missing(
        &mut conn,
        tenant,
        connection,
        &texts(&["b"]),
        now() + Duration::hours(25),
    )
    .await
    .unwrap();
    store::mark_returned(&mut conn, tenant, connection, &texts(&["c"]))
        .await
        .unwrap();
    let all = source_ids(&mut conn, tenant, connection, "", 2).await.unwrap();
    assert_eq!((all[1].missing_reads, all[1].missing_since), (2, Some(now())));
    let rest = source_ids(&mut conn, tenant, connection, &all[1].source_id, 2)
        .await
        .unwrap();
    assert_eq!(
        (rest.len(), rest[0].missing_reads, rest[0].missing_since),
        (1, 0, None)
    );
    world
        .keep(&mut conn, world.ours, &rows[1..2], None, "skipped")
        .await;
    assert_eq!(
        seen(&mut conn, tenant, connection, &texts(&["b"])).await.unwrap()["b"].missing_reads,
        0,
        "read again"
    );
    let outcomes = [(
        "a".to_owned(),
        "held".to_owned(),
        Some(json!({"reason": "status"})),
    )];
    set_outcomes(&mut conn, tenant, connection, &outcomes)
        .await
        .unwrap();
    assert_eq!(
        seen(&mut conn, tenant, connection, &texts(&["a"])).await.unwrap()["a"].outcome,
        "held"
    );
}

#[tokio::test]
async fn people_who_are_due_are_given_once_and_in_order() {
    let world = world().await;
    let mut conn = world.db.conn().await.unwrap();
    let all: Vec<PersonId> = (0..3).map(|_| PersonId::new()).collect();
    create_people(&mut conn, world.ours.0, &all, now()).await.unwrap();
    let standing = |place: usize, hours: i64| Standing {
        person: all[place],
        lifecycle: json!({"state": "active"}),
        next_look_at: Some(now() + Duration::hours(hours)),
    };
    set_standing(
        &mut conn,
        world.ours.0,
        &[standing(0, -1), standing(1, -2), standing(2, 1)],
    )
    .await
    .unwrap();
    assert_eq!(
        due(&mut conn, now(), 10).await.unwrap(),
        [(world.ours.0, all[1]), (world.ours.0, all[0])]
    );
    let user = ResourceId::new();
    set_users(&mut conn, world.ours.0, &[(all[0], user)])
        .await
        .unwrap();
    let found = people(&mut conn, world.ours.0, &all).await.unwrap();
    assert_eq!((found[&all[0]].user, found[&all[1]].user), (Some(user), None));
    assert_eq!(found[&all[0]].lifecycle, Some(json!({"state": "active"})));
    // Nothing is written when nothing is new.
    let before = world
        .count("SELECT sum(xmin::text::bigint)::bigint FROM person")
        .await;
    set_standing(&mut conn, world.ours.0, &[standing(0, -1)])
        .await
        .unwrap();
    set_users(&mut conn, world.ours.0, &[(all[0], user)])
        .await
        .unwrap();
    assert_eq!(
        world
            .count("SELECT sum(xmin::text::bigint)::bigint FROM person")
            .await,
        before
    );
}

#[tokio::test]
async fn a_review_is_asked_once_decided_once_and_gone_when_nobody_raises_it() {
    let world = world().await;
    let mut conn = world.db.conn().await.unwrap();
    let (tenant, connection) = world.ours;
    let person = PersonId::new();
    create_people(&mut conn, tenant, &[person], now()).await.unwrap();
    world
        .keep(
            &mut conn,
            world.ours,
            &[employee("a", "1", "Anna", "a@x.example")],
            Some(person),
            "linked",
        )
        .await;
    let review = |ids: &[&str]| Review {
        reason: "same number".into(),
        source_ids: texts(ids),
        candidates: vec![person],
    };
    let raised = [review(&["a", "b"]), review(&["c"])];
    let opened = set_reviews(&mut conn, tenant, connection, None, &raised, true, now())
        .await
        .unwrap();
    assert_eq!((opened.opened, opened.gone), (2, 0));
    let again = set_reviews(&mut conn, tenant, connection, None, &raised, true, now())
        .await
        .unwrap();
    assert_eq!((again.opened, again.gone), (0, 0));
    let partial = set_reviews(&mut conn, tenant, connection, None, &[], false, now())
        .await
        .unwrap();
    assert_eq!(partial.gone, 0, "a partial read closes nothing");
    let less = set_reviews(&mut conn, tenant, connection, None, &raised[..1], true, now())
        .await
        .unwrap();
    assert_eq!((less.opened, less.gone), (0, 1));

    let open = reviews(&mut conn, tenant, Some(connection), Some("open"), None, 10)
        .await
        .unwrap();
    let [one] = open.as_slice() else {
        panic!("{open:?}")
    };
    assert_eq!(
        (one.source_ids.clone(), one.candidates.clone()),
        (texts(&["a", "b"]), vec![person])
    );
    let stranger = Decision::Person(PersonId::new());
    assert!(matches!(
        decide(&mut conn, tenant, one.id, stranger, "me", now()).await,
        Err(Error::NoCandidate)
    ));
    decide(&mut conn, tenant, one.id, Decision::Person(person), "me", now())
        .await
        .unwrap();
    assert!(matches!(
        decide(&mut conn, tenant, one.id, Decision::Separate, "me", now()).await,
        Err(Error::NoReview)
    ));
    assert!(
        seen(&mut conn, tenant, connection, &texts(&["a"])).await.unwrap()["a"]
            .digest
            .is_empty(),
        "read as changed"
    );
    let kept = decided(&mut conn, tenant, connection).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(
        (kept[0].decision, kept[0].source_ids.clone()),
        (Decision::Person(person), texts(&["a", "b"]))
    );
    let all = reviews(&mut conn, tenant, None, None, None, 10).await.unwrap();
    assert_eq!(
        all.iter().map(|one| one.state.as_str()).collect::<Vec<_>>(),
        ["gone", "decided"]
    );
    let page = reviews(&mut conn, tenant, None, None, Some(all[0].id), 10)
        .await
        .unwrap();
    assert_eq!(page.len(), 1);
}
