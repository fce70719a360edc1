//! Groups of records with equal keys, and their aggregates (hash aggregation).
//!
//! Each thread has its own table. If memory is full, a job writes the groups of a full table to a
//! file, partitioned by the hash of their keys. After the last record, the tables are merged, or
//! else the partitions of the file one after the other, each of which fits into memory or is
//! divided again. The groups are in the order of their first records in the file, however the file
//! was divided.
//!
//! Dividing by hash needs no order of the keys and writes each group once for each level, as the
//! hash aggregations of PostgreSQL and DuckDB do; sorted runs, as in DataFusion, would need a sort
//! of each table and a second one for the order of the file.

mod finish;
mod flush;
mod merge;
mod partitions;
mod spool;
mod table;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use super::aggregate::{Aggregate, GroupsAccumulator};
use super::spill::SpillDirectory;
use crate::budget::{Exceeded, MemoryBudget};
use crate::expr::problem::Problem;
use crate::expr::{Expr, Item};
use crate::{Error, ErrorKind, Result};
use spool::Spools;

pub(crate) use finish::GroupRows;
pub(crate) use flush::FlushJob;
pub(crate) use table::{Argument, GroupTable};

/// The number of groups that are moved or finished at once.
const CHUNK_GROUPS: usize = 8 << 10;

/// The number of steps to look up a key.
const KEY_STEPS: usize = 16;

/// A table takes as many bytes even if memory is full, so that there is progress.
const TABLE_BYTES_MIN: usize = 64 << 10;

/// A table of several groups takes at most this part of the memory if memory is full.
const TABLES: usize = 16;

/// The keys and the aggregates of a grouped Select.
#[derive(Debug)]
pub(crate) struct Grouping {
    /// Empty: all records are one group, even if there are none.
    pub(crate) keys: Vec<Item>,
    pub(crate) aggregates: Vec<Aggregate>,
    /// The aggregates that have a state of their own.
    states: Vec<usize>,
    /// For each aggregate, the index of its state.
    state_of: Vec<usize>,
    /// The name of the clause in the Select: GROUP BY, DISTINCT.
    pub(crate) clause: &'static str,
}

/// The groups of a scan: the tables that no thread is using, and what was written.
#[derive(Debug)]
pub(crate) struct GroupTables {
    grouping: Arc<Grouping>,
    /// The name of the source, for errors.
    source: String,
    idle: Mutex<Vec<GroupTable>>,
    /// Tables that outgrew memory and that no job has taken.
    full: Mutex<VecDeque<GroupTable>>,
    /// The groups in files, from the first full table on.
    spools: Mutex<Option<Arc<Spools>>>,
    memory: Arc<MemoryBudget>,
    spill: Option<Arc<SpillDirectory>>,
}

impl GroupTables {
    pub(crate) fn new(
        grouping: Arc<Grouping>,
        source: &str,
        memory: &Arc<MemoryBudget>,
        spill: Option<Arc<SpillDirectory>>,
    ) -> Self {
        Self {
            grouping,
            source: source.to_owned(),
            idle: Mutex::default(),
            full: Mutex::default(),
            spools: Mutex::default(),
            memory: Arc::clone(memory),
            spill,
        }
    }

    /// Returns a table for the calling thread: an idle one, or else a new one.
    pub(crate) fn take(&self) -> Result<GroupTable> {
        match lock(&self.idle).pop() {
            Some(table) => Ok(table),
            None => self.new_table(Aggregate::start),
        }
    }

    pub(crate) fn give_back(&self, table: GroupTable) {
        lock(&self.idle).push(table);
    }

    /// Adds records to a table, as [`GroupTable::update`] does. Returns the table, unless it is
    /// full now and waits for its job.
    ///
    /// # Errors
    /// `LimitExceeded` if it outgrows memory and there is no spill folder.
    pub(crate) fn update(
        &self,
        mut table: GroupTable,
        rows: usize,
        keys: Vec<ArrayRef>,
        arguments: &[Argument],
        position: impl Fn(usize) -> u64,
    ) -> Result<Option<GroupTable>> {
        self.computed(table.update(rows, keys, arguments, position))?;
        if self.exceeded(&mut table)?.is_none() {
            return Ok(Some(table));
        }
        lock(&self.full).push_back(table);
        Ok(None)
    }

    /// Returns whether a table waits for its job.
    pub(crate) fn has_job(&self) -> bool {
        !lock(&self.full).is_empty()
    }

    /// Returns a job for a full table, to be done by any thread.
    ///
    /// # Errors
    /// `Io`.
    pub(crate) fn job(&self) -> Result<Option<FlushJob>> {
        let Some(table) = lock(&self.full).pop_front() else { return Ok(None) };
        Ok(Some(FlushJob::new(table, self.spools()?, &self.source)))
    }

    /// Makes a table without groups.
    fn new_table(
        &self,
        start: impl Fn(&Aggregate) -> Result<GroupsAccumulator, Problem>,
    ) -> Result<GroupTable> {
        let keys = self.grouping.keys.iter().map(|key| key.expr.data_type.clone());
        let states = self.grouping.states().map(start).collect::<Result<_, _>>();
        let table = states.and_then(|states| GroupTable::new(keys, states, &self.memory));
        self.computed(table)
    }

    /// Makes a table for groups whose distinct values were counted or added up elsewhere.
    fn new_plain_table(&self) -> Result<GroupTable> {
        self.new_table(|aggregate| Ok(aggregate.start_of_all()))
    }

    /// Makes a table for the distinct values of a state, with the keys of their groups.
    fn new_pairs_table(&self, state: usize) -> Result<GroupTable> {
        let keys = self.grouping.keys.iter().map(|key| key.expr.data_type.clone());
        let of = self.grouping.states().nth(state).and_then(Aggregate::distinct_type);
        let types: Vec<DataType> = keys.chain(of.cloned()).collect();
        self.computed(GroupTable::new(types.into_iter(), Vec::new(), &self.memory))
    }

    /// Counts a table in the budget; returns the reason if it has to be written.
    ///
    /// # Errors
    /// `LimitExceeded` if it may not be written.
    fn exceeded(&self, table: &mut GroupTable) -> Result<Option<Exceeded>> {
        match table.account() {
            Ok(()) => Ok(None),
            Err(exceeded) if self.spill.is_none() => Err(self.too_large(table.len(), exceeded)),
            Err(exceeded) => {
                let bytes_max = match table.is_divisible() {
                    true => TABLE_BYTES_MIN.min(self.memory.bytes_max() / TABLES),
                    false => TABLE_BYTES_MIN,
                };
                Ok((table.memory_bytes() > bytes_max).then_some(exceeded))
            }
        }
    }

    /// Returns the groups in files; the first call makes the files.
    fn spools(&self) -> Result<Arc<Spools>> {
        let mut spools = lock(&self.spools);
        if let Some(spools) = &*spools {
            return Ok(Arc::clone(spools));
        }
        let Some(spill) = &self.spill else {
            return Err(Error::new(ErrorKind::LimitExceeded, "there is no folder for groups"));
        };
        let made = Arc::new(Spools::new(&self.grouping, spill, &self.source)?);
        *spools = Some(Arc::clone(&made));
        Ok(made)
    }

    /// Releases the files, after all groups were read.
    fn drop_spools(&self) {
        *lock(&self.spools) = None;
    }

    fn computed<T>(&self, result: Result<T, Problem>) -> Result<T> {
        result.map_err(|problem| problem.to_error(&self.source))
    }

    fn too_large(&self, groups: usize, exceeded: Exceeded) -> Error {
        let Exceeded { key, bytes_max } = exceeded;
        let of: Vec<&str> = self.grouping.keys.iter().map(|key| key.text.as_str()).collect();
        let what = match of.as_slice() {
            [] => "DISTINCT inside an aggregate".to_owned(),
            of => format!("{} {} with {groups} groups so far", self.grouping.clause, of.join(", ")),
        };
        let message = format!(
            "{what} takes more than the {bytes_max} bytes of memory it may; \
             select less, or raise `{key}`"
        );
        Error::new(ErrorKind::LimitExceeded, message)
    }
}

impl Grouping {
    pub(crate) fn new(keys: Vec<Item>, aggregates: Vec<Aggregate>, clause: &'static str) -> Self {
        let mut states: Vec<usize> = Vec::new();
        let mut state_of = Vec::with_capacity(aggregates.len());
        for (index, aggregate) in aggregates.iter().enumerate() {
            let known = states.iter().position(|known| aggregates[*known].shares_state(aggregate));
            state_of.push(known.unwrap_or(states.len()));
            if known.is_none() {
                states.push(index);
            }
        }
        Self { keys, aggregates, states, state_of, clause }
    }

    /// Returns whether each record is looked up in a hash table.
    pub(crate) fn is_hashed(&self) -> bool {
        !self.keys.is_empty() || self.states().any(|state| state.distinct_type().is_some())
    }

    /// Returns the aggregates that have a state of their own; the others use one of these states.
    pub(crate) fn states(&self) -> impl Iterator<Item = &Aggregate> {
        self.states.iter().map(|index| &self.aggregates[*index])
    }

    /// Returns the expressions that are evaluated for each record.
    pub(crate) fn exprs(&self) -> impl Iterator<Item = &Expr> {
        let keys = self.keys.iter().map(|key| &key.expr);
        keys.chain(self.states().flat_map(Aggregate::exprs))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // a thread that panicked has lost its table, and its scan has failed
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
