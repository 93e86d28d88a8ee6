//! What an expression reads.

use super::Expression;
use super::scan::{Kind, scan};

impl Expression {
    /// The fields below `root` that it reads, in the order of the text, each with its parts and once:
    /// `employee.entity.id` is `["entity", "id"]`.
    #[must_use]
    pub fn reads(&self, root: &str) -> Vec<Vec<String>> {
        let tokens = scan(self.text());
        let mut found: Vec<Vec<String>> = Vec::new();
        let mut rest = tokens.as_slice();
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            if first.kind != Kind::Word(root) {
                continue;
            }
            let mut path = Vec::new();
            loop {
                rest = match rest {
                    [dot, name, after @ ..] if dot.kind == Kind::Symbol(".") => match name.kind {
                        Kind::Word(word) => {
                            path.push(word.to_owned());
                            after
                        }
                        _ => break,
                    },
                    [open, name, close, after @ ..]
                        if open.kind == Kind::Symbol("[") && close.kind == Kind::Symbol("]") =>
                    {
                        match name.kind {
                            Kind::Text(word) => {
                                path.push(word.to_owned());
                                after
                            }
                            _ => break,
                        }
                    }
                    _ => break,
                };
            }
            if !path.is_empty() && !found.contains(&path) {
                found.push(path);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::Fields;

    #[test]
    fn fields_are_found_with_their_parts_and_texts_are_not_fields() {
        let text = "employee.entity.id == 'employee.title' and employee.custom[\"badge\"] or \
                    (employee.entity.id ~ employee.given_name | lower)";
        let read = Expression::parse(text, &Fields::employee())
            .unwrap()
            .reads("employee");
        let read: Vec<String> = read.iter().map(|path| path.join(".")).collect();
        assert_eq!(read, ["entity.id", "custom.badge", "given_name"]);
    }
}
