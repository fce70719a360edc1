//! Reads a batch from bytes of a peer.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, DictionaryArray, PrimitiveArray, StringArray,
    new_null_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, SchemaRef, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use crate::reader::Reader;
use crate::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, Form, Nulls};
use crate::{float, integer, text, varint};

/// The reason why bytes are not a batch of a schema.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes are not in the format. The text names the part.
    #[error("not a narrow batch: {0}")]
    Malformed(&'static str),
    /// The batch has more records than [`BATCH_RECORDS_MAX`].
    #[error("a narrow batch of more than {BATCH_RECORDS_MAX} records")]
    Records,
    /// The batch would take more memory than [`BATCH_BYTES_MAX`].
    #[error("a narrow batch of more than {BATCH_BYTES_MAX} bytes")]
    Bytes,
    /// The schema has a type that has no form.
    #[error("a narrow column of the type {0}")]
    Type(DataType),
    /// The values are not of the type: a text is not UTF-8, or NULL stands where it may not.
    #[error("a narrow batch does not fit its schema: {0}")]
    Values(ArrowError),
}

pub(crate) fn malformed<T>(part: &'static str) -> Result<T, DecodeError> {
    Err(DecodeError::Malformed(part))
}

/// The bytes that a batch may still take.
pub(crate) struct Budget(usize);

impl Budget {
    /// Takes `count` times `bytes`.
    pub(crate) fn take(&mut self, count: usize, bytes: usize) -> Result<(), DecodeError> {
        let left = count.checked_mul(bytes).and_then(|bytes| self.0.checked_sub(bytes));
        self.0 = left.ok_or(DecodeError::Bytes)?;
        Ok(())
    }
}

/// Reads a batch of `schema`. The memory of the result is bounded by [`BATCH_BYTES_MAX`].
///
/// # Errors
/// `Malformed`, `Records`, `Bytes`, `Type`, `Values`.
pub fn decode(bytes: &[u8], schema: &SchemaRef) -> Result<RecordBatch, DecodeError> {
    let types = schema.fields().iter().map(|field| field.data_type());
    let (records, columns) = sections(bytes, types, Repeated::Expanded)?;
    let options = RecordBatchOptions::new().with_row_count(Some(records));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(DecodeError::Values)
}

/// Reads the only column of a batch. Texts that were written by a dictionary are a
/// `Dictionary(Int32, Utf8)`. The memory of the result is bounded by [`BATCH_BYTES_MAX`].
///
/// # Errors
/// `Malformed`, `Records`, `Bytes`, `Type`, `Values`.
pub fn decode_column(bytes: &[u8], data_type: &DataType) -> Result<ArrayRef, DecodeError> {
    let (_, columns) = sections(bytes, std::iter::once(data_type), Repeated::Coded)?;
    columns.into_iter().next().map_or_else(|| malformed("the column"), Ok)
}

/// The form of decoded texts that were written by a dictionary.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeated {
    Expanded,
    Coded,
}

/// Reads the number of records and a column of each type.
fn sections<'t>(
    bytes: &[u8],
    types: impl Iterator<Item = &'t DataType>,
    repeated: Repeated,
) -> Result<(usize, Vec<ArrayRef>), DecodeError> {
    let mut reader = Reader::new(bytes);
    let Some(records) = varint::read_usize(&mut reader) else {
        return malformed("the number of records");
    };
    if records > BATCH_RECORDS_MAX {
        return Err(DecodeError::Records);
    }
    let mut budget = Budget(BATCH_BYTES_MAX);
    let section = |data_type| section(data_type, repeated, records, &mut reader, &mut budget);
    let columns = types.map(section).collect::<Result<Vec<_>, _>>()?;
    if !reader.is_empty() {
        return malformed("bytes after the last column");
    }
    Ok((records, columns))
}

fn section(
    data_type: &DataType,
    repeated: Repeated,
    count: usize,
    reader: &mut Reader<'_>,
    budget: &mut Budget,
) -> Result<ArrayRef, DecodeError> {
    let Some((form, nulls)) = reader.byte().and_then(Form::from_tag) else {
        return malformed("the form of a column");
    };
    let nulls = match nulls {
        Nulls::None => None,
        Nulls::Some => {
            budget.take(count.div_ceil(8), 1)?;
            Some(NullBuffer::new(bits(count, reader)?))
        }
        Nulls::All => {
            if form != Form::Plain {
                return malformed("the form of a column of NULLs");
            }
            let bytes = data_type.primitive_width().unwrap_or(size_of::<i32>());
            budget.take(count, bytes)?;
            budget.take(count.div_ceil(8), 1)?;
            return Ok(new_null_array(data_type, count));
        }
    };
    match data_type {
        DataType::Boolean => {
            if form != Form::Plain {
                return malformed("a form that booleans do not have");
            }
            budget.take(count.div_ceil(8), 1)?;
            Ok(Arc::new(BooleanArray::new(bits(count, reader)?, nulls)))
        }
        DataType::Utf8 if form == Form::Dictionary && repeated == Repeated::Coded => {
            let (codes, (offsets, bytes)) = text::decode_codes(count, reader, budget)?;
            let texts = StringArray::try_new(offsets, bytes, None).map_err(DecodeError::Values)?;
            let codes = PrimitiveArray::<Int32Type>::try_new(codes.into(), nulls);
            let coded = codes.and_then(|codes| DictionaryArray::try_new(codes, Arc::new(texts)));
            Ok(Arc::new(coded.map_err(DecodeError::Values)?))
        }
        DataType::Utf8 => {
            let (offsets, bytes) = text::decode(form, count, reader, budget)?;
            let texts = StringArray::try_new(offsets, bytes, nulls);
            Ok(Arc::new(texts.map_err(DecodeError::Values)?))
        }
        DataType::Binary => {
            let (offsets, bytes) = text::decode(form, count, reader, budget)?;
            let values = BinaryArray::try_new(offsets, bytes, nulls);
            Ok(Arc::new(values.map_err(DecodeError::Values)?))
        }
        _ => {
            budget.take(count, data_type.primitive_width().unwrap_or_default())?;
            fixed(data_type, form, count, reader, nulls)
        }
    }
}

/// Reads the values of a column of fixed width.
fn fixed(
    data_type: &DataType,
    form: Form,
    count: usize,
    reader: &mut Reader<'_>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, DecodeError> {
    macro_rules! integers {
        ($type:ty) => {
            array::<$type>(data_type, integer::decode(form, count, reader)?, nulls)
        };
    }
    match data_type {
        DataType::Int8 => integers!(Int8Type),
        DataType::Int16 => integers!(Int16Type),
        DataType::Int32 => integers!(Int32Type),
        DataType::Int64 => integers!(Int64Type),
        DataType::UInt8 => integers!(UInt8Type),
        DataType::UInt16 => integers!(UInt16Type),
        DataType::UInt32 => integers!(UInt32Type),
        DataType::UInt64 => integers!(UInt64Type),
        DataType::Date32 => integers!(Date32Type),
        DataType::Decimal128(_, _) => integers!(Decimal128Type),
        DataType::Timestamp(TimeUnit::Second, _) => integers!(TimestampSecondType),
        DataType::Timestamp(TimeUnit::Millisecond, _) => integers!(TimestampMillisecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => integers!(TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => integers!(TimestampNanosecondType),
        DataType::Float32 => {
            array::<Float32Type>(data_type, float::decode(form, count, reader)?, nulls)
        }
        DataType::Float64 => {
            array::<Float64Type>(data_type, float::decode(form, count, reader)?, nulls)
        }
        other => Err(DecodeError::Type(other.clone())),
    }
}

fn array<T: ArrowPrimitiveType>(
    data_type: &DataType,
    values: ScalarBuffer<T::Native>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, DecodeError> {
    let array = PrimitiveArray::<T>::try_new(values, nulls).map_err(DecodeError::Values)?;
    Ok(Arc::new(array.with_data_type(data_type.clone())))
}

/// Reads `count` bits.
fn bits(count: usize, reader: &mut Reader<'_>) -> Result<BooleanBuffer, DecodeError> {
    match reader.bytes(count.div_ceil(8)) {
        Some(bytes) => Ok(BooleanBuffer::new(Buffer::from(bytes), 0, count)),
        None => malformed("bits that are cut off"),
    }
}
