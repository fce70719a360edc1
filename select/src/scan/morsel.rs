//! A morsel: the pure work of a scan. It reads a part of the file, filters its records, decodes the
//! other columns only for the records that remain (late materialisation), and projects or
//! aggregates them.
//!
//! A record that cannot be decoded or computed ends the answer exactly there: the records before it
//! are selected as if the block ended with them. So an answer does not depend on how a file is
//! divided, and LIMIT may be reached before the fault.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::BooleanArray;
use arrow::compute::concat_batches;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use super::access::WalkStep;
use super::failure::Failure;
use super::final_stage::{FinalStage, GatherJob, Sink};
use super::selection::Selection;
use super::walk::Walk;
use crate::expr::Item;
use crate::expr::problem::Problem;
use crate::gather::group::{GroupTable, Grouping};
use crate::gather::pace::Progress;
use crate::gather::record_problem::RecordProblem;
use crate::gather::sort::Sorter;
use crate::gather::sort_order::SortOrder;
use crate::plan::{BoundPlan, Plan};
use crate::{Error, Result};
use sift_files::block::Block;
use sift_files::cancel;
use sift_files::cancel::Cancel;
use sift_files::feed::{Feed, Place};
use sift_files::io::waiting::Waiting;
use sift_files::turns::Origin;

/// Fewest records of a batch: smaller batches are joined until they have as many.
pub(crate) const BATCH_RECORDS_MIN: usize = 4096;

/// A unit of parallel work.
#[derive(Debug)]
pub struct Morsel {
    pub(crate) work: Work,
    pub(crate) cancel: Cancel,
}

#[derive(Debug)]
pub(crate) enum Work {
    /// The next part of the file.
    Read(Read),
    /// The next step of the walk along a key.
    Walk(Box<Walk>),
    /// The next step of work on gathered rows that outgrow memory.
    Gather(Box<GatherJob>, Arc<Sink>),
    /// The next step to the rest of the answer, after all records were read.
    Finish(Box<FinalStage>),
}

/// The work on a part of the file; the feed determines the part.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) plan: Plan,
    pub(crate) feed: Arc<Feed>,
    pub(crate) sink: Arc<Sink>,
    /// The number of turns of the feeds before this one.
    pub(crate) turns_before: u64,
}

/// The outcome of a morsel, which may be an error.
#[derive(Debug)]
pub struct Outcome(pub(crate) Done);

#[derive(Debug)]
pub(crate) enum Done {
    Read(ReadOutcome),
    Walk {
        walk: Box<Walk>,
        step: Result<WalkStep>,
        time: Duration,
    },
    /// `result` is true if the job is done.
    Gather {
        job: Box<GatherJob>,
        result: Result<bool>,
        time: Duration,
    },
    Finish {
        final_stage: Box<FinalStage>,
        result: Result<Progress<RecordBatch>>,
        time: Duration,
    },
}

/// The outcome of a part of the file.
#[derive(Debug, Default)]
pub(crate) struct ReadOutcome {
    /// The number of its turn; `None` if no turn was left, or the scan was cancelled before.
    pub(crate) turn: Option<u64>,
    /// The origin of its records, if its turn gives one.
    pub(crate) origin: Option<Origin>,
    /// The number of its records in the view.
    pub(crate) records: u64,
    /// Records for which the view's row filter has no value.
    pub(crate) undecided: u64,
    pub(crate) bytes: u64,
    pub(crate) selected: u64,
    pub(crate) batches: Vec<RecordBatch>,
    pub(crate) failure: Option<Failure>,
    pub(crate) time: Duration,
}

impl ReadOutcome {
    /// Returns the memory of its batches.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.batches.iter().map(RecordBatch::get_array_memory_size).sum()
    }
}

impl Morsel {
    /// Reads, filters and projects, looks up keys, or finishes gathered rows. It never panics and
    /// never waits for a peer.
    pub fn run(self) -> Outcome {
        self.run_with(Waiting::Allowed)
    }

    /// Does the same as [`run`](Self::run). Without the permission to wait, the scan ends with an
    /// error of the kind `WouldBlock` if the morsel would have to.
    pub fn run_with(self, waiting: Waiting) -> Outcome {
        let start = Instant::now();
        let Self { work, cancel } = self;
        cancel.during(|| {
            Outcome(match work {
                Work::Read(read) => Done::Read(read.run(start, waiting)),
                Work::Walk(mut walk) => {
                    let step = walk.next(waiting);
                    Done::Walk { walk, step, time: start.elapsed() }
                }
                Work::Gather(mut job, sink) => {
                    let result = job.step(&sink.pace(), waiting);
                    Done::Gather { job, result, time: start.elapsed() }
                }
                Work::Finish(mut final_stage) => {
                    let result = final_stage.next(waiting);
                    Done::Finish { final_stage, result, time: start.elapsed() }
                }
            })
        })
    }
}

impl Read {
    fn run(self, start: Instant, waiting: Waiting) -> ReadOutcome {
        if cancel::check_wanted().is_err() {
            return ReadOutcome::default();
        }
        let mut reader = Reader::new(self.plan.bound(), &self.sink);
        let turn = self.feed.next(waiting, &mut |place, block| {
            if cancel::check_wanted().is_err() {
                return ControlFlow::Break(());
            }
            reader.block(Place { turn: self.turns_before + place.turn, ..place }, block)
        });
        let mut outcome = reader.finish();
        let Some(turn) = turn else { return outcome };
        compact(&mut outcome.batches);
        outcome.turn = Some(turn.number);
        outcome.origin = turn.origin;
        outcome.bytes = turn.bytes;
        // a failed read is not the fault of a record
        if let Err(error) = turn.result {
            outcome.failure = Some(Failure::File(error));
        }
        outcome.time = start.elapsed();
        outcome
    }
}

/// Joins the few records of many blocks here, on many threads, and not on the one thread that puts
/// the outcomes in order.
fn compact(batches: &mut Vec<RecordBatch>) {
    let records: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if records < BATCH_RECORDS_MIN
        && let [first, _, ..] = batches.as_slice()
        && let Ok(batch) = concat_batches(&first.schema(), &*batches)
    {
        *batches = vec![batch];
    }
}

/// The reason why records could not be selected.
enum SelectionError {
    /// The answer ends before this record of the block.
    Record(RecordProblem),
    /// The query exceeds a limit, or its gathered rows cannot be written.
    Query(Error),
}

impl From<RecordProblem> for SelectionError {
    fn from(record_problem: RecordProblem) -> Self {
        Self::Record(record_problem)
    }
}

impl From<Error> for SelectionError {
    fn from(error: Error) -> Self {
        Self::Query(error)
    }
}

/// The work on one part of the file, block by block.
struct Reader<'p> {
    plan: &'p BoundPlan,
    sink: &'p Sink,
    /// The table of the groups, taken with the first block.
    groups: Option<GroupTable>,
    outcome: ReadOutcome,
    /// Records of the turn before the block, including those that are not in the view.
    records_before: u64,
    /// The number of selected records after which no more are wanted.
    selected_max: u64,
}

impl<'p> Reader<'p> {
    fn new(plan: &'p BoundPlan, sink: &'p Sink) -> Self {
        let wanted = plan.limit.map(|limit| limit.saturating_add(plan.offset));
        let selected_max = wanted.filter(|_| plan.is_streamed()).unwrap_or(u64::MAX);
        let outcome = ReadOutcome::default();
        Self { plan, sink, groups: None, outcome, records_before: 0, selected_max }
    }

    fn finish(self) -> ReadOutcome {
        if let (Some(table), Some(tables)) = (self.groups, &self.sink.groups) {
            tables.give_back(table);
        }
        self.outcome
    }

    fn block(&mut self, place: Place, block: &dyn Block) -> ControlFlow<()> {
        let columns = self.plan.source().schema().fields().len();
        let part = self.plan.source().parts.get(place.file);
        let constants = part.map_or(&[][..], |part| &part.constants);
        let mut visible = Selection::new(block, constants, columns);
        if let Some(filter) = self.plan.view.row_filter() {
            self.outcome.undecided += visible.apply_row_filter(filter);
        }
        let mut records = block.records();
        let mut record_problem = None;
        // Each round ends before an earlier record than the round before, so the loop ends.
        loop {
            match self.select(place.turn, &visible, records) {
                Ok(()) => break,
                Err(SelectionError::Record(earlier)) => {
                    records = earlier.fault.record;
                    record_problem = Some(earlier);
                }
                Err(SelectionError::Query(error)) => {
                    self.outcome.failure = Some(Failure::Query(error));
                    return ControlFlow::Break(());
                }
            }
        }
        let records_before = self.outcome.records;
        self.outcome.records += visible.count_before(records) as u64;
        self.records_before += block.records() as u64;
        if self.outcome.selected >= self.selected_max {
            return ControlFlow::Break(());
        }
        self.outcome.failure = match (record_problem, block.fault()) {
            (None, None) => return ControlFlow::Continue(()),
            (Some(record_problem), _) => {
                Some(Failure::Record(record_problem.in_turn(records_before, &visible)))
            }
            (None, Some(fault)) => {
                let record_problem = RecordProblem::record(fault.clone());
                Some(Failure::Delimiting(record_problem.in_turn(records_before, &visible)))
            }
        };
        ControlFlow::Break(())
    }

    /// Selects from the visible records before the record `records` of the block, all or nothing.
    fn select(
        &mut self,
        turn: u64,
        visible: &Selection<'_>,
        records: usize,
    ) -> Result<(), SelectionError> {
        let mut selection = visible.before(records);
        let mut conjuncts = self.plan.conjuncts.iter().peekable();
        while let Some(conjunct) = conjuncts.next() {
            if selection.rows == 0 {
                return Ok(());
            }
            selection.decode(&conjunct.columns)?;
            let mut mask = selection.evaluate_conjunct(conjunct)?;
            while let Some(conjunct) = conjuncts.next_if(|conjunct| conjunct.joined) {
                mask = &mask & &selection.evaluate_conjunct(conjunct)?;
            }
            selection.narrow(&BooleanArray::from(mask))?;
        }
        let room = self.selected_max - self.outcome.selected;
        selection.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        if selection.rows == 0 {
            return Ok(());
        }
        let selected = selection.rows as u64;
        let rows = &self.plan.rows;
        let start = turn << 32 | self.records_before;
        match (&rows.grouping, &rows.order, &self.sink.sorter) {
            (Some(grouping), ..) => self.group(grouping, &mut selection, start)?,
            (None, Some(order), Some(sorter)) => {
                self.sort(order, sorter, selection, start, visible)?;
            }
            _ => {
                selection.decode_for(rows)?;
                let batch = self.project(&selection, &rows.items)?;
                self.outcome.batches.push(batch);
            }
        }
        self.outcome.selected += selected;
        Ok(())
    }

    /// Adds the selected records to their groups. `start` is the position of the block's first
    /// record.
    fn group(
        &mut self,
        grouping: &Grouping,
        selection: &mut Selection<'_>,
        start: u64,
    ) -> Result<(), SelectionError> {
        selection.decode_for(&self.plan.rows)?;
        let keys = grouping.keys.iter().map(|key| selection.evaluate_key(key));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let arguments = grouping.states().map(|aggregate| selection.argument(aggregate));
        let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
        let Some(tables) = &self.sink.groups else { return Ok(()) };
        let table = match self.groups.take() {
            Some(table) => table,
            None => tables.take()?,
        };
        let position = |row| start + selection.record(row) as u64;
        self.groups = tables.update(table, selection.rows, keys, &arguments, position)?;
        Ok(())
    }

    /// Gives the selected records that may be in the answer to the sorter.
    fn sort(
        &self,
        order: &SortOrder,
        sorter: &Sorter,
        mut selection: Selection<'_>,
        start: u64,
        visible: &Selection<'_>,
    ) -> Result<(), SelectionError> {
        let items = &self.plan.rows.items;
        if !order.is_late() {
            selection.decode_for(&self.plan.rows)?;
            let batch = selection.sorted_rows(order, items, start)?;
            sorter.push(batch);
            return Ok(());
        }
        selection.decode(&order.columns)?;
        let keys = selection.keys(order, items)?;
        let positions = selection.positions(start);
        let problem =
            |problem: Problem| SelectionError::Query(problem.to_error(self.plan.source().name()));
        if let Some(mask) = sorter.candidates(&keys, &positions).map_err(problem)? {
            selection.narrow(&mask)?;
        }
        if selection.rows == 0 {
            return Ok(());
        }
        let whole = selection
            .decode_for(&self.plan.rows)
            .and_then(|()| selection.sorted_rows(order, items, start));
        if let Ok(batch) = whole {
            sorter.push(batch);
            return Ok(());
        }
        for row in 0..selection.rows {
            let mut one = selection.only(row);
            let keys = one.keys(order, items)?;
            let batch =
                one.decode_for(&self.plan.rows).and_then(|()| one.sorted_rows(order, items, start));
            let batch = match batch {
                Ok(batch) => batch,
                Err(record_problem) => {
                    let position = start + one.record(0) as u64;
                    let record_problem = record_problem.in_turn(self.outcome.records, visible);
                    sorter.push_fault(&keys, position, record_problem).map_err(problem)?;
                    one.row_without_values(order, &keys, start)?
                }
            };
            sorter.push(batch);
        }
        Ok(())
    }

    fn project(
        &self,
        selection: &Selection<'_>,
        items: &[Item],
    ) -> Result<RecordBatch, RecordProblem> {
        let columns = items
            .iter()
            .map(|item| selection.evaluate(&item.expr, &item.text))
            .collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(selection.rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.plan.schema), columns, &options)
            .map_err(|error| selection.record_problem(0, &Problem::from(error), "the projection"))
    }
}
