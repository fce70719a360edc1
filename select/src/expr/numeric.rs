//! Arithmetic on arrays, with PostgreSQL's errors: overflow, division by zero, out of range.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowNativeTypeOp, AsArray, Datum, Decimal128Array, PrimitiveArray,
};
use arrow::buffer::NullBuffer;
use arrow::compute::kernels::arity::{binary, try_binary, try_unary};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float64Type, Int64Type,
    IntervalMonthDayNanoType, TimestampMicrosecondType, i256,
};
use arrow::error::ArrowError;

use super::problem::Problem;
use crate::sql::syntax::ArithmeticOp;
use crate::value::interval::Interval;
use sift_files::calendar::{DATES, TIMESTAMPS};
use sift_files::types::{DECIMAL_DIGITS_MAX, bits};

/// Computes `left op right` for operand types that the binder's arithmetic rules accept.
pub(crate) fn arithmetic(
    op: ArithmeticOp,
    left: &dyn Datum,
    right: &dyn Datum,
    to: &DataType,
) -> Result<ArrayRef, Problem> {
    match (left.get().0.data_type(), right.get().0.data_type()) {
        (DataType::Int64, DataType::Int64) => integers(op, left, right),
        (DataType::Decimal128(..), DataType::Decimal128(..)) => decimals(op, left, right, to),
        (DataType::Float64, DataType::Float64) => {
            elementwise::<Float64Type, Float64Type, Float64Type>(left, right, |l, r| {
                float(op, l, r)
            })
            .map(|array| Arc::new(array) as ArrayRef)
        }
        (DataType::Interval(_), _) | (_, DataType::Interval(_)) => intervals(op, left, right, to),
        (DataType::Timestamp(..), DataType::Timestamp(..)) => elementwise::<
            TimestampMicrosecondType,
            TimestampMicrosecondType,
            IntervalMonthDayNanoType,
        >(left, right, |l, r| {
            Interval::between(r, l).and_then(Interval::to_native).ok_or_else(too_long)
        })
        .map(|array| Arc::new(array) as ArrayRef),
        _ => dates(op, left, right, to),
    }
}

fn integers(op: ArithmeticOp, left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef, Problem> {
    Ok(match op {
        ArithmeticOp::Add => numeric::add(left, right)?,
        ArithmeticOp::Subtract => numeric::sub(left, right)?,
        ArithmeticOp::Multiply => numeric::mul(left, right)?,
        ArithmeticOp::Divide => numeric::div(left, right)?,
        ArithmeticOp::Modulo => {
            Arc::new(elementwise::<Int64Type, Int64Type, Int64Type>(left, right, |l, r| match r {
                0 => Err(ArrowError::DivideByZero),
                r => Ok(l.wrapping_rem(r)),
            })?)
        }
    })
}

fn decimals(
    op: ArithmeticOp,
    left: &dyn Datum,
    right: &dyn Datum,
    to: &DataType,
) -> Result<ArrayRef, Problem> {
    let scale_of = |side: &dyn Datum| match side.get().0.data_type() {
        DataType::Decimal128(_, scale) => u32::from(scale.unsigned_abs()),
        _ => 0,
    };
    let DataType::Decimal128(precision, scale) = *to else { return Err(Problem::out_of_range(to)) };
    let (s1, s2) = (scale_of(left), scale_of(right));
    if let Some(array) = small_decimals(op, left, right, (s1, s2)) {
        return Ok(Arc::new(array.with_precision_and_scale(precision, scale)?));
    }
    let array = match op {
        ArithmeticOp::Add => numeric::add(left, right)?.as_primitive::<Decimal128Type>().clone(),
        ArithmeticOp::Subtract => numeric::sub(left, right)?.as_primitive().clone(),
        ArithmeticOp::Multiply => numeric::mul(left, right)?.as_primitive().clone(),
        ArithmeticOp::Divide => {
            // dividend / 10^s1 over divisor / 10^s2, at the scale of the result.
            let power = u32::from(scale.unsigned_abs()) + s2 - s1;
            elementwise::<Decimal128Type, Decimal128Type, Decimal128Type>(left, right, |l, r| {
                quotient(l, power, r)
            })?
        }
        ArithmeticOp::Modulo => {
            let wider = s1.max(s2);
            elementwise::<Decimal128Type, Decimal128Type, Decimal128Type>(left, right, |l, r| {
                let l = l.mul_checked(10_i128.pow_checked(wider - s1)?)?;
                let r = r.mul_checked(10_i128.pow_checked(wider - s2)?)?;
                if r == 0 { Err(ArrowError::DivideByZero) } else { Ok(l % r) }
            })?
        }
    };
    if precision == DECIMAL_DIGITS_MAX {
        array.validate_decimal_precision(precision)?;
    }
    Ok(Arc::new(array.with_precision_and_scale(precision, scale)?))
}

/// Adds, subtracts or multiplies decimals so small that no result can have too many digits: no
/// value is checked then. Returns `None` for larger decimals and for other operations.
fn small_decimals(
    op: ArithmeticOp,
    left: &dyn Datum,
    right: &dyn Datum,
    (s1, s2): (u32, u32),
) -> Option<Decimal128Array> {
    // 2^126 has 38 digits
    const BITS_MAX: u32 = 126;
    if let Some(array) = word_decimals(op, left, right, (s1, s2)) {
        return Some(array);
    }
    let values = |side: &dyn Datum| bits(side.get().0.as_primitive::<Decimal128Type>().values());
    let (b1, b2) = (values(left), values(right));
    if let ArithmeticOp::Multiply = op {
        return (b1 + b2 <= BITS_MAX).then(|| pairs(left, right, i128::wrapping_mul))?;
    }
    let scale = s1.max(s2);
    let (f1, f2) = (10_i128.checked_pow(scale - s1)?, 10_i128.checked_pow(scale - s2)?);
    if (b1 + bits(&[f1])).max(b2 + bits(&[f2])) >= BITS_MAX {
        return None;
    }
    match op {
        ArithmeticOp::Add => pairs(left, right, |l, r| l * f1 + r * f2),
        ArithmeticOp::Subtract => pairs(left, right, |l, r| l * f1 - r * f2),
        _ => None,
    }
}

/// Does the same if all values are 64-bit numbers, which is checked on the way: their products, and
/// the sums of products with 62-bit numbers, have at most 126 bits.
fn word_decimals(
    op: ArithmeticOp,
    left: &dyn Datum,
    right: &dyn Datum,
    (s1, s2): (u32, u32),
) -> Option<Decimal128Array> {
    let factor = |of: u32| {
        let factor = 10_i64.checked_pow(s1.max(s2) - of)?;
        (factor < 1 << 62).then_some(i128::from(factor))
    };
    let wide = i128::from;
    match op {
        ArithmeticOp::Multiply => word_pairs(left, right, |l, r| wide(l) * wide(r)),
        ArithmeticOp::Add => {
            let (f1, f2) = (factor(s1)?, factor(s2)?);
            word_pairs(left, right, |l, r| wide(l) * f1 + wide(r) * f2)
        }
        ArithmeticOp::Subtract => {
            let (f1, f2) = (factor(s1)?, factor(s2)?);
            word_pairs(left, right, |l, r| wide(l) * f1 - wide(r) * f2)
        }
        _ => None,
    }
}

/// Applies `op` as [`pairs`] does; returns `None` if a value is not a 64-bit number.
fn word_pairs(
    left: &dyn Datum,
    right: &dyn Datum,
    op: impl Fn(i64, i64) -> i128,
) -> Option<Decimal128Array> {
    let ((left, left_scalar), (right, right_scalar)) = (left.get(), right.get());
    let (left, right) =
        (left.as_primitive::<Decimal128Type>(), right.as_primitive::<Decimal128Type>());
    let mut beyond = 0;
    #[expect(clippy::cast_possible_truncation, reason = "what is cut off is checked at the end")]
    let mut word = |value: i128| {
        beyond |= value ^ i128::from(value as i64);
        value as i64
    };
    let array = match (left_scalar, right_scalar) {
        (false, true) if right.is_valid(0) => {
            let right = word(right.value(0));
            let values = left.values().iter().map(|left| op(word(*left), right));
            Decimal128Array::new(values.collect(), left.nulls().cloned())
        }
        (true, false) if left.is_valid(0) => {
            let left = word(left.value(0));
            let values = right.values().iter().map(|right| op(left, word(*right)));
            Decimal128Array::new(values.collect(), right.nulls().cloned())
        }
        (false, false) if left.len() == right.len() => {
            let values = left.values().iter().zip(right.values());
            let values = values.map(|(left, right)| op(word(*left), word(*right)));
            let nulls = NullBuffer::union(left.nulls(), right.nulls());
            Decimal128Array::new(values.collect(), nulls)
        }
        _ => return None,
    };
    (beyond == 0).then_some(array)
}

/// Applies `op` to each pair, also to the values in place of NULL. At least one side has a value
/// for each row.
fn pairs(
    left: &dyn Datum,
    right: &dyn Datum,
    op: impl Fn(i128, i128) -> i128,
) -> Option<Decimal128Array> {
    let ((left, left_scalar), (right, right_scalar)) = (left.get(), right.get());
    let (left, right) =
        (left.as_primitive::<Decimal128Type>(), right.as_primitive::<Decimal128Type>());
    match (left_scalar, right_scalar) {
        (false, true) if right.is_valid(0) => {
            let right = right.value(0);
            Some(left.unary(|left| op(left, right)))
        }
        (true, false) if left.is_valid(0) => {
            let left = left.value(0);
            Some(right.unary(|right| op(left, right)))
        }
        (false, false) => binary(left, right, op).ok(),
        _ => None,
    }
}

/// Returns `dividend` · 10^`power` / `divisor`, rounded half away from zero.
pub(crate) fn quotient(dividend: i128, power: u32, divisor: i128) -> Result<i128, ArrowError> {
    if divisor == 0 {
        return Err(ArrowError::DivideByZero);
    }
    let dividend =
        i256::from_i128(dividend).mul_checked(i256::from_i128(10).pow_checked(power)?)?;
    let divisor = i256::from_i128(divisor);
    let (quotient, rest) = (dividend.div_wrapping(divisor), dividend.mod_wrapping(divisor));
    let twice = rest.wrapping_abs().mul_checked(i256::from_i128(2))?;
    let away = if twice >= divisor.wrapping_abs() {
        if (dividend < i256::ZERO) == (divisor < i256::ZERO) { i256::ONE } else { i256::MINUS_ONE }
    } else {
        i256::ZERO
    };
    quotient
        .add_checked(away)?
        .to_i128()
        .ok_or_else(|| ArrowError::ArithmeticOverflow("a quotient of more than 38 digits".into()))
}

fn float(op: ArithmeticOp, left: f64, right: f64) -> Result<f64, ArrowError> {
    let result = match op {
        ArithmeticOp::Add => left + right,
        ArithmeticOp::Subtract => left - right,
        ArithmeticOp::Multiply => left * right,
        ArithmeticOp::Divide | ArithmeticOp::Modulo if right == 0.0 && !left.is_nan() => {
            return Err(ArrowError::DivideByZero);
        }
        ArithmeticOp::Divide => left / right,
        ArithmeticOp::Modulo => left % right,
    };
    let overflow = result.is_infinite() && left.is_finite() && right.is_finite();
    let underflow = result == 0.0
        && match op {
            ArithmeticOp::Multiply => left != 0.0 && right != 0.0,
            ArithmeticOp::Divide => left != 0.0 && right.is_finite(),
            _ => false,
        };
    if overflow || underflow {
        let what = if overflow { "overflow" } else { "underflow" };
        return Err(ArrowError::ArithmeticOverflow(format!("{what} of {left:e} {op} {right:e}")));
    }
    Ok(result)
}

fn dates(
    op: ArithmeticOp,
    left: &dyn Datum,
    right: &dyn Datum,
    to: &DataType,
) -> Result<ArrayRef, Problem> {
    let out_of_range =
        || ArrowError::ArithmeticOverflow("a date beyond the years that dates have".into());
    let date = |days: i64| {
        let days = i32::try_from(days).ok().filter(|days| DATES.contains(days));
        days.ok_or_else(out_of_range)
    };
    let (l, r) = (left.get().0.data_type().clone(), right.get().0.data_type().clone());
    Ok(match (l, op, r) {
        (DataType::Date32, ArithmeticOp::Subtract, DataType::Date32) => {
            Arc::new(elementwise::<Date32Type, Date32Type, Int64Type>(left, right, |l, r| {
                Ok(i64::from(l) - i64::from(r))
            })?)
        }
        (DataType::Date32, ArithmeticOp::Add, _) => {
            Arc::new(elementwise::<Date32Type, Int64Type, Date32Type>(left, right, |l, r| {
                date(i64::from(l).add_checked(r)?)
            })?)
        }
        (DataType::Date32, ArithmeticOp::Subtract, _) => {
            Arc::new(elementwise::<Date32Type, Int64Type, Date32Type>(left, right, |l, r| {
                date(i64::from(l).sub_checked(r)?)
            })?)
        }
        (_, ArithmeticOp::Add, DataType::Date32) => {
            Arc::new(elementwise::<Int64Type, Date32Type, Date32Type>(left, right, |l, r| {
                date(l.add_checked(i64::from(r))?)
            })?)
        }
        _ => return Err(Problem::out_of_range(to)),
    })
}

fn too_long() -> ArrowError {
    ArrowError::ArithmeticOverflow("an interval beyond those that there are".into())
}

fn intervals(
    op: ArithmeticOp,
    left: &dyn Datum,
    right: &dyn Datum,
    to: &DataType,
) -> Result<ArrayRef, Problem> {
    use IntervalMonthDayNanoType as Span;
    use TimestampMicrosecondType as Time;
    let native =
        |interval: Option<Interval>| interval.and_then(Interval::to_native).ok_or_else(too_long);
    let after = |time: i64, interval: Option<Interval>| {
        let time = interval.and_then(|interval| interval.after(time));
        time.filter(|time| TIMESTAMPS.contains(time)).ok_or_else(|| {
            ArrowError::ArithmeticOverflow("a time beyond those that there are".into())
        })
    };
    let (l, r) = (left.get().0.data_type().clone(), right.get().0.data_type().clone());
    Ok(match (l, op, r) {
        (DataType::Interval(_), ArithmeticOp::Add, DataType::Interval(_)) => {
            Arc::new(elementwise::<Span, Span, Span>(left, right, |l, r| {
                native(Interval::from_native(l).plus(Interval::from_native(r)))
            })?)
        }
        (DataType::Interval(_), ArithmeticOp::Subtract, DataType::Interval(_)) => {
            Arc::new(elementwise::<Span, Span, Span>(left, right, |l, r| {
                let negated = Interval::from_native(r).negated();
                native(negated.and_then(|negated| Interval::from_native(l).plus(negated)))
            })?)
        }
        (DataType::Interval(_), ArithmeticOp::Multiply, DataType::Int64) => {
            Arc::new(elementwise::<Span, Int64Type, Span>(left, right, |l, r| {
                native(Interval::from_native(l).times(r))
            })?)
        }
        (DataType::Int64, ArithmeticOp::Multiply, DataType::Interval(_)) => {
            Arc::new(elementwise::<Int64Type, Span, Span>(left, right, |l, r| {
                native(Interval::from_native(r).times(l))
            })?)
        }
        (DataType::Timestamp(..), ArithmeticOp::Add, _) => {
            Arc::new(elementwise::<Time, Span, Time>(left, right, |l, r| {
                after(l, Some(Interval::from_native(r)))
            })?)
        }
        (DataType::Timestamp(..), ArithmeticOp::Subtract, _) => {
            Arc::new(elementwise::<Time, Span, Time>(left, right, |l, r| {
                after(l, Interval::from_native(r).negated())
            })?)
        }
        (_, ArithmeticOp::Add, DataType::Timestamp(..)) => {
            Arc::new(elementwise::<Span, Time, Time>(left, right, |l, r| {
                after(r, Some(Interval::from_native(l)))
            })?)
        }
        _ => return Err(Problem::out_of_range(to)),
    })
}

/// Applies `op` to each pair without nulls; a scalar side is used for every row.
fn elementwise<L, R, O>(
    left: &dyn Datum,
    right: &dyn Datum,
    op: impl Fn(L::Native, R::Native) -> Result<O::Native, ArrowError>,
) -> Result<PrimitiveArray<O>, Problem>
where
    L: ArrowPrimitiveType,
    R: ArrowPrimitiveType,
    O: ArrowPrimitiveType,
{
    let ((left, left_scalar), (right, right_scalar)) = (left.get(), right.get());
    let (left, right) = (left.as_primitive::<L>(), right.as_primitive::<R>());
    Ok(match (left_scalar, right_scalar) {
        (false, true) if right.is_null(0) => PrimitiveArray::new_null(left.len()),
        (true, false) if left.is_null(0) => PrimitiveArray::new_null(right.len()),
        (false, true) => {
            let right = right.value(0);
            try_unary::<L, _, O>(left, |left| op(left, right))?
        }
        (true, false) => {
            let left = left.value(0);
            try_unary::<R, _, O>(right, |right| op(left, right))?
        }
        _ => try_binary::<_, _, _, O>(left, right, op)?,
    })
}

/// Returns `-operand`.
pub(crate) fn negate(operand: &dyn Array) -> Result<ArrayRef, Problem> {
    if let Some(intervals) = operand.as_primitive_opt::<IntervalMonthDayNanoType>() {
        let negated = |native| {
            Interval::from_native(native)
                .negated()
                .and_then(Interval::to_native)
                .ok_or_else(too_long)
        };
        let array = try_unary::<_, _, IntervalMonthDayNanoType>(intervals, negated)?;
        return Ok(Arc::new(array));
    }
    Ok(numeric::neg(operand)?)
}

/// Returns an array that Arrow compares by value: floats have one zero and one NaN, and an interval
/// becomes its length.
pub(crate) fn comparable(array: ArrayRef) -> ArrayRef {
    macro_rules! normalized {
        ($type:ty, $nan:expr) => {{
            let normalized = |value| if value != value { $nan } else { value + 0.0 };
            let array: PrimitiveArray<$type> = array.as_primitive::<$type>().unary(normalized);
            Arc::new(array)
        }};
    }
    match array.data_type() {
        DataType::Float32 => normalized!(arrow::datatypes::Float32Type, f32::NAN),
        DataType::Float64 => normalized!(Float64Type, f64::NAN),
        DataType::Interval(_) => {
            let length = |native| Interval::from_native(native).length_micros();
            let array: Decimal128Array =
                array.as_primitive::<IntervalMonthDayNanoType>().unary(length);
            Arc::new(array)
        }
        _ => array,
    }
}

#[cfg(test)]
mod tests {
    use super::quotient;

    #[test]
    fn quotients_round_half_away_from_zero() {
        assert_eq!(quotient(10, 0, 4).unwrap(), 3);
        assert_eq!(quotient(-10, 0, 4).unwrap(), -3);
        assert_eq!(quotient(10, 0, -4).unwrap(), -3);
        assert_eq!(quotient(9, 0, 4).unwrap(), 2);
        assert_eq!(quotient(1, 4, 3).unwrap(), 3333);
        assert_eq!(quotient(2, 4, 3).unwrap(), 6667);
        assert!(quotient(1, 0, 0).is_err());
        assert!(quotient(i128::MAX, 20, 1).is_err());
    }
}
