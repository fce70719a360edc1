//! Arrow files as a format: a turn is a record batch.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::Schema;

use super::{ArrowBlock, ArrowLayout, BLOCK_RECORDS};
use crate::Result;
use crate::columnar::column::check_fields;
use crate::columnar::input::Input;
use crate::format::Format;
use crate::io::extent::Extent;
use crate::io::raw_file::RawFile;
use crate::io::waiting::Waiting;
use crate::turns::{Buffer, EachBlock, Numbered, ReadTurn, Turn, Turns};

impl ArrowLayout {
    /// Reads the metadata of a file that has the columns `fields`, which its descriptor names.
    ///
    /// # Errors
    /// The errors of [`open`](Self::open); `Descriptor` when the file does not have such a column.
    pub(crate) fn of_file(file: &RawFile, fields: &[String]) -> Result<Self> {
        let layout = Self::open(file)?;
        check_fields(file.name(), &ArrowLayout::schema(&layout), fields)?;
        Ok(layout)
    }
}

impl Format for ArrowLayout {
    fn word(&self) -> &'static str {
        "arrow"
    }

    fn schema(&self) -> Schema {
        ArrowLayout::schema(self)
    }

    fn storage(&self, column: usize) -> Option<String> {
        Some(self.columns.get(column)?.storage.clone())
    }

    fn positions(&self, _file_bytes: u64) -> Range<u64> {
        0..ArrowLayout::records(self)
    }

    fn turns(
        self: Arc<Self>,
        file: RawFile,
        _extent: Extent,
        _morsel_bytes: usize,
    ) -> Box<dyn Turns> {
        // the format has no statistics, so all records are read
        Box::new(Numbered::new(ArrowTurns { layout: self, file }))
    }

    fn records(&self, _file_bytes: u64) -> Option<u64> {
        Some(ArrowLayout::records(self))
    }
}

/// The record batches of a file.
struct ArrowTurns {
    layout: Arc<ArrowLayout>,
    file: RawFile,
}

impl ReadTurn for ArrowTurns {
    fn count(&self) -> u64 {
        self.layout.batches.len() as u64
    }

    fn bytes_max(&self) -> Option<u64> {
        None
    }

    fn read(
        &self,
        turn: &mut Turn,
        waiting: Waiting,
        _buffer: &mut Buffer,
        each: &mut EachBlock<'_>,
    ) -> Result<()> {
        let layout = &*self.layout;
        let batch = usize::try_from(turn.number).ok().and_then(|turn| layout.batches.get(turn));
        let Some(batch) = batch else { return Ok(()) };
        let input = Arc::new(Input::new(self.file.with_waiting(waiting)));
        let columns = RefCell::new(vec![None; layout.columns.len()]);
        let mut start = 0;
        while start < batch.records {
            let end = batch.records.min(start + BLOCK_RECORDS);
            let (input, columns, records) = (&input, &columns, start..end);
            let flow = each(&ArrowBlock { layout, batch, input, columns, records });
            turn.bytes = input.bytes();
            if let Some(error) = input.take_failure() {
                return Err(error);
            }
            if flow.is_break() {
                break;
            }
            start = end;
        }
        Ok(())
    }
}
