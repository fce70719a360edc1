//! Functions of numbers. Functions of decimals are exact; roots, powers and logarithms are computed
//! in 64-bit floats. Source of the errors: PostgreSQL's `float.c` and `numeric.c`.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};

use super::arguments::Arguments;
use super::{ArgumentType, Function, ReturnType};
use crate::expr::numeric::quotient;
use crate::expr::problem::Problem;
use crate::expr::{Expr, ExprKind, Literal};
use crate::value::Value;
use crate::value::common::decimal;
use sift_files::types::DECIMAL_DIGITS_MAX;

const FLOAT: ReturnType = ReturnType::Float;

pub(super) static FUNCTIONS: &[Function] = {
    use ArgumentType::{Decimal, Float, Whole};
    use ReturnType::Of;
    &[
        Function::new("abs", &[Whole], ReturnType::Whole, abs_whole).fallible(),
        Function::new("abs", &[Float], FLOAT, |a| floats(a, |x| Ok(x.abs()))),
        Function::new("abs", &[Decimal], Of(same), abs_decimal),
        Function::new("sign", &[Float], FLOAT, |a| floats(a, |x| Ok(sign(x)))),
        Function::new("sign", &[Decimal], Of(whole), sign_decimal),
        Function::new("round", &[Float], FLOAT, |a| floats(a, |x| Ok(x.round_ties_even()))),
        Function::new("round", &[Decimal], Of(whole_and_one), round).fallible(),
        Function::new("round", &[Decimal, Whole], Of(to_scale), round).fallible(),
        Function::new("trunc", &[Float], FLOAT, |a| floats(a, |x| Ok(x.trunc()))),
        Function::new("trunc", &[Decimal], Of(whole), trunc),
        Function::new("trunc", &[Decimal, Whole], Of(to_scale), trunc).fallible(),
        Function::new("ceil", &[Float], FLOAT, |a| floats(a, |x| Ok(x.ceil()))),
        Function::new("ceil", &[Decimal], Of(whole_and_one), ceil).fallible(),
        Function::new("ceiling", &[Float], FLOAT, |a| floats(a, |x| Ok(x.ceil()))),
        Function::new("ceiling", &[Decimal], Of(whole_and_one), ceil).fallible(),
        Function::new("floor", &[Float], FLOAT, |a| floats(a, |x| Ok(x.floor()))),
        Function::new("floor", &[Decimal], Of(whole_and_one), floor).fallible(),
        Function::new("sqrt", &[Float], FLOAT, |a| floats(a, sqrt)).fallible(),
        Function::new("exp", &[Float], FLOAT, |a| floats(a, exp)).fallible(),
        Function::new("ln", &[Float], FLOAT, |a| floats(a, |x| logarithm(x).map(f64::ln)))
            .fallible(),
        Function::new("log", &[Float], FLOAT, |a| floats(a, |x| logarithm(x).map(f64::log10)))
            .fallible(),
        Function::new("log10", &[Float], FLOAT, |a| floats(a, |x| logarithm(x).map(f64::log10)))
            .fallible(),
        Function::new("log", &[Float, Float], FLOAT, log).fallible(),
        Function::new("power", &[Float, Float], FLOAT, powers).fallible(),
        Function::new("pow", &[Float, Float], FLOAT, powers).fallible(),
        Function::new("^", &[Float, Float], FLOAT, powers).fallible(),
    ]
};

fn floats(
    arguments: &Arguments<'_>,
    of: impl Fn(f64) -> Result<f64, Problem>,
) -> Result<ArrayRef, Problem> {
    let numbers = arguments.numbers::<Float64Type>(0);
    arguments.each_number::<Float64Type>(|row| of(numbers.at(row)))
}

/// Returns 1, -1, or 0 for zeros and for NaN, as PostgreSQL does.
fn sign(value: f64) -> f64 {
    match value {
        value if value > 0.0 => 1.0,
        value if value < 0.0 => -1.0,
        _ => 0.0,
    }
}

fn sqrt(value: f64) -> Result<f64, Problem> {
    match value < 0.0 {
        true => Err(Problem("cannot take square root of a negative number".to_owned())),
        false => Ok(value.sqrt()),
    }
}

fn exp(value: f64) -> Result<f64, Problem> {
    in_range(value.exp(), value.is_infinite(), "exp")
}

/// Returns the number if it has a logarithm.
fn logarithm(value: f64) -> Result<f64, Problem> {
    match value {
        0.0 => Err(Problem("cannot take logarithm of zero".to_owned())),
        value if value < 0.0 => {
            Err(Problem("cannot take logarithm of a negative number".to_owned()))
        }
        value => Ok(value),
    }
}

fn log(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let (bases, numbers) =
        (arguments.numbers::<Float64Type>(0), arguments.numbers::<Float64Type>(1));
    arguments.each_number::<Float64Type>(|row| {
        let (base, number) = (logarithm(bases.at(row))?, logarithm(numbers.at(row))?);
        match base {
            1.0 => Err(Problem("division by zero".to_owned())),
            2.0 => Ok(number.log2()),
            10.0 => Ok(number.log10()),
            base => Ok(number.ln() / base.ln()),
        }
    })
}

fn powers(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let (bases, exponents) =
        (arguments.numbers::<Float64Type>(0), arguments.numbers::<Float64Type>(1));
    arguments.each_number::<Float64Type>(|row| power(bases.at(row), exponents.at(row)))
}

fn power(base: f64, exponent: f64) -> Result<f64, Problem> {
    if base == 0.0 && exponent < 0.0 {
        return Err(Problem("zero raised to a negative power is undefined".to_owned()));
    }
    if base < 0.0 && exponent.is_finite() && exponent.fract() != 0.0 {
        let text = "a negative number raised to a non-integer power yields a complex result";
        return Err(Problem(text.to_owned()));
    }
    let exact = base.is_infinite() || exponent.is_infinite() || base == 0.0;
    in_range(base.powf(exponent), exact, "power")
}

/// Refuses an infinite or zero result, unless an argument makes it exact.
fn in_range(value: f64, exact: bool, what: &str) -> Result<f64, Problem> {
    match value {
        _ if exact => Ok(value),
        value if value.is_infinite() => Err(Problem(format!("out of range: overflow of {what}"))),
        0.0 => Err(Problem(format!("out of range: underflow of {what}"))),
        value => Ok(value),
    }
}

fn abs_whole(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let numbers = arguments.numbers::<Int64Type>(0);
    arguments.each_number::<Int64Type>(|row| {
        numbers.at(row).checked_abs().ok_or_else(|| Problem::out_of_range(arguments.to()))
    })
}

/// Returns precision and scale of the first argument.
fn digits(arguments: &[Expr]) -> Result<(u8, u8), String> {
    match arguments.first().map(|argument| &argument.data_type) {
        Some(DataType::Decimal128(precision, scale)) => Ok((*precision, scale.unsigned_abs())),
        _ => Err("expected a decimal".to_owned()),
    }
}

fn same(arguments: &[Expr]) -> Result<DataType, String> {
    digits(arguments).map(|(precision, scale)| decimal(precision, scale))
}

/// Returns the type of the digits before the decimal point.
fn whole(arguments: &[Expr]) -> Result<DataType, String> {
    digits(arguments).map(|(precision, scale)| decimal((precision - scale).max(1), 0))
}

/// Returns the type of the digits before the decimal point, with one more digit for a carry.
fn whole_and_one(arguments: &[Expr]) -> Result<DataType, String> {
    digits(arguments).map(|(precision, scale)| decimal(precision - scale + 1, 0))
}

/// Returns the type with the scale that the second argument gives; if it is not a constant, the
/// scale stays.
fn to_scale(arguments: &[Expr]) -> Result<DataType, String> {
    let (precision, scale) = digits(arguments)?;
    let kept = match arguments.get(1).map(|argument| &argument.kind) {
        Some(ExprKind::Literal(Literal { value: Value::Integer(kept), .. })) => {
            u8::try_from((*kept).clamp(0, DECIMAL_DIGITS_MAX.into())).unwrap_or(scale)
        }
        _ => scale,
    };
    Ok(decimal(precision - scale + kept + 1, kept))
}

fn abs_decimal(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let numbers = arguments.numbers::<Decimal128Type>(0);
    arguments.each_number::<Decimal128Type>(|row| Ok(numbers.at(row).saturating_abs()))
}

fn sign_decimal(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let numbers = arguments.numbers::<Decimal128Type>(0);
    arguments.each_number::<Decimal128Type>(|row| Ok(numbers.at(row).signum()))
}

fn round(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    rescaled(arguments, |digits, divisor| quotient(digits, 0, divisor).ok())
}

fn trunc(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    rescaled(arguments, |digits, divisor| digits.checked_div(divisor))
}

fn floor(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    rescaled(arguments, |digits, divisor| digits.checked_div_euclid(divisor))
}

fn ceil(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    rescaled(arguments, |digits, divisor| {
        digits.checked_neg()?.checked_div_euclid(divisor)?.checked_neg()
    })
}

/// Returns decimals at the scale of the call, with as many digits after the decimal point as the
/// second argument says. `divide` removes the other digits.
fn rescaled(
    arguments: &Arguments<'_>,
    divide: impl Fn(i128, i128) -> Option<i128>,
) -> Result<ArrayRef, Problem> {
    let numbers = arguments.numbers::<Decimal128Type>(0);
    let kept = (arguments.count() > 1).then(|| arguments.numbers::<Int64Type>(1));
    let from = i64::from(arguments.scale(0));
    let (precision, to) = match arguments.to() {
        DataType::Decimal128(precision, scale) => (*precision, i64::from(*scale)),
        _ => return Err(Problem::out_of_range(arguments.to())),
    };
    let power = |n: i64| u32::try_from(n).ok().and_then(|n| 10_i128.checked_pow(n));
    let limit = power(precision.into()).unwrap_or(i128::MAX);
    let at_scale = |digits: i128, kept: i64| {
        // more digits before the point than there are: nothing is left
        let kept = kept.min(to);
        let digits = match from - kept {
            off if off <= 0 => digits.checked_mul(power(-off)?)?,
            off => power(off).map_or(Some(0), |divisor| divide(digits, divisor))?,
        };
        let digits = digits.checked_mul(power(to - kept.min(to))?);
        digits.filter(|digits| digits.unsigned_abs() < limit.unsigned_abs())
    };
    arguments.each_number::<Decimal128Type>(|row| {
        let kept = kept.as_ref().map_or(0, |kept| kept.at(row));
        let digits = numbers.at(row);
        if digits == 0 {
            return Ok(0);
        }
        at_scale(digits, kept.clamp(-100, 100)).ok_or_else(|| Problem::out_of_range(arguments.to()))
    })
}
