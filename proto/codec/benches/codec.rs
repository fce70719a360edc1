//! The encoder and the decoder beside their floors, which are copies of the same bytes, beside
//! general compression, and beside other forms of a batch.
//!
//! ```text
//! SIFT_BENCH_FILES=FILE.parquet,… cargo bench --workspace --bench codec
//! ```
//!
//! Each data set is one batch of 20,000 records; those of the Parquet files are the first ones, and
//! the variable may be missing. The throughput counts the bytes of the batch as Arrow, that of
//! compression the narrow bytes. The sizes are printed before.

#![expect(clippy::unwrap_used, reason = "a benchmark has nobody to tell an error")]

use std::fs::File;
use std::hint::black_box;
use std::io::{Write as _, stderr};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::CompressionType;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fastrand::Rng;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression as PageCompression, ZstdLevel};
use parquet::file::properties::WriterProperties;
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

/// The first records of a Parquet file, with its name.
fn of_file(path: &str) -> (String, RecordBatch) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let mut reader = reader.with_batch_size(RECORDS).build().unwrap();
    let name = Path::new(path).file_stem().unwrap().to_string_lossy().into_owned();
    (name, reader.next().unwrap().unwrap())
}

/// Another form of a batch.
struct Candidate {
    name: &'static str,
    encode: fn(&RecordBatch) -> Vec<u8>,
    decode: fn(Vec<u8>) -> RecordBatch,
}

const CANDIDATES: [Candidate; 5] = [
    Candidate { name: "Arrow's stream", encode: |batch| stream(batch, None), decode: of_stream },
    Candidate {
        name: "Arrow's stream with LZ4",
        encode: |batch| stream(batch, Some(CompressionType::LZ4_FRAME)),
        decode: of_stream,
    },
    Candidate {
        name: "Arrow's stream with Zstandard",
        encode: |batch| stream(batch, Some(CompressionType::ZSTD)),
        decode: of_stream,
    },
    Candidate {
        name: "Parquet",
        encode: |batch| parquet(batch, PageCompression::UNCOMPRESSED),
        decode: of_parquet,
    },
    Candidate {
        name: "Parquet with Zstandard 1",
        encode: |batch| parquet(batch, PageCompression::ZSTD(ZstdLevel::try_new(1).unwrap())),
        decode: of_parquet,
    },
];

fn stream(batch: &RecordBatch, compression: Option<CompressionType>) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let mut writer =
        StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn of_stream(bytes: Vec<u8>) -> RecordBatch {
    StreamReader::try_new(&bytes[..], None).unwrap().next().unwrap().unwrap()
}

fn parquet(batch: &RecordBatch, compression: PageCompression) -> Vec<u8> {
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn of_parquet(bytes: Vec<u8>) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap();
    reader.with_batch_size(RECORDS).build().unwrap().next().unwrap().unwrap()
}

fn forms(criterion: &mut Criterion) {
    let made = [("lineitem", lineitem()), ("texts", texts()), ("random", random())];
    let mut sets = made.map(|(name, batch)| (name.to_owned(), batch)).to_vec();
    let files = std::env::var("SIFT_BENCH_FILES").unwrap_or_default();
    sets.extend(files.split(',').filter(|path| path.ends_with(".parquet")).map(of_file));
    for (name, batch) in sets {
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
        for Candidate { name: other, encode, decode } in CANDIDATES {
            let encoded = encode(&batch);
            assert_eq!(decode(encoded.clone()), batch);
            let _ = writeln!(stderr(), "{name}: {} bytes as {other}", encoded.len());
            group.bench_function(format!("{other}, encode"), |bencher| {
                bencher.iter(|| encode(black_box(&batch)));
            });
            group.bench_function(format!("{other}, decode"), |bencher| {
                bencher.iter_with_setup(|| encoded.clone(), decode);
            });
        }
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
