//! Bodies of requests.

use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use serde_json::Value;

use super::super::State;
use super::BODY_BYTES;
use super::media;
use super::refusal::Refusal;
use crate::scim;

/// How long the next part of a body may be in coming.
const SLOWEST_PART: Duration = Duration::from_secs(15);

/// Reads a JSON body, within the limits: of the time that a request has, half may go by until its body is there.
pub async fn read(request: &HttpRequest, payload: Payload) -> Result<Value, Refusal> {
    media::check_sent(request)?;
    let state = request.app_data::<Data<State>>();
    let whole = state.map_or(SLOWEST_PART, |state| state.request_limit / 2);
    let body = gather(payload, SLOWEST_PART.min(whole), whole).await?;
    serde_json::from_slice(&body).map_err(|error| {
        let detail = format!(
            "the body is not JSON: line {}, column {}",
            error.line(),
            error.column()
        );
        scim::Error::syntax(detail).into()
    })
}

/// The whole of a body, if its parts keep coming: each within `gap`, all within `whole`.
async fn gather(
    mut parts: impl Stream<Item = Result<Bytes, PayloadError>> + Unpin,
    gap: Duration,
    whole: Duration,
) -> Result<Vec<u8>, Refusal> {
    let late = || Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time");
    let begun = Instant::now();
    let mut body = Vec::new();
    while let Some(part) = tokio::time::timeout(gap, parts.next())
        .await
        .map_err(|_| late())?
    {
        let part = part.map_err(|_| scim::Error::syntax("the body did not arrive whole"))?;
        if body.len().saturating_add(part.len()) > BODY_BYTES {
            let detail = format!("the body is larger than maxPayloadSize allows ({BODY_BYTES} bytes)");
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        if begun.elapsed() > whole {
            return Err(late());
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError as _;
    use futures_util::stream;

    use super::*;

    /// Covers: item 10
    #[tokio::test]
    async fn a_body_that_stops_coming_or_never_ends_is_408() {
        let (short, long) = (Duration::from_millis(20), Duration::from_secs(60));
        let stuck = stream::once(async { Ok(Bytes::from_static(b"{")) }).chain(stream::pending());
        let refusal = gather(Box::pin(stuck), short, long).await.unwrap_err();
        assert_eq!(refusal.status_code(), StatusCode::REQUEST_TIMEOUT);
        let endless = stream::repeat_with(|| Ok(Bytes::new()));
        let refusal = gather(endless, long, short).await.unwrap_err();
        assert_eq!(refusal.status_code(), StatusCode::REQUEST_TIMEOUT);
        let whole = stream::iter([Ok(Bytes::from_static(b"{")), Ok(Bytes::from_static(b"}"))]);
        assert_eq!(gather(whole, long, long).await.unwrap(), b"{}");
    }
}
