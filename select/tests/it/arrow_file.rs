//! Tables as Arrow files, written by the arrow crate: several record batches, compressed buffers,
//! texts with dictionaries.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions};

use crate::parquet_file;
use crate::table::Table;

pub(crate) fn write(table: &Table) -> Vec<u8> {
    write_with(table, Some(CompressionType::LZ4_FRAME))
}

pub(crate) fn write_with(table: &Table, compression: Option<CompressionType>) -> Vec<u8> {
    let batch = with_other_types(&parquet_file::batch(table));
    let options = IpcWriteOptions::default().try_with_compression(compression).expect("options");
    let mut writer =
        FileWriter::try_new_with_options(Vec::new(), &batch.schema(), options).expect("a writer");
    let rows = (table.rows.len() / 7).max(4);
    for start in (0..batch.num_rows()).step_by(rows) {
        let part = batch.slice(start, rows.min(batch.num_rows() - start));
        writer.write(&part).expect("rows that fit");
    }
    writer.into_inner().expect("a file")
}

/// Returns the same values in the other types that Arrow has for them.
fn with_other_types(batch: &RecordBatch) -> RecordBatch {
    let mut texts = [
        DataType::Dictionary(DataType::Int16.into(), DataType::Utf8.into()),
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Utf8,
    ]
    .into_iter()
    .cycle();
    let arrays = batch.columns().iter().map(|array| match array.data_type() {
        DataType::Utf8 => cast(array, &texts.next().expect("a type")).expect("a text"),
        _ => Arc::clone(array),
    });
    let arrays: Vec<_> = arrays.collect();
    let schema = batch.schema();
    let fields = schema.fields().iter().zip(&arrays);
    let fields =
        fields.map(|(field, array)| Field::new(field.name(), array.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, arrays).expect("columns of one length")
}
