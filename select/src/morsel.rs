//! A morsel: the pure work of a scan. Reads a piece of the file, keeps the records that the
//! predicate keeps, decodes the other columns for those only, and projects or aggregates them.
//!
//! A record that cannot be decoded or computed ends the answer exactly there: the records before
//! it are selected as if the block ended, so that an answer does not depend on how a file is
//! divided, and LIMIT may be met before the fault is.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::{concat_batches, filter};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use crate::aggregate::Partial;
use crate::block::{Block, Fault, Rows};
use crate::eval::{self, Input, Problem};
use crate::expr::Expr;
use crate::feed::Feed;
use crate::plan::{Bound, Output, OutputItem, Plan};
use crate::{Error, ErrorKind};

/// Smaller batches are put together until they have so many records.
pub(crate) const BATCH_RECORDS_MIN: usize = 4096;

/// A unit of parallel work.
#[derive(Debug)]
pub struct Morsel {
    pub(crate) plan: Plan,
    pub(crate) feed: Arc<Feed>,
    pub(crate) cancelled: Arc<AtomicBool>,
}

/// What came of a morsel; errors are inside.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The turn that it had; `None` when the scan was cancelled before.
    pub(crate) turn: Option<u64>,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) selected: u64,
    pub(crate) batches: Vec<RecordBatch>,
    pub(crate) partials: Vec<Partial>,
    pub(crate) failure: Option<Failure>,
    pub(crate) time: Duration,
}

/// What ends the answer behind the batches of an outcome.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A record; its index counts from the start of the turn.
    Record { kind: ErrorKind, fault: Fault },
    /// The file.
    File(Error),
}

impl Morsel {
    /// Reads, filters and projects. Never panics, never waits for a peer.
    pub fn run(self) -> Outcome {
        if self.cancelled.load(Ordering::Relaxed) {
            return Outcome::default();
        }
        let start = Instant::now();
        let mut work = Work::new(self.plan.bound());
        let turn = self.feed.next(&mut |block| {
            if self.cancelled.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            work.block(block)
        });
        let mut outcome = work.outcome;
        compact(&mut outcome.batches);
        outcome.turn = Some(turn.number);
        outcome.bytes = turn.bytes;
        if let (None, Err(error)) = (&outcome.failure, turn.result) {
            outcome.failure = Some(Failure::File(error));
        }
        outcome.time = start.elapsed();
        outcome
    }
}

/// Puts the few records of many blocks together here, where threads are many, and not where the
/// outcomes are put in order.
fn compact(batches: &mut Vec<RecordBatch>) {
    let records: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if records < BATCH_RECORDS_MIN
        && let [first, _, ..] = batches.as_slice()
        && let Ok(batch) = concat_batches(&first.schema(), &*batches)
    {
        *batches = vec![batch];
    }
}

/// Where the answer has to stop within a block, and why.
struct Stop {
    kind: ErrorKind,
    fault: Fault,
}

/// The work on one morsel, block after block.
struct Work<'p> {
    plan: &'p Bound,
    outcome: Outcome,
    /// More records than this are never asked for.
    selected_max: u64,
}

impl<'p> Work<'p> {
    fn new(plan: &'p Bound) -> Self {
        let (partials, selected_max) = match &plan.output {
            Output::Records { .. } => {
                (Vec::new(), plan.limit.map_or(u64::MAX, |limit| limit.saturating_add(plan.offset)))
            }
            Output::Aggregates { aggregates, .. } => {
                (aggregates.iter().map(|aggregate| aggregate.start()).collect(), u64::MAX)
            }
        };
        Self { plan, outcome: Outcome { partials, ..Outcome::default() }, selected_max }
    }

    fn block(&mut self, block: &Block<'_>) -> ControlFlow<()> {
        let mut records = block.records();
        let mut stop =
            block.fault().map(|fault| Stop { kind: ErrorKind::Record, fault: fault.clone() });
        // Each round ends before an earlier record than the last, so this ends.
        while let Err(earlier) = self.select(block, records) {
            records = earlier.fault.record;
            stop = Some(earlier);
        }
        let records_before = self.outcome.records;
        self.outcome.records += records as u64;
        if self.outcome.selected >= self.selected_max {
            return ControlFlow::Break(());
        }
        let Some(Stop { kind, mut fault }) = stop else { return ControlFlow::Continue(()) };
        fault.record += usize::try_from(records_before).unwrap_or(usize::MAX);
        self.outcome.failure = Some(Failure::Record { kind, fault });
        ControlFlow::Break(())
    }

    /// Selects among the first `records` of a block, all or nothing.
    fn select(&mut self, block: &Block<'_>, records: usize) -> Result<(), Stop> {
        let mut selection =
            Selection::new(block, records, self.plan.source.schema().fields().len());
        for conjunct in &self.plan.conjuncts {
            if selection.rows == 0 {
                return Ok(());
            }
            selection.decode(&conjunct.columns)?;
            let mask = selection.evaluate(&conjunct.expr, &conjunct.text)?;
            selection.narrow(mask.as_boolean())?;
        }
        let room = self.selected_max - self.outcome.selected;
        selection.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        if selection.rows == 0 {
            return Ok(());
        }
        match &self.plan.output {
            Output::Records { items, columns } => {
                selection.decode(columns)?;
                let batch = self.project(&selection, items)?;
                self.outcome.batches.push(batch);
            }
            Output::Aggregates { aggregates, columns, .. } => {
                selection.decode(columns)?;
                let values = aggregates
                    .iter()
                    .map(|aggregate| {
                        let argument = aggregate.argument.as_ref();
                        argument.map(|expr| selection.evaluate(expr, &aggregate.text)).transpose()
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                let partials = self.outcome.partials.iter_mut();
                for ((partial, aggregate), values) in partials.zip(aggregates).zip(&values) {
                    partial
                        .update(values.as_ref(), selection.rows)
                        .map_err(|problem| selection.stop(0, &problem, &aggregate.text))?;
                }
            }
        }
        self.outcome.selected += selection.rows as u64;
        Ok(())
    }

    fn project(
        &self,
        selection: &Selection<'_>,
        items: &[OutputItem],
    ) -> Result<RecordBatch, Stop> {
        let columns = items
            .iter()
            .map(|item| selection.evaluate(&item.expr, &item.text))
            .collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(selection.rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.plan.schema), columns, &options)
            .map_err(|error| selection.stop(0, &Problem::from(error), "the projection"))
    }
}

/// The records of a block that are still wanted, and what is decoded of them.
struct Selection<'b> {
    block: &'b Block<'b>,
    /// `None` is every record of the block.
    indices: Option<Vec<u32>>,
    rows: usize,
    /// By column of the source.
    columns: Vec<Option<ArrayRef>>,
}

impl<'b> Selection<'b> {
    fn new(block: &'b Block<'b>, records: usize, columns: usize) -> Self {
        let indices = (records < block.records())
            .then(|| (0..records).filter_map(|record| u32::try_from(record).ok()).collect());
        Self { block, indices, rows: records, columns: vec![None; columns] }
    }

    /// Decodes what is missing of `columns`.
    fn decode(&mut self, columns: &[usize]) -> Result<(), Stop> {
        let missing: Vec<usize> =
            columns.iter().copied().filter(|column| self.columns[*column].is_none()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let rows = self.indices.as_deref().map_or(Rows::All, Rows::Selected);
        let arrays = self
            .block
            .decode(&missing, rows)
            .map_err(|fault| Stop { kind: ErrorKind::Record, fault })?;
        for (column, array) in missing.into_iter().zip(arrays) {
            self.columns[column] = Some(array);
        }
        Ok(())
    }

    fn evaluate(&self, expr: &Expr, text: &str) -> Result<ArrayRef, Stop> {
        let input = Input { columns: &self.columns, rows: self.rows };
        eval::evaluate(expr, input).map_err(|problem| {
            let (row, problem) = eval::first_problem(expr, input).unwrap_or((0, problem));
            self.stop(row, &problem, text)
        })
    }

    fn stop(&self, row: usize, problem: &Problem, text: &str) -> Stop {
        let record = match &self.indices {
            None => row,
            Some(indices) => indices.get(row).map_or(row, |record| *record as usize),
        };
        let byte = self.block.byte_of(record);
        let text = format!("{} in `{text}`", problem.0);
        Stop { kind: ErrorKind::Computation, fault: Fault { record, byte, field: None, text } }
    }

    /// Keeps the records where `mask` is true.
    fn narrow(&mut self, mask: &BooleanArray) -> Result<(), Stop> {
        let kept = mask.true_count();
        if kept == self.rows {
            return Ok(());
        }
        let mask = match mask.null_count() {
            0 => mask.clone(),
            _ => arrow::compute::prep_null_mask_filter(mask),
        };
        for column in self.columns.iter_mut().flatten() {
            *column = filter(column, &mask)
                .map_err(|error| self_stop(self.block, &Problem::from(error)))?;
        }
        let places = mask.values().set_indices_u32();
        self.indices = Some(match &self.indices {
            None => places.collect(),
            Some(indices) => places.map(|place| indices[place as usize]).collect(),
        });
        self.rows = kept;
        Ok(())
    }

    fn truncate(&mut self, rows: usize) {
        if self.rows <= rows {
            return;
        }
        let indices = self.indices.take();
        self.indices = Some(match indices {
            Some(mut indices) => {
                indices.truncate(rows);
                indices
            }
            None => (0..rows).filter_map(|record| u32::try_from(record).ok()).collect(),
        });
        for column in self.columns.iter_mut().flatten() {
            *column = column.slice(0, rows);
        }
        self.rows = rows;
    }
}

fn self_stop(block: &Block<'_>, problem: &Problem) -> Stop {
    let fault = Fault { record: 0, byte: block.byte_of(0), field: None, text: problem.0.clone() };
    Stop { kind: ErrorKind::Computation, fault }
}
