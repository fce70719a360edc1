//! What of a file is read: runs of whole records, and where they are.

use std::ops::Range;

/// A run of whole records of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Records of the file before it.
    pub(crate) first_record: u64,
    /// From the start of its first record to that of the record behind it; the numbers of the records
    /// where a file holds columns.
    pub(crate) bytes: Range<u64>,
}

impl Extent {
    pub(crate) fn len(&self) -> u64 {
        self.bytes.end.saturating_sub(self.bytes.start)
    }
}
