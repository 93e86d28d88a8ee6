//! Pull of many employees from a local stub at pages of 200, beside a plain loop of reqwest and serde over the same pages.
//!
//! `cargo bench --bench pull -- [EMPLOYEES]` prints records per second of both, their ratio, and the peak memory of the pulling
//! process for a tenth of the employees and for all of them. Stub and readers are processes of their own.
#![expect(
    clippy::disallowed_methods,
    reason = "the plain loop is what the client of the program is compared with"
)]

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use actix_web::web::{Bytes, Data, Query};
use actix_web::{App, HttpResponse, HttpServer, web};
use scim_bridge::base::Clock;
use scim_bridge::connector::{Catalogue, MemoryTokens, Source};
use scim_bridge::net::Net;
use serde::Deserialize;
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

const PAGE: usize = 200;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["stub", employees] => stub(employees.parse()?).await,
        ["plain", url] => plain(url).await,
        ["bridge", url] => bridge(url).await,
        [employees] => compare(employees.parse()?),
        _ => compare(50_000),
    }
}

/// A stub in a process of its own, which ends with this value.
struct Served(Child, String);

impl Served {
    fn new(employees: usize) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["stub", &employees.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().ok_or("no output")?;
        let mut url = String::new();
        BufReader::new(out).read_line(&mut url)?;
        Ok(Self(child, url.trim().to_owned()))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It has nothing to save.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a reader told: records, records per second, peak memory in MiB.
type Told = (u64, f64, f64);

fn read(how: &str, url: &str) -> Result<Told, Failure> {
    let done = Command::new(std::env::current_exe()?).args([how, url]).output()?;
    let text = String::from_utf8(done.stdout)?;
    let mut numbers = text.split_whitespace().map(str::parse::<f64>);
    let mut next = || numbers.next().ok_or("a reader failed")?.map_err(Failure::from);
    let (records, rate, memory) = (next()?, next()?, next()?);
    Ok((format!("{records:.0}").parse()?, rate, memory))
}

fn compare(employees: usize) -> Result<(), Failure> {
    let few = Served::new(employees / 10)?;
    let all = Served::new(employees)?;
    println!("| employees | plain records/s | bridge records/s | ratio | plain peak MiB | bridge peak MiB |");
    println!("| ---: | ---: | ---: | ---: | ---: | ---: |");
    for served in [&few, &all] {
        let mut best: Option<(Told, Told)> = None;
        for _ in 0..3 {
            let (plain, bridge) = (read("plain", &served.1)?, read("bridge", &served.1)?);
            if plain.0 != bridge.0 {
                return Err(format!("{} and {} records came", plain.0, bridge.0).into());
            }
            if best.is_none_or(|(_, before)| bridge.1 > before.1) {
                best = Some((plain, bridge));
            }
        }
        let (plain, bridge) = best.ok_or("nothing was read")?;
        println!(
            "| {} | {:.0} | {:.0} | {:.2} | {:.0} | {:.0} |",
            bridge.0,
            plain.1,
            bridge.1,
            bridge.1 / plain.1,
            plain.2,
            bridge.2
        );
    }
    Ok(())
}

fn employee(id: usize) -> Value {
    json!({
        "id": format!("n{id:023}"), "remote_id": id.to_string(), "employee_number": format!("{id:06}"),
        "first_name": format!("Renée {id}"), "last_name": "Marchetti", "display_full_name": format!("Renée {id} Marchetti"),
        "job_title": "Staff Accountant", "work_email": format!("person{id}@example.com"),
        "personal_email": null, "mobile_phone_number": "+33600000900", "ssn": null, "gender": "FEMALE",
        "marital_status": "MARRIED", "employment_status": "ACTIVE", "employment_type": "FULL_TIME", "weekly_hours": 40,
        "avatar": null, "work_location_id": "W1", "legal_entity_id": "L1", "manager_id": format!("n{:023}", id / 10),
        "home_address": null, "bank_accounts": [], "date_of_birth": "1990-02-11T00:00:00.000Z",
        "start_date": "2020-04-06T00:00:00.000Z", "termination_date": null, "changed_at": "2026-11-20T06:12:44.018Z",
        "remote_deleted_at": null, "custom_fields": {}, "integration_fields": [],
        "groups": [{"id": "D1", "remote_id": "7d", "name": "Finance", "type": "DEPARTMENT"},
                   {"id": "C1", "remote_id": "3d", "name": "CC-10", "type": "COST_CENTER"}],
        "legal_entity": {"id": "L1", "remote_id": "760", "name": "Example France SAS", "address": null},
        "work_location": {"id": "W1", "remote_id": "24f6", "name": "Lyon Office", "type": "OFFICE"}
    })
}

#[derive(Deserialize)]
struct Asked {
    cursor: Option<usize>,
}

async fn stub(employees: usize) -> Result<(), Failure> {
    let ids: Vec<usize> = (1..=employees).collect();
    let last = ids.len().div_ceil(PAGE).saturating_sub(1);
    let pages: Vec<Bytes> = ids
        .chunks(PAGE)
        .enumerate()
        .map(|(number, ids)| {
            let next = (number < last).then(|| (number + 1).to_string());
            let results: Vec<Value> = ids.iter().map(|id| employee(*id)).collect();
            Bytes::from(json!({"status": "success", "data": {"next": next, "results": results}}).to_string())
        })
        .collect();
    let pages = Data::new(pages);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("http://{}", listener.local_addr()?);
    HttpServer::new(move || {
        App::new().app_data(Data::clone(&pages)).default_service(web::to(
            |pages: Data<Vec<Bytes>>, asked: Query<Asked>| async move {
                match pages.get(asked.cursor.unwrap_or(0)) {
                    Some(page) => HttpResponse::Ok()
                        .content_type("application/json")
                        .body(page.clone()),
                    None => HttpResponse::NotFound().finish(),
                }
            },
        ))
    })
    .workers(1)
    .listen(listener)?
    .run()
    .await?;
    Ok(())
}

/// Tells what was read since `begun`, and the peak memory of this process.
fn tell(records: u64, begun: Instant) -> Result<(), Failure> {
    let took = begun.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 = peak
        .and_then(|text| text.split_whitespace().next())
        .unwrap_or("0")
        .parse()?;
    let rate = f64::from(u32::try_from(records)?) / took;
    println!("{records} {rate} {}", kib / 1024.0);
    Ok(())
}

#[derive(Deserialize)]
struct PlainAnswer {
    data: PlainData,
}

#[derive(Deserialize)]
struct PlainData {
    next: Option<String>,
    results: Vec<PlainEmployee>,
}

/// What a program written for this one API would read.
#[derive(Deserialize)]
struct PlainEmployee {
    id: String,
    employee_number: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    display_full_name: Option<String>,
    job_title: Option<String>,
    work_email: Option<String>,
    mobile_phone_number: Option<String>,
    employment_status: Option<String>,
    employment_type: Option<String>,
    manager_id: Option<String>,
    start_date: Option<String>,
    termination_date: Option<String>,
    groups: Vec<PlainUnit>,
    legal_entity: Option<PlainUnit>,
    work_location: Option<PlainUnit>,
}

#[derive(Deserialize)]
struct PlainUnit {
    id: String,
    name: Option<String>,
}

impl PlainEmployee {
    /// How much text it holds, so that nothing of it is left unread.
    fn size(&self) -> usize {
        let texts = [
            &self.employee_number,
            &self.first_name,
            &self.last_name,
            &self.display_full_name,
            &self.job_title,
            &self.work_email,
            &self.mobile_phone_number,
            &self.employment_status,
            &self.employment_type,
            &self.manager_id,
            &self.start_date,
            &self.termination_date,
        ];
        let units = self
            .groups
            .iter()
            .chain(&self.legal_entity)
            .chain(&self.work_location);
        let unit = |unit: &PlainUnit| unit.id.len() + unit.name.as_deref().map_or(0, str::len);
        self.id.len()
            + texts.into_iter().flatten().map(String::len).sum::<usize>()
            + units.map(unit).sum::<usize>()
    }
}

async fn plain(url: &str) -> Result<(), Failure> {
    let client = reqwest::Client::new();
    let begun = Instant::now();
    let (mut records, mut cursor, mut size) = (0_u64, None::<String>, 0_usize);
    loop {
        let mut address = url::Url::parse(&format!("{url}/v1/hris/employees?page_size=250"))?;
        if let Some(cursor) = &cursor {
            address.query_pairs_mut().append_pair("cursor", cursor);
        }
        let body = client
            .get(address)
            .bearer_auth("key")
            .send()
            .await?
            .bytes()
            .await?;
        let answer: PlainAnswer = serde_json::from_slice(&body)?;
        records += u64::try_from(answer.data.results.len())?;
        size += answer.data.results.iter().map(PlainEmployee::size).sum::<usize>();
        cursor = answer.data.next;
        if cursor.is_none() {
            break;
        }
    }
    if size == 0 {
        return Err("nothing was read".into());
    }
    tell(records, begun)
}

async fn bridge(url: &str) -> Result<(), Failure> {
    let catalogue = Catalogue::load(None)?;
    let manifest = catalogue.get("kombo").ok_or("no manifest")?;
    let given = json!({"api_key": "key", "integration_id": "sandbox:1", "base_url": url});
    let settings = manifest
        .check_settings(&given)
        .map_err(|problems| format!("{problems:?}"))?;
    let (clock, tokens) = (Clock::system(), MemoryTokens::default());
    let net = Net::new(true, clock.clone())?;
    let chosen = manifest.default_optional();
    let source = Source {
        manifest,
        settings: &settings,
        fields: None,
        chosen: &chosen,
        upload: None,
        files: None,
        net: &net,
        clock: &clock,
        tokens: &tokens,
    };
    let begun = Instant::now();
    let mut pull = source.pull();
    let mut records = 0_u64;
    while let Some(page) = pull.next().await? {
        records += u64::try_from(page.employees.len())?;
    }
    tell(records, begun)
}
