//! The text of a field as a value of its type; anything that is not exactly one is `None`.
//!
//! A number may have a sign and leading zeros here, as where a descriptor declares its type. Where
//! nobody has, it has to be plain (`is_plain_number`).

use crate::calendar::days_since_epoch;

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

#[inline]
fn digit(byte: u8) -> Option<u8> {
    let digit = byte.wrapping_sub(b'0');
    (digit < 10).then_some(digit)
}

/// A number of at most 18 digits.
#[inline]
fn digits(text: &[u8]) -> Option<i64> {
    let mut value = 0;
    for &byte in text {
        value = value * 10 + i64::from(digit(byte)?);
    }
    Some(value)
}

#[inline]
pub(crate) fn int64(text: &[u8]) -> Option<i64> {
    let (magnitude, negative) = signed(text);
    match magnitude.len() {
        0 => None,
        1..=18 => digits(magnitude).map(|value| if negative { -value } else { value }),
        _ => i64::try_from(decimal(text, 38, 0)?).ok(),
    }
}

/// `12.34` times 10 to the power of `scale`.
pub(crate) fn decimal(text: &[u8], precision: u8, scale: u8) -> Option<i128> {
    let (magnitude, negative) = signed(text);
    let point = memchr::memchr(b'.', magnitude).unwrap_or(magnitude.len());
    let (whole, fraction) = magnitude.split_at(point);
    let fraction = fraction.get(1..).unwrap_or_default();
    if whole.is_empty() && fraction.is_empty() || fraction.len() > usize::from(scale) {
        return None;
    }
    let missing = u32::from(scale) - u32::try_from(fraction.len()).ok()?;
    let value = if whole.len() + usize::from(scale) <= 18 {
        let value = digits(whole)? * 10_i64.pow(u32::from(scale) - missing) + digits(fraction)?;
        i128::from(value * 10_i64.pow(missing))
    } else {
        let mut value = 0_i128;
        for &byte in whole.iter().chain(fraction) {
            value = value.checked_mul(10)?.checked_add(i128::from(digit(byte)?))?;
        }
        value.checked_mul(10_i128.checked_pow(missing)?)?
    };
    if value >= 10_i128.pow(u32::from(precision)) {
        return None;
    }
    Some(if negative { -value } else { value })
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

#[inline]
fn pair(text: [u8; 2]) -> Option<u8> {
    Some(digit(text[0])? * 10 + digit(text[1])?)
}

/// Days since 1970-01-01 of YYYY-MM-DD.
#[inline]
pub fn date(text: &[u8]) -> Option<i32> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.first_chunk::<10>()? else {
        return None;
    };
    if text.len() > 10 {
        return None;
    }
    days_since_epoch(pair([y1, y2])?, pair([y3, y4])?, pair([m1, m2])?, pair([d1, d2])?)
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
    let (hour, minute, second) = (pair([h1, h2])?, pair([m1, m2])?, pair([s1, s2])?);
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
