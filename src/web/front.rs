//! What every request goes through before its route is sought: its address is tidied, HEAD is read as GET, and a
//! panic of whoever answers it becomes an answer.

use std::panic::AssertUnwindSafe;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::uri::PathAndQuery;
use actix_web::http::{Method, StatusCode, Uri};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use futures_util::FutureExt as _;

use super::scim::Refusal;
use super::{Problem, State, api};

/// The most bytes of an address that are looked at: a filter of the longest allowed length, percent-encoded, fits.
const LONGEST_ADDRESS: usize = 32 * 1024;

/// Whether an address is SCIM's, so that every "no" there has SCIM's body.
fn is_scim(path: &str) -> bool {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    match parts.next() {
        Some("scim") => true,
        Some("t") => parts.nth(1).is_none_or(|part| part == "scim"),
        _ => false,
    }
}

/// Refuses addresses that are too long, merges slashes and drops one at the end, and reads HEAD as GET, whose body
/// is then not sent (RFC 9110 §9.3.2).
pub(super) async fn tidy(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let uri = request.uri();
    if uri.path().len() + uri.query().map_or(0, str::len) > LONGEST_ADDRESS {
        let detail =
            format!("the address is longer than {LONGEST_ADDRESS} bytes; long searches go to /.search");
        let refused = if is_scim(uri.path()) {
            Refusal::new(StatusCode::URI_TOO_LONG, detail).error_response()
        } else {
            Problem::new(StatusCode::URI_TOO_LONG, "address-too-long", detail).error_response()
        };
        return Ok(request.into_response(refused).map_into_right_body());
    }
    if let Some(uri) = tidied(uri) {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
    if request.method() == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
    Ok(next.call(request).await?.map_into_left_body())
}

/// Answers 503 where a SCIM request takes too long. What it began in a transaction is taken back; whether a single
/// write took effect is not known then, as with any answer that gets lost, and repeating it is safe.
pub(super) async fn in_time(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let limit = request.app_data::<Data<State>>().map(|state| state.request_limit);
    let Some(limit) = limit.filter(|_| is_scim(request.path())) else {
        return next.call(request).await;
    };
    match tokio::time::timeout(limit, next.call(request)).await {
        Ok(answered) => answered,
        Err(_) => {
            tracing::warn!(limit_s = limit.as_secs(), "a request took too long");
            Err(Refusal::late().into())
        }
    }
}

/// The address without empty parts, if it has any.
fn tidied(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    if path.len() < 2 || !(path.ends_with('/') || path.contains("//")) {
        return None;
    }
    let mut tidy = String::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        tidy.push('/');
        tidy.push_str(part);
    }
    if tidy.is_empty() {
        tidy.push('/');
    }
    if let Some(query) = uri.query() {
        tidy.push('?');
        tidy.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(tidy).ok()?);
    Uri::from_parts(parts).ok()
}

/// Answers 500 where the handler panicked; the connection lives on.
pub(super) async fn catch_panic(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let scim = is_scim(request.path());
    match AssertUnwindSafe(async { next.call(request).await })
        .catch_unwind()
        .await
    {
        Ok(answered) => answered,
        Err(_) => {
            tracing::error!("a handler panicked");
            let detail =
                "something failed that should not; the server's log says more under this request's id";
            Err(if scim {
                Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into()
            } else {
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into()
            })
        }
    }
}

/// What has no route: 405 where another method has one, else 404.
pub(super) async fn elsewhere(request: HttpRequest) -> HttpResponse {
    if is_scim(request.path()) {
        return Refusal::not_found().error_response();
    }
    match api::document::allowed(request.path()) {
        Some(allowed) => super::error::other_method(&request, &allowed),
        None => Problem::not_found("there is nothing here").error_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use actix_web::middleware::from_fn;
    use actix_web::{App, HttpServer, web};

    use super::*;

    #[test]
    fn addresses_lose_their_empty_parts() {
        for (given, tidy) in [
            ("/scim/v2/Users/", Some("/scim/v2/Users")),
            (
                "//scim//v2/Users?filter=a%2Fb//",
                Some("/scim/v2/Users?filter=a%2Fb//"),
            ),
            ("/scim/v2/?aadOptscim062020", Some("/scim/v2?aadOptscim062020")),
            ("//", Some("/")),
            ("/", None),
            ("/scim/v2/Users", None),
        ] {
            let uri: Uri = given.parse().unwrap();
            assert_eq!(
                tidied(&uri).map(|uri| uri.to_string()).as_deref(),
                tidy,
                "{given}"
            );
        }
    }

    #[test]
    fn what_is_scim_is_told_by_the_address() {
        for path in [
            "/scim",
            "/scim/v3/x",
            "//scim/v2",
            "/t/x/scim/v2/Users",
            "/t/",
            "/t/x",
        ] {
            assert!(is_scim(path), "{path}");
        }
        for path in ["/", "/scimitar", "/api/v1/scim", "/t/x/y", "/healthz"] {
            assert!(!is_scim(path), "{path}");
        }
    }

    fn ask(stream: &mut TcpStream, path: &str) -> String {
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let (mut answer, mut chunk) = (String::new(), [0; 4096]);
        while !answer.ends_with('}') {
            let read = stream.read(&mut chunk).unwrap();
            assert!(read > 0, "the connection is dead after {answer:?}");
            answer.push_str(std::str::from_utf8(&chunk[..read]).unwrap());
        }
        answer
    }

    /// Covers: rfc 3.5; item 6
    #[test]
    fn a_panic_is_an_answer_and_the_connection_lives_on() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serve = move || {
            let broken = async |request: HttpRequest| -> HttpResponse {
                assert!(request.path().is_empty(), "broken on purpose");
                HttpResponse::Ok().finish()
            };
            let server = HttpServer::new(move || {
                App::new()
                    .route("/scim/v2/broken", web::get().to(broken))
                    .route("/broken", web::get().to(broken))
                    .default_service(web::to(elsewhere))
                    .wrap(from_fn(catch_panic))
            });
            let server = server.workers(1).disable_signals().listen(listener);
            actix_web::rt::System::new().block_on(server.unwrap().run())
        };
        std::thread::spawn(serve);
        let mut stream = TcpStream::connect(address).unwrap();
        for _ in 0..2 {
            let answer = ask(&mut stream, "/scim/v2/broken");
            assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
            assert!(answer.contains("application/scim+json") && answer.contains(r#""status":"500""#));
            let answer = ask(&mut stream, "/broken");
            assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
            assert!(answer.contains("application/problem+json"), "{answer}");
        }
        assert!(ask(&mut stream, "/scim/nothing").starts_with("HTTP/1.1 404"));
    }
}
