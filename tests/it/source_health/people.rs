//! A company with entities, odd names and half-filled fields, as a file or as JSON.

use serde_json::{Value, json};

/// One record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct One {
    pub id: String,
    pub number: String,
    pub given: String,
    pub family: String,
    pub email: String,
    pub title: String,
    pub department: String,
    pub entity: String,
    pub site: String,
    pub mobile: String,
    pub manager: String,
    pub status: String,
    pub from: String,
    pub to: String,
}

pub const HEAD: &str =
    "Id,Number,Given,Family,Email,Title,Department,Entity,Site,Mobile,Manager,Status,From,To";

const GIVEN: [&str; 11] = [
    "Ada", "Björn", "Chloé", "Dirk", "Eva", "Finn", "Gül", "Hugo", "Ines", "Jürgen", "Kim",
];
const FAMILY: [&str; 13] = [
    "Maier", "Müller", "Peters", "Roux", "Schmidt", "Yılmaz", "Bakker", "Lund", "Novák", "Rossi", "Weiß",
    "Olsen", "Kern",
];
const TITLES: [&str; 5] = ["Engineer", "Clerk", "Analyst", "Lead", "Buyer"];

/// The n-th member of staff.
pub fn one(n: usize) -> One {
    let entity = match n % 10 {
        0..=5 => "Acme GmbH",
        6..=8 => "Acme SAS",
        _ => "Acme BV",
    };
    let department = if n < 7 {
        "Payroll".to_owned()
    } else {
        format!("Dept {}", n % 12)
    };
    One {
        id: format!("id-{n:04}"),
        number: format!("E{n:04}"),
        given: GIVEN[n % 11].to_owned(),
        family: format!("{}-{n}", FAMILY[n % 13]),
        email: format!("staff{n}@acme.example"),
        title: TITLES[n % 5].to_owned(),
        department,
        entity: entity.to_owned(),
        site: ["Berlin", "Lyon", "Delft"][n % 3].to_owned(),
        mobile: if n.is_multiple_of(4) {
            format!("+49 170 {n:06}")
        } else {
            String::new()
        },
        manager: if n == 0 {
            String::new()
        } else {
            format!("id-{:04}", n % 7)
        },
        status: "Current".to_owned(),
        from: format!("20{:02}-0{}-01", 10 + n % 14, 1 + n % 9),
        to: String::new(),
    }
}

/// The first `size` members of staff.
pub fn company(size: usize) -> Vec<One> {
    (0..size).map(one).collect()
}

/// Somebody of another company.
pub fn stranger(n: usize) -> One {
    One {
        id: format!("x-{n:04}"),
        number: format!("G{n:04}"),
        given: GIVEN[(n + 3) % 11].to_owned(),
        family: format!("Foreign-{n}"),
        email: format!("someone{n}@globex.example"),
        entity: "Globex Inc".to_owned(),
        ..one(n)
    }
}

pub fn csv(people: &[One]) -> String {
    let mut text = format!("{HEAD}\n");
    for one in people {
        let cells = [
            &one.id,
            &one.number,
            &one.given,
            &one.family,
            &one.email,
            &one.title,
            &one.department,
            &one.entity,
            &one.site,
            &one.mobile,
            &one.manager,
            &one.status,
            &one.from,
            &one.to,
        ];
        text.push_str(&cells.map(String::as_str).join(","));
        text.push('\n');
    }
    text
}

pub fn record(one: &One) -> Value {
    json!({
        "id": one.id, "number": one.number, "given": one.given, "family": one.family, "email": one.email,
        "title": one.title, "department": one.department, "entity": one.entity, "site": one.site,
        "mobile": one.mobile, "manager": one.manager, "status": one.status, "from": one.from, "to": one.to,
    })
}

/// `[fields]` of a connection; `at` makes the place of a column.
pub fn fields(at: impl Fn(&str) -> String) -> Value {
    json!({
        "source_id": at("Id"),
        "employee_number": at("Number"),
        "given_name": at("Given"),
        "family_name": at("Family"),
        "work_email": at("Email"),
        "title": at("Title"),
        "department": { "name": at("Department") },
        "entity": { "name": at("Entity") },
        "location": { "name": at("Site") },
        "mobile_phone": at("Mobile"),
        "manager": { "at": at("Manager"), "kind": "source_id" },
        "status": {
            "at": at("Status"),
            "words": { "Current": "active", "Gone": "left", "Future": "pre_hire" },
            "otherwise": "hold",
        },
        "first_day": { "at": at("From"), "date": "%Y-%m-%d" },
        "last_day": { "at": at("To"), "date": "%Y-%m-%d" },
    })
}

/// A connection that reads a file which is handed in.
pub fn file_connection(name: &str) -> Value {
    json!({ "name": name, "connector": "csv", "settings": { "path": "people.csv" }, "fields": fields(str::to_owned) })
}
