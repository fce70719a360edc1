//! The types of values and which of them go together.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array,
    Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
    IntervalMonthDayNanoArray, Scalar, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
    TimestampMicrosecondType,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::calendar::DAY_MICROS;
use crate::interval::Interval;
use crate::syntax::{ArithmeticOp, Position};
use crate::value::DECIMAL_DIGITS_MAX;
use crate::{Error, ErrorKind, Value, cast, input};

/// Microseconds without a time zone.
pub(crate) const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// Least digits after the point of a quotient or an average.
const QUOTIENT_SCALE_MIN: u8 = 16;

/// Months, days and microseconds.
pub(crate) const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// What messages and descriptions call a type: Arrow's name, in lower case.
pub fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Timestamp(TimeUnit::Microsecond, None) => "timestamp".to_owned(),
        DataType::Interval(_) => "interval".to_owned(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::List(_) => "list".to_owned(),
        DataType::Map(..) => "map".to_owned(),
        DataType::Struct(_) => "struct".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}

/// Whether Selects compute with values of a type; files may have columns of others.
pub(crate) fn is_selectable(data_type: &DataType) -> bool {
    match data_type {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal128(..)
        | DataType::Utf8
        | DataType::Binary
        | DataType::Date32 => true,
        other => *other == TIMESTAMP || *other == INTERVAL,
    }
}

/// The complaint about a column that is not [selectable](is_selectable).
pub(crate) fn not_selectable(column: &Field, at: Position) -> Error {
    let message = format!(
        "column `{}` is a {}, which Selects do not read",
        column.name(),
        type_name(column.data_type())
    );
    at.error(ErrorKind::Unsupported, message)
}

/// The type that a value has by itself. NULL has none and counts as text.
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

/// The type of a decimal or a whole number as a decimal.
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

pub(crate) fn decimal(precision: u8, scale: u8) -> DataType {
    DataType::Decimal128(precision.min(DECIMAL_DIGITS_MAX), scale.cast_signed())
}

/// The value as `to`, if it is exactly representable there; as the nearest if `to` is a float.
pub(crate) fn scalar(value: &Value, to: &DataType) -> Option<Scalar<ArrayRef>> {
    let array: ArrayRef = match (value, to) {
        (Value::Null, to) => new_null_array(to, 1),
        (Value::Text(text), DataType::Utf8) => Arc::new(StringArray::from(vec![text.as_str()])),
        (Value::Text(text), to) => return scalar(&input::value(text, to)?, to),
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

/// Whether the value is one of `to`, its digits within those of the type. A number with a point is
/// no whole number, and a float no exact one, since both divide otherwise; nor are digits behind
/// the point dropped, be they zeros.
pub(crate) fn holds(value: &Value, to: &DataType) -> bool {
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
        DataType::Float32 => Arc::new(Float32Array::from(vec![cast::narrow(float()?)?])),
        _ => return None,
    })
}

/// What stands for a number that is beyond every value of a decimal type: more digits than any has.
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

/// A value as text, as Arrow displays it; an interval as it is parsed.
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

/// `digits` at another scale, if no digit is lost and at most 38 are needed.
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

/// The nearest float of a decimal.
pub(crate) fn decimal_to_float(digits: i128, scale: u8) -> f64 {
    // Both exact as floats, so that one division rounds once: Clinger's fast path.
    const EXACT_DIGITS: u128 = 1 << 53;
    const EXACT_POWER: u8 = 22;
    if digits.unsigned_abs() <= EXACT_DIGITS && scale <= EXACT_POWER {
        #[expect(clippy::cast_precision_loss, reason = "at most 53 bits")]
        let digits = digits as f64;
        return digits / 10_f64.powi(i32::from(scale));
    }
    format!("{digits}e-{scale}").parse().unwrap_or(f64::NAN)
}

/// The value at a place of an array of a type that Selects compute with.
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

/// The text at a place that is not null.
pub(crate) fn text_at(array: &dyn Array, row: usize) -> Option<&str> {
    array.as_string_opt::<i32>().map(|texts| texts.value(row))
}

/// The whole number behind a value that is not null: of integers, the digits of decimals, dates
/// and timestamps.
pub(crate) fn integer_at(array: &dyn Array, row: usize) -> Option<i128> {
    Some(match array.data_type() {
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::Date32 => array.as_primitive::<Date32Type>().value(row).into(),
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            array.as_primitive::<TimestampMicrosecondType>().value(row).into()
        }
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value(row),
        _ => return None,
    })
}

/// The type in which values of all these types compare; `None` when there is none,
/// `Some(None)` when there are no types.
pub(crate) fn common(types: impl IntoIterator<Item = DataType>) -> Option<Option<DataType>> {
    let mut types = types.into_iter();
    let Some(first) = types.next() else { return Some(None) };
    types.try_fold(first, |left, right| common_of_two(&left, &right)).map(Some)
}

fn common_of_two(left: &DataType, right: &DataType) -> Option<DataType> {
    if left == right {
        return Some(left.clone());
    }
    if left.is_integer() && right.is_integer() {
        return Some(DataType::Int64);
    }
    if let (Some((p1, s1)), Some((p2, s2))) = (digits_of(left), digits_of(right)) {
        let scale = s1.max(s2);
        return Some(decimal((p1 - s1).max(p2 - s2) + scale, scale));
    }
    if is_number(left) && is_number(right) {
        return Some(DataType::Float64);
    }
    let is_time = |data_type: &DataType| *data_type == DataType::Date32 || *data_type == TIMESTAMP;
    (is_time(left) && is_time(right)).then_some(TIMESTAMP)
}

/// The type of a value that is one of several: as [`common`], but a 32-bit float beside exact
/// numbers stays one, as in PostgreSQL.
pub(crate) fn merged(types: impl IntoIterator<Item = DataType>) -> Option<Option<DataType>> {
    let mut types = types.into_iter();
    let Some(first) = types.next() else { return Some(None) };
    types.try_fold(first, |left, right| merged_of_two(&left, &right)).map(Some)
}

fn merged_of_two(left: &DataType, right: &DataType) -> Option<DataType> {
    let is_exact = |data_type| digits_of(data_type).is_some();
    match (left, right) {
        (DataType::Float32, exact) | (exact, DataType::Float32) if is_exact(exact) => {
            Some(DataType::Float32)
        }
        _ => common_of_two(left, right),
    }
}

pub(crate) fn is_number(data_type: &DataType) -> bool {
    data_type.is_floating() || digits_of(data_type).is_some()
}

/// Precision and scale of a type of exact numbers.
pub(crate) fn digits_of(data_type: &DataType) -> Option<(u8, u8)> {
    match data_type {
        DataType::Int8 => Some((3, 0)),
        DataType::Int16 => Some((5, 0)),
        DataType::Int32 => Some((10, 0)),
        DataType::Int64 => Some((19, 0)),
        DataType::Decimal128(precision, scale) => Some((*precision, u8::try_from(*scale).ok()?)),
        _ => None,
    }
}

/// One side of an arithmetic operation.
#[derive(Clone, Debug)]
pub(crate) struct Operand {
    pub(crate) data_type: DataType,
    /// Of a whole-number literal, the digits it has.
    pub(crate) whole_digits: Option<u8>,
}

impl Operand {
    fn digits(&self) -> Option<(u8, u8)> {
        self.whole_digits.map_or_else(|| digits_of(&self.data_type), |digits| Some((digits, 0)))
    }
}

/// The types that both sides have to be brought to, and that of the result.
///
/// Whole numbers compute in 64 bits. Decimals keep every digit of sums and products, up to 38; a
/// quotient has at least 16 digits after the point. With a float on one side both are floats.
pub(crate) fn arithmetic(
    op: ArithmeticOp,
    left: &Operand,
    right: &Operand,
) -> Option<(DataType, DataType, DataType)> {
    use ArithmeticOp as Op;
    use DataType::{Date32, Float64, Int64, Interval};
    let (l, r) = (&left.data_type, &right.data_type);
    let is_time = |data_type: &DataType| *data_type == Date32 || *data_type == TIMESTAMP;
    match (op, l, r) {
        (_, l, r) if l.is_integer() && r.is_integer() => Some((Int64, Int64, Int64)),
        (Op::Subtract, Date32, Date32) => Some((Date32, Date32, Int64)),
        (Op::Add | Op::Subtract, Date32, r) if r.is_integer() => Some((Date32, Int64, Date32)),
        (Op::Add, l, Date32) if l.is_integer() => Some((Int64, Date32, Date32)),
        (Op::Subtract, l, r) if is_time(l) && is_time(r) => Some((TIMESTAMP, TIMESTAMP, INTERVAL)),
        (Op::Add | Op::Subtract, l, Interval(_)) if is_time(l) => {
            Some((TIMESTAMP, INTERVAL, TIMESTAMP))
        }
        (Op::Add, Interval(_), r) if is_time(r) => Some((INTERVAL, TIMESTAMP, TIMESTAMP)),
        (Op::Add | Op::Subtract, Interval(_), Interval(_)) => Some((INTERVAL, INTERVAL, INTERVAL)),
        (Op::Multiply, Interval(_), r) if r.is_integer() => Some((INTERVAL, Int64, INTERVAL)),
        (Op::Multiply, l, Interval(_)) if l.is_integer() => Some((Int64, INTERVAL, INTERVAL)),
        _ if let (Some(left), Some(right)) = (left.digits(), right.digits()) => {
            let result = decimal_result(op, left, right)?;
            Some((decimal(left.0, left.1), decimal(right.0, right.1), result))
        }
        // PostgreSQL has no remainder of floats
        (op, l, r) if op != Op::Modulo && is_number(l) && is_number(r) => {
            Some((Float64, Float64, Float64))
        }
        _ => None,
    }
}

fn decimal_result(op: ArithmeticOp, (p1, s1): (u8, u8), (p2, s2): (u8, u8)) -> Option<DataType> {
    let (whole, scale) = ((p1 - s1).max(p2 - s2), s1.max(s2));
    Some(match op {
        ArithmeticOp::Add | ArithmeticOp::Subtract => decimal(whole + scale + 1, scale),
        ArithmeticOp::Multiply if s1 + s2 > DECIMAL_DIGITS_MAX => return None,
        ArithmeticOp::Multiply => decimal(p1 + p2 + 1, s1 + s2),
        ArithmeticOp::Divide => decimal(DECIMAL_DIGITS_MAX, quotient_scale(s1, s2)),
        ArithmeticOp::Modulo => decimal(whole + scale, scale),
    })
}

/// Digits after the point of a quotient of decimals of these scales.
pub(crate) fn quotient_scale(dividend: u8, divisor: u8) -> u8 {
    dividend.max(divisor).max(QUOTIENT_SCALE_MIN)
}
