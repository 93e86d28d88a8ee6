//! Which held values a rule decides.

use serde_json::Value;

use super::error::Problem;
use super::settings::{Approve, ApproveRule};
use crate::expression::{Expression, Fields, Truth, change_context};

/// The rules of `[[approve]]`, checked and compiled. The first that covers a value decides it.
#[derive(Debug, Clone, Default)]
pub struct Approvals(Vec<Compiled>);

#[derive(Debug, Clone)]
struct Compiled {
    name: String,
    field: Option<String>,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    NewDomain { from: Option<String>, to: String },
    OnlyCase,
    When(Expression),
}

/// A value that waits, as rules look at it.
#[derive(Debug, Clone, Copy)]
pub struct HeldChange<'a> {
    /// The attribute, or attributes joined by `+`.
    pub field: &'a str,
    /// What is there.
    pub old: Option<&'a Value>,
    /// What would be there.
    pub new: Option<&'a Value>,
    /// `old` and `new` are objects by attribute path.
    pub by_path: bool,
}

impl Approvals {
    /// Checks and compiles.
    ///
    /// # Errors
    /// Every rule that is none, with its place.
    pub fn compile(rules: &[Approve]) -> Result<Self, Vec<Problem>> {
        let mut compiled = Vec::new();
        let mut problems = Vec::new();
        for (place, rule) in rules.iter().enumerate() {
            match Compiled::of(rule, &format!("approve[{place}]")) {
                Ok(rule) => compiled.push(rule),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() {
            Ok(Self(compiled))
        } else {
            Err(problems)
        }
    }

    /// The name of the rule that approves the change, if one does.
    #[must_use]
    pub fn covers(&self, change: HeldChange<'_>) -> Option<&str> {
        let parts = change.parts();
        let covering = self.0.iter().find(|rule| {
            rule.is_about(change.field, &parts)
                && !parts.is_empty()
                && parts.iter().all(|(_, old, new)| rule.test.holds(*old, *new))
        });
        covering.map(|rule| rule.name.as_str())
    }
}

type Part<'a> = (&'a str, Option<&'a Value>, Option<&'a Value>);

impl<'a> HeldChange<'a> {
    /// Path, before and after of each attribute that moves.
    fn parts(self) -> Vec<Part<'a>> {
        if !self.by_path {
            return vec![(self.field, self.old, self.new)];
        }
        let side = |value: Option<&'a Value>| value.and_then(Value::as_object);
        let (old, new) = (side(self.old), side(self.new));
        let mut paths: Vec<&'a str> = old
            .into_iter()
            .chain(new)
            .flat_map(|side| side.keys().map(String::as_str))
            .collect();
        paths.sort_unstable();
        paths.dedup();
        let at = |side: Option<&'a serde_json::Map<String, Value>>, path: &str| side?.get(path);
        paths
            .into_iter()
            .map(|path| (path, at(old, path), at(new, path)))
            .collect()
    }
}

/// Whether a name that somebody gave means this attribute path: `emails` means `emails.work` too.
#[must_use]
pub fn is_field(named: &str, path: &str) -> bool {
    path.split('+').any(|path| {
        path.strip_prefix(named)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

impl Compiled {
    fn of(rule: &Approve, at: &str) -> Result<Self, Problem> {
        let test = match (&rule.rule, &rule.when) {
            (Some(ApproveRule::SameLocalPartNewDomain), None) => {
                let domain = |text: &String| text.trim().trim_start_matches('@').to_lowercase();
                let to = rule.to.as_ref().map(domain).filter(|to| !to.is_empty());
                Test::NewDomain {
                    from: rule.from.as_ref().map(domain),
                    to: to.ok_or_else(|| {
                        Problem::at(at, "same_local_part_new_domain needs `to`, the new domain")
                    })?,
                }
            }
            (Some(ApproveRule::OnlyCase), None) if rule.from.is_none() && rule.to.is_none() => Test::OnlyCase,
            (Some(ApproveRule::OnlyCase), None) => {
                return Err(Problem::at(at, "`only_case` takes neither `from` nor `to`"));
            }
            (None, Some(text)) => Test::When(Expression::parse(text, &Fields::change()).map_err(
                |error| Problem {
                    at: format!("{at}.when"),
                    line: error.line,
                    column: error.column,
                    message: error.message,
                },
            )?),
            _ => {
                return Err(Problem::at(
                    at,
                    "has either `rule` (same_local_part_new_domain, only_case) or `when`, an expression over old and new",
                ));
            }
        };
        let own = rule.rule.map_or("when", ApproveRule::word);
        Ok(Self {
            name: rule.name.clone().unwrap_or_else(|| own.to_owned()),
            field: rule.field.clone(),
            test,
        })
    }

    fn is_about(&self, field: &str, parts: &[Part<'_>]) -> bool {
        self.field.as_ref().is_none_or(|named| {
            is_field(named, field) || parts.iter().any(|(path, ..)| is_field(named, path))
        })
    }
}

impl Test {
    fn holds(&self, old: Option<&Value>, new: Option<&Value>) -> bool {
        let (old, new) = (texts(old), texts(new));
        if new.is_empty() || old.is_empty() {
            return false;
        }
        match self {
            Self::NewDomain { from, to } => moved(&old, &new, from.as_deref(), to),
            Self::OnlyCase => {
                old.len() == new.len() && old.iter().zip(&new).all(|(old, new)| folded(old) == folded(new))
            }
            Self::When(expression) => {
                let context =
                    change_context(old.first().map(String::as_str), new.first().map(String::as_str));
                old.len() == 1 && new.len() == 1 && matches!(expression.truth(&context), Ok(Truth::True))
            }
        }
    }
}

/// Whether every address that is new is one that went, at the new domain.
fn moved(old: &[String], new: &[String], from: Option<&str>, to: &str) -> bool {
    let (old, new): (Vec<String>, Vec<String>) = (
        old.iter().map(|a| folded(a)).collect(),
        new.iter().map(|a| folded(a)).collect(),
    );
    let gone: Vec<&String> = old.iter().filter(|address| !new.contains(address)).collect();
    let come: Vec<&String> = new.iter().filter(|address| !old.contains(address)).collect();
    let fits = |come: &String| {
        let Some((local, domain)) = come.rsplit_once('@') else {
            return false;
        };
        domain == to
            && gone.iter().any(|gone| {
                gone.rsplit_once('@')
                    .is_some_and(|(before, at)| before == local && from.is_none_or(|from| from == at))
            })
    };
    !come.is_empty() && come.len() == gone.len() && come.into_iter().all(fits)
}

/// A text as matching and rules compare it where case does not count.
#[must_use]
pub fn folded(text: &str) -> String {
    crate::scim::fold(text.trim())
}

/// The texts of a value: itself, or the values of a list.
#[must_use]
pub fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Number(number)) => vec![number.to_string()],
        Some(Value::Bool(flag)) => vec![flag.to_string()],
        Some(Value::Array(elements)) => elements.iter().flat_map(|element| texts(Some(element))).collect(),
        Some(Value::Object(parts)) => texts(parts.get("value")),
        Some(Value::Null) | None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn covered(rule: Value, field: &str, old: &Value, new: &Value) -> Option<String> {
        let rules: Approve = serde_json::from_value(rule).unwrap();
        let change = HeldChange {
            field,
            old: Some(old),
            new: Some(new),
            by_path: field.contains('+'),
        };
        Approvals::compile(&[rules])
            .unwrap()
            .covers(change)
            .map(str::to_owned)
    }

    #[test]
    fn a_rule_covers_what_it_says_and_nothing_else() {
        let domain = json!({"rule": "same_local_part_new_domain", "from": "old.example", "to": "new.example", "field": "emails"});
        let mail = |address: &str| json!([{"value": address, "type": "work"}]);
        let yes = Some("same_local_part_new_domain".to_owned());
        for (field, old, new, expected) in [
            (
                "emails",
                mail("a@old.example"),
                mail("A@new.example"),
                yes.clone(),
            ),
            (
                "emails.work",
                json!("a@old.example"),
                json!("a@new.example"),
                yes.clone(),
            ),
            ("emails", mail("a@old.example"), mail("b@new.example"), None),
            ("emails", mail("a@other.example"), mail("a@new.example"), None),
            ("emails", mail("a@old.example"), mail("a@evil.example"), None),
            (
                "emails",
                mail("a@old.example"),
                json!([{"value": "a@new.example"}, {"value": "x@new.example"}]),
                None,
            ),
            ("title", json!("a@old.example"), json!("a@new.example"), None),
            ("emails", mail("a@old.example"), json!([]), None),
            (
                "emails+userName",
                json!({"emails": mail("a@old.example"), "userName": "a@old.example"}),
                json!({"emails": mail("a@new.example"), "userName": "a@new.example"}),
                yes,
            ),
            (
                "emails+userName",
                json!({"emails": mail("a@old.example"), "userName": "a@old.example"}),
                json!({"emails": mail("a@new.example"), "userName": "root"}),
                None,
            ),
        ] {
            assert_eq!(
                covered(domain.clone(), field, &old, &new),
                expected,
                "{field} {old} {new}"
            );
        }
    }

    #[test]
    fn an_expression_sees_old_and_new_and_a_rule_has_its_name() {
        let rule = json!({"name": "promotion", "when": "old ~ ' II' == new"});
        assert_eq!(
            covered(rule.clone(), "title", &json!("Clerk"), &json!("Clerk II")),
            Some("promotion".to_owned())
        );
        assert_eq!(covered(rule, "title", &json!("Clerk"), &json!("Boss")), None);
        let case = json!({"rule": "only_case"});
        assert_eq!(
            covered(case.clone(), "title", &json!("CLERK "), &json!("Clerk")),
            Some("only_case".to_owned())
        );
        assert_eq!(covered(case, "title", &json!("Clerk"), &json!("Clerks")), None);
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for rule in [
            json!({}),
            json!({"rule": "same_local_part_new_domain"}),
            json!({"rule": "only_case", "to": "x"}),
            json!({"rule": "only_case", "when": "true"}),
            json!({"when": "older == new"}),
        ] {
            let rule: Approve = serde_json::from_value(rule).unwrap();
            assert_eq!(Approvals::compile(&[rule]).unwrap_err().len(), 1);
        }
    }
}
