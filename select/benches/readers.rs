//! Measures the byte-level readers beside their floor: the same bytes read and one field compared,
//! without our work. `cargo bench -p sift-select --bench readers`

#![expect(clippy::unwrap_used, reason = "a benchmark has nobody to tell an error")]

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Date32Type, Int64Type};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sift_select::{Descriptor, Source, bench};

const RECORDS: u32 = 1_000_000;
const RECORD_BYTES: usize = 160;
const BLOCK_BYTES: usize = 256 << 10;
const THREADS: usize = 2;

const DESCRIPTOR: &str = r#"
format = "fixed"
record_length = 159
terminator = "lf"
[[field]]
name = "key"
type = "digits"
offset = 0
length = 10
[[field]]
name = "ship"
type = "date"
offset = 51
length = 8
"#;

fn readers(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    fixed(criterion, folder.path());
    csv(criterion, folder.path());
    jsonl(criterion, folder.path());
}

fn fixed(criterion: &mut Criterion, folder: &Path) {
    let path = folder.join("t.dat");
    write(&path, |key, day| format!("{key:010}{:41}{day}{:100}\n", "", ""));
    let file = File::open(&path).unwrap();
    let descriptor = Descriptor::parse("t.dat.toml", DESCRIPTOR).unwrap();
    let source = File::open(&path).unwrap();
    let source = Arc::new(Source::open("t.dat", source, Some(descriptor)).unwrap());
    let mut group = criterion.benchmark_group("fixed");
    group.sample_size(20).throughput(Throughput::Bytes(source.bytes()));
    let expected = floor(&file, b"19950101");
    assert_eq!(bench::decode(&source, 1, THREADS, dates).unwrap(), expected);
    group.bench_function("floor", |b| b.iter(|| floor(&file, b"19950101")));
    group.bench_function("date", |b| b.iter(|| bench::decode(&source, 1, THREADS, dates)));
    group.bench_function("digits", |b| b.iter(|| bench::decode(&source, 0, THREADS, keys)));
    group.finish();
}

fn csv(criterion: &mut Criterion, folder: &Path) {
    let path = folder.join("t.csv");
    write(&path, |key, day| {
        let (year, month, day) = (&day[..4], &day[4..6], &day[6..]);
        let date = format!("{year}-{month}-{day}");
        format!(
            "{key},15519,785,1,17.00,24386.67,0.04,0.02,N,O,{date},1996-02-12,1996-03-22,DELIVER IN PERSON,TRUCK,egular courts above the\n"
        )
    });
    let text = std::fs::read(&path).unwrap();
    let source = Arc::new(Source::open("t.csv", File::open(&path).unwrap(), None).unwrap());
    let mut group = criterion.benchmark_group("csv");
    group.sample_size(20).throughput(Throughput::Bytes(source.bytes()));
    group.bench_function("structure, one thread", |b| {
        b.iter(|| bench::structure(&text, BLOCK_BYTES));
    });
    group.bench_function("date", |b| b.iter(|| bench::decode(&source, 10, THREADS, dates)));
    group.bench_function("integer", |b| b.iter(|| bench::decode(&source, 0, THREADS, keys)));
    group.finish();
}

/// Measures JSON Lines as `csv` does CSV, beside reading the bytes and finding their line feeds.
fn jsonl(criterion: &mut Criterion, folder: &Path) {
    let path = folder.join("t.jsonl");
    write(&path, |key, day| {
        let (year, month, day) = (&day[..4], &day[4..6], &day[6..]);
        let date = format!("{year}-{month}-{day}");
        format!(
            "{{\"l_orderkey\":{key},\"l_partkey\":15519,\"l_suppkey\":785,\"l_linenumber\":1,\"l_quantity\":17.00,\"l_extendedprice\":24386.67,\"l_discount\":0.04,\"l_tax\":0.02,\"l_returnflag\":\"N\",\"l_linestatus\":\"O\",\"l_shipdate\":\"{date}\",\"l_commitdate\":\"1996-02-12\",\"l_receiptdate\":\"1996-03-22\",\"l_shipinstruct\":\"DELIVER IN PERSON\",\"l_shipmode\":\"TRUCK\",\"l_comment\":\"egular courts above the\"}}\n"
        )
    });
    let source = Arc::new(Source::open("t.jsonl", File::open(&path).unwrap(), None).unwrap());
    let file = File::open(&path).unwrap();
    let mut group = criterion.benchmark_group("jsonl");
    group.sample_size(10).throughput(Throughput::Bytes(source.bytes()));
    assert_eq!(lines(&file, source.bytes()), u64::from(RECORDS));
    group.bench_function("floor", |b| b.iter(|| lines(&file, source.bytes())));
    group.bench_function("date", |b| b.iter(|| bench::decode(&source, 10, THREADS, dates)));
    group.bench_function("integer", |b| b.iter(|| bench::decode(&source, 0, THREADS, keys)));
    group.finish();
}

/// Reads everything and counts the line feeds.
fn lines(file: &File, file_bytes: u64) -> u64 {
    let (next, sum) = (AtomicU64::new(0), AtomicU64::new(0));
    let blocks = file_bytes.div_ceil(BLOCK_BYTES as u64);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut buffer = vec![0; BLOCK_BYTES];
                loop {
                    let block = next.fetch_add(1, Ordering::Relaxed);
                    if block >= blocks {
                        return;
                    }
                    let start = block * BLOCK_BYTES as u64;
                    let left = usize::try_from(file_bytes - start).unwrap();
                    let bytes = &mut buffer[..left.min(BLOCK_BYTES)];
                    file.read_exact_at(bytes, start).unwrap();
                    let found = memchr::memchr_iter(b'\n', bytes).count();
                    sum.fetch_add(found as u64, Ordering::Relaxed);
                }
            });
        }
    });
    sum.into_inner()
}

/// Writes records with a key and a day, YYYYMMDD.
fn write(path: &Path, record: impl Fn(u32, &str) -> String) {
    let mut file = std::io::BufWriter::new(File::create(path).unwrap());
    if path.extension().is_some_and(|extension| extension == "csv") {
        writeln!(file, "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p").unwrap();
    }
    let mut random = fastrand::Rng::with_seed(1);
    for key in 0..RECORDS {
        let day =
            format!("{}{:02}{:02}", random.u32(1992..1999), random.u32(1..13), random.u32(1..29));
        file.write_all(record(key, &day).as_bytes()).unwrap();
    }
    file.flush().unwrap();
}

/// The date 1995-01-01.
const DAY: i32 = 9131;

fn dates(array: &ArrayRef) -> u64 {
    let days = array.as_primitive::<Date32Type>().values();
    days.iter().map(|&day| u64::from(day < DAY)).sum()
}

fn keys(array: &ArrayRef) -> u64 {
    let keys = array.as_primitive::<Int64Type>().values();
    keys.iter().map(|&key| u64::from(key < 1000)).sum()
}

/// Reads everything and compares the day of each record.
fn floor(file: &File, day: &[u8; 8]) -> u64 {
    let (next, sum) = (AtomicU64::new(0), AtomicU64::new(0));
    let records = BLOCK_BYTES / RECORD_BYTES;
    let blocks = u64::from(RECORDS).div_ceil(records as u64);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut buffer = vec![0; records * RECORD_BYTES];
                loop {
                    let block = next.fetch_add(1, Ordering::Relaxed);
                    if block >= blocks {
                        return;
                    }
                    let first = block * records as u64;
                    let left = usize::try_from(u64::from(RECORDS) - first).unwrap();
                    let records = left.min(records);
                    let bytes = &mut buffer[..records * RECORD_BYTES];
                    file.read_exact_at(bytes, first * RECORD_BYTES as u64).unwrap();
                    let below = bytes.chunks_exact(RECORD_BYTES).filter(|r| r[51..59] < day[..]);
                    sum.fetch_add(below.count() as u64, Ordering::Relaxed);
                }
            });
        }
    });
    sum.into_inner()
}

criterion_group!(benches, readers);
criterion_main!(benches);
