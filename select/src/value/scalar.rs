//! Conversions between values and arrays of one value.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array,
    Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
    IntervalMonthDayNanoArray, Scalar, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, IntervalMonthDayNanoType, TimeUnit,
    TimestampMicrosecondType,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::common::decimal;
use super::interval::Interval;
use super::{Value, parse};
use sift_files::calendar::DAY_MICROS;
use sift_files::types::{DECIMAL_DIGITS_MAX, INTERVAL, TIMESTAMP, integer_at, text_at};

/// Returns the type that a value has by itself. NULL has none and counts as text.
pub(crate) fn type_of(value: &Value) -> DataType {
    match value {
        Value::Null | Value::Text(_) => DataType::Utf8,
        Value::Boolean(_) => DataType::Boolean,
        Value::Integer(_) => DataType::Int64,
        Value::Float(_) => DataType::Float64,
        Value::Decimal { digits, scale } => decimal(whole_digits(*digits).max(*scale), *scale),
        Value::Binary(_) => DataType::Binary,
        Value::Date(_) => DataType::Date32,
        Value::Timestamp(_) => TIMESTAMP,
        Value::Interval(_) => INTERVAL,
    }
}

/// Returns the type of a decimal, or of an integer as a decimal.
pub(crate) fn decimal_of(value: &Value) -> Option<DataType> {
    match value {
        Value::Integer(digits) => Some(decimal(whole_digits(i128::from(*digits)), 0)),
        Value::Decimal { .. } => Some(type_of(value)),
        _ => None,
    }
}

fn whole_digits(digits: i128) -> u8 {
    digits.unsigned_abs().checked_ilog10().map_or(1, |log| u8::try_from(log + 1).unwrap_or(u8::MAX))
}

/// Returns the value as `to`, if it is exact there; if `to` is a float, as the nearest float.
pub(crate) fn scalar(value: &Value, to: &DataType) -> Option<Scalar<ArrayRef>> {
    let array: ArrayRef = match (value, to) {
        (Value::Null, to) => new_null_array(to, 1),
        (Value::Text(text), DataType::Utf8) => Arc::new(StringArray::from(vec![text.as_str()])),
        (Value::Text(text), to) => return scalar(&parse::value(text, to)?, to),
        (Value::Boolean(value), DataType::Boolean) => Arc::new(BooleanArray::from(vec![*value])),
        (Value::Binary(value), DataType::Binary) => {
            Arc::new(BinaryArray::from_vec(vec![value.as_slice()]))
        }
        (Value::Date(days), DataType::Date32) => Arc::new(Date32Array::from(vec![*days])),
        (Value::Date(days), to) if *to == TIMESTAMP => {
            let micros = i64::from(*days).checked_mul(DAY_MICROS)?;
            Arc::new(TimestampMicrosecondArray::from(vec![micros]))
        }
        (Value::Timestamp(micros), to) if *to == TIMESTAMP => {
            Arc::new(TimestampMicrosecondArray::from(vec![*micros]))
        }
        (Value::Interval(interval), to) if *to == INTERVAL => {
            Arc::new(IntervalMonthDayNanoArray::from(vec![interval.to_native()?]))
        }
        (value, to) => number(value, to)?,
    };
    Some(Scalar::new(array))
}

/// Returns whether comparing the value as one of `to` compares the value itself.
pub(crate) fn compares_as(value: &Value, to: &DataType) -> bool {
    let Some(scalar) = scalar(value, to) else { return beyond(value, to).is_some() };
    match (value, scalar.into_inner().as_primitive_opt::<Float32Type>()) {
        (Value::Text(_) | Value::Null, _) | (_, None) => true,
        (value, Some(narrow)) => {
            let wide = number(value, &DataType::Float64);
            wide.is_some_and(|wide| {
                let (wide, narrow) = (wide.as_primitive::<Float64Type>().value(0), narrow.value(0));
                f64::from(narrow) == wide || wide.is_nan()
            })
        }
    }
}

/// Returns whether `to` has the value with all its digits. A literal with a decimal point is not an
/// integer, and a float is not an exact number, because division would change. Digits after the
/// decimal point are not dropped, even if they are zeros.
pub(crate) fn represents(value: &Value, to: &DataType) -> bool {
    let is_other = match (value, to) {
        (Value::Decimal { scale, .. }, DataType::Decimal128(_, to)) => scale.cast_signed() > *to,
        (Value::Decimal { .. }, to) => to.is_integer(),
        (Value::Float(_), to) => !to.is_floating(),
        _ => false,
    };
    if is_other {
        return false;
    }
    let Some(scalar) = scalar(value, to) else { return false };
    let array = scalar.into_inner();
    match to {
        DataType::Decimal128(precision, _) if array.is_valid(0) => {
            integer_at(&array, 0).is_some_and(|digits| whole_digits(digits) <= *precision)
        }
        _ => true,
    }
}

fn number(value: &Value, to: &DataType) -> Option<ArrayRef> {
    let rescaled = |scale: u8| match value {
        Value::Integer(digits) => rescale(i128::from(*digits), 0, scale),
        Value::Decimal { digits, scale: from } => rescale(*digits, *from, scale),
        _ => None,
    };
    let float = || match value {
        #[expect(clippy::cast_precision_loss, reason = "to the nearest, as PostgreSQL does")]
        Value::Integer(value) => Some(*value as f64),
        Value::Decimal { digits, scale } => Some(decimal_to_float(*digits, *scale)),
        Value::Float(value) => Some(*value),
        _ => None,
    };
    Some(match to {
        DataType::Int8 => Arc::new(Int8Array::from(vec![i8::try_from(rescaled(0)?).ok()?])),
        DataType::Int16 => Arc::new(Int16Array::from(vec![i16::try_from(rescaled(0)?).ok()?])),
        DataType::Int32 => Arc::new(Int32Array::from(vec![i32::try_from(rescaled(0)?).ok()?])),
        DataType::Int64 => Arc::new(Int64Array::from(vec![i64::try_from(rescaled(0)?).ok()?])),
        DataType::Decimal128(precision, scale) => {
            let digits = rescaled(u8::try_from(*scale).ok()?)?;
            let array = Decimal128Array::from(vec![digits]);
            Arc::new(array.with_precision_and_scale(*precision, *scale).ok()?)
        }
        DataType::Float64 => Arc::new(Float64Array::from(vec![float()?])),
        DataType::Float32 => Arc::new(Float32Array::from(vec![narrow(float()?)?])),
        _ => return None,
    })
}

/// Returns a stand-in for a number beyond every value of a decimal type: more digits than any has.
pub(crate) fn beyond(value: &Value, to: &DataType) -> Option<Scalar<ArrayRef>> {
    let DataType::Decimal128(precision, scale) = to else { return None };
    let (digits, from) = match value {
        Value::Integer(digits) => (i128::from(*digits), 0),
        Value::Decimal { digits, scale } => (*digits, *scale),
        _ => return None,
    };
    let whole = whole_digits(digits).checked_sub(from)?;
    let room = DECIMAL_DIGITS_MAX.checked_sub(u8::try_from(*scale).ok()?)?;
    let extreme = if digits < 0 { i128::MIN } else { i128::MAX };
    let array = Decimal128Array::from(vec![extreme]);
    let array = array.with_precision_and_scale(*precision, *scale).ok()?;
    (whole > room).then(|| Scalar::new(Arc::new(array) as ArrayRef))
}

/// Returns a value as text, as Arrow displays it; an interval as PostgreSQL writes it.
pub(crate) fn text_of(value: &Value) -> String {
    if let Value::Interval(interval) = value {
        return interval.to_string();
    }
    let options = FormatOptions::default();
    let text = scalar(value, &type_of(value)).and_then(|scalar| {
        let array = scalar.into_inner();
        let formatter = ArrayFormatter::try_new(&array, &options).ok()?;
        formatter.value(0).try_to_string().ok()
    });
    text.unwrap_or_default()
}

/// Returns `digits` at another scale, if no digit is lost and at most 38 are needed.
pub(crate) fn rescale(digits: i128, from: u8, to: u8) -> Option<i128> {
    let power = |n: u8| 10_i128.checked_pow(u32::from(n));
    let digits = if to >= from {
        digits.checked_mul(power(to - from)?)?
    } else {
        let factor = power(from - to)?;
        (digits % factor == 0).then_some(digits / factor)?
    };
    (whole_digits(digits) <= DECIMAL_DIGITS_MAX).then_some(digits)
}

/// Returns the float nearest to a decimal.
pub(crate) fn decimal_to_float(digits: i128, scale: u8) -> f64 {
    // Both are exact as floats, so one division rounds once: Clinger's fast path.
    const EXACT_DIGITS: u128 = 1 << 53;
    const EXACT_POWER: u8 = 22;
    if digits.unsigned_abs() <= EXACT_DIGITS && scale <= EXACT_POWER {
        #[expect(clippy::cast_precision_loss, reason = "at most 53 bits")]
        let digits = digits as f64;
        return digits / 10_f64.powi(i32::from(scale));
    }
    format!("{digits}e-{scale}").parse().unwrap_or(f64::NAN)
}

/// Returns the value at `row` of an array of a type that Selects compute with.
pub(crate) fn value_at(array: &dyn Array, row: usize) -> Option<Value> {
    if array.is_null(row) {
        return Some(Value::Null);
    }
    Some(match array.data_type() {
        DataType::Boolean => Value::Boolean(array.as_boolean().value(row)),
        DataType::Utf8 => Value::Text(text_at(array, row)?.to_owned()),
        DataType::Binary => Value::Binary(array.as_binary::<i32>().value(row).to_vec()),
        DataType::Float32 => Value::Float(array.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => Value::Float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Date32 => Value::Date(array.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            Value::Timestamp(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::Interval(_) => Value::Interval(Interval::from_native(
            array.as_primitive::<IntervalMonthDayNanoType>().value(row),
        )),
        DataType::Decimal128(_, scale) => {
            Value::Decimal { digits: integer_at(array, row)?, scale: u8::try_from(*scale).ok()? }
        }
        _ => Value::Integer(i64::try_from(integer_at(array, row)?).ok()?),
    })
}

/// Returns the nearest 32-bit float; `None` if it overflows, or underflows to zero.
#[expect(clippy::cast_possible_truncation, reason = "that is what is asked for")]
pub(crate) fn narrow(value: f64) -> Option<f32> {
    let narrow = value as f32;
    let lost = (narrow.is_infinite() && value.is_finite()) || (narrow == 0.0 && value != 0.0);
    (!lost).then_some(narrow)
}
