//! Tables as Parquet files, written by the parquet crate: small row groups of small pages, every
//! codec, dictionaries and the encodings without them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;
use sift_select::Value;

use crate::table::{Column, Storage, Table};

/// Pages of version 1 or of version 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pages {
    /// Pages with dictionaries and a page index.
    V1,
    /// Pages with the encodings without dictionaries, Bloom filters, and no page index.
    V2,
}

pub(crate) fn write(table: &Table, pages: Pages) -> Vec<u8> {
    let batch = batch(table);
    let group_rows = (table.rows.len() / 7).max(4);
    let mut writer = ArrowWriter::try_new(
        Vec::new(),
        batch.schema(),
        Some(properties(&batch.schema(), pages, group_rows)),
    )
    .expect("a writer");
    writer.write(&batch).expect("rows that fit");
    writer.into_inner().expect("a file")
}

fn properties(schema: &Schema, pages: Pages, group_rows: usize) -> WriterProperties {
    let page_rows = (group_rows / 4).max(2);
    let mut builder = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group_rows))
        .set_data_page_row_count_limit(page_rows)
        .set_write_batch_size(page_rows);
    builder = match pages {
        Pages::V1 => builder
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_statistics_enabled(EnabledStatistics::Page),
        Pages::V2 => builder
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_bloom_filter_enabled(true)
            .set_offset_index_disabled(true),
    };
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(Default::default()),
        Compression::BROTLI(Default::default()),
        Compression::ZSTD(Default::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
    ];
    for (field, codec) in schema.fields().iter().zip(codecs.into_iter().cycle()) {
        let path = ColumnPath::from(field.name().as_str());
        builder = builder.set_column_compression(path.clone(), codec);
        let encoding = match field.data_type() {
            DataType::Utf8 => Encoding::DELTA_BYTE_ARRAY,
            DataType::Float64 | DataType::Float32 => Encoding::BYTE_STREAM_SPLIT,
            data_type if data_type.is_integer() => Encoding::DELTA_BINARY_PACKED,
            _ => Encoding::PLAIN,
        };
        if pages == Pages::V2 {
            builder = builder.set_column_encoding(path, encoding);
        }
    }
    builder.build()
}

/// Returns the rows in the types that a descriptor gives the columns of CSV or of fixed-length
/// records.
pub(crate) fn batch(table: &Table) -> RecordBatch {
    let columns = table.columns.iter().enumerate();
    let arrays: Vec<ArrayRef> = columns
        .map(|(index, column)| array(column, table.rows.iter().map(|row| &row[index])))
        .collect();
    let fields = table.columns.iter().zip(&arrays);
    let fields =
        fields.map(|(column, array)| Field::new(column.name, array.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, arrays).expect("columns of one length")
}

fn array<'a>(column: &Column, values: impl Iterator<Item = &'a Value>) -> ArrayRef {
    let values: Vec<Option<&Value>> =
        values.map(|value| Some(value).filter(|value| **value != Value::Null)).collect();
    macro_rules! array {
        ($array:ident, $variant:ident) => {
            Arc::new($array::from_iter(values.iter().map(|value| {
                value.map(|value| match value {
                    Value::$variant(value) => value.clone().try_into().expect("a value that fits"),
                    other => panic!("{other:?} in `{}`", column.name),
                })
            })))
        };
    }
    match (column.word, column.storage) {
        ("int64", _) | ("", Storage::LittleInteger { bytes: 8 }) => array!(Int64Array, Integer),
        ("", Storage::LittleInteger { bytes: 1 }) => array!(Int8Array, Integer),
        ("", Storage::Integer { bytes: 2 }) => array!(Int16Array, Integer),
        ("", Storage::LittleInteger { bytes: 4 }) => array!(Int32Array, Integer),
        #[allow(clippy::cast_possible_truncation, reason = "a column of this width")]
        ("", Storage::Float { bytes: 4 }) => {
            let floats = values.iter().map(|value| match value {
                Some(Value::Float(value)) => Some(*value as f32),
                _ => None,
            });
            Arc::new(Float32Array::from_iter(floats))
        }
        ("float64", _) => array!(Float64Array, Float),
        ("boolean", _) => {
            let booleans = values.iter().map(|value| match value {
                Some(Value::Boolean(value)) => Some(*value),
                _ => None,
            });
            Arc::new(BooleanArray::from_iter(booleans))
        }
        ("date", _) => array!(Date32Array, Date),
        ("timestamp", _) => array!(TimestampMicrosecondArray, Timestamp),
        ("text", _) => {
            let texts = values.iter().map(|value| match value {
                Some(Value::Text(text)) => Some(text.as_str()),
                _ => None,
            });
            Arc::new(StringArray::from_iter(texts))
        }
        (word, _) => {
            let parts = word.strip_prefix("decimal(").and_then(|rest| rest.strip_suffix(')'));
            let (precision, scale) = parts.and_then(|parts| parts.split_once(',')).expect(word);
            let digits = values.iter().map(|value| match value {
                Some(Value::Decimal { digits, .. }) => Some(*digits),
                _ => None,
            });
            let (precision, scale) = (precision.parse(), scale.parse());
            let array = Decimal128Array::from_iter(digits)
                .with_precision_and_scale(precision.expect(word), scale.expect(word));
            Arc::new(array.expect(word))
        }
    }
}
