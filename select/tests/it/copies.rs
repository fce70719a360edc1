//! Copies of columns in an index: the answer, its errors included, is the same with and without.

use std::fs::{self, File};
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use sift_select::{
    BuildOptions, Descriptor, ErrorKind, IndexFolder, Plan, Predicate, ScanOptions, ScanStatistics,
    Select, Source, View, explain,
};

use crate::engine;
use crate::generate::{self, Generator};
use crate::index::run;
use crate::keys::{FORMATS, Order, Orders, apart, row};
use crate::table::{Format, Table};

const INDEXED: [Format; 4] = [Format::Fixed, Format::Ebcdic, Format::Csv, Format::Jsonl];

fn options(columns: &[String]) -> BuildOptions<'_> {
    BuildOptions { zone_bytes: 2000, columns, ..BuildOptions::default() }
}

fn names(columns: &[&str]) -> Vec<String> {
    columns.iter().map(|column| (*column).to_owned()).collect()
}

/// Returns the text of EXPLAIN where a seek costs nothing.
fn explained(view: impl Into<View>, sql: &str, morsel_bytes: usize) -> String {
    let plan = Plan::new(&Select::parse(sql).expect(sql), view, &[]).expect(sql);
    explain(&plan, &ScanOptions { morsel_bytes, ..apart(0) }).expect("EXPLAIN")
}

fn reads_copies(view: impl Into<View>, sql: &str, morsel_bytes: usize) -> bool {
    explained(view, sql, morsel_bytes).contains("  reads column copies: ")
}

/// Checks that a Select has the same rows and the same end with copies as without, in morsels of
/// any size and on several threads. Returns whether copies were read.
fn same(plain: &View, copied: &View, sql: &str) -> bool {
    let (rows, _, end) = run(plain.clone(), sql, ScanOptions::default());
    let end = end.map_err(|error| error.to_string());
    let mut used = false;
    for morsel_bytes in [1, 1500, 5000, 4 << 20] {
        used |= reads_copies(copied.clone(), sql, morsel_bytes);
        let options = ScanOptions { morsel_bytes, ..apart(0) };
        let (got, _, got_end) = run(copied.clone(), sql, options);
        assert_eq!(got_end.map_err(|error| error.to_string()), end, "{sql}");
        assert_eq!(got, rows, "{sql}: in morsels of {morsel_bytes} bytes");
        let threads = engine::Run::new(4, Some(morsel_bytes));
        let answer = |view: &View| engine::select_in(view.clone(), sql, &[], threads);
        let (expected, got) = (answer(plain), answer(copied));
        let text = |error: sift_select::Error| error.to_string();
        assert_eq!(got.map_err(text), expected.map_err(text), "{sql}: on threads");
    }
    used
}

/// Makes Selects; some fail at a record, by a division.
fn select(generator: &mut Generator) -> String {
    let divides = |random: &mut Rng| {
        random.choice(["", " AND 100 / i > 0", " AND 7 / (id - 150) < 9"]).unwrap_or("")
    };
    let filter = generator.predicate(2).ours;
    let filter = format!("({filter}){}", divides(&mut generator.random));
    let (value, _) = generator.value(1);
    let (summand, _) = generator.summand(1);
    let (value, summand) = (value.ours, summand.ours);
    match generator.random.u8(0..7) {
        0 => format!("SELECT * FROM 'rows' WHERE {filter}"),
        1 => format!("SELECT id, {value} FROM 'rows' WHERE {filter}"),
        2 => format!("SELECT {value} FROM 'rows' LIMIT 20 OFFSET 40"),
        3 => format!("SELECT count(*), sum({summand}) FROM 'rows' WHERE {filter}"),
        4 => format!("SELECT s, count(*), sum({summand}) FROM 'rows' WHERE {filter} GROUP BY s"),
        5 => format!("SELECT id, s FROM 'rows' WHERE {filter} ORDER BY t DESC, id LIMIT 9"),
        _ => "SELECT count(*) FROM 'rows'".to_owned(),
    }
}

/// Returns the table without an index, and with copies of some columns.
fn opened(table: &Table, format: Format, columns: &[&str]) -> (Arc<Source>, Arc<Source>) {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = table.open(folder.path(), format);
    let columns = names(columns);
    let copied = table.indexed(folder.path(), &plain, &options(&columns)).expect("an index");
    (plain, copied)
}

#[test]
fn random_selects_have_the_same_answers_and_errors() {
    let (mut used, mut selects) = (0, 0);
    for seed in 0..6 {
        let table = generate::table(seed, 300);
        let all: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
        for format in INDEXED {
            for columns in [&all[..], &["id", "i", "d", "s"]] {
                let (plain, copied) = opened(&table, format, columns);
                let (plain, copied) = (View::from(plain), View::from(copied));
                let mut generator = Generator::new(seed);
                for _ in 0..20 {
                    let sql = select(&mut generator);
                    selects += 1;
                    used += usize::from(same(&plain, &copied, &sql));
                }
            }
        }
    }
    assert!(used > selects / 2, "{used} of {selects}");
}

#[test]
fn views_show_the_same() {
    let table = generate::table(7, 300);
    for format in INDEXED {
        let (plain, copied) = opened(&table, format, &["id", "i", "j", "s", "t"]);
        let shown = names(&["id", "i", "s"]);
        let filter = Predicate::parse("j > 0 AND id > 20").expect("a filter");
        for (columns, filter) in
            [(Some(&shown[..]), None), (None, Some(&filter)), (Some(&shown[..]), Some(&filter))]
        {
            let view = |source: &Arc<Source>| {
                View::new(Arc::clone(source), columns, filter).expect("a view")
            };
            let (plain, copied) = (view(&plain), view(&copied));
            for sql in [
                "SELECT id, i FROM 'rows'",
                "SELECT id FROM 'rows' WHERE i > 2 AND s <> 'a'",
                "SELECT s, sum(i) FROM 'rows' GROUP BY s",
                "SELECT 1 / (id - 200) FROM 'rows' WHERE id > 100",
                "SELECT * FROM 'rows' WHERE id BETWEEN 50 AND 60",
            ] {
                same(&plain, &copied, sql);
                // time would tell of hidden records
                let (_, read, _) = run(copied.clone(), sql, apart(0));
                let all = run(plain.clone(), sql, apart(0)).1;
                let is_smaller = read.bytes_scanned < all.bytes_scanned / 2;
                assert_eq!(is_smaller, filter.is_none(), "{sql}: {read:?}");
            }
        }
    }
}

/// Builds an index with copies of some columns, saves it, and opens the file with it.
fn copied(orders: &Orders, columns: &[&str]) -> Arc<Source> {
    let columns = names(columns);
    let index = orders.open().build_index(&options(&columns)).expect("an index");
    orders.indexes().save(&index).expect("save");
    orders.indexed().expect("an index")
}

fn counted(source: &Arc<Source>, sql: &str) -> (String, ScanStatistics) {
    let (rows, read, end) = run(Arc::clone(source), sql, apart(0));
    end.expect(sql);
    (rows, read)
}

#[test]
fn copies_are_read_alone() {
    for format in FORMATS {
        let orders = Orders::new(format, 3000, "");
        let source = copied(&orders, &["id", "customer"]);
        let plain = Arc::new(orders.open());
        for sql in [
            "SELECT id, customer FROM 'f'",
            "SELECT sum(id) FROM 'f' WHERE customer = 7",
            "SELECT customer, count(*) FROM 'f' GROUP BY customer ORDER BY customer",
        ] {
            let (expected, all) = counted(&plain, sql);
            let (rows, read) = counted(&source, sql);
            assert_eq!(rows, expected, "{format}: {sql}");
            assert_eq!(read.records_scanned + read.records_pruned, 3000, "{format}: {sql}");
            // more than a byte a record
            let is_few = (3000..all.bytes_scanned / 3).contains(&read.bytes_scanned);
            assert!(is_few, "{format}: {sql}: {read:?}");
            let line = "\n  reads column copies: ";
            assert!(explained(Arc::clone(&source), sql, 4 << 20).contains(line), "{sql}");
        }
        let count = counted(&source, "SELECT count(*) FROM 'f'");
        assert_eq!(count.0, counted(&plain, "SELECT count(*) FROM 'f'").0);
        assert_eq!(count.1.bytes_scanned, 0);
        for sql in ["SELECT day FROM 'f'", "SELECT id FROM 'f' WHERE day > DATE '2024-01-09'"] {
            assert!(!reads_copies(Arc::clone(&source), sql, 4 << 20), "{sql}");
        }
        // each page costs a seek
        let sql = "SELECT id FROM 'f'";
        let (_, read, _) = run(Arc::clone(&source), sql, ScanOptions::default());
        assert_eq!(read.bytes_scanned, counted(&plain, sql).1.bytes_scanned, "{format}");
        // zones that WHERE rules out
        let (_, read) = counted(&source, "SELECT customer FROM 'f' WHERE id < 100");
        assert!(read.records_pruned > 2500, "{format}: {read:?}");
        assert!((100..1000).contains(&read.bytes_scanned), "{format}: {read:?}");
    }
}

#[test]
fn a_key_is_used_if_it_is_cheaper_than_copies() {
    let keys = "[[key]]\ncolumns = \"customer\"\n";
    let orders = Orders::new("dat", 20_000, keys);
    let source = copied(&orders, &["id", "customer"]);
    for (sql, path) in [
        ("SELECT id FROM 'f' WHERE customer = 7", "key: customer"),
        ("SELECT id, day FROM 'f' WHERE customer IN (7, 50, 60)", "key: customer"),
        ("SELECT id FROM 'f' WHERE customer IN (7, 50, 60)", "reads column copies: id, customer"),
    ] {
        let told = explained(Arc::clone(&source), sql, 4 << 20);
        assert!(told.contains(path), "{sql}: {told}");
        assert_eq!(told.contains("key: "), path.starts_with("key"), "{sql}: {told}");
        let plain = run(Arc::new(orders.open()), sql, apart(0));
        assert_eq!(counted(&source, sql).0, plain.0, "{sql}");
    }
}

#[test]
fn errors_name_the_record_and_its_byte() {
    for format in FORMATS {
        let orders = Orders::new(format, 3000, "");
        let source = copied(&orders, &["id"]);
        let text = fs::read_to_string(orders.path()).expect("the file");
        let record = text.lines().nth(2000 + usize::from(*format == "csv")).expect("a record");
        let byte = text.find(record).expect("the record");
        let sql = "SELECT 1 / (id - 2000) FROM 'f' WHERE id > 1000";
        let (_, read, end) = run(Arc::clone(&source), sql, apart(0));
        let error = end.expect_err("a fault").to_string();
        let expected = format!("f: record 2001 (byte {byte}): division by zero");
        assert!(error.starts_with(&expected), "{format}: {error}");
        assert!(read.records_pruned > 0, "{format}: {read:?}");
    }
}

#[test]
fn appended_records_are_read_from_the_file() {
    for format in FORMATS {
        let orders = Orders::new(format, 2000, "append_only = true\n");
        drop(copied(&orders, &["id", "customer"]));
        let order = |id, customer| row(format, &Order { id, customer, day: 3 });
        orders.append(&(2000..2100).map(|id| order(id, Some(1))).collect::<String>());
        let bad =
            order(2100, Some(1)).replace("2100", "21x0").replace("\"id\": 21x0", "\"id\": \"x\"");
        let source = orders.indexed().expect("an index");
        let plain = Arc::new(orders.open());
        let sql = "SELECT id, customer FROM 'f' WHERE customer = 1";
        assert!(reads_copies(Arc::clone(&source), sql, 4 << 20));
        assert!(same(&View::from(plain), &View::from(source), sql));
        orders.append(&bad);
        let (plain, source) = (Arc::new(orders.open()), orders.indexed().expect("an index"));
        assert!(same(&View::from(Arc::clone(&plain)), &View::from(Arc::clone(&source)), sql));
        let (_, _, end) = run(source, sql, apart(0));
        assert!(end.expect_err("a fault").to_string().contains("record 2101"), "{format}");
        // the first records have no fault
        assert!(counted(&plain, "SELECT id FROM 'f' LIMIT 2100").1.records_selected == 2100);
    }
}

#[test]
fn damaged_copies_change_no_answer() {
    for format in FORMATS {
        let orders = Orders::new(format, 1000, "");
        let source = copied(&orders, &["id", "customer", "day"]);
        let selects = [
            "SELECT * FROM 'f'",
            "SELECT day, sum(id), count(*) FROM 'f' WHERE customer > 20 GROUP BY day ORDER BY day",
            "SELECT id FROM 'f' WHERE customer = 7 AND day < DATE '2024-01-20'",
            "SELECT 1 / (id - 700) FROM 'f' WHERE day > DATE '2024-01-02'",
        ];
        let answer = |source: &Arc<Source>, sql: &str| {
            let (rows, _, end) = run(Arc::clone(source), sql, apart(0));
            (rows, end.map_err(|error| error.to_string()))
        };
        for sql in selects {
            assert!(reads_copies(Arc::clone(&source), sql, 4 << 20), "{format}: {sql}");
        }
        let plain = Arc::new(orders.open());
        let expected = selects.map(|sql| answer(&plain, sql));
        let [listed] = &orders.indexes().list().expect("a list")[..] else { panic!("one index") };
        let contents = listed.contents.as_ref().expect("a good index");
        assert_eq!(contents.copied_columns, ["id", "customer", "day"]);
        let good = fs::read(&listed.path).expect("the index");
        let body = u64::from_le_bytes(good[12..20].try_into().expect("eight bytes"));
        let pages = usize::try_from(24 + body).expect("a length");
        assert!(good.len() > pages + 2000, "{} bytes", good.len());
        let mut random = Rng::with_seed(3);
        for round in 0..201 {
            let mut bad = good.clone();
            let place = random.usize(pages..bad.len());
            match round {
                // all of them
                200 => bad[pages..].fill(0),
                _ => bad[place] ^= 1 << random.u8(0..8),
            }
            fs::write(&listed.path, &bad).expect("write the index");
            let source = orders.indexed().expect("an index");
            for (sql, expected) in selects.iter().zip(&expected) {
                assert_eq!(answer(&source, sql), *expected, "{format}: {sql}: byte {place}");
            }
        }
        fs::write(&listed.path, &good[..good.len() - 1]).expect("write the index");
        orders.open().find_index(&orders.indexes()).expect_err("cut off");
    }
}

/// Copies belong to one file as it was when they were made.
#[test]
fn copies_of_another_file_are_not_used() {
    let file = |first: u32| {
        let orders = Orders::new("csv", 0, "");
        let rows =
            (first..first + 1000).map(|id| row("csv", &Order { id, customer: None, day: 1 }));
        orders.append(&rows.collect::<String>());
        orders
    };
    let (one, other) = (file(10_000), file(20_000));
    for orders in [&one, &other] {
        drop(copied(orders, &["id", "customer"]));
    }
    let read = |orders: &Orders| {
        let [listed] = &orders.indexes().list().expect("a list")[..] else { panic!("one index") };
        let bytes = fs::read(&listed.path).expect("the index");
        let body = u64::from_le_bytes(bytes[12..20].try_into().expect("eight bytes"));
        let pages = usize::try_from(24 + body).expect("a length");
        (listed.path.clone(), bytes, pages)
    };
    let ((path, of_one, pages), (_, of_other, other_pages)) = (read(&one), read(&other));
    let sql = "SELECT sum(id) FROM 'f'";
    let expected = counted(&Arc::new(one.open()), sql).0;
    // its pages alone
    let mixed = [&of_one[..pages], &of_other[other_pages..]].concat();
    assert_eq!(mixed.len(), of_one.len());
    fs::write(&path, &mixed).expect("write the index");
    assert_eq!(counted(&one.indexed().expect("an index"), sql).0, expected);
    // all of it
    fs::write(&path, &of_other).expect("write the index");
    assert!(one.indexed().is_none());
    // its own, which is removed while it is used, and then one of the file as it was
    fs::write(&path, &of_one).expect("write the index");
    let source = one.indexed().expect("an index");
    fs::remove_file(&path).expect("remove the index");
    assert_eq!(counted(&source, sql).0, expected);
    assert!(one.indexed().is_none());
    fs::write(&path, &of_one).expect("write the index");
    one.append(&row("csv", &Order { id: 7, customer: None, day: 1 }));
    assert!(one.indexed().is_none());
}

#[test]
fn a_column_without_a_value_in_some_record_is_not_copied() {
    for format in FORMATS {
        let orders = Orders::new(format, 500, "");
        let bad = row(format, &Order { id: 500, customer: None, day: 99 });
        orders.append(&bad);
        let refused = Mutex::new(Vec::new());
        let columns = names(&["day", "id"]);
        let index = orders.open().build_index(&BuildOptions {
            uncopied: &|error| refused.lock().expect("a lock").push(error.to_string()),
            ..options(&columns)
        });
        assert!(index.expect("an index").copied_columns().eq(["id"]));
        let refused = refused.into_inner().expect("a lock");
        let [refused] = &refused[..] else { panic!("{refused:?}") };
        assert!(refused.starts_with("f: record 501 (byte "), "{format}: {refused}");
        let end = "; a copy of `day` needs a value of every record";
        assert!(refused.contains("field `day`") && refused.ends_with(end), "{format}: {refused}");
        let (plain, source) = (Arc::new(orders.open()), copied(&orders, &["id"]));
        for sql in ["SELECT id FROM 'f'", "SELECT id, day FROM 'f'", "SELECT * FROM 'f'"] {
            same(&View::from(Arc::clone(&plain)), &View::from(Arc::clone(&source)), sql);
        }
        let columns = names(&["idd"]);
        let error = orders.open().build_index(&options(&columns)).expect_err("no such column");
        assert_eq!(error.kind(), ErrorKind::UnknownColumn);
        assert_eq!(error.to_string(), "f: unknown column `idd`; did you mean `id`?");
    }
}

/// Later records may have members that are not columns, which only the bytes show.
#[test]
fn inferred_columns_are_checked_in_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("f.jsonl");
    let mut file = File::create(&path).expect("a file");
    for id in 0..20_000 {
        let more = if id == 15_000 { ", \"b\": 1" } else { "" };
        writeln!(file, "{{\"a\": {id}{more}}}").expect("a record");
    }
    let open = || {
        let descriptor = Descriptor::parse("f.toml", "format = \"jsonl\"\n").expect("a descriptor");
        let file = File::open(&path).expect("open the file");
        Source::open("f", file, Some(descriptor)).expect("a source")
    };
    let columns = names(&["a"]);
    let index = open().build_index(&options(&columns)).expect("an index");
    IndexFolder::new(folder.path()).save(&index).expect("save");
    let (plain, source) = (Arc::new(open()), Arc::new(open().with_index(index)));
    for (sql, uses) in [("SELECT * FROM 'f'", false), ("SELECT a FROM 'f'", true)] {
        let (plain, source) = (View::from(Arc::clone(&plain)), View::from(Arc::clone(&source)));
        assert_eq!(same(&plain, &source, sql), uses, "{sql}");
    }
    let (_, _, end) = run(source, "SELECT * FROM 'f'", apart(0));
    assert!(end.expect_err("a member").to_string().contains("record 15001"));
}
