//! The canonical employee: one record as an HR system gave it.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// One record of an HR system. Empty texts are `None`; everything but `source_id` may be missing.
/// Its JSON form is what expressions see as `employee` and what the store keeps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Employee {
    /// The record's stable id in the system we read.
    pub source_id: String,
    /// The id in the vendor's own system, when we read through a unified API.
    pub remote_id: Option<String>,
    /// Personnel number as given: " 007" is not "007".
    pub employee_number: Option<String>,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// Name the person goes by.
    pub preferred_name: Option<String>,
    /// Middle name or initial.
    pub middle_name: Option<String>,
    /// Full name as the HR system shows it.
    pub display_name: Option<String>,
    /// E-mail at work.
    pub work_email: Option<String>,
    /// Private e-mail. Sensitive.
    pub private_email: Option<String>,
    /// Phone at work.
    pub work_phone: Option<String>,
    /// Mobile phone.
    pub mobile_phone: Option<String>,
    /// Job title.
    pub title: Option<String>,
    /// Department.
    pub department: Option<OrgUnit>,
    /// Team.
    pub team: Option<OrgUnit>,
    /// Cost centre.
    pub cost_center: Option<OrgUnit>,
    /// Division.
    pub division: Option<OrgUnit>,
    /// Legal entity (company).
    pub entity: Option<OrgUnit>,
    /// Site.
    pub location: Option<OrgUnit>,
    /// Private address. Sensitive.
    pub address: Option<Address>,
    /// Who the person reports to.
    pub manager: Option<ManagerRef>,
    /// Employments, the leading one first.
    pub employments: Vec<Employment>,
    /// What the HR system says of the person today.
    pub status: Status,
    /// Language, BCP 47.
    pub locale: Option<String>,
    /// IANA time zone.
    pub time_zone: Option<String>,
    /// Gender. Sensitive.
    pub gender: Option<String>,
    /// Marital status. Sensitive.
    pub marital_status: Option<String>,
    /// Number of children. Sensitive.
    pub children: Option<String>,
    /// Birth date. Sensitive.
    pub birth_date: Option<NaiveDate>,
    /// National id. Sensitive.
    pub national_id: Option<String>,
    /// Bank accounts. Sensitive.
    pub bank_accounts: Vec<BankAccount>,
    /// Address of a photo. Sensitive.
    pub photo: Option<String>,
    /// Custom fields by key, as given.
    pub custom: BTreeMap<String, serde_json::Value>,
}

/// A department, team, cost centre, division, entity or site. Names get renamed; codes are what apps know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrgUnit {
    /// The HR system's id.
    pub id: Option<String>,
    /// Short code.
    pub code: Option<String>,
    /// Name as shown.
    pub name: Option<String>,
}

impl OrgUnit {
    /// What tells this unit from others: its id, else its code, else its name.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.id
            .as_deref()
            .or(self.code.as_deref())
            .or(self.name.as_deref())
    }
}

/// A postal address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Address {
    /// Street with number.
    pub street: Option<String>,
    /// Town.
    pub city: Option<String>,
    /// State or province.
    pub region: Option<String>,
    /// Post code.
    pub postal_code: Option<String>,
    /// Country, as given.
    pub country: Option<String>,
}

/// How a record names the person's manager.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManagerRef {
    /// By the manager's source id.
    SourceId(String),
    /// By the manager's work e-mail.
    Email(String),
    /// By the manager's personnel number.
    EmployeeNumber(String),
}

/// A bank account. Sensitive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BankAccount {
    /// International account number.
    pub iban: Option<String>,
    /// Bank identifier.
    pub bic: Option<String>,
    /// Who holds it.
    pub holder: Option<String>,
}

/// One employment: a time at one entity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Employment {
    /// `full_time`, `part_time`, `contractor`, `intern` …, or the source's own word.
    pub kind: Option<String>,
    /// First day of the employment.
    pub first_day: Option<NaiveDate>,
    /// Last day of the employment; the person is employed on it.
    pub last_day: Option<NaiveDate>,
    /// Last day at work, when it differs.
    pub last_working_day: Option<NaiveDate>,
}

/// What the HR system says of the person today, by the manifest's status table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Employed.
    Active,
    /// Employed and away.
    OnLeave,
    /// Not started yet.
    PreHire,
    /// No longer employed.
    Left,
    /// The table says: judge by the dates.
    #[default]
    ByDates,
    /// A word the table does not know: held and reported, never guessed.
    Unknown(String),
}

impl Employee {
    /// The employment that counts when nothing else is said: the first one.
    #[must_use]
    pub fn leading(&self) -> Option<&Employment> {
        self.employments.first()
    }
}
