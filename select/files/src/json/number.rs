//! Numbers by their text: exact ones never go through a float.

use crate::text::value;

/// Digits that an exact number has at most.
const DIGITS_MAX: i64 = 38;

/// A number, already checked, as text without an exponent and with at most `scale` digits after the
/// point: itself where it is so, else in `scratch`. `None` where no such text is exactly the
/// number, or it has too many digits.
#[inline]
pub(super) fn exact<'s>(number: &'s [u8], scale: u8, scratch: &'s mut Vec<u8>) -> Option<&'s [u8]> {
    let point = number.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'-'));
    let Some(point) = point else { return Some(number) };
    let fraction = &number[point + 1..];
    let is_plain = number[point] == b'.' && fraction.iter().all(u8::is_ascii_digit);
    if is_plain && fraction.len() <= usize::from(scale) {
        return Some(number);
    }
    shifted(number, usize::from(scale), scratch)
}

/// Returns whether a float has room for the number.
#[inline(always)]
pub(super) fn is_finite(number: &[u8]) -> bool {
    let is_small = number.len() < 300 && !number.iter().any(|byte| matches!(byte, b'e' | b'E'));
    is_small || value::float64(number).is_some_and(f64::is_finite)
}

/// The digits with the point where the exponent puts it.
#[cold]
fn shifted<'s>(number: &[u8], scale: usize, scratch: &'s mut Vec<u8>) -> Option<&'s [u8]> {
    let text = std::str::from_utf8(number).ok()?;
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (sign, magnitude) = match mantissa.strip_prefix('-') {
        Some(magnitude) => ("-", magnitude),
        None => ("", mantissa),
    };
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, ""));
    let digits = whole.bytes().chain(fraction.bytes());
    let leading = digits.clone().take_while(|&digit| digit == b'0').count();
    let mut digits: Vec<u8> = digits.skip(leading).collect();
    while digits.last() == Some(&b'0') {
        digits.pop();
    }
    scratch.clear();
    if digits.is_empty() {
        scratch.push(b'0');
        return Some(scratch);
    }
    // where the point is, counted in digits from the first that is not a zero
    let exponent: i64 = exponent.parse().ok()?;
    let point = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?;
    let point = point.checked_add(exponent)?;
    let after = i64::try_from(digits.len()).ok()?.checked_sub(point)?;
    let bounds = -DIGITS_MAX..=DIGITS_MAX;
    if !bounds.contains(&point) || after > i64::try_from(scale).ok()? {
        return None;
    }
    scratch.extend_from_slice(sign.as_bytes());
    let whole = usize::try_from(point).unwrap_or(0);
    let zeros = usize::try_from(-point).unwrap_or(0);
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0'));
    scratch.extend(padded.take(whole));
    if digits.len() > whole {
        scratch.push(b'.');
        scratch.extend(std::iter::repeat_n(b'0', zeros));
        scratch.extend(digits.iter().skip(whole));
    }
    Some(scratch)
}

#[cfg(test)]
mod tests {
    use super::exact;

    #[test]
    fn exact_numbers_are_what_they_say() {
        let exact = |number: &str, scale| {
            let mut scratch = Vec::new();
            exact(number.as_bytes(), scale, &mut scratch)
                .map(|text| String::from_utf8(text.to_vec()).unwrap())
        };
        for (number, scale, expected) in [
            ("12", 0, Some("12")),
            ("-0", 0, Some("-0")),
            ("1e3", 0, Some("1000")),
            ("-1.50E+1", 0, Some("-15")),
            ("1.0", 0, Some("1")),
            ("1.5", 0, None),
            ("1.50", 1, Some("1.5")),
            ("1.05", 1, None),
            ("12e-1", 1, Some("1.2")),
            ("12e-3", 3, Some(".012")),
            ("0.0012e2", 2, Some(".12")),
            ("0e99999999999999999999", 0, Some("0")),
            ("-0.000", 0, Some("0")),
            ("1e39", 0, None),
            ("1e99999999999999999999", 0, None),
            ("1e-99999999999999999999", 2, None),
            ("9223372036854775807.0", 0, Some("9223372036854775807")),
        ] {
            assert_eq!(exact(number, scale).as_deref(), expected, "{number}");
        }
    }
}
