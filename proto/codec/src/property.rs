//! Properties that hold for any bytes and any batch, for fuzz targets and for tests with seeded
//! input. Each function panics if its property does not hold.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::compute::cast;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;

use crate::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, arrow_bytes, decode, decode_column, encode};

/// Checks that any bytes are refused, or are a valid batch within the bounds that can be written
/// again and stays the same.
///
/// # Panics
/// If the property does not hold.
pub fn bytes_are_a_batch_or_refused(bytes: &[u8], schema: &SchemaRef) {
    if let [field] = &schema.fields()[..]
        && let Ok(column) = decode_column(bytes, field.data_type())
    {
        #[expect(clippy::expect_used, reason = "a property")]
        column.to_data().validate_full().expect("a valid column");
        assert!(column.len() <= BATCH_RECORDS_MAX);
    }
    let Ok(batch) = decode(bytes, schema) else { return };
    assert!(batch.num_rows() <= BATCH_RECORDS_MAX);
    assert!(arrow_bytes(&batch) <= BATCH_BYTES_MAX);
    for column in batch.columns() {
        #[expect(clippy::expect_used, reason = "a property")]
        column.to_data().validate_full().expect("a valid array");
    }
    batch_survives(&batch);
}

/// Checks that a batch is the same after it was written and read, and that nothing stands under a
/// NULL.
///
/// # Panics
/// If the property does not hold, or the batch is too large.
pub fn batch_survives(batch: &RecordBatch) {
    let mut bytes = Vec::new();
    #[expect(clippy::expect_used, reason = "a property")]
    encode(batch, &mut bytes).expect("a batch within the bounds");
    #[expect(clippy::expect_used, reason = "a property")]
    let read = decode(&bytes, &batch.schema()).expect("a batch that was written");
    assert_eq!(read.num_rows(), batch.num_rows());
    for (read, written) in read.columns().iter().zip(batch.columns()) {
        assert_eq!(read.data_type(), written.data_type());
        assert_eq!(read.to_data(), written.to_data());
        column_survives(written);
    }
}

/// Checks that a column is the same if it is written and read alone.
fn column_survives(written: &ArrayRef) {
    let mut bytes = Vec::new();
    let field = Field::new("", written.data_type().clone(), true);
    #[expect(clippy::expect_used, reason = "a property")]
    let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![written.clone()])
        .expect("a batch of one column");
    #[expect(clippy::expect_used, reason = "a property")]
    encode(&batch, &mut bytes).expect("a column within the bounds");
    #[expect(clippy::expect_used, reason = "a property")]
    let read = decode_column(&bytes, written.data_type()).expect("a column that was written");
    #[expect(clippy::expect_used, reason = "a property")]
    let expanded = cast(&read, written.data_type()).expect("the texts of a dictionary");
    assert_eq!(expanded.to_data(), written.to_data());
}
