//! Files of fixed-length records as a format: a turn's number tells where its records are.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::Schema;

use super::{FixedBlock, FixedLayout};
use crate::format::Format;
use crate::io::extent::Extent;
use crate::io::raw_file::RawFile;
use crate::io::waiting::Waiting;
use crate::problem::descriptor::DescriptorProblem;
use crate::turns::{BLOCK_BYTES, Buffer, EachBlock, PADDING_BYTES, ReadTurn, ScratchSpace};
use crate::turns::{GatherRecords, Numbered, Turn, Turns};
use crate::{Error, Result};

impl FixedLayout {
    /// Checks that a file has whole records.
    ///
    /// # Errors
    /// `Descriptor`
    pub(crate) fn check_length(&self, file: &RawFile) -> Result<()> {
        let (name, bytes, stride) = (file.name(), file.bytes(), self.stride as u64);
        match bytes % stride {
            0 => Ok(()),
            _ => Err(Error::descriptor(name, DescriptorProblem::PartOfRecord { bytes, stride })),
        }
    }
}

impl Format for FixedLayout {
    fn word(&self) -> &'static str {
        "fixed"
    }

    fn schema(&self) -> Schema {
        FixedLayout::schema(self)
    }

    fn storage(&self, column: usize) -> Option<String> {
        self.fields.get(column).map(ToString::to_string)
    }

    fn positions(&self, file_bytes: u64) -> Range<u64> {
        0..file_bytes
    }

    fn turns(
        self: Arc<Self>,
        file: RawFile,
        extent: Extent,
        morsel_bytes: usize,
    ) -> Box<dyn Turns> {
        let turn_records = (morsel_bytes / self.stride).max(1);
        let turn_bytes = (turn_records * self.stride) as u64;
        let bytes = extent.bytes;
        Box::new(Numbered::new(FixedTurns { layout: self, file, bytes, turn_bytes }))
    }

    fn records(&self, file_bytes: u64) -> Option<u64> {
        Some(file_bytes / self.stride as u64)
    }

    fn record_bytes(&self) -> Option<u32> {
        u32::try_from(self.stride).ok()
    }

    fn record_bytes_min(&self) -> usize {
        self.stride
    }

    fn has_records(&self, file: &RawFile) -> Result<bool> {
        Ok(file.bytes() > 0)
    }

    fn gathering(self: Arc<Self>) -> Option<Arc<dyn GatherRecords>> {
        Some(self)
    }

    fn fingerprint(&self) -> Option<String> {
        Some(format!("fixed {:?}", self.stored_form()))
    }

    fn ends_record(&self, _file: &RawFile, end: u64) -> bool {
        end.is_multiple_of(self.stride as u64)
    }
}

impl GatherRecords for FixedLayout {
    fn gathered_blocks(
        &self,
        bytes: &mut [u8],
        length: usize,
        _scratch: &mut ScratchSpace,
        each: &mut EachBlock<'_>,
    ) {
        // there is only one block, so it does not matter whether this breaks
        let _ = each(&FixedBlock::new(self, &bytes[..length + PADDING_BYTES], 0));
    }
}

/// Turns of whole records.
struct FixedTurns {
    layout: Arc<FixedLayout>,
    file: RawFile,
    bytes: Range<u64>,
    turn_bytes: u64,
}

impl ReadTurn for FixedTurns {
    fn count(&self) -> u64 {
        (self.bytes.end - self.bytes.start).div_ceil(self.turn_bytes)
    }

    fn bytes_max(&self) -> Option<u64> {
        Some(self.bytes.end - self.bytes.start)
    }

    fn read(
        &self,
        turn: &mut Turn,
        waiting: Waiting,
        buffer: &mut Buffer,
        each: &mut EachBlock<'_>,
    ) -> Result<()> {
        let (layout, buffer) = (&*self.layout, &mut buffer.bytes);
        let mut start = self.bytes.start + turn.number * self.turn_bytes;
        let end = self.bytes.end.min(start + self.turn_bytes);
        let block_bytes = layout.stride * (BLOCK_BYTES / layout.stride).max(1);
        let bytes_of = |start| usize::try_from(end - start).unwrap_or(usize::MAX).min(block_bytes);
        buffer.resize(bytes_of(start) + PADDING_BYTES, 0);
        let file = self.file.with_waiting(waiting);
        while start < end {
            let bytes = bytes_of(start);
            file.read(&mut buffer[..bytes], start)?;
            turn.bytes += bytes as u64;
            let block = FixedBlock::new(layout, &buffer[..bytes + PADDING_BYTES], start);
            if each(&block).is_break() {
                break;
            }
            start += bytes as u64;
        }
        Ok(())
    }
}
