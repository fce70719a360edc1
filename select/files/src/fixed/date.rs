//! Dates and timestamps as decimal digits, by a format such as `YYYYMMDD`.
//!
//! | in a format | is |
//! | --- | --- |
//! | `YYYY` | the year |
//! | `YY` | the year of its century: `century_pivot` and above are 19YY, below it 20YY |
//! | `CYY` | as IBM i has it: C counts the centuries since 1900 |
//! | `MM`, `DD` | month and day of the month; after `HH`, `MM` is the minute |
//! | `DDD` | the day of the year, 001 to 366 |
//! | `HH`, `SS` | hour, 00 to 23, and second |
//! | `f` to `ffffff` | digits of the second's fraction |
//! | `- / . : T` and the space | themselves |
//!
//! The digits are characters, or the number that they make is packed or binary.

use std::fmt;

use super::encoding::Encoding;
use super::number;
use super::storage::ByteOrder;
use crate::calendar::{DAY_MICROS, days_since_epoch};
use crate::problem::descriptor::FormatProblem;

/// The longest format: the 26 characters of a timestamp of Db2, and some.
const CHARS_MAX: usize = 32;

/// No format has more: a day of three parts, a time of four.
const PARTS_MAX: usize = 7;

/// Digits of the longest number: a timestamp with microseconds.
const DIGITS_MAX: usize = 20;

/// A format and how its digits are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    format: Format,
    coding: Coding,
    pivot: u8,
    /// The format's separators in the field's encoding, its digits all zero.
    zero: [u8; CHARS_MAX],
}

/// How the digits of a date are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// Characters of the field's encoding.
    Digits,
    /// COMP-3.
    Packed,
    /// COMP-6.
    UnsignedPacked,
    /// Binary.
    Integer(ByteOrder),
}

/// The parts of a date and where their digits are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    text: [u8; CHARS_MAX],
    chars: usize,
    parts: [Part; PARTS_MAX],
    count: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    unit: Unit,
    start: usize,
    digits: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Year,
    ShortYear,
    CenturyYear,
    Month,
    Day,
    DayOfYear,
    Hour,
    Minute,
    Second,
    Fraction,
}

impl Format {
    /// The usual one of dates.
    pub(crate) const DATE: &str = "YYYYMMDD";

    /// The usual one of timestamps.
    pub(crate) const TIMESTAMP: &str = "YYYYMMDDHHMMSS";

    /// The format of that text, or what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, FormatProblem> {
        if text.len() > CHARS_MAX {
            return Err(FormatProblem::TooLong { chars: text.len(), chars_max: CHARS_MAX });
        }
        let none = Part { unit: Unit::Year, start: 0, digits: 0 };
        let mut format =
            Self { text: [0; CHARS_MAX], chars: text.len(), parts: [none; PARTS_MAX], count: 0 };
        format.text[..text.len()].copy_from_slice(text.as_bytes());
        let mut start = 0;
        for run in text.as_bytes().chunk_by(|a, b| a == b || (*a, *b) == (b'C', b'Y')) {
            format.take(run, start)?;
            start += run.len();
        }
        format.check()?;
        Ok(format)
    }

    /// Takes the same letters in a row.
    fn take(&mut self, run: &[u8], start: usize) -> Result<(), FormatProblem> {
        let shown = || String::from_utf8_lossy(run).into_owned();
        let unit = match run {
            b"YYYY" => Unit::Year,
            b"YY" => Unit::ShortYear,
            b"CYY" => Unit::CenturyYear,
            b"MM" if self.has(Unit::Hour) => Unit::Minute,
            b"MM" => Unit::Month,
            b"DD" => Unit::Day,
            b"DDD" => Unit::DayOfYear,
            b"HH" => Unit::Hour,
            b"SS" => Unit::Second,
            [b'f', ..] if run.len() <= 6 => Unit::Fraction,
            [b'-' | b'/' | b'.' | b':' | b'T' | b' ', ..] => return Ok(()),
            _ => return Err(FormatProblem::UnknownPart { part: shown() }),
        };
        if self.has(unit) {
            return Err(FormatProblem::PartTwice { part: shown() });
        }
        let part = Part { unit, start, digits: run.len() };
        let slot = self.parts.get_mut(self.count).ok_or(FormatProblem::TooManyParts)?;
        *slot = part;
        self.count += 1;
        Ok(())
    }

    fn check(&self) -> Result<(), FormatProblem> {
        let has = |unit| self.has(unit);
        let years = [Unit::Year, Unit::ShortYear, Unit::CenturyYear];
        if years.iter().filter(|&&unit| has(unit)).count() != 1 {
            return Err(FormatProblem::Year);
        }
        if has(Unit::DayOfYear) == (has(Unit::Month) || has(Unit::Day))
            || has(Unit::Month) != has(Unit::Day)
        {
            return Err(FormatProblem::Day);
        }
        let time = [Unit::Hour, Unit::Minute, Unit::Second, Unit::Fraction];
        if time.windows(2).any(|pair| has(pair[1]) && !has(pair[0])) {
            return Err(FormatProblem::Time);
        }
        Ok(())
    }

    fn has(&self, unit: Unit) -> bool {
        self.parts().iter().any(|part| part.unit == unit)
    }

    fn parts(&self) -> &[Part] {
        self.parts.get(..self.count).unwrap_or_default()
    }

    pub(crate) fn has_time(&self) -> bool {
        self.has(Unit::Hour)
    }

    /// Returns whether a year does not tell its century.
    pub(crate) fn needs_pivot(&self) -> bool {
        self.has(Unit::ShortYear)
    }

    /// Characters, separators included.
    pub(crate) fn chars(&self) -> usize {
        self.chars
    }

    pub(crate) fn digits(&self) -> usize {
        self.parts().iter().map(|part| part.digits).sum()
    }

    pub(crate) fn has_separators(&self) -> bool {
        self.digits() < self.chars
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.text.get(..self.chars).unwrap_or_default()))
    }
}

impl Moment {
    /// Two-digit years of `pivot` and above are those of the 20th century. A format with separators
    /// is stored as characters.
    pub(crate) fn new(format: Format, coding: Coding, pivot: u8, encoding: Encoding) -> Self {
        let mut zero = format.text.map(|char| encoding.byte(char));
        for part in format.parts() {
            zero[part.start..][..part.digits].fill(encoding.byte(b'0'));
        }
        Self { format, coding, pivot, zero }
    }

    pub(crate) fn is_characters(&self) -> bool {
        self.coding == Coding::Digits
    }

    /// Returns whether [`number::date`] reads it.
    pub(super) fn is_plain(&self) -> bool {
        self.coding == Coding::Digits
            && self.format.text.get(..self.format.chars) == Some(Format::DATE.as_bytes())
    }

    /// Days since 1970-01-01 of what the bytes of a field say.
    pub(super) fn date(&self, bytes: &[u8]) -> Option<i32> {
        self.reading(bytes)?.days()
    }

    /// Microseconds since 1970-01-01T00:00:00 of what the bytes of a field say.
    pub(super) fn timestamp(&self, bytes: &[u8]) -> Option<i64> {
        let reading = self.reading(bytes)?;
        Some(i64::from(reading.days()?) * DAY_MICROS + reading.time_micros()?)
    }

    /// Returns whether all digits are zero.
    pub(super) fn is_zero(&self, bytes: &[u8]) -> bool {
        match self.coding {
            Coding::Digits => self.zero.get(..self.format.chars) == Some(bytes),
            _ => self.number(bytes) == Some(0),
        }
    }

    fn reading(&self, bytes: &[u8]) -> Option<Reading> {
        if self.coding != Coding::Digits {
            let text = to_digits(self.number(bytes)?)?;
            return self.read(text.get(DIGITS_MAX - self.format.digits()..)?, &text, b'0');
        }
        let zero = self.zero.get(..self.format.chars)?;
        let zero_byte = zero.get(self.format.parts().first()?.start)?;
        let mut separators = zero.iter().zip(bytes).filter(|(zero, _)| *zero != zero_byte);
        separators.all(|(zero, byte)| zero == byte).then(|| self.read(bytes, &[], *zero_byte))?
    }

    /// The parts out of `digits`; what comes before them in `whole` has to be zero.
    fn read(&self, digits: &[u8], whole: &[u8], zero: u8) -> Option<Reading> {
        let before = whole.len().saturating_sub(digits.len());
        if whole.get(..before)?.iter().any(|&digit| digit != zero) {
            return None;
        }
        let mut reading = Reading::default();
        for part in self.format.parts() {
            let digits = digits.get(part.start..part.start + part.digits)?;
            let mut value = 0;
            for digit in digits {
                let digit = digit.wrapping_sub(zero);
                if digit > 9 {
                    return None;
                }
                value = value * 10 + u32::from(digit);
            }
            self.set(&mut reading, part, value);
        }
        Some(reading)
    }

    fn set(&self, reading: &mut Reading, part: &Part, value: u32) {
        match part.unit {
            Unit::Year => reading.year = value,
            Unit::ShortYear if value < u32::from(self.pivot) => reading.year = 2000 + value,
            Unit::ShortYear | Unit::CenturyYear => reading.year = 1900 + value,
            Unit::Month => reading.month = value,
            Unit::Day => reading.day = value,
            Unit::DayOfYear => reading.day_of_year = Some(value),
            Unit::Hour => reading.hour = value,
            Unit::Minute => reading.minute = value,
            Unit::Second => reading.second = value,
            Unit::Fraction => {
                let missing = u32::try_from(6_usize.saturating_sub(part.digits)).unwrap_or(0);
                reading.micros = value * 10_u32.pow(missing);
            }
        }
    }

    /// The number that the digits make, where they are no characters.
    fn number(&self, bytes: &[u8]) -> Option<u128> {
        let length = bytes.len();
        let number = match self.coding {
            Coding::Digits => None,
            Coding::Packed => number::packed_wide(bytes, length),
            Coding::UnsignedPacked => number::unsigned_packed_wide(bytes, length),
            Coding::Integer(order) => Some(number::unsigned(bytes, length, order).into()),
        };
        u128::try_from(number?).ok()
    }
}

/// The decimal digits as ASCII; `None` where there are more.
fn to_digits(number: u128) -> Option<[u8; DIGITS_MAX]> {
    const HALF: u128 = 10_u128.pow(10);
    let mut digits = [b'0'; DIGITS_MAX];
    let (upper, lower) = digits.split_at_mut(DIGITS_MAX / 2);
    for (half, number) in [(upper, number / HALF), (lower, number % HALF)] {
        let mut rest = u64::try_from(number).ok()?;
        for digit in half.iter_mut().rev() {
            *digit += u8::try_from(rest % 10).ok()?;
            rest /= 10;
        }
        if rest != 0 {
            return None;
        }
    }
    Some(digits)
}

/// The parts of a date as numbers, not yet checked.
#[derive(Default)]
struct Reading {
    year: u32,
    month: u32,
    day: u32,
    day_of_year: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    micros: u32,
}

impl Reading {
    fn days(&self) -> Option<i32> {
        let small = |value: u32| u8::try_from(value).ok();
        let (century, year) = (small(self.year / 100)?, small(self.year % 100)?);
        let Some(day_of_year) = self.day_of_year else {
            return days_since_epoch(century, year, small(self.month)?, small(self.day)?);
        };
        let first = days_since_epoch(century, year, 1, 1)?;
        let last = days_since_epoch(century, year, 12, 31)?;
        let day = first.checked_add(i32::try_from(day_of_year).ok()?)? - 1;
        (first..=last).contains(&day).then_some(day)
    }

    fn time_micros(&self) -> Option<i64> {
        if self.hour > 23 || self.minute > 59 || self.second > 59 {
            return None;
        }
        let seconds = (self.hour * 60 + self.minute) * 60 + self.second;
        Some(i64::from(seconds) * 1_000_000 + i64::from(self.micros))
    }
}

/// `YYMMDD, pivot 50, packed`
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.format)?;
        if self.format.needs_pivot() {
            write!(f, ", pivot {}", self.pivot)?;
        }
        f.write_str(match self.coding {
            Coding::Digits => "",
            Coding::Packed => ", packed",
            Coding::UnsignedPacked => ", packed without sign",
            Coding::Integer(ByteOrder::Little) => ", little-endian",
            Coding::Integer(ByteOrder::Big) => ", big-endian",
        })
    }
}
