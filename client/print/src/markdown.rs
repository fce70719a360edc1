//! Records as a table of GitHub's Markdown (<https://github.github.com/gfm/#tables-extension->).

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;

use super::{Result, printable, table};

/// Writes the header; numbers are aligned to the right.
pub(crate) fn begin(schema: &Schema, out: &mut impl Write) -> Result<()> {
    let fields = schema.fields();
    line(fields.iter().map(|field| Ok(printable(field.name(), &[]).into_owned())), out)?;
    let rule = |is_number| if is_number { "---:" } else { "---" }.to_owned();
    let rules = fields.iter().map(|field| rule(field.data_type().is_numeric()));
    writeln!(out, "| {} |", rules.collect::<Vec<_>>().join(" | "))?;
    Ok(())
}

pub(crate) fn batch(batch: &RecordBatch, out: &mut impl Write) -> Result<()> {
    let values = table::Values::new(batch)?;
    (0..batch.num_rows()).try_for_each(|row| line(values.row(row), out))
}

/// Writes cells, with escapes for what Markdown and HTML would read in them.
fn line(cells: impl Iterator<Item = Result<String>>, out: &mut impl Write) -> Result<()> {
    for cell in cells {
        write!(out, "| ")?;
        for c in cell?.chars() {
            match c {
                '&' => write!(out, "&amp;")?,
                '<' => write!(out, "&lt;")?,
                '\\' | '|' | '`' | '*' | '_' | '~' | '[' | ']' => write!(out, "\\{c}")?,
                c => write!(out, "{c}")?,
            }
        }
        write!(out, " ")?;
    }
    Ok(writeln!(out, "|")?)
}
