//! Floats as text: the shortest digits that read back as the float, as PostgreSQL writes them.
//!
//! Source: Ulf Adams, 'Ryū: fast float-to-string conversion' (PLDI 2018), by the crate ryu, and
//! PostgreSQL's `d2s.c`, which differs in one thing: digits exactly between two floats are not
//! used, because it depends on the reader to which of the two they are rounded.

use std::fmt::{LowerExp, Write as _};
use std::str::FromStr;

/// A float, of 32 or 64 bits.
pub(super) trait Float: Copy + PartialEq + LowerExp + FromStr + ryu::Float {
    /// Number of digits that distinguish every float from all others.
    const DIGITS_MAX: usize;
    /// Significant bits.
    const BITS: u32;
    /// The smallest decimal exponent that is written in scientific notation.
    const EXPONENT_END: i32;
}

impl Float for f32 {
    const DIGITS_MAX: usize = 9;
    const BITS: u32 = Self::MANTISSA_DIGITS;
    const EXPONENT_END: i32 = 6;
}

impl Float for f64 {
    const DIGITS_MAX: usize = 17;
    const BITS: u32 = Self::MANTISSA_DIGITS;
    const EXPONENT_END: i32 = 15;
}

/// The smallest decimal exponent that is written with zeros after the point.
const EXPONENT_MIN: i32 = -4;

/// Appends the text of a float to `to`.
pub(super) fn render<F: Float>(value: F, to: &mut String) {
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format(value);
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    match (unsigned, unsigned.len() < text.len()) {
        ("NaN", _) => to.push_str("NaN"),
        ("inf", false) => to.push_str("Infinity"),
        ("inf", true) => to.push_str("-Infinity"),
        (finite, is_negative) => {
            if is_negative {
                to.push('-');
            }
            let shortest = Decimal::parse(finite);
            match shortest.is_midpoint(F::BITS) {
                false => shortest.render(F::EXPONENT_END, to),
                true => longer(value, &shortest).render(F::EXPONENT_END, to),
            }
        }
    }
}

/// Returns more digits of a float whose shortest digits are exactly between it and another float.
fn longer<F: Float>(value: F, shortest: &Decimal) -> Decimal {
    let rounded = (shortest.digits.len()..F::DIGITS_MAX).map(|places| {
        let text = format!("{value:.places$e}");
        (text.parse::<F>().is_ok_and(|read| read == value), text)
    });
    let candidates = rounded.filter(|(is_same, _)| *is_same);
    let decimals =
        candidates.map(|(_, text)| Decimal::parse(text.strip_prefix('-').unwrap_or(&text)));
    let mut unambiguous = decimals.filter(|decimal| !decimal.is_midpoint(F::BITS));
    unambiguous.next().unwrap_or_else(|| shortest.clone())
}

/// `d.ddd` times 10 to the power of `exponent`.
#[derive(Clone, Debug)]
struct Decimal {
    /// The digits without leading and trailing zeros, except for zero itself.
    digits: String,
    exponent: i32,
}

impl Decimal {
    /// Reads `12.5`, `0.001` or `1.25e-7`.
    fn parse(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        let leading = all.len() - digits.len();
        let places = i32::try_from(whole.len()).unwrap_or(0) - i32::try_from(leading).unwrap_or(0);
        match digits.trim_end_matches('0') {
            "" => Self { digits: "0".to_owned(), exponent: 0 },
            digits => Self {
                digits: digits.to_owned(),
                exponent: exponent.parse::<i32>().unwrap_or(0) + places - 1,
            },
        }
    }

    /// Returns whether it has one significant bit more than floats have.
    fn is_midpoint(&self, bits: u32) -> bool {
        let Ok(mut number) = self.digits.parse::<u128>() else { return false };
        let power = self.exponent + 1 - i32::try_from(self.digits.len()).unwrap_or(0);
        for _ in 0..power.unsigned_abs() {
            // each power of ten is one of five, and one of two that changes no significant bit
            if power < 0 {
                if !number.is_multiple_of(5) {
                    return false;
                }
                number /= 5;
            } else {
                let Some(product) = number.checked_mul(5) else { return false };
                number = product;
            }
        }
        let odd = number >> number.trailing_zeros().min(u128::BITS - 1);
        u128::BITS - odd.leading_zeros() == bits + 1
    }

    fn render(&self, exponent_end: i32, to: &mut String) {
        let Self { digits, exponent } = self;
        let exponent = *exponent;
        let zeros = |count: i32| std::iter::repeat_n('0', usize::try_from(count).unwrap_or(0));
        if !(EXPONENT_MIN..exponent_end).contains(&exponent) {
            let (first, rest) = digits.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            let sign = if exponent < 0 { '-' } else { '+' };
            // writing to a String never fails
            let _ = write!(to, "{first}{point}{rest}e{sign}{:02}", exponent.unsigned_abs());
            return;
        }
        match usize::try_from(exponent + 1) {
            Ok(whole @ 1..) if digits.len() <= whole => {
                to.push_str(digits);
                to.extend(std::iter::repeat_n('0', whole - digits.len()));
            }
            Ok(whole @ 1..) => {
                let (whole, fraction) = digits.split_at(whole);
                to.extend([whole, ".", fraction]);
            }
            _ => {
                to.push_str("0.");
                to.extend(zeros(-exponent - 1));
                to.push_str(digits);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Float, render};

    fn check<F: Float>(value: F, expected: &str) {
        let mut text = String::new();
        render(value, &mut text);
        assert_eq!(text, expected);
    }

    /// The expected texts are PostgreSQL 15's.
    #[test]
    fn texts() {
        check(0.0, "0");
        check(-0.0, "-0");
        check(f64::NAN, "NaN");
        check(-f64::NAN, "NaN");
        check(f64::NEG_INFINITY, "-Infinity");
        check(1.5, "1.5");
        check(-100.0, "-100");
        check(1e14, "100000000000000");
        check(1e15, "1e+15");
        check(0.0001, "0.0001");
        check(9.5e-5, "9.5e-05");
        check(5e-324, "5e-324");
        check(f64::MAX, "1.7976931348623157e+308");
        // two texts of 16 digits are as near: the even one
        check(718_846_393_982_932.2, "718846393982932.2");
        // the middle between two floats
        check(1e23, "9.999999999999999e+22");
        check(1e22, "1e+22");
        check(1.1_f32, "1.1");
        check(16_777_216_f32, "1.6777216e+07");
        check(1e23_f32, "1e+23");
        check(f32::MAX, "3.4028235e+38");
        check(1e-45_f32, "1e-45");
    }
}
