//! Dates and timestamps read from text.
//!
//! `YYYY-MM-DD` or `YYYYMMDD`; for a time of that day, a space or `T`, then `HH:MM` or `HH:MM:SS`
//! with a fraction, rounded to microseconds; then an offset from UTC, which a timestamp without
//! time zone ignores; `BC` or `AD` last. Source: PostgreSQL's `datetime.c`, with its default order
//! of dates. These are refused, although PostgreSQL accepts them: names of months, days and zones,
//! years of two digits, AM and PM, and words such as `now` or `infinity`.

use super::{TEXT_BYTES_MAX, is_space, trim};
use sift_files::calendar::{DATES, DAY_MICROS, TIMESTAMPS, days_in_month, days_of_civil};

const SECOND_MICROS: i64 = 1_000_000;
const MINUTE_MICROS: i64 = 60 * SECOND_MICROS;
const HOUR_MICROS: i64 = 60 * MINUTE_MICROS;

/// Largest offset from UTC, in hours.
const OFFSET_HOURS_MAX: i64 = 15;

/// Returns the day, as days since 1970-01-01. A time of day after it is checked and ignored.
pub(crate) fn date(text: &str) -> Option<i32> {
    let (days, _) = moment(text)?;
    i32::try_from(days).ok().filter(|days| DATES.contains(days))
}

/// Returns the time, as microseconds since 1970-01-01T00:00:00.
pub(crate) fn timestamp(text: &str) -> Option<i64> {
    let (days, micros) = moment(text)?;
    let micros = days.checked_mul(DAY_MICROS)?.checked_add(micros)?;
    TIMESTAMPS.contains(&micros).then_some(micros)
}

/// Returns days since 1970-01-01 and a time of at most 24 hours.
fn moment(text: &str) -> Option<(i64, i64)> {
    let text = trim(text);
    if text.len() > TEXT_BYTES_MAX || !text.is_ascii() {
        return None;
    }
    let (text, is_bc) = era(text);
    let end = text.find(|c: char| is_space(c) || matches!(c, 'T' | 't'));
    let (day, rest) = text.split_at(end.unwrap_or(text.len()));
    let days = civil(day, is_bc)?;
    if rest.is_empty() {
        return Some((days, 0));
    }
    let time = rest.strip_prefix(['T', 't']).unwrap_or(trim(rest));
    let end = time.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.')));
    let (time, zone) = time.split_at(end.unwrap_or(time.len()));
    is_offset(trim(zone)).then_some(())?;
    Some((days, time_of_day(time)?))
}

/// Splits `BC` or `AD` off the end; true for years before Christ.
fn era(text: &str) -> (&str, bool) {
    let Some((before, era)) = text.rsplit_once(is_space) else { return (text, false) };
    match era {
        _ if era.eq_ignore_ascii_case("bc") => (trim(before), true),
        _ if era.eq_ignore_ascii_case("ad") => (trim(before), false),
        _ => (text, false),
    }
}

/// Returns a number of `digits` digits.
fn number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<i64> {
    let is_number = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

fn civil(text: &str, is_bc: bool) -> Option<i64> {
    let (year, month, day) = match text.split_once('-') {
        Some((year, rest)) => {
            let (month, day) = rest.split_once('-')?;
            // a year of two digits would be the month in another order of dates
            (number(year, 3..=7)?, number(month, 1..=2)?, number(day, 1..=2)?)
        }
        None => {
            let whole = number(text, 8..=8)?;
            (whole / 10_000, whole / 100 % 100, whole % 100)
        }
    };
    let (month, day) = (u32::try_from(month).ok()?, u32::try_from(day).ok()?);
    // the year before 1 is 1 BC
    let astronomical = if is_bc { 1 - year } else { year };
    let exists = year > 0 && (1..=days_in_month(astronomical, month)).contains(&day);
    exists.then(|| days_of_civil(astronomical, month, day))
}

/// Returns microseconds since midnight, 24 hours at most. Second 60 is the first second of the next
/// minute.
fn time_of_day(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, ':');
    let hours = number(parts.next()?, 1..=2)?;
    let minutes = number(parts.next()?, 1..=2).filter(|minutes| *minutes < 60)?;
    let (seconds, micros) = match parts.next() {
        Some(seconds) => seconds_and_micros(seconds)?,
        None => (0, 0),
    };
    let micros = hours * HOUR_MICROS + minutes * MINUTE_MICROS + seconds * SECOND_MICROS + micros;
    (micros <= DAY_MICROS).then_some(micros)
}

/// Returns the seconds, 60 at most, and the microseconds of `SS` or `SS.ffffff`.
pub(super) fn seconds_and_micros(text: &str) -> Option<(i64, i64)> {
    let (seconds, micros) = match text.split_once('.') {
        Some((seconds, fraction)) => (seconds, rounded_micros(fraction)?),
        None => (text, 0),
    };
    let seconds = number(seconds, 1..=2).filter(|seconds| *seconds <= 60)?;
    Some((seconds, micros))
}

/// Returns the fraction of a second in microseconds, a million at most. It is rounded half to even,
/// from the nearest float.
#[expect(clippy::cast_possible_truncation, reason = "at most a million")]
pub(super) fn rounded_micros(digits: &str) -> Option<i64> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let fraction: f64 = format!("0.{digits}0").parse().ok().filter(|_| is_number)?;
    Some((fraction * 1e6).round_ties_even() as i64)
}

/// Returns whether a text is empty, `Z`, or an offset: `+HH`, `+HHMM` or `+HH:MM`.
fn is_offset(text: &str) -> bool {
    if text.is_empty() || text.eq_ignore_ascii_case("z") {
        return true;
    }
    let Some(offset) = text.strip_prefix(['+', '-']) else { return false };
    let (hours, minutes) = match offset.split_once(':') {
        Some((hours, minutes)) => (number(hours, 1..=2), number(minutes, 1..=2)),
        None if offset.len() == 4 => (number(&offset[..2], 2..=2), number(&offset[2..], 2..=2)),
        None => (number(offset, 1..=2), Some(0)),
    };
    hours.is_some_and(|hours| hours <= OFFSET_HOURS_MAX)
        && minutes.is_some_and(|minutes| minutes < 60)
}
