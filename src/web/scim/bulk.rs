//! Bulk (RFC 7644 §3.7): many writes in one request. Each is atomic and committed for itself, as if it had been sent
//! alone; creations that refer to each other in a circle are one transaction.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::session::{Session, Writes, id_of};
use super::{LIMITS, body, condition, dialect, write};
use crate::base::ResourceId;
use crate::db::Transactional as _;
use crate::directory::{Answer, Error, Expected, Want};
use crate::scim::bulk::{self, BULK_RESPONSE, Circle, Method, Schedule, Step, Wish};
use crate::scim::{self, Incoming, ResourceType};

/// What an operation did.
struct Done {
    status: u16,
    id: ResourceId,
    version: Option<i64>,
}

/// Carries out a Bulk.
pub async fn bulk(
    session: Session<Writes>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let body = body::read(&request, payload).await?;
    let request = bulk::parse(&body, LIMITS.bulk_operations)?;
    drop(body);
    let mut results = Results::new(&session.base, &request);
    let mut schedule = Schedule::new(request);
    // Those that remain are answered with 503, while there is time left for the one that has begun and for the answer.
    let patience = session.state.request_limit * 2 / 3;
    let begun = Instant::now();
    while let Some(step) = schedule.next() {
        let late = begun.elapsed() > patience;
        match step {
            Step::Refuse(at, error) => results.failed(at, &error.into()),
            Step::Do(at, _) if late => {
                schedule.failed(at);
                results.failed(at, &Refusal::late());
            }
            Step::Together(circle) if late => {
                for one in &circle {
                    schedule.failed(one.at);
                    results.failed(one.at, &Refusal::late());
                }
            }
            Step::Do(at, wish) => match run(&session, &wish).await {
                Ok(done) => {
                    schedule.done(at, &done.id.to_string());
                    results.done(at, &wish, &done);
                }
                Err(refusal) => {
                    schedule.failed(at);
                    results.failed(at, &refusal);
                }
            },
            Step::Together(circle) => match together(&session, &circle).await {
                Ok(made) => {
                    for (one, done) in circle.iter().zip(made) {
                        schedule.done(one.at, &done.id.to_string());
                        results.done(one.at, &one.first, &done);
                    }
                }
                Err((culprit, refusal)) => {
                    for one in &circle {
                        schedule.failed(one.at);
                        if one.at == culprit {
                            results.failed(one.at, &refusal);
                        } else {
                            results
                                .failed(one.at, &Refusal::conflict("what it refers to in a circle failed"));
                        }
                    }
                }
            },
        }
    }
    Ok(HttpResponse::Ok()
        .content_type(session.media)
        .body(results.into_json().to_string()))
}

/// The results, in the order of the request.
struct Results<'a> {
    base: &'a str,
    /// Method, bulkId and path of each operation.
    asked: Vec<(String, Option<String>, Option<String>)>,
    items: BTreeMap<usize, Value>,
}

impl<'a> Results<'a> {
    fn new(base: &'a str, request: &bulk::Request) -> Self {
        let asked = request.operations.iter().map(|one| {
            let path = one.wish.as_ref().ok().and_then(|wish| {
                let id = wish.id.as_deref().filter(|id| id_of(id).is_ok())?;
                Some(format!("{base}/{}/{id}", wish.endpoint))
            });
            (one.method.clone(), one.bulk_id.clone(), path)
        });
        Self {
            base,
            asked: asked.collect(),
            items: BTreeMap::new(),
        }
    }

    fn put(&mut self, at: usize, status: u16, location: Option<String>, more: (&str, Value)) {
        let Some((method, bulk_id, path)) = self.asked.get(at) else {
            return;
        };
        let mut item = json!({ "method": method, "status": status.to_string() });
        if let Some(item) = item.as_object_mut() {
            if let Some(bulk_id) = bulk_id {
                item.insert("bulkId".to_owned(), Value::from(bulk_id.as_str()));
            }
            if let Some(location) = location.or_else(|| path.clone()) {
                item.insert("location".to_owned(), Value::from(location));
            }
            if !more.1.is_null() {
                item.insert(more.0.to_owned(), more.1);
            }
        }
        self.items.insert(at, item);
    }

    fn done(&mut self, at: usize, wish: &Wish, done: &Done) {
        let location = format!("{}/{}/{}", self.base, wish.endpoint, done.id);
        let version = done
            .version
            .map_or(Value::Null, |version| condition::etag(version).into());
        self.put(at, done.status, Some(location), ("version", version));
    }

    fn failed(&mut self, at: usize, refusal: &Refusal) {
        let error = refusal.error();
        self.put(at, error.status, None, ("response", error.to_json()));
    }

    fn into_json(self) -> Value {
        let items: Vec<Value> = self.items.into_values().collect();
        json!({ "schemas": [BULK_RESPONSE], "Operations": items })
    }
}

fn kind_of(session: &Session<Writes>, wish: &Wish) -> Result<Arc<ResourceType>, Refusal> {
    session
        .registry
        .by_endpoint(&wish.endpoint)
        .cloned()
        .ok_or_else(Refusal::not_found)
}

async fn run(session: &Session<Writes>, wish: &Wish) -> Result<Done, Refusal> {
    let kind = kind_of(session, wish)?;
    let expected = match &wish.version {
        Some(version) => condition::of_version(version),
        None => Expected::Any,
    };
    let shape = (&expected, Want::default());
    let target = || Ok::<_, Refusal>((&*kind, id_of(wish.id.as_deref().unwrap_or_default())?));
    let (status, answer) = match wish.method {
        Method::Post => {
            let incoming = dialect::incoming(session, &kind, &wish.data)?;
            (201, write::create(session, &kind, &incoming).await?)
        }
        Method::Put => {
            let incoming = dialect::incoming(session, &kind, &wish.data)?;
            (200, write::replace(session, target()?, &incoming, shape).await?)
        }
        Method::Patch => {
            let change = dialect::change(session, &wish.data)?;
            (200, write::patch(session, target()?, &change, shape).await?)
        }
        Method::Delete => {
            let (_, id) = target()?;
            write::delete(session, target()?, &expected).await?;
            return Ok(Done {
                status: 204,
                id,
                version: None,
            });
        }
    };
    Ok(made(status, &answer))
}

const fn made(status: u16, answer: &Answer) -> Done {
    Done {
        status,
        id: answer.found.id,
        version: Some(answer.found.version),
    }
}

/// Creates resources that refer to each other: each without the others, then each as it is meant, all in one
/// transaction. What cannot be stored is a conflict (RFC 7644 §3.7.1).
async fn together(session: &Session<Writes>, circle: &[Circle]) -> Result<Vec<Done>, (usize, Refusal)> {
    let mut parts: Vec<(&Circle, Arc<ResourceType>, Incoming)> = Vec::new();
    for one in circle {
        let read = kind_of(session, &one.first).and_then(|kind| {
            Ok((
                Arc::clone(&kind),
                dialect::incoming(session, &kind, &one.first.data)?,
            ))
        });
        let (kind, incoming) = read.map_err(|refusal| (one.at, refusal))?;
        parts.push((one, kind, incoming));
    }
    let (directory, tenant, cause) = (session.directory(), session.caller.tenant, session.cause());
    let culprit = AtomicUsize::new(circle.first().map_or(0, |one| one.at));
    let written = write::settled(session, async |conn| {
        conn.transaction(async |conn| {
            let mut ids = HashMap::new();
            for (one, kind, incoming) in &parts {
                culprit.store(one.at, Ordering::Relaxed);
                let answer = directory
                    .create(conn, tenant, kind, incoming.clone(), &cause)
                    .await?;
                ids.insert(one.name.as_str(), answer.found.id);
            }
            let mut answers = Vec::new();
            for (one, kind, _) in &parts {
                culprit.store(one.at, Ordering::Relaxed);
                let whole = one.whole(&|name| ids.get(name).map(ResourceId::to_string));
                let incoming = dialect::incoming(session, kind, &whole.data)?;
                let id = ids.get(one.name.as_str()).copied().ok_or(Error::NotFound)?;
                let wish = (&Expected::Any, Want::default());
                answers.push(
                    directory
                        .replace(conn, (tenant, id, kind), &incoming, wish, &cause)
                        .await?,
                );
            }
            Ok(answers)
        })
        .await
        .map_err(|error| match error {
            Error::Cycle | Error::UnknownReference { .. } => Error::Scim(scim::Error::new(
                409,
                format!("the references form a circle: {error}"),
            )),
            error => error,
        })
    })
    .await;
    let answers = written.map_err(|refusal| (culprit.load(Ordering::Relaxed), refusal))?;
    for answer in &answers {
        write::note(session, answer);
    }
    Ok(answers.iter().map(|answer| made(201, answer)).collect())
}
