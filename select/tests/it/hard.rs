//! Texts, patterns and functions that are hard for one another. None of them takes minutes, and all
//! of them stop when they are cancelled.

use std::fs::File;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder};
use sift_select::{
    Cancel, ErrorKind, MemoryBudget, Plan, Scan, ScanOptions, Select, Source, SpillDirectory, Step,
    Value,
};
use tempfile::TempDir;

use crate::engine::{self, QUICK_RUNS};

const MIB: usize = 1 << 20;

/// The time limit of a test. A time in proportion to the product of text and pattern would be
/// minutes; everything here takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);

static POOL: LazyLock<ThreadPool> =
    LazyLock::new(|| ThreadPoolBuilder::new().num_threads(2).build().expect("threads"));

/// A file whose records contain a text and a pattern.
struct Fixture {
    folder: TempDir,
    source: Arc<Source>,
}

impl Fixture {
    fn new(records: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("f.jsonl");
        let line = |(t, p): &(&str, &str)| format!("{{\"t\":\"{t}\",\"p\":\"{p}\"}}\n");
        std::fs::write(&path, records.iter().map(line).collect::<String>()).expect("a file");
        let file = File::open(path).expect("a file");
        let source = Arc::new(Source::open("f.jsonl", file, None).expect("a source"));
        Self { folder, source }
    }

    fn plan(&self, sql: &str, parameters: &[Value]) -> Plan {
        let select = Select::parse(sql).expect(sql);
        Plan::new(&select, Arc::clone(&self.source), parameters).expect("a plan")
    }

    fn row(&self, sql: &str, parameters: &[Value]) -> String {
        let answer = engine::select(&self.source, sql, parameters, QUICK_RUNS[0]).expect("rows");
        answer.rows.join("; ")
    }
}

fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

#[test]
fn a_mebibyte_is_matched_with_every_shape_of_pattern() {
    let started = Instant::now();
    let a = "a".repeat(MIB);
    let cases = [
        (a.clone(), "_".repeat(MIB), true),
        (a.clone(), "_".repeat(MIB + 1), false),
        (a.clone(), "%".to_owned() + &"_".repeat(64 << 10) + "b%", false),
        (a.clone(), "%".repeat(64 << 10) + "b", false),
        (a.clone(), "%_".repeat(64 << 10), true),
        (a.clone(), "_%".repeat(64 << 10) + "b", false),
        (a.clone(), "a_".repeat(32 << 10) + "%", true),
        (a.clone(), "%".to_owned() + &"a_".repeat(500) + "b", false),
        (a.clone(), "%".to_owned() + &"a_".repeat(500) + "b%", false),
        (a.clone(), "%".to_owned() + &"a%".repeat(64 << 10) + "b%", false),
        (a.clone(), "%a_".repeat(16 << 10), true),
        (a.clone(), "%".to_owned() + &"a".repeat(1 << 10) + "_b%", false),
        (a.clone(), "%b_".to_owned() + &"a".repeat(1 << 10) + "%", false),
        (a, "%".to_owned() + &"a".repeat(512 << 10) + "b%", false),
        ("ab".repeat(MIB / 2), "%".to_owned() + &"ab_b".repeat(500) + "c%", false),
        ("ab".repeat(MIB / 2), "%".to_owned() + &"ab_b".repeat(500) + "%", true),
        ("é".repeat(MIB / 2), "_".repeat(MIB / 2), true),
        ("é".repeat(MIB / 2), "%".to_owned() + &"é_".repeat(300) + "é%", true),
        ("é".repeat(MIB / 2), "%".to_owned() + &"é_".repeat(300) + "è%", false),
    ];
    for (hard, pattern, expected) in &cases {
        let fixture = Fixture::new(&[(hard, pattern)]);
        let shown = format!("{pattern:.12}… of {} bytes", pattern.len());
        let expected_row = format!("{expected}, {}, {expected}, {expected}, {expected}", !expected);
        let row = fixture.row(
            "SELECT t LIKE $1, t NOT LIKE $1, upper(t) ILIKE $1, t LIKE p, t LIKE p ESCAPE '#' FROM 'f'",
            &[text(pattern.as_str())],
        );
        assert_eq!(row, expected_row, "{shown}");
        assert!(started.elapsed() < PATIENCE, "{shown}");
    }
}

#[test]
fn a_mebibyte_is_matched_with_regular_expressions() {
    let started = Instant::now();
    let hard = "a".repeat(MIB - 1) + "b";
    let fixture = Fixture::new(&[(&hard, "")]);
    for (pattern, expected) in [
        ("a{200}b$", true),
        ("(a|b)*c", false),
        ("\\w+c", false),
        ("\\ma+b\\M", true),
        ("^(a?){200}b", false),
        ("a(a{10}){5}c", false),
    ] {
        let row = fixture.row("SELECT t ~ $1 FROM 'f'", &[text(pattern)]);
        assert_eq!(row, expected.to_string(), "{pattern}");
        assert!(started.elapsed() < PATIENCE, "{pattern}");
    }
}

#[test]
fn functions_of_texts_are_linear() {
    let started = Instant::now();
    let fixture = Fixture::new(&[(&"a".repeat(MIB), &("a".repeat(MIB / 2) + "b"))]);
    for (expr, expected) in [
        ("strpos(t, p)", "0"),
        ("length(replace(t, p, ''))", "1048576"),
        ("length(split_part(t, p, 1))", "1048576"),
        ("length(split_part(t, p, -1))", "1048576"),
        ("length(btrim(t, p))", "0"),
        ("length(ltrim(t, repeat('éb', 100000)))", "1048576"),
        ("starts_with(t, p)", "false"),
        ("length(lpad(left(t, 3), 1000000, p))", "1000000"),
        ("length(substring(reverse(t), 1000000))", "48577"),
    ] {
        let row = fixture.row(&format!("SELECT {expr} FROM 'f'"), &[]);
        assert_eq!(row, expected, "{expr}");
        assert!(started.elapsed() < PATIENCE, "{expr}");
    }
}

/// Runs a slow Select, and cancels it after a while.
fn cancelled(fixture: &Fixture, sql: &str, parameters: &[Value], options: ScanOptions) {
    let cancel = options.cancel.clone();
    let mut scan = Scan::new(fixture.plan(sql, parameters), options);
    let (sender, outcomes) = mpsc::channel();
    let (mut end, mut running) = (Instant::now() + Duration::from_millis(100), 0);
    let shown = &sql[..sql.len().min(80)];
    loop {
        match scan.step() {
            Ok(Step::Run(morsel)) => {
                running += 1;
                let sender = sender.clone();
                POOL.spawn(move || drop(sender.send(morsel.run())));
            }
            Ok(Step::Batch(_)) => {}
            Ok(Step::Done) => panic!("{shown}: took no time"),
            Ok(Step::Wait) if cancel.is_raised() => panic!("{shown}: goes on"),
            Ok(Step::Wait) => match outcomes.recv_timeout(end - Instant::now().min(end)) {
                Ok(outcome) => {
                    running -= 1;
                    scan.accept(outcome);
                }
                Err(_) => cancel.raise(),
            },
            Err(error) => {
                assert_eq!((error.kind(), cancel.is_raised()), (ErrorKind::Cancelled, true));
                break;
            }
        }
    }
    end = Instant::now() + Duration::from_secs(5);
    for _ in 0..running {
        let outcome = outcomes.recv_timeout(end - Instant::now().min(end));
        drop(outcome.unwrap_or_else(|_| panic!("{shown}: goes on")));
    }
}

#[test]
fn work_is_cancelled_within_a_record_and_between_records() {
    let near_miss = format!("%{}_b%", "a".repeat(256 << 10));
    let long = "a".repeat(MIB);
    let regex = text("a([ab]{250}){8}c");
    let one = Fixture::new(&[(&long, &near_miss)]);
    let row = (&long[..300_000], &near_miss[..]);
    let several = Fixture::new(&[row; 12]);
    for fixture in [&one, &several] {
        for (sql, parameters) in [
            ("SELECT count(*) FROM 'f' WHERE t LIKE $1", &[text(&*near_miss)][..]),
            ("SELECT count(*) FROM 'f' WHERE t ILIKE $1", &[text(&*near_miss)]),
            ("SELECT count(*) FROM 'f' WHERE t LIKE p", &[]),
            ("SELECT t LIKE p FROM 'f' ORDER BY 1", &[]),
            ("SELECT count(*) FROM 'f' WHERE t ~ $1", std::slice::from_ref(&regex)),
            ("SELECT t FROM 'f' GROUP BY t HAVING t ~ $1", std::slice::from_ref(&regex)),
        ] {
            cancelled(fixture, sql, parameters, ScanOptions::default());
        }
    }
}

#[test]
fn cheap_records_that_are_many_are_cancelled() {
    let fixture = Fixture::new(&vec![("abcdefgh", "x"); 300_000]);
    let many = "replace(replace(reverse(t || p), 'a', 'bb'), 'b', 'aa')";
    let chain = vec![many; 60].join(" || ");
    let options = ScanOptions { morsel_bytes: 64 << 20, ..ScanOptions::default() };
    cancelled(&fixture, &format!("SELECT max({chain}) FROM 'f'"), &[], options);
}

#[test]
fn sorting_is_cancelled() {
    let lines: Vec<String> = (0..400_000_u64).map(|n| format!("{}", n * 7919 % 400_009)).collect();
    let records: Vec<(&str, &str)> = lines.iter().map(|line| (line.as_str(), "")).collect();
    let fixture = Fixture::new(&records);
    let options = || ScanOptions {
        memory: Arc::new(MemoryBudget::new("query_memory_bytes_max", 1 << 30)),
        ..ScanOptions::default()
    };
    cancelled(&fixture, "SELECT t FROM 'f' ORDER BY reverse(t), t DESC", &[], options());
    let spill = Arc::new(SpillDirectory::new(fixture.folder.path(), "spill_bytes_max", 1 << 30));
    let memory = Arc::new(MemoryBudget::new("query_memory_bytes_max", 1 << 20));
    let options = ScanOptions { memory, spill: Some(Arc::clone(&spill)), ..ScanOptions::default() };
    cancelled(&fixture, "SELECT t FROM 'f' ORDER BY reverse(t), t DESC", &[], options);
}

#[test]
fn a_scan_that_is_dropped_ends_its_morsels() {
    let near_miss = format!("%{}_b%", "a".repeat(256 << 10));
    let fixture = Fixture::new(&[(&"a".repeat(MIB), &near_miss)]);
    let mut scan = Scan::new(fixture.plan("SELECT t LIKE p FROM 'f'", &[]), ScanOptions::default());
    let Ok(Step::Run(morsel)) = scan.step() else { panic!("no morsel") };
    let (sender, outcomes) = mpsc::channel();
    POOL.spawn(move || drop(sender.send(morsel.run())));
    let early = outcomes.recv_timeout(Duration::from_millis(100)).map(drop);
    assert_eq!(early.unwrap_err(), RecvTimeoutError::Timeout);
    drop(scan);
    let dropped = Instant::now();
    drop(outcomes.recv_timeout(PATIENCE).expect("an outcome"));
    assert!(dropped.elapsed() < Duration::from_secs(5));
}

#[test]
fn planning_is_cancelled() {
    let fixture = Fixture::new(&[("a", "b")]);
    let sql = "SELECT t FROM 'f' WHERE repeat('a', 1000000) LIKE $1";
    let near_miss = text(format!("%{}_b%", "a".repeat(256 << 10)));
    let select = Select::parse(sql).expect(sql);
    let cancel = Cancel::default();
    let (sender, planned) = mpsc::channel();
    let (source, work) = (Arc::clone(&fixture.source), cancel.clone());
    POOL.spawn(move || {
        drop(work.during(|| Plan::new(&select, source, &[near_miss])));
        let _ = sender.send(());
    });
    let early = planned.recv_timeout(Duration::from_millis(100));
    assert_eq!(early.unwrap_err(), RecvTimeoutError::Timeout);
    cancel.raise();
    planned.recv_timeout(Duration::from_secs(5)).expect("the end of planning");
}
