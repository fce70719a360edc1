//! What a file or an index tells of the records in its parts.
//!
//! A *container* is what statistics are about: a zone of an index, a row group or a page of a
//! Parquet file.

use arrow::array::{ArrayRef, UInt64Array};
use arrow::buffer::BooleanBuffer;

/// What is known of the containers of a file.
pub trait PruningStatistics {
    /// Records of each container.
    fn records(&self) -> &[u64];

    /// What is known of a column of the source; `None` is nothing, not even whether it decodes.
    fn column(&self, column: usize) -> Option<ColumnStatistics>;

    /// Of each container whether no record of it has this value in a column; `None` is unknown.
    /// The value is one of the column's type.
    fn lacks(&self, _column: usize, _value: &ArrayRef) -> Option<BooleanBuffer> {
        None
    }
}

/// What is known of a column, one value a container.
#[derive(Clone, Debug)]
pub struct ColumnStatistics {
    /// No value is less, in the order that WHERE compares in: NaN is above all floats, texts are
    /// ordered by bytes. Of the column's type; null is unknown. It need not be a value of the
    /// column.
    pub min: ArrayRef,
    /// No value is greater; likewise.
    pub max: ArrayRef,
    /// Records that have NULL; null is unknown.
    pub null_counts: UInt64Array,
    /// Whether every record is known to decode.
    pub decodes: BooleanBuffer,
}
