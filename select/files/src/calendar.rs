//! Civil dates of the proleptic Gregorian calendar as days since 1970-01-01, checked.
//!
//! Our own: it is two formulas, for which this crate does not need chrono.

use std::ops::{Range, RangeInclusive};

/// The microseconds of a day.
pub const DAY_MICROS: i64 = 86_400_000_000;

/// The dates of PostgreSQL, as days since 1970-01-01: from 4714-11-24 BC to 5874897-12-31.
pub const DATES: Range<i32> = -2_440_588..2_145_042_906;

/// The timestamps, as microseconds since 1970-01-01: from PostgreSQL's first, 4714-11-24 BC, to the
/// last that 64 bits hold, in the year 294247.
pub const TIMESTAMPS: RangeInclusive<i64> = DATES.start as i64 * DAY_MICROS..=i64::MAX;

/// Days from 0000-01-01 to 1970-01-01.
const EPOCH_DAYS: i32 = 719_528;

/// For each month of common and of leap years: the days before it in its year, and its own. There
/// is no month 0.
const MONTHS: [[(u16, u8); 13]; 2] = [months(28), months(29)];

const fn months(february: u8) -> [(u16, u8); 13] {
    let lengths = [0, 31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut months = [(0, 0); 13];
    let (mut month, mut before) = (0, 0);
    while month < 13 {
        months[month] = (before, lengths[month]);
        before += lengths[month] as u16;
        month += 1;
    }
    months
}

/// Days since 1970-01-01 of a date of the years 1 to 9999, its year in two halves as it is written:
/// 19 and 70; `None` where there is no such day.
#[inline]
pub(crate) fn days_since_epoch(century: u8, year: u8, month: u8, day: u8) -> Option<i32> {
    let leap_century = century.is_multiple_of(4);
    let leap = if year == 0 { leap_century } else { year.is_multiple_of(4) };
    let &(before, length) = MONTHS[usize::from(leap)].get(usize::from(month))?;
    let day = day.wrapping_sub(1);
    if day >= length || (century, year) == (0, 0) {
        return None;
    }
    // a century has 24 leap days, and one more in its first year if that is a leap year
    let (century, year) = (i32::from(century), i32::from(year));
    let centuries = century * 36_524 + (century + 3) / 4;
    let years = year * 365 + (year + 3) / 4 - i32::from(year > 0 && !leap_century);
    Some(centuries + years + i32::from(before) + i32::from(day) - EPOCH_DAYS)
}

/// Days of 400 years, after which the calendar repeats.
const ERA_DAYS: i64 = 146_097;

/// Year, month and day of a day since 1970-01-01; the year before 1 is 0.
///
/// The year is taken to begin in March, so that the leap day is its last. Source: Howard Hinnant,
/// 'chrono-compatible low-level date algorithms'.
pub fn civil_of_days(days: i64) -> (i64, u32, u32) {
    let days = days + i64::from(EPOCH_DAYS) - 60;
    let (era, day) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    let small = |value: i64| u32::try_from(value).unwrap_or(0);
    (year + era * 400, small(month), small(day))
}

/// The day since 1970-01-01 of a date that there is.
pub fn days_of_civil(year: i64, month: u32, day: u32) -> i64 {
    let (year, month) =
        if month > 2 { (year, i64::from(month) - 3) } else { (year - 1, i64::from(month) + 9) };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day = (153 * month + 2) / 5 + i64::from(day) - 1;
    era * ERA_DAYS + year * 365 + year / 4 - year / 100 + day - i64::from(EPOCH_DAYS) + 60
}

/// Returns the number of days of a month; `month` is from 1 to 12.
pub fn days_in_month(year: i64, month: u32) -> u32 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = MONTHS[usize::from(leap)];
    usize::try_from(month)
        .ok()
        .and_then(|month| lengths.get(month))
        .map_or(0, |month| month.1.into())
}

#[cfg(test)]
mod tests {
    use super::{civil_of_days, days_in_month, days_of_civil, days_since_epoch};

    #[test]
    fn both_ways_agree() {
        for (days, civil) in (-800_000..3_000_000).map(|days| (days, civil_of_days(days))) {
            let (year, month, day) = civil;
            assert_eq!(days_of_civil(year, month, day), days);
            if let (Ok(century), Ok(year)) =
                (u8::try_from(year.div_euclid(100)), u8::try_from(year % 100))
            {
                let half = |half: u32| u8::try_from(half).unwrap();
                if century < 100 {
                    let date = days_since_epoch(century, year, half(month), half(day));
                    let expected = ((century, year) != (0, 0)).then_some(days);
                    assert_eq!(date.map(i64::from), expected, "{civil:?}");
                }
            }
        }
        assert_eq!(civil_of_days(0), (1970, 1, 1));
        assert_eq!(civil_of_days(i64::from(i32::MIN)), (-5_877_641, 6, 23));
        assert_eq!(days_in_month(1900, 2), 28);
        assert_eq!(days_in_month(-4, 2), 29);
    }

    /// Every day of the years 1 to 9999 in order is one more than the day before it, and the
    /// lengths of months are those of the rule as it is usually told.
    #[test]
    fn every_day_follows_the_day_before() {
        assert_eq!(days_since_epoch(0, 0, 1, 1), None);
        let mut expected = -719_162;
        for year in 1..10_000_u32 {
            let leap =
                year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
            let half = |half| u8::try_from(half).unwrap();
            let (century, year) = (half(year / 100), half(year % 100));
            for (month, length) in (0..).zip([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0])
            {
                let length = if month == 2 && leap { 29 } else { length };
                for day in 0..=u8::MAX {
                    let date = days_since_epoch(century, year, month, day);
                    let exists = (1..=length).contains(&day);
                    assert_eq!(date, exists.then_some(expected), "{century} {year}-{month}-{day}");
                    expected += i32::from(exists);
                }
            }
        }
        assert_eq!(days_since_epoch(19, 70, 1, 1), Some(0));
        assert_eq!(days_since_epoch(20, 0, 2, 29), Some(11_016));
        assert_eq!(days_since_epoch(99, 99, 12, 31), Some(2_932_896));
        assert_eq!(days_since_epoch(20, 24, 99, 1), None);
    }
}
