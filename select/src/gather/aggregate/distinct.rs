//! `DISTINCT` inside an aggregate: the distinct values of every group.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::{filter, is_not_null};
use arrow::datatypes::{DataType, UInt32Type};

use super::{GroupIndices, GroupsAccumulator};
use crate::expr::problem::Problem;
use crate::gather::group::{MERGED_AT_ONCE, MERGED_STEPS};
use crate::gather::key_table::KeyTable;
use sift_files::cancel::spend;

/// The distinct pairs of group and value so far; NULL is not a value.
#[derive(Debug)]
pub(crate) struct DistinctValues {
    pairs: KeyTable,
    groups: usize,
    /// The numbers of the pairs of one batch, which are not used; the buffer is reused.
    numbers: Vec<u32>,
}

impl DistinctValues {
    pub(super) fn new(of: &DataType) -> Result<Self, Problem> {
        let pairs = KeyTable::new([DataType::UInt32, of.clone()])?;
        Ok(Self { pairs, groups: 0, numbers: Vec::new() })
    }

    pub(super) fn resize(&mut self, groups: usize) {
        self.groups = groups;
    }

    pub(super) fn insert(
        &mut self,
        members: GroupIndices<'_>,
        values: &ArrayRef,
    ) -> Result<(), Problem> {
        let groups: UInt32Array = match members {
            GroupIndices::One(records) => vec![0; records].into(),
            GroupIndices::Of(groups) | GroupIndices::Few(groups, _) => groups.to_vec().into(),
        };
        if values.null_count() == 0 {
            return self.insert_pairs(Arc::new(groups), Arc::clone(values));
        }
        let present = is_not_null(values)?;
        self.insert_pairs(filter(&groups, &present)?, filter(values, &present)?)
    }

    fn insert_pairs(&mut self, groups: ArrayRef, values: ArrayRef) -> Result<(), Problem> {
        self.numbers.clear();
        Ok(self.pairs.intern(vec![groups, values], &mut self.numbers)?)
    }

    pub(super) fn merge(&mut self, other: &Self, groups: &[u32]) -> Result<(), Problem> {
        for numbers in other.pairs.numbers().chunks(MERGED_AT_ONCE) {
            spend(MERGED_STEPS * numbers.len())?;
            let mut columns = other.pairs.columns(numbers)?.into_iter();
            let Some((theirs, values)) = columns.next().zip(columns.next()) else { continue };
            let theirs = theirs.as_primitive::<UInt32Type>().values().iter();
            let ours = UInt32Array::from_iter_values(theirs.map(|group| groups[*group as usize]));
            self.insert_pairs(Arc::new(ours), values)?;
        }
        Ok(())
    }

    /// Adds each value of each group to the state of the same aggregate without DISTINCT.
    pub(super) fn update(&self, all: &mut GroupsAccumulator) -> Result<(), Problem> {
        all.resize(self.groups);
        let Some((groups, values)) = self.columns()? else { return Ok(()) };
        all.update(GroupIndices::Of(groups.as_primitive::<UInt32Type>().values()), Some(&values))
    }

    fn columns(&self) -> Result<Option<(ArrayRef, ArrayRef)>, Problem> {
        let mut columns = self.pairs.columns(&self.pairs.numbers())?.into_iter();
        Ok(columns.next().zip(columns.next()))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.pairs.memory_bytes()
    }
}
