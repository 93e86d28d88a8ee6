//! Kombo's API over HTTP, with its envelopes and errors.

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Sandbox;
use super::names::{DEPARTMENTS, ENTITIES, TEAMS};
use super::person::{SandboxPerson, id_of, number_of};

/// A sandbox that is being served.
#[derive(Debug)]
pub struct Serving {
    /// Scheme, host and port: what `base_url` wants.
    pub base_url: String,
    handle: ServerHandle,
}

impl Serving {
    /// Stops the server.
    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}

/// Serves a sandbox on a free port of this machine, until it is stopped or the runtime ends.
///
/// # Errors
/// When no port can be had.
pub fn serve(sandbox: Sandbox) -> std::io::Result<Serving> {
    let server = HttpServer::new(move || {
        App::new().app_data(web::Data::new(sandbox.clone())).service(
            web::scope("/v1/hris")
                .route("/employees", web::get().to(employees))
                .route("/groups", web::get().to(groups))
                .route("/legal-entities", web::get().to(entities))
                .route("/locations", web::get().to(locations)),
        )
    })
    .workers(1)
    .disable_signals()
    .bind(("127.0.0.1", 0))?;
    let base_url = server
        .addrs()
        .first()
        .map(|address| format!("http://{address}"))
        .unwrap_or_default();
    let server = server.run();
    let handle = server.handle();
    tokio::spawn(server);
    Ok(Serving { base_url, handle })
}

/// What a list can be asked for.
#[derive(Debug, Deserialize)]
struct Asked {
    cursor: Option<String>,
    page_size: Option<usize>,
    updated_after: Option<DateTime<Utc>>,
    ids: Option<String>,
    employment_statuses: Option<String>,
}

fn refusal(status: StatusCode, code: &str, title: &str) -> HttpResponse {
    let error = json!({"code": code, "title": title, "message": title, "log_url": null});
    HttpResponse::build(status).json(json!({"status": "error", "error": error}))
}

/// Kombo's own refusals, in its order: the key, then the integration.
fn refuse(sandbox: &Sandbox, request: &HttpRequest) -> Option<HttpResponse> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let key = header(AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
    if key != Some(sandbox.api_key()) {
        let code = "PLATFORM.AUTHENTICATION_INVALID";
        return Some(refusal(
            StatusCode::UNAUTHORIZED,
            code,
            "The API key is not valid.",
        ));
    }
    if header("x-integration-id") != Some(sandbox.integration_id()) {
        let code = "PLATFORM.INTEGRATION_NOT_FOUND";
        return Some(refusal(
            StatusCode::NOT_FOUND,
            code,
            "There is no such integration.",
        ));
    }
    None
}

fn envelope(next: Option<usize>, results: Vec<Value>) -> HttpResponse {
    let next = next.map(|next| STANDARD.encode(format!("{{\"from\":{next}}}")));
    HttpResponse::Ok().json(json!({"status": "success", "data": {"next": next, "results": results}}))
}

fn start(asked: &Asked) -> Option<usize> {
    let Some(cursor) = asked.cursor.as_deref().filter(|cursor| !cursor.is_empty()) else {
        return Some(0);
    };
    let text = String::from_utf8(STANDARD.decode(cursor).ok()?).ok()?;
    text.strip_prefix("{\"from\":")?.strip_suffix('}')?.parse().ok()
}

async fn employees(
    sandbox: web::Data<Sandbox>,
    request: HttpRequest,
    asked: web::Query<Asked>,
) -> HttpResponse {
    if let Some(refusal) = refuse(&sandbox, &request) {
        return refusal;
    }
    let bad = || {
        refusal(
            StatusCode::BAD_REQUEST,
            "PLATFORM.INPUT_INVALID",
            "The query is not valid.",
        )
    };
    let size = asked.page_size.unwrap_or(100);
    let Some(mut number) = start(&asked).filter(|_| (1..=250).contains(&size)) else {
        return bad();
    };
    if let Some(ids) = &asked.ids {
        let found = ids
            .split(',')
            .filter_map(number_of)
            .filter_map(|number| sandbox.person(number));
        return envelope(None, found.map(|person| employee(&sandbox, &person)).collect());
    }
    let count = sandbox.count();
    let mut results = Vec::new();
    while number < count && results.len() < size {
        if let Some(person) = sandbox.person(number).filter(|person| wanted(&asked, person)) {
            results.push(employee(&sandbox, &person));
        }
        number = number.saturating_add(1);
    }
    envelope(Some(number).filter(|number| *number < count), results)
}

fn wanted(asked: &Asked, person: &SandboxPerson) -> bool {
    let late = asked
        .updated_after
        .is_none_or(|after| stamp_of(person.changed) > after);
    let status = asked
        .employment_statuses
        .as_ref()
        .is_none_or(|words| words.split(',').any(|word| word == person.status.word()));
    late && status
}

async fn groups(sandbox: web::Data<Sandbox>, request: HttpRequest) -> HttpResponse {
    refuse(&sandbox, &request).unwrap_or_else(|| {
        let all = (0..DEPARTMENTS.len()).flat_map(|department| {
            let teams = (0..TEAMS).map(move |team| team_group(department, team));
            [department_group(department), cost_center(department)]
                .into_iter()
                .chain(teams)
        });
        envelope(None, all.collect())
    })
}

async fn entities(sandbox: web::Data<Sandbox>, request: HttpRequest) -> HttpResponse {
    refuse(&sandbox, &request)
        .unwrap_or_else(|| envelope(None, (0..ENTITIES.len()).map(legal_entity).collect()))
}

async fn locations(sandbox: web::Data<Sandbox>, request: HttpRequest) -> HttpResponse {
    refuse(&sandbox, &request).unwrap_or_else(|| {
        let all = ENTITIES
            .iter()
            .enumerate()
            .flat_map(|(entity, (_, _, sites))| (0..sites.len()).map(move |site| location(entity, site)));
        envelope(None, all.collect())
    })
}

fn stamp_of(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

fn stamp(day: NaiveDate) -> String {
    day.format("%Y-%m-%dT00:00:00.000Z").to_string()
}

fn group(id: String, remote_id: String, name: String, kind: &str) -> Value {
    json!({"id": id, "remote_id": remote_id, "name": name, "type": kind})
}

fn department_name(department: usize) -> &'static str {
    DEPARTMENTS.get(department).map_or("Company", |(name, _)| *name)
}

fn department_group(department: usize) -> Value {
    let name = department_name(department).to_owned();
    group(
        format!("Dept{department:020}"),
        format!("d{department}"),
        name,
        "DEPARTMENT",
    )
}

fn team_group(department: usize, team: usize) -> Value {
    let number = department.saturating_mul(TEAMS).saturating_add(team);
    let name = format!("{} Team {}", department_name(department), team.saturating_add(1));
    group(format!("Team{number:020}"), format!("t{number}"), name, "TEAM")
}

fn cost_center(department: usize) -> Value {
    let name = format!("CC-{}", department.saturating_add(10).saturating_mul(10));
    group(
        format!("Cost{department:020}"),
        format!("c{department}"),
        name,
        "COST_CENTER",
    )
}

fn legal_entity(entity: usize) -> Value {
    let name = ENTITIES.get(entity).map_or("", |(name, _, _)| *name);
    let code = entity.saturating_add(76).saturating_mul(10).to_string();
    json!({"id": format!("Lega{entity:020}"), "remote_id": code, "name": name, "address": null})
}

fn location(entity: usize, site: usize) -> Value {
    let number = entity.saturating_mul(10).saturating_add(site);
    let (country, city) = ENTITIES.get(entity).map_or(("", ""), |(_, country, sites)| {
        (*country, sites.get(site).copied().unwrap_or_default())
    });
    json!({
        "id": format!("Site{number:020}"), "remote_id": format!("s{number}"), "name": format!("{city} Office"),
        "address": {"city": city, "country": country, "raw": city, "state": null, "street_1": null, "street_2": null, "zip_code": null},
        "type": "OFFICE", "changed_at": "2026-01-01T00:00:00.000Z", "remote_deleted_at": null, "remote_data": null,
    })
}

/// A person in Kombo's shape. What Kombo gives and the sandbox does not invent is null.
fn employee(sandbox: &Sandbox, person: &SandboxPerson) -> Value {
    let mut employee = json!({
        "id": person.id(), "remote_id": person.number.to_string(), "employee_number": person.employee_number(),
        "first_name": person.given_name, "last_name": person.family_name, "job_title": person.title,
        "display_full_name": display(person), "work_email": person.work_email,
        "mobile_phone_number": format!("+49 1520 {:07}", person.number),
        "employment_status": person.status.word(),
        "employment_type": if person.number.is_multiple_of(11) { "PART_TIME" } else { "FULL_TIME" },
        "start_date": stamp(person.first_day), "termination_date": person.last_day.map(stamp),
        "remote_created_at": stamp(person.first_day), "changed_at": stamp(person.changed),
        "manager_id": person.manager.map(id_of),
        "manager": person.manager.and_then(|number| sandbox.person(number)).map(|manager| short(&manager)),
    });
    let groups = json!([
        department_group(person.department),
        team_group(person.department, person.team),
        cost_center(person.department),
    ]);
    let (entity, site) = (legal_entity(person.entity), location(person.entity, person.site));
    let more = json!({
        "work_location_id": site.get("id"), "work_location": site,
        "legal_entity_id": entity.get("id"), "legal_entity": entity,
        "teams": groups, "groups": groups,
        "weekly_hours": 40, "custom_fields": {}, "integration_fields": [], "bank_accounts": [], "employments": [],
        "time_off_balances": [],
    });
    let empty = [
        "nationality",
        "personal_email",
        "ssn",
        "tax_id",
        "gender",
        "ethnicity",
        "marital_status",
        "avatar",
        "home_address",
        "date_of_birth",
        "remote_deleted_at",
        "remote_data",
    ];
    if let (Value::Object(employee), Value::Object(more)) = (&mut employee, more) {
        employee.extend(more);
        employee.extend(empty.map(|name| (name.to_owned(), Value::Null)));
    }
    employee
}

fn display(person: &SandboxPerson) -> String {
    format!("{} {}", person.given_name, person.family_name)
}

/// A manager as embedded in the reports.
fn short(manager: &SandboxPerson) -> Value {
    json!({
        "id": manager.id(), "remote_id": manager.number.to_string(), "employee_number": manager.employee_number(),
        "first_name": manager.given_name, "last_name": manager.family_name, "work_email": manager.work_email,
        "display_full_name": display(manager), "employment_status": manager.status.word(),
        "termination_date": manager.last_day.map(stamp),
    })
}
