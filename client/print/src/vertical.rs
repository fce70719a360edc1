//! Records one below the other, a line for each column: for records that are wider than a screen.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use unicode_width::UnicodeWidthStr;

use super::{Result, printable, table};

/// The maximal width of the names; longer ones move their value, so that no name makes every line
/// long.
const WIDTH_MAX: usize = 80;

/// The records so far, and the names as they are printed.
pub(crate) struct Vertical {
    names: Vec<String>,
    width: usize,
    records: u64,
}

impl Vertical {
    pub(crate) fn new(schema: &Schema) -> Self {
        let names = schema.fields().iter().map(|field| printable(field.name(), &[]).into_owned());
        let names: Vec<String> = names.collect();
        let width = names.iter().map(|name| name.width()).max().unwrap_or(0).min(WIDTH_MAX);
        Self { names, width, records: 0 }
    }

    pub(crate) fn batch(&mut self, batch: &RecordBatch, out: &mut impl Write) -> Result<()> {
        let values = table::Values::new(batch)?;
        for row in 0..batch.num_rows() {
            self.records += 1;
            writeln!(out, "─ record {} ─", self.records)?;
            for (name, value) in self.names.iter().zip(values.row(row)) {
                let blanks = " ".repeat(self.width.saturating_sub(name.width()));
                let line = format!("{name}{blanks} │ {}", value?);
                writeln!(out, "{}", line.trim_end())?;
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self, out: &mut impl Write) -> Result<()> {
        table::count(self.records, out)
    }
}
