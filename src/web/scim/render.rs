//! Resources as JSON text. Without a projection the stored text is passed through, and only what is computed is
//! written around it.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike as _, SecondsFormat, Timelike as _, Utc};
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
    text.push_str("{\"id\":\"");
    push_id(&mut text, found.id);
    text.push('"');
    if let Some(external) = found.external_id() {
        text.push_str(",\"externalId\":");
        push_quoted(&mut text, external);
    }
    if !body.is_empty() {
        text.push(',');
    }
    with_manager(&mut text, base, body)?;
    push_groups(&mut text, base, found);
    push_meta(&mut text, base, kind, found);
    text.push('}');
    Some(text)
}

fn push_groups(text: &mut String, base: &str, found: &Found) {
    for (at, group) in found.groups.iter().enumerate() {
        text.push_str(if at == 0 {
            ",\"groups\":[{\"value\":\""
        } else {
            ",{\"value\":\""
        });
        push_id(text, group.id);
        text.push_str("\",\"$ref\":\"");
        text.push_str(base);
        text.push_str("/Groups/");
        push_id(text, group.id);
        text.push_str("\",\"display\":");
        push_quoted(text, &group.display);
        text.push_str(if group.direct {
            ",\"type\":\"direct\"}"
        } else {
            ",\"type\":\"indirect\"}"
        });
    }
    if !found.groups.is_empty() {
        text.push(']');
    }
}

fn push_meta(text: &mut String, base: &str, kind: &ResourceType, found: &Found) {
    text.push_str(",\"meta\":{\"resourceType\":");
    push_quoted(text, &kind.name);
    text.push_str(",\"created\":\"");
    push_instant(text, found.created);
    text.push_str("\",\"lastModified\":\"");
    push_instant(text, found.last_modified);
    text.push_str("\",\"location\":\"");
    text.push_str(base);
    text.push_str(&kind.endpoint);
    text.push('/');
    push_id(text, found.id);
    text.push_str("\",\"version\":");
    push_quoted(text, &etag(found.version));
    text.push('}');
}

fn push_id(text: &mut String, id: ResourceId) {
    text.push_str(
        id.uuid()
            .hyphenated()
            .encode_lower(&mut uuid::Uuid::encode_buffer()),
    );
}

/// A JSON string.
fn push_quoted(text: &mut String, value: &str) {
    if value
        .bytes()
        .all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\')
    {
        text.push('"');
        text.push_str(value);
        text.push('"');
    } else {
        text.push_str(&Value::from(value).to_string());
    }
}

/// Writes the body with the address of the manager (the name is given out on request). The stored manager has a
/// `value` and nothing else; what is no id of ours stays as it is.
fn with_manager(text: &mut String, base: &str, body: &str) -> Option<()> {
    const NAME: &str = "\"manager\":";
    let Some(at) = memchr::memmem::find(body.as_bytes(), NAME.as_bytes()) else {
        text.push_str(body);
        return Some(());
    };
    let (before, rest) = (body.get(..at)?, body.get(at.checked_add(NAME.len())?..)?);
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
    let mut text = String::new();
    push_instant(&mut text, at);
    text
}

/// An instant with as many digits as it needs. (By hand, since chrono took a fifth of the time of a page.)
fn push_instant(text: &mut String, at: DateTime<Utc>) {
    let (date, time) = (at.date_naive(), at.time());
    let Ok(year @ 0..=9999) = u32::try_from(date.year()) else {
        text.push_str(&at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
        return;
    };
    push_digits(text, year, 4);
    for (before, number) in [
        ('-', date.month()),
        ('-', date.day()),
        ('T', time.hour()),
        (':', time.minute()),
        (':', time.second()),
    ] {
        text.push(before);
        push_digits(text, number, 2);
    }
    let nanos = time.nanosecond();
    let (fraction, digits) = match nanos {
        0 => (0, 0),
        _ if nanos % 1_000_000 == 0 => (nanos / 1_000_000, 3),
        _ if nanos % 1_000 == 0 => (nanos / 1_000, 6),
        _ => (nanos, 9),
    };
    if digits > 0 {
        text.push('.');
        push_digits(text, fraction, digits);
    }
    text.push('Z');
}

/// The last `digits` digits of a number.
fn push_digits(text: &mut String, number: u32, digits: u32) {
    for place in (0..digits).rev() {
        let digit = number / 10_u32.pow(place) % 10;
        text.push(char::from_digit(digit, 10).unwrap_or('0'));
    }
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
