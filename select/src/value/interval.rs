//! Intervals: months, days and a time, stored separately, because months and days differ in length.
//!
//! They are compared as if a month had 30 days and a day 24 hours. When an interval is added to a
//! time, the months are added first and stop at the end of a shorter month, then the days, then the
//! time. All of this is as in PostgreSQL.

use std::cmp::Ordering;
use std::fmt;

use arrow::datatypes::IntervalMonthDayNano;

use sift_files::calendar::{DAY_MICROS, civil_of_days, days_in_month, days_of_civil};

pub(crate) const MONTH_DAYS: i32 = 30;
const NANOS_OF_MICRO: i64 = 1000;

/// A length of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// Whole months; a year is twelve.
    pub months: i32,
    /// Whole days; a week is seven.
    pub days: i32,
    /// Microseconds; any number of them.
    pub micros: i64,
}

impl Interval {
    /// Returns the length for comparisons: a month has 30 days, a day 24 hours.
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

    /// Returns the interval from `earlier` to `later`, in days and a time of less than a day.
    pub(crate) fn between(earlier: i64, later: i64) -> Option<Self> {
        let micros = later.checked_sub(earlier)?;
        let days = i32::try_from(micros / DAY_MICROS).ok()?;
        Some(Self { months: 0, days, micros: micros % DAY_MICROS })
    }

    /// Returns the timestamp this long after `micros`.
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

    /// Returns Arrow's form of it; `None` if the nanoseconds overflow.
    pub(crate) fn to_native(self) -> Option<IntervalMonthDayNano> {
        let nanos = self.micros.checked_mul(NANOS_OF_MICRO)?;
        Some(IntervalMonthDayNano::new(self.months, self.days, nanos))
    }

    pub(crate) fn from_native(native: IntervalMonthDayNano) -> Self {
        let micros = native.nanoseconds / NANOS_OF_MICRO;
        Self { months: native.months, days: native.days, micros }
    }
}

/// Writes an interval as PostgreSQL does: `1 year 2 mons -3 days +04:05:06.5`.
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
