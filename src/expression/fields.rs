//! The names that an expression may use.

use std::collections::BTreeMap;

use crate::hr;

/// The known names, as a tree under one or more roots.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    roots: BTreeMap<String, Node>,
}

/// What stands behind a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// A single value.
    Value,
    /// Anything may be below, such as custom fields.
    Open,
    /// A thing with these parts.
    Parts(BTreeMap<String, Node>),
}

/// Attributes of the core and enterprise schemas (RFC 7643 §4) and of the HR extension, under `user`.
/// `.*` ends a name below which anything may stand.
const USER: &[&str] = &[
    "id",
    "externalId",
    "userName",
    "displayName",
    "nickName",
    "profileUrl",
    "title",
    "userType",
    "preferredLanguage",
    "locale",
    "timezone",
    "active",
    "name.formatted",
    "name.familyName",
    "name.givenName",
    "name.middleName",
    "name.honorificPrefix",
    "name.honorificSuffix",
    "emails.*",
    "phoneNumbers.*",
    "ims.*",
    "photos.*",
    "addresses.*",
    "entitlements.*",
    "roles.*",
    "enterprise.employeeNumber",
    "enterprise.costCenter",
    "enterprise.organization",
    "enterprise.division",
    "enterprise.department",
    "enterprise.manager.value",
    "enterprise.manager.displayName",
    "employeeNumber",
    "costCenter",
    "organization",
    "division",
    "department",
    "manager.value",
    "manager.displayName",
    "hr.entity.id",
    "hr.entity.code",
    "hr.entity.name",
    "hr.location.id",
    "hr.location.code",
    "hr.location.name",
    "hr.team.id",
    "hr.team.code",
    "hr.team.name",
    "hr.employmentType",
    "hr.firstDay",
    "hr.lastDay",
    "hr.lastWorkingDay",
    "hr.state",
    "hr.onLeave",
    "hr.directReports",
];

impl Fields {
    /// The canonical employee, under `employee`.
    #[must_use]
    pub fn employee() -> Self {
        let mut fields = Self::default();
        for field in hr::FIELDS {
            match field.name {
                "custom" | "bank_accounts" => fields.add(&format!("employee.{}.*", field.name)),
                name if field.parts.is_empty() => fields.add(&format!("employee.{name}")),
                name => {
                    for part in field.parts {
                        fields.add(&format!("employee.{name}.{part}"));
                    }
                }
            }
        }
        fields
    }

    /// A SCIM user, under `user`: the core, enterprise and HR attributes and those in `more`, each a dotted path
    /// without `user.`; a path that ends in `.*` may have anything below.
    #[must_use]
    pub fn user<'a>(more: impl IntoIterator<Item = &'a str>) -> Self {
        let mut fields = Self::default();
        for path in USER.iter().copied().chain(more) {
            fields.add(&format!("user.{path}"));
        }
        fields
    }

    /// The two sides of a change, under `old` and `new`: single texts.
    #[must_use]
    pub fn change() -> Self {
        let mut fields = Self::default();
        fields.add("old");
        fields.add("new");
        fields
    }

    /// These names and those of `other`.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.roots.extend(other.roots);
        self
    }

    /// Whether `root` is known.
    pub(super) fn knows(&self, root: &str) -> bool {
        self.roots.contains_key(root)
    }

    fn add(&mut self, path: &str) {
        let mut here = &mut self.roots;
        let mut parts = path.split('.').peekable();
        while let Some(part) = parts.next() {
            let leaf = match parts.peek() {
                None => Some(Node::Value),
                Some(&"*") => Some(Node::Open),
                Some(_) => None,
            };
            if let Some(leaf) = leaf {
                here.entry(part.to_owned()).or_insert(leaf);
                return;
            }
            let node = here
                .entry(part.to_owned())
                .or_insert_with(|| Node::Parts(BTreeMap::new()));
            match node {
                Node::Parts(below) => here = below,
                Node::Value | Node::Open => return,
            }
        }
    }

    /// What stands at a path.
    ///
    /// # Errors
    /// The position of the first unknown part, with the sentence about it.
    pub(super) fn find(&self, path: &[&str]) -> Result<&Node, (usize, String)> {
        let mut names = &self.roots;
        let mut found = None;
        for (position, part) in path.iter().enumerate() {
            let so_far = path.get(..position).unwrap_or_default().join(".");
            // Another extension stands under its URN: user["urn:…"].
            if position == 1 && so_far == "user" && part.starts_with("urn:") {
                return Ok(&Node::Open);
            }
            match names.get(*part) {
                None => return Err((position, unknown(&so_far, part, names))),
                Some(Node::Open) => return Ok(&Node::Open),
                Some(node @ Node::Parts(below)) => {
                    found = Some(node);
                    names = below;
                }
                Some(Node::Value) if position + 1 < path.len() => {
                    return Err((position + 1, format!("`{so_far}.{part}` has no parts")));
                }
                Some(node @ Node::Value) => return Ok(node),
            }
        }
        found.ok_or_else(|| (0, "a name is missing".to_owned()))
    }
}

fn unknown(above: &str, name: &str, known: &BTreeMap<String, Node>) -> String {
    let full = if above.is_empty() {
        name.to_owned()
    } else {
        format!("{above}.{name}")
    };
    format!(
        "unknown field `{full}`; {}",
        nearest(name, known.keys().map(String::as_str))
    )
}

/// The known names nearest to `name`, as the end of a sentence.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let mut all: Vec<(usize, &str)> = known.map(|known| (distance(name, known), known)).collect();
    all.sort_unstable();
    let close: Vec<String> = all
        .iter()
        .filter(|(far, known)| *far <= 1 + name.len().max(known.len()) / 3)
        .take(3)
        .map(|(_, known)| format!("`{known}`"))
        .collect();
    if close.is_empty() {
        let names: Vec<&str> = all.iter().take(12).map(|(_, known)| *known).collect();
        format!(
            "known are {}{}",
            names.join(", "),
            if all.len() > 12 { " …" } else { "" }
        )
    } else {
        format!("did you mean {}?", close.join(" or "))
    }
}

/// Edit distance, without regard to case and `_`.
fn distance(a: &str, b: &str) -> usize {
    let fold = |text: &str| -> Vec<char> {
        text.chars()
            .take(60)
            .filter(|c| *c != '_')
            .flat_map(char::to_lowercase)
            .collect()
    };
    let (a, b) = (fold(a), fold(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for ((y, above), diagonal) in b.iter().zip(row.iter().skip(1)).zip(&row) {
            let left = next.last().copied().unwrap_or(0);
            next.push((above + 1).min(left + 1).min(diagonal + usize::from(x != y)));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
