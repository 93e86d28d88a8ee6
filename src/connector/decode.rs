//! An answer's bytes become a value, whatever they are written in, so that all rules are paths.

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use serde_json::{Map, Value};

use super::request::Format;

/// Elements may lie this deep in each other.
const DEEPEST: usize = 64;

/// Why an answer cannot be read; never what stood in it.
pub(super) type Unreadable = Box<dyn std::error::Error + Send + Sync>;

/// Reads an answer. An empty one is null.
pub(super) fn decode(format: Format, body: &[u8]) -> Result<Value, Unreadable> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match format {
        Format::Json => Ok(serde_json::from_slice(body)?),
        Format::Xml => xml(body),
        Format::Csv => csv(body),
    }
}

struct Element {
    name: String,
    members: Map<String, Value>,
    text: String,
    nil: bool,
}

impl Element {
    fn begin(start: &BytesStart<'_>) -> Result<Self, Unreadable> {
        let mut element = Self {
            name: start.local_name().as_ref().to_owned(),
            members: Map::new(),
            text: String::new(),
            nil: false,
        };
        for attribute in start.attributes() {
            let attribute = attribute?;
            let raw = attribute.key.as_ref();
            if raw == "xmlns" || raw.starts_with("xmlns:") {
                continue;
            }
            let name = attribute.key.local_name().as_ref().to_owned();
            let value = quick_xml::escape::unescape(&attribute.value)?.into_owned();
            if name == "nil" && matches!(value.as_str(), "true" | "1") {
                element.nil = true;
            } else {
                element.members.insert(format!("@{name}"), Value::String(value));
            }
        }
        Ok(element)
    }

    /// Puts a child in; a second one of its name makes a list.
    fn add(&mut self, name: String, value: Value) {
        match self.members.get_mut(&name) {
            None => {
                self.members.insert(name, value);
            }
            Some(Value::Array(all)) => all.push(value),
            Some(one) => {
                let first = one.take();
                *one = Value::Array(vec![first, value]);
            }
        }
    }

    fn end(mut self) -> (String, Value) {
        let text = self.text.trim();
        let value = if self.nil {
            Value::Null
        } else if self.members.is_empty() {
            Value::String(text.to_owned())
        } else {
            if !text.is_empty() {
                self.members
                    .insert("#text".into(), Value::String(text.to_owned()));
            }
            Value::Object(self.members)
        };
        (self.name, value)
    }
}

/// Reads XML 1.0 in UTF-8. Entities of a document type are not known, so none can blow up.
fn xml(body: &[u8]) -> Result<Value, Unreadable> {
    let mut reader = Reader::from_str(std::str::from_utf8(body)?);
    let mut open = vec![Element {
        name: String::new(),
        members: Map::new(),
        text: String::new(),
        nil: false,
    }];
    loop {
        match reader.read_event()? {
            Event::Start(start) => {
                if open.len() > DEEPEST {
                    return Err("elements lie too deep in each other".into());
                }
                open.push(Element::begin(&start)?);
            }
            Event::Empty(start) => {
                let (name, value) = Element::begin(&start)?.end();
                parent(&mut open)?.add(name, value);
            }
            Event::End(_) => {
                let (name, value) = open.pop().ok_or("an element ends that did not begin")?.end();
                parent(&mut open)?.add(name, value);
            }
            Event::Text(text) => parent(&mut open)?.text.push_str(&text),
            Event::CData(text) => parent(&mut open)?.text.push_str(&text),
            Event::GeneralRef(reference) => {
                let here = parent(&mut open)?;
                if let Some(character) = reference.resolve_char_ref()? {
                    here.text.push(character);
                } else {
                    let known = quick_xml::escape::resolve_predefined_entity(&reference)
                        .ok_or("an unknown entity")?;
                    here.text.push_str(known);
                }
            }
            Event::Eof => break,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::DocType(_) => {}
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(root), true) if !root.members.is_empty() => Ok(Value::Object(root.members)),
        _ => Err("an element does not end".into()),
    }
}

fn parent(open: &mut [Element]) -> Result<&mut Element, Unreadable> {
    open.last_mut()
        .ok_or_else(|| Unreadable::from("an element ends that did not begin"))
}

/// Reads CSV in UTF-8 with commas, its first line naming the columns.
fn csv(body: &[u8]) -> Result<Value, Unreadable> {
    let mut reader = csv::ReaderBuilder::new().from_reader(body);
    let header = reader.headers()?.clone();
    let mut rows = Vec::new();
    for row in reader.records() {
        let row = row?;
        let members = header.iter().zip(row.iter());
        rows.push(Value::Object(
            members
                .map(|(name, cell)| (name.trim().to_owned(), Value::String(cell.to_owned())))
                .collect(),
        ));
    }
    Ok(Value::Array(rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn xml_becomes_values_without_prefixes() {
        let body = br#"<?xml version="1.0"?><env:E xmlns:env="u" xmlns:xsi="x"><!-- c -->
          <w:R w:D="T &amp; B"><w:ID w:type="WID">0a</w:ID><w:ID w:type="E">7</w:ID></w:R>
          <w:N>A &lt;b&gt; &#233;</w:N><w:None/><w:Nil xsi:nil="true"/><w:C><![CDATA[<x>]]></w:C><w:One><w:A>1</w:A></w:One></env:E>"#;
        assert_eq!(
            decode(Format::Xml, body).unwrap(),
            json!({"E": {
                "R": {"@D": "T & B", "ID": [{"@type": "WID", "#text": "0a"}, {"@type": "E", "#text": "7"}]},
                "N": "A <b> é", "None": "", "Nil": null, "C": "<x>", "One": {"A": "1"}
            }})
        );
    }

    #[test]
    fn what_is_cut_or_hostile_cannot_be_read() {
        let deep = format!("{}{}", "<a>".repeat(100), "</a>".repeat(100));
        let cases: [&[u8]; 6] = [
            b"<a><b>1</b>",
            b"<a></b>",
            b"",
            b"no xml",
            b"<!DOCTYPE a [<!ENTITY e \"x\">]><a>&e;</a>",
            deep.as_bytes(),
        ];
        for body in cases {
            assert!(
                decode(Format::Xml, body).is_err(),
                "{}",
                String::from_utf8_lossy(body)
            );
        }
        assert!(decode(Format::Csv, b"a,b\n1,2\n3\n").is_err());
        assert!(decode(Format::Json, b"{\"a\":").is_err());
    }

    #[test]
    fn csv_becomes_an_object_for_each_row() {
        let body = "\u{feff}id,Name\n1,\"Ñ, x\"\n2,\n".as_bytes();
        assert_eq!(
            decode(Format::Csv, body).unwrap(),
            json!([{"id": "1", "Name": "Ñ, x"}, {"id": "2", "Name": ""}])
        );
    }
}
