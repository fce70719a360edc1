//! Logical tables and their encoders: the same rows as a file of every format.
//!
//! The encoders are written from the formats' descriptions and share no code with the readers.

use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta};
use sift_select::{BuildOptions, Descriptor, ErrorKind, IndexFolder, Source, Value};

use crate::arrow_file;
use crate::compressed;
use crate::ebcdic;
use crate::parquet_file::{self, Pages};

/// Rows, and their storage in each format.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Value>>,
    pub(crate) formats: &'static [Format],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Fixed,
    /// Fixed-length records of a mainframe.
    Ebcdic,
    Csv,
    Jsonl,
    /// CSV in several gzip members.
    CsvGzip,
    /// JSON Lines in several Zstandard frames.
    JsonlZstd,
    Parquet(Pages),
    Arrow,
}

impl Format {
    pub(crate) const ALL: &[Self] = &[
        Self::Fixed,
        Self::Ebcdic,
        Self::Csv,
        Self::Jsonl,
        Self::CsvGzip,
        Self::JsonlZstd,
        Self::Parquet(Pages::V1),
        Self::Parquet(Pages::V2),
        Self::Arrow,
    ];
}

#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// The storage in a fixed-length record.
    pub(crate) storage: Storage,
    /// The name of its type in descriptors of text formats.
    pub(crate) word: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Storage {
    /// NULL is binary zeros; spaces are the empty text.
    Text { bytes: usize },
    /// Negative numbers have 0x40 added to the last digit; NULL is spaces.
    Zoned { digits: usize, scale: u8 },
    /// Two digits a byte, the sign last; NULL is binary zeros, which have no sign.
    Packed { bytes: usize, scale: u8 },
    /// Big-endian; NULL is zero.
    Integer { bytes: usize },
    /// Little-endian; no NULL.
    LittleInteger { bytes: usize },
    /// Big-endian; NULL is all ones, which is not a number.
    Float { bytes: usize },
    /// YYYYMMDD; NULL is spaces.
    Date,
    /// The format does not have this type.
    Nowhere,
}

impl Table {
    /// Writes the table in that format and opens it.
    pub(crate) fn open(&self, folder: &Path, format: Format) -> Arc<Source> {
        self.open_with(folder, format, "")
    }

    /// Does the same as [`open`](Self::open), with more keys in the descriptor.
    fn open_with(&self, folder: &Path, format: Format, keys: &str) -> Arc<Source> {
        let (bytes, descriptor) = match format {
            Format::Fixed => (self.to_fixed(), self.fixed_descriptor()),
            Format::Ebcdic => ebcdic::encode(self),
            Format::Arrow => (arrow_file::write(self), "format = \"arrow\"".to_owned()),
            Format::Parquet(pages) => {
                (parquet_file::write(self, pages), "format = \"parquet\"".to_owned())
            }
            Format::Csv => (self.to_csv().into_bytes(), self.text_descriptor("csv")),
            Format::Jsonl => (self.to_jsonl().into_bytes(), self.text_descriptor("jsonl")),
            Format::CsvGzip => (
                compressed::gzip(self.to_csv().as_bytes(), 1000),
                "compression = \"gzip\"\n".to_owned() + &self.text_descriptor("csv"),
            ),
            Format::JsonlZstd => (
                compressed::zstd(self.to_jsonl().as_bytes(), 1000),
                "compression = \"zstd\"\n".to_owned() + &self.text_descriptor("jsonl"),
            ),
        };
        // an index belongs to a file with its descriptor, so a file with keys is another one
        let suffix = if keys.is_empty() { "" } else { ".keyed" };
        let path = folder.join(format!("{}.{format:?}{suffix}", self.name));
        std::fs::write(&path, bytes).expect("write the table");
        let descriptor = descriptor + keys;
        let descriptor = Descriptor::parse(self.name, &descriptor).expect("a descriptor");
        let file = File::open(&path).expect("open the table");
        Arc::new(Source::open(self.name, file, Some(descriptor)).expect("a source"))
    }

    /// Opens the table as [`open`](Self::open) does. If the format has an index, it is also opened
    /// with an index of tiny zones, with one that has copies of all columns, and with one that has
    /// keys.
    pub(crate) fn open_each(&self, folder: &Path, format: Format) -> Vec<Arc<Source>> {
        let plain = self.open(folder, format);
        let options = BuildOptions { zone_bytes: 100, ..BuildOptions::default() };
        let Some(zoned) = self.indexed(folder, &plain, &options) else { return vec![plain] };
        let columns: Vec<String> = self.columns.iter().map(|c| c.name.to_owned()).collect();
        let copying =
            BuildOptions { zone_bytes: 250, columns: &columns, ..BuildOptions::default() };
        let copied = self.indexed(folder, &plain, &copying).expect("an index with copies");
        let keyed = self.open_with(folder, format, &self.keys());
        let keyed = self.indexed(folder, &keyed, &options).expect("an index with keys");
        vec![plain, zoned, copied, keyed]
    }

    /// Returns the source with an index that was saved and found; `None` if the format has none.
    pub(crate) fn indexed(
        &self,
        folder: &Path,
        source: &Source,
        options: &BuildOptions<'_>,
    ) -> Option<Arc<Source>> {
        match source.build_index(options) {
            Ok(index) => {
                let indexes = IndexFolder::new(folder);
                indexes.save(&index).expect("save the index");
                let index = source.find_index(&indexes).expect("a good index").expect("an index");
                assert_eq!(index.key_specs().count(), source.key_specs().len());
                assert!(index.copied_columns().eq(options.columns), "{:?}", options.columns);
                Some(Arc::new(source.with_index(index)))
            }
            Err(error) if error.kind() == ErrorKind::Unsupported => None,
            Err(error) => panic!("an index of {}: {error}", self.name),
        }
    }

    /// Declares a key for each column, every other one descending, and for each pair of neighbours.
    fn keys(&self) -> String {
        let mut keys = String::new();
        for (place, Column { name, .. }) in self.columns.iter().enumerate() {
            let descending =
                if place % 2 == 1 { format!("descending = \"{name}\"\n") } else { String::new() };
            writeln!(keys, "[[key]]\ncolumns = \"{name}\"\n{descending}").expect("a string");
        }
        for pair in self.columns.windows(2) {
            let [a, b] = [pair[0].name, pair[1].name];
            writeln!(keys, "[[key]]\ncolumns = [\"{a}\", \"{b}\"]\ndescending = \"{b}\"")
                .expect("a string");
        }
        keys
    }

    pub(crate) fn to_fixed(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for row in &self.rows {
            for (column, value) in self.columns.iter().zip(row) {
                column.storage.encode(value, &mut bytes);
            }
            bytes.push(b'\n');
        }
        bytes
    }

    pub(crate) fn fixed_descriptor(&self) -> String {
        let mut offset = 0;
        let mut fields = String::new();
        for column in &self.columns {
            let (name, length) = (column.name, column.storage.bytes());
            let rest = column.storage.describe();
            writeln!(fields, "[[field]]\nname = \"{name}\"").expect("a string");
            writeln!(fields, "offset = {offset}\nlength = {length}\n{rest}").expect("a string");
            offset += length;
        }
        format!("format = \"fixed\"\nrecord_length = {offset}\nterminator = \"lf\"\n{fields}")
    }

    pub(crate) fn to_csv(&self) -> String {
        let header: Vec<_> = self.columns.iter().map(|column| column.name).collect();
        let mut text = header.join(",") + "\n";
        for row in &self.rows {
            let fields: Vec<_> = row.iter().map(csv_field).collect();
            text += &fields.join(",");
            text.push('\n');
        }
        text
    }

    /// Encodes the table as JSON Lines. NULL is `null` in every other record, and a missing member
    /// in the others; some records have their members in another order.
    pub(crate) fn to_jsonl(&self) -> String {
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            let members = self.columns.iter().zip(row);
            let present = members.filter(|(_, value)| number % 2 == 0 || **value != Value::Null);
            let mut members: Vec<_> = present
                .map(|(column, value)| format!("\"{}\": {}", column.name, json_value(value)))
                .collect();
            if number % 5 == 3 {
                members.reverse();
            }
            writeln!(text, "{{{}}}", members.join(", ")).expect("a string");
        }
        text
    }

    pub(crate) fn text_descriptor(&self, format: &str) -> String {
        let fields = self.columns.iter().map(|Column { name, word, .. }| {
            format!("[[field]]\nname = \"{name}\"\ntype = \"{word}\"\n")
        });
        format!("format = \"{format}\"\n{}", fields.collect::<String>())
    }
}

/// Returns NULL, for the rows of a table.
pub(crate) fn null() -> Value {
    Value::Null
}

pub(crate) fn integer(value: i64) -> Value {
    Value::Integer(value)
}

pub(crate) fn decimal(digits: i128, scale: u8) -> Value {
    Value::Decimal { digits, scale }
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// Returns the date of a text `YYYY-MM-DD`.
pub(crate) fn date(text: &str) -> Value {
    let date: NaiveDate = text.parse().expect("a date");
    let days = date.signed_duration_since(NaiveDate::default()).num_days();
    Value::Date(i32::try_from(days).expect("a date of today's calendar"))
}

/// Returns the timestamp of a text `YYYY-MM-DDTHH:MM:SS`.
pub(crate) fn timestamp(text: &str) -> Value {
    let time: DateTime<chrono::Utc> = format!("{text}Z").parse().expect("a timestamp");
    Value::Timestamp(time.timestamp_micros())
}

pub(crate) fn iso_date(days: i32) -> String {
    (NaiveDate::default() + TimeDelta::days(days.into())).to_string()
}

impl Storage {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Text { bytes }
            | Self::Packed { bytes, .. }
            | Self::Integer { bytes }
            | Self::LittleInteger { bytes }
            | Self::Float { bytes } => bytes,
            Self::Zoned { digits, .. } => digits,
            Self::Date => 8,
            Self::Nowhere => 0,
        }
    }

    pub(crate) fn describe(self) -> String {
        match self {
            Self::Text { .. } => "type = \"text\"\nnull_when = \"low-values\"".to_owned(),
            Self::Zoned { scale, .. } => {
                format!("type = \"zoned\"\nscale = {scale}\nnull_when = \"spaces\"")
            }
            Self::Packed { scale, .. } => {
                format!("type = \"packed\"\nscale = {scale}\nnull_when = \"low-values\"")
            }
            Self::Integer { .. } => {
                "type = \"integer\"\nbyte_order = \"big\"\nnull_when = \"zeros\"".to_owned()
            }
            Self::LittleInteger { .. } => "type = \"integer\"\nbyte_order = \"little\"".to_owned(),
            Self::Float { .. } => {
                "type = \"float\"\nbyte_order = \"big\"\nnull_when = \"high-values\"".to_owned()
            }
            Self::Date => "type = \"date\"\nnull_when = \"spaces\"".to_owned(),
            Self::Nowhere => panic!("a type that fixed-length records do not have"),
        }
    }

    pub(crate) fn encode(self, value: &Value, to: &mut Vec<u8>) {
        let end = to.len() + self.bytes();
        match (self, value) {
            (Self::Text { .. } | Self::Packed { .. } | Self::Integer { .. }, Value::Null) => {
                to.resize(end, 0);
            }
            (Self::Zoned { .. } | Self::Date, Value::Null) => to.resize(end, b' '),
            (Self::Float { .. }, Value::Null) => to.resize(end, 0xff),
            (Self::Text { .. }, Value::Text(text)) => {
                assert!(!text.ends_with(' '), "trailing spaces do not survive");
                to.extend_from_slice(text.as_bytes());
                assert!(to.len() <= end, "{text} is too long");
                to.resize(end, b' ');
            }
            (Self::Zoned { digits, scale }, value) => {
                let number = digits_at(value, scale);
                let text = format!("{:0digits$}", number.unsigned_abs());
                to.extend_from_slice(text.as_bytes());
                if number < 0
                    && let Some(last) = to.last_mut()
                {
                    *last |= 0x40;
                }
            }
            (Self::Packed { bytes, scale }, value) => {
                let number = digits_at(value, scale);
                let digits = 2 * bytes - 1;
                let sign = if number < 0 { 'd' } else { 'c' };
                let nibbles = format!("{:0digits$}{sign}", number.unsigned_abs());
                let pairs = (0..bytes).map(|pair| {
                    u8::from_str_radix(&nibbles[2 * pair..2 * pair + 2], 16).expect("digits")
                });
                to.extend(pairs);
            }
            (Self::Integer { bytes }, Value::Integer(value)) => {
                assert_ne!(*value, 0, "zero is NULL in this column");
                to.extend_from_slice(&value.to_be_bytes()[8 - bytes..]);
            }
            (Self::LittleInteger { bytes }, Value::Integer(value)) => {
                to.extend_from_slice(&value.to_le_bytes()[..bytes]);
            }
            (Self::Float { bytes: 8 }, Value::Float(value)) => {
                to.extend_from_slice(&value.to_be_bytes());
            }
            #[allow(clippy::cast_possible_truncation, reason = "a column of this width")]
            (Self::Float { bytes: 4 }, Value::Float(value)) => {
                to.extend_from_slice(&(*value as f32).to_be_bytes());
            }
            (Self::Date, Value::Date(days)) => {
                to.extend_from_slice(iso_date(*days).replace('-', "").as_bytes());
            }
            (storage, value) => panic!("{value:?} does not fit {storage:?}"),
        }
        assert_eq!(to.len(), end, "{value:?} does not fit {self:?}");
    }
}

pub(crate) fn digits_at(value: &Value, to: u8) -> i128 {
    match value {
        Value::Integer(value) if to == 0 => i128::from(*value),
        Value::Decimal { digits, scale } if *scale == to => *digits,
        other => panic!("{other:?} has another scale than {to}"),
    }
}

/// Encodes a field by RFC 4180; NULL is empty, the empty text is quoted.
fn csv_field(value: &Value) -> String {
    match value {
        Value::Text(text) if text.is_empty() || text.contains(['"', ',', '\n', '\r']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        other => plain(other),
    }
}

/// Encodes a value by RFC 8259; characters outside of ASCII are `\u` escapes.
fn json_value(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Text(_) | Value::Date(_) | Value::Timestamp(_) => json_string(&plain(value)),
        other => plain(other),
    }
}

fn json_string(text: &str) -> String {
    let mut string = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => string.extend(['\\', char]),
            '\n' => string.push_str("\\n"),
            ' '..='~' => string.push(char),
            _ => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    write!(string, "\\u{unit:04x}").expect("a string");
                }
            }
        }
    }
    string + "\""
}

/// Returns the value without quotes; NULL is the empty text.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::Decimal { digits, scale } => plain_decimal(*digits, *scale),
        Value::Text(text) => text.clone(),
        Value::Date(days) => iso_date(*days),
        Value::Timestamp(micros) => {
            let time = DateTime::UNIX_EPOCH + TimeDelta::microseconds(*micros);
            time.format("%Y-%m-%dT%H:%M:%S%.f").to_string()
        }
        other => panic!("{other:?} has no text"),
    }
}

fn plain_decimal(digits: i128, scale: u8) -> String {
    let sign = if digits < 0 { "-" } else { "" };
    let scale = usize::from(scale);
    let text = format!("{:0width$}", digits.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = text.split_at(text.len() - scale);
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}
