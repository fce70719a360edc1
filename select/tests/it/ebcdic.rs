//! A table as a file of a mainframe: EBCDIC 1047, zoned decimals with their sign in a zone or in
//! front, IBM floats, packed Julian dates, and EBCDIC newlines after the records.
//!
//! The characters come from a table that glibc has made, everything else from the descriptions of
//! the formats. Characters that EBCDIC does not have stay UTF-8, and floats beyond IBM's range stay
//! IEEE.

use std::fmt::Write as _;

use chrono::{Datelike, NaiveDate, TimeDelta};
use sift_select::Value;

use crate::table::{Column, Storage, Table, digits_at};

/// Encodes the table as a file and its descriptor.
pub(crate) fn encode(table: &Table) -> (Vec<u8>, String) {
    let page = CodePage::new();
    let column = |at: usize| table.rows.iter().map(move |row| &row[at]);
    let fields: Vec<_> = (table.columns.iter().enumerate())
        .map(|(at, field)| (field, Coding::of(field.storage, column(at), &page)))
        .collect();
    let mut bytes = Vec::new();
    for row in &table.rows {
        for ((field, coding), value) in fields.iter().zip(row) {
            let end = bytes.len() + coding.bytes(field.storage);
            coding.encode(field.storage, value, &page, &mut bytes);
            assert_eq!(bytes.len(), end, "{value:?} does not fit {coding:?}");
        }
        bytes.push(0x15);
    }
    (bytes, descriptor(&fields))
}

fn descriptor(fields: &[(&Column, Coding)]) -> String {
    let (mut offset, mut text) = (0, String::new());
    for (column, coding) in fields {
        let (name, length) = (column.name, coding.bytes(column.storage));
        let rest = coding.describe(column.storage);
        writeln!(text, "[[field]]\nname = \"{name}\"").expect("a string");
        writeln!(text, "offset = {offset}\nlength = {length}\n{rest}").expect("a string");
        offset += length;
    }
    format!(
        "format = \"fixed\"\nrecord_length = {offset}\nterminator = \"nl\"\nencoding = \"cp1047\"\n{text}"
    )
}

/// The storage of a column, if it differs from that in `table::Storage`.
#[derive(Clone, Copy, Debug)]
enum Coding {
    AsIs,
    Text,
    /// The sign is in front of the digits.
    Separate,
    /// The sign is in the zone of the last digit.
    Zone,
    HexFloat,
    /// YYYYDDD in four bytes.
    Julian,
}

impl Coding {
    fn of<'v>(
        storage: Storage,
        mut values: impl Iterator<Item = &'v Value>,
        page: &CodePage,
    ) -> Self {
        let reaches = |value: &Value| match value {
            Value::Float(value) => *value == 0.0 || (1e-70..1e70).contains(&value.abs()),
            Value::Text(text) => text.chars().all(|char| page.byte(char).is_some()),
            _ => true,
        };
        match storage {
            Storage::Text { .. } if values.all(reaches) => Self::Text,
            Storage::Float { bytes: 8 } if values.all(reaches) => Self::HexFloat,
            Storage::Zoned { scale: 0, .. } => Self::Separate,
            Storage::Zoned { .. } => Self::Zone,
            Storage::Date => Self::Julian,
            _ => Self::AsIs,
        }
    }

    fn bytes(self, storage: Storage) -> usize {
        match self {
            Self::Separate => storage.bytes() + 1,
            Self::Julian => 4,
            _ => storage.bytes(),
        }
    }

    fn describe(self, storage: Storage) -> String {
        match (self, storage) {
            (Self::Separate, _) => {
                "type = \"zoned\"\nsign = \"leading-separate\"\nnull_when = \"spaces\"".to_owned()
            }
            (Self::HexFloat, _) => {
                "type = \"float\"\ncoding = \"ibm\"\nnull_when = \"high-values\"".to_owned()
            }
            (Self::Julian, _) => {
                "type = \"date\"\nformat = \"YYYYDDD\"\ncoding = \"packed\"\nnull_when = [\"low-values\", \"zeros\"]".to_owned()
            }
            (Self::AsIs, Storage::Text { .. }) => storage.describe() + "\nencoding = \"utf-8\"",
            _ => storage.describe(),
        }
    }

    fn encode(self, storage: Storage, value: &Value, page: &CodePage, to: &mut Vec<u8>) {
        let end = to.len() + self.bytes(storage);
        match (self, storage, value) {
            (Self::AsIs, ..) => storage.encode(value, to),
            (Self::Separate | Self::Zone, _, Value::Null) => to.resize(end, 0x40),
            (Self::Text | Self::Julian, _, Value::Null) => to.resize(end, 0),
            (Self::HexFloat, _, Value::Null) => to.resize(end, 0xFF),
            (Self::Text, _, Value::Text(text)) => {
                to.extend(text.chars().map(|char| page.byte(char).expect("a character")));
                to.resize(end, 0x40);
            }
            (Self::Separate | Self::Zone, Storage::Zoned { digits, scale }, value) => {
                zoned(digits_at(value, scale), digits, self, to);
            }
            (Self::HexFloat, _, Value::Float(value)) => {
                to.extend_from_slice(&hex_float(*value).to_be_bytes());
            }
            (Self::Julian, _, Value::Date(days)) => {
                let date = NaiveDate::default() + TimeDelta::days((*days).into());
                let digits = format!("{:04}{:03}c", date.year(), date.ordinal());
                let number = u32::from_str_radix(&digits, 16).expect("eight half bytes");
                to.extend_from_slice(&number.to_be_bytes());
            }
            (coding, _, value) => panic!("{value:?} does not fit {coding:?}"),
        }
    }
}

fn zoned(number: i128, digits: usize, coding: Coding, to: &mut Vec<u8>) {
    if let Coding::Separate = coding {
        to.push(if number < 0 { 0x60 } else { 0x4E });
    }
    let text = format!("{:0digits$}", number.unsigned_abs());
    to.extend(text.bytes().map(|digit| digit - b'0' + 0xF0));
    if let (Coding::Zone, Some(last)) = (coding, to.last_mut()) {
        *last = if number < 0 { *last - 0x20 } else { *last - 0x30 };
    }
}

/// Encodes a double. Its significand has 53 bits and is shifted by at most three, so it fits in 56.
fn hex_float(value: f64) -> u64 {
    let bits = value.to_bits();
    let sign = bits & 1 << 63;
    if value == 0.0 {
        return sign;
    }
    let significand = bits & ((1 << 52) - 1) | 1 << 52;
    // the value is significand * 2^power, and fraction * 2^(4 * hex - 56)
    let power = i64::try_from(bits >> 52 & 0x7FF).expect("small") - 1075;
    let hex = (power + 56).div_euclid(4);
    let fraction = significand << (power + 56).rem_euclid(4);
    sign | u64::try_from(hex + 64).expect("in the range") << 56 | fraction
}

/// The bytes of the characters of EBCDIC 1047.
struct CodePage(Vec<(char, u8)>);

impl CodePage {
    fn new() -> Self {
        let lines = include_str!("../../files/tests/data/code_pages.txt").lines();
        let lines = lines.filter_map(|line| line.strip_prefix("cp1047 "));
        let pair = |line: &str| {
            let (byte, char) = line.split_once(' ').expect("two numbers");
            let number = |text| u32::from_str_radix(text, 16).expect("a number");
            let byte = u8::try_from(number(byte)).expect("a byte");
            (char::from_u32(number(char)).expect("a character"), byte)
        };
        Self(lines.map(pair).collect())
    }

    fn byte(&self, char: char) -> Option<u8> {
        self.0.iter().find(|(known, _)| *known == char).map(|(_, byte)| *byte)
    }
}
