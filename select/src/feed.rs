//! Hands a file out piece by piece to the threads of one scan.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::block::Block;
use crate::fixed::PADDING_BYTES;
use crate::source::{Layout, Source};
use crate::{Result, fixed};

/// Bytes that are read and decoded at a time: they stay in the second-level cache between the read,
/// the predicate and the other columns.
const BLOCK_BYTES: usize = 256 << 10;

/// Hands out the file piece by piece; shared by the threads of one scan.
pub(crate) struct Feed {
    source: Arc<Source>,
    turns: u64,
    /// Whole records of a turn for fixed-length files, bytes otherwise.
    morsel: u64,
    next: AtomicU64,
    /// Buffers between two turns, at most one a thread.
    buffers: Mutex<Vec<Vec<u8>>>,
}

/// What came of one turn.
#[derive(Debug)]
pub(crate) struct Turn {
    /// 0, 1, 2 … in the file's order; [`Feed::turns`] or more when there was none left.
    pub(crate) number: u64,
    /// Bytes read.
    pub(crate) bytes: u64,
    /// `Io` or `FileChanged`, behind the blocks that came before it.
    pub(crate) result: Result<()>,
}

impl Source {
    /// A feed from the file's start. A turn reads about `morsel_bytes`, at least one record of a
    /// fixed-length file; a turn of a CSV file may have no records, when one goes through all of it.
    pub(crate) fn feed(self: &Arc<Self>, morsel_bytes: usize) -> Feed {
        let bytes = self.identity().bytes;
        let (turns, morsel) = match &self.layout {
            Layout::Fixed(layout) => {
                let records = (morsel_bytes / layout.stride).max(1) as u64;
                ((bytes / layout.stride as u64).div_ceil(records), records)
            }
            Layout::Csv(layout) => {
                let morsel = morsel_bytes.max(1) as u64;
                ((bytes - layout.start).div_ceil(morsel), morsel)
            }
        };
        let source = Arc::clone(self);
        Feed { source, turns, morsel, next: AtomicU64::new(0), buffers: Mutex::default() }
    }
}

impl Feed {
    /// Number of turns.
    pub(crate) fn turns(&self) -> u64 {
        self.turns
    }

    /// Takes the next turn: reads its piece and gives its blocks to `each`, in the file's order,
    /// until that breaks. Callable from many threads at once.
    pub(crate) fn next(&self, each: &mut dyn FnMut(&Block<'_>) -> ControlFlow<()>) -> Turn {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut turn = Turn { number, bytes: 0, result: Ok(()) };
        if number < self.turns {
            let mut buffer = self.lock(&self.buffers).pop().unwrap_or_default();
            turn.result = match &self.source.layout {
                Layout::Fixed(layout) => {
                    self.fixed(layout, &mut turn.bytes, number, &mut buffer, each)
                }
                Layout::Csv(_) => Ok(()),
            };
            self.lock(&self.buffers).push(buffer);
        }
        turn
    }

    fn fixed(
        &self,
        layout: &fixed::Layout,
        read: &mut u64,
        number: u64,
        buffer: &mut Vec<u8>,
        each: &mut dyn FnMut(&Block<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let stride = layout.stride as u64;
        let end = self.source.identity().bytes.min((number + 1) * self.morsel * stride);
        let block_bytes = layout.stride * (BLOCK_BYTES / layout.stride).max(1);
        buffer.resize(block_bytes + PADDING_BYTES, 0);
        let mut start = number * self.morsel * stride;
        while start < end {
            let bytes = usize::try_from(end - start).unwrap_or(usize::MAX).min(block_bytes);
            self.source.read(&mut buffer[..bytes], start)?;
            *read += bytes as u64;
            let block = fixed::Block::new(layout, &buffer[..bytes + PADDING_BYTES], start);
            if each(&Block::Fixed(block)).is_break() {
                break;
            }
            start += bytes as u64;
        }
        Ok(())
    }

    fn lock<'m, T>(&self, mutex: &'m Mutex<T>) -> std::sync::MutexGuard<'m, T> {
        // every state of a pool of buffers is good
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
