//! Casts between the types that PostgreSQL casts, explicit or implied.
//!
//! An exact number is rounded half away from zero, a float half to even. A value that the target
//! type does not have is an error of its record. Integers of every width are cast as PostgreSQL
//! casts `integer`.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Decimal128Array, PrimitiveArray,
    StringBuilder,
};
use arrow::compute::kernels::arity::try_unary;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, IntervalMonthDayNanoType, TimestampMicrosecondType,
};
use arrow::error::ArrowError;

use super::numeric::quotient;
use super::problem::Problem;
use crate::value::common::digits_of;
use crate::value::parse::{boolean, interval, number, time};
use crate::value::render::render;
use crate::value::scalar::{decimal_to_float, narrow};
use sift_files::calendar::DAY_MICROS;
use sift_files::types::{TIMESTAMP, type_name};

/// Significant digits of a float that is cast to a decimal: of 64 bits here, of 32 bits below.
const FLOAT_DIGITS: usize = 15;
const REAL_DIGITS: usize = 6;

/// Returns whether values of type `from` can be cast to `to`.
pub(crate) fn exists(from: &DataType, to: &DataType) -> bool {
    use DataType::{Boolean, Date32, Interval, Utf8};
    let is_number =
        |data_type: &DataType| data_type.is_floating() || digits_of(data_type).is_some();
    match (from, to) {
        (from, to) if from == to => true,
        (from, Utf8) | (Utf8, from) => {
            is_number(from) || matches!(from, Boolean | Date32 | Interval(_)) || *from == TIMESTAMP
        }
        (Boolean, to) => to.is_integer(),
        (from, Boolean) => from.is_integer(),
        (Date32, to) => *to == TIMESTAMP,
        (from, Date32) => *from == TIMESTAMP,
        (from, to) => is_number(from) && is_number(to),
    }
}

/// Returns whether the cast can fail for a value.
pub(crate) fn is_fallible(from: &DataType, to: &DataType) -> bool {
    let whole = |data_type| digits_of(data_type).map(|(precision, scale)| precision - scale);
    match (from, to) {
        (from, to) if from == to => false,
        (DataType::Utf8, _) => true,
        (_, DataType::Utf8 | DataType::Boolean | DataType::Float64) => false,
        (DataType::Boolean, _) | (DataType::Timestamp(..), DataType::Date32) => false,
        (from, to) if from.is_integer() && to.is_integer() => whole(from) > whole(to),
        (from, DataType::Decimal128(..)) => match (digits_of(from), digits_of(to)) {
            (Some((p1, s1)), Some((p2, s2))) => s1 > s2 || p1 - s1 > p2 - s2,
            _ => true,
        },
        _ => true,
    }
}

/// Casts all values to the type `to`.
pub(crate) fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, Problem> {
    let from = array.data_type();
    if from == to {
        return Ok(Arc::clone(array));
    }
    match (from, to) {
        (DataType::Utf8, to) => from_text(array, to),
        (_, DataType::Utf8) => to_text(array),
        (DataType::Decimal128(_, scale), to) => {
            from_decimal(array.as_primitive(), scale.unsigned_abs(), to)
        }
        (DataType::Float64, to) => {
            from_float(array.as_primitive::<Float64Type>(), FLOAT_DIGITS, to)
        }
        (DataType::Float32, DataType::Float64) => {
            Ok(Arc::new(array.as_primitive::<Float32Type>().unary::<_, Float64Type>(f64::from)))
        }
        (DataType::Float32, to) => from_float(
            &array.as_primitive::<Float32Type>().unary::<_, Float64Type>(f64::from),
            REAL_DIGITS,
            to,
        ),
        (DataType::Boolean, to) => {
            let ones: ArrayRef = Arc::new(
                array
                    .as_boolean()
                    .iter()
                    .map(|value| value.map(i64::from))
                    .collect::<PrimitiveArray<Int64Type>>(),
            );
            arrow_cast(&ones, to)
        }
        (DataType::Timestamp(..), DataType::Date32) => {
            let days =
                |micros: i64| i32::try_from(micros.div_euclid(DAY_MICROS)).unwrap_or(i32::MAX);
            let times = array.as_primitive::<TimestampMicrosecondType>();
            Ok(Arc::new(times.unary::<_, Date32Type>(days)))
        }
        _ => arrow_cast(array, to),
    }
}

/// Casts with Arrow's kernel: integers to other numbers and to booleans, and dates to timestamps.
fn arrow_cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, Problem> {
    let options = arrow::compute::CastOptions { safe: false, ..Default::default() };
    let array = arrow::compute::cast_with_options(array, to, &options);
    Ok(array.map_err(|_says_how_it_is_stored| beyond(to))?)
}

fn beyond(to: &DataType) -> ArrowError {
    ArrowError::ArithmeticOverflow(format!("a value beyond those of {}", type_name(to)))
}

fn to_text(array: &ArrayRef) -> Result<ArrayRef, Problem> {
    let mut texts = StringBuilder::with_capacity(array.len(), array.len() * 8);
    let mut text = String::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            texts.append_null();
            continue;
        }
        text.clear();
        render(array, row, &mut text)
            .ok_or_else(|| Problem(format!("{} has no text", type_name(array.data_type()))))?;
        texts.append_value(&text);
    }
    Ok(Arc::new(texts.finish()))
}

fn from_decimal(decimals: &Decimal128Array, scale: u8, to: &DataType) -> Result<ArrayRef, Problem> {
    let whole = |digits: i128| rounded(digits, scale, 0);
    match to {
        DataType::Float64 => {
            Ok(Arc::new(decimals.unary::<_, Float64Type>(|digits| decimal_to_float(digits, scale))))
        }
        DataType::Float32 => {
            map::<_, Float32Type>(decimals, to, |digits| narrow(decimal_to_float(digits, scale)))
        }
        DataType::Decimal128(precision, to_scale) => {
            let limit = 10_i128.checked_pow(u32::from(*precision)).unwrap_or(i128::MAX);
            let array = try_unary::<_, _, Decimal128Type>(decimals, |digits| {
                rounded(digits, scale, to_scale.unsigned_abs())
                    .filter(|digits| digits.unsigned_abs() < limit.unsigned_abs())
                    .ok_or_else(|| beyond(to))
            })?;
            Ok(Arc::new(array.with_precision_and_scale(*precision, *to_scale)?))
        }
        DataType::Int64 => map::<_, Int64Type>(decimals, to, |d| i64::try_from(whole(d)?).ok()),
        DataType::Int32 => map::<_, Int32Type>(decimals, to, |d| i32::try_from(whole(d)?).ok()),
        DataType::Int16 => map::<_, Int16Type>(decimals, to, |d| i16::try_from(whole(d)?).ok()),
        _ => map::<_, Int8Type>(decimals, to, |d| i8::try_from(whole(d)?).ok()),
    }
}

/// Returns the digits at another scale, rounded half away from zero.
fn rounded(digits: i128, from: u8, to: u8) -> Option<i128> {
    match to.checked_sub(from) {
        Some(more) => digits.checked_mul(10_i128.checked_pow(more.into())?),
        None => quotient(digits, 0, 10_i128.checked_pow((from - to).into())?).ok(),
    }
}

fn from_float(
    floats: &PrimitiveArray<Float64Type>,
    digits: usize,
    to: &DataType,
) -> Result<ArrayRef, Problem> {
    match to {
        DataType::Float32 => map::<_, Float32Type>(floats, to, narrow),
        DataType::Decimal128(precision, scale) => {
            let array = try_unary::<_, _, Decimal128Type>(floats, |value| {
                decimal_of_float(value, digits, *precision, scale.unsigned_abs())
                    .ok_or_else(|| beyond(to))
            })?;
            Ok(Arc::new(array.with_precision_and_scale(*precision, *scale)?))
        }
        DataType::Int64 => map::<_, Int64Type>(floats, to, whole_of_float),
        DataType::Int32 => {
            map::<_, Int32Type>(floats, to, |v| i32::try_from(whole_of_float(v)?).ok())
        }
        DataType::Int16 => {
            map::<_, Int16Type>(floats, to, |v| i16::try_from(whole_of_float(v)?).ok())
        }
        _ => map::<_, Int8Type>(floats, to, |v| i8::try_from(whole_of_float(v)?).ok()),
    }
}

/// Rounds to the nearest integer, half to even; `None` beyond 64 bits.
#[expect(clippy::cast_possible_truncation, reason = "within the bounds of 64 bits")]
fn whole_of_float(value: f64) -> Option<i64> {
    const END: f64 = 9_223_372_036_854_775_808.0;
    let rounded = value.round_ties_even();
    (-END..END).contains(&rounded).then_some(rounded as i64)
}

/// Returns the decimal of a float, which is first rounded to `digits` significant digits.
fn decimal_of_float(value: f64, digits: usize, precision: u8, scale: u8) -> Option<i128> {
    if !value.is_finite() {
        return None;
    }
    let text = format!("{value:.*e}", digits - 1);
    number::decimal(&text, precision, scale)
}

/// Applies `of` to each value; `None` is an error that names the type `to`.
fn map<F: ArrowPrimitiveType, T: ArrowPrimitiveType>(
    array: &PrimitiveArray<F>,
    to: &DataType,
    of: impl Fn(F::Native) -> Option<T::Native>,
) -> Result<ArrayRef, Problem> {
    let array = try_unary::<_, _, T>(array, |value| of(value).ok_or_else(|| beyond(to)))?;
    Ok(Arc::new(array))
}

fn from_text(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, Problem> {
    match to {
        DataType::Boolean => {
            let texts = array.as_string::<i32>().iter();
            let values = texts.map(|text| text.map(|text| read(text, to, boolean)).transpose());
            Ok(Arc::new(values.collect::<Result<BooleanArray, _>>()?))
        }
        DataType::Int16 => parsed::<Int16Type>(array, to, number::whole),
        DataType::Int32 => parsed::<Int32Type>(array, to, number::whole),
        DataType::Int64 => parsed::<Int64Type>(array, to, number::whole),
        DataType::Float32 => parsed::<Float32Type>(array, to, number::float32),
        DataType::Float64 => parsed::<Float64Type>(array, to, number::float64),
        DataType::Decimal128(precision, scale) => {
            let array = parsed::<Decimal128Type>(array, to, |text| {
                number::decimal(text, *precision, scale.unsigned_abs())
            })?;
            let array = array.as_primitive::<Decimal128Type>().clone();
            Ok(Arc::new(array.with_precision_and_scale(*precision, *scale)?))
        }
        DataType::Date32 => parsed::<Date32Type>(array, to, time::date),
        DataType::Interval(_) => {
            parsed::<IntervalMonthDayNanoType>(array, to, |text| interval::parse(text)?.to_native())
        }
        _ => parsed::<TimestampMicrosecondType>(array, to, time::timestamp),
    }
}

fn parsed<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    to: &DataType,
    of: impl Fn(&str) -> Option<T::Native>,
) -> Result<ArrayRef, Problem> {
    let texts = array.as_string::<i32>().iter();
    let values = texts.map(|text| text.map(|text| read(text, to, &of)).transpose());
    Ok(Arc::new(values.collect::<Result<PrimitiveArray<T>, _>>()?))
}

fn read<T>(text: &str, to: &DataType, of: impl Fn(&str) -> Option<T>) -> Result<T, Problem> {
    const SHOWN_MAX: usize = 40;
    of(text).ok_or_else(|| {
        let shown: String = text.chars().take(SHOWN_MAX).collect();
        let more = if shown.len() < text.len() { "…" } else { "" };
        Problem(format!("'{shown}{more}' is not a valid {}", type_name(to)))
    })
}
