//! The last stage of a scan, after every record was read: groups become rows, and rows are sorted.
//!
//! Morsels add to [`Sink`] what cannot be returned at once. [`FinalStage`] returns the rest of the
//! answer from it, one batch for each call.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::compute::filter;

use super::ScanOptions;
use super::failure::Failure;
use crate::expr::eval::Input;
use crate::expr::problem::Problem;
use crate::expr::{Item, eval};
use crate::gather::group::{FlushJob, GroupRows, GroupTable, GroupTables, Grouping};
use crate::gather::pace::{Pace, Progress};
use crate::gather::sort::{JOBS_MAX, MergeError, SORTED_ROWS_MAX, SortJob, SortedRows, Sorter};
use crate::plan::Plan;
use crate::{Error, Result};
use sift_files::cancel::spend;
use sift_files::io::waiting::Waiting;
use sift_files::turns::Origin;

/// The groups and the sorter that the morsels of a scan fill.
#[derive(Debug)]
pub(crate) struct Sink {
    pub(crate) groups: Option<Arc<GroupTables>>,
    /// The distinct rows that are made of groups, if only the first of equal rows is returned.
    distinct: Option<Arc<GroupTables>>,
    pub(crate) sorter: Option<Arc<Sorter>>,
    step_time: Duration,
}

/// Work on gathered rows that outgrow memory; any thread can do its next step.
#[derive(Debug)]
pub(crate) enum GatherJob {
    Flush(FlushJob),
    Sort(SortJob),
}

impl GatherJob {
    /// Works until the step is over; returns true at the end.
    pub(crate) fn step(&mut self, pace: &Pace, waiting: Waiting) -> Result<bool> {
        match self {
            Self::Flush(job) => job.step(pace, waiting),
            Self::Sort(job) => job.step(pace, waiting),
        }
    }
}

impl Sink {
    /// Makes the sink of a scan that gathers nothing.
    pub(crate) fn none() -> Self {
        Self { groups: None, distinct: None, sorter: None, step_time: Duration::ZERO }
    }

    pub(crate) fn new(plan: &Plan, options: &ScanOptions) -> Result<Self> {
        let (rows, source) = (&plan.bound().rows, plan.source().name());
        let sorter = rows
            .order
            .as_ref()
            .map(|order| Sorter::new(Arc::clone(order), &options.memory, options.spill.clone()));
        let sorter = sorter.transpose().map_err(|problem| problem.to_error(source))?;
        let tables = |grouping: Arc<Grouping>| {
            Arc::new(GroupTables::new(grouping, source, &options.memory, options.spill.clone()))
        };
        let items = &rows.items[..rows.visible];
        let distinct = || Arc::new(Grouping::new(items.to_vec(), Vec::new(), "DISTINCT"));
        Ok(Self {
            groups: rows.grouping.clone().map(tables),
            distinct: rows.distinct.then(|| tables(distinct())),
            sorter: sorter.map(Arc::new),
            step_time: options.step_time,
        })
    }

    /// Returns the time limit of the next step of a job.
    pub(crate) fn pace(&self) -> Pace {
        Pace::new(self.step_time)
    }

    /// Returns whether records to be sorted find no memory. Then they come one morsel at a time.
    pub(crate) fn is_short_of_memory(&self) -> bool {
        self.sorter.as_ref().is_some_and(|sorter| sorter.is_short_of_memory())
    }

    /// Returns the most jobs at a time: with as many, no more records are read.
    pub(crate) fn jobs_max(&self) -> usize {
        // a table of groups may have all memory, and a buffer of the sorter only a part
        if self.groups.is_some() { 1 } else { JOBS_MAX }
    }

    /// Returns whether there is a job that nobody does.
    pub(crate) fn has_job(&self) -> bool {
        let tables = [&self.groups, &self.distinct];
        tables.into_iter().flatten().any(|tables| tables.has_job())
            || self.sorter.as_ref().is_some_and(|sorter| sorter.has_job())
    }

    /// Returns a job that nobody does.
    ///
    /// # Errors
    /// `Io`.
    pub(crate) fn job(&self) -> Result<Option<GatherJob>> {
        for tables in [&self.groups, &self.distinct].into_iter().flatten() {
            if let Some(job) = tables.job()? {
                return Ok(Some(GatherJob::Flush(job)));
            }
        }
        Ok(self.sorter.as_ref().and_then(Sorter::job).map(GatherJob::Sort))
    }
}

/// The last stage of a scan.
#[derive(Debug)]
pub(crate) struct FinalStage {
    plan: Plan,
    sink: Arc<Sink>,
    stage: Stage,
    /// A job that comes before the next rows.
    job: Option<GatherJob>,
    /// The error that comes after the distinct rows.
    failed: Option<Error>,
    /// The origin of the records of each turn.
    turns: Vec<Origin>,
}

#[derive(Debug)]
enum Stage {
    Gathered,
    Groups(Groups),
    Distinct(GroupRows, u64),
    Sorted(SortedRows),
    Done,
}

/// The groups while they become rows.
#[derive(Debug)]
struct Groups {
    rows: GroupRows,
    /// The number of groups so far.
    done: u64,
    /// The distinct rows so far, and the number of the rows that they are among.
    distinct: Option<GroupTable>,
    distinct_rows: u64,
}

impl FinalStage {
    /// Makes the last stage of a scan that has read every record.
    pub(crate) fn new(plan: Plan, sink: Arc<Sink>, turns: Vec<Origin>) -> Self {
        Self { plan, sink, stage: Stage::Gathered, job: None, failed: None, turns }
    }

    /// Returns the next batch of the answer.
    ///
    /// # Errors
    /// `Computation`, `LimitExceeded`, `Io`, and `Record` for a row of the answer that has no
    /// values.
    pub(crate) fn next(&mut self, waiting: Waiting) -> Result<Progress<RecordBatch>> {
        let pace = self.sink.pace();
        loop {
            spend(SORTED_ROWS_MAX)?;
            match &mut self.job {
                Some(job) => {
                    if job.step(&pace, waiting)? {
                        self.job = self.sink.job()?;
                    }
                }
                None => {
                    let stage = std::mem::replace(&mut self.stage, Stage::Done);
                    if let Some(rows) = self.advance(stage, &pace, waiting)? {
                        return self.visible(&rows).map(Progress::Ready);
                    }
                    if matches!(self.stage, Stage::Done) {
                        return Ok(Progress::Done);
                    }
                }
            }
            if pace.is_over() {
                return Ok(Progress::Yielded);
            }
        }
    }

    /// Works until the step is over, and stores the next stage. Returns rows of the answer.
    fn advance(
        &mut self,
        stage: Stage,
        pace: &Pace,
        waiting: Waiting,
    ) -> Result<Option<RecordBatch>> {
        let (stage, rows) = match stage {
            Stage::Gathered => match &self.sink.groups {
                Some(tables) => {
                    let rows = GroupRows::new(Arc::clone(tables));
                    (
                        Stage::Groups(Groups { rows, done: 0, distinct: None, distinct_rows: 0 }),
                        None,
                    )
                }
                None => (self.sorted(), None),
            },
            Stage::Groups(mut groups) => match groups.rows.next(pace, waiting)? {
                Progress::Ready(batch) => match groups.next(&self.plan, &batch) {
                    Ok(rows) => {
                        let rows = self.take_groups(&mut groups, rows)?;
                        (Stage::Groups(groups), rows)
                    }
                    Err(problem) => {
                        let error = self.error(&problem);
                        if self.sink.distinct.is_none() {
                            return Err(error);
                        }
                        self.failed = Some(error);
                        (self.distinct(groups), None)
                    }
                },
                Progress::Yielded => (Stage::Groups(groups), None),
                Progress::Done => (self.distinct(groups), None),
            },
            Stage::Distinct(mut distinct, done) => match distinct.next(pace, waiting)? {
                Progress::Ready(batch) => {
                    let columns = batch.columns()[..self.plan.bound().rows.visible].to_vec();
                    let rows = rows_of(&self.plan, columns, batch.num_rows(), done);
                    let rows = rows.map_err(|problem| self.error(&problem))?;
                    let done = done + rows.num_rows() as u64;
                    (Stage::Distinct(distinct, done), self.sort_or_return(rows)?)
                }
                Progress::Yielded => (Stage::Distinct(distinct, done), None),
                Progress::Done => match self.failed.take() {
                    Some(error) => return Err(error),
                    None => (self.sorted(), None),
                },
            },
            Stage::Sorted(mut sorted) => {
                match sorted.next(pace, waiting).map_err(|error| self.failed(error))? {
                    Progress::Ready(rows) => (Stage::Sorted(sorted), Some(rows)),
                    Progress::Yielded => (Stage::Sorted(sorted), None),
                    Progress::Done => (Stage::Done, None),
                }
            }
            Stage::Done => (Stage::Done, None),
        };
        self.stage = stage;
        Ok(rows)
    }

    /// Takes rows that were made of groups, and returns those that are in the answer now.
    fn take_groups(
        &mut self,
        groups: &mut Groups,
        rows: RecordBatch,
    ) -> Result<Option<RecordBatch>> {
        let Some(tables) = &self.sink.distinct else { return self.sort_or_return(rows) };
        let table = match groups.distinct.take() {
            Some(table) => table,
            None => tables.take()?,
        };
        let keys = rows.columns()[..self.plan.bound().rows.visible].to_vec();
        let start = groups.distinct_rows;
        groups.distinct_rows += rows.num_rows() as u64;
        let position = |row| start + row as u64;
        groups.distinct = tables.update(table, rows.num_rows(), keys, &[], position)?;
        self.job = self.sink.job()?;
        Ok(None)
    }

    fn sort_or_return(&mut self, rows: RecordBatch) -> Result<Option<RecordBatch>> {
        if rows.num_rows() == 0 {
            return Ok(None);
        }
        let Some(sorter) = &self.sink.sorter else { return Ok(Some(rows)) };
        sorter.push(rows);
        self.job = self.sink.job()?;
        Ok(None)
    }

    /// Returns the stage after all groups have become rows.
    fn distinct(&self, groups: Groups) -> Stage {
        let Some(tables) = &self.sink.distinct else { return self.sorted() };
        if let Some(table) = groups.distinct {
            tables.give_back(table);
        }
        Stage::Distinct(GroupRows::new(Arc::clone(tables)), 0)
    }

    fn sorted(&self) -> Stage {
        let Some(sorter) = &self.sink.sorter else { return Stage::Done };
        Stage::Sorted(SortedRows::new(Arc::clone(sorter), self.plan.bound().offset))
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
    /// Returns the rows of the next groups: all items, and their positions if they are to be
    /// sorted.
    fn next(&mut self, plan: &Plan, groups: &RecordBatch) -> Result<RecordBatch, Problem> {
        let rows = &plan.bound().rows;
        let start = self.done;
        self.done += groups.num_rows() as u64;
        let columns: Vec<_> = groups.columns().iter().cloned().map(Some).collect();
        let input = Input { columns: &columns, rows: groups.num_rows() };
        let Some(having) = &rows.having else { return items(plan, input, start) };
        let kept = eval::evaluate_boolean(&having.expr, input).map_err(in_item(having))?;
        let kept = eval::is_true(&kept);
        let columns = groups.columns().iter().map(|column| filter(column, &kept).map(Some));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        items(plan, Input { columns: &columns, rows: kept.true_count() }, start)
    }
}

fn items(plan: &Plan, groups: Input<'_>, start: u64) -> Result<RecordBatch, Problem> {
    let items = &plan.bound().rows.items;
    let columns =
        items.iter().map(|item| eval::evaluate(&item.expr, groups).map_err(in_item(item)));
    rows_of(plan, columns.collect::<Result<_, _>>()?, groups.rows, start)
}

/// Makes rows of the values of the items. `start` is the position of the first row.
fn rows_of(
    plan: &Plan,
    mut columns: Vec<ArrayRef>,
    rows: usize,
    start: u64,
) -> Result<RecordBatch, Problem> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let schema = match &plan.bound().rows.order {
        None => Arc::clone(plan.schema()),
        Some(order) => {
            let positions = UInt64Array::from_iter_values(start..start + rows as u64);
            columns.push(Arc::new(positions));
            Arc::clone(&order.schema)
        }
    };
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}

/// Adds the item to a problem of groups, which have no record to name.
fn in_item(item: &Item) -> impl Fn(Problem) -> Problem {
    |problem| Problem(format!("{} in `{}`", problem.0, item.text))
}
