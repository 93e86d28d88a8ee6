//! What goes wrong on the way, for every vendor alike: nobody may become a leaver because of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use scim_bridge::connector::Error;
use scim_bridge::hr::Status;
use scim_bridge::net;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::recording::{Break, Vendor};
use super::{Told, as_recorded, each, read};
use crate::connector::harness::Outcome;
use crate::kit::{Answer, Received};

/// Breaks the first answer only.
fn once(answer: Answer) -> Break {
    let done = AtomicBool::new(false);
    Arc::new(move |_, recorded, _| {
        if done.swap(true, Ordering::SeqCst) {
            recorded
        } else {
            answer.clone()
        }
    })
}

fn always(answer: Answer) -> Break {
    Arc::new(move |_, _, _| answer.clone())
}

/// Reads, and judges what came.
async fn judged(vendor: &Vendor, broken: Break, judge: impl Fn(&Outcome) -> Option<String>) -> Told {
    match read(vendor, broken).await {
        Err(problem) => vec![problem],
        Ok((outcome, _)) => judge(&outcome).into_iter().collect(),
    }
}

fn shown(outcome: &Outcome) -> String {
    match &outcome.error {
        Some(error) => format!("{error:?}"),
        None => format!("{:?}, {} employees", outcome.coverage, outcome.employees.len()),
    }
}

#[tokio::test]
async fn wrong_credentials_and_missing_rights_are_told_apart() {
    each(|vendor| async move {
        let mut told = judged(&vendor, always(Answer::status(401)), |outcome| {
            let told = matches!(
                outcome.error,
                Some(Error::Credentials { .. } | Error::Consent { .. })
            );
            (!told || !outcome.waits.is_empty()).then(|| format!("a 401 is told as {}", shown(outcome)))
        })
        .await;
        told.extend(
            judged(&vendor, always(Answer::status(403)), |outcome| {
                let told = matches!(
                    outcome.error,
                    Some(Error::Forbidden { .. } | Error::Credentials { .. })
                );
                (!told || outcome.is_complete()).then(|| format!("a 403 is told as {}", shown(outcome)))
            })
            .await,
        );
        told
    })
    .await;
}

#[tokio::test]
async fn a_429_is_obeyed_and_a_500_repeated() {
    each(|vendor| async move {
        let expected = match read(&vendor, as_recorded()).await {
            Ok((outcome, _)) => outcome.employees,
            Err(problem) => return vec![problem],
        };
        let same = |what: &str, outcome: &Outcome| {
            let fine = outcome.is_complete() && outcome.employees == expected;
            (!fine).then(|| format!("after {what} and a good answer: {}", shown(outcome)))
        };
        let busy = Answer::status(429).header("retry-after", "7");
        let mut told = judged(&vendor, once(busy), |outcome| {
            let obeyed = outcome.waits.iter().any(|wait| *wait >= Duration::from_secs(7));
            same("a 429", outcome).or_else(|| (!obeyed).then(|| format!("a 429 waits {:?}", outcome.waits)))
        })
        .await;
        told.extend(
            judged(&vendor, once(Answer::status(500)), |outcome| {
                same("a 500", outcome)
            })
            .await,
        );
        told
    })
    .await;
}

#[tokio::test]
async fn a_truncated_body_is_no_page() {
    each(|vendor| async move {
        let cut: Break = Arc::new(|_, mut answer, _| {
            let half = answer.body.len() / 2;
            answer.body.truncate(half);
            answer
        });
        judged(&vendor, cut, |outcome| {
            let told = matches!(outcome.error, Some(Error::Unreadable { .. }));
            (!told || outcome.is_complete())
                .then(|| format!("a truncated body is told as {}", shown(outcome)))
        })
        .await
    })
    .await;
}

#[tokio::test]
async fn a_page_chain_that_loops_is_broken_off() {
    each(|vendor| async move {
        let Some((_, first)) = vendor.pages().find(|(page, _)| *page == 1) else {
            return Vec::new();
        };
        let again = vendor.answer(first);
        let same_list = |(page, other): (u32, &super::recording::Exchange)| {
            page > 1 && other.get == first.get && other.post == first.post
        };
        if !vendor.pages().any(same_list) || vendor.contract.lacks.contains_key("loop") {
            return Vec::new();
        }
        judged(&vendor, always(again), |outcome| {
            outcome
                .is_complete()
                .then(|| "pages that lead in a circle make a complete read".into())
        })
        .await
    })
    .await;
}

#[tokio::test]
async fn a_page_that_fails_in_the_middle_makes_the_read_partial() {
    each(|vendor| async move {
        let count = |asked: &Arc<AtomicUsize>| asked.fetch_add(1, Ordering::SeqCst) + 1;
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let whole: Break = Arc::new(move |_, answer, _| {
            count(&counted);
            answer
        });
        if let Err(problem) = read(&vendor, whole).await {
            return vec![problem];
        }
        let last = asked.load(Ordering::SeqCst);
        let again = Arc::new(AtomicUsize::new(0));
        let broken: Break = Arc::new(move |_, answer, _| {
            if count(&again) >= last {
                Answer::status(500)
            } else {
                answer
            }
        });
        judged(&vendor, broken, |outcome| {
            let partial = outcome.error.is_some() && !outcome.is_complete();
            let kept = last < 2 || !outcome.employees.is_empty();
            (!partial || !kept).then(|| format!("a last page that fails gives {}", shown(outcome)))
        })
        .await
    })
    .await;
}

#[tokio::test]
async fn an_empty_first_page_is_a_read_of_nobody() {
    each(|vendor| async move {
        let empty = match empty_page(&vendor) {
            Ok(empty) => empty,
            Err(problem) => return vec![problem],
        };
        judged(&vendor, always(empty), |outcome| {
            let nobody = outcome.error.is_none() && outcome.employees.is_empty();
            (!nobody).then(|| format!("an empty first page gives {}", shown(outcome)))
        })
        .await
    })
    .await;
}

/// The first page without anybody: its records emptied, its counters 0, no next page.
fn empty_page(vendor: &Vendor) -> Result<Answer, String> {
    let Some((_, first)) = vendor.pages().find(|(page, _)| *page == 1) else {
        return Err("no [[exchange]] is marked with page = 1".into());
    };
    let mut answer = vendor.answer(first);
    answer
        .headers
        .retain(|(name, _)| !name.eq_ignore_ascii_case("link"));
    if let Some(file) = &vendor.contract.empty {
        answer.body = vendor.file(file).into();
        return Ok(answer);
    }
    let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else {
        return Err("say which file is the first page without anybody: empty = \"…\"".into());
    };
    let employees = &vendor.written["employees"];
    let word = |name: &str| {
        employees
            .get(name)
            .and_then(toml::Value::as_str)
            .map(str::to_owned)
    };
    let page = |name: &str| {
        let page = employees.get("page")?;
        page.get(name)?.as_str().map(str::to_owned)
    };
    let mut set = |place: Option<String>, value: Value| match place {
        Some(place) if place.starts_with("header:") => {
            let name = place.trim_start_matches("header:");
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            for (known, old) in &mut answer.headers {
                if known.eq_ignore_ascii_case(name) {
                    old.clone_from(&text);
                }
            }
        }
        Some(place) => {
            if let Some(found) = body.pointer_mut(&place) {
                *found = value;
            }
        }
        None => {}
    };
    set(word("records"), Value::from(Vec::<Value>::new()));
    set(word("count"), Value::from(0));
    set(page("pages"), Value::from(0));
    set(page("read"), Value::Null);
    set(page("more"), Value::from(false));
    answer.body = body.to_string().into();
    Ok(answer)
}

#[tokio::test]
async fn a_renamed_field_is_named_instead_of_being_emptied() {
    each(|vendor| async move {
        let (from, to, path) = match &vendor.contract.renamed {
            Some(renamed) => (renamed.from.clone(), renamed.to.clone(), renamed.path.clone()),
            None => match id_path(&vendor) {
                Some(path) => {
                    let key = path
                        .rsplit('/')
                        .find(|step| *step != "#text")
                        .unwrap_or_default()
                        .to_owned();
                    (format!("\"{key}\":"), format!("\"{key}_renamed\":"), Some(path))
                }
                None => return vec!["say what is renamed: [renamed] from, to, path".into()],
            },
        };
        let (old, new) = (from.clone(), to);
        let broken: Break = Arc::new(move |_, mut answer: Answer, _: &Received| {
            let text = String::from_utf8_lossy(&answer.body).replace(&old, &new);
            answer.body = text.into();
            answer
        });
        judged(&vendor, broken, |outcome| {
            let told = match &outcome.error {
                Some(Error::Drift { path: named, .. }) => path.as_ref().is_none_or(|path| path == named),
                _ => false,
            };
            (!told).then(|| {
                format!(
                    "{from} renamed is told as {}, expected is the path {path:?}",
                    shown(outcome)
                )
            })
        })
        .await
    })
    .await;
}

/// The path of the id, when it is a plain one.
fn id_path(vendor: &Vendor) -> Option<String> {
    match &vendor.written["employees"]["map"]["source_id"] {
        toml::Value::String(path) => Some(path.clone()),
        toml::Value::Table(rule) if rule.get("from").is_none() => Some(rule.get("at")?.as_str()?.to_owned()),
        _ => None,
    }
    .filter(|path| !path.contains("{{"))
}

#[tokio::test]
async fn an_unknown_status_is_held() {
    each(|vendor| async move {
        let Some(replaced) = vendor.contract.unknown_status.clone() else {
            let lacks = vendor.contract.lacks.contains_key("status");
            return if lacks {
                Vec::new()
            } else {
                vec!["say how a status word is changed: [unknown_status]".into()]
            };
        };
        let mut changed = vendor.clone();
        let Some(place) = changed
            .contract
            .exchange
            .iter_mut()
            .find(|exchange| match &replaced.answer {
                Some(file) => exchange.answer.as_ref() == Some(file),
                None => exchange.page == Some(1),
            })
        else {
            return vec!["[unknown_status] names an answer that is not there".into()];
        };
        let text = match (&place.answer, &place.inline) {
            (Some(file), _) => vendor.file(file),
            (None, inline) => inline.clone().unwrap_or_default(),
        };
        if !text.contains(&replaced.from) {
            return vec![format!("[unknown_status] {} is not in the answer", replaced.from)];
        }
        place.inline = Some(text.replacen(&replaced.from, &replaced.to, 1));
        place.answer = None;
        judged(&changed, as_recorded(), |outcome| {
            let held = outcome
                .employees
                .iter()
                .any(|one| matches!(&one.status, Status::Unknown(_)));
            (!held || outcome.error.is_some())
                .then(|| format!("an unknown status word is not held: {}", shown(outcome)))
        })
        .await
    })
    .await;
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut_off() {
    each(|vendor| async move {
        let base_url = unending(vendor.clone(), Ending::Never).await;
        let (reading, _clock) = match vendor.reading(&base_url).await {
            Ok(reading) => reading,
            Err(problem) => return vec![problem],
        };
        let outcome = reading.read().await;
        let told = matches!(
            outcome.error,
            Some(Error::Unreachable {
                source: net::Error::TooLarge { .. },
                ..
            })
        );
        if told {
            Vec::new()
        } else {
            vec![format!("a body that never ends is told as {}", shown(&outcome))]
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_that_stands_still_is_given_up() {
    let (vendors, mut told) = super::vendors();
    // All at once, since each waits until its time is over, as often as it asks again.
    let reads = vendors.into_iter().map(|vendor| async move {
        let base_url = unending(vendor.clone(), Ending::Still).await;
        let (reading, _clock) = match vendor.reading(&base_url).await {
            Ok(reading) => reading,
            Err(problem) => return Some(problem),
        };
        let outcome = reading.read_within(Duration::from_millis(400)).await;
        let gave_up = matches!(
            outcome.error,
            Some(Error::Unreachable {
                source: net::Error::TimedOut { .. },
                ..
            })
        );
        let problem = format!("{}: a slow body is told as {}", vendor.key, shown(&outcome));
        (!gave_up || outcome.is_complete()).then_some(problem)
    });
    told.extend(futures_util::future::join_all(reads).await.into_iter().flatten());
    assert!(told.is_empty(), "\n{}\n", told.join("\n"));
}

/// How the first page does not end.
#[derive(Debug, Clone, Copy)]
enum Ending {
    /// It goes on for ever.
    Never,
    /// It begins, and then nothing comes any more.
    Still,
}

/// A server that answers like the recordings, but does not end the first page.
async fn unending(vendor: Vendor, ending: Ending) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let vendor = vendor.clone();
            tokio::spawn(async move {
                let Some(request) = received(&mut socket).await else {
                    return;
                };
                let exchange = vendor.exchange(&request);
                if exchange.is_some_and(|exchange| exchange.page.is_some()) {
                    let _ = socket
                        .write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
                        .await;
                    let blanks = vec![b' '; 1024 * 1024];
                    if matches!(ending, Ending::Still) {
                        let _ = socket.write_all(b" ").await;
                        // Until the client has had enough and closes.
                        let _ = socket.read(&mut [0]).await;
                        return;
                    }
                    while socket.write_all(&blanks).await.is_ok() {}
                    return;
                }
                let answer = exchange.map_or_else(|| Answer::status(404), |exchange| vendor.answer(exchange));
                let mut head = format!(
                    "HTTP/1.1 {} X\r\nconnection: close\r\ncontent-length: {}\r\n",
                    answer.status,
                    answer.body.len()
                );
                for (name, value) in &answer.headers {
                    head += &format!("{name}: {value}\r\n");
                }
                let _ = socket.write_all((head + "\r\n").as_bytes()).await;
                let _ = socket.write_all(&answer.body).await;
            });
        }
    });
    format!("http://{address}")
}

/// Reads a request from a socket.
async fn received(socket: &mut tokio::net::TcpStream) -> Option<Received> {
    let mut raw = Vec::new();
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let text = String::from_utf8_lossy(&raw).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.lines();
            let mut first = lines.next()?.split(' ');
            let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
            let (path, query) = target.split_once('?').unwrap_or((&target, ""));
            let headers: Vec<(String, String)> = lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect();
            let length = headers.iter().find(|(name, _)| name == "content-length");
            let length: usize = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return Some(Received {
                    method,
                    path: path.to_owned(),
                    query: query.to_owned(),
                    headers,
                    body: body.to_owned().into(),
                });
            }
        }
        let read = socket.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        raw.extend_from_slice(&chunk[..read]);
    }
}
