//! Hands the files of a source out piece by piece to the threads of one scan.

mod file;
mod stream;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::block::Block;
use crate::extent::Extent;
use crate::source::{Part, Source};
use crate::{Result, csv, json};
use file::FileFeed;

/// Hands out a source in turns; shared by the threads of one scan.
#[derive(Debug)]
pub(crate) struct Feed {
    extents: Vec<ExtentFeed>,
    /// The number of the first turn of each extent, then of all turns, as far as they are known: how
    /// many turns a stream has is known when one of them has come to its end.
    starts: Vec<OnceLock<u64>>,
    /// The first extent that may have turns left.
    current: AtomicUsize,
}

/// What is read of one of the files, or a part of that.
#[derive(Debug)]
struct ExtentFeed {
    /// Index of the file among those of the source.
    index: usize,
    part: Part,
    first_record: u64,
    feed: FileFeed,
}

/// Memory between two turns, at most one a thread.
#[derive(Default)]
struct Buffers(Mutex<Vec<Buffer>>);

#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    csv: csv::Scratch,
    json: json::Scratch,
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
    /// 0, 1, 2 … in the order of the files.
    pub(crate) number: u64,
    /// Index of the file among those of the source.
    pub(crate) part: usize,
    /// Records of the file before it, where that is told by the plan of what is read: always of the
    /// first of a file, and of the first behind records that are not read.
    pub(crate) records_before: Option<u64>,
    /// Bytes read.
    pub(crate) bytes: u64,
    /// `Io` or `FileChanged`, behind the blocks that came before it.
    pub(crate) result: Result<()>,
}

impl Turn {
    fn new(number: u64) -> Self {
        Self { number, part: 0, records_before: None, bytes: 0, result: Ok(()) }
    }
}

impl Source {
    /// A feed from the start of the first file. A turn reads about `morsel_bytes`, at most 64 MiB and at
    /// least one record of a fixed-length file; a turn of a CSV file may have no records, when one
    /// goes through all of it.
    pub(crate) fn feed(&self, morsel_bytes: usize) -> Feed {
        let all = self.parts.iter().enumerate().map(|(part, Part { file, .. })| (part, file.all()));
        self.feed_of(all, morsel_bytes)
    }

    /// As [`feed`](Self::feed), of these extents of its files alone, which come in order; each with
    /// the index of its file.
    pub(crate) fn feed_of(
        &self,
        extents: impl IntoIterator<Item = (usize, Extent)>,
        morsel_bytes: usize,
    ) -> Feed {
        let buffers = Arc::new(Buffers::default());
        let extents = extents.into_iter().filter_map(|(index, extent)| {
            let part = self.parts.get(index)?.clone();
            let (file, first_record) = (Arc::clone(&part.file), extent.first_record);
            let feed = FileFeed::new(file, &extent, morsel_bytes, Arc::clone(&buffers));
            Some(ExtentFeed { index, part, first_record, feed })
        });
        let extents: Vec<_> = extents.collect();
        let starts = std::iter::once(OnceLock::from(0));
        let starts = starts.chain(extents.iter().map(|_| OnceLock::new())).collect();
        let feed = Feed { extents, starts, current: AtomicUsize::new(0) };
        feed.settle(0);
        feed
    }
}

impl Feed {
    /// Number of turns, once it is known: at the latest when the last of them has been taken.
    pub(crate) fn turns(&self) -> Option<u64> {
        self.starts.last()?.get().copied()
    }

    /// Takes the next turn: reads its piece and gives its blocks to `each`, in the file's order,
    /// until that breaks; `None` when none is left. Callable from many threads at once.
    pub(crate) fn next(&self, each: &mut Each<'_>) -> Option<Turn> {
        let first = self.current.load(Ordering::Acquire);
        for (place, extent) in self.extents.iter().enumerate().skip(first) {
            let ExtentFeed { index, part, first_record, feed } = extent;
            // the extents before have ended, so it is known
            let start = *self.starts[place].get()?;
            let mut each =
                |turn, block: &Block<'_>| each(Place { turn: start + turn, part }, block);
            let turn = feed.next(&mut each);
            self.settle(place);
            if let Some(turn) = turn {
                let records_before = (turn.number == 0).then_some(*first_record);
                let number = start + turn.number;
                return Some(Turn { number, part: *index, records_before, ..turn });
            }
            self.current.fetch_max(place + 1, Ordering::Release);
        }
        None
    }

    /// Notes where the extents behind this one start, as far as that has become known.
    fn settle(&self, first: usize) {
        for (place, ExtentFeed { feed, .. }) in self.extents.iter().enumerate().skip(first) {
            let Some((start, turns)) = self.starts[place].get().zip(feed.turns()) else { return };
            if self.starts[place + 1].set(start + turns).is_err() {
                return;
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // a panic elsewhere leaves buffers that are good, and a cursor that has ended
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
