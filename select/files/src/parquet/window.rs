//! The bytes of the file that have been read for a column chunk and are not yet used.

use crate::columnar::input::Input;
use crate::problem::column::ColumnProblem;

/// Bytes of the file from some position on, in a buffer that is used for all pages.
#[derive(Default)]
pub(super) struct Window {
    /// Longer than what is filled, so that no memory is zeroed that is read into.
    bytes: Vec<u8>,
    filled: usize,
    start: u64,
}

impl Window {
    /// Makes an empty window of a buffer with any bytes in it.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, filled: 0, start: 0 }
    }

    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }

    /// Bytes of memory that it takes.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Returns the bytes from the position `at` on that have been read.
    pub(super) fn at_hand(&self, at: u64) -> &[u8] {
        let start = at.checked_sub(self.start).and_then(|start| usize::try_from(start).ok());
        start.and_then(|start| self.bytes.get(start..self.filled)).unwrap_or_default()
    }

    /// Reads as many bytes as are missing from `length` at the position `at`.
    ///
    /// # Errors
    /// `UnreadableFile`; the cause also fails the turn.
    pub(super) fn fill(
        &mut self,
        input: &Input,
        at: u64,
        length: usize,
    ) -> Result<(), ColumnProblem> {
        let kept = self.at_hand(at).len();
        if kept >= length {
            return Ok(());
        }
        self.bytes.copy_within(self.filled - kept..self.filled, 0);
        (self.start, self.filled) = (at, kept);
        if self.bytes.len() < length {
            self.bytes.resize(length, 0);
        }
        input.read_into(at + kept as u64, &mut self.bytes[kept..length])?;
        self.filled = length;
        Ok(())
    }
}
