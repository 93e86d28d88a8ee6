//! The other side: an HTTP server whose answers the test sets and may change at any time, and which keeps what it got.

use std::collections::VecDeque;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, PayloadConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::Value;

/// A request that the stub got.
#[derive(Debug, Clone)]
pub struct Received {
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query, as sent.
    pub query: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// A value of the query, decoded.
    pub fn param(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// `METHOD path body`, for logs of what an app was sent.
    pub fn line(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        format!("{} {} {body}", self.method, self.path)
            .trim_end()
            .to_owned()
    }
}

/// An answer of the stub.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// Answered only after so long.
    pub after: std::time::Duration,
}

impl Answer {
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
            after: std::time::Duration::ZERO,
        }
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/json", body.to_string())
    }

    pub fn text(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let mut answer = Self::status(status).header("content-type", content_type);
        answer.body = body.into();
        answer
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

type Rule = Box<dyn Fn(&Received) -> Option<Answer> + Send + Sync>;

#[derive(Default)]
struct Inner {
    received: Mutex<Vec<Received>>,
    queued: Mutex<Vec<(String, String, VecDeque<Answer>)>>,
    rules: Mutex<Vec<Rule>>,
}

/// An HTTP server of the test. What was queued for a method and path is answered first, then the newest rule that
/// gives an answer; else 404.
pub struct Stub {
    pub base_url: String,
    inner: Arc<Inner>,
    handle: actix_web::dev::ServerHandle,
}

impl Stub {
    pub async fn start() -> Self {
        let inner = Arc::new(Inner::default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Data::from(Arc::clone(&inner));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(Data::clone(&shared))
                .app_data(PayloadConfig::new(64 * 1024 * 1024))
                .default_service(web::to(respond))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self {
            base_url,
            inner,
            handle,
        }
    }

    /// Answers `method path` so, as often as asked. A later rule goes before an earlier one.
    pub fn on(&self, method: &str, path: &str, answer: Answer) {
        let (method, path) = (method.to_owned(), path.to_owned());
        self.rule(move |request| (request.method == method && request.path == path).then(|| answer.clone()));
    }

    /// Answers `method path` so, once; several are answered in the order they were queued.
    pub fn queue(&self, method: &str, path: &str, answer: Answer) {
        let mut queued = self.inner.queued.lock().unwrap();
        match queued.iter_mut().find(|(m, p, _)| m == method && p == path) {
            Some((_, _, answers)) => answers.push_back(answer),
            None => queued.push((method.to_owned(), path.to_owned(), VecDeque::from([answer]))),
        }
    }

    /// Answers whatever the rule has an answer for.
    pub fn rule(&self, rule: impl Fn(&Received) -> Option<Answer> + Send + Sync + 'static) {
        self.inner.rules.lock().unwrap().push(Box::new(rule));
    }

    /// Everything it was sent, in order.
    pub fn received(&self) -> Vec<Received> {
        self.inner.received.lock().unwrap().clone()
    }

    /// Everything it was sent since the last time this was asked.
    pub fn take_received(&self) -> Vec<Received> {
        std::mem::take(&mut *self.inner.received.lock().unwrap())
    }

    /// One line for each request, `METHOD path body`.
    pub fn log(&self) -> Vec<String> {
        self.received().iter().map(Received::line).collect()
    }

    /// Goes away: new connections are refused from now on.
    pub async fn stop(&self) {
        self.handle.stop(false).await;
    }
}

async fn respond(inner: Data<Inner>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let received = Received {
        method: request.method().to_string(),
        path: request.path().to_owned(),
        query: request.query_string().to_owned(),
        headers: request
            .headers()
            .iter()
            .map(|(name, value)| {
                (
                    name.as_str().to_owned(),
                    value.to_str().unwrap_or_default().to_owned(),
                )
            })
            .collect(),
        body,
    };
    inner.received.lock().unwrap().push(received.clone());
    let queued = inner
        .queued
        .lock()
        .unwrap()
        .iter_mut()
        .find(|(method, path, _)| *method == received.method && *path == received.path)
        .and_then(|(_, _, answers)| answers.pop_front());
    let answer = queued
        .or_else(|| {
            inner
                .rules
                .lock()
                .unwrap()
                .iter()
                .rev()
                .find_map(|rule| rule(&received))
        })
        .unwrap_or_else(|| Answer::status(404));
    if !answer.after.is_zero() {
        tokio::time::sleep(answer.after).await;
    }
    let mut response = HttpResponse::build(StatusCode::from_u16(answer.status).unwrap());
    for (name, value) in &answer.headers {
        response.insert_header((name.as_str(), value.as_str()));
    }
    response.body(answer.body)
}
