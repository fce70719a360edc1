//! Values of Arrow's many types as those that Selects compute with, or the first that is none.
//!
//! Whole numbers without a sign become the next larger type, 64 bits of them a decimal of 20
//! digits; times become microseconds, of UTC where they have a zone. A value is never rounded: a
//! time with a fraction of a microsecond does not fit, nor does a number beyond its declared type.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, Decimal128Array, PrimitiveArray,
    StringArray, make_array,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Date64Type, Decimal128Type, TimeUnit, TimestampNanosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::excerpt::Excerpt;
use crate::problem::column::{ColumnProblem, RowProblem};
use crate::types::{TIMESTAMP, bits, type_name};

const DAY_MILLIS: i64 = 86_400_000;

/// The type that values of an Arrow type have in a Select; `None` where there is none.
pub(crate) fn selected_type(stored: &DataType) -> Option<DataType> {
    Some(match stored {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Utf8
        | DataType::Binary
        | DataType::Date32 => stored.clone(),
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale)
            if *scale >= 0 =>
        {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Date64 => DataType::Date32,
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Decimal128(precision, scale) if *scale >= 0 => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Timestamp(..) => TIMESTAMP,
        _ => return None,
    })
}

/// The values as `to`.
///
/// # Errors
/// The first row that does not fit, and why.
pub(crate) fn convert(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, RowProblem> {
    let array = &without_zone(array);
    let converted = match array.data_type() {
        from if from == to => Arc::clone(array),
        DataType::Binary if *to == DataType::Utf8 => texts(array.as_binary::<i32>())?,
        DataType::Date64 => {
            let millis = array.as_primitive::<Date64Type>();
            let inexact =
                |row: &usize| millis.is_valid(*row) && millis.value(*row) % DAY_MILLIS != 0;
            if let Some(row) = (0..millis.len()).find(inexact) {
                return Err((row, ColumnProblem::NotWholeDay { value: shown(array, row) }));
            }
            cast(array, to)?
        }
        DataType::Timestamp(TimeUnit::Nanosecond, None) => {
            let nanos = array.as_primitive::<TimestampNanosecondType>();
            let inexact = |row: &usize| nanos.is_valid(*row) && nanos.value(*row) % 1000 != 0;
            if let Some(row) = (0..nanos.len()).find(inexact) {
                let problem = ColumnProblem::NotWholeMicrosecond { value: shown(array, row) };
                return Err((row, problem));
            }
            cast(array, to)?
        }
        _ => cast(array, to)?,
    };
    if let DataType::Decimal128(precision, _) = to {
        check_digits(&converted, *precision)?;
    }
    Ok(converted)
}

/// The digits of decimals as decimals of the type `to`.
///
/// # Errors
/// The first row that has more digits than the type.
pub(crate) fn decimals<T: ArrowPrimitiveType<Native: Into<i64>>>(
    digits: &PrimitiveArray<T>,
    to: &DataType,
) -> Result<ArrayRef, RowProblem> {
    let DataType::Decimal128(precision, _) = to else {
        return Err((0, ColumnProblem::UnreadType));
    };
    let mut all = 0;
    let values = digits.values().iter().map(|value| {
        let value: i64 = (*value).into();
        all |= value ^ (value >> 63);
        i128::from(value)
    });
    let decimals = Decimal128Array::new(values.collect(), digits.nulls().cloned());
    let decimals: ArrayRef = Arc::new(decimals.with_data_type(to.clone()));
    // by far most are so small that each need not be compared
    let beyond = 10_i128.checked_pow((*precision).into()).unwrap_or(i128::MAX);
    if i128::from(all) + 1 >= beyond {
        check_digits(&decimals, *precision)?;
    }
    Ok(decimals)
}

/// Bytes as texts. One that is not a text fails its own row alone, and none under a NULL.
fn texts(array: &BinaryArray) -> Result<ArrayRef, RowProblem> {
    let (offsets, values, nulls) = array.clone().into_parts();
    if let Ok(texts) = StringArray::try_new(offsets, values, nulls) {
        return Ok(Arc::new(texts));
    }
    let texts = array.iter().enumerate().map(text).collect::<Result<StringArray, _>>()?;
    Ok(Arc::new(texts))
}

fn text((row, bytes): (usize, Option<&[u8]>)) -> Result<Option<&str>, RowProblem> {
    let Some(bytes) = bytes else { return Ok(None) };
    let text = std::str::from_utf8(bytes);
    text.map(Some).map_err(|_invalid| (row, ColumnProblem::NotUtf8 { value: Excerpt::text(bytes) }))
}

/// Times of a zone are stored as those of UTC.
fn without_zone(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            let data = array.to_data().into_builder();
            let data = data.data_type(DataType::Timestamp(*unit, None)).build();
            data.map_or_else(|_| Arc::clone(array), make_array)
        }
        _ => Arc::clone(array),
    }
}

fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, RowProblem> {
    // a value that does not fit becomes NULL
    let options = CastOptions { safe: true, ..CastOptions::default() };
    let cast = cast_with_options(array, to, &options)
        .map_err(|error| (0, ColumnProblem::decoder(error)))?;
    if cast.null_count() == array.null_count() {
        return Ok(cast);
    }
    let lost = (0..array.len()).find(|row| array.is_valid(*row) && cast.is_null(*row));
    let row = lost.unwrap_or(0);
    let (value, data_type) = (shown(array, row), type_name(to).into());
    Err((row, ColumnProblem::BeyondType { value, data_type }))
}

/// Writers may store more digits than a type has.
fn check_digits(decimals: &ArrayRef, precision: u8) -> Result<(), RowProblem> {
    let array = decimals.as_primitive::<Decimal128Type>();
    let Some(beyond) = 10_i128.checked_pow(precision.into()) else { return Ok(()) };
    // by far most are so small that each need not be compared
    if bits(array.values()) < beyond.ilog2() {
        return Ok(());
    }
    let bound = beyond.unsigned_abs();
    let fits = |value: &i128| value.unsigned_abs() < bound;
    if array.values().iter().all(fits) {
        return Ok(());
    }
    let exceeds = |row: &usize| array.is_valid(*row) && !fits(&array.value(*row));
    match (0..array.len()).find(exceeds) {
        None => Ok(()),
        Some(row) => {
            let digits = array.value(row).to_string().into();
            let data_type = type_name(array.data_type()).into();
            Err((row, ColumnProblem::TooManyDigits { digits, data_type }))
        }
    }
}

fn shown(array: &ArrayRef, row: usize) -> Box<str> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array, &options);
    let text = formatter.and_then(|formatter| formatter.value(row).try_to_string());
    text.map_or_else(|_| "a value".into(), Into::into)
}
