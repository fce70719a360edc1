//! CSV

mod kind;

pub(crate) use kind::Kind;

use arrow::array::ArrayRef;

use crate::block::{Fault, Rows};

/// What a descriptor says about a CSV file.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Told by the file's name when `None`.
    pub(crate) delimiter: Option<u8>,
    /// Whether the first record holds the names.
    pub(crate) header: bool,
    /// A text that is NULL.
    pub(crate) null: Option<String>,
    /// Names, with types where they are given.
    pub(crate) fields: Vec<(String, Option<Kind>)>,
}

impl Default for Options {
    fn default() -> Self {
        Self { delimiter: None, header: true, null: None, fields: Vec::new() }
    }
}

pub(crate) struct Block<'a> {
    bytes: &'a [u8],
}

impl Block<'_> {
    pub(crate) fn records(&self) -> usize {
        0
    }

    pub(crate) fn fault(&self) -> Option<&Fault> {
        None
    }

    pub(crate) fn byte_of(&self, record: usize) -> u64 {
        record as u64 + self.bytes.len() as u64
    }

    pub(crate) fn decode(&self, column: usize, rows: Rows<'_>) -> Result<ArrayRef, Fault> {
        let _ = rows;
        Err(Fault { record: column, byte: 0, field: None, text: "no reader yet".to_owned() })
    }
}

/// How the records of a CSV file are laid out.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Where the first record starts.
    pub(crate) start: u64,
}

impl Layout {
    pub(crate) fn open(
        name: &str,
        _file: &std::fs::File,
        _bytes: u64,
        _options: Options,
    ) -> crate::Result<Self> {
        Err(crate::Error::new(
            crate::ErrorKind::Unsupported,
            format!("{name}: no reader for csv yet"),
        ))
    }

    pub(crate) fn schema(&self) -> arrow::datatypes::Schema {
        arrow::datatypes::Schema::empty()
    }

    pub(crate) fn storage(&self, column: usize) -> Option<String> {
        let _ = column;
        None
    }
}
