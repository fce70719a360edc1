use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeBinaryArray, Int64Array, ListArray, MapArray, RecordBatch, StringArray,
    StructArray, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use fastrand::Rng;

/// The deepest nesting of structs.
const DEPTH_MAX: usize = 4;

/// Makes records of random nested columns; the first column numbers them.
pub(super) fn batch(random: &mut Rng) -> RecordBatch {
    let rows = match random.u8(0..10) {
        0 => random.usize(9_000..14_000),
        1..4 => random.usize(1..20),
        _ => random.usize(20..600),
    };
    let mut fields = vec![Field::new("id", DataType::Int64, false)];
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(Int64Array::from_iter_values(
        (0..i64::try_from(rows).expect("few rows")).map(|row| row * 3),
    ))];
    for column in 0..random.usize(1..4) {
        let (field, array) = node(&format!("c{column}"), rows, DEPTH_MAX, random);
        fields.push(field);
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("columns of one length")
}

/// Makes a column: a struct, a list, a map, or values.
fn node(name: &str, rows: usize, depth: usize, random: &mut Rng) -> (Field, ArrayRef) {
    let nulls = nulls(rows, random);
    let array = match random.u8(0..10) {
        0 => list(rows, nulls.clone(), random),
        1 => map(rows, nulls.clone(), random),
        2..8 if depth > 0 => {
            let children = (0..random.usize(1..4)).map(|child| {
                let name = format!("{}{child}", ["f", "G", "h i"][random.usize(0..3)]);
                node(&name, rows, depth - 1, random)
            });
            let (fields, arrays): (Vec<_>, Vec<_>) = children.collect();
            let fields = Fields::from(fields);
            Arc::new(StructArray::try_new(fields, arrays, nulls.clone()).expect("a struct"))
        }
        _ => leaf(rows, nulls.clone(), random),
    };
    let nullable = nulls.is_some() || random.bool();
    (Field::new(name, array.data_type().clone(), nullable), array)
}

/// Chooses the records that have a value: often all, and often none for many in a row.
fn nulls(rows: usize, random: &mut Rng) -> Option<NullBuffer> {
    let run = [1, 1, 7, 500][random.usize(0..4)];
    let of_ten = match random.u8(0..6) {
        0..3 => return None,
        3 => 1,
        4 => 5,
        _ => 9,
    };
    let mut is_valid = true;
    let valid = (0..rows).map(|row| {
        if row % run == 0 {
            is_valid = random.u8(0..10) >= of_ten;
        }
        is_valid
    });
    Some(valid.collect::<Vec<_>>().into())
}

fn types() -> Vec<DataType> {
    use DataType::{
        Binary, Boolean, Date32, Decimal128, FixedSizeBinary, Float16, Float32, Float64, Int8,
        Int16, Int32, Int64, LargeUtf8, Timestamp, UInt8, UInt16, UInt32, UInt64, Utf8, Utf8View,
    };
    vec![
        Boolean,
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float16,
        Float32,
        Float64,
        Utf8,
        LargeUtf8,
        Utf8View,
        DataType::Dictionary(Int32.into(), Utf8.into()),
        Binary,
        FixedSizeBinary(5),
        Date32,
        Timestamp(TimeUnit::Millisecond, None),
        Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Timestamp(TimeUnit::Nanosecond, None),
        Decimal128(7, 2),
        Decimal128(17, 3),
        Decimal128(38, 4),
    ]
}

/// Makes values that mostly ascend, so that statistics prune some. The memory under a NULL has some
/// other value.
fn leaf(rows: usize, nulls: Option<NullBuffer>, random: &mut Rng) -> ArrayRef {
    let types = types();
    let data_type = &types[random.usize(0..types.len())];
    let (scale, noise) = ([1, 20, 120][random.usize(0..3)], random.i64(1..8));
    let numbers = 0..i64::try_from(rows).expect("few rows");
    let numbers: Vec<i64> = numbers.map(|row| row / scale % 120 + random.i64(0..noise)).collect();
    let numbers = |nulls| Arc::new(Int64Array::new(numbers.clone().into(), nulls)) as ArrayRef;
    let with = |array: &ArrayRef, to: &DataType| cast(array, to).expect("a value of the type");
    match data_type {
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            let micros = with(&numbers(nulls), &DataType::Timestamp(TimeUnit::Microsecond, None));
            with(&micros, data_type)
        }
        DataType::Boolean | DataType::Float16 => {
            with(&with(&numbers(nulls), &DataType::Float32), data_type)
        }
        DataType::Date32 => with(&with(&numbers(nulls), &DataType::Int32), data_type),
        DataType::FixedSizeBinary(length) => {
            let texts = texts(&numbers(nulls));
            let values = texts.iter();
            let values = FixedSizeBinaryArray::try_from_sparse_iter_with_size(values, *length);
            Arc::new(values.expect("values of five bytes"))
        }
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Dictionary(..)
        | DataType::Binary => {
            let texts: ArrayRef = Arc::new(texts(&numbers(nulls)));
            with(&texts, data_type)
        }
        _ => with(&numbers(nulls), data_type),
    }
}

/// Converts numbers to texts with the same order.
fn texts(numbers: &ArrayRef) -> StringArray {
    let texts = cast(numbers, &DataType::Utf8).expect("texts");
    let texts = texts.as_any().downcast_ref::<StringArray>().expect("texts");
    // texts of five bytes
    texts.iter().map(|text| text.map(|text| format!("{text:0>3}é"))).collect()
}

fn offsets(rows: usize, random: &mut Rng) -> OffsetBuffer<i32> {
    OffsetBuffer::from_lengths((0..rows).map(|_| random.usize(0..3)))
}

fn list(rows: usize, nulls: Option<NullBuffer>, random: &mut Rng) -> ArrayRef {
    let offsets = offsets(rows, random);
    let length = usize::try_from(*offsets.last().expect("an end")).expect("a length");
    let (item, values) = node("item", length, 0, random);
    Arc::new(ListArray::try_new(item.into(), offsets, values, nulls).expect("a list"))
}

fn map(rows: usize, nulls: Option<NullBuffer>, random: &mut Rng) -> ArrayRef {
    let offsets = offsets(rows, random);
    let length = usize::try_from(*offsets.last().expect("an end")).expect("a length");
    let keys: ArrayRef =
        Arc::new(Int64Array::from_iter_values(0..i64::from(*offsets.last().expect("an end"))));
    let fields = Fields::from(vec![
        Field::new("keys", DataType::Int64, false),
        Field::new("values", DataType::Int32, true),
    ]);
    let values = new_null_array(&DataType::Int32, length);
    let entries = StructArray::new(fields.clone(), vec![keys, values], None);
    let field = Field::new("entries", DataType::Struct(fields), false);
    Arc::new(MapArray::try_new(field.into(), offsets, entries, nulls, false).expect("a map"))
}
