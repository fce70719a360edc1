//! Hands the files of a source out piece by piece to the threads of one scan.

mod file;
mod stream;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::block::Block;
use crate::data_file::DataFile;
use crate::io::extent::{Extent, Gathered, Sweep};
use crate::io::waiting::Waiting;
use crate::{Result, csv, json};
use file::FileFeed;

/// Hands out a source in turns; shared by the threads of one scan.
#[derive(Debug)]
pub struct Feed {
    sweeps: Vec<SweepFeed>,
    /// The number of the first turn of each sweep, then of all turns, as far as they are known: how
    /// many turns a stream has is known when one of them has come to its end.
    starts: Vec<OnceLock<u64>>,
    /// The first sweep that may have turns left.
    current: AtomicUsize,
}

/// A sweep of one of the files.
#[derive(Debug)]
struct SweepFeed {
    /// Index of the file.
    file: usize,
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
pub struct Place {
    /// Number of the turn.
    pub turn: u64,
    /// Index of the file.
    pub file: usize,
}

/// Where the records of a turn come from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// Index of the file.
    pub file: usize,
    /// Records of that file before the turn, of those in the view.
    pub records_before: u64,
    /// Where the records of the turn lie, if not one behind the other.
    pub gathered: Option<Gathered>,
}

/// What is done with a block.
type Each<'a> = dyn FnMut(Place, &Block<'_>) -> ControlFlow<()> + 'a;

/// What came of one turn.
#[derive(Debug)]
pub struct Turn {
    /// 0, 1, 2 … in the order of the files.
    pub number: u64,
    /// Where its records come from, where that is told by the plan of what is read: always of the
    /// first of a file, and of the first behind records that are not read.
    pub origin: Option<Origin>,
    /// Bytes read.
    pub bytes: u64,
    /// `Io` or `FileChanged`, behind the blocks that came before it.
    pub result: Result<()>,
}

impl Turn {
    fn new(number: u64) -> Self {
        Self { number, origin: None, bytes: 0, result: Ok(()) }
    }
}

impl Feed {
    /// Hands out some files, each from the start to the end; see [`Feed::of_extents`].
    pub fn new(files: &[Arc<DataFile>], morsel_bytes: usize) -> Self {
        let all = files.iter().map(|file| vec![file.all()]).collect();
        Self::of_extents(files, all, morsel_bytes)
    }

    /// Hands out the extents of each file, which come in order. A turn reads about `morsel_bytes`,
    /// at most 64 MiB and at least one record of a fixed-length file. A turn of a CSV file may have
    /// no records, if one record goes through all of it.
    pub fn of_extents(
        files: &[Arc<DataFile>],
        extents: Vec<Vec<Extent>>,
        morsel_bytes: usize,
    ) -> Self {
        let buffers = Arc::new(Buffers::default());
        let mut sweeps = Vec::new();
        for (index, (file, extents)) in files.iter().zip(extents).enumerate() {
            for sweep in Sweep::of(extents, file.can_be_gathered()) {
                let feed =
                    FileFeed::new(Arc::clone(file), sweep, morsel_bytes, Arc::clone(&buffers));
                sweeps.push(SweepFeed { file: index, feed });
            }
        }
        let starts = std::iter::once(OnceLock::from(0));
        let starts = starts.chain(sweeps.iter().map(|_| OnceLock::new())).collect();
        let feed = Self { sweeps, starts, current: AtomicUsize::new(0) };
        feed.settle(0);
        feed
    }

    /// Number of turns, once it is known: at the latest when the last of them has been taken.
    pub fn turns(&self) -> Option<u64> {
        self.starts.last()?.get().copied()
    }

    /// Bytes that are read at most, where that is known before they are.
    pub fn bytes_max(&self) -> Option<u64> {
        self.sweeps.iter().map(|sweep| sweep.feed.bytes_max()).sum()
    }

    /// Takes the next turn: reads its piece and gives its blocks to `each`, in the file's order,
    /// until that breaks; `None` when none is left. Callable from many threads at once.
    pub fn next(&self, waiting: Waiting, each: &mut Each<'_>) -> Option<Turn> {
        let first = self.current.load(Ordering::Acquire);
        for (place, sweep) in self.sweeps.iter().enumerate().skip(first) {
            let SweepFeed { file, feed } = sweep;
            // the sweeps before have ended, so it is known
            let start = *self.starts[place].get()?;
            let mut each =
                |turn, block: &Block<'_>| each(Place { turn: start + turn, file: *file }, block);
            let turn = feed.next(waiting, &mut each);
            self.settle(place);
            if let Some(turn) = turn {
                let (number, origin) = (start + turn.number, feed.origin(turn.number, *file));
                return Some(Turn { number, origin, ..turn });
            }
            self.current.fetch_max(place + 1, Ordering::Release);
        }
        None
    }

    /// Notes where the sweeps behind this one start, as far as that has become known.
    fn settle(&self, first: usize) {
        for (place, SweepFeed { feed, .. }) in self.sweeps.iter().enumerate().skip(first) {
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
