//! The words that formats and their readers share: which records, where they are, what is wrong.

use crate::io::extent::Gathered;
use crate::{Error, ErrorKind};

/// Which records of a block to decode.
#[derive(Clone, Copy, Debug)]
pub enum Rows<'a> {
    /// Each.
    All,
    /// These, ascending, each below [`Block::records`].
    Selected(&'a [u32]),
}

/// The bytes of a turn of a text file: whole records, and a rest that is none if it is the last of
/// all.
pub(crate) struct TurnBytes {
    /// Where the bytes start in the file.
    pub(crate) start: u64,
    /// Bytes of whole records.
    pub(crate) whole: usize,
    /// Bytes with the rest.
    pub(crate) used: usize,
}

/// What is wrong with one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordFault {
    /// Index of the record in its block.
    pub record: usize,
    /// Where the record starts in the file; `None` where it is in pieces.
    pub byte: Option<u64>,
    /// The field, where it is one field's fault.
    pub field: Option<String>,
    /// The complaint.
    pub text: String,
}

impl RecordFault {
    /// The error for people: `file` is the file's name, `records_before` counts the records of the
    /// file that come before the block.
    pub fn to_error(&self, file: &str, records_before: u64) -> Error {
        let record = records_before + self.record as u64 + 1;
        let byte = self.byte.map(|byte| format!(" (byte {byte})")).unwrap_or_default();
        self.to_error_at(file, &format!("record {record}{byte}"))
    }

    /// Of a record of gathered ones, as if the file had been read as it lies.
    pub fn placed(&self, gathered: &Gathered) -> Self {
        let record = gathered.record_of(self.record as u64);
        Self {
            record: usize::try_from(record).unwrap_or(usize::MAX),
            byte: self.byte.map(|byte| gathered.byte_of(byte)),
            ..self.clone()
        }
    }

    /// Makes the error for people with another text for the place of the record.
    pub fn to_error_at(&self, file: &str, place: &str) -> Error {
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
