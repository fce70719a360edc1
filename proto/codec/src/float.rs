//! Floats: as decimals of few digits, by a dictionary, or as they are.
//!
//! Most floats of business data were written as decimals. Then an integer divided by a power of ten
//! is exactly the float, and the integer is narrow. This is the idea of ALP: Afroozeh, Kuffó, Boncz:
//! ALP: Adaptive Lossless Floating-Point Compression, SIGMOD 2024.

use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::ArrowNativeType;

use crate::decode::{DecodeError, malformed};
use crate::dictionary;
use crate::integer::{self, decode_plainly, validity};
use crate::reader::Reader;
use crate::varint;
use crate::{Form, Nulls};

/// Powers of ten that are exact floats, by their exponent.
const POWERS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// The largest exponent that is tried. Business data has few digits after the point.
const TRIED_EXPONENT_MAX: usize = 6;

/// The largest integer: every smaller one is an exact float.
const INTEGER_MAX: f64 = 9_007_199_254_740_992.0;

/// The number of values that decide about the exponent.
const SAMPLE: usize = 64;

/// A float of a column.
pub(crate) trait Float: ArrowNativeType {
    fn bits(self) -> u64;
    fn from_bits(bits: u64) -> Self;
    /// The value as a wider float; `None` for floats that are always written as they are.
    fn wide(self) -> Option<f64>;
    fn from_wide(wide: f64) -> Option<Self>;
}

impl Float for f64 {
    fn bits(self) -> u64 {
        self.to_bits()
    }
    fn from_bits(bits: u64) -> Self {
        Self::from_bits(bits)
    }
    fn wide(self) -> Option<f64> {
        Some(self)
    }
    fn from_wide(wide: f64) -> Option<Self> {
        Some(wide)
    }
}

impl Float for f32 {
    fn bits(self) -> u64 {
        u64::from(self.to_bits())
    }
    #[expect(clippy::cast_possible_truncation, reason = "`bits` has no more")]
    fn from_bits(bits: u64) -> Self {
        Self::from_bits(bits as u32)
    }
    fn wide(self) -> Option<f64> {
        None
    }
    fn from_wide(_wide: f64) -> Option<Self> {
        None
    }
}

/// Appends a section of floats. At least one is not NULL.
pub(crate) fn encode<T: Float>(values: &[T], nulls: Option<&NullBuffer>, out: &mut Vec<u8>) {
    let value = |index| match values.get(index) {
        Some(&value) if !nulls.is_some_and(|nulls| nulls.is_null(index)) => value,
        _ => T::default(),
    };
    let has_nulls = if nulls.is_some() { Nulls::Some } else { Nulls::None };
    if let Some(codes) = dictionary::of_words(values.len(), |index| value(index).bits()) {
        out.push(Form::Dictionary.tag(has_nulls));
        validity(nulls, out);
        varint::write(codes.values.len() as u128, out);
        let values: Vec<T> = codes.values.iter().map(|&bits| T::from_bits(bits)).collect();
        integer::plain(&values, None, out);
        out.extend_from_slice(&codes.codes);
        return;
    }
    if let Some((exponent, integers)) = decimals(values.len(), |index| value(index).wide()) {
        out.push(Form::Decimal.tag(has_nulls));
        validity(nulls, out);
        out.extend(u8::try_from(exponent));
        integer::encode(&integers, None, out);
        return;
    }
    out.push(Form::Plain.tag(has_nulls));
    validity(nulls, out);
    integer::plain(values, nulls, out);
}

/// Returns an exponent, and the integers that give the values; `None` if some value has none.
fn decimals(count: usize, value: impl Fn(usize) -> Option<f64>) -> Option<(usize, Vec<i64>)> {
    let taken = SAMPLE.min(count);
    let sample = || (0..taken).map(|index| value(index * count / taken));
    let exponent = (0..=TRIED_EXPONENT_MAX)
        .find(|&exponent| sample().all(|value| decimal(value, exponent).is_some()))?;
    let integers: Option<Vec<i64>> =
        (0..count).map(|index| decimal(value(index), exponent)).collect();
    Some((exponent, integers?))
}

/// Returns the integer that gives exactly this float.
fn decimal(value: Option<f64>, exponent: usize) -> Option<i64> {
    let (value, power) = (value?, POWERS.get(exponent)?);
    let rounded = (value * power).round_ties_even();
    if rounded.abs() >= INTEGER_MAX {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is an integer below 2^53, or NaN")]
    let integer = rounded as i64;
    (from_decimal(integer, *power).to_bits() == value.to_bits()).then_some(integer)
}

#[expect(clippy::cast_precision_loss, reason = "a decoder makes the same float")]
fn from_decimal(integer: i64, power: f64) -> f64 {
    integer as f64 / power
}

/// Reads the values of a section of floats.
pub(crate) fn decode<T: Float>(
    form: Form,
    count: usize,
    reader: &mut Reader<'_>,
) -> Result<ScalarBuffer<T>, DecodeError> {
    match form {
        Form::Plain => decode_plainly(count, reader),
        Form::Dictionary => {
            let values = dictionary::read_count(reader)?;
            let values = decode_plainly::<T>(values, reader)?;
            dictionary::gather(&values, count, reader)
        }
        Form::Decimal => {
            let Some(power) = reader.byte().and_then(|exponent| POWERS.get(usize::from(exponent)))
            else {
                return malformed("an exponent beyond 15");
            };
            let Some((form, Nulls::None)) = reader.byte().and_then(Form::from_tag) else {
                return malformed("the integers of floats");
            };
            let integers = integer::decode::<i64>(form, count, reader)?;
            let floats =
                integers.iter().map(|&integer| T::from_wide(from_decimal(integer, *power)));
            match floats.collect::<Option<Vec<T>>>() {
                Some(floats) => Ok(floats.into()),
                None => malformed("decimals in place of floats of 32 bits"),
            }
        }
        Form::Narrow | Form::Delta | Form::Prefix => malformed("a form that floats do not have"),
    }
}
