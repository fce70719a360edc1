//! Selects of a reader who may not see everything: hidden parts cannot be selected, counted or
//! named, and cannot make anything fail.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use arrow::ipc::writer::FileWriter;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use sift_select::{
    Descriptor, Error, ErrorKind, Plan, Predicate, Result, Scan, ScanOptions, ScanStatistics,
    Select, Source, Step, View, explain,
};

use crate::compressed::gzip;
use crate::engine::{Answer, RUNS, select_in};

/// Orders 1, 4 and 6 are Ann's; the others have odd values in every column.
const ORDERS: &str = "\
id,owner,price,note
1,ann,10,a
2,bob,0,secret
3,bob,bad,secret
4,ann,40,b
5,,7,secret
6,ann,60,c
";

fn source(text: &str, name: &str) -> Arc<Source> {
    let descriptor = "format = \"csv\"\n[[field]]\nname = \"price\"\ntype = \"int64\"\n";
    let descriptor = text
        .contains("price")
        .then(|| Descriptor::parse("orders.csv.toml", descriptor).expect("a descriptor"));
    described(text.as_bytes(), name, descriptor)
}

fn described(bytes: &[u8], name: &str, descriptor: Option<Descriptor>) -> Arc<Source> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("write the file");
    let file = File::open(&path).expect("open the file");
    Arc::new(Source::open(name, file, descriptor).expect("a source"))
}

fn orders() -> Arc<Source> {
    source(ORDERS, "orders.csv")
}

fn view(source: Arc<Source>, columns: Option<&[&str]>, filter: Option<&str>) -> View {
    let columns =
        columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    let filter = filter.map(|text| Predicate::parse(text).expect("a predicate"));
    View::new(source, columns.as_deref(), filter.as_ref()).expect("a view")
}

fn anns() -> View {
    view(orders(), None, Some("owner = 'ann'"))
}

/// Returns the answer, which is the same however the scan is divided.
#[track_caller]
fn select(view: &View, sql: &str) -> Result<Answer> {
    let mut answers =
        RUNS.iter().map(|run| select_in(view.clone(), sql, &[], *run)).collect::<Vec<_>>();
    let first = answers.pop().expect("runs");
    for answer in answers {
        match (&answer, &first) {
            (Ok(answer), Ok(first)) => assert_eq!(answer, first, "{sql}"),
            (Err(error), Err(first)) => assert_eq!(error.to_string(), first.to_string(), "{sql}"),
            _ => panic!("{sql}: {answer:?} and {first:?}"),
        }
    }
    first
}

#[track_caller]
fn rows(view: &View, sql: &str) -> Vec<String> {
    select(view, sql).expect(sql).rows
}

#[track_caller]
fn refused(view: &View, sql: &str) -> Error {
    select(view, sql).expect_err(sql)
}

/// Returns the counters of a scan that runs on this thread.
fn statistics(view: &View, sql: &str) -> ScanStatistics {
    let plan = Plan::new(&Select::parse(sql).expect(sql), view.clone(), &[]).expect(sql);
    let mut scan = Scan::new(plan, ScanOptions::default());
    loop {
        match scan.step().expect(sql) {
            Step::Run(morsel) => scan.accept(morsel.run()),
            Step::Batch(_) => {}
            Step::Wait => unreachable!("nothing is under way"),
            Step::Done => return scan.statistics(),
        }
    }
}

#[test]
fn a_hidden_column_does_not_exist() {
    let view = view(orders(), Some(&["note", "id", "none"]), None);
    assert_eq!(select(&view, "SELECT * FROM 'f' LIMIT 1").unwrap().columns, "id bigint, note text");
    assert_eq!(rows(&view, "SELECT note, id FROM 'f' LIMIT 1"), ["'a', 1"]);
    for sql in [
        "SELECT price FROM 'f'",
        "SELECT PRICE FROM 'f'",
        "SELECT \"price\" FROM 'f'",
        "SELECT count(price) FROM 'f'",
        "SELECT id FROM 'f' WHERE price > 1",
        "SELECT id FROM 'f' WHERE id = 1 OR f.price = 2",
    ] {
        let error = refused(&view, &sql.replace("f.price", "\"f\".price"));
        assert_eq!(error.kind(), ErrorKind::UnknownColumn, "{sql}");
        let text = error.to_string();
        assert!(text.ends_with("this file has `id`, `note`"), "{text}");
        // the same words as for a column that does not exist
        let nowhere = refused(
            &view,
            &sql.replace("f.price", "\"f\".zzzzz")
                .replace("price", "zzzzz")
                .replace("PRICE", "ZZZZZ"),
        );
        assert_eq!(
            text.to_lowercase(),
            nowhere.to_string().to_lowercase().replace("zzzzz", "price")
        );
    }
    assert!(!view.has_all_columns() && view.has_all_records());
}

#[test]
fn a_hidden_column_does_not_make_a_visible_one_ambiguous() {
    let file = source("Name,NAME,n\na,b,1\n", "names.csv");
    let all = View::from(Arc::clone(&file));
    assert_eq!(refused(&all, "SELECT name FROM 'f'").kind(), ErrorKind::UnknownColumn);
    assert_eq!(rows(&view(file, Some(&["NAME"]), None), "SELECT name FROM 'f'"), ["'b'"]);
}

#[test]
fn a_view_of_nothing_is_refused() {
    let error = View::new(orders(), Some(&["Price".to_owned()]), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownColumn);
}

#[test]
fn a_hidden_record_is_neither_selected_nor_counted() {
    let view = anns();
    assert_eq!(rows(&view, "SELECT id FROM 'f'"), ["1", "4", "6"]);
    assert_eq!(rows(&view, "SELECT id FROM 'f' WHERE owner = 'bob' OR TRUE"), ["1", "4", "6"]);
    assert_eq!(rows(&view, "SELECT id FROM 'f' WHERE owner = 'bob'"), Vec::<String>::new());
    assert_eq!(rows(&view, "SELECT id FROM 'f' LIMIT 1 OFFSET 1"), ["4"]);
    assert_eq!(rows(&view, "SELECT id FROM 'f' LIMIT 9 OFFSET 3"), Vec::<String>::new());
    assert_eq!(rows(&view, "SELECT count(*) FROM 'f'"), ["3"]);
    assert_eq!(rows(&view, "SELECT count(*), min(id), max(note) FROM 'f'"), ["3, 1, 'c'"]);
    assert_eq!(rows(&view, "SELECT count(*) FROM 'f' WHERE note = 'secret'"), ["0"]);
    assert_eq!(rows(&view, "SELECT sum(price), avg(price) FROM 'f'").len(), 1);
    for sql in ["SELECT id FROM 'f'", "SELECT count(*) FROM 'f'"] {
        let statistics = statistics(&view, sql);
        assert_eq!((statistics.records_scanned, statistics.records_selected), (3, 3), "{sql}");
        assert_eq!(statistics.records_undecided, 0);
    }
}

#[test]
fn a_hidden_record_is_in_no_group_and_in_no_order() {
    let view = anns();
    assert_eq!(rows(&view, "SELECT id FROM 'f' ORDER BY id DESC"), ["6", "4", "1"]);
    assert_eq!(rows(&view, "SELECT id FROM 'f' ORDER BY price DESC LIMIT 2"), ["6", "4"]);
    assert_eq!(rows(&view, "SELECT id FROM 'f' ORDER BY 100 / (id - 2) LIMIT 1 OFFSET 1"), ["6"]);
    assert_eq!(rows(&view, "SELECT owner, count(*) FROM 'f' GROUP BY owner"), ["'ann', 3"]);
    assert_eq!(rows(&view, "SELECT DISTINCT owner FROM 'f'"), ["'ann'"]);
    assert_eq!(rows(&view, "SELECT count(*) FROM 'f' HAVING count(*) > 3"), [""; 0]);
    assert_eq!(rows(&view, "SELECT count(DISTINCT note) FILTER (WHERE id <> 4) FROM 'f'"), ["2"]);
}

#[test]
fn rows_that_are_equal_stay_in_order_whatever_is_hidden() {
    let mut text = String::from("id,owner,same\n");
    let mut expected = Vec::new();
    for id in 0..60_000 {
        let owner = if id % 97 == 0 || id > 55_000 { "ann" } else { "bob" };
        text += &format!("{id},{owner},a text that makes several blocks of a morsel\n");
        if owner == "ann" {
            expected.push(id.to_string());
        }
    }
    let view = view(source(&text, "order.csv"), None, Some("owner = 'ann'"));
    assert_eq!(rows(&view, "SELECT id FROM 'f' ORDER BY same"), expected);
    assert_eq!(rows(&view, "SELECT id FROM 'f' ORDER BY same LIMIT 700"), expected[..700]);
    let error = refused(&view, "SELECT 1 / (id - 58000) FROM 'f' ORDER BY same LIMIT 9999");
    let place = 1 + expected.iter().position(|id| id == "58000").expect("a visible record");
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("order.csv: record {place} of those that you may")),
        "{text}"
    );
}

#[test]
fn a_filter_may_use_hidden_columns() {
    let view = view(orders(), Some(&["id"]), Some("owner = 'ann' AND note <> 'b'"));
    assert_eq!(rows(&view, "SELECT * FROM 'f'"), ["1", "6"]);
    assert_eq!(refused(&view, "SELECT owner FROM 'f'").kind(), ErrorKind::UnknownColumn);
}

#[test]
fn a_hidden_record_cannot_fail_a_select() {
    let view = anns();
    // `bad` does not decode, 0 does not divide: both are Bob's
    assert_eq!(rows(&view, "SELECT price FROM 'f'"), ["10", "40", "60"]);
    assert_eq!(rows(&view, "SELECT id FROM 'f' WHERE 100 / price > 2"), ["1"]);
    assert_eq!(rows(&view, "SELECT 120 / price FROM 'f'"), ["12", "3", "2"]);
    assert_eq!(rows(&view, "SELECT sum(1 / (id - 2)) FROM 'f'").len(), 1);
    let all = View::from(orders());
    assert_eq!(refused(&all, "SELECT 120 / price FROM 'f'").kind(), ErrorKind::Computation);
}

#[test]
fn an_error_counts_the_visible_records_only() {
    let view = anns();
    let error = refused(&view, "SELECT 1 / (id - 6) FROM 'f'");
    assert_eq!(error.kind(), ErrorKind::Computation);
    assert_eq!(
        error.to_string(),
        "orders.csv: record 3 of those that you may see: division by zero in `1 / (id - 6)`"
    );
    let text = ORDERS.replace("40", "forty");
    let view = self::view(source(&text, "orders.csv"), None, Some("owner = 'ann'"));
    let error = refused(&view, "SELECT id, price FROM 'f'").to_string();
    assert!(
        error.starts_with("orders.csv: record 2 of those that you may see, field `price`: 'forty'"),
        "{error}"
    );
    assert_eq!(rows(&view, "SELECT price FROM 'f' LIMIT 1"), ["10"]);
}

#[test]
fn a_record_without_a_value_of_the_filter_is_not_shown() {
    for (filter, shown, undecided) in [
        ("price >= 7", ["1", "4", "5", "6"].as_slice(), 1),
        ("100 / price < 20", &["1", "4", "5", "6"], 2),
        ("price = 40 OR id = 3", &["4"], 1),
        ("owner <> 'bob'", &["1", "4", "6"], 0),
    ] {
        let view = view(orders(), None, Some(filter));
        let answer = rows(&view, "SELECT id FROM 'f'");
        assert_eq!(answer, shown, "{filter}");
        let statistics = statistics(&view, "SELECT count(*) FROM 'f'");
        assert_eq!(statistics.records_undecided, undecided, "{filter}");
        assert_eq!(statistics.records_scanned, answer.len() as u64, "{filter}");
    }
}

#[test]
fn many_records_without_a_value_do_not_hide_the_others() {
    let mut text = String::from("id,price\n");
    for id in 0..20_000 {
        let price = if id % 7 == 0 { "7".to_owned() } else { format!("x{id}") };
        text += &format!("{id},{price}\n");
    }
    let view = view(source(&text, "many.csv"), None, Some("price = 7"));
    assert_eq!(rows(&view, "SELECT count(*), max(id) FROM 'f'"), ["2858, 19999"]);
    let done = statistics(&view, "SELECT count(*) FROM 'f'");
    assert_eq!((done.records_scanned, done.records_undecided), (2858, 20_000 - 2858));
}

#[test]
fn a_file_that_breaks_off_tells_no_place() {
    let text = ORDERS.replace("5,,7,secret", "5,,7,secret,and,more");
    let view = view(source(&text, "orders.csv"), None, Some("owner = 'ann'"));
    assert_eq!(rows(&view, "SELECT id FROM 'f' LIMIT 2"), ["1", "4"]);
    let error = refused(&view, "SELECT id FROM 'f'");
    assert_eq!(error.kind(), ErrorKind::Record);
    assert_eq!(error.to_string(), "orders.csv: a record cannot be told from the next");
    let withheld = error.withheld().expect("details for the log");
    assert!(withheld.contains("6 fields, the header has 4"), "{withheld}");
}

#[test]
fn errors_have_no_bytes_where_columns_are_hidden() {
    let text = ORDERS.replace("4,ann,40,b", "4,ann,many,b").replace("3,bob,bad", "3,bob,3");
    let columns = Some(&["id", "price"][..]);
    let some = view(source(&text, "orders.csv"), columns, None);
    let withheld = view(source(&text, "orders.csv"), None, None);
    let withheld = withheld.with_columns_withheld(vec!["note".to_owned()]);
    let both = view(source(&text, "orders.csv"), columns, Some("owner <> 'bob' OR id = 2"));
    for (view, place) in
        [(some, "record 4"), (withheld, "record 4"), (both, "record 3 of those that you may see")]
    {
        let decoded = refused(&view, "SELECT price FROM 'f'").to_string();
        assert!(decoded.starts_with(&format!("orders.csv: {place}, field `price`: ")), "{decoded}");
        let computed = refused(&view, "SELECT id FROM 'f' WHERE 1 / (id - 4) < 9").to_string();
        assert!(computed.starts_with(&format!("orders.csv: {place}: ")), "{computed}");
    }
}

/// Types are inferred past the part that was read when the file was opened, so damage in the rest
/// is found by the view.
#[test]
fn damage_that_inference_finds_is_told_as_far_as_the_view_shows() {
    let records = (0..6000).map(|id| format!("{id},ann,{:x}\n", fastrand::u128(..)));
    let text = format!("id,who,hidden\n{}", records.collect::<String>().repeat(8));
    let mut damaged = gzip(text.as_bytes(), text.len());
    let end = damaged.len() - 9;
    damaged[end] ^= 1;
    let source = described(&damaged, "t.csv.gz", None);
    let hides = |view: View| view.with_columns_withheld(vec!["hidden".to_owned()]);
    let told = |view: View| view.with_types_of_shown().expect_err("a damaged file").to_string();
    let nobodys = || view(Arc::clone(&source), None, Some("who = 'eve'"));
    assert_eq!(told(nobodys()), "t.csv.gz: a part of the file is damaged");
    assert_eq!(told(hides(nobodys())), "t.csv.gz: a part of the file is damaged");
    assert_eq!(told(hides(nobodys()).with_faults_withheld("not for you")), "not for you");
}

/// Hidden records and columns do not influence types and columns.
#[test]
fn types_come_from_the_records_that_are_shown() {
    let columns = |view: View, sql: &str| {
        let view = view.with_types_of_shown().expect("types");
        select(&view, sql).map(|answer| answer.columns).map_err(|error| error.to_string())
    };
    let csv = "id,who,a,b\n1,ann,7,x\n2,bob,many,2024-01-01\n3,ann,8,y\n";
    let anns = || view(source(csv, "t.csv"), None, Some("who = 'ann'"));
    let told = columns(anns(), "SELECT * FROM 'f'");
    assert_eq!(told.unwrap(), "id bigint, who text, a bigint, b text");
    let bobs = view(source(csv, "t.csv"), None, Some("who = 'bob'"));
    let told = columns(bobs, "SELECT * FROM 'f'");
    assert_eq!(told.unwrap(), "id bigint, who text, a text, b date");
    // the columns of the filter keep the types that it was written for
    let small = view(source(csv, "t.csv"), None, Some("a < 'b' AND id < 3"));
    assert_eq!(columns(small, "SELECT a, id FROM 'f'").unwrap(), "a text, id bigint");
    let nobodys = view(source(csv, "t.csv"), None, Some("who = 'eve'"));
    let told = columns(nobodys, "SELECT * FROM 'f'");
    assert_eq!(told.unwrap(), "id text, who text, a text, b text");

    let json =
        "{\"who\": \"bob\", \"a\": \"x\", \"c\": 1}\n{\"who\": \"ann\", \"a\": 5, \"b\": true}\n";
    let anns = || view(source(json, "t.jsonl"), None, Some("who = 'ann'"));
    let told = columns(anns(), "SELECT * FROM 'f'");
    assert_eq!(told.unwrap(), "who text, a bigint, b boolean");
    let error = columns(anns(), "SELECT c FROM 'f'").unwrap_err();
    assert!(error.contains("unknown column `c`; this file has `who`, `a`, `b`"), "{error}");
    // a column of the filter exists even if none of the shown records has it
    let others = view(source(json, "t.jsonl"), None, Some("c IS NULL"));
    let told = columns(others, "SELECT * FROM 'f'");
    assert_eq!(told.unwrap(), "who text, a bigint, b boolean, c bigint");
    // a list of columns hides the members of later records, even if the first ones have no others
    let later = "{\"id\": 1}\n{\"id\": 2}\n".repeat(6000) + "{\"id\": 3, \"card\": 007}\n";
    let listed = view(source(&later, "t.jsonl"), Some(&["id"]), None);
    assert!(!listed.is_whole());
    let error = columns(listed, "SELECT id FROM 'f' OFFSET 11999").unwrap_err();
    assert_eq!(error, "t.jsonl: a record cannot be told from the next");
    // the length of hidden columns does not change how many records determine the types
    let long = (0..1200)
        .map(|id| format!("{id},{},{}\n", if id < 1100 { "5" } else { "x" }, "h".repeat(2000)));
    let long = format!("id,a,hidden\n{}", long.collect::<String>());
    let seen = view(source(&long, "t.csv"), Some(&["id", "a"]), None);
    assert_eq!(columns(seen, "SELECT * FROM 'f'").unwrap(), "id bigint, a text");
    let withheld =
        view(source(&long, "t.csv"), None, None).with_columns_withheld(vec!["Hidden".to_owned()]);
    assert_eq!(columns(withheld, "SELECT id, a FROM 'f'").unwrap(), "id bigint, a text");
    // in a whole view, the first megabyte determines the types
    let all = view(source(&long, "t.csv"), None, None);
    assert_eq!(columns(all, "SELECT id, a FROM 'f' LIMIT 1").unwrap(), "id bigint, a bigint");
}

#[test]
fn explain_knows_neither_the_filter_nor_the_size() {
    let explain = |view: &View, sql: &str| {
        let select = Select::parse(sql).expect(sql);
        explain(&Plan::new(&select, view.clone(), &[]).expect(sql), &ScanOptions::default())
            .expect("EXPLAIN")
    };
    let restricted = explain(&anns(), "SELECT id FROM 'f' WHERE price > 1");
    assert_eq!(
        restricted,
        "project: id\nfilter: price > 1\nscan: orders.csv (csv)\n  decodes for every record: price\n  \
         decodes for selected records: id\n"
    );
    let columns = view(orders(), Some(&["id"]), None);
    assert!(
        explain(&columns, "SELECT * FROM 'f'").starts_with("project: id\nscan: orders.csv (csv)\n")
    );
}

#[test]
fn a_plan_tells_the_columns_of_the_filter_too() {
    let columns = |view: &View, sql: &str| {
        Plan::new(&Select::parse(sql).expect(sql), view.clone(), &[]).expect(sql).columns()
    };
    assert_eq!(columns(&anns(), "SELECT count(*) FROM 'f'"), [1]);
    assert_eq!(columns(&anns(), "SELECT note FROM 'f' WHERE id = 1"), [0, 1, 3]);
    assert_eq!(columns(&View::from(orders()), "SELECT count(*) FROM 'f'"), [0; 0]);
}

#[test]
fn a_row_filter_is_an_expression_of_the_file() {
    let parsed = |text: &str| Predicate::parse(text).map(|_| ()).unwrap_err().to_string();
    assert_eq!(parsed(""), "line 1, column 1: the text is empty; expected an expression");
    assert_eq!(parsed("owner = $1"), "line 1, column 9: `$1`: a parameter may not stand here");
    assert_eq!(parsed("id = 1; id = 2"), "line 1, column 7: `;` after the end of the expression");
    assert_eq!(
        parsed("id = 1 LIMIT 2"),
        "line 1, column 8: `LIMIT` after the end of the expression"
    );
    assert!(parsed("id IN (SELECT 1)").contains("not supported"));
    assert!(parsed(&"(".repeat(500)).contains("nested deeper"));
    assert!(parsed(&"x OR ".repeat(5_000)).contains("more than 1000 operators"));

    let bound = |text: &str| {
        let predicate = Predicate::parse(text).expect(text);
        View::new(orders(), None, Some(&predicate)).map(|_| ()).unwrap_err().to_string()
    };
    assert!(bound("nobody = 1").contains("unknown column `nobody`"));
    assert!(bound("id + 1").contains("a row filter needs a boolean, got bigint"));
    assert!(bound("count(*) > 1").contains("count may not stand in a row filter"));
    assert!(bound("o.id > 1").contains("unknown table `o`"));
}

/// Column files whose hidden records have bytes that are not texts, in the values that are selected
/// or in those that the row filter reads.
#[test]
fn hidden_bytes_that_are_not_texts_fail_nothing() {
    const PLACEHOLDER: &[u8] = b"ZZbadZZ";
    let owners = ["ann", "ZZbadZZ", "ann", "bob", "ann", "bob"];
    let notes = [Some("a"), Some("h"), Some("b"), Some("ZZbadZZ"), None, Some("h")];
    let owners: ArrayRef = Arc::new(StringArray::from(owners.to_vec()));
    let notes: ArrayRef = Arc::new(StringArray::from(notes.to_vec()));
    let large = arrow::compute::cast(&notes, &DataType::LargeUtf8).expect("texts");
    let codes = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let codes = arrow::compute::cast(&notes, &codes).expect("codes");
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("owner", owners, true),
        ("note", notes, true),
        ("large", large, true),
        ("codes", codes, true),
    ])
    .expect("a batch");
    let arrow = {
        let mut writer = FileWriter::try_new(Vec::new(), &batch.schema()).expect("a writer");
        writer.write(&batch).expect("a batch");
        writer.into_inner().expect("a file")
    };
    let parquet = |dictionary| {
        let properties = WriterProperties::builder().set_dictionary_enabled(dictionary).build();
        let mut writer =
            ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).expect("a writer");
        writer.write(&batch).expect("a batch");
        writer.into_inner().expect("a file")
    };
    let files = [("t.arrow", arrow), ("t.parquet", parquet(true)), ("t.parquet", parquet(false))];
    for (name, mut bytes) in files {
        let mut replaced = 0;
        for at in 0..bytes.len() - PLACEHOLDER.len() {
            if &bytes[at..at + PLACEHOLDER.len()] == PLACEHOLDER {
                bytes[at + 2..at + 5].copy_from_slice(b"\xFF\xFE\xFD");
                replaced += 1;
            }
        }
        assert!(replaced > 1, "{name}");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("write the file");
        let open =
            || Arc::new(Source::open(name, File::open(&path).expect(name), None).expect(name));
        let anns = view(open(), None, Some("owner = 'ann'"));
        for column in ["note", "large", "codes"] {
            let found = rows(&anns, &format!("SELECT {column} FROM 'f'"));
            assert_eq!(found, ["'a'", "'b'", "NULL"], "{name} {column}");
        }
        assert_eq!(rows(&anns, "SELECT count(*) FROM 'f' WHERE note <> 'h'"), ["2"], "{name}");
        // a reader who sees the record gets its error, after the records before it
        let all = view(open(), None, None);
        assert_eq!(rows(&all, "SELECT note FROM 'f' LIMIT 3"), ["'a'", "'h'", "'b'"], "{name}");
        let error = refused(&all, "SELECT note FROM 'f'").to_string();
        assert!(
            error.contains("record 4, field `note`: ") && error.contains("is not UTF-8"),
            "{error}"
        );
        let error = refused(&all, "SELECT owner FROM 'f'").to_string();
        assert!(error.contains("record 2, field `owner`: "), "{error}");
    }
}
