//! Records as JSON Lines (<https://jsonlines.org>).

use std::collections::HashSet;
use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::json::LineDelimitedWriter;
use arrow::json::writer::{LineDelimited, WriterBuilder};

use super::{Error, Result};

/// Checks that each member of an object will have a name of its own. RFC 8259 leaves the meaning of
/// others open, and most readers keep only the last of them.
///
/// # Errors
/// [`Error::DuplicateName`].
pub(crate) fn check(schema: &Schema) -> Result<()> {
    let mut names = HashSet::new();
    match schema.fields().iter().find(|field| !names.insert(field.name())) {
        None => Ok(()),
        Some(field) => Err(Error::DuplicateName(field.name().clone())),
    }
}

/// Writes one object a record, with `null` for NULL.
///
/// # Errors
/// The errors of the writer; [`Error::Value`].
pub(crate) fn batch(batch: &RecordBatch, out: &mut impl Write) -> Result<()> {
    let builder = WriterBuilder::new().with_explicit_nulls(true);
    let mut writer: LineDelimitedWriter<_> = builder.build::<_, LineDelimited>(out);
    writer.write(batch)?;
    Ok(writer.finish()?)
}
