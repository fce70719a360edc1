//! The last stage of a scan, after every record was read: groups become rows, and rows are sorted.
//!
//! Morsels add to [`Sink`] what cannot be returned at once. [`FinalStage`] returns the rest of the
//! answer from it, one batch for each call.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::compute::{filter, filter_record_batch};

use super::ScanOptions;
use super::failure::Failure;
use crate::budget::Reservation;
use crate::expr::eval::Input;
use crate::expr::problem::Problem;
use crate::expr::{Item, eval};
use crate::gather::group::{GroupError, GroupTables};
use crate::gather::key_table::KeyTable;
use crate::gather::sort::{MergeError, SORTED_ROWS_MAX, SortedMerge, Sorter};
use crate::plan::Plan;
use crate::{Error, Result};
use sift_files::cancel::spend;
use sift_files::io::waiting::Waiting;
use sift_files::turns::Origin;

/// The groups and the sorter that the morsels of a scan fill.
#[derive(Debug)]
pub(crate) struct Sink {
    pub(crate) groups: Option<GroupTables>,
    pub(crate) sorter: Option<Sorter>,
}

impl Sink {
    pub(crate) fn new(plan: &Plan, options: &ScanOptions) -> Result<Self> {
        let order = plan.bound().rows.order.as_ref();
        let sorter = order
            .map(|order| Sorter::new(Arc::clone(order), &options.memory, options.spill.clone()));
        let sorter =
            sorter.transpose().map_err(|problem| problem.to_error(plan.source().name()))?;
        let grouping = plan.bound().rows.grouping.as_ref();
        let groups = grouping.map(|_| GroupTables::new(Arc::clone(&options.memory)));
        Ok(Self { groups, sorter })
    }
}

/// The last stage of a scan.
#[derive(Debug)]
pub(crate) struct FinalStage {
    plan: Plan,
    sink: Arc<Sink>,
    stage: Stage,
    /// The origin of the records of each turn.
    turns: Vec<Origin>,
}

#[derive(Debug)]
enum Stage {
    Gathered,
    Groups(Box<Groups>),
    Sorted(Box<SortedMerge>),
    Done,
}

/// The groups: one value of each key and each aggregate for every group.
#[derive(Debug)]
struct Groups {
    columns: Vec<ArrayRef>,
    /// The number of groups, and how many of them have become rows.
    count: usize,
    done: usize,
    /// The distinct rows so far, if only the first of equal rows is returned.
    seen: Option<KeyTable>,
    /// The memory of the groups, reserved until the end.
    _reservation: Reservation,
}

impl FinalStage {
    /// Makes the last stage of a scan that has read every record.
    pub(crate) fn new(plan: Plan, sink: Arc<Sink>, turns: Vec<Origin>) -> Self {
        Self { plan, sink, stage: Stage::Gathered, turns }
    }

    /// Returns the next batch of the answer; `None` at its end.
    ///
    /// # Errors
    /// `Computation`, `LimitExceeded`, `Io`, and `Record` for a row of the answer that has no
    /// values.
    pub(crate) fn next(&mut self, waiting: Waiting) -> Result<Option<RecordBatch>> {
        loop {
            spend(SORTED_ROWS_MAX)?;
            self.stage = match std::mem::replace(&mut self.stage, Stage::Done) {
                Stage::Gathered => match self.groups()? {
                    Some(groups) => Stage::Groups(Box::new(groups)),
                    None => self.sorted(waiting)?,
                },
                Stage::Groups(groups) if groups.done == groups.count => self.sorted(waiting)?,
                Stage::Groups(mut groups) => {
                    let rows = groups.next(&self.plan).map_err(|problem| self.error(&problem))?;
                    self.stage = Stage::Groups(groups);
                    match &self.sink.sorter {
                        Some(sorter) => sorter.push(rows, waiting)?,
                        None if rows.num_rows() > 0 => return self.visible(&rows).map(Some),
                        None => {}
                    }
                    continue;
                }
                Stage::Sorted(mut merge) => {
                    let Some(batch) = merge.next().map_err(|error| self.failed(error))? else {
                        return Ok(None);
                    };
                    self.stage = Stage::Sorted(merge);
                    return self.visible(&batch).map(Some);
                }
                Stage::Done => return Ok(None),
            };
        }
    }

    fn groups(&self) -> Result<Option<Groups>> {
        let rows = &self.plan.bound().rows;
        let (Some(tables), Some(grouping)) = (&self.sink.groups, &rows.grouping) else {
            return Ok(None);
        };
        let table = tables.merge(grouping).map_err(|error| match error {
            GroupError::Problem(problem) => self.error(&problem),
            GroupError::Memory(error) => error,
        })?;
        let count = table.len();
        let (columns, reservation) =
            table.finish(grouping).map_err(|problem| self.error(&problem))?;
        let types = rows.items[..rows.visible].iter().map(|item| item.expr.data_type.clone());
        let seen = rows.distinct.then(|| KeyTable::new(types)).transpose();
        let seen = seen.map_err(|error| self.error(&error.into()))?;
        Ok(Some(Groups { columns, count, done: 0, seen, _reservation: reservation }))
    }

    /// Returns the error of a merge. The upper half of a position is the number of its turn.
    fn failed(&self, error: MergeError) -> Error {
        match error {
            MergeError::Row(position, record_problem) => {
                let turn = usize::try_from(position >> 32).unwrap_or(usize::MAX);
                let origin = self.turns.get(turn).cloned().unwrap_or_default();
                Failure::Record(record_problem).into_error(&self.plan, &origin)
            }
            MergeError::Other(error) => error,
        }
    }

    fn sorted(&self, waiting: Waiting) -> Result<Stage> {
        let Some(sorter) = &self.sink.sorter else { return Ok(Stage::Done) };
        Ok(Stage::Sorted(Box::new(sorter.merge(self.plan.bound().offset, waiting)?)))
    }

    /// Returns a batch of all items as a batch of the answer.
    fn visible(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let columns = rows.columns()[..self.plan.bound().rows.visible].to_vec();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(self.plan.schema()), columns, &options)
            .map_err(|error| self.error(&error.into()))
    }

    fn error(&self, problem: &Problem) -> Error {
        problem.to_error(self.plan.source().name())
    }
}

impl Groups {
    /// Returns the next rows: all items, and their positions if they are to be sorted.
    fn next(&mut self, plan: &Plan) -> Result<RecordBatch, Problem> {
        let bound = plan.bound();
        let start = self.done;
        let rows = SORTED_ROWS_MAX.min(self.count - start);
        self.done += rows;
        let columns: Vec<Option<ArrayRef>> =
            self.columns.iter().map(|column| Some(column.slice(start, rows))).collect();
        let groups = Input { columns: &columns, rows };
        match &bound.rows.having {
            None => self.rows(plan, groups, start),
            Some(having) => {
                let kept = eval::evaluate_boolean(&having.expr, groups).map_err(in_item(having))?;
                let kept = eval::is_true(&kept);
                let columns = columns
                    .iter()
                    .map(|column| column.as_ref().map(|column| filter(column, &kept)).transpose())
                    .collect::<Result<Vec<_>, _>>()?;
                self.rows(plan, Input { columns: &columns, rows: kept.true_count() }, start)
            }
        }
    }

    fn rows(
        &mut self,
        plan: &Plan,
        groups: Input<'_>,
        start: usize,
    ) -> Result<RecordBatch, Problem> {
        let rows = &plan.bound().rows;
        let mut columns = rows
            .items
            .iter()
            .map(|item| eval::evaluate(&item.expr, groups).map_err(in_item(item)))
            .collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(groups.rows));
        let schema = match &rows.order {
            None => Arc::clone(plan.schema()),
            Some(order) => {
                let start = start as u64;
                let positions = UInt64Array::from_iter_values(start..start + groups.rows as u64);
                columns.push(Arc::new(positions));
                Arc::clone(&order.schema)
            }
        };
        let batch = RecordBatch::try_new_with_options(schema, columns, &options)?;
        let Some(seen) = &mut self.seen else { return Ok(batch) };
        let known = seen.len();
        let mut numbers = Vec::new();
        seen.intern(batch.columns()[..rows.visible].to_vec(), &mut numbers)?;
        let mut next = known;
        let is_new = numbers.into_iter().map(|number| {
            let is_new = number as usize == next;
            next += usize::from(is_new);
            Some(is_new)
        });
        Ok(filter_record_batch(&batch, &is_new.collect::<BooleanArray>())?)
    }
}

/// Adds the item to a problem of groups, which have no record to name.
fn in_item(item: &Item) -> impl Fn(Problem) -> Problem {
    |problem| Problem(format!("{} in `{}`", problem.0, item.text))
}
