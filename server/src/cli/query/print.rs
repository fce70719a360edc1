//! Records as text: a table, CSV or JSON Lines, as they come.
//!
//! The forms are those of `sift select`; a server knows no client, so they are written here again.

use std::io::{self, Write};

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::LineDelimitedWriter;
use arrow::json::writer::{LineDelimited, WriterBuilder};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::Format;

/// Exact decimals, ISO dates and times.
const VALUES: FormatOptions<'static> = FormatOptions::new();

/// Records whose values settle the widths of a table; wider ones that follow move their line.
const WIDTH_RECORDS: usize = 1000;

/// Writes records of one schema.
pub(super) enum Printer {
    Table(Table),
    Csv,
    Jsonl,
}

impl Printer {
    pub(super) fn begin(
        format: Format,
        schema: &SchemaRef,
        out: &mut impl Write,
    ) -> io::Result<Self> {
        match format {
            Format::Table => Ok(Self::Table(Table::new(schema))),
            Format::Jsonl => Ok(Self::Jsonl),
            Format::Csv => {
                let names = schema.fields().iter().map(|field| quoted(field.name()));
                writeln!(out, "{}", names.collect::<Vec<_>>().join(","))?;
                Ok(Self::Csv)
            }
        }
    }

    pub(super) fn batch(&mut self, batch: &RecordBatch, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Table(table) => table.batch(batch, out),
            Self::Csv => csv(batch, out),
            Self::Jsonl => {
                let builder = WriterBuilder::new().with_explicit_nulls(true);
                let mut writer: LineDelimitedWriter<_> = builder.build::<_, LineDelimited>(out);
                writer.write(batch).and_then(|()| writer.finish()).map_err(failed)
            }
        }
    }

    pub(super) fn finish(self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Table(table) => table.finish(out),
            Self::Csv | Self::Jsonl => Ok(()),
        }
    }
}

fn csv(batch: &RecordBatch, out: &mut impl Write) -> io::Result<()> {
    let columns = formatters(batch)?;
    for row in 0..batch.num_rows() {
        for (index, (array, formatter)) in columns.iter().enumerate() {
            if index > 0 {
                out.write_all(b",")?;
            }
            if array.is_null(row) {
                continue;
            }
            let text = formatter.value(row).try_to_string().map_err(failed)?;
            match array.data_type() {
                DataType::Utf8 => out.write_all(quoted(&text).as_bytes())?,
                _ => out.write_all(text.as_bytes())?,
            }
        }
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    let plain = !text.is_empty() && !text.contains([',', '"', '\n', '\r']);
    if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

/// A table whose widths the first records settle.
pub(super) struct Table {
    schema: SchemaRef,
    /// The first records, until there are enough of them.
    head: Vec<Vec<String>>,
    widths: Option<Vec<usize>>,
    records: u64,
}

impl Table {
    fn new(schema: &SchemaRef) -> Self {
        Self { schema: SchemaRef::clone(schema), head: Vec::new(), widths: None, records: 0 }
    }

    fn batch(&mut self, batch: &RecordBatch, out: &mut impl Write) -> io::Result<()> {
        let columns = formatters(batch)?;
        for row in 0..batch.num_rows() {
            let values = columns.iter().map(|(array, formatter)| match array.is_null(row) {
                true => Ok("NULL".to_owned()),
                false => Ok(printable(&formatter.value(row).try_to_string().map_err(failed)?)),
            });
            let values = values.collect::<io::Result<Vec<String>>>()?;
            self.records += 1;
            match &self.widths {
                Some(widths) => line(&self.schema, widths, &values, out)?,
                None => self.head.push(values),
            }
            if self.head.len() == WIDTH_RECORDS {
                self.print_head(out)?;
            }
        }
        Ok(())
    }

    fn finish(mut self, out: &mut impl Write) -> io::Result<()> {
        if self.widths.is_none() {
            self.print_head(out)?;
        }
        let s = if self.records == 1 { "" } else { "s" };
        writeln!(out, "({} row{s})", self.records)
    }

    fn print_head(&mut self, out: &mut impl Write) -> io::Result<()> {
        let names: Vec<String> =
            self.schema.fields().iter().map(|field| printable(field.name())).collect();
        let widths: Vec<usize> = (0..names.len())
            .map(|column| {
                let values = self.head.iter().filter_map(|row| row.get(column));
                values.chain(names.get(column)).map(|text| text.chars().count()).max().unwrap_or(0)
            })
            .collect();
        line(&self.schema, &widths, &names, out)?;
        let total = widths.iter().map(|width| width + 2).sum::<usize>().saturating_sub(2);
        writeln!(out, "{}", "─".repeat(total))?;
        for values in std::mem::take(&mut self.head) {
            line(&self.schema, &widths, &values, out)?;
        }
        self.widths = Some(widths);
        Ok(())
    }
}

/// Numbers stand to the right.
fn line(
    schema: &Schema,
    widths: &[usize],
    values: &[String],
    out: &mut impl Write,
) -> io::Result<()> {
    let mut line = String::new();
    for ((value, width), field) in values.iter().zip(widths).zip(schema.fields()) {
        let padded = match field.data_type().is_numeric() {
            true => format!("{value:>width$}  "),
            false => format!("{value:<width$}  "),
        };
        line.push_str(&padded);
    }
    writeln!(out, "{}", line.trim_end())
}

/// A text on one line that cannot steer the terminal.
fn printable(text: &str) -> String {
    let escaped = text.chars().map(|c| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    });
    escaped.collect()
}

type Column<'a> = (&'a dyn Array, ArrayFormatter<'a>);

fn formatters(batch: &RecordBatch) -> io::Result<Vec<Column<'_>>> {
    let columns = batch.columns().iter().map(|array| {
        let formatter = ArrayFormatter::try_new(array, &VALUES).map_err(failed)?;
        Ok((array.as_ref(), formatter))
    });
    columns.collect()
}

/// A writer's own error comes through as it is: it may be a pipe that nobody reads.
fn failed(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, source) => source,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    fn printed(format: Format) -> String {
        let texts = StringArray::from(vec![Some("a,\"b"), Some(""), None, Some("x\ny")]);
        let numbers = Int64Array::from(vec![Some(1), Some(-20), None, Some(3)]);
        let columns: [(&str, ArrayRef); 2] = [("text", Arc::new(texts)), ("n", Arc::new(numbers))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut out = Vec::new();
        let mut printer = Printer::begin(format, &batch.schema(), &mut out).unwrap();
        printer.batch(&batch.slice(0, 2), &mut out).unwrap();
        printer.batch(&batch.slice(2, 2), &mut out).unwrap();
        printer.finish(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_format() {
        assert_eq!(printed(Format::Csv), "text,n\n\"a,\"\"b\",1\n\"\",-20\n,\n\"x\ny\",3\n");
        assert_eq!(
            printed(Format::Jsonl),
            "{\"text\":\"a,\\\"b\",\"n\":1}\n{\"text\":\"\",\"n\":-20}\n{\"text\":null,\"n\":null}\n{\"text\":\"x\\ny\",\"n\":3}\n"
        );
        let table = "\
text     n
──────────
a,\"b     1
       -20
NULL  NULL
x\\ny     3
(4 rows)
";
        assert_eq!(printed(Format::Table), table);
    }
}
