//! The groups of a scan in the order of their first records, after all records were added.
//!
//! Groups in memory are sorted there. Groups that were read back from files come partition by
//! partition, and a [sorter](Sorter) brings them in order.

use std::sync::Arc;
use std::vec;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};

use super::flush::FlushJob;
use super::merge::{Merged, TableMerge};
use super::partitions::Partitions;
use super::table::{GroupTable, numbers};
use super::{CHUNK_GROUPS, GroupTables, KEY_STEPS, lock};
use crate::Result;
use crate::budget::Reservation;
use crate::expr::problem::Problem;
use crate::gather::pace::{Pace, Progress};
use crate::gather::sort::order::MergeSort;
use crate::gather::sort::{MergeError, SortJob, SortedRows, Sorter};
use crate::gather::sort_order::SortOrder;
use sift_files::cancel::spend;
use sift_files::io::waiting::Waiting;

/// The values of all groups, in steps.
#[derive(Debug)]
pub(crate) struct GroupRows {
    tables: Arc<GroupTables>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Gathered,
    /// Groups in memory.
    Merging(Box<TableMerge>),
    Ordering(Box<Ordering>),
    Finishing(Box<Finishing>),
    Finished(Finished),
    /// Groups in files: all tables are written.
    Flushing(Vec<FlushJob>),
    /// The distinct values of this state, by their number in the files, are added up.
    Pairs(usize, Box<Pairs>),
    Partitions(Box<PartitionRows>),
    Sorted(SortedRows),
}

impl GroupRows {
    /// Makes the rows of the groups in these tables, to which nothing is added any more.
    pub(crate) fn new(tables: Arc<GroupTables>) -> Self {
        Self { tables, stage: Stage::Gathered }
    }

    /// Returns the values of the keys, then those of the aggregates, for the next groups: as many
    /// as a batch has at most, except at the end. After an error there are no more.
    ///
    /// # Errors
    /// A sum that is out of range, before the first group; `LimitExceeded`; those of files.
    pub(crate) fn next(&mut self, pace: &Pace, waiting: Waiting) -> Result<Progress<RecordBatch>> {
        loop {
            match &mut self.stage {
                Stage::Finished(finished) => {
                    return Ok(finished.batches.next().map_or(Progress::Done, Progress::Ready));
                }
                Stage::Sorted(rows) => {
                    return rows.next(pace, waiting).map_err(MergeError::without_rows);
                }
                _ => {}
            }
            let stage = std::mem::replace(&mut self.stage, Stage::Gathered);
            self.stage = self.advance(stage, pace, waiting)?;
            if pace.is_over() {
                return Ok(Progress::Yielded);
            }
        }
    }

    fn advance(&self, stage: Stage, pace: &Pace, waiting: Waiting) -> Result<Stage> {
        let tables = &*self.tables;
        Ok(match stage {
            Stage::Gathered => self.gathered()?,
            Stage::Merging(merge) => match merge.step(tables, pace)? {
                Merged::Yielded(merge) => Stage::Merging(merge),
                Merged::Done(table) => Stage::Ordering(Box::new(Ordering::new(*table))),
                Merged::Full(jobs) => Stage::Flushing(jobs),
            },
            Stage::Ordering(mut ordering) => match tables.computed(ordering.step(pace))? {
                false => Stage::Ordering(ordering),
                true => Stage::Finishing(Box::new(ordering.finish())),
            },
            Stage::Finishing(mut finishing) => {
                match tables.computed(finishing.step(tables, pace))? {
                    false => Stage::Finishing(finishing),
                    true => {
                        let Finishing { mut table, batches, .. } = *finishing;
                        let _reservation = table.take_reservation();
                        Stage::Finished(Finished { batches: batches.into_iter(), _reservation })
                    }
                }
            }
            Stage::Flushing(mut jobs) => match jobs.last_mut() {
                Some(job) => {
                    if job.step(pace, waiting)? {
                        jobs.pop();
                    }
                    Stage::Flushing(jobs)
                }
                None => self.pairs(0)?,
            },
            Stage::Pairs(number, mut pairs) => match pairs.step(tables, pace, waiting)? {
                false => Stage::Pairs(number, pairs),
                true => self.pairs(number + 1)?,
            },
            Stage::Partitions(mut partitions) => match partitions.step(tables, pace, waiting)? {
                false => Stage::Partitions(partitions),
                true => {
                    tables
                        .computed(partitions.failed.map_or(Ok(()), |(_, problem)| Err(problem)))?;
                    tables.drop_spools();
                    Stage::Sorted(SortedRows::new(partitions.sorter, 0))
                }
            },
            done @ (Stage::Finished(_) | Stage::Sorted(_)) => done,
        })
    }

    /// Decides where the groups are merged: in memory, unless some of them were written.
    fn gathered(&self) -> Result<Stage> {
        let tables = &self.tables;
        let mut all: Vec<GroupTable> = std::mem::take(&mut *lock(&tables.idle));
        all.extend(std::mem::take(&mut *lock(&tables.full)));
        if lock(&tables.spools).is_some() {
            let spools = tables.spools()?;
            let job = |table| FlushJob::new(table, Arc::clone(&spools), &tables.source);
            return Ok(Stage::Flushing(all.into_iter().map(job).collect()));
        }
        // the fewest groups are moved if the others are added to the largest table
        all.sort_by_key(GroupTable::len);
        let largest = match all.pop() {
            Some(table) => table,
            None => tables.take()?,
        };
        Ok(Stage::Merging(Box::new(TableMerge::new(largest, all))))
    }

    /// Starts to add up the distinct values of a state, or, after the last one, to merge the
    /// groups.
    fn pairs(&self, number: usize) -> Result<Stage> {
        let tables = &*self.tables;
        let spools = tables.spools()?;
        Ok(match spools.pairs.get(number) {
            Some((state, spool)) => {
                let partitions = Partitions::new(spool)?;
                let all = tables.new_plain_table()?;
                let pairs = Pairs {
                    state: *state,
                    partitions,
                    partition: None,
                    all: Some(all),
                    flush: None,
                };
                Stage::Pairs(number, Box::new(pairs))
            }
            None => {
                let sorter = Arc::new(tables.sorter()?);
                let partitions = Partitions::new(&spools.groups)?;
                let rows =
                    PartitionRows { partitions, partition: None, sorter, job: None, failed: None };
                Stage::Partitions(Box::new(rows))
            }
        })
    }
}

impl GroupTables {
    /// Makes a sorter of groups: the values of their keys and aggregates, and their position.
    fn sorter(&self) -> Result<Sorter> {
        let keys = self.grouping.keys.iter().map(|key| &key.expr.data_type);
        let types = keys.chain(self.grouping.aggregates.iter().map(|a| a.data_type()));
        let field = |(number, data_type): (usize, &DataType)| {
            Field::new(number.to_string(), data_type.clone(), true)
        };
        let position = Field::new("position", DataType::UInt64, false);
        let fields: Vec<Field> = types.enumerate().map(field).chain([position]).collect();
        let order = SortOrder {
            source: self.source.clone(),
            keys: Vec::new(),
            distinct: 0,
            rows_max: None,
            columns: Vec::new(),
            schema: Arc::new(Schema::new(fields)),
        };
        self.computed(Sorter::new(Arc::new(order), &self.memory, self.spill.clone()))
    }
}

/// The groups of a table while they are brought in order.
#[derive(Debug)]
struct Ordering {
    table: GroupTable,
    /// The number of states whose distinct values were added up, and how many of the next one were.
    states: usize,
    pairs: usize,
    /// Positions and numbers of the groups.
    order: MergeSort<(u64, u32)>,
}

impl Ordering {
    fn new(table: GroupTable) -> Self {
        Self { table, states: 0, pairs: 0, order: MergeSort::new() }
    }

    /// Works until the step is over; returns true at the end.
    fn step(&mut self, pace: &Pace) -> Result<bool, Problem> {
        while let Some(state) = self.table.states.get_mut(self.states) {
            let pairs = state.add_up(self.pairs, CHUNK_GROUPS)?;
            match pairs {
                0 => (self.states, self.pairs) = (self.states + 1, 0),
                more => self.pairs += more,
            }
            spend(KEY_STEPS * pairs)?;
            if pace.is_over() {
                return Ok(false);
            }
        }
        while self.order.items().len() < self.table.len() {
            let start = self.order.items().len();
            let groups = start..self.table.len().min(start + CHUNK_GROUPS);
            let positions = self.table.first[groups.clone()].iter().copied();
            self.order.extend(positions.zip(numbers(groups)));
            if pace.is_over() {
                return Ok(false);
            }
        }
        Ok(self.order.step(pace, Ord::cmp)?)
    }

    fn finish(self) -> Finishing {
        let order = self.order.into_items();
        Finishing { table: self.table, order, done: 0, batches: Vec::new() }
    }
}

/// The groups of a table in order while their values are computed.
#[derive(Debug)]
struct Finishing {
    table: GroupTable,
    order: Vec<(u64, u32)>,
    done: usize,
    batches: Vec<RecordBatch>,
}

impl Finishing {
    /// Works until the step is over; returns true at the end.
    fn step(&mut self, tables: &GroupTables, pace: &Pace) -> Result<bool, Problem> {
        while self.done < self.order.len() {
            let groups = &self.order[self.done..];
            let groups = &groups[..groups.len().min(CHUNK_GROUPS)];
            self.done += groups.len();
            let groups: Vec<u32> = groups.iter().map(|(_, group)| *group).collect();
            let columns = self.table.finish(&tables.grouping, &groups).map_err(|problem| {
                let first = self.table.first_problem(&tables.grouping, &groups);
                first.map_or(problem, |(_, problem)| problem)
            })?;
            self.batches.push(batch(columns, groups.len())?);
            if pace.is_over() {
                return Ok(self.done == self.order.len());
            }
        }
        Ok(true)
    }
}

/// The values of all groups.
#[derive(Debug)]
struct Finished {
    batches: vec::IntoIter<RecordBatch>,
    /// The memory of the groups, reserved until the end.
    _reservation: Reservation,
}

fn batch(columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, Problem> {
    let fields = columns
        .iter()
        .enumerate()
        .map(|(number, column)| Field::new(number.to_string(), column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}

/// The distinct values of one state, on their way from files to the groups that they belong to.
#[derive(Debug)]
struct Pairs {
    state: usize,
    partitions: Partitions,
    /// The distinct values of a partition, and how many of them were added up.
    partition: Option<(GroupTable, usize)>,
    /// The groups, with the distinct values so far in this state and nothing in the others. They
    /// are written among the other groups in the end.
    all: Option<GroupTable>,
    flush: Option<FlushJob>,
}

impl Pairs {
    /// Works until the step is over; returns true at the end.
    fn step(&mut self, tables: &GroupTables, pace: &Pace, waiting: Waiting) -> Result<bool> {
        loop {
            if let Some(flush) = &mut self.flush {
                if !flush.step(pace, waiting)? {
                    return Ok(false);
                }
                self.flush = None;
            } else if let Some((partition, done)) = &mut self.partition {
                let Some(all) = &mut self.all else { return Ok(true) };
                let pairs = *done..partition.len().min(*done + CHUNK_GROUPS);
                *done = pairs.end;
                if pairs.is_empty() {
                    self.partition = None;
                    continue;
                }
                let mut columns = tables.computed(partition.keys(&numbers(pairs)))?;
                if let Some(values) = columns.pop() {
                    tables.computed(all.add_values(self.state, columns, &values))?;
                }
                if tables.exceeded(all)?.is_some() {
                    let full = std::mem::replace(all, tables.new_plain_table()?);
                    self.flush = Some(FlushJob::new(full, tables.spools()?, &tables.source));
                }
            } else {
                let empty = || tables.new_pairs_table(self.state);
                match self.partitions.next(tables, empty, pace, waiting)? {
                    Progress::Ready(partition) => self.partition = Some((partition, 0)),
                    Progress::Yielded => return Ok(false),
                    Progress::Done => match self.all.take() {
                        Some(all) => {
                            let spools = tables.spools()?;
                            self.flush = Some(FlushJob::new(all, spools, &tables.source));
                        }
                        None => return Ok(true),
                    },
                }
            }
            if pace.is_over() {
                return Ok(false);
            }
        }
    }
}

/// The groups of the partitions, on their way to the sorter.
#[derive(Debug)]
struct PartitionRows {
    partitions: Partitions,
    /// The groups of a partition, and how many of them were given to the sorter.
    partition: Option<(GroupTable, usize)>,
    sorter: Arc<Sorter>,
    job: Option<SortJob>,
    /// The first group that has no value, by its position.
    failed: Option<(u64, Problem)>,
}

impl PartitionRows {
    /// Works until the step is over; returns true at the end.
    fn step(&mut self, tables: &GroupTables, pace: &Pace, waiting: Waiting) -> Result<bool> {
        loop {
            if let Some(job) = &mut self.job {
                if !job.step(pace, waiting)? {
                    return Ok(false);
                }
                self.job = None;
            } else if let Some((partition, done)) = &mut self.partition {
                let groups = *done..partition.len().min(*done + CHUNK_GROUPS);
                *done = groups.end;
                if groups.is_empty() {
                    self.partition = None;
                    continue;
                }
                let group_numbers = numbers(groups.clone());
                match partition.finish(&tables.grouping, &group_numbers) {
                    Ok(mut columns) => {
                        let positions = partition.first[groups].iter().copied();
                        columns.push(Arc::new(UInt64Array::from_iter_values(positions)));
                        let schema = Arc::clone(self.sorter.schema());
                        let batch = RecordBatch::try_new(schema, columns);
                        self.sorter.push(tables.computed(batch.map_err(Problem::from))?);
                        self.job = self.sorter.job();
                    }
                    Err(problem) => {
                        let failed = partition.first_problem(&tables.grouping, &group_numbers);
                        let failed = failed.unwrap_or((0, problem));
                        if self.failed.as_ref().is_none_or(|(first, _)| failed.0 < *first) {
                            self.failed = Some(failed);
                        }
                    }
                }
            } else {
                let empty = || tables.new_plain_table();
                match self.partitions.next(tables, empty, pace, waiting)? {
                    Progress::Ready(partition) => self.partition = Some((partition, 0)),
                    Progress::Yielded => return Ok(false),
                    Progress::Done => return Ok(true),
                }
            }
            if pace.is_over() {
                return Ok(false);
            }
        }
    }
}
