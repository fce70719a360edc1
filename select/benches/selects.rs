//! Whole Selects over a fixed-length file in the page cache, beside their floor, the same bytes
//! read; and what it takes until a scan can start.
//! `cargo bench -p sift-select --bench selects`

#![expect(clippy::unwrap_used, reason = "a benchmark has nobody to tell an error")]

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sift_select::{Descriptor, Plan, Scan, ScanOptions, Select, Source};

const RECORDS: u32 = 500_000;
const RECORD_BYTES: u32 = 100;
const THREADS: usize = 2;

/// The columns that TPC-H's first query needs, and a text that it does not.
const FIELDS: [(&str, &str, u32); 8] = [
    ("flag", "type = \"text\"", 1),
    ("status", "type = \"text\"", 1),
    ("quantity", "type = \"digits\"\nscale = 2", 10),
    ("price", "type = \"digits\"\nscale = 2", 12),
    ("discount", "type = \"digits\"\nscale = 2", 4),
    ("tax", "type = \"digits\"\nscale = 2", 4),
    ("ship", "type = \"date\"", 8),
    ("comment", "type = \"text\"", 60),
];

const QUESTIONS: [(&str, &str); 6] = [
    ("count", "SELECT count(*) FROM 'f' WHERE ship <= DATE '1998-09-02'"),
    (
        "tpch_q1",
        "SELECT flag, status, sum(quantity), sum(price), sum(price * (1 - discount)), \
         sum(price * (1 - discount) * (1 + tax)), avg(quantity), avg(price), avg(discount), \
         count(*) FROM 'f' WHERE ship <= DATE '1998-09-02' GROUP BY flag, status ORDER BY 1, 2",
    ),
    ("group_many", "SELECT price, count(*) FROM 'f' GROUP BY price"),
    ("top_100", "SELECT * FROM 'f' ORDER BY price DESC LIMIT 100"),
    ("like", "SELECT count(*) FROM 'f' WHERE comment LIKE '%special%requests%'"),
    ("sort", "SELECT price, quantity FROM 'f' ORDER BY price, quantity"),
];

fn write_file(path: &Path) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..RECORDS {
        let (flag, status) = (random.choice(["A", "N", "R"]), random.choice(["F", "O"]));
        let (year, month, day) = (random.u32(1992..1999), random.u32(1..13), random.u32(1..29));
        write!(
            file,
            "{}{}{:010}{:012}{:04}{:04}{year}{month:02}{day:02}{:<60}",
            flag.unwrap(),
            status.unwrap(),
            random.u32(100..5001),
            random.u32(90_000..10_500_000),
            random.u32(0..11),
            random.u32(0..9),
            if random.u8(0..100) == 0 { "a special kind of requests" } else { "furiously even" },
        )
        .unwrap();
    }
    file.flush().unwrap();
}

fn source(path: &Path) -> Arc<Source> {
    let mut descriptor = format!("format = \"fixed\"\nrecord_length = {RECORD_BYTES}\n");
    let mut offset = 0;
    for (name, kind, bytes) in FIELDS {
        let place = format!("offset = {offset}\nlength = {bytes}");
        descriptor += &format!("[[field]]\nname = \"{name}\"\n{kind}\n{place}\n");
        offset += bytes;
    }
    assert_eq!(offset, RECORD_BYTES);
    let descriptor = Descriptor::parse("f.toml", &descriptor).unwrap();
    Arc::new(Source::open("f", File::open(path).unwrap(), Some(descriptor)).unwrap())
}

fn plan(sql: &str, source: &Arc<Source>) -> Plan {
    Plan::new(&Select::parse(sql).unwrap(), Arc::clone(source), &[]).unwrap()
}

fn selects(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    write_file(&path);
    let source = source(&path);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build().unwrap();

    let mut group = criterion.benchmark_group("selects");
    group.sample_size(10).throughput(Throughput::Bytes(source.bytes()));
    group.bench_function("floor: one thread reads", |bencher| {
        let file = File::open(&path).unwrap();
        let mut buffer = vec![0; 1 << 20];
        bencher.iter(|| {
            let mut at = 0;
            while at < source.bytes() {
                at += file.read_at(&mut buffer, at).unwrap() as u64;
                black_box(&buffer);
            }
        });
    });
    for (name, sql) in QUESTIONS {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let scan = Scan::new(plan(sql, &source), ScanOptions::default());
                pool.install(|| scan.collect()).unwrap()
            });
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("parse, bind and plan");
    for (name, sql) in QUESTIONS {
        group.bench_function(name, |bencher| bencher.iter(|| plan(black_box(sql), &source)));
    }
    group.finish();
}

criterion_group!(benches, selects);
criterion_main!(benches);
