//! Functions of dates, timestamps and intervals. Weeks are those of ISO 8601.

use arrow::array::ArrayRef;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, IntervalMonthDayNanoType,
    TimestampMicrosecondType,
};

use super::arguments::Arguments;
use super::{ArgumentType, Function, ReturnType};
use crate::expr::problem::Problem;
use crate::expr::{Expr, ExprKind, Literal};
use crate::value::Value;
use crate::value::common::decimal;
use crate::value::interval::Interval;
use crate::value::scalar::decimal_to_float;
use sift_files::calendar::{
    DATES, DAY_MICROS, TIMESTAMPS, civil_of_days, days_in_month, days_of_civil,
};
use sift_files::types::TIMESTAMP;

const HOUR_MICROS: i64 = 3_600_000_000;
const MINUTE_MICROS: i64 = 60_000_000;
const SECOND_MICROS: i64 = 1_000_000;

pub(super) static FUNCTIONS: &[Function] = {
    use ArgumentType::{Date, Interval, Text, Timestamp, Whole};
    use ReturnType::Of;
    &[
        Function::new("extract", &[Text, Timestamp], Of(extracted), extract_of_timestamp),
        Function::new("extract", &[Text, Date], Of(extracted_of_date), extract_of_date),
        Function::new("extract", &[Text, Interval], Of(extracted_of_interval), extract_of_interval),
        Function::new("date_part", &[Text, Timestamp], Of(part), part_of_timestamp),
        Function::new("date_part", &[Text, Date], Of(part), part_of_timestamp_of_date).fallible(),
        Function::new("date_part", &[Text, Interval], Of(part_of_span), part_of_interval),
        Function::new("date_trunc", &[Text, Timestamp], Of(truncated), date_trunc).fallible(),
        Function::new("make_date", &[Whole, Whole, Whole], ReturnType::Date, make_date).fallible(),
    ]
};

/// A field of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Decade,
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Milliseconds,
    Microseconds,
    Dow,
    Isodow,
    Doy,
    Isoyear,
    Epoch,
}

impl Field {
    const NAMES: &[(&str, Self)] = &[
        ("decade", Self::Decade),
        ("year", Self::Year),
        ("quarter", Self::Quarter),
        ("month", Self::Month),
        ("week", Self::Week),
        ("day", Self::Day),
        ("hour", Self::Hour),
        ("minute", Self::Minute),
        ("second", Self::Second),
        ("milliseconds", Self::Milliseconds),
        ("microseconds", Self::Microseconds),
        ("dow", Self::Dow),
        ("isodow", Self::Isodow),
        ("doy", Self::Doy),
        ("isoyear", Self::Isoyear),
        ("epoch", Self::Epoch),
    ];

    fn parse(name: &str) -> Option<Self> {
        let same = |(known, _): &&(&str, Self)| name.eq_ignore_ascii_case(known);
        Self::NAMES.iter().find(same).map(|(_, field)| *field)
    }

    /// Returns the field that the first argument, a constant, names.
    fn of(arguments: &[Expr]) -> Result<Self, String> {
        match arguments.first().map(|field| &field.kind) {
            Some(ExprKind::Literal(Literal { value: Value::Text(name), .. })) => Self::parse(name)
                .ok_or_else(|| {
                    let names: Vec<_> = Self::NAMES.iter().map(|(name, _)| *name).collect();
                    format!("unknown field '{name}'; expected one of {}", names.join(", "))
                }),
            _ => Err("the field of a time has to be a constant".to_owned()),
        }
    }

    fn of_call(arguments: &Arguments<'_>) -> Result<Self, Problem> {
        let name = arguments.texts(0).constant();
        name.and_then(Self::parse).ok_or_else(|| Problem("a field that is unknown".to_owned()))
    }

    /// Returns the number of digits after the decimal point.
    fn scale(self) -> u8 {
        match self {
            Self::Second | Self::Epoch => 6,
            Self::Milliseconds => 3,
            _ => 0,
        }
    }

    fn is_of_time(self) -> bool {
        matches!(
            self,
            Self::Hour | Self::Minute | Self::Second | Self::Milliseconds | Self::Microseconds
        )
    }

    fn data_type(self) -> DataType {
        decimal(19 + self.scale(), self.scale())
    }
}

/// Returns the digits of a field at its scale.
fn of_timestamp(field: Field, micros: i64) -> i128 {
    let (days, time) = (micros.div_euclid(DAY_MICROS), micros.rem_euclid(DAY_MICROS));
    match field {
        Field::Hour => (time / HOUR_MICROS).into(),
        Field::Minute => (time / MINUTE_MICROS % 60).into(),
        Field::Second | Field::Milliseconds | Field::Microseconds => (time % MINUTE_MICROS).into(),
        Field::Epoch => micros.into(),
        field => of_day(field, days).into(),
    }
}

fn of_day(field: Field, days: i64) -> i64 {
    let (year, month, day) = civil_of_days(days);
    // 1 January 1970 was a Thursday
    let isodow = (days + 3).rem_euclid(7) + 1;
    let thursday = days - isodow + 4;
    let isoyear = civil_of_days(thursday).0;
    match field {
        Field::Decade => year.div_euclid(10),
        Field::Year => before_christ(year),
        Field::Quarter => i64::from((month - 1) / 3 + 1),
        Field::Month => month.into(),
        Field::Week => (thursday - days_of_civil(isoyear, 1, 1)) / 7 + 1,
        Field::Day => day.into(),
        Field::Dow => isodow % 7,
        Field::Isodow => isodow,
        Field::Doy => days - days_of_civil(year, 1, 1) + 1,
        Field::Isoyear => before_christ(isoyear),
        Field::Epoch => days * (DAY_MICROS / SECOND_MICROS),
        _ => 0,
    }
}

/// Returns the year as it is written: there is no year 0, the year before 1 is -1.
fn before_christ(year: i64) -> i64 {
    if year > 0 { year } else { year - 1 }
}

fn of_interval(field: Field, interval: Interval) -> i128 {
    let Interval { months, days, micros } = interval;
    let (years, months) = (months / 12, months % 12);
    match field {
        Field::Decade => (years / 10).into(),
        Field::Year => years.into(),
        Field::Quarter => (months / 3 + 1).into(),
        Field::Month => months.into(),
        Field::Day => days.into(),
        Field::Hour => (micros / HOUR_MICROS).into(),
        Field::Minute => (micros / MINUTE_MICROS % 60).into(),
        Field::Second | Field::Milliseconds | Field::Microseconds => {
            (micros % MINUTE_MICROS).into()
        }
        _ => {
            // a year of intervals has 365.25 days
            let quarter_days =
                i128::from(years) * 1461 + (i128::from(months) * 30 + i128::from(days)) * 4;
            quarter_days * i128::from(DAY_MICROS) / 4 + i128::from(micros)
        }
    }
}

fn extracted(arguments: &[Expr]) -> Result<DataType, String> {
    Field::of(arguments).map(Field::data_type)
}

fn extracted_of_date(arguments: &[Expr]) -> Result<DataType, String> {
    let field = Field::of(arguments)?;
    match field.is_of_time() {
        true => Err("a date has no time of day".to_owned()),
        false => Ok(decimal(19, 0)),
    }
}

fn extracted_of_interval(arguments: &[Expr]) -> Result<DataType, String> {
    let field = Field::of(arguments)?;
    match field {
        Field::Week | Field::Dow | Field::Isodow | Field::Doy | Field::Isoyear => {
            Err("an interval has no such field".to_owned())
        }
        field => Ok(field.data_type()),
    }
}

fn extract_of_timestamp(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let field = Field::of_call(arguments)?;
    let times = arguments.numbers::<TimestampMicrosecondType>(1);
    arguments.each_number::<Decimal128Type>(|row| Ok(of_timestamp(field, times.at(row))))
}

fn extract_of_date(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let field = Field::of_call(arguments)?;
    let days = arguments.numbers::<Date32Type>(1);
    arguments.each_number::<Decimal128Type>(|row| Ok(of_day(field, days.at(row).into()).into()))
}

fn extract_of_interval(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let field = Field::of_call(arguments)?;
    let intervals = arguments.numbers::<IntervalMonthDayNanoType>(1);
    arguments.each_number::<Decimal128Type>(|row| {
        Ok(of_interval(field, Interval::from_native(intervals.at(row))))
    })
}

fn part(arguments: &[Expr]) -> Result<DataType, String> {
    Field::of(arguments).map(|_| DataType::Float64)
}

fn part_of_span(arguments: &[Expr]) -> Result<DataType, String> {
    extracted_of_interval(arguments).map(|_| DataType::Float64)
}

fn part_of_timestamp(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let field = Field::of_call(arguments)?;
    let times = arguments.numbers::<TimestampMicrosecondType>(1);
    arguments.each_number::<Float64Type>(|row| {
        Ok(decimal_to_float(of_timestamp(field, times.at(row)), field.scale()))
    })
}

fn part_of_timestamp_of_date(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let field = Field::of_call(arguments)?;
    let days = arguments.numbers::<Date32Type>(1);
    arguments.each_number::<Float64Type>(|row| {
        let days = i64::from(days.at(row));
        // PostgreSQL makes a timestamp of the date first
        let has_timestamp = days.checked_mul(DAY_MICROS).is_some();
        match has_timestamp {
            true => Ok(decimal_to_float(of_day(field, days).into(), 0)),
            false => Err(Problem::out_of_range(&TIMESTAMP)),
        }
    })
}

fn part_of_interval(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let field = Field::of_call(arguments)?;
    let intervals = arguments.numbers::<IntervalMonthDayNanoType>(1);
    arguments.each_number::<Float64Type>(|row| {
        let digits = of_interval(field, Interval::from_native(intervals.at(row)));
        Ok(decimal_to_float(digits, field.scale()))
    })
}

fn truncated(arguments: &[Expr]) -> Result<DataType, String> {
    match Field::of(arguments)? {
        Field::Dow | Field::Isodow | Field::Doy | Field::Isoyear | Field::Epoch => {
            Err("a time is not cut at this field".to_owned())
        }
        _ => Ok(TIMESTAMP),
    }
}

fn date_trunc(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let field = Field::of_call(arguments)?;
    let times = arguments.numbers::<TimestampMicrosecondType>(1);
    arguments.each_number::<TimestampMicrosecondType>(|row| {
        start_of(field, times.at(row)).ok_or_else(|| Problem::out_of_range(&TIMESTAMP))
    })
}

fn start_of(field: Field, micros: i64) -> Option<i64> {
    let unit = match field {
        Field::Microseconds => 1,
        Field::Milliseconds => 1000,
        Field::Second => SECOND_MICROS,
        Field::Minute => MINUTE_MICROS,
        Field::Hour => HOUR_MICROS,
        _ => DAY_MICROS,
    };
    let days = micros.div_euclid(DAY_MICROS);
    let (year, month, _) = civil_of_days(days);
    let start = match field {
        Field::Week => days - (days + 3).rem_euclid(7),
        Field::Month => days_of_civil(year, month, 1),
        Field::Quarter => days_of_civil(year, (month - 1) / 3 * 3 + 1, 1),
        Field::Year => days_of_civil(year, 1, 1),
        Field::Decade => days_of_civil(year.div_euclid(10) * 10, 1, 1),
        _ => return micros.checked_sub(micros.rem_euclid(unit)),
    };
    start.checked_mul(DAY_MICROS).filter(|micros| TIMESTAMPS.contains(micros))
}

fn make_date(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let [years, months, days] = [0, 1, 2].map(|index| arguments.numbers::<Int64Type>(index));
    arguments.each_number::<Date32Type>(|row| {
        let (year, month, day) = (years.at(row), months.at(row), days.at(row));
        date_of(year, month, day)
            .ok_or_else(|| Problem(format!("out of range: no date is {year}-{month}-{day}")))
    })
}

fn date_of(year: i64, month: i64, day: i64) -> Option<i32> {
    let (month, day) = (u32::try_from(month).ok()?, u32::try_from(day).ok()?);
    // a year that no date has is refused before anything is computed from it
    let year = i32::try_from(year).ok().filter(|year| *year != 0)?;
    let year = i64::from(year) + i64::from(year < 0);
    let exists = (1..=days_in_month(year, month)).contains(&day);
    let date = i32::try_from(days_of_civil(year, month, day)).ok();
    date.filter(|date| exists && DATES.contains(date))
}
