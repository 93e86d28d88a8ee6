//! A page of employees, what was wrong with single records, and whether the whole was read.

use serde::{Deserialize, Serialize};

use super::Employee;

/// Employees of one request, and records that could not be read.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Records that could be read.
    pub employees: Vec<Employee>,
    /// Records that could not, each with the reason. They make the read partial only when they have no source id.
    pub problems: Vec<Problem>,
}

/// One record, or one of its fields, that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The record, when it names itself.
    pub source_id: Option<String>,
    /// The canonical field.
    pub field: String,
    /// What is wrong and what to do; never the value.
    pub message: String,
}

/// Whether a read saw everybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// The page chain closed, every page parsed and the source's count agrees, if it gives one.
    Complete,
    /// Somebody may be missing: nobody becomes a leaver from this read.
    Partial {
        /// Why.
        reason: String,
    },
}
