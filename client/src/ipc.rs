//! Decodes the body of a frame to an Arrow batch that points into it.
//!
//! A body is one encapsulated IPC message: a continuation marker, the length of the metadata, the
//! metadata (a flatbuffer), the buffers. Arrow's own decoder panics at wrong counts, types and
//! offsets of buffers. This file checks them first, and accepts only the types that Sift sends.
//! Arrow itself then checks that offsets ascend, that text is UTF-8, and that the counts of NULLs
//! are right. The format: <https://arrow.apache.org/docs/format/Columnar.html>.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::ipc;
use arrow::ipc::reader::RecordBatchDecoder;

use crate::error::Violation;

/// The maximal number of columns of an answer.
const COLUMNS_MAX: usize = 4096;

/// The maximal number of records of one batch: the number of bits of the largest frame.
const BATCH_RECORDS_MAX: i64 = 8 * sift_proto::frame::BODY_BYTES_MAX as i64;

/// The width of the offsets of texts.
const OFFSET_BYTES: Option<usize> = Some(4);

/// Decodes the body of a Schema frame.
pub(crate) fn schema(body: &Buffer) -> Result<SchemaRef, Violation> {
    let (metadata, rest) = split(body)?;
    let message = message(&metadata)?;
    let Some(schema) = message.header_as_schema() else {
        return wrong("no schema");
    };
    if !rest.is_empty() {
        return wrong("bytes after the schema");
    }
    if schema.endianness() != ipc::Endianness::Little {
        return wrong("big-endian");
    }
    let Some(fields) = schema.fields() else {
        return wrong("a schema without columns");
    };
    if fields.len() > COLUMNS_MAX {
        let (got, max) = (fields.len() as u64, COLUMNS_MAX as u64);
        return Err(Violation::Range { what: "the number of columns", got, max });
    }
    for field in fields {
        if !is_sent(&field) {
            return wrong(&format!("a column of the type {:?}", field.type_type()));
        }
    }
    Ok(Arc::new(ipc::convert::fb_to_schema(schema)))
}

/// Decodes the body of a Batch frame; the columns share its memory.
pub(crate) fn batch(body: &Buffer, schema: &SchemaRef) -> Result<RecordBatch, Violation> {
    let (metadata, data) = split(body)?;
    let message = message(&metadata)?;
    let Some(batch) = message.header_as_record_batch() else {
        return wrong("no record batch");
    };
    if usize::try_from(message.bodyLength()) != Ok(data.len()) {
        return wrong("another length of the buffers than announced");
    }
    if batch.compression().is_some() {
        return wrong("compressed buffers, which were not agreed on");
    }
    if batch.variadicBufferCounts().is_some() || !(0..=BATCH_RECORDS_MAX).contains(&batch.length())
    {
        return wrong("counts out of their range");
    }
    check_columns(batch, schema, &data)?;
    RecordBatchDecoder::try_new(&data, batch, schema.clone(), &HashMap::new(), &message.version())
        .and_then(RecordBatchDecoder::read_record_batch)
        .map_err(|error| Violation::Arrow(crate::error::printable(&error.to_string())))
}

/// Checks that every column has as many records as the batch, and that its buffers are within the
/// body.
fn check_columns(
    batch: ipc::RecordBatch<'_>,
    schema: &Schema,
    data: &[u8],
) -> Result<(), Violation> {
    let records = usize::try_from(batch.length()).unwrap_or(usize::MAX);
    let mut nodes = batch.nodes().unwrap_or_default().iter();
    let mut buffers = batch.buffers().unwrap_or_default().iter();
    for field in schema.fields() {
        let Some(node) = nodes.next() else {
            return wrong("fewer columns than the schema has");
        };
        if node.length() != batch.length() || !(0..=node.length()).contains(&node.null_count()) {
            return wrong("counts that do not fit each other");
        }
        let text = matches!(field.data_type(), DataType::Utf8 | DataType::Binary);
        let width = if text { OFFSET_BYTES } else { field.data_type().primitive_width() };
        // the validity bitmap; then values, or offsets into a third buffer
        for index in 0..if text { 3 } else { 2 } {
            let Some(bytes) = buffers.next().and_then(|buffer| within(buffer, data.len())) else {
                return wrong("a buffer outside of the message");
            };
            let fits = match index {
                0 => node.null_count() == 0 || bytes.saturating_mul(8) >= records,
                1 => bytes.is_multiple_of(width.unwrap_or(1)),
                _ => true,
            };
            if !fits {
                return wrong("a buffer that does not fit its records");
            }
        }
    }
    match (nodes.next(), buffers.next()) {
        (None, None) => Ok(()),
        _ => wrong("more columns than the schema has"),
    }
}

/// Returns the length of a buffer if it is within the body and aligned as the format requires.
fn within(buffer: &ipc::Buffer, data_bytes: usize) -> Option<usize> {
    let start = usize::try_from(buffer.offset()).ok()?;
    let bytes = usize::try_from(buffer.length()).ok()?;
    let fits = start.is_multiple_of(8) && start.checked_add(bytes)? <= data_bytes;
    fits.then_some(bytes)
}

/// Splits a body into metadata and buffers, without a copy.
fn split(body: &Buffer) -> Result<(Buffer, Buffer), Violation> {
    let prefix: Option<&[u8; 8]> = body.first_chunk();
    let Some([0xff, 0xff, 0xff, 0xff, a, b, c, d]) = prefix else {
        return wrong("no continuation marker at its start");
    };
    let metadata_bytes = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
    match body.len().checked_sub(8 + metadata_bytes) {
        Some(rest) => {
            let metadata = body.slice_with_length(8, metadata_bytes);
            Ok((metadata, body.slice_with_length(8 + metadata_bytes, rest)))
        }
        None => wrong("metadata longer than the message"),
    }
}

fn message(metadata: &[u8]) -> Result<ipc::Message<'_>, Violation> {
    ipc::root_as_message(metadata)
        .map_err(|error| Violation::Arrow(format!("metadata that does not decode: {error}")))
}

/// Returns whether Sift sends this type of a column, with metadata that Arrow's decoder accepts.
fn is_sent(field: &ipc::Field<'_>) -> bool {
    let by_type = match field.type_type() {
        ipc::Type::Bool | ipc::Type::Utf8 | ipc::Type::Binary => Some(true),
        ipc::Type::Int => field.type_as_int().map(|int| matches!(int.bitWidth(), 8 | 16 | 32 | 64)),
        ipc::Type::FloatingPoint => field.type_as_floating_point().map(|float| {
            matches!(float.precision(), ipc::Precision::SINGLE | ipc::Precision::DOUBLE)
        }),
        ipc::Type::Decimal => field.type_as_decimal().map(|decimal| {
            decimal.bitWidth() == 128
                && (1..=38).contains(&decimal.precision())
                && (0..=decimal.precision()).contains(&decimal.scale())
        }),
        ipc::Type::Date => field.type_as_date().map(|date| date.unit() == ipc::DateUnit::DAY),
        ipc::Type::Timestamp => field.type_as_timestamp().map(|timestamp| {
            timestamp.unit().variant_name().is_some() && timestamp.timezone().is_none()
        }),
        _ => None,
    };
    by_type == Some(true)
        && field.dictionary().is_none()
        && field.children().unwrap_or_default().is_empty()
}

fn wrong<T>(what: &str) -> Result<T, Violation> {
    Err(Violation::Arrow(what.to_owned()))
}

#[cfg(test)]
mod tests;
