//! The common types of values of several types.

use arrow::datatypes::DataType;

use sift_files::types::{DECIMAL_DIGITS_MAX, TIMESTAMP};

/// Least digits after the point of a quotient or an average.
const QUOTIENT_SCALE_MIN: u8 = 16;

pub(crate) fn decimal(precision: u8, scale: u8) -> DataType {
    DataType::Decimal128(precision.min(DECIMAL_DIGITS_MAX), scale.cast_signed())
}

/// Returns the type in which values of all these types are compared; `None` when there is none,
/// `Some(None)` when there are no types.
pub(crate) fn common(types: impl IntoIterator<Item = DataType>) -> Option<Option<DataType>> {
    let mut types = types.into_iter();
    let Some(first) = types.next() else { return Some(None) };
    types.try_fold(first, |left, right| common_of_two(&left, &right)).map(Some)
}

fn common_of_two(left: &DataType, right: &DataType) -> Option<DataType> {
    if left == right {
        return Some(left.clone());
    }
    if left.is_integer() && right.is_integer() {
        return Some(DataType::Int64);
    }
    if let (Some((p1, s1)), Some((p2, s2))) = (digits_of(left), digits_of(right)) {
        let scale = s1.max(s2);
        return Some(decimal((p1 - s1).max(p2 - s2) + scale, scale));
    }
    if is_number(left) && is_number(right) {
        return Some(DataType::Float64);
    }
    let is_time = |data_type: &DataType| *data_type == DataType::Date32 || *data_type == TIMESTAMP;
    (is_time(left) && is_time(right)).then_some(TIMESTAMP)
}

/// Returns the type of a value that is one of several: as [`common`], but a 32-bit float beside
/// exact numbers stays a 32-bit float, as in PostgreSQL.
pub(crate) fn merged(types: impl IntoIterator<Item = DataType>) -> Option<Option<DataType>> {
    let mut types = types.into_iter();
    let Some(first) = types.next() else { return Some(None) };
    types.try_fold(first, |left, right| merged_of_two(&left, &right)).map(Some)
}

fn merged_of_two(left: &DataType, right: &DataType) -> Option<DataType> {
    let is_exact = |data_type| digits_of(data_type).is_some();
    match (left, right) {
        (DataType::Float32, exact) | (exact, DataType::Float32) if is_exact(exact) => {
            Some(DataType::Float32)
        }
        _ => common_of_two(left, right),
    }
}

pub(crate) fn is_number(data_type: &DataType) -> bool {
    data_type.is_floating() || digits_of(data_type).is_some()
}

/// Returns precision and scale of a type of exact numbers.
pub(crate) fn digits_of(data_type: &DataType) -> Option<(u8, u8)> {
    match data_type {
        DataType::Int8 => Some((3, 0)),
        DataType::Int16 => Some((5, 0)),
        DataType::Int32 => Some((10, 0)),
        DataType::Int64 => Some((19, 0)),
        DataType::Decimal128(precision, scale) => Some((*precision, u8::try_from(*scale).ok()?)),
        _ => None,
    }
}

/// Returns the digits after the point of a quotient of decimals of these scales.
pub(crate) fn quotient_scale(dividend: u8, divisor: u8) -> u8 {
    dividend.max(divisor).max(QUOTIENT_SCALE_MIN)
}
