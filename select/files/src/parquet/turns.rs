//! How the row groups of a file are divided among the turns of a scan.
//!
//! A turn is a row group, or an equal part of one that has many records: its columns are decoded
//! from their dictionaries on anew, so parts are large.

use std::cell::RefCell;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use super::{Block, Layout, records};
use crate::Result;
use crate::columnar::input::Input;
use crate::io::raw_file::RawFile;

/// Bytes that a record is taken to have where a morsel is given in bytes: the few columns that are
/// asked for, decoded.
pub(crate) const RECORD_BYTES: usize = 32;

/// Records that are decoded at a time: they stay in the second-level cache between the predicate
/// and the other columns.
const BLOCK_RECORDS: u64 = 16 << 10;

/// The turns of some records of a file.
#[derive(Debug)]
pub(crate) struct Turns {
    pieces: Vec<Piece>,
}

/// Neighbouring records of one row group.
#[derive(Clone, Debug)]
struct Piece {
    group: usize,
    /// Of the row group.
    records: Range<u64>,
    /// Numbers of its turns.
    turns: Range<u64>,
}

/// Records of one row group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    group: usize,
    records: Range<u64>,
}

impl Turns {
    /// Turns of about `morsel_bytes`, of one record at least, of these records of the file.
    pub(crate) fn new(layout: &Layout, wanted: &Range<u64>, morsel_bytes: usize) -> Self {
        let records_max = (morsel_bytes / RECORD_BYTES).max(1) as u64;
        let (mut first, mut turn) = (0, 0);
        let mut pieces = Vec::new();
        for (group, metadata) in layout.metadata.row_groups().iter().enumerate() {
            let end = first + records(metadata);
            let range = wanted.start.max(first)..wanted.end.min(end);
            if range.start < range.end {
                let records = range.start - first..range.end - first;
                let next = turn + (range.end - range.start).div_ceil(records_max);
                pieces.push(Piece { group, records, turns: turn..next });
                turn = next;
            }
            first = end;
        }
        Self { pieces }
    }

    /// Number of turns.
    pub(crate) fn len(&self) -> u64 {
        self.pieces.last().map_or(0, |piece| piece.turns.end)
    }

    /// The turn with a number.
    pub(crate) fn turn(&self, number: u64) -> Option<Turn> {
        let piece = self.pieces.partition_point(|piece| piece.turns.end <= number);
        let Piece { group, records, turns } = self.pieces.get(piece)?;
        let count = records.end - records.start;
        let part = |index: u64| records.start + count * index / (turns.end - turns.start);
        let index = number - turns.start;
        Some(Turn { group: *group, records: part(index)..part(index + 1) })
    }
}

impl Turn {
    /// Gives the blocks of the turn to `each`, in order, until that breaks; tells the bytes that were
    /// read of the file for what `each` decoded.
    ///
    /// # Errors
    /// `Io`, `FileChanged` and `LimitExceeded`, whatever `each` made of it.
    pub(crate) fn blocks(
        &self,
        layout: &Layout,
        file: &RawFile,
        bytes: &mut u64,
        each: &mut dyn FnMut(Block<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let input = Arc::new(Input::new(file.clone()));
        let mut vacant = Vec::new();
        vacant.resize_with(layout.columns.len(), || None);
        let columns = RefCell::new(vacant);
        let mut start = self.records.start;
        while start < self.records.end {
            let end = self.records.end.min(start + BLOCK_RECORDS);
            let records = start..end;
            let group = self.group;
            let flow = each(Block { layout, columns: &columns, input: &input, group, records });
            *bytes = input.bytes();
            if let Some(error) = input.take_failure() {
                return Err(error);
            }
            if flow.is_break() {
                break;
            }
            start = end;
        }
        Ok(())
    }
}
