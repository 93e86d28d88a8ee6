//! Files that somebody or something has spoilt.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::people::{One, company, csv, file_connection, one, stranger};
use super::{Expected, limits, run_of, standing, verdict};
use crate::kit::Bridge;
use crate::sync_kit::{active_users, apply, connected, run_text, upload};

const SIZE: usize = 200;

type Spoil = fn(&mut Vec<One>);
type Rewrite = fn(String) -> Vec<u8>;

enum Bad {
    People(Spoil),
    File(Rewrite),
}

use Bad::{File, People};
use Expected::{Fails, Partial, Stops};

fn each(people: &mut [One], change: impl Fn(usize, &mut One)) {
    for (n, one) in people.iter_mut().enumerate() {
        change(n, one);
    }
}

fn first_lines(text: &str, share: usize) -> Vec<u8> {
    let lines: Vec<&str> = text.lines().collect();
    format!("{}\n", lines[..lines.len() * share / 100].join("\n")).into_bytes()
}

/// As a program does that takes UTF-8 for ISO 8859-1.
fn misread(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn table() -> Vec<(&'static str, Expected, Bad)> {
    vec![
        ("nothing at all", Fails, File(|_| Vec::new())),
        ("the header alone", Stops("empty"), People(Vec::clear)),
        (
            "one page of fifty",
            Stops("shrink"),
            People(|all| all.truncate(50)),
        ),
        ("one person", Stops("shrink"), People(|all| all.truncate(1))),
        (
            "half, cut at a line end",
            Stops("shrink"),
            File(|text| first_lines(&text, 50)),
        ),
        (
            "nine tenths, cut at a line end",
            Stops("shrink"),
            File(|text| first_lines(&text, 90)),
        ),
        (
            "cut in the middle of a row",
            Partial,
            File(|text| text.as_bytes()[..text.len() * 2 / 3].to_vec()),
        ),
        (
            "every second row",
            Stops("shrink"),
            People(|all| {
                let mut n = 0;
                all.retain(|_| {
                    n += 1;
                    n % 2 == 0
                });
            }),
        ),
        (
            "one entity alone",
            Stops("unit_lost"),
            People(|all| all.retain(|one| one.entity == "Acme BV")),
        ),
        (
            "without one entity",
            Stops("unit_lost"),
            People(|all| all.retain(|one| one.entity != "Acme BV")),
        ),
        (
            "without a department of 3 %",
            Stops("unit_lost"),
            People(|all| all.retain(|one| one.department != "Payroll")),
        ),
        (
            "most of one department",
            Stops("units"),
            People(|all| {
                let mut n = 0;
                all.retain(|one| {
                    n += usize::from(one.department == "Dept 5");
                    one.department != "Dept 5" || n > 12
                });
            }),
        ),
        (
            "ids made anew",
            Stops("keys_changed"),
            People(|all| each(all, |_, one| one.id = format!("new-{}", one.id))),
        ),
        (
            "ids made anew for a third",
            Stops("keys_changed"),
            People(|all| {
                each(all, |n, one| {
                    if n % 3 == 0 {
                        one.id = format!("new-{}", one.id);
                    }
                })
            }),
        ),
        (
            "ids given to others",
            Stops("changed"),
            People(|all| {
                let ids: Vec<String> = all.iter().map(|one| one.id.clone()).collect();
                each(all, |n, one| one.id.clone_from(&ids[(n + 7) % ids.len()]));
            }),
        ),
        (
            "another company",
            Stops("wrong_tenant"),
            People(|all| *all = (0..SIZE).map(stranger).collect()),
        ),
        (
            "another company with the same ids",
            Stops("wrong_tenant"),
            People(|all| {
                each(all, |n, one| {
                    *one = One {
                        id: one.id.clone(),
                        manager: String::new(),
                        ..stranger(n)
                    };
                })
            }),
        ),
        (
            "another company as well",
            Stops("growth"),
            People(|all| all.extend((0..SIZE).map(stranger))),
        ),
        (
            "a page twice",
            Stops("unusable"),
            People(|all| {
                let page: Vec<One> = all[50..100]
                    .iter()
                    .cloned()
                    .map(|mut one| {
                        one.title.push('x');
                        one
                    })
                    .collect();
                all.extend(page);
            }),
        ),
        (
            "all e-mails alike",
            Stops("same"),
            People(|all| each(all, |_, one| one.email = "info@acme.example".into())),
        ),
        (
            "a tenth of the e-mails alike",
            Stops("same"),
            People(|all| {
                each(all, |n, one| {
                    if n % 10 == 3 {
                        one.email = "info@acme.example".into();
                    }
                })
            }),
        ),
        (
            "all numbers alike",
            Stops("same"),
            People(|all| each(all, |_, one| one.number = "0".into())),
        ),
        (
            "no e-mail",
            Stops("emptied"),
            People(|all| each(all, |_, one| one.email.clear())),
        ),
        (
            "no e-mail in one entity",
            Stops("emptied"),
            People(|all| {
                each(all, |_, one| {
                    if one.entity == "Acme BV" {
                        one.email.clear();
                    }
                })
            }),
        ),
        (
            "no names",
            Stops("emptied"),
            People(|all| {
                each(all, |_, one| {
                    one.given.clear();
                    one.family.clear();
                })
            }),
        ),
        (
            "no titles",
            Stops("emptied"),
            People(|all| each(all, |_, one| one.title.clear())),
        ),
        (
            "no departments",
            Stops("emptied"),
            People(|all| each(all, |_, one| one.department.clear())),
        ),
        (
            "no managers",
            Stops("emptied"),
            People(|all| each(all, |_, one| one.manager.clear())),
        ),
        (
            "no mobile phones, which a quarter had",
            Stops("emptied"),
            People(|all| each(all, |_, one| one.mobile.clear())),
        ),
        (
            "no sites in one entity, which nothing is made of",
            Stops("emptied"),
            People(|all| {
                each(all, |_, one| {
                    if one.entity == "Acme BV" {
                        one.site.clear();
                    }
                })
            }),
        ),
        (
            "no sites in one department, which nothing is made of",
            Stops("emptied"),
            People(|all| {
                each(all, |_, one| {
                    if one.department == "Dept 5" {
                        one.site.clear();
                    }
                })
            }),
        ),
        (
            "no titles in half a department",
            Stops("emptied"),
            People(|all| {
                each(all, |n, one| {
                    if one.department == "Dept 5" && (n / 12).is_multiple_of(2) {
                        one.title.clear();
                    }
                })
            }),
        ),
        (
            "no employee numbers",
            Stops("emptied"),
            People(|all| each(all, |_, one| one.number.clear())),
        ),
        (
            "a third is marked as gone",
            Stops("leavers"),
            People(|all| {
                each(all, |n, one| {
                    if n % 3 == 0 {
                        one.status = "Gone".into();
                    }
                })
            }),
        ),
        (
            "one department is marked as gone",
            Stops("unit_lost"),
            People(|all| {
                each(all, |_, one| {
                    if one.department == "Dept 5" {
                        one.status = "Gone".into();
                    }
                })
            }),
        ),
        (
            "another word for the status of a fifth",
            Stops("unusable"),
            People(|all| {
                each(all, |n, one| {
                    if n % 5 == 0 {
                        one.status = "C".into();
                    }
                })
            }),
        ),
        (
            "no status",
            Stops("unusable"),
            People(|all| each(all, |_, one| one.status.clear())),
        ),
        (
            "all who left are back",
            Stops("returns"),
            People(|all| {
                each(all, |_, one| {
                    one.status = "Current".into();
                    one.to.clear();
                })
            }),
        ),
        (
            "last days in the past for a third",
            Stops("leavers"),
            People(|all| {
                each(all, |n, one| {
                    if n % 3 == 0 {
                        one.to = "2024-02-29".into();
                    }
                })
            }),
        ),
        (
            "last days in the past for a department",
            Stops("unit_lost"),
            People(|all| {
                each(all, |_, one| {
                    if one.department == "Payroll" {
                        one.to = "2024-02-29".into();
                    }
                })
            }),
        ),
        (
            "first days in the future for a third",
            Stops("leavers"),
            People(|all| {
                each(all, |n, one| {
                    if n % 3 == 0 {
                        one.from = "2062-01-01".into();
                    }
                })
            }),
        ),
        (
            "days in another form",
            Stops("unusable"),
            People(|all| each(all, |_, one| one.from = "01.02.2020".into())),
        ),
        (
            "given and family names swapped",
            Stops("swapped"),
            People(|all| {
                each(all, |_, one| {
                    std::mem::swap(&mut one.given, &mut one.family);
                })
            }),
        ),
        (
            "title and department swapped",
            Stops("swapped"),
            People(|all| {
                each(all, |_, one| {
                    std::mem::swap(&mut one.title, &mut one.department);
                })
            }),
        ),
        (
            "columns moved by one",
            Stops("swapped"),
            People(|all| {
                each(all, |_, one| {
                    (one.title, one.department, one.site) =
                        (one.site.clone(), one.title.clone(), one.department.clone());
                })
            }),
        ),
        (
            "one column sorted for itself",
            Stops("changed"),
            People(|all| {
                let mut emails: Vec<String> = all.iter().map(|one| one.email.clone()).collect();
                emails.sort();
                emails.rotate_left(5);
                each(all, |n, one| one.email.clone_from(&emails[n]));
            }),
        ),
        (
            "UTF-8 taken for ISO 8859-1",
            Stops("garbled"),
            File(|text| misread(&text).into_bytes()),
        ),
        (
            "letters replaced",
            Stops("garbled"),
            File(|text| {
                text.chars()
                    .map(|one| if one.is_ascii() { one } else { '\u{fffd}' })
                    .collect::<String>()
                    .into_bytes()
            }),
        ),
        (
            "bytes that are no text",
            Fails,
            File(|text| text.bytes().map(|byte| byte ^ 0x90).collect()),
        ),
        (
            "ISO 8859-1 without saying so",
            Fails,
            File(|text| {
                text.chars()
                    .map(|one| u8::try_from(u32::from(one)).unwrap_or(0xff))
                    .collect()
            }),
        ),
        (
            "a column less",
            Fails,
            File(|text| text.replacen("Email,", "", 1).into_bytes()),
        ),
        (
            "a renamed column",
            Fails,
            File(|text| text.replacen("Status", "State", 1).into_bytes()),
        ),
        (
            "a page that asks to sign in",
            Fails,
            File(|_| b"<!doctype html><title>Sign in</title>".to_vec()),
        ),
        (
            "a comma in a fifth of the titles",
            Stops("unusable"),
            People(|all| {
                each(all, |n, one| {
                    if n % 5 == 0 {
                        one.title = "Head, Sales".into();
                    }
                })
            }),
        ),
    ]
}

/// A company after some ordinary reads: 200 people, 24 of whom have left by now.
async fn ordinary_life() -> (Bridge, Vec<One>) {
    let bridge = connected(&file_connection("people")).await;
    let mut people = company(SIZE + 24);
    // Those who leave are of all departments and entities, in two weeks.
    for leavers in [0, SIZE, SIZE + 12] {
        for one in people
            .iter_mut()
            .skip(SIZE)
            .take(leavers.saturating_sub(SIZE) + usize::from(leavers > 0) * 12)
        {
            one.status = "Gone".to_owned();
            one.to = "2026-11-30".to_owned();
        }
        let run = run_text(&bridge, &csv(&people)).await;
        assert_eq!(run["state"], "done", "{run}");
        bridge.clock.advance(TimeDelta::days(8));
    }
    people.rotate_right(24);
    assert_eq!(active_users(&bridge).await, 200);
    (bridge, people)
}

/// Covers: PAYH-18
#[tokio::test]
async fn payh_18_fifty_files_that_were_spoilt_all_stop_and_nobody_leaves() {
    let (bridge, people) = ordinary_life().await;
    let before = standing(&bridge).await;
    let mut wrong = Vec::new();
    let cases = table();
    assert!(cases.len() >= 30);
    for (name, expected, bad) in cases {
        let bytes = match bad {
            People(spoil) => {
                let mut people = people.clone();
                spoil(&mut people);
                csv(&people).into_bytes()
            }
            File(rewrite) => rewrite(csv(&people)),
        };
        hand_in(&bridge, bytes).await;
        let run = run_of(&bridge, "people").await;
        let after = standing(&bridge).await;
        wrong.extend(verdict(&run, expected, &before, &after).map(|why| format!("{name}: {why}")));
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
    let good = run_text(&bridge, &csv(&people)).await;
    assert_eq!(good["state"], "done", "{good}");
    assert_eq!(
        (&good["counts"]["disable"], &good["counts"]["create"]),
        (&json!(0), &json!(0)),
        "{good}"
    );
    assert_eq!(active_users(&bridge).await, 200);
}

async fn hand_in(bridge: &Bridge, bytes: Vec<u8>) {
    let request = bridge
        .request(reqwest::Method::PUT, "/api/v1/connections/people/upload")
        .header("content-type", "text/csv")
        .body(bytes);
    crate::kit::good(request).await;
}

/// Covers: PAYH-18
#[tokio::test]
async fn leavers_that_come_in_small_parts_stop_by_the_sum_of_a_week_and_an_approval_begins_anew() {
    let bridge = connected(&file_connection("people")).await;
    let mut people = company(100);
    run_text(&bridge, &csv(&people)).await;
    let mut stopped = None;
    for day in 0..8_usize {
        bridge.clock.advance(TimeDelta::days(1));
        for one in people.iter_mut().skip(40 + day * 4).take(4) {
            one.status = "Gone".to_owned();
        }
        let run = run_text(&bridge, &csv(&people)).await;
        if run["state"] == "awaiting_approval" {
            stopped = Some((day, run));
            break;
        }
    }
    let (day, waiting) = stopped.expect("32 of 100 people leave within eight days");
    assert_eq!(
        (day, limits(&waiting)),
        (5, vec!["leavers".to_owned()]),
        "{waiting}"
    );
    let message = waiting["guard"]["reasons"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("24 of 100") && message.contains("seven days"),
        "{message}"
    );
    let id = waiting["id"].as_str().unwrap();
    bridge
        .post(&format!("/api/v1/runs/{id}/approve"), &json!({}))
        .await;
    bridge.drain().await;
    bridge.clock.advance(TimeDelta::days(1));
    people[70].status = "Gone".to_owned();
    let next = run_text(&bridge, &csv(&people)).await;
    assert_eq!(
        next["state"], "done",
        "somebody has said that these are right: {next}"
    );
}

#[tokio::test]
async fn a_field_that_the_settings_no_longer_read_is_not_missed_and_wrong_limits_are_refused() {
    let bridge = connected(&file_connection("people")).await;
    let people = company(60);
    run_text(&bridge, &csv(&people)).await;
    let mut file = file_connection("people");
    file["fields"].as_object_mut().unwrap().remove("location");
    apply(&bridge, &file).await;
    bridge
        .post("/api/v1/connections/people/publish", &json!({}))
        .await;
    let mut more = people.clone();
    more.push(one(60));
    upload(&bridge, &csv(&more)).await;
    let dry = crate::sync_kit::run_again(&bridge, true).await;
    assert!(
        !dry["guard"]["reasons"].to_string().contains("by earlier reads"),
        "{dry}"
    );

    file["guard"] = json!({ "leavers": { "share": 20 }, "same": {} });
    let put = bridge.request(reqwest::Method::PUT, "/api/v1/connections/people");
    let (status, body) = crate::kit::answer(crate::kit::with_json(put, &file)).await;
    assert_eq!(status, 422, "{body}");
    let places: Vec<&Value> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["at"])
        .collect();
    assert_eq!(places, [&json!("guard.leavers"), &json!("guard.same")]);
}
