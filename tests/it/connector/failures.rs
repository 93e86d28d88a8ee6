//! What goes wrong on the way, for every vendor alike: nobody may become a leaver because of it.

use std::time::Duration;

use scim_bridge::connector::Error;
use scim_bridge::net;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::harness::{Outcome, VENDORS, Vendor};
use crate::kit::{Answer, Stub};

async fn read(vendor: &Vendor, stub: &Stub) -> Outcome {
    vendor.reading(&stub.base_url).read().await
}

fn assert_no_leak(outcome: &Outcome) {
    let text = format!("{:?} {:?}", outcome.error, outcome.coverage);
    for secret in ["Renée", "marchetti", "papi-", "secret"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn wrong_credentials_and_missing_rights_are_told_apart() {
    for vendor in VENDORS {
        for status in [401_u16, 403] {
            let stub = Stub::start().await;
            vendor.serve(&stub, move |_| Answer::status(status));
            let outcome = read(&vendor, &stub).await;
            let error = outcome.error.as_ref().unwrap();
            match status {
                401 => assert!(
                    matches!(error, Error::Credentials { status: 401, .. }),
                    "{error:?}"
                ),
                _ => assert!(matches!(error, Error::Forbidden { status: 403, .. }), "{error:?}"),
            }
            assert!(!error.is_transient() && !error.advice().is_empty());
            assert!(outcome.waits.is_empty(), "a refusal is not repeated");
            assert_no_leak(&outcome);
            assert!(outcome.why_partial().contains(vendor.key));
        }
    }
}

#[tokio::test]
async fn a_wrong_address_is_told_as_such() {
    for vendor in VENDORS {
        let stub = Stub::start().await;
        vendor.serve(&stub, |_| {
            Answer::text(404, "text/html", "<html>no such company</html>")
        });
        let outcome = read(&vendor, &stub).await;
        let error = outcome.error.unwrap();
        assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
        assert!(error.advice().contains("subdomain"));
    }
}

#[tokio::test]
async fn a_429_is_obeyed_and_the_page_asked_again() {
    for vendor in VENDORS {
        let stub = Stub::start().await;
        vendor.serve_recordings(&stub);
        stub.queue(
            vendor.method,
            vendor.path,
            Answer::status(429).header("retry-after", "7"),
        );
        let outcome = read(&vendor, &stub).await;
        assert!(outcome.is_complete() && outcome.employees.len() == 6);
        assert_eq!(outcome.waits, [Duration::from_secs(7)]);
    }
}

#[tokio::test]
async fn a_longer_wait_than_a_run_may_take_is_left_to_the_next_one() {
    for vendor in VENDORS {
        let stub = Stub::start().await;
        vendor.serve(&stub, |_| Answer::status(429).header("retry-after", "3000"));
        let outcome = read(&vendor, &stub).await;
        let error = outcome.error.as_ref().unwrap();
        assert!(matches!(error, Error::Busy { status: 429, .. }) && error.is_transient());
        assert_eq!(error.retry_after(), Some(Duration::from_secs(3000)));
        assert!(outcome.waits.is_empty());
    }
}

#[tokio::test]
async fn a_500_is_repeated_and_a_lasting_one_given_up() {
    for vendor in VENDORS {
        let stub = Stub::start().await;
        vendor.serve_recordings(&stub);
        stub.queue(vendor.method, vendor.path, Answer::status(500));
        stub.queue(vendor.method, vendor.path, Answer::status(503));
        let outcome = read(&vendor, &stub).await;
        assert!(outcome.is_complete());
        assert_eq!(outcome.waits.len(), 2);
        assert!(outcome.waits[1] > outcome.waits[0]);

        let stub = Stub::start().await;
        vendor.serve(&stub, |_| Answer::status(500));
        let outcome = read(&vendor, &stub).await;
        assert!(matches!(outcome.error, Some(Error::Busy { status: 500, .. })));
        assert_eq!(
            stub.received()
                .iter()
                .filter(|request| vendor.is_list(request))
                .count(),
            6
        );
        assert!(!outcome.is_complete());
    }
}

#[tokio::test]
async fn truncated_json_is_no_page() {
    for vendor in VENDORS {
        let stub = Stub::start().await;
        vendor.serve(&stub, move |number| {
            let body = vendor.page(number).to_string();
            let half = body.floor_char_boundary(body.len() / 2);
            Answer::text(
                200,
                "application/json",
                if number == 2 {
                    body[..half].to_owned()
                } else {
                    body
                },
            )
        });
        let outcome = read(&vendor, &stub).await;
        assert!(
            matches!(outcome.error, Some(Error::Unreadable { page: 2, .. })),
            "{:?}",
            outcome.error
        );
        assert_eq!(outcome.employees.len(), 3);
        assert!(outcome.why_partial().contains("page 2"));
        assert_no_leak(&outcome);
    }
}

#[tokio::test]
async fn a_page_chain_that_loops_is_broken_off() {
    for vendor in VENDORS {
        let stub = Stub::start().await;
        vendor.serve(&stub, move |_| {
            let mut first = vendor.page(1);
            if vendor.key == "bamboohr" {
                first["meta"]["totalPages"] = json!(1_000_000);
            }
            Answer::json(200, &first)
        });
        let outcome = read(&vendor, &stub).await;
        assert!(
            matches!(outcome.error, Some(Error::Looping { .. })),
            "{}: {:?}",
            vendor.key,
            outcome.error
        );
        assert_eq!(outcome.ids().len(), 3);
        assert!(!outcome.is_complete());
        assert!(stub.received().len() < 5);
    }
}

/// Covers: C39
#[tokio::test]
async fn a_page_that_fails_in_the_middle_makes_the_read_partial() {
    for vendor in VENDORS {
        let stub = Stub::start().await;
        vendor.serve(&stub, move |number| match number {
            1 => Answer::json(200, &vendor.page(1)),
            _ => Answer::status(400),
        });
        let outcome = read(&vendor, &stub).await;
        assert!(
            matches!(outcome.error, Some(Error::Refused { status: 400, .. })),
            "{:?}",
            outcome.error
        );
        assert_eq!((outcome.pages, outcome.employees.len()), (1, 3));
        assert!(!outcome.is_complete());
    }
}

#[tokio::test]
async fn an_empty_first_page_is_a_complete_read_of_nobody() {
    for vendor in VENDORS {
        let stub = Stub::start().await;
        vendor.serve(&stub, move |_| Answer::json(200, &vendor.empty()));
        let outcome = read(&vendor, &stub).await;
        assert!(
            outcome.error.is_none() && outcome.is_complete(),
            "{}: {:?}",
            vendor.key,
            outcome.error
        );
        assert!(outcome.employees.is_empty());
    }
}

#[tokio::test]
async fn pages_that_end_before_what_was_announced_are_partial() {
    for vendor in &VENDORS[1..] {
        let vendor = *vendor;
        let stub = Stub::start().await;
        vendor.serve(&stub, move |number| {
            let mut page = vendor.page(number);
            if number == 2 {
                *page.pointer_mut(vendor.records).unwrap() = json!([]);
                page["meta"]["totalPages"] = json!(3);
            }
            Answer::json(200, &page)
        });
        let outcome = read(&vendor, &stub).await;
        assert!(
            matches!(outcome.error, Some(Error::EndsEarly { page: 2, .. })),
            "{:?}",
            outcome.error
        );
        assert!(!outcome.is_complete());
    }
}

#[tokio::test]
async fn a_count_that_does_not_agree_makes_the_read_partial() {
    let vendor = VENDORS[2];
    let stub = Stub::start().await;
    vendor.serve(&stub, move |number| {
        let mut page = vendor.page(number);
        page["meta"]["totalItems"] = json!(7);
        Answer::json(200, &page)
    });
    let outcome = read(&vendor, &stub).await;
    assert!(outcome.error.is_none());
    assert_eq!((outcome.expected, outcome.employees.len()), (Some(7), 6));
    assert!(outcome.why_partial().contains("counts 7 records, 6 came"));
}

#[tokio::test]
async fn records_that_move_between_pages_make_the_read_partial() {
    let vendor = VENDORS[2];
    let stub = Stub::start().await;
    vendor.serve(&stub, move |number| {
        let mut page = vendor.page(number);
        if number == 2 {
            page["data"][0] = vendor.page(1)["data"][2].clone();
        }
        Answer::json(200, &page)
    });
    let outcome = read(&vendor, &stub).await;
    assert_eq!(outcome.employees.len(), 5, "nobody comes twice");
    assert!(outcome.why_partial().contains("came twice"));
}

/// Renames a key in all records of a page.
fn renamed(vendor: Vendor, number: usize, below: &str, from: &str, to: &str) -> Value {
    let mut page = vendor.page(number);
    for record in page.pointer_mut(vendor.records).unwrap().as_array_mut().unwrap() {
        let members = record.pointer_mut(below).unwrap().as_object_mut().unwrap();
        let value = members.remove(from).unwrap();
        members.insert(to.to_owned(), value);
    }
    page
}

#[tokio::test]
async fn a_renamed_field_is_named_instead_of_being_emptied() {
    let cases = [
        (VENDORS[0], "", "start_date", "first_day", "/start_date"),
        (
            VENDORS[0],
            "",
            "employment_status",
            "status",
            "/employment_status",
        ),
        (
            VENDORS[1],
            "/attributes",
            "hire_date",
            "first_day",
            "/attributes/hire_date/value",
        ),
        (
            VENDORS[1],
            "/attributes",
            "id",
            "source_id",
            "/attributes/id/value",
        ),
        (VENDORS[2], "/fields", "eeid", "source_id", "/fields/eeid"),
        (
            VENDORS[2],
            "/fields",
            "terminationDate",
            "last_day",
            "/fields/terminationDate",
        ),
    ];
    for (vendor, below, key, expected_field, expected_path) in cases {
        let stub = Stub::start().await;
        vendor.serve(&stub, move |number| {
            Answer::json(200, &renamed(vendor, number, below, key, "somethingElse"))
        });
        let outcome = read(&vendor, &stub).await;
        match outcome.error {
            Some(Error::Drift { field, path, .. }) => {
                assert_eq!((field.as_str(), path.as_str()), (expected_field, expected_path));
            }
            other => panic!("{} {key}: {other:?}", vendor.key),
        }
        assert!(outcome.employees.is_empty());
    }
}

#[tokio::test]
async fn an_optional_field_that_no_record_has_is_told_by_the_check_and_left_to_the_guard() {
    for (vendor, below, key, field) in [
        (VENDORS[0], "", "groups", "department"),
        (VENDORS[1], "/attributes", "department", "department"),
        (VENDORS[2], "/fields", "email", "work_email"),
    ] {
        let stub = Stub::start().await;
        vendor.serve(&stub, move |number| {
            Answer::json(200, &renamed(vendor, number, below, key, "somethingElse"))
        });
        let outcome = read(&vendor, &stub).await;
        assert!(outcome.is_complete() && outcome.employees.len() == 6);
        let steps = vendor.reading(&stub.base_url).check().await;
        assert!(steps[2].ok && steps[2].message.contains(field), "{steps:?}");
    }
}

#[tokio::test]
async fn an_answer_without_its_count_is_read_to_an_empty_page() {
    let vendor = VENDORS[1];
    let stub = Stub::start().await;
    stub.rule(move |request| {
        let mut page = match request.param("offset")?.as_str() {
            "0" => vendor.page(1),
            "3" => vendor.page(2),
            _ => vendor.empty(),
        };
        page.as_object_mut()?.remove("metadata");
        Some(Answer::json(200, &page))
    });
    stub.on(
        "POST",
        "/v1/auth",
        Answer::json(200, &super::harness::recording("personio", "auth")),
    );
    let outcome = read(&vendor, &stub).await;
    assert!(outcome.is_complete() && outcome.employees.len() == 6);
    assert_eq!((outcome.pages, outcome.expected), (3, None));
}

#[tokio::test]
async fn a_renamed_list_is_no_empty_list() {
    for vendor in VENDORS {
        let stub = Stub::start().await;
        vendor.serve(&stub, move |number| {
            let text = vendor.page(number).to_string();
            let name = vendor.records.rsplit('/').next().unwrap();
            Answer::text(
                200,
                "application/json",
                text.replacen(&format!("\"{name}\":["), "\"people\":[", 1),
            )
        });
        let outcome = read(&vendor, &stub).await;
        match &outcome.error {
            Some(Error::Drift { field, path, .. }) => {
                assert_eq!((field.as_str(), path.as_str()), ("records", vendor.records))
            }
            other => panic!("{}: {other:?}", vendor.key),
        }
        assert!(!outcome.is_complete());
    }
}

#[tokio::test]
async fn a_single_bad_record_is_reported_and_the_others_are_read() {
    let vendor = VENDORS[0];
    let stub = Stub::start().await;
    vendor.serve(&stub, move |number| {
        let mut page = vendor.page(number);
        page["data"]["results"][0]["start_date"] = json!("soon");
        Answer::json(200, &page)
    });
    let outcome = read(&vendor, &stub).await;
    assert!(outcome.is_complete(), "the record named itself");
    assert_eq!((outcome.employees.len(), outcome.problems.len()), (4, 2));
    assert_eq!(outcome.problems[0].field, "first_day");
    assert!(outcome.problems[0].source_id.is_some());

    let stub = Stub::start().await;
    vendor.serve(&stub, move |number| {
        let mut page = vendor.page(number);
        page["data"]["results"][1]["id"] = Value::Null;
        Answer::json(200, &page)
    });
    let outcome = read(&vendor, &stub).await;
    assert_eq!(outcome.employees.len(), 4);
    assert!(outcome.why_partial().contains("no id"));
}

#[tokio::test]
async fn an_unknown_status_is_held() {
    let vendor = VENDORS[0];
    let stub = Stub::start().await;
    vendor.serve(&stub, move |number| {
        let mut page = vendor.page(number);
        page["data"]["results"][0]["employment_status"] = json!("Garden leave");
        Answer::json(200, &page)
    });
    let outcome = read(&vendor, &stub).await;
    assert_eq!(
        outcome.employees[0].status,
        scim_bridge::hr::Status::Unknown("Garden leave".into())
    );
}

#[tokio::test]
async fn kombos_codes_say_more_than_its_status() {
    let vendor = VENDORS[0];
    let cases = [
        (
            "INTEGRATION.SETUP_SYNC_PENDING",
            503,
            "is not ready yet (INTEGRATION.SETUP_SYNC_PENDING)",
            true,
        ),
        (
            "PLATFORM.AUTHENTICATION_INVALID",
            400,
            "does not accept the credentials",
            false,
        ),
        (
            "PLATFORM.INTEGRATION_NOT_FOUND",
            400,
            "has nothing at the address",
            false,
        ),
        (
            "INTEGRATION.PERMISSION_MISSING",
            400,
            "does not allow these credentials",
            false,
        ),
        (
            "INTEGRATION.INACTIVE",
            400,
            "refuses to give the employees (status 400, INTEGRATION.INACTIVE)",
            false,
        ),
    ];
    for (code, status, words, transient) in cases {
        let stub = Stub::start().await;
        let body =
            json!({"status": "error", "error": {"code": code, "title": "t", "message": "Renée is pending"}});
        vendor.serve(&stub, move |_| Answer::json(status, &body));
        let outcome = read(&vendor, &stub).await;
        let error = outcome.error.as_ref().unwrap();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.is_transient(), transient);
        assert!(outcome.waits.is_empty() && !outcome.is_complete());
        assert_no_leak(&outcome);
    }
    let stub = Stub::start().await;
    vendor.serve_recordings(&stub);
    let busy = json!({"status": "error", "error": {"code": "REMOTE.SERVICE_UNAVAILABLE"}});
    stub.queue(vendor.method, vendor.path, Answer::json(400, &busy));
    assert!(read(&vendor, &stub).await.is_complete());
}

#[tokio::test]
async fn personios_false_success_is_no_success() {
    let vendor = VENDORS[1];
    let stub = Stub::start().await;
    let body = json!({"success": false, "error": {"code": 7, "message": "no"}, "data": [], "metadata": {"total_elements": 0}});
    vendor.serve(&stub, move |_| Answer::json(200, &body));
    let outcome = read(&vendor, &stub).await;
    assert!(
        matches!(outcome.error, Some(Error::Refused { .. })),
        "{:?}",
        outcome.error
    );
}

/// A server that answers every list with a body that never ends.
async fn endless() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = vec![0; 16 * 1024];
                let read = socket.read(&mut request).await.unwrap_or(0);
                if request[..read].starts_with(b"POST /v1/auth") {
                    let body = super::harness::recording("personio", "auth").to_string();
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    let _ = socket.write_all(head.as_bytes()).await;
                    return;
                }
                let _ = socket
                    .write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"data\":[")
                    .await;
                let blanks = vec![b' '; 1024 * 1024];
                while socket.write_all(&blanks).await.is_ok() {}
            });
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut_off() {
    let base_url = endless().await;
    for vendor in VENDORS {
        let outcome = vendor.reading(&base_url).read().await;
        match outcome.error {
            Some(Error::Unreachable {
                source: net::Error::TooLarge { .. },
                ..
            }) => {}
            other => panic!("{}: {other:?}", vendor.key),
        }
        assert!(outcome.waits.is_empty(), "it is not asked for again");
    }
}
