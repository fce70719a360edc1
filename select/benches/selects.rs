//! Measures whole Selects over one table as fixed-length records, as Arrow and as Parquet, in the
//! page cache, beside their floor, the same bytes read; and the time until a scan can start. `cargo
//! bench -p sift-select --bench selects`; `SIFT_BENCH_FILES` names files with TPC-H's `lineitem` to
//! use instead of the generated table, with a descriptor beside them.

#![expect(clippy::unwrap_used, reason = "a benchmark has nobody to tell an error")]

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::ipc::writer::FileWriter;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use sift_select::{Descriptor, Plan, Scan, ScanOptions, Select, Source};

const RECORDS: u32 = 500_000;
const RECORD_BYTES: u32 = 110;
const THREADS: usize = 2;

/// The columns of `lineitem` that the questions need, in the order of the file.
const FIELDS: [(&str, &str, u32); 9] = [
    ("l_orderkey", "type = \"digits\"", 10),
    ("l_returnflag", "type = \"text\"", 1),
    ("l_linestatus", "type = \"text\"", 1),
    ("l_quantity", "type = \"digits\"\nscale = 2", 10),
    ("l_extendedprice", "type = \"digits\"\nscale = 2", 12),
    ("l_discount", "type = \"digits\"\nscale = 2", 4),
    ("l_tax", "type = \"digits\"\nscale = 2", 4),
    ("l_shipdate", "type = \"date\"", 8),
    ("l_comment", "type = \"text\"", 60),
];

const QUESTIONS: [(&str, &str); 9] = [
    ("count", "SELECT count(*) FROM 'f' WHERE l_shipdate <= DATE '1998-09-02'"),
    (
        "tpch_q1",
        "SELECT l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice), \
         sum(l_extendedprice * (1 - l_discount)), \
         sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)), avg(l_quantity), \
         avg(l_extendedprice), avg(l_discount), count(*) FROM 'f' \
         WHERE l_shipdate <= DATE '1998-09-02' \
         GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus",
    ),
    (
        "tpch_q6",
        "SELECT sum(l_extendedprice * l_discount) FROM 'f' \
         WHERE l_shipdate >= DATE '1994-01-01' AND l_shipdate < DATE '1995-01-01' \
         AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24",
    ),
    ("group_many", "SELECT l_orderkey, count(*) FROM 'f' GROUP BY l_orderkey"),
    ("top_100", "SELECT * FROM 'f' ORDER BY l_extendedprice DESC LIMIT 100"),
    ("like", "SELECT count(*) FROM 'f' WHERE l_comment LIKE '%special%requests%'"),
    ("1_percent", "SELECT * FROM 'f' WHERE l_orderkey % 100 = 0"),
    ("one_order", "SELECT * FROM 'f' WHERE l_orderkey = 100001"),
    ("sort", "SELECT l_extendedprice, l_quantity FROM 'f' ORDER BY l_extendedprice, l_quantity"),
];

fn write_fixed(path: &Path) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    let mut random = fastrand::Rng::with_seed(7);
    for record in 0..RECORDS {
        let (flag, status) = (random.choice(["A", "N", "R"]), random.choice(["F", "O"]));
        let (year, month, day) = (random.u32(1992..1999), random.u32(1..13), random.u32(1..29));
        write!(
            file,
            "{:010}{}{}{:010}{:012}{:04}{:04}{year}{month:02}{day:02}{:<60}",
            record / 4,
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
    let mut descriptor = format!("format = \"fixed\"\nrecord_length = {RECORD_BYTES}\n");
    let mut offset = 0;
    for (name, kind, bytes) in FIELDS {
        let place = format!("offset = {offset}\nlength = {bytes}");
        descriptor += &format!("[[field]]\nname = \"{name}\"\n{kind}\n{place}\n");
        offset += bytes;
    }
    assert_eq!(offset, RECORD_BYTES);
    std::fs::write(path.with_added_extension("toml"), descriptor).unwrap();
}

/// Writes the table in three formats.
fn write_files(folder: &Path) -> Vec<PathBuf> {
    let [fixed, arrow, parquet] = ["dat", "arrow", "parquet"].map(|ending| {
        let name = folder.join("lineitem");
        name.with_extension(ending)
    });
    write_fixed(&fixed);
    let plan = plan("SELECT * FROM 'f'", &open(&fixed));
    let mut arrow_writer =
        FileWriter::try_new(File::create(&arrow).unwrap(), plan.schema()).unwrap();
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let schema = Arc::clone(plan.schema());
    let file = File::create(&parquet).unwrap();
    let mut parquet_writer = ArrowWriter::try_new(file, schema, Some(properties)).unwrap();
    for batch in Scan::new(plan, ScanOptions::default()).collect().unwrap() {
        arrow_writer.write(&batch).unwrap();
        parquet_writer.write(&batch).unwrap();
    }
    arrow_writer.finish().unwrap();
    parquet_writer.close().unwrap();
    vec![fixed, arrow, parquet]
}

fn open(path: &Path) -> Arc<Source> {
    let descriptor = std::fs::read_to_string(path.with_added_extension("toml")).ok();
    let descriptor = descriptor.map(|text| Descriptor::parse("f.toml", &text).unwrap());
    let name = path.file_name().unwrap().to_str().unwrap();
    Arc::new(Source::open(name, File::open(path).unwrap(), descriptor).unwrap())
}

fn plan(sql: &str, source: &Arc<Source>) -> Plan {
    Plan::new(&Select::parse(sql).unwrap(), Arc::clone(source), &[]).unwrap()
}

fn selects(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let files = match std::env::var("SIFT_BENCH_FILES") {
        Ok(paths) => paths.split(',').map(PathBuf::from).collect(),
        Err(_) => write_files(folder.path()),
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build().unwrap();
    for path in &files {
        let source = open(path);
        let mut group = criterion.benchmark_group(path.extension().unwrap().to_str().unwrap());
        group.sample_size(10).throughput(Throughput::Bytes(source.bytes()));
        group.bench_function("floor: one thread reads", |bencher| {
            let file = File::open(path).unwrap();
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
                    let scan = || Scan::new(plan(sql, &open(path)), ScanOptions::default());
                    pool.install(|| scan().collect()).unwrap()
                });
            });
        }
        group.finish();
    }

    let source = open(&files[0]);
    let mut group = criterion.benchmark_group("parse, bind and plan");
    for (name, sql) in QUESTIONS {
        group.bench_function(name, |bencher| bencher.iter(|| plan(black_box(sql), &source)));
    }
    group.finish();
}

criterion_group!(benches, selects);
criterion_main!(benches);
