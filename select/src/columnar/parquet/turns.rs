//! How the row groups of a file are divided among the turns of a scan.
//!
//! A turn is a row group, or an equal part of one that has many records: its columns are decoded
//! from their dictionaries on anew, so parts are large.

use std::cell::RefCell;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Block, Input, Layout, records};
use crate::Result;
use crate::data_file::DataFile;

/// Bytes that a record is taken to have where a morsel is given in bytes: the few columns that are
/// asked for, decoded.
pub(crate) const RECORD_BYTES: usize = 32;

/// Records that are decoded at a time: they stay in the second-level cache between the predicate
/// and the other columns.
const BLOCK_RECORDS: u64 = 16 << 10;

/// The turns of a file.
#[derive(Debug)]
pub(crate) struct Turns {
    /// For each row group the number of its first turn, and in the end the number of all.
    firsts: Vec<u64>,
}

/// Records of one row group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    group: usize,
    records: Range<u64>,
}

impl Turns {
    /// Turns of about `morsel_bytes`, of one record at least.
    pub(crate) fn new(layout: &Layout, morsel_bytes: usize) -> Self {
        let records_max = (morsel_bytes / RECORD_BYTES).max(1) as u64;
        let mut firsts = vec![0];
        let mut turns = 0;
        for group in layout.metadata.row_groups() {
            turns += records(group).div_ceil(records_max);
            firsts.push(turns);
        }
        Self { firsts }
    }

    /// Number of turns.
    pub(crate) fn len(&self) -> u64 {
        self.firsts.last().copied().unwrap_or(0)
    }

    /// The turn with a number.
    pub(crate) fn turn(&self, layout: &Layout, number: u64) -> Option<Turn> {
        let group = self.firsts.partition_point(|first| *first <= number).checked_sub(1)?;
        let (first, next) = (self.firsts.get(group)?, self.firsts.get(group + 1)?);
        let records = records(layout.metadata.row_groups().get(group)?);
        let part = |index: u64| (records * index) / (next - first);
        let index = number - first;
        Some(Turn { group, records: part(index)..part(index + 1) })
    }
}

impl Turn {
    /// Gives the blocks of the turn to `each`, in order, until that breaks; tells the bytes that were
    /// read of the file for what `each` decoded.
    ///
    /// # Errors
    /// `Io` and `FileChanged`, whatever `each` made of it.
    pub(crate) fn blocks(
        &self,
        layout: &Layout,
        file: &Arc<DataFile>,
        bytes: &mut u64,
        each: &mut dyn FnMut(Block<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let input = Arc::new(Input::new(Arc::clone(file)));
        let mut vacant = Vec::new();
        vacant.resize_with(layout.columns.len(), || None);
        let columns = RefCell::new(vacant);
        let mut start = self.records.start;
        while start < self.records.end {
            let end = self.records.end.min(start + BLOCK_RECORDS);
            let records = start..end;
            let group = self.group;
            let flow = each(Block { layout, columns: &columns, input: &input, group, records });
            *bytes = input.bytes.load(Ordering::Relaxed);
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
