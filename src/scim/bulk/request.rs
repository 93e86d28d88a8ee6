//! The message.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::scim::error::Error;

/// Schema of a Bulk.
pub const BULK_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// Schema of its answer.
pub const BULK_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

/// A Bulk.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// After how many failed operations to stop; none goes on to the end.
    pub fail_on_errors: Option<u64>,
    /// What to do.
    pub operations: Vec<Operation>,
}

/// One operation, or why it cannot be done, with what its answer repeats.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// The method as sent.
    pub method: String,
    /// The client's name for the operation, and with POST for the resource it makes.
    pub bulk_id: Option<String>,
    /// What it asks for.
    pub wish: Result<Wish, Error>,
}

/// What an operation asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// What to do.
    pub method: Method,
    /// The end point of the resource type, without slashes.
    pub endpoint: String,
    /// The id of the resource, or a reference to one; none with POST.
    pub id: Option<String>,
    /// The version that the resource must have, as an entity tag.
    pub version: Option<String>,
    /// The body.
    pub data: Value,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Creates.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Deletes.
    Delete,
}

/// Reads a Bulk of at most `most` operations. What is wrong with one operation is that operation's answer; the
/// whole is refused when its parts cannot be told apart.
///
/// # Errors
/// `400 invalidSyntax` for a body that is no Bulk or names two operations alike, `413` for too many operations.
pub fn parse(body: &Value, most: u64) -> Result<Request, Error> {
    let body = body
        .as_object()
        .ok_or_else(|| Error::syntax("the body is not a JSON object"))?;
    let declared = member(body, "schemas")?
        .and_then(Value::as_array)
        .is_some_and(|urns| {
            let mut texts = urns.iter().filter_map(Value::as_str);
            texts.any(|urn| urn.eq_ignore_ascii_case(BULK_REQUEST))
        });
    if !declared {
        return Err(Error::syntax(format!("schemas must have {BULK_REQUEST} in it")));
    }
    let fail_on_errors = match member(body, "failOnErrors")? {
        None | Some(Value::Null) => None,
        Some(number) => Some(
            number
                .as_u64()
                .filter(|number| *number > 0)
                .ok_or_else(|| Error::syntax("failOnErrors takes a whole number above zero"))?,
        ),
    };
    let listed = member(body, "Operations")?
        .and_then(Value::as_array)
        .ok_or_else(|| Error::syntax("Operations must be a list"))?;
    if u64::try_from(listed.len()).unwrap_or(u64::MAX) > most {
        let detail = format!("more operations than maxOperations allows ({most})");
        return Err(Error::new(413, detail));
    }
    let operations = listed.iter().map(operation).collect::<Result<Vec<_>, _>>()?;
    let mut names = HashSet::new();
    let mut given = operations.iter().filter_map(|one| one.bulk_id.as_deref());
    if given.any(|name| !names.insert(name)) {
        return Err(Error::syntax("two operations have the same bulkId"));
    }
    Ok(Request {
        fail_on_errors,
        operations,
    })
}

/// The member of this name in any case.
fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Result<Option<&'a Value>, Error> {
    let mut found = object.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    match (found.next(), found.next()) {
        (one, None) => Ok(one.map(|(_, value)| value)),
        (_, Some(_)) => Err(Error::syntax(format!("{name} stands there twice"))),
    }
}

fn text(object: &Map<String, Value>, name: &str) -> Result<Option<String>, Error> {
    match member(object, name)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Error::syntax(format!("{name} takes a text"))),
    }
}

fn operation(value: &Value) -> Result<Operation, Error> {
    let object = value
        .as_object()
        .ok_or_else(|| Error::syntax("each operation must be an object"))?;
    let bulk_id = text(object, "bulkId")?.filter(|name| !name.is_empty());
    let method = text(object, "method")?.unwrap_or_default();
    let wish = wish(object, &method, bulk_id.is_some());
    Ok(Operation {
        method,
        bulk_id,
        wish,
    })
}

fn wish(object: &Map<String, Value>, method: &str, named: bool) -> Result<Wish, Error> {
    let method = match method {
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        _ => return Err(Error::syntax("method must be POST, PUT, PATCH or DELETE")),
    };
    let path = text(object, "path")?.unwrap_or_default();
    let mut parts = path.strip_prefix('/').unwrap_or(&path).splitn(2, '/');
    let endpoint = parts.next().unwrap_or_default().to_owned();
    let id = parts.next().filter(|id| !id.is_empty()).map(str::to_owned);
    match (method, &id) {
        _ if endpoint.is_empty() => return Err(Error::syntax("path must name an end point, such as /Users")),
        (Method::Post, Some(_)) => {
            return Err(Error::syntax(
                "path of a POST names an end point, such as /Users, and no resource",
            ));
        }
        (Method::Post, None) if !named => return Err(Error::syntax("a POST needs a bulkId")),
        (Method::Put | Method::Patch | Method::Delete, None) => {
            return Err(Error::syntax("path must name a resource, such as /Users/{id}"));
        }
        _ => {}
    }
    let data = member(object, "data")?.cloned().unwrap_or(Value::Null);
    if method != Method::Delete && !data.is_object() {
        return Err(Error::syntax("data must be an object"));
    }
    Ok(Wish {
        method,
        endpoint,
        id,
        version: text(object, "version")?,
        data,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::ScimType;

    fn read(operations: &Value) -> Result<Request, Error> {
        parse(&json!({ "schemas": [BULK_REQUEST], "Operations": operations }), 3)
    }

    /// Covers: rfc 7.1, 7.2; item 6
    #[test]
    fn rfc_7_2_what_is_wrong_with_one_operation_is_its_own() {
        let data = json!({});
        for (wrong, said) in [
            (
                json!({ "method": "POST", "path": "/Users", "data": data }),
                "bulkId",
            ),
            (json!({ "method": "GET", "path": "/Users/1" }), "method"),
            (json!({ "path": "/Users/1" }), "method"),
            (json!({ "method": "PUT", "path": "/Users", "data": data }), "path"),
            (
                json!({ "method": "POST", "path": "/Users/1", "bulkId": "a", "data": data }),
                "path",
            ),
            (json!({ "method": "DELETE", "path": "" }), "path"),
            (json!({ "method": "PATCH", "path": "/Users/1" }), "data"),
            (
                json!({ "method": "PATCH", "path": "/Users/1", "data": [] }),
                "data",
            ),
            (
                json!({ "method": "DELETE", "path": "/Users/1", "version": 1 }),
                "version",
            ),
        ] {
            let error = read(&json!([wrong])).unwrap().operations[0]
                .wish
                .clone()
                .unwrap_err();
            assert_eq!(error.scim_type, Some(ScimType::InvalidSyntax));
            assert!(error.detail.contains(said), "{wrong}: {error}");
        }
    }

    /// Covers: rfc 7.2, 7.7; item 6, item 10
    #[test]
    fn rfc_7_7_the_whole_is_refused_when_it_is_no_bulk_or_too_large() {
        let one = json!({ "method": "DELETE", "path": "/Users/1", "bulkId": "a" });
        assert_eq!(
            read(&json!([one, one])).unwrap_err().scim_type,
            Some(ScimType::InvalidSyntax)
        );
        assert_eq!(
            read(&json!([1])).unwrap_err().scim_type,
            Some(ScimType::InvalidSyntax)
        );
        assert_eq!(
            read(&json!({})).unwrap_err().scim_type,
            Some(ScimType::InvalidSyntax)
        );
        let four: Vec<Value> = (0..4)
            .map(|n| json!({ "method": "DELETE", "path": format!("/Users/{n}") }))
            .collect();
        let error = read(&json!(four)).unwrap_err();
        assert_eq!(error.status, 413);
        assert!(error.detail.contains("maxOperations") && error.detail.contains('3'));
        for wrong in [json!(0), json!(-1), json!("1"), json!(1.5)] {
            let body = json!({ "schemas": [BULK_REQUEST], "failOnErrors": wrong, "Operations": [] });
            assert!(parse(&body, 3).is_err(), "{wrong}");
        }
        assert!(parse(&json!({ "Operations": [] }), 3).is_err());
        assert!(read(&json!([])).unwrap().operations.is_empty());
    }
}
