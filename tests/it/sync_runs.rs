//! Runs: hire, change, leave, come back; and what an unchanged run writes.

use crate::sync_kit::{
    Company, Row, active_users, connected, connection_file, done, person, run, run_again, said,
};

#[tokio::test]
async fn a_first_run_makes_users_with_managers_and_groups() {
    let bridge = connected(&connection_file()).await;
    let run = done(&bridge, &Company::of(25)).await;
    assert_eq!(run["counts"]["create"], 25, "{run}");
    assert_eq!(run["counts"]["applied"], 25, "{run}");
    let boss = person(&bridge, 1).await;
    let lead = person(&bridge, 11).await;
    let report = person(&bridge, 12).await;
    assert_eq!(boss["active"], true);
    assert_eq!(boss["title"], "Engineer");
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    assert_eq!(lead[enterprise]["manager"]["value"], boss["id"]);
    assert_eq!(report[enterprise]["manager"]["value"], lead["id"]);
    assert_eq!(report["groups"][0]["display"], "Dept 1");
    let groups = bridge
        .count("SELECT count(*) FROM resource WHERE kind = 'Group'")
        .await;
    assert_eq!(groups, 3);
    let written_once = bridge
        .count("SELECT count(*) FROM change WHERE kind = 'User' AND action = 'update'")
        .await;
    assert!(
        written_once <= 25,
        "managers are set when the user is made, or right after"
    );
}

#[tokio::test]
async fn an_unchanged_second_run_writes_nothing_that_grows_with_people() {
    let bridge = connected(&connection_file()).await;
    let company = Company::of(60);
    done(&bridge, &company).await;
    let rows = bridge.rows().await;
    let mut counts = Vec::new();
    for _ in 0..2 {
        let mut all = std::collections::BTreeMap::new();
        for table in [
            "person",
            "source_record",
            "resource",
            "resource_key",
            "change",
            "membership",
            "external_id",
            "run_outcome",
            "plan_item",
            "org_group",
            "review",
            "hold",
            "staging_page",
            "staging_record",
        ] {
            let sql = format!("SELECT count(*), coalesce(max(xmin::text::bigint), 0) FROM {table}");
            let row = rows.query_one(&sql, &[]).await.unwrap();
            all.insert(table, (row.get::<_, i64>(0), row.get::<_, i64>(1)));
        }
        counts.push(all);
        if counts.len() == 1 {
            let run = run_again(&bridge, false).await;
            assert_eq!(run["state"], "done", "{run}");
            assert_eq!(run["counts"]["unchanged"], 60, "{run}");
        }
    }
    assert_eq!(counts[0], counts[1], "no row was added, removed or rewritten");
}

#[tokio::test]
async fn leap_10_a_change_moves_only_what_changed() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(12);
    done(&bridge, &company).await;
    company.row("12").title = "Architect".to_owned();
    company.row("12").department = "Research".to_owned();
    let run = done(&bridge, &company).await;
    assert_eq!(run["counts"]["update"], 1, "{run}");
    assert_eq!(run["counts"]["unchanged"], 11, "{run}");
    let moved = person(&bridge, 12).await;
    assert_eq!(moved["title"], "Architect");
    assert_eq!(moved["groups"][0]["display"], "Research");
    assert_eq!(moved["groups"].as_array().unwrap().len(), 1);
    let id = run["id"].as_str().unwrap();
    let items = bridge.get(&format!("/api/v1/runs/{id}/items")).await;
    let paths: Vec<&str> = items["items"][0]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["path"].as_str().unwrap())
        .collect();
    assert_eq!(
        paths,
        [
            "title",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
            "groups",
            "groups"
        ],
        "and it enters one group and leaves another"
    );
}

#[tokio::test]
async fn payh_1_a_leaver_is_disabled_and_a_rehire_gets_the_same_account() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(12);
    done(&bridge, &company).await;
    let before = person(&bridge, 5).await;
    company.row("5").status = String::new();
    company.row("5").last_day = "2026-11-30".to_owned();
    let run = done(&bridge, &company).await;
    assert_eq!(run["counts"]["disable"], 1, "{run}");
    let left = person(&bridge, 5).await;
    assert_eq!(left["active"], false);
    assert_eq!(left["id"], before["id"]);
    assert!(left["groups"].as_array().is_none_or(Vec::is_empty));

    company.row("5").status = "Current".to_owned();
    company.row("5").last_day = String::new();
    let run = done(&bridge, &company).await;
    assert_eq!(run["counts"]["update"], 1, "{run}");
    let back = person(&bridge, 5).await;
    assert_eq!(back["active"], true);
    assert_eq!(back["id"], before["id"]);
    assert_eq!(back["groups"][0]["display"], "Dept 0");
    assert_eq!(active_users(&bridge).await, 12);
}

#[tokio::test]
async fn rg_24_who_has_left_before_the_first_run_gets_no_account() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(5);
    company.row("4").status = String::new();
    company.row("4").last_day = "2021-01-31".to_owned();
    let run = done(&bridge, &company).await;
    assert_eq!(run["counts"]["create"], 4, "{run}");
    assert!(person(&bridge, 4).await.is_null());
}

#[tokio::test]
async fn exp_9_who_lacks_a_required_field_is_skipped_and_each_field_is_named() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(6);
    company.row("2").email = String::new();
    company.row("3").email = String::new();
    company.row("3").given = String::new();
    let first = done(&bridge, &company).await;
    assert_eq!(first["counts"]["create"], 4, "{first}");
    assert_eq!(first["counts"]["skipped"], 2, "{first}");
    let fields = |items: &[serde_json::Value]| {
        let mut fields: Vec<(String, String)> = items
            .iter()
            .map(|item| {
                (
                    item["source_id"].as_str().unwrap().to_owned(),
                    item["field"].as_str().unwrap().to_owned(),
                )
            })
            .collect();
        fields.sort();
        fields
    };
    let expected = [("2", "work_email"), ("3", "given_name"), ("3", "work_email")]
        .map(|(id, field)| (id.to_owned(), field.to_owned()));
    assert_eq!(fields(&said(&bridge, &first, "errors").await), expected);

    let second = run_again(&bridge, false).await;
    assert_eq!(
        fields(&said(&bridge, &second, "errors").await),
        expected,
        "what stands is told of every run"
    );
    let id = second["id"].as_str().unwrap();
    let csv = bridge
        .request(
            reqwest::Method::GET,
            &format!("/api/v1/runs/{id}/errors?format=csv"),
        )
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        csv.starts_with("source_id,employee_number,field,message,person,advice\n"),
        "{csv}"
    );
    assert_eq!(csv.lines().count(), 4, "{csv}");

    company.row("2").email = "person2@acme.example".to_owned();
    let third = done(&bridge, &company).await;
    assert_eq!(third["counts"]["create"], 1, "{third}");
    assert_eq!(said(&bridge, &third, "errors").await.len(), 2);
}

#[tokio::test]
async fn leap_9_a_manager_who_comes_in_a_later_run_is_still_linked() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(3);
    let boss = company.0.remove("1").unwrap();
    let first = done(&bridge, &company).await;
    assert_eq!(said(&bridge, &first, "warnings").await.len(), 2, "{first}");
    company.add(boss);
    done(&bridge, &company).await;
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let boss = person(&bridge, 1).await;
    for n in [2, 3] {
        let report = person(&bridge, n).await;
        assert_eq!(report[enterprise]["manager"]["value"], boss["id"], "{report}");
    }
}

#[tokio::test]
async fn several_records_of_one_human_are_one_user_and_a_manager_is_found_through_any_of_them() {
    let bridge = connected(&connection_file()).await;
    let mut company = Company::of(3);
    let mut ended: Row = company.row("1").clone();
    ended.id = "100".to_owned();
    ended.status = String::new();
    ended.title = "Apprentice".to_owned();
    ended.first_day = "2018-01-01".to_owned();
    ended.last_day = "2019-06-30".to_owned();
    company.add(ended);
    company.row("2").manager = "100".to_owned();
    let run = done(&bridge, &company).await;
    assert_eq!(run["counts"]["create"], 3, "{run}");
    let boss = person(&bridge, 1).await;
    assert_eq!(boss["title"], "Engineer", "the open employment leads");
    let report = person(&bridge, 2).await;
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    assert_eq!(report[enterprise]["manager"]["value"], boss["id"]);
}

#[tokio::test]
async fn a_dry_run_says_what_it_would_do_and_does_nothing() {
    let bridge = connected(&connection_file()).await;
    crate::sync_kit::upload(&bridge, &Company::of(7).csv()).await;
    let dry = run_again(&bridge, true).await;
    assert_eq!(dry["state"], "done", "{dry}");
    assert_eq!(dry["counts"]["create"], 7, "{dry}");
    assert!(dry["plan_hash"].as_str().is_some_and(|hash| hash.len() == 64));
    for table in ["resource", "person", "source_record", "change"] {
        let rows = bridge.count(&format!("SELECT count(*) FROM {table}")).await;
        assert_eq!(rows, 0, "{table}");
    }
    let real = run(&bridge, &Company::of(7)).await;
    assert_eq!(real["counts"]["create"], 7, "{real}");
}

#[tokio::test]
async fn exp_5_what_a_client_changes_in_a_synced_field_hr_overwrites_at_the_next_run() {
    let bridge = connected(&connection_file()).await;
    let company = Company::of(3);
    done(&bridge, &company).await;
    let id = person(&bridge, 2).await["id"].as_str().unwrap().to_owned();
    let patch = serde_json::json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [
            { "op": "replace", "path": "title", "value": "Self-made" },
            { "op": "replace", "path": "nickName", "value": "Two" },
        ],
    });
    let request = bridge.request(reqwest::Method::PATCH, &format!("/scim/v2/Users/{id}"));
    crate::kit::good(
        request
            .header("content-type", "application/scim+json")
            .body(patch.to_string()),
    )
    .await;
    bridge.drain().await;
    done(&bridge, &company).await;
    let user = person(&bridge, 2).await;
    assert_eq!(user["title"], "Engineer", "HR wins where it speaks");
    assert_eq!(user["nickName"], "Two", "and leaves the rest alone");
}
