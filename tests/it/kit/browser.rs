//! A real browser, driven over the W3C WebDriver protocol (https://www.w3.org/TR/webdriver2/).

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::http_client;

/// What the protocol calls an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Chromium without a window, with a session of its own.
pub struct Browser {
    driver: Child,
    http: reqwest::Client,
    session: String,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser with it.
        let _gone = self.driver.kill();
        let _reaped = self.driver.wait();
    }
}

impl Browser {
    /// A browser, where chromedriver and Chromium are installed.
    pub async fn start() -> Option<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let http = http_client();
        let base = format!("http://127.0.0.1:{port}");
        for _ in 0..300 {
            if http.get(format!("{base}/status")).send().await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let wish = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server",
            ]},
        }}});
        let made = http
            .post(format!("{base}/session"))
            .body(wish.to_string())
            .send()
            .await
            .unwrap();
        let made: Value = serde_json::from_str(&made.text().await.unwrap()).unwrap();
        let Some(id) = made["value"]["sessionId"].as_str() else {
            driver.kill().unwrap();
            driver.wait().unwrap();
            eprintln!("no browser: {made}");
            return None;
        };
        let session = format!("{base}/session/{id}");
        Some(Self {
            driver,
            http,
            session,
        })
    }

    async fn try_ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, Value> {
        let mut request = self.http.request(method, format!("{}{path}", self.session));
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let good = answer.status().is_success();
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        if good {
            Ok(answer["value"].clone())
        } else {
            Err(answer)
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let answer = self.try_ask(method, path, body).await;
        answer.unwrap_or_else(|answer| panic!("{path}: {answer}"))
    }

    pub async fn open(&self, address: &str) {
        self.ask(Method::POST, "/url", Some(json!({ "url": address })))
            .await;
    }

    pub async fn address(&self) -> String {
        self.ask(Method::GET, "/url", None)
            .await
            .as_str()
            .unwrap()
            .to_owned()
    }

    async fn find(&self, css: &str) -> String {
        let body = json!({"using": "css selector", "value": css});
        let found = self.ask(Method::POST, "/element", Some(body)).await;
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// The text that is seen there; none while the page changes.
    async fn text(&self, css: &str) -> Option<String> {
        let body = json!({"using": "css selector", "value": css});
        let found = self.try_ask(Method::POST, "/element", Some(body)).await.ok()?;
        let path = format!("/element/{}/text", found[ELEMENT].as_str()?);
        let text = self.try_ask(Method::GET, &path, None).await.ok()?;
        text.as_str().map(str::to_owned)
    }

    /// Waits until this is seen there, for ten seconds at most: a click may lead to another page.
    pub async fn sees(&self, css: &str, expected: &str) {
        let mut seen = None;
        for _ in 0..200 {
            seen = self.text(css).await;
            if seen.as_deref() == Some(expected) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{css} is {seen:?}, not {expected:?}, at {}", self.address().await);
    }

    /// What a field holds now.
    pub async fn value(&self, css: &str) -> String {
        let id = self.find(css).await;
        let value = self
            .ask(Method::GET, &format!("/element/{id}/property/value"), None)
            .await;
        value.as_str().unwrap().to_owned()
    }

    pub async fn fill(&self, css: &str, text: &str) {
        let id = self.find(css).await;
        self.ask(Method::POST, &format!("/element/{id}/clear"), Some(json!({})))
            .await;
        self.ask(
            Method::POST,
            &format!("/element/{id}/value"),
            Some(json!({ "text": text })),
        )
        .await;
    }

    pub async fn click(&self, css: &str) {
        let id = self.find(css).await;
        self.ask(Method::POST, &format!("/element/{id}/click"), Some(json!({})))
            .await;
    }

    /// How wide the page lays an element out, in pixels.
    pub async fn width(&self, css: &str) -> f64 {
        let id = self.find(css).await;
        let rect = self.ask(Method::GET, &format!("/element/{id}/rect"), None).await;
        rect["width"].as_f64().unwrap()
    }

    /// What the browser complained of since it was asked last: scripts, policies, things not found.
    pub async fn complaints(&self) -> Vec<String> {
        let body = json!({"type": "browser"});
        let log = self.ask(Method::POST, "/se/log", Some(body)).await;
        log.as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["message"].as_str().unwrap().to_owned())
            .collect()
    }
}
