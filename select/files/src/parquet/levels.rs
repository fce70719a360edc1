//! The description of a column that the parquet crate's decoders get.
//!
//! The decoders give a null mask only to a column that is itself optional. A required column in
//! an optional group has no value where the group is NULL, so it is described as optional too. The
//! levels stay those of the file: they decide how its pages are decoded.

use std::sync::Arc;

use parquet::basic::{Repetition, Type as Physical};
use parquet::errors::Result;
use parquet::schema::types::{ColumnDescPtr, ColumnDescriptor, Type};

/// Describes `column` as values of the type `physical`, of `length` bytes where that has a length.
pub(super) fn for_decoder(
    column: &ColumnDescriptor,
    physical: Physical,
    length: i32,
) -> Result<ColumnDescPtr> {
    let (definition, repetition) = (column.max_def_level(), column.max_rep_level());
    let nullable = if definition > 0 { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    // all that the type says is checked after decoding, for the records that are wanted
    let values = Type::primitive_type_builder(column.name(), physical)
        .with_repetition(nullable)
        .with_length(length)
        .build()?;
    let path = column.path().clone();
    Ok(Arc::new(ColumnDescriptor::new(Arc::new(values), definition, repetition, path)))
}
