//! Integers of all widths, as differences from their minimum or from the value before.

use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowNativeType, ToByteSlice};

use crate::decode::{DecodeError, malformed};
use crate::dictionary;
use crate::pack::{pack, unpack, width};
use crate::reader::Reader;
use crate::varint;
use crate::{Form, Nulls};

/// The native type of a column of integers, decimals, dates or times.
pub(crate) trait Integer: ArrowNativeType + Ord {
    /// The value as the widest integer.
    fn wide(self) -> i128;
    /// The value of the widest integer; `None` if the type does not hold it.
    fn from_wide(wide: i128) -> Option<Self>;
    /// The lowest 64 bits of `self - other`.
    fn minus(self, other: Self) -> u64;
    /// The sum, modulo the width of the type.
    fn plus(self, difference: u64) -> Self;
}

macro_rules! integers {
    ($($type:ty)*) => {$(
        impl Integer for $type {
            fn wide(self) -> i128 {
                i128::from(self)
            }
            fn from_wide(wide: i128) -> Option<Self> {
                Self::try_from(wide).ok()
            }
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the lowest bits are what is asked for"
            )]
            fn minus(self, other: Self) -> u64 {
                self.wrapping_sub(other) as u64
            }
            #[allow(clippy::cast_possible_truncation, reason = "modulo the width")]
            fn plus(self, difference: u64) -> Self {
                self.wrapping_add(difference as Self)
            }
        }
    )*};
}
integers!(i8 i16 i32 i64 i128 u8 u16 u32 u64);

/// Appends a section of integers. At least one is not NULL.
pub(crate) fn encode<T: Integer>(values: &[T], nulls: Option<&NullBuffer>, out: &mut Vec<u8>) {
    let (min, max) = match nulls {
        None => range(values.iter().copied()),
        Some(nulls) => range(nulls.valid_indices().filter_map(|index| values.get(index).copied())),
    };
    let has_nulls = if nulls.is_some() { Nulls::Some } else { Nulls::None };
    let span = max.wide().checked_sub(min.wide()).and_then(|span| u64::try_from(span).ok());
    let narrow = span.map(width).filter(|&narrow| narrow < size_of::<T>());
    if nulls.is_none()
        && let Some(span @ 1..=DELTA_SPAN_MAX) = span
        && let Some(step) = step(values, min, max)
        && width(step) < width(span)
    {
        out.push(Form::Delta.tag(Nulls::None));
        varint::write_signed(min.wide(), out);
        out.extend(u8::try_from(width(step)));
        let before = std::iter::once(min).chain(values.iter().copied());
        let steps = values.iter().zip(before).map(|(&value, before)| value.minus(before));
        pack(steps, values.len(), width(step), out);
        return;
    }
    let or_min = |index| match values.get(index) {
        Some(&value) if !nulls.is_some_and(|nulls| nulls.is_null(index)) => value,
        _ => min,
    };
    if narrow != Some(0) && narrow.unwrap_or(size_of::<T>()) >= DICTIONARY_WIDTH_MIN {
        let low = |value: T| value.minus(T::default());
        // the lowest 64 bits tell values apart whose span has as many
        let is_told = narrow.is_some() || size_of::<T>() <= size_of::<u64>();
        let word = |index| low(or_min(index));
        if let Some(codes) = is_told.then(|| dictionary::of_words(values.len(), word)).flatten() {
            out.push(Form::Dictionary.tag(has_nulls));
            validity(nulls, out);
            varint::write(codes.values.len() as u128, out);
            let value = |word: &u64| min.plus(word.wrapping_sub(low(min)));
            let words: Vec<T> = codes.values.iter().map(value).collect();
            plain(&words, None, out);
            out.extend_from_slice(&codes.codes);
            return;
        }
    }
    let Some(narrow) = narrow else { return encode_plainly(values, nulls, out) };
    out.push(Form::Narrow.tag(has_nulls));
    validity(nulls, out);
    let differences = |value: T| value.minus(min);
    match nulls {
        None => frame(min, narrow, values.iter().copied().map(differences), values.len(), out),
        Some(_) => {
            let values_or_min = (0..values.len()).map(or_min);
            frame(min, narrow, values_or_min.map(differences), values.len(), out);
        }
    }
}

/// The maximal span for which the wrapped difference of a step back is larger than every step.
const DELTA_SPAN_MAX: u64 = 1 << 56;

/// The minimal width of a value for which a dictionary is tried: its codes take one byte.
const DICTIONARY_WIDTH_MIN: usize = 2;

/// Appends the values in the width of their type.
fn encode_plainly<T: Integer>(values: &[T], nulls: Option<&NullBuffer>, out: &mut Vec<u8>) {
    out.push(Form::Plain.tag(if nulls.is_some() { Nulls::Some } else { Nulls::None }));
    validity(nulls, out);
    plain(values, nulls, out);
}

/// Appends the bytes of the values, zeros for NULL.
pub(crate) fn plain<T: ArrowNativeType>(
    values: &[T],
    nulls: Option<&NullBuffer>,
    out: &mut Vec<u8>,
) {
    match nulls {
        None => out.extend_from_slice(values.to_byte_slice()),
        Some(nulls) => {
            for (value, is_valid) in values.iter().zip(nulls) {
                let value = if is_valid { *value } else { T::default() };
                out.extend_from_slice(value.to_byte_slice());
            }
        }
    }
}

/// Appends a base and differences from it, as after the tag of the form *narrow*.
fn frame<T: Integer>(
    base: T,
    width: usize,
    differences: impl Iterator<Item = u64>,
    count: usize,
    out: &mut Vec<u8>,
) {
    varint::write_signed(base.wide(), out);
    out.extend(u8::try_from(width));
    pack(differences, count, width, out);
}

/// Appends numbers without a tag, as the lengths of texts are written.
pub(crate) fn encode_lengths(lengths: impl Iterator<Item = u32> + Clone, out: &mut Vec<u8>) {
    let (min, max) = range(lengths.clone());
    let count = lengths.clone().count();
    let differences = lengths.map(|length| u64::from(length - min));
    frame(min, width(u64::from(max - min)), differences, count, out);
}

/// Appends the validity of a section with NULLs.
pub(crate) fn validity(nulls: Option<&NullBuffer>, out: &mut Vec<u8>) {
    if let Some(nulls) = nulls {
        bits(nulls.inner(), out);
    }
}

/// Appends bits, and zeros up to a whole byte.
pub(crate) fn bits(bits: &BooleanBuffer, out: &mut Vec<u8>) {
    let sliced = bits.sliced();
    out.extend(sliced.iter().take(bits.len().div_ceil(8)));
    if let Some(last) = out.last_mut()
        && let used @ 1.. = bits.len() % 8
    {
        *last &= u8::MAX >> (8 - used);
    }
}

/// Returns the minimum and the maximum; the default of the type if there are no values.
fn range<T: Integer>(values: impl Iterator<Item = T>) -> (T, T) {
    let mut values = values;
    let Some(first) = values.next() else { return (T::default(), T::default()) };
    values.fold((first, first), |(min, max), value| (min.min(value), max.max(value)))
}

/// Returns the largest step from a value to the next; `None` if it is clear that one goes back.
fn step<T: Integer>(values: &[T], min: T, max: T) -> Option<u64> {
    if values.first() != Some(&min) || values.last() != Some(&max) {
        return None;
    }
    let next = values.get(1..).unwrap_or_default();
    values.iter().zip(next).map(|(&before, &value)| value.minus(before)).max()
}

/// Reads the values of a section of integers.
pub(crate) fn decode<T: Integer>(
    form: Form,
    count: usize,
    reader: &mut Reader<'_>,
) -> Result<ScalarBuffer<T>, DecodeError> {
    match form {
        Form::Plain => decode_plainly(count, reader),
        Form::Narrow => {
            let (base, width, bytes) = read_frame::<T>(count, reader)?;
            Ok(unpack(bytes, count, width, |difference| base.plus(difference)).into())
        }
        Form::Delta => {
            let (mut value, width, bytes) = read_frame::<T>(count, reader)?;
            let add = |step| {
                value = value.plus(step);
                value
            };
            Ok(unpack(bytes, count, width, add).into())
        }
        Form::Dictionary => {
            let values = dictionary::read_count(reader)?;
            let values = decode_plainly::<T>(values, reader)?;
            dictionary::gather(&values, count, reader)
        }
        Form::Decimal | Form::Prefix => malformed("a form that integers do not have"),
    }
}

/// Reads values in the width of their type.
pub(crate) fn decode_plainly<T: ArrowNativeType>(
    count: usize,
    reader: &mut Reader<'_>,
) -> Result<ScalarBuffer<T>, DecodeError> {
    let bytes = count.checked_mul(size_of::<T>()).and_then(|bytes| reader.bytes(bytes));
    let Some(bytes) = bytes else { return malformed("values that are cut off") };
    Ok(ScalarBuffer::new(Buffer::from(bytes), 0, count))
}

/// Reads a base, a width, and the bytes of `count` differences.
fn read_frame<'a, T: Integer>(
    count: usize,
    reader: &mut Reader<'a>,
) -> Result<(T, usize, &'a [u8]), DecodeError> {
    let Some(base) = varint::read_signed(reader).and_then(T::from_wide) else {
        return malformed("a base beyond its type");
    };
    let width = match reader.byte() {
        Some(width @ 0..=8) => usize::from(width),
        _ => return malformed("the width of differences"),
    };
    match count.checked_mul(width).and_then(|bytes| reader.bytes(bytes)) {
        Some(bytes) => Ok((base, width, bytes)),
        None => malformed("differences that are cut off"),
    }
}

/// Reads numbers without a tag, as the lengths of texts are written.
pub(crate) fn decode_lengths(
    count: usize,
    reader: &mut Reader<'_>,
) -> Result<Vec<u32>, DecodeError> {
    let (base, width, bytes) = read_frame::<u32>(count, reader)?;
    Ok(unpack(bytes, count, width, |difference| base.plus(difference)))
}
