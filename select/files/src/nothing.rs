//! The file that a Select without FROM reads: one record without columns.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, new_null_array};
use arrow::datatypes::{DataType, Schema};

use crate::Result;
use crate::block::Block;
use crate::format::Format;
use crate::io::extent::Extent;
use crate::io::raw_file::RawFile;
use crate::io::waiting::Waiting;
use crate::record::{RecordFault, Rows};
use crate::turns::{Buffer, EachBlock, Numbered, ReadTurn, Turn, Turns};

/// The format of a file whose bytes do not matter.
#[derive(Debug)]
pub(crate) struct OneRecord;

impl Format for OneRecord {
    fn word(&self) -> &'static str {
        "none"
    }

    fn schema(&self) -> Schema {
        Schema::empty()
    }

    fn storage(&self, _column: usize) -> Option<String> {
        None
    }

    fn positions(&self, _file_bytes: u64) -> Range<u64> {
        0..1
    }

    fn turns(self: Arc<Self>, _file: RawFile, extent: Extent, _: usize) -> Box<dyn Turns> {
        Box::new(Numbered::new(OneTurn { count: extent.bytes.end - extent.bytes.start }))
    }

    fn records(&self, _file_bytes: u64) -> Option<u64> {
        Some(1)
    }
}

/// One turn with the record, or none.
struct OneTurn {
    count: u64,
}

impl ReadTurn for OneTurn {
    fn count(&self) -> u64 {
        self.count
    }

    fn bytes_max(&self) -> Option<u64> {
        Some(0)
    }

    fn read(
        &self,
        _turn: &mut Turn,
        _waiting: Waiting,
        _buffer: &mut Buffer,
        each: &mut EachBlock<'_>,
    ) -> Result<()> {
        // it is the last block anyway
        let _ = each(self);
        Ok(())
    }
}

impl Block for OneTurn {
    fn records(&self) -> usize {
        1
    }

    fn decode_column(&self, _column: usize, _rows: Rows<'_>) -> Result<ArrayRef, RecordFault> {
        Ok(new_null_array(&DataType::Null, 1))
    }
}
