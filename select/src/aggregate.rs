//! Aggregates without grouping: partial over a morsel, merged in the order of the file.
//!
//! Every one gives the same value however the file is divided: whole numbers and decimals add up
//! exactly, floats in an [`ExactSum`].

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::make_comparator;
use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};

use crate::eval::Problem;
use crate::exact_sum::ExactSum;
use crate::expr::{Expr, ExprKind};
use crate::numeric::{self, quotient};
use crate::syntax::AggregateFunction;
use crate::types::{quotient_scale, type_name};
use crate::value::DECIMAL_DIGITS_MAX;

/// A bound aggregate.
#[derive(Clone, Debug)]
pub(crate) struct Aggregate {
    function: AggregateFunction,
    /// `None` for `count(*)`.
    pub(crate) argument: Option<Expr>,
    data_type: DataType,
    /// As written.
    pub(crate) text: String,
}

impl Aggregate {
    /// Checks that the function takes the argument and finds the type of its value.
    ///
    /// # Errors
    /// The argument's type, for the message.
    pub(crate) fn new(
        function: AggregateFunction,
        argument: Option<Expr>,
        text: String,
    ) -> Result<Self, String> {
        let of = argument.as_ref().map_or(DataType::Null, |argument| argument.data_type.clone());
        let data_type = match function {
            AggregateFunction::Count => DataType::Int64,
            AggregateFunction::Min | AggregateFunction::Max if of != DataType::Binary => of,
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
        Ok(Self { function, argument, data_type, text })
    }

    pub(crate) fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// The state before the first record.
    pub(crate) fn start(&self) -> Partial {
        match self.function {
            AggregateFunction::Count => Partial::Count(0),
            AggregateFunction::Min => Partial::Extreme { best: None, keep: Ordering::Less },
            AggregateFunction::Max => Partial::Extreme { best: None, keep: Ordering::Greater },
            AggregateFunction::Sum | AggregateFunction::Avg => {
                let exact =
                    self.argument.as_ref().and_then(|a| exact_scale(&a.data_type)).is_some();
                if exact {
                    Partial::Exact { sum: 0, count: 0 }
                } else {
                    Partial::Float { sum: Box::default(), count: 0 }
                }
            }
        }
    }

    /// The value of a state, as an array of one.
    pub(crate) fn finish(&self, partial: &Partial) -> Result<ArrayRef, Problem> {
        let null = || arrow::array::new_null_array(&self.data_type, 1);
        let is_avg = self.function == AggregateFunction::Avg;
        Ok(match partial {
            Partial::Count(count) => Arc::new(Int64Array::from(vec![*count])),
            Partial::Extreme { best, .. } => best.clone().unwrap_or_else(null),
            Partial::Exact { count: 0, .. } | Partial::Float { count: 0, .. } => null(),
            Partial::Exact { sum, count } => {
                let from = self.argument.as_ref().and_then(|a| exact_scale(&a.data_type));
                let scale = exact_scale(&self.data_type).unwrap_or(0);
                let power = u32::from(scale - from.unwrap_or(0).min(scale));
                let digits = if is_avg { quotient(*sum, power, i128::from(*count))? } else { *sum };
                let array = Decimal128Array::from(vec![digits])
                    .with_precision_and_scale(DECIMAL_DIGITS_MAX, scale.cast_signed())?;
                array.validate_decimal_precision(DECIMAL_DIGITS_MAX)?;
                Arc::new(array)
            }
            #[expect(clippy::cast_precision_loss, reason = "a count of records is far below 2^53")]
            Partial::Float { sum, count } => {
                let sum = sum.value();
                let value = if is_avg { sum / *count as f64 } else { sum };
                if value.is_infinite() && !sum_saw_infinity(partial) {
                    return Err(Problem(format!("out of range: overflow of {}", self.function)));
                }
                Arc::new(Float64Array::from(vec![value]))
            }
        })
    }
}

/// The argument in the type that it is added up in.
fn widened(argument: Expr) -> Expr {
    let to = match &argument.data_type {
        DataType::Decimal128(..) | DataType::Int64 | DataType::Float64 => return argument,
        data_type if data_type.is_integer() => DataType::Int64,
        _ => DataType::Float64,
    };
    Expr { data_type: to, kind: ExprKind::Cast(Box::new(argument)) }
}

fn sum_saw_infinity(partial: &Partial) -> bool {
    matches!(partial, Partial::Float { sum, .. } if sum.has_special())
}

fn sum_type(scale: u8) -> DataType {
    DataType::Decimal128(DECIMAL_DIGITS_MAX, scale.cast_signed())
}

/// Digits after the point of a type of exact numbers.
fn exact_scale(data_type: &DataType) -> Option<u8> {
    match data_type {
        DataType::Decimal128(_, scale) => u8::try_from(*scale).ok(),
        data_type if data_type.is_integer() => Some(0),
        _ => None,
    }
}

/// The state of an aggregate over some records.
#[derive(Clone, Debug)]
pub(crate) enum Partial {
    Count(i64),
    /// The least or greatest so far, as an array of one: what orders `keep` before it stays.
    Extreme {
        best: Option<ArrayRef>,
        keep: Ordering,
    },
    /// The digits of whole numbers or decimals.
    Exact {
        sum: i128,
        count: i64,
    },
    Float {
        sum: Box<ExactSum>,
        count: i64,
    },
}

impl Partial {
    /// Adds the values of the argument; for `count(*)` there is only a number of `rows`.
    pub(crate) fn update(&mut self, values: Option<&ArrayRef>, rows: usize) -> Result<(), Problem> {
        let Some(values) = values else {
            if let Self::Count(count) = self {
                *count += length(rows);
            }
            return Ok(());
        };
        let present = length(values.len() - values.null_count());
        match self {
            Self::Count(count) => *count += present,
            Self::Extreme { best, keep } => {
                if let Some(found) = extreme(values, *keep)? {
                    improve(best, found, *keep)?;
                }
            }
            Self::Exact { sum, count } => {
                *sum = sum.checked_add(exact_sum(values)?).ok_or_else(sum_overflow)?;
                *count += present;
            }
            Self::Float { sum, count } => {
                values.as_primitive::<Float64Type>().iter().flatten().for_each(|v| sum.add(v));
                *count += present;
            }
        }
        Ok(())
    }

    /// Adds the state over records that come later in the file.
    pub(crate) fn merge(&mut self, later: Self) -> Result<(), Problem> {
        match (self, later) {
            (Self::Count(count), Self::Count(more)) => *count += more,
            (Self::Extreme { best, keep }, Self::Extreme { best: Some(found), .. }) => {
                improve(best, found, *keep)?;
            }
            (Self::Exact { sum, count }, Self::Exact { sum: more, count: records }) => {
                *sum = sum.checked_add(more).ok_or_else(sum_overflow)?;
                *count += records;
            }
            (Self::Float { sum, count }, Self::Float { sum: more, count: records }) => {
                sum.merge(&more);
                *count += records;
            }
            _ => {}
        }
        Ok(())
    }
}

fn length(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

fn sum_overflow() -> Problem {
    Problem("out of range: overflow of sum".to_owned())
}

fn exact_sum(values: &ArrayRef) -> Result<i128, Problem> {
    if let Some(integers) = values.as_primitive_opt::<Int64Type>() {
        return Ok(match integers.null_count() {
            0 => integers.values().iter().map(|value| i128::from(*value)).sum(),
            _ => integers.iter().flatten().map(i128::from).sum(),
        });
    }
    let decimals = values.as_primitive::<Decimal128Type>();
    decimals
        .iter()
        .flatten()
        .try_fold(0_i128, |sum, digits| sum.checked_add(digits))
        .ok_or_else(sum_overflow)
}

/// The least or greatest value that is not null.
fn extreme(values: &ArrayRef, keep: Ordering) -> Result<Option<ArrayRef>, Problem> {
    let values = numeric::comparable(Arc::clone(values));
    let compare = make_comparator(&values, &values, SortOptions::default())?;
    let mut rows = (0..values.len()).filter(|row| values.is_valid(*row));
    let Some(first) = rows.next() else { return Ok(None) };
    let best = rows.fold(first, |best, row| if compare(row, best) == keep { row } else { best });
    Ok(Some(values.slice(best, 1)))
}

fn improve(best: &mut Option<ArrayRef>, found: ArrayRef, keep: Ordering) -> Result<(), Problem> {
    let better = match best {
        None => true,
        Some(best) => make_comparator(&found, best, SortOptions::default())?(0, 0) == keep,
    };
    if better {
        *best = Some(found);
    }
    Ok(())
}
