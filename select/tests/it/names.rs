//! Names that several columns have.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StructArray};
use arrow::datatypes::{DataType, Field, Fields, Schema};
use arrow::ipc::writer::FileWriter;
use parquet::arrow::ArrowWriter;
use sift_select::{Descriptor, ErrorKind, Predicate, Source, View};

use crate::engine::{self, RUNS};

fn number(value: i64) -> ArrayRef {
    Arc::new(Int64Array::from(vec![value]))
}

/// Makes a struct of one number.
fn group(name: &str, value: i64) -> ArrayRef {
    let fields = Fields::from(vec![Field::new(name, DataType::Int64, true)]);
    Arc::new(StructArray::new(fields, vec![number(value)], None))
}

/// Makes a file of one record with these columns, as Parquet and as Arrow.
fn sources(
    columns: Vec<(&str, ArrayRef)>,
    descriptor: &str,
) -> [sift_select::Result<Arc<Source>>; 2] {
    let fields =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let batch = RecordBatch::try_new_with_options(schema, arrays, &options).expect("columns");
    let mut parquet = ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("a writer");
    parquet.write(&batch).expect("a row");
    let mut arrow = FileWriter::try_new(Vec::new(), &batch.schema()).expect("a writer");
    arrow.write(&batch).expect("a row");
    let files = [
        ("f.parquet", parquet.into_inner().expect("a file")),
        ("f.arrow", arrow.into_inner().expect("a file")),
    ];
    files.map(|(name, bytes)| {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(&bytes).expect("write the file");
        open(name, file, descriptor)
    })
}

fn open(name: &str, file: File, descriptor: &str) -> sift_select::Result<Arc<Source>> {
    let descriptor = (!descriptor.is_empty())
        .then(|| Descriptor::parse("f.toml", descriptor).expect("a descriptor"));
    Source::open(name, file, descriptor).map(Arc::new)
}

/// Checks both files; expects one row or the end of an error.
fn check(columns: &[(&str, ArrayRef)], cases: &[(&str, &str)]) {
    for source in sources(columns.to_vec(), "") {
        let source = source.expect("a source");
        for (items, expected) in cases {
            let sql = format!("SELECT {items} FROM 'f'");
            let got = match engine::select(&source, &sql, &[], RUNS[0]) {
                Ok(answer) => answer.rows.join("; "),
                Err(error) => error.to_string(),
            };
            assert_eq!(got, *expected, "{}: {sql}", source.format());
        }
    }
}

#[test]
fn a_name_of_two_columns_is_ambiguous() {
    let twice = "line 1, column 8: column `x` is ambiguous: 2 columns have this name; rename them, or \
                 select all by `*`";
    check(
        &[("x", number(1)), ("y", number(2)), ("x", number(3))],
        &[
            ("x", twice),
            ("\"x\"", twice),
            ("X", &twice.replace("`x`", "`X`")),
            ("*", "1, 2, 3"),
            ("y", "2"),
            ("count(*)", "1"),
        ],
    );
    check(&[("x", number(1)), ("X", number(2))], &[("x", "1"), ("X", "2"), ("\"X\", x", "2, 1")]);
    check(
        &[("ab", number(1)), ("AB", number(2))],
        &[("Ab", "line 1, column 8: column `Ab` is ambiguous: write \"AB\" or \"ab\"")],
    );
}

#[test]
fn a_point_is_part_of_a_name_or_between_two() {
    let both = [("a", group("b", 1)), ("a.b", number(2))];
    check(
        &both,
        &[
            ("a.b", "1"),
            ("\"a\".\"b\"", "1"),
            ("\"a.b\"", "2"),
            ("f.\"a.b\", f.a.b", "2, 1"),
            ("*", "1, 2"),
            ("a.b + \"a.b\"", "3"),
            ("A.B", "1"),
            (
                "\"A.b\"",
                "line 1, column 8: unknown column `A.b`; this file has `a.b`, `a.b`; did you mean `a.b`?",
            ),
        ],
    );
    // in the other order
    let [nested, plain] = both.clone();
    check(&[plain, nested], &[("a.b", "1"), ("\"a.b\"", "2"), ("*", "2, 1")]);
    // if only one of them exists, both spellings mean it
    check(&both[..1], &[("a.b", "1"), ("\"a.b\"", "1")]);
    check(&both[1..], &[("a.b", "2"), ("\"a.b\"", "2")]);
    check(
        &[("a", group("b.c", 1)), ("a.b", group("c", 2)), ("a.b.c", number(3))],
        &[
            ("a.\"b.c\"", "1"),
            ("\"a.b\".c", "2"),
            ("\"a.b.c\"", "3"),
            (
                "a.b.c",
                "line 1, column 8: column `a.b.c` is ambiguous: write \"a\".\"b.c\" or \"a.b\".\"c\" or \"a.b.c\"",
            ),
        ],
    );
    // one matches in its parts, the other in its case
    check(
        &[("A", group("b", 1)), ("a.b", number(2))],
        &[("a.b", "line 1, column 8: column `a.b` is ambiguous: write \"A\".\"b\" or \"a.b\"")],
    );
    check(
        &[("a", group("b", 1)), ("a", group("b", 2))],
        &[(
            "a.b",
            "line 1, column 8: column `a.b` is ambiguous: 2 columns have this name; rename them, or \
         select all by `*`",
        )],
    );
}

#[test]
fn a_name_of_two_columns_shows_neither() {
    let columns = vec![
        ("a", group("b", 1)),
        ("a.b", number(2)),
        ("x", number(3)),
        ("x", number(4)),
        ("y", number(5)),
    ];
    for source in sources(columns, "") {
        let source = source.expect("a source");
        let view = |names: &[&str], filter: Option<&str>| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let filter = filter.map(|text| Predicate::parse(text).expect(text));
            View::new(Arc::clone(&source), Some(&names), filter.as_ref())
        };
        for names in [&["x"][..], &["a.b"], &["y", "x"]] {
            let error = view(names, None).expect_err("an ambiguous name");
            assert_eq!(error.kind(), ErrorKind::UnknownColumn);
            assert!(error.to_string().ends_with(" is ambiguous: there are 2"), "{error}");
        }
        let error = view(&["y"], Some("x = 3")).expect_err("an ambiguous filter");
        assert!(error.to_string().contains("column `x` is ambiguous"), "{error}");
        let only = view(&["y"], Some("a.b = 1")).expect("a view");
        let answer = engine::select_in(only, "SELECT * FROM 'f'", &[], RUNS[0]).expect("a row");
        assert_eq!(answer.rows, ["5"]);
    }
}

#[test]
fn a_file_without_columns_has_records() {
    // the writer of Parquet has no records without columns
    for (source, records) in sources(Vec::new(), "").into_iter().zip(["0", "1"]) {
        let source = source.expect("a source");
        let ask = |items: &str| {
            let sql = format!("SELECT {items} FROM 'f'");
            engine::select(&source, &sql, &[], RUNS[0]).map(|answer| answer.rows)
        };
        assert_eq!(ask("count(*)").expect("a count"), [records]);
        let error = ask("x").expect_err("a column").to_string();
        assert_eq!(error, "line 1, column 8: unknown column `x`; this file has no columns");
        let rows = ask("*").expect("records without columns").len();
        assert_eq!(rows.to_string(), records);
    }
}
