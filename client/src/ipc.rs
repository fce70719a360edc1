//! From the body of a frame to an Arrow batch that points into it.
//!
//! A body is one encapsulated IPC message: a continuation marker, the length of the metadata, the
//! metadata (a flatbuffer), the buffers. Arrow's own decoder trusts its peer where it counts, types
//! and places things (it panics); so all of that is checked here first, and only the types that Sift
//! sends are let through. What Arrow then checks itself: that offsets ascend, that text is UTF-8,
//! that NULLs are counted right. The format: <https://arrow.apache.org/docs/format/Columnar.html>.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::ipc;
use arrow::ipc::reader::RecordBatchDecoder;

use crate::error::Violation;

/// Most columns of an answer.
const COLUMNS_MAX: usize = 4096;

/// Most records of one batch: the bits of the largest frame.
const BATCH_RECORDS_MAX: i64 = 8 * sift_proto::frame::BODY_BYTES_MAX as i64;

/// Decodes the body of a Schema frame.
pub(crate) fn schema(body: &Buffer) -> Result<SchemaRef, Violation> {
    let (metadata, rest) = split(body)?;
    let message = message(&metadata)?;
    let Some(schema) = message.header_as_schema() else {
        return wrong("no schema");
    };
    if !rest.is_empty() {
        return wrong("bytes behind the schema");
    }
    if schema.endianness() != ipc::Endianness::Little {
        return wrong("big-endian");
    }
    let fields = schema.fields().unwrap_or_default();
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
    let counts = |count: i64| (0..=BATCH_RECORDS_MAX).contains(&count);
    let nodes_fit = batch
        .nodes()
        .unwrap_or_default()
        .iter()
        .all(|node| node.length() == batch.length() && counts(node.null_count()));
    if !counts(batch.length()) || !nodes_fit || batch.variadicBufferCounts().is_some() {
        return wrong("counts that do not fit each other");
    }
    let buffers_fit = batch.buffers().unwrap_or_default().iter().all(|buffer| {
        let end = buffer.offset().checked_add(buffer.length()).map(usize::try_from);
        buffer.offset() >= 0
            && buffer.length() >= 0
            && matches!(end, Some(Ok(end)) if end <= data.len())
    });
    if !buffers_fit {
        return wrong("a buffer outside of the message");
    }
    RecordBatchDecoder::try_new(&data, batch, schema.clone(), &HashMap::new(), &message.version())
        .and_then(RecordBatchDecoder::read_record_batch)
        .map_err(|error| Violation::Arrow(crate::error::printable(&error.to_string())))
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

/// Whether a column is of a type that Sift sends, described as Arrow's decoder takes it.
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
