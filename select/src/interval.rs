//! Intervals: months, days and a time, each for itself, since months and days differ in length.
//!
//! They are compared as if a month had 30 days and a day 24 hours. Added to a time, the months go
//! first and stop at the end of a shorter month, then the days, then the time. All as PostgreSQL.

use std::cmp::Ordering;
use std::fmt;

use arrow::datatypes::IntervalMonthDayNano;

use crate::calendar::{DAY_MICROS, civil_of_days, days_in_month, days_of_civil};

const MONTH_DAYS: i32 = 30;
const NANOS_OF_MICRO: i64 = 1000;

/// A length of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// Whole months; a year is twelve.
    pub months: i32,
    /// Whole days; a week is seven.
    pub days: i32,
    /// Microseconds, of any number.
    pub micros: i64,
}

impl Interval {
    /// The interval that `text` writes in PostgreSQL's words: `1 year 2 months`, `3 days 04:05:06`,
    /// `-1.5 hours`, `2 weeks ago`. A number without a unit counts seconds.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim().strip_prefix('@').unwrap_or(text).trim();
        let mut interval = Self::default();
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            if rest.eq_ignore_ascii_case("ago") {
                return interval.negated();
            }
            let (part, behind) = parse_part(rest)?;
            interval = interval.plus(part)?;
            rest = behind.trim_start();
        }
        Some(interval)
    }

    /// Its length, months and days at their usual lengths: what comparisons go by.
    pub(crate) fn length_micros(self) -> i128 {
        let days = i128::from(self.months) * i128::from(MONTH_DAYS) + i128::from(self.days);
        days * i128::from(DAY_MICROS) + i128::from(self.micros)
    }

    pub(crate) fn negated(self) -> Option<Self> {
        self.times(-1)
    }

    pub(crate) fn plus(self, other: Self) -> Option<Self> {
        Some(Self {
            months: self.months.checked_add(other.months)?,
            days: self.days.checked_add(other.days)?,
            micros: self.micros.checked_add(other.micros)?,
        })
    }

    pub(crate) fn times(self, factor: i64) -> Option<Self> {
        let times = |value: i32| i32::try_from(i64::from(value).checked_mul(factor)?).ok();
        Some(Self {
            months: times(self.months)?,
            days: times(self.days)?,
            micros: self.micros.checked_mul(factor)?,
        })
    }

    /// From `earlier` to `later`, in days and a time of less than a day.
    pub(crate) fn between(earlier: i64, later: i64) -> Option<Self> {
        let micros = later.checked_sub(earlier)?;
        let days = i32::try_from(micros / DAY_MICROS).ok()?;
        Some(Self { months: 0, days, micros: micros % DAY_MICROS })
    }

    /// The timestamp this long after `micros`.
    pub(crate) fn after(self, micros: i64) -> Option<i64> {
        let mut days = micros.div_euclid(DAY_MICROS);
        if self.months != 0 {
            let (year, month, day) = civil_of_days(days);
            let months = year * 12 + i64::from(month) - 1 + i64::from(self.months);
            let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
            let month = u32::try_from(month).ok()?;
            days = days_of_civil(year, month, day.min(days_in_month(year, month)));
        }
        days.checked_add(i64::from(self.days))?
            .checked_mul(DAY_MICROS)?
            .checked_add(micros.rem_euclid(DAY_MICROS))?
            .checked_add(self.micros)
    }

    /// As Arrow has it; none where the nanoseconds are too many.
    pub(crate) fn to_native(self) -> Option<IntervalMonthDayNano> {
        let nanos = self.micros.checked_mul(NANOS_OF_MICRO)?;
        Some(IntervalMonthDayNano::new(self.months, self.days, nanos))
    }

    pub(crate) fn from_native(native: IntervalMonthDayNano) -> Self {
        let micros = native.nanoseconds / NANOS_OF_MICRO;
        Self { months: native.months, days: native.days, micros }
    }
}

/// One part of a text, a number with its unit or a time, and what is behind it.
fn parse_part(text: &str) -> Option<(Interval, &str)> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let end = unsigned.find(|c: char| !(c.is_ascii_digit() || ".:".contains(c)));
    let (number, behind) = unsigned.split_at(end.unwrap_or(unsigned.len()));
    if number.contains(':') {
        return Some((parse_time(number)?.times(sign)?, behind));
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: f64 =
        if fraction.is_empty() { 0.0 } else { format!("0.{fraction}").parse().ok()? };
    let behind = behind.trim_start();
    let end = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
    let (unit, behind) = behind.split_at(end);
    Some((of_unit(whole, fraction, unit)?.times(sign)?, behind))
}

/// Hours, minutes and maybe seconds with a fraction.
fn parse_time(text: &str) -> Option<Interval> {
    let mut parts = text.split(':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok().filter(|minutes| *minutes < 60)?;
    let (seconds, fraction) = match parts.next() {
        None => (0, 0.0),
        Some(seconds) => {
            let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
            (
                whole.parse().ok().filter(|seconds: &i64| *seconds < 60)?,
                format!("0.{fraction}").parse().ok()?,
            )
        }
    };
    if parts.next().is_some() {
        return None;
    }
    let seconds = hours.checked_mul(3600)?.checked_add(minutes * 60 + seconds)?;
    of_time(seconds, fraction, 1_000_000)
}

fn of_unit(whole: i64, fraction: f64, unit: &str) -> Option<Interval> {
    let unit = unit.to_ascii_lowercase();
    match unit.as_str() {
        "microsecond" | "microseconds" | "us" | "usec" | "usecs" => of_time(whole, fraction, 1),
        "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" => of_time(whole, fraction, 1000),
        "" | "second" | "seconds" | "sec" | "secs" | "s" => of_time(whole, fraction, 1_000_000),
        "minute" | "minutes" | "min" | "mins" | "m" => of_time(whole, fraction, 60_000_000),
        "hour" | "hours" | "hr" | "hrs" | "h" => of_time(whole, fraction, 3_600_000_000),
        "day" | "days" | "d" => of_days(whole, fraction, 1),
        "week" | "weeks" | "w" => of_days(whole, fraction, 7),
        "month" | "months" | "mon" | "mons" => {
            let months = Interval { months: i32::try_from(whole).ok()?, ..Interval::default() };
            of_days(0, fraction, MONTH_DAYS)?.plus(months)
        }
        "year" | "years" | "yr" | "yrs" | "y" => of_years(whole, fraction, 1),
        "decade" | "decades" | "decs" | "dec" => of_years(whole, fraction, 10),
        "century" | "centuries" | "cent" | "c" => of_years(whole, fraction, 100),
        "millennium" | "millennia" | "mil" | "mils" => of_years(whole, fraction, 1000),
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "at most an hour's microseconds")]
fn of_time(whole: i64, fraction: f64, micros: u32) -> Option<Interval> {
    let part = (fraction * f64::from(micros)).round_ties_even() as i64;
    let micros = whole.checked_mul(i64::from(micros))?.checked_add(part)?;
    Some(Interval { micros, ..Interval::default() })
}

/// What is no whole day is time.
#[expect(clippy::cast_possible_truncation, reason = "at most thirty days, and less than one")]
#[expect(clippy::cast_precision_loss, reason = "a day has far fewer than 2^53 microseconds")]
fn of_days(whole: i64, fraction: f64, days: i32) -> Option<Interval> {
    let part = fraction * f64::from(days);
    let micros = (part.fract() * DAY_MICROS as f64).round_ties_even() as i64;
    let whole = i32::try_from(whole).ok()?.checked_mul(days)?.checked_add(part.trunc() as i32)?;
    Some(Interval { days: whole, micros, ..Interval::default() })
}

/// What is no whole month is rounded to one.
#[expect(clippy::cast_possible_truncation, reason = "at most a millennium's months")]
fn of_years(whole: i64, fraction: f64, years: i32) -> Option<Interval> {
    let part = (fraction * f64::from(years) * 12.0).round_ties_even() as i32;
    let months = i32::try_from(whole).ok()?.checked_mul(years)?.checked_mul(12)?;
    Some(Interval { months: months.checked_add(part)?, ..Interval::default() })
}

/// As PostgreSQL writes them: `1 year 2 mons -3 days +04:05:06.5`.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [(self.months / 12, "year"), (self.months % 12, "mon"), (self.days, "day")];
        let mut before = Ordering::Equal;
        let mut separator = "";
        for (number, unit) in parts.into_iter().filter(|(number, _)| *number != 0) {
            let plus = if before == Ordering::Less && number > 0 { "+" } else { "" };
            let plural = if number == 1 { "" } else { "s" };
            write!(f, "{separator}{plus}{number} {unit}{plural}")?;
            (before, separator) = (number.cmp(&0), " ");
        }
        if self.micros == 0 && !separator.is_empty() {
            return Ok(());
        }
        let sign = match (self.micros < 0, before) {
            (true, _) => "-",
            (false, Ordering::Less) => "+",
            _ => "",
        };
        let micros = self.micros.unsigned_abs();
        let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        write!(f, "{separator}{sign}{hours:02}:{minutes:02}:{:02}", seconds % 60)?;
        if fraction == 0 {
            return Ok(());
        }
        let fraction = format!("{fraction:06}");
        write!(f, ".{}", fraction.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::Interval;

    fn check(text: &str, expected: &str) {
        let parsed = Interval::parse(text).map(|interval| interval.to_string());
        assert_eq!(parsed.as_deref().unwrap_or("none"), expected, "{text}");
    }

    /// The expected texts are what PostgreSQL 15 makes of the same.
    #[test]
    fn texts() {
        check("1 day", "1 day");
        check("3 months 2 days", "3 mons 2 days");
        check("1 year", "1 year");
        check("14 mons", "1 year 2 mons");
        check("02:03:04", "02:03:04");
        check("-02:03:04.5", "-02:03:04.5");
        check("1.5 days", "1 day 12:00:00");
        check("1.5 months", "1 mon 15 days");
        check("1.5 years", "1 year 6 mons");
        check("2 weeks ago", "-14 days");
        check("-1 day +2 hours", "-1 days +02:00:00");
        check("1 day -02:03", "1 day -02:03:00");
        check("90 minutes", "01:30:00");
        check("5", "00:00:05");
        check("0", "00:00:00");
        check("1y 2mons", "1 year 2 mons");
        check("-1 year 2 mons", "-10 mons");
        check("", "none");
        check("day", "none");
        check("1 dayz", "none");
        check("1:99", "none");
        check("99999999999 years", "none");
    }
}
