use std::io::Cursor;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, make_array};
use arrow::buffer::NullBuffer;
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, TimeUnit};
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;
use bytes::Bytes;
use fastrand::Rng;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;
use parquet::encryption::decrypt::FileDecryptionProperties;
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

use super::{KEY, Leaf};

/// Writes a Parquet file in one of many ways.
pub(super) fn parquet(batch: &RecordBatch, random: &mut Rng) -> Vec<u8> {
    let rows = batch.num_rows();
    let group_rows = [rows, rows / 2, rows / 5][random.usize(0..3)].max(1);
    let page_rows = [rows, 1_000, rows / 11, 3][random.usize(0..4)].clamp(rows / 60 + 1, 5_000);
    let statistics = [
        EnabledStatistics::None,
        EnabledStatistics::Chunk,
        EnabledStatistics::Page,
        EnabledStatistics::Page,
    ];
    let version = [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0];
    let codec = [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::LZ4_RAW];
    let mut builder = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group_rows))
        .set_data_page_row_count_limit(page_rows)
        .set_write_batch_size(page_rows)
        .set_statistics_enabled(statistics[random.usize(0..4)])
        .set_writer_version(version[random.usize(0..2)])
        .set_compression(codec[random.usize(0..3)])
        .set_dictionary_enabled(random.bool())
        .set_bloom_filter_enabled(random.bool())
        .set_offset_index_disabled(random.u8(0..5) == 0);
    if random.u8(0..5) == 0 {
        let encryption = FileEncryptionProperties::builder(KEY.1.to_vec())
            .with_footer_key_metadata(KEY.0.into())
            .with_plaintext_footer(random.bool());
        let encryption = encryption.build().expect("properties");
        builder = builder.with_file_encryption_properties(encryption);
    }
    let properties = Some(builder.build());
    let mut writer =
        ArrowWriter::try_new(Vec::new(), batch.schema(), properties).expect("a writer");
    writer.write(batch).expect("rows");
    writer.into_inner().expect("a file")
}

/// Writes an Arrow file of three record batches.
pub(super) fn arrow(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = FileWriter::try_new(Vec::new(), &batch.schema()).expect("a writer");
    let rows = batch.num_rows().div_ceil(3);
    for start in (0..batch.num_rows()).step_by(rows) {
        writer.write(&batch.slice(start, rows.min(batch.num_rows() - start))).expect("rows");
    }
    writer.into_inner().expect("a file")
}

/// Returns the columns that Selects read, by the reader of the crate that wrote the file.
pub(super) fn leaves(name: &str, file: &[u8]) -> Vec<Leaf> {
    let batches: Vec<RecordBatch> = match name {
        "f.parquet" => {
            let keys = FileDecryptionProperties::builder(KEY.1.to_vec()).build();
            let options = ArrowReaderOptions::new()
                .with_file_decryption_properties(keys.expect("properties"));
            let bytes = Bytes::from(file.to_vec());
            let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options);
            let reader = builder.expect("metadata").build().expect("a reader");
            reader.collect::<Result<_, _>>().expect("records")
        }
        _ => {
            let reader = FileReader::try_new(Cursor::new(file), None).expect("a reader");
            reader.collect::<Result<_, _>>().expect("records")
        }
    };
    let batch = concat_batches(&batches[0].schema(), &batches).expect("one schema");
    let mut leaves = Vec::new();
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        collect(field, array, "", None, &mut leaves);
    }
    leaves
}

/// Adds the columns in a field; `nulls` are those of the structs that contain it.
fn collect(
    field: &Field,
    array: &ArrayRef,
    path: &str,
    nulls: Option<&NullBuffer>,
    leaves: &mut Vec<Leaf>,
) {
    let path = match path {
        "" => field.name().clone(),
        path => format!("{path}.{}", field.name()),
    };
    match array.data_type() {
        DataType::List(_) | DataType::Map(..) => {}
        DataType::Struct(fields) => {
            let nulls = NullBuffer::union(nulls, array.nulls());
            for (field, array) in fields.iter().zip(array.as_struct().columns()) {
                collect(field, array, &path, nulls.as_ref(), leaves);
            }
        }
        stored => {
            let values = cast(array, &selected(stored)).expect("a value that Selects have");
            let nulls = NullBuffer::union(nulls, values.nulls());
            let data = values.to_data().into_builder().nulls(nulls).build();
            leaves.push(Leaf { path, values: make_array(data.expect("an array")) });
        }
    }
}

/// Returns the type that Selects see.
fn selected(stored: &DataType) -> DataType {
    match stored {
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => DataType::Utf8,
        DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Timestamp(..) => DataType::Timestamp(TimeUnit::Microsecond, None),
        other => other.clone(),
    }
}
