//! The members of one group in pages: `GET /Groups/{id}?membersCount=100`.
//!
//! The RFCs page resources and never the values of an attribute, so this is ours: the answer is the group with up to
//! that many members in the order of their ids, and while there are more, a `Link` header with `rel="next"` (RFC 8288)
//! has the address of the next page. The body has nothing in it that a client of RFC 7643 would not know. By the RFCs alone
//! the same is `GET /Users?filter=groups.value eq "…"`.

use actix_web::HttpRequest;
use actix_web::http::header::HeaderValue;

use super::refusal::Refusal;
use super::{PAGE_MAX, render};
use crate::base::ResourceId;
use crate::directory::Found;
use crate::scim::{self, ResourceType};

const COUNT: &str = "membersCount";
const AFTER: &str = "membersAfter";

/// Which members are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MembersPage {
    after: Option<ResourceId>,
    count: usize,
}

impl MembersPage {
    /// The page that the query asks for; `None` when it asks for none.
    pub fn asked(kind: &ResourceType, request: &HttpRequest) -> Result<Option<Self>, Refusal> {
        if kind.membership().is_none() || !request.query_string().contains("members") {
            return Ok(None);
        }
        let (mut after, mut count) = (None, None);
        for (name, value) in url::form_urlencoded::parse(request.query_string().as_bytes()) {
            if name.eq_ignore_ascii_case(COUNT) {
                let number = value.parse::<u64>();
                let number =
                    number.map_err(|_| scim::Error::value("membersCount must be a number from 1 to 1000"))?;
                count = Some(number.clamp(1, PAGE_MAX));
            } else if name.eq_ignore_ascii_case(AFTER) {
                let id = value.parse::<ResourceId>().map_err(|_| {
                    scim::Error::value("membersAfter must be as the Link header of the page before has it")
                })?;
                after = Some(id);
            }
        }
        let wanted = after.is_some() || count.is_some();
        let count = usize::try_from(count.unwrap_or(PAGE_MAX)).unwrap_or(1);
        Ok(wanted.then_some(Self { after, count }))
    }

    /// After which member it begins, and how many to read: one more than are shown, to see whether there are more.
    pub fn reach(self) -> (Option<ResourceId>, i64) {
        let limit = i64::try_from(self.count).unwrap_or(i64::MAX);
        (self.after, limit.saturating_add(1))
    }

    /// Puts what was read into the group; where there are more, gives the `Link` to them.
    pub fn show(
        self,
        rows: Vec<crate::directory::MemberRow>,
        (base, kind, found): (&str, &ResourceType, &mut Found),
        request: &HttpRequest,
    ) -> Option<HeaderValue> {
        found.members = rows;
        let more = found.members.len() > self.count;
        found.members.truncate(self.count);
        let last = found.members.last().filter(|_| more)?;
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in url::form_urlencoded::parse(request.query_string().as_bytes()) {
            if !name.eq_ignore_ascii_case(AFTER) {
                query.append_pair(&name, &value);
            }
        }
        query.append_pair(AFTER, &last.id.to_string());
        let address = render::location(base, kind, found);
        HeaderValue::from_str(&format!("<{address}?{}>; rel=\"next\"", query.finish())).ok()
    }
}
