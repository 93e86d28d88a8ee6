//! Two hundred ordinary runs: a year and more of a company with its seasons, and of a very small one.

use chrono::{DateTime, Datelike as _, Days, NaiveDate, Utc};
use serde_json::json;

use super::people::{One, company, csv, file_connection, one};
use super::run_of;
use crate::kit::{Bridge, good};
use crate::sync_kit::{active_users, apply};

/// Numbers that look like chance and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap() % sides
    }
}

struct Life {
    people: Vec<One>,
    next: usize,
    dice: Dice,
}

impl Life {
    fn hire(&mut self, day: NaiveDate) {
        let mut new = one(self.next);
        self.next += 1;
        new.from = day.to_string();
        new.manager = self.people[0].id.clone();
        self.people.push(new);
    }

    fn current(&mut self) -> &mut One {
        let at: Vec<usize> = (0..self.people.len())
            .filter(|at| self.people[*at].status == "Current" && self.people[*at].to.is_empty())
            .collect();
        let at = at[self.dice.roll(at.len())];
        &mut self.people[at]
    }

    fn leave(&mut self, day: NaiveDate) {
        self.current().to = day.to_string();
    }

    /// What happens in a big company between two reads.
    fn pass(&mut self, from: NaiveDate, to: NaiveDate) {
        let mut day = from;
        while day < to {
            day = day.checked_add_days(Days::new(1)).unwrap();
            self.day(day);
        }
        let today = to.to_string();
        for one in &mut self.people {
            if !one.to.is_empty() && one.to < today {
                one.status = "Gone".to_owned();
            }
        }
        // Records of those who left are deleted two months later.
        let old = to.checked_sub_days(Days::new(60)).unwrap().to_string();
        self.people.retain(|one| one.to.is_empty() || one.to > old);
    }

    fn day(&mut self, day: NaiveDate) {
        let end_of_month = day.checked_add_days(Days::new(1)).unwrap().month() != day.month();
        let staff = self.people.len();
        if end_of_month {
            let quarter = day.month().is_multiple_of(3);
            for _ in 0..staff * if quarter { 4 } else { 2 } / 100 {
                self.leave(day);
            }
        }
        if day.day() == 1 {
            let season = matches!(day.month(), 9 | 10);
            for _ in 0..staff * if season { 9 } else { 3 } / 100 {
                self.hire(day);
            }
        }
        if self.dice.roll(4) == 0 {
            let title = ["Manager", "Senior Clerk", "Expert"][self.dice.roll(3)];
            self.current().title = title.to_owned();
        }
        if self.dice.roll(9) == 0 {
            // Marriage.
            let one = self.current();
            one.family = format!("{}-Neu", one.family);
            one.email = format!("neu.{}", one.email);
        }
        if self.dice.roll(6) == 0 {
            let department = format!("Dept {}", self.dice.roll(12));
            self.current().department = department;
        }
        if self.dice.roll(20) == 0 {
            self.current().mobile.clear();
        }
        if self.dice.roll(30) == 0 {
            // Somebody forgot the title, somebody mistyped a day.
            self.current().title.clear();
            self.current().from = "1.2.2020".to_owned();
        }
        if (day.month(), day.day()) == (3, 15) {
            self.reorganise();
        }
        if matches!((day.month(), day.day()), (6, 10) | (7, 8)) {
            // The head of a department goes, and four weeks later there is another one.
            let head = if day.month() == 6 {
                String::new()
            } else {
                self.people[0].id.clone()
            };
            for one in self.people.iter_mut().filter(|one| one.department == "Dept 9") {
                one.manager.clone_from(&head);
            }
        }
        if (day.month(), day.day()) == (5, 2) {
            // The phones of a department are handed out.
            for one in self.people.iter_mut().filter(|one| one.department == "Dept 4") {
                one.mobile = format!("+49 171 {}", one.id.trim_start_matches("id-"));
            }
        }
    }

    /// Half of the departments get new names, two become one, a site moves.
    fn reorganise(&mut self) {
        for one in &mut self.people {
            one.department = match one.department.as_str() {
                "Dept 1" | "Dept 2" => "Customers".to_owned(),
                "Dept 3" => "Engines".to_owned(),
                "Dept 5" => "Law".to_owned(),
                "Dept 6" => "Money".to_owned(),
                "Dept 8" => "Machines".to_owned(),
                "Payroll" => "People Services".to_owned(),
                _ => std::mem::take(&mut one.department),
            };
            if one.site == "Lyon" {
                one.site = "Villeurbanne".to_owned();
            }
            if one.manager == "id-0003" {
                one.manager = "id-0004".to_owned();
            }
        }
    }
}

async fn read(bridge: &Bridge, connection: &str, people: &[One]) -> serde_json::Value {
    let path = format!("/api/v1/connections/{connection}/upload");
    let upload = bridge.request(reqwest::Method::PUT, &path);
    good(upload.header("content-type", "text/csv").body(csv(people))).await;
    run_of(bridge, connection).await
}

async fn connect(bridge: &Bridge, name: &str) {
    apply(bridge, &file_connection(name)).await;
    bridge
        .post(&format!("/api/v1/connections/{name}/publish"), &json!({}))
        .await;
}

fn at(start: DateTime<Utc>, day: u64) -> DateTime<Utc> {
    start.checked_add_days(Days::new(day)).unwrap()
}

#[tokio::test]
async fn two_hundred_ordinary_runs_with_growth_seasons_and_a_reorganisation_never_stop() {
    let bridge = Bridge::spawn().await;
    connect(&bridge, "people").await;
    let start = bridge.clock.now();
    let mut life = Life {
        people: company(110),
        next: 110,
        dice: Dice(7),
    };
    let mut stopped = Vec::new();
    let mut before = start;
    for run in 0..140_u64 {
        let now = at(start, run * 3);
        bridge.clock.set(&now.to_rfc3339());
        life.pass(before.date_naive(), now.date_naive());
        before = now;
        let run = read(&bridge, "people", &life.people).await;
        if run["state"] != "done" {
            stopped.push(format!("{now}: {run}"));
        }
    }
    assert!(
        stopped.is_empty(),
        "{} runs:\n{}",
        stopped.len(),
        stopped.join("\n")
    );
    let active = active_users(&bridge).await;
    assert!(active > 110, "it grew: {active}");
    let left = bridge
        .count("SELECT count(*) FROM resource WHERE kind = 'User' AND NOT active")
        .await;
    assert!(left > 25, "and people left: {left}");
}

#[tokio::test]
async fn a_very_small_company_goes_through_seventy_ordinary_runs_without_a_stop() {
    let bridge = Bridge::spawn().await;
    connect(&bridge, "people").await;
    let start = bridge.clock.now();
    let mut life = Life {
        people: company(9),
        next: 9,
        dice: Dice(3),
    };
    let mut stopped = Vec::new();
    for run in 0..70_u64 {
        let now = at(start, run * 5);
        bridge.clock.set(&now.to_rfc3339());
        let today = now.date_naive();
        match run % 9 {
            2 | 6 => life.hire(today),
            4 => life.leave(today),
            5 => {
                // The one who left is deleted from the file.
                let today = today.to_string();
                life.people.retain(|one| one.to.is_empty() || one.to >= today);
            }
            7 => life.current().title = "Boss".to_owned(),
            8 => life.current().mobile = "+49 172 1".to_owned(),
            _ => {}
        }
        if run == 40 {
            for one in &mut life.people {
                one.department = "The Team".to_owned();
            }
        }
        let run = read(&bridge, "people", &life.people).await;
        if run["state"] != "done" {
            stopped.push(format!("{now}: {run}"));
        }
    }
    assert!(
        stopped.is_empty(),
        "{} runs:\n{}",
        stopped.len(),
        stopped.join("\n")
    );
    assert!(active_users(&bridge).await > 9);
}
