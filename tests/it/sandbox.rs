//! The sandbox HR system: what is read from it over HTTP is what is in it.

use std::collections::{BTreeMap, HashSet};

use chrono::NaiveDate;
use scim_bridge::base::Clock;
use scim_bridge::connector::{Catalogue, Error, MemoryTokens, Settings, Source};
use scim_bridge::demo::sandbox::{EmploymentStatus, Sandbox, SandboxPerson, serve};
use scim_bridge::hr::{Coverage, Employee, ManagerRef, Status};
use scim_bridge::net::Net;
use serde_json::json;

fn today() -> NaiveDate {
    "2026-12-01".parse().unwrap()
}

/// Everything that Kombo's manifest reads at `base_url`.
async fn pull(base_url: &str, key: &str, integration: &str) -> (Result<Vec<Employee>, Error>, Coverage) {
    let catalogue = Catalogue::load(None).unwrap();
    let manifest = catalogue.get("kombo").unwrap();
    let given = json!({"api_key": key, "integration_id": integration, "base_url": base_url});
    let settings: Settings = manifest.check_settings(&given).unwrap();
    let (clock, tokens, chosen) = (
        Clock::system(),
        MemoryTokens::default(),
        manifest.default_optional(),
    );
    let net = Net::new(true, clock.clone()).unwrap();
    let source = Source {
        manifest,
        settings: &settings,
        fields: None,
        chosen: &chosen,
        upload: None,
        files: None,
        net: &net,
        clock: &clock,
        tokens: &tokens,
    };
    let mut pull = source.pull();
    let mut all = Vec::new();
    loop {
        match pull.next().await {
            Ok(Some(page)) => {
                assert_eq!(page.problems, []);
                all.extend(page.employees);
            }
            Ok(None) => return (Ok(all), pull.coverage()),
            Err(error) => return (Err(error), pull.coverage()),
        }
    }
}

fn assert_same(employee: &Employee, person: &SandboxPerson) {
    assert_eq!(employee.source_id, person.id());
    assert_eq!(employee.employee_number, Some(person.employee_number()));
    assert_eq!(employee.given_name.as_deref(), Some(person.given_name));
    assert_eq!(employee.family_name.as_deref(), Some(person.family_name));
    assert_eq!(employee.work_email, person.work_email);
    assert_eq!(employee.title.as_ref(), Some(&person.title));
    let employment = employee.leading().unwrap();
    assert_eq!(employment.first_day, Some(person.first_day));
    assert_eq!(employment.last_day, person.last_day);
    let status = match person.status {
        EmploymentStatus::Active => Status::Active,
        EmploymentStatus::Leave => Status::OnLeave,
        EmploymentStatus::Pending => Status::PreHire,
        EmploymentStatus::Inactive => Status::Left,
    };
    assert_eq!(employee.status, status);
    let department = employee.department.as_ref().unwrap();
    assert_eq!(department.id, Some(format!("Dept{:020}", person.department)));
    assert!(department.name.is_some() && employee.team.is_some() && employee.cost_center.is_some());
    assert_eq!(
        employee.entity.as_ref().unwrap().code,
        Some(format!("{}0", person.entity + 76))
    );
    assert!(employee.location.as_ref().unwrap().name.is_some());
}

#[tokio::test]
async fn five_thousand_people_of_the_sandbox_are_read_as_they_are() {
    let sandbox = Sandbox::new(5_000, 42, today());
    let serving = serve(sandbox.clone()).unwrap();
    let (read, coverage) = pull(&serving.base_url, sandbox.api_key(), sandbox.integration_id()).await;
    let read = read.unwrap();
    assert_eq!((read.len(), coverage), (5_000, Coverage::Complete));
    let (mut emails, mut counts) = (HashSet::new(), BTreeMap::new());
    for (number, employee) in read.iter().enumerate() {
        let person = sandbox.person(number).unwrap();
        assert_same(employee, &person);
        let manager = person
            .manager
            .map(|number| ManagerRef::SourceId(sandbox.person(number).unwrap().id()));
        assert_eq!(employee.manager, manager);
        if let Some(manager) = person.manager {
            let status = sandbox.person(manager).unwrap().status;
            assert!(matches!(
                status,
                EmploymentStatus::Active | EmploymentStatus::Leave
            ));
        }
        if let Some(email) = &employee.work_email {
            assert!(email.is_ascii() && emails.insert(email.clone()));
        }
        *counts.entry(person.status.word()).or_insert(0) += 1;
    }
    assert_eq!(
        read.iter().filter(|employee| employee.manager.is_none()).count(),
        1
    );
    let share = |count: usize, per_cent: usize| count.abs_diff(50 * per_cent) < 40;
    assert!(
        share(counts["INACTIVE"], 3) && share(counts["PENDING"], 1) && share(counts["LEAVE"], 2),
        "{counts:?}"
    );
    assert!(share(5_000 - emails.len(), 1));
    assert!(
        read.iter()
            .any(|employee| !employee.family_name.as_ref().unwrap().is_ascii())
    );
    serving.stop().await;
}

#[tokio::test]
async fn a_day_of_life_changes_three_people_and_no_others() {
    let sandbox = Sandbox::new(300, 7, today());
    let serving = serve(sandbox.clone()).unwrap();
    let read = async || {
        let (read, _) = pull(&serving.base_url, sandbox.api_key(), sandbox.integration_id()).await;
        let read = read
            .unwrap()
            .into_iter()
            .map(|employee| (employee.source_id.clone(), employee));
        read.collect::<BTreeMap<_, _>>()
    };
    let before = read().await;
    let day = sandbox.live_a_day(today()).unwrap();
    let after = read().await;
    let mut changed: Vec<&str> = after
        .iter()
        .filter(|(id, employee)| before.get(*id) != Some(employee))
        .map(|(id, _)| id.as_str())
        .collect();
    changed.sort_unstable();
    let mut expected = vec![day.hired.as_str(), day.moved.as_str(), day.left.as_str()];
    expected.sort_unstable();
    assert_eq!((changed, after.len()), (expected, 301));
    assert_eq!(before[&day.left].status, Status::Active);
    assert_eq!(after[&day.left].status, Status::Left);
    assert_eq!(after[&day.left].leading().unwrap().last_day, today().pred_opt());
    assert_eq!(after[&day.hired].status, Status::Active);
    assert_eq!(after[&day.hired].leading().unwrap().first_day, Some(today()));
    assert_ne!(before[&day.moved].title, after[&day.moved].title);
    assert_ne!(before[&day.moved].department, after[&day.moved].department);
    assert_ne!(sandbox.live_a_day(today()).unwrap(), day);
}

#[tokio::test]
async fn a_wrong_key_and_an_unknown_integration_are_told_apart() {
    let sandbox = Sandbox::new(3, 1, today());
    let serving = serve(sandbox.clone()).unwrap();
    let (read, coverage) = pull(&serving.base_url, "wrong", sandbox.integration_id()).await;
    assert!(matches!(read, Err(Error::Credentials { status: 401, .. })));
    assert!(matches!(coverage, Coverage::Partial { .. }));
    let (read, _) = pull(&serving.base_url, sandbox.api_key(), "sandbox:other").await;
    assert!(matches!(read, Err(Error::NotFound { status: 404, .. })));
}

#[test]
fn a_million_people_need_no_memory_of_their_own() {
    let sandbox = Sandbox::new(1_000_000, 3, today());
    assert_eq!(sandbox.count(), 1_000_000);
    assert_eq!(
        sandbox.person(999_999),
        Sandbox::new(1_000_000, 3, today()).person(999_999)
    );
    assert_ne!(
        sandbox.person(999_999),
        Sandbox::new(1_000_000, 4, today()).person(999_999)
    );
    assert_eq!(sandbox.person(1_000_000), None);
}
