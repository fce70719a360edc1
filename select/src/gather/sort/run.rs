//! Sorted runs: rows in order, in a file of their own.

use std::sync::Arc;
use std::vec;

use arrow::array::RecordBatch;

use super::{RUNS_MAX, SORTED_ROWS_MAX};
use crate::Result;
use crate::gather::spill::{Frame, SpillDirectory, SpillFile, Spilling};

/// Returns the number of rows in a batch of a run. With it, all runs that are merged at once take a
/// quarter of the memory.
pub(super) fn batch_rows(row_bytes: usize, memory_bytes_max: usize) -> usize {
    (memory_bytes_max / 4 / RUNS_MAX / row_bytes.max(1)).clamp(1, SORTED_ROWS_MAX)
}

/// A run, complete or being written.
#[derive(Debug)]
pub(super) struct Run {
    file: SpillFile,
    frames: Vec<Frame>,
}

impl Run {
    pub(super) fn new(directory: &Arc<SpillDirectory>) -> Result<Self> {
        Ok(Self { file: SpillFile::new(directory, Spilling::Sort)?, frames: Vec::new() })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.frames.push(self.file.write(batch)?);
        Ok(())
    }

    /// Reads the run from the start.
    pub(super) fn read(self) -> RunReader {
        RunReader { file: self.file, frames: self.frames.into_iter() }
    }
}

/// A run that is being read.
#[derive(Debug)]
pub(super) struct RunReader {
    file: SpillFile,
    frames: vec::IntoIter<Frame>,
}

impl RunReader {
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>> {
        self.frames.next().map(|frame| self.file.read(frame)).transpose()
    }
}
