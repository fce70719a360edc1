//! Small runs of records that are read into memory one after the other, many in each turn.

use std::sync::Arc;

use super::{Buffer, EachBlock, ReadTurn, ScratchSpace, TextRecords, Turn};
use crate::Result;
use crate::io::extent::{Extent, Gathered};
use crate::io::raw_file::RawFile;
use crate::io::waiting::Waiting;
use crate::record::TurnBytes;

/// Bytes after gathered records, so that formats can load eight bytes at a time to the very end.
pub(crate) const PADDING_BYTES: usize = 8;

/// A format whose records can be read without the records around them.
pub(crate) trait GatherRecords: Send + Sync {
    /// Gives the blocks of the first `length` bytes, which are whole records, to `each` until that
    /// breaks. The last record may lack its line end. [`PADDING_BYTES`] bytes follow. Positions
    /// count from 0.
    fn gathered_blocks(
        &self,
        bytes: &mut [u8],
        length: usize,
        scratch: &mut ScratchSpace,
        each: &mut EachBlock<'_>,
    );
}

impl<F: TextRecords> GatherRecords for F {
    fn gathered_blocks(
        &self,
        bytes: &mut [u8],
        length: usize,
        scratch: &mut ScratchSpace,
        each: &mut EachBlock<'_>,
    ) {
        let is_open = length > 0 && bytes[length - 1] != b'\n';
        bytes[length] = b'\n';
        let used = length + usize::from(is_open);
        self.blocks_of(&TurnBytes { start: 0, whole: used, used }, bytes, scratch, each);
    }
}

/// Reads gathered runs, one [`Gathered`] each turn.
pub(crate) struct GatheredTurns {
    pub(crate) file: RawFile,
    pub(crate) format: Arc<dyn GatherRecords>,
    pub(crate) gathered: Vec<Gathered>,
}

impl ReadTurn for GatheredTurns {
    fn count(&self) -> u64 {
        self.gathered.len() as u64
    }

    fn bytes_max(&self) -> Option<u64> {
        Some(self.gathered.iter().map(Gathered::len).sum())
    }

    fn read(
        &self,
        turn: &mut Turn,
        waiting: Waiting,
        buffer: &mut Buffer,
        each: &mut EachBlock<'_>,
    ) -> Result<()> {
        let gathered = usize::try_from(turn.number).ok().and_then(|turn| self.gathered.get(turn));
        let Some(gathered) = gathered else { return Ok(()) };
        let Buffer { bytes, scratch } = buffer;
        let length = usize::try_from(gathered.len()).unwrap_or(usize::MAX);
        bytes.resize(length + PADDING_BYTES, 0);
        let file = self.file.with_waiting(waiting);
        let mut at = 0;
        for extent in gathered.extents() {
            let end = at + usize::try_from(Extent::byte_len(extent)).unwrap_or(usize::MAX);
            file.read(&mut bytes[at..end], extent.bytes.start)?;
            at = end;
        }
        turn.bytes = gathered.len();
        self.format.gathered_blocks(bytes, length, scratch, each);
        Ok(())
    }
}
