//! Values as text, as PostgreSQL writes them with its default settings.

mod float;

use std::fmt::Write as _;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, IntervalMonthDayNanoType, TimeUnit,
    TimestampMicrosecondType,
};

use super::interval::Interval;
use sift_files::calendar::{DAY_MICROS, civil_of_days};
use sift_files::types::integer_at;

/// Appends the value at `row`, which is not null, to `to`; `None` for a type that has no text.
pub(crate) fn render(array: &dyn Array, row: usize, to: &mut String) -> Option<()> {
    match array.data_type() {
        DataType::Utf8 => to.push_str(array.as_string::<i32>().value(row)),
        DataType::Boolean => {
            to.push_str(if array.as_boolean().value(row) { "true" } else { "false" });
        }
        DataType::Float64 => {
            float::render(array.as_primitive::<Float64Type>().value(row), to);
        }
        DataType::Float32 => {
            float::render(array.as_primitive::<Float32Type>().value(row), to);
        }
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>().value(row);
            let is_bc = civil(days.into(), to);
            to.push_str(if is_bc { " BC" } else { "" });
        }
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            timestamp(array.as_primitive::<TimestampMicrosecondType>().value(row), to);
        }
        DataType::Interval(_) => {
            let native = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
            write!(to, "{}", Interval::from_native(native)).ok()?;
        }
        DataType::Decimal128(_, scale) => {
            decimal(integer_at(array, row)?, scale.unsigned_abs(), to)
        }
        _ => write!(to, "{}", integer_at(array, row)?).ok()?,
    }
    Some(())
}

fn decimal(digits: i128, scale: u8, to: &mut String) {
    let width = usize::from(scale) + 1;
    let text = format!("{:0width$}", digits.unsigned_abs());
    let (whole, fraction) = text.split_at(text.len() - usize::from(scale));
    let sign = if digits < 0 { "-" } else { "" };
    let point = if scale == 0 { "" } else { "." };
    to.extend([sign, whole, point, fraction]);
}

/// Appends year, month and day. Returns whether the year is before Christ, which is written last.
fn civil(days: i64, to: &mut String) -> bool {
    let (year, month, day) = civil_of_days(days);
    let is_bc = year <= 0;
    let year = if is_bc { 1 - year } else { year };
    let _ = write!(to, "{year:04}-{month:02}-{day:02}");
    is_bc
}

fn timestamp(micros: i64, to: &mut String) {
    let is_bc = civil(micros.div_euclid(DAY_MICROS), to);
    let time = micros.rem_euclid(DAY_MICROS);
    let (seconds, fraction) = (time / 1_000_000, time % 1_000_000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let _ = write!(to, " {hours:02}:{minutes:02}:{:02}", seconds % 60);
    if fraction != 0 {
        let fraction = format!("{fraction:06}");
        to.extend([".", fraction.trim_end_matches('0')]);
    }
    to.push_str(if is_bc { " BC" } else { "" });
}
