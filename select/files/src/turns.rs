//! Turns: the parts in which a sweep of a file is handed out to threads.

mod gathered;
mod numbered;
mod scratch;
mod stream;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Result;
use crate::block::Block;
use crate::io::extent::Gathered;
use crate::io::waiting::Waiting;
pub(crate) use gathered::{GatherRecords, GatheredTurns, PADDING_BYTES};
pub(crate) use numbered::{Numbered, ReadTurn};
pub(crate) use scratch::{Buffer, Buffers, ScratchSpace};
pub(crate) use stream::{StreamTurns, TextRecords};

/// The number of bytes that are read and decoded at a time: they stay in the second-level cache
/// between the read, the predicate and the other columns.
pub(crate) const BLOCK_BYTES: usize = 768 << 10;

/// The most bytes of a turn: a turn of CSV is in memory as a whole.
pub(crate) const MORSEL_BYTES_MAX: usize = 64 << 20;

/// The turns of a sweep, as its format makes them. Threads share them.
pub(crate) trait Turns: fmt::Debug + Send + Sync {
    /// Returns the number of turns, once it is known.
    fn count(&self) -> Option<u64>;

    /// Returns the most bytes that are read, if that is known before.
    fn bytes_max(&self) -> Option<u64>;

    /// Takes the next turn: reads its bytes and gives its blocks to `each` in the file's order,
    /// until that breaks; `None` when no turn is left. Turns count from 0. Many threads may call
    /// this at once. After it has returned `None`, it always does, and `count` is known.
    fn next(
        &self,
        waiting: Waiting,
        buffer: &mut Buffer,
        each: &mut EachOfFile<'_>,
    ) -> Option<Turn>;
}

/// Takes a block of a turn.
pub(crate) type EachBlock<'a> = dyn FnMut(&dyn Block) -> ControlFlow<()> + 'a;

/// Takes a block and the number of its turn in the sweep.
pub(crate) type EachOfFile<'a> = dyn FnMut(u64, &dyn Block) -> ControlFlow<()> + 'a;

/// The origin of the records of a turn.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// Index of the file.
    pub file: usize,
    /// Records of that file before the turn, of those in the view.
    pub records_before: u64,
    /// The extents of the records of the turn, if they were gathered.
    pub gathered: Option<Gathered>,
}

/// The result of one turn.
#[derive(Debug)]
pub struct Turn {
    /// 0, 1, 2 … in the order of the files.
    pub number: u64,
    /// The origin of its records, if it is known from what was planned to be read: always for the
    /// first turn of a file, and for the first turn after records that are not read.
    pub origin: Option<Origin>,
    /// Bytes read.
    pub bytes: u64,
    /// `Io` or `FileChanged`, after the blocks that came before it.
    pub result: Result<()>,
}

impl Turn {
    pub(crate) fn new(number: u64) -> Self {
        Self { number, origin: None, bytes: 0, result: Ok(()) }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // a panic elsewhere leaves buffers that are good, and a cursor that has ended
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
