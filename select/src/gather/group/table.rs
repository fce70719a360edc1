//! A table of groups in memory.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, UInt32Array, UInt64Array};
use arrow::datatypes::{DataType, UInt64Type};

use super::{Grouping, KEY_STEPS};
use crate::budget::{Exceeded, MemoryBudget, Reservation};
use crate::expr::problem::Problem;
use crate::gather::aggregate::distinct::DistinctValues;
use crate::gather::aggregate::{FEW_GROUPS, GroupIndices, GroupsAccumulator, count_few};
use crate::gather::key_table::KeyTable;
use sift_files::cancel::spend;

/// The arguments of an aggregate over some records.
pub(crate) struct Argument {
    /// The records that count; `None` for all.
    pub(crate) rows: Option<Vec<u32>>,
    /// The values of these records; `None` for `count(*)`.
    pub(crate) values: Option<ArrayRef>,
}

/// The groups of the records that were added.
#[derive(Debug)]
pub(crate) struct GroupTable {
    /// `None` if all records are one group.
    keys: Option<KeyTable>,
    pub(super) states: Vec<GroupsAccumulator>,
    /// For each group, the position of its first record in the file.
    pub(super) first: Vec<u64>,
    /// The greatest position of a record that was added.
    last: u64,
    /// The groups of one batch; the buffer is reused.
    groups: Vec<u32>,
    reservation: Reservation,
}

impl GroupTable {
    pub(super) fn new(
        keys: impl ExactSizeIterator<Item = DataType>,
        states: Vec<GroupsAccumulator>,
        memory: &Arc<MemoryBudget>,
    ) -> Result<Self, Problem> {
        let mut table = Self {
            keys: if keys.len() == 0 { None } else { Some(KeyTable::new(keys)?) },
            states,
            first: Vec::new(),
            last: 0,
            groups: Vec::new(),
            reservation: Reservation::new(Arc::clone(memory)),
        };
        if table.keys.is_none() {
            table.first.push(0);
            table.states.iter_mut().for_each(|state| state.resize(1));
        }
        Ok(table)
    }

    /// Adds records: `keys` has the values of each key, `arguments` one for each state. `position`
    /// returns the position of a record in the file; positions ascend within a call.
    pub(super) fn update(
        &mut self,
        rows: usize,
        keys: Vec<ArrayRef>,
        arguments: &[Argument],
        position: impl Fn(usize) -> u64,
    ) -> Result<(), Problem> {
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
        Ok(())
    }

    /// Returns the number of groups.
    pub(crate) fn len(&self) -> usize {
        self.first.len()
    }

    /// Counts the table's memory in the budget.
    pub(super) fn account(&mut self) -> Result<(), Exceeded> {
        let bytes = self.memory_bytes();
        self.reservation.resize(bytes)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let keys = self.keys.as_ref().map_or(0, KeyTable::memory_bytes);
        let states: usize = self.states.iter().map(GroupsAccumulator::memory_bytes).sum();
        keys + states + size_of_val(&self.first[..])
    }

    /// Returns whether it has several groups or distinct values, which can be written to several
    /// places.
    pub(super) fn is_divisible(&self) -> bool {
        let mut distinct = (0..self.states.len()).filter_map(|state| self.distinct(state));
        self.len() > 1 || distinct.any(|distinct| distinct.len() > 1)
    }

    /// Takes the reservation of the table's memory, to be held as long as its values.
    pub(super) fn take_reservation(&mut self) -> Reservation {
        self.reservation.take()
    }

    /// Returns the keys of some groups, one array for each key.
    pub(super) fn keys(&self, groups: &[u32]) -> Result<Vec<ArrayRef>, Problem> {
        match &self.keys {
            None => Ok(Vec::new()),
            Some(keys) => Ok(keys.columns(groups)?),
        }
    }

    /// Returns some groups as columns, for [`absorb`](Self::absorb): their keys, their first
    /// positions and their states without distinct values.
    pub(super) fn partial(&self, groups: Range<usize>) -> Result<Vec<ArrayRef>, Problem> {
        spend(KEY_STEPS * groups.len())?;
        let mut columns = self.keys(&numbers(groups.clone()))?;
        columns.push(Arc::new(UInt64Array::from_iter_values(
            self.first[groups.clone()].iter().copied(),
        )));
        columns.extend(self.states.iter().flat_map(|state| state.columns(groups.clone())));
        Ok(columns)
    }

    /// Adds groups of another table, and returns their numbers here.
    pub(super) fn absorb(&mut self, columns: &[ArrayRef]) -> Result<&[u32], Problem> {
        let keys = self.keys.as_ref().map_or(0, |keys| keys.width());
        let Some((first, states)) = columns.get(keys..).and_then(<[_]>::split_first) else {
            return Err(Problem("groups without positions".to_owned()));
        };
        let first = first.as_primitive::<UInt64Type>().values();
        self.look_up(columns[..keys].to_vec(), first.len())?;
        for (group, first) in self.groups.iter().zip(first) {
            let ours = &mut self.first[*group as usize];
            *ours = (*ours).min(*first);
        }
        let mut states = states.iter();
        for state in &mut self.states {
            state.absorb(&mut states, &self.groups)?;
        }
        Ok(&self.groups)
    }

    /// Adds values of one state to groups that are given by their keys.
    pub(super) fn add_values(
        &mut self,
        state: usize,
        keys: Vec<ArrayRef>,
        values: &ArrayRef,
    ) -> Result<(), Problem> {
        self.look_up(keys, values.len())?;
        self.states[state].update(GroupIndices::Of(&self.groups), Some(values))
    }

    /// Adds distinct values of one state to groups.
    pub(super) fn add_distinct(
        &mut self,
        state: usize,
        groups: &[u32],
        values: &ArrayRef,
    ) -> Result<(), Problem> {
        self.states[state].update(GroupIndices::Of(groups), Some(values))
    }

    /// Finds the groups of keys. The position of new ones is after all records.
    fn look_up(&mut self, keys: Vec<ArrayRef>, rows: usize) -> Result<(), Problem> {
        spend(KEY_STEPS * rows)?;
        self.groups.clear();
        match &mut self.keys {
            None => self.groups.resize(rows, 0),
            Some(table) => {
                table.intern(keys, &mut self.groups)?;
                self.first.resize(table.len(), u64::MAX);
                self.states.iter_mut().for_each(|state| state.resize(table.len()));
            }
        }
        Ok(())
    }

    /// Returns the distinct values of a state, unless it has none.
    pub(super) fn distinct(&self, state: usize) -> Option<&DistinctValues> {
        match self.states.get(state) {
            Some(GroupsAccumulator::Distinct(distinct)) => Some(distinct),
            _ => None,
        }
    }

    /// Returns the values of the keys of some groups, then those of the aggregates. The states have
    /// no distinct values any more.
    ///
    /// # Errors
    /// A sum that is out of range.
    pub(super) fn finish(
        &self,
        grouping: &Grouping,
        groups: &[u32],
    ) -> Result<Vec<ArrayRef>, Problem> {
        spend(KEY_STEPS * groups.len())?;
        let mut columns = self.keys(groups)?;
        for (aggregate, state) in grouping.aggregates.iter().zip(&grouping.state_of) {
            columns.push(aggregate.finish(&self.states[*state], groups)?);
        }
        Ok(columns)
    }

    /// Returns the problem of the first of these groups that has one, and the group's position.
    pub(super) fn first_problem(
        &self,
        grouping: &Grouping,
        groups: &[u32],
    ) -> Option<(u64, Problem)> {
        let problem = |group: &u32| Some((*group, self.finish(grouping, &[*group]).err()?));
        let (group, problem) = groups
            .iter()
            .filter_map(problem)
            .min_by_key(|(group, _)| self.first[*group as usize])?;
        Some((self.first[group as usize], problem))
    }
}

/// Returns the numbers of consecutive groups.
pub(super) fn numbers(groups: Range<usize>) -> Vec<u32> {
    groups.filter_map(|group| u32::try_from(group).ok()).collect()
}

/// Returns the groups here of groups of another table, given the number here of each.
pub(super) fn translated(groups: &UInt32Array, here: &[u32]) -> Vec<u32> {
    groups.values().iter().map(|group| here[*group as usize]).collect()
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;

    use super::*;

    #[test]
    fn a_group_starts_where_the_file_first_has_it_whoever_comes_first() {
        let memory = Arc::new(MemoryBudget::new("test", 1 << 20));
        let types = [DataType::Int64].into_iter();
        let mut table = GroupTable::new(types, Vec::new(), &memory).unwrap();
        for (start, keys) in [(100, [7, 8, 7]), (0, [9, 8, 9]), (200, [7, 9, 6])] {
            let keys: ArrayRef = Arc::new(Int64Array::from(keys.to_vec()));
            let position = |row| start + row as u64;
            assert!(table.update(3, vec![keys], &[], position).is_ok());
        }
        assert_eq!(table.first, [100, 1, 0, 202]);
    }
}
