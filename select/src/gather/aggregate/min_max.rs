//! The minimum or maximum of each group.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, PrimitiveArray,
    StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType,
};

use super::GroupIndices;
use crate::expr::numeric;
use crate::expr::problem::Problem;

/// The best value of each group so far.
#[derive(Debug)]
pub(crate) struct MinMax {
    best: Best,
    /// A value replaces the best so far if it compares with it as this.
    keep: Ordering,
}

#[derive(Debug)]
enum Best {
    /// Integers, and the integers that represent decimals, dates and timestamps.
    Integers(Vec<Option<i128>>),
    Floats(Vec<Option<f64>>),
    Texts {
        best: Vec<Option<Box<str>>>,
        bytes: usize,
    },
}

/// Evaluates `$body` with the array cast to its primitive type.
macro_rules! with_integers {
    ($array:expr, $values:ident => $body:expr) => {
        match $array.data_type() {
            DataType::Int8 => {
                let $values = $array.as_primitive::<Int8Type>();
                $body
            }
            DataType::Int16 => {
                let $values = $array.as_primitive::<Int16Type>();
                $body
            }
            DataType::Int32 => {
                let $values = $array.as_primitive::<Int32Type>();
                $body
            }
            DataType::Int64 => {
                let $values = $array.as_primitive::<Int64Type>();
                $body
            }
            DataType::Date32 => {
                let $values = $array.as_primitive::<Date32Type>();
                $body
            }
            DataType::Timestamp(TimeUnit::Microsecond, None) => {
                let $values = $array.as_primitive::<TimestampMicrosecondType>();
                $body
            }
            DataType::Decimal128(..) => {
                let $values = $array.as_primitive::<Decimal128Type>();
                $body
            }
            other => return Err(Problem(format!("min and max do not take {other}"))),
        }
    };
}

impl MinMax {
    /// Returns whether values of the type have a minimum.
    pub(crate) fn has_order(data_type: &DataType) -> bool {
        data_type.is_integer()
            || data_type.is_floating()
            || matches!(
                data_type,
                DataType::Decimal128(..)
                    | DataType::Date32
                    | DataType::Timestamp(TimeUnit::Microsecond, None)
                    | DataType::Utf8
            )
    }

    /// Makes the state for values of a type that [has an order](Self::has_order).
    pub(super) fn new(of: &DataType, keep: Ordering) -> Self {
        let best = match of {
            DataType::Utf8 => Best::Texts { best: Vec::new(), bytes: 0 },
            of if of.is_floating() => Best::Floats(Vec::new()),
            _ => Best::Integers(Vec::new()),
        };
        Self { best, keep }
    }

    pub(super) fn resize(&mut self, groups: usize) {
        match &mut self.best {
            Best::Integers(best) => best.resize(groups, None),
            Best::Floats(best) => best.resize(groups, None),
            Best::Texts { best, .. } => best.resize(groups, None),
        }
    }

    pub(super) fn update(
        &mut self,
        members: GroupIndices<'_>,
        values: &ArrayRef,
    ) -> Result<(), Problem> {
        let keep = self.keep;
        match &mut self.best {
            Best::Integers(best) => with_integers!(values, values => {
                members.each(values, |group, value| improve(&mut best[group], value, keep));
            }),
            Best::Floats(best) => {
                let values = numeric::comparable(cast(values, &DataType::Float64)?);
                members.each(values.as_primitive::<Float64Type>(), |group, value| {
                    improve_float(&mut best[group], value, keep);
                });
            }
            Best::Texts { best, bytes } => {
                for (row, text) in values.as_string::<i32>().iter().enumerate() {
                    let group = match members {
                        GroupIndices::One(_) => 0,
                        GroupIndices::Of(groups) | GroupIndices::Few(groups, _) => {
                            groups[row] as usize
                        }
                    };
                    if let Some(text) = text {
                        improve_text(&mut best[group], text, keep, bytes);
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns the values of some groups as a column that [`update`](Self::update) takes.
    pub(super) fn column(&self, groups: Range<usize>) -> ArrayRef {
        match &self.best {
            // any integer: its type comes back at the end
            Best::Integers(best) => {
                Arc::new(best[groups].iter().copied().collect::<Decimal128Array>())
            }
            Best::Floats(best) => Arc::new(best[groups].iter().copied().collect::<Float64Array>()),
            Best::Texts { best, .. } => {
                Arc::new(best[groups].iter().map(Option::as_deref).collect::<StringArray>())
            }
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        match &self.best {
            Best::Integers(best) => size_of_val(&best[..]),
            Best::Floats(best) => size_of_val(&best[..]),
            Best::Texts { best, bytes } => size_of_val(&best[..]) + bytes,
        }
    }

    /// Returns the values of some groups as an array of the type `to`, which they came from.
    pub(super) fn finish(&self, to: &DataType, groups: &[u32]) -> Result<ArrayRef, Problem> {
        let groups = groups.iter().map(|group| *group as usize);
        let integers = match &self.best {
            Best::Integers(best) => groups.map(|group| best[group]),
            Best::Floats(best) => {
                let floats: Float64Array = groups.map(|group| best[group]).collect();
                return Ok(cast(&floats, to)?);
            }
            Best::Texts { best, .. } => {
                let texts = groups.map(|group| best[group].as_deref());
                return Ok(Arc::new(texts.collect::<StringArray>()));
            }
        };
        if let DataType::Decimal128(precision, scale) = to {
            let array: Decimal128Array = integers.collect();
            return Ok(Arc::new(array.with_precision_and_scale(*precision, *scale)?));
        }
        let narrow = |value: Option<i128>| value.and_then(|value| i64::try_from(value).ok());
        let integers: Int64Array = integers.map(narrow).collect();
        if let DataType::Date32 = to {
            let days: PrimitiveArray<Int32Type> =
                cast(&integers, &DataType::Int32)?.as_primitive().clone();
            return Ok(Arc::new(days.reinterpret_cast::<Date32Type>()));
        }
        Ok(cast(&integers, to)?)
    }
}

fn improve(best: &mut Option<i128>, value: impl Into<i128>, keep: Ordering) {
    let value = value.into();
    if best.is_none_or(|best| value.cmp(&best) == keep) {
        *best = Some(value);
    }
}

fn improve_float(best: &mut Option<f64>, value: f64, keep: Ordering) {
    if best.is_none_or(|best| value.total_cmp(&best) == keep) {
        *best = Some(value);
    }
}

fn improve_text(best: &mut Option<Box<str>>, text: &str, keep: Ordering, bytes: &mut usize) {
    if best.as_deref().is_none_or(|best| text.cmp(best) == keep) {
        *bytes = *bytes + text.len() - best.as_ref().map_or(0, |best| best.len());
        *best = Some(text.into());
    }
}
