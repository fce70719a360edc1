//! Merges sorted batches, from memory and from runs, row by row.

use std::collections::binary_heap::PeekMut;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::vec;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::UInt64Type;
use arrow::row::Rows;

use super::keys::SortKeyEncoder;
use super::run::RunReader;
use super::{RowFault, SORTED_ROWS_MAX};
use crate::budget::Reservation;
use crate::expr::problem::Problem;
use crate::gather::record_problem::RecordProblem;
use crate::gather::sort_order::SortOrder;
use crate::{Error, ErrorKind, Result};
use sift_files::cancel::{Stopped, spend};

/// The number of steps to find the next row.
const ROW_STEPS: usize = 16;

/// A source of sorted batches.
#[derive(Debug)]
pub(super) enum BatchSource {
    Memory(vec::IntoIter<RecordBatch>),
    File(Box<RunReader>),
}

impl BatchSource {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        match self {
            Self::Memory(batches) => Ok(batches.next()),
            Self::File(run) => run.next(),
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
    cursors: Vec<Cursor>,
    heads: BinaryHeap<Head>,
    faults: RowFaults,
    /// The keys that DISTINCT ON compares, of the row before.
    last: Option<Vec<u8>>,
    /// The number of rows that were returned.
    rows: u64,
    /// The memory of the sources, reserved until the end.
    _reservation: Reservation,
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
        reservation: Reservation,
    ) -> Result<Self> {
        let keys =
            SortKeyEncoder::new(&order).map_err(|problem| problem.to_error(&order.source))?;
        let mut merge = Self {
            keys,
            cursors: Vec::with_capacity(sources.len()),
            heads: BinaryHeap::with_capacity(sources.len()),
            faults,
            last: None,
            rows: 0,
            _reservation: reservation,
            order,
        };
        for source in sources {
            merge.open(source)?;
        }
        Ok(merge)
    }

    fn open(&mut self, mut source: BatchSource) -> Result<()> {
        let Some(batch) = source.next()? else { return Ok(()) };
        let (keys, leading) = self.keys_of(&batch)?;
        let cursor = Cursor { source, batch, keys, leading, row: 0, slot: None };
        if let Some(key) = cursor.key() {
            self.heads.push(Head { key: key.to_vec(), cursor: self.cursors.len() });
            self.cursors.push(cursor);
        }
        Ok(())
    }

    /// Returns the next rows, with all items and positions; `None` at the end.
    ///
    /// # Errors
    /// The error of a row without values, after the rows before it; `Io`.
    pub(crate) fn next(&mut self) -> Result<Option<RecordBatch>, MergeError> {
        let mut batches: Vec<RecordBatch> = Vec::new();
        let mut places: Vec<(usize, usize)> = Vec::new();
        self.cursors.iter_mut().for_each(|cursor| cursor.slot = None);
        while places.len() < SORTED_ROWS_MAX && self.wants_more() {
            spend(ROW_STEPS)?;
            let Some(head) = self.heads.peek() else { break };
            let cursor = &mut self.cursors[head.cursor];
            let leading = cursor.leading.as_ref().map(|rows| rows.row(cursor.row));
            let is_repeated = leading.is_some_and(|row| self.last.as_deref() == Some(row.data()));
            if !is_repeated {
                if let Some(position) = self.faults.at(cursor.position())
                    && self.rows >= self.faults.offset
                {
                    if !places.is_empty() {
                        break;
                    }
                    if let Some(RowFault { record_problem, .. }) =
                        self.faults.rows.remove(&position)
                    {
                        return Err(MergeError::Row(position, record_problem));
                    }
                }
                if let Some(row) = leading {
                    let last = self.last.get_or_insert_default();
                    last.clear();
                    last.extend_from_slice(row.data());
                }
                let slot = *cursor.slot.get_or_insert_with(|| {
                    batches.push(cursor.batch.clone());
                    batches.len() - 1
                });
                places.push((slot, cursor.row));
                self.rows += 1;
            }
            self.advance()?;
        }
        if places.is_empty() {
            return Ok(None);
        }
        let batches: Vec<&RecordBatch> = batches.iter().collect();
        interleave_record_batch(&batches, &places)
            .map(Some)
            .map_err(|error| self.error(&error.into()).into())
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
            && let Some(batch) = self.cursors[index].source.next()?
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
