//! The range of values of an expression in each container.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Scalar, StringArray, new_null_array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::cmp;
use arrow::compute::kernels::comparison::starts_with;
use arrow::datatypes::DataType;

use crate::expr::{Expr, ExprKind, LiteralSet, cast, eval, numeric};
use sift_files::statistics::PruningStatistics;
use sift_files::types::{integer_at, text_at};

/// The bounds of an expression, one for each container.
#[derive(Clone)]
pub(super) struct ValueRange {
    /// Lower bounds that Arrow compares by value; null is unknown.
    pub(super) min: ArrayRef,
    pub(super) max: ArrayRef,
    /// True if some record may have a value.
    pub(super) may_be_value: BooleanBuffer,
    /// True if some record may have NULL.
    pub(super) may_be_null: BooleanBuffer,
}

impl ValueRange {
    /// Returns the range, or `None` if nothing is known.
    pub(super) fn of(expr: &Expr, statistics: &dyn PruningStatistics) -> Option<Self> {
        let Self { min, max, may_be_value, may_be_null } = Self::stored(expr, statistics)?;
        let (min, max) = (numeric::comparable(min), numeric::comparable(max));
        Some(Self { min, max, may_be_value, may_be_null })
    }

    /// Returns the range with bounds in the type of the column, so that they can be cast.
    fn stored(expr: &Expr, statistics: &dyn PruningStatistics) -> Option<Self> {
        let containers = statistics.records().len();
        match &expr.kind {
            ExprKind::Column(column) => Self::of_column(*column, statistics),
            ExprKind::Literal(literal) => {
                let value = literal.scalar.clone().into_inner();
                let is_null = value.is_null(0);
                let values = eval::repeated(&value, containers).ok()?;
                let all = |is: bool| BooleanBuffer::collect_bool(containers, |_| is);
                let max = Arc::clone(&values);
                Some(Self {
                    min: values,
                    max,
                    may_be_value: all(!is_null),
                    may_be_null: all(is_null),
                })
            }
            ExprKind::Cast(operand) if keeps_order(&operand.data_type, &expr.data_type) => {
                let range = Self::stored(operand, statistics)?;
                let cast = |bound: &ArrayRef| {
                    // a bound that is not a value of the column may be beyond what can be cast
                    cast::cast(bound, &expr.data_type)
                        .unwrap_or_else(|_beyond| new_null_array(&expr.data_type, containers))
                };
                Some(Self { min: cast(&range.min), max: cast(&range.max), ..range })
            }
            _ => None,
        }
    }

    fn of_column(column: usize, statistics: &dyn PruningStatistics) -> Option<Self> {
        let known = statistics.column(column)?;
        let records = statistics.records();
        let nulls = &known.null_counts;
        let count = |container: usize| nulls.is_valid(container).then(|| nulls.value(container));
        Some(Self {
            may_be_value: BooleanBuffer::collect_bool(records.len(), |container| {
                count(container).is_none_or(|nulls| nulls < records[container])
            }),
            may_be_null: BooleanBuffer::collect_bool(records.len(), |container| {
                count(container).is_none_or(|nulls| nulls > 0)
            }),
            min: known.min,
            max: known.max,
        })
    }

    /// Returns whether some text may start with `prefix`, and whether some may not.
    pub(super) fn prefixed(&self, prefix: &str) -> Option<(BooleanBuffer, BooleanBuffer)> {
        let (min, max) = (self.min.as_string_opt::<i32>()?, self.max.as_string_opt::<i32>()?);
        let prefix = Scalar::new(StringArray::from(vec![prefix]));
        let min_starts = starts_with(min, &prefix).ok()?;
        let max_starts = starts_with(max, &prefix).ok()?;
        let begins = &may(&cmp::lt_eq(min, &prefix).ok()?) | &may(&min_starts);
        let some = &begins & &may(&cmp::gt_eq(max, &prefix).ok()?);
        // a text between two texts with a prefix has the prefix, too
        let all = &is(&min_starts) & &is(&max_starts);
        Some((some, !&all))
    }

    /// Returns whether some value may be in `set`, and whether some may not.
    pub(super) fn contained(&self, set: &LiteralSet) -> (BooleanBuffer, BooleanBuffer) {
        match set {
            LiteralSet::Integers(set) => {
                let mut sorted: Vec<i128> = set.iter().copied().collect();
                sorted.sort_unstable();
                self.contained_in(&sorted, integer_at)
            }
            LiteralSet::Texts(set) => {
                let mut sorted: Vec<&str> = set.iter().map(String::as_str).collect();
                sorted.sort_unstable();
                self.contained_in(&sorted, |bounds, container| text_at(bounds, container))
            }
        }
    }

    fn contained_in<'a, T: Ord + 'a>(
        &'a self,
        sorted: &[T],
        at: impl Fn(&'a dyn Array, usize) -> Option<T>,
    ) -> (BooleanBuffer, BooleanBuffer) {
        let bound = |bounds: &'a ArrayRef, container| match bounds.is_null(container) {
            true => None,
            false => at(bounds, container),
        };
        let containers = self.min.len();
        let some = BooleanBuffer::collect_bool(containers, |container| {
            let min = bound(&self.min, container);
            let max = bound(&self.max, container);
            let first = min.map_or(0, |min| sorted.partition_point(|value| *value < min));
            sorted.get(first).is_some_and(|value| max.is_none_or(|max| *value <= max))
        });
        let others = BooleanBuffer::collect_bool(containers, |container| {
            let min = bound(&self.min, container);
            let is_one = min.is_some() && min == bound(&self.max, container);
            !(is_one && some.value(container))
        });
        (some, others)
    }
}

/// Returns whether a cast never makes a greater value a lesser one.
fn keeps_order(from: &DataType, to: &DataType) -> bool {
    let is_number = |data_type: &DataType| {
        data_type.is_integer() || data_type.is_floating() || data_type.is_decimal()
    };
    from == to
        || (is_number(from) && is_number(to))
        || matches!(
            (from, to),
            (DataType::Timestamp(..), DataType::Date32)
                | (DataType::Date32, DataType::Timestamp(..))
        )
}

/// Returns for each whether it may be true: unknown may be.
pub(super) fn may(compared: &BooleanArray) -> BooleanBuffer {
    match compared.nulls() {
        None => compared.values().clone(),
        Some(nulls) => compared.values() | &!nulls.inner(),
    }
}

/// Returns for each whether it is known to be true.
fn is(compared: &BooleanArray) -> BooleanBuffer {
    eval::is_true(compared).values().clone()
}
