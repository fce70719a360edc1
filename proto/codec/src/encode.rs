//! Writes a batch: one section for each column.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowNativeType, DataType};
use arrow::record_batch::RecordBatch;

use crate::float;
use crate::integer::{self, Integer, bits, validity};
use crate::text::{self, Texts};
use crate::varint;
use crate::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, Form, Nulls};

/// The reason why a batch is not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A column of a type that has no form.
    #[error("a column of the type {0} has no form")]
    Type(DataType),
    /// A batch that a decoder would refuse.
    #[error("a batch of {records} records in {bytes} bytes is too large")]
    TooLarge {
        /// The number of records.
        records: usize,
        /// The bytes that a decoder would need.
        bytes: usize,
    },
}

/// Appends a batch.
///
/// # Errors
/// `Type` for types other than booleans, integers, floats, decimals of 128 bits, dates of 32 bits,
/// time stamps, texts and binary values; `TooLarge` for more than [`BATCH_RECORDS_MAX`] records or
/// [`BATCH_BYTES_MAX`] bytes.
pub fn encode(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let (records, bytes) = (batch.num_rows(), arrow_bytes(batch));
    if records > BATCH_RECORDS_MAX || bytes > BATCH_BYTES_MAX {
        return Err(EncodeError::TooLarge { records, bytes });
    }
    varint::write(records as u128, out);
    batch.columns().iter().try_for_each(|column| section(column, out))
}

/// Returns the bytes that a decoder needs for a batch: values, offsets, validity.
pub fn arrow_bytes(batch: &RecordBatch) -> usize {
    let records = batch.num_rows();
    let of_column = |column: &ArrayRef| {
        let values = match column.data_type() {
            DataType::Boolean => records.div_ceil(8),
            DataType::Utf8 | DataType::Binary => {
                let bytes = texts(column, |texts| texts.bytes()).unwrap_or_default();
                bytes + records * size_of::<i32>()
            }
            other => records * other.primitive_width().unwrap_or_default(),
        };
        values + if column.null_count() > 0 { records.div_ceil(8) } else { 0 }
    };
    batch.columns().iter().map(of_column).sum()
}

/// Appends the section of a column.
fn section(column: &ArrayRef, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    if column.null_count() == column.len() {
        out.push(Form::Plain.tag(Nulls::All));
        return Ok(());
    }
    let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
    match column.data_type() {
        DataType::Boolean => booleans(column.as_boolean().values(), nulls, out),
        DataType::Int8 => integers::<i8>(column, nulls, out),
        DataType::Int16 => integers::<i16>(column, nulls, out),
        DataType::Int32 | DataType::Date32 => integers::<i32>(column, nulls, out),
        DataType::Int64 | DataType::Timestamp(_, _) => integers::<i64>(column, nulls, out),
        DataType::UInt8 => integers::<u8>(column, nulls, out),
        DataType::UInt16 => integers::<u16>(column, nulls, out),
        DataType::UInt32 => integers::<u32>(column, nulls, out),
        DataType::UInt64 => integers::<u64>(column, nulls, out),
        DataType::Decimal128(_, _) => integers::<i128>(column, nulls, out),
        DataType::Float32 => float::encode::<f32>(&native(column), nulls, out),
        DataType::Float64 => float::encode::<f64>(&native(column), nulls, out),
        other => match texts(column, |texts| text::encode(texts, out)) {
            Some(()) => {}
            None => return Err(EncodeError::Type(other.clone())),
        },
    }
    Ok(())
}

fn booleans(values: &BooleanBuffer, nulls: Option<&NullBuffer>, out: &mut Vec<u8>) {
    out.push(Form::Plain.tag(if nulls.is_some() { Nulls::Some } else { Nulls::None }));
    validity(nulls, out);
    match nulls {
        Some(nulls) => bits(&(values & nulls.inner()), out),
        None => bits(values, out),
    }
}

fn integers<T: Integer>(column: &ArrayRef, nulls: Option<&NullBuffer>, out: &mut Vec<u8>) {
    integer::encode::<T>(&native(column), nulls, out);
}

/// Returns the values of a column of fixed width, in the native type of that width.
fn native<T: ArrowNativeType>(column: &ArrayRef) -> ScalarBuffer<T> {
    let data = column.to_data();
    match data.buffers() {
        [values, ..] => ScalarBuffer::new(values.clone(), data.offset(), data.len()),
        [] => ScalarBuffer::from(Vec::new()),
    }
}

/// Calls `take` with the values of a column of texts or binary values; `None` for other types.
fn texts<T>(column: &ArrayRef, take: impl FnOnce(&Texts<'_>) -> T) -> Option<T> {
    let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
    let (offsets, bytes) = match column.data_type() {
        DataType::Utf8 => {
            let array = column.as_string::<i32>();
            (array.offsets(), array.values())
        }
        DataType::Binary => {
            let array = column.as_binary::<i32>();
            (array.offsets(), array.values())
        }
        _ => return None,
    };
    Some(take(&Texts::new(offsets, bytes, nulls)))
}
