//! Arrow IPC files, Feather version 2 among them: record batches of columns of buffers.
//!
//! The footer, and what every record batch says of its buffers, is read once, when the file is
//! opened. A record batch is a turn; of it the buffers of those columns are read that somebody asks
//! for. Arrow's own reader trusts its file where it counts and places things, so the buffers are
//! found and measured here; what Arrow then checks of an array is that its offsets ascend and its
//! texts are UTF-8. Nested structs are columns named `a.b`; lists and what else Selects have no
//! type for are columns that can be described but not read.
//!
//! Source: <https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format>

mod buffers;
mod column;
mod format;
mod open;
mod schema;

use std::cell::RefCell;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::Schema;

use crate::block::Block;
use crate::columnar::column::fault;
use crate::columnar::input::Input;
use crate::columnar::value::convert;
use crate::problem::column::{ColumnProblem, RowProblem};
use crate::record::{RecordFault, Rows};
use buffers::Message;
use schema::ArrowColumn;

/// Records that are handed out at a time.
const BLOCK_RECORDS: usize = 16 << 10;

/// How the records of an Arrow file are laid out.
#[derive(Debug)]
pub(crate) struct ArrowLayout {
    columns: Vec<ArrowColumn>,
    /// The buffers of each field, nested fields included, in the order of the file.
    shapes: Vec<schema::Shape>,
    batches: Vec<Message>,
    dictionaries: Vec<Dictionary>,
}

/// The values of a column of codes.
#[derive(Debug)]
struct Dictionary {
    id: i64,
    /// They follow one another.
    messages: Vec<Message>,
    /// Decoded when first asked for.
    values: OnceLock<ArrayRef>,
}

impl ArrowLayout {
    pub(crate) fn schema(&self) -> Schema {
        Schema::new(self.columns.iter().map(|column| column.field.clone()).collect::<Vec<_>>())
    }

    /// Number of records.
    pub(crate) fn records(&self) -> u64 {
        self.batches.iter().map(|batch| batch.records as u64).sum()
    }
}

/// Records of a record batch.
pub(crate) struct ArrowBlock<'a> {
    layout: &'a ArrowLayout,
    batch: &'a Message,
    input: &'a Arc<Input>,
    /// All of the batch, by column of the schema, as the file has them.
    columns: &'a RefCell<Vec<Option<ArrayRef>>>,
    records: Range<usize>,
}

impl Block for ArrowBlock<'_> {
    fn records(&self) -> usize {
        self.records.len()
    }

    fn decode_column(&self, column: usize, rows: Rows<'_>) -> Result<ArrayRef, RecordFault> {
        self.decode_rows(column, rows)
            .map_err(|problem| fault(&self.layout.columns, column, problem))
    }
}

impl ArrowBlock<'_> {
    fn decode_rows(&self, column: usize, rows: Rows<'_>) -> Result<ArrayRef, RowProblem> {
        let first = match rows {
            Rows::All => 0,
            Rows::Selected(rows) => rows.first().map_or(0, |row| *row as usize),
        };
        let of_batch = self.stored(column).map_err(|problem| (first, problem))?;
        let stored = of_batch.slice(self.records.start, self.records.len());
        let stored = match rows {
            Rows::All => stored,
            Rows::Selected(rows) => take(&stored, &UInt32Array::from(rows.to_vec()), None)
                .map_err(|error| (first, ColumnProblem::decoder(error)))?,
        };
        let to = self.layout.columns[column].field.data_type();
        convert(&stored, to).map_err(|(place, problem)| match rows {
            Rows::All => (place, problem),
            Rows::Selected(rows) => (rows.get(place).map_or(first, |row| *row as usize), problem),
        })
    }

    fn stored(&self, column: usize) -> Result<ArrayRef, ColumnProblem> {
        let mut columns = self.columns.borrow_mut();
        let vacant = columns.get_mut(column).ok_or(ColumnProblem::Unknown)?;
        if let Some(array) = vacant {
            return Ok(Arc::clone(array));
        }
        let array = column::read(self.layout, column, self.batch, self.input)?;
        Ok(Arc::clone(vacant.insert(array)))
    }
}
