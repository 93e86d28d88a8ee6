//! Reads the body of a PATCH.

use serde_json::{Map, Value};

use crate::scim::error::Error;
use crate::scim::filter::{PatchTarget, parse_target};
use crate::scim::limits::OPERATIONS;
use crate::scim::message::PATCH_OP;
use crate::scim::tolerated::{Manner, Shape};

/// A PATCH.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request {
    /// What to do, in order.
    pub operations: Vec<Operation>,
    /// How the client is read. A strict one gets no element for a filter that matches none, its op is in lower case,
    /// and so on. Default: tolerant.
    pub manner: Manner,
    /// Shapes of the body that are no RFC.
    pub tolerated: Vec<Shape>,
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// What to do.
    pub op: OperationKind,
    /// To what; none is the resource itself.
    pub target: Option<PatchTarget>,
    /// With what. `None` only if the client sent no value; a `null` is a value.
    pub value: Option<Value>,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    /// Add.
    Add,
    /// Remove.
    Remove,
    /// Replace.
    Replace,
}

/// Reads the body of a PATCH. Whether its paths exist is seen when it is applied.
///
/// # Errors
/// `400 invalidSyntax` for a body that is no PATCH, `400 invalidPath` for a broken path, `400 invalidValue` without
/// operations, `400 noTarget` for a `remove` without path.
pub fn parse(body: &Value) -> Result<Request, Error> {
    let body = body
        .as_object()
        .ok_or_else(|| Error::syntax("the body is not a JSON object"))?;
    let mut request = Request::default();
    match member(body, "schemas")? {
        None => request.tolerated.push(Shape::PatchWithoutSchemas),
        Some(schemas) if declares(schemas) => {}
        Some(_) => return Err(Error::syntax(format!("schemas must have {PATCH_OP} in it"))),
    }
    let operations = member(body, "Operations")?
        .and_then(Value::as_array)
        .ok_or_else(|| Error::syntax("Operations must be a list"))?;
    if operations.is_empty() {
        return Err(Error::value("Operations is empty"));
    }
    if operations.len() > OPERATIONS {
        return Err(Error::value(format!("more than {OPERATIONS} operations")));
    }
    for (at, operation) in operations.iter().enumerate() {
        let operation = read(operation, &mut request.tolerated).map_err(|error| numbered(at, error))?;
        request.operations.push(operation);
    }
    Ok(request)
}

/// Says in the detail which operation is meant.
pub(super) fn numbered(at: usize, error: Error) -> Error {
    Error {
        detail: format!("operation {}: {}", at.saturating_add(1), error.detail),
        ..error
    }
}

fn declares(schemas: &Value) -> bool {
    schemas.as_array().is_some_and(|urns| {
        urns.iter()
            .any(|urn| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(PATCH_OP)))
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

fn read(operation: &Value, tolerated: &mut Vec<Shape>) -> Result<Operation, Error> {
    let operation = operation
        .as_object()
        .ok_or_else(|| Error::syntax("it is not an object"))?;
    for key in operation.keys() {
        match key.to_ascii_lowercase().as_str() {
            "op" | "path" | "value" => {}
            "name" => tolerated.push(Shape::NamedOperation),
            _ => return Err(Error::syntax("it has more than op, path and value")),
        }
    }
    let word = member(operation, "op")?
        .and_then(Value::as_str)
        .unwrap_or_default();
    let op = match word.to_ascii_lowercase().as_str() {
        "add" => OperationKind::Add,
        "remove" => OperationKind::Remove,
        "replace" => OperationKind::Replace,
        _ => return Err(Error::syntax("op must be add, remove or replace")),
    };
    if word.chars().any(char::is_uppercase) {
        tolerated.push(Shape::OperationCase);
    }
    let target = match member(operation, "path")? {
        None | Some(Value::Null) => None,
        Some(Value::String(path)) if path.trim().is_empty() => None,
        Some(Value::String(path)) => Some(parse_target(path)?),
        Some(_) => return Err(Error::path("path must be a text")),
    };
    let value = member(operation, "value")?.cloned();
    match (op, &target, &value) {
        (OperationKind::Remove, None, _) => Err(Error::no_target("a remove needs a path")),
        (OperationKind::Add | OperationKind::Replace, _, None) => Err(Error::value("the value is missing")),
        (_, None, Some(value)) if !value.is_object() => Err(Error::value(
            "without a path, the value must be an object of attributes",
        )),
        _ => Ok(Operation { op, target, value }),
    }
}
