//! What is known of a column, whatever it takes to decode it.

use arrow::datatypes::Field;

use crate::block::Fault;

/// A column of a file, decoded by way of a `Leaf`.
#[derive(Clone, Debug)]
pub(super) struct Column<Leaf> {
    pub(super) field: Field,
    /// How the file holds it, for people.
    pub(super) storage: String,
    /// `None` where Selects have no type for it.
    pub(super) leaf: Option<Leaf>,
}

/// A complaint about a row of a block, of that column among these.
pub(super) fn fault<Leaf>(
    columns: &[Column<Leaf>],
    column: usize,
    (record, text): (usize, String),
) -> Fault {
    let field = columns.get(column).map(|column| column.field.name().clone());
    Fault { record, byte: None, field, text }
}
