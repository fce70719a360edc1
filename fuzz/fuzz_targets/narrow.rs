//! The target that reads any bytes as a narrow batch. It is refused, or is within the bounds and
//! survives. The first byte chooses one column of a type, or a column of every type.
#![no_main]

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use libfuzzer_sys::fuzz_target;
use sift_codec::property::bytes_are_a_batch_or_refused;

static SCHEMAS: LazyLock<Vec<SchemaRef>> = LazyLock::new(|| {
    let types = [
        DataType::Boolean,
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
        DataType::Float32,
        DataType::Float64,
        DataType::Date32,
        DataType::Decimal128(38, 2),
        DataType::Timestamp(TimeUnit::Second, None),
        DataType::Timestamp(TimeUnit::Millisecond, None),
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::Timestamp(TimeUnit::Nanosecond, None),
        DataType::Utf8,
        DataType::Binary,
    ];
    let fields = types.map(|data_type| Field::new(data_type.to_string(), data_type, true));
    let required = Field::new("required", DataType::Utf8, false);
    let single = fields.iter().chain([&required]).map(|field| vec![field.clone()]);
    let schemas = single.chain([fields.to_vec()]).map(|fields| Arc::new(Schema::new(fields)));
    schemas.collect()
});

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let schema = &SCHEMAS[usize::from(*choice) % SCHEMAS.len()];
    bytes_are_a_batch_or_refused(bytes, schema);
});
