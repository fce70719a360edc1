//! Statistics of the parts of a file, by which a scan leaves out parts that it need not read.
//!
//! A *container* is what statistics are about: a zone of an index, a row group or a page of a
//! Parquet file. The names are those of DataFusion.

use arrow::array::{ArrayRef, UInt64Array};
use arrow::buffer::BooleanBuffer;

use crate::io::extent::Extent;
use crate::io::raw_file::RawFile;

/// Statistics of the containers of a file.
pub trait PruningStatistics {
    /// Returns the number of records of each container.
    fn records(&self) -> &[u64];

    /// Returns the statistics of a column of the source; `None` means that nothing is known, not
    /// even whether its values decode.
    fn column(&self, column: usize) -> Option<ColumnStatistics>;

    /// Returns for each container whether no record of it has this value in a column; `None` means
    /// unknown. The value is one of the column's type.
    fn excludes(&self, _column: usize, _value: &ArrayRef) -> Option<BooleanBuffer> {
        None
    }
}

/// A format whose files store statistics.
pub trait FileStatistics {
    /// Returns the largest containers that have records, with the statistics that cost least to
    /// read.
    fn containers<'a>(&'a self, file: &'a RawFile) -> Box<dyn Containers<'a> + 'a>;
}

/// Containers of a file, with statistics of one level of detail.
pub trait Containers<'a>: PruningStatistics {
    /// Returns the containers that `is_retained` says, by their indices.
    fn retained(&self, is_retained: &dyn Fn(usize) -> bool) -> Box<dyn Containers<'a> + 'a>;

    /// Returns the records of these containers with the next level of statistics, which cost more
    /// to read: in the same containers, or in smaller ones that suit the statistics of `columns`.
    /// `None` if there are no others.
    fn refined(&self, columns: &[usize]) -> Option<Box<dyn Containers<'a> + 'a>>;

    /// Returns the extents of the file that have the records; neighbours are in one extent.
    fn extents(&self) -> Vec<Extent>;
}

/// The statistics of a column, one value for each container.
#[derive(Clone, Debug)]
pub struct ColumnStatistics {
    /// No value is less, in the order that WHERE compares in: NaN is above all floats, texts are
    /// ordered by bytes. It has the column's type; null is unknown. It need not be a value of the
    /// column.
    pub min: ArrayRef,
    /// No value is greater, in the same order.
    pub max: ArrayRef,
    /// The number of records that have NULL; null is unknown.
    pub null_counts: UInt64Array,
    /// True if every record is known to decode.
    pub decodes: BooleanBuffer,
}
