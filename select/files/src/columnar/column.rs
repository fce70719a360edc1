//! What is known of a column, whatever it takes to decode it.

use arrow::datatypes::{DataType, Field};

use crate::nesting;
use crate::record::RecordFault;

/// A column of a file, decoded by way of a `Leaf`.
#[derive(Clone, Debug)]
pub(crate) struct Column<Leaf> {
    pub(crate) field: Field,
    /// How the file holds it, for people.
    pub(crate) storage: String,
    /// `None` where Selects have no type for it.
    pub(crate) leaf: Option<Leaf>,
}

/// The way to a column through the groups that it is in.
#[derive(Debug, Default)]
pub(crate) struct Path {
    /// `a.b`
    name: String,
    /// Bytes of each part of the name.
    lengths: Vec<usize>,
    /// True if one of them may be NULL.
    nullable: bool,
}

impl Path {
    /// The way to what has this name in it.
    pub(crate) fn child(&self, name: &str, nullable: bool) -> Self {
        let lengths = [self.lengths.as_slice(), &[name.len()]].concat();
        let name = match self.lengths.as_slice() {
            [] => name.to_owned(),
            _ => format!("{}.{name}", self.name),
        };
        Self { name, lengths, nullable: self.nullable || nullable }
    }

    /// The column at its end.
    pub(crate) fn field(&self, data_type: DataType) -> Field {
        let field = Field::new(&self.name, data_type, self.nullable);
        nesting::noted(field, &self.lengths)
    }
}

/// A complaint about a row of a block, of that column among these.
pub(crate) fn fault<Leaf>(
    columns: &[Column<Leaf>],
    column: usize,
    (record, text): (usize, String),
) -> RecordFault {
    let field = columns.get(column).map(|column| column.field.name().clone());
    RecordFault { record, byte: None, field, text }
}
