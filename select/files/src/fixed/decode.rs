//! One column of a block of fixed-length records as an Arrow array.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, BooleanBufferBuilder, PrimitiveArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType,
};

use super::{ByteOrder, FixedBlock, FixedField, NullWhen, Storage, encoding, number};
use crate::digits;
use crate::excerpt::Excerpt;
use crate::problem::Problem;
use crate::record::Rows;
use crate::text::builder::Texts;

/// The field of those rows; the error is the first record that does not decode.
pub(super) fn column(
    block: &FixedBlock<'_>,
    field: &FixedField,
    rows: Rows<'_>,
) -> Result<ArrayRef, usize> {
    match rows {
        Rows::All => FixedCells { block, field, records: 0..block.records }.column(),
        Rows::Selected(rows) => {
            FixedCells { block, field, records: rows.iter().map(|&row| row as usize) }.column()
        }
    }
}

/// Returns what is wrong with the bytes of a field that did not decode.
pub(super) fn problem(field: &FixedField, bytes: &[u8]) -> Problem {
    let is_ascii = field.storage.is_characters() && !field.encoding.is_ebcdic();
    let value = if is_ascii { Excerpt::text(bytes) } else { Excerpt::binary(bytes) };
    let expected = match field.storage {
        Storage::Text => "UTF-8".into(),
        Storage::Digits { .. } => "a number in digits".into(),
        storage => format!("a {storage}").into(),
    };
    let null_when = NullWhen::of(bytes, field).filter(|_| field.null_when.is_empty());
    Problem::NotStored { value, expected, null_when: null_when.map(NullWhen::word) }
}

/// A field of some records of a block.
struct FixedCells<'a, R> {
    block: &'a FixedBlock<'a>,
    field: &'a FixedField,
    records: R,
}

impl<'a, R: ExactSizeIterator<Item = usize> + Clone> FixedCells<'a, R> {
    fn column(self) -> Result<ArrayRef, usize> {
        let length = self.field.length;
        match self.field.storage {
            Storage::Text => self.text(),
            Storage::Packed { .. } if length <= 8 => {
                self.exact(|window| number::packed(window, length))
            }
            Storage::Packed { .. } => self.wide(|window| number::packed_wide(window, length)),
            Storage::UnsignedPacked { .. } if length <= 8 => {
                self.exact(|window| number::unsigned_packed(window, length))
            }
            Storage::UnsignedPacked { .. } => {
                self.wide(|window| number::unsigned_packed_wide(window, length))
            }
            Storage::Integer { order, .. } => {
                self.exact(|window| Some(number::integer(window, length, order)))
            }
            Storage::Unsigned { order, .. } if length < 8 => {
                self.exact(|window| Some(number::unsigned(window, length, order).cast_signed()))
            }
            Storage::Unsigned { order, .. } => {
                self.wide(|window| Some(i128::from(number::unsigned(window, length, order))))
            }
            Storage::Float { order } => self.float(order),
            Storage::HexFloat { order } => self
                .primitive::<Float64Type>(|window| Some(number::hex_float(window, length, order))),
            _ if self.field.encoding.is_ebcdic() => self.characters::<{ digits::EBCDIC }>(),
            _ => self.characters::<{ digits::ASCII }>(),
        }
    }

    /// Decodes a value that is written in characters, whose digits are above `ZEROS`.
    fn characters<const ZEROS: u64>(self) -> Result<ArrayRef, usize> {
        let length = self.field.length;
        match self.field.storage {
            Storage::Zoned { sign, .. } if length <= 18 => {
                self.exact(|window| number::zoned::<ZEROS>(window, length, sign))
            }
            Storage::Zoned { sign, .. } => {
                self.wide(|window| number::zoned_wide::<ZEROS>(window, length, sign))
            }
            Storage::Date(moment) if moment.is_plain() => {
                self.primitive::<Date32Type>(number::date::<ZEROS>)
            }
            Storage::Date(moment) => {
                self.primitive::<Date32Type>(|window| moment.date(window.get(..length)?))
            }
            Storage::Timestamp(moment) => self.primitive::<TimestampMicrosecondType>(|window| {
                moment.timestamp(window.get(..length)?)
            }),
            Storage::Boolean { yes, no } => self.boolean(yes, no),
            _ if length <= 18 => self.exact(|window| number::digits::<ZEROS>(window, length)),
            _ => self.wide(|window| number::digits_wide::<ZEROS>(window, length)),
        }
    }

    /// A number of 64 bits in the type of the field.
    #[expect(clippy::cast_possible_truncation, reason = "the type is that of the field's length")]
    fn exact(self, decode: impl Fn(&[u8]) -> Option<i64>) -> Result<ArrayRef, usize> {
        match self.data_type() {
            DataType::Int8 => self.primitive::<Int8Type>(|window| Some(decode(window)? as i8)),
            DataType::Int16 => self.primitive::<Int16Type>(|window| Some(decode(window)? as i16)),
            DataType::Int32 => self.primitive::<Int32Type>(|window| Some(decode(window)? as i32)),
            DataType::Int64 => self.primitive::<Int64Type>(decode),
            _ => self.primitive::<Decimal128Type>(|window| Some(i128::from(decode(window)?))),
        }
    }

    /// A number that may need more than 64 bits.
    #[expect(clippy::cast_possible_truncation, reason = "at most 18 digits where it is Int64")]
    fn wide(self, decode: impl Fn(&[u8]) -> Option<i128>) -> Result<ArrayRef, usize> {
        match self.data_type() {
            DataType::Int64 => self.primitive::<Int64Type>(|window| Some(decode(window)? as i64)),
            _ => self.primitive::<Decimal128Type>(decode),
        }
    }

    fn float(self, order: ByteOrder) -> Result<ArrayRef, usize> {
        match (self.field.length, order) {
            (4, ByteOrder::Little) => self.primitive::<Float32Type>(|window| {
                window.first_chunk().map(|bytes| f32::from_le_bytes(*bytes))
            }),
            (4, ByteOrder::Big) => self.primitive::<Float32Type>(|window| {
                window.first_chunk().map(|bytes| f32::from_be_bytes(*bytes))
            }),
            (_, ByteOrder::Little) => self.primitive::<Float64Type>(|window| {
                window.first_chunk().map(|bytes| f64::from_le_bytes(*bytes))
            }),
            (_, ByteOrder::Big) => self.primitive::<Float64Type>(|window| {
                window.first_chunk().map(|bytes| f64::from_be_bytes(*bytes))
            }),
        }
    }

    fn primitive<T: ArrowPrimitiveType>(
        self,
        decode: impl Fn(&[u8]) -> Option<T::Native>,
    ) -> Result<ArrayRef, usize> {
        let nulls = self.nulls();
        let mut values = vec![T::Native::default(); self.records.len()];
        match &nulls {
            None => {
                for (value, record) in values.iter_mut().zip(self.records.clone()) {
                    *value = decode(self.window(record)).ok_or(record)?;
                }
            }
            Some(nulls) => {
                let rows = values.iter_mut().zip(self.records.clone()).zip(nulls);
                for ((value, record), valid) in rows {
                    if valid {
                        *value = decode(self.window(record)).ok_or(record)?;
                    }
                }
            }
        }
        let array = PrimitiveArray::<T>::new(values.into(), nulls);
        Ok(Arc::new(array.with_data_type(self.data_type())))
    }

    fn boolean(self, yes: u8, no: u8) -> Result<ArrayRef, usize> {
        let nulls = self.nulls();
        let mut values = BooleanBufferBuilder::new(self.records.len());
        for (row, record) in self.records.clone().enumerate() {
            let valid = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            let byte = self.bytes(record).first().copied();
            if valid && byte != Some(yes) && byte != Some(no) {
                return Err(record);
            }
            values.append(byte == Some(yes));
        }
        Ok(Arc::new(BooleanArray::new(values.finish(), nulls)))
    }

    fn text(self) -> Result<ArrayRef, usize> {
        let nulls = self.nulls();
        let rows = self.records.len();
        let mut texts = Texts::new(rows, rows * self.field.length.min(64));
        let space = self.field.encoding.space();
        let table = self.field.encoding.table();
        let mut utf8 = Vec::new();
        for (row, record) in self.records.clone().enumerate() {
            let valid = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            let mut value = if valid { trim(self.bytes(record), space) } else { b"" };
            if let Some(table) = table {
                utf8.clear();
                encoding::push_utf8(&mut utf8, value, table);
                value = &utf8;
            }
            texts.push(value).ok_or(record)?;
        }
        texts.finish(nulls).map_err(|row| self.records.clone().nth(row).unwrap_or(0))
    }

    fn nulls(&self) -> Option<NullBuffer> {
        let (first, others) = self.field.null_when.split_first()?;
        let mut valid = BooleanBufferBuilder::new(self.records.len());
        for record in self.records.clone() {
            let bytes = self.bytes(record);
            let is = |constant: &NullWhen| constant.is(bytes, self.field);
            valid.append(!is(first) && !others.iter().any(is));
        }
        Some(NullBuffer::new(valid.finish()))
    }

    fn data_type(&self) -> DataType {
        self.field.storage.data_type(self.field.length)
    }

    #[inline]
    fn window(&self, record: usize) -> &'a [u8] {
        let start = record * self.block.layout.stride + self.field.offset;
        self.block.bytes.get(start..).unwrap_or_default()
    }

    #[inline]
    fn bytes(&self, record: usize) -> &'a [u8] {
        self.window(record).get(..self.field.length).unwrap_or_default()
    }
}

/// Without trailing spaces.
#[inline]
fn trim(mut text: &[u8], space: u8) -> &[u8] {
    while let Some((rest, last)) = text.split_last_chunk::<8>()
        && *last == [space; 8]
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && *last == space
    {
        text = rest;
    }
    text
}
