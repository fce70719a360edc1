//! Groups and distinct values that outgrow memory: they go to disk, and the answer is the same as
//! in memory, to the last bit and in the same order.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray,
};
use arrow::ipc::writer::FileWriter;
use sift_select::{
    Cancel, ErrorKind, MemoryBudget, Plan, Scan, ScanOptions, Select, Source, SpillDirectory, Step,
};

use crate::engine::{self, Answer};

const RECORDS: usize = 40_000;

struct Fixture {
    source: Arc<Source>,
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new(seed: u64, groups: i64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("f.arrow");
        write(&path, seed, groups);
        let file = File::open(&path).expect("a file");
        Self { source: Arc::new(Source::open("f.arrow", file, None).expect("a source")), folder }
    }

    fn plan(&self, sql: &str) -> Plan {
        let select = Select::parse(sql).expect(sql);
        Plan::new(&select, Arc::clone(&self.source), &[]).expect(sql)
    }

    fn spill(&self, bytes_max: u64) -> Arc<SpillDirectory> {
        Arc::new(SpillDirectory::new(self.folder.path(), "spill_bytes_max", bytes_max))
    }

    fn in_memory(&self, sql: &str) -> sift_select::Result<Answer> {
        engine::collect_with(self.plan(sql), ScanOptions::default(), 1)
    }

    fn on_disk(&self, sql: &str, bytes: usize, threads: usize) -> sift_select::Result<Answer> {
        let (spill, memory) = (self.spill(1 << 30), memory(bytes));
        let options = ScanOptions {
            morsel_bytes: 100_000,
            memory: Arc::clone(&memory),
            spill: Some(Arc::clone(&spill)),
            step_time: Duration::from_micros(100),
            ..ScanOptions::default()
        };
        let answer = engine::collect_with(self.plan(sql), options, threads);
        assert_eq!((spill.bytes(), memory.bytes()), (0, 0), "{sql}");
        answer
    }
}

fn memory(bytes: usize) -> Arc<MemoryBudget> {
    Arc::new(MemoryBudget::new("query_memory_bytes_max", bytes))
}

/// Writes records with everything that is hard in a key or an aggregate.
fn write(path: &Path, seed: u64, groups: i64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let floats = [0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, 1e300, -1e300, 1e-300, 0.1];
    let mut each = |value: &mut dyn FnMut(&mut fastrand::Rng) -> Option<i64>| -> Vec<Option<i64>> {
        (0..RECORDS)
            .map(|_| if random.u8(0..20) == 0 { None } else { value(&mut random) })
            .collect()
    };
    let keys = each(&mut |random| Some(random.i64(0..groups)));
    let few = each(&mut |random| Some(random.i64(-3..3)));
    let places = each(&mut |random| Some(random.i64(0..9)));
    let texts = each(&mut |random| Some(random.i64(0..groups)));
    let place = |place: &Option<i64>| usize::try_from(place.unwrap_or(0)).expect("a place");
    let float = |(index, at): (usize, &Option<i64>)| {
        at.map(|_| if index % 3 == 0 { floats[place(at)] } else { index as f64 / 7.0 })
    };
    let text = |text: &Option<i64>| text.map(|n| format!("{n:}").repeat(place(&Some(n % 9))));
    let narrow = |n: &Option<i64>| n.and_then(|n| i32::try_from(n).ok());
    let decimals = keys.iter().map(|n| n.map(|n| i128::from(n) * 1_000_003 - 5));
    let decimals: Decimal128Array = decimals.collect();
    let columns: [(&str, ArrayRef); 8] = [
        ("k", Arc::new(Int64Array::from(keys.clone()))),
        ("few", Arc::new(Int32Array::from_iter(few.iter().map(narrow)))),
        ("f", Arc::new(Float64Array::from_iter(places.iter().enumerate().map(float)))),
        ("t", Arc::new(StringArray::from_iter(texts.iter().map(text)))),
        ("d", Arc::new(decimals.with_precision_and_scale(30, 2).expect("decimals"))),
        ("day", Arc::new(Date32Array::from_iter(texts.iter().map(narrow)))),
        ("b", Arc::new(BooleanArray::from_iter(few.iter().map(|n| n.map(|n| n > 0))))),
        ("id", Arc::new(Int64Array::from_iter_values((0..).take(RECORDS)))),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true)));
    let batch = batch.expect("columns of one length");
    let mut writer =
        FileWriter::try_new(File::create(path).expect("a file"), &batch.schema()).expect("a file");
    for start in (0..RECORDS).step_by(4000) {
        writer.write(&batch.slice(start, 4000)).expect("a file");
    }
    writer.finish().expect("a file");
}

const SELECTS: &[&str] = &[
    "SELECT k, count(*), count(f), sum(k), avg(d), min(t), max(t), sum(d) FROM 'f' GROUP BY k",
    "SELECT f, sum(f), avg(f), min(f), max(f) FROM 'f' WHERE f IS NULL OR f = f GROUP BY f",
    "SELECT few, b, k, t, day, f, d, count(*), max(id) FROM 'f' GROUP BY few, b, k, t, day, f, d",
    "SELECT t, day, min(day), max(d), min(k), max(few), sum(f) FROM 'f' GROUP BY t, day",
    "SELECT few, count(DISTINCT k), sum(DISTINCT d), avg(DISTINCT f), count(DISTINCT t), max(id) \
     FROM 'f' GROUP BY few",
    "SELECT k % 1000, count(DISTINCT id), count(DISTINCT f) FILTER (WHERE b), min(DISTINCT t) \
     FROM 'f' GROUP BY 1",
    "SELECT count(DISTINCT id), sum(DISTINCT k), count(DISTINCT t), sum(f), count(*) FROM 'f'",
    "SELECT DISTINCT t, k FROM 'f'",
    "SELECT DISTINCT id, t FROM 'f' ORDER BY t DESC NULLS LAST LIMIT 50 OFFSET 7000",
    "SELECT DISTINCT k / 2, count(*) > 1 FROM 'f' GROUP BY k, id % 7",
    "SELECT DISTINCT k / 2, t FROM 'f' GROUP BY k, t HAVING count(*) < 3 ORDER BY t, 1 DESC",
    "SELECT id, sum(f) FROM 'f' GROUP BY id HAVING max(few) > 0 ORDER BY sum(f), id DESC LIMIT 99",
    "SELECT k FROM 'f' GROUP BY k, id ORDER BY count(*), k LIMIT 1000 OFFSET 20000",
];

#[test]
fn what_outgrows_memory_is_grouped_on_disk() {
    for (seed, groups, runs) in
        [(1, 30_000, &[(40_000, 3), (3 << 20, 3)][..]), (2, 500, &[(400_000, 1)][..])]
    {
        let fixture = Fixture::new(seed, groups);
        for sql in SELECTS {
            let expected = fixture.in_memory(sql).expect(sql);
            for (bytes, threads) in runs.iter().copied() {
                let got = fixture.on_disk(sql, bytes, threads).expect(sql);
                assert_eq!(got.columns, expected.columns, "{sql}");
                let differs = got.rows.iter().zip(&expected.rows).find(|(got, row)| got != row);
                assert_eq!(differs, None, "{sql}, {bytes} bytes, {threads} threads, {seed}");
                assert_eq!(got.rows.len(), expected.rows.len(), "{sql}, {bytes} bytes");
            }
        }
    }
}

#[test]
fn problems_of_groups_are_the_same_on_disk() {
    let fixture = Fixture::new(3, 30_000);
    let large = "'99999999999999999999999999999999999999'";
    for sql in [
        format!("SELECT id, sum(CAST({large} AS decimal(38, 0))) FROM 'f' GROUP BY id % 9000, id"),
        format!("SELECT k, sum(CAST({large} AS decimal(38, 0))) FROM 'f' GROUP BY k"),
        "SELECT k, 1 / (count(*) - 3) FROM 'f' GROUP BY k".to_owned(),
        "SELECT DISTINCT k, 1 / (max(id) - 20000) FROM 'f' GROUP BY k, id LIMIT 3".to_owned(),
    ] {
        let told = |answer: sift_select::Result<Answer>| answer.map_err(|error| error.to_string());
        let expected = told(fixture.in_memory(&sql));
        for threads in [1, 3] {
            assert_eq!(told(fixture.on_disk(&sql, 100_000, threads)), expected, "{sql}");
        }
    }
}

#[test]
fn the_disk_of_groups_is_bounded_and_its_faults_are_told() {
    let fixture = Fixture::new(4, 30_000);
    let nowhere = fixture.folder.path().join("nowhere");
    let nowhere = Arc::new(SpillDirectory::new(&nowhere, "spill_bytes_max", 1 << 30));
    for (spill, kind, text) in [
        (
            fixture.spill(50_000),
            ErrorKind::LimitExceeded,
            "grouping takes more than the 50000 bytes of disk that all Selects may; select less, \
             add a LIMIT, or raise `spill_bytes_max`",
        ),
        (
            nowhere,
            ErrorKind::Io,
            "records cannot be grouped on the server's disk: entity not found",
        ),
    ] {
        for sql in ["SELECT DISTINCT id FROM 'f'", "SELECT count(DISTINCT id) FROM 'f'"] {
            let memory = memory(100_000);
            let spill = Some(Arc::clone(&spill));
            let options =
                ScanOptions { memory: Arc::clone(&memory), spill, ..ScanOptions::default() };
            let error = engine::collect_with(fixture.plan(sql), options, 2).expect_err(sql);
            assert_eq!((error.kind(), error.to_string().as_str()), (kind, text), "{sql}");
            assert_eq!(memory.bytes(), 0, "{sql}");
        }
        assert_eq!(spill.bytes(), 0);
    }
}

/// The state of one group that no part of the disk makes smaller.
#[test]
fn a_group_that_is_too_large_is_refused_by_name() {
    let fixture = Fixture::new(5, 100);
    let sql = "SELECT few, max(repeat(t, 20000)) FROM 'f' WHERE id < 500 GROUP BY few";
    let error = fixture.on_disk(sql, 100_000, 1).expect_err(sql);
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    let text = error.to_string();
    let end = "takes more than the 100000 bytes of memory it may; select less, or raise \
               `query_memory_bytes_max`";
    assert!(text.starts_with("GROUP BY few with 1 groups so far") && text.ends_with(end), "{text}");
}

/// Each step looks at the flag before it works, so a scan ends with the step after the one in which
/// it is cancelled, wherever that is.
#[test]
fn work_is_cancelled_at_any_moment() {
    let fixture = Fixture::new(6, 30_000);
    let mut random = fastrand::Rng::with_seed(7);
    for sql in SELECTS.iter().chain(&["SELECT * FROM 'f' ORDER BY t, f DESC, id"]) {
        let run = |looks: Option<usize>| {
            let (spill, memory) = (fixture.spill(1 << 30), memory(200_000));
            let cancel = Cancel::after(looks.unwrap_or(usize::MAX));
            let options = ScanOptions {
                morsel_bytes: 100_000,
                memory: Arc::clone(&memory),
                spill: Some(Arc::clone(&spill)),
                step_time: Duration::ZERO,
                cancel: cancel.clone(),
                ..ScanOptions::default()
            };
            let mut scan = Scan::new(fixture.plan(sql), options);
            let result = loop {
                match scan.step() {
                    Ok(Step::Run(morsel)) => scan.accept(morsel.run()),
                    Ok(Step::Batch(_)) => {}
                    Ok(Step::Done) => break Ok(()),
                    Ok(Step::Wait) => panic!("{sql}: nothing is under way"),
                    Err(error) => break Err(error.kind()),
                }
            };
            drop(scan);
            assert_eq!((spill.bytes(), memory.bytes()), (0, 0), "{sql}");
            (result, cancel.looks())
        };
        let (result, looks) = run(None);
        assert_eq!(result, Ok(()), "{sql}");
        for _ in 0..8 {
            let before = random.usize(0..looks);
            let (result, looks) = run(Some(before));
            // keys are hashed in another way each time, so another scan may look less often
            let expected = if looks > before { Err(ErrorKind::Cancelled) } else { Ok(()) };
            assert_eq!(result, expected, "{sql}: {before} of {looks}");
            assert!(looks <= before + LOOKS_MAX, "{sql}: {looks} looks, cancelled at {before}");
        }
    }
}

/// The most times that work looks at a flag that was raised: once in each of the loops that it is
/// in.
const LOOKS_MAX: usize = 16;
