//! The words that formats and their readers share: which records, where they are, what is wrong.

use std::fmt;

use crate::problem::Problem;

/// The longest record of a text format; also the most bytes that are held between two turns.
pub(crate) const RECORD_BYTES_MAX: usize = 4 << 20;

/// The records of a block to decode.
#[derive(Clone, Copy, Debug)]
pub enum Rows<'a> {
    /// All records.
    All,
    /// The records with these indices: ascending, each below [`Block::records`].
    ///
    /// [`Block::records`]: crate::block::Block::records
    Selected(&'a [u32]),
}

/// The bytes of a turn of a text file: whole records, then the start of another. There is such a
/// rest only if the turn is the last one.
pub(crate) struct TurnBytes {
    /// The position of the bytes in the file.
    pub(crate) start: u64,
    /// The number of bytes of whole records.
    pub(crate) whole: usize,
    /// The number of bytes with the rest.
    pub(crate) used: usize,
}

/// A record of a block that has no value, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordFault<P = Problem> {
    /// Index of the record in its block.
    pub record: usize,
    /// The position of the record in the file; `None` if the file stores columns.
    pub byte: Option<u64>,
    /// The field, if only one is at fault.
    pub field: Option<String>,
    /// The reason.
    pub problem: P,
}

impl<P> RecordFault<P> {
    /// Returns the fault in the file that errors call `file`; `records_before` counts the records
    /// of the file that come before the block.
    pub fn to_error(&self, file: &str, records_before: u64) -> RecordError<P>
    where
        P: Clone,
    {
        let Self { byte, field, problem, .. } = self.clone();
        let record = records_before + self.record as u64;
        RecordError { file: file.to_owned(), record, byte, field, problem }
    }

    /// Returns the fault with another form of its reason.
    pub fn map<Q>(self, reason: impl FnOnce(P) -> Q) -> RecordFault<Q> {
        let Self { record, byte, field, problem } = self;
        RecordFault { record, byte, field, problem: reason(problem) }
    }
}

/// A record of a file that has no value, and why. It is for readers who may see all of the file: it
/// tells where the record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError<P = Problem> {
    /// The name of the file.
    pub file: String,
    /// The number of records of the file before this one.
    pub record: u64,
    /// The position of the record in the file; `None` if the file stores columns.
    pub byte: Option<u64>,
    /// The field, if only one is at fault.
    pub field: Option<String>,
    /// The reason.
    pub problem: P,
}

/// `orders.csv: record 1042 (byte 88213), field `price`: …`
impl<P: fmt::Display> fmt::Display for RecordError<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, record, byte, field, problem } = self;
        write!(f, "{file}: record {}", record + 1)?;
        if let Some(byte) = byte {
            write!(f, " (byte {byte})")?;
        }
        if let Some(field) = field {
            write!(f, ", field `{field}`")?;
        }
        write!(f, ": {problem}")
    }
}
