//! A run of records in memory, whatever its format: what a scan decodes columns from.

use arrow::array::ArrayRef;

use crate::columnar::{ipc, parquet};
use crate::extent::Gathered;
use crate::{Error, ErrorKind, Result, View, csv, fixed, json};

/// Which records of a block to decode.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rows<'a> {
    /// Each.
    All,
    /// These, ascending, each below [`Block::records`].
    Selected(&'a [u32]),
}

/// A run of whole records in memory.
pub(crate) enum Block<'a> {
    /// Of a fixed-length file.
    Fixed(fixed::Block<'a>),
    /// Of a CSV file.
    Csv(csv::Block<'a>),
    /// Of a Parquet file.
    Parquet(parquet::Block<'a>),
    /// Of an Arrow file.
    Arrow(ipc::Block<'a>),
    /// Of a file of JSON Lines.
    Json(json::Block<'a>),
}

impl Block<'_> {
    /// Number of whole records.
    pub(crate) fn records(&self) -> usize {
        match self {
            Block::Fixed(block) => block.records(),
            Block::Csv(block) => block.records(),
            Block::Parquet(block) => block.records(),
            Block::Arrow(block) => block.records(),
            Block::Json(block) => block.records(),
        }
    }

    /// The columns (indices of the schema) of those rows, one array each.
    ///
    /// # Errors
    /// The fault of the lowest record that has one in any of the columns: the records before it
    /// decode.
    pub(crate) fn decode(&self, columns: &[usize], rows: Rows<'_>) -> Result<Vec<ArrayRef>, Fault> {
        let mut arrays = Vec::with_capacity(columns.len());
        let mut first: Option<Fault> = None;
        for &column in columns {
            let decoded = match self {
                Block::Fixed(block) => block.decode(column, rows),
                Block::Csv(block) => block.decode(column, rows),
                Block::Parquet(block) => block.decode(column, rows),
                Block::Arrow(block) => block.decode(column, rows),
                Block::Json(block) => block.decode(column, rows),
            };
            match decoded {
                Ok(array) => arrays.push(array),
                Err(fault) if first.as_ref().is_none_or(|first| fault.record < first.record) => {
                    first = Some(fault);
                }
                Err(_) => {}
            }
        }
        match first {
            None => Ok(arrays),
            Some(fault) => Err(fault),
        }
    }

    /// Returns whether the columns are all that those rows have.
    ///
    /// # Errors
    /// The fault of the first row that has more.
    pub(crate) fn check_listed(&self, rows: Rows<'_>) -> Result<(), Fault> {
        match self {
            Block::Json(block) => block.check_listed(rows),
            Block::Fixed(_) | Block::Csv(_) | Block::Parquet(_) | Block::Arrow(_) => Ok(()),
        }
    }

    /// What is wrong with the record behind the whole ones, where it could not be delimited.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        match self {
            Block::Fixed(block) => block.fault(),
            Block::Csv(block) => block.fault(),
            Block::Parquet(_) | Block::Arrow(_) => None,
            Block::Json(block) => block.fault(),
        }
    }

    /// Where a record starts, in bytes from the start of the file, if all of it is there.
    pub(crate) fn byte_of(&self, record: usize) -> Option<u64> {
        match self {
            Block::Fixed(block) => Some(block.byte_of(record)),
            Block::Csv(block) => Some(block.byte_of(record)),
            Block::Parquet(_) | Block::Arrow(_) => None,
            Block::Json(block) => Some(block.byte_of(record)),
        }
    }
}

/// The bytes of a turn of a text file: whole records, and a rest that is none if it is the last of
/// all.
pub(crate) struct Piece {
    /// Where the bytes start in the file.
    pub(crate) start: u64,
    /// Bytes of whole records.
    pub(crate) whole: usize,
    /// Bytes with the rest.
    pub(crate) used: usize,
}

/// What is wrong with one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Index of the record in its block.
    pub(crate) record: usize,
    /// Where the record starts in the file; `None` where it is in pieces.
    pub(crate) byte: Option<u64>,
    /// The field, where it is one field's fault.
    pub(crate) field: Option<String>,
    /// The complaint.
    pub(crate) text: String,
}

impl Fault {
    /// The error for people: `file` is the file's name, `records_before` counts the records of the
    /// file that come before the block.
    pub(crate) fn to_error(&self, file: &str, records_before: u64) -> Error {
        let record = records_before + self.record as u64 + 1;
        let byte = self.byte.map(|byte| format!(" (byte {byte})")).unwrap_or_default();
        self.error_at(file, &format!("record {record}{byte}"))
    }

    /// Makes the error like [`to_error`](Self::to_error), but for a view that is not whole. It
    /// counts only the records that the view shows, because a byte offset would reveal the length
    /// of hidden parts.
    pub(crate) fn to_error_in_view(&self, file: &str, records_before: u64, view: &View) -> Error {
        let record = records_before + self.record as u64 + 1;
        let which = if view.has_all_records() { "" } else { " of those that you may see" };
        self.error_at(file, &format!("record {record}{which}"))
    }

    /// Of a record of gathered ones, as if the file had been read as it lies.
    pub(crate) fn placed(&self, gathered: &Gathered) -> Self {
        let record = gathered.record_of(self.record as u64);
        Self {
            record: usize::try_from(record).unwrap_or(usize::MAX),
            byte: self.byte.map(|byte| gathered.byte_of(byte)),
            ..self.clone()
        }
    }

    fn error_at(&self, file: &str, place: &str) -> Error {
        let Self { field, text, .. } = self;
        let field = field.as_ref().map(|field| format!(", field `{field}`")).unwrap_or_default();
        Error::new(ErrorKind::Record, format!("{file}: {place}{field}: {text}"))
    }
}

/// Bytes of a file as text for a complaint: short, printable, in quotes.
pub(crate) fn quote(bytes: &[u8]) -> String {
    const CHARS_MAX: usize = 40;
    let text = String::from_utf8_lossy(bytes);
    let mut quoted = String::from("'");
    for (count, char) in text.chars().enumerate() {
        if count == CHARS_MAX {
            quoted.push('…');
            break;
        }
        match char {
            ' '..='~' => quoted.push(char),
            _ if char.is_alphanumeric() => quoted.push(char),
            char::REPLACEMENT_CHARACTER => quoted.push(char),
            _ => quoted.extend(char.escape_default()),
        }
    }
    quoted.push('\'');
    quoted
}
