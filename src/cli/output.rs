//! What commands print: text for people, or JSON.

use std::io::Write as _;

use serde::Serialize;

use super::Error;

/// Where results go.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// `--json`.
    pub json: bool,
}

impl Output {
    /// A result: the value with `--json`, else the text.
    ///
    /// # Errors
    /// When stdout is gone.
    pub fn show(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Error> {
        let text = if self.json {
            serde_json::to_string(value).map_err(std::io::Error::from)?
        } else {
            text()
        };
        line(&text)
    }

    /// A table with a head, columns as wide as they must be; with `--json` the value instead.
    ///
    /// # Errors
    /// When stdout is gone.
    pub fn table(self, value: &impl Serialize, head: &[&str], rows: &[Vec<String>]) -> Result<(), Error> {
        self.show(value, || table(head, rows))
    }
}

/// One line on stdout.
///
/// # Errors
/// When stdout is gone.
pub(super) fn line(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}

pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|cell| cell.to_uppercase()).collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in std::iter::once(&head).chain(rows) {
        for (column, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(column) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let lines: Vec<String> = std::iter::once(&head)
        .chain(rows)
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = vec![
            vec!["ä".to_owned(), "1".to_owned()],
            vec!["longer".to_owned(), String::new()],
        ];
        assert_eq!(table(&["name", "n"], &rows), "NAME    N\nä       1\nlonger");
    }
}
