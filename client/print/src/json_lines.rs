//! Records as JSON Lines (<https://jsonlines.org>), or as one array of JSON with a line for each.

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

/// An array that is being written.
#[derive(Default)]
pub(crate) struct JsonArray {
    has_records: bool,
}

impl JsonArray {
    /// Writes the objects of the batch as [`batch`] does.
    ///
    /// # Errors
    /// The errors of the writer; [`Error::Value`].
    pub(crate) fn batch(&mut self, records: &RecordBatch, out: &mut impl Write) -> Result<()> {
        let mut lines = Vec::new();
        batch(records, &mut lines)?;
        // no object has a raw line feed
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            out.write_all(if self.has_records { b",\n" } else { b"[" })?;
            out.write_all(line)?;
            self.has_records = true;
        }
        Ok(())
    }

    pub(crate) fn finish(self, out: &mut impl Write) -> Result<()> {
        Ok(out.write_all(if self.has_records { b"]\n" } else { b"[]\n" })?)
    }
}
