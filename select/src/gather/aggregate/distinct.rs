//! `DISTINCT` inside an aggregate: the distinct values of every group.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::{filter, is_not_null};
use arrow::datatypes::{DataType, UInt32Type};

use super::{GroupIndices, GroupsAccumulator};
use crate::expr::problem::Problem;
use crate::gather::key_table::KeyTable;

/// The distinct pairs of group and value so far; NULL is not a value.
#[derive(Debug)]
pub(crate) struct DistinctValues {
    pairs: KeyTable,
    /// The state of the same aggregate without DISTINCT; the values are added to it in the end.
    all: GroupsAccumulator,
    /// The numbers of the pairs of one batch, which are not used; the buffer is reused.
    numbers: Vec<u32>,
}

impl DistinctValues {
    pub(super) fn new(of: &DataType, all: GroupsAccumulator) -> Result<Self, Problem> {
        let pairs = KeyTable::new([DataType::UInt32, of.clone()])?;
        Ok(Self { pairs, all, numbers: Vec::new() })
    }

    pub(super) fn resize(&mut self, groups: usize) {
        self.all.resize(groups);
    }

    pub(super) fn all(&self) -> &GroupsAccumulator {
        &self.all
    }

    pub(super) fn absorb(
        &mut self,
        columns: &mut dyn Iterator<Item = &ArrayRef>,
        groups: &[u32],
    ) -> Result<(), Problem> {
        self.all.absorb(columns, groups)
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

    /// Returns the number of pairs.
    pub(crate) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Returns the groups and the values of some pairs.
    pub(crate) fn columns(&self, pairs: Range<usize>) -> Result<(UInt32Array, ArrayRef), Problem> {
        let numbers: Vec<u32> = pairs.filter_map(|number| u32::try_from(number).ok()).collect();
        let mut columns = self.pairs.columns(&numbers)?.into_iter();
        let Some((groups, values)) = columns.next().zip(columns.next()) else {
            return Err(Problem("pairs without values".to_owned()));
        };
        Ok((groups.as_primitive::<UInt32Type>().clone(), values))
    }

    /// Adds the values of some pairs to the state of the aggregate without DISTINCT.
    pub(crate) fn add_up(&mut self, pairs: Range<usize>) -> Result<(), Problem> {
        let (groups, values) = self.columns(pairs)?;
        self.all.update(GroupIndices::Of(groups.values()), Some(&values))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.pairs.memory_bytes() + self.all.memory_bytes()
    }
}
