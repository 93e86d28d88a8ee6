//! What a request says.

use serde_json::{Map, Value, json};

use super::super::store::subscription::{Call, Preset};
use super::super::{Error, impersonal, place::place};
use crate::notice::{EventKind, built_in};

/// The JSON that a subscription is sent.
///
/// Slack takes `text`, in which `&`, `<` and `>` are escaped (docs.slack.dev, "Sending messages using incoming webhooks" and
/// "Formatting message text", read 2026-11-22). Teams takes a message with an adaptive card for the workflow "Post to a
/// channel when a webhook request is received" (learn.microsoft.com, "Create and send messages", Workflows take adaptive
/// cards only, read 2026-11-22).
pub(in crate::notice) fn body(call: &Call) -> Result<String, Error> {
    let kind = call.kind.ok_or(Error::UnknownKind)?;
    let body = match call.preset {
        Preset::Standard => standard(call, kind),
        Preset::Slack => {
            let (subject, text) = said(call, kind)?;
            json!({ "text": format!("*{}*\n{}", escaped(&subject), escaped(&text)) })
        }
        Preset::Teams => {
            let (subject, text) = said(call, kind)?;
            card(&subject, &text)
        }
    };
    Ok(body.to_string())
}

fn standard(call: &Call, kind: EventKind) -> Value {
    let detail = if call.names {
        call.detail.clone()
    } else {
        impersonal(&call.detail)
    };
    json!({
        "type": kind.as_str(),
        "timestamp": call.at,
        "data": {
            "event": call.event, "tenant": call.tenant, "connection": call.connection, "app": call.app,
            "entity": call.entity, "person": call.person, "detail": detail,
        },
    })
}

/// Subject and plain text. Without leave to name people, their ids stand where names would.
fn said(call: &Call, kind: EventKind) -> Result<(String, String), Error> {
    let mut values = match &call.detail {
        Value::Object(detail) => detail.clone(),
        _ => Map::new(),
    };
    if !call.names {
        let user = values.get("user").cloned().unwrap_or_else(|| "…".into());
        for (name, value) in &mut values {
            match name.as_str() {
                "name" | "given_name" | "user_name" | "to" => *value = user.clone(),
                "old" | "new" => *value = "…".into(),
                "people" | "values" | "accounts" => *value = Value::Array(Vec::new()),
                _ => {}
            }
        }
    }
    for (name, value) in &call.names_of {
        values.insert(name.clone(), value.clone());
    }
    let link = if kind == EventKind::Welcome {
        String::new()
    } else {
        place(kind, &Value::Object(values.clone()))
    };
    values.insert("link".to_owned(), link.into());
    let said = built_in(kind, call.language).say(&Value::Object(values), call.language)?;
    Ok((said.subject, said.text))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn card(subject: &str, text: &str) -> Value {
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": [
                    { "type": "TextBlock", "text": subject, "weight": "Bolder", "size": "Medium", "wrap": true },
                    { "type": "TextBlock", "text": text, "wrap": true },
                ],
            },
        }],
    })
}
