//! The keys that a descriptor declares.

use arrow::compute::SortOptions;
use arrow::datatypes::DataType;

use crate::types::{INTERVAL, is_selectable};

/// A key as a descriptor declares it, with the columns of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySpec {
    /// The name of the key.
    pub name: String,
    /// Its columns in order.
    pub columns: Vec<KeyColumn>,
    /// True if no two records have the same values; records with a NULL are never the same.
    pub unique: bool,
}

/// A column of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyColumn {
    /// Index in the schema of the file.
    pub column: usize,
    /// Greatest first; NULL before them.
    pub descending: bool,
}

impl KeyColumn {
    /// Returns the order of the column as Arrow sorts by it.
    pub fn options(self) -> SortOptions {
        SortOptions { descending: self.descending, nulls_first: self.descending }
    }
}

/// Returns whether a column of this type can be a column of a key: its values have an order.
pub fn is_ordered(data_type: &DataType) -> bool {
    is_selectable(data_type) && *data_type != INTERVAL
}
