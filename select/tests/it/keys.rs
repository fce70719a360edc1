//! Keys of an index save reading, and nothing else depends on them.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use fastrand::Rng;
use sift_select::property::answers_ignore_morsels;
use sift_select::{
    BuildOptions, Descriptor, ErrorKind, Index, IndexFolder, MemoryBudget, Plan, Result,
    ScanOptions, ScanStatistics, Select, Source, SpillDirectory, explain,
};

use crate::index::run;

pub(crate) const FORMATS: &[&str] = &["dat", "csv", "jsonl"];

/// By customer, and by day in descending order and then by customer.
pub(crate) const KEYS: &str = "[[key]]\nname = \"customer\"\ncolumns = \"customer\"\n\
                    [[key]]\nname = \"recent\"\ncolumns = [\"day\", \"customer\"]\ndescending = \"day\"\n";

/// A file of orders in its own folder.
pub(crate) struct Orders {
    folder: tempfile::TempDir,
    format: &'static str,
    descriptor: String,
}

/// One order; the customer may be NULL.
pub(crate) struct Order {
    pub(crate) id: u32,
    pub(crate) customer: Option<u32>,
    pub(crate) day: u32,
}

impl Orders {
    /// Makes `records` orders of 100 customers on 30 days, ordered only by `id`.
    pub(crate) fn new(format: &'static str, records: u32, more: &str) -> Self {
        Self::padded(format, records, more, 42)
    }

    /// Does the same as [`new`](Self::new), with `padding` bytes after the fields of a fixed-length
    /// record.
    fn padded(format: &'static str, records: u32, more: &str, padding: usize) -> Self {
        let mut random = Rng::with_seed(5);
        let orders = (0..records).map(|id| Order {
            id,
            customer: random.u8(0..20).checked_sub(1).map(|_| random.u32(0..100)),
            day: random.u32(1..31),
        });
        let rows: String = orders.map(|order| padded_row(format, &order, padding)).collect();
        let field = |name: &str, rest: &str| format!("[[field]]\nname = \"{name}\"\n{rest}\n");
        let descriptor = match format {
            "dat" => {
                let digits = "type = \"digits\"\nnull_when = \"spaces\"";
                let fields = [
                    field("id", &format!("{digits}\noffset = 0\nlength = 6")),
                    field("customer", &format!("{digits}\noffset = 6\nlength = 4")),
                    field("day", "type = \"date\"\noffset = 10\nlength = 8"),
                ];
                format!(
                    "format = \"fixed\"\nrecord_length = {}\nterminator = \"lf\"\n{more}{}",
                    18 + padding,
                    fields.concat()
                )
            }
            format => {
                let fields = [("id", "int64"), ("customer", "int64"), ("day", "date")];
                let fields = fields.map(|(name, kind)| field(name, &format!("type = \"{kind}\"")));
                format!("format = \"{format}\"\n{more}{}", fields.concat())
            }
        };
        let header = if format == "csv" { "id,customer,day\n" } else { "" };
        let orders = Self { folder: tempfile::tempdir().expect("a folder"), format, descriptor };
        fs::write(orders.path(), header.to_owned() + &rows).expect("write the file");
        orders
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join(format!("f.{}", self.format))
    }

    pub(crate) fn open(&self) -> Source {
        let file = File::open(self.path()).expect("open the file");
        let descriptor = Descriptor::parse("f.toml", &self.descriptor).expect("a descriptor");
        Source::open("f", file, Some(descriptor)).expect("a source")
    }

    pub(crate) fn build(&self) -> Result<Index> {
        self.open().build_index(&BuildOptions { zone_bytes: 4000, ..BuildOptions::default() })
    }

    pub(crate) fn indexes(&self) -> IndexFolder {
        IndexFolder::new(self.folder.path())
    }

    /// Opens the file with the index in its folder.
    pub(crate) fn indexed(&self) -> Option<Arc<Source>> {
        let source = self.open();
        let index = source.find_index(&self.indexes()).expect("a good index")?;
        Some(Arc::new(source.with_index(index)))
    }

    pub(crate) fn append(&self, text: &str) {
        let mut file = File::options().append(true).open(self.path()).expect("the file");
        file.write_all(text.as_bytes()).expect("append");
    }
}

pub(crate) fn row(format: &str, order: &Order) -> String {
    padded_row(format, order, 42)
}

fn padded_row(format: &str, Order { id, customer, day }: &Order, padding: usize) -> String {
    let number = |width: usize| customer.map_or(String::new(), |n| format!("{n:0width$}"));
    match format {
        "dat" => format!("{id:06}{:4}202401{day:02}{:padding$}\n", number(4), ""),
        "csv" => format!("{id},{},2024-01-{day:02}\n", number(1)),
        _ => {
            let customer = customer.map_or("null".to_owned(), |customer| customer.to_string());
            format!("{{\"id\": {id}, \"customer\": {customer}, \"day\": \"2024-01-{day:02}\"}}\n")
        }
    }
}

/// Makes a file with an index that has all declared keys.
fn keyed(format: &'static str, records: u32) -> (Orders, Arc<Source>) {
    let orders = Orders::new(format, records, KEYS);
    orders.indexes().save(&orders.build().expect("an index")).expect("save");
    let indexed = orders.indexed().expect("an index");
    (orders, indexed)
}

pub(crate) fn apart(apart_bytes: u64) -> ScanOptions {
    ScanOptions { apart_bytes, ..ScanOptions::default() }
}

/// Returns the counters of a Select with a key, after checking that the answer is that without a
/// key.
fn by_key(source: &Arc<Source>, sql: &str) -> ScanStatistics {
    let all = ScanOptions { pruning: false, ..ScanOptions::default() };
    let (expected, _, end) = run(Arc::clone(source), sql, all);
    end.expect("an answer");
    let (rows, statistics, end) = run(Arc::clone(source), sql, apart(0));
    end.expect("an answer");
    assert_eq!(rows, expected, "{sql}");
    if statistics.records_scanned + statistics.records_pruned < 5000 {
        answers_ignore_morsels(source, sql);
    }
    statistics
}

fn explained(source: &Arc<Source>, sql: &str) -> String {
    let plan = Plan::new(&Select::parse(sql).expect("a Select"), Arc::clone(source), &[]);
    explain(&plan.expect("a plan"), &ScanOptions::default()).expect("EXPLAIN")
}

/// Filters, and whether a key alone decides which records WHERE keeps.
const FILTERS: &[(&str, bool)] = &[
    ("customer = 7", true),
    ("7 = customer", true),
    ("customer IN (7, 9, NULL)", true),
    ("customer IS NULL", true),
    ("customer >= 95", true),
    ("customer > 2 AND customer <= 4 AND customer <> 3", false),
    ("customer BETWEEN 20 AND 22", true),
    ("customer < 0", true),
    ("customer = 4 AND customer = 5", true),
    ("day = DATE '2024-01-31'", true),
    ("day = DATE '2024-01-07' AND customer = 7", true),
    ("day = DATE '2024-01-07' AND customer BETWEEN 7 AND 9", true),
    ("day > DATE '2024-01-29'", true),
    ("day < DATE '2024-01-02'", true),
    ("customer = 7 AND id / 2 > 100", false),
];

#[test]
fn records_that_a_key_rules_out_are_not_read() {
    // longer than the gaps that are read between two records
    let orders = Orders::padded("dat", 3000, KEYS, 5000);
    // the zones have so many records that the zone map prunes none of them
    let index = orders.open().build_index(&BuildOptions::default()).expect("an index");
    let source = Arc::new(orders.open().with_index(index));
    for (filter, is_all) in FILTERS {
        let sql = format!("SELECT id, customer, day FROM 'f' WHERE {filter}");
        let all = ScanOptions { pruning: false, ..ScanOptions::default() };
        let (expected, ..) = run(Arc::clone(&source), &sql, all);
        let (rows, read, end) = run(Arc::clone(&source), &sql, apart(0));
        end.expect("an answer");
        assert_eq!(rows, expected, "{filter}");
        assert_eq!(read.records_scanned + read.records_pruned, 3000, "{filter}");
        assert!(read.records_scanned < 300, "{filter}: {read:?}");
        assert_eq!(read.records_scanned == read.records_selected, *is_all, "{filter}: {read:?}");
    }
    // the first term may fail for records that the key would exclude
    let sql = "SELECT id FROM 'f' WHERE 1 / (id + 1) = 0 AND customer = 7";
    let (_, read, _) = run(source, sql, apart(0));
    assert_eq!(read.records_scanned, 3000);
}

#[test]
fn an_answer_does_not_depend_on_keys() {
    for format in FORMATS {
        let (_orders, source) = keyed(format, 3000);
        for (filter, _) in FILTERS {
            by_key(&source, &format!("SELECT * FROM 'f' WHERE {filter}"));
        }
    }
}

#[test]
fn few_records_are_read_by_a_key_of_a_large_file() {
    for format in FORMATS {
        let (_orders, source) = keyed(format, 60_000);
        let sql = "SELECT * FROM 'f' WHERE day = DATE '2024-01-07' AND customer = 7";
        let read = by_key(&source, sql);
        assert!(read.records_scanned < 12_000, "{format}: {read:?}");
        assert!(read.records_selected > 5, "{format}: {read:?}");
    }
}

#[test]
fn a_key_is_used_where_it_pays() {
    let (_orders, source) = keyed("dat", 60_000);
    let used = |sql: &str| explained(&source, sql).contains("  key: ");
    assert!(used("SELECT * FROM 'f' WHERE day = DATE '2024-01-07' AND customer = 7"));
    // each of the 600 records would cost a seek
    assert!(!used("SELECT * FROM 'f' WHERE customer = 7"));
    assert!(!used("SELECT * FROM 'f' WHERE customer > 7"));
    assert!(!used("SELECT * FROM 'f' WHERE customer + 0 = 7"));
    assert!(!used("SELECT * FROM 'f'"));
}

#[test]
fn the_first_rows_of_an_order_are_at_an_end_of_its_key() {
    for (format, records) in [("dat", 60_000), ("csv", 3000), ("jsonl", 3000)] {
        let (_orders, source) = keyed(format, records);
        for (rest, read_max) in [
            ("ORDER BY customer LIMIT 5", 12_000),
            // a twentieth of the records have NULL, and all of these are equal
            ("ORDER BY customer DESC LIMIT 5", 60_000),
            ("ORDER BY customer DESC NULLS LAST LIMIT 5", 60_000),
            ("ORDER BY customer NULLS FIRST LIMIT 5", 60_000),
            ("WHERE customer < 50 ORDER BY customer DESC LIMIT 5", 12_000),
            ("WHERE customer > 50 ORDER BY customer LIMIT 5 OFFSET 2", 12_000),
            ("ORDER BY day DESC, customer LIMIT 5", 12_000),
            ("ORDER BY day, customer DESC LIMIT 5", 12_000),
            ("ORDER BY day, customer LIMIT 5", 60_000),
            ("ORDER BY day LIMIT 5", 60_000),
            ("WHERE day = DATE '2024-01-07' ORDER BY customer LIMIT 5", 12_000),
            ("WHERE day = DATE '2024-01-07' ORDER BY customer DESC LIMIT 5", 12_000),
            ("ORDER BY customer LIMIT 0", 60_000),
            ("ORDER BY customer, id LIMIT 5", 60_000),
            ("WHERE id % 2 = 0 ORDER BY customer LIMIT 5", 60_000),
        ] {
            let sql = format!("SELECT id, customer FROM 'f' {rest}");
            let read = by_key(&source, &sql);
            assert!(read.records_scanned <= read_max, "{format}: {rest}: {read:?}");
        }
    }
}

#[test]
fn explain_names_the_key() {
    let (_orders, source) = keyed("dat", 60_000);
    let line = |sql: &str| {
        let text = explained(&source, sql);
        let line = text.lines().find(|line| line.starts_with("  key: "));
        let line = line.unwrap_or("none").to_owned();
        line.split(';').next().expect("a part").to_owned()
    };
    let order = "SELECT * FROM 'f' ORDER BY day DESC, customer LIMIT 1";
    assert_eq!(line(order), "  key: recent, in the order wanted");
    let both = "SELECT * FROM 'f' WHERE day = DATE '2024-01-07' AND customer = 7";
    assert_eq!(line(both), "  key: recent, optimized at head and tail");
    let tail =
        "SELECT * FROM 'f' WHERE day > DATE '2024-01-29' ORDER BY day, customer DESC LIMIT 1";
    assert_eq!(line(tail), "  key: recent, optimized at the tail, in the order wanted");
}

/// The records are read one after the other, but errors have their positions in the file.
#[test]
fn faults_are_named_by_their_place_in_the_file() {
    for format in FORMATS {
        let orders = Orders::new(format, 3000, KEYS);
        let text = fs::read_to_string(orders.path()).expect("the file");
        // `id` is in no key
        let lines = text.lines().enumerate().map(|(number, line)| match (number % 700, *format) {
            (699, "dat") => format!("x{}\n", &line[1..]),
            (699, "csv") => format!("x{line}\n"),
            (699, _) => line.replacen(": ", ": \"x\", \"n\": ", 1) + "\n",
            _ => format!("{line}\n"),
        });
        fs::write(orders.path(), lines.collect::<String>()).expect("write the file");
        let index = orders.build().expect("an index");
        let source = Arc::new(orders.open().with_index(index));
        for filter in ["customer = 77", "day = DATE '2024-01-07'", "customer IS NULL"] {
            for what in ["id", "*", "customer, 1 / (customer - 77)", "max(id)"] {
                answers_ignore_morsels(&source, &format!("SELECT {what} FROM 'f' WHERE {filter}"));
            }
            let sql =
                format!("SELECT id FROM 'f' WHERE {filter} ORDER BY day DESC, customer LIMIT 9");
            answers_ignore_morsels(&source, &sql);
        }
    }
}

#[test]
fn appended_records_are_read_as_a_tail() {
    for format in FORMATS {
        let orders = Orders::new(format, 3000, &format!("append_only = true\n{KEYS}"));
        orders.indexes().save(&orders.build().expect("an index")).expect("save");
        let count = "SELECT count(*), min(id), max(id) FROM 'f' WHERE customer = 777";
        let new = |id| row(format, &Order { id, customer: Some(777), day: 31 });
        orders.append(&new(3000));
        orders.append(&new(3001));
        let source = orders.indexed().expect("the index is of the first records");
        assert_eq!(by_key(&source, count).records_selected, 2);
        let top = "SELECT id FROM 'f' ORDER BY customer DESC NULLS LAST, id LIMIT 3";
        by_key(&source, top);
        let newest = "SELECT id, day FROM 'f' ORDER BY day DESC, customer LIMIT 2";
        by_key(&source, newest);
        by_key(&source, "SELECT id FROM 'f' LIMIT 5 OFFSET 2998");
        // other bytes at the end of the index
        let mut bytes = fs::read(orders.path()).expect("the file");
        let place = bytes.len() - 2 * new(3000).len() - 3;
        bytes[place] ^= 1;
        fs::write(orders.path(), bytes).expect("write the file");
        assert!(orders.indexed().is_none());
    }
    // a change during a scan
    let orders = Orders::new("csv", 30, "append_only = true\n");
    let source = Arc::new(orders.open());
    orders.append("30,7,2024-01-01\n");
    let (_, read, end) = run(source, "SELECT * FROM 'f'", ScanOptions::default());
    end.expect("the file as it was opened");
    assert_eq!(read.records_scanned, 30);
    // without `append_only`
    let orders = Orders::new("csv", 30, KEYS);
    orders.indexes().save(&orders.build().expect("an index")).expect("save");
    assert!(orders.indexed().is_some());
    orders.append("30,777,2024-01-01\n");
    assert!(orders.indexed().is_none());
    // the last record continues
    let orders = Orders::new("csv", 30, &format!("append_only = true\n{KEYS}"));
    orders.append("30,7,2024-01-01");
    orders.indexes().save(&orders.build().expect("an index")).expect("save");
    assert!(orders.indexed().is_some());
    orders.append("\n31,7,2024-01-01\n");
    assert!(orders.indexed().is_none());
}

#[test]
fn keys_that_cannot_be_built_are_told() {
    let complaint = |more: &str, records| {
        let orders = Orders::new("csv", records, more);
        let error = orders.build().expect_err(more);
        (error.kind(), error.to_string())
    };
    let (kind, text) = complaint("[[key]]\ncolumns = \"day\"\nunique = true\n", 40);
    assert_eq!(kind, ErrorKind::Record);
    assert!(text.starts_with("f: key `day` is unique, but records "), "{text}");
    // NULL is not equal to another NULL
    let orders =
        Orders::new("csv", 40, "[[key]]\ncolumns = [\"id\", \"customer\"]\nunique = true\n");
    orders.build().expect("an index");

    let orders = Orders::new("csv", 40, KEYS);
    orders.append("40,x,2024-01-01\n");
    let text = orders.build().expect_err("no number").to_string();
    assert!(text.starts_with("f: record 41 (byte "), "{text}");
    assert!(text.ends_with("; key `customer` needs a value of every record"), "{text}");

    let long = "format = \"csv\"\n[[key]]\ncolumns = \"t\"\n".to_owned();
    let orders = Orders { descriptor: long, ..Orders::new("csv", 0, "") };
    fs::write(orders.path(), format!("t\nshort\n{}\n", "x".repeat(1100))).expect("write");
    let error = orders.build().expect_err("too long");
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert_eq!(
        error.to_string(),
        "f: record 2: its columns of key `t` take more than 1024 bytes, the most that a key has"
    );
}

#[test]
fn keys_that_a_file_cannot_have_are_refused() {
    let complaint = |more: &str| {
        let orders = Orders::new("csv", 3, more);
        let file = File::open(orders.path()).expect("open the file");
        let source = Descriptor::parse("f.toml", &orders.descriptor)
            .map_err(sift_select::Error::from)
            .and_then(|descriptor| Source::open("f", file, Some(descriptor)));
        source.expect_err(more).to_string()
    };
    assert_eq!(
        complaint("[[key]]\nname = \"k\"\ncolumns = \"none\"\n"),
        "f.toml: key `k`: no field `none` in the file"
    );
    assert_eq!(
        complaint("[[key]]\ncolumns = [\"id\", \"id\"]\n"),
        "f.toml: line 3, column 11: `columns` has \"id\" twice"
    );
    assert_eq!(
        complaint("[[key]]\ncolumns = \"id\"\ndescending = \"day\"\n"),
        "f.toml: line 4, column 14: \"day\" is not in `columns`"
    );
    assert_eq!(
        complaint(&"[[key]]\ncolumns = \"id\"\n".repeat(2)),
        "f.toml: line 4, column 1: there are two keys `id`"
    );
    assert!(
        complaint("compression = \"gzip\"\n[[key]]\ncolumns = \"id\"\n").contains("compressed")
    );
}

/// The directory of a key is valid, but its pages are not.
#[test]
fn damaged_pages_change_no_answer() {
    let (orders, source) = keyed("dat", 3000);
    let selects = [
        "SELECT * FROM 'f' WHERE customer = 7 ORDER BY day, customer LIMIT 4",
        // along the key
        "SELECT * FROM 'f' WHERE id > 2000 ORDER BY customer, day LIMIT 40",
    ];
    let expected = selects.map(|sql| {
        let (expected, read, _) = run(Arc::clone(&source), sql, apart(0));
        assert!(read.records_pruned > 0, "{sql}");
        expected
    });
    let [listed] = &orders.indexes().list().expect("a list")[..] else { panic!("one index") };
    assert_eq!(listed.contents.as_ref().expect("a good index").keys, ["customer", "recent"]);
    let good = fs::read(&listed.path).expect("the index");
    let body = u64::from_le_bytes(good[12..20].try_into().expect("eight bytes"));
    let pages = usize::try_from(24 + body).expect("a length");
    assert!(good.len() > pages + 10_000, "{} bytes", good.len());
    let mut random = Rng::with_seed(3);
    for _ in 0..200 {
        let mut bad = good.clone();
        let place = random.usize(pages..bad.len());
        bad[place] ^= 1 << random.u8(0..8);
        fs::write(&listed.path, &bad).expect("write the index");
        let source = orders.indexed().expect("an index");
        for (sql, expected) in selects.iter().zip(&expected) {
            let (rows, _, end) = run(Arc::clone(&source), sql, apart(0));
            end.expect("an answer");
            assert_eq!(rows, *expected, "{sql}: a bit of byte {place}");
        }
    }
    fs::write(&listed.path, &good[..good.len() - 1]).expect("write the index");
    orders.open().find_index(&orders.indexes()).expect_err("cut off");
}

#[test]
fn a_key_that_outgrows_memory_is_sorted_on_disk() {
    let orders = Orders::new("dat", 60_000, KEYS);
    let memory = || Arc::new(MemoryBudget::new("memory", 1 << 20));
    let options = BuildOptions { memory: memory(), ..BuildOptions::default() };
    let error = orders.open().build_index(&options).expect_err("too much");
    assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error}");
    let spill = Arc::new(SpillDirectory::new(orders.folder.path(), "spill", u64::MAX));
    let options = BuildOptions { memory: memory(), spill: Some(Arc::clone(&spill)), ..options };
    let index = orders.open().build_index(&options).expect("an index");
    assert_eq!(spill.bytes(), 0);
    let source = Arc::new(orders.open().with_index(index));
    let read = by_key(&source, "SELECT * FROM 'f' WHERE customer = 7");
    assert!(read.records_selected > 400, "{read:?}");
    let mut sql = "SELECT id FROM 'f' WHERE customer IN (".to_owned();
    for customer in 0..1100 {
        write!(sql, "{}{customer}", if customer == 0 { "" } else { ", " }).expect("a string");
    }
    // more values than are looked up one by one
    assert_eq!(by_key(&source, &(sql + ")")).records_scanned, 60_000);
}
