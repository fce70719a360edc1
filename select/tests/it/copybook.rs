//! Files that a COBOL compiler has written, with the layout of the copybook that it compiled: the
//! values are those that the program displayed. `tests/data/cobol` says how they were made.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use sift_select::copybook::{BinarySize, Copybook, CopybookOptions, Overpunch};
use sift_select::{Descriptor, Source};

use crate::engine::{self, RUNS};

fn data(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/cobol")).join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(data(name)).expect("a text")
}

/// Returns the values of a line that the program displayed, in this crate's notation.
fn expected(line: &str) -> String {
    let values: Vec<&str> = line.split('|').collect();
    let number = |at: usize| {
        let text = values[at].trim();
        let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
        let digits = digits.trim_start_matches('0');
        match digits.chars().next() {
            None => "0".to_owned(),
            Some('.') => format!("{sign}0{digits}"),
            Some(_) => format!("{sign}{digits}"),
        }
    };
    let quoted = |at: usize| format!("'{}'", values[at].trim_end());
    // the price occurs four times, once for each way to write a sign
    let prices = [2, 2, 2, 2].map(number);
    let numbers = [3, 4, 5, 6, 7, 8, 9, 10, 11].map(number);
    let floats = [12, 13].map(|at| {
        if values[at].contains('.') { values[at].to_owned() } else { format!("{}.0", values[at]) }
    });
    let phone = |at: usize| {
        let digits: Vec<_> = values[at].chars().skip(1).map(String::from).collect();
        format!("'{}', {}", &values[at][..1], digits.join(", "))
    };
    let all = [
        number(0),
        quoted(1),
        prices.join(", "),
        numbers.join(", "),
        floats.join(", "),
        quoted(14),
        number(15),
        phone(17),
        phone(18),
    ];
    all.join(", ")
}

fn check(file: &str, bytes: u32, options: &CopybookOptions) {
    let copybook = Copybook::parse("sample.cpy", &text("sample.cpy"), options).expect("a layout");
    assert_eq!(copybook.record_bytes(), bytes, "{file}");
    let descriptor = Descriptor::parse("t", &copybook.to_descriptor("none")).expect("a descriptor");
    let opened = File::open(data(file)).expect("a file");
    let source = Arc::new(Source::open("sample.dat", opened, Some(descriptor)).expect("a source"));
    let rows: Vec<_> = text("expected.txt").lines().map(expected).collect();
    for run in RUNS {
        let answer = engine::select(&source, "SELECT * FROM 'sample.dat'", &[], *run).expect(file);
        assert_eq!(answer.rows, rows, "{file}");
    }
}

#[test]
fn files_of_gnucobol_have_the_values_that_it_shows() {
    let from1 = BinarySize::From1;
    check("default.dat", 131, &CopybookOptions { binary_size: from1, ..Default::default() });
    let overpunch = Overpunch::Ebcdic;
    check("ibm.dat", 132, &CopybookOptions { overpunch, ..Default::default() });
}
