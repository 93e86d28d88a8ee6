//! The HTTP server.
//!
//! What is no HTTP request at all never gets here: actix answers a broken request line or header with 400, a head that
//! is too large with 431 and one that takes more than ten seconds with 408, each without a body, and closes the
//! connection. It has no door for a body there (actix-http 3.20, `h1/dispatcher.rs`, read 2026-11-22).

use std::io;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use actix_web::dev::{Server, ServerHandle, Service as _};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};
use tracing_actix_web::TracingLogger;

use super::auth::at_the_door;
use super::span::RequestSpan;
use super::{State, front, routes};

/// How long requests under way get when the server stops.
const DRAIN_SECONDS: u64 = 30;
/// How long a client may take to send its head.
const SLOWEST_HEAD: Duration = Duration::from_secs(10);

/// A running server.
#[derive(Debug)]
pub struct Running {
    handle: ServerHandle,
    task: tokio::task::JoinHandle<io::Result<()>>,
}

impl Running {
    /// Takes no more connections, lets requests under way finish, ends.
    pub async fn stop(self) {
        self.handle.stop(true).await;
        if let Ok(Err(error)) = self.task.await {
            tracing::error!(error = %error, "the HTTP server ended badly");
        }
    }
}

/// Serves on a listener that is bound already.
///
/// # Errors
/// When the listener cannot be used.
pub fn start(listener: TcpListener, state: State) -> io::Result<Running> {
    let server = serve(listener, state)?;
    let handle = server.handle();
    let task = tokio::spawn(server);
    Ok(Running { handle, task })
}

fn serve(listener: TcpListener, state: State) -> io::Result<Server> {
    let state = Data::new(state);
    let server = HttpServer::new(move || {
        let metrics = std::sync::Arc::clone(&state.metrics);
        App::new()
            .app_data(Data::clone(&state))
            .configure(routes)
            .default_service(web::to(front::elsewhere))
            .wrap(from_fn(at_the_door))
            .wrap(from_fn(front::tidy))
            .wrap(from_fn(front::in_time))
            .wrap(from_fn(front::catch_panic))
            .wrap_fn(move |request, service| {
                let metrics = std::sync::Arc::clone(&metrics);
                let begun = Instant::now();
                let method = request.method().clone();
                let answered = service.call(request);
                async move {
                    let answered = answered.await;
                    let (route, status) = match &answered {
                        Ok(answer) => (answer.request().match_pattern(), answer.status()),
                        Err(error) => (None, error.as_response_error().status_code()),
                    };
                    metrics.served(method.as_str(), route, status.as_u16(), begun.elapsed());
                    answered
                }
            })
            .wrap(from_fn(no_sniffing))
            .wrap(TracingLogger::<RequestSpan>::new())
    })
    .disable_signals()
    .client_request_timeout(SLOWEST_HEAD)
    .shutdown_timeout(DRAIN_SECONDS)
    .listen(listener)?
    .run();
    Ok(server)
}

async fn no_sniffing(
    request: actix_web::dev::ServiceRequest,
    next: actix_web::middleware::Next<impl actix_web::body::MessageBody + 'static>,
) -> Result<actix_web::dev::ServiceResponse<impl actix_web::body::MessageBody>, actix_web::Error> {
    use actix_web::http::header::{CACHE_CONTROL, HeaderValue, X_CONTENT_TYPE_OPTIONS};
    let mut answer = next.call(request).await?;
    let headers = answer.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(answer)
}
