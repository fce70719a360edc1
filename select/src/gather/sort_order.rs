//! The order of rows: their sort keys, and how many rows are wanted.

use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;

/// ORDER BY with a limit up to this many rows computes only the sort keys for every record. The
/// other items are computed only for records that may be in the answer (late materialisation).
const TOP_ROWS_MAX: u64 = 10_000;

/// The order of the rows; rows that it leaves equal stay in the order of the file.
#[derive(Debug)]
pub(crate) struct SortOrder {
    /// The name of the source of the rows, for errors.
    pub(crate) source: String,
    pub(crate) keys: Vec<SortKey>,
    /// Only the first of rows with equal values in this many leading keys is wanted; 0 for all
    /// rows.
    pub(crate) distinct: usize,
    /// The number of rows that are wanted from the start.
    pub(crate) rows_max: Option<u64>,
    /// The columns of the source that the keys need; empty for groups.
    pub(crate) columns: Vec<usize>,
    /// The schema of the sorted rows: the items and the position.
    pub(crate) schema: SchemaRef,
}

/// A key that rows are sorted by.
#[derive(Debug)]
pub(crate) struct SortKey {
    /// The index of the item.
    pub(crate) item: usize,
    pub(crate) options: SortOptions,
}

impl SortOrder {
    /// Returns whether the items that are not keys are computed only for rows that may be in the
    /// answer. A record for which one of them has no value fails the Select only if it is in the
    /// answer.
    pub(crate) fn is_late(&self) -> bool {
        self.rows_max.is_some_and(|rows| rows <= TOP_ROWS_MAX)
    }
}
