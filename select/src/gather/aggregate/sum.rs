//! Sums and averages of each group, exact until the end.
//!
//! Our own, because a sum must not depend on how a file was divided, and Arrow's does.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, Decimal128Array, Float64Array, Int64Array,
};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};

use super::exact_sum::ExactSum;
use super::{GroupIndices, add_lanes, exact_scale};
use crate::expr::numeric::quotient;
use crate::expr::problem::Problem;
use sift_files::types::{DECIMAL_DIGITS_MAX, bits};

/// A sum for each group.
#[derive(Debug)]
pub(crate) enum Sums {
    /// Sums of integers, or of the digits of decimals.
    Exact(Vec<WideSum>),
    Float {
        sums: Vec<FloatSum>,
        /// The number of sums that are [`FloatSum::Many`].
        many: usize,
    },
}

impl Sums {
    pub(super) fn exact() -> Self {
        Self::Exact(Vec::new())
    }

    pub(super) fn float() -> Self {
        Self::Float { sums: Vec::new(), many: 0 }
    }

    pub(super) fn resize(&mut self, groups: usize) {
        match self {
            Self::Exact(sums) => sums.resize(groups, WideSum::default()),
            Self::Float { sums, .. } => sums.resize_with(groups, FloatSum::default),
        }
    }

    pub(super) fn update(&mut self, members: GroupIndices<'_>, values: &ArrayRef) {
        match self {
            Self::Exact(sums) => match values.as_primitive_opt::<Int64Type>() {
                Some(values) => members.each(values, |group, v| sums[group].add(v.into())),
                None => {
                    let values = values.as_primitive::<Decimal128Type>();
                    if !add_small(sums, members, values) {
                        members.each(values, |group, v| sums[group].add(v));
                    }
                }
            },
            Self::Float { sums, many } => {
                let values = values.as_primitive::<Float64Type>();
                members.each(values, |group, v| *many += usize::from(sums[group].add(v)));
            }
        }
    }

    /// Returns the sums of some groups as columns: the low digits and the wraps of exact ones, the
    /// bytes of floats.
    pub(super) fn columns(&self, groups: Range<usize>) -> Vec<ArrayRef> {
        match self {
            Self::Exact(sums) => {
                let sums = &sums[groups];
                let low = sums.iter().map(|sum| sum.low);
                let wraps = sums.iter().map(|sum| sum.wraps);
                // any digits: they are checked at the end
                vec![
                    Arc::new(Decimal128Array::from_iter_values(low)),
                    Arc::new(Int64Array::from_iter_values(wraps)),
                ]
            }
            Self::Float { sums, .. } => {
                let mut all = BinaryBuilder::new();
                let mut bytes = Vec::new();
                for sum in &sums[groups] {
                    bytes.clear();
                    sum.write(&mut bytes);
                    all.append_value(&bytes);
                }
                vec![Arc::new(all.finish())]
            }
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Exact(sums) => size_of_val(&sums[..]),
            Self::Float { sums, many } => size_of_val(&sums[..]) + many * size_of::<ExactSum>(),
        }
    }

    /// Returns the sums of some groups in the type `to`; null for a group without values.
    pub(super) fn sums(
        &self,
        counts: &[i64],
        groups: &[u32],
        to: &DataType,
    ) -> Result<ArrayRef, Problem> {
        match self {
            Self::Exact(sums) => {
                let sums = members(sums, counts, groups).map(|(sum, count)| match count {
                    0 => Ok(None),
                    _ => sum.value().map(Some).ok_or_else(|| overflow("sum")),
                });
                decimals(sums.collect::<Result<_, _>>()?, to)
            }
            Self::Float { sums, .. } => floats(members(sums, counts, groups), "sum", |sum, _| sum),
        }
    }

    /// Returns each [sum](Self::sums) divided by the number of values; `scale` is the scale of the
    /// digits that were added.
    pub(super) fn averages(
        &self,
        counts: &[i64],
        groups: &[u32],
        scale: Option<u8>,
        to: &DataType,
    ) -> Result<ArrayRef, Problem> {
        match self {
            Self::Exact(sums) => {
                let to_scale = exact_scale(to).unwrap_or(0);
                let power = u32::from(to_scale - scale.unwrap_or(0).min(to_scale));
                let average = |(sum, count): (&WideSum, i64)| match count {
                    0 => Ok(None),
                    _ => {
                        let sum = sum.value().ok_or_else(|| overflow("avg"))?;
                        Ok::<_, Problem>(Some(quotient(sum, power, i128::from(count))?))
                    }
                };
                let averages = members(sums, counts, groups).map(average);
                decimals(averages.collect::<Result<_, _>>()?, to)
            }
            #[expect(clippy::cast_precision_loss, reason = "a count of records is far below 2^53")]
            Self::Float { sums, .. } => {
                floats(members(sums, counts, groups), "avg", |sum, count| sum / count as f64)
            }
        }
    }
}

/// Adds digits that are so small that 64 bits hold all sums of these records; returns false, and
/// adds nothing, if they are larger, if some are NULL, or if there are many groups.
fn add_small(sums: &mut [WideSum], members: GroupIndices<'_>, values: &Decimal128Array) -> bool {
    if values.null_count() > 0 {
        return false;
    }
    let digits = &values.values()[..];
    let mut all = 0;
    #[expect(clippy::cast_possible_truncation, reason = "the sums of larger ones are not used")]
    let narrow = |digits: i128| {
        all |= digits ^ (digits >> 127);
        digits as i64
    };
    let of_groups = match members {
        GroupIndices::One(_) => {
            vec![digits.iter().copied().map(narrow).fold(0, i64::wrapping_add)]
        }
        GroupIndices::Few(groups, _) => add_lanes(groups, digits, narrow).to_vec(),
        GroupIndices::Of(_) => return false,
    };
    let records_bits = usize::BITS - digits.len().leading_zeros();
    if bits(&[all]) + records_bits >= i64::BITS {
        return false;
    }
    sums.iter_mut().zip(of_groups).for_each(|(sum, more)| sum.add(more.into()));
    true
}

/// Adds exact sums from their columns.
pub(super) fn absorb_exact(sums: &mut [WideSum], low: &ArrayRef, wraps: &ArrayRef, groups: &[u32]) {
    let low = low.as_primitive::<Decimal128Type>().values().iter();
    let wraps = wraps.as_primitive::<Int64Type>().values().iter();
    for ((group, low), wraps) in groups.iter().zip(low).zip(wraps) {
        sums[*group as usize].merge(WideSum { low: *low, wraps: *wraps });
    }
}

/// Adds sums of floats from their column, and counts those that become many.
pub(super) fn absorb_floats(
    sums: &mut [FloatSum],
    many: &mut usize,
    column: &ArrayRef,
    groups: &[u32],
) -> Result<(), Problem> {
    for (group, bytes) in groups.iter().zip(column.as_binary::<i32>().iter()) {
        let more = bytes.and_then(FloatSum::read);
        let more = more.ok_or_else(|| Problem("a damaged sum".to_owned()))?;
        *many += usize::from(sums[*group as usize].merge(more));
    }
    Ok(())
}

fn overflow(function: &str) -> Problem {
    Problem(format!("out of range: overflow of {function}"))
}

fn decimals(digits: Vec<Option<i128>>, to: &DataType) -> Result<ArrayRef, Problem> {
    let scale = exact_scale(to).unwrap_or(0);
    let array = Decimal128Array::from(digits)
        .with_precision_and_scale(DECIMAL_DIGITS_MAX, scale.cast_signed())?;
    array.validate_decimal_precision(DECIMAL_DIGITS_MAX)?;
    Ok(Arc::new(array))
}

/// Returns the sum and the number of values of each of some groups.
fn members<'a, S>(
    sums: &'a [S],
    counts: &'a [i64],
    groups: &'a [u32],
) -> impl Iterator<Item = (&'a S, i64)> {
    groups.iter().map(|group| (&sums[*group as usize], counts[*group as usize]))
}

fn floats<'a>(
    sums: impl Iterator<Item = (&'a FloatSum, i64)>,
    function: &str,
    value_of: impl Fn(f64, i64) -> f64,
) -> Result<ArrayRef, Problem> {
    let values = sums.map(|(sum, count)| {
        if count == 0 {
            return Ok(None);
        }
        let sum = sum.to_exact();
        let value = value_of(sum.value(), count);
        if value.is_infinite() && !sum.has_special() {
            return Err(overflow(function));
        }
        Ok(Some(value))
    });
    Ok(Arc::new(values.collect::<Result<Float64Array, _>>()?))
}

/// A sum of 128-bit numbers that may leave their range before the end, because it depends on the
/// order whether it does.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WideSum {
    low: i128,
    /// Multiples of 2¹²⁸.
    wraps: i64,
}

impl WideSum {
    fn add(&mut self, value: i128) {
        let (low, wrapped) = self.low.overflowing_add(value);
        self.low = low;
        if wrapped {
            self.wraps += if value < 0 { -1 } else { 1 };
        }
    }

    fn merge(&mut self, other: Self) {
        self.add(other.low);
        self.wraps += other.wraps;
    }

    fn value(self) -> Option<i128> {
        (self.wraps == 0).then_some(self.low)
    }
}

/// The exact sum of floats. Most groups are small, so a few values are stored as they are.
#[derive(Debug)]
pub(crate) enum FloatSum {
    Few { values: [f64; Self::FEW], count: usize },
    Many(Box<ExactSum>),
}

impl Default for FloatSum {
    fn default() -> Self {
        Self::Few { values: [0.0; Self::FEW], count: 0 }
    }
}

impl FloatSum {
    const FEW: usize = 4;

    /// Adds one value; returns true if `Few` became `Many`.
    fn add(&mut self, value: f64) -> bool {
        match self {
            Self::Many(sum) => sum.add(value),
            Self::Few { values, count } => match values.get_mut(*count) {
                Some(place) => {
                    *place = value;
                    *count += 1;
                }
                None => {
                    let mut sum = self.to_exact();
                    sum.add(value);
                    *self = Self::Many(Box::new(sum));
                    return true;
                }
            },
        }
        false
    }

    /// Adds another sum; returns true if `Few` became `Many`.
    fn merge(&mut self, other: Self) -> bool {
        match (&mut *self, other) {
            (_, Self::Few { values, count }) => {
                let grown = values[..count].iter().filter(|value| self.add(**value));
                grown.count() > 0
            }
            (Self::Many(sum), Self::Many(more)) => {
                sum.merge(&more);
                false
            }
            (Self::Few { .. }, Self::Many(mut sum)) => {
                sum.merge(&self.to_exact());
                *self = Self::Many(sum);
                true
            }
        }
    }

    /// Appends the sum as bytes: the few values, or the exact sum.
    fn write(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Few { values, count } => {
                bytes.extend(values[..*count].iter().flat_map(|value| value.to_le_bytes()));
            }
            Self::Many(sum) => sum.write(bytes),
        }
    }

    /// Reads what [`write`](Self::write) wrote.
    fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > size_of::<[f64; Self::FEW]>() {
            return ExactSum::read(bytes).map(|sum| Self::Many(Box::new(sum)));
        }
        let (few, _) = bytes.as_chunks::<8>();
        let mut values = [0.0; Self::FEW];
        for (value, bytes) in values.iter_mut().zip(few) {
            *value = f64::from_le_bytes(*bytes);
        }
        Some(Self::Few { values, count: few.len() })
    }

    fn to_exact(&self) -> ExactSum {
        match self {
            Self::Many(sum) => ExactSum::clone(sum),
            Self::Few { values, count } => {
                let mut sum = ExactSum::default();
                values[..*count].iter().for_each(|value| sum.add(*value));
                sum
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_may_leave_the_range_on_the_way() {
        let mut sum = WideSum::default();
        [i128::MAX, i128::MAX, -i128::MAX].into_iter().for_each(|value| sum.add(value));
        assert_eq!(sum.value(), Some(i128::MAX));
        sum.add(1);
        assert_eq!(sum.value(), None);
        let mut other = WideSum::default();
        other.add(-2);
        sum.merge(other);
        assert_eq!(sum.value(), Some(i128::MAX - 1));
    }

    #[test]
    fn few_floats_and_many_have_one_sum() {
        let values = [1e100, 1.0, -1e100, 0.5, 0.25, f64::MAX, f64::MAX, -f64::MAX, -f64::MAX];
        for count in 0..=values.len() {
            let (mut all, mut left, mut right) =
                (FloatSum::default(), FloatSum::default(), FloatSum::default());
            values[..count].iter().for_each(|value| {
                all.add(*value);
            });
            values[..count / 2].iter().for_each(|value| {
                left.add(*value);
            });
            values[count / 2..count].iter().for_each(|value| {
                right.add(*value);
            });
            left.merge(right);
            assert_eq!(all.to_exact().value(), left.to_exact().value());
        }
    }
}
