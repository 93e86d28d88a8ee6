//! Where in a TOML text something stands.

use toml::de::{DeTable, DeValue};

/// Line and column, both from 1, of a place in a text.
#[must_use]
pub fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .map_or(1, |start| start.chars().count() + 1);
    (line, column)
}

/// Where the value named by `path` (`mapping.title.from`, `group.0.key`) starts. When the path leads nowhere, the
/// place of its last part that exists.
#[must_use]
pub fn position_of(text: &str, path: &str) -> Option<(usize, usize)> {
    let document = DeTable::parse(text).ok()?;
    let mut parts = path.split('.');
    let first = parts.next()?;
    let mut here = document.get_ref().get(first)?;
    for part in parts {
        let next = match here.get_ref() {
            DeValue::Table(table) => table.get(part),
            DeValue::Array(list) => part.parse::<usize>().ok().and_then(|index| list.get(index)),
            _ => None,
        };
        match next {
            Some(next) => here = next,
            None => break,
        }
    }
    Some(line_and_column(text, here.span().start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_its_line_and_column() {
        let text = "name = \"p\"\n[mapping]\ntitle = { from = \"employee.x\" }\n[[group]]\nkey = \"k\"\n";
        assert_eq!(position_of(text, "mapping.title.from"), Some((3, 18)));
        assert_eq!(position_of(text, "group.0.key"), Some((5, 7)));
        assert_eq!(position_of(text, "mapping.title.nothing"), Some((3, 9)));
        assert_eq!(position_of(text, "nothing"), None);
    }
}
