//! What tenants cannot see of each other.

use super::*;

/// Tenant A cannot see, count, page or change what is B's, by any id.
#[tokio::test]
async fn no_tenant_sees_or_changes_what_is_anothers() {
    let world = world().await;
    let mut conn = world.db.conn().await.unwrap();
    let person = PersonId::new();
    create_people(&mut conn, world.theirs.0, &[person], now())
        .await
        .unwrap();
    let anna = employee("a", "007", "Anna", "anna@acme.example");
    world
        .keep(
            &mut conn,
            world.theirs,
            std::slice::from_ref(&anna),
            Some(person),
            "linked",
        )
        .await;
    let raised = [Review {
        reason: "x".into(),
        source_ids: texts(&["a"]),
        candidates: vec![person],
    }];
    set_reviews(
        &mut conn,
        world.theirs.0,
        world.theirs.1,
        None,
        &raised,
        true,
        now(),
    )
    .await
    .unwrap();
    let review = reviews(&mut conn, world.theirs.0, None, None, None, 10)
        .await
        .unwrap()[0]
        .id;
    // Our tenant with their connection and ids.
    let (tenant, connection) = (world.ours.0, world.theirs.1);
    let ids = texts(&["a"]);
    let rows = "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM \
                (SELECT p::text AS t FROM person p UNION ALL SELECT s::text FROM source_record s UNION ALL SELECT r::text FROM review r) t";
    let before: String = world.sql.query_one(rows, &[]).await.unwrap().get(0);

    assert!(
        seen(&mut conn, tenant, connection, &ids)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        stored(&mut conn, tenant, connection, &ids, &world.sealer)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        of_people(&mut conn, tenant, &[person], &world.sealer)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(people(&mut conn, tenant, &[person]).await.unwrap().is_empty());
    assert!(
        source_ids(&mut conn, tenant, connection, "", 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        store::absent(&mut conn, tenant, connection, RunId::new())
            .await
            .unwrap()
            .is_empty()
    );
    let keys = KnownKeys::of([("a", &Traits::of(&anna))]);
    assert!(
        known(&mut conn, tenant, connection, &keys, &world.sealer)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        managers(&mut conn, tenant, connection, &[ManagerRef::SourceId("a".into())])
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        reviews(&mut conn, tenant, None, None, None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        reviews(&mut conn, tenant, Some(connection), None, None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(decided(&mut conn, tenant, connection).await.unwrap().is_empty());
    assert!(matches!(
        decide(&mut conn, tenant, review, Decision::Separate, "me", now()).await,
        Err(Error::NoReview)
    ));
    store::mark_missing(&mut conn, tenant, connection, &ids, now())
        .await
        .unwrap();
    store::mark_returned(&mut conn, tenant, connection, &ids)
        .await
        .unwrap();
    store::unlink(&mut conn, tenant, connection, &ids).await.unwrap();
    set_outcomes(
        &mut conn,
        tenant,
        connection,
        &[("a".into(), "held".into(), None)],
    )
    .await
    .unwrap();
    set_users(&mut conn, tenant, &[(person, ResourceId::new())])
        .await
        .unwrap();
    let standing = Standing {
        person,
        lifecycle: json!({"state": "left"}),
        next_look_at: None,
    };
    set_standing(&mut conn, tenant, &[standing]).await.unwrap();
    set_reviews(&mut conn, tenant, connection, None, &[], true, now())
        .await
        .unwrap();
    // A record of ours cannot be tied to their connection or person.
    let record = |person| NewRecord {
        source_id: "b",
        person,
        employee: None,
        digest: vec![],
        outcome: "linked",
        detail: None,
    };
    assert!(
        save(
            &mut conn,
            tenant,
            connection,
            &[record(None)],
            &[],
            &world.sealer,
            now()
        )
        .await
        .is_err()
    );
    assert!(
        save(
            &mut conn,
            tenant,
            world.ours.1,
            &[record(Some(person))],
            &[],
            &world.sealer,
            now()
        )
        .await
        .is_err()
    );
    let after: String = world.sql.query_one(rows, &[]).await.unwrap().get(0);
    assert_eq!(before, after);
}
