//! The size of typical columns, and each bound of the format.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Float64Array, Int64Array, ListArray, StringArray, new_null_array,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use sift_codec::{
    BATCH_RECORDS_MAX, DecodeError, EncodeError, decode, encode, property::batch_survives,
};

/// Returns the bytes that 1,000 records of a column take beyond the first one.
fn bytes_of_1000(column: impl Into<ArrayRef>) -> usize {
    let batch = RecordBatch::try_from_iter([("c", column.into())]).unwrap();
    assert_eq!(batch.num_rows(), 1001);
    batch_survives(&batch);
    let bytes = |batch: &RecordBatch| {
        let mut bytes = Vec::new();
        encode(batch, &mut bytes).unwrap();
        bytes.len()
    };
    bytes(&batch) - bytes(&batch.slice(0, 1))
}

fn array<A: arrow::array::Array + 'static>(array: A) -> ArrayRef {
    Arc::new(array)
}

#[test]
fn a_column_takes_what_its_values_need() {
    let cents = (0..1001).map(|n| i128::from(n * 7919 % 1_000_003));
    let days = (0..1001).map(|n| 10_000 + n * 7919 % 2500);
    let grades = (0..1001).map(|n| ["fail", "pass", "honours, with a long word"][n % 3]);
    let numbers = (0..1001).map(|n| format!("Customer#{:09}", n * 7919 % 1000));
    let around = |bytes: usize, each: usize| {
        assert!((each * 1000..each * 1000 + 70).contains(&bytes), "{bytes} for {each} each");
    };
    around(bytes_of_1000(array(Int64Array::from(vec![7; 1001]))), 0);
    around(bytes_of_1000(array(Int64Array::from_iter_values(0..1001))), 1);
    around(bytes_of_1000(array(Int64Array::from_iter_values(days))), 2);
    around(bytes_of_1000(array(Decimal128Array::from_iter_values(cents.clone()))), 3);
    let prices = Float64Array::from_iter_values(cents.map(|n| n as f64 / 100.0));
    around(bytes_of_1000(array(prices)), 3);
    around(bytes_of_1000(array(StringArray::from_iter_values(grades))), 1);
    around(bytes_of_1000(array(StringArray::from_iter_values(numbers))), 3);
}

#[test]
fn a_batch_within_no_bounds_is_not_written() {
    let large = new_null_array(&DataType::Int64, BATCH_RECORDS_MAX + 1);
    let batch = RecordBatch::try_from_iter([("c", large)]).unwrap();
    let error = encode(&batch, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, EncodeError::TooLarge { records, .. } if records == 1 + (1 << 20)));

    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)])]);
    let batch = RecordBatch::try_from_iter([("c", array(lists))]).unwrap();
    let error = encode(&batch, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().starts_with("a column of the type List"), "{error}");
}

fn schema(types: &[DataType]) -> SchemaRef {
    let field = |data_type: &DataType| Field::new("c", data_type.clone(), false);
    Arc::new(Schema::new(types.iter().map(field).collect::<Vec<_>>()))
}

#[track_caller]
fn refused(bytes: &[u8], types: &[DataType], expected: &str) {
    let error = decode(bytes, &schema(types)).unwrap_err();
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn what_is_not_a_batch_is_refused() {
    use DataType::{Binary, Boolean, Float32, Float64, Int8, Int64, Utf8};
    let decimal = DataType::Decimal128(38, 0);
    refused(&[], &[Int64], "the number of records");
    refused(&[0x80; 30], &[Int64], "the number of records");
    refused(&[0x81, 0x80, 0x40], &[Int64], "more than 1048576 records");
    refused(&[1], &[Int64], "the form of a column");
    refused(&[1, 6], &[Int64], "the form of a column");
    refused(&[1, 0x30], &[Int64], "the form of a column");
    refused(&[1, 0x21], &[Int64], "the form of a column of NULLs");
    refused(&[1, 0, 1, 2], &[Int64], "values that are cut off");
    refused(&[1, 0x10], &[Int64], "bits that are cut off");
    refused(&[1, 1, 1], &[Int64], "the width of differences");
    refused(&[1, 1, 1, 9], &[Int64], "the width of differences");
    refused(&[2, 1, 1, 1, 1], &[Int64], "differences that are cut off");
    refused(&[1, 1, 0x80, 2, 0], &[Int8], "a base beyond its type");
    refused(&[1, 3, 0], &[Int64], "a form that integers do not have");
    refused(&[1, 5, 0], &[Int64], "a form that integers do not have");
    refused(&[1, 1, 0, 0], &[Float64], "a form that floats do not have");
    refused(&[1, 1, 0, 0], &[Utf8], "a form that texts do not have");
    refused(&[1, 1, 0, 0], &[Boolean], "a form that booleans do not have");
    refused(&[1, 2, 0], &[Int64], "the count of a dictionary");
    refused(&[1, 2, 0x81, 0x80, 4], &[Int64], "the count of a dictionary");
    refused(&[1, 2, 1, 5, 1], &[Int8], "a code without a value");
    refused(&[2, 2, 1, 5, 0], &[Int8], "codes that are cut off");
    refused(&[1, 3, 16], &[Float64], "an exponent beyond 15");
    refused(&[1, 3, 0, 0x20], &[Float64], "the integers of floats");
    refused(&[1, 3, 0, 1, 0, 0], &[Float32], "decimals in place of floats of 32 bits");
    refused(&[1, 0, 2, 0], &[Utf8], "texts that are cut off");
    refused(&[1, 5, 3, b'a'], &[Utf8], "texts that are cut off");
    refused(&[1, 0, 2, 0, 0xff], &[Utf8], "does not fit its schema");
    refused(&[1, 0x20], &[Int64], "does not fit its schema");
    refused(&[1, 1, 0, 0, 0], &[Int64], "bytes after the last column");
    refused(&[1, 0], &[DataType::Date64], "a narrow column of the type Date64");
    // a million records of a few bytes: too large together
    refused(&[0x80, 0x80, 0x40, 1, 0, 0, 1, 0, 0], &[decimal.clone(), decimal], "bytes");
    refused(&[0x80, 0x80, 0x40, 5, 40], &[Binary], "texts that are cut off");
    let prefix = [&[0x80, 0x80, 0x40, 5, 20][..], &[b'a'; 20], &[0, 0]].concat();
    refused(&prefix, &[Binary], "more than 16777216 bytes");
    assert!(matches!(decode(&prefix, &schema(&[Binary])).unwrap_err(), DecodeError::Bytes));
}
