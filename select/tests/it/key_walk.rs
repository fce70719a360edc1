//! A walk along a key finds the rows, and the error, that the scan without an index finds.

use std::fs;
use std::sync::Arc;

use arrow::compute::concat_batches;
use fastrand::Rng;
use sift_select::{
    ErrorKind, FileSet, Plan, Predicate, Scan, ScanOptions, ScanStatistics, Select, Source, Step,
    View, explain,
};

use crate::index::run;
use crate::keys::{FORMATS, KEYS, Order, Orders, apart, row};

/// Conditions that cannot fail, from those that most records pass to those that none does.
const CONDITIONS: &[&str] = &[
    "id <> 17",
    "id < 2000",
    "id BETWEEN 500 AND 1200",
    "id > 2900",
    "id IN (3, 700, 1500, 2999)",
    "id < 0",
    "customer <> 7",
    "customer IS NOT NULL",
    "customer IS NULL",
    "(customer < 30 OR customer IS NULL)",
    "customer > 60",
    "day > DATE '2024-01-11'",
    "NOT day BETWEEN DATE '2024-01-03' AND DATE '2024-01-29'",
    "day = DATE '2024-01-07'",
    "(id < 400 OR day = DATE '2024-01-30')",
];

const ORDERS: &[&str] = &[
    "customer",
    "customer DESC",
    "customer DESC NULLS LAST",
    "customer NULLS FIRST",
    "customer, id DESC",
    "customer DESC, day, id",
    "customer, day + 1",
    "customer NULLS FIRST, id",
    "day DESC",
    "day, id DESC",
    "day DESC, customer",
    "day, customer DESC",
    "day DESC, customer DESC, id",
    "day DESC, customer, id",
];

fn pick<'a>(random: &mut Rng, texts: &[&'a str]) -> &'a str {
    random.choice(texts).expect("a text")
}

fn any_select(random: &mut Rng) -> String {
    let what =
        pick(random, &["*", "id", "id, customer", "day, 100 / (customer - 50)", "1 / (id - 9)"]);
    let conditions: Vec<_> = (0..random.usize(1..4)).map(|_| pick(random, CONDITIONS)).collect();
    let limit = pick(random, &["1", "3", "10", "40", "200"]);
    let offset = pick(random, &["", "", " OFFSET 2", " OFFSET 35"]);
    let (conditions, order) = (conditions.join(" AND "), pick(random, ORDERS));
    format!("SELECT {what} FROM 'f' WHERE {conditions} ORDER BY {order} LIMIT {limit}{offset}")
}

/// Returns the rows or the error of a Select on all threads, and its counters.
fn on_threads(source: &Arc<Source>, sql: &str, options: ScanOptions) -> (String, ScanStatistics) {
    let plan = Plan::new(&Select::parse(sql).expect("a Select"), Arc::clone(source), &[]);
    let plan = plan.expect("a plan");
    let schema = Arc::clone(plan.schema());
    let (mut batches, mut scan) = (Vec::new(), Scan::new(plan, options));
    let (sender, receiver) = std::sync::mpsc::channel();
    let end = loop {
        match scan.step() {
            Ok(Step::Run(morsel)) => {
                let sender = sender.clone();
                rayon::spawn(move || drop(sender.send(morsel.run())));
            }
            Ok(Step::Batch(batch)) => batches.push(batch),
            Ok(Step::Wait) => scan.accept(receiver.recv().expect("an outcome")),
            Ok(Step::Done) => break String::new(),
            Err(error) => break error.to_string(),
        }
    };
    let rows = concat_batches(&schema, &batches).expect("batches of one schema");
    (format!("{rows:?} {end}"), scan.statistics())
}

/// Returns the answer of the scan without the index.
fn expected(source: &Arc<Source>, sql: &str) -> String {
    let all = ScanOptions { pruning: false, ..ScanOptions::default() };
    let (rows, _, end) = run(Arc::clone(source), sql, all);
    format!("{rows} {}", end.err().map_or(String::new(), |error| error.to_string()))
}

/// How often EXPLAIN told of a walk, and how often it was complete without the scan.
#[derive(Debug, Default)]
struct Walks {
    begun: usize,
    complete: usize,
}

impl Walks {
    fn count(
        &mut self,
        source: &Arc<Source>,
        sql: &str,
        options: &ScanOptions,
        did: ScanStatistics,
    ) {
        let begun = is_walked(source, sql, options);
        self.begun += usize::from(begun);
        self.complete += usize::from(begun && did.records_pruned > did.records_scanned);
    }
}

/// Returns whether EXPLAIN tells of a walk.
fn is_walked(source: &Arc<Source>, sql: &str, options: &ScanOptions) -> bool {
    let plan = Plan::new(&Select::parse(sql).expect("a Select"), Arc::clone(source), &[]);
    let explained = explain(&plan.expect("a plan"), options).expect("EXPLAIN");
    explained.contains("in the order wanted, until")
}

/// Checks random Selects over a source; `appended` records are not in its index.
fn check(source: &Arc<Source>, random: &mut Rng, appended: u64, walks: &mut Walks) {
    let records =
        on_threads(source, "SELECT id FROM 'f'", ScanOptions::default()).1.records_scanned;
    for _ in 0..80 {
        let sql = any_select(random);
        let expected = expected(source, &sql);
        for apart_bytes in [0, 40] {
            let morsel_bytes = [200, 3000, 4 << 20][random.usize(0..3)];
            let options = ScanOptions { morsel_bytes, apart_bytes, ..ScanOptions::default() };
            let (rows, did, end) = run(Arc::clone(source), &sql, options.clone());
            let end = end.err().map_or(String::new(), |error| error.to_string());
            assert_eq!(format!("{rows} {end}"), expected, "{sql}");
            assert_eq!(on_threads(source, &sql, options.clone()).0, expected, "{sql}");
            if end.is_empty() {
                assert_eq!(did.records_scanned + did.records_pruned, records, "{sql}: {did:?}");
                assert!(did.records_scanned >= appended, "{sql}: {did:?}");
            }
            walks.count(source, &sql, &options, did);
        }
    }
}

#[test]
fn an_answer_does_not_depend_on_a_walk() {
    let mut random = Rng::with_seed(8);
    let mut walks = Walks::default();
    for format in FORMATS {
        let orders = Orders::new(format, 3000, KEYS);
        let source = orders.open().with_index(orders.build().expect("an index"));
        check(&Arc::new(source), &mut random, 0, &mut walks);
    }
    assert!(walks.begun > 100 && walks.complete > 50, "{walks:?}");
    assert!(walks.complete < walks.begun, "{walks:?}");
}

#[test]
fn appended_records_come_after_those_of_the_walk() {
    let mut random = Rng::with_seed(9);
    let mut walks = Walks::default();
    for format in FORMATS {
        let orders = Orders::new(format, 2700, &format!("append_only = true\n{KEYS}"));
        let index = orders.build().expect("an index");
        for id in 2700..3000 {
            let customer = Some(id % 90).filter(|customer| *customer > 0);
            orders.append(&row(format, &Order { id, customer, day: 1 + id % 31 }));
        }
        let source = orders.open().with_index(index.clone());
        check(&Arc::new(source), &mut random, 300, &mut walks);
        // a record that WHERE has no value for fails the Select, wherever its row would be
        orders.append(
            &row(format, &Order { id: 3000, customer: None, day: 31 }).replace("3000", "3x00"),
        );
        let source = orders.open().with_index(index.clone());
        let source = Arc::new(source);
        for sql in [
            "SELECT customer FROM 'f' WHERE id > 9 ORDER BY customer LIMIT 1",
            "SELECT id FROM 'f' WHERE day > DATE '2024-01-02' ORDER BY customer LIMIT 1",
            "SELECT id FROM 'f' WHERE day > DATE '2024-01-30' ORDER BY customer DESC, day LIMIT 90",
        ] {
            let expected = expected(&source, sql);
            assert_eq!(on_threads(&source, sql, apart(0)).0, expected, "{format}: {sql}");
        }
    }
    assert!(walks.begun > 100 && walks.complete > 50, "{walks:?}");
}

/// `id`, which is in no key, has no value in some records.
#[test]
fn records_that_do_not_decode_fail_a_walk_as_they_fail_a_scan() {
    let mut random = Rng::with_seed(10);
    let mut walks = Walks::default();
    for format in FORMATS {
        let orders = Orders::new(format, 3000, KEYS);
        let text = fs::read_to_string(orders.path()).expect("the file");
        let lines = text.lines().enumerate().map(|(number, line)| match (number % 700, *format) {
            (699, "dat") => format!("x{}\n", &line[1..]),
            (699, "csv") => format!("x{line}\n"),
            (699, _) => line.replacen(": ", ": \"x\", \"n\": ", 1) + "\n",
            _ => format!("{line}\n"),
        });
        fs::write(orders.path(), lines.collect::<String>()).expect("write the file");
        let source = Arc::new(orders.open().with_index(orders.build().expect("an index")));
        let by_id = "SELECT day FROM 'f' WHERE id > 7 ORDER BY day DESC LIMIT 3";
        assert!(!is_walked(&source, by_id, &apart(0)));
        let then_id = "SELECT day FROM 'f' WHERE customer > 7 ORDER BY day DESC, id LIMIT 3";
        assert!(!is_walked(&source, then_id, &apart(0)));
        for _ in 0..100 {
            let sql = any_select(&mut random);
            let expected = expected(&source, &sql);
            for apart_bytes in [0, 40] {
                let (rows, did) = on_threads(&source, &sql, apart(apart_bytes));
                assert_eq!(rows, expected, "{sql}");
                walks.count(&source, &sql, &apart(apart_bytes), did);
            }
        }
    }
    assert!(walks.begun > 20 && walks.complete > 20, "{walks:?}");
}

#[test]
fn a_walk_reads_few_records_where_many_pass() {
    let orders = Orders::new("dat", 60_000, KEYS);
    let source = Arc::new(orders.open().with_index(orders.build().expect("an index")));
    let scanned = |sql: &str, apart_bytes: u64| {
        on_threads(&source, sql, apart(apart_bytes)).1.records_scanned
    };
    let half = "SELECT * FROM 'f' WHERE id < 30000 ORDER BY customer, id LIMIT 5";
    // as many as have one customer, and not the rest
    assert!(scanned(half, 0) < 2000);
    let none = "SELECT * FROM 'f' WHERE id * 1.0 < -1.0 ORDER BY customer LIMIT 5";
    assert_eq!(scanned(none, 0), 60_000);
    // each record costs a seek
    assert!(scanned(half, 16 << 10) > 20_000);
}

#[test]
fn a_row_filter_allows_no_walk() {
    let orders = Orders::new("csv", 3000, KEYS);
    let source = Arc::new(orders.open().with_index(orders.build().expect("an index")));
    let sql = "SELECT * FROM 'f' WHERE id < 2000 ORDER BY customer LIMIT 5";
    assert!(run(Arc::clone(&source), sql, apart(0)).1.records_pruned > 0);
    let filter = Predicate::parse("id > 500").expect("a filter");
    let view = View::new(source, None, Some(&filter)).expect("a view");
    let (rows, did, end) = run(view.clone(), sql, apart(0));
    end.expect("an answer");
    assert_eq!((did.records_pruned, did.records_scanned), (0, 2499));
    let all = ScanOptions { pruning: false, ..ScanOptions::default() };
    assert_eq!(rows, run(view, sql, all).0);
}

#[test]
fn a_walk_is_cancelled_between_its_steps() {
    let orders = Orders::new("dat", 3000, KEYS);
    let source = Arc::new(orders.open().with_index(orders.build().expect("an index")));
    let sql =
        "SELECT * FROM 'f' WHERE (day = DATE '2024-01-07' OR id < 9) ORDER BY customer LIMIT 15";
    assert!(is_walked(&source, sql, &apart(0)));
    let plan = Plan::new(&Select::parse(sql).expect("a Select"), Arc::clone(&source), &[]);
    let plan = plan.expect("a plan");
    // the first records, a lookup, more records, and a lookup
    for morsels in 0..4 {
        let options = apart(0);
        let cancel = options.cancel.clone();
        let mut scan = Scan::new(plan.clone(), options);
        for _ in 0..morsels {
            let Ok(Step::Run(morsel)) = scan.step() else { panic!("after {morsels}") };
            scan.accept(morsel.run());
        }
        let Ok(Step::Run(morsel)) = scan.step() else { panic!("after {morsels}") };
        cancel.raise();
        scan.accept(morsel.run());
        let error = scan.step().expect_err("a cancelled scan");
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    }
}

#[test]
fn only_one_file_is_walked() {
    let names = ["a=1/f".to_owned(), "a=2/f".to_owned()];
    let files = [Orders::new("dat", 3000, KEYS), Orders::new("dat", 3000, KEYS)];
    let open =
        |orders: &Orders| Arc::new(orders.open().with_index(orders.build().expect("an index")));
    let opened: Vec<_> = files.iter().map(open).enumerate().collect();
    let set = FileSet::new("a=*/f", names.to_vec()).expect("a set");
    for count in [1, 2] {
        let source = set.source(&opened[0].1, opened[..count].to_vec()).expect("a source");
        let source = Arc::new(source);
        for sql in [
            "SELECT * FROM 'f' WHERE id > 2000 ORDER BY customer, a DESC LIMIT 9",
            "SELECT a, id FROM 'f' WHERE a = 1 AND id > 99 ORDER BY customer DESC LIMIT 9 OFFSET 9",
        ] {
            let (rows, did) = on_threads(&source, sql, apart(0));
            assert_eq!(rows, expected(&source, sql), "{sql}");
            assert_eq!(is_walked(&source, sql, &apart(0)), count == 1, "{sql}");
            assert_eq!(did.records_scanned + did.records_pruned, 3000 * count as u64, "{sql}");
        }
    }
}
