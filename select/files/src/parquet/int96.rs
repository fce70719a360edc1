//! Timestamps of 96 bits, as Impala made them and Spark wrote them for long: nanoseconds of a day,
//! in 64 bits, before the number of the day, in 32. Both are little-endian.
//!
//! The parquet crate would make 64 bits of them, of which too few are left where a time is far
//! away; so its decoder sees bytes of a fixed length, which have the same pages, and what the bytes
//! mean is told here. A time that is not a whole microsecond, or beyond a timestamp, is none, nor is
//! one whose nanoseconds are more than a day.
//!
//! Source: `ConvertedType` and `INT96` in
//! <https://github.com/apache/parquet-format/blob/master/LogicalTypes.md>; days are Julian ones,
//! that begin at midnight.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, FixedSizeBinaryArray, TimestampMicrosecondArray};

use crate::io::cursor::{ByteCursor, Truncated};
use crate::problem::column::{ColumnProblem, RowProblem};

/// Bytes of a timestamp.
pub(super) const BYTES: i32 = 12;

/// The Julian day of 1970-01-01.
const EPOCH_DAY: i64 = 2_440_588;

const DAY_MICROS: i64 = 86_400_000_000;
const DAY_NANOS: i64 = 1000 * DAY_MICROS;

/// The timestamps; the error is the first row that has none, and why.
pub(super) fn timestamps(array: &FixedSizeBinaryArray) -> Result<ArrayRef, RowProblem> {
    let mut micros = Vec::with_capacity(array.len());
    for row in 0..array.len() {
        let value = match array.is_null(row) {
            true => 0,
            false => timestamp(array.value(row)).map_err(|problem| (row, problem))?,
        };
        micros.push(value);
    }
    Ok(Arc::new(TimestampMicrosecondArray::new(micros.into(), array.nulls().cloned())))
}

fn timestamp(bytes: &[u8]) -> Result<i64, ColumnProblem> {
    let mut cursor = ByteCursor::new(bytes);
    let parts = cursor.u64_le().and_then(|nanos| Ok((nanos, cursor.u32_le()?)));
    let (nanos, day) = parts.map_err(|Truncated| ColumnProblem::NotInt96)?;
    let (nanos, day) = (nanos.cast_signed(), day.cast_signed());
    if !(0..DAY_NANOS).contains(&nanos) {
        return Err(ColumnProblem::BeyondDay { nanos, nanos_max: DAY_NANOS });
    }
    if nanos % 1000 != 0 {
        return Err(ColumnProblem::DayNotWholeMicrosecond { nanos });
    }
    let days = i64::from(day) - EPOCH_DAY;
    let micros = days.checked_mul(DAY_MICROS).and_then(|start| start.checked_add(nanos / 1000));
    micros.ok_or(ColumnProblem::BeyondTimestamp { day })
}
