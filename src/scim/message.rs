//! The messages around resources: lists and searches (RFC 7644 §3.4.2 and §3.4.3, RFC 9865).

use serde::Serialize;
use serde_json::Value;

use super::error::{Error, ScimType};

/// Schema of a list.
pub const LIST_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// Schema of a search.
pub const SEARCH_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
/// Schema of a PATCH.
pub const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// Media type of all bodies.
pub const MEDIA_TYPE: &str = "application/scim+json";

/// A list of resources. `Resources` is there even when it is empty, since Entra and Okta want it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListResponse<T> {
    /// Always [`LIST_RESPONSE`].
    pub schemas: [&'static str; 1],
    /// How many resources there are in all; may be unknown with cursors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_results: Option<u64>,
    /// How many are in this answer.
    pub items_per_page: u64,
    /// Where this answer starts, from 1; not with cursors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_index: Option<u64>,
    /// Cursor of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// The resources.
    #[serde(rename = "Resources")]
    pub resources: Vec<T>,
}

impl<T> ListResponse<T> {
    /// A page of a walk by index.
    #[must_use]
    pub fn indexed(total_results: u64, start_index: u64, resources: Vec<T>) -> Self {
        Self {
            total_results: Some(total_results),
            start_index: Some(start_index),
            ..Self::cursored(None, None, resources)
        }
    }

    /// A page of a walk by cursor.
    #[must_use]
    pub fn cursored(total_results: Option<u64>, next_cursor: Option<String>, resources: Vec<T>) -> Self {
        Self {
            schemas: [LIST_RESPONSE],
            total_results,
            items_per_page: u64::try_from(resources.len()).unwrap_or(u64::MAX),
            start_index: None,
            next_cursor,
            resources,
        }
    }
}

/// A search, from the query string or from the body of `/.search`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SearchRequest {
    /// Attributes to show.
    pub attributes: Vec<String>,
    /// Attributes not to show.
    pub excluded_attributes: Vec<String>,
    /// The filter.
    pub filter: Option<String>,
    /// Attribute to sort by.
    pub sort_by: Option<String>,
    /// Whether the greatest comes first.
    pub descending: bool,
    /// Where to start, from 1; `None` if not said.
    pub start_index: Option<u64>,
    /// How many to give at most; `None` if not said.
    pub count: Option<u64>,
    /// The cursor (RFC 9865); empty asks for the first page.
    pub cursor: Option<String>,
}

impl SearchRequest {
    /// Reads the parameters of a query string, decoded already. Unknown ones are ignored.
    ///
    /// # Errors
    /// `400 invalidValue` for what is not readable; `400 invalidCount` for a count beside a cursor (RFC 9865 §2.1).
    pub fn from_query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Error> {
        let pairs: Vec<(&str, &str)> = pairs.into_iter().collect();
        let mut search = Self::default();
        // First, since it says which rules hold for `count`.
        for (name, text) in pairs.iter().filter(|(name, _)| is_cursor(name)) {
            search.set(name, &Value::from(*text))?;
        }
        for (name, text) in pairs.iter().filter(|(name, _)| !is_cursor(name)) {
            search.set(name, &Value::from(*text))?;
        }
        search.check()
    }

    /// Reads the body of `/.search`.
    ///
    /// # Errors
    /// `400 invalidSyntax` for a body that is no search, `400 invalidValue` for what is not readable in it.
    pub fn from_body(body: &Value) -> Result<Self, Error> {
        let body = body
            .as_object()
            .ok_or_else(|| Error::syntax("the body is not a JSON object"))?;
        let declared = body
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case("schemas"))
            .and_then(|(_, value)| value.as_array())
            .is_some_and(|urns| {
                urns.iter().any(|urn| {
                    urn.as_str()
                        .is_some_and(|urn| urn.eq_ignore_ascii_case(SEARCH_REQUEST))
                })
            });
        if !declared {
            return Err(Error::syntax(format!("schemas must have {SEARCH_REQUEST} in it")));
        }
        let mut search = Self::default();
        let members = || body.iter().filter(|(_, value)| !value.is_null());
        for (name, value) in members().filter(|(name, _)| is_cursor(name)) {
            search.set(name, value)?;
        }
        for (name, value) in members().filter(|(name, _)| !is_cursor(name)) {
            search.set(name, value)?;
        }
        search.check()
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), Error> {
        match name.to_ascii_lowercase().as_str() {
            "attributes" => self.attributes = names(value, name)?,
            "excludedattributes" => self.excluded_attributes = names(value, name)?,
            "filter" => self.filter = Some(text(value, name)?).filter(|text| !text.trim().is_empty()),
            "sortby" => self.sort_by = Some(text(value, name)?).filter(|text| !text.trim().is_empty()),
            "sortorder" => {
                self.descending = match text(value, name)?.to_ascii_lowercase().as_str() {
                    "descending" => true,
                    "ascending" | "" => false,
                    _ => return Err(Error::value("sortOrder is ascending or descending")),
                }
            }
            "startindex" => self.start_index = Some(number(value, name, ScimType::InvalidValue)?.max(1)),
            "count" => {
                let wrong = match self.cursor {
                    Some(_) => ScimType::InvalidCount,
                    None => ScimType::InvalidValue,
                };
                self.count = Some(number(value, name, wrong)?);
            }
            "cursor" => self.cursor = Some(text(value, name)?),
            _ => {}
        }
        Ok(())
    }

    fn check(self) -> Result<Self, Error> {
        if self.cursor.is_some() && self.start_index.is_some() {
            return Err(Error::value("cursor and startIndex exclude each other"));
        }
        Ok(self)
    }
}

fn is_cursor(name: &str) -> bool {
    name.eq_ignore_ascii_case("cursor")
}

fn text(value: &Value, name: &str) -> Result<String, Error> {
    let text = value
        .as_str()
        .ok_or_else(|| Error::value(format!("{name} takes a text")))?;
    if text.contains('\0') {
        return Err(Error::value(format!("{name} has a NUL character in it")));
    }
    Ok(text.to_owned())
}

fn names(value: &Value, name: &str) -> Result<Vec<String>, Error> {
    let wrong = || Error::value(format!("{name} takes a list of names"));
    match value {
        Value::Array(list) => list
            .iter()
            .map(|name| name.as_str().map(str::to_owned).ok_or_else(wrong))
            .collect(),
        Value::String(text) => Ok(text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()),
        _ => Err(wrong()),
    }
}

/// A whole number; below zero is zero (RFC 7644 §3.4.2.4).
fn number(value: &Value, name: &str, scim_type: ScimType) -> Result<u64, Error> {
    let read = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse::<i64>().ok(),
        _ => None,
    };
    let read = read.ok_or_else(|| Error::of(400, scim_type, format!("{name} takes a whole number")))?;
    Ok(u64::try_from(read).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_6_40_to_6_45_start_index_and_count() {
        let read = |pairs: &[(&'static str, &'static str)]| SearchRequest::from_query(pairs.iter().copied());
        let search = read(&[
            ("startIndex", "-3"),
            ("count", "-1"),
            ("sortOrder", "Descending"),
            ("x", "y"),
        ])
        .unwrap();
        assert_eq!(
            (search.start_index, search.count, search.descending),
            (Some(1), Some(0), true)
        );
        for bad in [
            ("startIndex", "one"),
            ("count", "1.5"),
            ("sortOrder", "up"),
            ("filter", "a\0"),
        ] {
            assert_eq!(
                read(&[bad]).unwrap_err().scim_type,
                Some(ScimType::InvalidValue),
                "{bad:?}"
            );
        }
        assert!(read(&[("startIndex", "1"), ("cursor", "")]).is_err());
        assert_eq!(
            read(&[("attributes", "userName, emails.value,")])
                .unwrap()
                .attributes,
            ["userName", "emails.value"]
        );
    }

    #[test]
    fn rule_6_70_a_search_body() {
        let body = json!({"schemas": [SEARCH_REQUEST], "Filter": "active eq true", "count": 5, "attributes": ["id"], "sortBy": null});
        let search = SearchRequest::from_body(&body).unwrap();
        assert_eq!(
            (search.filter.as_deref(), search.count, search.attributes.len()),
            (Some("active eq true"), Some(5), 1)
        );
        assert_eq!(
            SearchRequest::from_body(&json!({})).unwrap_err().scim_type,
            Some(ScimType::InvalidSyntax)
        );
    }

    #[test]
    fn rules_6_1_and_6_43_lists_have_their_counts() {
        let list = serde_json::to_value(ListResponse::<Value>::indexed(0, 1, Vec::new())).unwrap();
        assert_eq!(
            list,
            json!({"schemas": [LIST_RESPONSE], "totalResults": 0, "itemsPerPage": 0, "startIndex": 1, "Resources": []})
        );
    }
}
