//! Bodies of answers. A group may have any number of members: those that were not read with it are read in pages while
//! the answer is being sent, so that the memory of an answer does not grow with them.
//!
//! No connection and no snapshot is held between two pages, for a slow client would hold it too. So a member that
//! comes or goes meanwhile may be there or not; who is a member throughout is there once. The version was read before
//! the members: who asks with it again never takes an older list for the newer.

use std::collections::VecDeque;
use std::fmt::Write as _;

use actix_web::web::{Bytes, Data};
use actix_web::{HttpResponse, HttpResponseBuilder};
use futures_util::stream;

use super::super::State;
use super::render::{self, End, MEMBERS_END};
use super::session::Session;
use crate::base::{ResourceId, TenantId};
use crate::directory::{Found, MemberRow};
use crate::scim::{Projection, ResourceType};

/// Members that are read and sent at once.
const PAGE: i64 = 2_000;

/// What an answer consists of, in order.
#[derive(Debug)]
enum Piece {
    Text(String),
    /// The members of a group after one of them, each after a comma.
    Members {
        group: ResourceId,
        after: ResourceId,
        kind: Box<ResourceType>,
        projection: Projection,
    },
}

/// The text of an answer in the making.
#[derive(Debug, Default)]
pub struct Body {
    done: Vec<Piece>,
    text: String,
}

impl std::fmt::Write for Body {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.text.push_str(text);
        Ok(())
    }
}

impl Body {
    /// Adds a resource as the client is to see it.
    pub fn resource(&mut self, base: &str, kind: &ResourceType, found: &Found, projection: &Projection) {
        let (text, end) = render::resource(base, kind, found, projection);
        if self.text.is_empty() {
            self.text = text;
        } else {
            self.text.push_str(&text);
        }
        if let (End::MoreMembers, Some(last)) = (end, found.members.last()) {
            self.done.push(Piece::Text(std::mem::take(&mut self.text)));
            self.done.push(Piece::Members {
                group: found.id,
                after: last.id,
                kind: Box::new(kind.clone()),
                projection: projection.clone(),
            });
            self.text.push_str(MEMBERS_END);
        }
    }

    /// Answers with it: in one piece, or, with members that are still to be read, as they come.
    pub fn send<S>(self, mut answer: HttpResponseBuilder, session: &Session<S>) -> HttpResponse {
        if self.done.is_empty() {
            return answer.body(self.text);
        }
        let mut pieces = VecDeque::from(self.done);
        pieces.push_back(Piece::Text(self.text));
        let sending = Sending {
            pieces,
            state: session.state.clone(),
            tenant: session.caller.tenant,
            base: session.base.clone(),
        };
        answer.streaming(Box::pin(stream::try_unfold(sending, Sending::next)))
    }
}

/// An answer under way.
struct Sending {
    pieces: VecDeque<Piece>,
    state: Data<State>,
    tenant: TenantId,
    base: String,
}

impl Sending {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, actix_web::Error> {
        loop {
            let (group, after, kind, projection) = match self.pieces.pop_front() {
                None => return Ok(None),
                Some(Piece::Text(text)) => return Ok(Some((Bytes::from(text), self))),
                Some(Piece::Members {
                    group,
                    after,
                    kind,
                    projection,
                }) => (group, after, kind, projection),
            };
            let rows = self.members(group, after).await?;
            let Some(last) = rows.last().map(|row| row.id) else {
                continue;
            };
            let mut text = String::new();
            let _ = write!(
                text,
                ",{}",
                render::member_list(&self.base, &kind, &rows, &projection)
            );
            if i64::try_from(rows.len()) == Ok(PAGE) {
                self.pieces.push_front(Piece::Members {
                    group,
                    after: last,
                    kind,
                    projection,
                });
            }
            return Ok(Some((Bytes::from(text), self)));
        }
    }

    /// A failure ends the connection before the body's end, which tells the client that the answer is not whole.
    async fn members(
        &self,
        group: ResourceId,
        after: ResourceId,
    ) -> Result<Vec<MemberRow>, actix_web::Error> {
        let broken = |error: &(dyn std::error::Error + 'static)| {
            tracing::error!(error = %crate::base::Chain(error), "the members of a group could not be sent to the end");
            actix_web::error::ErrorInternalServerError("the answer ended early")
        };
        let mut conn = self.state.db.conn().await.map_err(|error| broken(&error))?;
        self.state
            .directory
            .members_of(&mut conn, (self.tenant, group), Some(after), PAGE)
            .await
            .map_err(|error| broken(&error))
    }
}
