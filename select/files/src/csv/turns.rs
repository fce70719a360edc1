//! The turns of a CSV file: each begins where the turn before it ends.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::CsvLayout;
use super::cursor::TurnCursor;
use crate::io::raw_file::RawFile;
use crate::io::waiting::Waiting;
use crate::turns::{Buffer, EachOfFile, TextRecords, Turn, Turns, lock};

/// Hands out a run of records in turns of `morsel_bytes` bytes. A turn has the records that end in
/// its bytes; it may have none, if one record goes through all of them.
pub(super) struct CsvTurns {
    layout: Arc<CsvLayout>,
    file: RawFile,
    bytes: Range<u64>,
    morsel_bytes: u64,
    count: u64,
    /// The number of turns that a thread has claimed: no thread waits at the cursor for a turn that
    /// does not exist.
    claimed: AtomicU64,
    cursor: Mutex<TurnCursor>,
}

impl CsvTurns {
    pub(super) fn new(
        layout: Arc<CsvLayout>,
        file: RawFile,
        bytes: Range<u64>,
        morsel_bytes: u64,
    ) -> Self {
        let count = bytes.end.saturating_sub(bytes.start).div_ceil(morsel_bytes);
        let (claimed, cursor) = (AtomicU64::new(0), Mutex::default());
        Self { layout, file, bytes, morsel_bytes, count, claimed, cursor }
    }

    /// Reads a turn. Only its number and the turn before tell where its records start, so the lock
    /// is held while it is read. The records are found without the lock.
    fn read(
        &self,
        waiting: Waiting,
        mut cursor: MutexGuard<'_, TurnCursor>,
        buffer: &mut Buffer,
        each: &mut EachOfFile<'_>,
    ) -> Turn {
        let mut turn = Turn::new(cursor.turn);
        cursor.turn += 1;
        if cursor.ended {
            return turn;
        }
        let end = self.bytes.end;
        let start = self.bytes.start + turn.number * self.morsel_bytes;
        let range = start..end.min(start + self.morsel_bytes);
        turn.bytes = range.end - range.start;
        let Buffer { bytes, scratch } = buffer;
        let file = self.file.with_waiting(waiting);
        let read = |bytes: &mut [u8]| file.read(bytes, start);
        let turn_bytes = cursor.take(bytes, range, end, read);
        drop(cursor);
        match turn_bytes {
            Ok(turn_bytes) => {
                let each = &mut |block: &dyn crate::block::Block| each(turn.number, block);
                self.layout.blocks_of(&turn_bytes, bytes, scratch, each);
            }
            Err(error) => turn.result = Err(error),
        }
        turn
    }
}

impl Turns for CsvTurns {
    fn count(&self) -> Option<u64> {
        Some(self.count)
    }

    fn bytes_max(&self) -> Option<u64> {
        Some(self.bytes.end.saturating_sub(self.bytes.start))
    }

    fn next(
        &self,
        waiting: Waiting,
        buffer: &mut Buffer,
        each: &mut EachOfFile<'_>,
    ) -> Option<Turn> {
        let is_left = self.claimed.fetch_add(1, Ordering::Relaxed) < self.count;
        is_left.then(|| self.read(waiting, lock(&self.cursor), buffer, each))
    }
}

impl fmt::Debug for CsvTurns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsvTurns").field("count", &self.count).finish_non_exhaustive()
    }
}
