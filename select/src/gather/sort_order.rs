//! The order of rows: what they are sorted by, and which of them are wanted.

use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;

/// Of ORDER BY with a limit up to this many rows only the order is computed for every record; the
/// other columns for those records only that may be in the answer.
const TOP_ROWS_MAX: u64 = 10_000;

/// The order of the rows; rows that it leaves equal stay in the order of the file.
#[derive(Debug)]
pub(crate) struct SortOrder {
    /// The name of the source of the rows, for errors.
    pub(crate) source: String,
    pub(crate) keys: Vec<SortKey>,
    /// Of rows that are equal in so many of the first keys only the first is kept; 0 keeps all.
    pub(crate) distinct: usize,
    /// Rows that are wanted of the start.
    pub(crate) rows_max: Option<u64>,
    /// Columns of the source that the keys need; of groups none.
    pub(crate) columns: Vec<usize>,
    /// The items and the position: what is sorted, as one table.
    pub(crate) schema: SchemaRef,
}

/// What rows are sorted by.
#[derive(Debug)]
pub(crate) struct SortKey {
    /// Index of the item.
    pub(crate) item: usize,
    pub(crate) options: SortOptions,
}

impl SortOrder {
    /// Whether the items that are no keys are computed only for rows that may be in the answer. A
    /// record for which one of them has no value fails the Select only if it is in the answer.
    pub(crate) fn is_late(&self) -> bool {
        self.rows_max.is_some_and(|rows| rows <= TOP_ROWS_MAX)
    }
}
