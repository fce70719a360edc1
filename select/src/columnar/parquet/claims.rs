//! What a file claims of the values of a column chunk or page, as bounds in the order that WHERE
//! compares in.
//!
//! Claims that cannot be relied on are none: of floats the greatest value, since NaN is above all
//! and not counted among them; NaN itself; bounds by an order that the file does not name, except
//! of numbers with a sign, which never had another; texts cut within a character, as a greatest.
//! Bounds may be cut or lie apart from the values: they are bounds, not values.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int8Array, Int16Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
    new_null_array,
};
use arrow::datatypes::{DataType, TimeUnit};
use parquet::basic::{ColumnOrder, SortOrder};
use parquet::file::metadata::FileMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;

use super::schema::Leaf;

/// Least and greatest value of a column in some records, and how many of them are NULL.
#[derive(Clone, Debug, Default)]
pub(super) struct Claim {
    min: Option<Bound>,
    max: Option<Bound>,
    pub(super) nulls: Option<u64>,
}

/// A bound as the file stores it.
#[derive(Clone, Debug)]
enum Bound {
    Truth(bool),
    Whole(i128),
    Float(f64),
    Bytes(Vec<u8>),
}

impl Claim {
    /// Of all of a column chunk.
    pub(super) fn of_chunk(statistics: &Statistics, file: &FileMetaData, leaf: &Leaf) -> Self {
        let nulls = statistics.null_count_opt();
        if !is_ordered(file, leaf, statistics.is_min_max_deprecated()) {
            return Self { nulls, ..Self::default() };
        }
        macro_rules! claim {
            ($values:expr, $bound:expr) => {
                Self {
                    min: $values.min_opt().map($bound),
                    max: $values.max_opt().map($bound),
                    nulls,
                }
            };
        }
        match statistics {
            Statistics::Boolean(values) => claim!(values, |value| Bound::Truth(*value)),
            Statistics::Int32(values) => claim!(values, |value| leaf.whole(i64::from(*value))),
            Statistics::Int64(values) => claim!(values, |value| leaf.whole(*value)),
            Statistics::Float(values) => claim!(values, |value| Bound::Float(f64::from(*value))),
            Statistics::Double(values) => claim!(values, |value| Bound::Float(*value)),
            Statistics::ByteArray(values) => {
                claim!(values, |value| Bound::Bytes(value.data().to_vec()))
            }
            Statistics::FixedLenByteArray(values) => {
                claim!(values, |value| Bound::Bytes(value.data().to_vec()))
            }
            Statistics::Int96(_) => Self { nulls, ..Self::default() },
        }
    }

    /// Of one page, by the column index.
    pub(super) fn of_page(
        index: &ColumnIndexMetaData,
        page: usize,
        file: &FileMetaData,
        leaf: &Leaf,
    ) -> Self {
        let is_there = u64::try_from(page).is_ok_and(|page| page < pages(index));
        if !is_there {
            return Self::default();
        }
        let nulls = index.null_count(page).and_then(|nulls| u64::try_from(nulls).ok());
        if !is_ordered(file, leaf, false) {
            return Self { nulls, ..Self::default() };
        }
        macro_rules! claim {
            ($values:expr, $bound:expr) => {
                Self {
                    min: $values.min_value(page).map($bound),
                    max: $values.max_value(page).map($bound),
                    nulls,
                }
            };
        }
        use ColumnIndexMetaData as Index;
        match index {
            Index::BOOLEAN(values) => claim!(values, |value| Bound::Truth(*value)),
            Index::INT32(values) => claim!(values, |value| leaf.whole(i64::from(*value))),
            Index::INT64(values) => claim!(values, |value| leaf.whole(*value)),
            Index::FLOAT(values) => claim!(values, |value| Bound::Float(f64::from(*value))),
            Index::DOUBLE(values) => claim!(values, |value| Bound::Float(*value)),
            Index::BYTE_ARRAY(values) | Index::FIXED_LEN_BYTE_ARRAY(values) => {
                claim!(values, |value: &[u8]| Bound::Bytes(value.to_vec()))
            }
            Index::INT96(_) | Index::NONE => Self { nulls, ..Self::default() },
        }
    }
}

impl Claim {
    /// Of pages together, each with its number of records.
    pub(super) fn of_all(pages: &[(Self, u64)], leaf: &Leaf) -> Self {
        // a page of NULL alone has no bounds, and needs none
        let with_values = || pages.iter().filter(|(claim, records)| claim.nulls != Some(*records));
        let extreme = |bound: fn(&Self) -> Option<&Bound>, wanted: Ordering| {
            let mut bounds = with_values().map(|(claim, _)| bound(claim));
            let first = bounds.next()??;
            let extreme = bounds.try_fold(first, |extreme, bound| {
                let bound = bound?;
                Some(if bound.compare(extreme, leaf)? == wanted { bound } else { extreme })
            });
            extreme.cloned()
        };
        Self {
            min: extreme(|claim| claim.min.as_ref(), Ordering::Less),
            max: extreme(|claim| claim.max.as_ref(), Ordering::Greater),
            nulls: pages.iter().map(|(claim, all)| claim.nulls.filter(|nulls| nulls <= all)).sum(),
        }
    }
}

impl Bound {
    fn compare(&self, other: &Self, leaf: &Leaf) -> Option<Ordering> {
        match (self, other) {
            (Self::Truth(left), Self::Truth(right)) => Some(left.cmp(right)),
            (Self::Whole(left), Self::Whole(right)) => Some(left.cmp(right)),
            (Self::Float(left), Self::Float(right)) => left.partial_cmp(right),
            (Self::Bytes(left), Self::Bytes(right)) => match leaf.to {
                DataType::Decimal128(..) => Some(big_endian(left)?.cmp(&big_endian(right)?)),
                _ => Some(left.cmp(right)),
            },
            _ => None,
        }
    }
}

/// Pages that a column index is of.
pub(super) fn pages(index: &ColumnIndexMetaData) -> u64 {
    match index {
        ColumnIndexMetaData::NONE => 0,
        index => index.num_pages(),
    }
}

/// Whether bounds are by the order of the column's type.
fn is_ordered(file: &FileMetaData, leaf: &Leaf, deprecated: bool) -> bool {
    let order = file.column_orders().and_then(|orders| orders.get(leaf.index));
    match order {
        Some(ColumnOrder::TYPE_DEFINED_ORDER(SortOrder::UNDEFINED) | ColumnOrder::UNKNOWN) => false,
        Some(ColumnOrder::TYPE_DEFINED_ORDER(_)) if !deprecated => true,
        _ => leaf.is_signed_number(),
    }
}

/// The least or the greatest of each of the claims, in the type that Selects see; NULL where it is
/// not known.
pub(super) fn bounds(claims: &[Claim], leaf: &Leaf) -> (ArrayRef, ArrayRef) {
    let min = claims.iter().map(|claim| claim.min.as_ref());
    let max = claims.iter().map(|claim| claim.max.as_ref());
    if leaf.to.is_floating() {
        let unknown = new_null_array(&leaf.to, claims.len());
        return (array(min, leaf, least_text), unknown);
    }
    (array(min, leaf, least_text), array(max, leaf, greatest_text))
}

fn array<'a>(
    bounds: impl Iterator<Item = Option<&'a Bound>>,
    leaf: &Leaf,
    text: fn(&[u8]) -> Option<&str>,
) -> ArrayRef {
    let whole = |bound: &Bound| match bound {
        Bound::Whole(value) => Some(*value),
        Bound::Bytes(bytes) => big_endian(bytes),
        _ => None,
    };
    let float = |bound: &Bound| match bound {
        Bound::Float(value) if !value.is_nan() => Some(*value),
        _ => None,
    };
    let bounds: Vec<Option<&Bound>> = bounds.collect();
    let count = bounds.len();
    let bounds = bounds.iter().copied();
    macro_rules! whole {
        ($array:ident) => {
            Arc::new($array::from_iter(
                bounds.map(|bound| bound.and_then(whole).and_then(|value| value.try_into().ok())),
            ))
        };
    }
    match &leaf.to {
        DataType::Boolean => Arc::new(BooleanArray::from_iter(bounds.map(|bound| match bound {
            Some(Bound::Truth(value)) => Some(*value),
            _ => None,
        }))),
        DataType::Int8 => whole!(Int8Array),
        DataType::Int16 => whole!(Int16Array),
        DataType::Int32 => whole!(Int32Array),
        DataType::Int64 => whole!(Int64Array),
        DataType::Date32 => whole!(Date32Array),
        DataType::Timestamp(..) => {
            let micros = |value: i128| value.checked_mul(leaf.micros()?)?.try_into().ok();
            Arc::new(TimestampMicrosecondArray::from_iter(
                bounds.map(|bound| bound.and_then(whole).and_then(micros)),
            ))
        }
        DataType::Decimal128(precision, scale) => {
            let beyond = 10_i128.checked_pow((*precision).into()).unwrap_or(i128::MAX);
            let fits = |digits: &i128| -beyond < *digits && *digits < beyond;
            let digits = bounds.map(|bound| bound.and_then(whole).filter(fits));
            let decimals = Decimal128Array::from_iter(digits);
            match decimals.with_precision_and_scale(*precision, *scale) {
                Ok(decimals) => Arc::new(decimals),
                Err(_) => new_null_array(&leaf.to, count),
            }
        }
        DataType::Float32 => {
            #[expect(clippy::cast_possible_truncation, reason = "it was one before")]
            let narrow = |value: f64| value as f32;
            let floats = bounds.map(|bound| bound.and_then(float).map(narrow));
            Arc::new(Float32Array::from_iter(floats))
        }
        DataType::Float64 => {
            Arc::new(Float64Array::from_iter(bounds.map(|bound| bound.and_then(float))))
        }
        DataType::Utf8 => Arc::new(StringArray::from_iter(bounds.map(|bound| match bound {
            Some(Bound::Bytes(bytes)) => text(bytes),
            _ => None,
        }))),
        DataType::Binary => Arc::new(BinaryArray::from_iter(bounds.map(|bound| match bound {
            Some(Bound::Bytes(bytes)) => Some(bytes),
            _ => None,
        }))),
        other => new_null_array(other, count),
    }
}

/// What of a text is whole: no greater than the text.
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
    /// A bound of 32 or 64 bits, which may have no sign.
    fn whole(&self, value: i64) -> Bound {
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

    fn is_signed_number(&self) -> bool {
        matches!(
            self.stored,
            DataType::Int8
                | DataType::Int16
                | DataType::Int32
                | DataType::Int64
                | DataType::Date32
                | DataType::Timestamp(TimeUnit::Millisecond | TimeUnit::Microsecond, _)
        )
    }
}
