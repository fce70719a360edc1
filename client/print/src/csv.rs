//! Records as CSV (RFC 4180), where a NULL is a word, most often the empty one, and an equal text
//! is in quotation marks.

use std::fmt::Write as _;
use std::io::Write;

use arrow::array::{Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Schema};
use arrow::util::display::ArrayFormatter;

use super::{Result, VALUES};

/// Writes batches as CSV.
pub(crate) struct Csv {
    /// The word for NULL.
    null: String,
    line: String,
}

/// The word for NULL if there is one column. The empty word would be an empty line, and most
/// readers skip such a line.
const NULL_ALONE: &str = "NULL";

impl Csv {
    pub(crate) fn begin(schema: &Schema, null: Option<&str>, out: &mut impl Write) -> Result<Self> {
        let by_default = if schema.fields().len() == 1 { NULL_ALONE } else { "" };
        let null = null.unwrap_or(by_default).to_owned();
        let mut line = String::new();
        for (index, name) in schema.fields().iter().map(|field| field.name()).enumerate() {
            separate(&mut line, index);
            field(&mut line, name, &null);
        }
        line.push('\n');
        out.write_all(line.as_bytes())?;
        Ok(Self { null, line })
    }

    pub(crate) fn batch(&mut self, batch: &RecordBatch, out: &mut impl Write) -> Result<()> {
        let columns = batch
            .columns()
            .iter()
            .map(|array| Column::new(array, &self.null))
            .collect::<Result<Vec<_>>>()?;
        for row in 0..batch.num_rows() {
            self.line.clear();
            for (index, column) in columns.iter().enumerate() {
                separate(&mut self.line, index);
                column.write(row, &self.null, &mut self.line)?;
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
    fn new(array: &'a dyn Array, null: &str) -> Result<Self> {
        if let Some(texts) = array.as_any().downcast_ref() {
            return Ok(Self::Text(texts));
        }
        let formatter = ArrayFormatter::try_new(array, &VALUES)?;
        // no such value looks like one of these words
        let is_plain = null.is_empty() || null == NULL_ALONE;
        Ok(match array.data_type() {
            _ if !is_plain => Self::Other(array, formatter),
            DataType::Boolean | DataType::Binary => Self::Plain(array, formatter),
            data_type if data_type.is_primitive() => Self::Plain(array, formatter),
            _ => Self::Other(array, formatter),
        })
    }

    fn write(&self, row: usize, null: &str, line: &mut String) -> Result<()> {
        match self {
            Self::Text(texts) if texts.is_valid(row) => field(line, texts.value(row), null),
            Self::Plain(array, formatter) if array.is_valid(row) => {
                formatter.value(row).write(line)?;
            }
            Self::Other(array, formatter) if array.is_valid(row) => {
                field(line, &formatter.value(row).try_to_string()?, null);
            }
            _ => line.push_str(null),
        }
        Ok(())
    }
}

fn separate(line: &mut String, index: usize) {
    if index > 0 {
        line.push(',');
    }
}

fn field(line: &mut String, text: &str, null: &str) {
    let plain = !text.is_empty() && text != null && !text.contains([',', '"', '\n', '\r']);
    let _infallible = match plain {
        true => write!(line, "{text}"),
        false => write!(line, "\"{}\"", text.replace('"', "\"\"")),
    };
}
