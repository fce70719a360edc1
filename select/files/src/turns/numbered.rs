//! Turns whose numbers tell where their records are, so that threads take them without waiting.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Buffer, EachBlock, EachOfFile, Turn, Turns};
use crate::Result;
use crate::io::waiting::Waiting;

/// Reads the turns of a sweep by their numbers.
pub(crate) trait ReadTurn: Send + Sync {
    /// Returns the number of turns.
    fn count(&self) -> u64;

    /// Returns the most bytes that are read, if that is known before.
    fn bytes_max(&self) -> Option<u64>;

    /// Reads a turn, gives its blocks to `each` in order until that breaks, and counts the bytes
    /// that were read.
    ///
    /// # Errors
    /// `Io`, `FileChanged` and `LimitExceeded`, after the blocks before it.
    fn read(
        &self,
        turn: &mut Turn,
        waiting: Waiting,
        buffer: &mut Buffer,
        each: &mut EachBlock<'_>,
    ) -> Result<()>;
}

/// Hands out turns in the order of their numbers.
pub(crate) struct Numbered<R> {
    next: AtomicU64,
    reader: R,
}

impl<R: ReadTurn> Numbered<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { next: AtomicU64::new(0), reader }
    }
}

impl<R: ReadTurn> Turns for Numbered<R> {
    fn count(&self) -> Option<u64> {
        Some(self.reader.count())
    }

    fn bytes_max(&self) -> Option<u64> {
        self.reader.bytes_max()
    }

    fn next(
        &self,
        waiting: Waiting,
        buffer: &mut Buffer,
        each: &mut EachOfFile<'_>,
    ) -> Option<Turn> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.reader.count()).then(|| {
            let mut turn = Turn::new(number);
            turn.result =
                self.reader.read(&mut turn, waiting, buffer, &mut |block| each(number, block));
            turn
        })
    }
}

impl<R: ReadTurn> fmt::Debug for Numbered<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Numbered").field("turns", &self.reader.count()).finish_non_exhaustive()
    }
}
