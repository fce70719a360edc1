//! Intervals read from text, in PostgreSQL's words, the SQL standard's, or those of ISO 8601.
//!
//! The parts of a text are read from its end, because a unit follows its number. A number without a
//! unit takes its unit from the part after it: days before a time or hours, else the unit of that
//! part, else seconds. A unit may occur once. Source: PostgreSQL 15's `ParseDateTime`,
//! `DecodeInterval` and `DecodeISO8601Interval` in `datetime.c`, including their arithmetic in
//! floats. These are refused, although PostgreSQL accepts them: ISO 8601 without designators
//! (`P0001-02-03`), and punctuation other than `@` and commas.

use super::time::{rounded_micros, seconds_and_micros};
use super::{TEXT_BYTES_MAX, is_space};
use crate::value::interval::{Interval, MONTH_DAYS};
use sift_files::calendar::DAY_MICROS;

/// Most parts of a text, as in PostgreSQL.
const PARTS_MAX: usize = 25;

/// Largest number of ISO 8601's form, as in PostgreSQL.
const ISO_NUMBER_MAX: f64 = 1e15;

/// Returns the interval that a text means: `1 year 2 months`, `3 4:05:06`, `1-2`, `-1.5 hours`,
/// `2 weeks ago`, `P1Y2M3DT4H5M6S`.
pub(crate) fn parse(text: &str) -> Option<Interval> {
    parse_with(text, Unit::Second)
}

/// Returns the interval that a text means if a last number without a unit counts `unit`.
pub(crate) fn parse_with(text: &str, unit: Unit) -> Option<Interval> {
    if text.len() > TEXT_BYTES_MAX || !text.is_ascii() {
        return None;
    }
    match text.strip_prefix('P') {
        Some(designated) => iso(designated),
        None => words(&parts(text)?, unit),
    }
}

/// The unit that a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
    Decade,
    Century,
    Millennium,
}

/// The words of units.
#[rustfmt::skip]
const UNITS: &[(Unit, &[&str])] = &[
    (Unit::Microsecond, &["us", "usec", "usecs", "useconds", "microsecond", "microseconds"]),
    (Unit::Millisecond, &["ms", "msec", "msecs", "mseconds", "millisecond", "milliseconds"]),
    (Unit::Second, &["s", "sec", "secs", "second", "seconds"]),
    (Unit::Minute, &["m", "min", "mins", "minute", "minutes"]),
    (Unit::Hour, &["h", "hr", "hrs", "hour", "hours"]),
    (Unit::Day, &["d", "day", "days"]),
    (Unit::Week, &["w", "week", "weeks"]),
    (Unit::Month, &["mon", "mons", "month", "months"]),
    (Unit::Year, &["y", "yr", "yrs", "year", "years"]),
    (Unit::Decade, &["dec", "decs", "decade", "decades"]),
    (Unit::Century, &["c", "cent", "century", "centuries"]),
    (Unit::Millennium, &["mil", "mils", "millennium", "millennia"]),
];

/// Words that a number may follow without a space: units that are words of dates, too.
const JOINED: &[&str] = &["d", "dec", "h", "m", "mon", "s", "y"];

impl Unit {
    fn of(word: &str) -> Option<Self> {
        let known = UNITS.iter().find(|(_, words)| words.contains(&word));
        known.map(|(unit, _)| *unit)
    }

    fn mask(self) -> u32 {
        1 << self as u32
    }
}

/// The units that the seconds of a time set, and below those that a whole time sets.
const SECOND_MASK: u32 =
    1 << Unit::Microsecond as u32 | 1 << Unit::Millisecond as u32 | 1 << Unit::Second as u32;
const TIME_MASK: u32 = SECOND_MASK | 1 << Unit::Minute as u32 | 1 << Unit::Hour as u32;

/// A part of a text.
#[derive(Debug)]
enum Part<'a> {
    /// A word in lower case.
    Word(String),
    /// A number, or years and months: `12`, `1.5`, `1-2`. The flag is true for a minus before it.
    Number(&'a str, bool),
    /// Hours and minutes, or more. The flag is true for a minus before it.
    Time(&'a str, bool),
}

/// Cuts a text into its parts.
fn parts(text: &str) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c| is_space(c) || matches!(c, '@' | ','));
        if rest.is_empty() {
            return Some(parts);
        }
        if parts.len() == PARTS_MAX {
            return None;
        }
        let is_number = rest.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
        let (part, after) = if is_number { number(rest)? } else { word(rest)? };
        parts.push(part);
        rest = after;
    }
}

/// Splits a number or a time off the start of a text, with its sign.
fn number(text: &str) -> Option<(Part<'_>, &str)> {
    let signed = text.strip_prefix(['+', '-']).map(|rest| rest.trim_start_matches(is_space));
    let unsigned = signed.unwrap_or(text);
    let end = unsigned.find(|c: char| !(c.is_ascii_digit() || ":.-".contains(c)));
    let (number, after) = unsigned.split_at(end.unwrap_or(unsigned.len()));
    // PostgreSQL accepts neither `-.5` nor `1.day`, though `.5` and `1. day`
    let joins = number.ends_with('.') && after.starts_with(|c: char| c.is_ascii_alphabetic());
    if joins || signed.is_some() && number.starts_with('.') {
        return None;
    }
    let is_negative = text.starts_with('-');
    match (number.contains(':'), number.contains('-')) {
        (true, true) => None,
        (true, false) => Some((Part::Time(number, is_negative), after)),
        (false, _) => Some((Part::Number(number, is_negative), after)),
    }
}

/// Splits a word off the start of a text.
fn word(text: &str) -> Option<(Part<'_>, &str)> {
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (word, after) = text.split_at(end);
    let word = word.to_ascii_lowercase();
    let is_whole = match after.chars().next() {
        None | Some(',') => true,
        // PostgreSQL reads a word that is joined to another one as a date
        Some('0'..='9' | '+') => JOINED.contains(&word.as_str()),
        Some(c) => is_space(c),
    };
    (!word.is_empty() && is_whole).then_some((Part::Word(word), after))
}

fn words(parts: &[Part<'_>], last: Unit) -> Option<Interval> {
    let mut sum = Sum::default();
    let mut seen = 0;
    let mut is_ago = false;
    // the unit of the next number, if a part after that number gives it
    let mut unit = Some(last);
    for part in parts.iter().rev() {
        let set = match part {
            Part::Word(word) if word == "ago" => {
                (is_ago, unit) = (true, None);
                continue;
            }
            Part::Word(word) => {
                unit = Some(Unit::of(word)?);
                continue;
            }
            Part::Time(time, is_negative) => {
                // PostgreSQL drops the time that the fractions of days before it have added
                sum.micros = signed(micros_of(time)?, *is_negative);
                unit = Some(Unit::Day);
                TIME_MASK
            }
            Part::Number(number, is_negative) => {
                let (mask, next) = sum.count(number, *is_negative, unit)?;
                unit = Some(next);
                mask
            }
        };
        if seen & set != 0 {
            return None;
        }
        seen |= set;
    }
    let interval = sum.interval().filter(|_| seen != 0)?;
    if is_ago { interval.negated() } else { Some(interval) }
}

fn signed(value: i64, is_negative: bool) -> i64 {
    if is_negative { -value } else { value }
}

/// Returns the whole part of a number and the fraction, both with the sign.
fn whole_and_fraction(number: &str, is_negative: bool) -> Option<(i64, f64)> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = is_digits(whole) && is_digits(fraction) && whole.len() + fraction.len() > 0;
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: f64 = format!("0.{fraction}0").parse().ok()?;
    is_number
        .then_some((signed(whole, is_negative), if is_negative { -fraction } else { fraction }))
}

/// Returns the microseconds of `HH:MM`, `HH:MM:SS` or, with a fraction, `MM:SS.ffffff`.
fn micros_of(time: &str) -> Option<i64> {
    let number = |text: &str| -> Option<i64> { text.parse().ok() };
    let (first, rest) = time.split_once(':')?;
    let (hours, minutes, (seconds, micros)) = match rest.split_once(':') {
        Some((minutes, seconds)) => {
            (number(first)?, number(minutes)?, seconds_and_micros(seconds)?)
        }
        None => match rest.split_once('.') {
            Some((seconds, fraction)) => {
                (0, number(first)?, (number(seconds)?, rounded_micros(fraction)?))
            }
            None => (number(first)?, number(rest)?, (0, 0)),
        },
    };
    if minutes > 59 || seconds > 60 {
        return None;
    }
    let seconds = hours.checked_mul(3600)?.checked_add(minutes * 60 + seconds)?;
    seconds.checked_mul(1_000_000)?.checked_add(micros)
}

/// Reads ISO 8601's form with designators, after the `P`.
fn iso(text: &str) -> Option<Interval> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut sum = Sum::default();
    let of_date = |designator| match designator {
        'Y' => Some(Unit::Year),
        'M' => Some(Unit::Month),
        'W' => Some(Unit::Week),
        'D' => Some(Unit::Day),
        _ => None,
    };
    let of_time = |designator| match designator {
        'H' => Some(Unit::Hour),
        'M' => Some(Unit::Minute),
        'S' => Some(Unit::Second),
        _ => None,
    };
    iso_part(date, of_date, &mut sum)?;
    if let Some(time) = time {
        iso_part(time, of_time, &mut sum)?;
    }
    let is_empty = date.is_empty() && time.is_none_or(str::is_empty);
    sum.interval().filter(|_| !is_empty)
}

fn iso_part(text: &str, unit_of: impl Fn(char) -> Option<Unit>, sum: &mut Sum) -> Option<()> {
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, after) = rest.split_at(end);
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit() || b"-.".contains(&byte));
        let number: f64 = number.parse().ok().filter(|number: &f64| {
            is_number && (-ISO_NUMBER_MAX..=ISO_NUMBER_MAX).contains(number)
        })?;
        let whole = number.trunc();
        #[expect(clippy::cast_possible_truncation, reason = "at most 1e15")]
        sum.add(whole as i64, number - whole, unit_of(after.chars().next()?)?)?;
        rest = after.get(1..)?;
    }
    Some(())
}

/// An interval under construction; its parts are as wide as PostgreSQL's.
#[derive(Default)]
struct Sum {
    years: i32,
    months: i32,
    days: i32,
    micros: i64,
}

impl Sum {
    /// Adds a number with the unit after it, or years and months. Returns the mask of the units
    /// that it sets, and the unit of a number before it.
    fn count(
        &mut self,
        number: &str,
        is_negative: bool,
        unit: Option<Unit>,
    ) -> Option<(u32, Unit)> {
        if let Some((years, months)) = number.split_once('-') {
            let months = months.parse().ok().filter(|months| (0..12).contains(months))?;
            let months = years.parse::<i64>().ok()?.checked_mul(12)?.checked_add(months)?;
            self.add(signed(months, is_negative), 0.0, Unit::Month)?;
            return Some((Unit::Month.mask(), Unit::Month));
        }
        let (whole, fraction) = whole_and_fraction(number, is_negative)?;
        let unit = unit?;
        self.add(whole, fraction, unit)?;
        let mask = if unit == Unit::Second && fraction != 0.0 { SECOND_MASK } else { unit.mask() };
        Some((mask, if unit == Unit::Hour { Unit::Day } else { unit }))
    }

    /// Adds a number of units, as a whole number and a fraction between -1 and 1.
    fn add(&mut self, whole: i64, fraction: f64, unit: Unit) -> Option<()> {
        match unit {
            Unit::Microsecond => self.add_time(whole, fraction, 1),
            Unit::Millisecond => self.add_time(whole, fraction, 1000),
            Unit::Second => self.add_time(whole, fraction, 1_000_000),
            Unit::Minute => self.add_time(whole, fraction, 60_000_000),
            Unit::Hour => self.add_time(whole, fraction, 3_600_000_000),
            Unit::Day => self.add_days(whole, fraction, 1),
            Unit::Week => self.add_days(whole, fraction, 7),
            Unit::Month => {
                self.months = self.months.checked_add(i32::try_from(whole).ok()?)?;
                self.add_days(0, fraction, MONTH_DAYS)
            }
            Unit::Year => self.add_years(whole, fraction, 1),
            Unit::Decade => self.add_years(whole, fraction, 10),
            Unit::Century => self.add_years(whole, fraction, 100),
            Unit::Millennium => self.add_years(whole, fraction, 1000),
        }
    }

    fn add_time(&mut self, whole: i64, fraction: f64, micros: i64) -> Option<()> {
        self.micros = self.micros.checked_add(whole.checked_mul(micros)?)?;
        self.add_micros(fraction, micros)
    }

    /// Adds a fraction of `micros` microseconds, rounded to the nearest; a half is dropped.
    #[expect(clippy::cast_possible_truncation, reason = "at most a day's microseconds")]
    #[expect(clippy::cast_precision_loss, reason = "a day has far fewer than 2^53 microseconds")]
    fn add_micros(&mut self, fraction: f64, micros: i64) -> Option<()> {
        let micros = fraction * micros as f64;
        let whole = micros as i64;
        let rest = micros - whole as f64;
        let carried = i64::from(rest > 0.5) - i64::from(rest < -0.5);
        self.micros = self.micros.checked_add(whole + carried)?;
        Some(())
    }

    /// Adds days; the fraction of a day is added as time.
    #[expect(clippy::cast_possible_truncation, reason = "at most thirty days")]
    fn add_days(&mut self, whole: i64, fraction: f64, days: i32) -> Option<()> {
        let whole = i32::try_from(whole).ok()?.checked_mul(days)?;
        let part = fraction * f64::from(days);
        self.days = self.days.checked_add(whole)?.checked_add(part as i32)?;
        self.add_micros(part - f64::from(part as i32), DAY_MICROS)
    }

    /// Adds years; the fraction of a year is added as months, rounded.
    #[expect(clippy::cast_possible_truncation, reason = "at most a millennium's months")]
    fn add_years(&mut self, whole: i64, fraction: f64, years: i32) -> Option<()> {
        let months = (fraction * f64::from(years) * 12.0).round_ties_even() as i32;
        self.years = self.years.checked_add(i32::try_from(whole).ok()?.checked_mul(years)?)?;
        self.months = self.months.checked_add(months)?;
        Some(())
    }

    fn interval(self) -> Option<Interval> {
        let months = i64::from(self.years) * 12 + i64::from(self.months);
        let months = i32::try_from(months).ok()?;
        Some(Interval { months, days: self.days, micros: self.micros })
    }
}
