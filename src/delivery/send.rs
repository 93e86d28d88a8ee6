//! Carries out one intent: the call, and the look-ups that its answer asks for. No transaction is open meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::client::{Client, Ended, endpoint, name_of, read, whole};
use super::hook::{Hook, answer, headers};
use super::patch::{member_changes, members_merged, patch_body};
use crate::base::{Clock, OperationId, ResourceId, Secret};
use crate::net::Method;
use crate::provision::{
    Candidate, Deed, Ending, MatchBy, Remote, Sense, agrees, merged, sense, with_attributes,
};
use crate::scim::{Object, Registry};

/// A member and its id in the app.
pub(super) type MemberRef = (ResourceId, String);

/// What is to be done about one account.
#[derive(Debug, Clone)]
pub(super) enum Task {
    /// POST: what is wanted, and attributes for this one call, which are not looked at again.
    Create {
        object: Object,
        once: BTreeMap<String, Value>,
    },
    /// PATCH or PUT.
    Change { before: Object, after: Object },
    /// DELETE.
    Delete,
    /// Members in and out of a group.
    Members {
        add: Vec<MemberRef>,
        remove: Vec<MemberRef>,
    },
    /// A call to an address of the customer's.
    Hook(Hook),
    /// Find out what became of an earlier call: what was sent, or would be there after it.
    Resolve {
        action: String,
        expected: Object,
        known: Option<Object>,
    },
}

/// One intent, committed before it is sent.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub operation: OperationId,
    pub resource: ResourceId,
    pub kind: String,
    pub remote: Option<String>,
    pub attempts: i32,
    /// When the decision behind it may change by itself.
    pub again_at: Option<DateTime<Utc>>,
    pub task: Task,
}

/// What a job found out.
#[derive(Debug, Clone)]
pub(super) enum Finding {
    /// Done; for a creation with the app's id.
    Done(Option<String>),
    /// An existing account is ours: its id, what it holds, whether it bears our id.
    Found(String, Object, bool),
    /// The account is there and holds this.
    Holds(Object),
    /// The account is not there.
    Absent,
    /// More than one account fits.
    Doubt,
    /// What must be unique has other accounts.
    Collision(Vec<Candidate>),
    /// A hook was called, and answered this.
    Answered(Value),
    /// Not started.
    NotStarted,
    /// It ended otherwise.
    Failed(Sense),
}

/// A job with its end.
#[derive(Debug)]
pub(super) struct Report {
    pub job: Job,
    pub finding: Finding,
    pub status: Option<u16>,
    pub words: String,
    pub at: DateTime<Utc>,
    pub duration_ms: i32,
    /// The app's answer to a creation.
    pub made: Option<Value>,
}

/// What every job of a lease shares.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    pub client: Client,
    pub registry: Arc<Registry>,
    pub by: Arc<Vec<MatchBy>>,
    /// What no account of somebody else may have; looked up before anything is created.
    pub unique: Arc<Vec<MatchBy>>,
    /// What hooks are signed with.
    pub hook_secret: Option<Secret>,
    pub can_patch: bool,
    pub clock: Clock,
}

struct End {
    finding: Finding,
    status: Option<u16>,
    words: String,
    made: Option<Value>,
}

impl End {
    fn of(finding: Finding, ended: &Ended) -> Self {
        Self {
            finding,
            status: ended.status(),
            words: ended.words.clone(),
            made: None,
        }
    }

    fn not_started() -> Self {
        Self {
            finding: Finding::NotStarted,
            status: None,
            words: String::new(),
            made: None,
        }
    }
}

/// What a look-up found.
enum LookUp {
    Found(Remote, Object),
    Nothing,
    Doubt,
    Failed(Ended, Sense),
    NotStarted,
}

/// What a filter found.
enum Fitting {
    Found(Vec<(Remote, Object)>),
    /// The app does not filter by this attribute.
    NoFilter,
    Failed(Ended, Sense),
    NotStarted,
}

impl Desk {
    /// Carries out a job.
    #[tracing::instrument(name = "delivery.operation.send", skip_all, fields(operation.id = %job.operation, resource.id = %job.resource))]
    pub(super) async fn carry_out(self, job: Job) -> Report {
        let at = self.clock.now();
        let started = Instant::now();
        let end = match &job.task {
            Task::Create { object, once } => self.create(&job, object, once).await,
            Task::Change { before, after } => self.change(&job, before, after).await,
            Task::Delete => self.delete(&job).await,
            Task::Members { add, remove } => self.members(&job, add, remove).await,
            Task::Hook(hook) => self.call_hook(hook, at).await,
            Task::Resolve { action, expected, .. } => self.resolve(&job, action, expected).await,
        };
        // How a hook fares says nothing of the app.
        let is_hook = matches!(job.task, Task::Hook(_));
        if !is_hook
            && matches!(
                end.finding,
                Finding::Failed(Sense::Throttled(_) | Sense::Unauthorised)
            )
        {
            self.client.halt();
        }
        if !is_hook && !matches!(end.finding, Finding::NotStarted) {
            self.client.note(matches!(
                end.finding,
                Finding::Failed(Sense::Unknown | Sense::Later)
            ));
        }
        Report {
            finding: end.finding,
            status: end.status,
            words: end.words,
            made: end.made,
            at,
            duration_ms: i32::try_from(started.elapsed().as_millis()).unwrap_or(i32::MAX),
            job,
        }
    }

    async fn create(&self, job: &Job, object: &Object, once: &BTreeMap<String, Value>) -> End {
        if let Some(end) = self.look_before(job, object).await {
            return end;
        }
        let body = whole(&job.kind, &with_attributes(object, once));
        let Some(ended) = self
            .client
            .call(Method::POST, &[endpoint(&job.kind)], &[], Some(&body))
            .await
        else {
            return End::not_started();
        };
        match sense(Deed::Create, ended.ending) {
            Sense::Done => match id_in(&ended) {
                Some(id) => End {
                    made: ended.json(),
                    ..End::of(Finding::Done(Some(id)), &ended)
                },
                None => {
                    self.find(job, object, &ended, Finding::Failed(Sense::Refused))
                        .await
                }
            },
            Sense::Taken => {
                self.find(job, object, &ended, Finding::Failed(Sense::Refused))
                    .await
            }
            other => End::of(Finding::Failed(other), &ended),
        }
    }

    /// Where something must be unique: an account that is ours is found, and one that is in the way is no reason to
    /// create. `None`: nothing stands against it.
    async fn look_before(&self, job: &Job, object: &Object) -> Option<End> {
        if self.unique.is_empty() || job.kind == "Group" || !self.client.dialect().filter {
            return None;
        }
        let looked = |finding| End {
            finding,
            status: None,
            words: String::new(),
            made: None,
        };
        match self.look_up(&job.kind, object).await {
            LookUp::Found(remote, read) => {
                let by_our_id =
                    remote.external_id.as_deref() == object.get("externalId").and_then(Value::as_str);
                return Some(looked(Finding::Found(remote.id, read, by_our_id)));
            }
            LookUp::Doubt => return Some(looked(Finding::Doubt)),
            LookUp::Nothing => {}
            LookUp::Failed(ended, sense) => return Some(End::of(Finding::Failed(before_all(sense)), &ended)),
            LookUp::NotStarted => return Some(End::not_started()),
        }
        let mut taken = Vec::new();
        for key in self.unique.iter() {
            match self.fitting(&job.kind, key, object).await {
                Fitting::Found(found) => {
                    taken.extend(
                        found
                            .iter()
                            .map(|(remote, _)| Candidate::account(key, &remote.id)),
                    );
                }
                Fitting::NoFilter => {}
                Fitting::Failed(ended, sense) => {
                    return Some(End::of(Finding::Failed(before_all(sense)), &ended));
                }
                Fitting::NotStarted => return Some(End::not_started()),
            }
        }
        (!taken.is_empty()).then(|| looked(Finding::Collision(taken)))
    }

    async fn call_hook(&self, hook: &Hook, at: DateTime<Utc>) -> End {
        let Some(secret) = &self.hook_secret else {
            return End {
                finding: Finding::Failed(Sense::Refused),
                status: None,
                words: "the settings have no hook_secret".to_owned(),
                made: None,
            };
        };
        let body = hook.body.to_string();
        let headers = headers(secret, &hook.id, at, &body);
        let Some(ended) = self.client.hook(&hook.url, &headers, body).await else {
            return End::not_started();
        };
        match ended.ending {
            Ending::Answer(200..=299, _) => End::of(Finding::Answered(answer(&ended.body)), &ended),
            _ => End::of(Finding::Failed(Sense::Later), &ended),
        }
    }

    /// Looks for an account that is ours; `otherwise` when there is none.
    async fn find(&self, job: &Job, object: &Object, ended: &Ended, otherwise: Finding) -> End {
        match self.look_up(&job.kind, object).await {
            LookUp::Found(remote, read) => {
                let by_our_id =
                    remote.external_id.as_deref() == object.get("externalId").and_then(Value::as_str);
                End::of(Finding::Found(remote.id, read, by_our_id), ended)
            }
            LookUp::Doubt => End::of(Finding::Doubt, ended),
            LookUp::Nothing => End::of(otherwise, ended),
            LookUp::Failed(ended, sense) => End::of(Finding::Failed(after_look_up(sense)), &ended),
            LookUp::NotStarted => End::of(Finding::Failed(Sense::Unknown), ended),
        }
    }

    async fn change(&self, job: &Job, before: &Object, after: &Object) -> End {
        let Some(remote) = &job.remote else {
            return End::not_started();
        };
        let path = [endpoint(&job.kind), remote.as_str()];
        let ended = if self.can_patch {
            let body = patch_body(&self.registry, &job.kind, before, after);
            self.client.call(Method::PATCH, &path, &[], Some(&body)).await
        } else {
            match self.fetch(&path).await {
                Ok(theirs) => {
                    let body = Value::Object(put_body(&job.kind, &theirs, before, after));
                    self.client.call(Method::PUT, &path, &[], Some(&body)).await
                }
                Err(ended) => ended,
            }
        };
        self.changed(job, ended, after).await
    }

    async fn changed(&self, job: &Job, ended: Option<Ended>, object: &Object) -> End {
        let Some(ended) = ended else {
            return End::not_started();
        };
        match sense(Deed::Change, ended.ending) {
            Sense::Done => End::of(Finding::Done(None), &ended),
            Sense::Gone => self.find(job, object, &ended, Finding::Absent).await,
            other => End::of(Finding::Failed(other), &ended),
        }
    }

    async fn delete(&self, job: &Job) -> End {
        let Some(remote) = &job.remote else {
            return End::not_started();
        };
        let path = [endpoint(&job.kind), remote.as_str()];
        let Some(ended) = self.client.call(Method::DELETE, &path, &[], None).await else {
            return End::not_started();
        };
        match sense(Deed::Delete, ended.ending) {
            Sense::Done => End::of(Finding::Done(None), &ended),
            other => End::of(Finding::Failed(other), &ended),
        }
    }

    async fn members(&self, job: &Job, add: &[MemberRef], remove: &[MemberRef]) -> End {
        let Some(remote) = &job.remote else {
            return End::not_started();
        };
        let path = [endpoint(&job.kind), remote.as_str()];
        let ended = if self.can_patch {
            self.client
                .call(Method::PATCH, &path, &[], Some(&member_changes(add, remove)))
                .await
        } else {
            match self.fetch(&path).await {
                Ok(theirs) => {
                    let body = Value::Object(members_merged(&theirs, add, remove));
                    self.client.call(Method::PUT, &path, &[], Some(&body)).await
                }
                Err(ended) => ended,
            }
        };
        let Some(ended) = ended else {
            return End::not_started();
        };
        match sense(Deed::Change, ended.ending) {
            Sense::Done => End::of(Finding::Done(None), &ended),
            Sense::Gone => End::of(Finding::Absent, &ended),
            other => End::of(Finding::Failed(other), &ended),
        }
    }

    /// Reads a resource as it is; the ending when it cannot be read.
    async fn fetch(&self, path: &[&str]) -> Result<Object, Option<Ended>> {
        let Some(ended) = self.client.call(Method::GET, path, &[], None).await else {
            return Err(None);
        };
        match (ended.ending, ended.json()) {
            (Ending::Answer(200..=299, _), Some(Value::Object(object))) => Ok(object),
            (Ending::Answer(200..=299, _), _) => Err(Some(Ended {
                ending: Ending::Impossible,
                words: "the app's answer to GET is no resource".to_owned(),
                body: ended.body,
            })),
            _ => Err(Some(ended)),
        }
    }

    async fn resolve(&self, job: &Job, action: &str, expected: &Object) -> End {
        let Some(remote) = job.remote.as_ref().filter(|_| action != "create") else {
            return match self.look_up(&job.kind, expected).await {
                LookUp::Found(remote, read) => {
                    let by_our_id =
                        remote.external_id.as_deref() == expected.get("externalId").and_then(Value::as_str);
                    End {
                        finding: Finding::Found(remote.id, read, by_our_id),
                        status: Some(200),
                        words: String::new(),
                        made: None,
                    }
                }
                LookUp::Nothing => End {
                    finding: Finding::Absent,
                    status: Some(200),
                    words: "looked up: it had not arrived".to_owned(),
                    made: None,
                },
                LookUp::Doubt => End {
                    finding: Finding::Doubt,
                    status: Some(200),
                    words: String::new(),
                    made: None,
                },
                LookUp::Failed(ended, sense) => End::of(Finding::Failed(after_look_up(sense)), &ended),
                LookUp::NotStarted => End::not_started(),
            };
        };
        match self.fetch(&[endpoint(&job.kind), remote.as_str()]).await {
            Ok(theirs) => End {
                finding: read(Value::Object(theirs)).map_or(Finding::Absent, Finding::Holds),
                status: Some(200),
                words: String::new(),
                made: None,
            },
            Err(None) => End::not_started(),
            Err(Some(ended)) => match sense(Deed::Change, ended.ending) {
                Sense::Gone => End::of(Finding::Absent, &ended),
                other => End::of(Finding::Failed(after_look_up(other)), &ended),
            },
        }
    }

    /// Looks an account up by our id, then by the matching rules; an answer counts only if it really agrees.
    async fn look_up(&self, kind: &str, ours: &Object) -> LookUp {
        let mut order = vec![MatchBy::new("externalId")];
        order.extend(self.keys(kind).into_iter().filter(|by| !by.is_our_id()));
        let mut refused = 0_usize;
        for by in &order {
            let mut fitting = match self.fitting(kind, by, ours).await {
                Fitting::Found(fitting) => fitting,
                Fitting::NoFilter => {
                    refused += 1;
                    continue;
                }
                Fitting::Failed(ended, sense) => return LookUp::Failed(ended, sense),
                Fitting::NotStarted => return LookUp::NotStarted,
            };
            match (fitting.pop(), fitting.len()) {
                (None, _) => {}
                (Some((remote, resource)), 0) => {
                    return match read(Value::Object(resource)) {
                        Some(read) => LookUp::Found(remote, read),
                        None => LookUp::Nothing,
                    };
                }
                (Some(_), _) => return LookUp::Doubt,
            }
        }
        if refused > 0 && refused >= order.len().min(2) {
            return self.look_through(kind, ours).await;
        }
        LookUp::Nothing
    }

    /// The keys that say whose a resource of this type is.
    fn keys(&self, kind: &str) -> Vec<MatchBy> {
        if kind == "Group" {
            ["externalId", "userName"].map(MatchBy::new).to_vec()
        } else {
            self.by.to_vec()
        }
    }

    /// The accounts that agree by one key, as the app's filter shows them.
    async fn fitting(&self, kind: &str, by: &MatchBy, ours: &Object) -> Fitting {
        let name = name_of(kind);
        let Some(filter) = by.filter(ours, name) else {
            return Fitting::Found(Vec::new());
        };
        let query = [("filter", filter.as_str())];
        let Some(ended) = self
            .client
            .call(Method::GET, &[endpoint(kind)], &query, None)
            .await
        else {
            return Fitting::NotStarted;
        };
        match sense(Deed::Change, ended.ending) {
            Sense::Done => {}
            Sense::Refused | Sense::Gone => return Fitting::NoFilter,
            other => return Fitting::Failed(ended, other),
        }
        let found = resources(ended.json())
            .into_iter()
            .filter_map(|resource| Some((Remote::of(&resource)?, resource)))
            .filter(|(_, resource)| agrees(std::slice::from_ref(by), ours, name, resource));
        Fitting::Found(found.collect())
    }

    /// Reads the app's list, where it does not filter.
    async fn look_through(&self, kind: &str, ours: &Object) -> LookUp {
        let mut pages = super::contact::Pages::new(kind);
        loop {
            let page = match pages.next(&self.client).await {
                Ok(Some(page)) => page,
                Ok(None) => return LookUp::Nothing,
                Err(None) => return LookUp::NotStarted,
                Err(Some(ended)) => {
                    let sense = sense(Deed::Change, ended.ending);
                    return LookUp::Failed(ended, sense);
                }
            };
            for resource in page {
                if let Some(remote) = Remote::of(&resource)
                    && agrees(&self.keys(kind), ours, name_of(kind), &resource)
                    && let Some(read) = read(Value::Object(resource))
                {
                    return LookUp::Found(remote, read);
                }
            }
        }
    }
}

/// A look-up before a call that failed: nothing was changed, so it is simply tried again.
const fn before_all(sense: Sense) -> Sense {
    match sense {
        Sense::Throttled(asked) => Sense::Throttled(asked),
        Sense::Unauthorised => Sense::Unauthorised,
        _ => Sense::Later,
    }
}

/// A look-up that failed leaves the outcome of what came before it unknown.
const fn after_look_up(sense: Sense) -> Sense {
    match sense {
        Sense::Throttled(asked) => Sense::Throttled(asked),
        Sense::Unauthorised => Sense::Unauthorised,
        Sense::Refused => Sense::Refused,
        _ => Sense::Unknown,
    }
}

/// The resources of a list answer (RFC 7644 §3.4.2).
pub(super) fn resources(answer: Option<Value>) -> Vec<Object> {
    let Some(Value::Object(mut answer)) = answer else {
        return Vec::new();
    };
    match answer.remove("Resources") {
        Some(Value::Array(found)) => found.into_iter().filter_map(super::store::object).collect(),
        _ => Vec::new(),
    }
}

fn id_in(ended: &Ended) -> Option<String> {
    match ended.json()?.get("id")? {
        Value::String(id) if !id.is_empty() => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

/// What PUT sends: all that the app holds, with ours written over it.
fn put_body(kind: &str, theirs: &Object, before: &Object, after: &Object) -> Object {
    let mut theirs = theirs.clone();
    for key in ["meta", "groups", "schemas"] {
        theirs.remove(key);
    }
    let body = merged(&theirs, Some(before), after);
    match whole(kind, &body) {
        Value::Object(body) => body,
        _ => Object::new(),
    }
}

/// What an operation's `after` column says.
pub(super) fn after_of(task: &Task) -> Option<Value> {
    match task {
        Task::Create { object, .. } => Some(json!({ "object": object })),
        Task::Change { after, .. } => Some(json!({ "object": after })),
        Task::Members { add, remove } => Some(json!({ "add": add, "remove": remove })),
        Task::Delete | Task::Hook(_) | Task::Resolve { .. } => None,
    }
}
