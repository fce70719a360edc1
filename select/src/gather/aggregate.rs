//! Aggregates: their types, and the state of each group while records are added.
//!
//! An aggregate has the same value however the file is divided: integers and decimals are added in
//! more bits than any of them has, floats in an [`exact_sum`].

pub(crate) mod distinct;
mod exact_sum;
mod min_max;
mod sum;

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Int64Array, PrimitiveArray};
use arrow::datatypes::{DataType, Int64Type};

use crate::expr::problem::Problem;
use crate::expr::{Expr, ExprKind};
use crate::sql::syntax::AggregateFunction;
use crate::value::common::quotient_scale;
use distinct::DistinctValues;
use min_max::MinMax;
use sift_files::types::{DECIMAL_DIGITS_MAX, type_name};
use sum::Sums;

/// A bound aggregate. Equal ones have the same value for every group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Aggregate {
    function: AggregateFunction,
    /// True if only one of equal values counts.
    distinct: bool,
    /// `None` for `count(*)`.
    pub(crate) argument: Option<Expr>,
    /// Only records for which this is true count.
    pub(crate) filter: Option<Expr>,
    data_type: DataType,
    /// The text of the aggregate in the Select.
    pub(crate) text: String,
}

impl Aggregate {
    /// Checks that the function takes the argument and finds the type of its value.
    ///
    /// # Errors
    /// The argument's type, for the message.
    pub(crate) fn new(
        function: AggregateFunction,
        distinct: bool,
        argument: Option<Expr>,
        filter: Option<Expr>,
        text: String,
    ) -> Result<Self, String> {
        let of = argument.as_ref().map_or(DataType::Null, |argument| argument.data_type.clone());
        let data_type = match function {
            AggregateFunction::Count => DataType::Int64,
            AggregateFunction::Min | AggregateFunction::Max if MinMax::has_order(&of) => of,
            AggregateFunction::Sum | AggregateFunction::Avg => match (exact_scale(&of), &of) {
                (Some(scale), _) if function == AggregateFunction::Sum => sum_type(scale),
                (Some(scale), _) => sum_type(quotient_scale(scale, 0)),
                (None, of) if of.is_floating() => DataType::Float64,
                _ => return Err(type_name(&of)),
            },
            _ => return Err(type_name(&of)),
        };
        let argument = match function {
            AggregateFunction::Sum | AggregateFunction::Avg => argument.map(widened),
            _ => argument,
        };
        Ok(Self { function, distinct, argument, filter, data_type, text })
    }

    pub(crate) fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// Returns the expressions that are evaluated for each record.
    pub(crate) fn exprs(&self) -> impl Iterator<Item = &Expr> {
        self.argument.iter().chain(&self.filter)
    }

    /// Returns the state before the first record, without groups.
    pub(crate) fn start(&self) -> Result<GroupsAccumulator, Problem> {
        let all = self.start_of_all();
        Ok(match self.distinct_type() {
            Some(of) => GroupsAccumulator::Distinct(Box::new(DistinctValues::new(of, all)?)),
            None => all,
        })
    }

    /// Returns the type of the distinct values of its state, if it has some.
    pub(crate) fn distinct_type(&self) -> Option<&DataType> {
        // the minimum of some values is the minimum of the distinct ones
        let is_min_max = matches!(self.function, AggregateFunction::Min | AggregateFunction::Max);
        let argument = self.argument.as_ref().filter(|_| self.distinct && !is_min_max)?;
        Some(&argument.data_type)
    }

    /// Returns the state of the same aggregate without DISTINCT.
    pub(crate) fn start_of_all(&self) -> GroupsAccumulator {
        let of = self.argument.as_ref().map_or(&DataType::Null, |argument| &argument.data_type);
        match self.function {
            AggregateFunction::Count => GroupsAccumulator::Count(Vec::new()),
            AggregateFunction::Min => GroupsAccumulator::MinMax(MinMax::new(of, Ordering::Less)),
            AggregateFunction::Max => GroupsAccumulator::MinMax(MinMax::new(of, Ordering::Greater)),
            AggregateFunction::Sum | AggregateFunction::Avg => {
                let sums = match exact_scale(of) {
                    Some(_) => Sums::exact(),
                    None => Sums::float(),
                };
                GroupsAccumulator::Sum { sums, counts: Vec::new() }
            }
        }
    }

    /// Returns whether both compute their value from one state.
    pub(crate) fn shares_state(&self, other: &Self) -> bool {
        let is_of_sum =
            |function| matches!(function, AggregateFunction::Sum | AggregateFunction::Avg);
        (self.function == other.function || is_of_sum(self.function) && is_of_sum(other.function))
            && self.distinct == other.distinct
            && self.argument == other.argument
            && self.filter == other.filter
    }

    /// Returns the values of some groups. Distinct values have to be
    /// [added](DistinctValues::add_up) before.
    pub(crate) fn finish(
        &self,
        state: &GroupsAccumulator,
        groups: &[u32],
    ) -> Result<ArrayRef, Problem> {
        Ok(match state {
            GroupsAccumulator::Count(counts) => {
                let counts = groups.iter().map(|group| counts[*group as usize]);
                Arc::new(Int64Array::from_iter_values(counts))
            }
            GroupsAccumulator::MinMax(min_max) => min_max.finish(&self.data_type, groups)?,
            GroupsAccumulator::Sum { sums, counts } => {
                let scale = self.argument.as_ref().and_then(|a| exact_scale(&a.data_type));
                match self.function {
                    AggregateFunction::Avg => {
                        sums.averages(counts, groups, scale, &self.data_type)?
                    }
                    _ => sums.sums(counts, groups, &self.data_type)?,
                }
            }
            GroupsAccumulator::Distinct(distinct) => self.finish(distinct.all(), groups)?,
        })
    }
}

/// Casts the argument to the type in which it is added up.
fn widened(argument: Expr) -> Expr {
    let to = match &argument.data_type {
        DataType::Decimal128(..) | DataType::Int64 | DataType::Float64 => return argument,
        data_type if data_type.is_integer() => DataType::Int64,
        _ => DataType::Float64,
    };
    Expr { data_type: to, kind: ExprKind::Cast(Box::new(argument)) }
}

fn sum_type(scale: u8) -> DataType {
    DataType::Decimal128(DECIMAL_DIGITS_MAX, scale.cast_signed())
}

/// Returns the digits after the point of a type of exact numbers.
fn exact_scale(data_type: &DataType) -> Option<u8> {
    match data_type {
        DataType::Decimal128(_, scale) => u8::try_from(*scale).ok(),
        data_type if data_type.is_integer() => Some(0),
        _ => None,
    }
}

/// The groups that some records belong to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum GroupIndices<'a> {
    /// All records belong to group 0; the number of records.
    One(usize),
    /// The group of each record.
    Of(&'a [u32]),
    /// The group of each record, if there are at most [`FEW_GROUPS`], and the number of records
    /// of each group.
    Few(&'a [u32], &'a [i64; FEW_GROUPS]),
}

/// The most groups that are counted and added up without looking at the groups one by one; a power
/// of two.
pub(crate) const FEW_GROUPS: usize = 64;

/// Accumulators of each of few groups. Neighbouring records of one group are added to different
/// ones, so that no addition waits for the one before it.
type Lanes = [[i64; FEW_GROUPS]; 4];

/// Adds up the values of each of few groups; the number of a group is below [`FEW_GROUPS`]. Sums
/// wrap around.
fn add_lanes<T: Copy>(
    groups: &[u32],
    values: &[T],
    mut value: impl FnMut(T) -> i64,
) -> [i64; FEW_GROUPS] {
    let mut lanes: Lanes = [[0; FEW_GROUPS]; 4];
    let mut add = |lane: usize, group: u32, of: T| {
        let sum = &mut lanes[lane][group as usize % FEW_GROUPS];
        *sum = sum.wrapping_add(value(of));
    };
    let ((groups, last_groups), (values, last)) =
        (groups.as_chunks::<4>(), values.as_chunks::<4>());
    for (groups, values) in groups.iter().zip(values) {
        (0..4).for_each(|lane| add(lane, groups[lane], values[lane]));
    }
    last_groups.iter().zip(last).for_each(|(group, value)| add(0, *group, *value));
    std::array::from_fn(|group| {
        lanes.iter().fold(0, |sum: i64, lane| sum.wrapping_add(lane[group]))
    })
}

/// Counts the records of each group; the number of a group is below [`FEW_GROUPS`].
pub(crate) fn count_few(groups: &[u32]) -> [i64; FEW_GROUPS] {
    add_lanes(groups, groups, |_group| 1)
}

impl GroupIndices<'_> {
    /// Calls `add` with the group and the value of every record that has one.
    fn each<T: ArrowPrimitiveType>(
        self,
        values: &PrimitiveArray<T>,
        mut add: impl FnMut(usize, T::Native),
    ) {
        match (self, values.null_count()) {
            (Self::One(_), 0) => values.values().iter().for_each(|value| add(0, *value)),
            (Self::One(_), _) => values.iter().flatten().for_each(|value| add(0, value)),
            (Self::Of(groups) | Self::Few(groups, _), 0) => {
                groups.iter().zip(values.values()).for_each(|(g, value)| add(*g as usize, *value));
            }
            (Self::Of(groups) | Self::Few(groups, _), _) => {
                let members = groups.iter().zip(values.iter());
                members.for_each(|(g, value)| value.into_iter().for_each(|v| add(*g as usize, v)));
            }
        }
    }

    /// Counts the values that are not null.
    fn count(self, values: &dyn Array, counts: &mut [i64]) {
        match (self, values.logical_nulls()) {
            (Self::One(_), nulls) => {
                let nulls = nulls.map_or(0, |nulls| nulls.null_count());
                counts[0] += length(values.len() - nulls);
            }
            (_, None) => self.count_records(counts),
            (Self::Of(groups) | Self::Few(groups, _), Some(nulls)) => {
                let members = groups.iter().zip(nulls.iter());
                members.for_each(|(g, is_valid)| counts[*g as usize] += i64::from(is_valid));
            }
        }
    }

    fn count_records(self, counts: &mut [i64]) {
        match self {
            Self::One(records) => counts[0] += length(records),
            Self::Of(groups) => groups.iter().for_each(|g| counts[*g as usize] += 1),
            Self::Few(_, of_groups) => {
                counts.iter_mut().zip(of_groups).for_each(|(count, more)| *count += more);
            }
        }
    }
}

fn length(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// The state of an aggregate for each group.
#[derive(Debug)]
pub(crate) enum GroupsAccumulator {
    Count(Vec<i64>),
    Sum {
        sums: Sums,
        counts: Vec<i64>,
    },
    MinMax(MinMax),
    /// The distinct values.
    Distinct(Box<DistinctValues>),
}

impl GroupsAccumulator {
    /// Makes room for new groups.
    pub(crate) fn resize(&mut self, groups: usize) {
        match self {
            Self::Count(counts) => counts.resize(groups, 0),
            Self::Sum { sums, counts } => {
                sums.resize(groups);
                counts.resize(groups, 0);
            }
            Self::MinMax(min_max) => min_max.resize(groups),
            Self::Distinct(distinct) => distinct.resize(groups),
        }
    }

    /// Adds the values of the argument; for `count(*)` only the records count.
    pub(crate) fn update(
        &mut self,
        members: GroupIndices<'_>,
        values: Option<&ArrayRef>,
    ) -> Result<(), Problem> {
        match (self, values) {
            (Self::Count(counts), None) => members.count_records(counts),
            (Self::Count(counts), Some(values)) => members.count(values, counts),
            (Self::Sum { sums, counts }, Some(values)) => {
                sums.update(members, values);
                members.count(values, counts);
            }
            (Self::MinMax(min_max), Some(values)) => min_max.update(members, values)?,
            (Self::Distinct(distinct), Some(values)) => distinct.insert(members, values)?,
            // only count has no argument
            (_, None) => {}
        }
        Ok(())
    }

    /// Returns the state of some groups as columns, for [`absorb`](Self::absorb). Distinct values
    /// that were not added up are not among them.
    pub(crate) fn columns(&self, groups: Range<usize>) -> Vec<ArrayRef> {
        let counts = |counts: &[i64]| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(counts[groups.clone()].iter().copied()))
        };
        match self {
            Self::Count(all) => vec![counts(all)],
            Self::Sum { sums, counts: all } => {
                let mut columns = sums.columns(groups.clone());
                columns.push(counts(all));
                columns
            }
            Self::MinMax(min_max) => vec![min_max.column(groups)],
            Self::Distinct(distinct) => distinct.all().columns(groups),
        }
    }

    /// Adds the state of other groups, and takes as many columns as these are; `groups` are the
    /// groups here that they are added to.
    pub(crate) fn absorb(
        &mut self,
        columns: &mut dyn Iterator<Item = &ArrayRef>,
        groups: &[u32],
    ) -> Result<(), Problem> {
        if let Self::Distinct(distinct) = self {
            return distinct.absorb(columns, groups);
        }
        let mut next = || columns.next().ok_or_else(|| Problem("a missing state".to_owned()));
        match self {
            Self::Count(counts) => add_counts(counts, next()?, groups),
            Self::Sum { sums, counts } => {
                match sums {
                    Sums::Exact(sums) => sum::absorb_exact(sums, next()?, next()?, groups),
                    Sums::Float { sums, many } => {
                        sum::absorb_floats(sums, many, next()?, groups)?;
                    }
                }
                add_counts(counts, next()?, groups);
            }
            Self::MinMax(min_max) => min_max.update(GroupIndices::Of(groups), next()?)?,
            Self::Distinct(_) => {}
        }
        Ok(())
    }

    /// Adds up distinct values that come after the first `done` ones, `at_once` at most; returns
    /// their number.
    pub(crate) fn add_up(&mut self, done: usize, at_once: usize) -> Result<usize, Problem> {
        let Self::Distinct(distinct) = self else { return Ok(0) };
        let values = done..distinct.len().min(done + at_once);
        distinct.add_up(values.clone())?;
        Ok(values.len())
    }

    /// Returns the bytes of memory that it takes, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            Self::Count(counts) => size_of_val(&counts[..]),
            Self::Sum { sums, counts } => sums.memory_bytes() + size_of_val(&counts[..]),
            Self::MinMax(min_max) => min_max.memory_bytes(),
            Self::Distinct(distinct) => distinct.memory_bytes(),
        }
    }
}

fn add_counts(counts: &mut [i64], more: &ArrayRef, groups: &[u32]) {
    let more = more.as_primitive::<Int64Type>().values();
    groups.iter().zip(more).for_each(|(group, more)| counts[*group as usize] += more);
}
