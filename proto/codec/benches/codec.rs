//! The encoder and the decoder beside their floors: copies of the same bytes, and general
//! compression.
//!
//! ```text
//! cargo bench --workspace --bench codec
//! ```
//!
//! Each data set is one batch of 20,000 records. The throughput counts the bytes of the batch as
//! Arrow, that of compression the narrow bytes. The sizes are printed before.

#![expect(clippy::unwrap_used, reason = "a benchmark has nobody to tell an error")]

use std::hint::black_box;
use std::io::{Write as _, stderr};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fastrand::Rng;
use sift_codec::{arrow_bytes, decode, encode};
use sift_proto::frame::{Compression, HEADER_BYTES, compress};
use tpchgen::generators::LineItemGenerator;
use tpchgen_arrow::LineItemArrow;

const RECORDS: usize = 20_000;

/// Records of TPC-H lineitem, with texts of the type that Sift sends.
fn lineitem() -> RecordBatch {
    let generator = LineItemGenerator::new(0.01, 1, 1);
    let mut batches = LineItemArrow::new(generator).with_batch_size(RECORDS);
    let batch = batches.next().unwrap().unwrap();
    let plain = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8View => Field::new(field.name(), DataType::Utf8, field.is_nullable()),
        _ => field.as_ref().clone(),
    };
    let fields: Vec<Field> = batch.schema().fields().iter().map(plain).collect();
    let columns = batch.columns().iter().zip(&fields);
    let columns = columns.map(|(column, field)| cast(column, field.data_type()).unwrap());
    let columns = columns.collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn named(columns: Vec<ArrayRef>) -> RecordBatch {
    let name = |(index, column)| (format!("c{index}"), column);
    RecordBatch::try_from_iter(columns.into_iter().enumerate().map(name)).unwrap()
}

/// Twelve columns of texts: names with a common start, words of many numbers, sentences.
fn texts() -> RecordBatch {
    let mut random = Rng::with_seed(1);
    let words = ["north", "south", "an order", "returned", "the customer", "paid", "late", "in"];
    let mut column = |kind: usize| -> ArrayRef {
        let mut text = || match kind % 4 {
            0 => format!("Customer#{:09}", random.u32(0..1_000_000)),
            1 => words[random.usize(0..words.len())].to_owned(),
            2 => format!("{:x}", random.u64(..)),
            _ => (0..random.usize(1..9))
                .map(|_| words[random.usize(0..words.len())])
                .collect::<Vec<_>>()
                .join(" "),
        };
        Arc::new(StringArray::from_iter_values((0..RECORDS).map(|_| text())))
    };
    named((0..12).map(&mut column).collect())
}

/// Random integers and floats, which have no smaller form.
fn random() -> RecordBatch {
    let mut random = Rng::with_seed(2);
    let mut columns: Vec<ArrayRef> = Vec::new();
    for _ in 0..6 {
        let integers = (0..RECORDS).map(|_| random.i64(..));
        columns.push(Arc::new(Int64Array::from_iter_values(integers)));
        let floats = (0..RECORDS).map(|_| random.f64());
        columns.push(Arc::new(Float64Array::from_iter_values(floats)));
    }
    named(columns)
}

fn forms(criterion: &mut Criterion) {
    for (name, batch) in [("lineitem", lineitem()), ("texts", texts()), ("random", random())] {
        let bytes = arrow_bytes(&batch);
        let mut narrow = vec![0; HEADER_BYTES];
        encode(&batch, &mut narrow).unwrap();
        let flat = flat(&batch);
        let sizes = [Compression::Lz4, Compression::Zstd(1), Compression::Zstd(3)].map(|kind| {
            let size = |frame: &Vec<u8>| compress(kind, frame).map_or(frame.len(), |to| to.len());
            (size(&narrow), size(&flat))
        });
        let _ = writeln!(
            stderr(),
            "{name}: {bytes} bytes as Arrow, {} narrow; (narrow, Arrow) by LZ4 {:?}, Zstandard 1 \
             {:?}, 3 {:?}",
            narrow.len(),
            sizes[0],
            sizes[1],
            sizes[2]
        );
        let mut group = criterion.benchmark_group(format!("codec/{name}"));
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function("floor: copy", |bencher| bencher.iter(|| flat.clone()));
        group.bench_function("encode", |bencher| {
            bencher.iter(|| {
                let mut out = Vec::new();
                encode(black_box(&batch), &mut out).unwrap();
                out
            });
        });
        group.bench_function("decode", |bencher| {
            bencher.iter(|| decode(black_box(&narrow[HEADER_BYTES..]), &batch.schema()).unwrap());
        });
        group.throughput(Throughput::Bytes(narrow.len() as u64));
        for (kind, title) in [
            (Compression::Lz4, "LZ4 of narrow"),
            (Compression::Zstd(1), "Zstandard 1 of narrow"),
            (Compression::Zstd(3), "Zstandard 3 of narrow"),
        ] {
            group.bench_function(title, |bencher| bencher.iter(|| compress(kind, &narrow)));
        }
        group.finish();
    }
}

/// Returns the buffers of a batch after the room for a header.
fn flat(batch: &RecordBatch) -> Vec<u8> {
    let mut flat = vec![0; HEADER_BYTES];
    for column in batch.columns() {
        for buffer in column.to_data().buffers() {
            flat.extend_from_slice(buffer);
        }
    }
    flat
}

criterion_group!(benches, forms);
criterion_main!(benches);
