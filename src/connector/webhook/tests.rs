use serde_json::json;

use super::super::Manifest;
use super::*;
use crate::base::Secret;

/// A manifest with these words under `[webhooks]`.
fn manifest(words: &str) -> Manifest {
    let text = format!(
        r#"[connector]
key = "acme"
name = "Acme"
docs = "Acme API, read 2026-11-20"
provable = true
guide = "Click."
[employees]
get = "https://api.acme.example/people"
records = "/data"
required = ["source_id", "status"]
[employees.map]
source_id = "/id"
status = {{ at = "/state", words = {{ on = "active" }} }}
[webhooks]
guide = "1. Click."
{words}"#
    );
    Manifest::parse("x.toml", &text).unwrap_or_else(|error| panic!("{error}"))
}

struct Sent<'a> {
    headers: &'a [(&'a str, &'a str)],
    query: &'a str,
    body: &'a str,
}

fn hear(words: &str, secrets: &[&str], now: &str, sent: &Sent<'_>) -> Result<Heard, Refusal> {
    let manifest = manifest(words);
    let secrets: Vec<Secret> = secrets
        .iter()
        .map(|text| Secret::new((*text).to_owned()))
        .collect();
    let header = |name: &str| {
        let mut found = sent.headers.iter();
        found
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| (*value).to_owned())
    };
    let delivery = Delivery {
        query: sent.query,
        header: &header,
        body: sent.body.as_bytes(),
        is_post: true,
    };
    manifest
        .hook()
        .unwrap()
        .hear(&delivery, &secrets, now.parse().unwrap())
}

fn whom(heard: Result<Heard, Refusal>) -> Whom {
    heard.unwrap().whom
}

fn these(ids: &[&str]) -> Whom {
    Whom::These(ids.iter().map(|id| (*id).to_owned()).collect())
}

/// Words, secret, headers, body, and what they mean.
type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, Whom);

const NOW: &str = "2026-11-22T10:00:00Z";

/// The signatures here were made with `openssl dgst -mac HMAC`, not with this program.
#[test]
fn a_standard_webhook_is_known_by_its_signature() {
    let words =
        "secret = \"given\"\nverify = { kind = \"standard\" }\nevent = \"/type\"\nemployee = \"/data/id\"";
    let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let good = "v1,AAAA v1a,xyz v1,CzN42q4Zw5xQanng8DAgikXWGHkEq3DxaIpdS1Qjt4k=";
    let body = r#"{"type":"person.updated","data":{"id":"114"}}"#;
    for brand in ["svix", "webhook"] {
        let names = ["id", "timestamp", "signature"].map(|name| format!("{brand}-{name}"));
        let [id, timestamp, signature] = names.each_ref().map(String::as_str);
        let headers = [(id, "msg_1"), (timestamp, "1795341600"), (signature, good)];
        let sent = Sent {
            headers: &headers,
            query: "",
            body,
        };
        let heard = hear(words, &["whsec_b3RoZXI=", key], NOW, &sent).unwrap();
        assert_eq!(heard.whom, these(&["114"]));
        assert!(heard.replay_key.is_some());
        assert_eq!(hear(words, &["whsec_b3RoZXI="], NOW, &sent), Err(Refusal::Forged));
        assert_eq!(hear(words, &[], NOW, &sent), Err(Refusal::NoSecret));
        for (now, expected) in [
            ("2026-11-22T10:04:59Z", Ok(these(&["114"]))),
            ("2026-11-22T09:55:01Z", Ok(these(&["114"]))),
            ("2026-11-22T10:05:01Z", Err(Refusal::Stale)),
            ("2026-11-22T09:54:59Z", Err(Refusal::Stale)),
        ] {
            assert_eq!(hear(words, &[key], now, &sent).map(|heard| heard.whom), expected);
        }
        for changed in [
            [(id, "msg_2"), (timestamp, "1795341600"), (signature, good)],
            [(id, "msg_1"), (timestamp, "1795341601"), (signature, good)],
        ] {
            let sent = Sent {
                headers: &changed,
                query: "",
                body,
            };
            assert_eq!(hear(words, &[key], NOW, &sent), Err(Refusal::Forged));
        }
    }
}

#[test]
fn keyed_digests_of_every_kind_are_known() {
    let acme = r#"{"type":"employee.updated","data":{"companyId":"7","employeeId":"114","changedFields":["status"]}}"#;
    let plain = r#"{"topic":"employee.updated","data":{"id":31}}"#;
    let cases: [Case<'_>; 5] = [
        (
            "secret = \"given\"\nverify = { kind = \"hmac\", header = \"X-Acme-Signature\", over = \"{{ body }}{{ timestamp }}\" }\ntimestamp = \"X-Acme-Timestamp\"\nevent = \"/type\"\nevents = [\"employee.*\"]\nemployee = \"/data/employeeId\"",
            "s3cr3t",
            &[
                (
                    "x-acme-signature",
                    "08391d53b8689c98f23dabb8f6f1410f26d0ebf4d46fc74e6ea2fea866cc38a7",
                ),
                ("x-acme-timestamp", "1795341600"),
            ],
            acme,
            these(&["114"]),
        ),
        (
            "secret = \"given\"\nverify = { kind = \"hmac\", header = \"Acme-Signature\", encoding = \"base64\", over = \"{{ timestamp }}.{{ body }}\" }\ntimestamp = \"Acme-Timestamp\"\nemployee = \"/data/id\"",
            "topsecret",
            &[
                ("Acme-Signature", "L7JP3RX81qJG6qBV7dAscs7y20DSgNkgS7t1OStt1rM="),
                ("Acme-Timestamp", "2026-11-22T10:00:00Z"),
            ],
            plain,
            these(&["31"]),
        ),
        (
            "secret = \"given\"\nverify = { kind = \"hmac\", header = \"Acme-Signature\", hash = \"sha512\", encoding = \"base64\" }",
            "topsecret",
            &[(
                "Acme-Signature",
                "AuBXGOEi9OMYW_jX42goqchIwiKThVAn4Po533onbx76ZwxqRF-drBKVKLVzx1wgm-GSPVTEAIYxpqVQrsytcQ",
            )],
            plain,
            Whom::All,
        ),
        (
            "secret = \"made\"\nverify = { kind = \"hmac\", header = \"Acme-Signature\", hash = \"sha1\", prefix = \"sha1=\", over = \"POST{{ body }}\" }\nevent = \"/topic\"\nevents = [\"contract.signed\"]",
            "k",
            &[("Acme-Signature", "sha1=89400b25aeafd56ed78dea59dada29d160dfdb8f")],
            plain,
            Whom::Nobody,
        ),
        (
            "secret = \"made\"\nverify = { kind = \"basic\" }\nemployee = \"/data/id\"",
            "open sesame",
            &[("Authorization", "Basic c2NpbS1icmlkZ2U6b3BlbiBzZXNhbWU=")],
            plain,
            these(&["31"]),
        ),
    ];
    for (words, secret, headers, body, expected) in cases {
        let sent = Sent {
            headers,
            query: "",
            body,
        };
        assert_eq!(whom(hear(words, &[secret], NOW, &sent)), expected, "{words}");
        assert_eq!(hear(words, &["x"], NOW, &sent), Err(Refusal::Forged), "{words}");
        let unsigned = Sent { headers: &[], ..sent };
        assert_eq!(
            hear(words, &[secret], NOW, &unsigned),
            Err(Refusal::Unsigned),
            "{words}"
        );
        let changed = Sent {
            headers,
            query: "",
            body: &format!("{body} "),
        };
        if !words.contains("basic") {
            assert_eq!(
                hear(words, &[secret], NOW, &changed),
                Err(Refusal::Forged),
                "{words}"
            );
        }
    }
}

#[test]
fn a_token_is_looked_for_in_every_event() {
    let words = "secret = \"made\"\nverify = { kind = \"token\", at = \"/clientState\" }\neach = \"/value\"\nemployee = \"/resourceData/id\"";
    let hear_body = |body: serde_json::Value| {
        let text = body.to_string();
        let sent = Sent {
            headers: &[],
            query: "",
            body: &text,
        };
        hear(words, &["s"], NOW, &sent)
    };
    let event = |state: &str, id: &str| json!({"clientState": state, "resourceData": {"id": id}});
    let both = hear_body(json!({"value": [event("s", "a"), event("s", "b"), event("s", "a")]}));
    assert_eq!(whom(both), these(&["a", "b"]));
    assert_eq!(
        hear_body(json!({"value": [event("s", "a"), event("x", "b")]})),
        Err(Refusal::Forged)
    );
    assert_eq!(hear_body(json!({"value": []})), Err(Refusal::Unsigned));
    assert_eq!(hear_body(json!({"clientState": "s"})), Err(Refusal::Unsigned));
    let many: Vec<_> = (0..101).map(|number| event("s", &number.to_string())).collect();
    assert_eq!(whom(hear_body(json!({ "value": many }))), Whom::All);
}

#[test]
fn events_of_others_mean_nothing_and_unknown_ids_mean_all() {
    let words = "each = \"/data/events\"\nevent = \"/eventType\"\nevents = [\"user.lifecycle.*\"]\nemployee = { from = \"/target\", pick = { at = \"/type\", is = [\"User\"] }, at = \"/id\" }";
    let hear_body = |body: &str| {
        let sent = Sent {
            headers: &[],
            query: "",
            body,
        };
        hear(words, &[], NOW, &sent).unwrap()
    };
    let event = |name: &str, target: &str| {
        format!(r#"{{"data":{{"events":[{{"eventType":"{name}","target":[{target}]}}]}}}}"#)
    };
    let user = r#"{"type":"AppUser","id":"9"},{"type":"User","id":"00u1"}"#;
    assert_eq!(
        hear_body(&event("user.lifecycle.create", user)).whom,
        these(&["00u1"])
    );
    assert_eq!(
        hear_body(&event("group.lifecycle.create", user)).whom,
        Whom::Nobody
    );
    assert_eq!(hear_body(&event("user.lifecycle.create", "")).whom, Whom::All);
    assert_eq!(hear_body("\"Ping test\"").whom, Whom::Nobody);
    let text = hear_body("Ping test");
    assert_eq!((text.whom, text.unreadable), (Whom::Nobody, true));
    let long = format!(r#"{{"type":"User","id":"{}"}}"#, "x".repeat(256));
    assert_eq!(hear_body(&event("user.lifecycle.create", &long)).whom, Whom::All);
}

#[test]
fn a_challenge_is_given_back() {
    let ask = |words: &str, query: &str, headers: &[(&str, &str)]| {
        let manifest = manifest(words);
        let header = |name: &str| {
            let mut found = headers.iter();
            found
                .find(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| (*value).to_owned())
        };
        let delivery = Delivery {
            query,
            header: &header,
            body: b"",
            is_post: false,
        };
        manifest
            .hook()
            .unwrap()
            .challenge(&delivery)
            .map(|echo| (echo.content_type, echo.body))
    };
    let query = "challenge = { query = \"validationToken\" }";
    assert_eq!(
        ask(query, "validationToken=Validation%3A+%3Cb%3E", &[]),
        Some(("text/plain; charset=utf-8", "Validation: <b>".to_owned()))
    );
    assert_eq!(ask(query, "other=1", &[]), None);
    assert_eq!(
        ask(query, &format!("validationToken={}", "x".repeat(5000)), &[]),
        None
    );
    let header = "challenge = { header = \"x-okta-verification-challenge\", json = \"verification\" }";
    assert_eq!(
        ask(header, "", &[("X-Okta-Verification-Challenge", "a\"b")]),
        Some(("application/json", r#"{"verification":"a\"b"}"#.to_owned()))
    );
}
