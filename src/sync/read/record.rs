//! A record on its way into staging and back: its sensitive part sealed, and a digest over all of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::store::Staged;
use crate::base::{Sealer, TenantId};
use crate::hr::{Employee, Problem};
use crate::identity;
use crate::sync::Error;

/// What could not be read of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sync) struct Remark {
    /// The canonical field.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl From<Problem> for Remark {
    fn from(problem: Problem) -> Self {
        Self {
            field: problem.field,
            message: problem.message,
        }
    }
}

/// What sealed parts of records are bound to.
fn about(tenant: TenantId) -> String {
    format!("{tenant}/staging_record")
}

/// Takes a record apart for staging. `rules` is the digest of the settings by which it will be judged: when they
/// change, every record counts as changed. `sealed` names the account's own fields that are sealed.
pub(super) fn staged(
    sealer: &Sealer,
    tenant: TenantId,
    (rules, sealed): (&[u8], &[String]),
    employee: &Employee,
    problems: Vec<Remark>,
) -> Result<Staged, Error> {
    let (plain, sensitive) = identity::split(employee, sealed)?;
    let digest = fingerprint(sealer, rules, &plain, sensitive.as_ref(), &problems);
    let sealed = sensitive
        .map(|sensitive| sealer.seal(&about(tenant), sensitive.to_string().as_bytes()))
        .transpose()?;
    Ok(Staged {
        source_id: employee.source_id.clone(),
        employee: Some(plain),
        sealed,
        problems,
        digest,
    })
}

/// A record that named itself and could not be read.
pub(super) fn unreadable(sealer: &Sealer, rules: &[u8], source_id: String, problems: Vec<Remark>) -> Staged {
    let digest = fingerprint(sealer, rules, &Value::Null, None, &problems);
    Staged {
        source_id,
        employee: None,
        sealed: None,
        problems,
        digest,
    }
}

fn fingerprint(
    sealer: &Sealer,
    rules: &[u8],
    plain: &Value,
    sensitive: Option<&Value>,
    problems: &[Remark],
) -> Vec<u8> {
    let mut bytes = rules.to_vec();
    bytes.extend_from_slice(plain.to_string().as_bytes());
    if let Some(sensitive) = sensitive {
        bytes.extend_from_slice(sensitive.to_string().as_bytes());
    }
    for problem in problems {
        bytes.extend_from_slice(problem.field.as_bytes());
        bytes.extend_from_slice(problem.message.as_bytes());
    }
    sealer.fingerprint(&bytes)
}

/// Puts a staged record together again, with its sensitive part.
pub(in crate::sync) fn join(
    sealer: &Sealer,
    tenant: TenantId,
    plain: Value,
    sealed: Option<&[u8]>,
) -> Result<Employee, Error> {
    let sensitive = sealed
        .map(|sealed| {
            let opened = sealer.open(&about(tenant), sealed)?;
            serde_json::from_slice(&opened).map_err(Error::Record)
        })
        .transpose()?;
    Ok(identity::join(plain, sensitive)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_whole_and_its_sensitive_part_is_not_readable_in_the_store() {
        let sealer = Sealer::from_list(&Sealer::new_key()).unwrap();
        let tenant = TenantId::new();
        let employee = Employee {
            source_id: "7".into(),
            given_name: Some("Ada".into()),
            private_email: Some("ada@home.example".into()),
            national_id: Some("123".into()),
            custom: [
                ("badge".to_owned(), "b-17".into()),
                ("shoe".to_owned(), 42.into()),
            ]
            .into(),
            ..Employee::default()
        };
        let staged = staged(
            &sealer,
            tenant,
            (b"rules", &["badge".to_owned()]),
            &employee,
            Vec::new(),
        )
        .unwrap();
        let plain = staged.employee.clone().unwrap();
        assert!(!plain.to_string().contains("home.example"));
        assert!(!plain.to_string().contains("b-17") && plain.to_string().contains("42"));
        assert!(plain.get("gender").is_none(), "empty fields are not kept");
        let sealed = staged.sealed.unwrap();
        assert!(!sealed.windows(4).any(|part| part == b"home"));
        assert_eq!(join(&sealer, tenant, plain, Some(&sealed)).unwrap(), employee);
    }

    #[test]
    fn a_digest_changes_with_the_record_its_sensitive_part_and_the_rules() {
        let sealer = Sealer::from_list(&Sealer::new_key()).unwrap();
        let tenant = TenantId::new();
        let digest = |rules: &[u8], national_id: Option<&str>, title: &str| {
            let employee = Employee {
                source_id: "7".into(),
                title: Some(title.into()),
                national_id: national_id.map(str::to_owned),
                ..Employee::default()
            };
            staged(&sealer, tenant, (rules, &[]), &employee, Vec::new())
                .unwrap()
                .digest
        };
        let first = digest(b"1", None, "a");
        assert_eq!(first, digest(b"1", None, "a"));
        assert_ne!(first, digest(b"2", None, "a"));
        assert_ne!(first, digest(b"1", Some("x"), "a"));
        assert_ne!(first, digest(b"1", None, "b"));
    }
}
