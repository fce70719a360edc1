//! The text of a field as a value of its type; anything that is not exactly one is `None`.
//!
//! A number may have a sign and leading zeros here, as where a descriptor declares its type. Where
//! nobody has, it has to be plain (`is_plain_number`).

use crate::calendar::days_since_epoch;
use crate::digits::{ASCII, eight_digits, last_eight, pairs};

#[inline]
pub(crate) fn boolean(text: &[u8]) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case(b"true") => Some(true),
        _ if text.eq_ignore_ascii_case(b"false") => Some(false),
        _ => None,
    }
}

/// Digits that an exact number has at most.
pub(super) const DIGITS_MAX: usize = 38;

/// Returns whether a number is written as numbers are that are nothing else: without `+`, without
/// leading zeros and, unless it has an exponent, with at most 38 digits. Others may be codes, which
/// lose something when they are read as numbers.
#[inline]
pub(crate) fn is_plain_number(text: &[u8]) -> bool {
    let magnitude = text.strip_prefix(b"-").unwrap_or(text);
    match magnitude {
        [b'+', ..] | [b'0', b'0'..=b'9', ..] => false,
        _ => magnitude.len() <= DIGITS_MAX || !has_too_many_digits(magnitude),
    }
}

#[cold]
fn has_too_many_digits(magnitude: &[u8]) -> bool {
    let digits = magnitude.iter().filter(|byte| byte.is_ascii_digit()).count();
    let points = magnitude.iter().filter(|byte| **byte == b'.').count();
    digits > DIGITS_MAX && digits + points == magnitude.len()
}

/// The digits without their sign, and whether that was a minus.
#[inline]
fn signed(text: &[u8]) -> (&[u8], bool) {
    match text {
        [b'-', rest @ ..] => (rest, true),
        [b'+', rest @ ..] => (rest, false),
        _ => (text, false),
    }
}

/// A number of at most 18 digits.
#[inline]
fn digits(text: &[u8]) -> Option<i64> {
    let (head, eights) = text.as_rchunks::<8>();
    let mut value = eight_digits::<ASCII>(last_eight(head))?;
    for eight in eights {
        let eight = eight_digits::<ASCII>(u64::from_le_bytes(*eight))?;
        value = value.wrapping_mul(100_000_000).wrapping_add(eight);
    }
    Some(value.cast_signed())
}

#[inline]
pub(crate) fn int64(text: &[u8]) -> Option<i64> {
    let (magnitude, negative) = signed(text);
    let value = match magnitude.len() {
        0 => None,
        1..=8 => eight_digits::<ASCII>(last_eight(magnitude)).map(u64::cast_signed),
        9..=18 => digits(magnitude),
        _ => return i64::try_from(decimal(text, 38, 0)?).ok(),
    };
    value.map(|value| if negative { -value } else { value })
}

/// The powers of ten that 128 bits hold.
const POWERS: [i128; DIGITS_MAX + 1] = {
    let mut powers = [1; DIGITS_MAX + 1];
    let mut exponent = 1;
    while exponent <= DIGITS_MAX {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// `12.34` times 10 to the power of `scale`.
#[inline]
pub(crate) fn decimal(text: &[u8], precision: u8, scale: u8) -> Option<i128> {
    let (magnitude, negative) = signed(text);
    let value = match short_decimal(magnitude, scale) {
        Some(value) => value,
        None => long_decimal(magnitude, scale)?,
    };
    if value >= *POWERS.get(usize::from(precision))? {
        return None;
    }
    Some(if negative { -value } else { value })
}

/// A decimal of at most eight characters, if it is one and fits 64 bits.
#[inline(always)]
fn short_decimal(magnitude: &[u8], scale: u8) -> Option<i128> {
    if !(1..=8).contains(&magnitude.len()) || magnitude == b"." {
        return None;
    }
    let word = last_eight(magnitude);
    // the lowest bit that is set is that of the first point; those above it may be wrong
    let points = word ^ 0x2E2E_2E2E_2E2E_2E2E;
    let points = points.wrapping_sub(0x0101_0101_0101_0101) & !points & 0x8080_8080_8080_8080;
    let place = points.trailing_zeros() / 8;
    let (digits, missing) = match place {
        8 => (word, u32::from(scale)),
        _ => {
            // the digits before the point move up to its place
            let after = u64::MAX << 8 << (8 * place);
            let digits = word & after | word << 8 & !after | ASCII & 0xFF;
            (digits, (u32::from(scale) + place).checked_sub(7)?)
        }
    };
    let value = eight_digits::<ASCII>(digits)?;
    // 8 digits and 10 zeros fit 64 bits
    (missing <= 10).then(|| i128::from(value.wrapping_mul(10_u64.pow(missing))))
}

/// A decimal of any length.
fn long_decimal(magnitude: &[u8], scale: u8) -> Option<i128> {
    let point = memchr::memchr(b'.', magnitude).unwrap_or(magnitude.len());
    let (whole, fraction) = magnitude.split_at(point);
    let fraction = fraction.get(1..).unwrap_or_default();
    if whole.is_empty() && fraction.is_empty() || fraction.len() > usize::from(scale) {
        return None;
    }
    let missing = usize::from(scale) - fraction.len();
    if whole.len() + usize::from(scale) <= 18 {
        let power = |exponent: usize| i64::try_from(*POWERS.get(exponent)?).ok();
        let value = digits(whole)? * power(fraction.len())? + digits(fraction)?;
        return Some(i128::from(value * power(missing)?));
    }
    let mut value = 0_i128;
    for &byte in whole.iter().chain(fraction) {
        value = value.checked_mul(10)?.checked_add(i128::from(digit(byte)?))?;
    }
    value.checked_mul(*POWERS.get(missing)?)
}

#[inline]
fn digit(byte: u8) -> Option<u8> {
    let digit = byte.wrapping_sub(b'0');
    (digit < 10).then_some(digit)
}

/// A float in digits, or `NaN`, `inf` or `infinity` in any case. One that a float has no room for
/// is none, and neither infinite nor zero.
#[inline]
pub(crate) fn float64(text: &[u8]) -> Option<f64> {
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let digits = || text.split(|byte| matches!(byte, b'e' | b'E')).next().unwrap_or_default();
    let has_room = match value {
        0.0 => !digits().iter().any(|byte| matches!(byte, b'1'..=b'9')),
        value => value.is_finite() || !text.iter().any(u8::is_ascii_digit),
    };
    has_room.then_some(value)
}

/// Days since 1970-01-01 of YYYY-MM-DD.
#[inline]
pub fn date(text: &[u8]) -> Option<i32> {
    let text: &[u8; 10] = text.try_into().ok()?;
    let (first, last) = (word(text.first_chunk()?), word(text.last_chunk()?));
    if first & 0xFF00_00FF_0000_0000 != 0x2D00_002D_0000_0000 {
        return None;
    }
    // YYYY-MM- and YY-MM-DD become YYYYMMDD
    let digits = first & 0xFFFF_FFFF | (last >> 24 & 0xFFFF) << 32 | last & 0xFFFF << 48;
    let [century, _, year, _, month, _, day, _] = pairs::<ASCII>(digits)?;
    days_since_epoch(century, year, month, day)
}

#[inline(always)]
fn word(text: &[u8; 8]) -> u64 {
    u64::from_le_bytes(*text)
}

/// Microseconds since 1970-01-01T00:00:00 of `YYYY-MM-DD[T ]HH:MM:SS[.ffffff][Z]`.
pub(crate) fn timestamp(text: &[u8]) -> Option<i64> {
    let text = text.strip_suffix(b"Z").unwrap_or(text);
    let (day, time) = text.split_at_checked(10)?;
    let (&[b'T' | b' ', h1, h2, b':', m1, m2, b':', s1, s2], fraction) =
        time.split_first_chunk()?
    else {
        return None;
    };
    let time = [h1, h2, m1, m2, s1, s2, b'0', b'0'];
    let [hour, _, minute, _, second, ..] = pairs::<ASCII>(word(&time))?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let micros = match fraction {
        [] => 0,
        [b'.', fraction @ ..] if (1..=6).contains(&fraction.len()) => {
            let missing = 6 - u32::try_from(fraction.len()).ok()?;
            digits(fraction)? * 10_i64.pow(missing)
        }
        _ => return None,
    };
    let minutes = i64::from(date(day)?) * 1440 + i64::from(hour) * 60 + i64::from(minute);
    let seconds = minutes * 60 + i64::from(second);
    Some(seconds * 1_000_000 + micros)
}

#[cfg(test)]
mod tests;
