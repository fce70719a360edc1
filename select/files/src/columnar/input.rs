//! The file as the columns of one turn read it: counts what was read and what is in memory, and
//! keeps the error that is not the fault of a record.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::error::Limit;
use crate::io::raw_file::RawFile;
use crate::problem::column::ColumnProblem;
use crate::{Error, ErrorKind};

/// The most bytes of pages and buffers that the columns of a turn hold together: a few compressed
/// bytes may become many, in each column.
const HELD_BYTES_MAX: u64 = 512 << 20;

/// A file, and the number of bytes that were read of it.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) file: RawFile,
    bytes: AtomicU64,
    held: AtomicU64,
    failure: Mutex<Option<Error>>,
}

impl Input {
    pub(crate) fn new(file: RawFile) -> Self {
        Self { file, bytes: AtomicU64::new(0), held: AtomicU64::new(0), failure: Mutex::new(None) }
    }

    /// Counts bytes that are about to be in memory until they are [released](Self::release), or to
    /// the end of the turn.
    ///
    /// # Errors
    /// `TooMuchMemory`, which also fails the turn.
    pub(crate) fn hold(&self, bytes: u64) -> Result<(), ColumnProblem> {
        if self.held.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) > HELD_BYTES_MAX {
            self.release(bytes);
            return Err(self.refuse(ColumnProblem::TooMuchMemory { bytes_max: HELD_BYTES_MAX }));
        }
        Ok(())
    }

    /// Makes the turn fail with `LimitExceeded`, because something is too large.
    pub(crate) fn refuse(&self, problem: ColumnProblem) -> ColumnProblem {
        let (file, limit) = (self.file.name().to_owned(), Limit::Columns(problem.clone()));
        self.fail(ErrorKind::LimitExceeded { file, limit }.into());
        problem
    }

    fn fail(&self, error: Error) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// Returns whether the turn fails for a reason that is not the fault of a record.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Takes bytes out of the count of [`hold`](Self::hold).
    pub(crate) fn release(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Fills `bytes` with those of the file from the position `at` on.
    ///
    /// # Errors
    /// `UnreadableFile`; the cause also fails the turn.
    pub(crate) fn read_into(&self, at: u64, bytes: &mut [u8]) -> Result<(), ColumnProblem> {
        if let Err(error) = self.file.read(bytes, at) {
            self.fail(error);
            return Err(ColumnProblem::UnreadableFile);
        }
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Returns the number of bytes that were read so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Returns the error that fails the turn, once: `Io`, `FileChanged` or `LimitExceeded`.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
