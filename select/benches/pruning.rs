//! Measures a range that an index prunes, in a file and in one of four times the size, beside the
//! scan of everything: the cost depends on the answer, not on the file. `cargo bench -p sift-select
//! --bench pruning`; `SIFT_BENCH_BYTES` sets the size of the smaller file.

#![expect(clippy::unwrap_used, reason = "a benchmark has nobody to tell an error")]

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use sift_select::{BuildOptions, Descriptor, Plan, Scan, ScanOptions, Select, Source};

const RECORD_BYTES: u64 = 64;
const ZONE_BYTES: u64 = 1 << 20;

const DESCRIPTOR: &str = "\
format = \"fixed\"
record_length = 63
terminator = \"lf\"
[[field]]
name = \"key\"
type = \"digits\"
offset = 0
length = 10
[[field]]
name = \"rest\"
type = \"text\"
offset = 10
length = 53
";

fn pruning(criterion: &mut Criterion) {
    let bytes = std::env::var("SIFT_BENCH_BYTES").ok().and_then(|bytes| bytes.parse().ok());
    let bytes: u64 = bytes.unwrap_or(64 << 20);
    let folder = tempfile::tempdir().unwrap();
    let options = BuildOptions { zone_bytes: ZONE_BYTES, ..BuildOptions::default() };
    for (name, descriptor) in [("f.dat", DESCRIPTOR), ("f.csv", "format = \"csv\"\n")] {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10);
        for times in [1, 4] {
            let records = times * bytes / RECORD_BYTES;
            let plain = write(&folder.path().join(format!("{times}-{name}")), descriptor, records);
            let index = plain.build_index(&options).unwrap();
            let indexed = Arc::new(plain.with_index(index));
            // 1000 records in the middle of the file
            let sql = format!("SELECT * FROM 'f' WHERE key BETWEEN {0} AND {0} + 999", records / 2);
            for (what, source) in [("scan", &plain), ("pruned", &indexed)] {
                assert_eq!(run(source, &sql), 1000);
                let mebibytes = (times * bytes) >> 20;
                group.bench_with_input(BenchmarkId::new(what, mebibytes), source, |b, source| {
                    b.iter(|| black_box(run(source, &sql)));
                });
            }
        }
        group.finish();
    }
}

fn write(path: &Path, descriptor: &str, records: u64) -> Arc<Source> {
    let is_csv = path.extension().is_some_and(|extension| extension == "csv");
    let mut file = BufWriter::new(File::create(path).unwrap());
    if is_csv {
        file.write_all(b"key,rest\n").unwrap();
    }
    for key in 0..records {
        match is_csv {
            true => writeln!(file, "{key:010},{:52}", key % 7).unwrap(),
            false => writeln!(file, "{key:010}{:53}", key % 7).unwrap(),
        }
    }
    file.into_inner().unwrap();
    let descriptor = match is_csv {
        // a key with leading zeros would be a text
        true => format!("{descriptor}[[field]]\nname = \"key\"\ntype = \"int64\"\n"),
        false => descriptor.to_owned(),
    };
    let descriptor = Descriptor::parse("f.toml", &descriptor).unwrap();
    Arc::new(Source::open("f", File::open(path).unwrap(), Some(descriptor)).unwrap())
}

fn run(source: &Arc<Source>, sql: &str) -> usize {
    let plan = Plan::new(&Select::parse(sql).unwrap(), Arc::clone(source), &[]).unwrap();
    let batches = Scan::new(plan, ScanOptions::default()).collect().unwrap();
    batches.iter().map(|batch| batch.num_rows()).sum()
}

criterion_group!(benches, pruning);
criterion_main!(benches);
