//! The bytes of a file become rows: encoding, delimiter, quotes, and whether the end is whole.

use std::io::Cursor;

use bytes::Bytes;
use csv::StringRecord;
use encoding_rs::{Encoding, UTF_8};

use crate::connector::{Error, Settings};

/// A file as a table. Its rows are read from the text each time, so that a large file is in memory once.
#[derive(Debug)]
pub(super) struct Table {
    pub header: Vec<String>,
    /// Why the file seems to have been cut.
    pub cut: Option<&'static str>,
    text: Bytes,
    delimiter: u8,
    quote: u8,
}

/// The rows of a table, one after the other.
pub(super) struct Rows(csv::Reader<Cursor<Bytes>>);

impl Table {
    /// The rows after the header.
    pub fn rows(&self) -> Result<Rows, Error> {
        let mut rows = Rows::new(self.text.clone(), self.delimiter, self.quote);
        rows.next(&mut StringRecord::new())?;
        Ok(rows)
    }

    /// Whether the last row has too few cells and no line end.
    fn ends_inside_a_row(&self) -> Result<bool, Error> {
        if self.text.ends_with(b"\n") || self.text.ends_with(b"\r") {
            return Ok(false);
        }
        let (mut rows, mut row, mut cells) = (self.rows()?, StringRecord::new(), self.header.len());
        while rows.next(&mut row)? {
            cells = row.len();
        }
        Ok(cells < self.header.len())
    }
}

impl Rows {
    fn new(text: Bytes, delimiter: u8, quote: u8) -> Self {
        Self(
            csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .delimiter(delimiter)
                .quote(quote)
                .from_reader(Cursor::new(text)),
        )
    }

    /// Reads the next row. `false`: there is none.
    pub fn next(&mut self, row: &mut StringRecord) -> Result<bool, Error> {
        self.0.read_record(row).map_err(|error| bad(error.to_string()))
    }
}

fn bad(message: impl Into<String>) -> Error {
    Error::BadFile {
        message: message.into(),
    }
}

/// Reads a file by the connection's settings `encoding`, `delimiter` and `quote`.
pub(super) fn read(bytes: &[u8], settings: &Settings) -> Result<Table, Error> {
    let text = decode(bytes, settings.text("encoding"))?;
    let quote = one_byte(settings.text("quote").unwrap_or("\""))?;
    let delimiter = match settings.text("delimiter") {
        Some(given) => one_byte(given)?,
        None => likely_delimiter(&text, quote),
    };
    if delimiter == quote {
        return Err(bad("delimiter and quote are the same"));
    }
    let (whole, cut) = whole_records(&text, delimiter, quote);
    let length = whole.len();
    let text = Bytes::from(text).slice(..length);
    let mut first = StringRecord::new();
    if !Rows::new(text.clone(), delimiter, quote).next(&mut first)? {
        return Err(bad("it is empty: the first line must name the columns"));
    }
    let header = first.iter().map(|name| name.trim().to_owned()).collect();
    let mut table = Table {
        header,
        cut,
        text,
        delimiter,
        quote,
    };
    if table.cut.is_none() && table.ends_inside_a_row()? {
        table.cut = Some("the file ends in the middle of a row");
    }
    Ok(table)
}

/// Decodes by byte order mark, by the encoding that is set, or as UTF-8. Never by guess.
fn decode(bytes: &[u8], label: Option<&str>) -> Result<String, Error> {
    let marked = Encoding::for_bom(bytes);
    let encoding = match (marked, label) {
        (Some((encoding, _)), _) => encoding,
        (None, Some(label)) => Encoding::for_label(label.as_bytes()).ok_or_else(|| {
            bad("encoding is none we know: use utf-8, windows-1252, iso-8859-1, utf-16le …")
        })?,
        (None, None) => UTF_8,
    };
    let (text, _, broken) = encoding.decode(bytes);
    if broken {
        let advice = if label.is_none() && marked.is_none() {
            ": set encoding, for instance windows-1252"
        } else {
            ""
        };
        return Err(bad(format!("it is not written in {}{advice}", encoding.name())));
    }
    Ok(text.into_owned())
}

fn one_byte(text: &str) -> Result<u8, Error> {
    match text.as_bytes() {
        _ if text == "tab" => Ok(b'\t'),
        [byte] => Ok(*byte),
        _ => Err(bad("delimiter and quote must be one plain character each")),
    }
}

/// The delimiter that stands most often in the header line, outside of quotes; a comma when none does.
fn likely_delimiter(text: &str, quote: u8) -> u8 {
    let mut counts = [(b',', 0_u32), (b';', 0), (b'\t', 0), (b'|', 0)];
    let mut quoted = false;
    for byte in text.bytes() {
        if byte == quote {
            quoted = !quoted;
        } else if !quoted && (byte == b'\n' || byte == b'\r') {
            break;
        } else if !quoted && let Some((_, count)) = counts.iter_mut().find(|(known, _)| *known == byte) {
            *count = count.saturating_add(1);
        }
    }
    let best = counts.iter().map(|(_, count)| *count).max().unwrap_or(0);
    counts
        .iter()
        .find(|(_, count)| *count == best)
        .map_or(b',', |(byte, _)| *byte)
}

/// The part of the text whose quoted fields are all closed. A field that is still open at the end was cut.
fn whole_records(text: &str, delimiter: u8, quote: u8) -> (&str, Option<&'static str>) {
    let (mut quoted, mut field_begins, mut record_begins) = (false, true, 0_usize);
    for (index, byte) in text.bytes().enumerate() {
        if quoted {
            // A doubled quote closes and opens again, which comes to the same.
            quoted = byte != quote;
            field_begins = false;
        } else if byte == quote && (field_begins || last_is_quote(text, index, quote)) {
            quoted = true;
        } else if byte == b'\n' || byte == b'\r' {
            record_begins = index.saturating_add(1);
            field_begins = true;
        } else {
            field_begins = byte == delimiter;
        }
    }
    if quoted {
        (
            text.get(..record_begins).unwrap_or_default(),
            Some("the file ends inside a quoted field"),
        )
    } else {
        (text, None)
    }
}

fn last_is_quote(text: &str, index: usize, quote: u8) -> bool {
    index
        .checked_sub(1)
        .and_then(|before| text.as_bytes().get(before))
        == Some(&quote)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let plain = pairs
            .iter()
            .map(|(name, text)| ((*name).to_owned(), json!(text)))
            .collect();
        Settings {
            plain,
            ..Settings::default()
        }
    }

    fn all(table: &Table) -> Vec<Vec<String>> {
        let (mut rows, mut row, mut cells) = (table.rows().unwrap(), StringRecord::new(), Vec::new());
        while rows.next(&mut row).unwrap() {
            cells.push(row.iter().map(str::to_owned).collect());
        }
        cells
    }

    fn cells(bytes: &[u8], pairs: &[(&str, &str)]) -> Vec<Vec<String>> {
        all(&read(bytes, &settings(pairs)).unwrap())
    }

    #[test]
    fn encodings_are_read_by_mark_by_setting_or_as_utf_8() {
        let expected = vec![vec!["1".to_owned(), "Jürgen".to_owned()]];
        assert_eq!(cells("id,name\n1,Jürgen\n".as_bytes(), &[]), expected);
        assert_eq!(cells("\u{feff}id,name\n1,Jürgen\n".as_bytes(), &[]), expected);
        assert_eq!(
            cells(b"id,name\n1,J\xfcrgen\n", &[("encoding", "windows-1252")]),
            expected
        );
        let wide: Vec<u8> = "\u{feff}id,name\n1,Jürgen\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(cells(&wide, &[]), expected);
        let error = read(b"id,name\n1,J\xfcrgen\n", &settings(&[])).unwrap_err();
        assert!(error.to_string().contains("windows-1252"), "{error}");
    }

    #[test]
    fn delimiters_and_quotes_are_found_or_set() {
        let expected = vec![vec!["1".to_owned(), "a;b,\"c\"\nd".to_owned()]];
        assert_eq!(cells(b"id;name\r\n1;\"a;b,\"\"c\"\"\nd\"\r\n", &[]), expected);
        assert_eq!(cells(b"id\tname\n1\t\"a;b,\"\"c\"\"\nd\"\n", &[]), expected);
        assert_eq!(
            cells(b"id\tname\n1\t'x'\n", &[("delimiter", "tab"), ("quote", "'")])[0][1],
            "x"
        );
        assert_eq!(cells(b"id,5\" pipe\n1,2\n", &[("delimiter", ",")])[0][1], "2");
    }

    #[test]
    fn a_file_that_was_cut_is_noticed_where_that_is_possible() {
        let table = read(b"id,name\n1,x\n2,\"y, a", &settings(&[])).unwrap();
        assert_eq!(
            (all(&table).len(), table.cut),
            (1, Some("the file ends inside a quoted field"))
        );
        let table = read(b"id,name\n1,x\n2", &settings(&[])).unwrap();
        assert_eq!(table.cut, Some("the file ends in the middle of a row"));
        let table = read(b"id,name\n1,x\n2,\"say \"\"hi\"\"\"", &settings(&[])).unwrap();
        assert_eq!((all(&table).len(), table.cut), (2, None));
        assert!(read(b"", &settings(&[])).is_err());
        assert_eq!(cells(b"id,name\n", &[]).len(), 0);
    }
}
