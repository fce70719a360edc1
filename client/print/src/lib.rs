//! Arrow records as text: for people, as CSV, JSON or Markdown.
//!
//! `sift` and `siftd query` print records with this crate. It does no I/O of its own: a [`Printer`]
//! writes each batch to the writer that the caller gives it, and keeps at most one page of a table.
//!
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{ArrayRef, Int64Array, RecordBatch};
//! use sift_print::{Form, Printer};
//!
//! let ids: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
//! let batch = RecordBatch::try_from_iter([("id", ids)])?;
//! let mut out = Vec::new();
//! let mut printer = Printer::begin(Form::JsonLines, &batch.schema(), &mut out)?;
//! printer.batch(&batch, &mut out)?;
//! printer.finish(&mut out)?;
//! assert_eq!(out, b"{\"id\":1}\n{\"id\":null}\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod csv;
mod json_lines;
mod markdown;
mod table;
mod terminal;
mod vertical;

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::util::display::FormatOptions;

pub use terminal::{Escaping, printable};

/// The format of single values in tables and CSV: exact decimals, ISO dates and times.
const VALUES: FormatOptions<'static> = FormatOptions::new();

/// The form in which records are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Columns for people. NULL is `NULL`, and the text NULL is `"NULL"`. Characters that steer a
    /// terminal are escaped.
    Table,
    /// RFC 4180 with a header. As in PostgreSQL, NULL is empty and the empty text is `""`. If there
    /// is one column, NULL is the word NULL, because most readers skip empty lines; the text NULL
    /// is `"NULL"` then.
    Csv,
    /// One JSON object a line. Decimals are exact numbers, dates are texts, NULL is `null`.
    JsonLines,
    /// One JSON array of the same objects.
    Json,
    /// A table of GitHub's Markdown, with values as in [`Table`](Self::Table).
    Markdown,
    /// Each record as lines of a name and a value, with values as in [`Table`](Self::Table).
    Vertical,
}

impl Form {
    /// Returns whether texts are as they are, without escapes of characters that steer a terminal.
    /// On a terminal such a form needs [`Escaping`].
    pub fn is_for_programs(self) -> bool {
        matches!(self, Self::Csv | Self::JsonLines | Self::Json)
    }
}

/// The parts of the layout that depend on where the records go. The default is for files and pipes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The width of the terminal. Texts in a table are shortened until it fits, and then end with
    /// `…`. Columns without room are left out. By default nothing is shortened or left out.
    pub width: Option<usize>,
    /// True if a table has the escape sequences of a terminal for its header and for NULL.
    pub colours: bool,
    /// The word for NULL in CSV, without commas, quotation marks and line ends. An equal text is in
    /// quotation marks.
    pub null: Option<String>,
}

/// An error of printing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The writer failed.
    #[error(transparent)]
    Write(io::Error),
    /// Arrow cannot format a value.
    #[error("cannot print a value: {0}")]
    Value(ArrowError),
    /// Two columns have one name, and a JSON object must not have two members of one name.
    #[error(
        "JSON: two columns have the name `{0}`, and the members of an object need different names; \
         rename one (… AS name), or print another format"
    )]
    DuplicateName(String),
}

/// The result of printing.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

impl From<ArrowError> for Error {
    /// Arrow's JSON writer passes on the errors of the writer below it.
    fn from(error: ArrowError) -> Self {
        match error {
            ArrowError::IoError(_, error) => Self::Write(error),
            error => Self::Value(error),
        }
    }
}

/// Prints the records of one schema.
pub struct Printer(Kind);

enum Kind {
    Table(table::Table),
    Csv(csv::Csv),
    JsonLines,
    Json(json_lines::JsonArray),
    Markdown,
    Vertical(vertical::Vertical),
}

impl Printer {
    /// Begins to print records of a schema. CSV and Markdown begin with their header.
    ///
    /// # Errors
    /// [`Error::DuplicateName`] for JSON and JSON Lines, and the errors of the writer.
    pub fn begin(form: Form, schema: &SchemaRef, out: &mut impl Write) -> Result<Self> {
        Self::with_layout(form, &Layout::default(), schema, out)
    }

    /// Does the same as [`begin`](Self::begin), with a layout.
    ///
    /// # Errors
    /// The errors of [`begin`](Self::begin).
    pub fn with_layout(
        form: Form,
        layout: &Layout,
        schema: &SchemaRef,
        out: &mut impl Write,
    ) -> Result<Self> {
        Ok(Self(match form {
            Form::Table => Kind::Table(table::Table::new(schema, layout)),
            Form::Csv => Kind::Csv(csv::Csv::begin(schema, layout.null.as_deref(), out)?),
            Form::JsonLines => {
                json_lines::check(schema)?;
                Kind::JsonLines
            }
            Form::Json => {
                json_lines::check(schema)?;
                Kind::Json(json_lines::JsonArray::default())
            }
            Form::Markdown => {
                markdown::begin(schema, out)?;
                Kind::Markdown
            }
            Form::Vertical => Kind::Vertical(vertical::Vertical::new(schema)),
        }))
    }

    /// Prints the records of a batch. A table keeps them until its page is full.
    ///
    /// # Errors
    /// The errors of the writer; [`Error::Value`].
    pub fn batch(&mut self, batch: &RecordBatch, out: &mut impl Write) -> Result<()> {
        match &mut self.0 {
            Kind::Table(table) => table.batch(batch, out),
            Kind::Csv(csv) => csv.batch(batch, out),
            Kind::JsonLines => json_lines::batch(batch, out),
            Kind::Json(array) => array.batch(batch, out),
            Kind::Markdown => markdown::batch(batch, out),
            Kind::Vertical(vertical) => vertical.batch(batch, out),
        }
    }

    /// Prints the rest: the last page of a table, the number of its records, the end of an array.
    ///
    /// # Errors
    /// The errors of the writer.
    pub fn finish(self, out: &mut impl Write) -> Result<()> {
        match self.0 {
            Kind::Table(table) => table.finish(out),
            Kind::Json(array) => array.finish(out),
            Kind::Vertical(vertical) => vertical.finish(out),
            Kind::Csv(_) | Kind::JsonLines | Kind::Markdown => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
