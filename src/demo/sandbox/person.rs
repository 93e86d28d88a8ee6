//! One person of the sandbox company, computed from the seed and a number.

use chrono::{Days, NaiveDate};

use super::names::{DEPARTMENTS, ENTITIES, FAMILY, GIVEN, TEAMS};

/// The words Kombo uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmploymentStatus {
    /// Employed.
    Active,
    /// Employed and away.
    Leave,
    /// Not started yet.
    Pending,
    /// Left.
    Inactive,
}

impl EmploymentStatus {
    /// The word in Kombo's API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Leave => "LEAVE",
            Self::Pending => "PENDING",
            Self::Inactive => "INACTIVE",
        }
    }
}

/// One person of the sandbox company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxPerson {
    /// The number in the company, from 0; the head is 0.
    pub number: usize,
    /// Given name.
    pub given_name: &'static str,
    /// Family name.
    pub family_name: &'static str,
    /// E-mail at work; about one in a hundred has none.
    pub work_email: Option<String>,
    /// Title.
    pub title: String,
    /// Place of the department in the list of departments.
    pub department: usize,
    /// The team in the department, from 0.
    pub team: usize,
    /// Place of the legal entity in the list of entities.
    pub entity: usize,
    /// Place of the site in the entity's list.
    pub site: usize,
    /// Number of the manager; only the head has none.
    pub manager: Option<usize>,
    /// What HR says today.
    pub status: EmploymentStatus,
    /// First day.
    pub first_day: NaiveDate,
    /// Last day, of those who left.
    pub last_day: Option<NaiveDate>,
    /// The day of the last change.
    pub changed: NaiveDate,
}

impl SandboxPerson {
    /// The personnel number.
    #[must_use]
    pub fn employee_number(&self) -> String {
        format!("{}", self.number.saturating_add(10_000))
    }

    /// The id in the API: 24 characters.
    #[must_use]
    pub fn id(&self) -> String {
        id_of(self.number)
    }
}

/// The id of the person with that number.
pub(super) fn id_of(number: usize) -> String {
    format!("Pers{number:020}")
}

/// The number of the person with that id.
pub(super) fn number_of(id: &str) -> Option<usize> {
    id.strip_prefix("Pers")
        .filter(|rest| rest.len() == 20)?
        .parse()
        .ok()
}

/// What is decided by chance.
mod about {
    pub(super) const GIVEN: u64 = 1;
    pub(super) const FAMILY: u64 = 2;
    pub(super) const DEPARTMENT: u64 = 3;
    pub(super) const TEAM: u64 = 4;
    pub(super) const ENTITY: u64 = 5;
    pub(super) const SITE: u64 = 6;
    pub(super) const TITLE: u64 = 7;
    pub(super) const EMAIL: u64 = 8;
    pub(super) const STATUS: u64 = 9;
    pub(super) const START: u64 = 10;
    pub(super) const END: u64 = 11;
}

/// A number below `sides`, the same for the same seed, person and subject (splitmix64).
fn dice(seed: u64, number: usize, about: u64, sides: usize) -> usize {
    let mut x = seed
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(
            u64::try_from(number)
                .unwrap_or(u64::MAX)
                .wrapping_mul(0xbf58_476d_1ce4_e5b9),
        )
        .wrapping_add(about.wrapping_mul(0x94d0_49bb_1331_11eb));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^= x >> 31;
    let sides = u64::try_from(sides).unwrap_or(u64::MAX).max(1);
    usize::try_from(x % sides).unwrap_or_default()
}

/// Reports of one manager.
pub(super) const SPAN: usize = 8;

/// Whether the person had left, or had not started, from the beginning. The first ten are all there.
fn fate(seed: u64, number: usize) -> EmploymentStatus {
    let always_there = number < 10;
    match dice(seed, number, about::STATUS, 100) {
        0..=2 if !always_there => EmploymentStatus::Inactive,
        3 if !always_there => EmploymentStatus::Pending,
        4..=5 if !always_there => EmploymentStatus::Leave,
        _ => EmploymentStatus::Active,
    }
}

fn chosen<T: Copy>(list: &[T], place: usize) -> Option<T> {
    list.get(place).copied()
}

/// The title with that place in a department.
pub(super) fn title(department: usize, place: usize, leads: bool) -> String {
    let (name, titles) = chosen(DEPARTMENTS, department).unwrap_or(("Company", &["Employee"]));
    if leads {
        return format!("Lead {name}");
    }
    chosen(titles, place % titles.len().max(1))
        .unwrap_or("Employee")
        .to_owned()
}

/// How many titles a department has.
pub(super) fn titles(department: usize) -> usize {
    chosen(DEPARTMENTS, department).map_or(1, |(_, titles)| titles.len())
}

/// The person as the company began, on the day `born`. `is_gone` tells of managers who left since.
pub(super) fn person(
    seed: u64,
    number: usize,
    born: NaiveDate,
    is_gone: &dyn Fn(usize) -> bool,
) -> SandboxPerson {
    let pick = |about: u64, sides: usize| dice(seed, number, about, sides);
    let (given_name, given_plain) = chosen(GIVEN, pick(about::GIVEN, GIVEN.len())).unwrap_or(("A", "a"));
    let (family_name, family_plain) = chosen(FAMILY, pick(about::FAMILY, FAMILY.len())).unwrap_or(("B", "b"));
    let department = pick(about::DEPARTMENT, DEPARTMENTS.len());
    let entity = entity(pick(about::ENTITY, 10));
    let sites = chosen(ENTITIES, entity).map_or(1, |(_, _, sites)| sites.len());
    let status = fate(seed, number);
    let days = |about: u64, least: usize, most: usize| {
        Days::new(
            u64::try_from(least.saturating_add(pick(about, most.saturating_sub(least)))).unwrap_or_default(),
        )
    };
    let (first_day, last_day) = match status {
        EmploymentStatus::Pending => (born + days(about::START, 1, 90), None),
        EmploymentStatus::Inactive => (
            born - days(about::START, 800, 6000),
            Some(born - days(about::END, 30, 700)),
        ),
        _ => (born - days(about::START, 40, 6000), None),
    };
    let has_email = number == 0 || pick(about::EMAIL, 100) != 0;
    SandboxPerson {
        number,
        given_name,
        family_name,
        work_email: has_email.then(|| format!("{given_plain}.{family_plain}{number}@sandbox.example")),
        title: title(department, pick(about::TITLE, titles(department)), number < 10),
        department,
        team: pick(about::TEAM, TEAMS),
        entity,
        site: pick(about::SITE, sites),
        manager: manager(number, &|number| fate_is_gone(seed, number) || is_gone(number)),
        status,
        first_day,
        last_day,
        changed: born - Days::new(30),
    }
}

fn fate_is_gone(seed: u64, number: usize) -> bool {
    matches!(
        fate(seed, number),
        EmploymentStatus::Inactive | EmploymentStatus::Pending
    )
}

/// Six in ten are in the first entity, three in the second, one in the third.
const fn entity(tenth: usize) -> usize {
    match tenth {
        0..=5 => 0,
        6..=8 => 1,
        _ => 2,
    }
}

/// The manager: the one above in the tree who is there.
pub(super) fn manager(number: usize, is_gone: &dyn Fn(usize) -> bool) -> Option<usize> {
    let mut above = number.checked_sub(1)?.checked_div(SPAN)?;
    while above > 0 && is_gone(above) {
        above = above.saturating_sub(1).checked_div(SPAN)?;
    }
    Some(above)
}
