//! Properties that hold for any bytes and any batch, for fuzz targets and for tests with seeded
//! input. Each function panics if its property does not hold.

use arrow::array::Array;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use crate::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, arrow_bytes, decode, encode};

/// Checks that any bytes are refused, or are a valid batch within the bounds that can be written
/// again and stays the same.
///
/// # Panics
/// If the property does not hold.
pub fn bytes_are_a_batch_or_refused(bytes: &[u8], schema: &SchemaRef) {
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
    }
}
