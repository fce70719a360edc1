//! Hands the files of a source out in turns to the threads of one scan.
//!
//! A sweep of a file becomes `Turns`, which its format makes. The feed numbers the turns
//! of all sweeps and knows where their records come from.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::block::Block;
use crate::copies::{ColumnCopies, CopyTurns};
use crate::data_file::DataFile;
use crate::io::extent::{Extent, Gathered, Sweep};
use crate::io::waiting::Waiting;
use crate::turns::{Buffers, GatheredTurns, MORSEL_BYTES_MAX, Numbered, Origin, Turn, Turns};

/// Hands out a source in turns; shared by the threads of one scan.
#[derive(Debug)]
pub struct Feed {
    sweeps: Vec<SweepFeed>,
    /// The number of the first turn of each sweep, then the number of all turns, as far as they are
    /// known: the number of turns of a stream is known when one of them has come to its end.
    starts: Vec<OnceLock<u64>>,
    /// The first sweep that may have turns left.
    current: AtomicUsize,
    buffers: Buffers,
}

/// A sweep of one of the files.
#[derive(Debug)]
struct SweepFeed {
    /// Index of the file.
    file: usize,
    origin: SweepOrigin,
    turns: Box<dyn Turns>,
}

/// The records that a sweep reads.
#[derive(Debug)]
enum SweepOrigin {
    /// A run; this many records of the file come before it.
    Run(u64),
    /// Turns before which this many records of the file come.
    Turns(Vec<u64>),
    /// One [`Gathered`] each turn.
    Gathered(Vec<Gathered>),
}

/// The origin of a block.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Number of the turn.
    pub turn: u64,
    /// Index of the file.
    pub file: usize,
}

/// Takes a block and where it comes from.
type Each<'a> = dyn FnMut(Place, &dyn Block) -> ControlFlow<()> + 'a;

impl Feed {
    /// Hands out some files, each from the start to the end; see [`Feed::of_extents`].
    pub fn new(files: &[Arc<DataFile>], morsel_bytes: usize) -> Self {
        let all = files.iter().map(|file| vec![file.all()]).collect();
        Self::of_extents(files, all, &[], morsel_bytes)
    }

    /// Hands out the extents of each file, which come in order. A turn reads about `morsel_bytes`,
    /// at most 64 MiB and at least one record of a fixed-length file. A turn of a CSV file may have
    /// no records, if one record goes through all of it.
    ///
    /// The zones at the start of the extents of a file are read from its `copies`, if it has any.
    pub fn of_extents(
        files: &[Arc<DataFile>],
        extents: Vec<Vec<Extent>>,
        copies: &[Option<Arc<dyn ColumnCopies>>],
        morsel_bytes: usize,
    ) -> Self {
        let morsel_bytes = morsel_bytes.clamp(1, MORSEL_BYTES_MAX);
        let mut sweeps = Vec::new();
        for (index, (file, mut extents)) in files.iter().zip(extents).enumerate() {
            if let Some(Some(copies)) = copies.get(index) {
                let zones = extents.iter().map_while(|extent| copies.zones(extent));
                let zones: Vec<_> = zones.collect();
                extents.drain(..zones.len());
                let (file, copies) = (Arc::clone(file), Arc::clone(copies));
                let turns = CopyTurns::new(file, copies, zones.concat(), morsel_bytes);
                let origin = SweepOrigin::Turns(turns.firsts());
                let turns = Box::new(Numbered::new(turns));
                sweeps.push(SweepFeed { file: index, origin, turns });
            }
            for sweep in Sweep::of(extents, file.gathering().as_ref()) {
                let raw = file.raw().clone();
                let (origin, turns): (_, Box<dyn Turns>) = match sweep {
                    Sweep::Run(extent) => {
                        (SweepOrigin::Run(extent.first_record), file.turns(extent, morsel_bytes))
                    }
                    Sweep::Gathered(format, gathered) => {
                        let origin = SweepOrigin::Gathered(gathered.clone());
                        let turns = GatheredTurns { file: raw, format, gathered };
                        (origin, Box::new(Numbered::new(turns)))
                    }
                };
                sweeps.push(SweepFeed { file: index, origin, turns });
            }
        }
        let starts = std::iter::once(OnceLock::from(0));
        let starts = starts.chain(sweeps.iter().map(|_| OnceLock::new())).collect();
        let (current, buffers) = (AtomicUsize::new(0), Buffers::default());
        let feed = Self { sweeps, starts, current, buffers };
        feed.settle(0);
        feed
    }

    /// Number of turns, once it is known: at the latest when the last of them has been taken.
    pub fn turns(&self) -> Option<u64> {
        self.starts.last()?.get().copied()
    }

    /// Bytes that are read at most, where that is known before they are.
    pub fn bytes_max(&self) -> Option<u64> {
        self.sweeps.iter().map(|sweep| sweep.turns.bytes_max()).sum()
    }

    /// Takes the next turn: reads its piece and gives its blocks to `each`, in the file's order,
    /// until that breaks; `None` when none is left. Callable from many threads at once.
    pub fn next(&self, waiting: Waiting, each: &mut Each<'_>) -> Option<Turn> {
        let first = self.current.load(Ordering::Acquire);
        for (place, sweep) in self.sweeps.iter().enumerate().skip(first) {
            let SweepFeed { file, turns, .. } = sweep;
            // the sweeps before have ended, so it is known
            let start = *self.starts[place].get()?;
            let mut each =
                |turn, block: &dyn Block| each(Place { turn: start + turn, file: *file }, block);
            let turn = self.buffers.with(|buffer| turns.next(waiting, buffer, &mut each));
            self.settle(place);
            if let Some(turn) = turn {
                let (number, origin) = (start + turn.number, sweep.origin(turn.number));
                return Some(Turn { number, origin, ..turn });
            }
            self.current.fetch_max(place + 1, Ordering::Release);
        }
        None
    }

    /// Notes where the sweeps after this one start, as far as that has become known.
    fn settle(&self, first: usize) {
        for (place, SweepFeed { turns, .. }) in self.sweeps.iter().enumerate().skip(first) {
            let Some((start, turns)) = self.starts[place].get().zip(turns.count()) else { return };
            if self.starts[place + 1].set(start + turns).is_err() {
                return;
            }
        }
    }
}

impl SweepFeed {
    /// Returns where the records of a turn come from, if that is known.
    fn origin(&self, turn: u64) -> Option<Origin> {
        let file = self.file;
        match &self.origin {
            SweepOrigin::Run(first) => {
                (turn == 0).then_some(Origin { file, records_before: *first, gathered: None })
            }
            SweepOrigin::Turns(firsts) => {
                let records_before = *firsts.get(usize::try_from(turn).ok()?)?;
                Some(Origin { file, records_before, gathered: None })
            }
            SweepOrigin::Gathered(gathered) => {
                let gathered = gathered.get(usize::try_from(turn).ok()?).cloned();
                Some(Origin { file, records_before: 0, gathered })
            }
        }
    }
}

#[cfg(test)]
mod tests;
