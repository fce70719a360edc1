//! A bound of a column's values: how the file stores it, how two of them compare, and the value
//! that Selects see.
//!
//! Bounds may be cut or lie apart from the values: they are bounds, not values.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int8Array, Int16Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
    new_null_array,
};
use arrow::datatypes::{DataType, TimeUnit};

use super::schema::Leaf;

/// A bound as the file stores it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound<'a> {
    Truth(bool),
    Whole(i128),
    Float(f64),
    Bytes(&'a [u8]),
}

impl<'a> Bound<'a> {
    /// Compares two bounds of a column; `None` where they have no order.
    pub(super) fn compare(&self, other: &Self, leaf: &Leaf) -> Option<Ordering> {
        match (self, other) {
            (Self::Truth(left), Self::Truth(right)) => Some(left.cmp(right)),
            (Self::Float(left), Self::Float(right)) => left.partial_cmp(right),
            (Self::Bytes(left), Self::Bytes(right)) if leaf.has_bytes() => Some(left.cmp(right)),
            // floats of 16 bits are bytes too, in no order of bytes
            _ if leaf.to.is_floating() => None,
            _ => Some(self.whole()?.cmp(&other.whole()?)),
        }
    }

    /// A whole number, or the digits of a decimal.
    pub(super) fn whole(&self) -> Option<i128> {
        match self {
            Self::Whole(value) => Some(*value),
            Self::Bytes(bytes) => big_endian(bytes),
            Self::Truth(_) | Self::Float(_) => None,
        }
    }

    pub(super) fn is_nan(&self) -> bool {
        matches!(self, Self::Float(value) if value.is_nan())
    }

    fn truth(&self) -> Option<bool> {
        match self {
            Self::Truth(value) => Some(*value),
            _ => None,
        }
    }

    fn float(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// Least values in the type that Selects see; NULL where one is not known.
pub(super) fn least<'a>(bounds: impl Iterator<Item = Option<Bound<'a>>>, leaf: &Leaf) -> ArrayRef {
    array(bounds, leaf, least_text)
}

/// Greatest values in the type that Selects see; NULL where one is not known. Of floats none is:
/// NaN is above all and not counted among them.
pub(super) fn greatest<'a>(
    bounds: impl Iterator<Item = Option<Bound<'a>>>,
    leaf: &Leaf,
) -> ArrayRef {
    if leaf.to.is_floating() {
        return new_null_array(&leaf.to, bounds.count());
    }
    array(bounds, leaf, greatest_text)
}

fn array<'a>(
    bounds: impl Iterator<Item = Option<Bound<'a>>>,
    leaf: &Leaf,
    text: fn(&'a [u8]) -> Option<&'a str>,
) -> ArrayRef {
    let bounds: Vec<Option<Bound<'a>>> = bounds.collect();
    let count = bounds.len();
    let bounds = bounds.into_iter();
    let whole = |bound: Option<Bound<'a>>| bound?.whole();
    let float = |bound: Option<Bound<'a>>| bound?.float();
    let bytes = |bound: Option<Bound<'a>>| bound?.bytes();
    macro_rules! whole {
        ($array:ident) => {
            Arc::new($array::from_iter(bounds.map(|bound| whole(bound)?.try_into().ok())))
        };
    }
    match &leaf.to {
        DataType::Boolean => Arc::new(BooleanArray::from_iter(bounds.map(|bound| bound?.truth()))),
        DataType::Int8 => whole!(Int8Array),
        DataType::Int16 => whole!(Int16Array),
        DataType::Int32 => whole!(Int32Array),
        DataType::Int64 => whole!(Int64Array),
        DataType::Date32 => whole!(Date32Array),
        DataType::Timestamp(..) => {
            let micros = |value: i128| value.checked_mul(leaf.micros()?)?.try_into().ok();
            Arc::new(TimestampMicrosecondArray::from_iter(
                bounds.map(|bound| whole(bound).and_then(micros)),
            ))
        }
        DataType::Decimal128(precision, scale) => {
            let beyond = 10_i128.checked_pow((*precision).into()).unwrap_or(i128::MAX);
            let fits = |digits: &i128| -beyond < *digits && *digits < beyond;
            let digits = bounds.map(|bound| whole(bound).filter(fits));
            let decimals = Decimal128Array::from_iter(digits);
            match decimals.with_precision_and_scale(*precision, *scale) {
                Ok(decimals) => Arc::new(decimals),
                Err(_) => new_null_array(&leaf.to, count),
            }
        }
        DataType::Float32 => {
            #[expect(clippy::cast_possible_truncation, reason = "it was one before")]
            let narrow = |value: f64| value as f32;
            Arc::new(Float32Array::from_iter(bounds.map(|bound| float(bound).map(narrow))))
        }
        DataType::Float64 => Arc::new(Float64Array::from_iter(bounds.map(float))),
        DataType::Utf8 => {
            Arc::new(StringArray::from_iter(bounds.map(|bound| bytes(bound).and_then(text))))
        }
        DataType::Binary => Arc::new(BinaryArray::from_iter(bounds.map(bytes))),
        other => new_null_array(other, count),
    }
}

/// Returns what of a text is whole: no greater than the text.
fn least_text(bytes: &[u8]) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).ok(),
    }
}

fn greatest_text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// A decimal's digits as they are stored in bytes.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let sign = if bytes.first()? & 0x80 == 0 { 0 } else { 0xff };
    let mut digits = [sign; 16];
    let start = digits.len().checked_sub(bytes.len())?;
    digits[start..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(digits))
}

impl Leaf {
    /// Makes a bound of 32 or 64 bits, which may have no sign.
    pub(super) fn whole(&self, value: i64) -> Bound<'static> {
        let unsigned = value.cast_unsigned();
        Bound::Whole(match self.stored {
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => {
                i128::from(unsigned & u64::from(u32::MAX))
            }
            DataType::UInt64 => i128::from(unsigned),
            _ => i128::from(value),
        })
    }

    /// Microseconds of a unit of its timestamps; `None` where that is a part of one.
    fn micros(&self) -> Option<i128> {
        match self.stored {
            DataType::Timestamp(TimeUnit::Millisecond, _) => Some(1000),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Some(1),
            _ => None,
        }
    }

    /// Returns whether its values are ordered as bytes, without a sign.
    pub(super) fn has_bytes(&self) -> bool {
        matches!(self.to, DataType::Utf8 | DataType::Binary)
    }
}
