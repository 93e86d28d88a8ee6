//! Resources as JSON text. Without a projection the stored text is passed through, and only what is computed is
//! written around it.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::condition::etag;
use crate::base::ResourceId;
use crate::directory::{Found, MemberRow, Want};
use crate::scim::{ENTERPRISE, Object, Projection, ResourceType};

/// Which computed attributes an answer needs.
pub fn want(kind: &ResourceType, projection: &Projection) -> Want {
    Want {
        groups: projection.wants(kind, "groups"),
        members: projection.wants(kind, "members")
            || (!projection.is_default() && kind.extension(ENTERPRISE).is_some()),
    }
}

/// The address of a resource.
pub fn location(base: &str, kind: &ResourceType, found: &Found) -> String {
    format!("{base}{}/{}", kind.endpoint, found.id)
}

/// A resource as the client is to see it. The last attribute of a group is its members, so that those which were not
/// read with it can follow: `End` is then what remains to be written after them.
pub fn resource(base: &str, kind: &ResourceType, found: &Found, projection: &Projection) -> (String, End) {
    let mut text = if projection.is_default()
        && kind.is_open()
        && let Some(text) = spliced(base, kind, found)
    {
        text
    } else {
        let mut object = whole(base, kind, found);
        projection.apply(kind, &mut object);
        Value::Object(object).to_string()
    };
    let listed = match found.members.is_empty() {
        true => String::new(),
        false => member_list(base, kind, &found.members, projection),
    };
    if listed.is_empty() {
        return (text, End::Closed);
    }
    text.pop();
    text.push_str(if text.len() > 1 {
        ",\"members\":["
    } else {
        "\"members\":["
    });
    text.push_str(&listed);
    if found.more_members {
        return (text, End::MoreMembers);
    }
    text.push_str(MEMBERS_END);
    (text, End::Closed)
}

/// What follows the last member of a group.
pub const MEMBERS_END: &str = "]}";

/// Whether a resource was written to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It was.
    Closed,
    /// More members are to follow, each after a comma, and then [`MEMBERS_END`].
    MoreMembers,
}

/// Members as the client is to see them, with commas between them; empty when it is not to see any.
pub fn member_list(base: &str, kind: &ResourceType, rows: &[MemberRow], projection: &Projection) -> String {
    let list = if projection.is_default() && kind.is_open() {
        members(base, rows, projection.names_members())
    } else {
        let mut object = Object::new();
        object.insert("members".to_owned(), members(base, rows, true));
        projection.apply(kind, &mut object);
        object.remove("members").unwrap_or_default()
    };
    let text = list.to_string();
    text.strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or_default()
        .to_owned()
}

/// The stored text with the rest around it, without members; `None` when it has an unexpected form.
fn spliced(base: &str, kind: &ResourceType, found: &Found) -> Option<String> {
    let body = found.body.strip_prefix('{')?.strip_suffix('}')?;
    let mut text = String::with_capacity(body.len() + 512);
    let _ = write!(text, "{{\"id\":\"{}\"", found.id);
    if let Some(external) = found.external_id() {
        text.push_str(",\"externalId\":");
        text.push_str(&Value::from(external).to_string());
    }
    if !body.is_empty() {
        text.push(',');
    }
    with_manager(&mut text, base, body)?;
    if let Some(list) = groups(base, found) {
        let _ = write!(text, ",\"groups\":{list}");
    }
    let _ = write!(text, ",\"meta\":{}}}", meta(base, kind, found));
    Some(text)
}

/// Writes the body with the address of the manager (the name is given out on request). The stored manager has a
/// `value` and nothing else; what is no id of ours stays as it is.
fn with_manager(text: &mut String, base: &str, body: &str) -> Option<()> {
    let Some((before, rest)) = body.split_once("\"manager\":") else {
        text.push_str(body);
        return Some(());
    };
    let value = rest
        .trim_start()
        .strip_prefix("{\"value\":")?
        .trim_start()
        .strip_prefix('"')?;
    let (id, after) = value.split_once('"')?;
    let after = after.strip_prefix('}')?;
    if after.contains("\"manager\":") {
        return None;
    }
    if id.parse::<ResourceId>().is_err() {
        text.push_str(body);
        return Some(());
    }
    text.push_str(before);
    let _ = write!(
        text,
        "\"manager\":{{\"value\":\"{id}\",\"$ref\":\"{base}/Users/{id}\"}}"
    );
    text.push_str(after);
    Some(())
}

/// The resource as an object, without members.
fn whole(base: &str, kind: &ResourceType, found: &Found) -> Object {
    let mut object: Object = serde_json::from_str(&found.body).unwrap_or_default();
    object.insert("id".to_owned(), json!(found.id));
    if let Some(external) = found.external_id() {
        object.insert("externalId".to_owned(), Value::from(external));
    }
    if let Some(Value::Object(manager)) = object.get_mut(ENTERPRISE).and_then(|urn| urn.get_mut("manager"))
        && let Some(id) = manager.get("value").and_then(Value::as_str)
        && let Ok(id) = id.parse::<ResourceId>()
    {
        manager.insert("$ref".to_owned(), Value::from(format!("{base}/Users/{id}")));
        if let Some(name) = &found.manager {
            manager.insert("displayName".to_owned(), Value::from(name.as_str()));
        }
    }
    if let Some(list) = groups(base, found) {
        object.insert("groups".to_owned(), list);
    }
    object.insert("meta".to_owned(), meta(base, kind, found));
    object
}

fn groups(base: &str, found: &Found) -> Option<Value> {
    let list: Vec<Value> = found
        .groups
        .iter()
        .map(|group| {
            json!({
                "value": group.id,
                "$ref": format!("{base}/Groups/{}", group.id),
                "display": group.display,
                "type": if group.direct { "direct" } else { "indirect" },
            })
        })
        .collect();
    (!list.is_empty()).then_some(Value::Array(list))
}

fn members(base: &str, rows: &[MemberRow], with_names: bool) -> Value {
    rows.iter()
        .map(|member| {
            let mut element = json!({
                "value": member.id,
                "$ref": format!("{base}/{}s/{}", member.kind, member.id),
                "type": member.kind,
            });
            if let (true, Some(element)) = (with_names, element.as_object_mut()) {
                element.insert("display".to_owned(), Value::from(member.display.as_str()));
            }
            element
        })
        .collect()
}

fn meta(base: &str, kind: &ResourceType, found: &Found) -> Value {
    json!({
        "resourceType": kind.name,
        "created": instant(found.created),
        "lastModified": instant(found.last_modified),
        "location": location(base, kind, found),
        "version": etag(found.version),
    })
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{GroupRef, MemberRow};
    use crate::scim::Registry;

    fn found(body: &str) -> Found {
        let at = DateTime::parse_from_rfc3339("2026-12-01T08:00:00.25Z")
            .unwrap()
            .to_utc();
        Found {
            id: ResourceId::new(),
            kind: "User".to_owned(),
            body: body.to_owned(),
            version: 3,
            created: at,
            last_modified: at,
            person: None,
            disabled_by: Vec::new(),
            own_external_id: None,
            hr_external_id: Some("p \"1\"".to_owned()),
            connections: Vec::new(),
            manager: None,
            groups: vec![GroupRef {
                id: ResourceId::new(),
                display: "Ops \\".to_owned(),
                direct: false,
            }],
            nested: false,
            more_members: false,
            members: vec![MemberRow {
                id: ResourceId::new(),
                kind: "User".to_owned(),
                display: "é".to_owned(),
            }],
        }
    }

    #[test]
    fn spliced_text_says_what_the_whole_object_says() {
        let registry = Registry::builtin();
        let kind = registry.kind("User").unwrap();
        let urn = ENTERPRISE;
        let bodies = [
            ("{}".to_owned(), None),
            (
                "{\"userName\": \"ann\", \"title\": \"\\\"manager\\\"\"}".to_owned(),
                None,
            ),
            (
                format!(
                    "{{\"{urn}\": {{\"manager\": {{\"value\": \"0192f0c1-2b3c-7def-8a01-23456789abcd\"}}, \"department\": \"x\"}}}}"
                ),
                Some("Bo \"B\""),
            ),
            (
                format!("{{\"{urn}\":{{\"manager\":{{\"value\":\"free text\"}}}},\"title\":\"x\"}}"),
                Some("Bo"),
            ),
        ];
        for (body, manager) in bodies {
            let mut found = found(&body);
            found.members.clear();
            found.manager = manager.map(str::to_owned);
            same(kind, &found);
        }
        let mut found = found("{\"displayName\": \"Ops\"}");
        found.groups.clear();
        same(registry.kind("Group").unwrap(), &found);
    }

    fn same(kind: &ResourceType, found: &Found) {
        let text = spliced("http://x/scim/v2", kind, found).unwrap();
        let mut whole = whole("http://x/scim/v2", kind, found);
        Projection::default().apply(kind, &mut whole);
        assert_eq!(
            serde_json::from_str::<Value>(&text).unwrap(),
            Value::Object(whole)
        );
    }
}
