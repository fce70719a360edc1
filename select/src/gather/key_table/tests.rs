use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int8Array, Int16Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
    UInt32Array,
};
use arrow::compute::concat;

use super::KeyTable;
use super::packed::words_of;

/// Interns `keys` twice, the second time in several batches: equal keys have one number, and the
/// values of the numbers are the keys.
fn check(words: Option<usize>, keys: &[ArrayRef], expected: &[u32]) {
    let types: Vec<_> = keys.iter().map(|column| column.data_type().clone()).collect();
    assert_eq!(words_of(&types), words, "{types:?}");
    let mut table = KeyTable::new(types).unwrap();
    let mut numbers = Vec::new();
    table.intern(keys.to_vec(), &mut numbers).unwrap();
    assert_eq!(numbers, expected, "{keys:?}");
    numbers.clear();
    for row in 0..expected.len() {
        let piece = keys.iter().map(|column| column.slice(row, 1)).collect();
        table.intern(piece, &mut numbers).unwrap();
    }
    assert_eq!(numbers, expected, "{keys:?}");
    assert_eq!(table.len(), expected.iter().max().map_or(0, |last| *last as usize + 1));
    let values = table.columns(expected).unwrap();
    assert_eq!(values.len(), keys.len());
    for (column, values) in keys.iter().zip(values) {
        assert_eq!(column.as_ref(), values.as_ref());
    }
}

fn array(values: impl Array + 'static) -> ArrayRef {
    Arc::new(values)
}

#[test]
fn values_of_every_type_and_null_are_keys() {
    let three = [0, 1, 2, 1, 0, 2];
    macro_rules! check_type {
        ($words:expr, $array:ty, $one:expr, $other:expr) => {
            let values = vec![Some($one), None, Some($other), None, Some($one), Some($other)];
            check($words, &[array(<$array>::from(values))], &three);
        };
    }
    check_type!(Some(1), BooleanArray, true, false);
    check_type!(Some(1), Int8Array, i8::MIN, -1);
    check_type!(Some(1), Int16Array, i16::MIN, i16::MAX);
    check_type!(Some(1), Int32Array, i32::MIN, -1);
    check_type!(Some(1), UInt32Array, 0, u32::MAX);
    check_type!(Some(1), Date32Array, i32::MIN, 0);
    check_type!(Some(1), Float32Array, f32::NEG_INFINITY, 0.0);
    check_type!(Some(2), Float64Array, f64::MIN, 0.0);
    check_type!(Some(2), Int64Array, 0, i64::MIN);
    check_type!(Some(2), TimestampMicrosecondArray, -1, i64::MAX);
    check_type!(Some(1), StringArray, "", "a text that is not a word");
    check_type!(Some(1), StringArray, "sevenby", "eightbyt");
    let decimal = |precision, digits: i128| {
        let values = vec![Some(digits), None, Some(-digits), None, Some(digits), Some(-digits)];
        array(Decimal128Array::from(values).with_precision_and_scale(precision, 2).unwrap())
    };
    check(Some(1), &[decimal(18, 999_999_999_999_999_999)], &three);
    check(None, &[decimal(38, i128::pow(10, 37))], &three);
}

#[test]
fn columns_are_keys_together() {
    let texts = array(StringArray::from(vec![Some("a"), Some("b"), None, Some("a"), Some("b")]));
    let numbers = array(Int64Array::from(vec![Some(0), None, Some(0), Some(0), Some(0)]));
    check(Some(3), &[Arc::clone(&texts), Arc::clone(&numbers)], &[0, 1, 2, 0, 3]);
    check(Some(3), &[numbers.clone(), numbers.clone()], &[0, 1, 0, 0, 0]);
    check(Some(4), &[texts.clone(), texts.clone(), texts.clone(), texts.clone()], &[0, 1, 2, 0, 1]);
    let many = vec![numbers.clone(); 4];
    check(None, &many, &[0, 1, 0, 0, 0]);
}

#[test]
fn a_short_text_is_none_that_zeros_end() {
    let texts =
        array(StringArray::from(vec!["a", "a\0", "", "\0", "a\0\0\0\0\0\0", "a\0\0\0\0\0\0\0"]));
    check(Some(1), &[texts], &[0, 1, 2, 3, 4, 5]);
}

#[test]
fn many_keys_keep_their_numbers() {
    let keys: ArrayRef = array(Int64Array::from_iter_values((0..50_000).map(|key| key * 64)));
    let texts = (0..50_000).map(|key| Some(format!("key number {key}")));
    let texts = array(texts.collect::<StringArray>());
    let expected: Vec<u32> = (0..50_000).chain(0..50_000).collect();
    let twice = |keys: &ArrayRef| concat(&[keys, keys]).unwrap();
    check(Some(2), &[twice(&keys)], &expected);
    check(Some(1), &[twice(&texts)], &expected);
}

/// A number with more digits than its type has is neither another key nor NULL.
#[test]
fn digits_that_a_decimal_cannot_have_are_an_error() {
    for digits in [i128::from(i64::MIN), i128::from(i64::MAX) + 1, i128::MIN] {
        let values = Decimal128Array::from(vec![Some(1), Some(digits)]);
        let values = values.with_precision_and_scale(18, 2).unwrap();
        let mut table = KeyTable::new([values.data_type().clone()]).unwrap();
        let error = table.intern(vec![array(values)], &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("has more than 18 digits"), "{error}");
    }
}
