//! Sorting and grouping within a memory budget: larger data goes to disk, or ends in an error that
//! names the setting, and no file remains.

use std::sync::Arc;

use sift_select::{
    ErrorKind, MemoryBudget, Plan, Scan, ScanOptions, Select, Source, SpillDirectory, Step,
};

use crate::engine::{self, Answer, QUICK_RUNS};
use crate::table::Format;
use crate::tables;

/// A memory limit so small that the 5000 records of `many` become many runs.
const MEMORY: usize = 64 << 10;

struct Fixture {
    source: Arc<Source>,
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new(format: Format) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { source: tables::many().open(folder.path(), format), folder }
    }

    fn plan(&self, sql: &str) -> Plan {
        let select = Select::parse(sql).expect(sql);
        Plan::new(&select, Arc::clone(&self.source), &[]).expect(sql)
    }

    fn in_memory(&self, sql: &str) -> Answer {
        engine::select(&self.source, sql, &[], QUICK_RUNS[0]).expect(sql)
    }

    fn spill(&self) -> Arc<SpillDirectory> {
        let folder = self.folder.path().join("state");
        std::fs::create_dir_all(&folder).expect("a folder");
        Arc::new(SpillDirectory::new(folder, "spill_bytes_max", 1 << 30))
    }
}

fn memory(bytes: usize) -> Arc<MemoryBudget> {
    Arc::new(MemoryBudget::new("query_memory_bytes_max", bytes))
}

#[test]
fn what_outgrows_memory_is_sorted_on_disk() {
    for format in Format::ALL {
        let fixture = Fixture::new(*format);
        for sql in [
            "SELECT * FROM 'many' ORDER BY word DESC, cents DESC",
            "SELECT id, half FROM 'many' ORDER BY n NULLS FIRST, id DESC",
            "SELECT id FROM 'many' ORDER BY word LIMIT 4000 OFFSET 10",
            "SELECT DISTINCT ON (id / 2) id, word FROM 'many' ORDER BY id / 2 DESC, id",
            "SELECT DISTINCT ON (word) id, n FROM 'many' ORDER BY word, n DESC",
        ] {
            let expected = fixture.in_memory(sql);
            for threads in [1, 3] {
                for morsel_bytes in [200, 4000, 4 << 20] {
                    let (spill, memory) = (fixture.spill(), memory(MEMORY));
                    let options = ScanOptions {
                        morsel_bytes,
                        memory: Arc::clone(&memory),
                        spill: Some(Arc::clone(&spill)),
                        ..ScanOptions::default()
                    };
                    let got = engine::collect_with(fixture.plan(sql), options, threads).expect(sql);
                    assert_eq!(got, expected, "{sql}, {threads} threads, {morsel_bytes} bytes");
                    assert_eq!((spill.bytes(), memory.bytes()), (0, 0), "{sql}");
                }
            }
        }
    }
}

#[test]
fn a_sort_without_a_folder_is_bounded() {
    let fixture = Fixture::new(Format::Csv);
    let options = ScanOptions { memory: memory(MEMORY), ..ScanOptions::default() };
    let plan = fixture.plan("SELECT * FROM 'many' ORDER BY word");
    let error = Scan::new(plan, options).collect().expect_err("too much");
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert_eq!(
        error.to_string(),
        "ORDER BY takes more than the 65536 bytes of memory it may, and there is no folder for \
         what it could write; select less, add a LIMIT, or raise `query_memory_bytes_max`"
    );
}

#[test]
fn the_top_needs_no_folder() {
    let fixture = Fixture::new(Format::Fixed);
    let sql = "SELECT * FROM 'many' ORDER BY cents DESC LIMIT 20";
    for morsel_bytes in [100, 4 << 20] {
        let memory = memory(MEMORY);
        let options =
            ScanOptions { morsel_bytes, memory: Arc::clone(&memory), ..ScanOptions::default() };
        let got = engine::collect_with(fixture.plan(sql), options, 2).expect(sql);
        assert_eq!(got, fixture.in_memory(sql));
    }
}

#[test]
fn the_disk_is_bounded() {
    let fixture = Fixture::new(Format::Csv);
    let spill = SpillDirectory::new(fixture.folder.path(), "spill_bytes_max", 20_000);
    let spill = Arc::new(spill);
    let options = ScanOptions {
        memory: memory(MEMORY),
        spill: Some(Arc::clone(&spill)),
        ..ScanOptions::default()
    };
    let plan = fixture.plan("SELECT * FROM 'many' ORDER BY word");
    let error = Scan::new(plan, options).collect().expect_err("too much");
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert!(error.to_string().ends_with("or raise `spill_bytes_max`"), "{error}");
    assert_eq!(spill.bytes(), 0);
}

#[test]
fn groups_are_bounded() {
    let fixture = Fixture::new(Format::Fixed);
    for (sql, what) in [
        ("SELECT id, count(*) FROM 'many' GROUP BY id", "GROUP BY id with "),
        ("SELECT DISTINCT id, word FROM 'many'", "DISTINCT id, word with "),
        ("SELECT count(DISTINCT id) FROM 'many'", "DISTINCT inside an aggregate takes "),
        ("SELECT sum(half) FROM 'many' GROUP BY id, word", "GROUP BY id, word with "),
    ] {
        let memory = memory(40_000);
        let options = ScanOptions { memory: Arc::clone(&memory), ..ScanOptions::default() };
        let error = Scan::new(fixture.plan(sql), options).collect().expect_err(sql);
        assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{sql}");
        let text = error.to_string();
        assert!(text.starts_with(what), "{text}");
        let end = "takes more than the 40000 bytes of memory it may; select less, or raise \
                   `query_memory_bytes_max`";
        assert!(text.ends_with(end), "{text}");
    }
    let few = "SELECT word, count(*), sum(half) FROM 'many' GROUP BY word";
    let options = ScanOptions { memory: memory(40_000), ..ScanOptions::default() };
    assert_eq!(
        engine::collect_with(fixture.plan(few), options, 2).expect(few),
        fixture.in_memory(few)
    );
}

#[test]
fn a_scan_that_is_dropped_leaves_nothing() {
    let fixture = Fixture::new(Format::Csv);
    let (spill, memory) = (fixture.spill(), memory(MEMORY));
    let options = ScanOptions {
        morsel_bytes: 4000,
        memory: Arc::clone(&memory),
        spill: Some(Arc::clone(&spill)),
        ..ScanOptions::default()
    };
    let mut scan = Scan::new(fixture.plan("SELECT * FROM 'many' ORDER BY word"), options);
    while spill.bytes() == 0 {
        match scan.step().expect("a step") {
            Step::Run(morsel) => scan.accept(morsel.run()),
            step => panic!("{step:?} before anything was written"),
        }
    }
    let names = std::fs::read_dir(spill.path()).expect("the folder").count();
    assert_eq!(names, 0, "a run has no name");
    drop(scan);
    assert_eq!((spill.bytes(), memory.bytes()), (0, 0));
}

#[test]
fn what_fails_on_disk_is_told_without_its_place() {
    let fixture = Fixture::new(Format::Csv);
    let folder = fixture.folder.path().join("nowhere");
    let options = ScanOptions {
        memory: memory(MEMORY),
        spill: Some(Arc::new(SpillDirectory::new(&folder, "spill_bytes_max", 1 << 30))),
        ..ScanOptions::default()
    };
    let plan = fixture.plan("SELECT * FROM 'many' ORDER BY word");
    let error = Scan::new(plan, options).collect().expect_err("no folder");
    assert_eq!(error.kind(), ErrorKind::Io);
    let expected = "records cannot be sorted on the server's disk: entity not found";
    assert_eq!(error.to_string(), expected);
    let details = error.withheld().expect("details for the log");
    assert!(details.contains(folder.to_str().expect("a path")), "{details}");
}
