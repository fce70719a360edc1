//! Civil dates of the proleptic Gregorian calendar as days since 1970-01-01, checked.

/// Days before each month of a common year; `[13]` closes the table.
const DAYS_BEFORE: [u16; 14] = [0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

/// Days from 0000-01-01 to 1970-01-01.
const EPOCH_DAYS: i32 = 719_528;

/// Days since 1970-01-01 of a date of the years 0 to 9999; `None` where there is no such day.
#[inline]
pub(crate) fn days_since_epoch(year: u32, month: u32, day: u32) -> Option<i32> {
    if year > 9999 || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let before = u32::from(DAYS_BEFORE[month as usize]);
    let until = u32::from(DAYS_BEFORE[month as usize + 1]);
    let leap_day = u32::from(leap);
    if day > until - before + if month == 2 { leap_day } else { 0 } {
        return None;
    }
    // leap years before this one: 4, 8 … and the year 0 itself
    let leaps = year.div_ceil(4) - year.div_ceil(100) + year.div_ceil(400);
    let days = 365 * year + leaps + before + day - 1 + if month > 2 { leap_day } else { 0 };
    i32::try_from(days).ok().map(|days| days - EPOCH_DAYS)
}

#[cfg(test)]
mod tests {
    use super::days_since_epoch;

    /// Every day of the years 0 to 9999 in order is one more than the day before it.
    #[test]
    fn every_day_follows_the_day_before() {
        let mut expected = -719_528;
        for year in 0..10_000 {
            for month in 1..13 {
                let mut days = 0;
                for day in 1..32 {
                    let Some(date) = days_since_epoch(year, month, day) else { break };
                    assert_eq!(date, expected, "{year}-{month}-{day}");
                    expected += 1;
                    days += 1;
                }
                assert!((28..32).contains(&days), "{year}-{month}: {days} days");
            }
        }
        assert_eq!(days_since_epoch(1970, 1, 1), Some(0));
        assert_eq!(days_since_epoch(2000, 2, 29), Some(11_016));
        assert_eq!(days_since_epoch(9999, 12, 31), Some(2_932_896));
    }

    #[test]
    fn there_are_no_such_days() {
        for (year, month, day) in [
            (1900, 2, 29),
            (2023, 2, 29),
            (2024, 2, 30),
            (2024, 4, 31),
            (2024, 13, 1),
            (2024, 0, 1),
            (2024, 1, 0),
            (2024, 1, 32),
            (10_000, 1, 1),
        ] {
            assert_eq!(days_since_epoch(year, month, day), None, "{year}-{month}-{day}");
        }
    }
}
