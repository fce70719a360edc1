//! SQL test cases as text: a Select and its rows or its exact error. They run for every format,
//! with one and with several threads, and with tiny and default morsels.
//!
//! The files in `tests/slt` have the format of sqllogictest, with a harness of our own. The crate
//! sqllogictest has no parameters of a Select, matches errors only by pattern, and has 88
//! dependencies.
//!
//! ```text
//! # a comment
//! query id bigint, name text        # the columns, with their types; may be left out
//! parameter integer 7              # of $1, then of $2 and so on
//! SELECT id, name FROM 'people'
//! WHERE id = $1
//! ----
//! 7, 'Ann'
//!
//! error UnknownColumn
//! SELECT ide FROM 'people'
//! ----
//! line 1, column 8: unknown column `ide`; this file has `id`, `name`; did you mean `id`?
//! ```
//!
//! A blank line ends a case. Rows are in the order of the file. In error messages, `(byte N)` is
//! left out because it depends on the format.

use std::fmt::Write as _;
use std::path::Path;

use sift_select::Value;

use crate::engine::{self, QUICK_RUNS, RUNS};
use crate::table::{Format, Table, date, timestamp};
use crate::tables;

macro_rules! files {
    ($($name:ident)*) => {
        const FILES: &[&str] = &[$(stringify!($name),)*];
        $(#[test] fn $name() { check_file(stringify!($name)); })*
    };
}

files! {
    aggregates
    arithmetic
    case
    casts
    coalesce
    comparison
    concat
    date_functions
    dates
    decimals
    distinct_from
    grouping
    in_between
    intervals
    is_true
    limit_offset
    literals
    logic
    narrow
    number_functions
    ordering
    parameters
    patterns
    projection
    refusals
    text
    text_functions
    timestamps
}

#[test]
fn every_file_is_run() {
    let folder = std::fs::read_dir(folder()).expect("the folder of cases");
    let mut found: Vec<_> = folder
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    found.sort();
    assert_eq!(found, FILES.iter().map(|name| format!("{name}.slt")).collect::<Vec<_>>());
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/slt"))
}

/// Returns the SQL of every case.
pub(crate) fn texts() -> Vec<String> {
    let read = |name: &&str| std::fs::read_to_string(folder().join(format!("{name}.slt")));
    let cases = FILES.iter().flat_map(|name| parse(&read(name).expect("a file of cases")));
    cases.map(|case| case.sql).collect()
}

/// One case of a file.
#[derive(Debug)]
struct Case {
    line: usize,
    expect: Expect,
    parameters: Vec<Value>,
    sql: String,
    result: Vec<String>,
}

#[derive(Debug)]
enum Expect {
    Rows { columns: String },
    Error { kind: String },
}

/// Runs all cases of a file and prints all that fail.
fn check_file(name: &str) {
    let path = folder().join(format!("{name}.slt"));
    let text = std::fs::read_to_string(&path).expect("a file of cases");
    let cases = parse(&text);
    assert!(!cases.is_empty(), "{name}.slt has no cases");
    let tables = tables::all();
    let scratch = tempfile::tempdir().expect("a folder");
    let mut failures = String::new();
    for table in &tables {
        let runs = if table.rows.len() > 1000 { QUICK_RUNS } else { RUNS };
        for format in table.formats {
            let sources = table.open_each(scratch.path(), *format);
            let ways =
                || sources.iter().flat_map(|source| runs.iter().map(move |run| (source, run)));
            for case in cases.iter().filter(|case| table_of(case) == table.name) {
                for (source, run) in ways() {
                    let got = engine::select(source, &case.sql, &case.parameters, *run);
                    if let Err(complaint) = compare(case, got) {
                        let Case { line, sql, .. } = case;
                        writeln!(
                            failures,
                            "{name}.slt:{line}: {format:?}, {run:?}\n{sql}\n{complaint}"
                        )
                        .expect("a string");
                        break;
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

/// Returns the table of a case: the quoted name after its FROM.
fn table_of(case: &Case) -> &str {
    let known = ["'values'", "'many'", "'narrow'", "'events'"];
    let found = known.into_iter().find(|name| case.sql.contains(name));
    found.map_or("values", |name| name.trim_matches('\''))
}

fn compare(case: &Case, got: sift_select::Result<engine::Answer>) -> Result<(), String> {
    match (&case.expect, got) {
        (Expect::Rows { columns }, Ok(answer)) => {
            if !columns.is_empty() && *columns != answer.columns {
                return Err(format!(
                    "expected columns {columns}\n     got columns {}",
                    answer.columns
                ));
            }
            if case.result != answer.rows {
                let (expected, rows) = (case.result.join("\n  "), answer.rows.join("\n  "));
                return Err(format!("expected\n  {expected}\ngot\n  {rows}"));
            }
            Ok(())
        }
        (Expect::Error { kind }, Err(error)) => {
            let got = format!("{:?}: {}", error.kind(), without_byte(&error.to_string()));
            let expected = format!("{kind}: {}", case.result.join("\n"));
            if got == expected {
                Ok(())
            } else {
                Err(format!("expected {expected}\n     got {got}"))
            }
        }
        (Expect::Error { kind }, Ok(answer)) => Err(format!("expected {kind}, got {answer:?}")),
        (Expect::Rows { .. }, Err(error)) => {
            Err(format!("expected rows, got {:?}: {error}", error.kind()))
        }
    }
}

/// Returns a message without ` (byte N)`.
fn without_byte(message: &str) -> String {
    let Some((before, rest)) = message.split_once(" (byte ") else { return message.to_owned() };
    let Some((digits, after)) = rest.split_once(')') else { return message.to_owned() };
    assert!(digits.parse::<u64>().is_ok(), "{message}");
    format!("{before}{after}")
}

fn parse(text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let expect = match line.split_once(' ').unwrap_or((line, "")) {
            ("query", columns) => Expect::Rows { columns: columns.to_owned() },
            ("error", kind) => Expect::Error { kind: kind.to_owned() },
            _ => panic!("line {}: `{line}` begins no case", number + 1),
        };
        let mut parameters = Vec::new();
        while let Some((_, line)) = lines.next_if(|(_, line)| line.starts_with("parameter ")) {
            parameters.push(parse_parameter(&line["parameter ".len()..]));
        }
        let mut body: Vec<&str> = Vec::new();
        while let Some((_, line)) = lines.next_if(|(_, line)| !line.is_empty()) {
            body.push(line);
        }
        let end = body.iter().position(|line| *line == "----");
        let end = end.unwrap_or_else(|| panic!("line {}: no ---- in the case", number + 1));
        cases.push(Case {
            line: number + 1,
            expect,
            parameters,
            sql: body[..end].join("\n"),
            result: body[end + 1..].iter().map(|line| (*line).to_owned()).collect(),
        });
    }
    cases
}

fn parse_parameter(line: &str) -> Value {
    let (kind, value) = line.split_once(' ').unwrap_or((line, ""));
    match kind {
        "null" => Value::Null,
        "boolean" => Value::Boolean(value.parse().expect("a boolean")),
        "integer" => Value::Integer(value.parse().expect("an integer")),
        "float" => Value::Float(value.parse().expect("a float")),
        "decimal" => {
            let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
            Value::Decimal {
                digits: format!("{whole}{fraction}").parse().expect("digits"),
                scale: u8::try_from(fraction.len()).expect("a scale"),
            }
        }
        "text" => Value::Text(value.to_owned()),
        "date" => date(value),
        "timestamp" => timestamp(value),
        other => panic!("`{other}` is not a kind of parameter"),
    }
}

#[test]
fn every_format_is_meant() {
    let formats = |table: &Table| table.formats.to_vec();
    assert!(tables::all().iter().any(|table| formats(table) == Format::ALL));
}
