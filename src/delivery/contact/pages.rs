//! Reads an app's list to its end, whatever the app says of its length.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::super::client::{Client, Ended, endpoint};
use super::super::send::resources;
use crate::net::Method;
use crate::provision::Ending;
use crate::scim::Object;

/// The most pages that are read of one list.
const MOST_PAGES: usize = 100_000;

/// A walk through an app's list (RFC 7644 §3.4.2.4). Ends at an empty page or at one that brings nobody new; neither
/// `totalResults` nor `itemsPerPage` is believed. An app that answers with `nextCursor` is walked by cursor from there
/// (RFC 9865 §2), and then a page without one is the last.
#[derive(Debug)]
pub(in crate::delivery) struct Pages {
    kind: String,
    start: usize,
    cursor: Option<String>,
    read: usize,
    seen: HashSet<String>,
}

impl Pages {
    /// A walk through all resources of a type.
    pub fn new(kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            start: 1,
            cursor: None,
            read: 0,
            seen: HashSet::new(),
        }
    }

    /// A walk that goes on where another one stopped; see [`Pages::progress`].
    pub fn resume(kind: &str, progress: &Value) -> Self {
        let start = progress.get("start").and_then(Value::as_u64);
        Self {
            start: start.and_then(|start| usize::try_from(start).ok()).unwrap_or(1),
            cursor: progress.get("cursor").and_then(Value::as_str).map(str::to_owned),
            ..Self::new(kind)
        }
    }

    /// Where the next page begins.
    pub fn progress(&self) -> Value {
        json!({ "kind": self.kind, "start": self.start, "cursor": self.cursor })
    }

    /// The next page; `None` at the end.
    ///
    /// # Errors
    /// How the call ended, or `None` when it was not started.
    pub async fn next(&mut self, client: &Client) -> Result<Option<Vec<Object>>, Option<Ended>> {
        if self.read >= MOST_PAGES {
            return Ok(None);
        }
        let start = self.start.to_string();
        let count = client.dialect().page.to_string();
        let place = match &self.cursor {
            Some(cursor) if cursor.is_empty() => return Ok(None),
            Some(cursor) => ("cursor", cursor.as_str()),
            None => ("startIndex", start.as_str()),
        };
        let query = [place, ("count", count.as_str())];
        let ended = client
            .call(Method::GET, &[endpoint(&self.kind)], &query, None)
            .await
            .ok_or(None)?;
        if !matches!(ended.ending, Ending::Answer(200..=299, _)) {
            return Err(Some(ended));
        }
        let answer = ended.json();
        let next = answer
            .as_ref()
            .and_then(|answer| answer.get("nextCursor")?.as_str());
        self.cursor = match (next, &self.cursor) {
            (Some(next), _) => Some(next.to_owned()),
            // An empty cursor: the page was the last.
            (None, Some(_)) => Some(String::new()),
            (None, None) => None,
        };
        let page = resources(answer);
        self.read += 1;
        self.start += page.len();
        let fresh: Vec<Object> = page
            .into_iter()
            .filter(|resource| {
                resource
                    .get("id")
                    .is_some_and(|id| self.seen.insert(id.to_string()))
            })
            .collect();
        Ok((!fresh.is_empty()).then_some(fresh))
    }
}
