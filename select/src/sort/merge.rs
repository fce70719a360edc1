//! Merges sorted batches, from memory and from runs, row by row.

use std::collections::binary_heap::PeekMut;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::vec;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::UInt64Type;
use arrow::row::Rows;

use super::keys::Keys;
use super::run::RunReader;
use super::{RowFault, SORTED_ROWS_MAX};
use crate::budget::Reservation;
use crate::plan::Plan;
use crate::problem::Problem;
use crate::{Error, Result};
use sift_files::cancel::spend;
use sift_files::feed::Origin;

/// The number of steps to find the next row.
const ROW_STEPS: usize = 16;

/// Where sorted batches come from.
#[derive(Debug)]
pub(super) enum Source {
    Memory(vec::IntoIter<RecordBatch>),
    File(Box<RunReader>),
}

impl Source {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        match self {
            Self::Memory(batches) => Ok(batches.next()),
            Self::File(run) => run.next(),
        }
    }
}

/// Rows without values, and what it takes to tell which records of the file they are.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) rows: BTreeMap<u64, RowFault>,
    /// By turn.
    pub(super) turns: Vec<Origin>,
}

/// A merge under way.
#[derive(Debug)]
pub(crate) struct Merge {
    plan: Plan,
    keys: Keys,
    cursors: Vec<Cursor>,
    heads: BinaryHeap<Head>,
    faults: Faults,
    /// What DISTINCT ON compares of the row before.
    last: Option<Vec<u8>>,
    /// Rows that came out.
    rows: u64,
    /// Held until the end.
    _reservation: Reservation,
}

/// A place in one of the sources.
#[derive(Debug)]
struct Cursor {
    source: Source,
    batch: RecordBatch,
    keys: Rows,
    leading: Option<Rows>,
    row: usize,
    /// Where the batch is among those of the output; `None` before it has a row there.
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

impl Merge {
    pub(super) fn new(
        plan: Plan,
        sources: Vec<Source>,
        faults: Faults,
        reservation: Reservation,
    ) -> Result<Self> {
        let problem = |problem: &Problem| problem.to_error(plan.source().name());
        let Some(order) = &plan.bound().rows.order else {
            return Err(problem(&Problem("there is no order".to_owned())));
        };
        let keys = Keys::new(order).map_err(|error| problem(&error))?;
        let mut merge = Self {
            keys,
            cursors: Vec::with_capacity(sources.len()),
            heads: BinaryHeap::with_capacity(sources.len()),
            faults,
            last: None,
            rows: 0,
            _reservation: reservation,
            plan,
        };
        for source in sources {
            merge.open(source)?;
        }
        Ok(merge)
    }

    fn open(&mut self, mut source: Source) -> Result<()> {
        let Some(batch) = source.next()? else { return Ok(()) };
        let (keys, leading) = self.keys_of(&batch)?;
        let cursor = Cursor { source, batch, keys, leading, row: 0, slot: None };
        if let Some(key) = cursor.key() {
            self.heads.push(Head { key: key.to_vec(), cursor: self.cursors.len() });
            self.cursors.push(cursor);
        }
        Ok(())
    }

    /// The next rows of the answer; `None` at its end.
    ///
    /// # Errors
    /// That of a row without values, behind the rows before it; `Io`.
    pub(crate) fn next(&mut self) -> Result<Option<RecordBatch>> {
        let Some(batch) = self.next_rows()? else { return Ok(None) };
        let rows = &self.plan.bound().rows;
        let columns = batch.columns()[..rows.visible].to_vec();
        let options =
            arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let schema = Arc::clone(self.plan.schema());
        RecordBatch::try_new_with_options(schema, columns, &options)
            .map(Some)
            .map_err(|error| self.error(&error.into()))
    }

    /// The next rows with all items and positions.
    pub(crate) fn next_rows(&mut self) -> Result<Option<RecordBatch>> {
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
                if let Some(fault) = self.faults.at(cursor.position())
                    && self.rows >= self.plan.bound().offset
                {
                    if !places.is_empty() {
                        break;
                    }
                    return Err(self.faults.error(fault, &self.plan));
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
            .map_err(|error| self.error(&error.into()))
    }

    fn wants_more(&self) -> bool {
        let order = self.plan.bound().rows.order.as_ref();
        order.and_then(|order| order.rows_max).is_none_or(|wanted| self.rows < wanted)
    }

    /// Moves the first cursor on by a row.
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
        problem.to_error(self.plan.source().name())
    }
}

impl Cursor {
    /// Key of the next row; `None` at the end of the batch.
    fn key(&self) -> Option<&[u8]> {
        (self.row < self.batch.num_rows()).then(|| self.keys.row(self.row).data())
    }

    fn position(&self) -> Option<u64> {
        let positions = self.batch.columns().last()?.as_primitive_opt::<UInt64Type>()?;
        positions.values().get(self.row).copied()
    }
}

impl Faults {
    fn at(&self, position: Option<u64>) -> Option<(u64, &RowFault)> {
        let position = position.filter(|_| !self.rows.is_empty())?;
        Some((position, self.rows.get(&position)?))
    }

    fn error(&self, (position, fault): (u64, &RowFault), plan: &Plan) -> Error {
        let turn = usize::try_from(position >> 32).unwrap_or(usize::MAX);
        fault.stop.to_error(plan, &self.turns.get(turn).cloned().unwrap_or_default())
    }
}
