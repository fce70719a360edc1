//! Fixed-length records: the layout, and a block of them.
//!
//! `record_length` counts the bytes of the fields; a terminator comes on top and is checked in
//! every record that is read, for after a wrong one everything is shifted. Fields may overlap, as
//! COBOL's REDEFINES do. A field that is NULL is told by `null_when`, figurative constants of COBOL
//! that fill all of the field; they are compared before anything is decoded (`null.rs`).
//!
//! Zoned and packed decimals without a scale are 64-bit integers up to 18 digits; all other
//! decimals are Decimal128 of the field's digits and scale. Binary integers are the smallest signed
//! type that holds them. Text loses its trailing spaces and has to be UTF-8 where that is its
//! encoding; in others every byte is a character (`encoding.rs`). Dates and timestamps are digits
//! by a format (`date.rs`). IBM's floats become Float64, short ones exactly (`number.rs`).

mod date;
mod decode;
mod encoding;
mod format;
mod null;
mod number;
mod storage;

use std::fmt;

use arrow::array::ArrayRef;
use arrow::datatypes::{Field as ArrowField, Schema};

use crate::block::Block;
use crate::excerpt::Excerpt;
use crate::problem::Problem;
use crate::record::{RecordFault, Rows};
use crate::turns::PADDING_BYTES;

pub(crate) use date::{Coding, Format, Moment};
pub use encoding::Encoding;
pub(crate) use null::NullWhen;
pub use storage::ByteOrder;
pub(crate) use storage::{Sign, SignKind, Storage};

/// The longest record, without its terminator; also the bound of a block's memory.
pub(crate) const RECORD_BYTES_MAX: u32 = 1 << 20;

/// How the records of a file are laid out.
#[derive(Clone, Debug)]
pub(crate) struct FixedLayout {
    /// Bytes from a record to the next, the terminator included.
    pub(crate) stride: usize,
    pub(crate) terminator: Terminator,
    pub(crate) fields: Vec<FixedField>,
}

/// The bytes after each record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Terminator {
    None,
    Lf,
    CrLf,
    /// Newline of EBCDIC.
    Nl,
}

/// One field of the record.
#[derive(Clone, Debug)]
pub(crate) struct FixedField {
    pub(crate) name: String,
    /// Bytes before it in the record.
    pub(crate) offset: usize,
    /// Its bytes; it ends within the record.
    pub(crate) length: usize,
    pub(crate) storage: Storage,
    /// The encoding of its characters, if it has any.
    pub(crate) encoding: Encoding,
    /// Any of these makes it NULL.
    pub(crate) null_when: Vec<NullWhen>,
}

impl FixedLayout {
    /// `record_length` does not count the terminator.
    pub(crate) fn new(record_length: u32, terminator: Terminator, fields: Vec<FixedField>) -> Self {
        let stride = record_length as usize + terminator.bytes().len();
        Self { stride, terminator, fields }
    }

    pub(crate) fn schema(&self) -> Schema {
        let fields = self.fields.iter().map(|field| {
            let nullable = !field.null_when.is_empty();
            ArrowField::new(&field.name, field.storage.data_type(field.length), nullable)
        });
        Schema::new(fields.collect::<Vec<_>>())
    }
}

impl FixedLayout {
    /// Returns the form that a fingerprint is made of. Indexes store it, so the names in it do not
    /// change with those of the types.
    fn stored_form(&self) -> impl fmt::Debug {
        fmt::from_fn(|f| {
            f.debug_struct("Layout")
                .field("stride", &self.stride)
                .field("terminator", &self.terminator)
                .field(
                    "fields",
                    &self.fields.iter().map(FixedField::stored_form).collect::<Vec<_>>(),
                )
                .finish()
        })
    }
}

impl FixedField {
    fn stored_form(&self) -> impl fmt::Debug {
        fmt::from_fn(|f| {
            f.debug_struct("Field")
                .field("name", &self.name)
                .field("offset", &self.offset)
                .field("length", &self.length)
                .field("storage", &self.storage)
                .field("encoding", &self.encoding)
                .field("null_when", &self.null_when)
                .finish()
        })
    }
}

impl Terminator {
    pub(crate) fn bytes(self) -> &'static [u8] {
        match self {
            Terminator::None => b"",
            Terminator::Lf => b"\n",
            Terminator::CrLf => b"\r\n",
            Terminator::Nl => b"\x15",
        }
    }
}

/// `zoned decimal, 11 bytes at 32, scale 2`
impl fmt::Display for FixedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = if self.length == 1 { "byte" } else { "bytes" };
        write!(f, "{}, {} {bytes} at {}", self.storage, self.length, self.offset)?;
        if self.storage.scale() > 0 {
            write!(f, ", scale {}", self.storage.scale())?;
        }
        if self.encoding != Encoding::Utf8 && self.storage.is_characters() {
            write!(f, ", {}", self.encoding)?;
        }
        for (which, null_when) in self.null_when.iter().enumerate() {
            write!(f, "{}{null_when}", if which == 0 { ", null when " } else { " or " })?;
        }
        Ok(())
    }
}

/// Records in memory.
pub(crate) struct FixedBlock<'a> {
    layout: &'a FixedLayout,
    /// The records and [`PADDING_BYTES`] that mean nothing.
    bytes: &'a [u8],
    records: usize,
    /// The position of the first record in the file.
    start: u64,
    fault: Option<RecordFault>,
}

impl<'a> FixedBlock<'a> {
    /// The records of `bytes`, which are followed by [`PADDING_BYTES`]; `start` is their place in
    /// the file. The block ends before the first record whose terminator is wrong.
    pub(crate) fn new(layout: &'a FixedLayout, bytes: &'a [u8], start: u64) -> Self {
        let records = bytes.len().saturating_sub(PADDING_BYTES) / layout.stride;
        let mut block = Self { layout, bytes, records, start, fault: None };
        if let Some(record) = block.first_unterminated() {
            block.records = record;
            block.fault = Some(block.wrong_terminator(record));
        }
        block
    }

    fn first_unterminated(&self) -> Option<usize> {
        let records = self.bytes.chunks_exact(self.layout.stride).take(self.records);
        match self.layout.terminator {
            Terminator::None => None,
            Terminator::Lf => first_without(records, b"\n"),
            Terminator::CrLf => first_without(records, b"\r\n"),
            Terminator::Nl => first_without(records, b"\x15"),
        }
    }

    fn wrong_terminator(&self, record: usize) -> RecordFault {
        let expected = self.layout.terminator.bytes();
        let end = (record + 1) * self.layout.stride;
        let found = self.bytes.get(end - expected.len()..end).unwrap_or_default();
        let problem = Problem::WrongTerminator {
            found: Excerpt::text(found),
            expected: Excerpt::text(expected),
            record_length: self.layout.stride - expected.len(),
        };
        RecordFault { record, byte: self.byte_of(record), field: None, problem }
    }
}

impl Block for FixedBlock<'_> {
    fn records(&self) -> usize {
        self.records
    }

    fn decode_column(&self, column: usize, rows: Rows<'_>) -> Result<ArrayRef, RecordFault> {
        let field = &self.layout.fields[column];
        decode::column(self, field, rows).map_err(|record| {
            let start = record * self.layout.stride + field.offset;
            let bytes = self.bytes.get(start..start + field.length).unwrap_or_default();
            RecordFault {
                record,
                byte: self.byte_of(record),
                field: Some(field.name.clone()),
                problem: decode::problem(field, bytes),
            }
        })
    }

    fn fault(&self) -> Option<&RecordFault> {
        self.fault.as_ref()
    }

    fn byte_of(&self, record: usize) -> Option<u64> {
        Some(self.start + record as u64 * self.layout.stride as u64)
    }
}

fn first_without<'a, const N: usize>(
    mut records: impl Iterator<Item = &'a [u8]>,
    terminator: &[u8; N],
) -> Option<usize> {
    records.position(|record| record.last_chunk::<N>() != Some(terminator))
}

#[cfg(test)]
mod tests;
