use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int32Array, StringArray,
};
use arrow::array::{DictionaryArray, NullArray, TimestampMillisecondArray};
use arrow::datatypes::Int8Type;
use arrow::ipc::writer::StreamEncoder;

use super::*;

fn of(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true)))
        .unwrap()
}

fn sample() -> RecordBatch {
    let decimals = Decimal128Array::from(vec![Some(1), None, Some(-3)]);
    of(vec![
        ("i", Arc::new(Int32Array::from(vec![1, 2, 3]))),
        ("b", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("f", Arc::new(Float64Array::from(vec![0.5, f64::NAN, -0.0]))),
        ("s", Arc::new(StringArray::from(vec![Some("one"), None, Some("")]))),
        ("d", Arc::new(decimals.with_precision_and_scale(20, 3).unwrap())),
        ("t", Arc::new(TimestampMillisecondArray::from(vec![Some(1), None, Some(-1)]))),
    ])
}

/// Returns the bodies of a Schema and a Batch frame.
fn bodies(batch: &RecordBatch) -> (Vec<u8>, Vec<u8>) {
    let mut encoder = StreamEncoder::try_new(&batch.schema()).unwrap();
    let bytes: Vec<u8> =
        encoder.encode(batch).unwrap().iter().flat_map(|b| b.as_slice().to_vec()).collect();
    let metadata_bytes = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    let (schema, batch) = bytes.split_at(8 + metadata_bytes);
    (schema.to_vec(), batch.to_vec())
}

#[test]
fn round_trip() {
    let sample = sample();
    let (schema_body, batch_body) = bodies(&sample);
    let decoded = schema(&Buffer::from(schema_body)).unwrap();
    assert_eq!(decoded, sample.schema());
    let decoded = batch(&Buffer::from(batch_body), &decoded).unwrap();
    assert_eq!(decoded.column(4), sample.column(4));
    assert_eq!(decoded.num_rows(), 3);
}

#[test]
fn types_that_sift_does_not_send_are_refused() {
    let dictionary: DictionaryArray<Int8Type> = vec!["a", "b"].into_iter().collect();
    let columns: [ArrayRef; 2] = [Arc::new(NullArray::new(2)), Arc::new(dictionary)];
    for column in columns {
        let data_type = column.data_type().clone();
        let (schema_body, _) = bodies(&of(vec![("x", column)]));
        let error = schema(&Buffer::from(schema_body)).unwrap_err().to_string();
        assert!(error.contains("a column of the type"), "{data_type}: {error}");
    }
}

/// A small generator of the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % bound
    }
}

#[test]
fn damaged_bodies_never_panic() {
    let sample = sample();
    let (schema_body, batch_body) = bodies(&sample);
    let interesting = [0, 1, 0x7f, 0x80, 0xff];
    let mut random = Random(1);
    let mut accepted = 0;
    for _ in 0..60_000 {
        let of_schema = random.below(3) == 0;
        let mut body = if of_schema { schema_body.clone() } else { batch_body.clone() };
        for _ in 0..1 + random.below(3) {
            // mostly in the metadata, where damage does most
            let bytes = if random.below(4) == 0 { body.len() } else { body.len().min(400) };
            let at = random.below(bytes);
            let new = interesting[random.below(interesting.len())];
            match random.below(3) {
                0 => body[at] ^= 1 << random.below(8),
                1 => body[at] = new,
                _ => {
                    let end = body.len().min(at + 8);
                    body[at..end].fill(new);
                }
            }
        }
        if random.below(10) == 0 {
            body.truncate(random.below(body.len()));
        }
        if of_schema {
            // a damaged schema may be another good one, but never one that makes a batch panic
            if let Ok(schema) = schema(&Buffer::from(body)) {
                accepted += usize::from(batch(&Buffer::from(batch_body.clone()), &schema).is_ok());
            }
        } else {
            accepted += usize::from(batch(&Buffer::from(body), &sample.schema()).is_ok());
        }
    }
    assert!(accepted > 0);
}
