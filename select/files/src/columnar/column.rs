//! The description of a column of a file that stores columns, whatever decodes it.

use arrow::datatypes::{DataType, Field, Schema};

use crate::problem::column::RowProblem;
use crate::problem::descriptor::DescriptorProblem;
use crate::record::RecordFault;
use crate::{Error, Result, nesting};

/// A column of a file, decoded by way of a `Leaf`.
#[derive(Clone, Debug)]
pub(crate) struct FileColumn<Leaf> {
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

/// Makes the fault of a row of a block, in one of these columns.
pub(crate) fn fault<Leaf>(
    columns: &[FileColumn<Leaf>],
    column: usize,
    (record, problem): RowProblem,
) -> RecordFault {
    let field = columns.get(column).map(|column| column.field.name().clone());
    RecordFault { record, byte: None, field, problem: problem.into() }
}

/// Checks that the fields of a descriptor are columns of a file that names its columns itself: a
/// misspelt field would not be protected.
///
/// # Errors
/// `Descriptor`
pub(crate) fn check_fields(name: &str, schema: &Schema, fields: &[String]) -> Result<()> {
    let Some(unknown) = fields.iter().find(|field| schema.index_of(field).is_err()) else {
        return Ok(());
    };
    let known = schema.fields().iter().take(20).map(|field| field.name().clone()).collect();
    let field = unknown.clone();
    let problem = DescriptorProblem::UnknownField { field, place: "file", known };
    Err(Error::descriptor(format!("{name}.toml"), problem))
}
