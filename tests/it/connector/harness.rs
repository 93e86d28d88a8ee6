//! Reads a connection from beginning to end, with waits noted instead of waited.

use std::time::Duration;

use bytes::Bytes;
use scim_bridge::base::{Clock, Secret};
use scim_bridge::connector::{
    Catalogue, CheckStep, CsvFields, Error, Manifest, Mark, MemoryTokens, Pull, Settings, Source, TokenCache,
};
use scim_bridge::hr::{Coverage, Employee, Problem};
use scim_bridge::net::{Net, Sleeper};
use serde_json::Value;

use crate::kit::{Answer, Received, Stub, TestClock};

/// What a read brought.
#[derive(Debug)]
pub struct Outcome {
    pub employees: Vec<Employee>,
    pub problems: Vec<Problem>,
    pub pages: usize,
    pub error: Option<Error>,
    pub coverage: Coverage,
    pub expected: Option<u64>,
    pub waits: Vec<Duration>,
}

impl Outcome {
    pub fn is_complete(&self) -> bool {
        self.coverage == Coverage::Complete
    }

    pub fn why_partial(&self) -> &str {
        match &self.coverage {
            Coverage::Partial { reason } => reason,
            Coverage::Complete => panic!("the read is complete"),
        }
    }

    pub fn ids(&self) -> Vec<&str> {
        self.employees
            .iter()
            .map(|employee| employee.source_id.as_str())
            .collect()
    }

    pub fn employee(&self, source_id: &str) -> &Employee {
        self.employees
            .iter()
            .find(|employee| employee.source_id == source_id)
            .unwrap()
    }
}

/// A connection to be read.
pub struct Reading {
    pub manifest: Manifest,
    pub settings: Settings,
    pub chosen: Vec<String>,
    pub fields: Option<CsvFields>,
    pub upload: Option<Bytes>,
    pub files: Option<std::path::PathBuf>,
    pub tokens: MemoryTokens,
    pub clock: Clock,
    pub allow_private: bool,
}

impl Reading {
    pub fn of(key: &str, given: &Value) -> Self {
        Self::by(Catalogue::load(None).unwrap().get(key).unwrap().clone(), given)
    }

    pub fn by(manifest: Manifest, given: &Value) -> Self {
        let settings = manifest
            .check_settings(given)
            .unwrap_or_else(|problems| panic!("{problems:?}"));
        let chosen = manifest.default_optional();
        let tokens = MemoryTokens::default();
        let clock = Clock::system();
        Self {
            manifest,
            settings,
            chosen,
            fields: None,
            upload: None,
            files: None,
            tokens,
            clock,
            allow_private: true,
        }
    }

    pub fn with(mut self, optional: &[&str]) -> Self {
        self.chosen = optional.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    fn source<'a>(&'a self, net: &'a Net) -> Source<'a> {
        Source {
            manifest: &self.manifest,
            settings: &self.settings,
            fields: self.fields.as_ref(),
            chosen: &self.chosen,
            upload: self.upload.clone(),
            files: self.files.as_deref(),
            net,
            clock: &self.clock,
            tokens: &self.tokens,
        }
    }

    fn net(&self) -> Net {
        Net::new(self.allow_private, self.clock.clone())
            .unwrap()
            .with_sleeper(Sleeper::noting())
    }

    /// Reads with so much time for each request.
    pub async fn read_within(&self, longest: Duration) -> Outcome {
        let net = self.net().within(longest);
        Self::drain(self.source(&net).pull(), &net).await.0
    }

    pub async fn read(&self) -> Outcome {
        let net = self.net();
        Self::drain(self.source(&net).pull(), &net).await.0
    }

    /// Reads what changed since an earlier read; also what it kept for the next one.
    pub async fn read_changes(&self, mark: Mark) -> (Outcome, Option<Mark>) {
        let net = self.net();
        Self::drain(self.source(&net).pull_changes(mark), &net).await
    }

    /// Changes the code of somebody's consent into a token.
    pub async fn consent(&self, code: &str) -> Result<(), Error> {
        let net = self.net();
        let source = self.source(&net);
        source
            .redeem(
                &Secret::new(code.to_owned()),
                "https://bridge.example/oauth/callback",
                None,
            )
            .await
    }

    pub async fn one(&self, id: &str) -> Result<Option<Employee>, Error> {
        let net = self.net();
        self.source(&net).one(id).await
    }

    async fn drain(mut pull: Pull<'_>, net: &Net) -> (Outcome, Option<Mark>) {
        let (mut employees, mut problems, mut pages, mut error) = (Vec::new(), Vec::new(), 0, None);
        assert!(
            matches!(pull.coverage(), Coverage::Partial { .. }),
            "complete before it began"
        );
        loop {
            match pull.next().await {
                Ok(Some(page)) => {
                    employees.extend(page.employees);
                    problems.extend(page.problems);
                    pages += 1;
                }
                Ok(None) => break,
                Err(failure) => error = Some(failure),
            }
        }
        let (coverage, expected, waits) = (pull.coverage(), pull.expected(), net.sleeper().noted());
        let outcome = Outcome {
            employees,
            problems,
            pages,
            error,
            coverage,
            expected,
            waits,
        };
        (outcome, pull.mark())
    }

    pub async fn check(&self) -> Vec<CheckStep> {
        let net = self.net();
        self.source(&net).check().await
    }

    pub async fn token(&self) -> Option<String> {
        self.tokens
            .get()
            .await
            .unwrap()
            .map(|kept| kept.token.expose().to_owned())
    }
}

/// A recording.
pub fn recording(vendor: &str, name: &str) -> Value {
    let path = format!(
        "{}/tests/fixtures/hr/{vendor}/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// One vendor as the tests need it.
#[derive(Debug, Clone, Copy)]
pub struct Vendor {
    pub key: &'static str,
    pub method: &'static str,
    pub path: &'static str,
    /// Where the records of a page are.
    pub records: &'static str,
}

pub const VENDORS: [Vendor; 3] = [
    Vendor {
        key: "kombo",
        method: "GET",
        path: "/v1/hris/employees",
        records: "/data/results",
    },
    Vendor {
        key: "personio",
        method: "GET",
        path: "/v1/company/employees",
        records: "/data",
    },
    Vendor {
        key: "bamboohr",
        method: "POST",
        path: "/api/v2/datasets/employee/data",
        records: "/data",
    },
];

impl Vendor {
    pub fn given(&self, base_url: &str) -> Value {
        let mut given = match self.key {
            "kombo" => serde_json::json!({"api_key": "key", "integration_id": "sandbox:1"}),
            "personio" => serde_json::json!({"client_id": "id", "client_secret": "secret"}),
            _ => serde_json::json!({"company_domain": "acme", "api_key": "key"}),
        };
        given["base_url"] = Value::from(base_url);
        given
    }

    pub fn reading(&self, base_url: &str) -> Reading {
        Reading::of(self.key, &self.given(base_url))
    }

    pub fn page(&self, number: usize) -> Value {
        recording(self.key, &format!("page-{number}"))
    }

    /// Which page a request asks for, from 1.
    pub fn asked(&self, request: &Received) -> usize {
        match self.key {
            "kombo" => 1 + usize::from(request.param("cursor").is_some()),
            "personio" => 1 + usize::from(request.param("offset").as_deref() != Some("0")),
            _ => usize::try_from(request.json()["page"].as_u64().unwrap()).unwrap(),
        }
    }

    pub fn is_list(&self, request: &Received) -> bool {
        request.method == self.method && request.path == self.path
    }

    /// Serves the pages, by a function from their number, and the login where there is one.
    pub fn serve(&self, stub: &Stub, page: impl Fn(usize) -> Answer + Send + Sync + 'static) {
        let vendor = *self;
        if self.key == "personio" {
            stub.on(
                "POST",
                "/v1/auth",
                Answer::json(200, &recording("personio", "auth")),
            );
        }
        stub.rule(move |request| vendor.is_list(request).then(|| page(vendor.asked(request))));
    }

    pub fn serve_recordings(&self, stub: &Stub) {
        let vendor = *self;
        self.serve(stub, move |number| Answer::json(200, &vendor.page(number)));
    }

    /// The same page without anybody.
    pub fn empty(&self) -> Value {
        let mut page = self.page(2);
        *page.pointer_mut(self.records).unwrap() = serde_json::json!([]);
        if self.key == "personio" {
            page["metadata"] = serde_json::json!({"total_elements": 0, "current_page": 0, "total_pages": 0});
        }
        if self.key == "bamboohr" {
            page["meta"] = serde_json::json!({"page": 1, "pageSize": 1000, "totalPages": 0, "totalItems": 0});
        }
        page
    }
}

/// A clock that stands still at a moment of the recordings: nobody of them has started or left since.
pub fn clock() -> (TestClock, Clock) {
    let clock = TestClock::new();
    clock.set("2026-11-30T08:00:00Z");
    let handed = Clock::file(&clock.path).unwrap();
    (clock, handed)
}
