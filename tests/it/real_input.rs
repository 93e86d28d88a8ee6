//! The published sample company of AdventureWorks, from its CSV file to a SCIM server that others wrote, through the
//! program's own commands: 296 rows, 290 people, five of whom have several rows; 23 rows name a manager's ended row.
//!
//! Runs where `SCIM_BRIDGE_REAL_INPUT` names the file, and pushes where `scim2-server` (PyPI) is installed in
//! `target/judges/python`; says aloud what it leaves out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::kit::left_out;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const CONNECTION: &str = r#"
name = "people"
connector = "csv"
[settings]
path = "people.csv"
[fields]
source_id = "EmployeeKey"
employee_number = "EmployeeNationalIDAlternateKey"
given_name = "FirstName"
family_name = "LastName"
middle_name = "MiddleName"
work_email = "EmailAddress"
work_phone = "Phone"
title = "Title"
department = { name = "DepartmentName" }
manager = { at = "ParentEmployeeKey", kind = "source_id" }
status = { at = "Status", words = { Current = "active", "" = "left" }, otherwise = "hold" }
first_day = { at = "StartDate", date = "%Y-%m-%d" }
last_day = { at = "EndDate", date = "%Y-%m-%d" }
birth_date = { at = "BirthDate", date = "%Y-%m-%d" }
[read]
optional = ["birth_date", "middle_name", "work_phone", "title", "department", "manager"]
required = ["given_name", "family_name", "work_email", "employee_number"]
[[group]]
key = "employee.department.name"
name = "employee.department.name"
"#;

/// A process that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.0.id().try_into().unwrap()) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok();
        }
        self.0.wait().ok();
    }
}

/// Asks until a server answers, whatever it says.
fn until_answered(url: &str) {
    let asked = Command::new("curl")
        .args([
            "-s",
            "--retry",
            "120",
            "--retry-connrefused",
            "--retry-delay",
            "1",
            "--retry-max-time",
            "120",
        ])
        .args(["-o", "/dev/null", url])
        .status()
        .unwrap();
    assert!(asked.success(), "nobody answers at {url}");
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// The bridge as its users run it: a server process, and commands beside it.
struct World {
    folder: PathBuf,
    environment: Vec<(&'static str, String)>,
    url: String,
    token: String,
    _server: Running,
}

impl World {
    fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("scim-bridge-real-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let url = format!("http://127.0.0.1:{}", free_port());
        let mut environment = vec![
            ("SCIM_BRIDGE_LISTEN", url.trim_start_matches("http://").to_owned()),
            ("SCIM_BRIDGE_DATA_DIR", folder.join("data").display().to_string()),
            ("SCIM_BRIDGE_ALLOW_PRIVATE_TARGETS", "true".to_owned()),
            ("SCIM_BRIDGE_URL", url.clone()),
        ];
        let log = std::fs::File::create(folder.join("server.log")).unwrap();
        let server = bridge(&folder, &environment)
            .arg("serve")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut world = Self {
            folder,
            environment: environment.clone(),
            url,
            token: String::new(),
            _server: Running(server),
        };
        until_answered(&format!("{}/readyz", world.url));
        world.run(&["tenant", "create", "acme"]);
        let token = world.run(&[
            "token",
            "create",
            "--tenant",
            "acme",
            "--name",
            "tests",
            "--scope",
            "admin,scim:read,provisioning:read",
        ]);
        token.trim().clone_into(&mut world.token);
        environment.push(("SCIM_BRIDGE_TOKEN", world.token.clone()));
        world.environment = environment;
        world
    }

    fn output(&self, arguments: &[&str]) -> Output {
        bridge(&self.folder, &self.environment)
            .args(arguments)
            .output()
            .unwrap()
    }

    /// Runs a command that must succeed; what it printed.
    fn run(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(
            output.status.success(),
            "{arguments:?} ended with {}:\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a sync and gives its exit code and the run.
    fn sync(&self, more: &[&str]) -> (i32, Value) {
        let output = self.output(&[&["sync", "people", "--json"], more].concat());
        let code = output.status.code().unwrap();
        let run = serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|error| {
            panic!(
                "sync ended with {code} and no JSON ({error}):\n{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )
        });
        (code, run["run"].clone())
    }

    fn write_input(&self, rows: &Table) {
        rows.write(&self.folder.join("people.csv"));
    }

    /// All resources of a type, by walking the list.
    fn all(&self, endpoint: &str) -> Vec<Value> {
        walk(&format!("{}/scim/v2/{endpoint}", self.url), &self.token)
    }
}

fn bridge(folder: &Path, environment: &[(&'static str, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scim-bridge"));
    command
        .current_dir(folder)
        .envs(environment.iter().map(|(name, value)| (*name, value.as_str())));
    command
}

fn get(url: &str, token: &str) -> Value {
    let output = Command::new("curl")
        .args(["-sS", "-H", &format!("Authorization: Bearer {token}"), url])
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{url}: {error}: {}", String::from_utf8_lossy(&output.stdout)))
}

fn walk(endpoint: &str, token: &str) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let page = get(
            &format!("{endpoint}?startIndex={}&count=100", all.len() + 1),
            token,
        );
        let resources = page["Resources"].as_array().cloned().unwrap_or_default();
        if resources.is_empty() {
            return all;
        }
        all.extend(resources);
    }
}

/// The file as rows of columns.
#[derive(Clone)]
struct Table {
    columns: Vec<String>,
    rows: Vec<BTreeMap<String, String>>,
}

impl Table {
    fn read(path: &Path) -> Self {
        let mut reader = csv::Reader::from_path(path).unwrap();
        let columns: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let rows = reader
            .records()
            .map(|row| {
                columns
                    .iter()
                    .cloned()
                    .zip(row.unwrap().iter().map(str::to_owned))
                    .collect()
            })
            .collect();
        Self { columns, rows }
    }

    fn write(&self, path: &Path) {
        let mut writer = csv::Writer::from_path(path).unwrap();
        writer.write_record(&self.columns).unwrap();
        for row in &self.rows {
            writer
                .write_record(self.columns.iter().map(|column| &row[column]))
                .unwrap();
        }
        writer.flush().unwrap();
    }

    fn change(&mut self, key: &str, column: &str, value: &str) {
        let row = self
            .rows
            .iter_mut()
            .find(|row| row["EmployeeKey"] == key)
            .unwrap();
        row.insert(column.to_owned(), value.to_owned());
    }

    /// The row in force of each person, by national id.
    fn people(&self) -> BTreeMap<&str, &BTreeMap<String, String>> {
        self.rows
            .iter()
            .filter(|row| row["Status"] == "Current")
            .map(|row| (row["EmployeeNationalIDAlternateKey"].as_str(), row))
            .collect()
    }

    /// The national id of a person's manager, by whichever row of the manager is named.
    fn manager_of(&self, row: &BTreeMap<String, String>) -> Option<&str> {
        let parent = &row["ParentEmployeeKey"];
        self.rows
            .iter()
            .find(|candidate| &candidate["EmployeeKey"] == parent)
            .map(|manager| manager["EmployeeNationalIDAlternateKey"].as_str())
    }
}

/// Users by employee number, with what must be right about each of them.
fn check_company(table: &Table, users: &[Value], groups: &[Value]) {
    let number = |user: &Value| user[ENTERPRISE]["employeeNumber"].as_str().unwrap().to_owned();
    let by_id: BTreeMap<&str, String> = users
        .iter()
        .map(|user| (user["id"].as_str().unwrap(), number(user)))
        .collect();
    let people = table.people();
    assert_eq!(users.len(), 290);
    assert_eq!(
        by_id.values().collect::<BTreeSet<_>>().len(),
        290,
        "each person once"
    );
    let mut with_manager = 0;
    for user in users {
        let row = people[number(user).as_str()];
        assert_eq!(user["active"], json!(true), "{}", row["EmployeeKey"]);
        assert_eq!(user["userName"], json!(row["EmailAddress"].to_lowercase()));
        assert_eq!(user["name"]["familyName"], json!(row["LastName"]));
        assert_eq!(user["title"], json!(row["Title"]));
        assert_eq!(user[ENTERPRISE]["department"], json!(row["DepartmentName"]));
        let manager = user[ENTERPRISE]["manager"]["value"]
            .as_str()
            .map(|id| by_id[id].as_str());
        assert_eq!(
            manager,
            table.manager_of(row),
            "manager of row {}",
            row["EmployeeKey"]
        );
        with_manager += usize::from(manager.is_some());
    }
    assert_eq!(with_manager, 289);

    let mut expected: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (number, row) in &people {
        expected.entry(&row["DepartmentName"]).or_default().insert(number);
    }
    let found: BTreeMap<&str, BTreeSet<&str>> = groups
        .iter()
        .map(|group| {
            let members = group["members"].as_array().cloned().unwrap_or_default();
            let numbers = members
                .iter()
                .map(|member| by_id[member["value"].as_str().unwrap()].as_str())
                .collect();
            (group["displayName"].as_str().unwrap(), numbers)
        })
        .collect();
    assert_eq!(found, expected, "groups by department");
}

/// `scim2-server` (PyPI): a SCIM server that others wrote. Its log has one line for each request.
struct Judge {
    url: String,
    log: PathBuf,
    _process: Running,
}

impl Judge {
    fn start(folder: &Path) -> Option<Self> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/judges/python/bin/scim2-server");
        if !program.exists() {
            left_out("scim2-server is not installed; `make tools` installs it where python3 and pip are");
            return None;
        }
        let (port, log) = (free_port(), folder.join("judge.log"));
        let file = std::fs::File::create(&log).unwrap();
        let process = Command::new(program)
            .args(["--port", &port.to_string(), "--bearer-token", "judge"])
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .unwrap();
        let url = format!("http://127.0.0.1:{port}/v2");
        until_answered(&url);
        Some(Self {
            url,
            log,
            _process: Running(process),
        })
    }

    fn all(&self, endpoint: &str) -> Vec<Value> {
        walk(&format!("{}/{endpoint}", self.url), "judge")
    }

    /// The requests so far that change something, as `PATCH /Users/…`.
    fn changes(&self) -> Vec<String> {
        let log = std::fs::read_to_string(&self.log).unwrap();
        log.lines()
            .filter_map(|line| line.split('"').nth(1))
            .map(|request| request.replace(" HTTP/1.1", ""))
            .filter(|request| !request.starts_with("GET "))
            .collect()
    }
}

fn app_file(judge: &Judge) -> String {
    format!(
        "name = \"judge\"\nbase_url = \"{}\"\ntoken = \"judge\"\nmode = \"live\"\n[groups]\npush = true\n",
        judge.url
    )
}

#[test]
fn the_published_company_comes_out_right_and_nothing_harmful_ever_leaves() {
    let Some(input) = std::env::var_os("SCIM_BRIDGE_REAL_INPUT") else {
        eprintln!("NOT RUN: SCIM_BRIDGE_REAL_INPUT does not name adventureworks-employees.csv");
        return;
    };
    let table = Table::read(Path::new(&input));
    let world = World::start();
    world.write_input(&table);
    std::fs::write(world.folder.join("people.toml"), CONNECTION).unwrap();
    world.run(&["connection", "apply", "people.toml", "--publish"]);
    let (code, run) = world.sync(&[]);
    assert_eq!((code, &run["state"]), (0, &json!("done")), "{run}");
    check_company(&table, &world.all("Users"), &world.all("Groups"));

    let Some(judge) = Judge::start(&world.folder) else {
        return;
    };
    std::fs::write(world.folder.join("judge.toml"), app_file(&judge)).unwrap();
    world.run(&["app", "apply", "judge.toml", "--publish"]);
    world.run(&["status", "--wait", "--timeout", "5m"]);
    everything_is_in_sync(&world);
    check_company(&table, &judge.all("Users"), &judge.all("Groups"));

    let changed = three_changes_arrive_as_three(&world, &judge, &table);
    sabotage_harms_nobody(&world, &judge, &changed);
}

fn everything_is_in_sync(world: &World) {
    let status: Value = serde_json::from_str(&world.run(&["status", "--json"])).unwrap();
    assert_eq!(
        status["apps"][0]["counts"],
        json!({"in_sync": 290 + 16}),
        "{status}"
    );
}

/// A title, a manager, and an end date with emptied status for somebody's only row.
fn three_changes_arrive_as_three(world: &World, judge: &Judge, table: &Table) -> Table {
    let mut changed = table.clone();
    changed.change("1", "Title", "Production Lead");
    changed.change("2", "ParentEmployeeKey", "112");
    changed.change("10", "EndDate", "2026-03-01");
    changed.change("10", "Status", "");
    world.write_input(&changed);
    let (code, dry) = world.sync(&["--dry-run"]);
    assert_eq!(code, 0, "{dry}");
    assert_eq!(
        (
            &dry["counts"]["update"],
            &dry["counts"]["disable"],
            &dry["counts"]["create"]
        ),
        (&json!(2), &json!(1), &json!(0)),
        "{dry}"
    );
    let before = judge.changes().len();
    let (code, run) = world.sync(&[]);
    assert_eq!(code, 0, "{run}");
    world.run(&["status", "--wait", "--timeout", "2m"]);
    let sent = judge.changes().split_off(before);
    let users = judge.all("Users");
    let of = |key: &str| {
        let row = changed.rows.iter().find(|row| row["EmployeeKey"] == key).unwrap();
        users
            .iter()
            .find(|user| user["userName"] == json!(row["EmailAddress"].to_lowercase()))
            .unwrap()
    };
    let expected: BTreeSet<String> = ["1", "2", "10"]
        .iter()
        .map(|key| format!("PATCH /v2/Users/{}", of(key)["id"].as_str().unwrap()))
        .collect();
    let to_users: Vec<&String> = sent.iter().filter(|request| request.contains("/Users")).collect();
    assert_eq!(
        to_users
            .iter()
            .map(|request| (*request).clone())
            .collect::<BTreeSet<_>>(),
        expected
    );
    assert_eq!(to_users.len(), 3, "each once: {to_users:?}");
    assert_eq!(of("1")["title"], json!("Production Lead"));
    let boss = changed
        .rows
        .iter()
        .find(|row| row["EmployeeKey"] == "112")
        .unwrap();
    let boss = users
        .iter()
        .find(|user| user["userName"] == json!(boss["EmailAddress"].to_lowercase()))
        .unwrap();
    assert_eq!(
        of("2")[ENTERPRISE]["manager"]["value"],
        boss["id"],
        "by the app's own id"
    );
    assert_eq!(of("10")["active"], json!(false));
    changed
}

/// Files that are wrong in the ways files go wrong: nobody leaves, nothing is sent, and the run says why.
fn sabotage_harms_nobody(world: &World, judge: &Judge, table: &Table) {
    let active = |world: &World| {
        get(
            &format!("{}/scim/v2/Users?filter=active%20eq%20true&count=0", world.url),
            &world.token,
        )["totalResults"]
            .clone()
    };
    let before = (active(world), judge.changes().len());
    assert_eq!(before.0, json!(289));
    let part = |share: usize| Table {
        rows: table.rows[..table.rows.len() * share / 100].to_vec(),
        ..table.clone()
    };
    let without_marketing = Table {
        rows: table
            .rows
            .iter()
            .filter(|row| row["DepartmentName"] != "Marketing")
            .cloned()
            .collect(),
        ..table.clone()
    };
    let mut without_mail = table.clone();
    for row in &mut without_mail.rows {
        row.insert("EmailAddress".to_owned(), String::new());
    }
    for (name, sabotaged) in [
        ("half", part(50)),
        ("nine tenths", part(90)),
        ("no marketing", without_marketing),
        ("no e-mail", without_mail),
    ] {
        world.write_input(&sabotaged);
        let (code, run) = world.sync(&[]);
        world.run(&["status", "--wait", "--timeout", "2m"]);
        let shown = world.run(&["run", "show", run["id"].as_str().unwrap()]);
        eprintln!("{name}: exit {code}, {run}\n{shown}");
        assert_eq!((active(world), judge.changes().len()), before, "{name}: {run}");
        assert!(code == 3 || code == 4, "{name}: somebody must be asked: {run}");
    }
    world.write_input(table);
    let (code, run) = world.sync(&[]);
    assert_eq!(code, 0, "the right file goes through again: {run}");
    world.run(&["status", "--wait", "--timeout", "2m"]);
    assert_eq!(
        (active(world), judge.changes().len()),
        before,
        "and nothing had to be made good"
    );
}
