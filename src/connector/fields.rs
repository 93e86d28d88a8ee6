//! `[fields]` of a connection that reads a file: which column is which canonical field.

use serde_json::Value;

use super::manifest::Ordered;
use super::rule::Rules;
use super::setting::SettingProblem;
use super::way::{FieldWays, Paths, ready};
use crate::hr::field;

/// Which column is which canonical field.
#[derive(Debug, Clone)]
pub struct CsvFields {
    pub(super) ways: Vec<FieldWays>,
}

impl CsvFields {
    /// Reads `[fields]` of a connection file.
    ///
    /// # Errors
    /// Each wrong line, by field.
    pub fn parse(fields: &Value) -> Result<Self, Vec<SettingProblem>> {
        let table: Ordered<Value> = serde_json::from_value(fields.clone())
            .map_err(|_| vec![problem("fields", "must be a table".into())])?;
        let (mut ways, mut problems) = (Vec::new(), Vec::new());
        for (name, value) in table.iter() {
            match one(name, value) {
                Ok(field) => ways.push(field),
                Err(message) => problems.push(problem(name, message)),
            }
        }
        if table.get("source_id").is_none() {
            problems.push(problem(
                "source_id",
                "is missing: name the column that identifies a row".into(),
            ));
        }
        if problems.is_empty() {
            Ok(Self { ways })
        } else {
            Err(problems)
        }
    }

    /// Those fields alone that `wanted` says.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&str) -> bool) -> Self {
        let ways = self.ways.iter().filter(|way| wanted(way.field.name)).cloned();
        Self { ways: ways.collect() }
    }

    /// Names of the fields, in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.ways.iter().map(|field| field.field.name)
    }
}

fn one(name: &str, value: &Value) -> Result<FieldWays, String> {
    let known = field(name).ok_or("is no canonical field")?;
    let rules: Rules = serde_json::from_value(value.clone()).map_err(|error| format!("is wrong: {error}"))?;
    if rules
        .0
        .iter()
        .any(|rule| rule.list.is_some() || rule.from.is_some())
    {
        return Err("cannot read from a list: a file has only columns".into());
    }
    if name == "custom" && rules.0.iter().any(|rule| rule.keys.is_none()) {
        return Err("needs keys: { key = \"Column\" }".into());
    }
    ready(known, &rules, Paths::Columns, &|_| None)
}

fn problem(field: &str, message: String) -> SettingProblem {
    SettingProblem {
        setting: field.to_owned(),
        message,
    }
}
