//! Groups of records with equal keys, and their aggregates (hash aggregation).
//!
//! Each thread has its own table; after the last record the tables are merged. The groups are in
//! the order of their first records in the file, however the file was divided.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;

use super::aggregate::{Aggregate, FEW_GROUPS, GroupIndices, GroupsAccumulator, count_few};
use super::key_table::KeyTable;
use crate::budget::{Exceeded, MemoryBudget, Reservation};
use crate::expr::problem::Problem;
use crate::expr::{Expr, Item};
use crate::{Error, ErrorKind};
use sift_files::cancel::{check_wanted, spend};

/// Groups of another table that are looked up at once, because their keys are copied.
pub(crate) const MERGED_AT_ONCE: usize = 8 << 10;

/// The number of steps to look up a key.
pub(crate) const MERGED_STEPS: usize = 16;

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

/// The arguments of an aggregate over some records.
pub(crate) struct Argument {
    /// The records that count; `None` for all.
    pub(crate) rows: Option<Vec<u32>>,
    /// The values of these records; `None` for `count(*)`.
    pub(crate) values: Option<ArrayRef>,
}

/// The tables that no thread is using.
#[derive(Debug)]
pub(crate) struct GroupTables {
    idle: Mutex<Vec<GroupTable>>,
    memory: Arc<MemoryBudget>,
}

impl GroupTables {
    pub(crate) fn new(memory: Arc<MemoryBudget>) -> Self {
        Self { idle: Mutex::default(), memory }
    }

    /// Returns a table for the calling thread: an idle one, or else a new one.
    pub(crate) fn take(&self, grouping: &Grouping) -> Result<GroupTable, Problem> {
        match self.idle().pop() {
            Some(table) => Ok(table),
            None => GroupTable::new(grouping, Arc::clone(&self.memory)),
        }
    }

    pub(crate) fn give_back(&self, table: GroupTable) {
        self.idle().push(table);
    }

    /// Merges all tables into one.
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub(crate) fn merge(&self, grouping: &Grouping) -> Result<GroupTable, GroupError> {
        let mut tables = std::mem::take(&mut *self.idle()).into_iter();
        let mut all = match tables.next() {
            Some(table) => table,
            None => GroupTable::new(grouping, Arc::clone(&self.memory))?,
        };
        for table in tables {
            all.merge(table)?;
            all.account(grouping)?;
        }
        Ok(all)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<GroupTable>> {
        // a thread that panicked has lost its table, and its scan has failed
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reason why records could not be added to a group table.
#[derive(Debug)]
pub(crate) enum GroupError {
    Problem(Problem),
    /// `LimitExceeded`.
    Memory(Error),
}

impl<E: Into<Problem>> From<E> for GroupError {
    fn from(error: E) -> Self {
        Self::Problem(error.into())
    }
}

/// The groups of the records that were added.
#[derive(Debug)]
pub(crate) struct GroupTable {
    /// `None` if all records are one group.
    keys: Option<KeyTable>,
    states: Vec<GroupsAccumulator>,
    /// For each group, the position of its first record in the file.
    first: Vec<u64>,
    /// The greatest position of a record that was added.
    last: u64,
    /// The groups of one batch; the buffer is reused.
    groups: Vec<u32>,
    reservation: Reservation,
}

impl GroupTable {
    fn new(grouping: &Grouping, memory: Arc<MemoryBudget>) -> Result<Self, Problem> {
        let keys = &grouping.keys;
        let types = keys.iter().map(|key| key.expr.data_type.clone());
        let mut table = Self {
            keys: if keys.is_empty() { None } else { Some(KeyTable::new(types)?) },
            states: grouping.states().map(Aggregate::start).collect::<Result<_, _>>()?,
            first: Vec::new(),
            last: 0,
            groups: Vec::new(),
            reservation: Reservation::new(memory),
        };
        if table.keys.is_none() {
            table.first.push(0);
            table.states.iter_mut().for_each(|state| state.resize(1));
        }
        Ok(table)
    }

    /// Adds records: `keys` has the values of each key, `arguments` one for each state. `position`
    /// returns the position of a record in the file; positions ascend within a call.
    ///
    /// # Errors
    /// `LimitExceeded`; the table cannot be used after that.
    pub(crate) fn update(
        &mut self,
        grouping: &Grouping,
        rows: usize,
        keys: Vec<ArrayRef>,
        arguments: &[Argument],
        position: impl Fn(usize) -> u64,
    ) -> Result<(), GroupError> {
        self.groups.clear();
        if let Some(table) = &mut self.keys {
            table.intern(keys, &mut self.groups)?;
            let known = self.first.len();
            let is_new = |group: u32| group as usize >= known;
            if table.len() > known {
                for (row, group) in self.groups.iter().enumerate().filter(|(_, g)| is_new(**g)) {
                    if *group as usize == self.first.len() {
                        self.first.push(position(row));
                    }
                }
                self.states.iter_mut().for_each(|state| state.resize(table.len()));
            }
            // a slower thread may add records from before those that are in the table
            if rows > 0 && position(0) < self.last {
                for (row, group) in self.groups.iter().enumerate() {
                    let first = &mut self.first[*group as usize];
                    *first = (*first).min(position(row));
                }
            }
            self.last = self.last.max(rows.checked_sub(1).map_or(0, position));
        }
        let few = (self.keys.is_some() && self.first.len() <= FEW_GROUPS)
            .then(|| count_few(&self.groups));
        for (state, argument) in self.states.iter_mut().zip(arguments) {
            let chosen: Vec<u32>;
            let members = match (&self.keys, &argument.rows) {
                (None, None) => GroupIndices::One(rows),
                (None, Some(chosen)) => GroupIndices::One(chosen.len()),
                (Some(_), None) => match &few {
                    Some(counts) => GroupIndices::Few(&self.groups, counts),
                    None => GroupIndices::Of(&self.groups),
                },
                (Some(_), Some(rows)) => {
                    chosen = rows.iter().map(|row| self.groups[*row as usize]).collect();
                    GroupIndices::Of(&chosen)
                }
            };
            state.update(members, argument.values.as_ref())?;
        }
        self.account(grouping)
    }

    /// Returns the number of groups.
    pub(crate) fn len(&self) -> usize {
        self.first.len()
    }

    /// Adds another table, with records from anywhere in the file.
    fn merge(&mut self, other: Self) -> Result<(), Problem> {
        self.groups.clear();
        match (&mut self.keys, &other.keys) {
            (Some(table), Some(more)) => {
                for keys in more.numbers().chunks(MERGED_AT_ONCE) {
                    spend(MERGED_STEPS * keys.len())?;
                    table.intern(more.columns(keys)?, &mut self.groups)?;
                }
                self.first.resize(table.len(), u64::MAX);
                for (group, first) in self.groups.iter().zip(&other.first) {
                    let ours = &mut self.first[*group as usize];
                    *ours = (*ours).min(*first);
                }
                self.states.iter_mut().for_each(|state| state.resize(table.len()));
            }
            _ => self.groups.push(0),
        }
        for (state, more) in self.states.iter_mut().zip(other.states) {
            state.merge(more, &self.groups)?;
        }
        Ok(())
    }

    /// Counts the table's memory in the budget.
    fn account(&mut self, grouping: &Grouping) -> Result<(), GroupError> {
        let keys = self.keys.as_ref().map_or(0, KeyTable::memory_bytes);
        let states: usize = self.states.iter().map(GroupsAccumulator::memory_bytes).sum();
        let bytes = keys + states + size_of_val(&self.first[..]);
        self.reservation
            .resize(bytes)
            .map_err(|exceeded| GroupError::Memory(grouping.too_large(self.first.len(), exceeded)))
    }

    /// Returns the values of the keys, then those of the aggregates, one for each group in the
    /// order of the file. Also returns the reservation of the table's memory, to be held as long as
    /// the values.
    ///
    /// # Errors
    /// A sum that is out of range.
    pub(crate) fn finish(
        self,
        grouping: &Grouping,
    ) -> Result<(Vec<ArrayRef>, Reservation), Problem> {
        let mut order: Vec<(u64, u32)> = self.first.iter().copied().zip(0..).collect();
        // the groups of each thread mostly ascend, which makes the stable sort fast
        order.sort_by_key(|(first, _)| *first);
        let order: Vec<u32> = order.into_iter().map(|(_, group)| group).collect();
        let mut columns = match &self.keys {
            None => Vec::new(),
            Some(keys) => keys.columns(&order)?,
        };
        let order = UInt32Array::from(order);
        for (aggregate, state) in grouping.aggregates.iter().zip(&grouping.state_of) {
            check_wanted()?;
            let values = aggregate.finish(&self.states[*state])?;
            columns.push(take(&values, &order, None)?);
        }
        Ok((columns, self.reservation))
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

    /// Returns the aggregates that have a state of their own; the others use one of these states.
    pub(crate) fn states(&self) -> impl Iterator<Item = &Aggregate> {
        self.states.iter().map(|index| &self.aggregates[*index])
    }

    /// Returns the expressions that are evaluated for each record.
    pub(crate) fn exprs(&self) -> impl Iterator<Item = &Expr> {
        let keys = self.keys.iter().map(|key| &key.expr);
        keys.chain(self.states().flat_map(Aggregate::exprs))
    }

    fn too_large(&self, groups: usize, exceeded: Exceeded) -> Error {
        let Exceeded { key, bytes_max } = exceeded;
        let of: Vec<&str> = self.keys.iter().map(|key| key.text.as_str()).collect();
        let what = match of.as_slice() {
            [] => "DISTINCT inside an aggregate".to_owned(),
            of => format!("{} {} with {groups} groups so far", self.clause, of.join(", ")),
        };
        let message = format!(
            "{what} takes more than the {bytes_max} bytes of memory it may; \
             select less, or raise `{key}`"
        );
        Error::new(ErrorKind::LimitExceeded, message)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use arrow::datatypes::DataType;

    use super::*;
    use crate::expr::{Expr, ExprKind};

    #[test]
    fn a_group_starts_where_the_file_first_has_it_whoever_comes_first() {
        let expr = Expr { data_type: DataType::Int64, kind: ExprKind::Column(0) };
        let keys = vec![Item { expr, text: "k".to_owned() }];
        let grouping = Grouping::new(keys, Vec::new(), "GROUP BY");
        let memory = Arc::new(MemoryBudget::new("test", 1 << 20));
        let mut table = GroupTable::new(&grouping, memory).unwrap();
        for (start, keys) in [(100, [7, 8, 7]), (0, [9, 8, 9]), (200, [7, 9, 6])] {
            let keys: ArrayRef = Arc::new(Int64Array::from(keys.to_vec()));
            let position = |row| start + row as u64;
            assert!(table.update(&grouping, 3, vec![keys], &[], position).is_ok());
        }
        assert_eq!(table.first, [100, 1, 0, 202]);
    }
}
