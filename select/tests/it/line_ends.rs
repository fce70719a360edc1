//! Line ends and blank lines of CSV: the rows are the same plain and compressed, however the file
//! is divided.

use std::sync::Arc;

use sift_select::{BuildOptions, ErrorKind};

use crate::bad_data::Data;
use crate::compressed::{gzip, zstd};
use crate::engine::{self, RUNS};

const RETURNED: &str = "a carriage return that no line feed follows; a field that has one needs quotes, and lines that end with it alone need line feeds, as `tr '\\r' '\\n'` makes them";

/// Makes the text as a file, and compressed in small members and frames.
fn files(text: &str, descriptor: Option<&'static str>) -> [Data; 3] {
    let text = text.as_bytes();
    [
        Data::new("f.csv", text, descriptor),
        Data::new("f.csv.gz", gzip(text, 5), descriptor),
        Data::new("f.csv.zst", zstd(text, 7), descriptor),
    ]
}

/// Checks the rows of `*`.
#[track_caller]
fn reads(text: &str, rows: &[&str]) {
    described(text, None, rows);
}

#[track_caller]
fn described(text: &str, descriptor: Option<&'static str>, rows: &[&str]) {
    let files = files(text, descriptor);
    for file in &files {
        file.answers("SELECT * FROM 'f'", rows);
        file.answers("SELECT count(*) FROM 'f'", &[&rows.len().to_string()]);
    }
    let source = files[0].open().expect("a source");
    let options = BuildOptions { zone_bytes: 1, ..BuildOptions::default() };
    let index = source.build_index(&options).expect("an index");
    let indexed = Arc::new(source.with_index(index));
    for run in RUNS {
        let answer = engine::select(&indexed, "SELECT * FROM 'f'", &[], *run).expect("an answer");
        assert_eq!(answer.rows, rows, "{run:?}");
    }
}

/// Returns the results of every Select.
#[track_caller]
fn fails(text: &str, complaint: &str) {
    for (file, name) in files(text, None).into_iter().zip(["f.csv", "f.csv.gz", "f.csv.zst"]) {
        let message = format!("{name}: {complaint}: {RETURNED}");
        for sql in ["SELECT a FROM 'f'", "SELECT count(*) FROM 'f'", "SELECT * FROM 'f'"] {
            file.fails(sql, ErrorKind::Record, &message);
        }
    }
}

#[track_caller]
fn does_not_open(text: &str, complaint: &str) {
    for (file, name) in files(text, None).into_iter().zip(["f.csv", "f.csv.gz", "f.csv.zst"]) {
        let complaint = complaint.replace("f.csv.toml", &format!("{name}.toml"));
        file.does_not_open(ErrorKind::Record, &format!("{name}: {complaint}"));
    }
}

#[test]
fn carriage_returns_before_a_line_feed_end_the_line() {
    let rows = &["1, 'x'", "2, 'y'", "3, 'z'", "4, 'w'", "5, 'v'"];
    reads("a,b\r\n1,x\n2,y\r\n3,\"z\"\n4,\"w\"\r\n5,v", rows);
    reads("a,b\r\r\n1,x\r\r\n2,y\r\r\n3,\"z\"\r\r\n4,\"w\"\r\r\n5,v\r\r\n", rows);
    reads("a,b\r\r\r\n1,x\n2,y\r\r\n3,\"z\"\r\r\r\n4,\"w\"\r\n5,v\r", rows);
    reads("a,b\n1,x\r\n2,y\n3,\"z\"\n4,\"w\"\n5,\"v\"\r\r", rows);
    // the last name and the last values have no line end
    reads("a\r\r\n1\r\r\n\r\r\n3\r\r\n", &["1", "NULL", "3"]);
    reads("a,b\r\r\n1,\r\r\n,\"\"\r\r\n", &["1, NULL", "NULL, ''"]);
}

#[test]
fn carriage_returns_within_quotes_are_text() {
    let rows = &[r"'x\r', 'y'", r"'\r\n', '\r\r'"];
    reads("a,b\n\"x\r\",y\n\"\r\n\",\"\r\r\"\n", rows);
    reads("a,b\r\n\"x\r\",\"y\"\r\n\"\r\n\",\"\r\r\"\r", rows);
    reads("\"a\r\",b\n1,2\n", &["1, 2"]);
}

#[test]
fn any_other_carriage_return_is_a_fault() {
    fails("a,b\n1\r,2\n", "record 1 (byte 4), field `a`");
    fails("a,b\n1,2\n\r3,4\n", "record 2 (byte 8), field `a`");
    fails("a,b\n1,2\n3,4\r5\n", "record 2 (byte 8), field `b`");
    fails("a,b\n1,2\n3,\"4\"\r5\n", "record 2 (byte 8), field `b`");
    fails("a,b\n1,2\n3,4\r\r5,6\n", "record 2 (byte 8), field `b`");
    // later lines have the line ends of another system
    fails("a,b\n1,2\n3,4\n5,6\r7,8\r9,10\r", "record 3 (byte 12), field `b`");
    fails("a\n1\n2\r3\r", "record 2 (byte 4), field `a`");
    fails("a\n1\n\r\r2\r", "record 2 (byte 4), field `a`");
    // far from the first bytes, and at the boundary of two blocks
    let good: String = (0..200_000).map(|n| format!("{n},x\n")).collect();
    let text = format!("a,b\n{good}1,x\r2,y\r");
    let message = format!("f.csv: record 200001 (byte {}), field `b`: {RETURNED}", good.len() + 4);
    let source = Data::new("f.csv", text, None).open().expect("a source");
    for run in engine::QUICK_RUNS.iter().filter(|run| run.morsel_bytes.is_none()) {
        let error = engine::select(&source, "SELECT count(*) FROM 'f'", &[], *run);
        assert_eq!(error.expect_err("a fault").to_string(), message);
    }
}

#[test]
fn a_file_of_carriage_returns_alone_does_not_open() {
    does_not_open("a,b\r1,2\r3,4\r", &format!("header (byte 4): {RETURNED}"));
    does_not_open("a,b\r1,2", &format!("header (byte 4): {RETURNED}"));
    does_not_open("\"a\",\"b\"\r1,2\r", &format!("header (byte 8): {RETURNED}"));
    does_not_open("\u{FEFF}\na\r1\r", &format!("header (byte 6): {RETURNED}"));
    does_not_open("\ra,b\r1,2\r", &format!("header (byte 1): {RETURNED}"));
    let headless = "[csv]\nheader = false\n[[field]]\nname = \"a\"\n[[field]]\nname = \"b\"\n";
    Data::new("f.csv", "1,2\r3,4\r", Some(headless)).fails(
        "SELECT count(*) FROM 'f'",
        ErrorKind::Record,
        &format!("f.csv: record 1 (byte 0), field `b`: {RETURNED}"),
    );
}

#[test]
fn blank_lines_are_no_header_and_no_record_of_several_fields() {
    let rows = &["1, 2", "3, 4"];
    reads("\na,b\n1,2\n3,4", rows);
    reads("\r\n\n\r\r\na,b\r\n1,2\r\n3,4\r\n", rows);
    reads("\u{FEFF}\n\r\na,b\n1,2\n3,4\n", rows);
    reads("\u{FEFF}a,b\n1,2\n3,4\n", rows);
    reads("a,b\n\n1,2\n\r\n\r\r\n3,4\n\n\n", rows);
    reads("a,b\n1,2\n3,4\n\r", rows);
    reads("\n\na,b\n", &[]);
    let headless = "[csv]\nheader = false\n[[field]]\nname = \"a\"\ntype = \"int64\"\n[[field]]\nname = \"b\"\ntype = \"int64\"\n";
    described("\n\r\n1,2\n\n3,4\n\n", Some(headless), rows);
}

#[test]
fn blank_lines_are_null_in_a_file_of_one_field() {
    reads("\na\n1\n\n3\n", &["1", "NULL", "3"]);
    reads("a\r\n\r\n1\r\n\r\n", &["NULL", "1", "NULL"]);
    reads("a\n1\n\r", &["1", "NULL"]);
    let headless = "[csv]\nheader = false\n[[field]]\nname = \"a\"\ntype = \"int64\"\n";
    described("\n1\n\n", Some(headless), &["NULL", "1", "NULL"]);
}

#[test]
fn a_line_of_spaces_is_not_blank() {
    for file in files("a,b\n1,2\n   \n3,4\n", None) {
        let source = file.open().expect("a source");
        let error = engine::select(&source, "SELECT a FROM 'f'", &[], RUNS[0]).expect_err("ragged");
        assert!(error.to_string().ends_with(": record 2 (byte 8): 1 field, the header has 2"));
    }
    reads("a\n \n", &["' '"]);
    reads(" \n1\n", &["1"]);
}

#[test]
fn a_file_of_blank_lines_has_no_header() {
    let hint = "expected a header; if it has none, say so in f.csv.toml with `header = false` and name its fields";
    for text in ["\n", "\r", "\r\n\n\r\r\n", "\u{FEFF}\n\n"] {
        does_not_open(text, &format!("the file has blank lines alone, {hint}"));
    }
}
