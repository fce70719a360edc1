//! How the row groups of a file are divided among the turns of a scan.
//!
//! A turn is a row group, or an equal part of one that has many records: its columns are decoded
//! from their dictionaries on anew, so parts are large.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use super::memory::PageMemory;
use super::{ParquetBlock, ParquetLayout, records};
use crate::Result;
use crate::columnar::input::Input;
use crate::io::raw_file::RawFile;
use crate::io::waiting::Waiting;
use crate::turns::{Buffer, EachBlock, ReadTurn, Turn};

/// Bytes that a record is taken to have where a morsel is given in bytes: the few columns that are
/// asked for, decoded.
pub(super) const RECORD_BYTES: usize = 32;

/// Records that are decoded at a time: they stay in the second-level cache between the predicate
/// and the other columns.
const BLOCK_RECORDS: u64 = 16 << 10;

/// The turns of some records of a file.
pub(super) struct ParquetTurns {
    layout: Arc<ParquetLayout>,
    file: RawFile,
    groups: Vec<DividedGroup>,
}

/// Neighbouring records of one row group, divided into turns.
#[derive(Clone, Debug)]
struct DividedGroup {
    group: usize,
    /// Counted from the start of the row group.
    records: Range<u64>,
    /// The numbers of its turns.
    turns: Range<u64>,
}

impl ParquetTurns {
    /// Divides the records `wanted` of the file into turns of about `morsel_bytes`, each of one
    /// record at least.
    pub(super) fn new(
        layout: Arc<ParquetLayout>,
        file: RawFile,
        wanted: &Range<u64>,
        morsel_bytes: usize,
    ) -> Self {
        let records_max = (morsel_bytes / RECORD_BYTES).max(1) as u64;
        let (mut first, mut turn) = (0, 0);
        let mut groups = Vec::new();
        for (group, metadata) in layout.metadata.row_groups().iter().enumerate() {
            let end = first + records(metadata);
            let range = wanted.start.max(first)..wanted.end.min(end);
            if range.start < range.end {
                let records = range.start - first..range.end - first;
                let next = turn + (range.end - range.start).div_ceil(records_max);
                groups.push(DividedGroup { group, records, turns: turn..next });
                turn = next;
            }
            first = end;
        }
        Self { layout, file, groups }
    }

    /// Returns the row group of a turn and its records in it.
    fn records_of(&self, turn: u64) -> Option<(usize, Range<u64>)> {
        let divided = self.groups.partition_point(|divided| divided.turns.end <= turn);
        let DividedGroup { group, records, turns } = self.groups.get(divided)?;
        let count = records.end - records.start;
        let part = |index: u64| records.start + count * index / (turns.end - turns.start);
        let index = turn - turns.start;
        Some((*group, part(index)..part(index + 1)))
    }
}

impl ReadTurn for ParquetTurns {
    fn count(&self) -> u64 {
        self.groups.last().map_or(0, |divided| divided.turns.end)
    }

    fn bytes_max(&self) -> Option<u64> {
        None
    }

    fn read(
        &self,
        turn: &mut Turn,
        waiting: Waiting,
        buffer: &mut Buffer,
        each: &mut EachBlock<'_>,
    ) -> Result<()> {
        let mut result = Ok(());
        buffer.scratch.with(|memory| result = self.read_with(memory, turn, waiting, each));
        result
    }
}

impl ParquetTurns {
    fn read_with(
        &self,
        memory: &PageMemory,
        turn: &mut Turn,
        waiting: Waiting,
        each: &mut EachBlock<'_>,
    ) -> Result<()> {
        let Some((group, wanted)) = self.records_of(turn.number) else { return Ok(()) };
        let layout = &*self.layout;
        let input = Arc::new(Input::new(self.file.with_waiting(waiting)));
        let mut vacant = Vec::new();
        vacant.resize_with(layout.columns.len(), || None);
        let columns = RefCell::new(vacant);
        let mut start = wanted.start;
        while start < wanted.end {
            let end = wanted.end.min(start + BLOCK_RECORDS);
            let (columns, input, records) = (&columns, &input, start..end);
            let flow = each(&ParquetBlock { layout, columns, input, memory, group, records });
            turn.bytes = input.bytes();
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
