//! Numbers read from text: whole ones, decimals and floats.
//!
//! Sources: PostgreSQL's `numutils.c`, `float.c` and `numeric.c`. These are refused, although
//! PostgreSQL accepts them: hexadecimal floats, and decimals that are infinite, NaN, or longer than
//! 38 digits.

use std::str::FromStr;

use super::trim;
use crate::value::Value;
use sift_files::types::DECIMAL_DIGITS_MAX;

/// Largest exponent of a decimal.
const EXPONENT_MAX: u32 = 1000;

/// Returns the integer that a text means: digits, and a sign before them.
pub(crate) fn whole<T: FromStr>(text: &str) -> Option<T> {
    trim(text).parse().ok()
}

/// Returns the nearest float; `None` if the number overflows, or underflows to zero.
pub(crate) fn float64(text: &str) -> Option<f64> {
    let value: f64 = trim(text).parse().ok()?;
    let is_kept = keeps_size(text, value == 0.0, value.is_infinite());
    is_kept.then_some(if value.is_nan() { f64::NAN } else { value })
}

/// Returns the nearest float of 32 bits, as [`float64`] does for 64.
pub(crate) fn float32(text: &str) -> Option<f32> {
    let value: f32 = trim(text).parse().ok()?;
    let is_kept = keeps_size(text, value == 0.0, value.is_infinite());
    is_kept.then_some(if value.is_nan() { f32::NAN } else { value })
}

/// Returns whether a float that is zero or infinite was written as zero or infinity.
fn keeps_size(text: &str, is_zero: bool, is_infinite: bool) -> bool {
    let digits = text.split(['e', 'E']).next().unwrap_or(text);
    let overflows = is_infinite && digits.contains(|c: char| c.is_ascii_digit());
    let underflows = is_zero && digits.contains(|c: char| ('1'..='9').contains(&c));
    !overflows && !underflows
}

/// The parts of a number: `-12.5e3`.
struct Parts<'a> {
    is_negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: i32,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let text = trim(text);
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse().ok()?),
            None => (text, 0),
        };
        let is_negative = mantissa.starts_with('-');
        let mantissa = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let parts = Self { is_negative, whole, fraction, exponent };
        let is_number = parts.digits().count() > 0
            && parts.digits().all(|byte| byte.is_ascii_digit())
            && exponent.unsigned_abs() <= EXPONENT_MAX;
        is_number.then_some(parts)
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        self.whole.bytes().chain(self.fraction.bytes())
    }

    fn signed(&self, digits: i128) -> i128 {
        if self.is_negative { -digits } else { digits }
    }
}

/// Returns the digits at `scale` of the number that a text means, rounded half away from zero.
pub(crate) fn decimal(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let parts = Parts::of(text)?;
    let length = |part: &str| i64::try_from(part.len()).ok();
    // number of digits of the mantissa that the result keeps; negative: zeros before the first
    // digit
    let kept = length(parts.whole)? + i64::from(parts.exponent) + i64::from(scale);
    let limit = 10_i128.checked_pow(precision.min(DECIMAL_DIGITS_MAX).into())?;
    let mut digits = 0_i128;
    for byte in parts.digits().take(usize::try_from(kept).unwrap_or(0)) {
        digits = digits.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
    }
    let missing = kept - length(parts.whole)? - length(parts.fraction)?;
    if missing > 0 && digits != 0 {
        digits = digits.checked_mul(10_i128.checked_pow(u32::try_from(missing).ok()?)?)?;
    }
    let next = usize::try_from(kept).ok().and_then(|kept| parts.digits().nth(kept));
    let digits = digits.checked_add(i128::from(next.is_some_and(|byte| byte >= b'5')))?;
    (digits < limit).then_some(parts.signed(digits))
}

/// Returns the number that a text means with all its digits, 38 at most. A number of 64 bits that
/// has neither point nor exponent is an integer, others are decimals.
pub(crate) fn exact(text: &str) -> Option<Value> {
    let parts = Parts::of(text)?;
    let mut digits = parts.digits().try_fold(0_i128, |digits, byte| {
        digits.checked_mul(10)?.checked_add(i128::from(byte - b'0'))
    })?;
    let mut scale = i32::try_from(parts.fraction.len()).ok()? - parts.exponent;
    while scale < 0 && digits != 0 {
        digits = digits.checked_mul(10)?;
        scale += 1;
    }
    let digits = parts.signed(digits);
    match i64::try_from(digits) {
        Ok(whole) if !text.contains(['.', 'e', 'E']) => Some(Value::Integer(whole)),
        _ => Value::decimal(digits, scale.max(0)),
    }
}
