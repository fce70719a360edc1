//! Records as CSV (RFC 4180), where a NULL is empty and an empty text is in quotation marks.

use std::fmt::Write as _;
use std::io::Write;

use arrow::array::{Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Schema};
use arrow::util::display::ArrayFormatter;

use super::{Result, VALUES};

/// Writes batches as CSV.
pub(crate) struct Csv {
    line: String,
}

impl Csv {
    pub(crate) fn begin(schema: &Schema, out: &mut impl Write) -> Result<Self> {
        let mut line = String::new();
        for (index, name) in schema.fields().iter().map(|field| field.name()).enumerate() {
            separate(&mut line, index);
            field(&mut line, name);
        }
        line.push('\n');
        out.write_all(line.as_bytes())?;
        Ok(Self { line })
    }

    pub(crate) fn batch(&mut self, batch: &RecordBatch, out: &mut impl Write) -> Result<()> {
        let columns =
            batch.columns().iter().map(|array| Column::new(array)).collect::<Result<Vec<_>>>()?;
        for row in 0..batch.num_rows() {
            self.line.clear();
            for (index, column) in columns.iter().enumerate() {
                separate(&mut self.line, index);
                column.write(row, &mut self.line)?;
            }
            self.line.push('\n');
            out.write_all(self.line.as_bytes())?;
        }
        Ok(())
    }
}

/// One column of a batch. Its kind is decided once a batch.
enum Column<'a> {
    Text(&'a StringArray),
    /// Values without a character that needs quotes: numbers, times, booleans, hexadecimal bytes.
    Plain(&'a dyn Array, ArrayFormatter<'a>),
    Other(&'a dyn Array, ArrayFormatter<'a>),
}

impl<'a> Column<'a> {
    fn new(array: &'a dyn Array) -> Result<Self> {
        if let Some(texts) = array.as_any().downcast_ref() {
            return Ok(Self::Text(texts));
        }
        let formatter = ArrayFormatter::try_new(array, &VALUES)?;
        Ok(match array.data_type() {
            DataType::Boolean | DataType::Binary => Self::Plain(array, formatter),
            data_type if data_type.is_primitive() => Self::Plain(array, formatter),
            _ => Self::Other(array, formatter),
        })
    }

    fn write(&self, row: usize, line: &mut String) -> Result<()> {
        match self {
            Self::Text(texts) if texts.is_valid(row) => field(line, texts.value(row)),
            Self::Plain(array, formatter) if array.is_valid(row) => {
                formatter.value(row).write(line)?;
            }
            Self::Other(array, formatter) if array.is_valid(row) => {
                field(line, &formatter.value(row).try_to_string()?);
            }
            _ => {}
        }
        Ok(())
    }
}

fn separate(line: &mut String, index: usize) {
    if index > 0 {
        line.push(',');
    }
}

fn field(line: &mut String, text: &str) {
    let plain = !text.is_empty() && !text.contains([',', '"', '\n', '\r']);
    let _infallible = match plain {
        true => write!(line, "{text}"),
        false => write!(line, "\"{}\"", text.replace('"', "\"\"")),
    };
}
