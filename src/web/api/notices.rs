//! Who is told of what: recipients, wishes, templates, and what was told.

use actix_web::web::{Data, Json, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, delete, get, post, put};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::super::{Problem, State};
use super::{Admin, ApiCaller, List, PageQuery, ProvisioningRead};
use crate::audit;
use crate::base::TenantId;
use crate::db::{Conn, Transactional as _};
use crate::notice::{self, EventKind, Language, MessageView, Recipient, Wishes, Words};

/// The longest list of a recipient.
const LONGEST_LIST: usize = 200;

/// These paths in the document.
#[derive(OpenApi)]
#[openapi(paths(
    recipients,
    set_recipient,
    drop_recipient,
    wishes,
    set_wishes,
    templates,
    template,
    set_template,
    reset_template,
    told,
    resend
))]
pub(super) struct Api;

pub(in super::super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(recipients)
        .service(set_recipient)
        .service(drop_recipient)
        .service(wishes)
        .service(set_wishes)
        .service(templates)
        .service(template)
        .service(set_template)
        .service(reset_template)
        .service(told)
        .service(resend);
}

/// Notes in the transaction of the deed who did it.
async fn note(
    conn: &mut Conn,
    tenant: TenantId,
    (actor, now): (&str, DateTime<Utc>),
    (action, subject): (&str, &str),
    detail: Value,
) -> Result<(), Problem> {
    Ok(audit::note(conn, Some(tenant), now, actor, action, subject, detail).await?)
}

/// An admin who is told by mail.
#[derive(Debug, Serialize, ToSchema)]
struct RecipientBody {
    id: Uuid,
    address: String,
    /// de, en, fr or nl; null: the tenant's.
    #[schema(value_type = Option<String>)]
    language: Option<Language>,
    /// Kinds of events; empty: all.
    #[schema(value_type = Vec<String>)]
    events: Vec<EventKind>,
    /// Only events of these legal entities; empty: of all, and of what belongs to none.
    entities: Vec<String>,
    created_at: DateTime<Utc>,
}

impl From<Recipient> for RecipientBody {
    fn from(one: Recipient) -> Self {
        Self {
            id: one.id,
            address: one.address,
            language: one.language,
            events: one.events,
            entities: one.entities,
            created_at: one.created_at,
        }
    }
}

/// An admin who is to be told.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRecipientBody {
    address: String,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    language: Option<Language>,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    events: Vec<EventKind>,
    #[serde(default)]
    entities: Vec<String>,
}

/// Lists the tenant's recipients. Those of single connections stand in the connection files.
#[utoipa::path(
    get, path = "/api/v1/recipients", tag = "notices",
    responses((status = 200, body = List<RecipientBody>)),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/recipients")]
async fn recipients(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
) -> Result<Json<List<RecipientBody>>, Problem> {
    let mut conn = state.db.conn().await?;
    let found = notice::recipients(&mut conn, caller.tenant).await?;
    Ok(Json(List {
        items: found.into_iter().map(RecipientBody::from).collect(),
        next: None,
    }))
}

/// Adds a recipient, or changes the one of that address.
#[utoipa::path(
    put, path = "/api/v1/recipients", tag = "notices", request_body = NewRecipientBody,
    responses((status = 200, body = RecipientBody), (status = 422, description = "it cannot be used")),
    security(("token" = ["admin"])),
)]
#[put("/api/v1/recipients")]
async fn set_recipient(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    body: Json<NewRecipientBody>,
) -> Result<Json<RecipientBody>, Problem> {
    let body = body.into_inner();
    if !notice::is_address(&body.address) {
        return Err(Problem::unprocessable(
            "invalid-recipient",
            "address is no mail address",
        ));
    }
    if body.events.len() > LONGEST_LIST || body.entities.len() > LONGEST_LIST {
        let detail = format!("events and entities have at most {LONGEST_LIST} entries");
        return Err(Problem::unprocessable("invalid-recipient", detail));
    }
    let (tenant, actor, now) = (caller.tenant, caller.actor(), state.clock.now());
    let new = Recipient {
        id: Uuid::now_v7(),
        address: body.address,
        language: body.language,
        events: body.events,
        entities: body.entities,
        created_at: now,
    };
    let mut conn = state.db.conn().await?;
    let kept = conn
        .transaction(async |conn| {
            let kept = notice::set_recipient(conn, tenant, new, &actor).await?;
            let subject = format!("recipient:{}", kept.id);
            let detail = json!({ "events": kept.events, "entities": kept.entities });
            note(conn, tenant, (&actor, now), ("recipient.set", &subject), detail).await?;
            Ok::<_, Problem>(kept)
        })
        .await?;
    Ok(Json(kept.into()))
}

/// Takes a recipient away.
#[utoipa::path(
    delete, path = "/api/v1/recipients/{id}", tag = "notices", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 404, description = "no such recipient")),
    security(("token" = ["admin"])),
)]
#[delete("/api/v1/recipients/{id}")]
async fn drop_recipient(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<Uuid>,
) -> Result<HttpResponse, Problem> {
    let (tenant, actor, now) = (caller.tenant, caller.actor(), state.clock.now());
    let mut conn = state.db.conn().await?;
    conn.transaction(async |conn| {
        if !notice::drop_recipient(conn, tenant, *id).await? {
            return Err(Problem::not_found(format!("there is no recipient {id}")));
        }
        let subject = format!("recipient:{id}");
        note(
            conn,
            tenant,
            (&actor, now),
            ("recipient.remove", &subject),
            json!({}),
        )
        .await
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// How the tenant wants to be told.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WishesBody {
    /// For whoever has no language of their own: de, en, fr or nl.
    #[schema(value_type = String)]
    language: Language,
    /// So many people deactivated by one run, or values that differ within an hour, are told one by one; of more, one mail
    /// tells. 0 to 500.
    digest_above: i32,
    /// After so long (4h, 2d) a plan that still waits is told again, where the connection or the app says nothing else.
    #[serde(default)]
    escalate_after: Option<String>,
    /// To whom; without anybody, to the same people.
    #[serde(default)]
    escalate_to: Vec<String>,
}

impl From<Wishes> for WishesBody {
    fn from(wanted: Wishes) -> Self {
        Self {
            language: wanted.language,
            digest_above: wanted.digest_above,
            escalate_after: wanted.escalate_after,
            escalate_to: wanted.escalate_to,
        }
    }
}

/// How the tenant wants to be told.
#[utoipa::path(
    get, path = "/api/v1/notice-settings", tag = "notices",
    responses((status = 200, body = WishesBody)),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/notice-settings")]
async fn wishes(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
) -> Result<Json<WishesBody>, Problem> {
    let mut conn = state.db.conn().await?;
    Ok(Json(notice::wishes(&mut conn, caller.tenant).await?.into()))
}

/// Changes how the tenant wants to be told.
#[utoipa::path(
    put, path = "/api/v1/notice-settings", tag = "notices", request_body = WishesBody,
    responses((status = 200, body = WishesBody), (status = 422, description = "out of bounds")),
    security(("token" = ["admin"])),
)]
#[put("/api/v1/notice-settings")]
async fn set_wishes(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    body: Json<WishesBody>,
) -> Result<Json<WishesBody>, Problem> {
    let body = body.into_inner();
    let (tenant, actor, now) = (caller.tenant, caller.actor(), state.clock.now());
    let wanted = Wishes {
        language: body.language,
        digest_above: body.digest_above,
        escalate_after: body.escalate_after,
        escalate_to: body.escalate_to,
    };
    if let Some(problem) = wanted.problem() {
        return Err(Problem::unprocessable("invalid-setting", problem));
    }
    let mut conn = state.db.conn().await?;
    conn.transaction(async |conn| {
        notice::set_wishes(conn, tenant, &wanted).await?;
        let detail = json!({
            "language": wanted.language, "digest_above": wanted.digest_above, "escalate_after": wanted.escalate_after,
            "escalate_to": wanted.escalate_to.len(),
        });
        note(conn, tenant, (&actor, now), ("notice.settings", "tenant"), detail).await
    })
    .await?;
    Ok(Json(wanted.into()))
}

/// Words that are there.
#[derive(Debug, Serialize, ToSchema)]
struct TemplateRow {
    #[schema(value_type = String)]
    kind: EventKind,
    #[schema(value_type = String)]
    language: Language,
    /// Since when the tenant says it in its own words; null: the words that come with the program.
    own_since: Option<DateTime<Utc>>,
}

/// The words of one kind of event in one language.
#[derive(Debug, Serialize, ToSchema)]
struct TemplateBody {
    #[schema(value_type = String)]
    kind: EventKind,
    #[schema(value_type = String)]
    language: Language,
    /// Whether they are the tenant's own.
    own: bool,
    subject: String,
    body: String,
    /// Null: made from the plain text.
    html: Option<String>,
    /// What may be named, with an example of each.
    #[schema(value_type = Object)]
    names: Value,
}

/// Own words.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTemplateBody {
    /// One line.
    subject: String,
    /// Plain text.
    body: String,
    /// HTML; without it, it is made from the plain text.
    #[serde(default)]
    html: Option<String>,
}

fn words_of(path: &(String, String)) -> Result<(EventKind, Language), Problem> {
    let kind = EventKind::of(&path.0)
        .ok_or_else(|| Problem::not_found(format!("there is no kind of event {}", path.0)))?;
    let language = Language::of(&path.1)
        .filter(|language| language.code() == path.1)
        .ok_or_else(|| Problem::not_found(format!("there are no words in {}: de, en, fr, nl", path.1)))?;
    Ok((kind, language))
}

/// Lists every template, and which the tenant has in its own words.
#[utoipa::path(
    get, path = "/api/v1/templates", tag = "notices",
    responses((status = 200, body = List<TemplateRow>)),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/templates")]
async fn templates(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
) -> Result<Json<List<TemplateRow>>, Problem> {
    let mut conn = state.db.conn().await?;
    let own = notice::list_own_words(&mut conn, caller.tenant).await?;
    let since = |kind: EventKind, language: Language| {
        own.iter()
            .find(|(of, spoken, _)| *of == kind && *spoken == language)
            .map(|(.., at)| *at)
    };
    let items = EventKind::ALL
        .iter()
        .flat_map(|kind| Language::ALL.iter().map(move |language| (*kind, *language)))
        .map(|(kind, language)| TemplateRow {
            kind,
            language,
            own_since: since(kind, language),
        })
        .collect();
    Ok(Json(List { items, next: None }))
}

/// The words of one kind of event in one language, and what they may name.
#[utoipa::path(
    get, path = "/api/v1/templates/{kind}/{language}", tag = "notices",
    params(("kind" = String, Path), ("language" = String, Path)),
    responses((status = 200, body = TemplateBody), (status = 404, description = "no such kind or language")),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/templates/{kind}/{language}")]
async fn template(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    path: Path<(String, String)>,
) -> Result<Json<TemplateBody>, Problem> {
    let (kind, language) = words_of(&path)?;
    let mut conn = state.db.conn().await?;
    let own = notice::own_words(&mut conn, caller.tenant, kind, language).await?;
    Ok(Json(shown(kind, language, own)))
}

fn shown(kind: EventKind, language: Language, own: Option<Words>) -> TemplateBody {
    let is_own = own.is_some();
    let words = own.unwrap_or_else(|| notice::built_in(kind, language));
    TemplateBody {
        kind,
        language,
        own: is_own,
        subject: words.subject,
        body: words.body,
        html: words.html,
        names: notice::sample(kind),
    }
}

/// Keeps the tenant's own words. They are checked first: an unknown name is refused with its line and column.
#[utoipa::path(
    put, path = "/api/v1/templates/{kind}/{language}", tag = "notices", request_body = NewTemplateBody,
    params(("kind" = String, Path), ("language" = String, Path)),
    responses((status = 200, body = TemplateBody), (status = 422, description = "it cannot be used: `problems`")),
    security(("token" = ["admin"])),
)]
#[put("/api/v1/templates/{kind}/{language}")]
async fn set_template(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    path: Path<(String, String)>,
    body: Json<NewTemplateBody>,
) -> Result<Json<TemplateBody>, Problem> {
    let (kind, language) = words_of(&path)?;
    let body = body.into_inner();
    let words = Words {
        subject: body.subject,
        body: body.body,
        html: body.html,
    };
    if let Err(faults) = words.check(kind) {
        let problems: Vec<Value> = faults
            .iter()
            .map(|fault| {
                let error = &fault.error;
                json!({ "at": fault.part, "line": error.line, "column": error.column, "message": error.message })
            })
            .collect();
        let detail = "the template names something that is not known here, or is none";
        return Err(Problem::unprocessable("invalid-template", detail).with("problems", problems.into()));
    }
    let (tenant, actor, now) = (caller.tenant, caller.actor(), state.clock.now());
    let subject = format!("template:{}/{}", kind.as_str(), language.code());
    let mut conn = state.db.conn().await?;
    conn.transaction(async |conn| {
        notice::set_words(conn, tenant, (kind, language), &words, (&actor, now)).await?;
        note(conn, tenant, (&actor, now), ("template.set", &subject), json!({})).await
    })
    .await?;
    Ok(Json(shown(kind, language, Some(words))))
}

/// Goes back to the words that come with the program.
#[utoipa::path(
    delete, path = "/api/v1/templates/{kind}/{language}", tag = "notices",
    params(("kind" = String, Path), ("language" = String, Path)),
    responses((status = 204), (status = 404, description = "no such kind or language")),
    security(("token" = ["admin"])),
)]
#[delete("/api/v1/templates/{kind}/{language}")]
async fn reset_template(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (kind, language) = words_of(&path)?;
    let (tenant, actor, now) = (caller.tenant, caller.actor(), state.clock.now());
    let subject = format!("template:{}/{}", kind.as_str(), language.code());
    let mut conn = state.db.conn().await?;
    conn.transaction(async |conn| {
        if notice::reset_words(conn, tenant, kind, language).await? {
            note(
                conn,
                tenant,
                (&actor, now),
                ("template.reset", &subject),
                json!({}),
            )
            .await?;
        }
        Ok::<_, Problem>(())
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A mail or a call, and what came of it. Addresses are not listed: they are people's.
#[derive(Debug, Serialize, ToSchema)]
struct MessageBody {
    id: Uuid,
    event: Uuid,
    /// What happened.
    kind: String,
    /// mail or webhook.
    channel: String,
    /// waiting, leased, handing, sent, failed, unknown, withdrawn or unsent.
    state: String,
    attempts: i32,
    /// What the other side said.
    detail: String,
    at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

impl From<MessageView> for MessageBody {
    fn from(one: MessageView) -> Self {
        Self {
            id: one.id,
            event: one.event,
            kind: one.kind,
            channel: one.channel,
            state: one.state,
            attempts: one.attempts,
            detail: one.detail,
            at: one.created_at,
            finished_at: one.finished_at,
        }
    }
}

/// Which messages to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct MessageQuery {
    /// In one state.
    state: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// How many at most.
    limit: Option<i64>,
}

/// Lists what was told, newest first.
#[utoipa::path(
    get, path = "/api/v1/notices", tag = "notices", params(MessageQuery),
    responses((status = 200, body = List<MessageBody>)),
    security(("token" = ["provisioning:read"])),
)]
#[get("/api/v1/notices")]
async fn told(
    state: Data<State>,
    caller: ApiCaller<ProvisioningRead>,
    query: Query<MessageQuery>,
) -> Result<Json<List<MessageBody>>, Problem> {
    let page = PageQuery {
        after: query.after.clone(),
        limit: query.limit,
    };
    let limit = page.limit()?;
    let mut conn = state.db.conn().await?;
    let found = notice::messages(
        &mut conn,
        caller.tenant,
        query.state.as_deref(),
        page.after()?,
        limit.saturating_add(1),
    )
    .await?;
    let items = found.into_iter().map(MessageBody::from).collect();
    Ok(Json(List::page(items, limit, |one: &MessageBody| {
        one.id.to_string()
    })))
}

/// Sends a message again that was not surely sent: it failed, its outcome is unknown, or there was no mail server.
#[utoipa::path(
    post, path = "/api/v1/notices/{id}/resend", tag = "notices", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 409, description = "it was sent, or is still tried")),
    security(("token" = ["admin"])),
)]
#[post("/api/v1/notices/{id}/resend")]
async fn resend(
    state: Data<State>,
    caller: ApiCaller<Admin>,
    id: Path<Uuid>,
) -> Result<HttpResponse, Problem> {
    let (tenant, actor, now) = (caller.tenant, caller.actor(), state.clock.now());
    let mut conn = state.db.conn().await?;
    conn.transaction(async |conn| {
        if !notice::resend(conn, tenant, *id, now).await? {
            let detail = format!("there is no message {id} that failed, is unknown or unsent");
            return Err(Problem::conflict("not-resendable", detail));
        }
        let subject = format!("message:{id}");
        note(
            conn,
            tenant,
            (&actor, now),
            ("notice.resend", &subject),
            json!({}),
        )
        .await
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}
