//! Hands the files of a source out piece by piece to the threads of one scan.

mod file;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::block::Block;
use crate::source::{Part, Source};
use crate::{Result, csv};
use file::FileFeed;

/// Hands out a source in turns; shared by the threads of one scan.
#[derive(Debug)]
pub(crate) struct Feed {
    parts: Vec<PartFeed>,
    turns: u64,
    /// The first part that may have turns left.
    current: AtomicUsize,
}

#[derive(Debug)]
struct PartFeed {
    part: Part,
    feed: FileFeed,
    /// Number of its first turn.
    start: u64,
}

/// Memory between two turns, at most one a thread.
#[derive(Default)]
struct Buffers(Mutex<Vec<Buffer>>);

#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    scratch: csv::Scratch,
}

impl fmt::Debug for Buffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffers").finish_non_exhaustive()
    }
}

/// Where a block comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// Number of the turn.
    pub(crate) turn: u64,
    pub(crate) part: &'a Part,
}

/// What is done with a block.
type Each<'a> = dyn FnMut(Place<'_>, &Block<'_>) -> ControlFlow<()> + 'a;

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

impl Turn {
    fn new(number: u64) -> Self {
        Self { number, bytes: 0, result: Ok(()) }
    }
}

impl Source {
    /// A feed from the start of the first file. A turn reads about `morsel_bytes`, at most 64 MiB and at
    /// least one record of a fixed-length file; a turn of a CSV file may have no records, when one
    /// goes through all of it.
    pub(crate) fn feed(&self, morsel_bytes: usize) -> Feed {
        let buffers = Arc::new(Buffers::default());
        let mut turns = 0;
        let parts = self.parts.iter().map(|part| {
            let feed = FileFeed::new(Arc::clone(&part.file), morsel_bytes, Arc::clone(&buffers));
            let start = turns;
            turns += feed.turns();
            PartFeed { part: part.clone(), feed, start }
        });
        let parts = parts.collect();
        Feed { parts, turns, current: AtomicUsize::new(0) }
    }
}

impl Feed {
    /// Number of turns.
    pub(crate) fn turns(&self) -> u64 {
        self.turns
    }

    /// The part that a turn is of, by its index.
    pub(crate) fn part_of(&self, turn: u64) -> usize {
        self.parts.partition_point(|part| part.start <= turn).saturating_sub(1)
    }

    /// Takes the next turn: reads its piece and gives its blocks to `each`, in the file's order,
    /// until that breaks. Callable from many threads at once.
    pub(crate) fn next(&self, each: &mut Each<'_>) -> Turn {
        let first = self.current.load(Ordering::Relaxed);
        for (index, PartFeed { part, feed, start }) in self.parts.iter().enumerate().skip(first) {
            let mut each =
                |turn, block: &Block<'_>| each(Place { turn: start + turn, part }, block);
            let turn = feed.next(&mut each);
            if turn.number < feed.turns() {
                return Turn { number: start + turn.number, ..turn };
            }
            // a turn that is none ends the part for all threads
            self.current.fetch_max(index + 1, Ordering::Relaxed);
        }
        Turn::new(self.turns)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // a panic elsewhere leaves buffers that are good, and a cursor that has ended
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
