//! The sandbox company: who is in it, and a day of its life.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{Days, NaiveDate};

use super::names::DEPARTMENTS;
use super::person::{EmploymentStatus, SPAN, SandboxPerson, person, title, titles};

/// A company that speaks Kombo's API when served. Clones are the same company.
#[derive(Debug, Clone)]
pub struct Sandbox(Arc<Company>);

#[derive(Debug)]
struct Company {
    seed: u64,
    born: NaiveDate,
    first_employees: usize,
    life: RwLock<Life>,
}

/// What happened since the company began.
#[derive(Debug, Default)]
struct Life {
    hired: usize,
    changed: HashMap<usize, Changed>,
    /// Where to look for the next person to whom nothing happened yet.
    next: usize,
}

#[derive(Debug, Default, Clone)]
struct Changed {
    title_and_department: Option<(String, usize)>,
    last_day: Option<NaiveDate>,
    first_day: Option<NaiveDate>,
    on: NaiveDate,
}

/// What happened on a day, by ids in the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// Who was hired.
    pub hired: String,
    /// Who has another title in another department.
    pub moved: String,
    /// Who left.
    pub left: String,
}

impl Sandbox {
    /// A company of that many people, leavers and future starters included, as it is on the day `today`.
    #[must_use]
    pub fn new(employees: usize, seed: u64, today: NaiveDate) -> Self {
        let (first_employees, life) = (employees, RwLock::default());
        Self(Arc::new(Company {
            seed,
            born: today,
            first_employees,
            life,
        }))
    }

    /// The key the server wants.
    #[must_use]
    pub const fn api_key(&self) -> &'static str {
        "sandbox-key"
    }

    /// The integration id the server wants.
    #[must_use]
    pub const fn integration_id(&self) -> &'static str {
        "sandbox:demo"
    }

    /// How many people there are, leavers included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.first_employees.saturating_add(self.life().hired)
    }

    /// The person with that number, from 0.
    #[must_use]
    pub fn person(&self, number: usize) -> Option<SandboxPerson> {
        (number < self.count()).then(|| self.0.person(&self.life(), number))
    }

    /// Lets one day of life happen on `today`: one is hired, one gets another title in another department, one left (the last
    /// day was yesterday). `None` when nobody is left to whom it could happen.
    #[must_use]
    pub fn live_a_day(&self, today: NaiveDate) -> Option<Day> {
        let company = &self.0;
        let mut life = company.life.write().unwrap_or_else(PoisonError::into_inner);
        let moved = company.next_plain(&mut life)?;
        let left = company.next_plain(&mut life)?;
        let was = company.person(&life, moved);
        let department = was.department.saturating_add(1) % DEPARTMENTS.len();
        let place = moved % titles(department);
        let mut new_title = title(department, place, false);
        if new_title == was.title {
            new_title = format!("Senior {new_title}");
        }
        let change = |changed: Changed| Changed { on: today, ..changed };
        let to = Some((new_title, department));
        life.changed.insert(
            moved,
            change(Changed {
                title_and_department: to,
                ..Changed::default()
            }),
        );
        let last_day = today.checked_sub_days(Days::new(1));
        life.changed.insert(
            left,
            change(Changed {
                last_day,
                ..Changed::default()
            }),
        );
        let hired = company.first_employees.saturating_add(life.hired);
        life.hired = life.hired.saturating_add(1);
        life.changed.insert(
            hired,
            change(Changed {
                first_day: Some(today),
                ..Changed::default()
            }),
        );
        let id = super::person::id_of;
        Some(Day {
            hired: id(hired),
            moved: id(moved),
            left: id(left),
        })
    }

    fn life(&self) -> std::sync::RwLockReadGuard<'_, Life> {
        self.0.life.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Company {
    fn person(&self, life: &Life, number: usize) -> SandboxPerson {
        let gone = |number: usize| {
            life.changed
                .get(&number)
                .is_some_and(|changed| changed.last_day.is_some())
        };
        let mut person = person(self.seed, number, self.born, &gone);
        if let Some(changed) = life.changed.get(&number) {
            person.changed = changed.on;
            if let Some((title, department)) = &changed.title_and_department {
                person.title.clone_from(title);
                person.department = *department;
            }
            if let Some(last_day) = changed.last_day {
                person.status = EmploymentStatus::Inactive;
                person.last_day = Some(last_day);
            }
            if let Some(first_day) = changed.first_day {
                person.status = EmploymentStatus::Active;
                person.first_day = first_day;
                person.last_day = None;
            }
        }
        person
    }

    /// The next one who is employed, has an e-mail address and no reports, and to whom nothing happened yet.
    fn next_plain(&self, life: &mut Life) -> Option<usize> {
        let all = self.first_employees;
        while life.next < all {
            let number = all.saturating_sub(life.next).saturating_sub(1);
            life.next = life.next.saturating_add(1);
            let person = self.person(life, number);
            let leads = number.saturating_mul(SPAN).saturating_add(1) < all.saturating_add(life.hired);
            if person.status == EmploymentStatus::Active
                && person.work_email.is_some()
                && !leads
                && number > 0
            {
                return Some(number);
            }
        }
        None
    }
}
