//! Reads an app's list to its end, whatever the app says of its length.

use std::collections::HashSet;

use super::super::client::{Client, Ended, endpoint};
use super::super::send::resources;
use crate::net::Method;
use crate::provision::Ending;
use crate::scim::Object;

/// The most pages that are read of one list.
const MOST_PAGES: usize = 100_000;

/// A walk through an app's list (RFC 7644 §3.4.2.4). Ends at an empty page or at one that brings nobody new; neither
/// `totalResults` nor `itemsPerPage` is believed.
#[derive(Debug)]
pub(in crate::delivery) struct Pages {
    kind: String,
    start: usize,
    read: usize,
    seen: HashSet<String>,
}

impl Pages {
    /// A walk through all resources of a type.
    pub fn new(kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            start: 1,
            read: 0,
            seen: HashSet::new(),
        }
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
        let query = [("startIndex", start.as_str()), ("count", count.as_str())];
        let ended = client
            .call(Method::GET, &[endpoint(&self.kind)], &query, None)
            .await
            .ok_or(None)?;
        if !matches!(ended.ending, Ending::Answer(200..=299, _)) {
            return Err(Some(ended));
        }
        let page = resources(ended.json());
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
