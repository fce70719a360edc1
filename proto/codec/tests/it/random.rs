//! Random batches survive, whole and in slices; random bytes are refused or are a batch.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int8Array, Int16Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
    TimestampSecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::record_batch::RecordBatch;
use fastrand::Rng;
use sift_codec::property::{batch_survives, bytes_are_a_batch_or_refused};
use sift_codec::{decode, encode};

/// A random integer of one of many distributions, which one column has.
fn integers(random: &mut Rng) -> impl FnMut(&mut Rng) -> i128 + use<> {
    let (kind, base, mut last) = (random.u8(0..8), random.i64(..), 0_i128);
    let bits = random.u32(0..128);
    let base = i128::from(if random.bool() { base } else { base % 1000 });
    move |random| match kind {
        0 => base,
        1 => base + i128::from(random.u8(0..3)),
        2 => base + i128::from(random.u64(..) >> random.u32(bits % 60..64)),
        3 => i128::from(random.i64(..)),
        4 => random.i128(..) >> bits,
        5 => {
            last += i128::from(random.u32(..) >> (bits % 32));
            base + last
        }
        6 => [i128::MIN, i128::MAX, 0, -1, i64::MIN.into(), i64::MAX.into()][random.usize(0..6)],
        _ => base + i128::from(random.u8(0..200)) * (1 << (bits % 60)),
    }
}

fn floats(random: &mut Rng) -> impl FnMut(&mut Rng) -> f64 + use<> {
    let (kind, digits) = (random.u8(0..5), random.i32(0..8));
    let odd = [0.0, -0.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, f64::MAX, -1e300];
    move |random| {
        let integer = f64::from(random.i32(-5000..5000));
        match kind {
            0 => integer / 10_f64.powi(digits),
            1 => f64::from_bits(random.u64(..)),
            2 => f64::from(random.u8(0..9)) * 0.1,
            3 if random.u8(0..50) == 0 => odd[random.usize(0..odd.len())],
            3 => integer / 100.0,
            _ => odd[random.usize(0..odd.len())],
        }
    }
}

fn texts(random: &mut Rng) -> impl FnMut(&mut Rng) -> String + use<> {
    let (kind, longest, distinct) =
        (random.u8(0..6), random.usize(0..40), [1, 3, 100, 300, 9000][random.usize(0..5)]);
    let any = |random: &mut Rng, longest| -> String {
        let bytes = random.usize(0..=longest);
        std::iter::repeat_with(|| random.char(..)).take(bytes).collect()
    };
    let known: Vec<String> = (0..distinct).map(|_| any(random, longest)).collect();
    move |random| match kind {
        0 => any(random, longest),
        1 | 2 => known[random.usize(0..known.len())].clone(),
        3 => format!("Customer#{:09}", random.u32(..)),
        4 => format!("the same prefix{}", any(random, 5)),
        _ => String::new(),
    }
}

fn column(random: &mut Rng, records: usize) -> ArrayRef {
    let nulls_percent = [0, 0, 3, 50, 100][random.usize(0..5)];
    let is_null = |random: &mut Rng| random.u8(0..100) < nulls_percent;
    macro_rules! integers {
        ($array:ty, $native:ty) => {{
            let mut next = integers(random);
            let values = (0..records).map(|_| (!is_null(random)).then(|| next(random) as $native));
            Arc::new(values.collect::<$array>())
        }};
    }
    match random.u8(0..17) {
        0 => integers!(Int8Array, i8),
        1 => integers!(Int16Array, i16),
        2 => integers!(Int32Array, i32),
        3 => integers!(Int64Array, i64),
        4 => integers!(UInt8Array, u8),
        5 => integers!(UInt16Array, u16),
        6 => integers!(UInt32Array, u32),
        7 => integers!(UInt64Array, u64),
        8 => integers!(Date32Array, i32),
        9 => integers!(TimestampMicrosecondArray, i64),
        10 => integers!(TimestampSecondArray, i64),
        11 => {
            let array = integers!(Decimal128Array, i128);
            Arc::new(Decimal128Array::clone(&array).with_precision_and_scale(38, 2).unwrap())
        }
        12 => {
            let mut next = floats(random);
            let values = (0..records).map(|_| (!is_null(random)).then(|| next(random)));
            Arc::new(values.collect::<Float64Array>())
        }
        13 => {
            let mut next = floats(random);
            let values = (0..records).map(|_| (!is_null(random)).then(|| next(random) as f32));
            Arc::new(values.collect::<Float32Array>())
        }
        14 => {
            let likely = random.u8(0..=100);
            let values =
                (0..records).map(|_| (!is_null(random)).then(|| random.u8(0..100) < likely));
            Arc::new(values.collect::<BooleanArray>())
        }
        15 => {
            let mut next = texts(random);
            let values = (0..records).map(|_| (!is_null(random)).then(|| next(random)));
            Arc::new(values.collect::<StringArray>())
        }
        _ => {
            let mut next = texts(random);
            let values =
                (0..records).map(|_| (!is_null(random)).then(|| next(random).into_bytes()));
            Arc::new(values.collect::<BinaryArray>())
        }
    }
}

fn batch(random: &mut Rng) -> RecordBatch {
    let records = [0, 1, 2, 7, 31, 32, 33, 64, 300, 2000][random.usize(0..10)];
    let columns: Vec<_> = (0..random.usize(1..6))
        .map(|index| (format!("c{index}"), column(random, records), true))
        .collect();
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

#[test]
fn batches_survive() {
    let mut random = Rng::with_seed(1);
    for _ in 0..3000 {
        let batch = batch(&mut random);
        batch_survives(&batch);
        let start = random.usize(0..=batch.num_rows());
        batch_survives(&batch.slice(start, random.usize(0..=batch.num_rows() - start)));
    }
}

#[test]
fn what_stands_under_a_null_does_not_leave() {
    let mut random = Rng::with_seed(2);
    for _ in 0..500 {
        let batch = batch(&mut random);
        let mut bytes = Vec::new();
        encode(&batch, &mut bytes).unwrap();
        let shown = decode(&bytes, &batch.schema()).unwrap();
        // the decoded batch has nothing under its NULLs, and it is written in the same bytes
        let mut again = Vec::new();
        encode(&shown, &mut again).unwrap();
        assert_eq!(again, bytes);
    }
}

#[test]
fn bytes_of_an_enemy_are_refused_or_a_batch() {
    let mut random = Rng::with_seed(3);
    for _ in 0..3000 {
        let batch = batch(&mut random);
        let mut bytes = Vec::new();
        encode(&batch, &mut bytes).unwrap();
        for _ in 0..4 {
            let mut changed = bytes.clone();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(0..changed.len());
                match random.u8(0..4) {
                    0 => changed.truncate(at.max(1)),
                    1 => changed.insert(at, random.u8(..)),
                    2 => changed[at] ^= 1 << random.u8(0..8),
                    _ => changed[at] = random.u8(..),
                }
            }
            bytes_are_a_batch_or_refused(&changed, &batch.schema());
        }
        let noise: Vec<u8> = (0..random.usize(0..60)).map(|_| random.u8(0..40)).collect();
        bytes_are_a_batch_or_refused(&noise, &batch.schema());
    }
}
