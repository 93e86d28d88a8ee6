//! The worked example of docs/connectors.md, run as it stands there.

use scim_bridge::connector::{Delivery, Manifest, Whom};
use scim_bridge::hr::{ManagerRef, Status};
use scim_bridge::sync::ConnectionFile;
use serde_json::{Value, json};

use super::harness::Reading;
use crate::kit::{Answer, Stub};

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/connectors.md");
    let text = std::fs::read_to_string(path).unwrap();
    let start = text.find("## A worked example").unwrap();
    let end = text.find("## The words").unwrap();
    text[start..end].to_owned()
}

/// The fenced blocks of a language, each with the line of text before it.
fn blocks(page: &str, language: &str) -> Vec<(String, String)> {
    let (mut found, mut before, mut inside) = (Vec::new(), String::new(), None::<String>);
    for line in page.lines() {
        match &mut inside {
            Some(block) if line == "```" => {
                found.push((before.clone(), std::mem::take(block)));
                inside = None;
            }
            Some(block) => *block += &format!("{line}\n"),
            None if line == format!("```{language}") => inside = Some(String::new()),
            None if !line.is_empty() => before = line.to_owned(),
            None => {}
        }
    }
    found
}

fn manifest() -> Manifest {
    let (_, text) = &blocks(&page(), "toml")[0];
    Manifest::parse("nimbus.toml", text).unwrap_or_else(|error| panic!("{error}"))
}

/// A stub that answers as the page says.
async fn nimbus() -> Stub {
    let stub = Stub::start().await;
    let answers: Vec<(String, String, Value)> = blocks(&page(), "json")
        .into_iter()
        .map(|(before, text)| {
            let asked = before
                .strip_prefix("`GET ")
                .unwrap()
                .split('`')
                .next()
                .unwrap()
                .to_owned();
            let (path, query) = asked.split_once('?').unwrap_or((asked.as_str(), ""));
            (
                path.to_owned(),
                query.to_owned(),
                serde_json::from_str(&text).unwrap(),
            )
        })
        .collect();
    assert_eq!(answers.len(), 4);
    stub.rule(move |request| {
        let signed_in = request.header("authorization") == Some("Bearer k");
        let found = answers
            .iter()
            .find(|(path, query, _)| signed_in && request.path == *path && request.query == *query);
        found.map(|(_, _, body)| Answer::json(200, body))
    });
    stub
}

fn reading(stub: &Stub) -> Reading {
    Reading::by(
        manifest(),
        &json!({"subdomain": "acme", "api_key": "k", "base_url": stub.base_url}),
    )
}

#[tokio::test]
async fn the_worked_example_reads_what_the_page_shows() {
    let stub = nimbus().await;
    let read = reading(&stub).read().await;
    assert!(read.is_complete(), "{:?}", read.error);
    assert_eq!(read.ids(), ["41", "40", "42"]);
    let zoe = read.employee("41");
    assert_eq!(zoe.work_email.as_deref(), Some("zoe.okafor@acme.example"));
    let department = zoe.department.as_ref().unwrap();
    assert_eq!(
        (department.code.as_deref(), department.name.as_deref()),
        (Some("ENG"), Some("Engineering"))
    );
    assert_eq!(zoe.manager, Some(ManagerRef::SourceId("40".into())));
    assert_eq!(read.employee("40").status, Status::OnLeave);
    let gone = read.employee("42");
    assert_eq!(
        (gone.status.clone(), gone.work_email.as_deref()),
        (Status::Left, None)
    );
    let steps = reading(&stub).check().await;
    assert!(steps.iter().all(|step| step.ok), "{steps:?}");
    let one = reading(&stub).one("41").await.unwrap().unwrap();
    assert_eq!(one.title.as_deref(), Some("Lead Engineer"));
    assert_eq!(one.department, zoe.department);
}

#[test]
fn the_worked_examples_webhook_names_the_person() {
    let manifest = manifest();
    let body = r#"{"event":"person.changed","person":{"id":41}}"#;
    // printf '%s' "1795341600.$BODY" | openssl dgst -sha256 -hmac 'signing secret' -hex
    let signature = "76fced7f1d201dbeb56db7346e85e12757e24b7c5fe7a680efe18310ab963a44";
    let header = |name: &str| match name {
        "X-Nimbus-Signature" => Some(signature.to_owned()),
        "X-Nimbus-Time" => Some("1795341600".to_owned()),
        _ => None,
    };
    let delivery = Delivery {
        query: "",
        header: &header,
        body: body.as_bytes(),
        is_post: true,
    };
    let secrets = [scim_bridge::base::Secret::new("signing secret".to_owned())];
    let heard = manifest
        .hook()
        .unwrap()
        .hear(&delivery, &secrets, "2026-11-22T10:01:00Z".parse().unwrap());
    assert_eq!(heard.unwrap().whom, Whom::These(vec!["41".to_owned()]));
}

#[test]
fn the_worked_examples_files_are_right() {
    let blocks = blocks(&page(), "toml");
    assert_eq!(blocks.len(), 2);
    let (file, _) = ConnectionFile::from_toml(&blocks[1].1).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(
        (file.name.as_str(), file.connector.as_str()),
        ("people", manifest().key())
    );
    let view = manifest().view();
    assert_eq!(
        (
            view.permissions.len(),
            view.statuses.len(),
            view.webhooks.is_some()
        ),
        (2, 3, true)
    );
    assert!(manifest().reads_one());
}
