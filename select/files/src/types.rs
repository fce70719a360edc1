//! The types of columns, and how values of them are read from arrays.

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray};
use arrow::compute::take;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalUnit,
    TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;

/// Most digits of a decimal, as in Arrow's `Decimal128`.
pub const DECIMAL_DIGITS_MAX: u8 = 38;

/// Microseconds without a time zone.
pub const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// Months, days and microseconds.
pub const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// Returns the name of a type for messages and descriptions: PostgreSQL's, or Arrow's in lower case
/// if PostgreSQL has no such type.
///
/// Source: chapter 8 of PostgreSQL's documentation.
pub fn type_name(data_type: &DataType) -> String {
    let name = match data_type {
        // PostgreSQL has no such type, and its `int8` has eight bytes; MySQL has
        DataType::Int8 => "tinyint",
        DataType::Int16 => "smallint",
        DataType::Int32 => "integer",
        DataType::Int64 => "bigint",
        DataType::Float32 => "real",
        DataType::Float64 => "double precision",
        DataType::Decimal128(precision, scale) => return format!("numeric({precision},{scale})"),
        DataType::Utf8 => "text",
        DataType::Binary => "bytea",
        DataType::Date32 => "date",
        DataType::Timestamp(TimeUnit::Microsecond, None) => "timestamp",
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone",
        DataType::Interval(_) => "interval",
        DataType::List(_) => "list",
        DataType::Map(..) => "map",
        DataType::Struct(_) => "struct",
        other => return other.to_string().to_lowercase(),
    };
    name.to_owned()
}

/// Returns whether Selects compute with values of a type; files may have columns of other types.
pub fn is_selectable(data_type: &DataType) -> bool {
    match data_type {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal128(..)
        | DataType::Utf8
        | DataType::Binary
        | DataType::Date32 => true,
        other => *other == TIMESTAMP || *other == INTERVAL,
    }
}

/// Texts as their numbers in a dictionary of texts.
pub type TextDictionary = DictionaryArray<Int32Type>;

/// Returns the array as a dictionary of texts, if it is one.
pub fn text_dictionary(array: &dyn Array) -> Option<&TextDictionary> {
    array.as_any().downcast_ref()
}

/// Returns the texts of a [`TextDictionary`], or another array as it is.
///
/// # Errors
/// The texts are too long for one array.
pub fn expanded(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match text_dictionary(array) {
        Some(dictionary) => take(dictionary.values(), dictionary.keys(), None),
        None => Ok(ArrayRef::clone(array)),
    }
}

/// The text at a place that is not null.
pub fn text_at(array: &dyn Array, row: usize) -> Option<&str> {
    array.as_string_opt::<i32>().map(|texts| texts.value(row))
}

/// The whole number after a value that is not null: of integers, the digits of decimals, dates
/// and timestamps.
pub fn integer_at(array: &dyn Array, row: usize) -> Option<i128> {
    Some(match array.data_type() {
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::Date32 => array.as_primitive::<Date32Type>().value(row).into(),
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            array.as_primitive::<TimestampMicrosecondType>().value(row).into()
        }
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value(row),
        _ => return None,
    })
}

/// How many bits the largest takes beside its sign: all are from -2^bits to 2^bits.
pub fn bits(values: &[i128]) -> u32 {
    let all = values.iter().fold(0, |all, value| all | (value ^ (value >> 127)));
    i128::BITS - all.leading_zeros()
}
