//! Whether the accounts of an app are those that are linked. A token of another tenant of the same server, or a server that
//! was set up anew, leads to others; then nothing may be sent under the ids that are kept.

use std::collections::HashMap;

use super::super::client::Client;
use crate::net::Method;
use crate::provision::{Deed, Sense, sense};

/// So few accounts say nothing.
const FEWEST: usize = 3;
/// What to do about it.
const REMEDY: &str = "if the address or the token is now that of another server or tenant, publish with --new-target \
                      (\"accounts\": \"new\"): links are dropped and accounts matched anew; nothing is sent meanwhile";

/// How many accounts to ask for one by one.
pub(super) const SAMPLE: i64 = 3;

/// What a walk through an app's list says of the accounts that are linked.
#[derive(Debug, Default)]
pub(super) struct Familiar {
    seen: usize,
    same: usize,
    other: usize,
}

impl Familiar {
    /// Holds a page, externalIds by the app's ids, against what is known of those of it that are linked.
    pub fn compare(&mut self, page: &HashMap<String, Option<String>>, known: &[(String, Option<String>)]) {
        for (remote, ours) in known {
            self.seen = self.seen.saturating_add(1);
            if let (Some(ours), Some(Some(theirs))) = (ours, page.get(remote)) {
                let slot = if ours == theirs {
                    &mut self.same
                } else {
                    &mut self.other
                };
                *slot = slot.saturating_add(1);
            }
        }
    }

    /// Whether the list had nobody who is linked.
    pub const fn is_strange(&self) -> bool {
        self.seen == 0
    }

    /// Whether most accounts bear the mark of others than those they are linked to.
    pub fn others(&self) -> Option<String> {
        (self.other >= FEWEST && self.other > self.same).then(|| {
            format!(
                "{} of {} linked accounts bear another externalId than we know of them: {REMEDY}",
                self.other,
                self.other.saturating_add(self.same)
            )
        })
    }
}

/// Asks for linked accounts one by one, since lists lose people. Why none of them may be used, if none is there.
pub(super) async fn gone(client: &Client, sample: &[String]) -> Result<Option<String>, (Sense, String)> {
    if sample.len() < FEWEST {
        return Ok(None);
    }
    for remote in sample {
        let Some(ended) = client.call(Method::GET, &["Users", remote], &[], None).await else {
            return Err((Sense::Later, String::new()));
        };
        match sense(Deed::Change, ended.ending) {
            Sense::Gone => {}
            Sense::Done | Sense::Refused => return Ok(None),
            other => return Err((other, ended.words)),
        }
    }
    Ok(Some(format!(
        "none of the linked accounts is there any more: {REMEDY}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_or_two_that_differ_are_no_other_tenant() {
        let page = |ids: &[(&str, Option<&str>)]| -> HashMap<String, Option<String>> {
            ids.iter()
                .map(|(id, mark)| ((*id).to_owned(), mark.map(str::to_owned)))
                .collect()
        };
        let known: Vec<(String, Option<String>)> = ["1", "2", "3", "4"]
            .map(|id| (id.to_owned(), Some(format!("x{id}"))))
            .to_vec();
        for (listed, others) in [
            (
                page(&[
                    ("1", Some("x1")),
                    ("2", Some("x2")),
                    ("3", Some("x3")),
                    ("4", Some("x4")),
                ]),
                false,
            ),
            (
                page(&[
                    ("1", Some("y")),
                    ("2", Some("y")),
                    ("3", Some("x3")),
                    ("4", Some("x4")),
                ]),
                false,
            ),
            (page(&[("1", None), ("2", None), ("3", None), ("4", None)]), false),
            (
                page(&[
                    ("1", Some("y")),
                    ("2", Some("y")),
                    ("3", Some("y")),
                    ("4", Some("x4")),
                ]),
                true,
            ),
        ] {
            let mut familiar = Familiar::default();
            familiar.compare(&listed, &known);
            assert_eq!(familiar.others().is_some(), others, "{listed:?}");
            assert!(!familiar.is_strange());
        }
        assert!(Familiar::default().is_strange());
    }
}
