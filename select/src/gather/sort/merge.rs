//! Merges sorted batches, from memory and from runs, row by row.

use std::collections::binary_heap::PeekMut;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::UInt64Type;
use arrow::row::Rows;

use super::keys::SortKeyEncoder;
use super::run::RunReader;
use super::sorted::Sorted;
use super::{RowFault, SORTED_ROWS_MAX};
use crate::expr::problem::Problem;
use crate::gather::pace::{Pace, Progress};
use crate::gather::record_problem::RecordProblem;
use crate::gather::sort_order::SortOrder;
use crate::{Error, ErrorKind, Result};
use sift_files::cancel::{Stopped, spend};

/// The number of steps to find the next row.
const ROW_STEPS: usize = 16;

/// The number of rows that are merged without a look at the pace.
const PIECE_ROWS: usize = 512;

/// A source of sorted batches.
#[derive(Debug)]
pub(super) enum BatchSource {
    Memory(Box<Sorted>),
    Run(RunReader),
}

impl BatchSource {
    fn next(&mut self, order: &SortOrder) -> Result<Option<RecordBatch>> {
        match self {
            Self::Memory(sorted) => {
                sorted.next(SORTED_ROWS_MAX).map_err(|problem| problem.to_error(&order.source))
            }
            Self::Run(run) => run.next(),
        }
    }
}

/// Rows without values, by position.
#[derive(Debug, Default)]
pub(super) struct RowFaults {
    pub(super) rows: BTreeMap<u64, RowFault>,
    /// The number of rows at the start of the answer that may be without values.
    pub(super) offset: u64,
}

/// The reason why a merge has no next rows.
#[derive(Debug)]
pub(crate) enum MergeError {
    /// The next row has no values: its position in the file, and the reason.
    Row(u64, RecordProblem),
    /// Anything else.
    Other(Error),
}

impl MergeError {
    /// Returns the error of a merge in which every row has values.
    pub(crate) fn without_rows(self) -> Error {
        match self {
            Self::Row(position, _) => {
                Error::new(ErrorKind::Computation, format!("row {position} has no values"))
            }
            Self::Other(error) => error,
        }
    }
}

impl From<Error> for MergeError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<Stopped> for MergeError {
    fn from(stopped: Stopped) -> Self {
        Self::Other(stopped.into())
    }
}

/// A merge of sorted sources.
#[derive(Debug)]
pub(crate) struct SortedMerge {
    order: Arc<SortOrder>,
    keys: SortKeyEncoder,
    /// The sources whose first batch was not read yet.
    unopened: Vec<BatchSource>,
    cursors: Vec<Cursor>,
    heads: BinaryHeap<Head>,
    faults: RowFaults,
    /// The keys that DISTINCT ON compares, of the row before.
    last: Option<Vec<u8>>,
    /// The number of rows that were returned, or are among the next ones.
    rows: u64,
    /// The next rows so far: the batches that they are from, and their places there.
    batches: Vec<RecordBatch>,
    places: Vec<(usize, usize)>,
}

/// A position in one of the sources.
#[derive(Debug)]
struct Cursor {
    source: BatchSource,
    batch: RecordBatch,
    keys: Rows,
    leading: Option<Rows>,
    row: usize,
    /// The index of the batch among those of the output; `None` before it has a row there.
    slot: Option<usize>,
}

/// The next row of a cursor. The greatest head of the heap has the least key.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    key: Vec<u8>,
    cursor: usize,
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.key.cmp(&self.key)
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl SortedMerge {
    pub(super) fn new(
        order: Arc<SortOrder>,
        sources: Vec<BatchSource>,
        faults: RowFaults,
    ) -> Result<Self> {
        let keys =
            SortKeyEncoder::new(&order).map_err(|problem| problem.to_error(&order.source))?;
        Ok(Self {
            keys,
            cursors: Vec::with_capacity(sources.len()),
            heads: BinaryHeap::with_capacity(sources.len()),
            unopened: sources,
            faults,
            last: None,
            rows: 0,
            batches: Vec::new(),
            places: Vec::new(),
            order,
        })
    }

    fn open(&mut self, mut source: BatchSource) -> Result<()> {
        let Some(batch) = source.next(&self.order)? else { return Ok(()) };
        let (keys, leading) = self.keys_of(&batch)?;
        let cursor = Cursor { source, batch, keys, leading, row: 0, slot: None };
        if let Some(key) = cursor.key() {
            self.heads.push(Head { key: key.to_vec(), cursor: self.cursors.len() });
            self.cursors.push(cursor);
        }
        Ok(())
    }

    /// Returns the next rows, with all items and positions.
    ///
    /// # Errors
    /// The error of a row without values, after the rows before it; `Io`.
    pub(crate) fn next(&mut self, pace: &Pace) -> Result<Progress<RecordBatch>, MergeError> {
        while let Some(source) = self.unopened.pop() {
            spend(SORTED_ROWS_MAX)?;
            self.open(source)?;
            if pace.is_over() {
                return Ok(Progress::Yielded);
            }
        }
        let mut steps = 0;
        while self.places.len() < SORTED_ROWS_MAX && self.wants_more() {
            spend(ROW_STEPS)?;
            let Some(head) = self.heads.peek() else { break };
            if !self.add_row(head.cursor)? {
                break;
            }
            self.advance()?;
            steps += 1;
            if steps % PIECE_ROWS == 0 && pace.is_over() {
                return Ok(Progress::Yielded);
            }
        }
        if self.places.is_empty() {
            return Ok(Progress::Done);
        }
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        let rows = interleave_record_batch(&batches, &self.places)
            .map_err(|error| self.error(&error.into()))?;
        self.batches.clear();
        self.places.clear();
        self.cursors.iter_mut().for_each(|cursor| cursor.slot = None);
        Ok(Progress::Ready(rows))
    }

    /// Adds the row of a cursor to the next rows, unless it repeats the row before. Returns false
    /// if it has no values and there are rows before it.
    fn add_row(&mut self, cursor: usize) -> Result<bool, MergeError> {
        let cursor = &mut self.cursors[cursor];
        let leading = cursor.leading.as_ref().map(|rows| rows.row(cursor.row));
        if leading.is_some_and(|row| self.last.as_deref() == Some(row.data())) {
            return Ok(true);
        }
        if let Some(position) = self.faults.at(cursor.position())
            && self.rows >= self.faults.offset
        {
            if !self.places.is_empty() {
                return Ok(false);
            }
            if let Some(RowFault { record_problem, .. }) = self.faults.rows.remove(&position) {
                return Err(MergeError::Row(position, record_problem));
            }
        }
        if let Some(row) = leading {
            let last = self.last.get_or_insert_default();
            last.clear();
            last.extend_from_slice(row.data());
        }
        let slot = *cursor.slot.get_or_insert_with(|| {
            self.batches.push(cursor.batch.clone());
            self.batches.len() - 1
        });
        self.places.push((slot, cursor.row));
        self.rows += 1;
        Ok(true)
    }

    fn wants_more(&self) -> bool {
        self.order.rows_max.is_none_or(|wanted| self.rows < wanted)
    }

    /// Moves the first cursor to its next row.
    fn advance(&mut self) -> Result<()> {
        let Some(head) = self.heads.peek() else { return Ok(()) };
        let index = head.cursor;
        self.cursors[index].row += 1;
        if self.cursors[index].key().is_none()
            && let Some(batch) = self.cursors[index].source.next(&self.order)?
        {
            let (keys, leading) = self.keys_of(&batch)?;
            let cursor = &mut self.cursors[index];
            (cursor.batch, cursor.keys, cursor.leading) = (batch, keys, leading);
            (cursor.row, cursor.slot) = (0, None);
        }
        let Some(mut head) = self.heads.peek_mut() else { return Ok(()) };
        match self.cursors[index].key() {
            Some(key) => {
                head.key.clear();
                head.key.extend_from_slice(key);
            }
            None => drop(PeekMut::pop(head)),
        }
        Ok(())
    }

    fn keys_of(&self, batch: &RecordBatch) -> Result<(Rows, Option<Rows>)> {
        let keys = self.keys.rows_of(batch).map_err(|problem| self.error(&problem))?;
        let leading = self.keys.leading_rows_of(batch).map_err(|problem| self.error(&problem))?;
        Ok((keys, leading))
    }

    fn error(&self, problem: &Problem) -> Error {
        problem.to_error(&self.order.source)
    }
}

impl Cursor {
    /// Returns the key of the next row; `None` at the end of the batch.
    fn key(&self) -> Option<&[u8]> {
        (self.row < self.batch.num_rows()).then(|| self.keys.row(self.row).data())
    }

    fn position(&self) -> Option<u64> {
        let positions = self.batch.columns().last()?.as_primitive_opt::<UInt64Type>()?;
        positions.values().get(self.row).copied()
    }
}

impl RowFaults {
    /// Returns the position if its row has no values.
    fn at(&self, position: Option<u64>) -> Option<u64> {
        position.filter(|position| self.rows.contains_key(position))
    }
}
